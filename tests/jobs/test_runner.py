"""Running jobs: one that fails keeps no other from running, the last run is noted, and the thread outlives faults."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from flask import Flask
from structlog.testing import capture_logs

from coopmail import logs
from coopmail.db import Database
from coopmail.jobs import runner
from coopmail.jobs.schedule import Job
from coopmail.parts import parts
from coopmail.queries.installation import sweeps
from tests.conftest import FrozenClock


def fail(_app: Flask) -> None:
    """A job with a defect."""
    raise ValueError("a job fails")


def nothing(_app: Flask) -> None:
    """A job that finds nothing to do."""


JOBS = (Job("fails", fail, every=5), Job("looks", nothing, every=5))


def noted(app: Flask) -> dict[str, datetime]:
    """When each job last ran."""
    with parts(app).db.reading() as (session, _):
        return sweeps(session)


def test_a_job_that_fails_keeps_no_other_from_running_and_only_a_run_without_a_fault_is_noted(
    app: Flask, clock: FrozenClock
) -> None:
    with capture_logs() as logged:
        runner.run_jobs(app, JOBS)
    assert [(line["event"], line["job"], line["log_level"]) for line in logged] == [("job-failed", "fails", "error")]
    assert noted(app) == {"looks": clock.moment}


def test_a_job_s_last_run_is_written_down_every_half_minute_and_no_more_often(app: Flask, clock: FrozenClock) -> None:
    written = []
    for _ in range(7):
        runner.run_jobs(app, JOBS[1:])
        written.append(noted(app)["looks"])
        clock.advance(seconds=10)
    first = written[0]
    assert [(moment - first).total_seconds() for moment in written] == [0, 0, 0, 30, 30, 30, 60]


def test_a_clock_that_went_back_turns_no_note_back(app: Flask, clock: FrozenClock) -> None:
    runner.run_jobs(app, JOBS[1:])
    before = noted(app)
    clock.advance(seconds=-3600)
    runner.run_jobs(app, JOBS[1:])
    assert noted(app) == before


def test_a_run_that_did_something_is_logged_with_its_name_and_seconds(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "IDLE_SECONDS", 0)
    logs.configure(logging.INFO)
    with capture_logs() as logged:
        runner.run_jobs(app, JOBS[1:])
    logs.configure()
    assert [(line["event"], line["job"], sorted(line)) for line in logged] == [
        ("job", "looks", ["event", "job", "log_level", "seconds"])
    ]


def test_the_runner_outlives_a_database_that_is_away_for_a_moment_and_a_job_that_fails(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Semaphore(0)
    failures = iter([True, False, False, False])
    reading = Database.reading

    @contextmanager
    def away_at_first(database: Database) -> Iterator[object]:
        if next(failures, False):
            raise ConnectionError("the database is away")
        with reading(database) as found:
            yield found

    def fails(_app: Flask) -> None:
        looked.release()
        raise ValueError("a job fails")

    monkeypatch.setattr(Database, "reading", away_at_first)
    monkeypatch.setattr(runner, "SCHEDULE", (Job("fails", fails, every=0),))
    monkeypatch.setattr(runner, "GATHER", 0)
    thread = runner.ThreadRunner(app)
    thread.start()
    for _ in range(2):
        parts(app).db.doorbell.ring()
        assert looked.acquire(timeout=20)
    thread.stop()
