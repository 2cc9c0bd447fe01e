"""Today: what closes soon, what waits for somebody, who is losing a vote, what did not run; and a calm day."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from coopmail.actions import polls as actions
from coopmail.actions import recorded_votes
from coopmail.actions.outbox import pause_campaign
from coopmail.actions.recorded_votes import RecordedVote
from coopmail.actions.records import raise_matter
from coopmail.domain.audit import Matter
from coopmail.domain.calendar import in_brussels
from coopmail.domain.polls import Ballot, Channel, Poll, PollState
from coopmail.domain.staff import StaffMember
from coopmail.jobs.runner import run_jobs
from coopmail.jobs.schedule import SCHEDULE
from coopmail.parts import Parts
from coopmail.web.staff.today import JOBS
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, FrozenClock, Received
from tests.console import Console
from tests.web.pages import everything
from tests.web.staff.recording import statements, unit_id

Deliver = Callable[[], list[Received]]
TODAY = "/staff/"


def matters(office: Parts) -> dict[str, int]:
    """What waits, by its key's beginning."""
    with office.db.reading() as (session, _):
        waiting = session.scalars(sa.select(Matter).where(Matter.settled_at.is_(None)))
        return {matter.key.partition(":")[0]: matter.id for matter in waiting}


def test_a_day_on_which_nothing_waits_says_so_and_what_to_do_first(
    console: Console, cooperative: Cooperative, deliver: Deliver
) -> None:
    deliver()
    page = console.get(TODAY, language="en")
    assert "Nothing waits for you" in page
    assert "No vote is open." in page
    assert 'href="/staff/polls/new?lang=en"' in page
    for heading in ("What did not run", "Contested votes", "What closes soon", "What waits for somebody", "Drafts"):
        assert heading not in page, heading
    assert "Er wacht niets op je" in console.get(TODAY)


def test_what_closes_within_two_weeks_is_there_with_its_turnout_and_whom_to_call(
    app: Flask, office: Parts, klaar: StaffMember, poll: Poll, client: FlaskClient, clock: FrozenClock,
    deliver: Deliver,
) -> None:  # fmt: skip
    link = next(mail.link for mail in deliver() if "Duffel" in mail.subject)
    client.post(link, data={"choice": "keep"})
    page = Console.of(app, office, klaar).get(TODAY, language="en")
    assert "1 open vote closes later" in page
    assert "4 to call" not in page
    clock.move_to(CLOSING - timedelta(days=14))
    page = Console.of(app, office, klaar).get(TODAY, language="en")
    for text in ("Which way for the Krantenarchief?", "1 of 5 (20%)", "4 to call", "Friday 4 December 2026 at 17:00",
                 'href="/staff/polls/krantenarchief/calls?lang=en"'):  # fmt: skip
        assert text in page, text
    assert "closes later" not in page


def test_who_is_losing_a_vote_is_named_until_the_vote_came(
    console: Console, office: Parts, poll: Poll, cooperative: Cooperative, klaar: StaffMember
) -> None:
    page = console.get(TODAY, language="en")
    assert "1 voter of an open vote has not answered, and no mail reaches anybody there." in page
    assert "Bibliotheek Mol" in page
    vote = RecordedVote(("keep",), "An Wouters", Channel.TELEPHONE, in_brussels(date(2026, 11, 16), time(9)), "Belde.")
    with office.db.transaction() as (session, now):
        recorded_votes.record_vote(session, now, poll.id, unit_id(office, poll, "Bibliotheek Mol"), vote,
                                   actor=klaar.actor)  # fmt: skip
    assert "no mail reaches anybody there" not in console.get(TODAY, language="en")


