"""The outbox in the console: what waits, what stands still, and what staff do with a campaign."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from coopmail.actions import outbox as actions
from coopmail.actions.records import RUNNER
from coopmail.domain.audit import AuditRow
from coopmail.domain.outbox import CampaignStop, Mail, MailState, RelayState, StopKind
from coopmail.domain.polls import Poll
from coopmail.mail import breaker
from coopmail.parts import Parts
from coopmail.queries import mail_list
from tests.builders import Cooperative
from tests.conftest import Received
from tests.console import Console
from tests.mail.acts import change, counts, mails

ELS, BOOM = "els.peeters@aartselaar.example", "bibliotheek@boom.example"
Deliver = Callable[[], list[Received]]


def campaign(poll: Poll) -> str:
    """The campaign of a poll's invitations."""
    return f"poll:{poll.id}:invitation"


def page(poll: Poll, act: str = "") -> str:
    """The page of that campaign, or of an act on it."""
    return f"/staff/outbox/campaigns/{campaign(poll)}{act and '/'}{act}"


def names(text: str) -> list[str]:
    """Whom the mails of a list are for, in its order."""
    return re.findall(r'data-label="(?:Aan|To)"><a href="[^"]+">([^<]+)</a>', text)


def sheet(console: Console, path: str) -> list[list[str]]:
    """The rows of a file, the headings first."""
    text = console.client.get(path).get_data().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=";"))


def stop(office: Parts, poll: Poll) -> StopKind | None:
    """How the campaign stands still."""
    with office.db.reading() as (session, _):
        found = session.get(CampaignStop, campaign(poll))
    return found.kind if found else None


def acts(office: Parts, poll: Poll) -> list[tuple[str, str]]:
    """What the record says of the campaign, and of whom."""
    with office.db.reading() as (session, _):
        rows = session.scalars(sa.select(AuditRow).where(AuditRow.subject == f"campaign:{campaign(poll)}"))
        return [(row.act, row.actor) for row in rows]


def test_an_empty_outbox_says_what_to_do_first(console: Console, cooperative: Cooperative) -> None:
    change_nothing = console.get("/staff/outbox")
    assert "Er wacht niets, en er wordt niets tegengehouden." in change_nothing
    assert "Hier stond nog nooit een mail klaar. Open een stemronde" in change_nothing
    assert "No mail was ever queued here. Open a poll" in console.get("/staff/outbox", language="en")


def test_what_waits_is_counted_and_every_mail_is_listed_the_newest_on_top(console: Console, poll: Poll) -> None:
    text = console.get("/staff/outbox")
    assert re.search(r'state=queued[^"]*"><b>5</b> Wacht op verzending', text)
    assert "Uitnodigingen: Welke weg gaat het Krantenarchief op?" in text
    assert "Er is geen storing van de mailserver bekend." in text
    listed = names(text)
    assert sorted(listed) == ["Bibliotheek Boom", "Els Peeters", "Jan Maes", "Lies Claes", "Lies Claes"]
    assert names(console.get("/staff/outbox?sort=queued")) == listed[::-1]
    assert names(console.get("/staff/outbox?sort=name")) == sorted(listed)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=els", ["Els Peeters"]),
        ("q=AARTSELAAR+jan", ["Jan Maes"]),
        ("q=boom.example", ["Bibliotheek Boom"]),
        ("q=100%25", []),
        ("state=bounced", ["Els Peeters"]),
        ("state=sent", []),
        ("template=ballot-invitation&q=lies", ["Lies Claes", "Lies Claes"]),
        ("template=reminder", []),
        ("queued=today&q=els", ["Els Peeters"]),
        ("queued=yesterday", []),
        ("queued=2026-11&q=els", ["Els Peeters"]),
        ("campaign=nothing&q=els", ["Els Peeters"]),
    ],
)
def test_mails_are_found_by_person_state_letter_day_and_campaign(
    console: Console, office: Parts, poll: Poll, asked: str, found: list[str]
) -> None:
    change(office, Mail, Mail.id == mails(office, "ballot-invitation")[ELS].id, state=MailState.BOUNCED)
    assert names(console.get(f"/staff/outbox?{asked}")) == found
    in_campaign = console.get(f"/staff/outbox?{asked}&campaign={quote(campaign(poll))}")
    assert names(in_campaign) == found


