"""`coopmail staff`: the first admin, and the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coopmail.cli.commands import coopmail

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    """Run a command on an empty installation."""
    environment = {
        "COOPMAIL_SECRET_KEYS": "1:a key that only the tests know and long enough",
        "COOPMAIL_DATABASE_URL": database_url,
        "COOPMAIL_MAILBOX": str(tmp_path / "mailbox"),
    }
    return lambda *arguments: CliRunner().invoke(coopmail, ["staff", *arguments], env=environment)


def test_the_first_admin_is_made_at_the_command_line(run: Run) -> None:
    def said(*words: str) -> tuple[int, str]:
        result = run(*words)
        return result.exit_code, result.output or str(result.exception)

    assert said("list") == (0, "There is nobody yet: coopmail staff add ADDRESS --name NAME --role admin\n")
    assert said("add", "Ria@Coop.example", "--name", "Ria Claes", "--role", "admin") == (
        0, "Ria Claes can sign in at http://127.0.0.1:8000/staff/ with a code that is mailed to Ria@coop.example.\n"
    )  # fmt: skip
    assert said("add", "bram@coop.example", "--name", "Bram Maes")[0] == 0
    assert said("leave", "ria@coop.example") == (2, "Error: This is the last admin: make somebody else one first.\n")
    assert said("role", "bram@coop.example", "admin") == (0, "Bram Maes is admin from now on.\n")
    assert said("leave", "ria@coop.example") == (0, "Ria Claes cannot sign in any more.\n")
    assert said("back", "ria@coop.example") == (0, "Ria Claes can sign in again.\n")
    assert said("list")[1].split() == ["bram@coop.example", "admin", "Bram", "Maes",
                                       "Ria@coop.example", "admin", "Ria", "Claes"]  # fmt: skip
    assert said("role", "nobody@coop.example", "admin")[1] == (
        "Error: Nobody of the staff has the address nobody@coop.example: see `coopmail staff list`.\n"
    )
    assert said("add", "no address", "--name", "X")[0] == 2
