"""`coopmail polls`, `matters` and `jobs run`: what they say, what they write, and what they refuse in one line.

The commands use the computer's clock, so closing times lie 400 days ahead and no date of a message is compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from coopmail.actions import polls as actions
from coopmail.cli.commands import coopmail
from coopmail.clock import system
from coopmail.db import Database
from coopmail.domain.audit import Matter
from coopmail.domain.base import Base
from coopmail.domain.calendar import in_brussels
from coopmail.domain.contacts import Contact
from coopmail.domain.decisions import Decision
from coopmail.domain.groups import Group, GroupKind
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Option, Poll, PollState, VotingUnit
from tests.builders import Cooperative, build_cooperative, build_field
from tests.cli.poll_files import OPTIONS, far_away, write_poll

Run = Callable[..., Result]
_MOMENT = re.compile(r"\b\w+day \d{1,2} \w+ \d{4} at \d\d:\d\d")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database that the commands work on, with the small cooperative in it."""
    found = Database(database_url)
    with found.transaction() as (session, now):
        build_cooperative(session, now())
        session.add(Group(slug="leeg", name="Lege groep", kind=GroupKind.WORKING_GROUP))
    yield found
    found.close()


@pytest.fixture
def run(database: Database, database_url: str, tmp_path: Path) -> Run:
    """Run a command as an operator would, with settings from the environment."""
    environment = {
        "COOPMAIL_SECRET_KEYS": "1:a key that only the tests know and long enough",
        "COOPMAIL_DATABASE_URL": database_url,
        "COOPMAIL_MAILBOX": str(tmp_path / "mailbox"),
    }

    def command(*arguments: object, typed: str | None = None, **settings: str | None) -> Result:
        return CliRunner().invoke(coopmail, [str(one) for one in arguments], input=typed, env=environment | settings)

    return command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A poll file for the Krantenarchief's members."""
    return write_poll(tmp_path)


def lines(result: Result) -> list[str]:
    """What a command that went well said, without the charter's hints (they depend on today) and without dates."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    kept = [line for line in result.stdout.splitlines() if not line.startswith(("Mind: ", "reminder on "))]
    return [_MOMENT.sub("MOMENT", line) for line in kept]


def everything(database: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    with database.reading() as (session, _):
        return {
            table.name: [tuple(row) for row in session.execute(sa.select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def poll_of(database: Database, slug: str = "krantenarchief") -> Poll:
    """A poll as it stands."""
    with database.reading() as (session, _):
        return session.scalars(sa.select(Poll).where(Poll.slug == slug)).one()


def mails_of(database: Database, template: str) -> int:
    """How many mails of a template stand in the outbox."""
    with database.reading() as (session, _):
        return session.scalars(sa.select(sa.func.count()).select_from(Mail).where(Mail.template == template)).one()


def vote(database: Database, address: str, unit: str, key: str) -> None:
    """Cast a unit's ballot."""
    with database.transaction() as (session, now):
        invitation = session.scalars(
            sa.select(Invitation.id)
            .join(VotingUnit, VotingUnit.id == Invitation.unit_id)
            .join(Contact, Contact.id == Invitation.contact_id)
            .where(VotingUnit.name == unit, Contact.email == address)
        ).one()
        actions.cast_ballot(session, now, invitation, (key,), address)


def bring_to(run: Run, file: Path, state: str) -> None:
    """Bring the poll of a file to a state, by commands."""
    road: dict[str, list[tuple[object, ...]]] = {
        "none": [],
        "draft": [("draft", file)],
        "open": [("draft", file), ("open", "krantenarchief", "--yes")],
        "closed": [("draft", file), ("open", "krantenarchief", "--yes"), ("close", "krantenarchief", "--yes")],
        "withdrawn": [("draft", file), ("withdraw", "krantenarchief", "--reason", "Te vroeg.", "--yes")],
    }
    for step in road[state]:
        assert run("polls", *step).exit_code == 0


def test_the_list_of_no_polls_says_how_to_write_one(run: Run) -> None:
    assert lines(run("polls", "list")) == [
        "There is no poll yet. Write one in a TOML file, then: coopmail polls draft FILE"
    ]


