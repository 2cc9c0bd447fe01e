"""`coopmail demo --simulate`: the whole round comes out, its sums hold, a seed repeats it, and a wrong sum fails it.

The rounds run at the same time, in processes of their own, once for all tests of this module.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import smtplib
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from click.testing import CliRunner

from coopmail.cli import simulation
from coopmail.cli.commands import coopmail
from coopmail.cli.simulated_stack import Stack
from coopmail.cli.simulated_web import Browser, Form
from coopmail.cli.simulation import Round, Tally, Voter
from coopmail.config import ROOT
from tests.conftest import _administer
from tests.servers import free_port, redis

KEYS = [
    "members", "contacts", "units", "invited", "invitations_sent", "undelivered", "answered_units", "ballots",
    "reminders_sent", "reminders_to_answered_units", "late_refused", "outcome", "outcome_mails", "seconds",
]  # fmt: skip
SEEDS = {"first": 1, "again": 1, "other": 2, "production": 1}


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    status: int
    lines: list[str]
    errors: str

    @property
    def figures(self) -> dict[str, Any]:
        """The object on the last line."""
        found: dict[str, Any] = json.loads(self.lines[-1])
        return found


class Forwarder:
    """A relay: it takes every message, and hands it on; where that is refused, it says so to nobody."""

    def __init__(self, to: int) -> None:
        self._to = to
        self.taken = 0
        self.refused: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a message."""
        self.taken += 1
        await asyncio.to_thread(self._hand_on, envelope.mail_from, envelope.rcpt_tos, envelope.content)
        return "250 2.0.0 queued"

    def _hand_on(self, sender: str, recipients: list[str], content: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", self._to, timeout=30) as host:
            try:
                host.sendmail(sender, recipients, content)
            except smtplib.SMTPRecipientsRefused:
                self.refused += recipients


@pytest.fixture(scope="module")
def relay() -> Iterator[tuple[Forwarder, int, int]]:
    """A relay, its port, and the port to which it delivers."""
    to = free_port()
    forwarder = Forwarder(to)
    controller = Controller(forwarder, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield forwarder, controller.port, to
    controller.stop()


@pytest.fixture(scope="module")
def rounds(postgresql_server: str, relay: tuple[Forwarder, int, int]) -> Iterator[dict[str, Ended]]:
    """A seed twice, another, and the first one on the production stack, through a relay."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("COOPMAIL_")}
    empty = sa.make_url(postgresql_server).set(database=f"s{uuid.uuid4().hex}")
    _administer(sa.make_url(postgresql_server), f"CREATE DATABASE {empty.database}")
    _, port, to = relay
    with redis() as server:
        stack = ["--database", empty.render_as_string(hide_password=False), "--redis", server.url,
                 "--smtp", f"127.0.0.1:{port}", "--sink", f"127.0.0.1:{to}"]  # fmt: skip
        running = {
            name: subprocess.Popen(
                [sys.executable, "-m", "coopmail.cli", "demo", "--simulate", "--json", "--seed", str(seed),
                 *(stack if name == "production" else [])],
                cwd=ROOT, env=around, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for name, seed in SEEDS.items()
        }  # fmt: skip
        yield _end(running)
    _administer(sa.make_url(postgresql_server), f"DROP DATABASE {empty.database} WITH (FORCE)")


def _end(running: dict[str, subprocess.Popen[str]]) -> dict[str, Ended]:
    ended = {}
    try:
        for name, process in running.items():
            out, errors = process.communicate(timeout=400)
            ended[name] = Ended(process.returncode, out.splitlines(), errors)
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    return ended


@pytest.mark.parametrize("name", SEEDS)
def test_a_round_ends_well_with_its_figures_on_the_last_line(rounds: dict[str, Ended], name: str) -> None:
    ended = rounds[name]
    assert (ended.status, ended.errors) == (0, ""), "\n".join(ended.lines)
    assert ended.lines[-2] == "Every sum adds up."
    assert list(ended.figures) == KEYS


@pytest.mark.parametrize("name", SEEDS)
def test_the_sums_of_a_round_hold(rounds: dict[str, Ended], name: str) -> None:
    found = rounds[name].figures
    assert found["members"] == 303
    assert found["invitations_sent"] + found["undelivered"] == found["invited"]
    assert found["ballots"] == found["answered_units"] == sum(found["outcome"].values())
    assert found["reminders_to_answered_units"] == 0
    assert found["late_refused"] >= 1
    assert found["outcome_mails"] == found["invitations_sent"]


@pytest.mark.parametrize("name", SEEDS)
def test_a_round_has_some_of_everything(rounds: dict[str, Ended], name: str) -> None:
    """Sums of nothing would hold too."""
    found = rounds[name].figures
    assert 0 < found["undelivered"] < found["invited"]
    assert 0 < found["answered_units"] < found["units"] < found["invited"] < found["contacts"]
    assert found["reminders_sent"] > 0
    assert len(found["outcome"]) == 3
    assert min(found["outcome"].values()) > 0


def test_the_same_seed_gives_the_same_round(rounds: dict[str, Ended]) -> None:
    first, again = rounds["first"].figures, rounds["again"].figures
    assert first | {"seconds": 0} == again | {"seconds": 0}


def test_the_production_stack_gives_the_same_round_as_one_process_on_sqlite(rounds: dict[str, Ended]) -> None:
    first, production = rounds["first"].figures, rounds["production"].figures
    assert production | {"seconds": 0} == first | {"seconds": 0}


def test_on_the_production_stack_every_mail_went_through_the_relay(
    rounds: dict[str, Ended], relay: tuple[Forwarder, int, int]
) -> None:
    found, forwarder = rounds["production"].figures, relay[0]
    assert forwarder.taken > found["invitations_sent"] + found["outcome_mails"] + found["reminders_sent"]
    assert len(set(forwarder.refused)) >= 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--smtp", "127.0.0.1:2525"], "--smtp and --sink go together"),
        (["--redis", "redis://127.0.0.1:1"], "--redis wants --database postgresql+psycopg://"),
        (["--smtp", "127.0.0.1", "--sink", "127.0.0.1:1"], "wants HOST:PORT"),
    ],
)
def test_a_stack_that_cannot_be_is_refused_in_one_line(given: list[str], said: str) -> None:
    result = CliRunner().invoke(coopmail, ["demo", "--simulate", *given])
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_database_that_is_not_empty_is_refused(migrated_sqlite: Path, tmp_path: Path) -> None:
    database = shutil.copy(migrated_sqlite, tmp_path / "used.sqlite")
    result = CliRunner().invoke(coopmail, ["demo", "--simulate", "--database", f"sqlite:///{database}"])
    assert result.exit_code == 2
    assert "The simulation wants an empty database; this one has " in result.stderr


def test_a_stack_without_the_simulation_is_refused() -> None:
    result = CliRunner().invoke(coopmail, ["demo", "--redis", "redis://127.0.0.1:1"])
    assert result.exit_code == 2
    assert "go with --simulate" in result.stderr


def test_another_seed_gives_another_round(rounds: dict[str, Ended]) -> None:
    first, other = rounds["first"].figures, rounds["other"].figures
    assert first["outcome"] != other["outcome"]


def test_a_round_in_which_nobody_answers_late_fails_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def nobody(_round: Round, _browser: Browser, _voters: Sequence[Voter], until: float = 0) -> None: ...

    for name in [name for name in os.environ if name.startswith("COOPMAIL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(Round, "answer_late", nobody)
    monkeypatch.setattr(Round, "answer", nobody)
    monkeypatch.setattr(Round, "reminder_days", lambda _round: [])
    assert simulation.simulate_round(3, as_json=True, stack=Stack()) == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines[-3:-1] == ["These sums do not add up:", "  no late answer was tried"]
    found = json.loads(lines[-1])
    assert (found["ballots"], found["late_refused"]) == (0, 0)


def test_a_sum_that_does_not_add_up_is_noted_and_one_that_does_is_not() -> None:
    tally = Tally()
    tally.expect("ballots", 3, 3)
    tally.expect("outcome", {"keep": 1}, {"keep": 2})
    assert tally.faults == ["outcome: {'keep': 1} instead of {'keep': 2}"]


@pytest.mark.parametrize(
    ("page", "choices", "chosen", "asks_name", "answered"),
    [
        ("<p>Nothing</p>", [], [], False, False),
        ('<input type="radio" name="choice" value="a"><input name="choice" value="b" checked>', ["a", "b"], ["b"],
         False, False),
        ('<input name="answered_by"><section id="answered"><h2>Done</h2></section>', [], [], True, True),
    ],
)  # fmt: skip
def test_a_page_is_read_as_a_person_would(
    page: str, choices: list[str], chosen: list[str], asks_name: bool, answered: bool
) -> None:
    form = Form()
    form.feed(page)
    assert (form.choices, form.chosen, form.asks_name, form.answered) == (choices, chosen, asks_name, answered)
