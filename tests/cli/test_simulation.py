"""`coopmail demo --simulate`: the whole round comes out, its sums hold, a seed repeats it, and a wrong sum fails it.

The rounds run at the same time, in processes of their own, once for all tests of this module.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from coopmail.cli import simulation
from coopmail.cli.simulated_web import Browser, Form
from coopmail.cli.simulation import Round, Tally, Voter
from coopmail.config import ROOT

pytestmark = pytest.mark.xdist_group("simulation")  # its rounds are run once, by one worker

KEYS = [
    "members", "contacts", "units", "invited", "invitations_sent", "undelivered", "answered_units", "ballots",
    "reminders_sent", "reminders_to_answered_units", "late_refused", "outcome", "outcome_mails", "seconds",
]  # fmt: skip
SEEDS = {"first": 1, "again": 1, "other": 2}


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


@pytest.fixture(scope="module")
def rounds() -> dict[str, Ended]:
    """A seed twice, and another."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("COOPMAIL_")}
    running = {
        name: subprocess.Popen(
            [sys.executable, "-m", "coopmail.cli", "demo", "--simulate", "--json", "--seed", str(seed)],
            cwd=ROOT, env=around, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name, seed in SEEDS.items()
    }  # fmt: skip
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
    assert simulation.simulate_round(3, as_json=True) == 1
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
