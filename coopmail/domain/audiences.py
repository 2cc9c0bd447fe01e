"""Saved audiences: a question about who is in the field, asked again each time it is used."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coopmail.domain.base import Base, Versioned


class SavedAudience(Versioned, Base):
    """A saved question: who has a service, sits in a group, is in a province, of a size, of a type, or of the field.

    `question` is a list of lists of conditions: whoever meets every condition of one of the lists is in it. A condition
    is an object with `about`, `value` and `negated`.
    """

    __tablename__ = "saved_audiences"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(120), unique=True)
    description: Mapped[str] = mapped_column(sa.Text, default="")
    question: Mapped[list[list[dict[str, Any]]]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
