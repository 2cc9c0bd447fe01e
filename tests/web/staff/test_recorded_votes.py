"""Votes by telephone or on paper: what staff record, whom it is told, and what is refused."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from coopmail.actions import polls as actions
from coopmail.domain.calendar import in_brussels
from coopmail.domain.polls import Channel, Poll
from coopmail.domain.staff import StaffMember
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, MONDAY, FrozenClock, Received
from tests.console import Console
from tests.web.pages import everything
from tests.web.staff.recording import SAID, acts, ballot, typed, unit_id

Deliver = Callable[[], list[Received]]
ELS, JAN = "els.peeters@aartselaar.example", "jan.maes@aartselaar.example"
AFTERNOON = in_brussels(date(2026, 11, 16), time(15))


@pytest.fixture
def unit(office: Parts, poll: Poll, clock: FrozenClock) -> int:
    """Bibliotheek Aartselaar in the poll, six hours after it opened."""
    clock.move_to(AFTERNOON)
    return unit_id(office, poll, "Bibliotheek Aartselaar")


@pytest.fixture
def path(poll: Poll, unit: int) -> str:
    """The page on which its vote is recorded."""
    return f"/staff/polls/{poll.slug}/votes/{unit}"


@pytest.fixture
def els(poll: Poll, deliver: Deliver) -> str:
    """The link of Els Peeters."""
    return next(mail.link for mail in deliver() if (mail.to, mail.template) == (ELS, "ballot-invitation"))


def test_a_vote_by_telephone_is_recorded_with_who_how_when_and_how_we_know(
    console: Console, office: Parts, cooperative: Cooperative, klaar: StaffMember, poll: Poll, path: str, unit: int
) -> None:
    answer = console.post_form(path, typed(cooperative, hour="11:45"))
    assert (answer.status_code, answer.location) == (303, f"{path}?done=vote-recorded&lang=nl")
    found = ballot(office, unit)
    assert found is not None
    assert (found.marks, found.answered_by, found.contact_id, found.channel, found.proof, found.version) == (
        ("move",), "Els Peeters", None, Channel.TELEPHONE, SAID, 1,
    )  # fmt: skip
    assert found.recorded_by_id == klaar.id
    assert found.cast_at == in_brussels(date(2026, 11, 16), time(11, 45))
    assert acts(office, "ballot-recorded", "ballot-cast") == [
        ("ballot-recorded", f"staff:{klaar.id}",
         {"unit": unit, "marks": '["move"]', "version": 1, "answered_by": "Els Peeters", "channel": "telephone",
          "proof": SAID, "given_at": "2026-11-16T10:45:00+00:00"}),
    ]  # fmt: skip
    page = console.get(f"{path}?done=vote-recorded", language="en")
    for text in ("The vote is recorded. Whoever votes here is told by mail.", "by telephone", "Klaar Leroy", SAID,
                 "Monday 16 November 2026 at 11:45", "Move to an open platform"):  # fmt: skip
        assert text in page, text


def test_everyone_who_votes_for_the_library_is_told_and_sees_that_it_was_recorded(
    console: Console, client: FlaskClient, cooperative: Cooperative, path: str, els: str, deliver: Deliver
) -> None:
    console.post_form(path, typed(cooperative, channel="paper"))
    mails = {mail.to: mail for mail in deliver()}
    assert {to: mail.template for to, mail in mails.items()} == {ELS: "ballot-recorded", JAN: "ballot-recorded"}
    for mail in mails.values():
        text = " ".join(mail.text.split())
        for said in ("op papier", "Els Peeters", "Klaar Leroy", SAID, "maandag 16 november 2026 om 09.00 uur",
                     "maandag 16 november 2026 om 15.00 uur", "Naar een open platform",
                     "vrijdag 4 december 2026 om 17.00 uur"):  # fmt: skip
            assert said in text, said
        assert f"{mail.link}/contest" in mail.text
        assert f'href="http://localhost{mail.link}/contest"' in mail.html
    page = client.get(f"{els}?lang=en").get_data(as_text=True)
    for said in ("Els Peeters has answered on paper for Bibliotheek Aartselaar", SAID,
                 "Klaar Leroy of Cultuurconnect recorded", "Was it not given like this? Contest it",
                 "Change the answer"):  # fmt: skip
        assert said in page, said
    assert "Your vote is recorded" not in page, "Els did not give it by her own link"


def test_the_second_click_is_answered_the_same_and_adds_nothing(
    console: Console, office: Parts, cooperative: Cooperative, path: str
) -> None:
    console.post_form(path, typed(cooperative))
    console.get("/staff/me")
    before = everything(office.db)
    again = console.post_form(path, typed(cooperative))
    assert (again.status_code, again.location) == (303, f"{path}?done=vote-recorded&lang=nl")
    assert everything(office.db) == before


def test_twenty_clicks_at_once_are_one_vote_one_row_of_the_record_and_a_mail_each(
    app: Flask, console: Console, office: Parts, cooperative: Cooperative, path: str, unit: int, els: str,
    deliver: Deliver,
) -> None:  # fmt: skip
    token = console.get(path).partition('name="csrf" value="')[2].partition('"')[0]
    cookie = console.client.get_cookie("coopmail_staff", path="/staff")
    assert cookie is not None
    statuses: list[int] = []
    start = threading.Barrier(20)

    def click() -> None:
        with app.test_client() as browser:
            browser.set_cookie("coopmail_staff", cookie.value, path="/staff")
            start.wait()
            statuses.append(browser.post(path, data=typed(cooperative, csrf=token)).status_code)

    threads = [threading.Thread(target=click) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [303] * 20
    found = ballot(office, unit)
    assert found is not None
    assert found.version == 1
    assert len(acts(office, "ballot-recorded")) == 1
    assert sorted(mail.to for mail in deliver()) == [ELS, JAN]


def test_a_form_as_it_was_served_records_nothing(console: Console, office: Parts, path: str) -> None:
    before = everything(office.db)
    page = console.get(path, language="en")
    assert "checked" not in page
    answer = console.post_form(path, {"day": "2026-11-16", "hour": "15:00", "over": "0"}, language="en")
    assert answer.status_code == 422
    said = answer.get_data(as_text=True)
    for text in ("Choose one option.", "Say who gave the vote.", "Say whether it came by telephone or on paper.",
                 "Say how you know: who rang which number, or where the paper is kept."):  # fmt: skip
        assert text in said, text
    assert 'value="2026-11-16"' in page
    assert 'value="15:00"' in page
    assert everything(office.db) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choice": "elsewhere"}, "Choose from the options on this page."),
        ({"giver": "999999"}, "Choose one of the people on this page."),
        ({"giver": "other"}, "Type the name of whoever gave the vote."),
        ({"giver": "other", "name": "x" * 121}, "Keep the name under 120 characters."),
        ({"channel": "link"}, "Choose one of the two."),
        ({"day": "16/11/2026"}, "Choose a day, or type it as 2026-12-31."),
        ({"day": ""}, "Choose a day."),
        ({"hour": "half tien"}, "Type an hour, such as 17:00."),
        ({"day": "2026-03-29", "hour": "02:30"}, "The clocks skip this hour on that day: choose another."),
        ({"hour": "15:01"}, "This moment has not come yet: type when the vote was given."),
        ({"hour": "08:59"}, "This was before the vote opened: type when the vote was given."),
        ({"proof": "   "}, "Say how you know: who rang which number, or where the paper is kept."),
        ({"proof": "x" * 1001}, "Keep this under 1,000 characters."),
    ],
)
def test_a_wrong_form_says_what_to_do_keeps_what_was_typed_and_records_nothing(
    console: Console, office: Parts, cooperative: Cooperative, path: str, changes: dict[str, Any], message: str
) -> None:
    before = everything(office.db)
    answer = console.post_form(path, typed(cooperative, **({"proof": "Belde zelf."} | changes)), language="en")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert message in page
    assert "proof" in changes or "Belde zelf." in page
    assert everything(office.db) == before


def test_somebody_else_than_the_contacts_can_have_given_the_vote_and_is_named(
    console: Console, office: Parts, cooperative: Cooperative, path: str, unit: int
) -> None:
    console.post_form(path, typed(cooperative, giver="other", name="  Rik   Smet "))
    found = ballot(office, unit)
    assert found is not None
    assert found.answered_by == "Rik Smet"


def test_a_shared_mailbox_cannot_be_said_to_have_called(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    path = f"/staff/polls/{poll.slug}/votes/{unit_id(office, poll, 'Bibliotheek Boom')}"
    boom = cooperative.contacts["boom"].id
    assert f'value="{boom}"' not in console.get(path)
    assert console.post_form(path, typed(cooperative, giver=str(boom))).status_code == 422


def test_a_unit_without_anybody_to_mail_can_vote_by_telephone(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    mol = unit_id(office, poll, "Bibliotheek Mol")
    data = typed(cooperative, giver=str(cooperative.contacts["an"].id))
    assert console.post_form(f"/staff/polls/{poll.slug}/votes/{mol}", data).status_code == 303
    found = ballot(office, mol)
    assert found is not None
    assert found.answered_by == "An Wouters"
    assert deliver() == []


def test_an_answer_that_stands_is_shown_and_replaced_only_when_that_is_ticked(
    console: Console, client: FlaskClient, office: Parts, cooperative: Cooperative, clock: FrozenClock, path: str,
    unit: int, els: str, deliver: Deliver,
) -> None:  # fmt: skip
    client.post(els, data={"choice": "keep"})
    deliver()
    page = console.get(path, language="en")
    assert "The answer that stands now" in page
    assert "Stay with the supplier" in page
    clock.advance(hours=1)
    data = typed(cooperative, over="1", hour="15:30")
    refused = console.post_form(path, data, language="en")
    assert refused.status_code == 422
    assert "tick that this vote replaces it, or go back." in refused.get_data(as_text=True)
    assert console.post_form(path, data | {"replace": "y"}).status_code == 303
    found = ballot(office, unit)
    assert found is not None
    assert (found.marks, found.contact_id, found.channel, found.version) == (("move",), None, Channel.TELEPHONE, 2)
    assert deliver() == []
    clock.advance(minutes=5)
    assert sorted((mail.to, mail.template) for mail in deliver()) == [
        (ELS, "ballot-recorded"),
        (JAN, "ballot-recorded"),
    ]


def test_a_vote_that_was_given_before_an_answer_by_link_came_does_not_replace_it(
    console: Console, client: FlaskClient, office: Parts, cooperative: Cooperative, path: str, unit: int, els: str
) -> None:
    client.post(els, data={"choice": "keep"})
    data = typed(cooperative, over="1", replace="y", hour="14:59")
    refused = console.post_form(path, data, language="en")
    assert refused.status_code == 422
    assert "and the last one counts." in refused.get_data(as_text=True)
    found = ballot(office, unit)
    assert found is not None
    assert found.marks == ("keep",)


def test_an_answer_that_came_while_staff_typed_is_not_overwritten_and_nothing_typed_is_lost(
    console: Console, client: FlaskClient, office: Parts, cooperative: Cooperative, path: str, unit: int, els: str
) -> None:
    data = typed(cooperative, hour="15:00")
    token = console.get(path).partition('name="csrf" value="')[2].partition('"')[0]
    client.post(els, data={"choice": "keep"})
    answer = console.client.post(f"{path}?lang=en", data=data | {"csrf": token, "replace": "y"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Another answer came meanwhile" in page
    assert SAID in page
    assert 'name="over" value="1"' in page
    assert 'id="replace" name="replace" value="y" checked' not in page
    found = ballot(office, unit)
    assert found is not None
    assert found.marks == ("keep",)
    assert console.post_form(path, data | {"over": "1", "replace": "y"}).status_code == 303


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=1)])
def test_what_is_recorded_after_closing_does_not_count_though_it_was_given_in_time(
    app: Flask, office: Parts, cooperative: Cooperative, klaar: StaffMember, clock: FrozenClock, path: str, unit: int,
    late: timedelta,
) -> None:  # fmt: skip
    clock.move_to(CLOSING - timedelta(seconds=1))
    console = Console.of(app, office, klaar)
    token = console.get(path).partition('name="csrf" value="')[2].partition('"')[0]
    clock.move_to(CLOSING + late)
    answer = console.client.post(f"{path}?lang=en", data=typed(cooperative, csrf=token))
    assert answer.status_code == 409
    assert "What is recorded too late does not count" in answer.get_data(as_text=True)
    assert ballot(office, unit) is None
    page = console.get(path, language="en")
    assert "nothing can be recorded" in page
    assert '<form method="post" novalidate>' not in page


@pytest.mark.parametrize("secret", [True], indirect=True)
def test_a_secret_vote_is_recorded_for_nobody(
    console: Console, office: Parts, cooperative: Cooperative, path: str
) -> None:
    page = console.get(path, language="en")
    assert "This vote is secret: nobody can record it for another." in page
    assert 'name="choice"' not in page
    before = everything(office.db)
    assert console.post_form(path, typed(cooperative), page="/staff/me").status_code == 409
    assert everything(office.db) == before


def test_a_unit_of_another_poll_and_a_vote_that_is_nowhere_are_not_found(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, unit: int
) -> None:
    with office.db.transaction() as (session, now):
        other = build_poll(session, cooperative, closes_at=CLOSING, slug="andere")
        actions.open_poll(session, other.id, now, office.basis)
    for page in (f"/staff/polls/andere/votes/{unit}", f"/staff/polls/{poll.slug}/votes/999999"):
        assert console.ask(page).status_code == 404
        assert console.ask(f"{page}/remove").status_code == 404
        for form in (page, f"{page}/remove", f"{page}/keep"):
            assert console.post_form(form, typed(cooperative), page="/staff/me").status_code == 404


def test_the_vote_of_a_seat_is_recorded_only_when_its_holder_gave_it(
    console: Console, office: Parts, cooperative: Cooperative, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, slug="zetels", audience="group_seats",
                           service_id=None)  # fmt: skip
        seats = actions.open_poll(session, draft.id, now, office.basis)
    deliver()
    lies = unit_id(office, seats, "Lies Claes")
    path = f"/staff/polls/zetels/votes/{lies}"
    page = console.get(path, language="en")
    assert "This vote is personal" in page
    assert 'value="other"' not in page
    for giver in ("other", str(cooperative.contacts["els"].id)):
        assert console.post_form(path, typed(cooperative, giver=giver, name="Rik Smet")).status_code == 422
    data = typed(cooperative, giver=str(cooperative.contacts["lies"].id))
    assert console.post_form(path, data).status_code == 303
    assert [(mail.to, mail.template) for mail in deliver()] == [("lies.claes@duffel.example", "ballot-recorded")]


def test_whoever_answers_by_link_replaces_the_recorded_vote(
    console: Console, client: FlaskClient, office: Parts, cooperative: Cooperative, path: str, unit: int, els: str
) -> None:
    console.post_form(path, typed(cooperative))
    client.post(els, data={"choice": "keep"})
    found = ballot(office, unit)
    assert found is not None
    assert (found.marks, found.contact_id, found.channel, found.recorded_by_id, found.proof, found.version) == (
        ("keep",), cooperative.contacts["els"].id, Channel.LINK, None, "", 2,
    )  # fmt: skip
    assert found.cast_at == AFTERNOON
    assert "Your vote is recorded" in client.get(f"{els}?lang=en").get_data(as_text=True)


def test_an_equal_choice_by_link_is_an_answer_of_its_own(
    console: Console, client: FlaskClient, office: Parts, cooperative: Cooperative, path: str, unit: int, els: str
) -> None:
    console.post_form(path, typed(cooperative, choice="keep"))
    assert client.post(els, data={"choice": "keep"}).status_code == 303
    found = ballot(office, unit)
    assert found is not None
    assert (found.channel, found.contact_id) == (Channel.LINK, cooperative.contacts["els"].id)


def test_a_recorded_vote_is_removed_while_the_poll_is_open_and_all_are_told_why(
    console: Console, office: Parts, client: FlaskClient, cooperative: Cooperative, klaar: StaffMember, path: str,
    unit: int, els: str, deliver: Deliver, clock: FrozenClock,
) -> None:  # fmt: skip
    console.post_form(path, typed(cooperative))
    deliver()
    page = console.get(f"{path}/remove", language="en")
    assert "2 people who vote here are told by mail, with your reason." in page
    assert console.post_form(f"{path}/remove", {"over": "1", "reason": " "}, language="en").status_code == 422
    data = {"over": "1", "reason": "Verkeerde bibliotheek."}
    assert console.post_form(f"{path}/remove", data).location == f"{path}?done=vote-removed&lang=nl"
    assert console.post_form(f"{path}/remove", data).status_code == 303, "the second click"
    assert ballot(office, unit) is None
    assert [row[1:] for row in acts(office, "ballot-removed")] == [
        (f"staff:{klaar.id}",
         {"unit": unit, "marks": '["move"]', "version": 1, "answered_by": "Els Peeters", "channel": "telephone",
          "reason": "Verkeerde bibliotheek."}),
    ]  # fmt: skip
    mails = deliver()
    assert sorted((mail.to, mail.template) for mail in mails) == [(ELS, "ballot-recorded"), (JAN, "ballot-recorded")]
    assert all("Verkeerde bibliotheek." in mail.text and "verwijderd" in mail.subject for mail in mails)
    # What comes after it is mailed as what came before it: no key stands in its way.
    console.post_form(path, typed(cooperative, proof="Brief van 16 november.", channel="paper"))
    assert sorted(mail.template for mail in deliver()) == ["ballot-recorded", "ballot-recorded"]
    console.post_form(f"{path}/remove", data)
    deliver()
    clock.advance(minutes=1)
    client.post(els, data={"choice": "keep"})
    assert sorted((mail.to, mail.template) for mail in deliver()) == [
        (ELS, "ballot-receipt"), (JAN, "ballot-by-colleague"),
    ]  # fmt: skip


def test_removing_a_recorded_vote_lets_the_answer_by_link_stand_again_that_it_replaced(
    console: Console, office: Parts, client: FlaskClient, cooperative: Cooperative, path: str, unit: int, els: str,
    deliver: Deliver, clock: FrozenClock,
) -> None:  # fmt: skip
    client.post(els, data={"choice": "keep"})
    by_link = ballot(office, unit)
    assert by_link is not None
    clock.advance(minutes=10)
    console.post_form(path, typed(cooperative, over="1", replace="y", hour="15:10"))
    deliver()
    assert "Het antwoord dat Els Peeters op maandag 16 november 2026 om 15.00 uur per link gaf" in re.sub(
        r"<[^>]+>", "", console.get(f"{path}/remove")
    )
    console.post_form(f"{path}/remove", {"over": "2", "reason": "Verkeerde bibliotheek."})
    found = ballot(office, unit)
    assert found is not None
    assert (found.marks, found.contact_id, found.answered_by, found.channel, found.proof, found.cast_at) == (
        by_link.marks, by_link.contact_id, by_link.answered_by, Channel.LINK, "", by_link.cast_at,
    )  # fmt: skip
    assert (found.recorded_by_id, found.version) == (None, 3)
    clock.advance(minutes=10)
    assert sorted((mail.to, mail.template) for mail in deliver()) == [
        (ELS, "ballot-receipt"), (JAN, "ballot-by-colleague"),
    ]  # fmt: skip
    assert (
        console.post_form(f"{path}/remove", {"over": "2", "reason": "Verkeerde bibliotheek."}, page=path).status_code
        == 409
    ), "a second click finds an answer by link"


def test_an_answer_by_link_cannot_be_removed_and_nor_can_anything_after_closing(
    console: Console, office: Parts, client: FlaskClient, cooperative: Cooperative, poll: Poll, path: str, unit: int,
    els: str,
) -> None:  # fmt: skip
    data = {"over": "1", "reason": "Vergissing."}
    client.post(els, data={"choice": "keep"})
    assert "No recorded vote stands here." in console.get(f"{path}/remove", language="en")
    assert console.post_form(f"{path}/remove", data, page="/staff/me").status_code == 409
    console.post_form(path, typed(cooperative, over="1", replace="y", hour="15:00"))
    with office.db.transaction() as (session, now):
        actions.close_poll(session, poll.id, now, office.basis, early=True)
    refused = console.post_form(f"{path}/remove?", data | {"over": "2"}, page="/staff/me", language="en")
    assert refused.status_code == 409
    assert "The vote is closed, so it stays as it was counted." in refused.get_data(as_text=True)
    found = ballot(office, unit)
    assert found is not None
    assert found.marks == ("move",)


def test_the_outcome_says_of_a_recorded_vote_that_it_was_recorded(
    console: Console, client: FlaskClient, office: Parts, cooperative: Cooperative, poll: Poll, path: str, els: str
) -> None:
    console.post_form(path, typed(cooperative))
    with office.db.transaction() as (session, now):
        actions.close_poll(session, poll.id, now, office.basis, early=True)
    page = client.get(f"{els}?lang=en").get_data(as_text=True)
    given = "Given by Els Peeters by telephone on Monday 16 November 2026 at 09:00, and recorded by Klaar Leroy."
    assert page.count(given) == 2, "also in the text to hand in"
    assert "recorded: by telephone" in page
    assert "recorded: by telephone" in client.get(f"/polls/{poll.slug}?lang=en").get_data(as_text=True)


def test_the_moment_of_opening_is_the_earliest_though_its_minute_began_before(
    console: Console, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    clock.move_to(MONDAY + timedelta(seconds=42))
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, slug="later")
        later = actions.open_poll(session, draft.id, now, office.basis)
    unit = unit_id(office, later, "Bibliotheek Aartselaar")
    assert console.post_form(f"/staff/polls/later/votes/{unit}", typed(cooperative)).status_code == 303
    found = ballot(office, unit)
    assert found is not None
    assert found.cast_at == later.opened_at
