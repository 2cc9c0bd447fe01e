"""Decisions in the console: recording one of a meeting, its page, correcting, withdrawing and restoring it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, abort, render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import CombinedMultiDict, MultiDict
from werkzeug.wrappers import Response as BaseResponse

from coopmail import wording
from coopmail.actions import decisions as actions
from coopmail.actions.decisions import AlreadyRecorded, NotStanding, PollNotPublic
from coopmail.domain.calendar import brussels_day
from coopmail.domain.decisions import Decision
from coopmail.domain.polls import Visibility
from coopmail.errors import ChangedMeanwhile, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.forms.staff.decision import DecisionForm, PollDecisionForm, VersionForm, WithdrawalForm, values_of
from coopmail.parts import parts
from coopmail.queries import decisions as questions
from coopmail.queries import groups, polls
from coopmail.queries.changes import last_change
from coopmail.web.respond import send_document
from coopmail.web.staff.audit_log import lines
from coopmail.web.staff.console import actor, done, say, staff, takes_files
from coopmail.web.staff.decision_list import visibility_words

say("decision-recorded", lazy("The decision is recorded."))
say("decision-corrected", lazy("The decision is saved."))
say("decision-withdrawn", lazy("The decision is withdrawn. It stays here, under its number."))
say("decision-restored", lazy("The decision stands again."))


@staff.route("/decisions/new", methods=["GET", "POST"])
@takes_files
def decision_new() -> str | BaseResponse | tuple[str, int]:
    """Record what a meeting decided."""
    with parts().db.reading() as (session, now):
        known, today = groups.listing(session), brussels_day(now())
    given = {"decided_on": today.isoformat(), "visibility": Visibility.PARTICIPANTS.value,
             "group": request.args.get("group", "")}  # fmt: skip
    form = DecisionForm(_sent(), known, today, **given)
    if request.method != "POST":
        return render_template("staff/decisions/new.html", form=form, known=known, same=None)
    if not form.validate():
        return render_template("staff/decisions/new.html", form=form, known=known, same=None), 422
    try:
        with parts().db.transaction() as (session, now):
            made = actions.record_decision(session, now, form.words, form.attachments.documents, actor=actor())
    except AlreadyRecorded as error:
        return render_template("staff/decisions/new.html", form=form, known=known, same=error.number), 409
    return done("staff.decision", "decision-recorded", number=made.number)


@staff.get("/decisions/<number>")
def decision(number: str) -> str:
    """A decision: what was decided and how, who wrote it down, and all that was done with it since."""
    with parts().db.reading() as (session, now):
        found = _found(session, number)
        return render_template(
            "staff/decisions/decision.html",
            decision=found,
            outcome=polls.announced_outcome(session, found.poll) if found.poll else None,
            history=lines(session, questions.history(session, found)),
            corrected=questions.corrected_at(session, found),
            now=now(),
        )


@staff.get("/decisions/<number>/documents/<int:document_id>")
def decision_document(number: str, document_id: int) -> Response:
    """A document of a decision."""
    with parts().db.reading() as (session, _now):
        kept = questions.document(session, _found(session, number), document_id)
        if kept is None:
            abort(404)
        return send_document(kept)


@staff.route("/decisions/<number>/edit", methods=["GET", "POST"])
@takes_files
def decision_edit(number: str) -> str | BaseResponse | tuple[str, int]:
    """Correct a decision; the record keeps what stood there."""
    with parts().db.reading() as (session, now):
        found = _found(session, number)
        form = _edit_form(session, found, now(), _sent())
    if request.method != "POST":
        return _show_edit(found, form)
    if not form.validate():
        return _show_edit(found, form), 422
    try:
        with parts().db.transaction() as (session, now):
            actions.correct_decision(
                session, found.id, now, form.read_version, form.words, added=form.attachments.documents,
                removed=form.removed.data or (), actor=actor(),
            )  # fmt: skip
    except ChangedMeanwhile:
        return _show_conflict(number, form), 409
    except NotStanding:
        return _show_edit(found, form), 409
    except PollNotPublic:
        form.visibility.errors = [_("Its poll is not public, so the decision cannot be.")]
        return _show_edit(found, form), 409
    return done("staff.decision", "decision-corrected", number=number)


@staff.route("/decisions/<number>/withdraw", methods=["GET", "POST"])
def decision_withdraw(number: str) -> str | BaseResponse | tuple[str, int]:
    """Take a decision back, with a reason that stands beside it."""
    with parts().db.reading() as (session, _now):
        found = _found(session, number)
    form = WithdrawalForm(request.form if request.method == "POST" else None, version=str(found.version))
    if request.method != "POST":
        return _show_act("withdraw", found, form)
    if not form.validate():
        return _show_act("withdraw", found, form), 422
    try:
        with parts().db.transaction() as (session, now):
            actions.withdraw_decision(session, found.id, now, form.read_version, form.reason.data or "", actor=actor())
    except (ChangedMeanwhile, NotStanding):
        return _show_act("withdraw", _again(number), form, changed=True), 409
    return done("staff.decision", "decision-withdrawn", number=number)


@staff.route("/decisions/<number>/restore", methods=["GET", "POST"])
def decision_restore(number: str) -> str | BaseResponse | tuple[str, int]:
    """Let a withdrawn decision stand again."""
    with parts().db.reading() as (session, _now):
        found = _found(session, number)
    form = VersionForm(request.form if request.method == "POST" else None, version=str(found.version))
    if request.method != "POST":
        return _show_act("restore", found, form)
    try:
        with parts().db.transaction() as (session, now):
            actions.restore_decision(session, found.id, now, form.read_version, actor=actor())
    except ChangedMeanwhile:
        return _show_act("restore", _again(number), form, changed=True), 409
    except AlreadyRecorded as error:
        return _show_act("restore", found, form, same=error.number), 409
    return done("staff.decision", "decision-restored", number=number)


def _found(session: Session, number: str) -> Decision:
    try:
        return questions.by_number(session, number)
    except UnknownSubject:
        abort(404)


def _again(number: str) -> Decision:
    """As it stands after somebody else changed it."""
    with parts().db.reading() as (session, _now):
        return _found(session, number)


def _sent() -> MultiDict[str, Any] | None:
    """The fields and the files of a form that was sent."""
    return CombinedMultiDict([request.files, request.form]) if request.method == "POST" else None


def _edit_form(
    session: Session, found: Decision, now: datetime, sent: MultiDict[str, Any] | None
) -> DecisionForm | PollDecisionForm:
    if found.poll_id is not None:
        return PollDecisionForm(sent, found, **values_of(found))
    return DecisionForm(sent, groups.listing(session), brussels_day(now), **values_of(found))


def _show_edit(found: Decision, form: DecisionForm | PollDecisionForm, conflict: dict[str, Any] | None = None) -> str:
    return render_template("staff/decisions/edit.html", form=form, decision=found, conflict=conflict)


def _show_conflict(number: str, form: DecisionForm | PollDecisionForm) -> str:
    """What was typed, beside what another saved meanwhile; to save again is then deliberate."""
    with parts().db.reading() as (session, _now):
        found = _found(session, number)
        change = last_change(session, f"decision:{found.id}")
    present = values_of(found)
    shown = {field.name: field for field in form if field.name in present and field.name != "version"}
    differing = [
        (field.label.text, _in_words(name, found))
        for name, field in shown.items()
        if (field.data or "") != present[name]
    ]
    form.version.data = present["version"]
    return _show_edit(found, form, {"who": change.who, "when": wording.moment(change.at), "present": differing})


def _in_words(name: str, found: Decision) -> str:
    """What stands in a field now, as it is read."""
    if name == "group":
        return found.group.name
    if name == "visibility":
        return visibility_words(found.visibility)
    if name == "decided_on":
        return wording.day(found.decided_on)
    return values_of(found)[name] or _("nothing")


def _show_act(act: str, found: Decision, form: VersionForm, *, changed: bool = False, same: str = "") -> str:
    """The page that says what an act will do; after a change by another its button goes by what it shows now."""
    if changed:
        form.version.data = str(found.version)
    return render_template(
        f"staff/decisions/{act}.html", decision=found, form=form, changed=changed, same=same,
        public=found.visibility is Visibility.PUBLIC,
    )  # fmt: skip
