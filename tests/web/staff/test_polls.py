"""The list of polls: where each stands, found back by its state, its service, its group and its words."""

from __future__ import annotations

import csv
import re

import pytest

from coopmail.domain.groups import Group, GroupKind
from coopmail.domain.polls import Audience, Effect, Poll, PollState, Visibility
from coopmail.parts import Parts
from tests.builders import Cooperative, build_audience, build_poll
from tests.conftest import CLOSING, FrozenClock
from tests.console import Console
from tests.mail.acts import vote
from tests.web.pages import everything
from tests.web.staff.recording import statements
from tests.web.staff.writing import text_of

LIST = "/staff/polls"


def lines(page: str) -> list[str]:
    """What the list says, a line a poll."""
    rows = re.findall(r'<tr role="row">(<td.*?)</tr>', page, re.DOTALL)
    return [text_of(f"<main>{row}</main>") for row in rows]


def names(page: str) -> list[str]:
    """The short names in a list, in its order."""
    return re.findall(r'<div class="soft small">([^<]+)</div>', page)


@pytest.fixture
def several(office: Parts, cooperative: Cooperative, poll: Poll) -> None:
    """Beside the open poll of the Krantenarchief: a draft of all members, one of seats withdrawn, one of the field."""
    with office.db.transaction() as (session, now):
        other = Group(slug="catalografie", name="Stuurgroep Catalografie", kind=GroupKind.STEERING_GROUP)
        session.add(other)
        session.flush()
        late = CLOSING.replace(month=12, day=18)
        build_poll(session, cooperative, closes_at=late, slug="van-allen", title_nl="Een vraag aan allen",
                   title_en="A question to all", audience=Audience.ALL_MEMBERS, service_id=None)  # fmt: skip
        build_poll(session, cooperative, closes_at=late.replace(day=19), slug="zitjes", title_nl="Aan de groep",
                   audience=Audience.GROUP_SEATS, service_id=None, state=PollState.WITHDRAWN)  # fmt: skip
        build_poll(session, cooperative, closes_at=late.replace(day=20), slug="vlacc", title_nl="Over Open Vlacc",
                   service_id=cooperative.services["open-vlacc"].id, group_id=other.id)  # fmt: skip
        build_poll(session, cooperative, closes_at=late.replace(day=21), slug="veld", title_nl="Aan iedereen",
                   audience=Audience.WHOLE_FIELD, service_id=None, effect=Effect.CONSULTATION,
                   visibility=Visibility.PUBLIC)  # fmt: skip
        audience = build_audience(session, now(), "Grote bibliotheken", [[]])
        build_poll(session, cooperative, closes_at=late.replace(day=22), slug="groot", title_nl="Aan de grote",
                   audience=Audience.SAVED, service_id=None, saved_audience_id=audience.id)  # fmt: skip


def test_the_list_says_of_each_poll_where_it_stands_and_who_is_asked(
    console: Console, office: Parts, several: None
) -> None:
    vote(office, "els.peeters@aartselaar.example", "Bibliotheek Aartselaar")
    assert [re.sub(r" (ma|di|wo|do|vr|za|zo) .*? (–|\d+ van \d+)$", r" | \2", line)
            for line in lines(console.get(LIST))] == [
        "Aan de grote groot Ontwerp Grote bibliotheken Stuurgroep Digitale Collecties | –",
        "Aan iedereen veld Ontwerp het hele veld Stuurgroep Digitale Collecties | –",
        "Over Open Vlacc vlacc Ontwerp coöperanten van Open Vlacc Stuurgroep Catalografie | –",
        "Aan de groep zitjes Ingetrokken zitjes in Stuurgroep Digitale Collecties Stuurgroep Digitale Collecties | –",
        "Een vraag aan allen van-allen Ontwerp alle coöperanten Stuurgroep Digitale Collecties | –",
        "Welke weg gaat het Krantenarchief op? krantenarchief Loopt coöperanten van Krantenarchief "
        "Stuurgroep Digitale Collecties | 1 van 5",
    ]  # fmt: skip


