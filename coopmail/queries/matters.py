"""Questions about what waits for staff. In actions/matters.py it is ticked off; `wording.matter` says it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from coopmail.domain.audit import Matter
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Ballot

CONTESTED = "contested:"
_WHOLE = (
    joinedload(Matter.poll),
    joinedload(Matter.unit),
    joinedload(Matter.settled_by),
    joinedload(Matter.mail).joinedload(Mail.contact),
    joinedload(Matter.mail).joinedload(Mail.staff),
)
"""All that a matter's words and links need, in the same statement."""


def waiting(session: Session, *, contested: bool, limit: int) -> list[Matter]:
    """Matters that wait, the oldest first: contested votes, or all others."""
    return list(
        session.scalars(
            sa.select(Matter)
            .where(Matter.settled_at.is_(None), _contested(contested))
            .order_by(Matter.id)
            .limit(limit)
            .options(*_WHOLE)
        )
    )


def count_waiting(session: Session) -> int:
    """How many wait, contested votes apart."""
    matters = sa.select(sa.func.count()).select_from(Matter)
    return session.scalars(matters.where(Matter.settled_at.is_(None), _contested(False))).one()


def settled_since(session: Session, since: datetime, limit: int) -> list[Matter]:
    """What staff ticked off since then, the latest first; it can be put back. (Contested votes are decided, not so.)"""
    return list(
        session.scalars(
            sa.select(Matter)
            .where(Matter.settled_at >= since, _contested(False))
            .order_by(Matter.settled_at.desc(), Matter.id.desc())
            .limit(limit)
            .options(*_WHOLE)
        )
    )


def whole(session: Session, ids: Iterable[int]) -> list[Matter]:
    """Matters by id, with all that their words need."""
    return list(session.scalars(sa.select(Matter).where(Matter.id.in_(list(ids))).order_by(Matter.id).options(*_WHOLE)))


def contests_waiting(session: Session, ballot: Ballot) -> list[Matter]:
    """The matters that contests of a unit's recorded vote raised and that still wait."""
    return list(session.scalars(_contests(ballot).where(Matter.settled_at.is_(None))))


def contest_of(session: Session, ballot: Ballot) -> Matter | None:
    """The matter that the contest of a ballot raised, with who settled it; `None` where it is not contested."""
    if ballot.contested_at is None:
        return None
    return session.scalars(_contests(ballot).order_by(Matter.id.desc()).options(joinedload(Matter.settled_by))).first()


def _contests(ballot: Ballot) -> sa.Select[Matter]:
    mine = (Matter.poll_id == ballot.poll_id, Matter.unit_id == ballot.unit_id, Matter.key.startswith(CONTESTED))
    return sa.select(Matter).where(*mine)


def _contested(wanted: bool) -> sa.ColumnElement[bool]:
    found = Matter.key.startswith(CONTESTED)
    return found if wanted else ~found