def test_the_list_names_each_poll_with_its_state(run: Run, file: Path, tmp_path: Path) -> None:
    bring_to(run, file, "open")
    run("polls", "draft", write_poll(tmp_path, slug='"later"', closes=f"{far_away(500):%Y-%m-%dT%H:%M:%S}"))
    assert lines(run("polls", "list")) == [
        "krantenarchief                           open, closes MOMENT",
        "later                                    draft, closes MOMENT",
    ]


def test_checking_a_file_says_what_it_would_make_and_writes_nothing(run: Run, database: Database, file: Path) -> None:
    before = everything(database)
    assert lines(run("polls", "check", file)) == [
        "krantenarchief: 3 options, closes MOMENT.",
        "Not secret: the outcome shows how each one voted. 5 may vote today; who may is decided at opening.",
    ]
    assert everything(database) == before


def test_checking_a_file_that_closes_too_soon_minds_the_charter(run: Run, tmp_path: Path) -> None:
    result = run("polls", "check", write_poll(tmp_path, closes=f"{far_away(3):%Y-%m-%dT%H:%M:%S}"))
    assert result.exit_code == 0
    hints = [line for line in result.stdout.splitlines() if "the charter asks" in line]
    assert [re.sub(r"\d\.$", "N.", line) for line in hints] == [
        "Mind: the charter asks that a poll be open for 14 days; this one is for N."
    ]


def test_drafting_writes_a_draft_and_says_how_to_open_it(run: Run, database: Database, file: Path) -> None:
    assert lines(run("polls", "draft", file)) == [
        "Draft krantenarchief is written. To open it: coopmail polls open krantenarchief"
    ]
    assert poll_of(database).state is PollState.DRAFT


def test_drafting_again_replaces_the_draft_whole(run: Run, database: Database, tmp_path: Path) -> None:
    run("polls", "draft", write_poll(tmp_path))
    options = OPTIONS.replace('"blijven"', '"wachten"')
    again = run("polls", "draft", write_poll(tmp_path, options, title_nl='"Een andere vraag?"'))
    assert again.exit_code == 0
    assert poll_of(database).title_nl == "Een andere vraag?"
    with database.reading() as (session, _):
        keys = session.scalars(sa.select(Option.key).order_by(Option.position)).all()
    assert list(keys) == ["wachten", "overstappen", "onthouding"]


def test_opening_says_how_many_may_vote_and_for_whom_nobody_is_reached(
    run: Run, database: Database, file: Path
) -> None:
    run("polls", "draft", file)
    assert lines(run("polls", "open", "krantenarchief", "--yes")) == [
        "krantenarchief is open until MOMENT: 5 may vote, 5 mails are queued.",
        "Nobody can be reached for 1 of them: see `coopmail matters list`.",
    ]
    assert poll_of(database).state is PollState.OPEN
    assert mails_of(database, "ballot-invitation") == 5
    (matter,) = lines(run("matters", "list"))
    assert matter.endswith(" UTC  Nobody can be reached for Bibliotheek Mol in poll krantenarchief.")


def test_a_poll_that_reaches_everybody_says_nothing_of_matters(run: Run, tmp_path: Path) -> None:
    run("polls", "draft", write_poll(tmp_path, audience='"group_seats"', service=None))
    assert lines(run("polls", "open", "krantenarchief", "--yes")) == [
        "krantenarchief is open until MOMENT: 3 may vote, 3 mails are queued."
    ]


def test_showing_a_draft_says_where_it_stands(run: Run, file: Path) -> None:
    bring_to(run, file, "draft")
    assert lines(run("polls", "show", "krantenarchief")) == [
        "Welke weg gaat het Krantenarchief op?",
        "draft, closes MOMENT",
        "Not opened yet: who may vote is decided then.",
    ]


def test_running_the_jobs_sends_what_waits(run: Run, database: Database, file: Path, tmp_path: Path) -> None:
    bring_to(run, file, "open")
    assert lines(run("jobs", "run")) == []
    assert len(list((tmp_path / "mailbox").glob("*.eml"))) == 5
    assert lines(run("polls", "show", "krantenarchief")) == [
        "Welke weg gaat het Krantenarchief op?",
        "open, closes MOMENT",
        "0 of 5 have answered; nobody can be reached for 1.",
        "invitation mails: 5 sent",
    ]


