"""The board of a poll: a line a unit, who was asked and what became of the mail, who answered, whom was called.

What was chosen is not in the list: of an open poll it stands on the page of one unit, of a secret one nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Response, abort, render_template
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.domain.outbox import MailState
from coopmail.domain.polls import Ballot, Poll, PollState, VotingUnit
from coopmail.domain.staff import StaffMember
from coopmail.errors import UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.parts import parts
from coopmail.queries import board, board_mail, polls
from coopmail.queries.board import STANDINGS, Standing
from coopmail.web.respond import send_ballots
from coopmail.web.staff import board_words as words
from coopmail.web.staff.console import staff
from coopmail.web.staff.listing import Choices, Column, Filter, Listing, look, send
from coopmail.web.staff.mail_words import TEMPLATES


@staff.get("/polls/<slug>")
def poll(slug: str) -> str:
    """The board; of a draft, what there is to do before it opens."""
    with parts().db.reading() as (session, now):
        moment = now()
        found = by_slug(session, slug)
        facts = _facts(session, moment, found)
        if found.opened_at is not None:
            seen = look(session, _listing(found, _shown(found)))
            facts |= {"seen": seen, "invited": board_mail.invited(session, moment, [row.unit_id for row in seen.rows])}
        return render_template("staff/polls/board.html", poll=found, now=moment, words=words, **facts)


@staff.get("/polls/<slug>.<any(csv, xlsx):form>")
def poll_export(slug: str, form: str) -> Response:
    """The board as a file: one line a unit, as it is narrowed and sorted. What was chosen is not in it."""
    return send(_exported, form, {"slug": slug})


@staff.get("/polls/<slug>/units/<int:unit_id>")
def poll_unit(slug: str, unit_id: int) -> str:
    """One unit: who is asked for it, every mail about it, its calls, and, of a poll that is not secret, its answer."""
    with parts().db.reading() as (session, now):
        moment = now()
        found = by_slug(session, slug)
        line = board.line(session, found.id, unit_id)
        if line is None:
            abort(404)
        return render_template(
            "staff/polls/board-unit.html",
            poll=found,
            line=line,
            answer=None if found.secret else board.answer_of(session, found, unit_id),
            invited=board_mail.invited(session, moment, [unit_id]).get(unit_id, []),
            mails=board_mail.mails_of(session, moment, unit_id),
            calls=board.calls_of(session, unit_id),
            words=words,
            templates=TEMPLATES,
            now=moment,
        )


@staff.get("/polls/<slug>/ballots.json")
def poll_ballots(slug: str) -> Response:
    """The list of the ballots of a closed poll, public or not, to count again."""
    with parts().db.reading() as (session, _now):
        found = by_slug(session, slug)
    return send_ballots(found)


def by_slug(session: Session, slug: str) -> Poll:
    """The poll of a page's address, or 404."""
    try:
        return polls.by_slug(session, slug)
    except UnknownSubject:
        abort(404)


def person(session: Session, actor: str) -> str:
    """Who did something, by the name that the record gives them."""
    kind, _colon, number = actor.partition(":")
    found = session.get(StaffMember, int(number)) if kind == "staff" and number else None
    if found is not None:
        return found.name
    return _("the system itself") if kind == "runner" else _("our staff")


def _facts(session: Session, now: datetime, found: Poll) -> dict[str, Any]:
    """What stands around the list; a constant number of questions."""
    outcome = polls.outcome_of(session, found.id)
    closed = board.last_act(session, found.id, "poll-closed") if found.closed_at is not None else None
    reminded = board.last_act(session, found.id, "poll-reminded") if found.state is PollState.OPEN else None
    return {
        "counts": board.counts(session, found) if found.opened_at is not None else None,
        "campaigns": board_mail.campaigns(session, now, found.id),
        "reminders": polls.reminders_of(session, found.id),
        "outcome": outcome,
        "decision": polls.decision_of(session, found.id),
        "reason": (closed.detail or {}).get("reason", "") if closed is not None else "",
        "reminded": reminded,
        "reminded_by": person(session, reminded.actor) if reminded is not None else "",
    }


def _listing(found: Poll, columns: tuple[Column, ...]) -> Listing:
    return Listing(
        name=found.slug,
        question=board.lines(found.id),
        columns=columns,
        searched=(VotingUnit.name, board_mail.names(), Ballot.answered_by),
        unique=VotingUnit.id,
        default="name",
        filters=(
            Filter("standing", lazy("Answer"), _standings, lambda value: STANDINGS[Standing(value)](found.id)),
            Filter(
                "mail", lazy("Invitation"), _mail_states, lambda value: board_mail.mailed(found.id, [MailState(value)])
            ),
        ),
    )


def _standings(_session: Session) -> Choices:
    return [(standing.value, label) for standing, label in words.STANDINGS.items()]


def _mail_states(_session: Session) -> Choices:
    return [(state.value, words.FATES[board_mail.Fate(state.value)][1]) for state in MailState]


def _unit_heading(found: Poll) -> str:
    return lazy("Seat") if found.audience == "group_seats" else lazy("Who is asked")


_ANSWERED = (Ballot.cast_at.is_(None), Ballot.cast_at)
"""Who answered first on top, who has not at the end."""


def _shown(found: Poll) -> tuple[Column, ...]:
    """The columns of the page; its template draws them."""
    return (
        Column("name", _unit_heading(found), lambda row: row.name, (VotingUnit.name,)),
        Column("contacts", lazy("Contact persons and their invitation"), lambda _row: None),
        Column("answer", lazy("Answer"), lambda row: row.answered_by, _ANSWERED),
    )


def _exported(session: Session, _now: datetime, slug: str) -> Listing:
    """The list as a file has it: what the page shows of the contacts is a column each."""
    found = by_slug(session, slug)
    base = _listing(found, _columns(found))
    return replace(base, question=base.question.add_columns(board_mail.people().label("people")))


def _columns(found: Poll) -> tuple[Column, ...]:
    return (
        Column("name", _unit_heading(found), lambda row: row.name, (VotingUnit.name,)),
        Column("weight", lazy("Votes"), lambda row: row.weight),
        Column("names", lazy("Contact persons"), lambda row: _each(row, lambda one: one.name)),
        Column("addresses", lazy("E-mail addresses"), lambda row: _each(row, lambda one: one.email)),
        Column("telephones", lazy("Telephone numbers"), lambda row: _each(row, lambda one: one.telephone)),
        Column("mails", lazy("Invitation"), lambda row: _each(row, lambda one: str(words.FATES[one.fate][1]))),
        Column("answer", lazy("Answered on"), lambda row: row.cast_at, _ANSWERED),
        Column("answered_by", lazy("Answered by"), lambda row: row.answered_by),
        Column("channel", lazy("How"), lambda row: wording.channel(row.channel) if row.channel else None),
        Column("recorded_by", lazy("Recorded by"), lambda row: row.recorded_by),
        Column("contested", lazy("Contested on"), lambda row: row.contested_at),
        Column("called", lazy("Last called on"), lambda row: row.called_at),
    )


def _each(row: Any, of: Callable[[board_mail.Person], str]) -> str:
    """One thing of each contact of a unit; the columns keep the same order."""
    return "; ".join(of(one) for one in board_mail.read_people(row.people))
