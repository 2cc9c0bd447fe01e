"""Groups and the seats in them."""

from __future__ import annotations

import enum
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from coopmail.domain.base import Base, enumeration
from coopmail.domain.contacts import Contact


class GroupKind(enum.StrEnum):
    """What a group does: `domain/facts.md`, "Who is there"."""

    STEERING_GROUP = "steering_group"
    WORKING_GROUP = "working_group"
    STAKEHOLDER_GROUP = "stakeholder_group"
    BOARD = "board"
    FINANCE_COMMITTEE = "finance_committee"
    MANAGEMENT = "management"
    GENERAL_ASSEMBLY = "general_assembly"


class SeatRole(enum.StrEnum):
    """In what role a contact sits."""

    CHAIR = "chair"
    DEPUTY_CHAIR = "deputy_chair"
    PRODUCT_MANAGER = "product_manager"
    MEMBER = "member"
    OBSERVER = "observer"
    EXPERT = "expert"


class SeatOrigin(enum.StrEnum):
    """Where a seat came from."""

    COMPOSITION = "composition"
    OFFICE = "office"
    REPLACEMENT = "replacement"


class Group(Base):
    """A group that prepares or takes decisions."""

    __tablename__ = "groups"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(60), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    kind: Mapped[GroupKind] = mapped_column(enumeration(GroupKind))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("groups.id"))


class Seat(Base):
    """One contact in one group. Personal: nobody stands in, and its links cannot be passed on."""

    __tablename__ = "seats"
    __table_args__ = (sa.UniqueConstraint("group_id", "contact_id", "starts_on"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(sa.ForeignKey("groups.id"), index=True)
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey("contacts.id"), index=True)
    organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"))
    role: Mapped[SeatRole] = mapped_column(enumeration(SeatRole))
    has_vote: Mapped[bool]
    subjects: Mapped[str] = mapped_column(sa.String(400), default="")
    origin: Mapped[SeatOrigin] = mapped_column(enumeration(SeatOrigin))
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]

    contact: Mapped[Contact] = relationship()


def sitting_on(day: date) -> sa.ColumnElement[bool]:
    """The condition that a seat is taken on a day."""
    return (Seat.starts_on <= day) & (Seat.ends_on.is_(None) | (Seat.ends_on >= day))
