"""`coopmail mail`: what waits, and holding a campaign back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from coopmail.actions.outbox import pause_campaign
from coopmail.cli.commands import coopmail
from coopmail.domain.audit import AuditRow, Matter
from coopmail.domain.outbox import CampaignStop, Mail, MailState
from coopmail.domain.polls import Poll
from coopmail.parts import Parts
from tests.mail.acts import change

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    """Run a command as an operator would."""
    environment = {
        "COOPMAIL_SECRET_KEYS": "1:a key that only the tests know and long enough",
        "COOPMAIL_DATABASE_URL": database_url,
        "COOPMAIL_MAILBOX": str(tmp_path / "mailbox"),
    }

    def command(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(coopmail, ["mail", *arguments], input=typed, env=environment)

    return command


def campaign(poll: Poll) -> str:
    """The campaign of a poll's invitations."""
    return f"poll:{poll.id}:invitation"


def listed(poll: Poll) -> str:
    """How those are listed."""
    return f"{f'{campaign(poll)} ({poll.slug})':<40}"


def states(office: Parts) -> list[MailState]:
    """Where each mail stands."""
    with office.db.reading() as (session, _):
        return list(session.scalars(sa.select(Mail.state).order_by(Mail.id)))


def acts(office: Parts) -> list[str]:
    """What the record says of campaigns."""
    with office.db.reading() as (session, _):
        return list(
            session.scalars(sa.select(AuditRow.act).where(AuditRow.act.startswith("campaign")).order_by(AuditRow.id))
        )


def test_where_nothing_waits_that_is_said(run: Run, office: Parts) -> None:
    assert run("list").output == "Nothing waits to go out.\n"


def test_a_campaign_is_listed_with_its_mails_by_state(run: Run, office: Parts, poll: Poll) -> None:
    first = sa.select(sa.func.min(Mail.id)).scalar_subquery()
    change(office, Mail, Mail.id == first, state=MailState.SENT)
    assert run("list").output == f"{listed(poll)} 4 queued, 1 sent\n"


def test_a_paused_campaign_stays_until_it_is_resumed(run: Run, office: Parts, poll: Poll) -> None:
    name = campaign(poll)
    assert run("pause", name, "--reason", "Een fout in de prijs.").output == (
        f"{name} is paused. To go on: coopmail mail resume {name}\n"
    )
    assert run("list").output == f"{listed(poll)} 5 queued  [paused: Een fout in de prijs.]\n"
    assert run("resume", name).output == f"{name} goes on.\n"
    assert run("list").output == f"{listed(poll)} 5 queued\n"
    assert acts(office) == ["campaign-paused", "campaign-resumed"]


def test_what_is_not_paused_cannot_be_resumed(run: Run, office: Parts, poll: Poll) -> None:
    ended = run("resume", campaign(poll))
    assert (ended.exit_code, ended.stderr) == (2, f"Error: Campaign {campaign(poll)} is not paused.\n")


def test_a_cancelled_campaign_is_taken_back_for_good(run: Run, office: Parts, poll: Poll) -> None:
    name = campaign(poll)
    ended = run("cancel", name, "--reason", "Vraag vervalt.", typed="y\n")
    assert ended.output == (
        f"Cancel {name}? 5 mails will never be sent; 0 have been. [y/N]: y\n"
        f"{name} is cancelled: 5 mails were taken back.\n"
        f"The poll is still open. To withdraw it: coopmail polls withdraw {poll.slug} --reason …\n"
    )
    assert states(office) == [MailState.CANCELLED] * 5
    assert run("list").output == "Nothing waits to go out.\n"
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(Matter.text).where(Matter.key == f"cancelled:{name}")).all() == [
            f"The invitations to poll {poll.slug} were cancelled (5 were taken back), and it is still open:"
            f" to end it too, run `coopmail polls withdraw {poll.slug}`."
        ]
    for command in (("cancel", name, "--reason", "x", "--yes"), ("pause", name, "--reason", "x"), ("resume", name)):
        assert run(*command).exit_code == 2
    assert acts(office) == ["campaign-cancelled"]


def test_whoever_thinks_again_cancels_nothing(run: Run, office: Parts, poll: Poll) -> None:
    assert run("cancel", campaign(poll), "--reason", "x", typed="n\n").exit_code == 1
    assert states(office) == [MailState.QUEUED] * 5
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(CampaignStop)).all() == []


def test_a_poll_s_campaign_can_be_called_by_its_slug(run: Run, office: Parts, poll: Poll) -> None:
    name = f"{poll.slug}:invitation"
    assert run("pause", name, "--reason", "x").output == f"{name} is paused. To go on: coopmail mail resume {name}\n"
    assert run("list").output == f"{listed(poll)} 5 queued  [paused: x]\n"
    assert run("resume", name).output == f"{name} goes on.\n"
    assert run("cancel", name, "--reason", "x", "--yes").output.startswith(f"{name} is cancelled: 5 mails")
    assert states(office) == [MailState.CANCELLED] * 5


def test_a_cancelled_campaign_is_listed_as_long_as_a_sender_holds_some_of_it(
    run: Run, office: Parts, poll: Poll
) -> None:
    first = sa.select(sa.func.min(Mail.id)).scalar_subquery()
    change(office, Mail, Mail.id == first, state=MailState.CLAIMED)
    run("cancel", campaign(poll), "--reason", "x", "--yes")
    assert run("list").output == f"{listed(poll)} 4 cancelled, 1 claimed  [cancelled: x]\n"


def test_what_is_paused_is_not_paused_again_and_its_reason_stays(run: Run, office: Parts, poll: Poll) -> None:
    name = campaign(poll)
    run("pause", name, "--reason", "Een fout in de prijs.")
    ended = run("pause", name, "--reason", "Nog iets.")
    assert (ended.exit_code, ended.stderr) == (
        2, f"Error: Campaign {name} is paused already: Een fout in de prijs.\n"
    )  # fmt: skip
    assert acts(office) == ["campaign-paused"]


def test_a_pause_of_an_hour_becomes_one_that_lasts(run: Run, office: Parts, poll: Poll) -> None:
    name = campaign(poll)
    with office.db.transaction() as (session, now):
        pause_campaign(session, now(), name, "refused", actor="runner", until=now() + timedelta(hours=1))
    assert run("pause", name, "--reason", "Tot we bellen.").exit_code == 0
    assert run("list").output == f"{listed(poll)} 5 queued  [paused: Tot we bellen.]\n"


def test_what_is_cancelled_already_is_said_before_anything_is_asked(run: Run, office: Parts, poll: Poll) -> None:
    name = campaign(poll)
    run("cancel", name, "--reason", "x", "--yes")
    ended = run("cancel", name, "--reason", "x")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (
        2, "", f"Error: Campaign {name} is cancelled already.\n"
    )  # fmt: skip


@pytest.mark.parametrize("name", ["poll:9:invitation", "nergens:invitation", "nergens"])
@pytest.mark.parametrize("command", ["pause", "resume", "cancel"])
def test_a_campaign_that_does_not_exist_is_named(run: Run, office: Parts, command: str, name: str) -> None:
    ended = run(command, name, *([] if command == "resume" else ["--reason", "x"]))
    assert ended.stdout == ""
    assert (ended.exit_code, ended.stderr) == (2, f"Error: There is no campaign called {name}.\n")
