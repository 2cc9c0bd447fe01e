"""Ways to decide: a method is a value that says what a voter may mark and how it is counted.

A further method is one more value here (and, where it asks something new of a voter, a field in `forms/ballot.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from coopmail.domain.counting import Count, Marks, Rule, count

Counting = Callable[[Mapping[Marks, int], Sequence[str], Iterable[str], int, Rule], Count]


@dataclass(frozen=True)
class Method:
    """`several`: whether a voter may mark more than one option."""

    name: str
    several: bool
    counting: Counting

    def accepts(self, marks: Marks, options: Sequence[str], abstain: Iterable[str]) -> bool:
        """Whether a ballot may say this: known options, each once, in order; an abstention stands alone."""
        known = [key for key in options if key in marks]
        alone = not frozenset(abstain).intersection(marks) or len(marks) == 1
        return 0 < len(marks) <= (len(options) if self.several else 1) and list(marks) == known and alone


METHODS: dict[str, Method] = {
    "choice": Method("choice", several=False, counting=count),
    "approval": Method("approval", several=True, counting=count),
}
