"""Decisions: what was decided, by whom, on what grounds, and how it is known."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from coopmail.domain.base import Base, Versioned, enumeration
from coopmail.domain.groups import Group
from coopmail.domain.polls import Poll, Visibility
from coopmail.domain.staff import StaffMember


class Decision(Versioned, Base):
    """What was decided (besluit); it stays when every person in it is forgotten.

    One that rests on a poll has its `poll`. One of a meeting is **recorded**: staff wrote down afterwards how many were
    present and how they voted, and it is marked so, never as signed (`facts.md`, "Not only digital"). A number is never
    used twice: a decision that should not stand is withdrawn, with its reason, and can still be found.
    """

    __tablename__ = "decisions"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sa.String(20), unique=True)
    group_id: Mapped[int] = mapped_column(sa.ForeignKey("groups.id"))
    poll_id: Mapped[int | None] = mapped_column(sa.ForeignKey("polls.id"), unique=True)
    decided_on: Mapped[date] = mapped_column(index=True)
    title_nl: Mapped[str] = mapped_column(sa.String(200), default="", server_default=sa.text("''"))
    title_en: Mapped[str] = mapped_column(sa.String(200), default="", server_default=sa.text("''"))
    text_nl: Mapped[str] = mapped_column(sa.Text)
    text_en: Mapped[str] = mapped_column(sa.Text, default="")
    grounds: Mapped[str] = mapped_column(sa.Text)
    visibility: Mapped[Visibility] = mapped_column(
        enumeration(Visibility), default=Visibility.PARTICIPANTS, server_default="participants"
    )
    present: Mapped[int | None]
    votes_for: Mapped[int | None]
    votes_against: Mapped[int | None]
    abstained: Mapped[int | None]
    recorded_at: Mapped[datetime | None]
    recorded_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))
    withdrawn_at: Mapped[datetime | None]
    withdrawal_reason: Mapped[str] = mapped_column(sa.Text, default="", server_default=sa.text("''"))

    group: Mapped[Group] = relationship()
    poll: Mapped[Poll | None] = relationship()
    recorded_by: Mapped[StaffMember | None] = relationship()
    documents: Mapped[list[DecisionDocument]] = relationship(
        order_by="DecisionDocument.id", cascade="all, delete-orphan"
    )


class DecisionDocument(Base):
    """A document that belongs to a decision: the report of the meeting, the list of who was there."""

    __tablename__ = "decision_documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    decision_id: Mapped[int] = mapped_column(sa.ForeignKey("decisions.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    media_type: Mapped[str] = mapped_column(sa.String(60))
    size: Mapped[int]
    content: Mapped[bytes] = mapped_column(sa.LargeBinary, deferred=True)
