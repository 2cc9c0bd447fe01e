"""The whole production stack, each process of which can be killed and is then started again, as systemd would."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from coopmail.actions import polls
from coopmail.clock import system
from coopmail.config import ROOT
from coopmail.db import CLOCK_OFFSET, DEMONSTRATION
from coopmail.domain.base import InstallationMark
from coopmail.domain.outbox import WAITING, Mail, MailState
from coopmail.doorbell import connect, ring_everything
from coopmail.parts import Parts
from tests.builders import build_cooperative, build_poll
from tests.faults.sink import Sink
from tests.mail.field import fill
from tests.production import Installation, installation
from tests.servers import PATIENCE, SETTINGS, eventually, free_port

AT_REST = 1.5
"""Seconds in which nobody sends and no lease is renewed: then whoever holds what is claimed is dead."""
LIMIT = 150.0
"""Seconds of a loaded machine in which all must have come to rest."""


def children(pid: int) -> list[int]:
    """The processes that a process started, and theirs; none where it is gone."""
    found: list[int] = []
    for file in Path("/proc").glob(f"{pid}/task/*/children"):
        with suppress(OSError):
            for child in file.read_text().split():
                found += [int(child), *children(int(child))]
    return found


def kill(pid: int) -> None:
    """`kill -9`; nothing happens where it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Service:
    """`coopmail serve`, `worker` or `scheduler`."""

    def __init__(self, command: str, settings: Mapping[str, str], log: Path) -> None:
        self.port = free_port() if command == "serve" else 0
        self._command = [sys.executable, "-m", "coopmail.cli", command, *(["--port", str(self.port)] * bool(self.port))]
        around = {name: value for name, value in os.environ.items() if not name.startswith("COOPMAIL_")}
        self._environment = around | {f"COOPMAIL_{name}": value for name, value in (SETTINGS | dict(settings)).items()}
        self._log = log
        self.orphans: list[int] = []
        self.start()

    def start(self) -> None:
        """Start it, without waiting."""
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                self._command, env=self._environment, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT
            )

    @property
    def output(self) -> str:
        """What it and all before it have printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def children(self) -> list[int]:
        """The processes that it started."""
        return children(self.process.pid)

    def kill(self, *, family: bool) -> None:
        """Kill it, alone or with its children."""
        theirs = self.children()
        self.process.kill()
        for pid in theirs if family else []:
            kill(pid)
        self.orphans += theirs
        self.process.wait(PATIENCE)

    def restart(self) -> None:
        """Start it again; a server until it is served again: what was left of the last one may hold the port."""
        self.start()
        if self.port:
            eventually(self._is_back, 2 * PATIENCE)

    def _is_back(self) -> bool:
        if self.process.poll() is not None:
            self.start()
        return self.answers()

    def answers(self) -> bool:
        """Whether the server answers."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", "/health")
                return connection.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                return False

    def ask_to_end(self) -> None:
        """Ask it to end."""
        if self.process.poll() is None:
            self.process.terminate()

    def end(self) -> None:
        """See that nothing of it is left."""
        theirs = self.children()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)
        self.process.kill()
        self.process.wait(PATIENCE)
        for pid in [*theirs, *self.orphans]:
            with suppress(OSError):
                if b"coopmail.cli" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    kill(pid)


@dataclass
class Stack:
    """Everything that runs, and a poll of many libraries that was just opened."""

    place: Installation
    sink: Sink
    poll_id: int
    closes_at: datetime
    web: Service
    workers: list[Service]
    schedulers: list[Service]

    @property
    def office(self) -> Parts:
        """The parts of the installation, in this process."""
        return self.place.office

    @property
    def campaign(self) -> str:
        """The campaign of the invitations."""
        return f"poll:{self.poll_id}:invitation"

    @property
    def services(self) -> list[Service]:
        """All processes."""
        return [self.web, *self.workers, *self.schedulers]

    def now(self) -> datetime:
        """The time that all processes share."""
        with self.office.db.reading() as (_, now):
            return now()

    def move_to(self, moment: datetime) -> None:
        """Let all processes' time pass until a moment that is to come."""
        offset = (moment - system()).total_seconds()
        with self.office.db.transaction() as (session, _):
            mark = session.get(InstallationMark, CLOCK_OFFSET) or InstallationMark(name=CLOCK_OFFSET, value="0")
            mark.value = str(offset)
            session.add(mark)

    def settle(self) -> None:
        """Wait until no mail waits; where all that is left is in the hands of the dead, let their leases' time pass."""
        until, before, since = time.monotonic() + LIMIT, frozenset[tuple[int, datetime | None]](), time.monotonic()

        def looks() -> bool:
            nonlocal before, since
            with self.office.db.reading() as (session, _):
                rows = session.execute(sa.select(Mail.id, Mail.state, Mail.lease_until).where(Mail.state.in_(WAITING)))
                waiting = [(row.id, row.state, row.lease_until) for row in rows]
            held = frozenset((mail, lease) for mail, state, lease in waiting if state is MailState.CLAIMED)
            if held != before or len(held) != len(waiting) or self.sink.open:
                before, since = held, time.monotonic()
            elif held and time.monotonic() - since > AT_REST:
                self.move_to(max(lease for _, lease in held if lease) + timedelta(seconds=0.1))
                since = time.monotonic()
            return not waiting

        eventually(looks, until - time.monotonic(), every=0.1)


@contextmanager
def stack(template: sa.URL, folder: Path, libraries: int, redis_url: str, *, schedulers: int = 1) -> Iterator[Stack]:
    """gunicorn with two processes, two workers, schedulers, and a poll of so many libraries and five mails more."""
    more = {"SERVER": "gunicorn", "PROCESSES": "2", "SIMULATION": "1"}
    with Sink() as sink:
        more["SMTP"] = f"smtp+plain://127.0.0.1:{sink.port}"
        with installation(template, folder, redis_url, **more) as place:
            poll_id, closes_at = _prepare(place.office, libraries)
            commands = ["serve", "worker", "worker", *["scheduler"] * schedulers]
            services: list[Service] = []
            try:
                for number, command in enumerate(commands):
                    services.append(Service(command, place.settings, folder / f"{number}-{command}.log"))
                eventually(services[0].answers, 2 * PATIENCE)
                yield Stack(place, sink, poll_id, closes_at, services[0], services[1:3], services[3:])
            finally:
                sink.let_go()
                for service in services:
                    service.ask_to_end()
                for service in services:
                    service.end()


def ring(redis_url: str) -> None:
    """Say that there is work, as the commit of the opening would have."""
    with closing(connect(redis_url)) as client:
        ring_everything(client)


def _prepare(office: Parts, libraries: int) -> tuple[int, datetime]:
    with office.db.transaction() as (session, now):
        session.add(InstallationMark(name=DEMONSTRATION, value="1"))
        cast = build_cooperative(session, now())
    fill(office, cast, libraries)
    with office.db.transaction() as (session, now):
        closes_at = now() + timedelta(hours=12)
        draft = build_poll(session, cast, closes_at=closes_at, reminder_days=[])
        return polls.open_poll(session, draft.id, now, office.basis).id, closes_at
