"""The page of an act on a poll: it says what will happen and to how many, and has one button.

One road for all acts: show the page, or do what was pressed, once, however often it is pressed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse
from wtforms import Form

from coopmail.actions.basis import Basis
from coopmail.clock import Clock
from coopmail.domain.audit import AuditRow
from coopmail.domain.polls import Poll, PollState
from coopmail.errors import ActionRefused, ChangedMeanwhile, CoopmailError
from coopmail.forms.kind import Data
from coopmail.parts import parts
from coopmail.queries import board
from coopmail.web.staff.board import by_slug, person
from coopmail.web.staff.console import actor, done

Answer = BaseResponse | tuple[str, int]


@dataclass(frozen=True)
class Act:
    """One act.

    `recorded` is its name in the record. `possible`: whether the poll's state allows it. `repeats`: whether what is
    sent was done by the same person before, as the last row of the record says. `do` acts and names the sentence that
    says so. `facts` finds what the page says. `warns`: whether what was typed wants a second look first; the form then
    has the warnings.
    """

    name: str
    recorded: str
    sentence: str
    possible: Callable[[Poll, datetime], bool]
    form: Callable[[datetime, Data | None, Poll], Form]
    repeats: Callable[[Session, Poll, AuditRow, Any], bool]
    do: Callable[[Session, Clock, Basis, Poll, Any], str]
    facts: Callable[[Session, datetime, Poll], dict[str, Any]]
    warns: Callable[[Any], bool] = lambda _form: False


def act_page(act: Act, slug: str) -> Answer:
    """Show the page of an act, or do it: once, however often its button is pressed."""
    if request.method != "POST":
        return _show(act, slug)
    office = parts()
    with office.db.reading() as (session, now):
        moment = now()
        found = by_slug(session, slug)
        form = act.form(moment, request.form, found)
        valid = form.validate()
        before = board.last_act(session, found.id, act.recorded)
        if before is not None and before.actor == actor() and act.repeats(session, found, before, form):
            return done("staff.poll", act.sentence, slug=slug)
    if not act.possible(found, moment) or not valid:
        return _show(act, slug, form, status=422)
    if act.warns(form):
        return _show(act, slug, form)
    try:
        with office.db.transaction() as (session, now):
            sentence = act.do(session, now, office.basis, found, form)
    except ChangedMeanwhile:
        return _show(act, slug, form, status=409, conflict=True)
    except ActionRefused:  # the state changed since it was read: the page says to which
        return _show(act, slug, form, status=409, failed=True)
    except CoopmailError:  # a secret poll whose key or ballots cannot be read
        return _show(act, slug, form, status=409, unreadable=True)
    return done("staff.poll", sentence, slug=slug)


def _show(
    act: Act, slug: str, form: Form | None = None, *, status: int = 200, conflict: bool = False,
    failed: bool = False, unreadable: bool = False,
) -> tuple[str, int]:  # fmt: skip
    with parts().db.reading() as (session, now):
        moment = now()
        found = by_slug(session, slug)
        form = form if form is not None else act.form(moment, None, found)
        possible = act.possible(found, moment)
        last = board.last_act(session, found.id, act.recorded)
        if conflict:  # sent again, it is meant against what the page shows now
            form["version"].data = str(found.version)
        page = render_template(
            f"staff/polls/act-{act.name}.html",
            poll=found,
            form=form,
            now=moment,
            refused=None if possible else _refusal(found, moment),
            before=(person(session, last.actor), last.at) if last is not None else None,
            conflict=conflict,
            failed=failed,
            unreadable=unreadable,
            **(act.facts(session, moment, found) if possible else {}),
        )
    return page, 409 if request.method == "POST" and not possible else status


def _refusal(poll: Poll, now: datetime) -> str:
    """Why an act cannot be done: where the poll stands."""
    if poll.state is PollState.OPEN and not poll.accepts_answers(now):
        return _("Its closing time has passed, and it is being counted.")
    if poll.state is PollState.CLOSED and poll.announced_at is None:
        return _("It is closed, and its outcome waits for you: send that first.")
    return {
        PollState.DRAFT: _("It is a draft, and was not opened yet."),
        PollState.OPEN: _("It is still open."),
        PollState.CLOSED: _("It is closed, and its outcome was sent."),
        PollState.DECIDED: _("It is closed, and there is a decision on it."),
        PollState.WITHDRAWN: _("It was withdrawn."),
    }[poll.state]
