"""What was done with an organisation, in words: the record's rows, for its page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.domain.audit import AuditRow
from coopmail.queries import organisations as questions
from coopmail.queries.changes import actor_names
from coopmail.web.staff.act_words import act_in_words
from coopmail.web.staff.organisation_words import FIELDS, shown


class Told(NamedTuple):
    """One act: when, by whom, and what."""

    at: datetime
    who: str
    what: str


def told(session: Session, rows: list[AuditRow]) -> list[Told]:
    """Rows about one organisation, in their order."""
    names = actor_names(session, {row.actor for row in rows})
    services = {service.id: service.name for service in questions.services(session)}
    return [Told(row.at, _who(row.actor, names), _what(row, services)) for row in rows]


def _who(actor: str, names: Mapping[str, str]) -> str:
    return {"": _("erased"), "runner": _("the runner, by itself"), "staff": _("the command line")}.get(
        actor, names.get(actor, actor)
    )


def _what(row: AuditRow, services: Mapping[int, str]) -> str:
    said = [services[row.detail["service_id"]]] if row.detail.get("service_id") in services else []
    said += [_changed(name, pair, services) for name, pair in row.detail.get("changed", {}).items()]
    if row.detail.get("reason"):
        said.append(row.detail["reason"])
    act = act_in_words(row.act)
    return f"{act}: {'; '.join(said)}" if said else act


def _changed(name: str, pair: list[Any], services: Mapping[int, str]) -> str:
    if name == "pilot_of":
        old, new = (wording.names([services.get(key, "?") for key in keys]) or "–" for keys in pair)
    else:
        old, new = (shown(name, _read(name, value)) for value in pair)
    label = FIELDS.get(name, _("Pilot library of") if name == "pilot_of" else name)
    return f"{label}: {old} → {new}"


def _read(name: str, value: Any) -> Any:
    """A value as the record keeps it, which is text for what is taken."""
    if value in (None, "None", ""):
        return None
    if name in ("starts_on", "ends_on"):
        return date.fromisoformat(value)
    return int(value) if name in ("price_cents", "population") else value
