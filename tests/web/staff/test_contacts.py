"""Contacts in the console: found, added, changed, away, gone and back, and for whom they stand."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy import event

from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.organisations import Organisation
from coopmail.domain.polls import Poll
from coopmail.parts import Parts
from coopmail.queries import contacts as questions
from tests.builders import Cooperative, build_contact
from tests.conftest import Received
from tests.console import Console
from tests.web.pages import everything

Deliver = Callable[[], list[Received]]
NORA = {"name": "Nora Smets", "email": "nora.smets@mol.example", "telephone": "014 12 34 56", "language": "nl",
        "mode": "votes"}  # fmt: skip


def names(page: str) -> list[str]:
    """The contacts of a list, in its order."""
    return re.findall(r'<td role="cell"><a href="/staff/contacts/[0-9]+[^"]*">([^<]+)</a>', page)


def known(office: Parts, name: str) -> Contact:
    """A contact as it stands now."""
    with office.db.reading() as (session, _):
        return session.scalars(sa.select(Contact).where(Contact.name == name)).one()


def change(office: Parts, contact: Contact, **values: Any) -> None:
    """Write these values into a contact's row."""
    with office.db.transaction() as (session, _):
        session.execute(sa.update(Contact).where(Contact.id == contact.id).values(**values))


def fields_of(contact: Contact) -> dict[str, str]:
    """What the form of a contact holds when it is served."""
    return {"version": str(contact.version), "name": contact.name, "email": contact.email,
            "telephone": contact.telephone, "language": contact.language}  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["An Wouters", "Bibliotheek Boom", "Els Peeters", "Jan Maes", "Lies Claes", "Mia Jacobs", "Tom Baert"]),
        ("?sort=-name", ["Tom Baert", "Mia Jacobs", "Lies Claes", "Jan Maes", "Els Peeters", "Bibliotheek Boom",
                         "An Wouters"]),
        ("?q=peeters", ["Els Peeters"]),
        ("?q=AARTSELAAR.example", ["Els Peeters", "Jan Maes"]),
        ("?q=bibliotheek+lier", ["Lies Claes"]),
        ("?q=0476", ["Jan Maes"]),
        ("?q=%25", []),
        ("?mode=reads", ["An Wouters"]),
        ("?mode=none", ["Mia Jacobs"]),
        ("?language=en", ["Tom Baert"]),
        ("?functional=yes", ["Bibliotheek Boom"]),
        ("?status=left", ["Tom Baert"]),
        ("?status=undeliverable", ["Lies Claes"]),
        ("?status=unconfirmed", ["Mia Jacobs"]),
        ("?status=away", ["Els Peeters"]),
        ("?status=confirmed", ["An Wouters", "Bibliotheek Boom", "Jan Maes"]),
    ],
)  # fmt: skip
def test_the_list_is_searched_filtered_and_sorted(
    console: Console, office: Parts, cooperative: Cooperative, asked: str, found: list[str]
) -> None:
    with office.db.reading() as (_session, now):
        moment = now()
    cast = cooperative.contacts
    change(office, cast["tom"], left_at=moment, undeliverable_at=moment)
    change(office, cast["lies"], undeliverable_at=moment)
    change(office, cast["mia"], confirmed_at=None)
    change(office, cast["els"], away_until=date(2026, 11, 16))
    change(office, cast["jan"], telephone="0476 12 34 56", away_until=date(2026, 11, 15))
    assert names(console.get(f"/staff/contacts{asked}")) == found


@pytest.mark.parametrize("typed", ["a%00b", "a" * 201])
def test_what_no_contact_can_be_called_is_not_searched(console: Console, typed: str) -> None:
    assert console.ask(f"/staff/contacts?q={typed}").status_code == 400


def test_who_votes_in_a_service_is_found_by_its_rule(console: Console, office: Parts, cooperative: Cooperative) -> None:
    service = cooperative.services["krantenarchief"].id
    with office.db.transaction() as (session, now):
        for name, mode in (("an", Mode.VOTES), ("els", Mode.READS)):
            contact = cooperative.contacts[name]
            where = cooperative.libraries["Mol" if name == "an" else "Aartselaar"].id
            session.add(Representation(contact_id=contact.id, organisation_id=where, service_id=service,
                                                 mode=mode, started_at=now()))  # fmt: skip
    assert names(console.get(f"/staff/contacts?service={service}")) == [
        "An Wouters", "Bibliotheek Boom", "Jan Maes", "Lies Claes", "Tom Baert",
    ]  # fmt: skip


