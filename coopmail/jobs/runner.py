"""The thread runner of the embedded default: runs the schedule, woken by the doorbell."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import structlog
from flask import Flask

from coopmail.jobs.schedule import SCHEDULE, Job
from coopmail.parts import parts

GATHER = 0.2
"""After a ring the runner waits for so many seconds: answers come in bursts, and one batch costs less than many."""

_log = structlog.get_logger(__name__)


class ThreadRunner:
    """Runs each job when it is due by the database's clock, and all of them when the doorbell rings."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="coopmail-runner", daemon=True)

    def start(self) -> None:
        """Start the thread: after a fork, never before one."""
        self._thread.start()

    def stop(self) -> None:
        """End after the job that runs now."""
        self._stop.set()
        parts(self._app).db.doorbell.ring()
        self._thread.join(timeout=60)

    def _loop(self) -> None:
        office = parts(self._app)
        last: dict[str, datetime] = {}
        rung = True
        while not self._stop.is_set():
            try:
                self._look(last, rung)
            except Exception:  # the runner must outlive a database that is away for a moment
                _log.exception("runner-could-not-look")
                self._stop.wait(office.settings.tick_seconds)
            rung = office.db.doorbell.wait(office.settings.tick_seconds)
            if rung:
                self._stop.wait(GATHER)

    def _look(self, last: dict[str, datetime], rung: bool) -> None:
        with parts(self._app).db.reading() as (_, now):
            moment = now()
        for job in SCHEDULE:
            if rung or job.name not in last or moment - last[job.name] >= timedelta(seconds=job.every):
                last[job.name] = moment
                run(self._app, job)


def run_all(app: Flask) -> None:
    """Run every job once."""
    for job in SCHEDULE:
        run(app, job)


def run(app: Flask, job: Job) -> None:
    """Run a job; one that fails is logged and does not keep the others from running."""
    try:
        job.run(app)
    except Exception:  # the runner must outlive any job
        _log.exception("job-failed", job=job.name)
