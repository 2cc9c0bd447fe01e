"""The doorbell over Redis: a ring wakes a worker, costs the caller nothing, and is missed by nobody when it is lost."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from redis import Redis
from structlog.testing import capture_logs

from coopmail.db import Database
from coopmail.domain.base import InstallationMark, wake_runners
from coopmail.doorbell import (
    EVERYTHING,
    GATHER,
    MOST_WAITING,
    TASK,
    Doorbell,
    RedisDoorbell,
    count_seen,
    doorbell,
    is_seen,
    queue,
    ring_job,
    seen,
)
from tests.production import NOBODY, installation
from tests.servers import RedisServer, coopmail, eventually, fresh_database, redis


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis for this module."""
    with redis() as found:
        yield found


@pytest.fixture
def client(server: RedisServer) -> Redis:
    """A client of it, which is empty."""
    server.client.flushall()
    return server.client


@pytest.fixture
def bell(server: RedisServer) -> RedisDoorbell:
    """A bell at it."""
    return RedisDoorbell(server.url)


def rung(client: Redis) -> list[tuple[str, list[str]]]:
    """What waits for a worker: which function, with what."""
    return [(str(job.func_name), list(job.args)) for job in queue(client).jobs]


def test_an_act_reaches_a_worker_though_no_scheduler_looks(
    migrated_postgresql: sa.URL, server: RedisServer, tmp_path: Path
) -> None:
    with installation(migrated_postgresql, tmp_path, server.url) as place, coopmail("worker", place.settings) as worker:
        place.open_poll()
        place.vote("Boom", rings=True)  # the look that this asks for finds the others' four invitations too
        eventually(lambda: place.letters() == 5)
        assert worker.end() == 0


def test_rings_that_come_together_are_one_job_that_holds_a_name_and_nothing_else(
    bell: RedisDoorbell, client: Redis
) -> None:
    for _ in range(50):
        bell.ring()
    bell.flush()
    assert rung(client) == [(TASK, [EVERYTHING])]
    assert json.loads(queue(client).jobs[0].data) == [TASK, None, [EVERYTHING], {}]
    bell.flush()
    assert rung(client) == [(TASK, [EVERYTHING])]


def test_the_thread_of_the_bell_carries_a_ring_by_itself(bell: RedisDoorbell, client: Redis) -> None:
    bell.ring()
    eventually(lambda: rung(client) == [(TASK, [EVERYTHING])])


def test_a_ring_while_a_worker_is_busy_wakes_another(bell: RedisDoorbell, client: Redis) -> None:
    bell.ring()
    bell.flush()
    bell.begun()  # said by the worker that took it
    bell.ring()
    bell.flush()
    assert rung(client) == [(TASK, [EVERYTHING]), (TASK, [EVERYTHING])]


def test_a_slot_is_rung_once_whoever_asks(client: Redis) -> None:
    assert [ring_job(client, "close-polls", slot, 5) for slot in (7, 7, 8)] == [True, False, True]
    assert [(job.id, job.args) for job in queue(client).jobs] == [
        ("close-polls-7", ["close-polls"]),
        ("close-polls-8", ["close-polls"]),
    ]


def test_nothing_piles_up_while_no_worker_comes(bell: RedisDoorbell, client: Redis) -> None:
    assert sum(ring_job(client, "close-polls", slot, 5) for slot in range(3 * MOST_WAITING)) == MOST_WAITING
    bell.ring()
    bell.flush()
    assert queue(client).count == MOST_WAITING
    expiring = [client.ttl(job.key) for job in queue(client).jobs]
    assert all(0 < seconds <= 60 for seconds in expiring), expiring


def test_who_was_seen_is_counted_and_forgotten_with_redis(client: Redis) -> None:
    assert (is_seen(client, "worker"), count_seen(client, "worker")) == (False, 0)
    for name in ("a", "b", "a"):
        seen(client, "worker", name)
    seen(client, "scheduler", "c")
    assert (is_seen(client, "worker"), count_seen(client, "worker")) == (True, 2)
    assert (is_seen(client, "scheduler"), count_seen(client, "scheduler")) == (True, 1)


def test_a_redis_that_is_away_or_says_nothing_delays_no_commit_and_is_logged_once(migrated_postgresql: sa.URL) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, fresh_database(migrated_postgresql) as database:
        for url in (NOBODY, f"redis://127.0.0.1:{silent.getsockname()[1]}/0"):
            bell = RedisDoorbell(url)
            db = Database(database, doorbell=bell)
            with capture_logs() as logged:
                began = time.monotonic()
                for _ in range(20):
                    with db.transaction() as (session, _now):
                        session.get(InstallationMark, "demonstration")
                        wake_runners(session)
                took = time.monotonic() - began
                bell.flush()
                bell.ring()
                bell.flush()
            db.close()
            assert took < 20 * GATHER, "each waited for its ring"
            assert [line["event"] for line in logged] == ["redis-away"]
            assert not bell.reachable()


def test_a_redis_that_comes_back_is_rung_again() -> None:
    with redis() as own:
        bell = RedisDoorbell(own.url)
        assert bell.reachable()
        own.stop(kill=True)
        with capture_logs() as logged:
            for _ in range(2):
                bell.ring()
                bell.flush()
            own.start()
            bell.ring()
            bell.flush()
        assert [line["event"] for line in logged] == ["redis-away", "redis-back"]
        assert rung(own.client) == [(TASK, [EVERYTHING])]


def test_without_redis_the_bell_rings_inside_the_process() -> None:
    bell = doorbell(None)
    assert type(bell) is Doorbell
    bell.prepare()
    bell.flush()
    bell.begun()
    assert (bell.wait(0), bell.reachable()) == (False, True)
    bell.ring()
    assert (bell.wait(0), bell.wait(0)) == (True, False)
