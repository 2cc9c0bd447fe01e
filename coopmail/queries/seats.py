"""Questions about who sits where, and who takes which service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.contacts import Contact
from coopmail.domain.groups import Group, Seat, sitting_on
from coopmail.domain.organisations import Organisation
from coopmail.domain.services import Service, Subscription, running_on


class Manned(NamedTuple):
    """A group, and how many sit in it."""

    group: Group
    seats: int
    votes: int


class Taken(NamedTuple):
    """A service, the group that steers it, and how many organisations take it."""

    service: Service
    group: Group | None
    members: int


def groups_on(session: Session, day: date) -> list[Manned]:
    """Every group by name, with its seats on a day."""
    votes = sa.func.sum(sa.case((Seat.has_vote, 1), else_=0))
    sitting = (
        sa.select(Seat.group_id, sa.func.count().label("seats"), votes.label("votes"))
        .where(sitting_on(day))
        .group_by(Seat.group_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(Group, sa.func.coalesce(sitting.c.seats, 0), sa.func.coalesce(sitting.c.votes, 0))
        .outerjoin(sitting, sitting.c.group_id == Group.id)
        .order_by(Group.name, Group.id)
    )
    return [Manned(group, seats, int(votes)) for group, seats, votes in rows]


def of_group(session: Session, group_id: int) -> Sequence[Any]:
    """The seats of a group, of whatever time, with who sits in them and for which organisation."""
    return session.execute(
        sa.select(
            Seat.id, Seat.role, Seat.has_vote, Seat.subjects, Seat.origin, Seat.starts_on, Seat.ends_on,
            Contact.id.label("contact_id"), Contact.name, Contact.left_at,
            Organisation.id.label("organisation_id"), Organisation.name.label("organisation"),
        )
        .join(Contact, Contact.id == Seat.contact_id)
        .outerjoin(Organisation, Organisation.id == Seat.organisation_id)
        .where(Seat.group_id == group_id)
        .order_by(Seat.starts_on.desc(), Contact.name, Seat.id)
    ).all()  # fmt: skip


def services_on(session: Session, day: date) -> list[Taken]:
    """Every service by name, with how many organisations take it on a day: each of them is a member of it."""
    taking = (
        sa.select(Subscription.service_id, sa.func.count(sa.distinct(Subscription.organisation_id)).label("members"))
        .where(running_on(day))
        .group_by(Subscription.service_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(Service, Group, sa.func.coalesce(taking.c.members, 0))
        .outerjoin(Group, Group.id == Service.steering_group_id)
        .outerjoin(taking, taking.c.service_id == Service.id)
        .order_by(Service.name, Service.id)
    )
    return [Taken(service, group, members) for service, group, members in rows]


def steered_by(session: Session, group_id: int) -> list[Service]:
    """The services that a group steers."""
    return list(session.scalars(sa.select(Service).where(Service.steering_group_id == group_id).order_by(Service.name)))


def prepared_by(session: Session, group_id: int) -> list[Group]:
    """The groups that prepare for a group."""
    return list(session.scalars(sa.select(Group).where(Group.parent_id == group_id).order_by(Group.name)))
