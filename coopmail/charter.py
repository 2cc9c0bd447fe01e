"""The cooperative's own rules, dated, from `charter.toml`.

Settings of the cooperative are entries of this file, never constants; a record names the entry that was in force.
A list of dated entries must not be empty, is sorted by `since`, and the last one that is not in the future holds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from coopmail.errors import CharterError

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
GroupKind = Literal[
    "steering_group", "working_group", "stakeholder_group", "board", "finance_committee", "management",
    "general_assembly",
]  # fmt: skip


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every table of the charter shares: a misspelt key is refused."""


class Dated(Entry, frozen=True):
    """An entry that holds from a day on; records name its `id`."""

    id: Slug
    since: date


class Person(Entry, frozen=True):
    """A person to answer to."""

    name: Text
    role_nl: Text
    role_en: Text
    email: Text
    telephone: Text


class Cooperative(Entry, frozen=True):
    """Who runs the cooperative."""

    name: Text
    legal_name: Text
    community_manager: Person
    site: Text


class GroupEntry(Entry, frozen=True):
    """A group, and the group that it prepares for."""

    slug: Slug
    name: Text
    kind: GroupKind
    parent: Slug | None = None


class ServiceEntry(Entry, frozen=True):
    """A service and the group that steers it. `phrase` is how it stands in a sentence, where that is not its name."""

    slug: Slug
    name: Text
    phrase_nl: Text | None = None
    phrase_en: Text | None = None
    steering_group: Slug | None = None


class PollRules(Dated, frozen=True):
    """How polls run. Hours are Brussels time; days before closing are calendar days."""

    least_duration_days: Count
    reminder_days: Annotated[list[Positive], msgspec.Meta(max_length=10)]
    reminder_hour: Annotated[int, msgspec.Meta(ge=6, le=20)]
    reminder_grace_days: Count
    closing_grace_days: Count
    link_days_after_closing: Positive
    new_links_a_day: Positive


class QuietPeriod(Entry, frozen=True):
    """Days on which the field is not asked: every year (`MM-DD`), or once (a date)."""

    name_nl: Text
    name_en: Text
    first: str
    last: str


class Step(Entry, frozen=True):
    """Above (more than) so many euro excl. VAT, these groups confirm, each by its rule."""

    above_euro: Positive
    confirmed_by: Annotated[list[Slug], msgspec.Meta(min_length=1)]
    rules: dict[str, Literal["any", "all", "majority", "unanimous_written"]]


class Thresholds(Dated, frozen=True):
    """Which commitments are laid before whom."""

    steps: Annotated[list[Step], msgspec.Meta(min_length=1)]


class Terms(Dated, frozen=True):
    """How long seats are taken, in years, a kind of group."""

    years: dict[GroupKind, Positive]
    late_ratification: Literal["old_group_holds_over", "new_group_sits_provisionally"]


class SeatRules(Dated, frozen=True):
    """How a steering group is composed. Hard: one seat an organisation a group. Soft ones carry a weight."""

    seats_an_organisation_a_group: Positive
    several_groups_above_population: Positive
    roles_without_vote: list[Literal["chair", "deputy_chair", "product_manager", "observer", "expert"]]
    weights: dict[str, Count]


class Retention(Dated, frozen=True):
    """How long what is kept, in months."""

    motivations_after_result: Positive
    addresses_and_user_agents: Positive


D = TypeVar("D", bound=Dated)


class Charter(Entry, frozen=True):
    """The whole charter. Ask a dated list through its method, with the day."""

    cooperative: Cooperative
    groups: list[GroupEntry]
    services: list[ServiceEntry]
    poll_rules: list[PollRules]
    quiet_periods: list[QuietPeriod]
    thresholds: list[Thresholds]
    terms: list[Terms]
    seat_rules: list[SeatRules]
    retention: list[Retention]

    def polls_on(self, day: date) -> PollRules:
        """The rules for polls in force on a day."""
        return in_force(self.poll_rules, day)

    def quiet_on(self, first: date, last: date) -> list[tuple[date, date]]:
        """The quiet periods that touch the days from `first` to `last`, as (first, last) pairs."""
        years = range(first.year - 1, last.year + 2)
        found = [stretch for period in self.quiet_periods for stretch in _stretches(period, years)]
        return sorted({(start, end) for start, end in found if start <= last and end >= first})

    def quiet_name(self, day: date, language: str) -> str | None:
        """The name of the quiet period that a day lies in, or `None`."""
        for period in self.quiet_periods:
            if any(start <= day <= end for start, end in _stretches(period, range(day.year - 1, day.year + 2))):
                return period.name_en if language == "en" else period.name_nl
        return None


def load(path: Path) -> Charter:
    """Read and check a charter; `CharterError` names the file and the place."""
    try:
        charter = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Charter)
        _check(charter)
    except (
        OSError,
        UnicodeDecodeError,
        tomllib.TOMLDecodeError,
        msgspec.ValidationError,
        ValueError,
    ) as error:
        raise CharterError(f"The charter {path.name} cannot be used: {error}") from error
    return charter


def in_force(entries: Sequence[D], day: date) -> D:
    """The entry that holds on a day: the last whose `since` is not after it; before the first one, the first."""
    holding = [entry for entry in entries if entry.since <= day]
    return holding[-1] if holding else entries[0]


def _check(charter: Charter) -> None:
    slugs = [group.slug for group in charter.groups]
    for name in ("poll_rules", "thresholds", "terms", "seat_rules", "retention"):
        entries: list[Dated] = getattr(charter, name)
        days = [entry.since for entry in entries]
        if not entries or days != sorted(set(days)):
            raise ValueError(f"{name} wants at least one entry, in the order of `since`, a day once")
        ids = [entry.id for entry in entries]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{name} has an `id` twice")
    for name, found in (("groups", slugs), ("services", [service.slug for service in charter.services])):
        if len(set(found)) != len(found):
            raise ValueError(f"{name} has a `slug` twice")
    named = [group.parent for group in charter.groups] + [service.steering_group for service in charter.services]
    named += [
        slug for entry in charter.thresholds for step in entry.steps for slug in (*step.confirmed_by, *step.rules)
    ]
    for slug in named:
        if slug is not None and slug not in slugs:
            raise ValueError(f"no group is called {slug!r}")
    for period in charter.quiet_periods:
        try:
            _stretches(period, range(2023, 2025))  # 29 February is no day of every year
        except ValueError as error:
            raise ValueError(f"the quiet period {period.name_en!r}: {error}") from error


def _stretches(period: QuietPeriod, years: range) -> list[tuple[date, date]]:
    """A period's days: once, or each of the years; one that passes New Year ends in the next."""
    if len(period.first) == len("MM-DD"):
        found = []
        for year in years:
            first, last = (
                date.fromisoformat(f"{year}-{period.first}"),
                date.fromisoformat(f"{year}-{period.last}"),
            )
            found.append((first, last if last >= first else date.fromisoformat(f"{year + 1}-{period.last}")))
        return found
    first, last = date.fromisoformat(period.first), date.fromisoformat(period.last)
    if last < first or last - first > timedelta(days=366):
        raise ValueError("it ends before it begins, or lasts over a year")
    return [(first, last)]
