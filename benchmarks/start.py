"""Start and memory of `coopmail serve` as a small cooperative runs it: one process, waitress, SQLite, the jobs beside
the pages, mail to a relay.

Seconds from the command to the first answer; resident memory at rest, and again after 10,000 ballots, each of which
also mailed a receipt. Beside it an empty Flask application on waitress with as many threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from benchmarks.answers import Voters
from benchmarks.kit.field import environment_of, fill, installation, open_poll, settings_of, tokens
from benchmarks.kit.load import visited
from benchmarks.kit.report import Row, measured
from benchmarks.kit.run import Run, Wrong
from benchmarks.kit.servers import connected, running, sink, wait_for
from coopmail.cli.simulated_web import free_port
from coopmail.config import Settings
from coopmail.domain.outbox import Mail

CLIENTS = 8
REST_SECONDS = 3.0
"""So long after its first answer a server has also run its first jobs."""


def rows(run: Run) -> list[Row]:
    """Seconds and megabytes."""
    ballots = run.count(10_000, 200)
    with sink() as relay, tempfile.TemporaryDirectory() as name:
        settings, voters = _installed(Path(name), relay.port, ballots)
        for serving in (serving_ours, serving_empty):  # once for the disk's sake
            _started(serving, settings)
        pairs = [(_started(serving_ours, settings), _started(serving_empty, settings)) for _ in range(run.rounds)]
        memory = _memory_while_answering(settings, voters, ballots)
        voters.check(settings.database_url, secret=False)
    (seconds, rest), (their_seconds, their_rest) = (
        (median(pair[side][0] for pair in pairs), median(pair[side][1] for pair in pairs)) for side in (0, 1)
    )
    run.say("Memory after 0, 1, … tenths of the ballots: " + ", ".join(f"{found:.0f}" for found in memory) + " MB.")
    beside = "empty Flask app on waitress"
    return [
        measured("from the command to the first answer", seconds, "s", most=1.5, beside=beside, theirs=their_seconds),
        measured("memory at rest", rest, "MB", most=120, beside=beside, theirs=their_rest),
        measured(f"memory after {ballots:,} ballots", memory[-1], "MB", most=120),
        measured("of it added by the last nine tenths of them", memory[-1] - memory[1], "MB", most=5),
    ]


def _installed(folder: Path, relay: int, voters: int) -> tuple[Settings, Voters]:
    settings = replace(settings_of(f"sqlite:///{folder}/start.sqlite", folder, relay), run_jobs=True)
    with installation(settings) as office:
        fill(office, voters)
        poll_id = open_poll(office)
        with office.db.transaction() as (session, _):
            session.execute(sa.delete(Mail))  # the invitations were sent long ago
        return settings, Voters(poll_id, list(tokens(office, poll_id).items()))


@contextmanager
def serving_ours(settings: Settings, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`coopmail serve`."""
    command = [sys.executable, "-m", "coopmail.cli", "serve", "--port", str(port)]
    with running(command, os.environ | environment_of(settings), quiet=True) as process:
        yield process


@contextmanager
def serving_empty(_settings: Settings, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The empty application."""
    with running([sys.executable, "-m", "benchmarks.kit.empty", str(port)]) as process:
        yield process


def _started(
    serving: Callable[[Settings, int], AbstractContextManager[subprocess.Popen[bytes]]], settings: Settings
) -> tuple[float, float]:
    """Seconds to the first answer, and megabytes at rest."""
    port, began = free_port(), time.monotonic()
    with serving(settings, port) as process:
        seconds = wait_for(port, process, "/") - began
        time.sleep(REST_SECONDS)
        return seconds, _resident(process.pid)


def _memory_while_answering(settings: Settings, voters: Voters, ballots: int) -> list[float]:
    """Megabytes before the first ballot and after each tenth of them, their receipts mailed."""
    port = free_port()
    with serving_ours(settings, port) as process:
        wait_for(port, process, "/")
        time.sleep(REST_SECONDS)
        memory = [_resident(process.pid)]
        for tenth in range(1, 11):
            visited(port, CLIENTS, [visit[1:] for visit in voters.answer(ballots // 10)])
            _wait_for_receipts(settings.database_url, ballots // 10 * tenth)
            memory.append(_resident(process.pid))
    return memory


def _wait_for_receipts(url: str, count: int) -> None:
    until = time.monotonic() + 600
    while time.monotonic() < until:
        with connected(url) as connection:
            if connection.execute(sa.text("SELECT count(*) FROM outbox WHERE state = 'sent'")).scalar_one() == count:
                return
        time.sleep(0.2)
    raise Wrong(f"{count} receipts were not sent within ten minutes.")


def _resident(pid: int) -> float:
    """Resident memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024
