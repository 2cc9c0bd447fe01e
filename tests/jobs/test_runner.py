"""The runner's thread: it outlives a database that is away, and a job that fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask

from coopmail.db import Database
from coopmail.jobs import runner
from coopmail.jobs.schedule import Job
from coopmail.parts import parts


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
