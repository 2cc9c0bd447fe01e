"""Pages for everybody: what is asked and what came of it, and a new link."""

from __future__ import annotations

from flask import Blueprint, Response, abort, render_template, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from wtforms import EmailField, Form
from wtforms.validators import DataRequired, Length

from coopmail.actions import contacts
from coopmail.domain.polls import Poll, PollState, Visibility
from coopmail.errors import UnknownSubject
from coopmail.forms.contact_details import an_address
from coopmail.forms.kind import lazy
from coopmail.parts import parts
from coopmail.queries import ballots, polls
from coopmail.web.respond import send_attachment, send_ballots

public = Blueprint("public", __name__)
limiter = Limiter(get_remote_address, headers_enabled=False)
SHOWN = (PollState.OPEN, PollState.CLOSED, PollState.DECIDED, PollState.WITHDRAWN)


class NewLinkForm(Form):
    """An address to mail a person's links to."""

    email = EmailField(
        lazy("Your e-mail address"),
        validators=[DataRequired(lazy("Type your e-mail address.")), Length(max=320), an_address],
    )


@public.get("/")
def home() -> str:
    """What this is, and the public polls."""
    with parts().db.reading() as (session, now):
        found = [poll for poll in polls.listing(session, SHOWN) if _is_public(poll)]
        moment = now()
    open_ = [poll for poll in found if poll.accepts_answers(moment)]
    past = [poll for poll in reversed(found) if poll not in open_]
    return render_template("public/home.html", open=open_, past=past, now=moment)


@public.get("/polls/<slug>")
def poll(slug: str) -> str:
    """The question, and once closed the outcome; a poll that is not public is not here."""
    with parts().db.reading() as (session, now):
        found = _public_poll(slug)
        found = polls.by_slug(session, found.slug)
        outcome = polls.announced_outcome(session, found)
        return render_template(
            "public/poll.html",
            poll=found,
            outcome=outcome,
            rows=ballots.shown(session, found, outcome),
            decision=polls.decision_of(session, found.id),
            turnout=polls.turnout(session, found.id),
            now=now(),
        )


@public.get("/polls/<slug>/attachments/<int:attachment_id>")
def attachment(slug: str, attachment_id: int) -> Response:
    """A document of a public poll."""
    found = _public_poll(slug)
    if attachment_id not in [row.id for row in found.attachments]:
        abort(404)
    with parts().db.reading() as (session, _now):
        return send_attachment(session, attachment_id)


@public.get("/polls/<slug>/ballots.json")
def ballot_list(slug: str) -> Response:
    """The list of the ballots of a public poll that is closed, to count again."""
    return send_ballots(_public_poll(slug))


@public.route("/link", methods=["GET", "POST"])
@limiter.limit("20/hour", methods=["POST"])
def new_link() -> str | tuple[str, int]:
    """Ask for one's links again. The answer and its time are the same whether or not the address is known."""
    form = NewLinkForm(request.form if request.method == "POST" else None)
    if request.method != "POST":
        return render_template("public/new-link.html", form=form, sent_to=None)
    if not form.validate():
        return render_template("public/new-link.html", form=form, sent_to=None), 422
    with parts().db.transaction() as (session, now):
        contacts.request_link(session, now, form.email.data or "")
    return render_template("public/new-link.html", form=form, sent_to=form.email.data)


def _public_poll(slug: str) -> Poll:
    with parts().db.reading() as (session, _now):
        try:
            found = polls.by_slug(session, slug)
        except UnknownSubject:
            abort(404)
    if not _is_public(found):
        abort(404)
    return found


def _is_public(poll: Poll) -> bool:
    """Public, and opened: a draft that was withdrawn never was."""
    return poll.visibility is Visibility.PUBLIC and poll.opened_at is not None
