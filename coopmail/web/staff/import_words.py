"""What an import would do, in words: how many, what is new, what changes, and what each column means.

Why a row or a file cannot be used is worded in `forms/staff/sheet_words.py`, which the forms share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from flask_babel import ngettext

from coopmail.domain.organisation_plan import Change, Plan
from coopmail.domain.organisation_sheet import Heading
from coopmail.forms.kind import lazy
from coopmail.forms.staff import sheet_words
from coopmail.web.staff.organisation_words import FIELDS, shown

COLUMNS: dict[Heading, str] = {
    Heading.CODE: lazy("A number or code of your own, by which an organisation is known even when its name changes."),
    Heading.NAME: lazy("The name of the organisation. This column must be there."),
    Heading.KIND: lazy("bibliotheek, cultuurcentrum, gemeenschapscentrum or andere."),
    Heading.MUNICIPALITY: lazy("The municipality where it is."),
    Heading.PROVINCE: lazy("A Flemish province, or Brussel."),
    Heading.POPULATION: lazy("Inhabitants of the municipality: 41000 or 41.000."),
    Heading.REGIONAL: lazy("ja or nee: a library that works for its region."),
    Heading.BIG_CITY: lazy("ja or nee: the library of a big city."),
    Heading.PILOTS: lazy("Services of which it is a pilot library, with commas between them."),
    Heading.CONTACT: lazy("The name of the contact, or of the mailbox that several people read."),
    Heading.ADDRESS: lazy("The e-mail address of the contact. A contact is known by it."),
    Heading.LANGUAGE: lazy("nl or en: the language of the mails. Empty for a new contact: nl."),
    Heading.TELEPHONE: lazy("A telephone number, as you would dial it."),
    Heading.FUNCTIONAL: lazy("ja for a mailbox that several people read."),
    Heading.MODES: lazy("stemt or leest; for one service leest: Krantenarchief. Empty for a new contact: stemt."),
    Heading.SERVICES: lazy("Services that the organisation takes, by name, with commas between them."),
    Heading.STARTS: lazy("The first day on which it takes them, such as 1/1/2026. Empty: today."),
    Heading.ENDS: lazy("The last day, such as 31/12/2026. Empty: no end is known."),
    Heading.CONTRACT: lazy("The reference of the contract."),
    Heading.PRICE: lazy("The price a year in euro excl. VAT, of each service on the row: 1.234,50."),
}
"""What staff write in each column."""


class Count(NamedTuple):
    """How many of one sort."""

    label: str
    added: int
    changed: int


class Told(NamedTuple):
    """One difference to read: of what sort, about what, and each field with what stands there and what will."""

    sort: str
    subject: str
    added: bool
    fields: list[tuple[str, str, str]]

    @property
    def in_one_line(self) -> str:
        """The fields as one text."""
        return "; ".join(
            f"{name}: {old} → {new}" if old else f"{name}: {new}" if name else new for name, old, new in self.fields
        )


class Wrong(NamedTuple):
    """One thing that is wrong: its line, its column, what stands there, and what to do."""

    line: int
    column: str
    value: str
    reason: str


def counts(plan: Plan) -> list[Count]:
    """How many of each sort are new, and how many become different."""
    return [
        Count(str(label), plan.count(sort, added=True), plan.count(sort, added=False)) for sort, label in _MANY.items()
    ]


def told(change: Change) -> Told:
    """A difference in words."""
    return _TOLD.get(change.sort, _of_fields)(change)


def differences(plan: Plan, *, added: bool) -> Iterator[Told]:
    """Everything that is new, or everything that becomes different, in words."""
    return (told(change) for change in plan.changes() if change.added is added)


def wrong(plan: Plan) -> Iterator[Wrong]:
    """Everything for which a row cannot be used, by line."""
    for fault in plan.faults:
        value = str(fault.values.get("value", ""))
        yield Wrong(fault.line, fault.column, value, sheet_words.fault(fault))


def pass_over(number: int) -> str:
    """The words beside the box by which rows are passed over."""
    return ngettext(
        "Pass over the one row that cannot be used, and import the others",
        "Pass over the %(num)s rows that cannot be used, and import the others",
        number,
    )


_MANY: dict[str, str] = {
    "organisation": lazy("Organisations"), "contact": lazy("Contacts"), "stand": lazy("Who stands for whom"),
    "subscription": lazy("Subscriptions to services"), "pilot": lazy("Pilot libraries"),
}  # fmt: skip
_ONE: dict[str, str] = {
    "organisation": lazy("Organisation"), "contact": lazy("Contact"), "stand": lazy("Who stands for whom"),
    "subscription": lazy("Subscription"), "pilot": lazy("Pilot library"),
}  # fmt: skip


def _of_fields(change: Change) -> Told:
    fields = [
        (str(FIELDS[name]), "" if change.added else shown(name, old), shown(name, new))
        for name, (old, new) in change.fields.items()
    ]
    subject = f"{change.organisation} – {change.subject}" if change.sort == "subscription" else change.subject
    return Told(str(_ONE[change.sort]), subject, change.added, fields)


def _of_standing(change: Change) -> Told:
    """Which services it is about stands beside what becomes different: it does not change."""
    (old, new), (_before, service) = change.fields["mode"], change.fields["service"]
    fields = [(shown("service", service), "" if change.added else shown("mode", old), shown("mode", new))]
    subject = f"{change.subject} – {change.organisation}"
    return Told(str(_ONE[change.sort]), subject, change.added, fields)


def _of_pilot(change: Change) -> Told:
    return Told(str(_ONE[change.sort]), change.organisation, True, [("", "", change.subject)])


_TOLD: dict[str, Callable[[Change], Told]] = {"stand": _of_standing, "pilot": _of_pilot}
