"""Questions about mail."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.audit import Matter
from coopmail.domain.links import LinkRequest
from coopmail.domain.outbox import WAITING, Mail, MailState


def counts(session: Session, campaign: str) -> dict[str, int]:
    """How many mails of a campaign stand in each state; they add up to its audience when it was frozen."""
    rows = session.execute(sa.select(Mail.state, sa.func.count()).where(Mail.campaign == campaign).group_by(Mail.state))
    return {state.value: number for state, number in rows}


def due(session: Session, now: datetime) -> int:
    """How many mails could go out now."""
    return session.scalars(
        sa.select(sa.func.count())
        .select_from(Mail)
        .where(
            Mail.state.in_(WAITING),
            Mail.not_before <= now,
            sa.or_(Mail.expires_at.is_(None), Mail.expires_at > now),
        )
    ).one()


def bounced_unraised(session: Session) -> list[Mail]:
    """Mails that bounced or failed, and invitations that ran out of time, not yet put before staff."""
    lost = Mail.state.in_((MailState.BOUNCED, MailState.FAILED)) | (
        (Mail.state == MailState.EXPIRED) & (Mail.template == "ballot-invitation")
    )
    raised = sa.exists().where(Matter.key == "mail:" + sa.cast(Mail.id, sa.String))
    return list(session.scalars(sa.select(Mail).where(lost, ~raised).order_by(Mail.id).limit(500)))


def link_is_requested(session: Session) -> bool:
    """Whether somebody waits for a new link."""
    return bool(session.scalar(sa.select(sa.exists().where(LinkRequest.id.is_not(None)))))


def matters(session: Session) -> list[Matter]:
    """What waits for staff, the oldest first."""
    return list(session.scalars(sa.select(Matter).where(Matter.settled_at.is_(None)).order_by(Matter.id)))
