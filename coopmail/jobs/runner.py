"""Runs jobs: each so that a failure keeps no other from running. And the thread runner of the embedded default."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from flask import Flask

from coopmail.actions.installation import note_sweeps
from coopmail.jobs.schedule import SCHEDULE, Job
from coopmail.parts import parts
from coopmail.queries.installation import sweeps

GATHER = 0.2
"""After a ring the runner waits for so many seconds: answers come in bursts, and one batch costs less than many."""
NOTED_EVERY = timedelta(seconds=30)
"""A job's last run is written down no more often than this."""
IDLE_SECONDS = 0.1
"""A run that was shorter found nothing to do, and is not logged."""

_log = structlog.get_logger(__name__)


class ThreadRunner:
    """Runs each job when it is due by the database's clock, and all of them when the doorbell rings."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name="coopmail-runner", daemon=True)

    def start(self) -> None:
        """Start the thread: after a fork, never before one."""
        self._thread.start()

    def stop(self) -> None:
        """End after the job that runs now."""
        self.end_soon()
        self._thread.join(timeout=60)

    def end_soon(self) -> None:
        """Ask `run` to end after the job that runs now, without waiting for it."""
        self._stop.set()
        parts(self._app).db.doorbell.ring()

    def run(self) -> None:
        """Look until asked to end: what the thread does, or a process of its own."""
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
        due = [
            job
            for job in SCHEDULE
            if rung or job.name not in last or moment - last[job.name] >= timedelta(seconds=job.every)
        ]
        last.update({job.name: moment for job in due})
        run_jobs(self._app, due)


def run_all(app: Flask) -> None:
    """Run every job once."""
    run_jobs(app, SCHEDULE)


def run_jobs(app: Flask, jobs: Iterable[Job]) -> None:
    """Run these jobs in their order, and note which ran without a fault."""
    done = [job.name for job in jobs if run(app, job)]
    if done:
        _note(app, done)


def run(app: Flask, job: Job) -> bool:
    """Run a job and say whether it ran without a fault; a fault is logged and does not keep others from running."""
    began = time.perf_counter()
    try:
        job.run(app)
    except Exception:  # the runner must outlive any job
        _log.exception("job-failed", job=job.name, seconds=round(time.perf_counter() - began, 3))
        return False
    seconds = time.perf_counter() - began
    if seconds >= IDLE_SECONDS:
        _log.info("job", job=job.name, seconds=round(seconds, 3))
    return True


def _note(app: Flask, names: list[str]) -> None:
    """Write down when jobs last ran, for `/metrics` and `coopmail doctor`; most times a question is enough."""
    db = parts(app).db
    try:
        with db.reading() as (session, now):
            noted, moment = sweeps(session), now()
        stale = [name for name in names if name not in noted or moment - noted[name] >= NOTED_EVERY]
        if stale:
            with db.transaction() as (session, now):
                note_sweeps(session, now(), stale)
    except Exception:  # what was done stays done
        _log.exception("sweep-not-noted")
