"""Writing a poll: new, by copying an earlier one, changing a draft, throwing one away."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail import wording
from coopmail.actions import poll_drafts
from coopmail.charter import PollRules
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.calendar import brussels_day
from coopmail.domain.groups import Group
from coopmail.domain.polls import Poll, PollState
from coopmail.domain.services import Service
from coopmail.errors import ChangedMeanwhile, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.forms.staff import written_poll
from coopmail.forms.staff.poll import Choices
from coopmail.forms.staff.written_poll import WrittenPoll
from coopmail.parts import parts
from coopmail.queries import polls as questions
from coopmail.queries.changes import last_change
from coopmail.web.staff.board import by_slug
from coopmail.web.staff.console import actor, done, say, staff

say("poll-drafted", lazy("The draft is saved. Nobody has been mailed: this is how it will look."))
say("poll-edited", lazy("The change is saved. This is how it will look."))
say("poll-deleted", lazy("The draft is gone."))
say("poll-no-draft", lazy("This poll is no draft any more, so that cannot be done."))
ABSTENTION = {"label_nl": "Onthouding", "label_en": "Abstain", "abstain": "y"}


@staff.route("/polls/new", methods=["GET", "POST"])
def poll_new() -> BaseResponse | str | tuple[str, int]:
    """Write a poll, or begin from one that is there (`?from=its-name`)."""
    with parts().db.reading() as (session, now):
        choices, rules = _choices(session), _rules(now())
        name = request.form.get("copied_from", "") if request.method == "POST" else request.args.get("from", "")
        earlier = by_slug(session, name) if name else None
        copied = poll_drafts.entry_of(earlier) if earlier else None
        documents = len(earlier.attachments) if earlier else 0
    more = {"poll": None, "earlier": earlier, "documents": documents}
    if request.method != "POST":
        form = written_poll.of_entry(copied, choices, None) if copied else _empty(choices, rules)
        return render_template("staff/polls/edit.html", form=form, **more)
    form = written_poll.sent(request.form, choices)
    if (answer := _row_button(form, more)) is not None:
        return answer
    if not form.validate():
        return render_template("staff/polls/edit.html", form=form, **more), 422
    try:
        with parts().db.transaction() as (writing, clock):
            taken = earlier if earlier is not None and form.head.with_documents.data else None
            poll = poll_drafts.write_draft(writing, clock, form.entry(), rules, copied=taken, actor=actor())
            slug = poll.slug
    except (poll_drafts.EntryWrong, poll_drafts.NameTaken, UnknownSubject) as error:
        return _wrong(form, error, more)
    return done("staff.poll_preview", "poll-drafted", slug=slug)


@staff.route("/polls/<slug>/edit", methods=["GET", "POST"])
def poll_edit(slug: str) -> BaseResponse | str | tuple[str, int]:
    """Change a draft. What was opened or withdrawn meanwhile stays as it is; what was typed is shown to copy."""
    with parts().db.reading() as (session, now):
        poll = by_slug(session, slug)
        choices, rules, entry = _choices(session), _rules(now()), poll_drafts.entry_of(poll)
    more: dict[str, Any] = {"poll": poll}
    if poll.state is not PollState.DRAFT:
        typed = written_poll.as_text(written_poll.sent(request.form, choices)) if request.method == "POST" else ""
        page = render_template("staff/polls/edit-over.html", poll=poll, typed=typed)
        return (page, 409) if request.method == "POST" else page
    if request.method != "POST":
        return render_template(
            "staff/polls/edit.html", form=written_poll.of_entry(entry, choices, poll.version), **more
        )
    form = written_poll.sent(request.form, choices)
    if (answer := _row_button(form, more)) is not None:
        return answer
    if not form.validate():
        return render_template("staff/polls/edit.html", form=form, **more), 422
    return _save(form, poll, rules, more)


def _save(form: WrittenPoll, poll: Poll, rules: PollRules, more: dict[str, Any]) -> BaseResponse | tuple[str, int]:
    entry = form.entry()
    try:
        with parts().db.transaction() as (session, now):
            poll_drafts.edit_draft(
                session, now, poll.id, entry, rules, version=_number(form.head.version.data), actor=actor()
            )
    except ChangedMeanwhile:
        return _conflict(form, poll)
    except poll_drafts.NoDraft:
        typed = written_poll.as_text(form)
        return render_template("staff/polls/edit-over.html", poll=_now(poll.id), typed=typed), 409
    except (poll_drafts.EntryWrong, poll_drafts.NameTaken, UnknownSubject) as error:
        return _wrong(form, error, more)
    return done("staff.poll_preview", "poll-edited", slug=entry.slug)


@staff.route("/polls/<slug>/delete", methods=["GET", "POST"])
def poll_delete(slug: str) -> BaseResponse | str:
    """Throw a draft away, for good."""
    with parts().db.reading() as (session, _now):
        if request.method == "POST" and poll_drafts.was_deleted(session, _number(request.form.get("poll_id"))):
            return done("staff.polls", "poll-deleted")
        poll = by_slug(session, slug)
    if poll.state is not PollState.DRAFT:
        return done("staff.poll", "poll-no-draft", slug=slug)
    if request.method != "POST":
        return render_template("staff/polls/edit-delete.html", poll=poll)
    try:
        with parts().db.transaction() as (writing, now):
            poll_drafts.delete_draft(writing, now, poll.id, actor=actor())
    except poll_drafts.NoDraft:
        return done("staff.poll", "poll-no-draft", slug=slug)
    return done("staff.polls", "poll-deleted")


def _row_button(form: WrittenPoll, more: dict[str, Any]) -> str | None:
    """The page after a button of the rows of options; nothing is judged or written yet."""
    asked = request.form.get("do", "save")
    return None if asked == "save" else render_template("staff/polls/edit.html", form=form.act(asked), **more)


def _wrong(form: WrittenPoll, error: Exception, more: dict[str, Any]) -> tuple[str, int]:
    """What the draft's own checks say, at the field that each is about."""
    if isinstance(error, poll_drafts.EntryWrong):
        form.blame(error.faults)
    elif isinstance(error, poll_drafts.NameTaken):
        other = _now(error.other_id)
        form.head.slug.errors = [
            _("“%(title)s” has the short name %(slug)s already: type another one here.",
              title=wording.said(other, "title"), slug=other.slug)
        ]  # fmt: skip
    else:
        form.head.group.errors = [_("What you chose is there no longer: choose again.")]
    return render_template("staff/polls/edit.html", form=form, **more), 422


