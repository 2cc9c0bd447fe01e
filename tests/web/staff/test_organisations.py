"""Organisations in the console: found, added, changed, ended and back; what they take; two that become one; a split."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy import event

from coopmail.domain.contacts import Representation
from coopmail.domain.organisations import Organisation, OrganisationKind, Pilot
from coopmail.domain.polls import Poll, VotingUnit
from coopmail.domain.services import Service, Subscription
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.conftest import Received
from tests.console import Console
from tests.web.pages import everything

Deliver = Callable[[], list[Received]]
GEEL = {"name": "Bibliotheek Geel", "kind": "library", "municipality": "Geel", "province": "Antwerpen",
        "population": "41.000", "code": "B-7"}  # fmt: skip


def path(organisation: Organisation, act: str = "") -> str:
    """The address of an organisation's page, or of an act's."""
    return f"/staff/organisations/{organisation.id}" + (f"/{act}" if act else "")


def names(page: str) -> list[str]:
    """The organisations of a list, in its order, without what all are called."""
    found = re.findall(r'<td role="cell"><a href="/staff/organisations/[0-9]+[^"]*">([^<]+)</a>', page)
    return [name.removeprefix("Bibliotheek ") for name in found]


def known(office: Parts, name: str) -> Organisation:
    """An organisation as it stands now."""
    with office.db.reading() as (session, _):
        return session.scalars(sa.select(Organisation).where(Organisation.name == name)).one()


def fields_of(organisation: Organisation) -> dict[str, str]:
    """What the form of an organisation holds when it is served."""
    return {"version": str(organisation.version), "name": organisation.name, "kind": organisation.kind.value,
            "municipality": organisation.municipality, "province": organisation.province,
            "population": str(organisation.population)}  # fmt: skip


def taken(office: Parts, organisation: Organisation) -> list[tuple[str, date, date | None, int]]:
    """What an organisation takes or took."""
    with office.db.reading() as (session, _):
        rows = session.execute(
            sa.select(Service.slug, Subscription.starts_on, Subscription.ends_on, Subscription.price_cents)
            .join(Subscription, Subscription.service_id == Service.id)
            .where(Subscription.organisation_id == organisation.id)
            .order_by(Service.slug, Subscription.starts_on)
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]


def subscription_of(office: Parts, organisation: Organisation, slug: str = "krantenarchief") -> int:
    """The id of what an organisation takes."""
    with office.db.reading() as (session, _):
        question = sa.select(Subscription.id).join(Service, Service.id == Subscription.service_id)
        return session.scalars(
            question.where(Service.slug == slug, Subscription.organisation_id == organisation.id)
        ).one()


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page's last form, but the token."""
    form = page[: page.rindex('name="confirmed"')].rpartition("<form")[2]
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    return {name: value for name, value in found if name != "csrf"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["Aartselaar", "Boom", "Duffel", "Lier", "Mol", "Zoersel"]),
        ("?sort=-population", ["Mol", "Lier", "Zoersel", "Boom", "Duffel", "Aartselaar"]),
        ("?q=bibliotheek+LIE", ["Lier"]),
        ("?q=b-9", ["Mol"]),
        ("?q=%25", []),
        ("?kind=body", ["Boom"]),
        ("?province=Limburg", ["Duffel"]),
        ("?member=no", ["Lier"]),
        ("?service=krantenarchief", ["Aartselaar", "Boom", "Duffel", "Mol"]),
        ("?mark=regional", ["Mol"]),
        ("?mark=big-city", ["Boom"]),
        ("?mark=pilot", ["Zoersel"]),
        ("?ended=yes", ["Lier"]),
        ("?ended=no", ["Aartselaar", "Boom", "Duffel", "Mol", "Zoersel"]),
    ],
)
def test_the_list_is_searched_filtered_and_sorted(
    console: Console, office: Parts, cooperative: Cooperative, asked: str, found: list[str]
) -> None:
    libraries = cooperative.libraries
    changes: dict[str, dict[str, Any]] = {
        "Lier": {"ended_on": date(2026, 11, 15)}, "Boom": {"kind": OrganisationKind.BODY, "big_city": True},
        "Duffel": {"province": "Limburg"}, "Mol": {"regional": True, "code": "B-9"},
    }  # fmt: skip
    with office.db.transaction() as (session, _):
        for name, values in changes.items():
            session.execute(sa.update(Organisation).where(Organisation.id == libraries[name].id).values(**values))
        ends = sa.update(Subscription).where(Subscription.organisation_id == libraries["Lier"].id)
        session.execute(ends.values(ends_on=date(2026, 11, 15)))
        session.add(
            Pilot(organisation_id=libraries["Zoersel"].id, service_id=cooperative.services["krantenarchief"].id)
        )
    assert names(console.get(f"/staff/organisations{asked}")) == found


