"""Not the right person? Naming the right one, who confirms; and what that does to links."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.domain.contacts import Representation
from coopmail.domain.polls import Poll
from coopmail.parts import Parts
from tests.conftest import Received
from tests.web.pages import Forms, everything

Deliver = Callable[[], list[Received]]
NOMINATION = {"name": "Nora Smets", "email": "nora.smets@aartselaar.example", "role": "replaces"}
DETAILS = {"answer": "accept", "name": "Nora Smets", "language": "nl", "telephone": "03 123 45 67"}


@pytest.fixture
def els(poll: Poll, deliver: Deliver) -> str:
    """The link of Els Peeters, for Bibliotheek Aartselaar."""
    return next(mail.link for mail in deliver() if mail.to == "els.peeters@aartselaar.example")


def name_nora(client: FlaskClient, els: str, deliver: Deliver, **changes: str) -> str:
    """Name Nora, and return the link in her mail."""
    page = client.post(f"{els}/person?lang=en", data=NOMINATION | changes)
    assert "The other person gets a mail" in page.get_data(as_text=True)
    (mail,) = deliver()
    assert (mail.to, mail.template) == (NOMINATION["email"], "contact-details-invitation")
    return mail.link


def test_the_named_person_confirms_gets_the_open_vote_and_the_other_link_ends(
    client: FlaskClient, els: str, deliver: Deliver
) -> None:
    link = name_nora(client, els, deliver)
    assert client.get(els).status_code == 200  # nothing changes before it is confirmed
    assert client.post(link, data=DETAILS).status_code == 303
    mails = {mail.to: mail for mail in deliver()}
    assert {to: mail.template for to, mail in mails.items()} == {
        "nora.smets@aartselaar.example": "ballot-invitation",
        "els.peeters@aartselaar.example": "contact-details-answered",
    }
    assert client.get(els).status_code == 410
    ballot = mails["nora.smets@aartselaar.example"].link
    assert client.post(ballot, data={"choice": "keep"}).status_code == 303
    assert "You answer for Bibliotheek Aartselaar" in client.get(f"{link}?lang=en").get_data(as_text=True)


def test_beside_means_that_both_stay(client: FlaskClient, els: str, deliver: Deliver) -> None:
    link = name_nora(client, els, deliver, role="beside")
    client.post(link, data=DETAILS)
    assert client.get(els).status_code == 200
    assert [mail.to for mail in deliver() if mail.template == "ballot-invitation"] == [NOMINATION["email"]]


def test_whoever_says_no_gets_nothing_more_and_the_other_is_told(
    client: FlaskClient, els: str, deliver: Deliver
) -> None:
    link = name_nora(client, els, deliver)
    assert client.post(link, data={"answer": "decline"}).status_code == 303
    assert [(mail.to, mail.template) for mail in deliver()] == [
        ("els.peeters@aartselaar.example", "contact-details-answered")
    ]
    assert client.get(els).status_code == 200


def test_a_second_click_adds_nothing_and_a_different_answer_is_refused(
    client: FlaskClient, office: Parts, els: str, deliver: Deliver
) -> None:
    link = name_nora(client, els, deliver)
    client.post(link, data=DETAILS)
    deliver()
    before = everything(office.db)
    assert client.post(link, data=DETAILS).status_code == 303
    assert client.post(link, data={"answer": "decline"}).status_code == 409
    assert everything(office.db) == before


def test_the_robot_changes_nothing_on_either_page(
    client: FlaskClient, office: Parts, els: str, deliver: Deliver
) -> None:
    link = name_nora(client, els, deliver)
    before = everything(office.db)
    for path in (link, f"{els}/person", f"{link}/person"):
        for form in Forms(client.get(path).get_data(as_text=True)).found:
            client.open(path, method=form.method.upper(), data=dict(form.values))
    assert everything(office.db) == before
    assert client.post(link, data=DETAILS).status_code == 303


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "Type the name of the right person."),
        ({"name": "Nora\x00"}, "Remove the invisible characters"),
        ({"email": "nora"}, "Type one e-mail address with an @"),
        ({"email": "n\u043era@aartselaar.example"}, "Type one e-mail address with an @"),
        ({"email": "ELS.peeters@aartselaar.example"}, "This is the address that the invitation went to"),
        ({"role": ""}, "Say whether that person takes your place, or joins you."),
    ],
)
def test_a_wrong_nomination_says_what_to_do_and_keeps_what_was_typed(
    client: FlaskClient, office: Parts, els: str, changes: dict[str, str], message: str
) -> None:
    before = everything(office.db)
    page = client.post(f"{els}/person?lang=en", data=NOMINATION | changes)
    assert page.status_code == 422
    assert message in page.get_data(as_text=True)
    assert everything(office.db) == before


def test_naming_the_same_person_twice_mails_once_and_six_people_a_day_are_too_many(
    client: FlaskClient, els: str, deliver: Deliver
) -> None:
    name_nora(client, els, deliver)
    client.post(f"{els}/person", data=NOMINATION)
    assert deliver() == []
    for number in range(4):
        client.post(f"{els}/person", data=NOMINATION | {"email": f"n{number}@aartselaar.example"})
    assert len(deliver()) == 4
    sixth = client.post(f"{els}/person?lang=en", data=NOMINATION | {"email": "n9@aartselaar.example"})
    assert "You named many people today." in sixth.get_data(as_text=True)
    assert deliver() == []


def test_a_corrected_answer_is_not_taken_for_the_first(client: FlaskClient, els: str, deliver: Deliver) -> None:
    link = name_nora(client, els, deliver)
    client.post(link, data=DETAILS)
    corrected = client.post(f"{link}?lang=en", data=DETAILS | {"telephone": "03 999 99 99"})
    assert corrected.status_code == 409
    assert "What you sent now was not recorded" in corrected.get_data(as_text=True)


@pytest.mark.parametrize("name", ["kijk op evil.example/login", "www.evil.example", "a@b", "Nora evil.example"])
def test_a_name_that_a_mail_program_would_make_a_link_of_is_refused(client: FlaskClient, els: str, name: str) -> None:
    page = client.post(f"{els}/person?lang=en", data=NOMINATION | {"name": name})
    assert page.status_code == 422
    assert "Type a name here, without an address" in page.get_data(as_text=True)


def test_whoever_no_longer_votes_for_the_organisation_names_nobody(
    client: FlaskClient, office: Parts, els: str, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        session.execute(sa.update(Representation).values(ended_at=now()))
    before = everything(office.db)
    assert client.post(f"{els}/person", data=NOMINATION).status_code == 409
    assert everything(office.db) == before


def test_whoever_was_replaced_and_is_named_back_is_invited_again(
    client: FlaskClient, els: str, deliver: Deliver
) -> None:
    client.post(name_nora(client, els, deliver), data=DETAILS)
    nora = next(mail.link for mail in deliver() if mail.template == "ballot-invitation")
    back = {"name": "Els Peeters", "email": "els.peeters@aartselaar.example", "role": "replaces"}
    client.post(f"{nora}/person", data=back)
    (asked,) = deliver()
    client.post(asked.link, data=DETAILS | {"name": "Els Peeters"})
    (invited,) = [mail for mail in deliver() if mail.template == "ballot-invitation"]
    assert invited.to == "els.peeters@aartselaar.example"
    assert client.post(invited.link, data={"choice": "keep"}).status_code == 303


def test_when_one_replacement_is_confirmed_the_other_that_was_named_falls(
    client: FlaskClient, els: str, deliver: Deliver
) -> None:
    first = name_nora(client, els, deliver)
    client.post(f"{els}/person", data=NOMINATION | {"email": "second@aartselaar.example"})
    (second,) = deliver()
    client.post(first, data=DETAILS)
    assert client.get(second.link).status_code == 410
