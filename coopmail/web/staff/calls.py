"""The call list of a poll: whom staff may still call, ticked off as they go."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, abort, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail.actions import calls as acts
from coopmail.domain.calendar import brussels_day
from coopmail.domain.polls import Poll, VotingUnit
from coopmail.errors import ActionRefused, ChangedMeanwhile
from coopmail.forms.kind import lazy
from coopmail.forms.staff.recorded_vote import CallForm, number
from coopmail.parts import parts
from coopmail.queries import calls
from coopmail.queries.calls import Show
from coopmail.web.language import kept_language
from coopmail.web.staff.console import actor, done, say, staff
from coopmail.web.staff.listing import Choices, Column, Filter, Listing, look, narrow, send
from coopmail.web.staff.recorded_votes import poll_of

say("called", lazy("Ticked off: you called."))
say("call-undone", lazy("The call is taken back."))

SHOWN = {
    Show.NOT_CALLED: lazy("Not called yet"),
    Show.CALLED: lazy("Called"),
    Show.UNREACHABLE: lazy("No mail reaches them"),
    Show.AWAY: lazy("Out of office"),
}


@staff.route("/polls/<slug>/calls", methods=["GET", "POST"], endpoint="calls")
def call_list(slug: str) -> BaseResponse | str | tuple[str, int]:
    """Who has not answered: not called first, then whom no mail reaches, then by name; a call is ticked off here.

    `whole` is the list to print.
    """
    if request.method != "POST":
        return _list(slug)
    poll, unit = _unit(slug)
    form = CallForm(request.form)
    if not form.validate():
        return _list(slug, wrong={unit.id: form}), 422
    try:
        with parts().db.transaction() as (session, now):
            acts.tick(session, now, poll.id, unit.id, form.note.data or "", form.read_last, actor=actor())
    except ChangedMeanwhile:
        return _list(slug, wrong={unit.id: form}, called=unit.name), 409
    except ActionRefused:
        return _list(slug, answered=unit.name), 409
    return done("staff.calls", "called", slug=slug, **_kept())


@staff.get("/polls/<slug>/calls.<any(csv, xlsx):form>")
def calls_export(slug: str, form: str) -> Response:
    """The same list as a file."""
    return send(_listing, form, {"slug": slug})


@staff.post("/polls/<slug>/calls/undo")
def call_untick(slug: str) -> BaseResponse:
    """Take a call back that was ticked off by mistake."""
    poll, unit = _unit(slug)
    with parts().db.transaction() as (session, now):
        acts.untick(session, now, poll.id, unit.id, number(request.form.get("call")), actor=actor())
    return done("staff.calls", "call-undone", slug=slug, **_kept())


def _unit(slug: str) -> tuple[Poll, VotingUnit]:
    with parts().db.reading() as (session, _now):
        poll = poll_of(session, slug)
        unit = calls.unit_of(session, poll, number(request.form.get("unit")))
    if unit is None:
        abort(404)
    return poll, unit


def _kept() -> dict[str, str]:
    """The part of the list that was on the page: one goes on where one was."""
    return {key: value for key in ("show", "q", "page") if (value := request.args.get(key, ""))}


def _list(slug: str, **more: Any) -> str:
    with parts().db.reading() as (session, now):
        moment = now()
        poll = poll_of(session, slug)
        listing = _listing(session, moment, slug)
        seen = look(session, listing)
        whole = "whole" in request.args
        if whole:
            order = listing.columns[0].order
            rows = session.execute(narrow(listing, seen).order_by(*order, VotingUnit.id).limit(calls.MOST))
            seen.rows, seen.number, seen.total = list(rows), 1, min(seen.total, calls.MOST)
        ids = [row.VotingUnit.id for row in seen.rows]
        values: dict[str, Any] = {"wrong": {}, "called": "", "answered": ""} | more
        return render_template(
            "staff/calls/list.html",
            poll=poll,
            seen=seen,
            people=calls.people_of(session, poll, ids),
            calls=calls.calls_of(session, ids),
            kept=_kept() | kept_language(),
            whole=whole,
            today=brussels_day(moment),
            now=moment,
            **values,
        )


def _listing(session: Session, now: datetime, slug: str) -> Listing:
    poll, today = poll_of(session, slug), brussels_day(now)
    return Listing(
        name=f"{slug}-calls",
        question=calls.to_call(poll),
        columns=(
            Column("name", lazy("Who is asked"), lambda row: row.VotingUnit.name,
                   (calls.called(), calls.reached(), VotingUnit.name)),
            Column("voters", lazy("Invited"), lambda row: row.voters),
            Column("others", lazy("Others of the organisation"), lambda row: row.others),
            Column("reachable", lazy("Mail reaches them"), lambda row: bool(row.reachable)),
        ),
        searched=(VotingUnit.name, calls.voters(), calls.others()),
        unique=VotingUnit.id,
        default="name",
        filters=(
            Filter("show", lazy("Which"), _choices, lambda value: calls.shown(Show(value), today)),
        ),
    )  # fmt: skip


def _choices(_session: Session) -> Choices:
    return [(show.value, label) for show, label in SHOWN.items()]
