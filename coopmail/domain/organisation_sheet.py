"""A sheet of organisations, their contacts and what they take: its columns, and one row of it as values.

A row holds an organisation, or an organisation and one of its contacts; an organisation may stand on several rows. How
staff write such a sheet stands on the page of the import, and in `docs/import.md`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from coopmail.domain import cells
from coopmail.domain.cells import CellWrong, plain
from coopmail.domain.contacts import Mode
from coopmail.domain.lines import tidy
from coopmail.errors import CoopmailError


class Heading(enum.StrEnum):
    """A column, by the name that it has on the page and in the example."""

    CODE = "code"
    NAME = "naam"
    KIND = "type"
    MUNICIPALITY = "gemeente"
    PROVINCE = "provincie"
    POPULATION = "inwoners"
    REGIONAL = "regionaal"
    BIG_CITY = "grootstad"
    PILOTS = "pilootbibliotheek van"
    CONTACT = "contactpersoon"
    ADDRESS = "e-mail"
    LANGUAGE = "taal"
    TELEPHONE = "telefoon"
    FUNCTIONAL = "functioneel"
    MODES = "stemt of leest"
    SERVICES = "afname"
    STARTS = "vanaf"
    ENDS = "tot"
    CONTRACT = "contract"
    PRICE = "prijs"


ALSO: dict[Heading, tuple[str, ...]] = {
    Heading.CODE: ("nummer", "number", "code organisatie"),
    Heading.NAME: ("name", "organisatie", "organisation", "naam organisatie"),
    Heading.KIND: ("soort", "kind"),
    Heading.MUNICIPALITY: ("municipality",),
    Heading.PROVINCE: ("province",),
    Heading.POPULATION: ("aantal inwoners", "population", "inhabitants"),
    Heading.REGIONAL: ("regional", "regionale bibliotheek"),
    Heading.BIG_CITY: ("big city",),
    Heading.PILOTS: ("piloot van", "pilootbibliotheek", "pilot", "pilot of", "pilots"),
    Heading.CONTACT: ("contact", "naam contactpersoon", "contact name"),
    Heading.ADDRESS: ("e-mailadres", "mail", "mailadres", "email address"),
    Heading.LANGUAGE: ("language",),
    Heading.TELEPHONE: ("telefoonnummer", "tel", "telephone", "phone"),
    Heading.FUNCTIONAL: ("functioneel adres", "functional", "functional mailbox"),
    Heading.MODES: ("stemt leest", "stemt/leest", "stemt", "votes or reads", "mode"),
    Heading.SERVICES: ("diensten", "dienst", "services", "service", "takes"),
    Heading.STARTS: ("van", "begin", "from", "start", "starts on"),
    Heading.ENDS: ("tot en met", "t.e.m.", "einde", "until", "to", "end", "ends on"),
    Heading.CONTRACT: ("contractnummer", "contract reference"),
    Heading.PRICE: ("prijs per jaar", "prijs excl. btw", "prijs per jaar excl. btw", "price", "price a year"),
}
"""What else a column may be called; capitals, accents, spaces and marks make no difference."""
_HEADINGS = {plain(word): heading for heading in Heading for word in (heading.value, *ALSO[heading])}
FACTS: dict[Heading, str] = {
    Heading.CODE: "code", Heading.NAME: "name", Heading.KIND: "kind", Heading.MUNICIPALITY: "municipality",
    Heading.PROVINCE: "province", Heading.POPULATION: "population", Heading.REGIONAL: "regional",
    Heading.BIG_CITY: "big_city",
}  # fmt: skip
"""The columns about the organisation itself, and the field of `Organisation` that each fills."""
NEEDED = (Heading.NAME, Heading.KIND, Heading.MUNICIPALITY, Heading.PROVINCE, Heading.POPULATION)
"""What an organisation that is not known yet cannot do without."""
PERSON: dict[Heading, str] = {
    Heading.CONTACT: "name", Heading.LANGUAGE: "language", Heading.TELEPHONE: "telephone",
    Heading.FUNCTIONAL: "functional",
}  # fmt: skip
"""The columns about the contact, which is known by its address, and the field of `Contact` that each fills."""
TERMS: dict[Heading, str] = {
    Heading.STARTS: "starts_on", Heading.ENDS: "ends_on", Heading.CONTRACT: "contract_reference",
    Heading.PRICE: "price_cents",
}  # fmt: skip
"""The columns about what is taken, and the field of `Subscription` that each fills."""
_READERS: dict[Heading, Callable[[str], Any]] = {
    Heading.CODE: cells.short(40), Heading.NAME: cells.organisation_name, Heading.KIND: cells.kind,
    Heading.MUNICIPALITY: cells.short(200), Heading.PROVINCE: cells.province, Heading.POPULATION: cells.population,
    Heading.REGIONAL: cells.yes_or_no, Heading.BIG_CITY: cells.yes_or_no, Heading.CONTACT: cells.person_name,
    Heading.ADDRESS: cells.address, Heading.LANGUAGE: cells.language, Heading.TELEPHONE: cells.telephone,
    Heading.FUNCTIONAL: cells.yes_or_no, Heading.STARTS: cells.day, Heading.ENDS: cells.day,
    Heading.CONTRACT: cells.short(60), Heading.PRICE: cells.price,
}  # fmt: skip
_READERS_OF_SERVICES: dict[Heading, Callable[[str, Mapping[str, str]], Any]] = {
    Heading.PILOTS: cells.services, Heading.SERVICES: cells.services, Heading.MODES: cells.modes,
}  # fmt: skip


class SheetRefused(CoopmailError):
    """A sheet's header cannot be used. `code` is `column_missing` or `column_twice`, `column` the one it is about."""

    def __init__(self, code: str, column: str) -> None:
        said = {
            "column_missing": f'The sheet has no column "{column}": add it, or name it so.',
            "column_twice": f'The sheet has the column "{column}" twice: take one away, or name it otherwise.',
        }
        super().__init__(said[code])
        self.code, self.column = code, column


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row cannot be used: its line, the column as the sheet names it (or none), and a code with its values."""

    line: int
    column: str
    code: str
    values: dict[str, str | int] = field(default_factory=dict)

    @property
    def place(self) -> tuple[int, str, str]:
        """Where it is, and what."""
        return (self.line, self.column, self.code)


class Line(NamedTuple):
    """A row under the header: where a person finds it, its cells, and how many lie beyond the header."""

    line: int
    cells: tuple[str, ...]
    surplus: int = 0


@dataclass(frozen=True)
class Columns:
    """Where each column stands, how the sheet names it, and the names that mean nothing here."""

    places: dict[Heading, int]
    names: dict[Heading, str]
    unknown: list[str]

    def name(self, heading: Heading) -> str:
        """A column as this sheet names it; one that it has not, by its proper name."""
        return self.names.get(heading, heading.value)


@dataclass(slots=True)
class Entry:
    """One row as values; only what was filled in."""

    line: int
    facts: dict[Heading, Any]
    person: dict[Heading, Any]
    terms: dict[Heading, Any]
    address: str = ""
    modes: dict[str | None, Mode] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    pilots: tuple[str, ...] = ()


def read_header(header: Sequence[str]) -> Columns:
    """The columns of a sheet, in whatever order; raises `SheetRefused`."""
    columns = Columns({}, {}, [])
    seen: set[str] = set()
    for place, text in enumerate(header):
        word, name = plain(text), tidy(text)
        heading = _HEADINGS.get(word)
        if (heading in columns.places) or (word and word in seen):
            raise SheetRefused("column_twice", name)
        seen.add(word)
        if heading is None:
            columns.unknown.append(name or str(place + 1))
        else:
            columns.places[heading], columns.names[heading] = place, name
    if Heading.NAME not in columns.places:
        raise SheetRefused("column_missing", Heading.NAME.value)
    return columns


def read_rows(columns: Columns, rows: Iterable[Line], known: Mapping[str, str]) -> tuple[list[Entry], list[Fault]]:
    """Every row as values, and why some cannot be used. `known` maps names and slugs of services to slugs."""
    entries, faults = [], []
    for row in rows:
        found = _read_cells(columns, row, known)
        wrong = [cell for cell in found.values() if isinstance(cell, Fault)]
        wrong = wrong or _whole(columns, row, found)
        if wrong:
            faults += wrong
        else:
            entries.append(_entry(row.line, found))
    return entries, faults


def _read_cells(columns: Columns, row: Line, known: Mapping[str, str]) -> dict[Heading, Any]:
    found: dict[Heading, Any] = {}
    for heading, place in columns.places.items():
        text = tidy(row.cells[place])
        if not text:
            continue
        try:
            if heading in _READERS:
                found[heading] = _READERS[heading](text)
            else:
                found[heading] = _READERS_OF_SERVICES[heading](text, known)
        except CellWrong as wrong:
            found[heading] = Fault(row.line, columns.name(heading), wrong.code, {"value": text[:60], **wrong.values})
    return found


def _whole(columns: Columns, row: Line, found: dict[Heading, Any]) -> list[Fault]:
    """What is wrong with a row whose cells are each right."""
    faults = []
    if row.surplus:
        faults.append(Fault(row.line, "", "surplus", {"number": row.surplus}))
    if Heading.NAME not in found and Heading.CODE not in found:
        faults.append(Fault(row.line, columns.name(Heading.NAME), "name_missing"))
    personal = [heading for heading in (*PERSON, Heading.MODES) if heading in found]
    if personal and Heading.ADDRESS not in found:
        faults.append(Fault(row.line, columns.name(Heading.ADDRESS), "address_missing"))
    if any(heading in found for heading in TERMS) and not found.get(Heading.SERVICES):
        faults.append(Fault(row.line, columns.name(Heading.SERVICES), "service_missing"))
    starts: date | None = found.get(Heading.STARTS)
    ends: date | None = found.get(Heading.ENDS)
    if starts is not None and ends is not None and ends < starts:
        faults.append(Fault(row.line, columns.name(Heading.ENDS), "ends_before_start"))
    return faults


def _entry(line: int, found: dict[Heading, Any]) -> Entry:
    return Entry(
        line=line,
        facts={heading: found[heading] for heading in FACTS if heading in found},
        person={heading: found[heading] for heading in PERSON if heading in found},
        terms={heading: found[heading] for heading in TERMS if heading in found},
        address=found.get(Heading.ADDRESS, ""),
        modes=found.get(Heading.MODES, {}),
        services=found.get(Heading.SERVICES, ()),
        pilots=found.get(Heading.PILOTS, ()),
    )
