"""kill -9 in the middle of 2,000 mails and 500 answers: of each process alone, with its children, and of all at once.

The relay holds its replies when so many messages have come, so that each kill meets senders with messages on the wire
and people whose answers are under way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from tests.faults.judging import check_answers, check_mail, check_sums, last_accepted
from tests.faults.stack import Stack, kill, ring, stack
from tests.faults.voters import Voters, links, plan
from tests.servers import eventually, redis

LIBRARIES, ANSWERS = 1995, 500
MAILS = LIBRARIES + 5


def kill_a_worker_alone(found: Stack) -> None:
    eventually(found.workers[0].children)
    found.workers[0].kill(family=False)
    found.workers[0].restart()


def kill_a_worker_with_its_children(found: Stack) -> None:
    eventually(found.workers[1].children)
    found.workers[1].kill(family=True)
    found.workers[1].restart()


def kill_the_scheduler(found: Stack) -> None:
    found.schedulers[0].kill(family=True)
    found.schedulers[0].restart()


def kill_one_process_of_the_server(found: Stack) -> None:
    victim, other = found.web.children()
    kill(victim)
    eventually(lambda: len(set(found.web.children()) - {victim, other}) == 1)


def kill_the_first_process_of_the_server(found: Stack) -> None:
    found.web.kill(family=False)
    found.web.restart()


def kill_the_server_with_its_processes(found: Stack) -> None:
    found.web.kill(family=True)
    found.web.restart()


def kill_everything(found: Stack) -> None:
    for service in found.services:
        service.kill(family=True)
    for service in found.services:
        service.restart()


KILLS: tuple[Callable[[Stack], None], ...] = (
    kill_a_worker_alone, kill_a_worker_with_its_children, kill_the_scheduler, kill_one_process_of_the_server,
    kill_the_first_process_of_the_server, kill_the_server_with_its_processes, kill_everything,
)  # fmt: skip


def test_2000_mails_and_500_answers_survive_seven_kills(migrated_postgresql: sa.URL, tmp_path: Path) -> None:
    with redis() as server, stack(migrated_postgresql, tmp_path, LIBRARIES, server.url) as found:
        paths = links(found.office, found.poll_id)
        planned = plan(list(paths), ANSWERS)
        share = ANSWERS // (len(KILLS) + 1)
        with Voters(found.web.port, paths, planned) as voters:
            for nth, strike in enumerate(KILLS, 1):
                found.sink.hold_at(nth * 200)
                if nth == 1:
                    ring(server.url)
                voters.allow(share)
                wanted = share * (nth - 1) + share // 2
                eventually(lambda wanted=wanted: found.sink.holds() and voters.count >= wanted, 90)  # type: ignore[misc]
                strike(found)
                struck_at = found.now()
                found.sink.let_go()
            voters.finish()
        found.settle()
        assert voters.faults == []
        check_answers(found.office, planned, voters.confirmed)
        assert check_mail(found, planned) > 0, "no kill met a message on the wire"
        counts = check_sums(found, MAILS)
        assert set(counts) <= {"sent", "suppressed"}
        assert (last_accepted(found.office) - struck_at).total_seconds() <= 60
