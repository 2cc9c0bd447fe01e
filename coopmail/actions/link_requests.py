"""A lost link is mailed again, to the address that is on file and nowhere else."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.basis import Basis
from coopmail.actions.records import queue_mail
from coopmail.clock import Clock
from coopmail.domain.base import random_key, wake_runners
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import address_key
from coopmail.domain.links import Link, LinkRequest
from coopmail.domain.outbox import Mail, Priority
from coopmail.queries import invitations


def request_link(session: Session, now: Clock, address: str) -> None:
    """Note that somebody asks for a new link; the same work whether or not the address is known."""
    session.add(LinkRequest(address=address[:320], requested_at=now()))
    wake_runners(session)


def answer_link_requests(session: Session, now: datetime, basis: Basis) -> None:
    """Mail what is live to those who asked and are known, a few times a day at most; forget the requests."""
    limit = basis.charter.polls_on(brussels_day(now)).new_links_a_day
    requests = session.scalars(sa.select(LinkRequest).order_by(LinkRequest.id).limit(500)).all()
    for key in dict.fromkeys(address_key(request.address) for request in requests):
        contact = invitations.contact_by_address(session, key)
        if contact is None or contact.left_at is not None:
            continue
        prefix = f"new-link:{contact.id}:{brussels_day(now)}:"
        sent = session.scalars(
            sa.select(sa.func.count()).select_from(Mail).where(Mail.dedupe_key.startswith(prefix))
        ).one()
        if sent < limit and invitations.live(session, contact.id, now):
            _renew(session, now, contact.id, basis)
            queue_mail(session, now, "new-link", f"{contact.id}:{brussels_day(now)}:{sent + 1}", campaign="new-link",
                       contact_id=contact.id, priority=Priority.SYSTEM, expires_at=now + timedelta(days=1))  # fmt: skip
    session.execute(sa.delete(LinkRequest).where(LinkRequest.id.in_([request.id for request in requests])))


def _renew(session: Session, now: datetime, contact_id: int, basis: Basis) -> None:
    """A link under the present key for each live invitation that has none (its key may be kept no longer)."""
    for invitation in invitations.live(session, contact_id, now):
        newest = invitations.link_of(session, invitation.id)
        if newest.key_version != basis.key_version:
            session.execute(
                sa.insert(Link).values(id=random_key(), kind=newest.kind, key_version=basis.key_version,
                                       invitation_id=invitation.id, created_at=now, expires_at=newest.expires_at)
            )  # fmt: skip
