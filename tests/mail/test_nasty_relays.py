"""Relays that behave badly: nothing is lost, each row is true, and nothing comes twice but as promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import Any

import pytest
import sqlalchemy as sa

from coopmail.config import Relay, Settings
from coopmail.domain.audit import Matter
from coopmail.domain.outbox import MailEvent, RelayState
from coopmail.mail import channel
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.conftest import FrozenClock
from tests.mail.field import build_field, key_of, member, rows, send, sender
from tests.mail.scripted import HANG_UP, HOLD, Event, Move, ScriptedRelay
from tests.mail.smtp import SmtpServer, certificate

LIBRARIES = 60
MAILS = LIBRARIES + 5
WITHIN = ("MAIL", "RCPT", "DATA", "END")
LATER = timedelta(hours=4)
GOODBYE = Move("421 4.3.2 closing", closes=True)

Behaviour = Callable[[Event], Move | None]


@dataclass
class Nasty:
    """A way to behave badly, and what comes of it where it is not that everything arrives in one go, uncharged."""

    behave: Behaviour = lambda event: None
    relay: dict[str, Any] = field(default_factory=dict)
    runs: int = 1
    """So many times the runner starts, four hours apart."""
    charges: bool = False
    """Messages may be charged a failed attempt."""
    twice: bool = False
    """What the relay kept and did not answer arrives again."""
    trips: bool = False
    """The circuit breaker may trip."""


def every(number: int, move: Move, *verbs: str) -> Behaviour:
    """That move at each so manieth time of these verbs."""
    return lambda event: move if event.verb in verbs and event.nth % number == 0 else None


def after_each(number: int, move: Move) -> Behaviour:
    """That move, unasked, after so many messages of a connection."""
    answered: Counter[int] = Counter()

    def behave(event: Event) -> Move | None:
        if event.verb == "REPLIED":
            answered[event.connection] += 1
            return move if answered[event.connection] % number == 0 else None
        return None

    return behave


def slowly(event: Event) -> Move | None:
    """It thinks about each message."""
    if event.verb == "END":
        Flag().wait(0.01)
    return None


NASTY = {
    "offers pipelining": Nasty(),
    "offers no pipelining": Nasty(relay={"pipelining": False}),
    "answers octet by octet": Nasty(relay={"chunks": "octets"}),
    "answers octet by octet without pipelining": Nasty(relay={"chunks": "octets", "pipelining": False}),
    "answers in one lump": Nasty(relay={"chunks": "lump"}),
    "answers slowly": Nasty(slowly),
    "puts off every second at RCPT": Nasty(every(2, Move("450 4.2.0 greylisted"), "RCPT"), runs=9, charges=True),
    "puts off every third at the end": Nasty(every(3, Move("451 4.7.1 later"), "END"), runs=9, charges=True),
    "says 421 in mid-stream": Nasty(every(9, GOODBYE, *WITHIN), runs=40, trips=True),
    "says 421 at every second end": Nasty(every(2, GOODBYE, "END"), runs=40, trips=True),
    "closes after one message": Nasty(after_each(1, HANG_UP)),
    "closes after five messages": Nasty(after_each(5, HANG_UP)),
    "says goodbye after five messages": Nasty(after_each(5, GOODBYE)),
    "resets after five messages": Nasty(after_each(5, Move(resets=True))),
    "breaks off before its reply": Nasty(
        every(11, Move(closes=True, keeps=True), "END"), runs=5, charges=True, twice=True
    ),
    "breaks off in the message": Nasty(every(11, HANG_UP, "BODY"), runs=5, charges=True),
    "talks nonsense at times": Nasty(every(13, Move("what?"), *WITHIN), runs=40, trips=True),
}


@pytest.mark.parametrize("name", NASTY)
def test_nothing_is_lost_and_each_row_is_true_though_a_relay(
    name: str, settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    nasty = NASTY[name]
    build_field(office, cooperative, LIBRARIES)
    charged: Counter[str] = Counter()
    with ScriptedRelay(nasty.behave, **nasty.relay) as server, sender(settings, clock, server.port) as app:
        for _ in range(nasty.runs):
            send(app)
            check_rows_are_true(office, server)
            if all(row.state == "sent" for row in rows(office).values()):
                break
            clock.advance(seconds=LATER.total_seconds())
    assert {row.state for row in rows(office).values()} == {"sent"}
    kept = Counter(key_of(message) for message in server.messages)
    unanswered = Counter(key_of(message) for message in server.messages if not message.reply.startswith("250"))
    assert kept == Counter([*rows(office)]) + unanswered
    assert bool(unanswered) is nasty.twice
    for key, row in rows(office).items():
        charged[key] = row.attempts - 1
        assert len({message.raw for message in server.messages if key_of(message) == key}) == 1
    assert (sum(charged.values()) > 0) is nasty.charges
    assert unanswered - charged == Counter()
    with office.db.reading() as (session, _):
        faults = session.scalars(sa.select(RelayState.failures)).all()
        noted = set(session.scalars(sa.select(MailEvent.event)))
    assert all(found == 0 for found in faults)  # all is well again
    assert ("relay-down" in noted) <= nasty.trips


def check_rows_are_true(office: Parts, server: ScriptedRelay) -> None:
    """A row says `sent` exactly where the relay said so; nothing is held any more."""
    accepted = {key_of(message) for message in server.messages if message.reply.startswith("250")}
    found = rows(office)
    assert {key for key, row in found.items() if row.state == "sent"} == accepted
    assert {row.state for row in found.values()} <= {"sent", "queued"}


def failures(office: Parts) -> int:
    """Faults of the relay in a row."""
    with office.db.reading() as (session, _):
        return session.scalar(sa.select(RelayState.failures).where(RelayState.name == "relay")) or 0


def test_a_relay_that_refuses_every_third_recipient_gets_each_mail_once_and_each_refusal_is_a_bounce(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    build_field(office, cooperative, LIBRARIES)
    refusal = Move("550 5.1.1 no such mailbox")
    with ScriptedRelay(every(3, refusal, "RCPT")) as server, sender(settings, clock, server.port) as app:
        assert send(app) == MAILS - MAILS // 3
        clock.advance(days=1)
        assert send(app) == 0
        assert server.count("RCPT") == MAILS
    accepted = {key_of(message) for message in server.messages}
    assert len(accepted) == len(server.messages) == MAILS - MAILS // 3
    assert {key: (row.state, row.reply) for key, row in rows(office).items()} == {
        key: ("sent", "250 2.0.0 kept") if key in accepted else ("bounced", refusal.reply) for key in rows(office)
    }
    assert failures(office) == 0


@pytest.mark.parametrize("verb", ["CONNECT", "MAIL"])
def test_a_relay_that_allows_two_connections_gets_everything_over_two(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, verb: str
) -> None:
    build_field(office, cooperative, LIBRARIES)
    welcome: set[int] = set()
    lock = Lock()

    def behave(event: Event) -> Move | None:
        if event.verb != verb:
            return None
        with lock:
            if event.connection in welcome or len(welcome) < 2:
                welcome.add(event.connection)
                return None
            return Move("421 4.7.0 too many connections", closes=True)

    with ScriptedRelay(behave) as server, sender(settings, clock, server.port) as app:
        assert send(app) == MAILS
    assert Counter(key_of(message) for message in server.messages) == Counter([*rows(office)])
    assert {(row.state, row.attempts) for row in rows(office).values()} == {("sent", 1)}
    assert {message.connection for message in server.messages} <= welcome
    assert failures(office) == 0
    with office.db.reading() as (session, _):
        assert set(session.scalars(sa.select(MailEvent.event))) == {"sent"}


def test_one_message_at_which_the_relay_always_says_421_holds_up_the_others_for_half_a_minute_and_is_not_charged(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    build_field(office, cooperative, LIBRARIES)
    with (
        ScriptedRelay(
            lambda event: GOODBYE if event.recipient == member(7) and event.verb == "DATA" else None
        ) as server,
        sender(settings, clock, server.port) as app,
    ):
        sent = send(app)
        assert failures(office) == 1
        clock.advance(seconds=30)
        assert sent + send(app) == MAILS - 1
        # Nothing else is left by which to tell the message's fault from the relay's: staff are asked to look.
        before = failures(office)
        for tried in range(1, 12):
            clock.advance(seconds=60)
            assert send(app) == 0
            assert failures(office) == before + tried
            with office.db.reading() as (session, _):
                told = session.scalars(sa.select(Matter.key).where(Matter.key.startswith("relay-down"))).all()
            assert bool(told) is (failures(office) >= 10)
    assert Counter(row.state for row in rows(office).values()) == {"sent": MAILS - 1, "queued": 1}
    assert {(row.attempts, row.reply) for row in rows(office).values() if row.state == "queued"} == {
        (0, "421 4.3.2 closing")
    }
    assert member(7) not in server.recipients()


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO"])
def test_a_relay_that_says_nothing_when_we_come_costs_nobody_anything(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, verb: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    build_field(office, cooperative, LIBRARIES)
    monkeypatch.setattr(channel, "TIMEOUT", 0.2)
    silent = True
    with (
        ScriptedRelay(lambda event: HOLD if event.verb == verb and silent else None) as server,
        sender(settings, clock, server.port) as app,
    ):
        for tried in (1, 2):
            assert send(app) == 0
            assert send(app) == 0  # within half a minute nobody even tries
            assert (server.connections, failures(office)) == (tried, tried)
            assert {(row.state, row.attempts, row.reply) for row in rows(office).values()} == {("queued", 0, "")}
            clock.advance(seconds=30)
        monkeypatch.undo()
        silent = False
        assert send(app) == MAILS
    assert {(row.state, row.attempts) for row in rows(office).values()} == {("sent", 1)}
    assert failures(office) == 0


def test_a_relay_that_keeps_messages_and_says_nothing_gets_those_again_and_no_others(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_field(office, cooperative, LIBRARIES)
    monkeypatch.setattr(channel, "END_TIMEOUT", 0.3)
    with (
        ScriptedRelay(every(20, Move(keeps=True), "END")) as server,
        sender(settings, clock, server.port) as app,
    ):
        assert send(app) == MAILS - 3
        waiting = {key: row for key, row in rows(office).items() if row.state != "sent"}
        assert {(row.state, row.attempts, row.reply) for row in waiting.values()} == {
            ("queued", 1, "0 the relay says nothing")
        }
        clock.advance(seconds=61)
        assert send(app) == 3
    kept = Counter(key_of(message) for message in server.messages)
    assert kept == Counter([*rows(office), *waiting])
    assert failures(office) == 0


def test_over_tls_everything_arrives_once_though_the_relay_closes_after_five_messages(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    build_field(office, cooperative, LIBRARIES)
    context, file = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with ScriptedRelay(after_each(5, HANG_UP), tls=context) as server:
        secured = Relay("127.0.0.1", server.port, "tls")
        with sender(settings, clock, server.port, relay=secured, relay_connections=4) as app:
            assert send(app) == MAILS
    assert Counter(key_of(message) for message in server.messages) == Counter([*rows(office)])
    assert {(row.state, row.attempts) for row in rows(office).values()} == {("sent", 1)}


def test_a_relay_with_a_certificate_that_nobody_vouches_for_gets_nothing_until_it_has_another(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    build_field(office, cooperative, LIBRARIES)
    context, file = certificate(tmp_path, "127.0.0.1")
    with SmtpServer(tls=context) as server:
        secured = Relay("127.0.0.1", server.port, "starttls")
        with sender(settings, clock, server.port, relay=secured) as app:
            for tried in (1, 2, 3):
                assert send(app) == 0
                assert failures(office) == tried
                clock.advance(seconds=30)
            assert (server.attempts, "MAIL" in server.heard) == ([], False)
            assert {(row.state, row.attempts) for row in rows(office).values()} == {("queued", 0)}
            monkeypatch.setenv("SSL_CERT_FILE", str(file))
            assert send(app) == MAILS
    assert Counter(key_of(message) for message in server.messages) == Counter([*rows(office)])
    assert {(row.state, row.attempts) for row in rows(office).values()} == {("sent", 1)}
    assert failures(office) == 0