def test_in_english_the_list_says_the_same(console: Console, several: None) -> None:
    page = console.get(f"{LIST}?q=allen", language="en")
    assert "A question to all van-allen Draft all members" in text_of(page)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("state=open", ["krantenarchief"]),
        ("state=draft", ["groot", "veld", "vlacc", "van-allen"]),
        ("state=withdrawn", ["zitjes"]),
        ("service=open-vlacc", ["vlacc"]),
        ("service=krantenarchief", ["krantenarchief"]),
        ("group=catalografie", ["vlacc"]),
        ("group=digitale-collecties&state=open", ["krantenarchief"]),
        ("q=WELKE+KRANTENARCHIEF", ["krantenarchief"]),
        ("q=vraag+aan", ["van-allen"]),
        ("q=zitjes", ["zitjes"]),
        ("q=way+for+krantenarchief&state=open", ["krantenarchief"]),
        ("sort=title", ["zitjes", "groot", "veld", "van-allen", "vlacc", "krantenarchief"]),
        ("sort=closes", ["krantenarchief", "van-allen", "zitjes", "vlacc", "veld", "groot"]),
        ("state=nothing&service=nothing", ["groot", "veld", "vlacc", "zitjes", "van-allen", "krantenarchief"]),
    ],
)
def test_polls_are_found_by_state_service_group_and_words(
    console: Console, several: None, asked: str, found: list[str]
) -> None:
    assert names(console.get(f"{LIST}?{asked}")) == found


def test_what_is_not_found_says_how_to_see_all_again(console: Console, several: None) -> None:
    page = console.get(f"{LIST}?q=100%25&state=open")
    assert (names(page), "Niets gevonden. Zoek op minder, of kies een andere filter." in page) == ([], True)
    assert 'value="100%"' in page


def test_before_there_is_a_poll_the_list_says_what_to_do_first(console: Console) -> None:
    page = console.get(LIST)
    assert text_of(page) == (
        "Stemrondes Er is nog geen stemronde. Schrijf de eerste: niemand wordt gemaild voor je ze opent. "
        "Stemronde schrijven"
    )
    assert 'href="/staff/polls/new?lang=nl"' in page


def test_a_poll_whose_time_has_passed_is_being_counted(
    console: Console, poll: Poll, clock: FrozenClock, office: Parts, several: None
) -> None:
    assert "krantenarchief Loopt" in lines(console.get(f"{LIST}?state=open"))[0]
    clock.move_to(CLOSING)
    fresh = Console.of(console.client.application, office, console.person)
    assert "krantenarchief Wordt geteld" in lines(fresh.get(f"{LIST}?state=open"))[0]


def test_the_list_takes_as_many_questions_of_the_database_for_three_polls_as_for_forty(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    counts = []
    for number in (3, 37):
        with office.db.transaction() as (session, _):
            for n in range(number):
                build_poll(session, cooperative, closes_at=CLOSING, slug=f"nog-een-{number}-{n}")
        counts.append(statements(office, lambda: console.get(LIST)))
    assert counts[0] == counts[1] > 0


def test_the_export_has_the_list_as_it_is_narrowed(console: Console, several: None) -> None:
    sheet = console.ask(f"{LIST}.csv?group=catalografie").get_data().decode("utf-8-sig")
    rows = list(csv.reader(sheet.splitlines(), delimiter=";"))
    assert [row[0] for row in rows] == ["Vraag", "Over Open Vlacc"]
    assert rows[1][1:4] == ["Ontwerp", "coöperanten van Open Vlacc", "Stuurgroep Catalografie"]


def test_reading_the_list_changes_nothing(console: Console, office: Parts, several: None) -> None:
    before = everything(office.db)
    for path in (LIST, f"{LIST}.csv", f"{LIST}.xlsx", f"{LIST}?state=open&q=x"):
        assert console.ask(path).status_code == 200
    assert everything(office.db) == before
