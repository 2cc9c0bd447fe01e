"""Reminding: the days are planned when a poll opens; a mail holds all that is open for a person, one a day."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import STAFF, audit, queue_mail_to, raise_matter
from coopmail.charter import Charter
from coopmail.clock import Clock
from coopmail.domain.base import insert_new
from coopmail.domain.calendar import brussels_day, in_brussels, reminder_days, working_day
from coopmail.domain.polls import Poll, PollState, Reminder, ReminderState
from coopmail.queries import reminders as questions


def plan(session: Session, poll: Poll, charter: Charter, after: datetime | None = None) -> None:
    """Write the days of a poll's reminders; at an extension, those that have not come are planned anew."""
    opening = after or poll.opened_at or poll.closes_at
    session.execute(sa.delete(Reminder).where(Reminder.poll_id == poll.id, Reminder.state == ReminderState.PLANNED))
    quiet = charter.quiet_on(brussels_day(opening) - timedelta(days=400), brussels_day(poll.closes_at))
    for day in reminder_days(poll.closes_at, opening, poll.reminder_days, quiet):
        session.execute(insert_new(session, Reminder).values(poll_id=poll.id, day=day, state=ReminderState.PLANNED))


def send_due(session: Session, now: datetime, charter: Charter) -> None:
    """Queue today's reminders, and those of the last days that no runner was there for.

    A day that was missed by more than the charter's grace, or that a later one follows, is not made up for; where
    nothing was sent instead, staff are told. Nothing goes out on a day that is no working day.
    """
    today = brussels_day(now)
    rules = charter.polls_on(today)
    quiet = charter.quiet_on(today, today)
    if now < in_brussels(today, time(rules.reminder_hour)) or not working_day(today, quiet):
        return
    planned = session.execute(
        sa.select(Reminder, Poll)
        .join(Poll, Poll.id == Reminder.poll_id)
        .where(Reminder.state == ReminderState.PLANNED, Reminder.day <= today)
        .order_by(Reminder.day)
        .with_for_update(of=Reminder)
    ).all()
    latest = {reminder.poll_id: reminder for reminder, _ in planned}
    waiting: list[int] = []
    for reminder, poll in planned:
        fresh = (today - reminder.day).days <= rules.reminder_grace_days
        if poll.accepts_answers(now) and fresh and latest[reminder.poll_id] is reminder:
            reminder.state = ReminderState.QUEUED
            waiting.append(poll.id)
            continue
        reminder.state = ReminderState.MISSED
        if latest[reminder.poll_id] is reminder and poll.state is PollState.OPEN:
            text = f"The reminder of {reminder.day} for poll {poll.slug} was not sent: no runner was there in time."
            key = f"reminder:{poll.id}:{reminder.day}"
            raise_matter(session, now, key, text, poll_id=poll.id, day=str(reminder.day))
    if waiting:
        _queue(session, now, waiting)


def _queue(session: Session, now: datetime, poll_ids: list[int]) -> None:
    """One mail to each contact with something open in these polls; what it holds is asked when it is sent."""
    _queue_to(session, now, questions.to_remind(poll_ids))


def _queue_to(session: Session, now: datetime, who: sa.Select[int]) -> None:
    contacts = who.subquery()
    today = brussels_day(now)
    end_of_day = in_brussels(today + timedelta(days=1), time(0))
    queue_mail_to(session, now, "reminder", str(today), campaign=f"reminder:{today}", contacts=contacts,
                  expires_at=end_of_day)  # fmt: skip


def remind_now(session: Session, now: Clock, poll_id: int, *, actor: str = STAFF) -> int:
    """Remind of a poll at once, on staff's word; how many mails that is.

    They go to whoever has not answered and can be reached, and hold all that is open for that person. Whoever had
    today's reminder gets no second one, so that another press adds nothing; the runner sends none after it today.
    Raises `PollNotOpen`.
    """
    poll = session.scalars(
        sa.select(Poll).where(Poll.id == poll_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    moment = now()
    poll.check_open(moment)
    today = brussels_day(moment)
    number = questions.remindable(session, poll.id, today).mails
    if number == 0:
        return 0
    # The day before its mails, as `send_due` does: else the two could wait for each other.
    session.execute(insert_new(session, Reminder).values(poll_id=poll.id, day=today, state=ReminderState.QUEUED))
    session.execute(
        sa.update(Reminder).where(Reminder.poll_id == poll.id, Reminder.day == today).values(state=ReminderState.QUEUED)
    )
    _queue_to(session, moment, questions.to_remind([poll.id]).where(questions.reachable()))
    audit(session, moment, "poll-reminded", actor, f"poll:{poll.id}", mails=number)
    return number


def cancel(session: Session, poll_id: int) -> None:
    """Forget the days that have not come: the poll is over."""
    session.execute(sa.delete(Reminder).where(Reminder.poll_id == poll_id, Reminder.state == ReminderState.PLANNED))
