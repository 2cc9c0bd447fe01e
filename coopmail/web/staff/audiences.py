"""Saved audiences: the list, one audience, the builder without scripts, and who is in it."""

from __future__ import annotations

from typing import Any

from flask import abort, render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail import wording
from coopmail.actions import audiences as actions
from coopmail.domain.audience_question import Question, parse
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.calendar import brussels_day
from coopmail.domain.polls import PollState
from coopmail.errors import ChangedMeanwhile, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.forms.staff.audience import AudienceForm
from coopmail.parts import parts
from coopmail.queries import audiences as questions
from coopmail.queries.changes import last_change
from coopmail.web.staff import audience_words as words
from coopmail.web.staff.audience_lists import key_of, sample
from coopmail.web.staff.console import actor, done, say, staff

say("audience-saved", lazy("The audience is saved."))
say("audience-archived", lazy("The audience is in the archive: no new poll can ask it."))
say("audience-restored", lazy("The audience is back: a poll can ask it again."))


@staff.get("/audiences/<int:audience_id>")
def audience(audience_id: int) -> str:
    """One audience: its question in words, how many it holds today, and the polls that ask it."""
    with parts().db.reading() as (session, now):
        saved = _get(session, audience_id)
        question = parse(saved.question)
        return render_template(
            "staff/audiences/audience.html",
            saved=saved,
            in_words=words.sentence(session, question),
            reach=questions.reach(session, question, brussels_day(now())),
            key=str(saved.id),
            polls=questions.polls_of(session, audience_id),
        )


@staff.route("/audiences/new", methods=["GET", "POST"])
def audience_new() -> BaseResponse | str | tuple[str, int]:
    """Build an audience."""
    form = AudienceForm(request.form if request.method == "POST" else None)
    return _build(form, None)


@staff.route("/audiences/<int:audience_id>/edit", methods=["GET", "POST"])
def audience_edit(audience_id: int) -> BaseResponse | str | tuple[str, int]:
    """Change an audience."""
    with parts().db.reading() as (session, _now):
        saved = _get(session, audience_id)
    values = {"name": saved.name, "description": saved.description, "version": str(saved.version)}
    form = AudienceForm(request.form if request.method == "POST" else None, parse(saved.question), **values)
    return _build(form, saved)


@staff.route("/audiences/<int:audience_id>/archive", methods=["GET", "POST"])
def audience_archive(audience_id: int) -> BaseResponse | str:
    """Put an audience away."""
    with parts().db.reading() as (session, _now):
        saved = _get(session, audience_id)
        drafts = [poll for poll in questions.polls_of(session, audience_id) if poll.state is PollState.DRAFT]
    if request.method != "POST":
        return render_template("staff/audiences/archive.html", saved=saved, drafts=drafts)
    with parts().db.transaction() as (writing, now):
        actions.archive_audience(writing, now, audience_id, actor=actor())
    return done("staff.audience", "audience-archived", audience_id=audience_id)


@staff.post("/audiences/<int:audience_id>/back")
def audience_back(audience_id: int) -> BaseResponse:
    """Take an audience back from the archive."""
    with parts().db.transaction() as (session, now):
        _get(session, audience_id)
        actions.restore_audience(session, now, audience_id, actor=actor())
    return done("staff.audience", "audience-restored", audience_id=audience_id)


def _get(session: Session, audience_id: int) -> SavedAudience:
    try:
        return questions.get(session, audience_id)
    except UnknownSubject:
        abort(404)


def _build(form: AudienceForm, saved: SavedAudience | None) -> BaseResponse | str | tuple[str, int]:
    """Show the builder, do what one of its buttons asks, or save."""
    button = request.form.get("do", "")
    if request.method != "POST" or button not in ("save", "count"):
        form.press(button)
        return _show(form, saved)
    valid, question = form.validate() if button == "save" else True, form.question()
    if not valid or question is None:
        return _show(form, saved), 422
    return _save(form, saved, question) if button == "save" else _show(form, saved)


def _save(form: AudienceForm, saved: SavedAudience | None, question: Question) -> BaseResponse | tuple[str, int]:
    texts = {"name": form.name.data or "", "description": form.description.data or ""}
    values: dict[str, Any] = {**texts, "question": question}
    try:
        with parts().db.transaction() as (session, now):
            if saved is None:
                kept = actions.save_audience(session, now, actor=actor(), **values)
            else:
                kept = actions.change_audience(session, now, saved.id, _version(form), actor=actor(), **values)
    except ChangedMeanwhile:
        assert saved is not None
        return _conflict(form, saved.id, question), 409
    except actions.NameTaken:
        form.name.errors = [_("Another audience has this name already: choose one that tells them apart.")]
        return _show(form, saved), 409
    except UnknownSubject:
        form.lists[0][0].errors = [_("A service or group of this question is no longer there: choose it again.")]
        return _show(form, saved), 409
    return done("staff.audience", "audience-saved", audience_id=kept.id)


def _version(form: AudienceForm) -> int:
    typed = form.version.data or ""
    return int(typed) if typed.isdecimal() and len(typed) < 10 else 0


def _conflict(form: AudienceForm, audience_id: int, question: Question) -> str:
    """Somebody else saved first: what stands there now beside what was typed."""
    with parts().db.reading() as (session, _now):
        saved = questions.get(session, audience_id)
        change = last_change(session, f"audience:{audience_id}")
        now_there = parse(saved.question)
        there = [
            (form.name.label.text, saved.name, form.name.data),
            (form.description.label.text, saved.description, form.description.data),
            (_("Who is in it"), words.sentence(session, now_there), words.sentence(session, question)),
        ]
    form.version.data = str(saved.version)
    present = [(label, value or "–") for label, value, typed in there if value != typed]
    return _show(form, saved, {"who": change.who, "when": wording.moment(change.at), "present": present})


def _show(form: AudienceForm, saved: SavedAudience | None, conflict: dict[str, Any] | None = None) -> str:
    """The builder, and beside it who would be in the audience where the question can be asked."""
    with parts().db.reading() as (session, now):
        known = questions.vocabulary(session)
        question = form.question() if not form.errors else None
        found = sample(session, question, brussels_day(now())) if question is not None else None
        sentence = words.sentence(session, question) if question is not None else ""
    if question is None and request.form.get("do") not in ("save", "count"):
        form.forgive()
    return render_template(
        "staff/audiences/edit.html", form=form, saved=saved, conflict=conflict, choices=words.choices(known),
        found=found, in_words=sentence, key=key_of(question) if question is not None else "",
    )  # fmt: skip
