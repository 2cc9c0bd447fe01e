"""Sends what the outbox holds: claim a batch, commit, send outside any transaction, record by the claim's epoch.

The promise (README): every queued mail is handed to the relay at least once until it is accepted, permanently
refused, cancelled or expired. A claim holds a row for a lease; whoever died gives it back when the lease ends, and a
record by an older claim changes nothing.
"""

from __future__ import annotations

import contextlib
import math
import random
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask
from sqlalchemy.orm import Session, joinedload

from coopmail import wording
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import WAITING, Mail, MailEvent, MailState
from coopmail.errors import (
    HeaderError,
    Interrupted,
    MessageRefused,
    PassingFailure,
    RecipientRefused,
    RelayDown,
    RelayError,
    SenderRefused,
)
from coopmail.mail import letters, relay
from coopmail.mail.message import Mailbox, Message
from coopmail.mail.rendering import render
from coopmail.parts import Parts, parts

BATCH = 100
LEASE = timedelta(seconds=60)
RENEW_SECONDS = 10.0
RETRY_MINUTES = (1, 5, 15, 60, 180)
"""After a passing failure: so many minutes, then every 3 hours, ± 20 %, until the mail expires."""
GIVE_UP_AFTER = timedelta(days=5)
"""A mail without an expiry of its own is tried for so long."""
PAUSE_AFTER_RELAY_FAULT = timedelta(seconds=30)

Connection = relay.RelayConnection | relay.MailboxConnection
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Claim:
    id: int
    epoch: int


@dataclass(frozen=True)
class _Result:
    state: MailState
    event: str
    reply: str
    retry_at: datetime | None = None
    charged: bool = True
    stops_batch: bool = False


def deliver_due(app: Flask, seconds: float = 50.0, jitter: Callable[[], float] = random.random) -> int:
    """Send what is due, for at most so many seconds; returns how many messages were accepted.

    Stops early where the relay itself is at fault: its rows wait, and no message is blamed.
    """
    office = parts(app)
    until = time.monotonic() + seconds
    accepted = 0
    while time.monotonic() < until:
        claims = _claim(office)
        if not claims:
            break
        with app.app_context():
            sent, down = _send_batch(app, office, claims, until, jitter)
        accepted += sent
        if down:
            break
    return accepted


