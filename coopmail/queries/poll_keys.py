"""Questions about the keys of secret polls."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.base import InstallationMark
from coopmail.domain.polls import Poll, PollKey, PollState

PLACE = "poll-keys"
"""The installation mark that names this database's own folder of keys (`vault.py`)."""
_PLACE = sa.select(InstallationMark.value).where(InstallationMark.name == PLACE)


def half(session: Session, poll_id: int) -> tuple[str, bytes] | None:
    """Where a poll's key file stands, and the database's half of its key; `None` where it has no key, or no more."""
    row = session.execute(sa.select(PollKey.half, _PLACE.scalar_subquery()).where(PollKey.poll_id == poll_id)).first()
    return (row[1], row[0]) if row else None


def place(session: Session) -> str | None:
    """The name of this database's own folder of keys, once it had a secret poll."""
    return session.scalar(_PLACE)


def to_destroy(session: Session) -> list[int]:
    """Ids of the secret polls that were open and no longer are, and whose key is not yet recorded as destroyed."""
    over = Poll.opened_at.is_not(None) & (Poll.state != PollState.OPEN)
    return list(
        session.scalars(sa.select(Poll.id).where(Poll.secret, over, Poll.key_destroyed_at.is_(None)).order_by(Poll.id))
    )


def in_use(session: Session) -> list[Poll]:
    """The secret polls that are open."""
    return list(session.scalars(sa.select(Poll).where(Poll.secret, Poll.state == PollState.OPEN).order_by(Poll.id)))
