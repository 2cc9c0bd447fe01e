"""What an import would do: what is known already, what a sheet says of each subject, and the difference. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from coopmail.domain.contacts import Mode
from coopmail.domain.organisation_periods import Periods, Take
from coopmail.domain.organisation_sheet import Fault, Heading

Said = dict[Heading, tuple[Any, int]]
"""What rows say of one subject: a value a column, and the line that said it first."""
Fields = dict[str, tuple[Any, Any]]
"""What becomes different: the field, what stands there, what will."""


class KnownOrganisation(NamedTuple):
    """An organisation as it stands."""

    id: int
    version: int
    code: str | None
    name: str
    kind: str
    municipality: str
    province: str
    population: int
    regional: bool
    big_city: bool
    ended_on: date | None
    merged_into: str | None


class KnownContact(NamedTuple):
    """A contact as it stands; `seated`: sits in a group."""

    id: int
    version: int
    email: str
    name: str
    language: str
    telephone: str
    functional: bool
    confirmed: bool
    left: bool
    seated: bool


@dataclass(frozen=True)
class Known:
    """What is there already. Services are named by slug; contacts and organisations by id."""

    organisations: list[KnownOrganisation]
    contacts: dict[str, KnownContact]
    periods: Periods
    modes: dict[tuple[int, int], dict[str | None, tuple[int, Mode]]]
    pilots: set[tuple[int, str]]


@dataclass(slots=True, eq=False)
class Target:
    """An organisation of the sheet."""

    known: KnownOrganisation | None
    said: Said = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    touched: bool = False

    @property
    def name(self) -> str:
        """Its name as it will be."""
        said = self.said.get(Heading.NAME)
        return said[0] if said is not None else self.known.name if self.known is not None else ""

    @property
    def code(self) -> str | None:
        """Its code as it will be."""
        said = self.said.get(Heading.CODE)
        return said[0] if said is not None else self.known.code if self.known is not None else None


@dataclass(slots=True, eq=False)
class Person:
    """A contact of the sheet, or a functional mailbox."""

    known: KnownContact | None
    address: str
    said: Said = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stand:
    """For whom a contact will stand, and how; `known` is the row that says otherwise now, with how."""

    person: Person
    target: Target
    service: str | None
    mode: Mode
    known: tuple[int, Mode] | None


class Change(NamedTuple):
    """One difference, to be read: of what sort, about whom or what, whether it is new, and the fields."""

    sort: str
    organisation: str
    subject: str
    added: bool
    fields: Fields


@dataclass
class Plan:
    """What an import would write, and why some rows cannot be used."""

    rows: int = 0
    unknown_columns: list[str] = field(default_factory=list)
    founded: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    organisations: list[tuple[Target, Fields]] = field(default_factory=list)
    contacts: list[tuple[Person, Fields]] = field(default_factory=list)
    stands: list[Stand] = field(default_factory=list)
    takes: list[tuple[Target, str, Take, Fields]] = field(default_factory=list)
    pilots: list[tuple[Target, str]] = field(default_factory=list)
    same: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing would be written."""
        return not (self.founded or any(self.changes()))

    @property
    def moves_voters(self) -> bool:
        """Whether somebody may vote from now on, or no longer: open polls then follow."""
        return bool(self.stands) or any("confirmed" in fields for _, fields in self.contacts)

    @property
    def bad_rows(self) -> int:
        """How many rows cannot be used."""
        return len({fault.line for fault in self.faults})

    def changes(self) -> Iterator[Change]:
        """Every difference, in the order of the sheet."""
        for target, fields in self.organisations:
            yield Change("organisation", target.name, target.name, target.known is None, fields)
        for person, fields in self.contacts:
            yield Change("contact", "", person.address, person.known is None, fields)
        for stand in self.stands:
            old = stand.known[1] if stand.known is not None else None
            fields = {"mode": (old, stand.mode), "service": (None, stand.service)}
            yield Change("stand", stand.target.name, stand.person.address, old is None, fields)
        for target, service, take, fields in self.takes:
            yield Change("subscription", target.name, service, take.known is None, fields)
        for target, service in self.pilots:
            yield Change("pilot", target.name, service, True, {})

    def count(self, sort: str, *, added: bool) -> int:
        """How many subjects of a sort are new, or become different."""
        return sum(change.sort == sort and change.added is added for change in self.changes())

    def digest(self) -> str:
        """A mark of all that would be written: two plans of one mark do the same."""
        told = [self.founded, [fault.place for fault in self.faults], *map(tuple, self.changes())]
        return hashlib.sha256(repr(told).encode()).hexdigest()