def test_showing_an_open_poll_counts_answers_mails_and_reminders(run: Run, database: Database, file: Path) -> None:
    bring_to(run, file, "open")
    vote(database, "lies.claes@duffel.example", "Bibliotheek Lier", "overstappen")
    result = run("polls", "show", "krantenarchief")
    assert lines(result) == [
        "Welke weg gaat het Krantenarchief op?",
        "open, closes MOMENT",
        "1 of 5 have answered; nobody can be reached for 1.",
        "invitation mails: 5 queued",
        "receipt mails: 1 queued",
    ]
    reminders = [line for line in result.stdout.splitlines() if line.startswith("reminder on ")]
    assert reminders
    assert all(line.endswith(": planned") for line in reminders)


def test_a_consultation_of_the_whole_field_says_who_votes_and_who_is_heard_apart(
    run: Run, database: Database, tmp_path: Path
) -> None:
    with database.transaction() as (session, now):
        cast = Cooperative()
        build_field(session, cast, now())
    asked = write_poll(tmp_path, audience='"whole_field"', service=None, effect='"consultation"')
    assert run("polls", "draft", asked).exit_code == 0
    opened = run("polls", "open", "krantenarchief", "--yes").stdout
    assert "6 may vote (and 4 heard apart, without a vote), 10 mails are queued." in opened
    vote(database, "nele.jans@veld.example", "Nele Jans", "overstappen")
    shown = run("polls", "show", "krantenarchief").stdout
    assert "0 of 6 have answered; of 4 heard apart, 1; nobody can be reached for 1." in shown
    refused = run("polls", "close", "krantenarchief", typed="n\n").stdout
    assert "6 of 6 have not answered and no longer can (and 3 heard apart, without a vote). Close" in refused
    assert run("polls", "close", "krantenarchief", "--yes").exit_code == 0
    shown = run("polls", "show", "krantenarchief").stdout
    assert "Heard apart, without a vote: 1 of 4 other organisations and persons answered (25%)." in shown
    assert shown.count("1  Naar een open platform") == 1


def test_extending_moves_the_closing_time_and_tells_everybody(run: Run, database: Database, file: Path) -> None:
    bring_to(run, file, "open")
    later = far_away(410)
    assert lines(run("polls", "extend", "krantenarchief", "--until", f"{later:%Y-%m-%dT%H:%M}")) == [
        "krantenarchief is open until MOMENT."
    ]
    assert poll_of(database).closes_at == in_brussels(later.date(), later.time())
    assert mails_of(database, "poll-extended") == 5


def test_closing_asks_first_and_leaves_the_poll_open_at_a_no(run: Run, database: Database, file: Path) -> None:
    bring_to(run, file, "open")
    before = everything(database)
    result = run("polls", "close", "krantenarchief", typed="n\n")
    assert result.exit_code == 1
    assert "5 of 5 have not answered and no longer can. Close krantenarchief?" in result.stdout
    assert everything(database) == before


def test_closing_at_a_yes_counts_and_says_the_outcome(run: Run, database: Database, file: Path) -> None:
    bring_to(run, file, "open")
    vote(database, "lies.claes@duffel.example", "Bibliotheek Lier", "overstappen")
    vote(database, "bibliotheek@boom.example", "Bibliotheek Boom", "onthouding")
    result = run("polls", "close", "krantenarchief", typed="y\n")
    assert lines(result)[-1] == "“Naar een open platform” is chosen, with 1 of 1 valid votes."
    assert "3 of 5 have not answered" in result.stdout
    assert poll_of(database).state is PollState.CLOSED
    assert mails_of(database, "ballot-outcome") == 5
    shown = lines(run("polls", "show", "krantenarchief"))
    assert shown[1] == "closed on MOMENT"
    assert shown.pop().startswith("hash of the list of ballots: ")
    assert shown[-4:] == [
        "“Naar een open platform” is chosen, with 1 of 1 valid votes.",
        "      0  Bij de leverancier blijven",
        "      1  Naar een open platform",
        "      1  Onthouding",
    ]


def test_closing_with_yes_does_not_ask(run: Run, file: Path) -> None:
    bring_to(run, file, "open")
    assert lines(run("polls", "close", "krantenarchief", "--yes")) == ["Nobody voted: nothing is chosen."]


