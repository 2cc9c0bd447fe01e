"""`coopmail audit`: its words and exit statuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from coopmail.actions.audit import erase, seal_all
from coopmail.actions.records import audit as note
from coopmail.cli.commands import coopmail
from coopmail.db import Database
from coopmail.domain.audit import AuditRow, Head
from tests.builders import build_cooperative, build_poll
from tests.conftest import CLOSING, MONDAY
from tests.queries.record import append, free

Run = Callable[..., Result]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database that the commands work on."""
    found = Database(database_url)
    yield found
    found.close()


@pytest.fixture
def head(database: Database) -> Head:
    """The head of three sealed rows; a fourth is not sealed."""
    with database.transaction() as (session, _):
        for number in (1, 2, 3):
            append(session, number, {"unit": number, "answered_by": "Zoë"})
        found = seal_all(session)
        append(session, 4, {})
    return found


@pytest.fixture
def run(database: Database, database_url: str, tmp_path: Path) -> Run:
    """Run a command as an operator would."""
    environment = {
        "COOPMAIL_SECRET_KEYS": "1:a key that only the tests know and long enough",
        "COOPMAIL_DATABASE_URL": database_url,
        "COOPMAIL_MAILBOX": str(tmp_path / "mailbox"),
    }
    return lambda *arguments: CliRunner().invoke(coopmail, ["audit", *arguments], env=environment)


def said(result: Result) -> tuple[int, list[str]]:
    """Exit status and lines."""
    return result.exit_code, result.output.splitlines()


def tamper(database: Database, statement: str) -> None:
    """Change the record as an insider could."""
    with database.transaction() as (session, _):
        free(session)
        session.execute(sa.text(statement))


def test_a_record_that_nobody_changed_passes_with_its_head(run: Run, head: Head) -> None:
    assert said(run("verify")) == (0, [
        "Not sealed yet, and not looked at: 1.",
        f"The record is as it was sealed: 3 rows. Head: {head}",
    ])  # fmt: skip


def test_heads_that_were_kept_are_compared(run: Run, head: Head, database: Database) -> None:
    with database.transaction() as (session, _):
        later = seal_all(session)
    passed = f"The record is as it was sealed: 4 rows. Head: {later}"
    assert said(run("verify", "--head", str(head))) == (0, [passed, "It holds the head that you kept."])
    assert said(run("verify", "--head", f" {head}", "--head", str(later))) == (
        0, [passed, "It holds all 2 heads that you kept."],
    )  # fmt: skip
    assert said(run("verify", "--head", f"3:{'0' * 64}")) == (1, [
        f"Row 3 is not the one that the head that was kept, 3:{'0' * 18}…, names: "
        "it or a row before it was written anew.",
        "What follows it was not looked at.",
    ])  # fmt: skip


def test_the_first_changed_row_is_named_and_the_exit_status_is_1(run: Run, head: Head, database: Database) -> None:
    tamper(database, "UPDATE audit_rows SET actor = 'contact:9' WHERE sequence >= 2")
    assert said(run("verify")) == (1, [
        "Not sealed yet, and not looked at: 1.",
        "Row 2 (id 2): its actor, detail or salt was changed.",
        "What follows it was not looked at.",
    ])  # fmt: skip


def test_an_empty_record_passes(run: Run) -> None:
    assert said(run("verify")) == (0, [f"The record is as it was sealed: 0 rows. Head: 0:{'0' * 64}"])
    assert said(run("head")) == (0, ["Nothing is sealed yet."])
    assert said(run("list")) == (0, ["The record holds nothing yet."])


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("3", "a head is SEQUENCE:HASH, the hash in 64 hexadecimal digits."),
        ("0:" + "0" * 64, "rows are numbered from 1."),
    ],
)
def test_what_is_no_head_is_refused(run: Run, value: str, why: str) -> None:
    result = run("verify", "--head", value)
    assert (result.exit_code, result.output.splitlines()[-1]) == (2, f"Error: Invalid value for '--head': {why}")


def test_the_head_is_printed_as_verify_takes_it(run: Run, head: Head) -> None:
    assert said(run("head")) == (0, [str(head)])


