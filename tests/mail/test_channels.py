"""Several connections at once: all are used, none runs ahead of what is recorded, and none waits for another."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
import sqlalchemy as sa

from coopmail.config import Settings
from coopmail.domain.outbox import Mail, MailState
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.conftest import FrozenClock
from tests.mail.field import build_field, key_of, member, rows, send, sender
from tests.mail.scripted import Event, Move, ScriptedRelay


class Meeting:
    """Holds each message until so many connections have begun one, or for a moment where that is not to be."""

    def __init__(self, connections: int) -> None:
        self._connections, self._began, self._met = connections, set[int](), threading.Event()

    def __call__(self, event: Event) -> Move | None:
        if event.verb == "MAIL":
            self._began.add(event.connection)
            if len(self._began) >= self._connections:
                self._met.set()
        elif event.verb == "END":
            self._met.wait(0.1)
        return None


@pytest.mark.parametrize(("allowed", "libraries", "used"), [(4, 95, 4), (1, 95, 1), (8, 5, 1), (8, 20, 3)])
def test_a_further_connection_is_opened_for_each_ten_mails_that_wait_up_to_the_setting(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, allowed: int, libraries: int,
    used: int,
) -> None:  # fmt: skip
    build_field(office, cooperative, libraries)
    with (
        ScriptedRelay(Meeting(used)) as server,
        sender(settings, clock, server.port, relay_connections=allowed) as app,
    ):
        assert send(app) == libraries + 5
        assert server.connections == used
        assert len({message.connection for message in server.messages}) == used
        assert server.count("QUIT") == used
    assert Counter(key_of(message) for message in server.messages) == Counter([*rows(office)])


def test_no_connection_ends_a_message_before_the_answer_to_its_previous_one_is_committed(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    build_field(office, cooperative, 95)
    meeting = Meeting(4)
    previous: dict[int, str] = {}
    looked: list[MailState | None] = []

    def behave(event: Event) -> Move | None:
        if event.verb == "END":
            if event.connection in previous:
                with office.db.reading() as (session, _):
                    state = session.scalar(sa.select(Mail.state).where(Mail.key == previous[event.connection]))
                    looked.append(state)
            previous[event.connection] = event.raw.partition(b"Message-ID: <")[2][:32].decode()
        return meeting(event)

    with ScriptedRelay(behave) as server, sender(settings, clock, server.port, relay_connections=4) as app:
        assert send(app) == 100
    assert len(looked) == 96
    assert set(looked) == {MailState.SENT}


def test_a_connection_on_which_the_relay_takes_its_time_holds_up_no_other(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    build_field(office, cooperative, 95)
    others = threading.Event()
    waited: list[bool] = []

    def behave(event: Event) -> Move | None:
        if event.verb == "END" and event.recipient == member(50):
            waited.append(others.wait(20))
        elif event.verb == "REPLIED" and event.nth == 99:
            others.set()
        return None

    with ScriptedRelay(behave) as server, sender(settings, clock, server.port, relay_connections=4) as app:
        assert send(app) == 100
    assert waited == [True]
    assert server.messages[-1].recipient == member(50)


def test_answers_that_come_together_are_recorded_together_and_none_is_forgotten(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    """Every reply, good or bad, of a relay that answers all connections at the same moment."""
    build_field(office, cooperative, 75)
    barrier = threading.Barrier(4)

    def behave(event: Event) -> Move | None:
        if event.verb != "END":
            return None
        try:
            barrier.wait(0.05)
        except threading.BrokenBarrierError:
            barrier.reset()
        return Move("554 5.7.1 spam") if event.nth % 3 == 0 else None

    with ScriptedRelay(behave) as server, sender(settings, clock, server.port, relay_connections=4) as app:
        sent = send(app)
    kept = {key_of(message) for message in server.messages}
    assert len(kept) == len(server.messages) == sent
    assert {key: row.state for key, row in rows(office).items()} == {
        key: "sent" if key in kept else "failed" for key in rows(office)
    }
