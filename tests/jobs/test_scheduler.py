"""The scheduler: due by the database's clock, once however many there are, and its own runner while nobody answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from redis import Redis
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from coopmail import create_app
from coopmail.config import Settings
from coopmail.db import CLOCK_OFFSET, Database
from coopmail.domain.base import InstallationMark
from coopmail.domain.polls import Poll
from coopmail.doorbell import is_seen, queue, seen
from coopmail.jobs.schedule import SCHEDULE
from coopmail.jobs.scheduler import Scheduler
from coopmail.parts import parts
from coopmail.queries.installation import sweeps
from tests.conftest import FrozenClock
from tests.production import NOBODY, installation
from tests.servers import RedisServer, coopmail, eventually, redis

OFTEN = [job.name for job in SCHEDULE if job.every <= 5]
ALL = [job.name for job in SCHEDULE]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis for this module."""
    with redis() as found:
        yield found


@pytest.fixture
def client(server: RedisServer) -> Redis:
    """A client of it; it is empty but for a worker that was seen."""
    server.client.flushall()
    seen(server.client, "worker", "somewhere")
    return server.client


def at(app: Flask, redis_url: str) -> Flask:
    """The application with a Redis of which its doorbell does not know."""
    office = parts(app)
    app.extensions["coopmail"] = replace(office, settings=replace(office.settings, redis_url=redis_url))
    return app


def rung(client: Redis) -> list[str]:
    """Which jobs wait, in order; taken out."""
    waiting = queue(client)
    names = [str(job.args[0]) for job in waiting.jobs]
    client.delete(waiting.key)
    return names


def test_two_schedulers_ring_each_job_once_a_slot_of_the_database_s_clock(
    app: Flask, server: RedisServer, client: Redis, clock: FrozenClock
) -> None:
    one, other = Scheduler(at(app, server.url)), Scheduler(app)
    one.tick()
    other.tick()
    assert rung(client) == ALL
    one.tick()
    assert rung(client) == []
    clock.advance(seconds=5)
    other.tick()
    one.tick()
    assert rung(client) == OFTEN
    clock.advance(seconds=55)
    Scheduler(app).tick()
    one.tick()
    assert rung(client) == ALL
    with parts(app).db.reading() as (session, _):
        assert sweeps(session) == {}, "it ran them itself"
    assert is_seen(client, "scheduler")


def test_it_travels_with_the_simulation(
    settings: Settings, server: RedisServer, client: Redis, clock: FrozenClock
) -> None:
    app = at(create_app(replace(settings, simulation=True), system_clock=clock), server.url)
    scheduler = Scheduler(app)
    scheduler.tick()
    assert rung(client) == ALL
    with parts(app).db.transaction() as (session, _):
        session.add(InstallationMark(name=CLOCK_OFFSET, value="86400"))
    scheduler.tick()
    assert rung(client) == ALL
    parts(app).db.close()


def test_without_redis_it_runs_what_is_due_and_says_once_that_it_is_away(
    app: Flask, poll: Poll, clock: FrozenClock
) -> None:
    scheduler = Scheduler(at(app, NOBODY))
    with capture_logs() as logged:
        scheduler.tick()
        clock.advance(seconds=5)
        scheduler.tick()
    assert [line["event"] for line in logged if line["event"] != "job"] == ["redis-away"]
    assert len(list(parts(app).settings.mailbox.glob("*.eml"))) == 5
    with parts(app).db.reading() as (session, _):
        assert set(sweeps(session)) == set(ALL)


def test_where_no_worker_has_been_seen_it_rings_and_runs(
    app: Flask, poll: Poll, server: RedisServer, client: Redis
) -> None:
    client.flushall()
    with capture_logs() as logged:
        Scheduler(at(app, server.url)).tick()
    assert [line["event"] for line in logged if line["event"] != "job"] == ["workers-away"]
    assert rung(client) == ALL
    assert len(list(parts(app).settings.mailbox.glob("*.eml"))) == 5


def test_it_waits_for_a_database_that_is_away_and_says_so_once(
    app: Flask, server: RedisServer, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, failures = Database.reading, iter([True, True, True])
    looked = threading.Event()

    @contextmanager
    def away_at_first(database: Database) -> Iterator[object]:
        if next(failures, False):
            raise OperationalError("SELECT", None, ConnectionError("the database is away"))
        with reading(database) as found:
            looked.set()
            yield found

    monkeypatch.setattr(Database, "reading", away_at_first)
    office = parts(at(app, server.url))
    app.extensions["coopmail"] = replace(office, settings=replace(office.settings, tick_seconds=0.05))
    scheduler = Scheduler(app)
    with capture_logs() as logged:
        thread = threading.Thread(target=scheduler.run)
        thread.start()
        assert looked.wait(20)
        eventually(lambda: queue(client).count == len(ALL))
        scheduler.end_soon()
        thread.join(20)
    assert not thread.is_alive()
    assert [line["event"] for line in logged] == ["database-away", "database-back"]


def test_where_no_redis_is_configured_its_process_runs_the_jobs(migrated_postgresql: sa.URL, tmp_path: Path) -> None:
    with installation(migrated_postgresql, tmp_path) as place:
        place.open_poll()
        with coopmail("scheduler", place.settings) as scheduler:
            eventually(lambda: place.letters() == 5)
            assert scheduler.end() == 0