def test_a_page_of_the_list_asks_as_much_for_six_as_for_sixty(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    def questions() -> int:
        asked: list[str] = []

        def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
            asked.append(statement)

        event.listen(office.db.engine, "before_cursor_execute", note)
        page = console.get("/staff/organisations")
        event.remove(office.db.engine, "before_cursor_execute", note)
        assert len(names(page)) in (6, 50)
        return len(asked)

    few = questions()
    with office.db.transaction() as (session, _):
        session.add_all(
            Organisation(name=f"Bibliotheek {number}", kind=OrganisationKind.LIBRARY, municipality="Genk",
                         province="Limburg", population=1_000)
            for number in range(60)
        )  # fmt: skip
    assert questions() == few


def test_the_list_says_how_many_services_and_contacts_each_has_also_in_its_export(
    console: Console, cooperative: Cooperative
) -> None:
    page = console.get("/staff/organisations?q=zoersel", language="en")
    assert '<td role="cell" data-label="Services">1</td>' in page
    assert '<td role="cell" data-label="Contacts">1</td>' in page
    export = console.get("/staff/organisations.csv?q=aartselaar", language="en").splitlines()
    cells = next(csv.reader(export[1:], delimiter=";"))
    assert cells[:6] == ["Bibliotheek Aartselaar", "", "Library", "Aartselaar", "Antwerpen", "14000"]
    assert cells[6:8] == ["2", "2"]


def test_an_empty_house_says_what_to_do_first(console: Console) -> None:
    page = console.get("/staff/organisations", language="en")
    assert "There are no organisations yet." in page
    assert 'href="/staff/organisations/import?lang=en"' in page


def test_a_page_shows_facts_services_contacts_votes_and_seats(
    console: Console, cooperative: Cooperative, poll: Poll
) -> None:
    page = console.get(path(cooperative.libraries["Duffel"]), language="en")
    for said in ("Bibliotheek Duffel", "17,000", "Krantenarchief", "1,000.00", "Lies Claes", poll.title_en,
                 "not yet", "Stuurgroep Digitale Collecties"):  # fmt: skip
        assert said in page


def test_an_organisation_is_added_marked_and_shown_with_what_to_do_next(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    sent = GEEL | {"regional": "y", "pilots": str(cooperative.services["open-vlacc"].id)}
    answer = console.post_form("/staff/organisations/new", sent)
    geel = known(office, "Bibliotheek Geel")
    assert answer.location == f"{path(geel)}?done=organisation-added&lang=nl"
    assert (geel.population, geel.code, geel.regional, geel.big_city) == (41_000, "B-7", True, False)
    page = console.get(path(geel), language="en")
    for said in ("It takes no service yet", "Nobody stands for it", "Regional library", "<dd>Open Vlacc</dd>",
                 "Klaar Leroy: organisation added"):  # fmt: skip
        assert said in page
    again = console.post_form("/staff/organisations/new", sent, language="en")
    assert again.status_code == 409
    assert "has this name: choose another" in again.get_data(as_text=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "Type the name."),
        ({"name": "Kijk op www.geel.example"}, "without an address of a page"),
        ({"kind": "robot"}, "Choose what it is."),
        ({"municipality": " "}, "Type the municipality."),
        ({"province": "Holland"}, "Choose a province."),
        ({"population": "veel"}, "Write a whole number, such as 14000."),
        ({"population": ""}, "Type the number of inhabitants"),
        ({"code": "x" * 41}, "Keep this under 40 characters."),
        ({"pilots": "geen"}, "Tick services of this list only."),
    ],
)
def test_bad_input_says_what_to_do_and_keeps_what_was_typed(
    console: Console, office: Parts, cooperative: Cooperative, changes: dict[str, str], message: str
) -> None:
    before = everything(office.db)
    answer = console.post_form("/staff/organisations/new", GEEL | changes, language="en")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert message in page
    assert 'value="B-7"' in page or "code" in changes
    assert everything(office.db) == before


