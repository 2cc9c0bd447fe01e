"""What staff do with a poll that runs: each act says what it will do, does it once, and says why where it cannot."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from coopmail.actions import decisions, polls
from coopmail.domain.audit import AuditRow, Matter
from coopmail.domain.calendar import in_brussels
from coopmail.domain.contacts import Contact
from coopmail.domain.decisions import Decision
from coopmail.domain.polls import Poll, PollState, Reminder
from coopmail.domain.staff import StaffMember
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, MONDAY, FrozenClock, Received
from tests.console import Console
from tests.mail.acts import change, vote
from tests.secrecy import build_libraries, open_secret_poll, vote_all
from tests.web.pages import Forms, everything
from tests.web.staff.test_board import AARTSELAAR, BOARD, BOOM, ELS, LIES, text_of

Deliver = Callable[[], list[Received]]
ACTS = ("remind", "extend", "close", "withdraw", "announce", "decide")
DECISION = {"title_nl": "Krantenarchief", "text_nl": "We gaan naar het open platform.", "grounds": "De stemronde."}
WEEK_LATER = {"day": "2026-12-11", "hour": "17:00"}


def press(browser: Console, act: str, data: dict[str, Any] | None = None) -> TestResponse:
    """Open the page of an act, fill it in over what it was served with, and press its button."""
    return press_again(browser, act, served(browser, act) | (data or {}))


def served(browser: Console, act: str) -> dict[str, str]:
    """The values that the form of an act is served with."""
    page = browser.get(f"{BOARD}/{act}")
    form = next(form for form in Forms(page).found if "sign-out" not in form.action and form.method == "post")
    return dict(form.values)


def press_again(browser: Console, act: str, data: dict[str, Any]) -> TestResponse:
    """Send a form as it was sent before."""
    return browser.client.post(f"{BOARD}/{act}?lang=nl", data=data)


def sent_on(answer: TestResponse) -> str:
    """To which page an answer leads, and with which sentence."""
    assert answer.status_code == 303, text_of(answer.get_data(as_text=True))
    return answer.location.removeprefix(BOARD).removesuffix("&lang=nl")


def said(answer: TestResponse) -> str:
    """What the page says that is the answer."""
    return text_of(answer.get_data(as_text=True))


def recorded(office: Parts, act: str) -> list[tuple[str, dict[str, Any]]]:
    """Who did something, and the detail of the record."""
    with office.db.reading() as (session, _):
        rows = session.scalars(sa.select(AuditRow).where(AuditRow.act == act).order_by(AuditRow.id))
        return [(row.actor, row.detail) for row in rows]


def poll_of(office: Parts, slug: str = "krantenarchief") -> Poll:
    """The poll as it is now."""
    with office.db.reading() as (session, _):
        return session.scalars(sa.select(Poll).where(Poll.slug == slug)).one()


def templates(mails: list[Received]) -> dict[str, int]:
    """How many of each."""
    return dict(Counter(mail.template for mail in mails))


def closed(office: Parts, poll: Poll) -> None:
    """Staff closed the poll before its time."""
    with office.db.transaction() as (session, now):
        polls.close_poll(session, poll.id, now, office.basis, early=True)


def withdrawn(office: Parts, poll: Poll) -> None:
    """Staff withdrew the poll."""
    with office.db.transaction() as (session, now):
        polls.withdraw_poll(session, poll.id, now, "Niet meer nodig.")


def decided(office: Parts, poll: Poll) -> None:
    """There is a decision on the poll."""
    closed(office, poll)
    with office.db.transaction() as (session, now):
        decisions.decide_poll(session, poll.id, now, "Beslist.", "", "De stemronde.")


def unchanged(office: Parts, before: dict[str, list[tuple[object, ...]]]) -> bool:
    """Whether every row is as it was."""
    return everything(office.db) == before


def test_looking_at_the_pages_of_acts_changes_nothing(console: Console, office: Parts, poll: Poll) -> None:
    before = everything(office.db)
    for act in ACTS:
        console.get(f"{BOARD}/{act}")
        console.get(f"{BOARD}/{act}", language="en")
    assert unchanged(office, before)


def test_reminding_mails_whoever_has_not_answered_and_no_one_twice(
    console: Console, office: Parts, klaar: StaffMember, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    vote(office, ELS, AARTSELAAR)
    deliver()
    page = text_of(console.get(f"{BOARD}/remind"))
    assert "2 personen krijgen nu een mail: wie nog niet antwoordde en bereikbaar is." in page
    assert "1 heeft niet geantwoord en is niet te bereiken per mail. Bel hen" in page
    assert "Vanzelf vertrekt de volgende herinnering op vrijdag 27 november 2026." in page
    data = served(console, "remind")
    assert sent_on(press_again(console, "remind", data)) == "?done=poll-reminded"
    assert sent_on(press_again(console, "remind", data)) == "?done=poll-reminded-nobody"
    assert sorted((mail.template, mail.to) for mail in deliver()) == [("reminder", BOOM), ("reminder", LIES)]
    assert recorded(office, "poll-reminded") == [(klaar.actor, {"mails": 2})]
    again = console.get(f"{BOARD}/remind")
    assert "Nu zou niemand een mail krijgen." in text_of(again)
    assert "2 personen kregen de herinnering van vandaag al, en krijgen geen tweede." in text_of(again)
    assert '<form method="post" novalidate>' not in again
    assert "Klaar Leroy liet op maandag 16 november 2026 om 09.00 uur nog herinneringen versturen: 2 mails." in text_of(
        console.get(BOARD)
    )


def test_reminding_on_the_day_of_a_planned_reminder_leaves_the_runner_nothing_to_send(
    app: Flask, office: Parts, klaar: StaffMember, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    clock.move_to(in_brussels(date(2026, 11, 27), time(8)))
    assert sent_on(press(Console.of(app, office, klaar), "remind")) == "?done=poll-reminded"
    assert templates(deliver()) == {"reminder": 4}
    clock.move_to(in_brussels(date(2026, 11, 27), time(9)))
    assert deliver() == []
    with office.db.reading() as (session, _):
        days = session.execute(sa.select(Reminder.day, Reminder.state).order_by(Reminder.day)).all()
    assert [(str(day), state.value) for day, state in days] == [
        ("2026-11-27", "queued"), ("2026-12-01", "planned"), ("2026-12-03", "planned"),
    ]  # fmt: skip


def test_an_address_that_refused_mail_is_not_reminded_but_counted_among_those_to_call(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    change(office, Contact, Contact.email == BOOM, undeliverable_at=MONDAY)
    page = text_of(console.get(f"{BOARD}/remind"))
    assert "3 personen krijgen nu een mail" in page
    assert "2 hebben niet geantwoord en zijn niet te bereiken per mail." in page
    press(console, "remind")
    assert BOOM not in [mail.to for mail in deliver()]


def test_a_reminder_on_a_sunday_is_possible_and_the_page_says_what_day_it_is(
    app: Flask, office: Parts, klaar: StaffMember, clock: FrozenClock, poll: Poll
) -> None:
    clock.move_to(in_brussels(date(2026, 11, 22), time(10)))
    browser = Console.of(app, office, klaar)
    assert "Let op: vandaag is geen werkdag." in text_of(browser.get(f"{BOARD}/remind"))
    assert sent_on(press(browser, "remind")) == "?done=poll-reminded"


def test_more_time_is_given_once_and_everybody_is_told(
    console: Console, office: Parts, klaar: StaffMember, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    assert "Er vertrekken 5 mails" in text_of(console.get(f"{BOARD}/extend"))
    data = served(console, "extend") | WEEK_LATER
    assert sent_on(press_again(console, "extend", data)) == "?done=poll-extended"
    assert sent_on(press_again(console, "extend", data)) == "?done=poll-extended"
    later = CLOSING + timedelta(days=7)
    assert poll_of(office).closes_at == later
    assert templates(deliver()) == {"poll-extended": 5}
    assert recorded(office, "poll-extended") == [
        (klaar.actor, {"before": CLOSING.isoformat(), "after": later.isoformat()})
    ]
    assert "Er is nu meer tijd" in text_of(console.get(f"{BOARD}?done=poll-extended"))


@pytest.mark.parametrize(
    ("day", "hour", "message"),
    [
        ("2026-12-04", "17:00", "Dit is niet later dan het huidige sluitingsuur: kies een later moment."),
        ("2026-12-04", "16:59", "Dit is niet later dan het huidige sluitingsuur: kies een later moment."),
        ("2026-11-16", "08:00", "Dit moment is voorbij: kies een later."),
        ("2027-03-28", "02:30", "De klok slaat dit uur die dag over: kies een ander."),
        ("2026-12-32", "17:00", "Kies een dag, of typ hem als 2026-12-31."),
        ("morgen", "17:00", "Kies een dag, of typ hem als 2026-12-31."),
        ("2026-12-11", "25:00", "Typ een uur, zoals 17:00."),
        ("2026-12-11", "", "Typ een uur, zoals 17:00."),
        ("", "17:00", "Kies een dag."),
        ("0001-01-01", "00:00", "De klok slaat dit uur die dag over: kies een ander."),
        ("2027-12-11", "17:00", "Dit is meer dan een jaar ver: kies een vroegere dag."),
        ("9999-12-31", "23:59", "Dit is meer dan een jaar ver: kies een vroegere dag."),
    ],
)
def test_a_closing_time_that_cannot_be_is_said_at_its_field_and_stays_typed(
    console: Console, office: Parts, poll: Poll, day: str, hour: str, message: str
) -> None:
    before = everything(office.db)
    answer = press(console, "extend", {"day": day, "hour": hour})
    page = answer.get_data(as_text=True)
    assert (answer.status_code, f'value="{day}"' in page, f'value="{hour}"' in page) == (
        422, True, True,
    )  # fmt: skip
    assert message in text_of(page)
    assert 'class="errors" tabindex="-1" autofocus' in page
    assert unchanged(office, before)


@pytest.mark.parametrize(
    ("day", "warning"),
    [
        ("2026-12-12", "zaterdag 12 december 2026 is geen werkdag."),
        ("2027-07-14", "woensdag 14 juli 2027 valt in een rustperiode"),
    ],
)
def test_a_day_to_mind_is_warned_of_once_and_then_taken(
    console: Console, office: Parts, poll: Poll, day: str, warning: str
) -> None:
    first = press(console, "extend", {"day": day, "hour": "17:00"})
    assert first.status_code == 200
    assert warning in said(first)
    assert poll_of(office).closes_at == CLOSING
    form = next(form for form in Forms(first.get_data(as_text=True)).found if "sign-out" not in form.action)
    other = press_again(console, "extend", dict(form.values) | {"day": "2026-12-13"})
    assert "zondag 13 december 2026 is geen werkdag." in said(other)
    assert sent_on(press_again(console, "extend", dict(form.values))) == "?done=poll-extended"
    assert poll_of(office).closes_at == in_brussels(date.fromisoformat(day), time(17))


def test_of_two_who_give_more_time_the_second_is_told_and_loses_nothing(
    console: Console, colleague: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    mine = served(console, "extend") | {"day": "2026-12-18", "hour": "12:00"}
    press(colleague, "extend", WEEK_LATER)
    answer = press_again(console, "extend", mine)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Bram Wouters" in text_of(page)
    assert "Sluit nu op vrijdag 11 december 2026 om 17.00 uur" in text_of(page)
    assert 'value="2026-12-18"' in page
    form = next(form for form in Forms(page).found if "sign-out" not in form.action)
    assert sent_on(press_again(console, "extend", dict(form.values))) == "?done=poll-extended"
    assert poll_of(office).closes_at == in_brussels(date(2026, 12, 18), time(12))


def test_closing_early_counts_once_keeps_the_reason_for_staff_and_tells_everybody(
    client: FlaskClient, console: Console, office: Parts, klaar: StaffMember, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    vote(office, ELS, AARTSELAAR, "move")
    deliver()
    page = text_of(console.get(f"{BOARD}/close"))
    assert "4 hebben niet geantwoord en kunnen dat dan niet meer." in page
    assert "Er vertrekken 5 mails met de uitslag" in page
    data = served(console, "close") | {"reason": "De leverancier wacht."}
    assert sent_on(press_again(console, "close", data)) == "?done=poll-closed"
    assert sent_on(press_again(console, "close", data)) == "?done=poll-closed"
    mails = deliver()
    assert templates(mails) == {"ballot-outcome": 5}
    assert [(who, detail["reason"], detail["early"]) for who, detail in recorded(office, "poll-closed")] == [
        (klaar.actor, "De leverancier wacht.", True)
    ]
    assert "De leverancier wacht." in text_of(console.get(BOARD))
    assert "De leverancier wacht." not in client.get("/polls/krantenarchief").get_data(as_text=True)
    assert all("De leverancier wacht." not in mail.text for mail in mails)


def test_whoever_closes_after_a_colleague_is_told_who_was_first_and_keeps_the_words(
    console: Console, colleague: Console, office: Parts, poll: Poll
) -> None:
    mine = served(console, "close") | {"reason": "Mijn reden."}
    press(colleague, "close", {"reason": "Zijn reden."})
    answer = press_again(console, "close", mine)
    assert answer.status_code == 409
    assert "Ze is gesloten, en de uitslag is verstuurd. Bram Wouters deed dit op maandag" in said(answer)
    assert "Mijn reden." in said(answer)
    assert [detail["reason"] for _, detail in recorded(office, "poll-closed")] == ["Zijn reden."]


def test_a_secret_vote_whose_key_is_gone_is_not_closed_and_can_be_withdrawn(
    console: Console, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, 6, now())
    poll = open_secret_poll(office, cooperative, "krantenarchief")
    assert "Minder dan vijf hebben geantwoord" in text_of(console.get(f"{BOARD}/close"))
    vote_all(office, poll, 1, clock)
    assert "Minder dan vijf hebben geantwoord" not in text_of(console.get(f"{BOARD}/close"))
    for file in office.settings.key_folder.rglob("*"):
        if file.is_file():
            file.unlink()
    before = everything(office.db)
    answer = press(console, "close", {"reason": "Nu."})
    assert answer.status_code == 409
    assert "Deze stemronde kan niet geteld worden" in said(answer)
    assert unchanged(office, before)
    assert sent_on(press(console, "withdraw", {"reason": "De sleutel is weg."})) == "?done=poll-withdrawn"


def test_withdrawing_wants_a_reason_and_tells_it_to_everybody_once(
    client: FlaskClient, console: Console, office: Parts, klaar: StaffMember, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    vote(office, ELS, AARTSELAAR)
    deliver()
    page = text_of(console.get(f"{BOARD}/withdraw"))
    assert "Er vertrekken 5 mails" in page
    assert "1 antwoord wordt niet geteld." in page
    empty = press(console, "withdraw", {"reason": "   "})
    assert (empty.status_code, poll_of(office).state) == (422, PollState.OPEN)
    assert "Typ de reden: iedereen die gevraagd is, leest ze." in said(empty)
    data = served(console, "withdraw") | {"reason": "Het aanbod verviel.\r\n\r\nEr komt een nieuwe vraag."}
    assert sent_on(press_again(console, "withdraw", data)) == "?done=poll-withdrawn"
    assert sent_on(press_again(console, "withdraw", data)) == "?done=poll-withdrawn"
    mails = deliver()
    assert templates(mails) == {"poll-withdrawn": 5}
    assert all("Het aanbod verviel." in mail.text for mail in mails)
    assert "Het aanbod verviel." in client.get("/polls/krantenarchief").get_data(as_text=True)
    assert [who for who, _ in recorded(office, "poll-withdrawn")] == [klaar.actor]
    other = press_again(console, "withdraw", data | {"reason": "Een andere reden."})
    assert other.status_code == 409
    assert "Ze is ingetrokken." in said(other)
    assert "Een andere reden." in said(other)


def test_a_draft_is_withdrawn_without_a_mail(
    console: Console, office: Parts, cooperative: Cooperative, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, _):
        build_poll(session, cooperative, closes_at=CLOSING)
    assert "Nog niemand is gevraagd, dus niemand wordt gemaild." in text_of(console.get(f"{BOARD}/withdraw"))
    assert sent_on(press(console, "withdraw", {"reason": "Een vergissing."})) == "?done=poll-withdrawn"
    assert (poll_of(office).state, deliver()) == (PollState.WITHDRAWN, [])


def test_an_outcome_that_waited_is_sent_once_and_its_matter_is_settled(
    app: Flask, office: Parts, klaar: StaffMember, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    clock.move_to(CLOSING + timedelta(days=4))
    assert deliver() == []
    browser = Console.of(app, office, klaar)
    assert "Er vertrekken 5 mails, naar iedereen die gevraagd is." in text_of(browser.get(f"{BOARD}/announce"))
    data = served(browser, "announce")
    assert sent_on(press_again(browser, "announce", data)) == "?done=poll-announced"
    assert sent_on(press_again(browser, "announce", data)) == "?done=poll-announced"
    assert templates(deliver()) == {"ballot-outcome": 5}
    assert recorded(office, "outcome-announced") == [(klaar.actor, {})]
    with office.db.reading() as (session, _):
        matter = session.scalars(sa.select(Matter).where(Matter.key == f"announce:{poll.id}")).one()
    assert matter.settled_at is not None


def test_a_decision_is_written_once_on_a_closed_vote_and_everybody_can_read_it(
    client: FlaskClient, console: Console, office: Parts, klaar: StaffMember, poll: Poll, deliver: Deliver
) -> None:
    vote(office, ELS, AARTSELAAR, "move")
    closed(office, poll)
    page = console.get(f"{BOARD}/decide")
    assert "Naar een open platform” is gekozen" in text_of(page)
    assert 'value="Welke weg gaat het Krantenarchief op?"' in page
    empty = press(console, "decide", {"title_nl": ""})
    assert empty.status_code == 422
    assert [word for word in ("de titel van het besluit", "Typ wat beslist is", "waarop het besluit steunt") if word
            not in said(empty)] == []  # fmt: skip
    data = served(console, "decide") | DECISION
    assert sent_on(press_again(console, "decide", data)) == "?done=poll-decided"
    assert sent_on(press_again(console, "decide", data)) == "?done=poll-decided"
    with office.db.reading() as (session, _):
        written = session.scalars(sa.select(Decision)).all()
    assert [(one.number, one.title_nl, one.text_nl, one.recorded_by_id) for one in written] == [
        ("2026-001", "Krantenarchief", "We gaan naar het open platform.", klaar.id)
    ]
    assert recorded(office, "poll-decided") == [(klaar.actor, {"number": "2026-001"})]
    assert "We gaan naar het open platform." in client.get("/polls/krantenarchief").get_data(as_text=True)
    assert "We gaan naar het open platform." in text_of(console.get(BOARD))
    other = press_again(console, "decide", data | {"text_nl": "We blijven."})
    assert other.status_code == 409
    assert "We blijven." in said(other)


def draft(office: Parts, poll: Poll) -> None:
    """The poll was never opened."""
    change(office, Poll, Poll.id == poll.id, state=PollState.DRAFT, opened_at=None)


def still_open(_office: Parts, _poll: Poll) -> None:
    """The poll is open."""


STATES: dict[str, tuple[Callable[[Parts, Poll], None], tuple[str, ...]]] = {
    "draft": (draft, ("withdraw",)),
    "open": (still_open, ("remind", "extend", "close", "withdraw")),
    "closed": (closed, ("decide",)),
    "decided": (decided, ()),
    "withdrawn": (withdrawn, ()),
}
FORMS: dict[str, dict[str, str]] = {
    "remind": {}, "extend": WEEK_LATER | {"version": "1"}, "close": {}, "withdraw": {"reason": "Weg ermee."},
    "announce": {}, "decide": DECISION,
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_an_act_that_the_state_does_not_allow_is_refused_in_words_and_changes_nothing(
    console: Console, office: Parts, poll: Poll, state: str
) -> None:
    make, allowed = STATES[state]
    token = served(console, "close")["csrf"]
    make(office, poll)
    before = everything(office.db)
    for act in ACTS:
        if act in allowed:
            assert "Dit kan nu niet met deze stemronde" not in text_of(console.get(f"{BOARD}/{act}"))
            continue
        assert "Dit kan nu niet met deze stemronde" in text_of(console.get(f"{BOARD}/{act}")), act
        answer = press_again(console, act, FORMS[act] | {"csrf": token})
        assert answer.status_code == 409, act
        assert "Dit kan nu niet met deze stemronde" in said(answer)
    assert unchanged(office, before)


def test_after_the_closing_time_a_vote_is_neither_reminded_of_nor_extended(
    app: Flask, office: Parts, klaar: StaffMember, clock: FrozenClock, poll: Poll
) -> None:
    browser = Console.of(app, office, klaar)
    served_then = {act: served(browser, act) for act in ("remind", "extend")}
    clock.move_to(CLOSING)
    late = Console.of(app, office, klaar)
    token = served(late, "close")["csrf"]
    for act, data in served_then.items():
        answer = press_again(late, act, data | WEEK_LATER | {"csrf": token})
        assert answer.status_code == 409, act
        assert "Het sluitingsuur is voorbij, en de stemmen worden geteld." in said(answer)
    assert poll_of(office).closes_at == CLOSING


def test_what_staff_type_is_shown_as_text(console: Console, office: Parts, poll: Poll) -> None:
    press(console, "withdraw", {"reason": "<script>alert(1)</script>"})
    page = console.get(BOARD)
    assert "<script" not in page
    assert re.search(r"&lt;script&gt;alert\(1\)&lt;/script&gt;", page)


def test_a_reason_that_is_too_long_is_kept_and_named(console: Console, office: Parts, poll: Poll) -> None:
    answer = press(console, "close", {"reason": "x" * 1001})
    assert answer.status_code == 422
    assert "Blijf onder 1000 tekens." in said(answer)
    assert "x" * 1001 in answer.get_data(as_text=True)
    assert poll_of(office).state is PollState.OPEN


def test_in_english_the_pages_say_the_same(console: Console, office: Parts, poll: Poll) -> None:
    pages = {act: text_of(console.get(f"{BOARD}/{act}", language="en")) for act in ("remind", "extend", "close")}
    assert "4 people get a mail now: those who have not answered and can be reached." in pages["remind"]
    assert "5 mails go out: everybody who was asked is told of the new time" in pages["extend"]
    assert "5 have not answered and no longer can." in pages["close"]
