"""Decisions as staff record, correct, withdraw and find them."""

from __future__ import annotations

import io
import re
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import selectinload
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from coopmail.actions import decisions, polls
from coopmail.domain.audit import AuditRow
from coopmail.domain.decisions import Decision
from coopmail.domain.polls import Poll, Visibility
from coopmail.forms.staff import files
from coopmail.parts import Parts
from tests.builders import Cooperative, build_decision
from tests.console import Console

NEW = "/staff/decisions/new"


@pytest.fixture
def typed(cooperative: Cooperative) -> dict[str, Any]:
    """The form as staff fill it in after a meeting."""
    return {
        "group": str(cooperative.group.id), "decided_on": "2026-11-16", "present": "9", "votes_for": "7",
        "votes_against": "1", "abstained": "1", "title_nl": "Fundels in alle bibliotheken",
        "text_nl": "Fundels komt in elke bibliotheek.", "visibility": "participants", "grounds": "",
    }  # fmt: skip


@pytest.fixture
def made(office: Parts, cooperative: Cooperative) -> Decision:
    """A decision that was recorded at the command line, with a report."""
    with office.db.transaction() as (session, now):
        return build_decision(session, now, cooperative)


@pytest.fixture
def decided(office: Parts, poll: Poll) -> Decision:
    """A decision that rests on a public poll."""
    with office.db.transaction() as (session, now):
        polls.close_poll(session, poll.id, now, office.basis, early=True)
        return decisions.decide_poll(session, poll.id, now, "We stappen over.", "We move.", "De uitslag.")


def found(office: Parts) -> list[Decision]:
    """All decisions."""
    with office.db.reading() as (session, _):
        every = sa.select(Decision).order_by(Decision.id)
        return list(
            session.scalars(every.options(selectinload(Decision.documents), selectinload(Decision.recorded_by)))
        )


def edit(console: Console, decision: Decision, **changes: str) -> Any:
    """Send the form for correcting with something changed, as a browser that keeps the version it read."""
    values = {
        "group": str(decision.group_id), "decided_on": decision.decided_on.isoformat(), "present": "9",
        "votes_for": "7", "votes_against": "1", "abstained": "1", "title_nl": decision.title_nl,
        "text_nl": decision.text_nl, "visibility": decision.visibility.value, "grounds": decision.grounds,
        "version": str(decision.version),
    }  # fmt: skip
    return console.post_form(f"/staff/decisions/{decision.number}/edit", values | changes)


def test_a_decision_is_recorded_in_one_form_and_is_called_recorded_and_never_signed(
    console: Console, office: Parts, typed: dict[str, Any]
) -> None:
    shown = console.get(NEW)
    assert '<option value="" selected>Kies een groep</option>' in shown
    assert 'name="decided_on" value="2026-11-16"' in shown
    assert 'value="participants" checked' in shown
    report = (io.BytesIO(b"%PDF-1.7 verslag"), "map/Verslag\u202e 16 nov.pdf")
    answer = console.post_form(NEW, typed | {"attachments": report})
    assert (answer.status_code, answer.location) == (
        303, "/staff/decisions/2026-001?done=decision-recorded&lang=nl",
    )  # fmt: skip
    (one,) = found(office)
    assert (one.title_nl, one.present, one.votes_for, one.visibility) == (
        "Fundels in alle bibliotheken", 9, 7, Visibility.PARTICIPANTS,
    )  # fmt: skip
    assert one.recorded_by == console.person or one.recorded_by_id == console.person.id
    assert [(file.name, file.media_type, file.size) for file in one.documents] == [
        ("Verslag 16 nov.pdf", "application/pdf", 16)
    ]
    page = console.get("/staff/decisions/2026-001?done=decision-recorded")
    assert "Het besluit is geregistreerd." in page
    assert "Geregistreerd door Klaar Leroy op" in page
    assert "9 aanwezigen: 7 voor, 1 tegen, 1 onthouden" in page
    assert "alleen intern" in page
    assert "ondertekend" not in page
    assert "<li><strong>besluit geregistreerd</strong> · Klaar Leroy ·" in page


