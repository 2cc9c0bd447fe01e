"""The circuit breaker: after a fault of the relay nobody tries, then one, then all."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from coopmail.config import Settings
from coopmail.domain.audit import Matter
from coopmail.domain.outbox import RelayState
from coopmail.mail import claims
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.conftest import FrozenClock
from tests.mail.field import build_field, rows, send, sender
from tests.mail.scripted import Event, Move, ScriptedRelay

BUSY = Move("421 4.3.2 not now", closes=True)


def breaker(office: Parts, clock: FrozenClock) -> tuple[int, timedelta | None, str]:
    """How many faults in a row, for how long nobody tries, and why."""
    with office.db.reading() as (session, _):
        found = session.get(RelayState, "relay")
    assert found is not None
    return found.failures, found.blocked_until - clock.moment if found.blocked_until else None, found.reason


def matters(office: Parts) -> list[tuple[str, str]]:
    """What staff were told about the relay."""
    with office.db.reading() as (session, _):
        found = session.execute(sa.select(Matter.key, Matter.text).where(Matter.key.startswith("relay-down")))
        return [(row.key, row.text) for row in found]


def test_after_a_fault_one_runner_tries_with_one_connection_and_its_success_lets_all_go_on(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BATCH", 10)
    build_field(office, cooperative, 60)
    with (
        ScriptedRelay(lambda event: BUSY if event.verb == "CONNECT" else None) as server,
        sender(settings, clock, server.port) as one,
        sender(settings, clock, server.port) as other,
    ):
        assert (send(one), send(other), server.connections) == (0, 0, 1)
        assert breaker(office, clock)[:2] == (1, timedelta(seconds=30))
        clock.advance(seconds=29)
        assert (send(one), send(other), server.connections) == (0, 0, 1)
        clock.advance(seconds=1)
        server.forget()
        seen: list[tuple[int, int]] = []

        def while_on_the_wire(event: Event) -> None:
            if (event.verb, event.nth) in (("END", 1), ("END", 20)):
                seen.append((send(other), server.connections))

        server.behave = while_on_the_wire
        accepted = send(one)
    tried, went_on = seen
    assert tried == (0, 1)  # while the first looks, nobody else connects, and it has one connection itself
    assert went_on[0] > 0
    assert server.connections > 2
    assert accepted + went_on[0] == 65
    assert breaker(office, clock) == (0, None, "")
    assert {(row.state, row.attempts) for row in rows(office).values()} == {("sent", 1)}


def test_a_look_that_fails_keeps_everybody_out_for_another_half_minute_and_staff_are_told_after_ten(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    build_field(office, cooperative, 20)
    with (
        ScriptedRelay(lambda event: BUSY if event.verb == "CONNECT" else None) as server,
        sender(settings, clock, server.port) as one,
        sender(settings, clock, server.port) as other,
    ):
        for tried in range(1, 12):
            assert (send(one), send(other), server.connections) == (0, 0, tried)
            failures, pause, reason = breaker(office, clock)
            assert (failures, pause) == (tried, timedelta(seconds=30))
            assert "421, b'4.3.2 not now'" in reason
            assert len(matters(office)) == (tried >= 10)
            clock.advance(seconds=30)
        assert matters(office) == [
            ("relay-down:2026-11-16", f"The mail relay has not worked for some minutes: {reason}")
        ]
        assert {(row.state, row.attempts, row.reply) for row in rows(office).values()} == {("queued", 0, "")}
        server.behave = lambda event: None
        assert send(one) == 25
    assert breaker(office, clock) == (0, None, "")


def test_a_look_that_meets_only_refusals_stays_a_look(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    """A refusal is an answer, and no proof that mail gets through: one message at a time until one is accepted."""
    build_field(office, cooperative, 40)
    with (
        ScriptedRelay(lambda event: BUSY if event.verb == "CONNECT" else None) as server,
        sender(settings, clock, server.port) as app,
    ):
        send(app)
        clock.advance(seconds=30)
        server.forget()
        server.behave = lambda event: Move("450 4.2.0 later") if event.verb == "RCPT" and event.nth <= 30 else None
        assert send(app) == 15
        before = [event.connection for event in server.heard if event.verb == "MAIL"][:30]
    assert len(set(before)) == 1
    assert breaker(office, clock) == (0, None, "")


def test_refusals_of_mails_never_trip_it(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    build_field(office, cooperative, 20)
    replies = ["450 4.2.0 later", "550 5.1.1 unknown", "552 5.3.4 too big", "451 4.3.0 no disk"]
    with (
        ScriptedRelay(lambda event: Move(replies[event.nth % 4]) if event.verb == "RCPT" else None) as server,
        sender(settings, clock, server.port) as app,
    ):
        assert send(app) == 0
        assert server.count("RCPT") == 25
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(RelayState)).all() == []
