"""Contesting a vote that staff recorded: who may, until when, what a robot does, and what staff make of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from coopmail.actions import decisions, recorded_votes
from coopmail.actions import polls as actions
from coopmail.actions.recorded_votes import RecordedVote
from coopmail.domain.audit import Matter
from coopmail.domain.calendar import in_brussels
from coopmail.domain.polls import Channel, Poll
from coopmail.domain.staff import StaffMember
from coopmail.parts import Parts
from tests.builders import build_staff
from tests.conftest import FrozenClock, Received
from tests.console import Console
from tests.web.pages import Forms, everything
from tests.web.staff.recording import acts, ballot, unit_id

Deliver = Callable[[], list[Received]]
REASON = "Niemand van ons belde."


@pytest.fixture
def klaar(office: Parts) -> StaffMember:
    """The community manager."""
    with office.db.transaction() as (session, now):
        return build_staff(session, now(), "Klaar Leroy")


@pytest.fixture
def unit(office: Parts, poll: Poll, klaar: StaffMember, clock: FrozenClock) -> int:
    """Bibliotheek Aartselaar, whose vote by telephone was recorded an hour after opening."""
    clock.advance(hours=1)
    found = unit_id(office, poll, "Bibliotheek Aartselaar")
    vote = RecordedVote(("move",), "Els Peeters", Channel.TELEPHONE, in_brussels(date(2026, 11, 16), time(9, 30)),
                        "Belde zelf.")  # fmt: skip
    with office.db.transaction() as (session, now):
        recorded_votes.record_vote(session, now, poll.id, found, vote, actor=klaar.actor)
    return found


@pytest.fixture
def links(poll: Poll, unit: int, deliver: Deliver) -> dict[str, str]:
    """The links of the mail about the recorded vote, by the first name of whom it was sent to."""
    return {mail.to.partition(".")[0]: mail.link for mail in deliver() if mail.template == "ballot-recorded"}


def waiting(office: Parts) -> list[tuple[str, dict[str, object] | None]]:
    """The contested votes that wait for staff: the English sentence, and what it is made of."""
    with office.db.reading() as (session, _):
        found = sa.select(Matter).where(Matter.key.startswith("contested:"), Matter.settled_at.is_(None))
        return [(matter.text, matter.detail) for matter in session.scalars(found)]


def test_a_contact_contests_a_recorded_vote_with_a_reason_and_nobody_is_mailed(
    client: FlaskClient, office: Parts, poll: Poll, unit: int, links: dict[str, str], deliver: Deliver
) -> None:
    path = f"{links['jan']}/contest?lang=en"
    page = client.get(path).get_data(as_text=True)
    for text in ("Bibliotheek Aartselaar", "Move to an open platform", "by telephone", "Klaar Leroy of Cultuurconnect",
                 "Belde zelf.", "Nobody else is mailed."):  # fmt: skip
        assert text in page, text
    answer = client.post(path, data={"reason": f"  {REASON}\r\n"})
    assert (answer.status_code, answer.location) == (303, path)
    found = ballot(office, unit)
    assert found is not None
    assert (found.contest_reason, found.marks) == (REASON, ("move",))
    assert [row[2] for row in acts(office, "ballot-contested")] == [{"unit": unit, "version": 1, "reason": REASON}]
    assert waiting(office) == [
        (f"Jan Maes contests the vote that was recorded for a unit of poll {poll.slug}: {REASON}",
         {"by": "Jan Maes", "reason": REASON})
    ]  # fmt: skip
    seen = client.get(path).get_data(as_text=True)
    assert "This vote is contested" in seen
    assert REASON in seen
    assert "Our staff look at it." in client.get(f"{links['els']}?lang=en").get_data(as_text=True)
    assert deliver() == []


def test_the_second_click_contests_once_and_a_colleagues_other_reason_is_told_to_call(
    client: FlaskClient, office: Parts, links: dict[str, str]
) -> None:
    path = f"{links['jan']}/contest"
    client.post(path, data={"reason": REASON})
    before = everything(office.db)
    assert client.post(path, data={"reason": REASON}).status_code == 303
    other = client.post(f"{links['els']}/contest?lang=en", data={"reason": "Ik koos iets anders."})
    page = other.get_data(as_text=True)
    assert other.status_code == 409
    assert "A colleague contested this vote already." in page
    assert "Ik koos iets anders." in page
    assert everything(office.db) == before


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 2001])
def test_without_a_sentence_nothing_is_contested(
    client: FlaskClient, office: Parts, links: dict[str, str], reason: str
) -> None:
    before = everything(office.db)
    answer = client.post(f"{links['jan']}/contest?lang=en", data={"reason": reason})
    assert answer.status_code == 422
    assert "This is not sent yet" in answer.get_data(as_text=True)
    assert everything(office.db) == before


def test_a_robot_that_sends_every_form_as_it_was_served_contests_nothing(
    client: FlaskClient, office: Parts, links: dict[str, str]
) -> None:
    before = everything(office.db)
    sent = 0
    for link in links.values():
        for path in (link, f"{link}/contest", f"{link}/contest?lang=en", f"{link}/person"):
            assert client.head(path).status_code == 200
            for form in Forms(client.get(path).get_data(as_text=True)).found:
                client.open(form.action or path, method=form.method.upper(), data=dict(form.values))
                sent += form.method == "post"
    assert sent == 8
    assert everything(office.db) == before
    assert client.post(f"{links['jan']}/contest", data={"reason": REASON}).status_code == 303


def test_whoever_answers_by_link_leaves_nothing_to_contest_and_the_matter_is_ticked_off(
    client: FlaskClient, office: Parts, links: dict[str, str], unit: int
) -> None:
    client.post(f"{links['jan']}/contest", data={"reason": REASON})
    client.post(links["els"], data={"choice": "keep"})
    found = ballot(office, unit)
    assert found is not None
    assert (found.contested_at, found.contest_reason) == (None, "")
    assert waiting(office) == []
    for link in links.values():
        page = client.get(f"{link}/contest?lang=en")
        assert page.status_code == 200
        assert "there is nothing to contest" in page.get_data(as_text=True)
        late = client.post(f"{link}/contest?lang=en", data={"reason": "Toch niet."})
        assert late.status_code == 409
        assert "Toch niet." in late.get_data(as_text=True)


def test_it_can_be_contested_after_closing_until_the_decision_is_written(
    client: FlaskClient, office: Parts, poll: Poll, links: dict[str, str], unit: int
) -> None:
    with office.db.transaction() as (session, now):
        actions.close_poll(session, poll.id, now, office.basis, early=True)
    path = f"{links['jan']}/contest?lang=en"
    assert "Was it not given like this? Contest it" in client.get(f"{links['jan']}?lang=en").get_data(as_text=True)
    with office.db.transaction() as (session, now):
        decisions.decide_poll(session, poll.id, now, "De stuurgroep volgt de uitslag.", "", "De stemronde.")
    assert "this vote can no longer be contested here" in client.get(path).get_data(as_text=True)
    refused = client.post(path, data={"reason": REASON})
    assert refused.status_code == 409
    assert REASON in refused.get_data(as_text=True)
    found = ballot(office, unit)
    assert found is not None
    assert found.contested_at is None


def test_staff_let_a_contested_vote_stand_and_the_contact_reads_why(
    app: Flask, client: FlaskClient, office: Parts, poll: Poll, links: dict[str, str], unit: int, klaar: StaffMember
) -> None:
    console = Console.of(app, office, klaar)
    client.post(f"{links['jan']}/contest", data={"reason": REASON})
    path = f"/staff/polls/{poll.slug}/votes/{unit}"
    page = console.get(path, language="en")
    for text in ("This vote is contested", REASON, "Jan Maes contested it on", "Let this vote stand"):
        assert text in page, text
    assert console.post_form(f"{path}/keep", {"note": " "}, page=path).status_code == 422
    note = {"note": "Els bevestigde het aan de telefoon."}
    assert console.post_form(f"{path}/keep", note, page=path).location == f"{path}?done=vote-kept&lang=nl"
    before = everything(office.db)
    assert console.post_form(f"{path}/keep", note, page=path).status_code == 303
    assert everything(office.db) == before, "the second click adds nothing"
    assert waiting(office) == []
    assert [row[1:] for row in acts(office, "contest-kept")] == [(klaar.actor, {"unit": unit, **note})]
    seen = client.get(f"{links['jan']}/contest?lang=en").get_data(as_text=True)
    assert "This vote was contested, and it stands" in seen
    assert "Els bevestigde het aan de telefoon." in seen
    assert 'name="reason"' not in seen
    assert "and it stands." in client.get(f"{links['jan']}?lang=en").get_data(as_text=True)


def test_staff_remove_a_contested_vote_and_a_new_one_can_be_contested_again(
    client: FlaskClient, office: Parts, poll: Poll, links: dict[str, str], unit: int, klaar: StaffMember,
    deliver: Deliver, clock: FrozenClock,
) -> None:  # fmt: skip
    client.post(f"{links['jan']}/contest", data={"reason": REASON})
    with office.db.transaction() as (session, now):
        recorded_votes.remove_vote(session, now, poll.id, unit, 1, "Terecht betwist.", actor=klaar.actor)
    assert waiting(office) == []
    assert sorted(mail.template for mail in deliver()) == ["ballot-recorded", "ballot-recorded"]
    vote = RecordedVote(("keep",), "Jan Maes", Channel.PAPER, in_brussels(date(2026, 11, 16), time(9, 40)), "Brief.")
    with office.db.transaction() as (session, now):
        recorded_votes.record_vote(session, now, poll.id, unit, vote, actor=klaar.actor)
    clock.advance(minutes=1)
    assert client.post(f"{links['jan']}/contest", data={"reason": REASON}).status_code == 303
    assert len(waiting(office)) == 1
