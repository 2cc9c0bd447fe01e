"""The list of organisations in the console, and its exports."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Representation
from coopmail.domain.organisations import PROVINCES, Organisation, Pilot
from coopmail.domain.services import Service, Subscription, running_on
from coopmail.forms.kind import lazy
from coopmail.forms.staff.organisation import KINDS
from coopmail.web.staff.listing import Choices, Column, Filter, Listing, register


def _question(today: date) -> sa.Select[*tuple[Any, ...]]:
    """An organisation, how many services it takes today, and how many contacts it has: one row each."""
    services = (
        sa.select(sa.func.count(sa.distinct(Subscription.service_id)))
        .where(Subscription.organisation_id == Organisation.id, running_on(today))
        .correlate(Organisation)
        .scalar_subquery()
    )
    contacts = (
        sa.select(sa.func.count(sa.distinct(Representation.contact_id)))
        .where(Representation.organisation_id == Organisation.id, Representation.ended_at.is_(None))
        .correlate(Organisation)
        .scalar_subquery()
    )
    return sa.select(Organisation, services.label("services"), contacts.label("contacts"))


def going_on(today: date) -> sa.ColumnElement[bool]:
    """Organisations that did not end."""
    return Organisation.ended_on.is_(None) | (Organisation.ended_on >= today)


def _takes(today: date, *more: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether an organisation is among those that take something: asked once, and not for each organisation."""
    return Organisation.id.in_(sa.select(Subscription.organisation_id).where(running_on(today), *more))


def _of_service(slug: str) -> sa.ColumnElement[bool]:
    return Subscription.service_id.in_(sa.select(Service.id).where(Service.slug == slug))


def _services(session: Session) -> Choices:
    rows = session.execute(sa.select(Service.slug, Service.name).order_by(Service.name))
    return [(slug, name) for slug, name in rows]


def _filters(today: date) -> tuple[Filter, ...]:
    marks = {
        "regional": (lazy("regional"), Organisation.regional.is_(True)),
        "big-city": (lazy("big city"), Organisation.big_city.is_(True)),
        "pilot": (lazy("pilot of a service"), Organisation.id.in_(sa.select(Pilot.organisation_id))),
    }
    return (
        Filter("kind", lazy("What it is"), lambda _s: [(key, str(name)) for key, name in KINDS.items()],
               lambda value: Organisation.kind == value),
        Filter("province", lazy("Province"), lambda _s: [(name, name) for name in PROVINCES],
               lambda value: Organisation.province == value),
        Filter("member", lazy("Takes a service"), lambda _s: [("yes", _("yes, today")), ("no", _("no"))],
               lambda value: _takes(today) & going_on(today) if value == "yes" else ~(_takes(today) & going_on(today))),
        Filter("service", lazy("Takes the service"), _services, lambda value: _takes(today, _of_service(value))),
        Filter("mark", lazy("Mark"), lambda _s: [(key, str(words)) for key, (words, _w) in marks.items()],
               lambda value: marks[value][1]),
        Filter("ended", lazy("Ended"), lambda _s: [("no", _("goes on")), ("yes", _("ended"))],
               lambda value: ~going_on(today) if value == "yes" else going_on(today)),
    )  # fmt: skip


def _listing(_session: Session, now: datetime) -> Listing:
    today = brussels_day(now)
    return Listing(
        name="organisations",
        question=_question(today),
        columns=(
            Column("name", lazy("Name"), lambda row: row.Organisation.name, (sa.func.lower(Organisation.name),)),
            Column("code", lazy("Code"), lambda row: row.Organisation.code, (Organisation.code,)),
            Column("kind", lazy("What it is"), lambda row: str(KINDS[row.Organisation.kind]), (Organisation.kind,)),
            Column("municipality", lazy("Municipality"), lambda row: row.Organisation.municipality,
                   (sa.func.lower(Organisation.municipality),)),
            Column("province", lazy("Province"), lambda row: row.Organisation.province, (Organisation.province,)),
            Column("population", lazy("Inhabitants"), lambda row: row.Organisation.population,
                   (Organisation.population,)),
            Column("services", lazy("Services"), lambda row: row.services),
            Column("contacts", lazy("Contacts"), lambda row: row.contacts),
            Column("ended", lazy("Ended"), lambda row: row.Organisation.ended_on, (Organisation.ended_on,)),
        ),
        searched=(Organisation.name, Organisation.municipality, sa.func.coalesce(Organisation.code, "")),
        unique=Organisation.id,
        default="name",
        filters=_filters(today),
    )  # fmt: skip


def _facts(_session: Session, now: datetime) -> dict[str, Any]:
    return {"kinds": KINDS, "today": brussels_day(now)}


register("/organisations", "organisations", _listing, "staff/organisations/list.html", facts=_facts)
