"""`coopmail polls` with a secret poll: where it cannot be secret, where its key is, and what is not shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from flask import Flask

from coopmail.actions import polls as actions
from coopmail.cli.commands import coopmail
from coopmail.cli.demo import load_demonstration
from coopmail.cli.poll_file import build_poll, read_poll_file
from coopmail.config import ROOT
from coopmail.domain.polls import Outcome, Poll, PollKey
from coopmail.errors import PollFileError
from coopmail.parts import Parts
from coopmail.queries import polls as questions
from tests.builders import build_cooperative
from tests.cli.poll_files import poll_text, write_poll
from tests.secrecy import build_libraries, invited

Run = Callable[..., Result]
EXAMPLE = ROOT / "coopmail" / "data" / "examples" / "secret-poll.toml"


@pytest.fixture
def run(office: Parts, database_url: str, tmp_path: Path) -> Run:
    """Run a command as an operator would, on the small cooperative and six libraries more."""
    with office.db.transaction() as (session, now):
        build_libraries(session, build_cooperative(session, now()), 6, now())
    environment = {
        "COOPMAIL_SECRET_KEYS": "1:a key that only the tests know and long enough",
        "COOPMAIL_DATABASE_URL": database_url,
        "COOPMAIL_MAILBOX": str(tmp_path / "mailbox"),
        "COOPMAIL_KEY_FOLDER": str(office.settings.key_folder),
    }
    return lambda *arguments: CliRunner().invoke(coopmail, [str(one) for one in arguments], env=environment)


@pytest.fixture
def opened(run: Run, office: Parts, tmp_path: Path) -> Poll:
    """A secret poll, drafted and opened by commands."""
    file = write_poll(tmp_path, secret="true")
    assert run("polls", "draft", file).exit_code == 0
    found = run("polls", "open", "krantenarchief", "--yes")
    assert (found.exit_code, found.stderr) == (0, "")
    key = f"Its key is in {office.settings.key_folder}, and must be in no backup: it is destroyed at closing."
    assert key in found.stdout.splitlines()
    with office.db.reading() as (session, _):
        return questions.by_slug(session, "krantenarchief")


def vote(office: Parts, poll: Poll, voters: int) -> None:
    """So many units choose to stay."""
    for invitation, _, name in invited(office, poll)[:voters]:
        with office.db.transaction() as (session, now):
            actions.cast_ballot(session, now, invitation, ("blijven",), name, office.basis.vault)


@pytest.mark.parametrize("command", ["check", "draft"])
def test_a_secret_poll_of_too_few_is_refused_before_anything_is_written(
    run: Run, office: Parts, tmp_path: Path, command: str
) -> None:
    file = write_poll(tmp_path, secret="true", audience='"group_seats"', service=None)
    found = run("polls", command, file)
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == (
        "Error: poll.toml: secret: 3 may vote today, and a secret poll wants 5 or more: the count would tell who voted"
        " what.\n"
    )
    with office.db.reading() as (session, _):
        assert session.scalar(sa.select(sa.func.count()).select_from(Poll)) == 0


def test_secret_is_true_or_false(tmp_path: Path) -> None:
    file = tmp_path / "poll.toml"
    file.write_text(poll_text(secret='"yes"'))
    with pytest.raises(PollFileError, match=r"Expected `bool`, got `str` - at `\$\.secret`"):
        read_poll_file(file)


def test_a_poll_is_open_unless_its_file_says_secret(tmp_path: Path) -> None:
    assert read_poll_file(write_poll(tmp_path)).secret is False
    assert read_poll_file(write_poll(tmp_path, secret="true")).secret is True


def test_show_says_that_a_poll_is_secret_and_what_became_of_its_key(run: Run, office: Parts, opened: Poll) -> None:
    assert run("polls", "show", "krantenarchief").stdout.splitlines()[1].endswith("; secret")
    vote(office, opened, 6)
    assert run("polls", "close", "krantenarchief", "--yes").exit_code == 0
    lines = run("polls", "show", "krantenarchief").stdout.splitlines()
    assert lines[1].endswith("; secret, its key not destroyed yet")
    assert "      6  Bij de leverancier blijven" in lines
    with office.db.reading() as (session, _):
        assert f"hash of the list of ballots: {session.get_one(Outcome, opened.id).list_hash}" in lines
    assert run("jobs", "run").exit_code == 0
    assert "; secret, its key destroyed on " in run("polls", "show", "krantenarchief").stdout.splitlines()[1]


def test_where_fewer_than_five_voted_show_and_close_say_that_it_does_not_count(
    run: Run, office: Parts, opened: Poll
) -> None:
    vote(office, opened, 4)
    closed = run("polls", "close", "krantenarchief", "--yes")
    too_few = "Fewer than five voted, which is too few for a secret vote: nothing is chosen."
    assert closed.stdout == f"{too_few}\n"
    lines = run("polls", "show", "krantenarchief").stdout.splitlines()
    assert lines[-2:] == [too_few, "No ballot was opened, and none is kept."]
    options = ("Naar een open platform", "Bij de leverancier blijven", "hash")
    assert [line for line in lines if any(word in line for word in options)] == []


def test_closing_without_the_key_is_one_line_and_changes_nothing(run: Run, office: Parts, opened: Poll) -> None:
    vote(office, opened, 6)
    (file,) = office.settings.key_folder.rglob("*.key")
    file.unlink()
    found = run("polls", "close", "krantenarchief", "--yes")
    assert (found.exit_code, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert found.stderr.startswith(f"Error: The key file of poll {opened.id} cannot be read")
    assert run("polls", "withdraw", "krantenarchief", "--reason", "De sleutel is weg.", "--yes").exit_code == 0
    assert run("jobs", "run").exit_code == 0
    assert "its key destroyed on" in run("polls", "show", "krantenarchief").stdout


def test_the_example_is_drafted_and_opens_in_the_demonstration(app: Flask, office: Parts) -> None:
    assert load_demonstration(office.db, app, seed=1)
    entry = read_poll_file(EXAMPLE)
    with office.db.transaction() as (session, now):
        poll = build_poll(session, entry, EXAMPLE.parent, office.charter.polls_on(date(2026, 11, 16)))
        actions.draft_poll(session, now, poll)
    with office.db.transaction() as (session, now):
        actions.open_poll(session, poll.id, now, office.basis)
        assert session.get(PollKey, poll.id) is not None
    texts = ("title", "summary", "more", "next_step")
    assert [name for name in texts if not getattr(poll, f"{name}_en") or not getattr(poll, f"{name}_nl")] == []
    assert [option.key for option in poll.options if not (option.label_en and option.description_en)] == []
