"""What `coopmail doctor` finds about one part."""

from __future__ import annotations

from dataclasses import dataclass

OK, WRONG, UNKNOWN = "OK", "WRONG", "?"


@dataclass(frozen=True)
class Finding:
    """A part, how it stands, and in one sentence why or what to do."""

    part: str
    state: str
    says: str

    @property
    def is_wrong(self) -> bool:
        """Whether somebody has something to mend."""
        return self.state == WRONG

    def __str__(self) -> str:
        """A line."""
        return f"{self.state:<6} {self.part:<11} {' '.join(self.says.split())}"


def fine(part: str, says: str) -> Finding:
    """A part that is in order."""
    return Finding(part, OK, says)


def wrong(part: str, says: str) -> Finding:
    """A part that is not, and what to do."""
    return Finding(part, WRONG, says)


def unknown(part: str, says: str) -> Finding:
    """A part that could not be checked, and what to look for."""
    return Finding(part, UNKNOWN, says)
