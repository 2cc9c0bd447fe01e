"""Who is in an audience, before it is saved and afterwards: lists to search, sort, page and export.

An address names a saved audience by its number, and a question that is not saved by itself: `q-` and its JSON,
packed, in letters that an address can hold.
"""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from flask import abort
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail.domain.audience_question import Question, QuestionUnreadable, parse, to_json
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Representation
from coopmail.domain.organisations import Organisation
from coopmail.domain.polls import Poll
from coopmail.forms.kind import lazy
from coopmail.queries import audiences as questions
from coopmail.web.staff import audience_words as words
from coopmail.web.staff.listing import Column, Filter, Listing, register

LONGEST = 50_000
"""Characters of a question once unpacked: no address can make more of itself in memory."""
FIRST = 8
"""So many names of each list stand in the builder."""


@dataclass(frozen=True)
class Sample:
    """How many are in an audience, and the first names of each list."""

    reach: questions.Reach
    organisations: list[str]
    persons: list[str]


def key_of(question: Question) -> str:
    """A question as a part of an address."""
    text = json.dumps(to_json(question), separators=(",", ":"), ensure_ascii=False)
    return "q-" + urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def sample(session: Session, question: Question, day: date) -> Sample:
    """What the builder shows of a question."""
    inside = sa.select(Organisation.name).where(questions.organisations(question, day))
    alone = sa.select(Contact.name).where(questions.persons(question, day))
    return Sample(
        questions.reach(session, question, day),
        list(session.scalars(inside.order_by(Organisation.name).limit(FIRST))),
        list(session.scalars(alone.order_by(Contact.name).limit(FIRST))),
    )


def _asked(session: Session, key: str) -> tuple[Question, SavedAudience | None]:
    """The question that an address names; nothing is there where it names none."""
    if key.isdecimal() and len(key) < 10:
        saved = session.get(SavedAudience, int(key))
        if saved is None:
            abort(404)
        return parse(saved.question), saved
    try:
        text = key.removeprefix("q-")
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return parse(json.loads(zlib.decompressobj().decompress(packed, LONGEST))), None
    except (ValueError, zlib.error, RecursionError, QuestionUnreadable):
        abort(404)


def _facts(session: Session, _now: datetime, key: str) -> dict[str, Any]:
    question, saved = _asked(session, key)
    return {
        "saved": saved,
        "key": key,
        "kind": words.kind,
        "in_words": words.sentence(session, question),
    }


def _all(session: Session, _now: datetime) -> Listing:
    used = sa.select(sa.func.count()).where(Poll.saved_audience_id == SavedAudience.id).scalar_subquery()
    names = words.names(session)
    return Listing(
        name="audiences",
        question=sa.select(SavedAudience, used.label("used")),
        columns=(
            Column("name", lazy("Name"), lambda row: row.SavedAudience.name, (SavedAudience.name,)),
            Column("who", lazy("Who is in it"), lambda row: words.said(parse(row.SavedAudience.question), names)),
            Column("polls", lazy("Polls that ask it"), lambda row: row.used, (used,)),
            Column("state", lazy("Status"), lambda row: words.standing(row.SavedAudience),
                   (SavedAudience.archived_at,)),
        ),
        searched=(SavedAudience.name, SavedAudience.description),
        unique=SavedAudience.id,
        default="name",
        filters=(
            Filter("state", lazy("Status"),
                   lambda _session: [("in-use", _("in use")), ("archived", _("in the archive"))],
                   lambda chosen: (SavedAudience.archived_at.is_not(None) if chosen == "archived"
                                   else SavedAudience.archived_at.is_(None))),
        ),
    )  # fmt: skip


