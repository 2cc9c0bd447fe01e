"""Rings each job of the schedule when it is due by the database's clock; runs it where nobody would answer.

Time is cut into slots of a job's interval; the first scheduler that comes to a slot rings, so any number of them queue
a job once. Where Redis is away, or no worker has been seen for a while, the scheduler runs what is due in its own
process: deadlines hold without Redis. Every job may run beside itself, so that two of them do so is no harm.
"""

from __future__ import annotations

import os
import socket
import threading

import structlog
from flask import Flask
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from coopmail.doorbell import connect, is_seen, ring_job, seen
from coopmail.jobs.runner import run_jobs
from coopmail.jobs.schedule import SCHEDULE, Job
from coopmail.parts import parts

_log = structlog.get_logger(__name__)


class Scheduler:
    """Looks at the clock every tick."""

    def __init__(self, app: Flask) -> None:
        office = parts(app)
        assert office.settings.redis_url is not None
        self._app = app
        self._db = office.db
        self._tick_seconds = office.settings.tick_seconds
        self._connection = connect(office.settings.redis_url)
        self._name = f"{socket.gethostname()}.{os.getpid()}"
        self._stop = threading.Event()
        self._last: dict[str, int] = {}
        self._faults: set[str] = set()

    def end_soon(self) -> None:
        """Ask `run` to end after the job that runs now."""
        self._stop.set()

    def run(self) -> None:
        """Tick until asked to end; a database that is away is waited for."""
        while not self._stop.is_set():
            try:
                self.tick()
                self._note("database", "")
            except SQLAlchemyError as error:
                self._note("database", type(error).__name__)
            except Exception:  # the scheduler must outlive any fault
                _log.exception("scheduler-could-not-look")
            self._stop.wait(self._tick_seconds)

    def tick(self) -> None:
        """Ring what is due, or run it here."""
        with self._db.reading() as (_, now):
            moment = now().timestamp()
        slots = {job.name: int(moment // job.every) for job in SCHEDULE}
        due = [job for job in SCHEDULE if self._last.get(job.name) != slots[job.name]]
        self._last = slots
        if not self._ring(due, slots):
            run_jobs(self._app, due)

    def _ring(self, due: list[Job], slots: dict[str, int]) -> bool:
        """Ring these jobs; whether there is anybody to answer."""
        try:
            seen(self._connection, "scheduler", self._name)
            for job in due:
                ring_job(self._connection, job.name, slots[job.name], job.every)
            answered = is_seen(self._connection, "worker")
        except RedisError as error:
            self._note("redis", type(error).__name__)
            return False
        self._note("redis", "")
        self._note("workers", "" if answered else "none was seen")
        return answered

    def _note(self, what: str, fault: str) -> None:
        """Log once that something went away, and once that it is back."""
        if bool(fault) == (what in self._faults):
            return
        if fault:
            self._faults.add(what)
            _log.warning(f"{what}-away", fault=fault)
        else:
            self._faults.remove(what)
            _log.warning(f"{what}-back")
