"""Closing and reminding by themselves: on time, late, and by two runners at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import date, time, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from coopmail import create_app
from coopmail.actions import polls as actions
from coopmail.actions import reminders
from coopmail.config import Settings
from coopmail.domain.audit import AuditRow
from coopmail.domain.calendar import in_brussels
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Ballot, Outcome, Poll, PollState, Reminder
from coopmail.jobs.runner import run_all
from coopmail.parts import Parts, parts
from coopmail.queries import outbox
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, FrozenClock, Received
from tests.mail.acts import vote

Deliver = Callable[[], list[Received]]


def templates(mails: list[Received]) -> dict[str, int]:
    """How many of each."""
    return dict(Counter(mail.template for mail in mails))


def test_a_poll_closes_at_its_time_and_each_invited_contact_hears_the_outcome(
    office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    clock.move_to(CLOSING - timedelta(seconds=1))
    assert "ballot-outcome" not in templates(deliver())
    clock.move_to(CLOSING)
    assert templates(deliver()) == {"ballot-outcome": 5}
    with office.db.reading() as (session, _):
        closed = session.get_one(Poll, poll.id)
        assert (closed.state, closed.closed_at) == (PollState.CLOSED, CLOSING)


def test_two_runners_at_once_close_once_and_mail_nothing_twice(
    app: Flask, settings: Settings, office: Parts, clock: FrozenClock, poll: Poll
) -> None:
    other = create_app(settings, system_clock=clock)
    clock.move_to(CLOSING)
    start = threading.Barrier(4)

    def run(runner: Flask) -> None:
        start.wait()
        run_all(runner)
        run_all(runner)

    threads = [threading.Thread(target=run, args=(runner,)) for runner in (app, other, app, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_all(app)
    parts(other).db.close()
    with office.db.reading() as (session, _):
        assert session.scalar(sa.select(sa.func.count()).select_from(Outcome)) == 1
        assert session.scalar(sa.select(sa.func.count()).where(AuditRow.act == "poll-closed")) == 1
        assert outbox.counts(session, f"poll:{poll.id}:outcome") == {"sent": 5}
        attempts = session.scalars(sa.select(Mail.attempts).where(Mail.template == "ballot-outcome")).all()
        sent = session.execute(
            sa.text(
                "SELECT mail_id, count(*) FROM mail_events WHERE event = 'sent' GROUP BY mail_id HAVING count(*) > 1"
            )
        ).all()
    assert list(attempts) == [1] * 5
    assert sent == []
    assert len(list(settings.mailbox.glob("*.eml"))) == 5


def test_reminders_go_to_who_has_not_answered_on_their_days_once_holding_all_that_is_open(
    client: FlaskClient, office: Parts, clock: FrozenClock, poll: Poll, cooperative: Cooperative, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        second = build_poll(session, cooperative, closes_at=CLOSING, slug="second", title_nl="Tweede vraag")
        actions.open_poll(session, second.id, now, office.basis)
    invitations = deliver()
    with office.db.reading() as (session, _):
        days = session.scalars(sa.select(Reminder.day).where(Reminder.poll_id == poll.id).order_by(Reminder.day)).all()
    assert list(days) == [date(2026, 11, 27), date(2026, 12, 1), date(2026, 12, 3)]
    for mail in invitations:  # Aartselaar answers both polls, Duffel one
        if mail.to == "els.peeters@aartselaar.example" or (
            mail.subject.startswith("Bibliotheek Duffel") and "/r/" in mail.link and mail is not None
        ):
            client.post(mail.link, data={"choice": "keep"})
    deliver()
    clock.move_to(in_brussels(days[0], time(8, 59)))
    assert deliver() == []
    clock.move_to(in_brussels(days[0], time(9)))
    reminders = deliver()
    assert {mail.to: mail.text.count("/r/ballot.") for mail in reminders} == {
        "bibliotheek@boom.example": 2,
        "lies.claes@duffel.example": 2,  # Lier, in both polls
    }
    assert templates(reminders) == {"reminder": 2}
    assert deliver() == []


def test_a_unit_that_answers_between_queueing_and_sending_is_not_reminded(
    client: FlaskClient, office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    boom = next(mail.link for mail in deliver() if mail.to == "bibliotheek@boom.example")
    clock.move_to(in_brussels(date(2026, 11, 27), time(9)))
    with office.db.transaction() as (session, now):
        reminders.send_due(session, now(), office.charter)
    client.post(boom, data={"choice": "keep", "answered_by": "Sofie"})
    mails = deliver()
    assert "bibliotheek@boom.example" not in [mail.to for mail in mails if mail.template == "reminder"]
    with office.db.reading() as (session, _):
        assert outbox.counts(session, "reminder:2026-11-27") == {"sent": 3, "suppressed": 1}


def test_a_runner_that_was_down_for_two_days_catches_up(
    office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    clock.move_to(in_brussels(date(2026, 11, 30), time(9)))  # Friday's reminder, on Monday: three days late
    assert deliver() == []
    with office.db.reading() as (session, _):
        texts = [matter.text for matter in outbox.matters(session)]
    assert any("The reminder of 2026-11-27" in text for text in texts)
    clock.move_to(in_brussels(date(2026, 12, 2), time(9)))  # Tuesday's, on Wednesday
    assert templates(deliver()) == {"reminder": 4}
    clock.move_to(CLOSING + timedelta(days=2))
    assert templates(deliver()) == {"ballot-outcome": 5}


def test_a_poll_closed_beyond_the_charters_grace_is_counted_and_its_outcome_waits_for_staff(
    office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    clock.move_to(CLOSING + timedelta(days=4))
    assert deliver() == []
    with office.db.reading() as (session, _):
        assert session.get_one(Poll, poll.id).state is PollState.CLOSED
        assert session.get_one(Outcome, poll.id).cast == 0
        assert any(matter.key == f"announce:{poll.id}" for matter in outbox.matters(session))
    with office.db.transaction() as (session, now):
        actions.announce_outcome(session, poll.id, now)
    assert templates(deliver()) == {"ballot-outcome": 5}


def test_no_reminder_goes_out_after_a_withdrawal_and_staff_are_not_alarmed(
    office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    with office.db.transaction() as (session, now):
        actions.withdraw_poll(session, poll.id, now, "Niet meer nodig.")
    deliver()
    clock.move_to(in_brussels(date(2026, 12, 1), time(10)))
    assert deliver() == []
    with office.db.reading() as (session, _):
        assert [matter.key for matter in outbox.matters(session) if matter.key.startswith("reminder")] == []


def test_an_extension_moves_links_reminders_and_closing_and_tells_everyone(
    client: FlaskClient, office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "bibliotheek@boom.example")
    later = CLOSING + timedelta(days=7)
    clock.move_to(in_brussels(date(2026, 12, 1), time(10)))
    assert templates(deliver()) == {"reminder": 4}
    with office.db.transaction() as (session, now):
        actions.extend_poll(session, poll.id, now, later, office.basis)
    assert templates(deliver()) == {"poll-extended": 5}
    with office.db.reading() as (session, _):
        planned = session.execute(sa.select(Reminder.day, Reminder.state).order_by(Reminder.day)).all()
    assert [(row.day.isoformat(), row.state.value) for row in planned] == [
        ("2026-11-27", "missed"), ("2026-12-01", "queued"), ("2026-12-04", "planned"), ("2026-12-08", "planned"),
        ("2026-12-10", "planned"),
    ]  # fmt: skip
    clock.move_to(CLOSING + timedelta(hours=1))
    assert client.post(link, data={"choice": "keep", "answered_by": "Sofie"}).status_code == 303
    clock.move_to(later)
    assert client.post(link, data={"choice": "move", "answered_by": "Sofie"}).status_code == 409


@pytest.mark.parametrize(
    ("day", "utc_hour"), [(date(2027, 3, 28), 15), (date(2027, 10, 31), 16), (date(2028, 2, 29), 16)]
)
def test_five_in_the_afternoon_is_five_in_brussels_on_both_sides_of_the_clock_changes(
    office: Parts, cooperative: Cooperative, clock: FrozenClock, deliver: Deliver, day: date, utc_hour: int
) -> None:
    closing = in_brussels(day, time(17))
    assert closing.hour == utc_hour
    clock.move_to(closing - timedelta(days=20))
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=closing, reminder_days=[])
        actions.open_poll(session, draft.id, now, office.basis)
    deliver()
    clock.move_to(closing - timedelta(seconds=1))
    assert deliver() == []
    clock.move_to(closing)
    assert templates(deliver()) == {"ballot-outcome": 5}


def test_an_invitation_that_ran_out_of_time_is_put_before_staff(
    office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    clock.move_to(CLOSING)  # no runner was there all the while
    assert "ballot-invitation" not in templates(deliver())
    with office.db.reading() as (session, _):
        waiting = sorted(matter.text for matter in outbox.matters(session) if matter.key.startswith("mail:"))
    assert len(waiting) == 5
    assert waiting[0].startswith("A mail (ballot-invitation) to Bibliotheek Boom did not arrive")


def test_extending_while_reminders_go_out_holds_up_neither(office: Parts, clock: FrozenClock, poll: Poll) -> None:
    clock.move_to(in_brussels(date(2026, 11, 27), time(9)))
    start = threading.Barrier(2)
    ended: list[str] = []

    def remind() -> None:
        start.wait()
        with office.db.transaction() as (session, now):
            reminders.send_due(session, now(), office.charter)
        ended.append("reminded")

    def extend() -> None:
        start.wait()
        with office.db.transaction() as (session, now):
            actions.extend_poll(session, poll.id, now, CLOSING + timedelta(days=7), office.basis)
        ended.append("extended")

    threads = [threading.Thread(target=act) for act in (remind, extend)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(ended) == ["extended", "reminded"]


def test_a_vote_and_a_withdrawal_at_once_end_in_one_of_the_two(
    app: Flask, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "els.peeters@aartselaar.example")
    start = threading.Barrier(2)
    statuses: list[int] = []

    def vote() -> None:
        with app.test_client() as browser:
            start.wait()
            statuses.append(browser.post(link, data={"choice": "keep"}).status_code)

    def withdraw() -> None:
        start.wait()
        with office.db.transaction() as (session, now):
            actions.withdraw_poll(session, poll.id, now, "Toch niet.")

    threads = [threading.Thread(target=act) for act in (vote, withdraw)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    with office.db.reading() as (session, _):
        cast = session.scalar(sa.select(sa.func.count()).select_from(Ballot))
        assert session.get_one(Poll, poll.id).state is PollState.WITHDRAWN
    assert statuses == [303 if cast else 409]


def test_a_colleague_hears_of_a_change_in_the_last_minutes_at_closing_and_when_that_was(
    office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    vote(office, "els.peeters@aartselaar.example", "Bibliotheek Aartselaar", "keep")
    deliver()
    vote(office, "els.peeters@aartselaar.example", "Bibliotheek Aartselaar", "move")
    assert templates(deliver()) == {"ballot-receipt": 1}
    clock.move_to(CLOSING - timedelta(days=2))
    with office.db.transaction() as (session, now):
        session.execute(sa.update(Mail).where(Mail.state == MailState.QUEUED).values(not_before=CLOSING))
        actions.close_poll(session, poll.id, now, office.basis, early=True)
    mails = deliver()
    assert templates(mails) == {"ballot-by-colleague": 1, "ballot-outcome": 5}
    (told,) = (mail for mail in mails if mail.template == "ballot-by-colleague")
    assert told.to == "jan.maes@aartselaar.example"
    assert "sloot op woensdag 2 december 2026 om 17.00 uur" in " ".join(told.text.split())


def test_the_shares_in_the_outcome_mail_are_those_of_the_page_without_abstentions(
    office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    vote(office, "els.peeters@aartselaar.example", "Bibliotheek Aartselaar", "keep")
    vote(office, "bibliotheek@boom.example", "Bibliotheek Boom", "abstain")
    vote(office, "lies.claes@duffel.example", "Bibliotheek Lier", "move")
    deliver()
    clock.move_to(CLOSING)
    text = next(mail.text for mail in deliver() if mail.template == "ballot-outcome")
    assert [line.strip() for line in text.splitlines() if "stem (" in line] == [
        "1 stem (50\N{NO-BREAK SPACE}%)", "1 stem (50\N{NO-BREAK SPACE}%)", "1 stem (–)",
    ]  # fmt: skip