def test_matters_are_ticked_off_several_at_once_and_put_back(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    with office.db.transaction() as (session, now):
        raise_matter(session, now(), "relay-down:2026-11-16", "Down.", reason="421 later")
    assert "checked" not in console.get(TODAY), "nothing is ticked beforehand"
    before = everything(office.db)
    nothing = console.post_form("/staff/matters/settle", {}, page=TODAY)
    assert nothing.location == f"{TODAY}?done=matters-none&lang=nl"
    odd = {"matter": ["x", "-1", "999999", "9" * 40, "²"]}
    assert console.post_form("/staff/matters/settle", odd, page=TODAY).status_code == 303
    assert everything(office.db) == before
    ids = sorted(matters(office).values())
    answer = console.post_form("/staff/matters/settle", {"matter": [str(each) for each in ids]}, page=TODAY)
    assert answer.location == f"{TODAY}?done=matters-settled&lang=nl"
    assert matters(office) == {}
    page = console.get(TODAY, language="en")
    assert "Ticked off lately" in page
    assert "What waits for somebody" not in page
    for _ in range(2):
        back = console.post_form(f"/staff/matters/{ids[0]}/reopen", page=TODAY)
        assert back.location == f"{TODAY}?done=matter-reopened&lang=nl"
    assert sorted(matters(office).values()) == ids[:1]
    assert console.post_form("/staff/matters/999999/reopen", page=TODAY).status_code == 404


def test_what_was_ticked_off_yesterday_is_on_the_list_of_all(
    app: Flask, console: Console, office: Parts, poll: Poll, klaar: StaffMember, clock: FrozenClock
) -> None:
    console.post_form("/staff/matters/settle", {"matter": [str(each) for each in matters(office).values()]}, page=TODAY)
    clock.advance(hours=25)
    later = Console.of(app, office, klaar)
    assert "Ticked off lately" not in later.get(TODAY, language="en")
    page = later.get("/staff/matters", language="en")
    assert "Nobody can be reached for Bibliotheek Mol" in page
    assert "Klaar Leroy" in page
    assert "Nobody can be reached" not in later.get("/staff/matters?state=waiting", language="en")
    (matter,) = everything(office.db)["matters"]
    answer = later.post_form(f"/staff/matters/{matter[0]}/reopen", {"back": "matters"}, page="/staff/matters")
    assert answer.location == "/staff/matters?done=matter-reopened&lang=nl"
    again = later.post_form(
        "/staff/matters/settle", {"matter": str(matter[0]), "back": "matters"}, page="/staff/matters"
    )
    assert again.location == "/staff/matters?done=matters-settled&lang=nl"


def test_before_anything_waited_the_list_says_what_comes_there(console: Console, cooperative: Cooperative) -> None:
    assert "Nothing has waited for you yet." in console.get("/staff/matters", language="en")


def test_a_contested_vote_is_apart_leads_to_its_page_and_cannot_be_ticked_off(
    console: Console, client: FlaskClient, office: Parts, poll: Poll, klaar: StaffMember, deliver: Deliver
) -> None:
    unit = unit_id(office, poll, "Bibliotheek Aartselaar")
    vote = RecordedVote(("keep",), "Els Peeters", Channel.PAPER, in_brussels(date(2026, 11, 16), time(9)), "Brief.")
    with office.db.transaction() as (session, now):
        recorded_votes.record_vote(session, now, poll.id, unit, vote, actor=klaar.actor)
    mails = {mail.to: mail.link for mail in deliver() if mail.template == "ballot-recorded"}
    link = mails["jan.maes@aartselaar.example"]
    client.post(f"{link}/contest", data={"reason": "Wij stuurden geen brief."})
    page = console.get(TODAY, language="en")
    assert "Contested votes" in page
    assert "Jan Maes contests the vote that we recorded for Bibliotheek Aartselaar" in page
    assert f'href="/staff/polls/krantenarchief/votes/{unit}?lang=en"' in page
    contested = matters(office)["contested"]
    assert f'value="{contested}"' not in page
    console.post_form("/staff/matters/settle", {"matter": str(contested)}, page=TODAY)
    assert matters(office)["contested"] == contested


def test_closed_polls_wait_for_their_announcement_and_their_decision(
    app: Flask, office: Parts, poll: Poll, klaar: StaffMember, clock: FrozenClock
) -> None:
    clock.move_to(CLOSING + timedelta(days=60))
    with office.db.transaction() as (session, now):
        actions.close_poll(session, poll.id, now, office.basis)
    console = Console.of(app, office, klaar)
    page = console.get(TODAY, language="en")
    assert "counted, and the outcome is not mailed yet." in page
    assert "was closed 60 days late" in page
    with office.db.transaction() as (session, now):
        actions.announce_outcome(session, poll.id, now, actor=klaar.actor)
    page = console.get(TODAY, language="en")
    assert "the outcome is known, and the decision is not written yet." in page
    assert "not mailed yet" not in page


def test_jobs_that_do_not_run_and_mail_that_waits_are_told(
    console: Console, poll: Poll, deliver: Deliver, clock: FrozenClock
) -> None:
    never = console.get(TODAY, language="en")
    assert "The jobs do not run." in never
    assert "They have never run." in never
    assert "Mail waits." not in never
    clock.advance(minutes=10)
    waits = console.get(TODAY, language="en")
    assert re.search("The oldest could have gone on <time[^>]*>Monday 16 November 2026 at 09:00</time>.", waits)
    deliver()
    assert "What did not run" not in console.get(TODAY, language="en")
    clock.advance(minutes=11)
    stopped = console.get(TODAY, language="en")
    assert re.search("They last ran on <time[^>]*>Monday 16 November 2026 at 09:10</time>.", stopped)


def test_a_job_that_fails_while_others_run_is_named(
    app: Flask, console: Console, office: Parts, poll: Poll, deliver: Deliver, clock: FrozenClock
) -> None:
    deliver()
    clock.advance(minutes=11)
    run_jobs(app, [job for job in SCHEDULE if job.name != "send-reminders"])
    page = console.get(TODAY, language="en")
    assert "The jobs do not run as they should." in page
    assert re.findall(r"<li>([^:<]+): last ran on <time[^>]*>([^<]+)<", page) == [
        ("Sending reminders", "Monday 16 November 2026 at 09:00")
    ]


def test_every_job_of_the_schedule_has_its_words() -> None:
    assert set(JOBS) == {job.name for job in SCHEDULE}


def test_campaigns_that_are_paused_are_counted(
    console: Console, office: Parts, poll: Poll, deliver: Deliver, clock: FrozenClock
) -> None:
    deliver()
    with office.db.transaction() as (session, now):
        pause_campaign(session, now(), f"poll:{poll.id}:invitation", "Tikfout", until=now() + timedelta(hours=1))
    assert "1 campaign is paused." in console.get(TODAY, language="en")
    clock.advance(minutes=61)
    assert "is paused" not in console.get(TODAY, language="en")


def test_drafts_lead_to_their_page(console: Console, office: Parts, cooperative: Cooperative) -> None:
    with office.db.transaction() as (session, _):
        build_poll(session, cooperative, closes_at=CLOSING, slug="ontwerp")
    page = console.get(TODAY, language="en")
    assert "Drafts" in page
    assert 'href="/staff/polls/ontwerp?lang=en"' in page


@pytest.fixture
def hundreds(office: Parts, cooperative: Cooperative, poll: Poll) -> None:
    """Sixty polls in each state, and a hundred matters."""
    with office.db.transaction() as (session, now):
        for state in (PollState.DRAFT, PollState.OPEN, PollState.CLOSED):
            for number in range(60):
                build_poll(session, cooperative, closes_at=now() + timedelta(days=1 + number % 9), state=state,
                           slug=f"{state.value}-{number}", announced_at=now() if number % 2 else None)  # fmt: skip
        for number in range(100):
            raise_matter(session, now(), f"relay-down:{number}", "Down.", reason="421 later", poll_id=poll.id)


def test_a_page_asks_the_same_number_of_questions_however_much_there_is(
    console: Console, office: Parts, poll: Poll, deliver: Deliver, request: pytest.FixtureRequest
) -> None:
    deliver()
    few = {path: statements(office, lambda: console.get(path)) for path in (TODAY, "/staff/matters")}  # noqa: B023
    request.getfixturevalue("hundreds")
    many = {path: statements(office, lambda: console.get(path)) for path in few}  # noqa: B023
    assert many == few
    page = console.get(TODAY, language="en")
    for text in ("And 50 more", "And 40 more"):
        assert text in page, text


def test_looking_changes_nothing(console: Console, office: Parts, poll: Poll, hundreds: None) -> None:
    before = everything(office.db)
    for path in (TODAY, "/staff/matters", "/staff/matters?page=2", "/staff/matters.csv", "/staff/matters/settle"):
        console.ask(path)
        console.client.head(path)
    assert everything(office.db) == before
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(Ballot)).all() == []
