"""What the facts of an organisation, and what changes in them, are called."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask_babel import gettext as _

from coopmail import wording
from coopmail.domain.contacts import Mode
from coopmail.forms.kind import lazy
from coopmail.forms.staff.organisation import KINDS

FIELDS: dict[str, str] = {
    "code": lazy("Code"), "name": lazy("Name"), "kind": lazy("What it is"), "municipality": lazy("Municipality"),
    "province": lazy("Province"), "population": lazy("Inhabitants"), "regional": lazy("Regional library"),
    "big_city": lazy("Library of a big city"), "language": lazy("Language"), "telephone": lazy("Telephone"),
    "functional": lazy("Mailbox of several people"), "confirmed": lazy("Confirmed"), "starts_on": lazy("First day"),
    "ends_on": lazy("Last day"), "contract_reference": lazy("Contract"), "price_cents": lazy("Price a year"),
    "mode": lazy("Votes or reads"), "service": lazy("Service"),
}  # fmt: skip
MODES = {Mode.VOTES: lazy("votes"), Mode.READS: lazy("only reads along")}
_SHOWN: dict[str, Callable[[Any], str]] = {
    "price_cents": wording.euro,
    "population": wording.number,
    "kind": lambda value: str(KINDS[value]),
    "mode": lambda value: str(MODES[value]),
    "service": lambda value: value or _("all services"),
}


def shown(field: str, value: Any) -> str:
    """A value as a page shows it."""
    if value is None and field != "service":
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, date):
        return wording.day(value)
    return _SHOWN.get(field, str)(value) or "–"
