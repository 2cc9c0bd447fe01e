"""Figures for those who watch the installation: from the database, so that every process tells the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.audit import AuditRow
from coopmail.domain.outbox import WAITING, Mail, MailState
from coopmail.domain.polls import Ballot, Poll, PollState
from coopmail.queries import outbox
from coopmail.queries.installation import sweeps


@dataclass(frozen=True)
class Figures:
    """`mails` by state and priority; `oldest_due` is for how many seconds the mail that waits longest could have gone.

    `oldest_due` is 0 where none waits; `sweeps` is how many seconds ago each job last ran, to the half minute.
    """

    mails: Mapping[tuple[MailState, int], int]
    oldest_due: float
    ballots: int
    open_polls: int
    unsealed: int
    sweeps: Mapping[str, float]


def figures(session: Session, now: datetime) -> Figures:
    """All of them, in six statements; the mails are counted along an index."""
    mails = session.execute(sa.select(Mail.state, Mail.priority, sa.func.count()).group_by(Mail.state, Mail.priority))
    open_polls = sa.select(sa.func.count()).select_from(Poll).where(Poll.state == PollState.OPEN)
    unsealed = sa.select(sa.func.count()).select_from(AuditRow).where(AuditRow.sequence.is_(None))
    return Figures(
        mails={(state, priority): number for state, priority, number in mails},
        oldest_due=oldest_due(session, now),
        ballots=session.scalars(sa.select(sa.func.count()).select_from(Ballot)).one(),
        open_polls=session.scalars(open_polls).one(),
        unsealed=session.scalars(unsealed).one(),
        sweeps={name: (now - moment).total_seconds() for name, moment in sweeps(session).items()},
    )


def oldest_due(session: Session, now: datetime) -> float:
    """Since when the mail that waits longest could have gone; one whose campaign is paused could not."""
    alive = sa.or_(Mail.expires_at.is_(None), Mail.expires_at > now)
    since = session.scalar(
        sa.select(sa.func.min(Mail.not_before)).where(
            Mail.state.in_(WAITING), Mail.not_before <= now, alive, ~outbox.paused(now)
        )
    )
    return (now - since).total_seconds() if since is not None else 0.0
