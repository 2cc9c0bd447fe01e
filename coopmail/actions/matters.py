"""Ticking off what waits for staff, and putting it back. Raising is `records.raise_matter`."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import audit, settle_matter
from coopmail.clock import Clock
from coopmail.domain.audit import Matter
from coopmail.queries.matters import CONTESTED


def settle(session: Session, now: Clock, ids: Iterable[int], *, actor: str) -> int:
    """Tick off the matters of these ids that still wait, and say how many there were.

    A contested vote is not ticked off but decided (`recorded_votes.keep_vote`, `remove_vote`): it is passed over.
    """
    waiting = sa.select(Matter.key).where(
        Matter.id.in_(list(ids)), Matter.settled_at.is_(None), ~Matter.key.startswith(CONTESTED)
    )
    keys = session.scalars(waiting.order_by(Matter.id)).all()
    return sum(settle_matter(session, now(), key, actor=actor) for key in keys)


def reopen(session: Session, now: Clock, matter_id: int, *, actor: str) -> bool:
    """Let a matter that was ticked off wait again; false where it does already, or is a contested vote."""
    settled = (Matter.id == matter_id, Matter.settled_at.is_not(None), ~Matter.key.startswith(CONTESTED))
    back = sa.update(Matter).where(*settled).values(settled_at=None, settled_by_id=None).returning(Matter.key)
    key = session.execute(back).scalar_one_or_none()
    if key is not None:
        audit(session, now(), "matter-reopened", actor, f"matter:{matter_id}", key=key)
    return key is not None
