"""What is known already about the field, for an import to compare with: a few questions, whatever its size."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, undefer

from coopmail.domain.contacts import Contact, Representation
from coopmail.domain.groups import Seat
from coopmail.domain.organisation_periods import KnownTake, Periods
from coopmail.domain.organisation_plan import Known, KnownContact, KnownOrganisation
from coopmail.domain.organisations import Organisation, Pilot
from coopmail.domain.polls import Poll, PollState
from coopmail.domain.services import Service, Subscription
from coopmail.domain.uploads import SPENT, Upload

_AT_ONCE = 5_000


def known(session: Session, today: date) -> Known:
    """Organisations, contacts, and all that ties them to each other and to services."""
    return Known(
        organisations=_organisations(session),
        contacts=_contacts(session, today),
        periods=_periods(session, today),
        modes=_modes(session),
        pilots={(row[0], row[1]) for row in _rows(session, _PILOTS)},
    )


def services(session: Session) -> list[tuple[str, str]]:
    """Slug and name of each service."""
    return [(row[0], row[1]) for row in session.execute(sa.select(Service.slug, Service.name).order_by(Service.id))]


def service_ids(session: Session) -> dict[str, int]:
    """The id of each service, by its slug."""
    return {row[0]: row[1] for row in session.execute(sa.select(Service.slug, Service.id))}


def upload(session: Session, staff_id: int, key: str) -> Upload | None:
    """The file that somebody sent, with its content; nobody else's."""
    mine = sa.select(Upload).where(Upload.key == key, Upload.staff_id == staff_id)
    return session.scalars(mine.options(undefer(Upload.content))).one_or_none()


def waiting(session: Session, staff_id: int) -> list[Upload]:
    """The files that somebody sent and did not use yet, the newest first, without their content."""
    mine = sa.select(Upload).where(Upload.staff_id == staff_id, Upload.content != SPENT)
    return list(session.scalars(mine.order_by(Upload.sent_at.desc(), Upload.key)))


def open_polls(session: Session) -> int:
    """How many polls are open now."""
    return session.scalars(sa.select(sa.func.count()).where(Poll.state == PollState.OPEN)).one()


def _rows(session: Session, question: sa.Select[*tuple[Any, ...]]) -> Iterator[Any]:
    with session.execute(question.execution_options(yield_per=_AT_ONCE)) as found:
        yield from found


_INTO = aliased(Organisation)
_ORGANISATIONS = (
    sa.select(
        Organisation.id, Organisation.version, Organisation.code, Organisation.name, Organisation.kind,
        Organisation.municipality, Organisation.province, Organisation.population, Organisation.regional,
        Organisation.big_city, Organisation.ended_on, _INTO.name,
    )
    .outerjoin(_INTO, _INTO.id == Organisation.merged_into_id)
    .order_by(Organisation.id)
)  # fmt: skip
_PILOTS = sa.select(Pilot.organisation_id, Service.slug).join(Service, Service.id == Pilot.service_id)


def _organisations(session: Session) -> list[KnownOrganisation]:
    return [KnownOrganisation._make(row) for row in _rows(session, _ORGANISATIONS)]


def _contacts(session: Session, today: date) -> dict[str, KnownContact]:
    seated = sa.exists().where(Seat.contact_id == Contact.id, Seat.ends_on.is_(None) | (Seat.ends_on >= today))
    question = sa.select(
        Contact.email_key, Contact.id, Contact.version, Contact.email, Contact.name, Contact.language,
        Contact.telephone, Contact.functional, Contact.confirmed_at.is_not(None), Contact.left_at.is_not(None), seated,
    )  # fmt: skip
    return {key: KnownContact(*row) for key, *row in _rows(session, question)}


def _periods(session: Session, today: date) -> Periods:
    question = (
        sa.select(
            Subscription.organisation_id, Service.slug, Subscription.id, Subscription.starts_on, Subscription.ends_on,
            Subscription.contract_reference, Subscription.price_cents,
        )
        .join(Service, Service.id == Subscription.service_id)
        .order_by(Subscription.starts_on)
    )  # fmt: skip
    found: dict[tuple[Any, str], list[KnownTake]] = {}
    for organisation_id, slug, *row in _rows(session, question):
        found.setdefault((organisation_id, slug), []).append(KnownTake(*row))
    return Periods(found, today)


def _modes(session: Session) -> dict[tuple[int, int], dict[str | None, tuple[int, Any]]]:
    question = (
        sa.select(
            Representation.contact_id, Representation.organisation_id, Service.slug, Representation.id,
            Representation.mode,
        )
        .outerjoin(Service, Service.id == Representation.service_id)
        .where(Representation.ended_at.is_(None))
    )  # fmt: skip
    found: dict[tuple[int, int], dict[str | None, tuple[int, Any]]] = {}
    for contact_id, organisation_id, slug, key, mode in _rows(session, question):
        found.setdefault((contact_id, organisation_id), {})[slug] = (key, mode)
    return found
