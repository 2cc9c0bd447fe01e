"""The call list: who has not answered, in what order, ticked off, taken back, printed and exported."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.actions import polls as actions
from coopmail.domain.contacts import Contact
from coopmail.domain.polls import Call, Poll, VotingUnit
from coopmail.domain.staff import StaffMember
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, Received
from tests.console import Console
from tests.web.pages import everything
from tests.web.staff.recording import acts, statements, unit_id

Deliver = Callable[[], list[Received]]
LIST = "/staff/polls/krantenarchief/calls"


class Rows(HTMLParser):
    """The first cell of each row of the list, and all that its row says."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        """A row begins, or a cell of it."""
        self._inside = self._inside or tag == "tbody"
        if tag == "tr" and self._inside:
            self.rows.append([])
        if tag == "td" and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """The table ends."""
        self._inside = self._inside and tag != "tbody"

    def handle_data(self, data: str) -> None:
        """Text of a cell."""
        if self._inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())


def names(page: str) -> list[str]:
    """Who is listed, in order."""
    return [re.match(r"Bibliotheek \w+|\w+ \w+", row[0])[0] for row in Rows(page).rows]  # type: ignore[index]


def row_of(page: str, name: str) -> str:
    """All that the row of a unit says."""
    (found,) = [" | ".join(row) for row in Rows(page).rows if row[0].startswith(name)]
    return found


def tick(console: Console, unit: int, note: str = "", after: int = 0, path: str = LIST) -> int:
    """Tick off that a unit was called; the status of the answer."""
    data = {"unit": str(unit), "note": note, "after": str(after)}
    return console.post_form(path, data).status_code


def calls(office: Parts) -> list[tuple[int, int | None, str]]:
    """The calls that are noted: to which unit, by whom, and what came of it."""
    with office.db.reading() as (session, _):
        return [(row.unit_id, row.staff_id, row.note) for row in session.scalars(sa.select(Call).order_by(Call.id))]


def test_i_see_whom_to_call_with_numbers_whom_no_mail_reaches_first(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        people = {key: session.get_one(Contact, contact.id) for key, contact in cooperative.contacts.items()}
        people["els"].telephone, people["an"].telephone = "03/870.00.01", "014 00 00 02"
        people["jan"].away_until = date(2026, 11, 20)
        people["boom"].undeliverable_at = now()
    link = next(mail.link for mail in deliver() if "Duffel" in mail.subject)
    client.post(link, data={"choice": "keep"})
    page = console.get(LIST, language="en")
    assert names(page) == ["Bibliotheek Boom", "Bibliotheek Mol", "Bibliotheek Aartselaar", "Bibliotheek Lier"]
    assert 'href="tel:038700001"' in page
    aartselaar = row_of(page, "Bibliotheek Aartselaar")
    for text in ("Els Peeters", "03/870.00.01", "away until Friday 20 November 2026", "mail reaches them"):
        assert text in aartselaar, text
    assert "no telephone number" in row_of(page, "Bibliotheek Lier")
    assert "mail does not arrive" in row_of(page, "Bibliotheek Boom")
    mol = row_of(page, "Bibliotheek Mol")
    for text in ("nobody", "An Wouters", "(reads, does not vote)", "014 00 00 02", "no mail reaches them"):
        assert text in mol, text
    assert "mailed" not in mol
    assert "mailed" in aartselaar
    assert "not mailed" not in aartselaar


def test_whom_i_called_goes_to_the_end_with_my_note_and_can_be_taken_back(
    console: Console, office: Parts, poll: Poll, klaar: StaffMember
) -> None:
    boom = unit_id(office, poll, "Bibliotheek Boom")
    answer = console.post_form(LIST, {"unit": str(boom), "note": " Belt  morgen terug. ", "after": "0"})
    assert (answer.status_code, answer.location) == (303, f"{LIST}?done=called&lang=nl")
    page = console.get(LIST, language="en")
    assert names(page)[-1] == "Bibliotheek Boom"
    assert "called" in row_of(page, "Bibliotheek Boom")
    assert "Klaar Leroy “Belt morgen terug.”" in row_of(page, "Bibliotheek Boom")
    assert calls(office) == [(boom, klaar.id, "Belt morgen terug.")]
    (call,) = re.findall(r'name="call" value="(\d+)"', page)
    for _ in range(2):
        back = console.post_form(f"{LIST}/undo", {"unit": str(boom), "call": call}, page=LIST)
        assert back.location == f"{LIST}?done=call-undone&lang=nl"
    assert calls(office) == []
    assert acts(office, "unit-called", "call-undone") == [
        ("unit-called", klaar.actor, {"unit": boom, "note": "Belt morgen terug."}),
        ("call-undone", klaar.actor, {"unit": boom, "note": "Belt morgen terug."}),
    ]


def test_a_second_click_notes_no_second_call_and_a_second_call_can_be_noted(
    console: Console, office: Parts, poll: Poll
) -> None:
    lier = unit_id(office, poll, "Bibliotheek Lier")
    assert [tick(console, lier, "Geen gehoor."), tick(console, lier, "Geen gehoor.")] == [303, 303]
    assert len(calls(office)) == 1
    (last,) = re.findall(r'name="after" value="([1-9]\d*)"', console.get(LIST))
    assert tick(console, lier, "Geen gehoor.", int(last)) == 303
    assert len(calls(office)) == 2


def test_a_colleague_who_called_meanwhile_is_shown_and_my_note_is_kept(
    console: Console, colleague: Console, office: Parts, poll: Poll
) -> None:
    lier = unit_id(office, poll, "Bibliotheek Lier")
    tick(colleague, lier, "Stemt vandaag.")
    answer = console.post_form(LIST, {"unit": str(lier), "note": "Geen gehoor.", "after": "0"}, language="en")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "A colleague called Bibliotheek Lier meanwhile" in page
    assert "Bram Wouters" in page
    assert 'value="Geen gehoor."' in page
    assert len(calls(office)) == 1


def test_whoever_answered_meanwhile_need_not_be_called(
    console: Console, client: FlaskClient, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    link = next(mail.link for mail in deliver() if "Lier" in mail.subject)
    client.post(link, data={"choice": "keep"})
    answer = console.post_form(
        LIST, {"unit": str(unit_id(office, poll, "Bibliotheek Lier")), "note": "", "after": "0"}, language="en"
    )
    assert answer.status_code == 409
    assert "Bibliotheek Lier has answered meanwhile" in answer.get_data(as_text=True)
    assert calls(office) == []


def test_a_note_that_is_too_long_is_kept_and_says_so(console: Console, office: Parts, poll: Poll) -> None:
    lier = unit_id(office, poll, "Bibliotheek Lier")
    answer = console.post_form(LIST, {"unit": str(lier), "note": "x" * 401, "after": "0"}, language="en")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "Keep the note under 400 characters." in page
    assert f'href="#note-{lier}"' in page
    assert "x" * 401 in page


def test_the_list_is_filtered_searched_and_goes_on_where_i_was(
    console: Console, office: Parts, poll: Poll, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, _):
        session.get_one(Contact, cooperative.contacts["jan"].id).away_until = date(2026, 11, 16)
    lier = unit_id(office, poll, "Bibliotheek Lier")
    here = f"{LIST}?show=not-called&q=lies"
    assert names(console.get(here)) == ["Bibliotheek Duffel", "Bibliotheek Lier"]
    answer = console.post_form(here, {"unit": str(lier), "note": "", "after": "0"})
    assert answer.location == f"{LIST}?done=called&show=not-called&q=lies&lang=nl"
    assert names(console.get(here)) == ["Bibliotheek Duffel"]
    assert names(console.get(f"{LIST}?show=called")) == ["Bibliotheek Lier"]
    assert names(console.get(f"{LIST}?show=unreachable")) == ["Bibliotheek Mol"]
    assert names(console.get(f"{LIST}?show=away")) == ["Bibliotheek Aartselaar"]
    assert names(console.get(f"{LIST}?q=wouters")) == ["Bibliotheek Mol"]
    nothing = console.get(f"{LIST}?q=nergens", language="en")
    assert "Nothing found." in nothing


def test_when_all_have_answered_there_is_nobody_to_call(
    console: Console, office: Parts, cooperative: Cooperative, deliver: Deliver, client: FlaskClient
) -> None:
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, slug="zetels", audience="group_seats",
                           service_id=None)  # fmt: skip
        actions.open_poll(session, draft.id, now, office.basis)
    path = "/staff/polls/zetels/calls"
    assert names(console.get(path)) == ["Els Peeters", "Lies Claes", "Tom Baert"]
    for mail in deliver():
        client.post(mail.link, data={"choice": "keep"})
    assert "Everyone has answered. There is nobody to call." in console.get(path, language="en")


def test_a_draft_says_what_to_do_first_and_a_closed_poll_that_calling_changes_nothing(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    with office.db.transaction() as (session, now):
        build_poll(session, cooperative, closes_at=CLOSING, slug="ontwerp")
        actions.close_poll(session, poll.id, now, office.basis, early=True)
    assert "The vote is not open yet." in console.get("/staff/polls/ontwerp/calls", language="en")
    page = console.get(LIST, language="en")
    assert "calling changes nothing" in page
    assert "I called" not in page


def test_a_unit_of_another_poll_cannot_be_ticked_off(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    with office.db.transaction() as (session, now):
        other = build_poll(session, cooperative, closes_at=CLOSING, slug="andere")
        actions.open_poll(session, other.id, now, office.basis)
    foreign = unit_id(office, other, "Bibliotheek Lier")
    before = everything(office.db)
    for unit in (str(foreign), "999999", "", "x", "1" * 30):
        assert console.post_form(LIST, {"unit": unit, "note": "", "after": "0"}).status_code == 404
        assert console.post_form(f"{LIST}/undo", {"unit": unit, "call": "1"}, page=LIST).status_code == 404
    assert everything(office.db) == before


def test_a_secret_poll_is_called_for_and_no_vote_is_recorded_from_its_list(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, slug="geheim", secret=True)
        actions.open_poll(session, draft.id, now, office.basis)
    assert "/votes/" not in console.get("/staff/polls/geheim/calls")
    assert "/votes/" not in console.get(f"{LIST.replace('krantenarchief', 'geheim')}?whole=1")


@pytest.fixture
def many(office: Parts, poll: Poll) -> int:
    """A hundred more units, of which nobody was invited."""
    with office.db.transaction() as (session, now):
        for number in range(100):
            person = Contact(name=f"Persoon {number:03}", email=f"p{number}@veld.example",
                             email_key=f"p{number}@veld.example", confirmed_at=now())  # fmt: skip
            session.add(person)
            session.flush()
            session.add(VotingUnit(poll_id=poll.id, contact_id=person.id, name=person.name, population=0, weight=0))
    return 105


def test_a_long_list_has_pages_and_one_page_to_print(console: Console, many: int) -> None:
    assert len(Rows(console.get(LIST)).rows) == 50
    assert len(Rows(console.get(f"{LIST}?page=3")).rows) == many - 100
    whole = console.get(f"{LIST}?whole=1", language="en")
    assert len(Rows(whole).rows) == many
    assert "I called" not in whole
    assert "Back to the list to tick off" in whole


def test_a_page_asks_the_same_number_of_questions_for_five_units_and_for_fifty(
    console: Console, office: Parts, poll: Poll, request: pytest.FixtureRequest
) -> None:
    few = statements(office, lambda: console.get(LIST))
    request.getfixturevalue("many")
    assert statements(office, lambda: console.get(LIST)) == few


def test_the_export_holds_every_unit_with_its_numbers(
    console: Console, office: Parts, cooperative: Cooperative, many: int
) -> None:
    with office.db.transaction() as (session, _):
        session.get_one(Contact, cooperative.contacts["els"].id).telephone = "03 870 00 01"
    answer = console.ask(f"{LIST}.csv", language="en")
    lines = answer.get_data().decode("utf-8-sig").splitlines()
    assert len(lines) == many + 1
    assert any("Bibliotheek Aartselaar" in line and "Els Peeters 03 870 00 01" in line for line in lines)
    assert console.ask(f"{LIST}.xlsx").status_code == 200


def test_looking_and_printing_change_nothing(console: Console, office: Parts, poll: Poll) -> None:
    before = everything(office.db)
    for path in (LIST, f"{LIST}?whole=1", f"{LIST}.csv", f"{LIST}/undo"):
        console.ask(path)
        console.client.head(path)
    assert everything(office.db) == before
