"""Redis that forgets everything, is killed, stands still, or is not there: nothing is lost, late, twice or slow."""

from __future__ import annotations

import http.client
import os
import signal
import statistics
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import sqlalchemy as sa

from coopmail.domain.polls import Outcome, Poll, PollState
from coopmail.queries import outbox
from tests.faults.judging import check_answers, check_mail, check_sums
from tests.faults.stack import Stack, ring, stack
from tests.faults.voters import Voters, links, plan
from tests.production import NOBODY
from tests.servers import RedisServer, eventually, redis

LIBRARIES, ANSWERS = 295, 100
MAILS = LIBRARIES + 5
GRACE = timedelta(seconds=15)
"""A poll that is due is closed so soon, on a machine that has much to do: the job looks every five seconds."""
NOTICEABLE = 0.9
"""Whoever waited for Redis would wait a second; a page takes some milliseconds."""


def typical(seconds: Sequence[float]) -> float:
    """What nine of ten pages are faster than."""
    return statistics.quantiles(seconds, n=10)[-1]


def check_closing(found: Stack, path: str) -> None:
    """Let the closing time come: the poll is closed by itself, its outcome is mailed once, and no answer counts."""
    found.move_to(found.closes_at)

    def closed() -> bool:
        with found.office.db.reading() as (session, _):
            return session.get_one(Poll, found.poll_id).state is PollState.CLOSED

    eventually(closed, 60)
    found.settle()
    with found.office.db.reading() as (session, _):
        closed_at = session.get_one(Poll, found.poll_id).closed_at
        outcome = session.get_one(Outcome, found.poll_id)
        outcomes = outbox.counts(session, f"poll:{found.poll_id}:outcome")
    assert closed_at is not None
    assert timedelta() <= closed_at - found.closes_at < GRACE
    assert (outcome.cast, outcomes) == (ANSWERS * 4 // 5, {"sent": MAILS})
    with closing(http.client.HTTPConnection("127.0.0.1", found.web.port, timeout=20)) as connection:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, urlencode({"choice": "abstain"}), form)
        assert connection.getresponse().status == http.HTTPStatus.CONFLICT


def test_redis_may_forget_die_stand_still_and_stay_away(migrated_postgresql: sa.URL, tmp_path: Path) -> None:
    def forget(server: RedisServer) -> None:
        with closing(server.client) as client:
            client.flushall()

    def die(server: RedisServer) -> None:
        server.stop(kill=True)
        server.start()

    def stand_still(server: RedisServer) -> None:
        assert server._process
        os.kill(server._process.pid, signal.SIGSTOP)

    def stay_away(server: RedisServer) -> None:
        server.stop(kill=True)

    with redis() as server, stack(migrated_postgresql, tmp_path, LIBRARIES, server.url, schedulers=2) as found:
        paths = links(found.office, found.poll_id)
        planned = plan(list(paths), ANSWERS)
        before, share = 0, ANSWERS // 5
        typically: list[float] = []
        with Voters(found.web.port, paths, planned) as voters:
            ring(server.url)
            for nth, act in enumerate((forget, die, stand_still, stay_away), 1):
                found.sink.hold_at(nth * 55)
                voters.allow(share)
                wanted = share * (nth - 1) + share // 2
                eventually(lambda wanted=wanted: found.sink.holds() and voters.count >= wanted, 90)  # type: ignore[misc]
                act(server)
                found.sink.let_go()
                eventually(lambda nth=nth: voters.count == share * nth)  # type: ignore[misc]
                typically.append(typical(voters.seconds[before:]))
                before = len(voters.seconds)
            voters.finish()
        typically.append(typical(voters.seconds[before:]))
        found.settle()
        assert (voters.faults, voters.missed) == ([], 0)
        assert max(typically) < NOTICEABLE
        check_answers(found.office, planned, voters.confirmed)
        assert check_mail(found, planned) == 0
        assert set(check_sums(found, MAILS)) <= {"sent", "suppressed"}
        check_closing(found, next(iter(paths.values())))
        assert check_mail(found, planned) == 0


def test_without_redis_from_the_start_the_schedulers_do_it_all(migrated_postgresql: sa.URL, tmp_path: Path) -> None:
    with stack(migrated_postgresql, tmp_path, LIBRARIES, NOBODY, schedulers=2) as found:
        paths = links(found.office, found.poll_id)
        planned = plan(list(paths), ANSWERS)
        with Voters(found.web.port, paths, planned) as voters:
            voters.finish()
        found.settle()
        assert (voters.faults, voters.missed) == ([], 0)
        assert typical(voters.seconds) < NOTICEABLE
        check_answers(found.office, planned, voters.confirmed)
        check_sums(found, MAILS)
        check_closing(found, next(iter(paths.values())))
        assert check_mail(found, planned) == 0
