"""Answers on PostgreSQL (`fsync` on): 50 clients each open a ballot's page and send it, again and again, every time by
another voter's link, to `coopmail serve` with 2 gunicorn processes.

Beside it an empty Flask page on gunicorn with the same processes and threads, by the same clients; a share is one of
requests a second. The page that confirms a ballot (the redirect's GET) has a row of its own. Afterwards the database
must hold every ballot that was confirmed, as it was sent. No mail goes out meanwhile: `coopmail worker` does that.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from benchmarks.kit.field import analyse, environment_of, fill, installation, open_poll, settings_of, tokens
from benchmarks.kit.load import Request, Seen, Visit, visited
from benchmarks.kit.report import Row, compared, measured
from benchmarks.kit.run import Run, Wrong
from benchmarks.kit.servers import connected, durable_postgresql, named, running, wait_for
from coopmail.cli.gunicorn_server import THREADS
from coopmail.cli.simulated_web import free_port
from coopmail.config import Settings
from coopmail.domain.polls import write_marks

PROCESSES = 2
CLIENTS = 50
CHOICES = ("huidige-leverancier", "open-platform", "onthouding")
BESIDE = "empty Flask page"


@dataclass
class Voters:
    """The links of a poll that have not been used yet, and what was sent by those that have."""

    poll_id: int
    unused: list[tuple[int, str]]
    sent: dict[int, str] = field(default_factory=dict)

    def get(self, count: int) -> list[Visit]:
        """Visits that only look."""
        return [[_get(token)] for _, token in self.unused[:count]]

    def answer(self, count: int, *, confirmed: bool = False) -> list[Visit]:
        """Visits that look and answer; where it is to be `confirmed`, the redirect is followed too."""
        taken, self.unused = self.unused[:count], self.unused[count:]
        visits: list[Visit] = []
        for unit_id, token in taken:
            choice = self.sent[unit_id] = CHOICES[unit_id % len(CHOICES)]
            post: Request = ("POST", "POST", f"/r/{token}", f"choice={choice}", 303)
            visits.append([_get(token), post, *([_get(token, "confirmation")] if confirmed else [])])
        return visits

    def check(self, url: str, *, secret: bool) -> None:
        """Raise `Wrong` unless the database holds just what was confirmed."""
        with connected(url) as connection:
            said = sa.text("SELECT unit_id, marks_text FROM ballots WHERE poll_id = :poll")
            rows = connection.execute(said, {"poll": self.poll_id})
            ballots = {unit: marks for unit, marks in rows}  # noqa: C416 - rows are not pairs to a type checker
            count = sa.text("SELECT count(*) FROM sealed_ballots WHERE poll_id = :poll")
            sealed = connection.execute(count, {"poll": self.poll_id}).scalar_one()
        expected = {unit: None if secret else write_marks((choice,)) for unit, choice in self.sent.items()}
        if ballots != expected or sealed != (len(self.sent) if secret else 0):
            raise Wrong(f"{len(self.sent)} ballots were confirmed; the database has {len(ballots)}, {sealed} sealed.")


def rows(run: Run) -> list[Row]:
    """Requests a second beside an empty page's, and how long the slowest hundredth waits."""
    visits, empty = run.count(2_000, 100), run.count(10_000, 500)
    run.say(f"{run.rounds} rounds: {visits:,} visits of each kind by {CLIENTS} clients, {empty:,} to the empty page.")
    with durable_postgresql() as server, tempfile.TemporaryDirectory() as folder:
        settings = replace(settings_of(named(server, "postgres"), Path(folder)), server="gunicorn", processes=PROCESSES)
        open_voters, secret_voters = electorate(settings, visits * (run.rounds + 1) * 3 // 2)
        with serving(settings) as port, serving_empty() as beside:
            page: list[Visit] = [[("GET", "GET", "/", "", 200)]]
            plans: dict[str, Callable[[], Seen]] = {
                BESIDE: lambda: visited(beside, CLIENTS, page * empty),
                "GET": lambda: visited(port, CLIENTS, open_voters.get(visits)),
                "open": lambda: visited(port, CLIENTS, open_voters.answer(visits)),
                "confirmed": lambda: visited(port, CLIENTS, open_voters.answer(visits // 2, confirmed=True)),
                "secret": lambda: visited(port, CLIENTS, secret_voters.answer(visits)),
            }
            for _ in range(2):  # each process has seen each kind of request
                visited(beside, CLIENTS, page * CLIENTS)
                visited(port, CLIENTS, open_voters.answer(CLIENTS, confirmed=True) + secret_voters.answer(CLIENTS))
            seen = [{name: plan() for name, plan in plans.items()} for _ in range(run.rounds)]
        open_voters.check(settings.database_url, secret=False)
        secret_voters.check(settings.database_url, secret=True)
    return _rows(run, seen)


def _rows(run: Run, seen: Sequence[Mapping[str, Seen]]) -> list[Row]:
    beside = [one[BESIDE].rate for one in seen]
    found = []
    for name, what, least in (
        ("GET", "GET of a ballot", 0.5),
        ("open", "GET and POST of an open ballot", 0.25),
        ("confirmed", "the same, with the page that confirms it", None),
        ("secret", "GET and POST of a secret ballot", 0.25),
    ):
        found.append(compared(what, [one[name].rate for one in seen], BESIDE, beside, least))
        waits = [median(one[name].milliseconds(share) for one in seen) for share in (0.5, 0.99)]
        if name in ("open", "secret"):
            found.append(measured(f"{what}: 99 of 100 answered within", waits[1], "ms", most=100))
        by_name = ", ".join(
            f"{request} {median(one[name].milliseconds(0.5, request) for one in seen):.0f} and "
            f"{median(one[name].milliseconds(0.99, request) for one in seen):.0f} ms"
            for request in seen[0][name].took
        )
        run.say(f"{what}: half within {waits[0]:.0f} ms, 99 of 100 within {waits[1]:.0f} ms ({by_name}).")
    own = median(one[BESIDE].busy / one[BESIDE].seconds for one in seen)
    run.say(f"The clients that fetched the empty page took {own:.0%} of a core themselves.")
    run.say(f"With {CLIENTS} clients that never pause, an answer takes {CLIENTS} divided by the requests a second.")
    return found


def electorate(settings: Settings, voters: int) -> tuple[Voters, Voters]:
    """An open and a secret poll of so many voters each."""
    with installation(settings) as office:
        fill(office, voters)
        polls = open_poll(office), open_poll(office, slug="geheim", secret=True)
        analyse(office)
        first, second = (Voters(poll_id, list(tokens(office, poll_id).items())) for poll_id in polls)
    return first, second


@contextmanager
def serving(settings: Settings) -> Iterator[int]:
    """`coopmail serve` on a free port."""
    port = free_port()
    command = [sys.executable, "-m", "coopmail.cli", "serve", "--port", str(port)]
    with running(command, os.environ | environment_of(settings), quiet=True) as process:
        wait_for(port, process, "/")
        yield port


@contextmanager
def serving_empty() -> Iterator[int]:
    """The empty page on gunicorn, with the processes, threads and connections of ours."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", str(PROCESSES),
        "--worker-class", "gthread", "--threads", str(THREADS), "--keep-alive", "15", "--preload",
        "--log-level", "warning", "--no-control-socket", "benchmarks.kit.empty:app",
    ]  # fmt: skip
    with running(command) as process:
        wait_for(port, process, "/")
        yield port


def _get(token: str, name: str = "GET") -> Request:
    return (name, "GET", f"/r/{token}", "", 200)


def profile(run: Run) -> None:
    """Where the time of a page and of an answer goes."""
    from benchmarks.kit import pages

    with durable_postgresql() as server, tempfile.TemporaryDirectory() as folder:
        settings = settings_of(named(server, "postgres"), Path(folder))
        count = run.count(2_000, 300)
        voters, _ = electorate(settings, count)
        pages.show(settings, voters.answer(count))
