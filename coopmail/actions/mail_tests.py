"""Test mails: does our mail arrive, and where? Whoever finds one says so on its page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.basis import Basis
from coopmail.actions.records import STAFF, audit, queue_mail
from coopmail.clock import Clock
from coopmail.domain.base import random_key
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation, Link, Response
from coopmail.domain.outbox import Priority
from coopmail.errors import ActionRefused

KIND = "mail-test"
LINK_DAYS = 60
APART = timedelta(hours=1)
"""A second test mail within this time is a second click."""
FOUND = ("inbox", "unwanted", "quarantine", "forwarded")
"""Where a test mail can be found."""


def send(session: Session, now: Clock, basis: Basis, contact_ids: Iterable[int], *, actor: str = STAFF) -> int:
    """Send a test mail to each of these contacts, except who left or has one of less than an hour ago; how many."""
    locked = sa.select(Contact).where(Contact.id.in_(list(contact_ids)), Contact.left_at.is_(None))
    contacts = session.scalars(locked.order_by(Contact.id).with_for_update()).all()
    moment = now()
    recent = set(session.scalars(
        sa.select(Invitation.contact_id).where(Invitation.kind == KIND, Invitation.created_at > moment - APART)
    ))  # fmt: skip
    fresh = [contact for contact in contacts if contact.id not in recent]
    tests = [Invitation(kind=KIND, contact_id=contact.id, created_at=moment) for contact in fresh]
    session.add_all(tests)
    session.flush()
    expires = moment + timedelta(days=LINK_DAYS)
    for test in tests:
        session.execute(
            sa.insert(Link).values(id=random_key(), kind=KIND, key_version=basis.key_version, invitation_id=test.id,
                                   created_at=moment, expires_at=expires)
        )  # fmt: skip
        queue_mail(session, moment, "mail-test", str(test.id), campaign="mail-test", contact_id=test.contact_id,
                   invitation_id=test.id, priority=Priority.SYSTEM, expires_at=expires)  # fmt: skip
        audit(session, moment, "mail-test-sent", actor, f"contact:{test.contact_id}", invitation=test.id)
    return len(fresh)


def answer(session: Session, now: Clock, invitation_id: int, found: str) -> None:
    """Note where a test mail was found: the address works. The last answer stands; the same again adds nothing."""
    if found not in FOUND:
        raise ActionRefused(f"A test mail is found in one of: {', '.join(FOUND)}.")
    locked = sa.select(Invitation).where(Invitation.id == invitation_id, Invitation.kind == KIND).with_for_update()
    invitation = session.scalars(locked.execution_options(populate_existing=True)).one()
    contact = session.scalars(sa.select(Contact).where(Contact.id == invitation.contact_id).with_for_update()).one()
    if invitation.revoked_at is not None or contact.left_at is not None:
        raise ActionRefused("The link was taken back.")
    moment = now()
    response = session.get(Response, invitation.id, populate_existing=True)
    if response is not None and response.answers == {"found": found}:
        return
    if response is None:
        response = Response(invitation_id=invitation.id)
        session.add(response)
    response.answers, response.answered_at = {"found": found}, moment
    contact.undeliverable_at = None
    audit(session, moment, "mail-test-answered", f"contact:{contact.id}", f"contact:{contact.id}",
          invitation=invitation.id, found=found)  # fmt: skip
