"""Senders that are killed with -9 at each step: nothing is lost, and at most one message a connection comes twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coopmail.config import ROOT, Settings
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.conftest import FrozenClock
from tests.mail.field import build_field, key_of, rows, send, sender, start_over
from tests.mail.scripted import Event, Kept, Move, ScriptedRelay

MAILS = 30
CONNECTIONS = 2
STEPS = [
    ("CONNECT", 1), ("EHLO", 1), ("CONNECT", 2), ("MAIL", 1), ("RCPT", 1), ("DATA", 1), ("BODY", 1), ("END", 1),
    ("REPLIED", 1), ("MAIL", 11), ("RCPT", 12), ("DATA", 13), ("BODY", 14), ("END", 15), ("REPLIED", 16), ("END", 30),
    ("REPLIED", 30), ("QUIT", 1),
]  # fmt: skip


class Senders:
    """Starts senders as processes of their own, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._known = threading.Event()
        self._pid = 0

    def start(self, **order: object) -> None:
        """Start one; it may be killed from now on."""
        self._known.clear()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._pid = int(self._line())
        self._known.set()

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        assert self._known.wait(20)
        os.kill(self._pid, signal.SIGKILL)

    def end(self) -> int:
        """Wait until it has ended; the signal that ended it, 0 where it was none."""
        return os.WTERMSIG(int(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def killable() -> Iterator[Senders]:
    """A process from which senders are forked."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.mail.killable"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Senders(process)
        assert process.stdin is not None
        process.stdin.close()


def test_whenever_a_sender_is_killed_everything_arrives_and_at_most_one_message_a_connection_twice(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, tmp_path: Path
) -> None:
    build_field(office, cooperative, MAILS - 5)
    twice = 0
    with killable() as senders, ScriptedRelay() as server, sender(settings, clock, server.port) as second:
        for verb, nth in STEPS:
            start_over(office)
            server.forget()

            def behave(event: Event, step: tuple[str, int] = (verb, nth)) -> Move | None:
                if (event.verb, event.nth) == step:
                    senders.kill()
                return None

            server.behave = behave
            senders.start(key=settings.secret_keys[1], database=settings.database_url, folder=str(tmp_path),
                          port=server.port, connections=CONNECTIONS, moment=clock.moment.isoformat())  # fmt: skip
            assert senders.end() == signal.SIGKILL, (verb, nth)
            server.settle()
            server.behave = lambda event: None
            clock.advance(seconds=51)
            send(second)
            twice += check(office, server.messages)
    assert twice > 0  # or this test has killed nobody at the moment that matters


def check(office: Parts, messages: list[Kept]) -> int:
    """Every mail arrived and its row says so; how many came twice, each the same message, one a connection at most."""
    found = rows(office)
    assert {(row.state, row.attempts) for row in found.values()} == {("sent", 1)}
    arrived = Counter(key_of(message) for message in messages)
    assert set(arrived) == set(found)
    first = {key_of(message): message for message in reversed(messages)}
    assert all(message.raw == first[key_of(message)].raw for message in messages)
    repeated = [key for key, times in arrived.items() if times > 1]
    assert all(arrived[key] == 2 for key in repeated)
    assert all(times == 1 for times in Counter(first[key].connection for key in repeated).values())
    return len(repeated)
