"""The record as staff read it: searched, a page at a time, with the names of those it speaks of.

A page is found from the row that it follows, so the last page of a million rows costs what the first does. What is
searched in all rows and found in few costs a look at each: half a second a million.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.audiences import SavedAudience
from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact
from coopmail.domain.decisions import Decision
from coopmail.domain.organisations import Organisation
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Poll
from coopmail.domain.staff import StaffMember

PAGE = 50
CHUNK = 1_000
ANY_CONTACT = "contact"
"""The filter by whoever answered with a personal link."""


@dataclass(frozen=True)
class Asked:
    """What is asked of the record. `acts` are, for each word that is searched, the acts whose own words hold it."""

    acts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    act: str = ""
    actor: str = ""
    subject: str = ""
    first: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Part:
    """Some rows, the last one first; `older` and `newer` are the ids that the pages beside this one go by."""

    rows: Sequence[AuditRow]
    newer: int | None
    older: int | None


class Named(NamedTuple):
    """What the record calls `poll:3`, in words of both languages, and what its page's address wants."""

    text_nl: str
    text_en: str
    key: str


class _Table(NamedTuple):
    id: sa.SQLColumnExpression[int]
    text_nl: sa.SQLColumnExpression[str]
    text_en: sa.SQLColumnExpression[str]
    key: sa.SQLColumnExpression[Any]


TABLES: dict[str, _Table] = {
    "audience": _Table(SavedAudience.id, SavedAudience.name, SavedAudience.name, SavedAudience.id),
    "contact": _Table(Contact.id, Contact.name, Contact.name, Contact.id),
    "decision": _Table(Decision.id, Decision.number, Decision.number, Decision.number),
    "mail": _Table(Mail.id, Mail.template, Mail.template, Mail.id),
    "organisation": _Table(Organisation.id, Organisation.name, Organisation.name, Organisation.id),
    "poll": _Table(Poll.id, Poll.title_nl, Poll.title_en, Poll.slug),
    "staff": _Table(StaffMember.id, StaffMember.name, StaffMember.name, StaffMember.id),
}
"""Whom and what the record speaks of by `kind:ID`."""
_SEARCHED_BY_NAME = ("contact", "decision", "organisation", "poll", "staff")


def page(session: Session, asked: Asked, *, before: int | None = None, after: int | None = None) -> Part:
    """A page of the record: the last rows, those before an id, or those after one."""
    question = narrow(asked).limit(PAGE + 1)
    if after is not None:
        rows = list(session.scalars(question.where(AuditRow.id > after).order_by(AuditRow.id)))
        more, rows = len(rows) > PAGE, rows[:PAGE][::-1]
        if rows:
            return Part(rows, rows[0].id if more else None, rows[-1].id)
    earlier = question if before is None else question.where(AuditRow.id < before)
    rows = list(session.scalars(earlier.order_by(AuditRow.id.desc())))
    more, rows = len(rows) > PAGE, rows[:PAGE]
    newer = rows[0].id if rows and before is not None else None
    return Part(rows, newer, rows[-1].id if more else None)


def every(session: Session, asked: Asked, limit: int | None = None) -> Iterator[list[AuditRow]]:
    """All that is asked, the last first, some at a time."""
    question = narrow(asked).order_by(AuditRow.id.desc()).limit(limit).execution_options(yield_per=CHUNK)
    with session.scalars(question) as found:
        for rows in found.partitions():
            yield list(rows)
            session.expunge_all()


def narrow(asked: Asked) -> sa.Select[AuditRow]:
    """The rows that are asked for, in no order. A row holds every word somewhere."""
    question = sa.select(AuditRow)
    for word, acts in asked.acts.items():
        question = question.where(_holds(word, acts))
    if asked.act:
        question = question.where(AuditRow.act == asked.act)
    if asked.actor:
        mine = AuditRow.actor.startswith(f"{ANY_CONTACT}:") if asked.actor == ANY_CONTACT else None
        question = question.where(AuditRow.actor == asked.actor if mine is None else mine)
    if asked.subject:
        question = question.where(AuditRow.subject == asked.subject)
    if asked.first is not None:
        question = question.where(AuditRow.at >= asked.first)
    if asked.end is not None:
        question = question.where(AuditRow.at < asked.end)
    return question


def _holds(word: str, acts: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that a row holds a word: in its act, its actor, its subject (or their names), or its detail."""
    named = sa.union_all(*(_called(kind, word) for kind in _SEARCHED_BY_NAME)).subquery()
    references = sa.select(named.c.reference)
    detail = sa.func.lower(sa.cast(AuditRow.detail, sa.Text))
    return sa.or_(
        AuditRow.act.contains(word, autoescape=True), AuditRow.act.in_(acts), AuditRow.actor == word,
        AuditRow.subject == word, AuditRow.actor.in_(references), AuditRow.subject.in_(references),
        AuditRow.subject.startswith("campaign:") & AuditRow.subject.contains(word, autoescape=True),
        *(detail.contains(spelling, autoescape=True) for spelling in _as_json(word)),
    )  # fmt: skip


def _called(kind: str, word: str) -> sa.Select[Any]:
    """What the record calls those of a kind whose name holds a word."""
    table = TABLES[kind]
    texts = (sa.func.lower(text).contains(word, autoescape=True) for text in {table.text_nl, table.text_en})
    return sa.select(_reference(kind, table).label("reference")).where(sa.or_(*texts))


def _reference(kind: str, table: _Table) -> sa.ColumnElement[str]:
    return sa.literal(f"{kind}:") + sa.cast(table.id, sa.String)


def _as_json(word: str) -> set[str]:
    """A word as it may stand in the detail, where letters beyond ASCII are numbers: small and capital ones differ."""
    return {json.dumps(spelling)[1:-1].lower() for spelling in (word, word.capitalize(), word.upper())}


def named(session: Session, references: Iterable[str]) -> dict[str, Named]:
    """The names of `kind:ID`s, as far as they are known, in one question; what is not of that form is passed over."""
    ids: dict[str, list[int]] = {}
    for reference in set(references):
        kind, _, number = reference.partition(":")
        if kind in TABLES and number.isascii() and number.isdecimal() and len(number) < 10:
            ids.setdefault(kind, []).append(int(number))
    if not ids:
        return {}
    questions = [
        sa.select(
            _reference(kind, TABLES[kind]), TABLES[kind].text_nl, TABLES[kind].text_en,
            sa.cast(TABLES[kind].key, sa.String),
        ).where(TABLES[kind].id.in_(numbers))
        for kind, numbers in sorted(ids.items())
    ]  # fmt: skip
    found = session.execute(sa.union_all(*questions))
    return {reference: Named(nl, en or nl, key) for reference, nl, en, key in found}
