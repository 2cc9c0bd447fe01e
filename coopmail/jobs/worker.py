"""An RQ worker that runs this installation's jobs and nothing else, and outlives Redis.

RQ forks a process for each job, so a job that breaks breaks nothing else. What RQ 3.0 would let anyone do who can write
to Redis (unpickle, call any function, fetch an address, stop the worker) is closed here.
"""

from __future__ import annotations

import gc
import logging
import signal
import threading
from types import FrameType
from typing import Any

import structlog
from flask import Flask
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout
from rq import Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy.orm import configure_mappers

from coopmail.doorbell import QUEUE, TASK, connect, queue, seen
from coopmail.jobs.tasks import work_for
from coopmail.mail import rendering
from coopmail.parts import parts

LONGEST_WAIT = 5.0
_log = structlog.get_logger(__name__)


class NotOurs(Exception):
    """A job in Redis that calls something else than our one task; it is not run."""


class Ring(Job):
    """A job that can call `jobs.tasks.perform` alone: no other function, no callback, no web hook."""

    @property
    def func(self) -> Any:
        """The one function."""
        if self.func_name != TASK or self.instance:
            raise NotOurs(f"A job of the queue {QUEUE} may call {TASK} alone.")
        return super().func

    @property
    def success_callback(self) -> None:
        """None."""

    @property
    def failure_callback(self) -> None:
        """None."""

    @property
    def stopped_callback(self) -> None:
        """None."""

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """None."""


class Outage(logging.Filter):
    """Says once that Redis is away, and once that it is back, in place of RQ's own line every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.lasts = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep back what RQ says of a lost connection, and no other line of it."""
        told = [*(record.exc_info or ()), *(record.args if isinstance(record.args, tuple) else ())]
        lost = next((one for one in told if isinstance(one, RedisGone | RedisTimeout)), None)
        if lost is None:
            return True
        self.begin(lost)
        return False

    def begin(self, error: Exception) -> None:
        """It is away."""
        if not self.lasts:
            _log.warning("redis-away", error=type(error).__name__)
        self.lasts = True

    def end(self) -> None:
        """It answers."""
        if self.lasts:
            _log.warning("redis-back")
        self.lasts = False


class RingWorker(Worker):
    """RQ's worker, without its remote control, that says when it was asked to end."""

    max_connection_wait_time = LONGEST_WAIT
    log_result_lifespan = False
    outage = Outage()
    ending = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """End after the job that runs now."""
        self.ending = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Say that this worker is there, also after Redis has lost everything."""
        super().heartbeat(timeout, pipeline)
        seen(pipeline if pipeline is not None else self.connection, "worker", self.name)
        if pipeline is None:  # a pipeline has not been sent yet
            self.outage.end()

    def bootstrap(self, *args: Any, **options: Any) -> None:
        """Begin, and say so."""
        super().bootstrap(*args, **options)
        _log.info("worker-started", worker=self.name)

    def subscribe(self) -> None:
        """Listen to no commands: who can write to Redis must not be able to stop a worker."""


def work(app: Flask) -> None:
    """Run jobs as they are rung, until SIGTERM or SIGINT; while Redis is away, try again every few seconds."""
    url = parts(app).settings.redis_url
    assert url is not None
    work_for(app)
    parts(app).db.close()  # a child opens connections of its own
    configure_mappers()
    rendering.prepare()
    gc.collect()
    gc.freeze()  # so that the children share what was loaded here
    pause, outage = threading.Event(), RingWorker.outage
    logging.getLogger("rq.worker").addFilter(outage)
    while True:
        worker = None
        try:
            worker = _worker(connect(url))
            outage.end()
            worker.work(logging_level="WARNING")
        except (RedisError, OSError) as error:
            outage.begin(error)
        if worker is not None and worker.ending:
            return
        _end_at_once_when_asked()
        pause.wait(LONGEST_WAIT if outage.lasts else 1.0)


def _worker(connection: Redis) -> RingWorker:
    """A worker under a new name; raises RedisError where Redis is away."""
    return RingWorker(
        [queue(connection)],
        connection=connection,
        job_class=Ring,
        serializer=JSONSerializer,
        default_result_ttl=0,
        worker_ttl=45,  # so it says every 30 seconds that it is there
        log_job_description=False,
        job_monitoring_interval=15,
    )


def _end_at_once_when_asked() -> None:
    """Between two of RQ's workers there is nothing to finish: take back the handlers that the last one left."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
