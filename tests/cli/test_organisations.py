"""`coopmail organisations import`: what it says, with which status it ends, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coopmail.cli.commands import coopmail

Run = Callable[..., Result]
HEADER = "naam;type;gemeente;provincie;inwoners;contactpersoon;e-mail;afname\n"
GEEL = "Bibliotheek Geel;bib;Geel;Antwerpen;41.000;Bo Nys;bo.nys@geel.example;Krantenarchief\n"
BAD = "Bibliotheek Mol;bib;Mol;Antwerpen;veel;;;\n"


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    """Import a file with these contents into an installation that begins empty."""
    environment = {
        "COOPMAIL_SECRET_KEYS": "1:a key that only the tests know and long enough",
        "COOPMAIL_DATABASE_URL": database_url,
        "COOPMAIL_MAILBOX": str(tmp_path / "mailbox"),
    }

    def import_it(content: str, *options: str) -> Result:
        file = tmp_path / "veld.csv"
        file.write_bytes(content.encode("cp1252"))
        return CliRunner().invoke(coopmail, ["organisations", "import", str(file), *options], env=environment)

    return import_it


def test_a_file_is_imported_and_the_second_time_changes_nothing(run: Run) -> None:
    first = run(HEADER + GEEL)
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout.splitlines()[:4] == [
        "Organisations: 1 added, 0 changed", "Contacts: 1 added, 0 changed", "Who stands for whom: 1 added, 0 changed",
        "Subscriptions to services: 1 added, 0 changed",
    ]  # fmt: skip
    assert first.stdout.splitlines()[-1] == "Imported."
    second = run(HEADER + GEEL)
    assert second.exit_code == 0
    assert second.stdout.splitlines()[-2:] == ["Organisations left as they are: 1", "There is nothing to import."]


def test_a_dry_run_names_every_change_and_writes_none(run: Run) -> None:
    dry = run(HEADER + GEEL, "--dry-run")
    assert dry.exit_code == 0
    assert dry.stdout.splitlines()[0] == (
        "+ Organisation: Bibliotheek Geel: Name: Bibliotheek Geel; What it is: Library; Municipality: Geel; "
        "Province: Antwerpen; Inhabitants: 41,000"
    )
    assert dry.stdout.splitlines()[-1] == "Nothing is written."
    assert "Organisations: 1 added, 0 changed" in run(HEADER + GEEL).stdout
    changed = run("naam;inwoners\nBibliotheek Geel;42000\n", "--dry-run")
    assert changed.stdout.splitlines()[0] == "~ Organisation: Bibliotheek Geel: Inhabitants: 41,000 → 42,000"


def test_a_bad_row_ends_with_status_1_and_nothing_written_unless_it_is_skipped(run: Run) -> None:
    refused = run(HEADER + GEEL + BAD)
    assert refused.exit_code == 1
    assert refused.stderr == "Line 3, column inwoners (veel): Write a whole number, such as 14000.\n"
    assert refused.stdout.splitlines()[-2:] == ["Rows that cannot be used: 1 of 2", "Nothing is written."]
    assert run(HEADER + GEEL + BAD, "--dry-run").exit_code == 1
    skipped = run(HEADER + GEEL + BAD, "--skip-bad")
    assert (skipped.exit_code, skipped.stdout.splitlines()[-1]) == (0, "Imported.")
    assert "Organisations: 1 added" in skipped.stdout


def test_a_program_gets_one_json_object(run: Run) -> None:
    def told(*options: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(run("naam;Opmerking\nBibliotheek Geel\n", "--json", *options).stdout)
        return found

    run(HEADER + GEEL)
    assert told() == {
        "file": "veld.csv", "rows": 1, "written": False, "bad_rows": 0, "bad": [], "unknown_columns": ["Opmerking"],
        "founded": [], "unchanged": 1, "changes": [],
    }  # fmt: skip
    bad = run(HEADER + BAD, "--json")
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["bad"] == [
        {"line": 2, "column": "inwoners", "code": "no_whole_number", "values": {"value": "veel"},
         "reason": "Write a whole number, such as 14000."}
    ]  # fmt: skip
    added = json.loads(run("naam;e-mail;contact\nBibliotheek Geel;an@geel.example;An Roels\n", "--json").stdout)
    assert (added["written"], [(one["sort"], one["subject"], one["added"]) for one in added["changes"]]) == (True, [
        ("contact", "an@geel.example", True), ("stand", "an@geel.example – Bibliotheek Geel", True),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("%PDF-1.7", "Error: The file is a PDF: send the table that it was made from, saved as CSV or XLSX.\n"),
        ("code;type\n1;bib\n", 'Error: The sheet has no column "naam": add it, or name it so.\n'),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_status_2(run: Run, content: str, said: str) -> None:
    result = run(content)
    assert (result.exit_code, result.stderr, result.stdout) == (2, said, "")
