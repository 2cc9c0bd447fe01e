"""From the outbox to a real SMTP server, on both databases: once, again where it must be, never where it may not."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import flask_mail
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from coopmail import create_app
from coopmail.actions import polls
from coopmail.config import Relay, Settings
from coopmail.domain.audit import Matter
from coopmail.domain.calendar import in_brussels
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import CampaignStop, Mail, MailEvent, MailState, Priority, StopKind
from coopmail.domain.polls import Poll
from coopmail.errors import RelayDown
from coopmail.jobs import mail as mail_jobs
from coopmail.jobs import polls as poll_jobs
from coopmail.mail import claims, delivery, letters
from coopmail.mail.claims import BATCH, Claim, Heartbeat, Result, give_back, renew
from coopmail.mail.delivery import deliver_due
from coopmail.parts import Parts, parts
from tests.builders import Cooperative
from tests.conftest import CLOSING, MONDAY, FrozenClock
from tests.mail.acts import change, counts, events, mails, vote
from tests.mail.field import build_field, campaign
from tests.mail.smtp import SmtpServer

ELS, JAN, BOOM = "els.peeters@aartselaar.example", "jan.maes@aartselaar.example", "bibliotheek@boom.example"
LIES, TOM = "lies.claes@duffel.example", "tom.baert@zoersel.example"
INVITED = sorted([ELS, JAN, BOOM, LIES, LIES])  # Lies votes for Duffel and for Lier


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    """The relay."""
    with SmtpServer() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, smtp: SmtpServer) -> Settings:
    """Settings of an installation with a relay."""
    return replace(settings, relay=Relay("127.0.0.1", smtp.port, "none"))


def middle() -> float:
    """No jitter: the waits are what the table says."""
    return 0.5


def send(app: Flask) -> int:
    """Send what is due, without jitter."""
    return deliver_due(app, jitter=middle)


def states(office: Parts, template: str | None = None) -> dict[str, str]:
    """Where each mail stands."""
    return {name: mail.state.value for name, mail in mails(office, template).items()}


def claim(office: Parts) -> list[Claim]:
    """Take what is due."""
    return claims.claim(office.db, BATCH)


def record(office: Parts, held: Claim, result: Result) -> None:
    """Write down what became of a mail."""
    with office.db.transaction(durable=False) as (session, now):
        claims.record(session, now(), [(held, result)])


def matters(office: Parts, prefix: str) -> list[tuple[str, str]]:
    """What was put before staff, by the beginning of its key."""
    with office.db.reading() as (session, _):
        found = session.execute(sa.select(Matter.key, Matter.text).where(Matter.key.startswith(prefix)))
        return [(row.key, row.text) for row in found]


# ── What is sent ─────────────────────────────────────────────────────────────────────────────────────────


def test_everyone_who_votes_gets_an_invitation_for_each_library(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    clock.advance(seconds=5)
    assert send(app) == 5
    assert smtp.recipients() == INVITED
    for mail in mails(office).values():
        assert (mail.state, mail.reply, mail.accepted_at, mail.attempts, mail.lease_until, mail.claim_epoch) == (
            MailState.SENT, "250 2.0.0 kept", clock.moment, 1, None, 1,
        )  # fmt: skip
        assert events(office, mail) == [("sent", "250 2.0.0 kept")]
    with office.db.reading() as (session, _):
        assert set(session.scalars(sa.select(MailEvent.at))) == {clock.moment}
    keys = {mail.key for mail in mails(office).values()}
    assert {str(arrived.message["Message-ID"]) for arrived in smtp.messages} == {
        f"<{key}@cultuurconnect.example>" for key in keys
    }


def test_what_was_sent_is_not_sent_again(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    assert send(app) == 5
    for _ in range(3):
        clock.advance(hours=6)
        assert send(app) == 0
    assert len(smtp.attempts) == 5


def test_nothing_is_sent_before_its_time(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    change(office, Mail, sa.true(), not_before=MONDAY + timedelta(hours=1))
    clock.move_to(MONDAY + timedelta(minutes=59, seconds=59))
    assert send(app) == 0
    clock.move_to(MONDAY + timedelta(hours=1))
    assert send(app) == 5


def test_governance_goes_before_the_rest(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    first = mails(office)[f"{ELS} ballot-invitation"]
    change(office, Mail, Mail.id == first.id, priority=4)
    assert send(app) == 5
    assert [arrived.recipient for arrived in smtp.messages].index(ELS) == 4


def test_the_address_is_the_one_that_the_contact_has_now(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer
) -> None:
    change(
        office, Contact, Contact.email == JAN, email="jan@nieuw.example", email_key="jan@nieuw.example", language="en"
    )
    assert send(app) == 5
    assert smtp.recipients() == sorted([ELS, "jan@nieuw.example", BOOM, LIES, LIES])
    (moved,) = (arrived for arrived in smtp.messages if arrived.recipient == "jan@nieuw.example")
    assert moved.message["To"].addresses[0].addr_spec == "jan@nieuw.example"
    assert moved.message["Content-Language"] == "en"


# ── What is not sent any more ────────────────────────────────────────────────────────────────────────────


def test_whoever_left_gets_nothing(app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock) -> None:
    change(office, Contact, Contact.email == JAN, left_at=clock.moment)
    assert send(app) == 4
    assert smtp.recipients() == sorted([ELS, BOOM, LIES, LIES])
    gone = mails(office, "ballot-invitation")[JAN]
    assert (gone.state, gone.reply, gone.attempts, gone.accepted_at) == (
        MailState.SUPPRESSED, "the contact left", 0, None,
    )  # fmt: skip
    assert events(office, gone) == [("suppressed", "the contact left")]


def test_an_invitation_that_was_taken_back_is_not_sent(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    boom = mails(office, "ballot-invitation")[BOOM]
    change(office, Invitation, Invitation.id == boom.invitation_id, revoked_at=clock.moment)
    assert send(app) == 4
    assert smtp.recipients() == sorted([ELS, JAN, LIES, LIES])
    boom = mails(office, "ballot-invitation")[BOOM]
    assert (boom.state, boom.reply) == (MailState.CANCELLED, "the invitation was taken back")


def test_after_a_withdrawal_no_invitation_goes_out_and_everyone_is_told(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer
) -> None:
    with office.db.transaction() as (session, now):
        polls.withdraw_poll(session, poll.id, now, "De vraag was fout gesteld.")
    assert send(app) == 5
    assert (smtp.recipients("ballot-invitation"), smtp.recipients("poll-withdrawn")) == ([], INVITED)
    assert set(states(office, "ballot-invitation").values()) == {"cancelled"}


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=1)])
def test_after_closing_no_invitation_goes_out(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock, late: timedelta
) -> None:
    clock.move_to(CLOSING + late)
    assert send(app) == 0
    assert smtp.heard.count("MAIL") == 0
    assert {(mail.state, mail.reply) for mail in mails(office).values()} == {(MailState.EXPIRED, "its time has passed")}


def test_in_the_last_second_before_closing_an_invitation_still_goes_out(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    clock.move_to(CLOSING - timedelta(seconds=1))
    assert send(app) == 5


def test_a_colleague_of_a_library_that_has_voted_is_told_so_and_not_invited(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer
) -> None:
    vote(office, ELS, "Bibliotheek Aartselaar")
    send(app)
    assert smtp.recipients("ballot-invitation") == sorted([BOOM, LIES, LIES])
    assert (smtp.recipients("ballot-receipt"), smtp.recipients("ballot-by-colleague")) == ([ELS], [JAN])
    assert states(office, "ballot-invitation")[JAN] == "suppressed"


def test_only_the_last_of_two_votes_is_confirmed(app: Flask, office: Parts, poll: Poll, smtp: SmtpServer) -> None:
    send(app)
    vote(office, BOOM, "Bibliotheek Boom", "keep")
    vote(office, BOOM, "Bibliotheek Boom", "move")
    smtp.forget()
    assert send(app) == 1
    body = smtp.messages[0].message.get_body(("plain",))
    assert body is not None
    assert "Naar een open platform" in body.get_content()
    with office.db.reading() as (session, _):
        found = session.execute(
            sa.select(Mail.state, Mail.reply).where(Mail.template == "ballot-receipt").order_by(Mail.id)
        )
        assert [tuple(row) for row in found] == [
            (MailState.SUPPRESSED, "the answer was changed since; a later mail says so"),
            (MailState.SENT, "250 2.0.0 kept"),
        ]


def test_whoever_answered_after_the_reminder_was_queued_is_not_reminded(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    send(app)
    clock.move_to(in_brussels(date(2026, 11, 27), time(9)))
    poll_jobs.send_due_reminders(app)
    assert sorted(states(office, "reminder")) == sorted([ELS, JAN, BOOM, LIES])
    vote(office, BOOM, "Bibliotheek Boom")
    vote(office, JAN, "Bibliotheek Aartselaar")
    vote(office, LIES, "Bibliotheek Duffel")
    smtp.forget()
    send(app)
    assert smtp.recipients("reminder") == [LIES]
    (reminder,) = (arrived for arrived in smtp.messages if arrived.template == "reminder")
    body = reminder.message.get_body(("plain",))
    assert body is not None
    assert [name for name in ("Duffel", "Lier") if f"Bibliotheek {name}" in body.get_content()] == ["Lier"]
    assert {
        name: mail.reply for name, mail in mails(office, "reminder").items() if mail.state is MailState.SUPPRESSED
    } == dict.fromkeys((ELS, JAN, BOOM), "nothing is open for this person any more")


def test_whoever_answers_while_the_reminders_are_going_out_is_not_reminded_a_second_later(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(app)
    clock.move_to(in_brussels(date(2026, 11, 27), time(9)))
    poll_jobs.send_due_reminders(app)
    smtp.forget()

    def answer() -> None:
        if not smtp.attempts:  # the first reminder, Els's, is on the wire
            vote(office, ELS, "Bibliotheek Aartselaar")
            vote(office, BOOM, "Bibliotheek Boom")

    class SlowRelay:
        """Each message takes it a second."""

        @staticmethod
        def monotonic() -> float:
            return 1000.0 + len(smtp.attempts)

    smtp.on_data = answer
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "time", SlowRelay)
        send(app)
    assert smtp.recipients("reminder") == sorted([ELS, LIES])
    assert states(office, "reminder") == {ELS: "sent", JAN: "suppressed", BOOM: "suppressed", LIES: "sent"}


def test_each_member_of_one_batch_is_written_to_in_its_own_language(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer
) -> None:
    change(office, Contact, Contact.email.in_([JAN, LIES]), language="en")
    assert send(app) == 5
    said = {"nl": "vrijdag 4 december 2026 om 17.00 uur", "en": "Friday 4 December 2026 at 17:00"}
    titles = {"nl": "Welke weg gaat het Krantenarchief op?", "en": "Which way for the Krantenarchief?"}
    for arrived in smtp.messages:
        own, other = ("en", "nl") if arrived.recipient in (JAN, LIES) else ("nl", "en")
        body = arrived.message.get_body(("plain",))
        assert body is not None
        text = " ".join(body.get_content().split())
        assert arrived.message["Content-Language"] == own
        assert said[own] in text
        assert said[other] not in text
        assert titles[own] in text
        assert titles[other] not in text


def test_a_reminder_of_yesterday_is_not_sent_today(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    send(app)
    clock.move_to(in_brussels(date(2026, 11, 27), time(9)))
    poll_jobs.send_due_reminders(app)
    clock.move_to(in_brussels(date(2026, 11, 28), time(0)))
    smtp.forget()
    assert send(app) == 0
    assert set(states(office, "reminder").values()) == {"expired"}


# ── What the relay puts off, and what it refuses ─────────────────────────────────────────────────────────


def test_a_mail_that_is_put_off_is_tried_again_after_1_5_15_60_and_180_minutes_as_the_same_message(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    smtp.answer("END", "451 4.7.1 come back later", to=BOOM)
    assert send(app) == 4
    due = clock.moment
    for tried, minutes in enumerate((1, 5, 15, 60, 180, 180, 180), start=1):
        mail = mails(office, "ballot-invitation")[BOOM]
        due += timedelta(minutes=minutes)
        assert (mail.state, mail.attempts, mail.not_before, mail.reply) == (
            MailState.QUEUED, tried, due, "451 4.7.1 come back later",
        )  # fmt: skip
        clock.move_to(due - timedelta(seconds=1))
        assert send(app) == 0
        assert len(smtp.attempts) == 4 + tried
        clock.move_to(due)
        assert send(app) == 0
        assert len(smtp.attempts) == 5 + tried
    smtp._answers.clear()
    clock.advance(minutes=180)
    assert send(app) == 1
    mail = mails(office, "ballot-invitation")[BOOM]
    assert (mail.state, mail.attempts, mail.accepted_at) == (MailState.SENT, 9, clock.moment)
    assert [event for event, _ in events(office, mail)] == ["deferred"] * 8 + ["sent"]
    tries = [arrived.raw for arrived in smtp.attempts if arrived.recipient == BOOM]
    assert tries == [tries[0]] * 9


@pytest.mark.parametrize(("drawn", "seconds"), [(0.0, 48), (0.5, 60), (1.0, 72)])
def test_the_wait_differs_by_a_fifth_at_most(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock, drawn: float, seconds: int
) -> None:
    smtp.answer("RCPT", "450 4.2.0 greylisted", to=BOOM)
    assert deliver_due(app, jitter=lambda: drawn) == 4
    assert mails(office, "ballot-invitation")[BOOM].not_before == clock.moment + timedelta(seconds=seconds)


def test_a_mail_that_is_put_off_until_the_vote_closes_expires_there(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    smtp.answer("RCPT", "450 4.2.0 greylisted", to=BOOM)
    clock.move_to(CLOSING - timedelta(minutes=7))
    assert send(app) == 4
    assert mails(office, "ballot-invitation")[BOOM].not_before == CLOSING - timedelta(minutes=6)
    clock.move_to(CLOSING - timedelta(minutes=6))
    assert send(app) == 0
    assert mails(office, "ballot-invitation")[BOOM].not_before == CLOSING - timedelta(minutes=1)
    clock.move_to(CLOSING - timedelta(minutes=1))
    assert send(app) == 0
    mail = mails(office, "ballot-invitation")[BOOM]
    assert (mail.state, mail.reply) == (
        MailState.EXPIRED, "no time is left for another try: 450 4.2.0 greylisted",
    )  # fmt: skip
    assert [event for event, _ in events(office, mail)] == ["deferred", "deferred", "expired"]


def test_after_an_extension_a_mail_that_was_put_off_has_until_the_new_closing(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    smtp.answer("RCPT", "450 4.2.0 greylisted", to=BOOM, times=1)
    clock.move_to(CLOSING - timedelta(minutes=2))
    assert send(app) == 4
    with office.db.transaction() as (session, now):
        polls.extend_poll(session, poll.id, now, CLOSING + timedelta(days=3), office.basis)
    clock.move_to(CLOSING + timedelta(minutes=1))
    assert send(app) == 1 + 5
    assert states(office, "ballot-invitation")[BOOM] == "sent"


def test_a_relay_that_is_down_is_asked_again_in_half_a_minute_and_no_mail_is_blamed(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    smtp.answer("RCPT", "421 4.3.2 closing", to=BOOM)
    order = list(mails(office).values())
    before = [mail.id for mail in order].index(mails(office, "ballot-invitation")[BOOM].id)
    assert 0 < before < 4
    assert send(app) == before
    # The first 421 is a goodbye of a connection that has delivered; the second, on a new one, is the relay's fault.
    assert (smtp.heard.count("EHLO"), smtp.heard.count("MAIL")) == (2, before + 2)
    began = clock.moment
    waiting = [mail for mail in mails(office).values() if mail.state is MailState.QUEUED]
    assert [(mail.attempts, mail.not_before, mail.reply, mail.lease_until) for mail in waiting] == [
        (0, began + timedelta(seconds=60), "421 4.3.2 closing", None),
        *[(0, began, "", None)] * (4 - before),
    ]
    assert events(office, order[before]) == [("relay-down", "421 4.3.2 closing")]
    smtp._answers.clear()
    clock.advance(seconds=29)
    assert send(app) == 0
    assert smtp.heard.count("EHLO") == 2
    clock.advance(seconds=1)
    assert send(app) == 4 - before  # not the one at which it stumbled
    clock.advance(seconds=30)
    assert send(app) == 1
    assert smtp.recipients() == INVITED
    assert {mail.attempts for mail in mails(office).values()} == {1}


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "END"])
def test_a_batch_stops_at_the_first_421(app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, verb: str) -> None:
    smtp.answer(verb, "421 4.3.2 closing")
    assert send(app) == 0
    assert smtp.heard.count("MAIL") == 1
    assert {(mail.state, mail.attempts) for mail in mails(office).values()} == {(MailState.QUEUED, 0)}
    assert send(app) == 0  # and the next runner does not even connect
    assert smtp.heard.count("EHLO") == 1


def test_where_the_relay_cannot_be_reached_everything_waits(
    settings: Settings, app: Flask, office: Parts, poll: Poll, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object) -> None:
        raise RelayDown(0, "ConnectionRefusedError: nobody listens")

    with monkeypatch.context() as patch:
        patch.setattr("coopmail.mail.relay.open_session", nobody)
        assert send(app) == 0
    assert {(mail.state, mail.attempts, mail.not_before, mail.reply) for mail in mails(office).values()} == {
        (MailState.QUEUED, 0, clock.moment, "")
    }
    clock.advance(seconds=29)
    assert send(app) == 0
    clock.advance(seconds=1)
    assert send(app) == 5


def test_an_address_that_is_refused_bounces_and_is_put_before_staff_once(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    smtp.answer("RCPT", "550 5.1.1 no such mailbox", to=BOOM)
    assert send(app) == 4
    assert smtp.recipients() == sorted([ELS, JAN, LIES, LIES])
    mail = mails(office, "ballot-invitation")[BOOM]
    assert (mail.state, mail.reply) == (MailState.BOUNCED, "550 5.1.1 no such mailbox")
    assert events(office, mail) == [("bounced", "550 5.1.1 no such mailbox")]
    for _ in range(2):
        mail_jobs.report_bounces(app)
        clock.advance(days=1)
        assert send(app) == 0
    with office.db.reading() as (session, _):
        raised = session.execute(sa.select(Matter.key, Matter.text).where(Matter.key.startswith("mail:"))).all()
    assert [tuple(row) for row in raised] == [
        (f"mail:{mail.id}",
         "A mail (ballot-invitation) to Bibliotheek Boom did not arrive: 550 5.1.1 no such mailbox"),
    ]  # fmt: skip


@pytest.mark.parametrize("verb", ["DATA", "END"])
def test_a_message_that_is_refused_fails_and_the_others_go(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, verb: str
) -> None:
    smtp.answer(verb, "554 5.7.1 looks like spam", to=BOOM)
    assert send(app) == 4
    mail = mails(office, "ballot-invitation")[BOOM]
    assert (mail.state, mail.reply) == (MailState.FAILED, "554 5.7.1 looks like spam")
    assert events(office, mail) == [("refused", "554 5.7.1 looks like spam")]


def test_where_our_own_address_is_refused_the_campaign_pauses_for_an_hour_and_nobody_is_blamed(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    smtp.answer("MAIL", "550 5.7.1 we do not know you")
    began = clock.moment
    assert send(app) == 0
    assert (smtp.heard.count("MAIL"), smtp.heard.count("RCPT")) == (1, 0)
    assert {(mail.state, mail.attempts, mail.not_before) for mail in mails(office).values()} == {
        (MailState.QUEUED, 0, began)
    }
    noted = [found for mail in mails(office).values() for found in events(office, mail)]
    assert [found for found in noted if found[0] != "paused"] == [("sender-refused", "550 5.7.1 we do not know you")]
    with office.db.reading() as (session, _):
        (stop,) = session.scalars(sa.select(CampaignStop))
    assert (stop.campaign, stop.kind, stop.at, stop.until, stop.reason) == (
        campaign(poll), StopKind.PAUSED, began, began + timedelta(hours=1), "550 5.7.1 we do not know you",
    )  # fmt: skip
    mail_jobs.report_bounces(app)
    assert matters(office, "mail:") == []
    assert matters(office, "sender-refused:") == [
        (f"sender-refused:{campaign(poll)}:2026-11-16",
         f"The relay refuses our sender, so campaign {campaign(poll)} waits for an hour: 550 5.7.1 we do not know you")
    ]  # fmt: skip
    smtp.forget()
    clock.advance(minutes=59, seconds=59)
    assert send(app) == 0
    clock.advance(seconds=1)
    assert send(app) == 5


def test_a_campaign_that_pauses_because_its_sender_is_refused_holds_up_no_other(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer
) -> None:
    vote(office, BOOM, "Bibliotheek Boom")
    smtp.answer("MAIL", "550 5.7.1 we do not know you", times=1)
    assert send(app) == 1
    assert smtp.recipients() == [BOOM]
    assert states(office, "ballot-receipt") == {BOOM: "sent"}


# ── Defects of our own ───────────────────────────────────────────────────────────────────────────────────


def test_a_defect_in_one_letter_puts_that_one_off_and_the_others_go(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> letters.Letter:
        raise ZeroDivisionError("a defect")

    vote(office, ELS, "Bibliotheek Aartselaar")
    with monkeypatch.context() as patch:
        patch.setitem(letters.LETTERS, "ballot-receipt", broken)
        send(app)
    assert smtp.recipients("ballot-invitation") == sorted([BOOM, LIES, LIES])
    assert (smtp.recipients("ballot-by-colleague"), smtp.recipients("ballot-receipt")) == ([JAN], [])
    mail = mails(office, "ballot-receipt")[ELS]
    assert (mail.state, mail.reply, mail.attempts, mail.not_before) == (
        MailState.QUEUED, "ZeroDivisionError", 1, clock.moment + timedelta(minutes=1),
    )  # fmt: skip
    assert events(office, mail) == [("not-rendered", "ZeroDivisionError")]
    clock.advance(minutes=1)
    assert send(app) == 1
    assert smtp.recipients("ballot-receipt") == [ELS]


@pytest.mark.parametrize(
    ("column", "value"), [("name", "Jan\tMaes"), ("name", "Jan\nBcc: x@mol.example"), ("email", "jan@maes@mol.example")]
)
def test_a_mail_that_cannot_be_written_fails_and_the_others_go(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, column: str, value: str
) -> None:
    jan = mails(office, "ballot-invitation")[JAN].id
    change(office, Contact, Contact.email == JAN, **{column: value})
    assert send(app) == 4
    assert smtp.recipients() == sorted([ELS, BOOM, LIES, LIES])
    (mail,) = (mail for mail in mails(office).values() if mail.id == jan)
    assert mail.state is MailState.FAILED
    assert [event for event, _ in events(office, mail)] == ["not-writable"]
    assert smtp.heard.count("MAIL") == 4  # not a word was said about it
    mail_jobs.report_bounces(app)
    with office.db.reading() as (session, _):
        raised = session.scalars(sa.select(Matter.key).where(Matter.key.startswith("mail:"))).all()
    assert list(raised) == [f"mail:{jan}"]


def test_a_mail_to_nobody_is_suppressed_and_the_others_go(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer
) -> None:
    jan = mails(office, "ballot-invitation")[JAN]
    change(office, Mail, Mail.id == jan.id, contact_id=None)
    assert send(app) == 4
    assert (row(office, jan.id).state, row(office, jan.id).reply) == (MailState.SUPPRESSED, "the contact left")


def test_whoever_listens_to_the_signal_and_fails_costs_no_mail_its_record(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer
) -> None:
    def fail(_app: Flask, message: object) -> None:
        raise ZeroDivisionError("a defect in a listener")

    with flask_mail.email_dispatched.connected_to(fail):
        assert send(app) == 5
    assert set(states(office).values()) == {"sent"}
    assert len(smtp.attempts) == 5


# ── Who holds a mail ─────────────────────────────────────────────────────────────────────────────────────


def row(office: Parts, mail_id: int) -> Mail:
    """A mail's row as it stands now."""
    with office.db.reading() as (session, _):
        return session.scalars(sa.select(Mail).where(Mail.id == mail_id)).one()


