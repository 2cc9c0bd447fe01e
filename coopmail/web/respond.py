"""The page of a personal link. GET and HEAD read and change nothing, however often and by whomever they come.

One road for every kind: read the token, ask the kind for its page, show its form; at POST let the form judge, then
let the kind's action record, in one transaction. No cookie: the token is the protection.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse
from wtforms import Form

from coopmail.actions import nominations, recorded_votes
from coopmail.domain.decisions import DecisionDocument
from coopmail.domain.polls import Attachment, Poll
from coopmail.errors import ActionRefused, LinkUnreadable
from coopmail.forms import KINDS, Kind
from coopmail.forms.contact_details import NominationForm
from coopmail.forms.contest import ContestForm
from coopmail.forms.kind import Page
from coopmail.parts import parts
from coopmail.queries import ballots, invitations, polls
from coopmail.web.language import kept_language, speak_as

respond = Blueprint("respond", __name__, url_prefix="/r/<token>")


@respond.get("")
def page(token: str) -> str:
    """The page of the invitation."""
    kind, found = _open(token)
    return _show(kind, found, kind.form(found, None) if found.accepts else None, token)


@respond.post("")
def answer(token: str) -> BaseResponse | tuple[str, int]:
    """Take an answer; an equal one again is answered the same and adds nothing."""
    kind, found = _open(token)
    form = kind.form(found, request.form)
    valid = form.validate()
    if found.accepts and not valid:
        return _show(kind, found, form, token), 422
    if valid and kind.repeats(found, form):
        return _back(token)
    if found.accepts:
        try:
            office = parts()
            with office.db.transaction() as (session, now):
                kind.answer(session, now, office.basis, found, form)
            return _back(token)
        except ActionRefused:  # closed, answered or taken back meanwhile: the page says which
            _kind, found = _open(token)
    return _show(kind, found, None, token, refused=form), 409


@respond.get("/draft")
def draft(token: str) -> str:
    """The question on paper, to take to the municipal executive: nothing can be sent from it."""
    kind, found = _open(token)
    if kind.paper is None:
        abort(404)
    return render_template(kind.paper, page=found, token=token, **found.facts)


@respond.get("/attachments/<int:attachment_id>")
def attachment(token: str, attachment_id: int) -> Response:
    """A document of the poll that this link is an invitation to."""
    _kind, found = _open(token)
    poll = found.invitation.poll
    if poll is None or attachment_id not in [row.id for row in poll.attachments]:
        abort(404)
    with parts().db.reading() as (session, _now):
        return send_attachment(session, attachment_id)


@respond.get("/ballots.json")
def ballot_list(token: str) -> Response:
    """The list of the ballots of a closed poll, to count again, for whoever was asked."""
    _kind, found = _open(token)
    return send_ballots(found.invitation.poll)


@respond.route("/person", methods=["GET", "POST"])
def person(token: str) -> str | tuple[str, int]:
    """Not the right person? Name the right one; for a seat: why nobody stands in."""
    _kind, found = _open(token)
    unit = found.invitation.unit
    personal = unit is None or unit.organisation_id is None
    form = NominationForm(request.form if request.method == "POST" else None)
    if request.method != "POST" or personal:
        return render_template("respond/person.html", page=found, token=token, form=form, personal=personal, named=None)
    if not form.validate():
        return _person_again(found, token, form)
    office = parts()
    try:
        with office.db.transaction() as (session, now):
            nominations.name_other(
                session, now, office.basis, found.invitation.id,
                name=form.name.data or "", email=form.email.data or "", replaces=form.role.data == "replaces",
            )  # fmt: skip
    except nominations.OwnAddress:
        form.email.errors = [_("This is the address that the invitation went to: type another person's address.")]
        return _person_again(found, token, form)
    except nominations.TooManyNominations:
        form.email.errors = [_("You named many people today. Call us if something is wrong, or go on tomorrow.")]
        return _person_again(found, token, form)
    except ActionRefused:
        form.email.errors = [_("You no longer vote for this organisation, so you cannot name anyone. Call us.")]
        return _person_again(found, token, form, 409)
    return render_template(
        "respond/person.html", page=found, token=token, form=form, personal=personal, named=form.email.data
    )


@respond.route("/contest", methods=["GET", "POST"])
def contest(token: str) -> BaseResponse | str | tuple[str, int]:
    """Say that a vote which staff recorded for this unit was not given so; until the outcome is decided."""
    _kind, found = _open(token)
    if found.invitation.poll is None:
        abort(404)
    form = ContestForm(request.form if request.method == "POST" else None)
    if request.method != "POST":
        return _contested(found, token, form)
    if not form.validate():
        return _contested(found, token, form), 422
    try:
        with parts().db.transaction() as (session, now):
            recorded_votes.contest(session, now, found.invitation.id, form.reason.data or "")
    except ActionRefused:  # contested before, decided, or another answer meanwhile: the page says which
        _kind, found = _open(token)
        return _contested(found, token, form, refused=True), 409
    return redirect(url_for(".contest", token=token, lang=kept_language().get("lang")), 303)


def send_attachment(session: Session, attachment_id: int) -> Response:
    """A document of a poll."""
    return send_document(session.get_one(Attachment, attachment_id))


def send_document(row: Attachment | DecisionDocument) -> Response:
    """A document, to be kept and never run."""
    response = Response(row.content, mimetype=row.media_type)
    response.headers.set("Content-Disposition", "attachment", filename=row.name)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def send_ballots(poll: Poll | None) -> Response:
    """The published list of a poll, byte for byte as it was hashed; 404 where there is none to show."""
    db = parts().db
    with db.reading() as (session, _now):
        outcome = polls.announced_outcome(session, poll) if poll else None
    if poll is None or outcome is None or not polls.shows_counts(poll, outcome):
        abort(404)

    def content() -> Iterator[bytes]:
        with db.reading() as (session, _now):
            yield from ballots.pieces(session, poll)

    response = Response(content(), mimetype="application/json")
    response.headers.set("Content-Disposition", "attachment", filename=f"{poll.slug}.json")
    return response


def _open(token: str) -> tuple[Kind, Page]:
    """Grammar and signature, then the row, then the kind's page; a `LinkError` is shown as the one plain page."""
    office = parts()
    claim = office.signer.read(token)
    kind = KINDS.get(claim.kind)
    if kind is None:
        raise LinkUnreadable("No kind of that name.")
    with office.db.reading() as (session, now):
        moment: datetime = now()
        invitation = invitations.by_link(session, claim.link_id, claim.kind, claim.key_version, moment)
        found = kind.read(session, invitation, moment, office.basis)
    speak_as(invitation.contact.language)
    return kind, found


def _back(token: str) -> BaseResponse:
    return redirect(url_for(".page", token=token, lang=kept_language().get("lang")), 303)


def _show(kind: Kind, found: Page, form: Form | None, token: str, refused: Form | None = None) -> str:
    pointed = request.args.get("choice", "")
    return render_template(
        kind.page, page=found, form=form, refused=refused, token=token, pointed=pointed, **found.facts
    )


def _contested(found: Page, token: str, form: ContestForm, *, refused: bool = False) -> str:
    ballot, poll = found.facts["ballot"], found.facts["poll"]
    may = ballot is not None and ballot.contested_at is None and recorded_votes.contestable(poll, ballot)
    return render_template(
        "respond/contest.html", page=found, token=token, form=form, may=may, refused=refused, **found.facts
    )


def _person_again(found: Page, token: str, form: NominationForm, status: int = 422) -> tuple[str, int]:
    return (
        render_template("respond/person.html", page=found, token=token, form=form, personal=False, named=None), status
    )  # fmt: skip
