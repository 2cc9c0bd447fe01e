"""Questions about a poll that runs: a line a unit, and how many stand where.

What somebody chose is in none of these lines: `answer_of` is asked for one unit, and only of a poll that is not secret.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.polls import Ballot, Call, Channel, Poll, VotingUnit
from coopmail.domain.staff import StaffMember
from coopmail.queries.board_mail import LOST, mailed
from coopmail.queries.polls import unreachable


class Standing(enum.StrEnum):
    """How it stands with a unit; one may stand so in several ways at once."""

    ANSWERED = "answered"
    WAITING = "waiting"
    UNREACHABLE = "unreachable"
    BOUNCED = "bounced"
    CONTESTED = "contested"
    RECORDED = "recorded"
    CALLED = "called"


class Line(NamedTuple):
    """A unit as the board shows it: whether it answered, who, when and how, and never what."""

    unit_id: int
    name: str
    organisation_id: int | None
    seat_id: int | None
    contact_id: int | None
    weight: int
    answered_by: str | None
    cast_at: datetime | None
    channel: Channel | None
    recorded_by: str | None
    contested_at: datetime | None
    called_at: datetime | None


@dataclass(frozen=True)
class Counts:
    """How many units there are, and stand in each way."""

    units: int
    answered: int
    unreachable: int
    bounced: int
    contested: int
    recorded: int

    @property
    def waiting(self) -> int:
        """How many have not answered."""
        return self.units - self.answered


def answered() -> sa.ColumnElement[bool]:
    """The condition that a unit has answered."""
    return _ballot()


def _ballot(*wanted: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    # The lines join the ballots too: it is of the unit alone that this asks.
    return sa.exists().select_from(Ballot).where(Ballot.unit_id == VotingUnit.id, *wanted).correlate(VotingUnit)


STANDINGS: dict[Standing, Callable[[int], sa.ColumnElement[bool]]] = {
    Standing.ANSWERED: lambda _poll_id: answered(),
    Standing.WAITING: lambda _poll_id: ~answered(),
    Standing.UNREACHABLE: lambda _poll_id: unreachable() & ~answered(),
    Standing.BOUNCED: lambda poll_id: mailed(poll_id, LOST) & ~answered(),
    Standing.CONTESTED: lambda _poll_id: _ballot(Ballot.contested_at.is_not(None)),
    Standing.RECORDED: lambda _poll_id: _ballot(Ballot.channel != Channel.LINK),
    Standing.CALLED: lambda _poll_id: sa.exists().where(Call.unit_id == VotingUnit.id) & ~answered(),
}
"""What each standing means. Who cannot be reached and whose mail did not arrive: of those who have not answered."""


def lines(poll_id: int) -> sa.Select[*tuple[Any, ...]]:
    """The question for the `Line`s of a poll, in no order."""
    called_at = sa.select(sa.func.max(Call.called_at)).where(Call.unit_id == VotingUnit.id).scalar_subquery()
    return (
        sa.select(
            VotingUnit.id.label("unit_id"),
            VotingUnit.name,
            VotingUnit.organisation_id,
            VotingUnit.seat_id,
            VotingUnit.contact_id,
            VotingUnit.weight,
            Ballot.answered_by,
            Ballot.cast_at,
            Ballot.channel,
            StaffMember.name.label("recorded_by"),
            Ballot.contested_at,
            called_at.label("called_at"),
        )
        .outerjoin(Ballot, Ballot.unit_id == VotingUnit.id)
        .outerjoin(StaffMember, StaffMember.id == Ballot.recorded_by_id)
        .where(VotingUnit.poll_id == poll_id)
    )


def line(session: Session, poll_id: int, unit_id: int) -> Line | None:
    """One unit of a poll, or nothing where it is of another."""
    row = session.execute(lines(poll_id).where(VotingUnit.id == unit_id)).one_or_none()
    return Line._make(row) if row is not None else None


def counts(session: Session, poll: Poll) -> Counts:
    """How many units of a poll stand in each way, in one question."""
    units = sa.select(sa.func.count()).select_from(VotingUnit).where(VotingUnit.poll_id == poll.id)
    ballots = sa.select(sa.func.count()).select_from(Ballot).where(Ballot.poll_id == poll.id)
    row = session.execute(
        sa.select(
            units.scalar_subquery(),
            ballots.scalar_subquery(),
            units.where(STANDINGS[Standing.UNREACHABLE](poll.id)).scalar_subquery(),
            units.where(STANDINGS[Standing.BOUNCED](poll.id)).scalar_subquery(),
            ballots.where(Ballot.contested_at.is_not(None)).scalar_subquery(),
            ballots.where(Ballot.channel != Channel.LINK).scalar_subquery(),
        )
    ).one()
    return Counts(*row)


def answer_of(session: Session, poll: Poll, unit_id: int) -> Ballot | None:
    """What a unit answered. Of a secret poll nobody may ask: `ValueError`."""
    if poll.secret:
        raise ValueError("what is chosen in a secret poll is not shown to staff")
    return session.scalars(
        sa.select(Ballot)
        .where(Ballot.poll_id == poll.id, Ballot.unit_id == unit_id)
        .options(selectinload(Ballot.recorded_by))
    ).one_or_none()


def calls_of(session: Session, unit_id: int) -> list[Call]:
    """The calls to a unit, the newest first."""
    return list(
        session.scalars(
            sa.select(Call)
            .where(Call.unit_id == unit_id)
            .options(selectinload(Call.staff))
            .order_by(Call.called_at.desc(), Call.id.desc())
        )
    )


def last_act(session: Session, poll_id: int, act: str) -> AuditRow | None:
    """The last time that something was done with a poll, from the record."""
    return session.scalars(
        sa.select(AuditRow)
        .where(AuditRow.subject == f"poll:{poll_id}", AuditRow.act == act)
        .order_by(AuditRow.id.desc())
        .limit(1)
    ).one_or_none()


class Asked(NamedTuple):
    """To how many something would go: so many mails, for so many units."""

    mails: int
    units: int


def asked(session: Session, poll_id: int) -> Asked:
    """To how many a mail to all who were asked would go: standing invitations of contacts who have not left."""
    row = session.execute(
        sa.select(sa.func.count(), sa.func.count(sa.distinct(Invitation.unit_id)))
        .join(Contact, Contact.id == Invitation.contact_id)
        .where(Invitation.poll_id == poll_id, Invitation.revoked_at.is_(None), Contact.left_at.is_(None))
    ).one()
    return Asked(*row)
