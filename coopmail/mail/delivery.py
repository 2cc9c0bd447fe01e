"""Sends what the outbox holds: claim a batch, then over several connections at once ask, compose, hand over, record.

The promise (README): every queued mail is handed to the relay at least once until it is accepted, permanently
refused, cancelled or expired. What a relay said to the last message of a connection is committed before that connection
ends another one; answers that come together share a commit. In the same transaction each next mail is asked about anew:
is it still wanted, by whom, at what address?
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import flask_mail
import structlog
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.actions.outbox import pause_campaign
from coopmail.actions.records import RUNNER, raise_matter
from coopmail.db import Steady
from coopmail.domain.outbox import MailState, Priority, StopKind
from coopmail.errors import (
    ActionRefused,
    HeaderError,
    Interrupted,
    PassingFailure,
    RecipientRefused,
    RelayDown,
    RelayError,
    SenderRefused,
)
from coopmail.mail import breaker, claims, letters, relay
from coopmail.mail.channel import Answer, Outgoing
from coopmail.mail.claims import Claim, Result
from coopmail.mail.composing import Composer
from coopmail.mail.conversation import Reply
from coopmail.mail.message import Mailbox, Message, head, message_id
from coopmail.mail.pool import Pool
from coopmail.parts import Parts, parts
from coopmail.queries.outbox import Envelope, envelopes

RETRY_MINUTES = (1, 5, 15, 60, 180)
"""After a passing failure: so many minutes, then every 3 hours, ± 20 %, until the mail expires."""
GIVE_UP_AFTER = timedelta(days=5)
"""A mail without an expiry of its own is tried for so long."""
SENDER_PAUSE = timedelta(hours=1)
"""A campaign whose sender is refused is tried again after so long, unless staff resume it before."""
FAULTS = 3
"""So many connections may fail or break off in a row, or at one mail, before the relay is taken to be down."""
A_CHANNEL_EACH = 10
"""A further connection is opened for so many mails that wait."""
FRESH = 0.5
"""For so many seconds what mails share (a poll, its wording) is not read again."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Tag:
    """What comes back with an answer."""

    claim: Claim
    envelope: Envelope
    message: Message | None
    """For whoever listens to Flask-Mail's signal."""


def deliver_due(app: Flask, seconds: float = 50.0, jitter: Callable[[], float] = random.random) -> int:
    """Send what is due; begins no message after so many seconds. Returns how many messages were accepted.

    Stops early where the relay itself is at fault: its rows wait, and no message is blamed.
    """
    with app.app_context(), _Run(app, time.monotonic() + seconds, jitter) as run:
        while run.turn():
            pass
        return run.accepted


def composer_of(app: Flask) -> Composer:
    """What this process keeps of compiled letters."""
    office = parts(app)
    kept: Composer = app.extensions.setdefault(
        "coopmail.composer", Composer(office.charter, office.settings.sender_name)
    )
    return kept


