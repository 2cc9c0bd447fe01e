"""Which of an organisation's subscriptions a row of a sheet is about, and what becomes different in it.

- With a first day: the subscription of that first day; else the one whose days it touches, and its first day is
  corrected; else a new one.
- Without: the one that runs today, else the next that will, else one that ended on the last day that is named; else a
  new one, from today.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from coopmail.domain.organisation_sheet import TERMS, Heading

_ALWAYS = date.max


class KnownTake(NamedTuple):
    """A subscription as it stands."""

    id: int
    starts_on: date
    ends_on: date | None
    contract_reference: str
    price_cents: int


@dataclass(slots=True, eq=False)
class Take:
    """A subscription of the sheet; `starts_on` and `ends_on` are as they will be."""

    owner: Any
    service: str
    known: KnownTake | None
    starts_on: date
    ends_on: date | None
    said: dict[Heading, tuple[Any, int]] = field(default_factory=dict)
    wanted: tuple[date, date | None] | None = None

    def touches(self, starts: date, ends: date | None) -> bool:
        """Whether it has a day in common with a period."""
        return self.starts_on <= (ends or _ALWAYS) and starts <= (self.ends_on or _ALWAYS)

    def fields(self) -> dict[str, tuple[Any, Any]]:
        """What becomes different."""
        said = {TERMS[heading]: value for heading, (value, _) in self.said.items()}
        found = {name: (getattr(self.known, name, None), value) for name, value in said.items()}
        return {name: pair for name, pair in found.items() if self.known is None or pair[0] != pair[1]}


class Periods:
    """Subscriptions by owner and service: those that are known, or those that a sheet is about."""

    def __init__(self, rows: Mapping[tuple[Any, str], Sequence[KnownTake]], today: date) -> None:
        self.rows, self.today = rows, today
        self.takes: dict[tuple[Any, str], list[Take]] = {}
        self._kept: dict[Take, None] = {}

    def of(self, owner: Any, service: str) -> Sequence[KnownTake]:
        """What an owner takes or took of a service."""
        return self.rows.get((owner, service), ())

    def find(self, owner: Any, service: str, known: Sequence[KnownTake], terms: Mapping[Heading, Any]) -> Take | str:
        """The subscription that a row is about, or the code of what is wrong."""
        takes = self.takes.get((owner, service))
        if takes is None:
            takes = [Take(owner, service, row, row.starts_on, row.ends_on) for row in known]
            self.takes[owner, service] = takes
        starts: date | None = terms.get(Heading.STARTS)
        ends: date | None = terms.get(Heading.ENDS)
        candidates = _from(takes, starts, ends) if starts is not None else self._live(takes, ends)
        if len(candidates) > 1:
            return "periods_overlap"
        take = candidates[0] if candidates else Take(owner, service, None, starts or self.today, ends)
        first, last = starts or take.starts_on, ends or take.ends_on
        if last is not None and last < first:
            return "ends_before_start"
        if any(other.touches(first, last) for other in takes if other is not take):
            return "periods_overlap"
        take.wanted = (first, last)
        return take

    def _live(self, takes: Sequence[Take], ends: date | None) -> list[Take]:
        live = [take for take in takes if take.ends_on is None or take.ends_on >= self.today]
        ended = [take for take in takes if ends is not None and take.ends_on == ends]
        return sorted(live, key=lambda take: take.starts_on)[:1] or ended[:1]

    def keep(self, take: Take) -> None:
        """The row that was found for this subscription is taken: its days are as the row says."""
        assert take.wanted is not None
        first_seen = take not in self._kept
        if take.known is None and first_seen:
            self.takes[take.owner, take.service].append(take)
        # What a row says first stays: one that says otherwise is refused before it comes here.
        take.starts_on, take.ends_on = take.wanted
        self._kept[take] = None

    def kept(self) -> Iterator[tuple[Any, str, Take]]:
        """Every subscription that a row is about."""
        for take in self._kept:
            yield take.owner, take.service, take


def _from(takes: Sequence[Take], starts: date, ends: date | None) -> list[Take]:
    exact = [take for take in takes if take.starts_on == starts]
    return exact or [take for take in takes if take.touches(starts, ends)]