def test_one_of_the_staff_is_found_too(console: Console, office: Parts, poll: Poll) -> None:
    change(office, Mail, Mail.id == mails(office, "ballot-invitation")[ELS].id,
           contact_id=None, invitation_id=None, staff_id=console.person.id, template="sign-in-code")  # fmt: skip
    assert names(console.get("/staff/outbox?q=klaar")) == ["Klaar Leroy"]


def test_a_list_that_is_cut_says_so_and_the_file_holds_all(
    console: Console, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_list, "LISTED", 2)
    text = console.get("/staff/outbox")
    assert len(names(text)) == 2
    assert "Hier staan alleen de nieuwste 2." in text
    assert "de nieuwste 2</span>" in text
    lines = sheet(console, "/staff/outbox.csv?lang=nl")
    assert len(lines) == 6
    assert lines[0][:3] == ["Aan", "E-mailadres", "Mail"]


def test_the_file_of_a_campaign_says_of_each_mail_how_it_stands_and_why(
    console: Console, office: Parts, poll: Poll
) -> None:
    els = mails(office, "ballot-invitation")[ELS]
    change(office, Mail, Mail.id == els.id, state=MailState.SUPPRESSED, reply="the contact left")
    found = sheet(console, f"{page(poll)}.csv?lang=nl&q=els")[1]
    assert found == [
        "Els Peeters", ELS, "Uitnodiging om te stemmen", "Welke weg gaat het Krantenarchief op?",
        "Bibliotheek Aartselaar", "Niet meer nodig", "2026-11-16 09:00:00", "", "0",
        "De contactpersoon was vertrokken voor de mail kon gaan.", campaign(poll),
    ]  # fmt: skip
    assert console.client.get("/staff/outbox/campaigns/nothing.csv").status_code == 404


def test_a_page_costs_as_many_questions_with_one_mail_as_with_many(console: Console, office: Parts, poll: Poll) -> None:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    for engine in (office.db.engine, office.db._read_engine):
        event.listen(engine, "before_cursor_execute", note)

    def questions(path: str) -> int:
        asked.clear()
        console.get(path)
        return len(asked)

    paths = ("/staff/outbox?q=a&state=queued&queued=today", page(poll))
    many = [questions(path) for path in paths]
    change(office, Mail, Mail.id != mails(office, "ballot-invitation")[ELS].id, campaign="new-link")
    assert [questions(path) for path in paths] == many


def test_a_relay_that_is_down_is_said_first_with_its_words(console: Console, office: Parts, poll: Poll) -> None:
    with office.db.transaction() as (session, now):
        breaker.fault(session, now(), "421 too many connections")
    text = console.get("/staff/outbox")
    assert "De mailserver werkt niet" in text
    assert "421 too many connections" in text
    with office.db.reading() as (session, _):
        assert session.get_one(RelayState, mail_list.RELAY).failures == 1