def test_the_list_shows_organisations_and_when_somebody_last_answered_and_is_exported(
    console: Console, poll: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "els.peeters@aartselaar.example")
    client.post(link, data={"choice": "keep"})
    page = console.get("/staff/contacts?q=claes", language="en")
    assert "Bibliotheek Duffel<br>Bibliotheek Lier" in page
    assert "Monday 16 November 2026 at 09:00" in console.get("/staff/contacts?q=peeters", language="en")
    answer = console.ask("/staff/contacts.csv?q=claes", language="en")
    rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig")), delimiter=";"))
    assert rows[0][:4] == ["Name", "Address", "Telephone", "Organisations"]
    assert [row[:5] for row in rows[1:]] == [
        ["Lies Claes", "lies.claes@duffel.example", "", "Bibliotheek Duffel, Bibliotheek Lier", "votes"]
    ]


def test_the_list_asks_as_many_questions_for_forty_contacts_as_for_seven(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    assert isinstance(cooperative, Cooperative)
    engine = office.db.engine
    counted: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_more: counted.append(statement))
    console.get("/staff/contacts")
    few = len(counted)
    with office.db.transaction() as (session, now):
        session.add_all(build_contact(f"Iemand {n}", f"i{n}@x.example", now()) for n in range(33))
    counted.clear()
    page = console.get("/staff/contacts")
    assert len(names(page)) == 40
    assert len(counted) == few


def test_whoever_is_added_stands_for_its_library_and_is_invited(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    mol = cooperative.libraries["Mol"].id
    chosen = f'<option value="{mol}" selected>'
    assert chosen in console.get(f"/staff/contacts/new?organisation={mol}")
    answer = console.post_form("/staff/contacts/new", NORA | {"organisation": str(mol)})
    assert answer.status_code == 303
    page = console.get(answer.location.partition("?")[0], language="en")
    assert "Nora Smets" in page
    assert "Bibliotheek Mol" in page
    assert [mail.to for mail in deliver()] == ["nora.smets@mol.example"]
    with office.db.reading() as (session, _):
        row = session.scalars(sa.select(AuditRow).where(AuditRow.act == "contact-added")).one()
        assert (row.actor, row.detail["organisation"]) == (console.person.actor, mol)


def test_a_person_of_the_field_is_added_on_purpose_only(console: Console, office: Parts) -> None:
    page = console.post_form("/staff/contacts/new", NORA, language="en")
    assert page.status_code == 422
    assert "Choose the organisation, or that there is none." in page.get_data(as_text=True)
    assert console.post_form("/staff/contacts/new", NORA | {"organisation": "0"}).status_code == 303
    with office.db.reading() as (session, _):
        assert questions.represents(session, known(office, "Nora Smets").id) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "Type the name."),
        ({"name": "Nora\u202e"}, "Remove the invisible characters"),
        ({"email": "nora"}, "Type one e-mail address with an @"),
        ({"telephone": "bel mij"}, "Type a telephone number in digits"),
        ({"language": "fr"}, "Choose a language."),
        ({"organisation": "999999"}, "Choose the organisation, or that there is none."),
        ({"mode": "rules"}, "Choose one of the two."),
    ],
)
def test_bad_input_says_what_to_do_and_keeps_what_was_typed(
    console: Console, office: Parts, cooperative: Cooperative, changes: dict[str, str], message: str
) -> None:
    before = everything(office.db)
    sent = NORA | {"organisation": str(cooperative.libraries["Mol"].id)} | changes
    page = console.post_form("/staff/contacts/new", sent, language="en")
    assert page.status_code == 422
    assert message in page.get_data(as_text=True)
    assert 'value="nora' in page.get_data(as_text=True)
    assert everything(office.db) == before


def test_a_known_address_names_whose_it_is_with_the_way_there(console: Console, cooperative: Cooperative) -> None:
    sent = NORA | {"organisation": "0", "email": "els.peeters@aartselaar.example"}
    answer = console.post_form("/staff/contacts/new", sent, language="en")
    assert answer.status_code == 409
    way = f'<a href="/staff/contacts/{cooperative.contacts["els"].id}?lang=en">Els Peeters</a>'
    assert f"This is the address of {way} already." in answer.get_data(as_text=True)


