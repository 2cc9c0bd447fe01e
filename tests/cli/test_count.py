"""`coopmail count`: counts a list again, with no database, no settings and no application."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from coopmail.cli.commands import coopmail
from coopmail.config import ROOT
from coopmail.domain.ballot_list import pieces
from coopmail.domain.counting import Majority
from tests.domain.test_ballot_list import poll


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A secret list of seven ballots."""
    return write(tmp_path, keep=4, move=2, abstain=1)


def write(folder: Path, electorate: int = 20, majority: Majority = Majority.SIMPLE, **votes: int) -> Path:
    """A list with so many ballots for each option."""
    marks = [key for key, count in votes.items() for _ in range(count)]
    ballots = [(f"K7QF-2MXD-9{number:03}", f'["{key}"]', 1) for number, key in enumerate(marks)]
    found = poll(secret=True, method_name="choice", quorum=None, majority=majority)
    path = folder / "weg.json"
    path.write_bytes(b"".join(pieces(found, electorate, ballots)))
    return path


COMPARE = [
    "Compare the hash with the one in the outcome mail, or give it: coopmail count FILE --hash HASH. Only where they",
    "are equal is this the list that was counted at closing.",
]


def run(file: Path, *options: str) -> Result:
    """Count a file."""
    return CliRunner().invoke(coopmail, ["count", str(file), *options], env={"COOPMAIL_DATABASE_URL": "nonsense"})


def test_it_says_tally_verdict_and_hash(file: Path) -> None:
    found = run(file)
    assert (found.exit_code, found.stderr) == (0, "")
    assert found.stdout.splitlines() == [
        "weg: Welke weg?",
        "Secret poll: 7 ballots with 7 votes of the 20 that could be cast, 1 of them abstentions.",
        "        4  Stay with the supplier",
        "        2  Move to an open platform",
        "        1  Abstain",
        "Verdict: “Stay with the supplier” is chosen.",
        f"Hash of this file (SHA-256): {hashlib.sha256(file.read_bytes()).hexdigest()}",
        *COMPARE,
    ]


def test_with_the_hash_of_the_outcome_mail_the_same_list_is_status_0_and_another_1(file: Path) -> None:
    hashed = hashlib.sha256(file.read_bytes()).hexdigest()
    same = run(file, "--hash", hashed.upper())
    assert (same.exit_code, same.stderr) == (0, "")
    assert same.stdout.splitlines()[-1] == (
        "That is the hash that was given: this is the list that was counted at closing."
    )
    for wrong in (hashed[:-1], "0" * 64, ""):
        other = run(file, "--hash", wrong)
        assert (other.exit_code, other.stderr) == (
            1, "The hash that was given is another: this is not the list that was counted at closing.\n"
        )  # fmt: skip


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ({"keep": 2, "move": 2}, "“Stay with the supplier” is chosen, after a tie between “Stay with the supplier” and"
         " “Move to an open platform”."),
        ({"abstain": 3}, "all abstained; nothing is chosen."),
        ({}, "nobody voted; nothing is chosen."),
        ({"keep": 1, "majority": Majority.ABSOLUTE, "move": 1}, "no option has the majority that was asked; nothing is"
         " chosen."),
    ],
)  # fmt: skip
def test_it_says_each_verdict_in_words(tmp_path: Path, votes: dict[str, Any], verdict: str) -> None:
    assert f"Verdict: {verdict}" in run(write(tmp_path, **votes)).stdout.splitlines()


def test_a_list_that_another_program_wrote_anew_is_counted_and_its_own_hash_is_said(file: Path) -> None:
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    plain = json.loads(file.read_bytes())
    plain["ballots"].reverse()
    file.write_text(json.dumps(plain, indent=2) + "\n")
    lines = run(file).stdout.splitlines()
    assert lines[-5:] == [
        f"Hash of this file (SHA-256): {hashlib.sha256(file.read_bytes()).hexdigest()}",
        "This file was written anew by another program: the hash of what it says is",
        before,
        *COMPARE,
    ]
    assert run(file, "--hash", before).exit_code == 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b'{"ballots":[]}'])
def test_a_file_that_is_no_list_ends_with_a_sentence_and_status_1(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(content)
    found = run(file)
    assert (found.exit_code, found.stdout, found.stderr.count("\n")) == (1, "", 1)
    assert found.stderr.startswith("other.json: This is no list of ballots of Coopmail")


def test_a_hundred_thousand_ballots_are_counted_by_a_program_that_opens_nothing_else(tmp_path: Path) -> None:
    file = write(tmp_path, electorate=100_000, keep=60_000, move=40_000)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-m", "coopmail.cli", "count", str(file)],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert "    60000  Stay with the supplier" in found.stdout.splitlines()
    assert list(tmp_path.iterdir()) == [file]
