"""The audit log as staff read it: searched, filtered, a page at a time, with names, and never edited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from coopmail.actions import audit as sealing
from coopmail.actions.records import audit
from coopmail.domain.audit import AuditRow
from coopmail.domain.base import InstallationMark
from coopmail.domain.polls import Poll
from coopmail.parts import Parts
from coopmail.queries import record
from tests.builders import Cooperative
from tests.conftest import MONDAY
from tests.console import Console


@pytest.fixture
def acts(office: Parts, cooperative: Cooperative, poll: Poll, console: Console) -> list[str]:
    """A record of five acts, the first four sealed; what came before is gone."""
    els, organisation = cooperative.contacts["els"], cooperative.libraries["Boom"]
    with office.db.transaction() as (session, _):
        session.execute(sa.delete(AuditRow))
        rows: list[tuple[str, str, str, dict[str, Any]]] = [
            ("poll-opened", "staff", f"poll:{poll.id}", {"charter_entry": "polls-2018"}),
            ("ballot-cast", f"contact:{els.id}", f"poll:{poll.id}", {"unit": 1, "answered_by": "Zoë de Rïdder"}),
            ("contact-named", f"contact:{els.id}", f"organisation:{organisation.id}", {"share": "100%_x"}),
            ("campaign-paused", "runner", "campaign:poll:1:invitation", {"reason": "550 <b>weg</b>"}),
        ]
        for days, (act, actor, subject, detail) in enumerate(rows):
            audit(session, MONDAY + timedelta(days=days), act, actor, subject, **detail)
        sealing.seal_all(session)
        audit(session, MONDAY + timedelta(days=4), "staff-changed", console.person.actor, console.person.actor)
    return ["staff-changed", "campaign-paused", "contact-named", "ballot-cast", "poll-opened"]


WORDS = {
    "medewerker gewijzigd": "staff-changed", "mails tegengehouden": "campaign-paused",
    "juiste persoon aangewezen": "contact-named", "stem uitgebracht": "ballot-cast", "stemronde geopend": "poll-opened",
}  # fmt: skip


def shown(console: Console, question: str = "") -> list[str]:
    """The acts that a page lists, from above."""
    page = unescape(console.get(f"/staff/audit{question}"))
    return [WORDS[words] for words in re.findall(r'data-label="Handeling">([^<]+)</td>', page)]


@contextmanager
def questions(office: Parts) -> Iterator[list[str]]:
    """The statements that are asked of the reading engine meanwhile."""
    asked: list[str] = []

    def note(*arguments: object) -> None:
        asked.append(str(arguments[2]))

    engine = office.db._read_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield asked
    sa.event.remove(engine, "before_cursor_execute", note)


def test_the_last_act_stands_on_top_with_who_did_it_to_what_and_whether_it_is_sealed(
    console: Console, acts: list[str], poll: Poll, cooperative: Cooperative
) -> None:
    assert shown(console) == acts
    page = unescape(console.get("/staff/audit"))
    els = cooperative.contacts["els"].id
    assert page.count(f'data-label="Wie"><a href="/staff/contacts/{els}?lang=nl">Els Peeters</a>') == 2
    assert 'data-label="Wie">Klaar Leroy</td>' in page
    assert 'data-label="Wie">het programma, vanzelf</td>' in page
    assert 'data-label="Wie">de opdrachtregel</td>' in page
    assert '<a href="/staff/polls/krantenarchief?lang=nl">Welke weg gaat het Krantenarchief op?</a>' in page
    assert '<a href="/staff/outbox/campaigns/poll:1:invitation?lang=nl">' in page
    assert page.count("</svg>nog niet verzegeld") == 1
    assert re.findall(r"</svg>nummer (\d)", page) == ["4", "3", "2", "1"]
    assert "1 rij is nog niet verzegeld." in page
    assert re.search(r"<dt>Kop van de keten</dt><dd>4:[0-9a-f]{64}</dd>", page)
    assert "<b>weg</b>" not in console.get("/staff/audit")
    assert 'data-label="Act">poll opened</td>' in console.get("/staff/audit", language="en")


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("?act=ballot-cast", ["ballot-cast"]),
        ("?actor=runner", ["campaign-paused"]),
        ("?actor=contact", ["contact-named", "ballot-cast"]),
        ("?q=els", ["contact-named", "ballot-cast"]),
        ("?q=Els+krantenarchief", ["ballot-cast"]),
        ("?q=boom", ["contact-named"]),
        ("?q=klaar", ["staff-changed"]),
        ("?q=stem", ["ballot-cast", "poll-opened"]),
        ("?q=polls-2018", ["poll-opened"]),
        ("?q=ZOË", ["ballot-cast"]),
        ("?q=rïdder", ["ballot-cast"]),
        ("?q=100%25_x", ["contact-named"]),
        ("?q=1%25x", []),
        ("?q=campaign:poll", ["campaign-paused"]),
        ("?from=2026-11-18", ["staff-changed", "campaign-paused", "contact-named"]),
        ("?to=17/11/2026", ["ballot-cast", "poll-opened"]),
        ("?from=2026-11-17&to=2026-11-17", ["ballot-cast"]),
        ("?act=nothing", []),
    ],
)
def test_what_is_asked_is_found_and_nothing_else(
    console: Console, acts: list[str], question: str, found: list[str]
) -> None:
    assert shown(console, question) == found


def test_all_about_one_thing_is_one_press_away(console: Console, acts: list[str], poll: Poll) -> None:
    page = unescape(console.get("/staff/audit"))
    address = re.findall(r'href="(/staff/audit\?[^"]*subject=poll[^"]*)">alles hierover', page)[0]
    found = unescape(console.get(address))
    assert [WORDS[words] for words in re.findall(r'data-label="Handeling">([^<]+)</td>', found)] == [
        "ballot-cast", "poll-opened",
    ]  # fmt: skip
    assert "Alleen over Welke weg gaat het Krantenarchief op?." in found


def test_a_long_record_is_turned_over_page_by_page_and_back(
    console: Console, office: Parts, monkeypatch: pytest.MonkeyPatch, acts: list[str]
) -> None:
    monkeypatch.setattr(record, "PAGE", 2)
    seen, page = [], unescape(console.get("/staff/audit"))
    roads = []
    for _turn in range(3):
        seen.append([WORDS[words] for words in re.findall(r'data-label="Handeling">([^<]+)</td>', page)])
        further = re.findall(r'rel="next" href="([^"]+)"', page)
        roads.append(page)
        if further:
            page = unescape(console.get(further[0]))
    assert seen == [acts[:2], acts[2:4], acts[4:]]
    assert 'rel="prev"' not in roads[0]
    assert 'rel="next"' not in roads[2]
    back = re.findall(r'rel="prev" href="([^"]+)"', roads[2])[0]
    again = unescape(console.get(back))
    assert [WORDS[words] for words in re.findall(r'data-label="Handeling">([^<]+)</td>', again)] == acts[2:4]


def test_a_page_costs_the_same_number_of_questions_however_much_it_shows(
    console: Console, office: Parts, acts: list[str], cooperative: Cooperative, poll: Poll
) -> None:
    with questions(office) as few:
        console.get("/staff/audit")
    with office.db.transaction() as (session, _):
        for contact in cooperative.contacts.values():
            audit(session, MONDAY, "ballot-cast", f"contact:{contact.id}", f"poll:{poll.id}")
    with questions(office) as many:
        console.get("/staff/audit")
    assert len(many) == len(few)


def test_a_row_that_was_erased_says_so_and_names_nobody(console: Console, office: Parts, acts: list[str]) -> None:
    with office.db.transaction() as (session, now):
        sealing.erase(session, now, AuditRow.act == "ballot-cast", "Gevraagd.")
    page = unescape(console.get("/staff/audit?act=ballot-cast"))
    assert 'data-label="Wie">gewist</td>' in page
    assert "gewist: een persoon is vergeten" in page
    assert "Els Peeters" not in page.partition("<tbody")[2]
    assert "Rïdder" not in page
    assert "personen uit het logboek gewist" in console.get("/staff/audit")


def test_a_head_that_is_lost_is_said(console: Console, office: Parts, acts: list[str]) -> None:
    with office.db.transaction() as (session, _):
        session.execute(sa.update(InstallationMark).where(InstallationMark.name == "audit-head").values(value="x"))
    assert "verloren: vraag wie de server beheert" in console.get("/staff/audit")


def test_what_was_asked_is_exported_whole(console: Console, acts: list[str]) -> None:
    lines = console.ask("/staff/audit.csv?actor=contact").get_data(as_text=True).splitlines()
    assert lines[0].lstrip("\ufeff").split(";")[:4] == ['"Nummer"', '"Tijdstip"', '"Handeling"', '"Code"']
    assert [line.split(";")[:7] for line in lines[1:]] == [
        ['"3"', '"2026-11-18 09:00:00"', '"juiste persoon aangewezen"', '"contact-named"', '"Els Peeters"',
         lines[1].split(";")[5], '"Bibliotheek Boom"'],
        ['"2"', '"2026-11-17 09:00:00"', '"stem uitgebracht"', '"ballot-cast"', '"Els Peeters"',
         lines[2].split(";")[5], '"Welke weg gaat het Krantenarchief op?"'],
    ]  # fmt: skip
    sheet = console.ask("/staff/audit.xlsx?actor=contact")
    assert (sheet.status_code, sheet.data[:2]) == (200, b"PK")


@pytest.mark.parametrize(
    "question",
    ["?before=x", "?after=-1", "?before=99999999999999999999", "?from=0001-01-01", "?to=9999-12-31", "?from=x",
     "?actor=contact:", "?subject=poll:99999999999999", "?subject=%5C", "?q=" + "a+" * 500, "?q=%5C%25_%27"],
)  # fmt: skip
def test_odd_questions_are_answered_with_a_page(console: Console, acts: list[str], question: str) -> None:
    assert console.ask(f"/staff/audit{question}").status_code == 200


def test_the_log_can_only_be_read(console: Console, acts: list[str]) -> None:
    assert console.client.post("/staff/audit").status_code == 405
    assert console.client.delete("/staff/audit").status_code == 405
