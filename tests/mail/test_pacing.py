"""A rate for the relay and one a receiving domain, shared by all senders, and nobody waits for somebody else's."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from coopmail.config import Settings
from coopmail.domain.outbox import MailEvent, RelayState
from coopmail.mail import claims
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.conftest import FrozenClock
from tests.mail.field import build_field, key_of, make_newsletter, member, rows, send, sender
from tests.mail.scripted import Event, Move, ScriptedRelay
from tests.mail.test_order import ask_the_seats

MINUTE = timedelta(minutes=1)
STEP = timedelta(seconds=5)


class Notebook:
    """When each message came, by the clock that stands still."""

    def __init__(self, clock: FrozenClock) -> None:
        self.clock = clock
        self.seen: list[tuple[datetime, str]] = []

    def __call__(self, event: Event) -> Move | None:
        if event.verb == "END":
            self.seen.append((self.clock.moment, event.recipient))
        return None

    def most_in_a_minute(self, domain: str = "") -> int:
        """How many came at most within any minute."""
        moments = [moment for moment, recipient in self.seen if recipient.endswith(domain)]
        return max(sum(start <= moment < start + MINUTE for moment in moments) for start in moments)


def noted(office: Parts) -> Counter[str]:
    """How often each thing happened."""
    with office.db.reading() as (session, _):
        return Counter(session.scalars(sa.select(MailEvent.event)))


@pytest.mark.parametrize("runners", [1, 2])
def test_the_relay_gets_no_more_a_minute_than_its_rate_and_a_burst_from_all_runners_together(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, runners: int
) -> None:
    build_field(office, cooperative, 120)
    notebook = Notebook(clock)
    rates = {"relay_rate": 60, "relay_connections": 3}
    with (
        ScriptedRelay(notebook) as server,
        sender(settings, clock, server.port, **rates) as one,
        sender(settings, clock, server.port, **rates) as other,
    ):
        began = clock.moment
        while clock.moment < began + timedelta(seconds=120):
            for app in (one, other)[:runners]:
                send(app)
            clock.advance(seconds=STEP.total_seconds())
    assert Counter(key_of(message) for message in server.messages) == Counter([*rows(office)])
    assert notebook.most_in_a_minute() <= 60 + 10  # ten seconds' worth may go at once
    assert Counter(moment - began for moment, _ in notebook.seen) == {
        timedelta(0): 11, **{number * STEP: 5 for number in range(1, 23)}, 23 * STEP: 4,
    }  # fmt: skip
    assert {row.attempts for row in rows(office).values()} == {1}
    assert noted(office)["paced"] <= 2 * 125  # a mail is not told again and again to come back


def test_a_domain_that_is_fed_slowly_holds_up_no_other(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    def domain(number: int) -> str:
        return "Slow.example" if number % 2 else f"bib{number}.example"

    build_field(office, cooperative, 40, domain)
    notebook = Notebook(clock)
    with ScriptedRelay(notebook) as server, sender(settings, clock, server.port, domain_rate=6) as app:
        began = clock.moment
        send(app)
        others = [found for _, found in notebook.seen if found.startswith("lid") and not found.endswith("Slow.example")]
        assert sorted(others) == [member(number, domain) for number in range(0, 40, 2)]
        while any(row.state != "sent" for row in rows(office).values()):
            clock.advance(seconds=STEP.total_seconds())
            send(app)
            assert clock.moment < began + timedelta(minutes=4)
    assert notebook.most_in_a_minute("Slow.example") == 6 + 1
    assert Counter(key_of(message) for message in server.messages) == Counter([*rows(office)])


def test_a_ballot_goes_before_a_newsletter_that_is_fed_slowly(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    make_newsletter(office, build_field(office, cooperative, 60))
    with ScriptedRelay() as server, sender(settings, clock, server.port, relay_rate=60) as app:
        assert send(app) == 11
        ask_the_seats(office, cooperative)
        assert send(app) == 0
        clock.advance(seconds=4)
        assert send(app) == 4
    ballots = {key for key, row in rows(office).items() if row.id > 65}
    assert len(ballots & {key_of(message) for message in server.messages[11:]}) == 3


def test_both_rates_hold_at_once_and_two_runners_never_wait_for_each_other(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many domains in one transaction, locked by both: a wrong order is a deadlock on PostgreSQL."""
    monkeypatch.setattr(claims, "BATCH", 40)
    build_field(office, cooperative, 200, lambda number: f"bib{number * 7 % 10}.example")
    rates = {"relay_rate": 1_000_000, "domain_rate": 1_000_000}
    problems: list[BaseException] = []
    accepted: list[int] = []

    def run(app: Flask) -> None:
        try:
            accepted.append(send(app))
        except BaseException as problem:
            problems.append(problem)

    with (
        ScriptedRelay() as server,
        sender(settings, clock, server.port, **rates) as one,
        sender(settings, clock, server.port, **rates) as other,
    ):
        threads = [threading.Thread(target=run, args=(app,)) for app in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert problems == []
    assert sum(accepted) == 205
    assert Counter(key_of(message) for message in server.messages) == Counter([*rows(office)])
    with office.db.reading() as (session, _):
        names = set(session.scalars(sa.select(RelayState.name).where(RelayState.free_at.is_not(None))))
    assert names >= {"relay", *(f"domain:bib{number}.example" for number in range(10))}
