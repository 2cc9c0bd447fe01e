"""The outbox: a row a mail, written in the transaction of the act that causes it."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from coopmail.domain.base import Base, enumeration
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.staff import StaffMember


class MailState(enum.StrEnum):
    """Where a mail stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENT = "sent"
    BOUNCED = "bounced"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


WAITING = (MailState.QUEUED, MailState.CLAIMED)


class Priority(enum.IntEnum):
    """What goes first: governance, system, digests, newsletters."""

    GOVERNANCE = 1
    SYSTEM = 2
    DIGEST = 3
    NEWSLETTER = 4


class Mail(Base):
    """One mail to one person. `key` makes its Message-ID and boundary, so a second attempt is the same message.

    `dedupe_key` is `template:subject:unit or role:contact:round`: running the act again queues nothing.
    It goes to a contact, or to one of the staff. `context` has ids and plain values, never a secret. `claim_epoch` lets
    only the last claimant record.
    """

    __tablename__ = "outbox"
    __table_args__ = (sa.Index("ix_outbox_due", "state", "priority", "not_before", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(32), unique=True)
    template: Mapped[str] = mapped_column(sa.String(60))
    campaign: Mapped[str] = mapped_column(sa.String(80), index=True)
    dedupe_key: Mapped[str] = mapped_column(sa.String(200), unique=True)
    contact_id: Mapped[int | None] = mapped_column(sa.ForeignKey("contacts.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))
    invitation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("invitations.id"), index=True)
    context: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    priority: Mapped[int]
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    state: Mapped[MailState] = mapped_column(enumeration(MailState))
    lease_until: Mapped[datetime | None]
    claim_epoch: Mapped[int]
    attempts: Mapped[int]
    reply: Mapped[str] = mapped_column(sa.String(500))
    accepted_at: Mapped[datetime | None]

    contact: Mapped[Contact | None] = relationship()
    staff: Mapped[StaffMember | None] = relationship()
    invitation: Mapped[Invitation | None] = relationship()


class MailEvent(Base):
    """A thing that happened to a mail; rows are only added."""

    __tablename__ = "mail_events"
    id: Mapped[int] = mapped_column(primary_key=True)
    mail_id: Mapped[int] = mapped_column(sa.ForeignKey("outbox.id"), index=True)
    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(sa.String(30))
    detail: Mapped[str] = mapped_column(sa.String(500))


class StopKind(enum.StrEnum):
    """How a campaign stands still: for a while, or for good."""

    PAUSED = "paused"
    CANCELLED = "cancelled"


class CampaignStop(Base):
    """A campaign whose mails do not go out: cancelled, or paused until `until` or until the row is gone."""

    __tablename__ = "campaign_stops"
    campaign: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    kind: Mapped[StopKind] = mapped_column(enumeration(StopKind))
    at: Mapped[datetime]
    until: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(sa.String(500))


class RelayState(Base):
    """What all senders share about the relay (`relay`) and each receiving domain (`domain:NAME`).

    `free_at` paces: when the next message is due at the configured rate. `failures` and `blocked_until` are the circuit
    breaker's: faults in a row, and until when nobody tries.
    """

    __tablename__ = "relay_states"
    name: Mapped[str] = mapped_column(sa.String(260), primary_key=True)
    free_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    blocked_until: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(sa.String(500), default="")
