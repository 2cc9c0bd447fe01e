"""The page of a test mail: where was it found? Nobody but a person can say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.actions import mail_tests
from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Response
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.conftest import FrozenClock, Received
from tests.web.pages import Forms, everything

Deliver = Callable[[], list[Received]]


def send(office: Parts, *contacts: Contact) -> int:
    """Ask for test mails, as staff do."""
    with office.db.transaction() as (session, now):
        return mail_tests.send(session, now, office.basis, [contact.id for contact in contacts])


@pytest.fixture
def test_mail(office: Parts, cooperative: Cooperative, deliver: Deliver) -> Received:
    """The test mail of Els Peeters, whose address bounced before."""
    with office.db.transaction() as (session, now):
        session.get_one(Contact, cooperative.contacts["els"].id).undeliverable_at = now()
    send(office, cooperative.contacts["els"])
    (mail,) = deliver()
    return mail


def answers(office: Parts) -> list[tuple[str, bool]]:
    """Where test mails were found, and whether the contact's address is held to work."""
    with office.db.reading() as (session, _):
        contact = session.scalars(sa.select(Contact).where(Contact.name == "Els Peeters")).one()
        works = contact.undeliverable_at is None
        return [(response.answers["found"], works) for response in session.scalars(sa.select(Response))]


def test_the_mail_says_what_it_is_and_leads_to_a_page_with_nothing_chosen(
    client: FlaskClient, test_mail: Received
) -> None:
    assert (test_mail.to, test_mail.template) == ("els.peeters@aartselaar.example", "mail-test")
    assert test_mail.subject == "Els Peeters: komt onze mail bij je aan?"
    assert "http://localhost/it" in test_mail.text
    (form,) = Forms(client.get(test_mail.link).get_data(as_text=True)).found
    assert form.values == []


def test_an_answer_is_recorded_the_address_works_again_and_the_page_says_so(
    client: FlaskClient, office: Parts, test_mail: Received
) -> None:
    assert client.post(test_mail.link, data={"found": "quarantine"}).status_code == 303
    assert answers(office) == [("quarantine", True)]
    page = client.get(f"{test_mail.link}?lang=en").get_data(as_text=True)
    assert "Thank you: we know now that our mail arrives" in page
    assert "In quarantine: I had to release it" in page
    assert 'href="/it' in page


def test_a_second_click_adds_nothing_and_another_answer_takes_the_first_one_s_place(
    client: FlaskClient, office: Parts, test_mail: Received, clock: FrozenClock
) -> None:
    client.post(test_mail.link, data={"found": "unwanted"})
    before = everything(office.db)
    clock.advance(minutes=1)
    assert client.post(test_mail.link, data={"found": "unwanted"}).status_code == 303
    assert everything(office.db) == before
    assert client.post(test_mail.link, data={"found": "inbox"}).status_code == 303
    assert answers(office) == [("inbox", True)]
    with office.db.reading() as (session, _):
        found = [row.detail["found"] for row in session.scalars(
            sa.select(AuditRow).where(AuditRow.act == "mail-test-answered").order_by(AuditRow.id)
        )]  # fmt: skip
    assert found == ["unwanted", "inbox"]


@pytest.mark.parametrize(("found", "message"), [("", "Say where you found our mail."),
                                                ("elsewhere", "Choose one of the four.")])  # fmt: skip
def test_an_answer_that_is_none_says_what_to_do(
    client: FlaskClient, office: Parts, test_mail: Received, found: str, message: str
) -> None:
    before = everything(office.db)
    page = client.post(f"{test_mail.link}?lang=en", data={"found": found})
    assert page.status_code == 422
    assert message in page.get_data(as_text=True)
    assert everything(office.db) == before


def test_a_scanner_that_sends_every_form_as_served_answers_nothing(
    client: FlaskClient, office: Parts, test_mail: Received
) -> None:
    before = everything(office.db)
    for path in (test_mail.link, f"{test_mail.link}/person"):
        assert client.head(path).status_code == 200
        for form in Forms(client.get(path).get_data(as_text=True)).found:
            client.open(path, method=form.method.upper(), data=dict(form.values))
    assert everything(office.db) == before


def test_nobody_gets_two_within_an_hour_and_who_left_gets_none(
    office: Parts, cooperative: Cooperative, test_mail: Received, deliver: Deliver, clock: FrozenClock
) -> None:
    els, jan, lies = (cooperative.contacts[name] for name in ("els", "jan", "lies"))
    with office.db.transaction() as (session, now):
        session.get_one(Contact, lies.id).left_at = now()
    assert send(office, els, jan, lies) == 1
    assert [mail.to for mail in deliver()] == ["jan.maes@aartselaar.example"]
    clock.advance(hours=1)
    assert send(office, els, els) == 1


def test_a_test_mail_is_no_page_to_ask_a_new_link_for(
    client: FlaskClient, test_mail: Received, deliver: Deliver
) -> None:
    client.post("/link", data={"email": "els.peeters@aartselaar.example"})
    assert deliver() == []


def test_whoever_left_opens_no_test_page_and_it_ends_after_sixty_days(
    client: FlaskClient, office: Parts, cooperative: Cooperative, test_mail: Received, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        session.get_one(Contact, cooperative.contacts["els"].id).left_at = now()
    assert client.post(test_mail.link, data={"found": "inbox"}).status_code == 410
    with office.db.transaction() as (session, _):
        session.get_one(Contact, cooperative.contacts["els"].id).left_at = None
    clock.move_to(clock.moment + timedelta(days=60))
    assert client.get(test_mail.link).status_code == 410