def test_withdrawing_asks_first_and_changes_nothing_at_a_no(run: Run, database: Database, file: Path) -> None:
    bring_to(run, file, "open")
    before = everything(database)
    result = run("polls", "withdraw", "krantenarchief", "--reason", "De prijs klopt niet.", typed="n\n")
    assert result.exit_code == 1
    assert "Withdraw krantenarchief, and mail the reason to all who were asked?" in result.stdout
    assert everything(database) == before


def test_withdrawing_an_open_poll_mails_the_reason(run: Run, database: Database, file: Path) -> None:
    bring_to(run, file, "open")
    result = run("polls", "withdraw", "krantenarchief", "--reason", "De prijs klopt niet.", "--yes")
    assert lines(result) == ["krantenarchief is withdrawn."]
    poll = poll_of(database)
    assert (poll.state, poll.withdrawal_reason) == (PollState.WITHDRAWN, "De prijs klopt niet.")
    assert mails_of(database, "poll-withdrawn") == 5


def test_an_outcome_that_was_counted_too_late_waits_for_staff_to_announce_it(
    run: Run, database: Database, file: Path
) -> None:
    bring_to(run, file, "open")
    with database.transaction() as (session, _):
        session.execute(sa.update(Poll).values(closes_at=system() - timedelta(days=10)))
    assert lines(run("jobs", "run")) == []
    assert poll_of(database).state is PollState.CLOSED
    assert mails_of(database, "ballot-outcome") == 0
    assert any("run `coopmail polls announce krantenarchief`" in line for line in lines(run("matters", "list")))
    assert lines(run("polls", "announce", "krantenarchief")) == ["The outcome mails are queued."]
    assert mails_of(database, "ballot-outcome") == 5
    assert lines(run("polls", "announce", "krantenarchief")) == ["The outcome mails are queued."]
    assert mails_of(database, "ballot-outcome") == 5


def test_decisions_are_numbered_by_year_one_after_the_other(run: Run, database: Database, tmp_path: Path) -> None:
    numbers = []
    for slug in ("eerste", "tweede"):
        run("polls", "draft", write_poll(tmp_path, slug=f'"{slug}"'))
        run("polls", "open", slug, "--yes")
        run("polls", "close", slug, "--yes")
        said = lines(run("polls", "decide", slug, "--text", "We stappen over.", "--grounds", "De uitslag."))
        numbers += said
    with database.reading() as (session, _):
        found = session.scalars(sa.select(Decision).order_by(Decision.id)).all()
    assert numbers == [
        f"Decision {one.number} is recorded and stands on the poll's page; nobody is mailed." for one in found
    ]
    assert [one.number for one in found] == [f"{one.decided_on.year}-{place:03}" for place, one in enumerate(found, 1)]
    assert [(one.text_nl, one.text_en, one.grounds) for one in found] == [("We stappen over.", "", "De uitslag.")] * 2
    assert poll_of(database, "eerste").state is PollState.DECIDED


def test_the_list_of_no_matters_says_so(run: Run) -> None:
    assert lines(run("matters", "list")) == ["Nothing waits for you."]


def test_settling_a_matter_takes_it_off_the_list_and_keeps_its_first_time(
    run: Run, database: Database, file: Path
) -> None:
    bring_to(run, file, "open")
    with database.reading() as (session, _):
        matter = session.scalars(sa.select(Matter.id)).one()
    assert lines(run("matters", "settle", matter)) == ["Ticked off."]
    assert lines(run("matters", "list")) == ["Nothing waits for you."]
    before = everything(database)
    assert lines(run("matters", "settle", matter)) == ["Ticked off."]
    assert everything(database) == before


def test_a_closed_poll_s_outcome_mails_are_sent_by_the_jobs(run: Run, database: Database, file: Path) -> None:
    bring_to(run, file, "closed")
    assert lines(run("jobs", "run")) == []
    with database.reading() as (session, _):
        rows = session.execute(
            sa.select(Mail.template, Mail.state, sa.func.count()).group_by(Mail.template, Mail.state)
        )
        assert sorted(tuple(row) for row in rows) == [
            ("ballot-invitation", MailState.CANCELLED, 5), ("ballot-outcome", MailState.SENT, 5),
        ]  # fmt: skip


