"""Questions about the staff, and who is signed in."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from coopmail.domain.staff import SignIn, StaffMember, StaffRole, StaffSession
from coopmail.errors import UnknownSubject


def by_address(session: Session, email_key: str) -> StaffMember | None:
    """The one of the staff with that address who may sign in."""
    return session.scalars(
        sa.select(StaffMember).where(StaffMember.email_key == email_key, StaffMember.left_at.is_(None))
    ).one_or_none()


def signed_in(session: Session, token_hash: str, now: datetime) -> StaffSession | None:
    """The session of that token, its person loaded, while it lasts and the person works here."""
    return session.scalars(
        sa.select(StaffSession)
        .join(StaffMember, StaffMember.id == StaffSession.staff_id)
        .where(
            StaffSession.token_hash == token_hash,
            StaffSession.ended_at.is_(None),
            StaffSession.expires_at > now,
            StaffMember.left_at.is_(None),
        )
        .options(joinedload(StaffSession.staff))
    ).one_or_none()


def sign_in_by_key(session: Session, key: str) -> SignIn | None:
    """The sign-in that a browser began."""
    return session.scalars(sa.select(SignIn).where(SignIn.key == key)).one_or_none()


def sign_in_waits(session: Session) -> bool:
    """Whether a code is to be mailed."""
    return bool(session.scalar(sa.select(sa.exists().where(SignIn.mailed_at.is_(None)))))


def codes_mailed_since(session: Session, staff_id: int, since: datetime) -> int:
    """How many codes one of the staff was mailed."""
    return session.scalars(
        sa.select(sa.func.count()).select_from(SignIn).where(SignIn.staff_id == staff_id, SignIn.mailed_at > since)
    ).one()


def get(session: Session, staff_id: int) -> StaffMember:
    """One of the staff, or `UnknownSubject`."""
    found = session.get(StaffMember, staff_id)
    if found is None:
        raise UnknownSubject("There is no such person among the staff.")
    return found


def listing(session: Session) -> list[StaffMember]:
    """Everybody who is or was one of the staff, those who left at the end."""
    order = (StaffMember.left_at.is_not(None), StaffMember.name, StaffMember.id)
    return list(session.scalars(sa.select(StaffMember).order_by(*order)))


def has_admin(session: Session) -> bool:
    """Whether anybody can say who the staff are."""
    admin = sa.exists().where(StaffMember.role == StaffRole.ADMIN, StaffMember.left_at.is_(None))
    return bool(session.scalar(sa.select(admin)))
