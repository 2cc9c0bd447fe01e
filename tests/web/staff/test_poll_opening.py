"""A last look at a draft, and opening it: who is asked, whom nobody reaches, what to mind; then the mails go, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, time, timedelta

import pytest

from coopmail.actions import poll_documents
from coopmail.domain.calendar import in_brussels
from coopmail.domain.polls import Audience, Effect, Poll, PollState
from coopmail.parts import Parts
from tests.builders import Cooperative, build_field, build_poll
from tests.conftest import CLOSING, FrozenClock, Received
from tests.console import Console
from tests.mail.acts import change
from tests.web.pages import everything
from tests.web.staff.writing import in_fields, page_of, poll_of, recorded, send, text_of, went

Deliver = Callable[[], list[Received]]
OPEN = "/staff/polls/krantenarchief/open"
BOARD = "/polls/krantenarchief"


@pytest.fixture
def draft(office: Parts, cooperative: Cooperative) -> Poll:
    """A draft of the Krantenarchief's members."""
    with office.db.transaction() as (session, _):
        return build_poll(session, cooperative, closes_at=CLOSING)


def button(console: Console) -> dict[str, str]:
    """What the button of the last look sends."""
    return in_fields(console.get(OPEN), "version")


def test_the_last_look_counts_who_is_asked_and_names_whom_nobody_reaches(
    console: Console, office: Parts, cooperative: Cooperative, draft: Poll
) -> None:
    before = everything(office.db)
    page = console.get(OPEN)
    said = text_of(page)
    assert "Mogen stemmen 5 stemmen Mails 5 mails vertrekken meteen" in said
    assert "Voor 1 van hen is niemand bereikbaar" in said
    lost = page.partition("is niemand bereikbaar")[2].partition("</ul>")[0]
    assert text_of(f"<main>{lost}</main>").endswith("Bibliotheek Mol")
    assert f'href="/staff/organisations/{cooperative.libraries["Mol"].id}?lang=nl"' in lost
    asked = page.partition("<summary>Aan wie het gevraagd wordt (5)")[2].partition("</ul>")[0]
    assert [name for name in cooperative.libraries if f"Bibliotheek {name}" in asked] == [
        "Aartselaar", "Boom", "Duffel", "Lier", "Mol",
    ]  # fmt: skip
    assert "Openen mailt 5 persoonlijke links." in said
    assert "5 personal links" in text_of(console.get(OPEN, language="en"))
    assert everything(office.db) == before


def test_members_and_others_are_counted_apart(
    console: Console, office: Parts, cooperative: Cooperative, draft: Poll
) -> None:
    with office.db.transaction() as (session, now):
        build_field(session, cooperative, now())
    change(office, Poll, Poll.id == draft.id, audience=Audience.WHOLE_FIELD, service_id=None,
           effect=Effect.CONSULTATION)  # fmt: skip
    page = console.get(OPEN)
    assert "Mogen stemmen 6 stemmen Gehoord, apart geteld 4 " in text_of(page)
    assert page.count("gehoord, apart geteld</span>") == 4


@pytest.mark.parametrize(
    ("closes", "changes", "dutch", "english"),
    [
        (in_brussels(date(2026, 11, 20), time(17)), {},
         "Het charter vraagt dat een stemronde 14 dagen open is; deze is dat 4 dagen.",
         "The charter asks that a poll be open for 14 days; this one is for 4."),
        (in_brussels(date(2026, 12, 28), time(17)), {}, "De stemronde sluit in een rustperiode: de kerstvakantie.",
         "The poll closes in a quiet period: the Christmas holidays."),
        (in_brussels(date(2026, 12, 5), time(17)), {}, "De stemronde sluit op een dag die geen werkdag is.",
         "The poll closes on a day that is no working day."),
    ],
)  # fmt: skip
def test_what_there_is_to_mind_is_said_in_both_languages(
    console: Console, office: Parts, draft: Poll, closes: object, changes: dict[str, str], dutch: str, english: str
) -> None:
    assert "Let hierop" not in text_of(console.get(OPEN)), "nothing to mind"
    change(office, Poll, Poll.id == draft.id, closes_at=closes, **changes)
    assert f"Let hierop {dutch}" in text_of(console.get(OPEN))
    assert f"Mind this {english}" in text_of(console.get(OPEN, language="en"))


def test_a_missing_english_text_is_said(console: Console, office: Parts, draft: Poll) -> None:
    change(office, Poll, Poll.id == draft.id, title_en="")
    assert "Let hierop" in text_of(console.get(OPEN))
    assert "whoever reads English gets the Dutch." in text_of(console.get(OPEN, language="en"))


