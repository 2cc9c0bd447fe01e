"""Whom staff may still call about a poll ("wie moet ik nog bellen?"): a statement for each part of the list."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Seat
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Ballot, Call, Poll, VotingUnit

MOST = 1000
"""Units on the page that is printed."""


class Show(enum.StrEnum):
    """Which of the units that have not answered are listed."""

    NOT_CALLED = "not-called"
    CALLED = "called"
    UNREACHABLE = "unreachable"
    AWAY = "away"


class Person(NamedTuple):
    """Somebody who may be called for a unit. `votes`: was invited, or stands for the organisation with a vote."""

    contact_id: int
    name: str
    telephone: str
    email: str
    functional: bool
    votes: bool
    invited: bool
    undeliverable: bool
    away_until: date | None
    mailed_at: datetime | None


def reached() -> sa.ColumnElement[bool]:
    """The condition that a mail can reach somebody who votes for a unit."""
    return sa.exists().where(
        Invitation.unit_id == VotingUnit.id,
        Invitation.revoked_at.is_(None),
        Contact.id == Invitation.contact_id,
        Contact.left_at.is_(None),
        Contact.undeliverable_at.is_(None),
    )


def called() -> sa.ColumnElement[bool]:
    """The condition that staff called a unit."""
    return sa.exists().where(Call.unit_id == VotingUnit.id)


def shown(show: Show, today: date) -> sa.ColumnElement[bool]:
    """The condition that a unit belongs to a part of the list."""
    away = sa.exists().where(
        Invitation.unit_id == VotingUnit.id,
        Invitation.revoked_at.is_(None),
        Contact.id == Invitation.contact_id,
        Contact.away_until >= today,
    )
    return {Show.NOT_CALLED: ~called(), Show.CALLED: called(), Show.UNREACHABLE: ~reached(), Show.AWAY: away}[show]


def to_call(poll: Poll) -> sa.Select[*tuple[Any, ...]]:
    """The units of a poll that have not answered, each with whether a mail reaches it, and whom staff may call."""
    columns = (VotingUnit, reached().label("reachable"), voters().label("voters"), others().label("others"))
    waiting = ~sa.exists().where(Ballot.unit_id == VotingUnit.id)
    return sa.select(*columns).where(VotingUnit.poll_id == poll.id, waiting)


def voters() -> sa.ScalarSelect[str]:
    """The names and numbers of those who were invited for a unit, in one text: to search in, and for an export."""
    return (
        sa.select(_in_one(Contact.name + " " + Contact.telephone))
        .join(Invitation, Invitation.contact_id == Contact.id)
        .where(Invitation.unit_id == VotingUnit.id, Invitation.revoked_at.is_(None), Contact.left_at.is_(None))
        .correlate(VotingUnit)
        .scalar_subquery()
    )


def others() -> sa.ScalarSelect[str]:
    """The same of whoever else stands for a unit's organisation, with a vote or without."""
    invited = sa.exists().where(
        Invitation.unit_id == VotingUnit.id, Invitation.contact_id == Contact.id, Invitation.revoked_at.is_(None)
    )
    standing = sa.select(Representation.contact_id).where(
        Representation.organisation_id == VotingUnit.organisation_id, Representation.ended_at.is_(None)
    )
    return (
        sa.select(_in_one(Contact.name + " " + Contact.telephone))
        .where(Contact.id.in_(standing.correlate(VotingUnit)), ~invited, Contact.left_at.is_(None))
        .correlate(VotingUnit)
        .scalar_subquery()
    )