def test_what_one_runner_holds_another_does_not_take(office: Parts, poll: Poll, clock: FrozenClock) -> None:
    held = claim(office)
    assert len(held) == 5
    clock.advance(seconds=50)
    assert claim(office) == []
    assert {mail.state for mail in mails(office).values()} == {MailState.CLAIMED}


def test_a_runner_that_is_still_at_it_keeps_what_it_holds(office: Parts, poll: Poll, clock: FrozenClock) -> None:
    held = claim(office)
    clock.advance(seconds=40)
    renew(office.db, held[1:])
    clock.advance(seconds=40)
    assert claim(office) == [Claim(held[0].id, 2, Priority.GOVERNANCE)]


def test_a_lease_is_renewed_by_itself_while_a_relay_takes_its_time(
    office: Parts, poll: Poll, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = iter([False, False, True])
    monkeypatch.setattr(threading.Event, "wait", lambda _event, _seconds=None: next(beats))
    held = claim(office)
    clock.advance(seconds=40)
    heartbeat = Heartbeat(office.db)
    heartbeat.held.update(held[1:])
    heartbeat._beat()
    clock.advance(seconds=40)
    assert claim(office) == [Claim(held[0].id, 2, Priority.GOVERNANCE)]


def test_what_another_runner_has_taken_is_not_handed_over_again(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    def slow() -> None:
        if not smtp.attempts:
            clock.advance(seconds=51)  # the lease ends while the first message is on its way
            assert len(claim(office)) == 5

    smtp.on_data = slow
    assert send(app) == 1
    assert len(smtp.attempts) == 1
    assert {(mail.state, mail.claim_epoch) for mail in mails(office).values()} == {(MailState.CLAIMED, 2)}
    noted = sorted(found for mail in mails(office).values() for found in events(office, mail))
    assert noted == [
        *[("left-to-another-after-lease", "its lease had ended")] * 4, ("sent-after-lease", "250 2.0.0 kept"),
    ]  # fmt: skip


def test_one_message_at_which_the_relay_hangs_up_does_not_hold_up_the_others(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    smtp.answer("RCPT", "250-and no more", to="els.peeters@aartselaar.example", closes=True)
    for _ in range(4):
        deliver_due(app, jitter=middle)
        clock.advance(minutes=1)
    others = [to for to in INVITED if to != "els.peeters@aartselaar.example"]
    assert sorted(smtp.recipients()) == sorted(others)


def test_what_a_dead_runner_held_is_taken_by_another_and_the_dead_ones_record_changes_nothing(
    office: Parts, poll: Poll, clock: FrozenClock
) -> None:
    old = claim(office)
    clock.advance(seconds=51)
    new = claim(office)
    assert new == [Claim(held.id, 2, held.priority) for held in old]
    before = row(office, old[0].id)
    record(office, old[0], Result(MailState.SENT, "sent", "250 kept by the old one"))
    give_back(office.db, old, timedelta(hours=9))
    renew(office.db, old)
    after = row(office, old[0].id)
    fields = ("state", "claim_epoch", "lease_until", "reply", "attempts", "accepted_at", "not_before")
    assert {name: getattr(after, name) for name in fields} == {name: getattr(before, name) for name in fields}
    assert (after.state, after.claim_epoch, after.attempts) == (MailState.CLAIMED, 2, 0)
    assert events(office, after) == [("sent-after-lease", "250 kept by the old one")]
    record(office, new[0], Result(MailState.SENT, "sent", "250 kept by the new one"))
    done = row(office, old[0].id)
    assert (done.state, done.reply, done.attempts) == (MailState.SENT, "250 kept by the new one", 1)
    record(office, old[0], Result(MailState.QUEUED, "deferred", "451 later", clock.moment))
    assert row(office, old[0].id).state is MailState.SENT


def test_a_mail_whose_runner_died_is_sent_once_its_lease_has_run_out(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock
) -> None:
    claim(office)
    clock.advance(seconds=50)
    assert send(app) == 0
    clock.advance(seconds=1)
    assert send(app) == 5
    assert smtp.recipients() == INVITED


def test_what_there_was_no_time_for_goes_back_unblamed(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SlowRelay:
        """Each message takes it twenty seconds."""

        @staticmethod
        def monotonic() -> float:
            return 1000.0 + 20.0 * len(smtp.attempts)

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "time", SlowRelay)
        sent = deliver_due(app, seconds=50.0, jitter=middle)
    assert sent == 3  # begun at 0, 20 and 40 seconds
    waiting = [mail for mail in mails(office).values() if mail.state is MailState.QUEUED]
    assert {(mail.attempts, mail.not_before, mail.lease_until) for mail in waiting} == {(0, clock.moment, None)}
    assert len(waiting) == 5 - sent
    assert send(app) == 5 - sent
    assert smtp.recipients() == INVITED


def test_two_runners_on_one_database_send_every_mail_exactly_once(
    settings: Settings, app: Flask, office: Parts, cooperative: Cooperative, smtp: SmtpServer, clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(claims, "BATCH", 4)
    monkeypatch.setattr(delivery, "A_CHANNEL_EACH", 1000)  # one connection each
    found = build_field(office, cooperative, 40)
    smtp.meet = 2  # the first message of each waits for the other's: they are at it together
    other = create_app(settings, system_clock=clock)
    accepted: list[int] = []
    problems: list[BaseException] = []

    def run(runner: Flask) -> None:
        try:
            accepted.append(send(runner))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=run, args=(runner,)) for runner in (app, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    parts(other).db.close()
    assert problems == []
    assert sum(accepted) == 45
    assert min(accepted) > 0
    everyone = sorted([*INVITED, *(f"lid{number:03}@mol.example" for number in range(40))])
    assert [arrived.recipient for arrived in smtp.messages if not arrived.reply.startswith("250")] == []
    assert smtp.recipients() == everyone
    assert counts(office, campaign(found)) == {"sent": 45}
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(sa.func.count()).select_from(MailEvent)).one() == 45
        assert set(session.scalars(sa.select(Mail.claim_epoch))) == {1}


def test_at_every_moment_the_mails_of_a_campaign_add_up_to_its_audience(
    app: Flask, office: Parts, cooperative: Cooperative, smtp: SmtpServer, clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(claims, "BATCH", 6)
    found = build_field(office, cooperative, 15)
    seen: list[dict[str, int]] = []

    def look() -> None:
        seen.append(counts(office, campaign(found)))

    smtp.on_data = look  # while a message is on the wire
    smtp.answer("RCPT", "550 5.1.1 no such mailbox", to="lid003@")
    smtp.answer("RCPT", "450 4.2.0 greylisted", to="lid005@")
    smtp.answer("END", "554 5.7.1 spam", to="lid007@")
    smtp.answer("RCPT", "421 4.3.2 closing", to="lid010@", times=1)
    change(office, Contact, Contact.email == "lid012@mol.example", left_at=clock.moment)
    look()
    for moment in (MONDAY, MONDAY + timedelta(seconds=31), MONDAY + timedelta(minutes=2), CLOSING):
        clock.move_to(moment)
        send(app)
        look()
    assert {sum(states.values()) for states in seen} == {20}
    assert len({tuple(sorted(states.items())) for states in seen}) > 10
    assert seen[0] == {"queued": 20}
    assert seen[-1] == {"sent": 16, "bounced": 1, "failed": 1, "suppressed": 1, "expired": 1}


@pytest.mark.parametrize("moment", [MONDAY, in_brussels(date(2026, 10, 25), time(2, 30))])
def test_a_queue_without_anything_due_opens_no_connection(
    app: Flask, office: Parts, cooperative: Cooperative, smtp: SmtpServer, clock: FrozenClock, moment: datetime
) -> None:
    clock.move_to(moment)
    assert send(app) == 0
    assert smtp.heard == []


def test_a_run_that_fails_gives_back_what_it_had_not_begun(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "envelopes", broken)
        with pytest.raises(ZeroDivisionError):
            send(app)
    assert sorted(states(office).values()) == ["claimed", *["queued"] * 4]  # the one that it was asking about waits
    assert send(app) == 4


def test_an_answer_whose_record_fails_is_recorded_once_the_database_takes_it(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, failures = claims.record, iter([True])

    def once(session: Session, moment: datetime, results: list[tuple[claims.Claim, claims.Result]]) -> None:
        record(session, moment, results)
        if next(failures, False):
            raise ZeroDivisionError("after the statements, before the commit")

    with monkeypatch.context() as patch:
        patch.setattr(claims, "record", once)
        with pytest.raises(ZeroDivisionError):
            send(app)
    assert [event for mail in mails(office).values() for event in events(office, mail)] == []
    clock.advance(seconds=51)
    assert send(app) == 5
    assert Counter(Counter(str(mail.message["Message-ID"]) for mail in smtp.messages).values()) == {1: 4, 2: 1}
    assert set(states(office).values()) == {"sent"}
