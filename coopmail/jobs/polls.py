"""Closing polls and reminding of them."""

from __future__ import annotations

from flask import Flask

from coopmail.actions import polls, reminders
from coopmail.domain.calendar import brussels_day
from coopmail.errors import TransitionRefused
from coopmail.parts import parts
from coopmail.queries import polls as questions


def close_due_polls(app: Flask) -> None:
    """Close each poll whose time has come, in a transaction of its own."""
    office = parts(app)
    with office.db.reading() as (session, now):
        due = questions.due_for_closing(session, now())
    for poll_id in due:
        try:
            with office.db.transaction() as (session, now):
                polls.close_poll(session, poll_id, now, office.basis)
        except TransitionRefused:
            continue  # another runner, or staff, was first


def send_due_reminders(app: Flask) -> None:
    """Queue the reminders of today."""
    office = parts(app)
    with office.db.reading() as (session, now):
        if not questions.reminder_is_due(session, brussels_day(now())):
            return
    with office.db.transaction() as (session, now):
        reminders.send_due(session, now(), office.charter)