class _Run:
    """One sender at work, until nothing is due or its time is up."""

    def __init__(self, app: Flask, until: float, jitter: Callable[[], float]) -> None:
        self._office: Parts = parts(app)
        self._until, self._jitter = until, jitter
        self._composer = composer_of(app)
        self._reader = _Reader(self._office)
        mail, settings = app.extensions["mail"], self._office.settings
        self._pool = Pool(lambda: relay.connect(mail, settings), settings.relay_connections)
        self._heartbeat = claims.Heartbeat(self._office.db)
        self._waiting: deque[Claim] = deque()
        self._finished: list[tuple[Claim, Result]] = []
        self._refused: dict[str, str] = {}  # campaigns whose sender was refused, and in what words
        self._open = ExitStack()
        self._connection: Steady | None = None
        self._spoken, self._language = ExitStack(), ""
        self._admitted = self._probing = self._exhausted = self._stopped = False
        self._fault: str | None = None
        self._faults = 0
        self._behind: Counter[str] = Counter()  # how many were told to come back to a line
        self._stumbled: Counter[int] = Counter()  # how often the relay failed at a mail, on a fresh channel
        self.accepted = 0

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._spoken.close()
        self._pool.close()
        self._reader.close()
        with suppress(SQLAlchemyError):  # after a fault: what was not begun need not wait for its lease to end
            self._release()
        self._open.close()

    def turn(self) -> bool:
        """Record, claim, ask, compose, hand over, wait: each as far as there is something. False where all is done."""
        self._refill()
        group = self._next()
        if not group and not self._finished and not self._pool.busy and self._fault is None:
            return False
        for claim, envelope in self._settle(group):
            self._begin(claim, envelope)
        for answer in self._pool.wait():
            self._judge(answer)
        return True

    def _refill(self) -> None:
        """Claim another batch before the last one has run out."""
        if self._stopped or time.monotonic() > self._until:
            self._release()
            return
        if len(self._waiting) >= self._pool.most or (self._exhausted and (self._waiting or self._pool.busy)):
            return
        if not self._may_try():
            self._stopped = True
            return
        found = claims.claim(self._office.db, claims.BATCH, self._heartbeat.held)
        self._exhausted = len(found) < claims.BATCH
        if found and not self._heartbeat.beating:
            self._open.enter_context(self._heartbeat)
        self._heartbeat.held.update(found)
        self._waiting.extend(found)
        if not self._exhausted:
            self._office.db.doorbell.ring()  # there is enough for others too

    def _may_try(self) -> bool:
        if not self._admitted:
            with self._office.db.transaction() as (session, now):
                self._admitted, self._probing = breaker.may_try(session, now())
        return self._admitted

    def _release(self) -> None:
        held = list(self._waiting)
        if not held:
            return
        self._waiting.clear()
        self._office.db.doorbell.ring()  # there is more to do, now or for another
        claims.give_back(self._office.db, held)
        self._heartbeat.held.difference_update(held)

    def _next(self) -> list[Claim]:
        """The claims that a channel is ready for."""
        if not self._waiting:
            return []
        wanted = 1 if self._probing else min(self._pool.most, -(-len(self._waiting) // A_CHANNEL_EACH))
        try:
            ready = self._pool.ready(wanted)
        except RelayDown as error:
            self._down(str(error))
            return []
        if self._probing and self._pool.busy:
            return []
        return [self._waiting.popleft() for _ in range(min(ready, wanted, len(self._waiting)))]

    def _settle(self, group: list[Claim]) -> Iterator[tuple[Claim, Envelope]]:
        """Record what has finished and ask about what comes next, in one transaction."""
        if not group and not self._finished and self._fault is None:
            return iter(())
        with self._steady().transaction() as (session, now):
            self._now = now()
            self._record(session)
            found = envelopes(session, [claim.id for claim in group]) if group else {}
            overtaken = bool(group) and self._overtaken(session, group)
            places = {} if overtaken else self._places(session, list(found.values()))
        self._recorded()
        if overtaken:
            self._waiting.extendleft(reversed(group))
            self._release()
            self._exhausted = False
            return iter(())
        return self._wanted(group, found, places)

    def _steady(self) -> Steady:
        if self._connection is None:
            self._connection = self._open.enter_context(self._office.db.steady())
        return self._connection

    def _record(self, session: Session) -> None:
        if self._finished:
            claims.record(session, self._now, self._finished)
        if self._fault is not None:
            breaker.fault(session, self._now, self._fault)
        elif self._probing and self.accepted:
            breaker.well(session)
        for campaign, reason in self._refused.items():
            with suppress(ActionRefused):  # it was cancelled meanwhile
                pause_campaign(session, self._now, campaign, reason, actor=RUNNER, until=self._now + SENDER_PAUSE)
                raise_matter(
                    session, self._now, f"sender-refused:{campaign}:{self._now:%Y-%m-%d}",
                    f"The relay refuses our sender, so campaign {campaign} waits for an hour: {reason}",
                    campaign=campaign, reason=reason[:500],
                )  # fmt: skip

    def _recorded(self) -> None:
        """What was to be recorded is committed: only now is it let go."""
        self._heartbeat.held.difference_update(claim for claim, _ in self._finished)
        self._probing = self._probing and not self.accepted
        self._finished, self._fault, self._refused = [], None, {}

    def _overtaken(self, session: Session, group: list[Claim]) -> bool:
        """Whether something more urgent than these waits: then they go back, and it is claimed first."""
        priority = group[0].priority
        return priority > Priority.GOVERNANCE and claims.more_urgent(session, priority, self._now)

    def _places(self, session: Session, found: list[Envelope]) -> dict[int, datetime]:
        """The mails for which the relay or their domain is fed fast enough already, and when to come back."""
        relay_rate, domain_rate = self._office.settings.relay_rate, self._office.settings.domain_rate
        late: dict[int, datetime] = {}
        if relay_rate is None and domain_rate is None:
            return late
        for domain, mail in sorted((_domain(mail), mail.id) for mail in found):
            lines = [(breaker.RELAY, relay_rate), (domain, domain_rate)]
            full = breaker.pace(session, self._now, [(name, rate) for name, rate in lines if rate is not None])
            if full is not None:
                name, rate, come_back = full
                late[mail] = come_back + self._behind[name] * breaker.MINUTE / rate  # each in its turn, not all at once
                self._behind[name] += 1
        return late

    def _wanted(
        self, group: list[Claim], found: dict[int, Envelope], places: dict[int, datetime]
    ) -> Iterator[tuple[Claim, Envelope]]:
        """The mails that are ours still, and may go now."""
        for claim in group:
            mail = found[claim.id]
            if (mail.state, mail.epoch) != (MailState.CLAIMED, claim.epoch):
                self._finish(claim, Result(mail.state, "left-to-another", "its lease had ended"))
            elif mail.stopped is StopKind.PAUSED and (mail.stopped_until is None or mail.stopped_until > self._now):
                self._finish(claim, Result(MailState.QUEUED, "paused", "", charged=False))
            elif claim.id in places:
                self._finish(claim, Result(MailState.QUEUED, "paced", "", places[claim.id], charged=False))
            else:
                yield claim, mail

    def _begin(self, claim: Claim, mail: Envelope) -> None:
        """Compose a mail and put it on the wire, or note why not."""
        try:
            outgoing = self._compose(claim, mail)
        except letters.Unwanted as answer:
            self._finish(claim, Result(answer.state, answer.state.value, answer.reason))
        except HeaderError as error:
            self._finish(claim, Result(MailState.FAILED, "not-writable", str(error)))
        except Exception as error:  # a defect in one template must not hold up every other mail
            _log.exception("mail-not-rendered", mail=claim.id, template=mail.template)
            self._finish(claim, self._again_later(mail, "not-rendered", type(error).__name__))
        else:
            self._pool.start(outgoing)

    def _compose(self, claim: Claim, mail: Envelope) -> Outgoing:
        settings = self._office.settings
        sender, to = Mailbox(settings.sender_name, settings.sender), Mailbox(mail.name or "", mail.email or "")
        desk = letters.Desk(self._reader.ask, self._now, settings, self._office.signer,
                            self._reader.memory(), self._composer.keep)  # fmt: skip
        self._speak(mail.language or "nl")
        try:
            letter = letters.write(desk, mail)
        finally:
            self._reader.look_again()  # no transaction is open while a relay takes its time
        composed = self._composer.compose(mail.template, letter)
        message = self._message(mail, letter) if flask_mail.email_dispatched.receivers else None
        raw = head(
            key=mail.key, message_id=message_id(mail.key, sender), to=to, sender=sender, reply_to=settings.reply_to,
            subject=composed.subject, created_at=mail.created_at, language=mail.language,
            extra={"X-Coopmail-Mail": mail.template},
        ) + composed.body(mail.key)  # fmt: skip
        return Outgoing(_Tag(claim, mail, message), mail.key, sender.address, to.address, raw)

    def _speak(self, language: str) -> None:
        """Go on in that language. Most mails in a row have the same one, and changing it is not free."""
        if language != self._language:
            self._spoken.close()
            self._spoken.enter_context(wording.speaking(language))
            self._language = language

    def _message(self, mail: Envelope, letter: letters.Letter) -> Message:
        """The same as an object of Flask-Mail's."""
        settings, rendered = self._office.settings, self._composer.plain(mail.template, letter)
        return Message(
            key=mail.key, to=Mailbox(mail.name, mail.email), sender=Mailbox(settings.sender_name, settings.sender),
            reply_to=settings.reply_to, subject=rendered.subject, text=rendered.text, html=rendered.html,
            created_at=mail.created_at, language=mail.language, headers={"X-Coopmail-Mail": mail.template},
        )  # fmt: skip

    def _judge(self, answer: Answer) -> None:
        """What the relay's answer means for the mail, and for the relay."""
        assert isinstance(answer.tag, _Tag)
        claim, mail, result = answer.tag.claim, answer.tag.envelope, answer.result
        if isinstance(result, Reply):
            self._faults = 0
            self.accepted += 1
            self._finish(claim, Result(MailState.SENT, "sent", str(result)))
            if answer.tag.message is not None:
                self._signal(answer.tag.message)
        elif isinstance(result, RelayDown):
            self._relay_fault(claim, answer.fresh, str(result))
        elif isinstance(result, SenderRefused):
            self._refused[mail.campaign] = str(result)
            self._finish(claim, Result(MailState.QUEUED, "sender-refused", str(result), charged=False))
        else:
            if isinstance(result, Interrupted):
                self._faults += 1
                if self._faults >= FAULTS:
                    self._down(str(result))
            self._finish(claim, self._failure(mail, result))

    def _failure(self, mail: Envelope, error: RelayError) -> Result:
        if isinstance(error, Interrupted):
            return self._again_later(mail, "interrupted", str(error))
        if isinstance(error, PassingFailure):
            return self._again_later(mail, "deferred", str(error))
        if isinstance(error, RecipientRefused):
            return Result(MailState.BOUNCED, "bounced", str(error))
        return Result(MailState.FAILED, "refused", str(error))

    def _relay_fault(self, claim: Claim, fresh: bool, reason: str) -> None:
        """A goodbye between messages is no fault: the mail takes the next connection. Else it waits, unblamed."""
        self._stumbled[claim.id] += fresh
        others, proven = self._pool.busy + self._pool.idle, self._pool.proven
        self._faults += fresh and not proven
        passing = not fresh or proven or (others and self._faults < FAULTS)
        if passing and self._stumbled[claim.id] < FAULTS:
            if fresh:
                self._pool.most = max(1, others)  # the relay allows fewer
            self._waiting.appendleft(claim)
            return
        # Not the first again when the relay is asked whether it is well: it may be at this message that it stumbles.
        self._finish(
            claim, Result(MailState.QUEUED, "relay-down", reason, self._now + 2 * breaker.PAUSE, charged=False)
        )
        self._down(reason)

    def _down(self, reason: str) -> None:
        _log.warning("relay-down", reply=reason)
        self._fault, self._stopped = reason, True

    def _signal(self, message: Message) -> None:
        try:
            flask_mail.email_dispatched.send(current_app._get_current_object(), message=message)  # type: ignore[attr-defined]
        except Exception:  # whoever listens, what was accepted must be recorded
            _log.exception("listener-failed")

    def _finish(self, claim: Claim, result: Result) -> None:
        self._finished.append((claim, result))

    def _again_later(self, mail: Envelope, event: str, reply: str) -> Result:
        minutes = RETRY_MINUTES[min(mail.attempts, len(RETRY_MINUTES) - 1)]
        retry_at = self._now + timedelta(minutes=minutes * (0.8 + 0.4 * self._jitter()))
        if retry_at >= (mail.expires_at or mail.created_at + GIVE_UP_AFTER):
            return Result(MailState.EXPIRED, "expired", f"no time is left for another try: {reply}")
        return Result(MailState.QUEUED, event, reply, retry_at)


def _domain(mail: Envelope) -> str:
    """The line of the domain that a mail goes to."""
    return f"domain:{(mail.email or '').rpartition('@')[2].lower()}"[:260]


class _Reader:
    """A session to ask with where the envelope does not say enough, and what letters share while it is fresh."""

    def __init__(self, office: Parts) -> None:
        self._office = office
        self._open = ExitStack()
        self._session: Session | None = None
        self._asked = False
        self._memory = letters.Memory()
        self._since = -math.inf

    def ask(self) -> Session:
        """A reading session that sees the present."""
        if self._session is None:
            self._session, _ = self._open.enter_context(self._office.db.reading())
        self._asked = True
        return self._session

    def look_again(self) -> None:
        """Let go of what the session sees."""
        if self._session is not None and self._asked:
            self._asked = False
            self._office.db.look_again(self._session)
            self._session.expunge_all()

    def memory(self) -> letters.Memory:
        """What is fresh."""
        if time.monotonic() - self._since > FRESH:
            self._memory, self._since = letters.Memory(), time.monotonic()
        return self._memory

    def close(self) -> None:
        """End the session."""
        self._open.close()
