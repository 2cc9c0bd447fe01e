"""The record of what was done, and what waits for staff."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coopmail.domain.base import Base


class AuditRow(Base):
    """One act; rows are only added. `actor` is `contact:ID`, `staff` or `runner`; `subject` is `poll:ID` or so.

    Sealed a few seconds later: `sequence` numbers the chain without a gap, `commitment` is the hash of salt, actor and
    detail (a person is forgotten by erasing these three), `chain` the hash of all before it and of this row.
    """

    __tablename__ = "audit_rows"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    act: Mapped[str] = mapped_column(sa.String(60))
    actor: Mapped[str] = mapped_column(sa.String(60))
    subject: Mapped[str] = mapped_column(sa.String(60), index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    sequence: Mapped[int | None] = mapped_column(unique=True, index=True)
    salt: Mapped[str | None] = mapped_column(sa.String(32))
    commitment: Mapped[str | None] = mapped_column(sa.String(64))
    chain: Mapped[str | None] = mapped_column(sa.String(64))


class Matter(Base):
    """Something that waits for staff: what the runner could not do, whom nobody reaches. `key` names it once."""

    __tablename__ = "matters"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(120), unique=True)
    text: Mapped[str] = mapped_column(sa.Text)
    raised_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