def _organisations(session: Session, now: datetime, key: str) -> Listing:
    day = brussels_day(now)
    member = sa.case((questions.is_member(day), 1), else_=0)
    return Listing(
        name="audience-organisations",
        question=sa.select(Organisation, member.label("member")).where(
            questions.organisations(_asked(session, key)[0], day)
        ),
        columns=(
            Column("name", lazy("Name"), lambda row: row.Organisation.name, (Organisation.name,)),
            Column("type", lazy("Type"), lambda row: words.kind(row.Organisation.kind), (Organisation.kind,)),
            Column("municipality", lazy("Municipality"), lambda row: row.Organisation.municipality,
                   (Organisation.municipality,)),
            Column("province", lazy("Province"), lambda row: row.Organisation.province, (Organisation.province,)),
            Column("inhabitants", lazy("Inhabitants"), lambda row: row.Organisation.population,
                   (Organisation.population,)),
            Column("member", lazy("Member"), lambda row: _("yes") if row.member else _("no"), (member,)),
        ),
        searched=(Organisation.name, Organisation.municipality),
        unique=Organisation.id,
        default="name",
        filters=(
            Filter("member", lazy("Member"), lambda _session: [("1", _("yes")), ("0", _("no"))],
                   lambda chosen: member == int(chosen)),
        ),
    )  # fmt: skip


def _persons(session: Session, now: datetime, key: str) -> Listing:
    return Listing(
        name="audience-persons",
        question=sa.select(Contact).where(questions.persons(_asked(session, key)[0], brussels_day(now))),
        columns=(
            Column("name", lazy("Name"), lambda row: row.name, (Contact.name,)),
            Column("email", lazy("E-mail address"), lambda row: row.email, (Contact.email_key,)),
            Column("telephone", lazy("Telephone"), lambda row: row.telephone),
        ),
        searched=(Contact.name, Contact.email_key),
        unique=Contact.id,
        default="name",
    )


def _contacts(session: Session, now: datetime, key: str) -> Listing:
    reached = questions.contacts(_asked(session, key)[0], brussels_day(now)).subquery()
    standing = sa.select(Organisation.name, Representation.contact_id).distinct()
    standing = standing.join(Organisation, Organisation.id == Representation.organisation_id)
    of_whom = standing.where(Representation.ended_at.is_(None)).subquery()
    names = sa.func.aggregate_strings(of_whom.c.name, ", ")
    organisations = sa.select(names).where(of_whom.c.contact_id == Contact.id).scalar_subquery()
    return Listing(
        name="audience-contacts",
        question=sa.select(Contact, reached.c.votes, organisations.label("organisations")).join(
            reached, reached.c.contact_id == Contact.id
        ),
        columns=(
            Column("name", lazy("Name"), lambda row: row.Contact.name, (Contact.name,)),
            Column("email", lazy("E-mail address"), lambda row: row.Contact.email, (Contact.email_key,)),
            Column("organisations", lazy("Stands for"), lambda row: row.organisations or ""),
            Column("mode", lazy("Votes or reads"), lambda row: _("votes") if row.votes else _("reads"),
                   (reached.c.votes,)),
        ),
        searched=(Contact.name, Contact.email_key),
        unique=Contact.id,
        default="name",
        filters=(
            Filter("mode", lazy("Votes or reads"), lambda _session: [("1", _("votes")), ("0", _("reads"))],
                   lambda chosen: reached.c.votes == int(chosen)),
        ),
    )  # fmt: skip


def _words_of(session: Session, _now: datetime) -> dict[str, Any]:
    names = words.names(session)
    return {"sentence_of": lambda saved: words.said(parse(saved.question), names), "standing": words.standing}


register("/audiences", "audiences", _all, "staff/audiences/list.html", _words_of)
register("/audiences/<key>/organisations", "audience_organisations", _organisations,
         "staff/audiences/organisations.html", _facts)  # fmt: skip
register("/audiences/<key>/persons", "audience_persons", _persons, "staff/audiences/persons.html", _facts)
register("/audiences/<key>/contacts", "audience_contacts", _contacts, "staff/audiences/contacts.html", _facts)