def test_of_two_who_save_the_second_is_told_sees_both_and_loses_nothing(
    console: Console, colleague: Console, office: Parts, cooperative: Cooperative
) -> None:
    mol = cooperative.libraries["Mol"]
    assert colleague.post_form(path(mol, "edit"), fields_of(mol) | {"population": "38000"}).status_code == 303
    mine = fields_of(mol) | {"population": "39000"}
    refused = console.post_form(path(mol, "edit"), mine, language="en")
    page = refused.get_data(as_text=True)
    assert refused.status_code == 409
    assert "Bram Wouters saved a change" in page
    assert "<dt>Inhabitants</dt><dd>38000</dd>" in page
    assert 'value="39000"' in page
    assert known(office, mol.name).population == 38_000
    assert console.post_form(path(mol, "edit"), mine | {"version": "2"}).status_code == 303
    assert "Inhabitants: 38,000 → 39,000" in console.get(path(mol), language="en")


def test_what_ends_is_said_in_numbers_before_and_taken_back_after(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "bibliotheek@boom.example")
    boom = cooperative.libraries["Boom"]
    ran = taken(office, boom)
    page = console.get(path(boom, "end"), language="en")
    for said in ("2 services that it takes end on the same day.", "1 contact stays on record",
                 "1 vote of it in an open poll stays as it is"):  # fmt: skip
        assert said in page
    assert taken(office, boom) == ran
    sent = {"version": "1", "day": "2026-11-16"}
    for _click in range(2):
        answer = console.post_form(path(boom, "end"), sent)
        assert answer.location == f"{path(boom)}?done=organisation-ended&lang=nl"
    assert [row[2] for row in taken(office, boom)] == [date(2026, 11, 16)] * 2
    assert client.get(link).status_code == 200
    shown = console.get(path(boom), language="en")
    assert "This organisation has ended" in shown
    assert "Let it take a service" not in shown
    for _click in range(2):
        sent = {"version": "2"}
        page_of_form = path(cooperative.libraries["Mol"], "end")
        answer = console.post_form(path(boom, "resume"), sent, page=page_of_form)
        assert answer.location == f"{path(boom)}?done=organisation-resumed&lang=nl"
    assert taken(office, boom) == ran


