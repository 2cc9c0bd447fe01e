"""Questions about polls, their ballots and their outcome."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload, undefer

from coopmail.domain import ballot_list
from coopmail.domain.counting import Marks
from coopmail.domain.decisions import Decision
from coopmail.domain.links import Invitation
from coopmail.domain.polls import (
    Attachment,
    Ballot,
    Outcome,
    Poll,
    PollState,
    Reminder,
    ReminderState,
    VotingUnit,
    read_marks,
)
from coopmail.errors import UnknownSubject


@dataclass(frozen=True)
class Turnout:
    """Units that may vote, units that did, and units that nobody was invited for.

    Whoever has no vote and is heard apart is counted in `apart` and `answered_apart`, and among the unreachable.
    """

    units: int
    answered: int
    unreachable: int
    apart: int = 0
    answered_apart: int = 0


def by_slug(session: Session, slug: str) -> Poll:
    """The poll of that slug, its options and attachments loaded, or `UnknownSubject`."""
    poll = session.scalars(
        sa.select(Poll)
        .where(Poll.slug == slug)
        .options(selectinload(Poll.options), selectinload(Poll.attachments), selectinload(Poll.group))
    ).one_or_none()
    if poll is None:
        raise UnknownSubject(f"There is no poll called {slug}.")
    return poll


def whole(session: Session, poll_id: int) -> Poll:
    """A poll as it stands now, with all that a mail says of it."""
    return session.scalars(
        sa.select(Poll)
        .where(Poll.id == poll_id)
        .options(selectinload(Poll.options), selectinload(Poll.group), selectinload(Poll.service))
        .execution_options(populate_existing=True)
    ).one()


def documents_of(session: Session, poll: Poll) -> list[Attachment]:
    """The documents of a poll, with their content."""
    question = sa.select(Attachment).where(Attachment.poll_id == poll.id).order_by(Attachment.id)
    return list(session.scalars(question.options(undefer(Attachment.content))))


def listing(session: Session, states: Iterable[PollState] = tuple(PollState)) -> list[Poll]:
    """Polls in these states, the one that closes first on top."""
    return list(
        session.scalars(
            sa.select(Poll)
            .where(Poll.state.in_(tuple(states)))
            .order_by(Poll.closes_at, Poll.id)
            .options(selectinload(Poll.group), selectinload(Poll.service))
        )
    )


def due_for_closing(session: Session, now: datetime) -> list[int]:
    """Ids of the open polls whose closing time has come."""
    return list(
        session.scalars(
            sa.select(Poll.id).where(Poll.state == PollState.OPEN, Poll.closes_at <= now).order_by(Poll.closes_at)
        )
    )


def ballot_of(session: Session, unit_id: int) -> Ballot | None:
    """The ballot of a unit, where there is one."""
    return session.scalars(
        sa.select(Ballot)
        .where(Ballot.unit_id == unit_id)
        .options(selectinload(Ballot.recorded_by))
        .execution_options(populate_existing=True)
    ).one_or_none()


def profile(session: Session, poll_id: int) -> dict[Marks, int]:
    """How many votes each filled-in ballot has, grouped by the database."""
    return _grouped(session, poll_id, sa.func.sum(VotingUnit.weight), VotingUnit.weight > 0)


def profile_apart(session: Session, poll_id: int) -> dict[Marks, int]:
    """How often each filled-in ballot came from somebody without a vote, who is heard and counted apart."""
    return _grouped(session, poll_id, sa.func.count(), VotingUnit.weight == 0)


def _grouped(
    session: Session, poll_id: int, number: sa.ColumnElement[int], where: sa.ColumnElement[bool]
) -> dict[Marks, int]:
    rows = session.execute(
        sa.select(Ballot.marks_text, number)
        .join(VotingUnit, VotingUnit.id == Ballot.unit_id)
        .where(Ballot.poll_id == poll_id, Ballot.marks_text.is_not(None), where)
        .group_by(Ballot.marks_text)
    )
    return {read_marks(text or "[]"): int(found) for text, found in rows}


def electorate_weight(session: Session, poll_id: int) -> int:
    """The number of votes that could be cast."""
    return int(
        session.scalar(
            sa.select(sa.func.coalesce(sa.func.sum(VotingUnit.weight), 0)).where(VotingUnit.poll_id == poll_id)
        )
        or 0
    )


def turnout(session: Session, poll_id: int) -> Turnout:
    """How many units there are, have answered, and cannot be reached."""
    votes = VotingUnit.weight > 0
    answered = sa.exists().where(Ballot.unit_id == VotingUnit.id)
    counted = sa.select(votes, sa.func.count(), sa.func.sum(sa.case((answered, 1), else_=0)))
    rows = session.execute(counted.where(VotingUnit.poll_id == poll_id).group_by(votes))
    found = {bool(voting): (number, int(of_them)) for voting, number, of_them in rows}
    alone = sa.select(sa.func.count()).select_from(VotingUnit).where(VotingUnit.poll_id == poll_id, unreachable())
    (units, voted), (apart, heard) = found.get(True, (0, 0)), found.get(False, (0, 0))
    return Turnout(units, voted, session.scalars(alone).one(), apart, heard)


def units_apart(session: Session, poll_id: int) -> int:
    """How many units have no vote and are heard apart."""
    apart = sa.select(sa.func.count()).select_from(VotingUnit)
    return session.scalars(apart.where(VotingUnit.poll_id == poll_id, VotingUnit.weight == 0)).one()


def unreachable() -> sa.ColumnElement[bool]:
    """The condition that nobody who was invited can vote for a unit."""
    return ~sa.exists().where(Invitation.unit_id == VotingUnit.id, Invitation.revoked_at.is_(None))


def electorate_size(session: Session, poll_id: int) -> tuple[int, int]:
    """How many units vote in a poll, and how many inhabitants they have together: they share its costs."""
    row = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(VotingUnit.population), 0)).where(
            VotingUnit.poll_id == poll_id, VotingUnit.weight > 0
        )
    ).one()
    return row[0], int(row[1])


def shows_counts(poll: Poll, outcome: Outcome) -> bool:
    """Whether counts, bar and list of ballots may be shown: not where fewer than five voted in secret."""
    return ballot_list.shows_counts(poll, outcome.cast)


def outcome_of(session: Session, poll_id: int) -> Outcome | None:
    """The stored outcome, once closed."""
    return session.get(Outcome, poll_id)


def announced_outcome(session: Session, poll: Poll) -> Outcome | None:
    """The outcome that anyone may see: one that waits for staff is not shown before it is mailed."""
    return outcome_of(session, poll.id) if poll.announced_at is not None else None


def decision_of(session: Session, poll_id: int) -> Decision | None:
    """The decision that rests on a poll."""
    return session.scalars(sa.select(Decision).where(Decision.poll_id == poll_id)).one_or_none()


def reminder_is_due(session: Session, day: date) -> bool:
    """Whether a reminder is planned for that day, or was for an earlier one."""
    planned = sa.exists().where(Reminder.state == ReminderState.PLANNED, Reminder.day <= day)
    return bool(session.scalar(sa.select(planned)))


def reminders_of(session: Session, poll_id: int) -> list[Reminder]:
    """A poll's planned and past reminders, by day."""
    return list(session.scalars(sa.select(Reminder).where(Reminder.poll_id == poll_id).order_by(Reminder.day)))
