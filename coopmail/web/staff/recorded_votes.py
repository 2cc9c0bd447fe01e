"""A vote by telephone or on paper: recording it, taking it back, and answering who contests it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from flask import abort, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail.actions import recorded_votes
from coopmail.actions.recorded_votes import RecordedVote, Untimely, WrongMoment
from coopmail.domain.audit import Matter
from coopmail.domain.polls import Ballot, Channel, Poll, VotingUnit, unit_cost
from coopmail.errors import ActionRefused, ChangedMeanwhile, UnknownSubject
from coopmail.forms.kind import Data, lazy
from coopmail.forms.staff.recorded_vote import KeepVoteForm, RecordedVoteForm, RemoveVoteForm
from coopmail.parts import parts
from coopmail.queries import ballots, calls, matters, polls
from coopmail.web.staff.console import actor, done, say, staff

say("vote-recorded", lazy("The vote is recorded. Whoever votes here is told by mail."))
say("vote-removed", lazy("The recorded vote is removed. Whoever votes here is told by mail."))
say("vote-kept", lazy("The vote stands. Whoever contested it reads on the page why."))

_UNTIMELY = {
    Untimely.FUTURE: lazy("This moment has not come yet: type when the vote was given."),
    Untimely.BEFORE_OPENING: lazy("This was before the vote opened: type when the vote was given."),
    Untimely.BEFORE_THE_ANSWER: lazy("An answer came by personal link after this moment, and the last one counts."),
}


class Desk(NamedTuple):
    """What the pages about one unit's vote know."""

    poll: Poll
    unit: VotingUnit
    ballot: Ballot | None
    contest: Matter | None
    people: list[calls.Person]
    now: datetime


@staff.route("/polls/<slug>/votes/<int:unit_id>", methods=["GET", "POST"])
def vote_record(slug: str, unit_id: int) -> BaseResponse | str | tuple[str, int]:
    """Record a vote that was given by telephone or on paper, and what stands now."""
    desk = _desk(slug, unit_id)
    form = _form(desk, request.form if request.method == "POST" else None)
    if request.method != "POST":
        return _show(desk, form)
    if not _open_to_record(desk):
        return _show(desk, form, refused=True), 409
    if not _valid(desk, form):
        return _show(desk, form), 422
    try:
        with parts().db.transaction() as (session, now):
            recorded_votes.record_vote(session, now, desk.poll.id, unit_id, _typed(form), actor=actor())
    except WrongMoment as error:
        form.hour.errors = [_UNTIMELY[error.reason]]
        return _show(desk, form), 422
    except ChangedMeanwhile:
        return _changed(_desk(slug, unit_id)), 409
    except ActionRefused:  # closed meanwhile, or not a vote of this poll: the page says which
        return _show(_desk(slug, unit_id), form, refused=True), 409
    return done("staff.vote_record", "vote-recorded", slug=slug, unit_id=unit_id)


@staff.route("/polls/<slug>/votes/<int:unit_id>/remove", methods=["GET", "POST"])
def vote_remove(slug: str, unit_id: int) -> BaseResponse | str | tuple[str, int]:
    """Take a recorded vote back, while the poll is open."""
    desk = _desk(slug, unit_id)
    form = RemoveVoteForm(request.form if request.method == "POST" else None)
    if request.method != "POST":
        form.over.data = str(desk.ballot.version if desk.ballot is not None else 0)
        return _show_removal(desk, form)
    if not form.validate():
        return _show_removal(desk, form), 422
    try:
        with parts().db.transaction() as (session, now):
            recorded_votes.remove_vote(
                session, now, desk.poll.id, unit_id, form.read_version, form.reason.data or "", actor=actor()
            )
    except ActionRefused:  # closed, or another answer meanwhile: the page says which
        return _show_removal(_desk(slug, unit_id), form, refused=True), 409
    return done("staff.vote_record", "vote-removed", slug=slug, unit_id=unit_id)