def test_an_end_in_the_future_or_on_no_day_is_refused_in_words(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    boom = cooperative.libraries["Boom"]
    before = everything(office.db)
    for day, message in (
        ("17/11/2026", "Choose today or an earlier day"),
        ("ooit", "Type a day"),
        ("", "Type the last day."),
    ):
        answer = console.post_form(path(boom, "end"), {"version": "1", "day": day}, language="en")
        assert answer.status_code == 422
        assert message in answer.get_data(as_text=True)
    stale = console.post_form(path(boom, "end"), {"version": "7", "day": "16/11/2026"}, language="en")
    assert stale.status_code == 409
    assert "after you opened this page" in stale.get_data(as_text=True)
    assert everything(office.db) == before


def test_a_service_is_taken_once_however_often_one_clicks(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    zoersel = cooperative.libraries["Zoersel"]
    service = str(cooperative.services["krantenarchief"].id)
    sent = {"version": "1", "service": service, "starts_on": "1/11/2026", "price": "1.234,50",
            "contract_reference": "CC-9"}  # fmt: skip
    for _click in range(2):
        answer = console.post_form(path(zoersel, "subscriptions/new"), sent)
        assert answer.location == f"{path(zoersel)}?done=subscription-started&lang=nl"
    assert ("krantenarchief", date(2026, 11, 1), None, 123_450) in taken(office, zoersel)
    other = console.post_form(path(zoersel, "subscriptions/new"), sent | {"price": "1"}, language="en")
    page = other.get_data(as_text=True)
    assert other.status_code == 409
    assert "This service is taken from Sunday 1 November 2026 already" in page
    assert 'value="CC-9"' in page


@pytest.mark.parametrize(
    ("changes", "message", "status"),
    [
        ({"service": "none"}, "Choose a service.", 422),
        ({"starts_on": "31/2/2026"}, "Type a day", 422),
        ({"price": "gratis"}, "Write an amount in euro", 422),
        ({"ends_on": "1/1/2020"}, "The last day lies before the first", 409),
    ],
)
def test_what_cannot_be_taken_so_is_said(
    console: Console, office: Parts, cooperative: Cooperative, changes: dict[str, str], message: str, status: int
) -> None:
    before = everything(office.db)
    service = str(cooperative.services["krantenarchief"].id)
    sent = {"version": "1", "service": service, "starts_on": "2026-11-16"} | changes
    zoersel = cooperative.libraries["Zoersel"]
    answer = console.post_form(path(zoersel, "subscriptions/new"), sent, language="en")
    assert answer.status_code == status
    assert message in answer.get_data(as_text=True)
    assert everything(office.db) == before


def test_a_subscription_ends_runs_on_is_corrected_and_stays_once_it_ran(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    mol = cooperative.libraries["Mol"]
    here = f"/staff/subscriptions/{subscription_of(office, mol)}"
    assert "1 vote that is open now stays as it is." in console.get(f"{here}/end", language="en")
    for _click in range(2):
        assert console.post_form(f"{here}/end", {"version": "1", "day": "31/12/2026"}).status_code == 303
    assert taken(office, mol)[0] == ("krantenarchief", date(2025, 1, 1), date(2026, 12, 31), 100_000)
    assert "Its last day, Thursday 31 December 2026, goes" in console.get(f"{here}/go-on", language="en")
    for _click in range(2):
        assert console.post_form(f"{here}/go-on", {"version": "2"}).status_code == 303
    assert taken(office, mol)[0][2] is None
    correct = {"version": "3", "starts_on": "2025-01-01", "ends_on": "", "contract_reference": "CC-1", "price": "900"}
    assert console.post_form(f"{here}/edit", correct).status_code == 303
    assert taken(office, mol)[0][3] == 90_000
    refused = console.post_form(f"{here}/remove", {"version": "4"}, language="en")
    assert refused.status_code == 409
    assert "stays on record: end it instead" in refused.get_data(as_text=True)
    history = console.get(path(mol), language="en")
    for said in ("service ended: Krantenarchief; Last day: – → Thursday 31 December 2026", "service runs on",
                 "Price a year: €"):  # fmt: skip
        assert said in history


def test_what_was_started_by_mistake_today_is_taken_back(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    zoersel = cooperative.libraries["Zoersel"]
    before = taken(office, zoersel)
    service = str(cooperative.services["krantenarchief"].id)
    sent = {"version": "1", "service": service, "starts_on": "2026-11-16"}
    assert console.post_form(path(zoersel, "subscriptions/new"), sent).status_code == 303
    here = f"/staff/subscriptions/{subscription_of(office, zoersel)}"
    assert console.post_form(f"{here}/remove", {"version": "2"}).status_code == 303
    assert taken(office, zoersel) == before


def test_two_become_one_after_a_look_at_what_that_does_and_the_open_vote_keeps_both(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    links = [mail.link for mail in deliver()]
    aartselaar, boom = cooperative.libraries["Aartselaar"], cooperative.libraries["Boom"]
    before = everything(office.db)
    chosen = {"other": str(boom.id), "goes_on": "this", "name": "Bibliotheek Rupel"}
    look = console.post_form(path(aartselaar, "merge"), chosen, language="en").get_data(as_text=True)
    for said in (
        "Bibliotheek Boom ends; yesterday is its last day.",
        "Bibliotheek Aartselaar goes on as Bibliotheek Rupel, with 32,000 inhabitants.",
        "1 contact then stands for the one that goes on.",
        "under the contract and price of the one that goes on: Krantenarchief and Open Vlacc.",
        "1 vote of Bibliotheek Boom in an open poll stays beside that of the other",
    ):  # fmt: skip
        assert said in look
    assert everything(office.db) == before
    back = console.post_form(path(aartselaar, "merge"), hidden(look) | {"back": "y"}).get_data(as_text=True)
    assert 'value="Bibliotheek Rupel"' in back
    for _click in range(2):
        done = console.post_form(path(aartselaar, "merge"), hidden(look) | {"confirmed": "y"})
        assert done.location == f"{path(aartselaar)}?done=organisation-merged&lang=nl"
    assert known(office, "Bibliotheek Rupel").population == 32_000
    assert known(office, "Bibliotheek Boom").merged_into_id == aartselaar.id
    assert [client.get(link).status_code for link in links] == [200] * len(links)
    with office.db.reading() as (session, _):
        assert session.scalar(sa.select(Poll.units).where(Poll.id == poll.id)) == 5
    assert "What it was goes on in" in console.get(path(boom), language="en")


def test_a_merger_of_what_changed_meanwhile_is_shown_anew_and_not_done(
    console: Console, colleague: Console, office: Parts, cooperative: Cooperative
) -> None:
    aartselaar, boom = cooperative.libraries["Aartselaar"], cooperative.libraries["Boom"]
    chosen = {"other": str(boom.id), "goes_on": "other"}
    look = console.post_form(path(aartselaar, "merge"), chosen).get_data(as_text=True)
    assert colleague.post_form(path(boom, "edit"), fields_of(boom) | {"population": "20000"}).status_code == 303
    answer = console.post_form(path(aartselaar, "merge"), hidden(look) | {"confirmed": "y"}, language="en")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "last by Bram Wouters" in page
    assert "34,000 inhabitants" in page
    assert known(office, "Bibliotheek Aartselaar").ended_on is None
    assert console.post_form(path(aartselaar, "merge"), hidden(page) | {"confirmed": "y"}).status_code == 303


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"other": "999999"}, "Choose the other organisation."),
        ({"other": "x"}, "Choose the other organisation."),
        ({"goes_on": "neither"}, "Say which of the two goes on."),
        ({"population": "-3"}, "Write a whole number"),
    ],
)
def test_a_merger_wants_another_organisation_and_which_goes_on(
    console: Console, cooperative: Cooperative, changes: dict[str, str], message: str
) -> None:
    chosen = {"other": str(cooperative.libraries["Boom"].id), "goes_on": "this"} | changes
    answer = console.post_form(path(cooperative.libraries["Mol"], "merge"), chosen, language="en")
    assert answer.status_code == 422
    assert message in answer.get_data(as_text=True)


def test_a_split_says_who_and_what_goes_along_and_then_does_it(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    aartselaar, els = cooperative.libraries["Aartselaar"], cooperative.contacts["els"]
    row = subscription_of(office, aartselaar)
    before = everything(office.db)
    sent = GEEL | {"version": "1", "population": "4000", "remaining": "10000", f"contact-{els.id}": "moves",
                   f"subscription-{row}": "both"}  # fmt: skip
    look = console.post_form(path(aartselaar, "split"), sent, language="en").get_data(as_text=True)
    for said in ("1 contact moves along: Els Peeters.", "1 service is taken by both", "Krantenarchief",
                 "1 vote of Bibliotheek Aartselaar in an open poll stays with it."):  # fmt: skip
        assert said in look
    assert everything(office.db) == before
    back = console.post_form(path(aartselaar, "split"), hidden(look) | {"back": "y"}).get_data(as_text=True)
    assert 'value="moves" checked>' in back
    done = console.post_form(path(aartselaar, "split"), hidden(look) | {"confirmed": "y"})
    geel = known(office, "Bibliotheek Geel")
    assert done.location == f"{path(geel)}?done=organisation-split&lang=nl"
    assert taken(office, geel) == [("krantenarchief", date(2026, 11, 16), None, 100_000)]
    assert known(office, "Bibliotheek Aartselaar").population == 10_000
    with office.db.reading() as (session, _):
        running = sa.select(Representation.organisation_id).where(
            Representation.contact_id == els.id, Representation.ended_at.is_(None)
        )
        assert session.scalars(running).all() == [geel.id]
        units = sa.select(sa.func.count()).where(VotingUnit.organisation_id == geel.id)
        assert session.scalar(units) == 0
    again = console.post_form(path(aartselaar, "split"), hidden(look) | {"confirmed": "y"})
    assert again.status_code == 409
    assert known(office, "Bibliotheek Aartselaar").population == 10_000


def test_a_late_one_is_added_to_an_open_vote_with_a_reason_and_invited(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    zoersel = cooperative.libraries["Zoersel"]
    join = path(zoersel, f"join/{poll.slug}")
    early = console.post_form(join, {"reason": "Vergeten."}, language="en")
    assert early.status_code == 409
    assert "takes nothing today that gives it a vote here" in early.get_data(as_text=True)
    sent = {"version": "1", "service": str(cooperative.services["krantenarchief"].id), "starts_on": "2026-11-16"}
    assert console.post_form(path(zoersel, "subscriptions/new"), sent).status_code == 303
    assert f'href="{join}?lang=nl"' in console.get(path(zoersel))
    page = console.get(join, language="en")
    assert "It gets one vote, beside the 5 that there are." in page
    assert "1 contact that votes for it is invited." in page
    empty = console.post_form(join, {"reason": " "}, language="en")
    assert empty.status_code == 422
    assert "Say why: the record keeps it." in empty.get_data(as_text=True)
    assert console.post_form(join, {"reason": "Vergeten."}).status_code == 303
    assert [mail.to for mail in deliver()] == ["tom.baert@zoersel.example"]
    twice = console.post_form(join, {"reason": "Vergeten."}, language="en")
    assert twice.status_code == 409
    assert "is asked in this poll already" in twice.get_data(as_text=True)
    assert "added to an open poll: Vergeten." in console.get(path(zoersel), language="en")
