"""The lists of mails: the whole outbox, one campaign's, one person's. They differ in what they leave out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from babel.dates import format_date
from flask import request
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.documents.tables import Cell
from coopmail.domain.calendar import brussels_day, in_brussels
from coopmail.domain.outbox import Mail, MailState
from coopmail.forms.kind import lazy
from coopmail.queries import mail_list
from coopmail.web.staff import mail_words as words
from coopmail.web.staff.listing import Choices, Column, Filter, Listing

MONTHS = 24
"""So many months can be chosen; older mails are found by person or campaign."""


class Span(NamedTuple):
    """A span of time to choose: its code in the address, what it is called, from when, and until when if it ended."""

    code: str
    label: str
    begin: datetime
    end: datetime | None


def whole(session: Session, now: datetime) -> Listing:
    """The outbox, the newest on top."""
    filters = (_by_state(session), _by_campaign(), _by_template(), _by_time(session, now))
    return _listing(session, mail_list.rows(now), (NAME, MAIL, STATE, QUEUED, SENT), *filters)


def of_campaign(session: Session, now: datetime, campaign: str) -> Listing:
    """A campaign's mails, the newest on top."""
    question = mail_list.rows(now).where(Mail.campaign == campaign)
    return _listing(session, question, (NAME, STATE, QUEUED, SENT), _by_plain_state())


def of_contact(session: Session, now: datetime, contact_id: int) -> Listing:
    """A person's mails, the newest on top."""
    question = mail_list.rows(now).where(Mail.contact_id == contact_id)
    return _listing(session, question, (MAIL, STATE, QUEUED, SENT), _by_plain_state(), _by_template())


def exported(make: Callable[..., Listing]) -> Callable[..., Listing]:
    """The same list as a file has it."""
    return lambda session, now, **values: replace(make(session, now, **values), columns=FILE)


def _listing(
    session: Session, question: sa.Select[*tuple[Any, ...]], columns: tuple[Column, ...], *filters: Filter
) -> Listing:
    return Listing(
        name="outbox",
        question=question,
        columns=columns,
        searched=(),
        elsewhere=partial(mail_list.to_people, session),
        filters=filters,
        default="-queued",
        unique=Mail.id,
        most=mail_list.LISTED,
    )


def _by_state(session: Session) -> Filter:
    return Filter("state", lazy("Status"), _states, lambda value: mail_list.in_state(session, MailState(value)))


def _by_plain_state() -> Filter:
    return Filter("state", lazy("Status"), _states, lambda value: Mail.state == MailState(value))


def _by_campaign() -> Filter:
    return Filter("campaign", lazy("Campaign"), _campaigns, lambda value: Mail.campaign == value)


def _by_template() -> Filter:
    return Filter("template", lazy("Mail"), _templates, lambda value: Mail.template == value)


def _by_time(session: Session, now: datetime) -> Filter:
    offered = spans(now, mail_list.first_moment(session))

    def where(code: str) -> sa.ColumnElement[bool]:
        found = next(span for span in offered if span.code == code)
        return mail_list.between(session, found.begin, found.end)

    return Filter("queued", lazy("Queued"), lambda _session: [(span.code, span.label) for span in offered], where)


def _states(_session: Session) -> Choices:
    return [(state.value, str(words.fate(state, False)[1])) for state in MailState]


def _campaigns(session: Session) -> Choices:
    names = mail_list.recent_campaigns(session, request.args.get("campaign", ""))
    about = mail_list.titles(session, names)
    return [(name, words.campaign(name, about.get(name))) for name in names]


def _templates(_session: Session) -> Choices:
    return sorted(((name, words.template(name)) for name in words.TEMPLATES), key=lambda pair: pair[1].lower())


def spans(now: datetime, first: datetime | None) -> list[Span]:
    """The spans of time in which mails can have been queued: the last days, then month by month."""
    today = brussels_day(now)
    month = today.replace(day=1)
    found = [
        Span("today", _("Today"), _midnight(today), None),
        Span("yesterday", _("Yesterday"), _midnight(today - timedelta(days=1)), _midnight(today)),
        Span("week", _("The last 7 days"), _midnight(today - timedelta(days=6)), None),
    ]
    end: datetime | None = None
    for _step in range(MONTHS):
        label = format_date(month, "MMMM y", locale=wording.language())
        found.append(Span(f"{month:%Y-%m}", label, _midnight(month), end))
        if first is None or _midnight(month) <= first:
            break
        end, month = _midnight(month), (month - timedelta(days=1)).replace(day=1)
    return found


def _midnight(day: date) -> datetime:
    return in_brussels(day, time(0))


def _said(field: str) -> Callable[[Any], Cell]:
    return lambda row: getattr(row, field)


NAME = Column("name", lazy("To"), _said("name"), (mail_list.NAME, mail_list.ADDRESS))
MAIL = Column("template", lazy("Mail"), lambda row: words.template(row.template), (Mail.template,))
STATE = Column("state", lazy("Status"), lambda row: str(words.fate(row.state, row.paused)[1]), (Mail.state,))
QUEUED = Column("queued", lazy("Queued on"), _said("created_at"), (Mail.id,))
SENT = Column("sent", lazy("Sent on"), _said("accepted_at"), (Mail.accepted_at,))
FILE = (
    NAME,
    Column("email", lazy("E-mail address"), _said("email")),
    MAIL,
    Column("about", lazy("About"), lambda row: wording.said(row, "title") if row.slug else None),
    Column("unit", lazy("Answers for"), _said("unit")),
    STATE,
    QUEUED,
    SENT,
    Column("attempts", lazy("Attempts"), _said("attempts")),
    Column("reply", lazy("Why, or what the mail relay said"), lambda row: words.reason(row.reply)),
    Column("campaign", lazy("Campaign"), _said("campaign")),
)
"""As a file has them; a page shows some of them together."""
