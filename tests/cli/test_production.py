"""The production stack: gunicorn's processes, a worker, a scheduler, PostgreSQL and Redis, each on its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from coopmail.config import ROOT
from tests.production import Installation, installation
from tests.servers import SETTINGS, Coopmail, RedisServer, coopmail, eventually, free_port, redis

METRICS = "a-token-for-who-collects-figures"
BEARER = {"Authorization": f"Bearer {METRICS}"}


@dataclass(frozen=True)
class Production:
    """Everything that runs, with a poll that is open."""

    place: Installation
    redis: RedisServer
    server: Coopmail
    worker: Coopmail
    scheduler: Coopmail

    @property
    def printed(self) -> str:
        """What all processes have printed."""
        return self.server.output + self.worker.output + self.scheduler.output

    def figures(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """The figures by name and labels."""
        status, text, _ = self.server.request("GET", "/metrics", headers=BEARER)
        assert status == 200
        return {
            (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def answer(self, library: str, choice: str) -> tuple[int, str]:
        """Open a library's page, fill the form in as a person would, and follow to the receipt."""
        path = self.place.link(library)
        assert self.server.request("GET", path)[0] == 200
        form = urlencode({"choice": choice, "answered_by": "Een collega"})
        status, _, headers = self.server.request("POST", path, form)
        assert (status, headers["Location"].partition("?")[0]) == (303, path)
        return self.server.request("GET", headers["Location"])[:2]


