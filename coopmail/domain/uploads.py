"""Files that staff have sent and not yet used: between the preview of an import and its confirmation."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coopmail.domain.base import Base

SPENT = b""
"""The content of a file that was used: it is gone, and its row says so until it is a day old."""


class Upload(Base):
    """A file as it was sent, kept for whoever sent it until it is used, thrown away, or a day old."""

    __tablename__ = "uploads"
    key: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    content: Mapped[bytes] = mapped_column(sa.LargeBinary, deferred=True)
    sent_at: Mapped[datetime] = mapped_column(index=True)
