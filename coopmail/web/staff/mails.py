"""One mail: why it exists, what became of it, what it says; and all mail of one person, sent or not and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response, abort, render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail.actions import outbox as actions
from coopmail.domain.contacts import Contact
from coopmail.domain.outbox import WAITING, Mail, MailEvent, MailState
from coopmail.errors import ActionRefused, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.mail.message import Mailbox, message_id
from coopmail.mail.preview import preview
from coopmail.parts import parts
from coopmail.queries import contacts, mail_list, mails
from coopmail.queries.changes import actor_names
from coopmail.web.staff import mail_lists
from coopmail.web.staff import mail_words as words
from coopmail.web.staff.console import actor, done, say, staff
from coopmail.web.staff.listing import look, send
from coopmail.web.staff.outbox import who

say("mail-retried", lazy("The mail waits to be sent again."))
say("mail-cancelled", lazy("The mail is taken back. To undo it, send it after all."))

Answer = BaseResponse | str | tuple[str, int]
BY_HAND = ("retried", "taken-back")
"""Events whose detail is who did it."""


@staff.get("/outbox/mails/<int:mail_id>")
def mail(mail_id: int) -> str:
    """A mail: to whom, why, what happened to it, and what it says."""
    with parts().db.reading() as (session, now):
        moment = now()
        facts = _facts(session, moment, mail_id)
        happened = mails.events(session, mail_id)
        return render_template(
            "staff/outbox/mail.html",
            happened=_happened(session, happened),
            cut=len(happened) == mails.MOST_EVENTS,
            preview=preview(session, moment, parts(), mail_id),
            **facts,
        )


@staff.route("/outbox/mails/<int:mail_id>/retry", methods=["GET", "POST"])
def mail_retry(mail_id: int) -> Answer:
    """Send a mail that did not go out, or was refused, again."""
    return _act("retry", mail_id, "mail-retried", actions.retry_mail)


@staff.route("/outbox/mails/<int:mail_id>/cancel", methods=["GET", "POST"])
def mail_cancel(mail_id: int) -> Answer:
    """Take back a mail that waits."""
    return _act("cancel", mail_id, "mail-cancelled", actions.cancel_mail)


@staff.get("/contacts/<int:contact_id>/mails")
def contact_mails(contact_id: int) -> str:
    """Every mail of a person, and why each open poll did or did not ask them."""
    with parts().db.reading() as (session, now):
        moment = now()
        person = _person(session, contact_id)
        polls = mails.open_polls(session)
        return render_template(
            "staff/outbox/person.html",
            person=person,
            polls=polls,
            why=mails.why_each(session, person, polls),
            seen=look(session, mail_lists.of_contact(session, moment, contact_id)),
            words=words,
            now=moment,
        )


@staff.get("/contacts/<int:contact_id>/mails.<any(csv, xlsx):form>")
def contact_mails_export(contact_id: int, form: str) -> Response:
    """A person's mails as a file."""
    with parts().db.reading() as (session, _now):
        _person(session, contact_id)
    return send(mail_lists.exported(mail_lists.of_contact), form, {"contact_id": contact_id})


def _act(name: str, mail_id: int, sentence: str, act: Callable[..., Mail]) -> Answer:
    """Show what an act will do, or do it; pressed again, it finds itself done."""
    if request.method != "POST":
        return _show(name, mail_id)
    try:
        with parts().db.transaction() as (session, now):
            act(session, now(), mail_id, actor=actor())
    except UnknownSubject:
        abort(404)
    except ActionRefused:  # it changed since it was read: the page says how it stands
        return _show(name, mail_id), 409
    return done("staff.mail", sentence, mail_id=mail_id)


def _show(name: str, mail_id: int) -> str:
    with parts().db.reading() as (session, now):
        moment = now()
        facts = _facts(session, moment, mail_id)
        refused = _REFUSALS[name](session, moment, facts["mail"])
        return render_template(f"staff/outbox/mail-{name}.html", refused=refused, **facts)


def _no_retry(session: Session, now: datetime, found: Mail) -> str:
    """Why a mail cannot be sent again, or would not be, in words; empty where it can."""
    if found.state in WAITING:
        return _("It waits to be sent already.")
    fault = mails.retry_fault(session, found, now)
    if fault is not None:
        return str(words.RETRY_FAULTS[fault])
    in_time = found.expires_at is None or found.expires_at > now  # else it gets the closing time that the poll has now
    return words.reason(preview(session, now, parts(), found.id).reason) if in_time else ""


def _no_cancel(_session: Session, _now: datetime, found: Mail) -> str:
    """Why a mail cannot be taken back, in words; empty where it can."""
    if found.state is MailState.CLAIMED:
        return _("It is being sent at this moment.")
    return "" if found.state is MailState.QUEUED else _("It does not wait any more.")


_REFUSALS = {"retry": _no_retry, "cancel": _no_cancel}


def _facts(session: Session, now: datetime, mail_id: int) -> dict[str, Any]:
    """What the pages of a mail show. Aborts with 404 where there is none."""
    try:
        found = mails.get(session, mail_id)
    except UnknownSubject:
        abort(404)
    asked, settings = found.invitation, parts().settings
    campaign = words.campaign(found.campaign, mail_list.titles(session, [found.campaign]).get(found.campaign))
    return {
        "mail": found, "to": found.contact or found.staff, "poll": asked.poll if asked else None,
        "unit": asked.unit if asked else None, "stop": mail_list.stop_of(session, found.campaign, now),
        "words": words, "now": now, "heading": words.template(found.template),
        "caused_by": who(session, mails.caused_by(session, found)),
        "campaign_words": campaign,
        "message_id": message_id(found.key, Mailbox(settings.sender_name, settings.sender)),
        "fault": mails.retry_fault(session, found, now), "waits": found.state is MailState.QUEUED,
    }  # fmt: skip


def _happened(session: Session, events: list[MailEvent]) -> list[tuple[MailEvent, str]]:
    """Events, each with who did it or what was said."""
    names = actor_names(session, {event.detail for event in events if event.event in BY_HAND})
    return [(event, names.get(event.detail) or words.reason(event.detail)) for event in events]


def _person(session: Session, contact_id: int) -> Contact:
    try:
        return contacts.by_id(session, contact_id)
    except UnknownSubject:
        abort(404)