SLUG = "krantenarchief"
SOON = f"{far_away(2):%Y-%m-%dT%H:%M}"
LATER = f"{far_away(500):%Y-%m-%dT%H:%M}"
REFUSED: dict[str, tuple[str, list[str], str]] = {
    "opening an unknown poll": ("none", ["open", SLUG, "--yes"], "There is no poll called krantenarchief."),
    "showing an unknown poll": ("none", ["show", SLUG], "There is no poll called krantenarchief."),
    "extending an unknown poll": (
        "none", ["extend", SLUG, "--until", LATER], "There is no poll called krantenarchief."),
    "closing an unknown poll": ("none", ["close", SLUG], "There is no poll called krantenarchief."),
    "announcing an unknown poll": ("none", ["announce", SLUG], "There is no poll called krantenarchief."),
    "withdrawing an unknown poll": (
        "none", ["withdraw", SLUG, "--reason", "x"], "There is no poll called krantenarchief."),
    "deciding an unknown poll": (
        "none", ["decide", SLUG, "--text", "x", "--grounds", "y"], "There is no poll called krantenarchief."),
    "drafting over an open poll": (
        "open", ["draft", "FILE"], "Poll krantenarchief is open: give the new one another slug."),
    "drafting over a closed poll": (
        "closed", ["draft", "FILE"], "Poll krantenarchief is closed: give the new one another slug."),
    "opening twice": ("open", ["open", SLUG], "Poll krantenarchief is already open."),
    "opening what was withdrawn": (
        "withdrawn", ["open", SLUG], "Poll krantenarchief is withdrawn; it cannot become open."),
    "extending to an earlier time": (
        "open", ["extend", SLUG, "--until", SOON],
        "An extension wants a later closing time than the present one."),
    "extending into the hour that the clocks skip": (
        "open", ["extend", SLUG, "--until", "2099-03-29T02:30"],
        "closes: 02:30 does not exist on 29-03-2099: the clocks go forward"),
    "extending a closed poll": (
        "closed", ["extend", SLUG, "--until", LATER], "Poll krantenarchief takes no answers any more."),
    "closing a draft": ("draft", ["close", SLUG], "Poll krantenarchief is draft; it cannot become closed."),
    "closing twice": (
        "closed", ["close", SLUG, "--yes"], "Poll krantenarchief is already closed."),
    "announcing an open poll": ("open", ["announce", SLUG], "Poll krantenarchief has no outcome yet."),
    "withdrawing a closed poll": (
        "closed", ["withdraw", SLUG, "--reason", "x"], "Poll krantenarchief is closed; it cannot become withdrawn."),
    "withdrawing without a word": (
        "open", ["withdraw", SLUG, "--reason", " ", "--yes"],
        "A withdrawal wants a reason: it is mailed to all who were asked."),
    "deciding an open poll": (
        "open", ["decide", SLUG, "--text", "x", "--grounds", "y"],
        "Poll krantenarchief is open; it cannot become decided."),
    "deciding without a text": (
        "closed", ["decide", SLUG, "--text", " ", "--grounds", "y"],
        "A decision wants its text in Dutch and its grounds."),
    "deciding without grounds": (
        "closed", ["decide", SLUG, "--text", "x", "--grounds", ""],
        "A decision wants its text in Dutch and its grounds."),
}  # fmt: skip


