"""Signing in to the console: an address is typed, a code is mailed, the code is typed into the page that asked for it.

There is no link to be spent by a mail scanner. The page writes the same row and takes the same time whether or not the
address is known; a job mails the code (`links-and-ballots.md`, "A link").
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from hmac import compare_digest

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import audit, queue_mail_to_staff
from coopmail.clock import Clock
from coopmail.domain.base import wake_runners
from coopmail.domain.contacts import address_key
from coopmail.domain.staff import SignIn, StaffSession
from coopmail.errors import ActionRefused
from coopmail.queries import staff

CODE_LASTS = timedelta(minutes=15)
ATTEMPTS = 5
CODES_AN_HOUR = 5
SESSION_LASTS = timedelta(hours=12)
KEPT = timedelta(days=30)
"""Sign-ins and sessions that are over are forgotten after so long."""

Code = Callable[[str, int], str]


class CodeWrong(ActionRefused):
    """The code is not the one that was mailed; there are tries left."""


class SignInOver(ActionRefused):
    """Too late, too many tries, or used already: begin again."""


def ask(session: Session, now: Clock, address: str, key_version: int) -> SignIn:
    """Begin: the row that a browser waits with. Known address or not, the same is written."""
    sign_in = SignIn(key=secrets.token_hex(16), key_version=key_version, address_key=address_key(address)[:320],
                     requested_at=now())  # fmt: skip
    session.add(sign_in)
    wake_runners(session)
    return sign_in


def mail_codes(session: Session, now: datetime) -> None:
    """Mail each code that waits, a few an hour at most to one person; forget what is long over."""
    waiting = session.scalars(
        sa.select(SignIn).where(SignIn.mailed_at.is_(None)).order_by(SignIn.id).limit(500).with_for_update()
    ).all()
    for sign_in in waiting:
        sign_in.mailed_at = now
        person = staff.by_address(session, sign_in.address_key)
        late = sign_in.requested_at + CODE_LASTS <= now
        if person is None or late:
            continue
        if staff.codes_mailed_since(session, person.id, now - timedelta(hours=1)) >= CODES_AN_HOUR:
            continue
        sign_in.staff_id = person.id
        session.flush()
        queue_mail_to_staff(session, now, "sign-in-code", str(sign_in.id), campaign="sign-in", staff_id=person.id,
                            context={"sign_in": sign_in.id}, expires_at=sign_in.requested_at + CODE_LASTS)  # fmt: skip
    over = now - KEPT
    session.execute(sa.delete(SignIn).where(SignIn.requested_at < over))
    session.execute(sa.delete(StaffSession).where(StaffSession.expires_at < over))


def enter(session: Session, now: Clock, key: str, typed: str, code: Code) -> tuple[StaffSession, str]:
    """Sign in with a code: the session, and its token, which nobody else will ever see.

    Raises `SignInOver`, or `CodeWrong`, which counts as a try: the caller must commit all the same.
    """
    sign_in = session.scalars(sa.select(SignIn).where(SignIn.key == key).with_for_update()).one_or_none()
    moment = now()
    if sign_in is None or sign_in.used_at is not None or sign_in.attempts >= ATTEMPTS:
        raise SignInOver("This sign-in is over: begin again.")
    if sign_in.requested_at + CODE_LASTS <= moment:
        raise SignInOver("The code was valid for a quarter of an hour: begin again.")
    sign_in.attempts += 1
    person = staff.by_address(session, sign_in.address_key) if sign_in.staff_id is not None else None
    # Of an unknown address there is a code too, so that its page takes as long; it was mailed to nobody.
    right = compare_digest(code(sign_in.key, sign_in.key_version), typed)
    if person is None or not right:
        raise CodeWrong("This is not the code that was mailed.")
    sign_in.used_at = moment
    token = secrets.token_urlsafe(32)
    entered = StaffSession(token_hash=hash_of(token), staff=person, csrf=secrets.token_urlsafe(32), created_at=moment,
                           expires_at=moment + SESSION_LASTS)  # fmt: skip
    session.add(entered)
    session.flush()
    audit(session, moment, "staff-signed-in", person.actor, person.actor)
    return entered, token


def leave(session: Session, now: Clock, token: str) -> None:
    """Sign out in this browser; a second time changes nothing."""
    found = staff.signed_in(session, hash_of(token), now())
    if found is not None:
        found.ended_at = now()
        audit(session, now(), "staff-signed-out", found.staff.actor, found.staff.actor)


def hash_of(token: str) -> str:
    """How the database knows a token: reading it lets nobody in."""
    return hashlib.sha256(token.encode()).hexdigest()