@staff.post("/polls/<slug>/votes/<int:unit_id>/keep")
def vote_keep(slug: str, unit_id: int) -> BaseResponse | tuple[str, int]:
    """Let a contested vote stand, and say why."""
    desk = _desk(slug, unit_id)
    keep = KeepVoteForm(request.form)
    if not keep.validate():
        return _show(desk, _form(desk, None), keep=keep), 422
    with parts().db.transaction() as (session, now):
        recorded_votes.keep_vote(session, now, desk.poll.id, unit_id, keep.note.data or "", actor=actor())
    return done("staff.vote_record", "vote-kept", slug=slug, unit_id=unit_id)


def poll_of(session: Session, slug: str) -> Poll:
    """The poll of an address, or 404."""
    try:
        return polls.by_slug(session, slug)
    except UnknownSubject:
        abort(404)


def _desk(slug: str, unit_id: int) -> Desk:
    with parts().db.reading() as (session, now):
        poll = poll_of(session, slug)
        unit = calls.unit_of(session, poll, unit_id)
        if unit is None:
            abort(404)
        ballot = polls.ballot_of(session, unit.id)
        contest = matters.contest_of(session, ballot) if ballot is not None else None
        people = calls.people_of(session, poll, [unit.id]).get(unit.id, [])
        if unit.organisation_id is None:
            holder = calls.holder_of(session, unit)
            people = [person for person in people if person.contact_id == holder.id] or [calls.alone(holder)]
        return Desk(poll, unit, ballot, contest, people, now())


def _form(desk: Desk, formdata: Data | None) -> RecordedVoteForm:
    return RecordedVoteForm(
        formdata, poll=desk.poll, unit=desk.unit, people=desk.people, ballot=desk.ballot, now=desk.now
    )


def _open_to_record(desk: Desk) -> bool:
    return desk.poll.accepts_answers(desk.now) and not desk.poll.secret


def _valid(desk: Desk, form: RecordedVoteForm) -> bool:
    """Whether the form may go on: it is right, or it repeats what the first click recorded and needs no tick."""
    right = form.validate()
    if not right and set(form.errors) == {"replace"} and desk.ballot is not None:
        return recorded_votes.repeats(desk.poll, desk.ballot, _typed(form), actor())
    return right


def _typed(form: RecordedVoteForm) -> RecordedVote:
    return RecordedVote(
        form.marks, form.answered_by, Channel(form.channel.data), form.given_at, form.proof.data or "",
        form.read_version,
    )  # fmt: skip


def _changed(desk: Desk) -> str:
    """The form again with all that was typed: another answer stands now, and replacing it wants its own tick."""
    form = _form(desk, request.form)
    form.over.data = str(desk.ballot.version if desk.ballot is not None else 0)
    if "replace" in form:
        form.replace.data = False
    return _show(desk, form, changed=True)


def _show(desk: Desk, form: RecordedVoteForm, **more: Any) -> str:
    shares = {option.key: unit_cost(desk.poll, option, desk.unit) for option in desk.poll.options}
    values: dict[str, Any] = {"keep": KeepVoteForm(), "refused": False, "changed": False} | more
    return render_template(
        "staff/votes/record.html", form=form, shares=shares, may=_open_to_record(desk), **desk._asdict(), **values
    )


def _show_removal(desk: Desk, form: RemoveVoteForm, *, refused: bool = False) -> str:
    recorded = desk.ballot is not None and desk.ballot.channel is not Channel.LINK
    may = recorded and desk.poll.accepts_answers(desk.now) and not refused
    told = sum(person.invited for person in desk.people)
    with parts().db.reading() as (session, _now):
        before = ballots.replaced(session, desk.poll.id, desk.unit.id) if may else None
    facts = {"may": may, "refused": refused, "told": told, "before": before, **desk._asdict()}
    return render_template("staff/votes/remove.html", form=form, **facts)