def test_opening_mails_everybody_once(console: Console, office: Parts, draft: Poll, deliver: Deliver) -> None:
    data = button(console)
    for _click in range(2):
        assert went(send(console, data, OPEN)) == f"{BOARD}?done=poll-opened"
    assert poll_of(office, "krantenarchief").state is PollState.OPEN
    assert "De stemronde is open. De uitnodigingen zijn onderweg." in text_of(
        console.get(f"/staff{BOARD}?done=poll-opened")
    )
    assert Counter(mail.to for mail in deliver()) == Counter([
        "els.peeters@aartselaar.example", "jan.maes@aartselaar.example", "bibliotheek@boom.example",
        "lies.claes@duffel.example", "lies.claes@duffel.example",
    ])  # fmt: skip
    assert [(act, who) for act, who, _ in recorded(office, draft.id)] == [("poll-opened", console.person.actor)]
    assert went(console.ask(OPEN)) == f"{BOARD}?done=poll-no-draft"


def test_a_poll_whose_closing_has_passed_is_not_opened(
    console: Console, office: Parts, draft: Poll, clock: FrozenClock
) -> None:
    data = button(console)
    change(office, Poll, Poll.id == draft.id, closes_at=clock() + timedelta(minutes=1))
    clock.advance(minutes=1)
    before = everything(office.db)
    page = page_of(send(console, data, OPEN), 409)
    assert "Ze is niet geopend Dit moment is voorbij: kies een later." in text_of(page)
    shown = console.get(OPEN)
    assert "Ze kan nog niet geopend worden Dit moment is voorbij: kies een later." in text_of(shown)
    assert "Stemronde openen" not in shown
    assert everything(office.db) == before


def test_a_draft_that_changed_after_it_was_looked_at_is_not_opened(
    console: Console, office: Parts, draft: Poll
) -> None:
    data = button(console)
    with office.db.transaction() as (session, _):
        row = session.get_one(Poll, draft.id)
        row.edit(row.version)
        row.title_nl = "Een andere vraag"
    page = page_of(send(console, data, OPEN), 409)
    assert "Iemand wijzigde dit ontwerp nadat je deze pagina opende." in text_of(page)
    assert poll_of(office, "krantenarchief").state is PollState.DRAFT
    assert went(send(console, in_fields(page, "version"), OPEN)) == f"{BOARD}?done=poll-opened"


def test_a_draft_that_got_or_lost_a_document_after_it_was_looked_at_is_not_opened(
    console: Console, office: Parts, draft: Poll
) -> None:
    data = button(console)
    with office.db.transaction() as (session, now):
        (note,) = poll_documents.add_documents(
            session, now, draft.id, [poll_documents.document("nota.txt", "Nota", b"Nota")]
        )
    page = page_of(send(console, data, OPEN), 409)
    data = in_fields(page, "version")
    with office.db.transaction() as (session, now):
        poll_documents.remove_document(session, now, draft.id, note.id)
    page_of(send(console, data, OPEN), 409)
    assert poll_of(office, "krantenarchief").state is PollState.DRAFT


def test_where_nobody_may_vote_it_cannot_be_opened(
    console: Console, office: Parts, cooperative: Cooperative, draft: Poll
) -> None:
    change(office, Poll, Poll.id == draft.id, service_id=None)
    page = console.get(OPEN)
    assert "Ze kan nog niet geopend worden" in text_of(page)
    assert "Kies de dienst waarvan de coöperanten bevraagd worden." in text_of(page)
    answer = send(console, {"version": str(poll_of(office, "krantenarchief").version)}, OPEN)
    assert "Ze is niet geopend" in text_of(page_of(answer, 409))
    assert poll_of(office, "krantenarchief").state is PollState.DRAFT


def test_a_secret_vote_says_what_it_means_and_is_refused_for_fewer_than_five(
    console: Console, office: Parts, draft: Poll
) -> None:
    change(office, Poll, Poll.id == draft.id, secret=True)
    said = text_of(console.get(OPEN))
    assert "Bij het openen ontstaat een sleutel in twee helften" in said
    change(office, Poll, Poll.id == draft.id, audience=Audience.GROUP_SEATS, service_id=None)
    assert "Vandaag mogen er maar 3 stemmen, en een geheime stemming vraagt er 5 of meer" in text_of(console.get(OPEN))
    assert recorded(office, draft.id) == []