@pytest.fixture(scope="module")
def production(migrated_postgresql: sa.URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """All of it, once for this module."""
    folder = tmp_path_factory.mktemp("production")
    more = {"SERVER": "gunicorn", "PROCESSES": "2", "METRICS_TOKEN": METRICS}
    with redis() as server, installation(migrated_postgresql, folder, server.url, **more) as place:
        place.open_poll()
        with (
            coopmail("worker", place.settings) as worker,
            coopmail("scheduler", place.settings) as scheduler,
            coopmail("serve", place.settings) as web,
        ):
            yield Production(place, server, web, worker, scheduler)


def test_a_vote_goes_round_from_the_invitation_to_the_mailed_receipt(production: Production) -> None:
    eventually(lambda: production.place.letters() == 5)
    status, page = production.answer("Duffel", "move")
    assert (status, 'id="answered"' in page) == (200, True)
    assert production.place.answers() == 1
    eventually(lambda: production.place.unsent() == 0 and production.place.letters() == 6)


def test_it_is_ready_and_its_figures_are_those_of_all_processes(production: Production) -> None:
    assert production.server.request("GET", "/ready")[:2] == (200, '{"status":"ready"}\n')
    before = production.figures()
    with ThreadPoolExecutor(8) as visitors:  # many at once, so that both processes get some
        answers = list(visitors.map(lambda _: production.server.request("GET", "/?lang=en")[0], range(40)))
    assert answers == [200] * 40
    assert production.server.request("GET", "/r/ballot.x.y")[0] == 404
    assert production.server.request("BREW", "/")[0] == 405
    after = production.figures()
    counted = {
        (labels[1], labels[0], labels[2]): number - before.get((name, labels), 0)
        for (name, labels), number in after.items()
        if name == "coopmail_request_seconds_count"
    }
    wanted = {("/", "GET", "200"): 40, ("/r/<token>", "GET", "404"): 1, ("(none)", "other", "405"): 1}
    assert {key: counted[key] for key in wanted} == wanted
    served = {line["pid"] for line in production.server.events("request") if line["rule"] == "/"}
    assert len(served) == 2


def test_who_has_no_token_finds_no_figures(production: Production) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": METRICS}, {"Authorization": "Bearer "}):
        assert production.server.request("GET", "/metrics", headers=headers)[0] == 404


def test_a_limit_counts_once_for_all_processes_and_goes_on_counting_without_redis(production: Production) -> None:
    form = urlencode({"email": "nobody@nowhere.example"})
    answers = [production.server.request("POST", "/link", form)[0] for _ in range(22)]
    assert answers == [200] * 20 + [429] * 2
    production.redis.stop(kill=True)
    answers = [production.server.request("POST", "/link", form)[0] for _ in range(3)]
    assert answers == [200] * 3
    assert production.server.request("GET", "/ready")[:2] == (503, '{"status":"redis"}\n')
    production.redis.start()
    eventually(lambda: production.server.request("GET", "/ready")[0] == 200)


def test_too_much_is_refused_before_it_is_sent(production: Production) -> None:
    head = f"POST {production.place.link('Lier')} HTTP/1.1\r\nHost: localhost\r\n"
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50000000\r\n\r\nchoice="
    with socket.create_connection(("127.0.0.1", production.server.port), timeout=10) as raw:
        raw.sendall((head + form).encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_no_token_and_no_address_is_in_any_line_and_every_line_is_json(production: Production) -> None:
    token = production.place.link("Lier").removeprefix("/r/")
    with production.place.office.db.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE voting_units RENAME TO elsewhere"))
    try:
        assert production.server.request("GET", f"/r/{token}?lang=en")[0] == 500
        assert production.server.request("POST", f"/r/{token}/person", "name=x")[0] == 500
    finally:
        with production.place.office.db.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO voting_units"))
    for line in (
        f"GET /r/{token} HTTP/7.9",
        f"GET /r/{token}",
        f"\x00 /r/{token} HTTP/1.1",
        f"GET / HTTP/1.1\r\n{token}",
    ):
        with socket.create_connection(("127.0.0.1", production.server.port), timeout=10) as raw:
            raw.sendall(line.encode() + b"\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 400"), line
    assert production.answer("Lier", "keep")[0] == 200
    eventually(lambda: production.place.unsent() == 0)
    for part in token.split(".")[1:]:
        assert part not in production.printed
    assert [line["event"] for line in production.server.lines].count("request-failed") == 2
    requests = production.server.events("request")
    assert {"/r/<token>", "/r/<token>/person"} <= {line["rule"] for line in requests}
    assert {tuple(sorted(line)) for line in requests} == {
        ("event", "level", "method", "ms", "pid", "rule", "status", "timestamp")
    }
    assert [line["event"] for line in production.server.lines if "ip=" in line["event"]] == []
    assert production.worker.lines
    assert production.scheduler.lines


def test_waitress_keeps_tokens_out_of_its_log_too(migrated_postgresql: sa.URL, tmp_path: Path) -> None:
    with installation(migrated_postgresql, tmp_path, RUN_JOBS="0") as place:
        place.open_poll()
        path = place.link("Lier")
        with coopmail("serve", place.settings) as server:
            assert server.request("GET", path)[0] == 200
            with place.office.db.engine.begin() as connection:
                connection.execute(sa.text("ALTER TABLE voting_units RENAME TO elsewhere"))
            assert server.request("GET", path)[0] == 500
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
                raw.sendall(f"GET {path} HTTP/1.1\r\nX {path}\r\n\r\n".encode())
                assert raw.recv(100).startswith(b"HTTP/1.0 400") or raw.recv(100) == b""
            assert server.end() == 0
            for part in path.split(".")[1:]:
                assert part not in server.output
            assert [line["event"] for line in server.lines].count("request-failed") == 1
            assert place.letters() == 0, "it ran jobs"


def test_gunicorn_without_redis_says_what_to_do(migrated_postgresql: sa.URL, tmp_path: Path) -> None:
    around = {name: value for name, value in os.environ.items() if not name.startswith("COOPMAIL_")}
    with installation(migrated_postgresql, tmp_path, SERVER="gunicorn") as place:
        settings = {f"COOPMAIL_{name}": value for name, value in (SETTINGS | place.settings).items()}
        ended = subprocess.run(
            [sys.executable, "-m", "coopmail.cli", "serve", "--port", str(free_port())],
            env=around | settings, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        2,
        "",
        "Error: COOPMAIL_SERVER=gunicorn runs no jobs: set COOPMAIL_REDIS_URL and start `coopmail worker` and `coopmail"
        " scheduler`; or, without Redis, set COOPMAIL_RUN_JOBS=0 and start `coopmail scheduler`.\n",
    )
