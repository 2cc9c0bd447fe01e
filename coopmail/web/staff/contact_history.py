"""What was done about a contact, in words: the record's rows, for its page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact
from coopmail.forms.kind import lazy
from coopmail.forms.mail_test import PLACES
from coopmail.queries import contact_page as shown
from coopmail.queries import contacts as questions
from coopmail.queries.changes import actor_names
from coopmail.web.staff.act_words import act_in_words


class Told(NamedTuple):
    """One act: when, by whom, and what."""

    at: datetime
    who: str
    what: str


def told(session: Session, contact: Contact) -> list[Told]:
    """A contact's history, the newest first; an act without words of its own here has those of the audit log."""
    rows = shown.history(session, contact.id)
    names = actor_names(session, {row.actor for row in rows})
    return [Told(row.at, names.get(row.actor, row.actor), _words(row)) for row in rows]


def _words(row: AuditRow) -> str:
    words = _WORDS.get(row.act)
    return words(row.detail) if words is not None else act_in_words(row.act)


_FIELDS = {
    "name": lazy("Name"), "email": lazy("E-mail address"), "telephone": lazy("Telephone"),
    "language": lazy("Language"), "functional": lazy("Mailbox of several people"),
}  # fmt: skip


def _shown(value: Any) -> str:
    words = {True: _("yes"), False: _("no"), "": "–", "nl": "Nederlands", "en": "English"}
    return words.get(value, str(value))


def _edited(detail: dict[str, Any]) -> str:
    changes = [f"{_FIELDS.get(field, field)}: {_shown(old)} → {_shown(new)}"
               for field, (old, new) in detail.get("changes", {}).items()]  # fmt: skip
    return _("Changed: %(changes)s", changes="; ".join(changes))


def _away(detail: dict[str, Any]) -> str:
    until = detail.get("until")
    if until is None:
        return _("Back in the office")
    return _("Away until %(day)s", day=wording.day(date.fromisoformat(until)))


def _answered(detail: dict[str, Any]) -> str:
    return _("Found the test mail: %(where)s", where=str(PLACES.get(detail.get("found", ""), "–")))


_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "contact-added": lambda _d: _("Added"),
    "contact-edited": _edited,
    questions.ADDRESS_CHANGED: lambda d: _("New address: %(before)s → %(after)s", before=d.get("before", "–"),
                                           after=d.get("after", "–")),
    "contact-away": _away,
    "contact-left": lambda _d: _("Left"),
    "contact-returned": lambda _d: _("Came back"),
    "standing-changed": lambda _d: _("What it stands for was changed"),
    "handover-asked": lambda _d: _("Somebody was asked to take over"),
    "mail-test-sent": lambda _d: _("A test mail was sent"),
    "mail-test-answered": _answered,
}  # fmt: skip
