"""Rings the runners after a commit. It only says *now*: a ring that is lost costs a few seconds, never a mail.

Without Redis the runner is a thread of this process and waits for the bell itself. With Redis a thread carries the ring
there, so that a request never waits for it; RQ's workers answer. What is rung is a name, never data: the database says
what is due.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from redis import Redis
    from rq import Queue

GATHER = 0.2
"""A ring is carried after so many seconds: answers come in bursts, and one look costs less than many."""
QUEUE = "coopmail"
TASK = "coopmail.jobs.tasks.perform"
EVERYTHING = "everything"
JOB_SECONDS = 300
"""More than any job lawfully takes: mail that is on the wire must not be cut off by RQ."""
WAITING_SECONDS = 60
"""What waits longer in the queue is dropped: the scheduler has rung anew by then."""
MOST_WAITING = 30
"""No more than so many rings wait while no worker comes for them."""
_RUNG = "coopmail:rung"
_SLOT = "coopmail:slot:{}:{}"
_RUNG_SECONDS = 10
_SEEN = "coopmail:seen:{}"
SEEN_SECONDS = 90
"""A worker or scheduler of which nothing was seen for so long is taken to be gone."""
_PATIENCE = 1.0
"""Seconds that Redis has to answer."""

_log = structlog.get_logger(__name__)


class Doorbell:
    """A bell inside one process: `ring` from any thread, `wait` in the runner."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait for a ring, at most `seconds`; true where one came."""
        rung = self._event.wait(seconds)
        self._event.clear()
        return rung

    def prepare(self) -> None:
        """Load what ringing needs, before this process is forked into several."""

    def flush(self) -> None:
        """Carry what was rung and is still on its way: for a process that ends."""

    def begun(self) -> None:
        """Said by whoever answers, before it looks: from here on a ring asks for another look."""

    def reachable(self) -> bool:
        """Whether a ring gets through."""
        return True


class RedisDoorbell(Doorbell):
    """A bell for other processes: each ring becomes an RQ job, unless one is waiting already.

    `ring` costs its caller no more than a flag and never fails. While Redis is away rings are lost, and one line is
    logged.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._starting = threading.Lock()
        self._carrying = threading.Lock()
        self._process = 0
        self._pending = False
        self._away = False
        self._connection: Redis | None = None

    def ring(self) -> None:
        """Ask that the workers look; returns at once."""
        self._pending = True
        if self._process != os.getpid():
            self._start()
        self._event.set()

    def prepare(self) -> None:
        """Load RQ, without connecting: it is large, and the processes then share it."""
        queue(self.connection)

    def flush(self) -> None:
        """Carry a ring that is still on its way, in this thread; at most a few seconds, without an error."""
        with self._carrying:
            if not self._pending:
                return
            self._pending = False
            try:
                ring_everything(self.connection)
            except Exception as error:  # whatever Redis does, it only rings
                if not self._away:
                    _log.warning("redis-away", error=type(error).__name__)
                self._away = True
                return
            if self._away:
                _log.warning("redis-back")
            self._away = False

    def begun(self) -> None:
        """Take the mark of the ring away; without Redis it ends by itself."""
        with contextlib.suppress(Exception):
            self.connection.delete(_RUNG)

    def reachable(self) -> bool:
        """Whether Redis answers, within a few seconds."""
        try:
            return bool(self.connection.ping())
        except Exception:
            return False

    @property
    def connection(self) -> Redis:
        """A client of Redis; it connects when it is first used, and anew after a fork."""
        if self._connection is None:
            self._connection = connect(self._url)
        return self._connection

    def _start(self) -> None:
        """Start the carrying thread of this process: after a fork, never before one."""
        with self._starting:
            if self._process == os.getpid():
                return
            self._event = threading.Event()
            self._process = os.getpid()
            threading.Thread(target=self._carry, name="coopmail-doorbell", daemon=True).start()

    def _carry(self) -> None:
        while True:
            self._event.wait()
            self._event.clear()
            time.sleep(GATHER)
            self.flush()


def doorbell(redis_url: str | None) -> Doorbell:
    """The bell of an installation."""
    return RedisDoorbell(redis_url) if redis_url else Doorbell()


def connect(url: str) -> Redis:
    """A client of Redis that gives up after a few seconds; it opens no connection yet."""
    from redis import Redis

    return Redis.from_url(url, **connection_options())


def connection_options() -> dict[str, Any]:
    """How long to wait for Redis, and that a connection which it closed is tried once more, at once."""
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as Broken
    from redis.retry import Retry

    return {
        "socket_connect_timeout": _PATIENCE,
        "socket_timeout": _PATIENCE,
        "retry": Retry(NoBackoff(), 1, supported_errors=(Broken,)),
    }


def queue(connection: Redis) -> Queue:
    """The queue of this installation: JSON alone, so that nobody who reaches Redis can hand in a pickle."""
    from rq import Queue
    from rq.serializers import JSONSerializer

    return Queue(QUEUE, connection=connection, serializer=JSONSerializer, default_timeout=JOB_SECONDS)


def ring_everything(connection: Redis) -> bool:
    """Ask a worker to run every job; false where one that has not begun yet will see the same."""
    # The worker takes the mark away before it looks, so what is committed while a worker is busy wakes another one.
    if not connection.set(_RUNG, "", nx=True, ex=_RUNG_SECONDS):
        return False
    return _enqueue(connection, EVERYTHING, None)


def ring_job(connection: Redis, name: str, slot: int, every: float) -> bool:
    """Ask a worker to run one job, once a slot however many schedulers ask; false where it was asked already."""
    if not connection.set(_SLOT.format(name, slot), "", nx=True, ex=max(60, int(2 * every))):
        return False
    return _enqueue(connection, name, f"{name}-{slot}")


def _enqueue(connection: Redis, name: str, job_id: str | None) -> bool:
    waiting = queue(connection)
    if waiting.count >= MOST_WAITING:
        return False
    waiting.enqueue_call(
        TASK,
        args=[name],
        job_id=job_id,
        description=name,
        ttl=WAITING_SECONDS,
        timeout=JOB_SECONDS,
        result_ttl=0,
        failure_ttl=WAITING_SECONDS,
    )
    return True


def seen(connection: Redis, what: str, who: str) -> None:
    """Note that a `worker` or `scheduler` of that name is there; `connection` may be a pipeline."""
    connection.set(_SEEN.format(what), "", ex=SEEN_SECONDS)
    connection.set(_SEEN.format(f"{what}:{who}"), "", ex=SEEN_SECONDS)


def is_seen(connection: Redis, what: str) -> bool:
    """Whether any worker or scheduler was seen of late."""
    return bool(connection.exists(_SEEN.format(what)))


def count_seen(connection: Redis, what: str) -> int:
    """How many workers or schedulers were seen of late; reads every name in Redis, so not for each tick."""
    return sum(1 for _ in connection.scan_iter(match=_SEEN.format(f"{what}:*"), count=1000))
