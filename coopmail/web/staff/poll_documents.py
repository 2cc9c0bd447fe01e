"""The documents of a draft: sent, looked at, removed."""

from __future__ import annotations

from flask import Response, abort, render_template, request
from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as BaseResponse

from coopmail.actions import poll_documents as actions
from coopmail.actions.poll_drafts import NoDraft
from coopmail.domain.polls import Attachment, Poll, PollState
from coopmail.forms.kind import lazy, tidy
from coopmail.parts import parts
from coopmail.web.respond import send_attachment
from coopmail.web.staff.board import by_slug
from coopmail.web.staff.console import actor, done, say, staff, takes_files

say("document-added", lazy("The documents are added."))
say("document-removed", lazy("The document is removed."))


@staff.route("/polls/<slug>/documents", methods=["GET", "POST"])
@takes_files
def poll_documents(slug: str) -> BaseResponse | str | tuple[str, int]:
    """The documents of a draft, and a form to send more."""
    poll = _poll(slug)
    if poll.state is not PollState.DRAFT:
        return done("staff.poll", "poll-no-draft", slug=slug)
    if request.method != "POST":
        return render_template("staff/polls/edit-documents.html", poll=poll, wrong=[])
    sent = [file for file in request.files.getlist("files") if file.filename]
    found, wrong = _read(sent)
    if not sent:
        wrong = [_("Choose one or more files first.")]
    if wrong:
        return render_template("staff/polls/edit-documents.html", poll=poll, wrong=wrong), 422
    try:
        with parts().db.transaction() as (session, now):
            actions.add_documents(session, now, poll.id, found, actor=actor())
    except NoDraft:
        return done("staff.poll", "poll-no-draft", slug=slug)
    return done("staff.poll_documents", "document-added", slug=slug)


@staff.get("/polls/<slug>/documents/<int:attachment_id>")
def poll_document(slug: str, attachment_id: int) -> Response:
    """One document, to be kept and never run."""
    _document(_poll(slug), attachment_id)
    with parts().db.reading() as (session, _now):
        return send_attachment(session, attachment_id)


@staff.route("/polls/<slug>/documents/<int:attachment_id>/remove", methods=["GET", "POST"])
def poll_document_remove(slug: str, attachment_id: int) -> BaseResponse | str:
    """Take a document away; one that is gone already stays gone."""
    poll = _poll(slug)
    if poll.state is not PollState.DRAFT:
        return done("staff.poll", "poll-no-draft", slug=slug)
    if request.method != "POST":
        found = _document(poll, attachment_id)
        return render_template("staff/polls/edit-document-remove.html", poll=poll, document=found)
    try:
        with parts().db.transaction() as (session, now):
            actions.remove_document(session, now, poll.id, attachment_id, actor=actor())
    except NoDraft:
        return done("staff.poll", "poll-no-draft", slug=slug)
    return done("staff.poll_documents", "document-removed", slug=slug)


def _poll(slug: str) -> Poll:
    with parts().db.reading() as (session, _now):
        return by_slug(session, slug)


def _document(poll: Poll, attachment_id: int) -> Attachment:
    found = next((row for row in poll.attachments if row.id == attachment_id), None)
    return found or abort(404)


def _read(files: list[FileStorage]) -> tuple[list[Attachment], list[str]]:
    """The files as documents, and for those that are refused what to do."""
    found, wrong = [], []
    for file in files:
        name = tidy((file.filename or "").replace("\\", "/").rpartition("/")[2])[-actions.LONGEST_NAME :]
        try:
            found.append(actions.document(name, name, file.read()))
        except actions.FileRefused as error:
            wrong.append(_why(error))
    return found, wrong


def _why(error: actions.FileRefused) -> str:
    most = actions.MAX_ATTACHMENT // 1024 // 1024
    return {
        "kind": _("%(name)s: send a PDF, text, CSV, PNG or JPEG file.", name=error.name),
        "size": _("%(name)s: keep a file under %(most)s MB.", name=error.name, most=most),
        "empty": _("%(name)s: there is nothing in this file.", name=error.name),
    }[error.code]