def test_sending_the_form_twice_records_one_decision_and_is_answered_the_same(
    console: Console, colleague: Console, office: Parts, typed: dict[str, Any]
) -> None:
    answers = [one.post_form(NEW, typed).location for one in (console, console, colleague)]
    assert answers == ["/staff/decisions/2026-001?done=decision-recorded&lang=nl"] * 3
    assert [one.recorded_by_id for one in found(office)] == [console.person.id]


def test_the_same_title_with_another_count_is_refused_keeps_what_was_typed_and_leads_to_the_first(
    console: Console, office: Parts, typed: dict[str, Any]
) -> None:
    console.post_form(NEW, typed)
    answer = console.post_form(NEW, typed | {"votes_for": "8", "votes_against": "0"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Besluit 2026-001 heeft dezelfde groep, dag en titel. Er is niets toegevoegd." in page
    assert 'href="/staff/decisions/2026-001?lang=nl"' in page
    assert 'name="votes_for" value="8"' in page
    assert 'name="votes_against" value="0"' in page
    assert len(found(office)) == 1


WRONG = {
    "no group": ({"group": ""}, "Kies de groep die besliste."),
    "a group that is not there": ({"group": "999999"}, "Kies de groep die besliste."),
    "no day": ({"decided_on": ""}, "Typ de dag van de vergadering, zoals 4/12/2026."),
    "no day of the calendar": ({"decided_on": "31/2/2026"}, "Typ de dag van de vergadering, zoals 4/12/2026."),
    "a day to come": ({"decided_on": "17/11/2026"},
                      "Deze dag moet nog komen: een besluit registreer je nadat het genomen is."),
    "a mistyped year": ({"decided_on": "16/11/0206"}, "Kijk het jaar na: het ligt voor 1900."),
    "more votes than persons": ({"present": "8"}, "Voor, tegen en onthouden zijn samen meer dan wie er was."),
    "half a count": ({"abstained": ""}, "Typ ook hier een getal, 0 als het niemand was; of laat ze alle drie leeg."),
    "nobody present": ({"present": ""}, "Typ hoeveel mensen er waren: daaraan worden de stemmen getoetst."),
    "no number": ({"votes_for": "zeven"}, "Typ een geheel getal, zoals 7; 0 als het niemand was."),
    "a negative number": ({"votes_for": "-1"}, "Typ een geheel getal, zoals 7; 0 als het niemand was."),
    "an endless number": ({"votes_for": "9" * 400}, "Typ een geheel getal, zoals 7; 0 als het niemand was."),
    "an Arabic number": ({"votes_for": "٧"}, "Typ een geheel getal, zoals 7; 0 als het niemand was."),
    "no title": ({"title_nl": " "}, "Typ een titel in het Nederlands."),
    "no text": ({"text_nl": ""}, "Typ in het Nederlands wat er beslist is."),
    "no reader": ({"visibility": ""}, "Zeg wie het mag lezen."),
    "another reader": ({"visibility": "friends"}, "Kies een van de twee."),
    "a program": ({"attachments": (io.BytesIO(b"MZ"), "verslag.pdf.exe")},
                  "Stuur een pdf, een tekstbestand, een csv, een png of een jpeg: bewaar andere documenten als pdf."),
    "an empty file": ({"attachments": (io.BytesIO(b""), "verslag.pdf")},
                      "Een van de bestanden is leeg: kies het opnieuw."),
}  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_still_stands(
    console: Console, office: Parts, typed: dict[str, Any], change: dict[str, Any], sentence: str
) -> None:
    fresh = {
        key: (io.BytesIO(value[0].getvalue()), value[1]) if isinstance(value, tuple) else value
        for key, value in change.items()
    }
    answer = console.post_form(NEW, typed | {"grounds": "Wat er gezegd is."} | fresh)
    page = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422
    assert page.count(sentence) >= 2, "in the summary and at its field"
    assert re.search(r"<textarea[^>]*name=\"grounds\"[^>]*>\nWat er gezegd is\.</textarea>", page)
    assert found(office) == []


def test_a_document_that_is_too_large_is_refused_with_what_to_do(
    console: Console, office: Parts, typed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_DOCUMENT", 8)
    for size, status in ((9, 422), (8, 303)):
        answer = console.post_form(NEW, typed | {"attachments": (io.BytesIO(b"x" * size), "verslag.pdf")})
        assert answer.status_code == status
        if status == 422:
            page = answer.get_data(as_text=True)
            sentence = "Een document van meer dan 10 MB is te groot: bewaar het als een kleinere pdf."
            assert page.count(sentence) == 2
            assert "Kies ze opnieuw: een browser vergeet bestanden als een formulier terugkomt." in page


def test_documents_may_be_larger_than_what_a_voter_may_send(console: Console, typed: dict[str, Any]) -> None:
    token = re.findall(r'name="csrf" value="([^"]+)"', console.get(NEW))[0]
    boundary, body = encode_multipart(
        typed | {"csrf": token, "attachments": FileStorage(io.BytesIO(b"x" * 600_000), "verslag.txt")}
    )
    answer = console.client.post(NEW, data=body, content_type=f"multipart/form-data; boundary={boundary}")
    assert answer.status_code == 303


def test_a_day_may_be_typed_as_people_write_it(console: Console, office: Parts, typed: dict[str, Any]) -> None:
    console.post_form(NEW, typed | {"decided_on": "15/11/2026"})
    assert [one.decided_on.isoformat() for one in found(office)] == ["2026-11-15"]


def test_a_meeting_that_did_not_count_is_recorded_without_a_count(
    console: Console, office: Parts, typed: dict[str, Any]
) -> None:
    console.post_form(NEW, typed | dict.fromkeys(("present", "votes_for", "votes_against", "abstained"), ""))
    assert [(one.present, one.votes_for) for one in found(office)] == [(None, None)]
    assert "Er is geen telling van stemmen geregistreerd." in console.get("/staff/decisions/2026-001")


def test_a_document_is_downloaded_by_staff_as_it_was_sent(console: Console, made: Decision) -> None:
    answer = console.ask(f"/staff/decisions/{made.number}/documents/{made.documents[0].id}")
    assert (answer.status_code, answer.data) == (200, b"%PDF-1.7")
    assert answer.headers["Content-Disposition"] == "attachment; filename=verslag.pdf"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_a_correction_keeps_what_stood_there_and_the_page_says_that_it_was_corrected(
    console: Console, office: Parts, made: Decision
) -> None:
    answer = edit(
        console, made, text_nl="Fundels komt in elke bibliotheek die het wil.", removed=str(made.documents[0].id)
    )
    assert (answer.status_code, answer.location) == (
        303, "/staff/decisions/2026-001?done=decision-corrected&lang=nl",
    )  # fmt: skip
    page = console.get("/staff/decisions/2026-001")
    assert "Fundels komt in elke bibliotheek die het wil." in page
    assert "Gecorrigeerd op" in page
    assert "verslag.pdf</a>" not in page
    with office.db.reading() as (session, _):
        row = session.scalars(sa.select(AuditRow).where(AuditRow.act == "decision-corrected")).one()
    assert (row.actor, row.detail) == (console.person.actor, {
        "before": {"text_nl": "Fundels komt in elke bibliotheek."},
        "after": {"text_nl": "Fundels komt in elke bibliotheek die het wil."}, "removed": ["verslag.pdf"],
    })  # fmt: skip


def test_two_correct_the_same_decision_and_the_second_is_told_and_loses_nothing(
    console: Console, colleague: Console, office: Parts, made: Decision
) -> None:
    assert edit(colleague, made, title_nl="Titel van Bram", votes_for="6").status_code == 303
    answer = edit(console, made, title_nl="Titel van Klaar")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Bram Wouters bewaarde een wijziging op" in page
    assert "<dt>Titel in het Nederlands</dt><dd>Titel van Bram</dd>" in page
    assert "<dt>Voor</dt><dd>6</dd>" in page
    assert 'name="title_nl" value="Titel van Klaar"' in page
    assert 'name="version" value="2"' in page
    assert [one.title_nl for one in found(office)] == ["Titel van Bram"]
    again = dict(re.findall(r'name="(title_nl|version)" value="([^"]*)"', page))
    assert edit(console, made, **again).status_code == 303
    assert [(one.title_nl, one.votes_for, one.version) for one in found(office)] == [("Titel van Klaar", 7, 3)]


def test_a_decision_is_withdrawn_after_a_page_that_says_what_will_happen_and_restored_by_another(
    console: Console, office: Parts, made: Decision
) -> None:
    path = f"/staff/decisions/{made.number}/withdraw"
    asked = console.get(path)
    assert "Het houdt zijn nummer en blijft te vinden" in asked
    assert "Het staat op geen openbare pagina." in asked
    assert console.post_form(path, {"version": "1", "reason": " "}).status_code == 422
    assert found(office)[0].withdrawn_at is None
    for _click in range(2):
        answer = console.client.post(
            f"{path}?lang=nl",
            data={
                "csrf": re.findall(r'name="csrf" value="([^"]+)"', asked)[0],
                "version": "1",
                "reason": "Verkeerde dag.",
            },
        )
        assert answer.location == "/staff/decisions/2026-001?done=decision-withdrawn&lang=nl"
    page = console.get("/staff/decisions/2026-001")
    assert "Dit besluit is ingetrokken" in page
    assert "Verkeerde dag." in page
    assert re.search(r"<del>\s*<p>Fundels komt in elke bibliotheek\.</p>\s*</del>", page)
    assert "Verbeteren" not in page
    assert "Een ingetrokken besluit verbeter je niet." in console.get("/staff/decisions/2026-001/edit")
    assert edit(console, made, title_nl="Toch").status_code == 409
    restore = console.post_form("/staff/decisions/2026-001/restore", {"version": "2"})
    assert restore.location == "/staff/decisions/2026-001?done=decision-restored&lang=nl"
    assert [(one.withdrawn_at, one.withdrawal_reason) for one in found(office)] == [(None, "")]


def test_a_withdrawal_of_what_another_corrected_meanwhile_is_not_done_before_it_is_looked_at(
    console: Console, colleague: Console, office: Parts, made: Decision
) -> None:
    edit(colleague, made, title_nl="Nieuwe titel")
    answer = console.post_form(f"/staff/decisions/{made.number}/withdraw", {"version": "1", "reason": "Fout."})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Er is niets ingetrokken." in page
    assert 'name="version" value="2"' in page
    assert "\nFout.</textarea>" in page
    assert found(office)[0].withdrawn_at is None


def test_a_withdrawn_decision_does_not_come_back_beside_the_one_that_took_its_place(
    console: Console, office: Parts, made: Decision, typed: dict[str, Any]
) -> None:
    console.post_form(f"/staff/decisions/{made.number}/withdraw", {"version": "1", "reason": "Fout."})
    assert console.post_form(NEW, typed).location == "/staff/decisions/2026-002?done=decision-recorded&lang=nl"
    answer = console.post_form(f"/staff/decisions/{made.number}/restore", {"version": "2"})
    assert answer.status_code == 409
    assert "Besluit 2026-002 heeft dezelfde groep, dag en titel." in answer.get_data(as_text=True)


def test_of_a_decision_on_a_poll_the_group_the_day_and_the_votes_are_not_asked(
    console: Console, office: Parts, decided: Decision
) -> None:
    page = console.get(f"/staff/decisions/{decided.number}/edit")
    assert 'name="group"' not in page
    assert 'name="present"' not in page
    answer = console.post_form(f"/staff/decisions/{decided.number}/edit", {
        "title_nl": "Open platform", "text_nl": "We stappen over.", "visibility": "public", "grounds": "",
        "version": "1"})  # fmt: skip
    assert "Typ op welke gronden er beslist is." in answer.get_data(as_text=True)
    answer = console.post_form(f"/staff/decisions/{decided.number}/edit", {
        "title_nl": "Open platform", "text_nl": "We stappen over.", "visibility": "public",
        "grounds": "De uitslag.", "version": "1"})  # fmt: skip
    assert answer.status_code == 303
    shown = console.get(f"/staff/decisions/{decided.number}")
    assert 'href="/staff/polls/krantenarchief?lang=nl"' in shown
    assert "Opgeschreven op" in shown
    assert "Geregistreerd" not in shown


def test_a_decision_is_not_made_public_where_its_poll_is_not(
    console: Console, office: Parts, decided: Decision
) -> None:
    with office.db.transaction() as (session, _):
        session.get_one(Poll, decided.poll_id).visibility = Visibility.PARTICIPANTS
        session.get_one(Decision, decided.id).visibility = Visibility.PARTICIPANTS
    answer = console.post_form(f"/staff/decisions/{decided.number}/edit", {
        "title_nl": "Open platform", "text_nl": "We stappen over.", "visibility": "public",
        "grounds": "De uitslag.", "version": "1"})  # fmt: skip
    assert answer.status_code == 409
    assert (
        answer.get_data(as_text=True).count("De stemronde is niet openbaar, dus kan het besluit het ook niet zijn.")
        == 2
    )


def test_the_list_is_searched_filtered_sorted_and_exported(
    console: Console, office: Parts, made: Decision, decided: Decision, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, now):
        old = build_decision(session, now, cooperative, title_nl="Oud besluit", documents=(),
                             decided_on=made.decided_on.replace(year=2024), visibility=Visibility.PUBLIC)  # fmt: skip
        decisions.withdraw_decision(session, old.id, now, 1, "Vervangen.")

    def numbers(question: str) -> list[str]:
        return re.findall(
            r'<td role="cell"><a href="/staff/decisions/([0-9-]+)', console.get(f"/staff/decisions{question}")
        )

    assert numbers("") == ["2026-002", "2026-001", "2024-001"]
    assert numbers("?q=fundels+alle") == ["2026-001"]
    assert numbers("?q=krantenarchief") == ["2026-002"]
    assert numbers("?origin=poll") == ["2026-002"]
    assert numbers("?origin=meeting&sort=number") == ["2024-001", "2026-001"]
    assert numbers("?year=2024") == ["2024-001"]
    assert numbers("?standing=withdrawn") == ["2024-001"]
    assert numbers("?visibility=participants") == ["2026-001"]
    assert numbers(f"?group={cooperative.group.slug}") == ["2026-002", "2026-001", "2024-001"]
    assert "Niets gevonden." in console.get("/staff/decisions?q=niets")
    lines = console.ask("/staff/decisions.csv?origin=meeting&sort=number").get_data(as_text=True).splitlines()
    assert lines[0].lstrip("\ufeff").split(";")[:3] == ['"Nummer"', '"Besluit"', '"Dag"']
    assert lines[1].split(";") == [
        '"2024-001"', '"Oud besluit"', '"2024-11-16"', '"Stuurgroep Digitale Collecties"',
        '"in een vergadering: 9 aanwezigen: 7 voor, 1 tegen, 1 onthouden"', '"iedereen"', '"ingetrokken"', '""',
    ]  # fmt: skip


def test_an_empty_list_says_what_to_do_first_and_so_does_a_form_without_groups(console: Console) -> None:
    assert "Er is nog geen besluit. Registreer wat een vergadering besliste" in console.get("/staff/decisions")
    assert "Er is nog geen groep die beslist kan hebben." in console.get(NEW)


def test_the_pages_speak_english_too(console: Console, made: Decision) -> None:
    page = console.get(f"/staff/decisions/{made.number}", language="en")
    assert "9 persons present: 7 for, 1 against, 1 abstained" in page
    assert '<h1 lang="nl">Fundels in alle bibliotheken</h1>' in page
    assert "only inside" in page
