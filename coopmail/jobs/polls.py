"""Closing polls and reminding of them."""

from __future__ import annotations

import structlog
from flask import Flask

from coopmail.actions import polls, reminders
from coopmail.actions.records import raise_matter
from coopmail.domain.calendar import brussels_day
from coopmail.errors import TransitionRefused
from coopmail.parts import Parts, parts
from coopmail.queries import polls as questions
from coopmail.vault import BallotUnreadable, KeyUnreadable

_log = structlog.get_logger(__name__)


def close_due_polls(app: Flask) -> None:
    """Close each poll whose time has come, in a transaction of its own.

    A secret one whose ballots cannot be opened stays as it is and takes no answers; staff are told once.
    """
    office = parts(app)
    with office.db.reading() as (session, now):
        due = questions.due_for_closing(session, now())
    for poll_id in due:
        try:
            with office.db.transaction() as (session, now):
                polls.close_poll(session, poll_id, now, office.basis)
        except TransitionRefused:
            continue  # another runner, or staff, was first
        except (KeyUnreadable, BallotUnreadable) as error:
            _cannot_count(office, poll_id, error)


def _cannot_count(office: Parts, poll_id: int, error: Exception) -> None:
    """In a transaction of its own, since that of the closing was undone."""
    _log.error("poll-cannot-be-counted", poll=poll_id, reason=str(error))
    with office.db.transaction() as (session, now):
        raise_matter(
            session, now(), f"close:{poll_id}",
            f"Secret poll {questions.whole(session, poll_id).slug} cannot be closed and counted: {error} It takes no"
            " answers any more. If the key file can be put back it closes by itself; else withdraw it with a reason.",
            poll_id=poll_id, error=str(error),
        )  # fmt: skip


def send_due_reminders(app: Flask) -> None:
    """Queue the reminders of today."""
    office = parts(app)
    with office.db.reading() as (session, now):
        if not questions.reminder_is_due(session, brussels_day(now())):
            return
    with office.db.transaction() as (session, now):
        reminders.send_due(session, now(), office.charter)
