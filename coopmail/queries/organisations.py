"""Questions about organisations: what they take, who stands for them, what they were asked, what was done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Group, Seat
from coopmail.domain.organisations import Organisation, Pilot
from coopmail.domain.polls import Audience, Ballot, Poll, PollState, VotingUnit
from coopmail.domain.services import Service, Subscription, running_on
from coopmail.errors import UnknownSubject

HISTORY = 50
"""So many acts a page shows; the audit log has all."""


class Taken(NamedTuple):
    """A subscription and its service."""

    subscription: Subscription
    service: Service


@dataclass
class Standing:
    """A contact of an organisation: its general mode, where it has one, and each service in which it is otherwise.

    `services` are by name, for whoever reads; `of_service` are the same by id.
    """

    contact: Contact
    general: Mode | None = None
    services: list[tuple[str, Mode]] = field(default_factory=list)
    of_service: dict[int | None, Mode] = field(default_factory=dict)


class Asked(NamedTuple):
    """A unit of an open poll, and its answer, where there is one."""

    poll: Poll
    unit: VotingUnit
    ballot: Ballot | None


class Counted(NamedTuple):
    """What a merger touches: running subscriptions, contacts, lasting seats, units in open polls."""

    subscriptions: int
    contacts: int
    seats: int
    units: int


def by_id(session: Session, organisation_id: int) -> Organisation:
    """An organisation, or `UnknownSubject`."""
    found = session.get(Organisation, organisation_id)
    if found is None:
        raise UnknownSubject(f"There is no organisation {organisation_id}.")
    return found


def subscription(session: Session, subscription_id: int) -> Taken:
    """A subscription with its service, or `UnknownSubject`."""
    question = sa.select(Subscription, Service).join(Service, Service.id == Subscription.service_id)
    row = session.execute(question.where(Subscription.id == subscription_id)).one_or_none()
    if row is None:
        raise UnknownSubject(f"There is no subscription {subscription_id}.")
    return Taken(*row)


def taken(session: Session, organisation_id: int) -> list[Taken]:
    """Everything that an organisation takes, will take or took, by service, the latest first."""
    rows = session.execute(
        sa.select(Subscription, Service)
        .join(Service, Service.id == Subscription.service_id)
        .where(Subscription.organisation_id == organisation_id)
        .order_by(Service.name, Subscription.starts_on.desc())
    )
    return [Taken(*row) for row in rows]


def live(session: Session, organisation_id: int, day: date) -> list[Taken]:
    """What an organisation takes on a day, or will take."""
    return [one for one in taken(session, organisation_id)
            if one.subscription.ends_on is None or one.subscription.ends_on >= day]  # fmt: skip


def services(session: Session) -> list[Service]:
    """Every service, by name."""
    return list(session.scalars(sa.select(Service).order_by(Service.name, Service.id)))


def pilot_of(session: Session, organisation_id: int) -> list[Service]:
    """The services of which an organisation is a pilot."""
    question = sa.select(Service).join(Pilot, Pilot.service_id == Service.id)
    return list(session.scalars(question.where(Pilot.organisation_id == organisation_id).order_by(Service.name)))


def contacts(session: Session, organisation_id: int) -> list[Standing]:
    """Who stands for an organisation, by name, and how."""
    rows = session.execute(
        sa.select(Contact, Service, Representation.mode)
        .join(Representation, Representation.contact_id == Contact.id)
        .outerjoin(Service, Service.id == Representation.service_id)
        .where(Representation.organisation_id == organisation_id, Representation.ended_at.is_(None))
        .order_by(Contact.name, Contact.id, Service.name)
    )
    found: dict[int, Standing] = {}
    for contact, service, mode in rows:
        one = found.setdefault(contact.id, Standing(contact))
        if service is None:
            one.general = mode
        else:
            one.services.append((service.name, mode))
            one.of_service[service.id] = mode
    return list(found.values())


def seats(session: Session, organisation_id: int, day: date) -> Sequence[Any]:
    """The seats of a day, or later, that are an organisation's, or that one who stands for it has: group and holder."""
    people = sa.select(Representation.contact_id).where(
        Representation.organisation_id == organisation_id, Representation.ended_at.is_(None)
    )
    its_own = Seat.organisation_id == organisation_id
    of_its_people = Seat.organisation_id.is_(None) & Seat.contact_id.in_(people)
    return session.execute(
        sa.select(Seat, Group, Contact)
        .join(Group, Group.id == Seat.group_id)
        .join(Contact, Contact.id == Seat.contact_id)
        .where(its_own | of_its_people, _lasting(day))
        .order_by(Group.name, Contact.name, Seat.id)
    ).all()