def _now(poll_id: int) -> Poll:
    """A poll as it is, read again: what a refused act had read went with its transaction."""
    with parts().db.reading() as (session, _clock):
        return session.get_one(Poll, poll_id)


def _conflict(form: WrittenPoll, poll: Poll) -> tuple[str, int]:
    """Somebody else saved first: what was typed stays, and saving again is then meant."""
    with parts().db.reading() as (session, _now):
        present = questions.by_slug(session, session.get_one(Poll, poll.id).slug)
        change = last_change(session, f"poll:{poll.id}")
        differing = written_poll.differences(form, poll_drafts.entry_of(present))
    form.head.version.data = str(present.version)
    told = {"who": change.who, "when": wording.moment(change.at), "present": differing}
    return render_template("staff/polls/edit.html", form=form, poll=present, conflict=told), 409


def _empty(choices: Choices, rules: PollRules) -> WrittenPoll:
    return written_poll.empty(choices, list(rules.reminder_days), ABSTENTION)


def _rules(now: Any) -> PollRules:
    return parts().charter.polls_on(brussels_day(now))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def _choices(session: Session) -> Choices:
    archived = SavedAudience.archived_at.is_(None)
    names = session.scalars(sa.select(SavedAudience.name).where(archived).order_by(SavedAudience.name))
    return Choices(_named(session, Group), _named(session, Service), {name: name for name in names})


def _named(session: Session, table: type[Group | Service]) -> dict[str, str]:
    rows = session.execute(sa.select(table.slug, table.name).order_by(table.name))
    return {row.slug: row.name for row in rows}
