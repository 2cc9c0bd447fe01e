"""A process that does one act and is killed at its n-th step; `python -m tests.faults.dying` does what it is told.

Each line of its input is an order as JSON, each line that it prints says what became of it: `killed`, `done`, or the
name of the error. An act is done by a fork, so that none has to start Python anew. A step is a statement, a commit, the
moment after a commit, and each time a key's file is opened, renamed or removed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers import aead
from flask import Flask
from sqlalchemy.orm import Session, configure_mappers

from coopmail import create_app
from coopmail.actions import polls
from coopmail.config import ROOT, Settings
from coopmail.domain.calendar import public_holidays
from coopmail.jobs.poll_keys import destroy_poll_keys
from coopmail.jobs.polls import close_due_polls
from coopmail.parts import parts

NEVER = 0
"""The step at which nobody is killed."""
_FILES = ("open", "os.mkdir", "os.rename", "os.remove")


def open_poll(app: Flask, order: dict[str, Any]) -> None:
    office = parts(app)
    with office.db.transaction() as (session, now):
        polls.open_poll(session, order["subject"], now, office.basis)


def cast_ballot(app: Flask, order: dict[str, Any]) -> None:
    office = parts(app)
    with office.db.transaction() as (session, now):
        polls.cast_ballot(session, now, order["subject"], ("move",), "Een collega", office.basis.vault)


ACTS: dict[str, Callable[[Flask, dict[str, Any]], None]] = {
    "open": open_poll,
    "cast": cast_ballot,
    "close": lambda app, _: close_due_polls(app),
    "destroy": lambda app, _: destroy_poll_keys(app),
}


def die_at(step: int, key_folder: str) -> None:
    """Have this process killed at that step."""
    steps = count(1)

    def take(*_: Any, **__: Any) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "before_cursor_execute", take)
    sa.event.listen(sa.Engine, "commit", take)
    sa.event.listen(Session, "after_commit", take)
    sys.addaudithook(lambda event, given: take() if event in _FILES and key_folder in str(given[0]) else None)


class Installed:
    """An installation whose clock stands where the last order says. It opens no connection: only its forks do."""

    def __init__(self, url: str, folder: Path) -> None:
        self._moment = datetime.min.replace(tzinfo=UTC)
        self._keys = folder / "poll-keys"
        settings = Settings(
            secret_keys={1: "a key that only the tests know, and long enough"}, database_url=url,
            mailbox=folder / "mailbox", key_folder=self._keys, base_url="http://localhost",
        )  # fmt: skip
        self._app = create_app(settings, system_clock=lambda: self._moment)
        # What is loaded when it is first needed is loaded here, else each fork would: mappers, holidays, ciphers.
        configure_mappers()
        public_holidays(2026)
        assert aead

    def obey(self, order: dict[str, Any]) -> None:
        """Do an act, in a process that may be killed."""
        self._moment = datetime.fromisoformat(order["moment"])
        die_at(order["step"], str(self._keys))
        ACTS[order["act"]](self._app, order)


def fate(place: Installed, order: dict[str, Any]) -> str:
    """What became of an act."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            place.obey(order)
            os.write(writing, b"done")
        except BaseException as error:
            os.write(writing, type(error).__name__.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        word = said.read()
    _, status = os.waitpid(pid, 0)
    return "killed" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else word


class Dying:
    """Orders acts of one installation."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def act(self, act: str, moment: datetime, subject: int = 0, *, step: int = NEVER) -> str:
        """Do an act at a moment, and be killed at a step; what became of it."""
        order = {"act": act, "moment": moment.isoformat(), "subject": subject, "step": step}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@contextmanager
def dying(url: str, folder: Path) -> Iterator[Dying]:
    """Somebody who does acts of the installation with that database and that folder, and dies when told to."""
    command = [sys.executable, "-m", "tests.faults.dying", url, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Dying(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(20) == 0


if __name__ == "__main__":
    installed = Installed(sys.argv[1], Path(sys.argv[2]))
    for line in sys.stdin:
        sys.stdout.write(fate(installed, json.loads(line)) + "\n")
        sys.stdout.flush()