def _claim(office: Parts) -> list[_Claim]:
    with office.db.transaction() as (session, now):
        moment = now()
        free = sa.or_(
            Mail.state == MailState.QUEUED,
            (Mail.state == MailState.CLAIMED) & (Mail.lease_until < moment),
        )
        due = (
            sa.select(Mail.id)
            .where(Mail.state.in_(WAITING), free, Mail.not_before <= moment)
            .order_by(Mail.priority, Mail.not_before, Mail.id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
        rows = session.execute(
            sa.update(Mail)
            .where(Mail.id.in_(due.scalar_subquery()))
            .values(state=MailState.CLAIMED, lease_until=moment + LEASE, claim_epoch=Mail.claim_epoch + 1)
            .returning(Mail.id, Mail.claim_epoch, Mail.priority)
            .execution_options(synchronize_session=False)
        ).all()
        return [_Claim(row.id, row.claim_epoch) for row in sorted(rows, key=lambda row: (row.priority, row.id))]


def _send_batch(
    app: Flask, office: Parts, claims: list[_Claim], until: float, jitter: Callable[[], float]
) -> tuple[int, bool]:
    """Send a batch over one connection: how many were accepted, and whether the relay failed us."""
    results: list[_Result] = []
    try:
        with (
            _Heartbeat(office, claims) as heartbeat,
            relay.connect(app.extensions["mail"], office.settings) as connection,
            _Reader(office) as reader,
        ):
            for position, claim in enumerate(claims):
                if time.monotonic() > until:
                    _give_back(office, claims[position:], timedelta(0))
                    break
                result = _send_one(office, reader, claim, connection, jitter)
                _record(office, claim, result)
                heartbeat.done(claim)
                results.append(result)
                if result.stops_batch:
                    pause = timedelta(hours=1) if result.event == "sender-refused" else timedelta(0)
                    _give_back(office, claims[position + 1 :], pause)
                    break
    except RelayDown as error:
        _log.warning("relay-down", reply=str(error))
        _give_back(office, claims[len(results) :], PAUSE_AFTER_RELAY_FAULT)
        return sum(result.state is MailState.SENT for result in results), True
    return sum(result.state is MailState.SENT for result in results), False


class _Heartbeat:
    """Renews the lease of a batch every few seconds in a thread of its own, also while a relay is slow."""

    def __init__(self, office: Parts, claims: list[_Claim]) -> None:
        self._office = office
        self._held = set(claims)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="coopmail-lease", daemon=True)

    def __enter__(self) -> _Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def done(self, claim: _Claim) -> None:
        """This one is recorded."""
        self._held.discard(claim)

    def _beat(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            try:
                _renew(self._office, list(self._held))
            except Exception:  # a lease that cannot be renewed ends by itself: then the mail is another's to send
                _log.exception("lease-not-renewed")


class _Reader:
    """A session to ask with. Each mail is asked about anew; what mails share (a poll, its wording) is read again only
    every half second."""

    FRESH = 0.5

    def __init__(self, office: Parts) -> None:
        self._office = office
        self._open = contextlib.ExitStack()
        self._until = -math.inf
        self.read: list[Mail] = []  # a session forgets what nobody holds
        self.shared: dict[Hashable, dict[str, Any]] = {}

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def ask(self) -> tuple[Session, Callable[[], datetime]]:
        """The session, and `now`."""
        if time.monotonic() > self._until:
            self._open.close()
            self._found = self._open.enter_context(self._office.db.reading())
            self._until = time.monotonic() + self.FRESH
            self.read.clear()
            self.shared.clear()
        self._office.db.look_again(self._found[0])
        return self._found


def _send_one(
    office: Parts, reader: _Reader, claim: _Claim, connection: Connection, jitter: Callable[[], float]
) -> _Result:
    session, now = reader.ask()
    mail = session.scalars(
        sa.select(Mail)
        .where(Mail.id == claim.id)
        .options(
            joinedload(Mail.contact),
            joinedload(Mail.invitation).joinedload(Invitation.nomination),
            joinedload(Mail.invitation).joinedload(Invitation.unit),
        )
        .execution_options(populate_existing=True)
    ).one()
    reader.read.append(mail)
    if (mail.state, mail.claim_epoch) != (MailState.CLAIMED, claim.epoch):
        return _Result(mail.state, "left-to-another", "its lease had ended")
    moment = now()
    try:
        message = _message(office, letters.Desk(session, moment, office.settings, office.signer, reader.shared), mail)
    except letters.Unwanted as answer:
        return _Result(answer.state, answer.state.value, answer.reason)
    except Exception as error:  # a defect in one template must not hold up every other mail
        _log.exception("mail-not-rendered", mail=claim.id, template=mail.template)
        return _again_later(mail, moment, jitter, "not-rendered", type(error).__name__)
    finally:
        office.db.look_again(session)  # no transaction is open while a relay takes its time
    try:
        return _Result(MailState.SENT, "sent", connection.hand_over(message))
    except HeaderError as error:  # the bytes are made as they are handed over
        return _Result(MailState.FAILED, "not-writable", str(error))
    except RelayDown:
        raise
    except Interrupted as error:
        return replace(_again_later(mail, moment, jitter, "interrupted", str(error)), stops_batch=True)
    except PassingFailure as error:
        return _again_later(mail, moment, jitter, "deferred", str(error))
    except SenderRefused as error:
        return _Result(MailState.QUEUED, "sender-refused", str(error), moment + timedelta(hours=1), False, True)
    except RecipientRefused as error:
        return _Result(MailState.BOUNCED, "bounced", str(error))
    except (MessageRefused, RelayError) as error:
        return _Result(MailState.FAILED, "refused", str(error))


def _message(office: Parts, desk: letters.Desk, mail: Mail) -> Message:
    contact = mail.contact
    settings = office.settings
    with wording.speaking(contact.language if contact else "nl"):
        letter = letters.write(desk, mail)
        assert contact is not None  # else the letter was unwanted
        rendered = render(mail.template, letter, office.charter, settings.sender_name)
    return Message(
        key=mail.key,
        to=Mailbox(contact.name, contact.email),
        sender=Mailbox(settings.sender_name, settings.sender),
        reply_to=settings.reply_to,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        created_at=mail.created_at,
        language=contact.language,
        headers={"X-Coopmail-Mail": mail.template},
    )


def _again_later(mail: Mail, moment: datetime, jitter: Callable[[], float], event: str, reply: str) -> _Result:
    retry_at = moment + _wait(mail.attempts, jitter)
    if retry_at >= (mail.expires_at or mail.created_at + GIVE_UP_AFTER):
        return _Result(MailState.EXPIRED, "expired", f"no time is left for another try: {reply}")
    return _Result(MailState.QUEUED, event, reply, retry_at)


def _wait(attempts: int, jitter: Callable[[], float]) -> timedelta:
    minutes = RETRY_MINUTES[min(attempts, len(RETRY_MINUTES) - 1)]
    return timedelta(minutes=minutes * (0.8 + 0.4 * jitter()))


def _record(office: Parts, claim: _Claim, result: _Result) -> None:
    with office.db.transaction(durable=False) as (session, now):
        moment = now()
        values: dict[str, Any] = {
            "state": result.state,
            "reply": result.reply[:500],
            "lease_until": None,
            "attempts": Mail.attempts + int(result.charged and result.state in (MailState.SENT, MailState.QUEUED)),
        }
        if result.retry_at is not None:
            values["not_before"] = result.retry_at
        if result.state is MailState.SENT:
            values["accepted_at"] = moment
        mine = session.scalars(
            sa.update(Mail)
            .where(Mail.id == claim.id, Mail.claim_epoch == claim.epoch, Mail.state == MailState.CLAIMED)
            .values(values)
            .returning(Mail.id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        event = result.event if mine is not None else f"{result.event}-after-lease"
        session.add(MailEvent(mail_id=claim.id, at=moment, event=event, detail=result.reply[:500]))


def _give_back(office: Parts, claims: list[_Claim], pause: timedelta) -> None:
    """Return rows that are still ours to the queue, no attempt charged."""
    with office.db.transaction() as (session, now):
        moment = now()
        for claim in claims:
            session.execute(
                sa.update(Mail)
                .where(Mail.id == claim.id, Mail.claim_epoch == claim.epoch, Mail.state == MailState.CLAIMED)
                .values(state=MailState.QUEUED, lease_until=None, not_before=moment + pause)
                .execution_options(synchronize_session=False)
            )


def _renew(office: Parts, claims: list[_Claim]) -> None:
    with office.db.transaction() as (session, now):
        session.execute(
            sa.update(Mail)
            .where(
                sa.tuple_(Mail.id, Mail.claim_epoch).in_([(claim.id, claim.epoch) for claim in claims]),
                Mail.state == MailState.CLAIMED,
            )
            .values(lease_until=now() + LEASE)
            .execution_options(synchronize_session=False)
        )
