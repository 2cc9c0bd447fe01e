"""`coopmail worker`: it runs our jobs and no others, beside other workers, and outlives what happens to Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from rq import Callback, Queue
from rq.serializers import JSONSerializer

from coopmail.doorbell import EVERYTHING, QUEUE, TASK, connect, count_seen, is_seen, queue, ring_everything
from coopmail.jobs.schedule import SCHEDULE
from coopmail.queries.installation import sweeps
from tests.production import Installation, installation
from tests.servers import RedisServer, coopmail, eventually, redis


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with redis() as found:
        yield found


@pytest.fixture
def place(migrated_postgresql: sa.URL, server: RedisServer, tmp_path: Path) -> Iterator[Installation]:
    """An installation with that Redis."""
    with installation(migrated_postgresql, tmp_path, server.url) as found:
        yield found


def leave_a_mark(*_: object) -> None:
    """What nobody may have the worker do."""
    mark(Path(os.environ["COOPMAIL_MAILBOX"])).touch()


def mark(mailbox: Path) -> Path:
    """Where the mark would be."""
    return mailbox.with_name("mark")


def noted(place: Installation) -> set[str]:
    """Which jobs have run."""
    with place.office.db.reading() as (session, _):
        return set(sweeps(session))


def test_a_pickle_another_function_and_a_callback_are_not_run_and_keep_the_worker_from_nothing(
    place: Installation, server: RedisServer
) -> None:
    place.open_poll()
    mine = "tests.jobs.test_worker.leave_a_mark"
    pickled = Queue(QUEUE, connection=server.client)
    plain = Queue(QUEUE, connection=server.client, serializer=JSONSerializer)
    with coopmail("worker", place.settings) as worker:
        refused = [
            pickled.enqueue(leave_a_mark).id,
            plain.enqueue(mine).id,
            plain.enqueue_call(mine, args=["deliver-mail"], on_success=Callback(mine), on_failure=Callback(mine)).id,
        ]
        plain.enqueue_call(TASK, args=["a job that nobody knows"], on_success=Callback(mine))
        ring_everything(server.client)
        eventually(lambda: place.letters() == 5)
        eventually(lambda: sorted(plain.failed_job_registry.get_job_ids()) == sorted(refused))
        eventually(lambda: noted(place) == {job.name for job in SCHEDULE})
        assert not mark(place.mailbox).exists()
        assert worker.process.poll() is None


def test_a_ring_while_a_worker_is_busy_has_another_one_join(place: Installation, server: RedisServer) -> None:
    with coopmail("worker", place.settings), coopmail("worker", place.settings):
        assert count_seen(server.client, "worker") == 2
        place.open_poll()
        with place.office.db.engine.begin() as connection:  # every look comes to a stand at its last job
            connection.execute(sa.text("LOCK TABLE matters IN ACCESS EXCLUSIVE MODE"))
            ring_everything(server.client)
            eventually(lambda: place.letters() == 5)
            place.vote("Boom", rings=True)
            eventually(lambda: place.letters() == 6)
            assert len(queue(server.client).started_job_registry.get_job_ids()) == 2


def test_all_is_well_again_after_redis_lost_everything_was_killed_and_came_back(
    place: Installation, server: RedisServer
) -> None:
    with coopmail("worker", place.settings) as worker, coopmail("scheduler", place.settings) as scheduler:
        place.open_poll()
        eventually(lambda: place.letters() == 5)
        server.client.flushall()
        place.vote("Aartselaar", rings=True)
        eventually(lambda: place.unsent() == 0)
        server.stop(kill=True)
        place.vote("Boom")
        eventually(lambda: place.unsent() == 0)
        server.start()
        eventually(lambda: is_seen(connect(server.url), "worker"))
        place.vote("Duffel", rings=True)
        eventually(lambda: place.unsent() == 0)
        assert [line["event"] for line in scheduler.lines if line["event"].startswith("redis")] == [
            "redis-away",
            "redis-back",
        ]
        eventually(lambda: worker.events("redis-back"))
        said = [line["event"] for line in worker.lines]
        assert [event for event in said if event.startswith("redis")] == ["redis-away", "redis-back"]
        assert [event for event in said if "could not connect to Redis" in event or "quitting" in event] == []
        before = place.letters()
        scheduler.kill()
        place.vote("Lier", rings=True)
        eventually(lambda: place.letters() > before and place.unsent() == 0)
        server.stop()
        assert worker.end() == 0


def test_a_job_that_is_killed_keeps_no_other_from_running(place: Installation, server: RedisServer) -> None:
    with coopmail("worker", place.settings) as worker:
        place.open_poll()
        with place.office.db.engine.begin() as connection:
            connection.execute(sa.text("LOCK TABLE matters IN ACCESS EXCLUSIVE MODE"))
            ring_everything(server.client)
            eventually(lambda: place.letters() == 5)
            children = Path(f"/proc/{worker.process.pid}/task/{worker.process.pid}/children").read_text().split()
            assert len(children) == 1
            os.kill(int(children[0]), 9)
        place.vote("Boom", rings=True)
        eventually(lambda: place.letters() == 6)
        assert [job.args for job in queue(server.client).get_jobs()] in ([], [[EVERYTHING]])
