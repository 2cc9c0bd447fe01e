"""How a benchmark is run: how large, how often, and what it has to say beside its rows."""

from __future__ import annotations

from dataclasses import dataclass, field


class Missing(Exception):
    """Something that a benchmark needs is not on this machine; the words say how it gets there."""


class Wrong(Exception):
    """The work that was measured was not done as it should: the figures would say nothing."""


@dataclass
class Run:
    """`quick` is for a look while writing: little work, one round, nothing kept."""

    quick: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        """How often ours and theirs are measured in turn."""
        return 1 if self.quick else 3

    def count(self, usual: int, quick: int) -> int:
        """How many pieces of work a round has."""
        return quick if self.quick else usual

    def say(self, text: str) -> None:
        """Print a line, which also stands in the results."""
        self.notes.append(text)
        print(f"- {text}", flush=True)