def test_mails_are_held_back_and_let_go_with_a_reason_that_colleagues_read(
    console: Console, colleague: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    assert "5 mails wachten en vertrekken niet tot iemand ze laat vertrekken." in console.get(page(poll, "pause"))
    empty = console.post_form(page(poll, "pause"))
    assert empty.status_code == 422
    assert empty.get_data(as_text=True).count("Typ de reden") == 2, "in the summary and at the field"
    paused = console.post_form(page(poll, "pause"), {"reason": "De tekst <klopt> niet"})
    assert paused.location == f"{page(poll)}?done=campaign-paused&lang=nl"
    assert deliver() == []
    text = colleague.get(page(poll))
    assert "De tekst &lt;klopt&gt; niet" in text
    assert "<dt>Door wie</dt><dd>Klaar Leroy</dd>" in text
    assert "Tegengehouden" in text
    assert "sinds ma 16 november, 9 uur: De tekst &lt;klopt&gt; niet" in colleague.get("/staff/outbox")
    assert colleague.post_form(page(poll, "resume")).status_code == 303
    assert len(deliver()) == 5
    assert acts(office, poll) == [
        ("campaign-paused", console.person.actor), ("campaign-resumed", colleague.person.actor),
    ]  # fmt: skip


def test_a_second_click_finds_the_act_done(console: Console, colleague: Console, office: Parts, poll: Poll) -> None:
    for act, form in (("pause", {"reason": "wacht"}), ("resume", {}), ("cancel", {"reason": "fout"})):
        answers = []
        for browser in (console, colleague):
            sent = {"csrf": token(browser), **form}
            answers.append(browser.client.post(f"{page(poll, act)}?lang=nl", data=sent))
        done = f"{page(poll)}?done=campaign-{act.rstrip('e')}"
        assert [(answer.status_code, (answer.location or "").startswith(done)) for answer in answers] == [
            (303, True)
        ] * 2
    assert [act for act, _ in acts(office, poll)] == ["campaign-paused", "campaign-resumed", "campaign-cancelled"]


def token(browser: Console) -> str:
    """What every form of that browser's session carries."""
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/staff/me"))
    assert found
    return found[1]


def test_staff_make_a_pause_of_the_system_last(console: Console, office: Parts, poll: Poll) -> None:
    with office.db.transaction() as (session, now):
        actions.pause_campaign(session, now(), campaign(poll), "550 sender", actor=RUNNER,
                               until=now() + timedelta(hours=1))  # fmt: skip
    text = console.get(page(poll))
    assert "<dt>Door wie</dt><dd>het systeem zelf</dd>" in text
    assert "Tot</dt>" in text
    assert console.post_form(page(poll, "pause"), {"reason": "tot we bellen"}).status_code == 303
    with office.db.reading() as (session, _):
        assert session.get_one(CampaignStop, campaign(poll)).until is None


def test_what_is_taken_back_for_good_is_counted_first_and_nothing_can_be_done_after(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    els = mails(office, "ballot-invitation")[ELS]
    change(office, Mail, Mail.id == els.id, state=MailState.SENT)
    text = console.get(page(poll, "cancel"))
    assert "4 mails die wachten, worden nooit verstuurd. 1 is al verstuurd, en dat blijft zo." in text
    assert "De stemronde zelf blijft open" in text
    assert console.post_form(page(poll, "cancel"), {"reason": "fout adresbestand"}).status_code == 303
    assert (stop(office, poll), deliver()) == (StopKind.CANCELLED, [])
    assert counts(office, campaign(poll)) == {"sent": 1, "cancelled": 4}
    after = console.get(page(poll))
    assert "Voorgoed teruggenomen" in after
    assert "De stemronde zelf staat nog open." in after
    for act in ("pause", "resume", "cancel", "retry"):
        assert f"/{act}?" not in after
        assert "Deze mails zijn voorgoed teruggenomen." in console.get(page(poll, act))
    form = {"csrf": token(console), "reason": "toch"}
    assert console.client.post(page(poll, "pause"), data=form).status_code == 409


def test_all_that_did_not_arrive_is_sent_again_at_once(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    assert "Geen enkele mail hier kan opnieuw verstuurd worden." in console.get(page(poll, "retry"))
    change(office, Mail, Mail.id.in_([mails(office, "ballot-invitation")[who].id for who in (ELS, BOOM)]),
           state=MailState.BOUNCED, reply="550 no such user")  # fmt: skip
    deliver()
    assert "Wat niet aankwam opnieuw versturen (2)" in console.get(page(poll))
    assert "2 mails die geweigerd werden, mislukten of te laat waren" in console.get(page(poll, "retry"))
    assert console.post_form(page(poll, "retry")).location == f"{page(poll)}?done=campaign-retried&lang=nl"
    assert sorted(mail.to for mail in deliver()) == [BOOM, ELS]


def test_a_campaign_that_is_not_there_is_not_found(console: Console) -> None:
    for act in ("", "/pause", "/resume", "/cancel", "/retry"):
        path = f"/staff/outbox/campaigns/poll:99:invitation{act}"
        assert console.ask(path).status_code == 404
        if act:
            form = {"csrf": token(console), "reason": "x"}
            assert console.client.post(path, data=form).status_code == 404