def test_a_contact_is_changed_and_its_history_says_what_and_by_whom(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    els = cooperative.contacts["els"]
    path = f"/staff/contacts/{els.id}"
    sent = fields_of(els) | {"telephone": "03 123 45 67", "email": "els@aartselaar.example"}
    answer = console.post_form(f"{path}/edit", sent)
    assert answer.location == f"{path}?done=contact-readdressed&lang=nl"
    page = console.get(path, language="en")
    assert "Klaar Leroy: New address: els.peeters@aartselaar.example → els@aartselaar.example" in page
    assert "Telephone: – → 03 123 45 67" in page


def test_of_two_who_save_the_second_is_told_sees_both_and_loses_nothing(
    console: Console, colleague: Console, office: Parts, cooperative: Cooperative
) -> None:
    els = cooperative.contacts["els"]
    path = f"/staff/contacts/{els.id}/edit"
    assert colleague.post_form(path, fields_of(els) | {"telephone": "03 111 11 11"}).status_code == 303
    mine = fields_of(els) | {"telephone": "03 222 22 22"}
    refused = console.post_form(path, mine, language="en")
    page = refused.get_data(as_text=True)
    assert refused.status_code == 409
    assert "Bram Wouters saved a change" in page
    assert "03 111 11 11" in page
    assert 'value="03 222 22 22"' in page
    assert known(office, "Els Peeters").telephone == "03 111 11 11"
    (version,) = re.findall(r'name="version" value="([0-9]+)"', page)
    assert console.post_form(path, mine | {"version": version}).status_code == 303
    assert known(office, "Els Peeters").telephone == "03 222 22 22"


def test_whoever_sits_cannot_become_a_mailbox_and_the_page_says_why(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    els = cooperative.contacts["els"]
    sent = fields_of(els) | {"functional": "y"}
    answer = console.post_form(f"/staff/contacts/{els.id}/edit", sent, language="en")
    assert answer.status_code == 409
    assert "A seat is personal" in answer.get_data(as_text=True)
    assert known(office, "Els Peeters").functional is False


@pytest.mark.parametrize(
    ("typed", "message"),
    [("15/11/2026", "That day is over"), ("32/13/2026", "Type a day"), ("1/1/2036", "more than two years from now")],
)
def test_an_absence_wants_a_day_that_can_be(
    console: Console, cooperative: Cooperative, typed: str, message: str
) -> None:
    path = f"/staff/contacts/{cooperative.contacts['els'].id}/away"
    answer = console.post_form(path, {"until": typed, "version": "1"}, language="en")
    assert answer.status_code == 422
    assert message in answer.get_data(as_text=True)


def test_an_absence_shows_and_is_taken_back(console: Console, office: Parts, cooperative: Cooperative) -> None:
    path = f"/staff/contacts/{cooperative.contacts['els'].id}"
    for day in ("2026-12-24", "24/12/2026"):  # the second click too
        assert console.post_form(f"{path}/away", {"until": day, "version": "1"}).status_code == 303
    assert "until Thursday 24 December 2026" in console.get(path, language="en")
    assert console.post_form(f"{path}/away", {"until": "", "version": "1"}).status_code == 409
    assert console.post_form(f"{path}/away", {"until": "", "version": "2"}).status_code == 303
    assert known(office, "Els Peeters").away_until is None


def test_leaving_says_beforehand_what_ends_and_who_then_has_nobody_and_can_be_undone(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    links = [mail.link for mail in deliver() if mail.to == "lies.claes@duffel.example"]
    path = f"/staff/contacts/{cooperative.contacts['lies'].id}"
    before = everything(office.db)
    page = console.get(f"{path}/leave", language="en")
    for said in (
        "It no longer stands for 2 organisations: Bibliotheek Duffel and Bibliotheek Lier.",
        "It can no longer answer in 2 open votes.", "1 seat ends today:", "2 votes then have nobody to cast them",
    ):  # fmt: skip
        assert said in page
    assert everything(office.db) == before
    assert console.post_form(f"{path}/leave").status_code == 303
    assert [client.get(link).status_code for link in links] == [410, 410]
    assert "vertrokken" in console.get(path)
    assert "It stands for 2 organisations again" in console.get(f"{path}/back", language="en")
    assert console.post_form(f"{path}/back").status_code == 303
    assert [client.get(link).status_code for link in links] == [200, 200]
    assert [mail.to for mail in deliver()] == ["lies.claes@duffel.example"] * 2


def test_a_contact_stands_for_another_library_by_two_pages(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    an, lier = cooperative.contacts["an"].id, cooperative.libraries["Lier"].id
    answer = console.ask(f"/staff/contacts/{an}/stand?organisation={lier}")
    assert answer.location == f"/staff/contacts/{an}/stand/{lier}?lang=nl"
    page = console.get(f"/staff/contacts/{an}/stand/{lier}", language="en")
    assert "1 vote of this organisation is open and follows at once" in page
    services = {f"service_{service.id}": "general" for service in cooperative.services.values()}
    sent = {"version": "1", "general": "votes", **services}
    for _click in range(2):
        assert console.post_form(f"/staff/contacts/{an}/stand/{lier}", sent).status_code == 303
    assert [(mail.to, mail.subject.partition(":")[0]) for mail in deliver()] == [
        ("an.wouters@mol.example", "Bibliotheek Lier")
    ]


def test_a_service_for_which_it_is_otherwise_is_shown_and_kept(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "els.peeters@aartselaar.example")
    els, aartselaar = cooperative.contacts["els"].id, cooperative.libraries["Aartselaar"].id
    archive, vlacc = (cooperative.services[slug].id for slug in ("krantenarchief", "open-vlacc"))
    path = f"/staff/contacts/{els}/stand/{aartselaar}"
    sent = {"version": "1", "general": "votes", f"service_{archive}": "reads", f"service_{vlacc}": "general"}
    assert console.post_form(path, sent).status_code == 303
    assert client.get(link).status_code == 410
    page = console.get(path)
    checked = set(re.findall(r'name="([a-z_0-9]+)" value="([a-z]+)"[^>]* checked', page))
    assert checked == {("general", "votes"), (f"service_{archive}", "reads"), (f"service_{vlacc}", "general")}
    assert "Krantenarchief: only reads along" in console.get(f"/staff/contacts/{els}", language="en")
    stale = console.post_form(path, sent | {f"service_{archive}": "votes"}, language="en")
    assert stale.status_code == 409
    assert "saved a change" in stale.get_data(as_text=True)
    wrong = console.post_form(path, sent | {"general": "rules"}, language="en")
    assert wrong.status_code == 422
    assert "Choose the general rule." in wrong.get_data(as_text=True)


def test_what_cannot_be_stood_for_is_refused_in_words(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    els, mol = cooperative.contacts["els"].id, cooperative.libraries["Mol"].id
    with office.db.transaction() as (session, _):
        session.get_one(Organisation, mol).ended_on = date(2026, 11, 1)
    services = {f"service_{service.id}": "general" for service in cooperative.services.values()}
    sent = {"version": "1", "general": "votes", **services}
    answer = console.post_form(f"/staff/contacts/{els}/stand/{mol}", sent, language="en")
    assert answer.status_code == 409
    assert "This organisation takes no part any more" in answer.get_data(as_text=True)
    assert f'<option value="{mol}">' not in console.get(f"/staff/contacts/{els}/stand")
    assert console.ask(f"/staff/contacts/{els}/stand/999999").status_code == 404


def test_a_successor_is_asked_once_for_all_that_is_ticked(
    console: Console, office: Parts, cooperative: Cooperative, deliver: Deliver
) -> None:
    path = f"/staff/contacts/{cooperative.contacts['lies'].id}"
    ticked = re.findall(r'name="organisations" value="([0-9]+)" checked', console.get(f"{path}/hand-over"))
    assert len(ticked) == 2
    sent = {"name": "Piet Nieuw", "email": "piet@duffel.example", "organisations": ticked}
    for _click in range(2):
        assert console.post_form(f"{path}/hand-over", sent).status_code == 303
    (mail,) = deliver()
    assert (mail.to, mail.template) == ("piet@duffel.example", "handover-invitation")
    assert "Piet Nieuw was asked about Bibliotheek Duffel" in console.get(path, language="en")
    own = console.post_form(f"{path}/hand-over", sent | {"email": "lies.claes@duffel.example"}, language="en")
    assert own.status_code == 409
    assert "own address: type the successor" in own.get_data(as_text=True)
    none = console.post_form(f"{path}/hand-over", sent | {"organisations": []}, language="en")
    assert none.status_code == 422
    assert "Tick at least one organisation." in none.get_data(as_text=True)
    other = console.post_form(
        f"{path}/hand-over", sent | {"organisations": [str(cooperative.libraries["Boom"].id)]}, language="en"
    )
    assert other.status_code == 422
    assert "Tick organisations of this contact only." in other.get_data(as_text=True)


def test_a_test_mail_is_sent_from_the_page_and_its_answer_shows_there(
    console: Console, cooperative: Cooperative, deliver: Deliver, client: FlaskClient
) -> None:
    path = f"/staff/contacts/{cooperative.contacts['els'].id}"
    sent = console.post_form(f"{path}/mail-test", page=path)
    assert "done=mail-test-sent" in sent.location
    assert "done=mail-test-recent" in console.post_form(f"{path}/mail-test", page=path).location
    (mail,) = deliver()
    assert "sent, no answer yet" in console.get(path, language="en")
    client.post(mail.link, data={"found": "unwanted"})
    assert "Among unwanted mail" in console.get(path, language="en")
