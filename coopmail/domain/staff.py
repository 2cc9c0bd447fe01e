"""The staff: who may use the console, how they sign in, and for how long."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from coopmail.domain.base import Base, Versioned, enumeration


class StaffRole(enum.StrEnum):
    """What one of the staff may do: the daily work, or also say who the staff are."""

    STAFF = "staff"
    ADMIN = "admin"


class StaffMember(Versioned, Base):
    """One of the cooperative's own people. `left_at`: may not sign in any more; what they did keeps their name."""

    __tablename__ = "staff"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    email: Mapped[str] = mapped_column(sa.String(320))
    email_key: Mapped[str] = mapped_column(sa.String(320), unique=True)
    language: Mapped[str] = mapped_column(sa.String(2), default="nl")
    role: Mapped[StaffRole] = mapped_column(enumeration(StaffRole))
    created_at: Mapped[datetime]
    left_at: Mapped[datetime | None]

    @property
    def actor(self) -> str:
        """How the record names this person."""
        return f"staff:{self.id}"


class SignIn(Base):
    """Somebody typed an address at the console's door and waits there for a six-digit code.

    The code is derived from `key` under a signing key whenever it is needed, so no row holds it. `key` is in a cookie
    of the browser that asked, so that the code serves nowhere else. A row is written for any address, known or not.
    """

    __tablename__ = "sign_ins"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(32), unique=True)
    key_version: Mapped[int]
    address_key: Mapped[str] = mapped_column(sa.String(320), index=True)
    staff_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))
    requested_at: Mapped[datetime] = mapped_column(index=True)
    mailed_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None]


class StaffSession(Base):
    """A browser in which one of the staff is signed in. `token_hash` is of a token that only that browser has."""

    __tablename__ = "staff_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"), index=True)
    csrf: Mapped[str] = mapped_column(sa.String(43))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    staff: Mapped[StaffMember] = relationship()
