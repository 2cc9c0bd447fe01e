"""One contact hands over to another: one mail, one page, one answer for all organisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.actions import contacts, nominations, representations
from coopmail.domain.audit import Matter
from coopmail.domain.contacts import Mode
from coopmail.domain.polls import Poll
from coopmail.parts import Parts
from coopmail.queries import contacts as questions
from coopmail.queries.invitations import contact_by_address
from tests.builders import Cooperative
from tests.conftest import FrozenClock, Received
from tests.web.pages import Forms, everything

Deliver = Callable[[], list[Received]]
PIET = "piet.nieuw@duffel.example"
YES = {"answer": "accept", "name": "Piet Nieuw", "language": "nl", "telephone": "03 123 45 67"}


def hand_over(office: Parts, cooperative: Cooperative, *libraries: str, **changes: Any) -> None:
    """Lies Claes hands over, as staff arrange it."""
    ids = [cooperative.libraries[name].id for name in libraries]
    with office.db.transaction() as (session, now):
        nominations.hand_over(session, now, office.basis, cooperative.contacts["lies"].id, ids,
                              **({"name": "Piet Nieuw", "email": PIET} | changes))  # fmt: skip


@pytest.fixture
def before(poll: Poll, deliver: Deliver) -> list[str]:
    """The links of Lies Claes, for Duffel and Lier."""
    return [mail.link for mail in deliver() if mail.to == "lies.claes@duffel.example"]


@pytest.fixture
def asked(office: Parts, cooperative: Cooperative, before: list[str], deliver: Deliver) -> Received:
    """The one mail that asks Piet for both libraries."""
    hand_over(office, cooperative, "Duffel", "Lier")
    (mail,) = deliver()
    return mail


def test_one_mail_names_every_organisation_and_nothing_changes_before_it_is_confirmed(
    client: FlaskClient, before: list[str], asked: Received
) -> None:
    assert (asked.to, asked.template) == (PIET, "handover-invitation")
    assert asked.subject.startswith("Bibliotheek Duffel en Bibliotheek Lier: neem jij over van Lies Claes?")
    page = client.get(f"{asked.link}?lang=en").get_data(as_text=True)
    for part in (asked.text, page):
        assert "Bibliotheek Duffel" in part
        assert "Bibliotheek Lier" in part
    assert [client.get(link).status_code for link in before] == [200, 200]


def test_one_answer_takes_over_all_of_it_with_the_open_votes_and_ends_the_other_s_links(
    client: FlaskClient, before: list[str], asked: Received, deliver: Deliver
) -> None:
    assert client.post(asked.link, data=YES).status_code == 303
    mails = deliver()
    assert sorted((mail.to, mail.template) for mail in mails) == [
        ("lies.claes@duffel.example", "handover-answered"), (PIET, "ballot-invitation"), (PIET, "ballot-invitation"),
    ]  # fmt: skip
    assert [client.get(link).status_code for link in before] == [410, 410]
    links = [mail.link for mail in mails if mail.to == PIET]
    assert [client.post(link, data={"choice": "keep"}).status_code for link in links] == [303, 303]
    (told,) = [mail for mail in mails if mail.template == "handover-answered"]
    assert told.subject == "Bibliotheek Duffel en Bibliotheek Lier: Piet Nieuw heeft overgenomen"
    assert "You took over from Lies Claes" in client.get(f"{asked.link}?lang=en").get_data(as_text=True)


def test_who_says_no_changes_nothing_and_staff_hear_of_it(
    client: FlaskClient, office: Parts, before: list[str], asked: Received, deliver: Deliver
) -> None:
    assert client.post(asked.link, data={"answer": "decline"}).status_code == 303
    assert [(mail.to, mail.template) for mail in deliver()] == [("lies.claes@duffel.example", "handover-answered")]
    assert [client.get(link).status_code for link in before] == [200, 200]
    with office.db.reading() as (session, _):
        said = session.scalars(sa.select(Matter.text).where(Matter.key.startswith("handover:"))).all()
    assert said == ["Piet Nieuw will not take over from Lies Claes: somebody else is needed."]


def test_a_second_click_adds_nothing_and_a_different_answer_is_refused(
    client: FlaskClient, office: Parts, asked: Received, deliver: Deliver
) -> None:
    client.post(asked.link, data=YES)
    deliver()
    before = everything(office.db)
    assert client.post(asked.link, data=YES).status_code == 303
    assert client.post(asked.link, data={"answer": "decline"}).status_code == 409
    assert everything(office.db) == before


def test_a_scanner_confirms_nothing(client: FlaskClient, office: Parts, asked: Received) -> None:
    before = everything(office.db)
    for path in (asked.link, f"{asked.link}/person"):
        for form in Forms(client.get(path).get_data(as_text=True)).found:
            client.open(path, method=form.method.upper(), data=dict(form.values))
    assert everything(office.db) == before


def test_asking_the_same_twice_mails_once(
    office: Parts, cooperative: Cooperative, asked: Received, deliver: Deliver
) -> None:
    before = everything(office.db)
    hand_over(office, cooperative, "Lier", "Duffel")
    assert everything(office.db) == before
    assert deliver() == []


def test_it_holds_when_whoever_hands_over_leaves_meanwhile(
    client: FlaskClient, office: Parts, cooperative: Cooperative, asked: Received, deliver: Deliver,
    clock: FrozenClock,
) -> None:  # fmt: skip
    with office.db.transaction() as (session, now):
        contacts.leave(session, now, office.basis, cooperative.contacts["lies"].id)
    clock.advance(days=1)
    assert client.post(asked.link, data=YES).status_code == 303
    assert [(mail.to, mail.template) for mail in deliver()] == [(PIET, "ballot-invitation")] * 2


def test_of_two_successors_the_first_to_confirm_gets_it_and_the_second_hears_so(
    client: FlaskClient, office: Parts, cooperative: Cooperative, asked: Received, deliver: Deliver
) -> None:
    hand_over(office, cooperative, "Lier", name="Rita Nieuw", email="rita@lier.example")
    (rita,) = deliver()
    client.post(asked.link, data=YES)
    deliver()
    before = everything(office.db)
    page = client.get(f"{rita.link}?lang=en").get_data(as_text=True)
    assert "Somebody else took over from Lies Claes meanwhile" in page
    assert client.post(rita.link, data=YES | {"name": "Rita Nieuw"}).status_code == 409
    assert everything(office.db) == before


def test_what_another_took_over_meanwhile_stays_with_that_one(
    client: FlaskClient, office: Parts, cooperative: Cooperative, asked: Received, deliver: Deliver
) -> None:
    hand_over(office, cooperative, "Lier", name="Rita Nieuw", email="rita@lier.example")
    (rita,) = deliver()
    client.post(rita.link, data=YES | {"name": "Rita Nieuw"})
    deliver()
    assert client.post(asked.link, data=YES).status_code == 303
    mails = deliver()
    assert [mail.subject.partition(":")[0] for mail in mails if mail.to == PIET] == ["Bibliotheek Duffel"]
    (told,) = [mail for mail in mails if mail.template == "handover-answered"]
    assert told.subject == "Bibliotheek Duffel: Piet Nieuw heeft overgenomen"


def test_only_what_one_stands_for_and_only_to_another(
    office: Parts, cooperative: Cooperative, before: list[str]
) -> None:
    known = everything(office.db)
    with pytest.raises(nominations.NothingToHandOver):
        hand_over(office, cooperative, "Boom")
    with pytest.raises(nominations.OwnAddress):
        hand_over(office, cooperative, "Lier", email="Lies.Claes@duffel.example")
    assert everything(office.db) == known


def test_the_services_that_differ_are_handed_over_as_they_were(
    client: FlaskClient, office: Parts, cooperative: Cooperative, deliver: Deliver
) -> None:
    lies, lier = cooperative.contacts["lies"].id, cooperative.libraries["Lier"].id
    service = cooperative.services["open-vlacc"].id
    standing: questions.Standing = {None: Mode.VOTES, service: Mode.READS}
    with office.db.transaction() as (session, now):
        representations.set_standing(session, now, office.basis, lies, lier, standing, version=1)
    hand_over(office, cooperative, "Lier")
    (asked,) = deliver()
    client.post(asked.link, data=YES)
    with office.db.reading() as (session, _):
        piet = contact_by_address(session, PIET)
        assert piet is not None
        assert questions.standing(session, piet.id, lier) == standing
        assert questions.standing(session, lies, lier) == {}
