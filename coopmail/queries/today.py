"""What staff find when they come in: a constant number of questions, however many polls there were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from coopmail.domain.audit import Matter
from coopmail.domain.outbox import CampaignStop, StopKind
from coopmail.domain.polls import Ballot, Poll, PollState, VotingUnit
from coopmail.queries import matters
from coopmail.queries.calls import reached
from coopmail.queries.figures import oldest_due
from coopmail.queries.installation import sweeps

SOON = timedelta(days=14)
"""What closes within so long is on the page."""
LATELY = timedelta(days=1)
"""What was ticked off since then can be put back there."""
FIRST = 10
"""So many of each kind are named; the rest are counted."""
MATTERS = 50

Row = TypeVar("Row")


@dataclass(frozen=True)
class Some(Generic[Row]):
    """The first rows of a kind, and how many there are in all."""

    rows: list[Row]
    total: int

    @property
    def more(self) -> int:
        """How many are not named."""
        return self.total - len(self.rows)


@dataclass(frozen=True)
class Closing:
    """An open poll, how many units it has, and how many of them have answered."""

    poll: Poll
    units: int
    answered: int

    @property
    def waiting(self) -> int:
        """How many have not answered."""
        return self.units - self.answered


@dataclass(frozen=True)
class Unreached:
    """A unit of an open poll that has not answered and that no mail reaches."""

    unit: VotingUnit
    poll: Poll


@dataclass(frozen=True)
class Today:
    """All of it. `oldest_due`: for how many seconds the mail that waits longest could have gone, 0 where none waits.

    `ran`: when each job last ran. `open_later`: how many open polls close later than soon. `paused`: how many campaigns
    are held back.
    """

    closing: Some[Closing]
    open_later: int
    contested: list[Matter]
    matters: Some[Matter]
    lately: list[Matter]
    to_announce: Some[Poll]
    to_decide: Some[Poll]
    drafts: Some[Poll]
    unreached: Some[Unreached]
    oldest_due: float
    paused: int
    ran: Mapping[str, datetime]


def today(session: Session, now: datetime) -> Today:
    """What stands before staff at that moment."""
    running = (Poll.state == PollState.OPEN, Poll.closes_at > now)
    closed = Poll.state == PollState.CLOSED
    later = sa.select(sa.func.count()).select_from(Poll).where(*running, Poll.closes_at > now + SOON)
    stops = sa.select(sa.func.count()).select_from(CampaignStop)
    paused = stops.where(
        CampaignStop.kind == StopKind.PAUSED, CampaignStop.until.is_(None) | (CampaignStop.until > now)
    )
    return Today(
        closing=_closing(session, now),
        open_later=session.scalars(later).one(),
        contested=matters.waiting(session, contested=True, limit=MATTERS),
        matters=Some(matters.waiting(session, contested=False, limit=MATTERS), matters.count_waiting(session)),
        lately=matters.settled_since(session, now - LATELY, FIRST),
        to_announce=_some(session, [closed, Poll.announced_at.is_(None)], Poll.closed_at),
        to_decide=_some(session, [closed, Poll.announced_at.is_not(None)], Poll.closed_at),
        drafts=_some(session, [Poll.state == PollState.DRAFT], Poll.id.desc()),
        unreached=_unreached(session, now),
        oldest_due=oldest_due(session, now),
        paused=session.scalars(paused).one(),
        ran=sweeps(session),
    )


def _some(session: Session, where: list[sa.ColumnElement[bool]], order: Any) -> Some[Poll]:
    """The first polls that meet the conditions, and how many do."""
    total = session.scalars(sa.select(sa.func.count()).select_from(Poll).where(*where)).one()
    rows = session.scalars(
        sa.select(Poll).where(*where).order_by(order, Poll.id).limit(FIRST).options(joinedload(Poll.group))
    )
    return Some(list(rows), total)


def _closing(session: Session, now: datetime) -> Some[Closing]:
    """What closes soon, the first to close on top, with its turnout."""
    soon = [Poll.state == PollState.OPEN, Poll.closes_at > now, Poll.closes_at <= now + SOON]
    polls = _some(session, soon, Poll.closes_at)
    ids = [poll.id for poll in polls.rows]
    units, answered = (_by_poll(session, VotingUnit, ids), _by_poll(session, Ballot, ids))
    rows = [Closing(poll, units.get(poll.id, 0), answered.get(poll.id, 0)) for poll in polls.rows]
    return Some(rows, polls.total)


def _by_poll(session: Session, table: type[VotingUnit | Ballot], ids: list[int]) -> dict[int, int]:
    """How many rows each of these polls has."""
    found = sa.select(table.poll_id, sa.func.count()).where(table.poll_id.in_(ids)).group_by(table.poll_id)
    return {poll_id: number for poll_id, number in session.execute(found)}  # noqa: C416 - rows, not pairs


def _unreached(session: Session, now: datetime) -> Some[Unreached]:
    """Units that are losing their vote: no mail reaches them, and they have not answered."""
    where = (
        Poll.state == PollState.OPEN, Poll.closes_at > now, ~reached(),
        ~sa.exists().where(Ballot.unit_id == VotingUnit.id),
    )  # fmt: skip
    # Counted in the same pass: each unit of every open poll is looked up for it.
    found = sa.select(VotingUnit, Poll, sa.func.count().over()).join(Poll, Poll.id == VotingUnit.poll_id)
    order = (Poll.closes_at, VotingUnit.name, VotingUnit.id)
    rows = session.execute(found.where(*where).order_by(*order).limit(FIRST)).all()
    return Some([Unreached(unit, poll) for unit, poll, _ in rows], rows[0][2] if rows else 0)
