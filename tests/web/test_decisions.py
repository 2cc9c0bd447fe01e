"""Decisions as everybody reads them: what is public and nothing else, found by words, by year and by group."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from coopmail.actions import decisions, polls
from coopmail.actions.decisions import Document, Words
from coopmail.domain.decisions import Decision
from coopmail.domain.groups import Group, GroupKind
from coopmail.domain.polls import Poll, Visibility
from coopmail.domain.staff import StaffRole
from coopmail.parts import Parts
from tests.builders import Cooperative, build_decision, build_staff
from tests.conftest import FrozenClock

SECRET: dict[str, Any] = {
    "title_nl": "Offerte van Leverancier X",
    "text_nl": "Voor 123.456 euro excl. btw.",
    "grounds": "Geheim.",
}


@pytest.fixture
def public(office: Parts, cooperative: Cooperative) -> Decision:
    """A public decision of a meeting, recorded by Klaar Leroy."""
    with office.db.transaction() as (session, now):
        klaar = build_staff(session, now(), "Klaar Leroy", StaffRole.STAFF)
        return build_decision(session, now, cooperative, visibility=Visibility.PUBLIC, title_en="Fundels everywhere",
                              text_en="Fundels comes to every library.", actor=klaar.actor)  # fmt: skip


@pytest.fixture
def inside(office: Parts, cooperative: Cooperative) -> Decision:
    """A decision that only staff may read: the only one of its group and of its year."""
    with office.db.transaction() as (session, now):
        group = Group(slug="financieel-comite", name="Financieel comité", kind=GroupKind.FINANCE_COMMITTEE)
        session.add(group)
        session.flush()
        return build_decision(session, now, cooperative, group_id=group.id, decided_on=date(2025, 3, 1), **SECRET)


def decide(office: Parts, poll: Poll) -> Decision:
    """Close a poll and write the decision that rests on it."""
    with office.db.transaction() as (session, now):
        polls.close_poll(session, poll.id, now, office.basis, early=True)
        return decisions.decide_poll(session, poll.id, now, "We stappen over.", "We move.", "De uitslag.")


def page(client: FlaskClient, path: str, language: str = "nl") -> str:
    """The text of a page."""
    answer = client.get(f"{path}{'&' if '?' in path else '?'}lang={language}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def listed(client: FlaskClient, question: str = "") -> list[str]:
    """The numbers that the list shows."""
    return re.findall(r'href="/decisions/([0-9-]+)\?', page(client, f"/decisions{question}"))


def words_of(decision: Decision, **changes: Any) -> Words:
    """A decision as it is corrected."""
    return Words(**({name: getattr(decision, name) for name in Words.__dataclass_fields__} | changes))


def test_everybody_reads_a_public_decision_how_it_was_taken_and_that_it_was_recorded(
    client: FlaskClient, public: Decision
) -> None:
    shown = page(client, "/decisions/2026-001")
    for sentence in (
        '<h1>Fundels in alle bibliotheken</h1>', "Fundels komt in elke bibliotheek.",
        "In een vergadering van Stuurgroep Digitale Collecties.",
        "Geregistreerd: 9 aanwezigen: 7 voor, 1 tegen, 1 onthouden.", "Geregistreerd door Klaar Leroy op",
        "De bespreking van vandaag.", "maandag 16 november 2026",
    ):  # fmt: skip
        assert sentence in shown
    assert "ondertekend" not in shown
    assert "Gecorrigeerd" not in shown
    english = page(client, "/decisions/2026-001", "en")
    assert "<h1>Fundels everywhere</h1>" in english
    assert "Recorded by Klaar Leroy on" in english
    assert '<a href="/decisions?lang=nl">Alle besluiten</a>' in page(client, "/")


def test_nothing_of_a_decision_that_is_inside_is_shown_found_or_downloaded(
    client: FlaskClient, public: Decision, inside: Decision
) -> None:
    for path in ("/", "/decisions", "/decisions?q=123.456", "/decisions?q=offerte", "/decisions?year=2025",
                 "/decisions?group=financieel-comite", "/decisions/2026-001"):  # fmt: skip
        for language in ("nl", "en"):
            shown = page(client, path, language)
            found = [text for text in (*SECRET.values(), "2025-001", "Financieel comité") if text in shown]
            assert found == []
    assert "Niets gevonden." in page(client, "/decisions?q=offerte")
    assert "1 besluit</p>" in page(client, "/decisions")
    assert client.get("/decisions/2025-001").status_code == 404
    assert client.get(f"/decisions/2025-001/documents/{inside.documents[0].id}").status_code == 404
    assert client.get(f"/decisions/2026-001/documents/{inside.documents[0].id}").status_code == 404


def test_a_document_of_a_public_decision_is_downloaded_and_never_run(client: FlaskClient, public: Decision) -> None:
    answer = client.get(f"/decisions/2026-001/documents/{public.documents[0].id}")
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"%PDF-1.7", "application/pdf")
    assert answer.headers["Content-Disposition"] == "attachment; filename=verslag.pdf"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_a_decision_on_a_public_poll_shows_its_poll_and_the_count(
    client: FlaskClient, office: Parts, poll: Poll
) -> None:
    decide(office, poll)
    shown = page(client, "/decisions/2026-001")
    assert "<h1>Welke weg gaat het Krantenarchief op?</h1>" in shown
    assert 'href="/polls/krantenarchief?lang=nl"' in shown
    assert "Niemand stemde: er is niets gekozen." in shown
    assert "Geregistreerd" not in shown
    assert 'href="/decisions/2026-001?lang=nl"' in page(client, "/polls/krantenarchief")
    assert listed(client, "?q=krantenarchief") == ["2026-001"]


@pytest.mark.parametrize("hidden", ["the poll", "the decision"])
def test_where_either_the_poll_or_its_decision_is_not_public_the_decision_is_not(
    client: FlaskClient, office: Parts, poll: Poll, hidden: str
) -> None:
    made = decide(office, poll)
    with office.db.transaction() as (session, _):
        found: Any = session.get_one(Poll, poll.id) if hidden == "the poll" else session.get_one(Decision, made.id)
        found.visibility = Visibility.PARTICIPANTS
    assert client.get("/decisions/2026-001").status_code == 404
    assert listed(client) == []
    answer = client.get("/polls/krantenarchief?lang=nl")
    assert answer.status_code == (404 if hidden == "the poll" else 200)
    assert "We stappen over." not in answer.get_data(as_text=True)


def test_a_withdrawn_decision_stays_to_be_found_struck_through_with_its_reason(
    client: FlaskClient, office: Parts, public: Decision, poll: Poll
) -> None:
    made = decide(office, poll)
    with office.db.transaction() as (session, now):
        for one in (public, made):
            decisions.withdraw_decision(session, one.id, now, 1, "Op verzoek van de groep.")
    assert listed(client) == ["2026-002", "2026-001"]
    for path in ("/decisions/2026-001", "/decisions/2026-002", "/polls/krantenarchief"):
        shown = page(client, path)
        assert "Dit besluit is ingetrokken" in shown
        assert "Op verzoek van de groep." in shown
        assert "<del>" in shown
    assert page(client, "/decisions").count("<strong>Ingetrokken</strong>") == 2


def test_the_page_says_when_a_decision_was_corrected_and_not_when_it_was_only_made_public(
    client: FlaskClient, office: Parts, inside: Decision, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        open_ = words_of(inside, visibility=Visibility.PUBLIC)
        decisions.correct_decision(session, inside.id, now, 1, open_)
    assert "Gecorrigeerd op" not in page(client, "/decisions/2025-001")
    clock.advance(days=1)
    with office.db.transaction() as (session, now):
        better = words_of(inside, visibility=Visibility.PUBLIC, text_nl="Beter gezegd.")
        decisions.correct_decision(session, inside.id, now, 2, better, added=[Document("a.txt", "text/plain", b"a")])
    shown = page(client, "/decisions/2025-001")
    assert re.search(r"Gecorrigeerd op <time[^>]*>dinsdag 17 november 2026 om 09\.00 uur</time>", shown)
    assert "Beter gezegd." in shown


def test_decisions_are_found_by_words_by_year_and_by_group_a_page_at_a_time(
    client: FlaskClient, office: Parts, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, now):
        board = Group(slug="raad", name="Raad van Bestuur", kind=GroupKind.BOARD)
        session.add(board)
        session.flush()
        for place in range(1, 22):
            build_decision(session, now, cooperative, title_nl=f"Besluit over punt {place}", documents=(),
                           decided_on=date(2026, 1, place), visibility=Visibility.PUBLIC)  # fmt: skip
        build_decision(session, now, cooperative, title_nl="100% eigen_beheer", documents=(), group_id=board.id,
                       decided_on=date(2024, 5, 2), visibility=Visibility.PUBLIC)  # fmt: skip
    assert listed(client) == [f"2026-{place:03}" for place in range(21, 1, -1)]
    assert "Pagina 1 van 2" in page(client, "/decisions")
    assert listed(client, "?page=2") == listed(client, "?page=99") == ["2026-001", "2024-001"]
    assert listed(client, "?q=PUNT+7") == ["2026-017", "2026-007"]
    assert listed(client, "?q=100%25+eigen_beheer") == ["2024-001"]
    assert listed(client, "?q=1%25eigen") == []
    assert listed(client, "?year=2024") == listed(client, "?group=raad") == ["2024-001"]
    assert 'href="/decisions?year=2024&amp;lang=nl"' in page(client, "/decisions")


@pytest.mark.parametrize(
    "question",
    ["?year=0", "?year=99999", "?year=x", "?page=-3", "?page=x", "?page=99999999999999999999", "?q=" + "a" * 5000],
)
def test_odd_questions_are_answered_with_a_page(client: FlaskClient, public: Decision, question: str) -> None:
    assert client.get(f"/decisions{question}").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/decisions/%00", 404), ("/polls/a%00b", 404), ("/decisions?q=%00", 400), ("/decisions?group=a%00", 400),
     ("/?%00=1", 400)],
)  # fmt: skip
def test_an_address_with_a_nul_names_nothing(client: FlaskClient, public: Decision, path: str, status: int) -> None:
    assert client.get(path).status_code == status


def test_an_empty_list_says_so_and_leads_on(client: FlaskClient) -> None:
    assert "Er is nog geen openbaar besluit." in page(client, "/decisions")
