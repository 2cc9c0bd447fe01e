"""Sending mail, answering who lost a link, and telling staff what bounced."""

from __future__ import annotations

from flask import Flask

from coopmail.actions import contacts, link_requests, sign_in
from coopmail.mail.delivery import deliver_due
from coopmail.parts import parts
from coopmail.queries import outbox, staff


def deliver(app: Flask) -> None:
    """Send what is due, for a quarter of a minute: what is left is rung for again, behind jobs that wait meanwhile."""
    deliver_due(app, seconds=15)


def answer_link_requests(app: Flask) -> None:
    """Mail their links to those who asked for them."""
    office = parts(app)
    with office.db.reading() as (session, _):
        if not outbox.link_is_requested(session):
            return
    with office.db.transaction() as (session, now):
        link_requests.answer_link_requests(session, now(), office.basis)


def mail_sign_in_codes(app: Flask) -> None:
    """Mail their codes to those who stand at the console's door."""
    office = parts(app)
    with office.db.reading() as (session, _):
        if not staff.sign_in_waits(session):
            return
    with office.db.transaction() as (session, now):
        sign_in.mail_codes(session, now())


def report_bounces(app: Flask) -> None:
    """Put each mail that was refused for good before staff: a member may be losing its vote."""
    office = parts(app)
    with office.db.reading() as (session, _):
        if not outbox.bounced_unraised(session):
            return
    with office.db.transaction() as (session, now):
        contacts.note_bounces(session, now())
