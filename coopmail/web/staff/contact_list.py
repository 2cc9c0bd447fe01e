"""The list of contacts in the console, and its exports; and how a contact stands, in words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.organisations import Organisation
from coopmail.domain.services import Service
from coopmail.forms.kind import lazy
from coopmail.queries.contacts import last_answer, running
from coopmail.web.staff.listing import Choices, Column, Filter, Listing, register

_OF_CONTACT = running(Contact.id)
MODES = {"votes": lazy("votes"), "reads": lazy("only reads along"), "": lazy("for no organisation")}
LANGUAGES = {"nl": "Nederlands", "en": "English"}


def status(contact: Contact, today: date) -> tuple[str, str]:
    """How a contact can be reached: a sign for `staff.status`, and words. What matters most goes first."""
    return _SIGNS[_standing(contact, today)]


def _standing(contact: Contact, today: date) -> str:
    if contact.left_at is not None:
        return "left"
    if contact.undeliverable_at is not None:
        return "undeliverable"
    if contact.confirmed_at is None:
        return "unconfirmed"
    return "away" if contact.away_until is not None and contact.away_until >= today else "confirmed"


_SIGNS = {
    "left": ("off", lazy("left")),
    "undeliverable": ("wrong", lazy("mail bounces")),
    "unconfirmed": ("wait", lazy("not confirmed")),
    "away": ("wait", lazy("away")),
    "confirmed": ("ok", lazy("confirmed")),
}


def _where_status(today: date) -> dict[str, sa.ColumnElement[bool]]:
    """The same in SQL."""
    here, bounces = Contact.left_at.is_(None), Contact.undeliverable_at.is_not(None)
    known = here & ~bounces & Contact.confirmed_at.is_not(None)
    away = Contact.away_until.is_not(None) & (Contact.away_until >= today)
    return {
        "confirmed": known & ~away,
        "unconfirmed": here & ~bounces & Contact.confirmed_at.is_(None),
        "undeliverable": here & bounces,
        "away": known & away,
        "left": ~here,
    }


def _stands(*more: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(_OF_CONTACT, *more).correlate(Contact)


def _question() -> sa.Select[*tuple[Any, ...]]:
    """A contact, its organisations (a line each), whether it votes, and when it last answered: one row each."""
    theirs = sa.select(Representation.organisation_id).where(_OF_CONTACT).correlate(Contact)
    organisations = sa.select(sa.func.aggregate_strings(Organisation.name, "\n")).where(Organisation.id.in_(theirs))
    mode = sa.case((_stands(Representation.mode == Mode.VOTES), "votes"), (_stands(), "reads"), else_="")
    return sa.select(
        Contact,
        organisations.correlate(Contact).scalar_subquery().label("organisations"),
        mode.label("mode"),
        last_answer(Contact.id).label("last_answer"),
    )  # fmt: skip


def _by_organisation(pattern: str) -> sa.ColumnElement[bool]:
    named = sa.func.lower(Organisation.name).like(pattern, escape="\\")
    return Contact.id.in_(
        sa.select(Representation.contact_id)
        .join(Organisation, Organisation.id == Representation.organisation_id)
        .where(named, Representation.ended_at.is_(None))
    )


def _standing_now(*more: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether a contact is among those with such a representation: asked once, and not for each contact."""
    return Contact.id.in_(sa.select(Representation.contact_id).where(Representation.ended_at.is_(None), *more))


def _by_mode(value: str) -> sa.ColumnElement[bool]:
    votes = _standing_now(Representation.mode == Mode.VOTES)
    return {"votes": votes, "reads": _standing_now() & ~votes, "none": ~_standing_now()}[value]


def _votes_for(service: str) -> sa.ColumnElement[bool]:
    """Who votes for somebody in a service: by a row for it, else by a general one."""
    votes = Representation.mode == Mode.VOTES
    other = sa.orm.aliased(Representation)
    overruled = sa.exists().where(
        other.contact_id == Representation.contact_id,
        other.organisation_id == Representation.organisation_id,
        other.service_id == int(service),
        other.ended_at.is_(None),
    )
    of_service = Representation.service_id == int(service)
    return _standing_now(votes, of_service | (Representation.service_id.is_(None) & ~overruled))


def _filters(today: date) -> tuple[Filter, ...]:
    standing = _where_status(today)
    return (
        Filter("status", lazy("Status"), lambda _s: [(key, str(_SIGNS[key][1])) for key in standing],
               lambda value: standing[value]),
        Filter("mode", lazy("Votes or reads"),
               lambda _s: [("votes", _("votes")), ("reads", _("only reads along")), ("none", _("for no organisation"))],
               _by_mode),
        Filter("service", lazy("Votes in"), _services, _votes_for),
        Filter("language", lazy("Language"), lambda _s: list(LANGUAGES.items()),
               lambda value: Contact.language == value),
        Filter("functional", lazy("Person or mailbox"),
               lambda _s: [("no", _("a person")), ("yes", _("a mailbox of several people"))],
               lambda value: Contact.functional.is_(value == "yes")),
    )  # fmt: skip


def _services(session: Session) -> Choices:
    rows = session.execute(sa.select(Service.id, Service.name).order_by(Service.name))
    return [(str(row[0]), row[1]) for row in rows]


def names(row: Any) -> list[str]:
    """The organisations of a row, by name."""
    return sorted((row.organisations or "").split("\n")) if row.organisations else []


def _listing(_session: Session, now: datetime) -> Listing:
    today = brussels_day(now)
    return Listing(
        name="contacts",
        question=_question(),
        columns=(
            Column("name", lazy("Name"), lambda row: row.Contact.name, (sa.func.lower(Contact.name),)),
            Column("address", lazy("Address"), lambda row: row.Contact.email, (Contact.email_key,)),
            Column("telephone", lazy("Telephone"), lambda row: row.Contact.telephone),
            Column("organisations", lazy("Organisations"), lambda row: ", ".join(names(row))),
            Column("mode", lazy("Votes or reads"), lambda row: str(MODES[row.mode])),
            Column("language", lazy("Language"), lambda row: LANGUAGES[row.Contact.language], (Contact.language,)),
            Column("functional", lazy("Person or mailbox"),
                   lambda row: _("a mailbox of several people") if row.Contact.functional else _("a person")),
            Column("last_answer", lazy("Last answer"), lambda row: row.last_answer),
            Column("status", lazy("Status"), lambda row: str(status(row.Contact, today)[1])),
        ),
        searched=(Contact.name, Contact.email_key, Contact.telephone),
        unique=Contact.id,
        default="name",
        filters=_filters(today),
        elsewhere=_by_organisation,
    )  # fmt: skip


def _facts(_session: Session, now: datetime) -> dict[str, Any]:
    return {"today": brussels_day(now), "status": status, "names": names, "modes": MODES, "languages": LANGUAGES}


register("/contacts", "contacts", _listing, "staff/contacts/list.html", facts=_facts)