def _in_one(texts: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    return sa.func.coalesce(sa.func.aggregate_strings(texts, "; "), "")


def people_of(session: Session, poll: Poll, unit_ids: Sequence[int]) -> dict[int, list[Person]]:
    """Who may be called for each of these units: whoever was invited, and whoever else stands for the organisation."""
    if not unit_ids:
        return {}
    who = _invited(unit_ids).union_all(_standing(unit_ids)).subquery()
    about = (Mail.template == "reminder") & (Mail.created_at >= poll.opened_at)
    mailed = (
        sa.select(sa.func.max(Mail.accepted_at))
        .where(Mail.contact_id == Contact.id, Mail.state == MailState.SENT)
        .where(about | Mail.invitation_id.in_(sa.select(Invitation.id).where(Invitation.poll_id == poll.id)))
        .scalar_subquery()
    )
    votes, invited = sa.func.max(who.c.votes), sa.func.max(who.c.invited)
    rows = session.execute(
        sa.select(
            who.c.unit_id, Contact.id, Contact.name, Contact.telephone, Contact.email, Contact.functional, votes,
            invited, Contact.undeliverable_at.is_not(None), Contact.away_until, mailed,
        )
        .join(Contact, Contact.id == who.c.contact_id)
        .where(Contact.left_at.is_(None))
        .group_by(who.c.unit_id, Contact.id)
        .order_by(votes.desc(), Contact.name, Contact.id)
    )  # fmt: skip
    found: dict[int, list[Person]] = {}
    for unit_id, contact_id, name, telephone, email, functional, has_vote, asked, lost, away, at in rows:
        person = Person(contact_id, name, telephone, email, functional, bool(has_vote), bool(asked), lost, away, at)
        found.setdefault(unit_id, []).append(person)
    return found


def _invited(unit_ids: Sequence[int]) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(
        Invitation.unit_id.label("unit_id"), Invitation.contact_id.label("contact_id"), sa.literal(1).label("votes"),
        sa.literal(1).label("invited"),
    ).where(Invitation.unit_id.in_(unit_ids), Invitation.revoked_at.is_(None))  # fmt: skip


def _standing(unit_ids: Sequence[int]) -> sa.Select[*tuple[Any, ...]]:
    """Whoever votes or reads for the unit's organisation, in whatever service: somebody must know who decides."""
    return (
        sa.select(
            VotingUnit.id, Representation.contact_id,
            sa.case((Representation.mode == Mode.VOTES, 1), else_=0), sa.literal(0),
        )
        .join(Representation, Representation.organisation_id == VotingUnit.organisation_id)
        .where(VotingUnit.id.in_(unit_ids), Representation.ended_at.is_(None))
    )  # fmt: skip


def calls_of(session: Session, unit_ids: Sequence[int]) -> dict[int, list[Call]]:
    """The calls to each of these units, the latest first, with who called."""
    found: dict[int, list[Call]] = {}
    calls = sa.select(Call).where(Call.unit_id.in_(unit_ids)).order_by(Call.id.desc()).options(joinedload(Call.staff))
    for call in session.scalars(calls) if unit_ids else ():
        found.setdefault(call.unit_id, []).append(call)
    return found


def unit_of(session: Session, poll: Poll, unit_id: int) -> VotingUnit | None:
    """A unit of that poll."""
    return session.scalars(
        sa.select(VotingUnit).where(VotingUnit.id == unit_id, VotingUnit.poll_id == poll.id)
    ).one_or_none()


def holder_of(session: Session, unit: VotingUnit) -> Contact:
    """Whose vote a personal unit is: the holder of the seat, or the person of the field."""
    holder = sa.select(Contact).where(Contact.id == unit.contact_id)
    if unit.seat_id is not None:
        holder = sa.select(Contact).join(Seat, Seat.contact_id == Contact.id).where(Seat.id == unit.seat_id)
    return session.scalars(holder).one()


def alone(holder: Contact) -> Person:
    """The holder of a personal vote who was not invited to this poll."""
    return Person(
        holder.id, holder.name, holder.telephone, holder.email, holder.functional, votes=True, invited=False,
        undeliverable=holder.undeliverable_at is not None, away_until=holder.away_until, mailed_at=None,
    )  # fmt: skip
