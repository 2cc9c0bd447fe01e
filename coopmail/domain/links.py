"""Invitations to answer, their links, and requests for a new one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from coopmail.domain.base import Base
from coopmail.domain.contacts import Contact, Nomination
from coopmail.domain.polls import Poll, VotingUnit


class Invitation(Base):
    """One contact is asked one thing (uitnodiging). `kind` names its entry in `forms.KINDS`.

    A ballot's has a poll and a unit: one a contact a unit. Contact details' has a nomination. A test mail's has nothing
    but the contact.
    """

    __tablename__ = "invitations"
    __table_args__ = (sa.UniqueConstraint("unit_id", "contact_id"), sa.UniqueConstraint("nomination_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(40))
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey("contacts.id"), index=True)
    poll_id: Mapped[int | None] = mapped_column(sa.ForeignKey("polls.id"), index=True)
    unit_id: Mapped[int | None] = mapped_column(sa.ForeignKey("voting_units.id"))
    nomination_id: Mapped[int | None] = mapped_column(sa.ForeignKey("nominations.id"))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    contact: Mapped[Contact] = relationship()
    poll: Mapped[Poll | None] = relationship()
    unit: Mapped[VotingUnit | None] = relationship()
    nomination: Mapped[Nomination | None] = relationship()


class Response(Base):
    """What was answered to an invitation whose kind has no table of its own (antwoord); the last answer stands."""

    __tablename__ = "responses"
    invitation_id: Mapped[int] = mapped_column(sa.ForeignKey("invitations.id"), primary_key=True)
    answers: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    answered_at: Mapped[datetime]


class Link(Base):
    """The random half of a personal link; the other half is a signature under a key that the database never sees."""

    __tablename__ = "links"
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(40))
    key_version: Mapped[int]
    invitation_id: Mapped[int] = mapped_column(sa.ForeignKey("invitations.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]

    invitation: Mapped[Invitation] = relationship()


class LinkRequest(Base):
    """Somebody typed an address and asked for a new link.

    The page only writes this row, whether the address is known or not, so that its answer and its time tell nothing;
    a job reads it.
    """

    __tablename__ = "link_requests"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(sa.String(320))
    requested_at: Mapped[datetime]