def test_a_mark_that_is_no_head_is_said_in_one_line(run: Run, head: Head, database: Database) -> None:
    tamper(database, "UPDATE installation_marks SET value = 'x'")
    assert said(run("head")) == (2, ["Error: The mark of the head cannot be read: run `coopmail audit verify`."])
    assert said(run("verify"))[0] == 1


def test_the_record_is_listed_readably(run: Run, head: Head, database: Database) -> None:
    with database.transaction() as (session, _):
        erase(session, lambda: MONDAY, AuditRow.actor == "contact:2", "Asked to be forgotten.")
    assert said(run("list")) == (0, [
        '      1  2026-11-16 09:00:00 UTC  act-1              contact:1      poll:1           {"unit": 1, "answered_by": "Zoë"}',  # noqa: E501
        "      2  2026-11-16 10:00:00 UTC  act-2              (erased)       poll:2",
        '      3  2026-11-16 11:00:00 UTC  act-3              contact:3      poll:0           {"unit": 3, "answered_by": "Zoë"}',  # noqa: E501
        "      4  2026-11-16 12:00:00 UTC  act-4              contact:4      poll:1",
        '      5  2026-11-16 08:00:00 UTC  audit-erased       staff          audit            {"sequences": [2], "reason": "Asked to be forgotten."}',  # noqa: E501
    ])  # fmt: skip


def test_what_is_not_sealed_yet_has_no_number(run: Run, head: Head) -> None:
    assert said(run("list", "--subject", "poll:1"))[1][1].split() == [
        "-", "2026-11-16", "12:00:00", "UTC", "act-4", "contact:4", "poll:1",
    ]  # fmt: skip


def test_the_list_can_be_of_one_subject_or_of_a_poll_by_its_slug(run: Run, head: Head, database: Database) -> None:
    assert [line.split()[4] for line in said(run("list", "--subject", "poll:1"))[1]] == ["act-1", "act-4"]
    assert said(run("list", "--subject", "poll:9")) == (0, ["The record holds nothing about poll:9."])
    with database.transaction() as (session, now):
        poll = build_poll(session, build_cooperative(session, now()), closes_at=CLOSING)
        note(session, now(), "poll-drafted", "staff", f"poll:{poll.id}", slug=poll.slug)
        others = session.scalars(sa.select(AuditRow.act).where(AuditRow.subject == f"poll:{poll.id}")).all()
    listed = [line.split()[4] for line in said(run("list", "--poll", "krantenarchief"))[1]]
    assert listed == list(others)
    assert said(run("list", "--poll", "nobody")) == (2, ["Error: There is no poll called nobody."])
    assert run("list", "--poll", "krantenarchief", "--subject", "poll:1").exit_code == 2


def test_no_control_character_that_somebody_typed_reaches_the_terminal(run: Run, database: Database) -> None:
    with database.transaction() as (session, _):
        append(session, 1, {"answered_by": "Els\x1b[2J\x9b2J\u202e\u2028\nMaes"})
    line = said(run("list"))[1]
    assert len(line) == 1
    assert line[0].endswith(r'{"answered_by": "Els\u001b[2J\x9b2J\u202e\u2028\nMaes"}')


def test_a_row_that_somebody_broke_is_listed_as_it_stands(run: Run, head: Head, database: Database) -> None:
    if database.sqlite:
        tamper(database, "UPDATE audit_rows SET detail = '{', at = CAST(x'ff' AS TEXT) WHERE sequence = 2")
        assert said(run("list"))[1][1] == "      2  \ufffd UTC  act-2              contact:2      poll:2           {"
        assert said(run("verify"))[0] == 1
        tamper(database, "UPDATE audit_rows SET sequence = CAST(x'1b5b324a' AS TEXT) WHERE sequence = 1")
        assert said(run("verify"))[1][1] == "Row 1 was renumbered: it is id 1 and has number \\x1b[2J."
    else:
        tamper(database, "UPDATE audit_rows SET at = 'infinity' WHERE sequence = 2")
        assert said(run("list"))[1][1].startswith("      2   UTC  act-2 ")
        assert said(run("verify"))[0] == 1
