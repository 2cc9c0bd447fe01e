"""The page of who cannot be reached, test mails to a domain, and the page for the IT department."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from coopmail.config import Relay
from coopmail.domain.contacts import Contact
from coopmail.parts import Parts
from tests.builders import Cooperative, build_contact
from tests.conftest import Received
from tests.console import Console
from tests.web.pages import everything

Deliver = Callable[[], list[Received]]
PAGE = "/staff/reachability"


def test_an_empty_house_says_that_all_is_well(console: Console, office: Parts) -> None:
    page = console.get(PAGE, language="en")
    for said in (
        "Every coöperant has somebody who votes", "No domain was silent", "No address is known to bounce.",
        "Nobody is known to be away.", "Everybody who was named has confirmed.", "No test mail was sent yet.",
    ):  # fmt: skip
        assert said in page


def test_each_list_names_who_is_in_it_with_the_way_to_mend_it(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    cast = cooperative.contacts
    with office.db.transaction() as (session, now):
        for name, values in (
            ("els", {"away_until": date(2026, 12, 24)}), ("tom", {"undeliverable_at": now()}),
            ("an", {"confirmed_at": None}),
        ):  # fmt: skip
            session.execute(sa.update(Contact).where(Contact.id == cast[name].id).values(**values))
    page = console.get(PAGE, language="en")
    mol = cooperative.libraries["Mol"].id
    for said in (
        "Bibliotheek Mol", "votes of all coöperanten; Krantenarchief, Open Vlacc",
        f"/staff/contacts/new?organisation={mol}", "Thursday 24 December 2026",
        f"/staff/contacts/{cast['tom'].id}/edit", "An Wouters",
    ):  # fmt: skip
        assert said in page


def test_the_page_asks_as_many_questions_for_forty_contacts_as_for_one(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    counted: list[str] = []
    event.listen(office.db.engine, "before_cursor_execute", lambda _c, _u, text, *_more: counted.append(text))
    console.get(PAGE)
    few = len(counted)
    with office.db.transaction() as (session, now):
        session.add_all(
            build_contact(f"Iemand {n}", f"i{n}@x{n}.example", now(), undeliverable_at=now(),
                          away_until=date(2026, 12, 1)) for n in range(40)
        )  # fmt: skip
    counted.clear()
    assert console.get(PAGE).count("Iemand") == 80
    assert len(counted) == few


def test_a_domain_gets_its_test_mails_after_a_page_that_says_to_how_many(
    console: Console, office: Parts, cooperative: Cooperative, deliver: Deliver, client: FlaskClient
) -> None:
    path = f"{PAGE}/aartselaar.example/test"
    before = everything(office.db)
    page = console.get(path, language="en")
    assert "2 contacts at this domain get a mail with a link each" in page
    assert "Send 2 test mails" in page
    assert everything(office.db) == before
    assert "done=mail-tests-sent" in console.post_form(path).location
    mails = deliver()
    assert sorted(mail.to for mail in mails) == ["els.peeters@aartselaar.example", "jan.maes@aartselaar.example"]
    client.post(mails[0].link, data={"found": "forwarded"})
    page = console.get(PAGE, language="en")
    assert "A colleague forwarded it to me" in page
    assert "sent, no answer yet" in page
    assert "done=mail-tests-recent" in console.post_form(path).location
    assert deliver() == []


@pytest.mark.parametrize("domain", ["nowhere.example", "example", "%2e%2e", "a%00b"])
def test_a_domain_where_nobody_is_is_not_found(console: Console, cooperative: Cooperative, domain: str) -> None:
    assert console.ask(f"{PAGE}/{domain}/test").status_code == 404


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_page_for_the_it_department_is_read_by_anyone_and_says_what_to_allow(
    client: FlaskClient, console: Console, language: str
) -> None:
    for page in (
        client.get(f"/it?lang={language}").get_data(as_text=True),
        console.get("/staff/it", language=language),
    ):
        for said in (
            "cooperatie@cultuurconnect.example", "_dmarc.cultuurconnect.example", "DKIM-Signature", "Safe Links",
            "http://localhost/…", "02 000 00 00", "klaar.leroy@cultuurconnect.example",
        ):  # fmt: skip
            assert said in page


def test_a_relay_elsewhere_is_named_without_its_login_and_one_on_this_machine_is_not(
    app: Flask, client: FlaskClient
) -> None:
    office = app.extensions["coopmail"]
    for relay, shown in ((Relay("smtp.relay.example", 587, username="coop", password="a-secret-word"), True),
                         (Relay("127.0.0.1", 25, "none"), False)):  # fmt: skip
        app.extensions["coopmail"] = replace(office, settings=replace(office.settings, relay=relay))
        page = client.get("/it").get_data(as_text=True)
        assert ("smtp.relay.example" in page) is shown
        assert ("127.0.0.1" in page, "a-secret-word" in page, "coop:" in page) == (False, False, False)
    app.extensions["coopmail"] = office