@pytest.mark.parametrize(("state", "arguments", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_is_said_in_one_line_and_writes_nothing(
    run: Run, database: Database, file: Path, state: str, arguments: list[str], error: str
) -> None:
    bring_to(run, file, state)
    before = everything(database)
    refused(run("polls", *(str(file) if one == "FILE" else one for one in arguments)), error)
    assert everything(database) == before


def test_where_no_cooperative_is_loaded_a_file_is_refused_with_that(database_url: str, file: Path) -> None:
    environment = {
        "COOPMAIL_SECRET_KEYS": "1:a key that only the tests know and long enough",
        "COOPMAIL_DATABASE_URL": database_url,
    }
    refused(
        CliRunner().invoke(coopmail, ["polls", "check", str(file)], env=environment),
        "There is no group called digitale-collecties. No cooperative is loaded yet: import your organisations with"
        " `coopmail organisations import FILE`, or run `coopmail demo` for an invented one.",
    )


@pytest.mark.parametrize("command", ["check", "draft"])
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"effect": '"final"'}, "poll.toml: Invalid enum value 'final' - at `$.effect`. See docs/poll-file.md."),
        ({"group": '"wifi"'}, "There is no group called wifi. Known: digitale-collecties, leeg."),
        (
            {"closes": "2099-03-29T02:30:00"},
            "poll.toml: closes: 02:30 does not exist on 29-03-2099: the clocks go forward. See docs/poll-file.md.",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_check_and_draft_alike(
    run: Run, database: Database, tmp_path: Path, command: str, changes: dict[str, str | None], error: str
) -> None:
    before = everything(database)
    refused(run("polls", command, write_poll(tmp_path, **changes)), error)
    assert everything(database) == before


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"audience": '"group_seats"', "service": None, "group": '"leeg"'},
         "Nobody may vote in this poll: its audience has no member or seat with a vote."),
    ],
)  # fmt: skip
def test_a_poll_that_cannot_be_opened_stays_a_draft_whole(
    run: Run, database: Database, tmp_path: Path, changes: dict[str, str | None], error: str
) -> None:
    run("polls", "draft", write_poll(tmp_path, **changes))
    before = everything(database)
    refused(run("polls", "open", "krantenarchief", "--yes"), error)
    assert everything(database) == before


def test_settling_an_unknown_matter_is_refused(run: Run) -> None:
    refused(run("matters", "settle", 99), "There is no matter 99: see `coopmail matters list`.")


@pytest.mark.parametrize("missing", ["--reason", "--text", "--grounds", "--until"])
def test_what_a_command_cannot_do_without_is_asked_for(run: Run, missing: str) -> None:
    given = {
        "--reason": ["withdraw", "x", "--yes"],
        "--text": ["decide", "x", "--grounds", "y"],
        "--grounds": ["decide", "x", "--text", "y"],
        "--until": ["extend", "x"],
    }
    result = run("polls", *given[missing])
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"Error: Missing option '{missing}'.")


COMMANDS = [["polls", "list"], ["matters", "list"], ["jobs", "run"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wrong_setting_stops_every_command_in_one_line(run: Run, command: list[str]) -> None:
    refused(run(*command, COOPMAIL_SIMULATION="yes"), "COOPMAIL_SIMULATION wants 0 or 1 and got 'yes'.")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_without_tables_stops_every_command_in_one_line(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    refused(
        run(*command, COOPMAIL_DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite"),
        "The database cannot be read: run `coopmail db upgrade` first. (OperationalError)",
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_simulated_time_on_real_polls_stops_every_command_in_one_line(run: Run, command: list[str]) -> None:
    refused(
        run(*command, COOPMAIL_SIMULATION="1"),
        "COOPMAIL_SIMULATION wants a database of the demonstration: simulated time would close real polls.",
    )


def test_upgrading_makes_the_tables_that_the_commands_want(run: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/coopmail.sqlite"
    assert lines(run("db", "upgrade", COOPMAIL_DATABASE_URL=url)) == ["The database is up to date."]
    assert lines(run("matters", "list", COOPMAIL_DATABASE_URL=url)) == ["Nothing waits for you."]


def refused(result: Result, error: str) -> None:
    """A command said one line of error, ended with status 2, and by no traceback."""
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {error}\n")
    assert isinstance(result.exception, SystemExit)


def test_opening_asks_first_and_leaves_the_draft_at_a_no(run: Run, database: Database, file: Path) -> None:
    run("polls", "draft", file)
    before = everything(database)
    result = run("polls", "open", "krantenarchief", typed="n\n")
    assert result.exit_code == 1
    assert "Open krantenarchief, and mail everyone who may vote?" in result.stdout
    assert everything(database) == before


def test_a_closing_time_that_has_passed_is_refused_before_anything_is_written(
    run: Run, database: Database, tmp_path: Path
) -> None:
    file = write_poll(tmp_path, closes="2020-01-06T17:00:00")
    before = everything(database)
    for verb in ("check", "draft"):
        result = run("polls", verb, file)
        assert (result.exit_code, "this time has passed" in result.stderr) == (2, True)
    assert everything(database) == before
