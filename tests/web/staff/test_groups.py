"""Groups, seats and services as staff read them."""

from __future__ import annotations

import re
from datetime import date
from html import unescape

import pytest

from coopmail.domain.groups import Group, GroupKind, Seat, SeatOrigin, SeatRole
from coopmail.domain.services import Service
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.console import Console


@pytest.fixture
def below(office: Parts, cooperative: Cooperative) -> Group:
    """A working group that prepares for the steering group: one sat, one sits, one will."""
    with office.db.transaction() as (session, _):
        group = Group(slug="werkgroep", name="Werkgroep Open Vlacc", kind=GroupKind.WORKING_GROUP,
                      parent_id=cooperative.group.id)  # fmt: skip
        session.add(group)
        session.flush()
        for name, role, first, last in (
            ("jan", SeatRole.CHAIR, date(2023, 1, 1), date(2024, 12, 31)),
            ("an", SeatRole.EXPERT, date(2025, 1, 1), date(2026, 11, 16)),
            ("tom", SeatRole.MEMBER, date(2026, 11, 17), None),
        ):
            session.add(Seat(group_id=group.id, contact_id=cooperative.contacts[name].id, role=role, has_vote=False,
                             subjects="metadata", origin=SeatOrigin.OFFICE, starts_on=first, ends_on=last,
                             organisation_id=cooperative.libraries["Mol"].id))  # fmt: skip
    return group


def test_groups_stand_by_kind_with_how_many_sit_in_them_today(console: Console, below: Group) -> None:
    page = console.get("/staff/groups")
    assert re.findall(r"<h2>([^<]+)</h2>", page)[:2] == ["Stuurgroepen", "Werkgroepen"]
    rows = re.findall(r'data-label="(?:Mandaten vandaag|Met stem)">(\d+)<', page)
    assert rows == ["4", "3", "1", "0"]
    assert page.count('<a href="/staff/groups/digitale-collecties?lang=nl">Stuurgroep Digitale Collecties</a>') == 2


def test_a_group_shows_who_sits_in_it_who_will_and_who_did(
    console: Console, below: Group, cooperative: Cooperative
) -> None:
    page = unescape(console.get("/staff/groups/werkgroep"))
    today, _, rest = page.partition("Wie er zal zetelen")
    coming, _, past = rest.partition("Wie er vroeger zetelde")
    assert re.findall(r'/staff/contacts/\d+\?lang=nl">([^<]+)</a>', today) == ["An Wouters"]
    assert re.findall(r'/staff/contacts/\d+\?lang=nl">([^<]+)</a>', coming) == ["Tom Baert"]
    assert re.findall(r'/staff/contacts/\d+\?lang=nl">([^<]+)</a>', past) == ["Jan Maes"]
    for text in ("expert", "zonder stem", "metadata", "Bibliotheek Mol</a>", "ambtshalve", "maandag 16 november 2026",
                 "Stuurgroep Digitale Collecties</a>", f"/staff/decisions/new?group={below.id}"):  # fmt: skip
        assert text in today
    steering = console.get(f"/staff/groups/{cooperative.group.slug}")
    assert "<dd>Krantenarchief, Open Vlacc</dd>" in steering
    assert "Werkgroep Open Vlacc</a>" in steering
    assert f'<option value="{below.id}" selected>' in console.get(f"/staff/decisions/new?group={below.id}")


def test_services_show_who_steers_them_and_how_many_take_them(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, _):
        session.add(Service(slug="voor-de-show", name="Voor de Show", phrase_nl="Voor de Show"))
    page = console.get("/staff/services")
    assert re.findall(r'service=([a-z-]+)&amp;lang=nl">(\d+) organisatie', page) == [
        ("krantenarchief", "5"), ("open-vlacc", "6"), ("voor-de-show", "0"),
    ]  # fmt: skip
    assert "nog niemand" in page


def test_the_number_of_a_service_leads_to_those_organisations(console: Console, cooperative: Cooperative) -> None:
    page = console.get("/staff/organisations?service=krantenarchief")
    assert "Bibliotheek Boom" in page
    assert "Bibliotheek Zoersel" not in page


def test_an_empty_house_says_what_to_do_first(console: Console) -> None:
    for path in ("/staff/groups", "/staff/services"):
        page = console.get(path)
        assert 'href="/staff/organisations/import?lang=nl">Organisaties importeren</a>' in page


def test_they_are_read_in_english_too(console: Console, below: Group) -> None:
    assert "Working groups" in console.get("/staff/groups", language="en")
    assert "without a vote" in console.get("/staff/groups/werkgroep", language="en")