def asked(session: Session, organisation_id: int) -> list[Asked]:
    """The units of an organisation, and of those that merged into it, in the polls that are open."""
    rows = session.execute(
        sa.select(Poll, VotingUnit, Ballot)
        .join(VotingUnit, VotingUnit.poll_id == Poll.id)
        .outerjoin(Ballot, Ballot.unit_id == VotingUnit.id)
        .where(VotingUnit.organisation_id.in_(_and_its_past(organisation_id)), Poll.state == PollState.OPEN)
        .order_by(Poll.closes_at, Poll.id, VotingUnit.name)
    )
    return [Asked(*row) for row in rows]


def joinable(session: Session, organisation_id: int, day: date) -> list[Poll]:
    """The open polls that do not ask an organisation though it takes, today, what they are about."""
    takes = sa.exists().where(Subscription.organisation_id == organisation_id, running_on(day))
    its_service = takes.where(Subscription.service_id == Poll.service_id).correlate(Poll)
    is_asked = sa.exists().where(VotingUnit.poll_id == Poll.id, VotingUnit.organisation_id == organisation_id)
    return list(
        session.scalars(
            sa.select(Poll)
            .where(Poll.state == PollState.OPEN, Poll.audience != Audience.GROUP_SEATS, ~is_asked.correlate(Poll),
                   its_service | (Poll.service_id.is_(None) & takes))
            .order_by(Poll.closes_at, Poll.id)
        )
    )  # fmt: skip


def history(session: Session, organisation_id: int) -> list[AuditRow]:
    """What was done with an organisation, the last act first."""
    rows = sa.select(AuditRow).where(AuditRow.subject == f"organisation:{organisation_id}")
    return list(session.scalars(rows.order_by(AuditRow.id.desc()).limit(HISTORY)))


def merged_into(session: Session, organisation_id: int) -> list[Organisation]:
    """The organisations that merged into one."""
    rows = sa.select(Organisation).where(Organisation.merged_into_id == organisation_id)
    return list(session.scalars(rows.order_by(Organisation.name)))


def others(session: Session, organisation_id: int) -> list[tuple[str, str]]:
    """The organisations with which one can merge: id and name, by name."""
    question = sa.select(Organisation.id, Organisation.name).where(
        Organisation.ended_on.is_(None), Organisation.id != organisation_id
    )
    return [(str(key), name) for key, name in session.execute(question.order_by(Organisation.name))]


def counted(session: Session, organisation_id: int, day: date) -> Counted:
    """What a merger or an ending of an organisation touches."""

    def number(question: sa.Select[*tuple[Any, ...]]) -> int:
        return session.scalar(sa.select(sa.func.count()).select_from(question.subquery())) or 0

    running = Subscription.ends_on.is_(None) | (Subscription.ends_on >= day)
    stands = sa.select(Representation.contact_id).distinct()
    return Counted(
        number(sa.select(Subscription.id).where(Subscription.organisation_id == organisation_id, running)),
        number(stands.where(Representation.organisation_id == organisation_id, Representation.ended_at.is_(None))),
        number(sa.select(Seat.id).where(Seat.organisation_id == organisation_id, _lasting(day))),
        len(asked(session, organisation_id)),
    )


def seats_twice(session: Session, one_id: int, other_id: int, day: date) -> list[str]:
    """The groups in which two organisations both have a seat: as one they would have two."""
    of = [sa.select(Seat.group_id).where(Seat.organisation_id == key, _lasting(day)) for key in (one_id, other_id)]
    both = sa.select(Group.name).where(Group.id.in_(of[0]), Group.id.in_(of[1]))
    return list(session.scalars(both.order_by(Group.name)))


def _and_its_past(organisation_id: int) -> sa.Select[int]:
    return sa.select(Organisation.id).where(
        (Organisation.id == organisation_id) | (Organisation.merged_into_id == organisation_id)
    )


def _lasting(day: date) -> sa.ColumnElement[bool]:
    return Seat.ends_on.is_(None) | (Seat.ends_on >= day)
