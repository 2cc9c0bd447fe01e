"""Pages for everybody: what is asked and what came of it, and a new link."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, render_template, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from sqlalchemy.orm import Session
from wtforms import EmailField, Form
from wtforms.validators import DataRequired, Length

from coopmail.actions import link_requests
from coopmail.domain.decisions import Decision
from coopmail.domain.polls import Poll, PollState, Visibility
from coopmail.errors import UnknownSubject
from coopmail.forms.contact_details import an_address
from coopmail.forms.kind import lazy
from coopmail.parts import parts
from coopmail.queries import ballots, polls
from coopmail.queries import decisions as decision_questions
from coopmail.queries.decisions import Asked
from coopmail.web.respond import send_attachment, send_ballots, send_document

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
            decision=decision_questions.of_poll(session, found.id),
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


@public.get("/decisions")
def decisions() -> str:
    """What was decided, as far as everybody may read it."""
    year = request.args.get("year", type=int)
    asked = Asked(
        searched=" ".join(request.args.get("q", "").split())[:200],
        year=year if year in range(1, 10_000) else None,
        group=request.args.get("group", "")[:60],
        page=request.args.get("page", 1, type=int),
    )
    with parts().db.reading() as (session, _now):
        found = decision_questions.public(session, asked)
        narrowed = bool(asked.searched or asked.year or asked.group)
        return render_template("public/decisions.html", asked=asked, found=found, narrowed=narrowed)


@public.get("/decisions/<number>")
def decision(number: str) -> str:
    """A decision that everybody may read, withdrawn or not; any other is not here."""
    with parts().db.reading() as (session, _now):
        found = _public_decision(session, number)
        return render_template(
            "public/decision.html",
            decision=found,
            outcome=polls.announced_outcome(session, found.poll) if found.poll else None,
            corrected=decision_questions.corrected_at(session, found),
        )


@public.get("/decisions/<number>/documents/<int:document_id>")
def decision_document(number: str, document_id: int) -> Response:
    """A document of a decision that everybody may read."""
    with parts().db.reading() as (session, _now):
        kept = decision_questions.document(session, _public_decision(session, number), document_id)
        if kept is None:
            abort(404)
        return send_document(kept)


@public.get("/it")
def it_page() -> str:
    """What an IT department must know and allow, so that our mail arrives; nothing in it is confidential."""
    return render_template("public/it.html", **it_facts())


def it_facts() -> dict[str, Any]:
    """Where our mail comes from and where its links go, as far as the settings know."""
    settings = parts().settings
    relay = settings.relay.host if settings.relay is not None else ""
    return {
        "sender": settings.sender,
        "sender_name": settings.sender_name,
        "domain": settings.mail_domain,
        "reply_to": settings.reply_to,
        # A relay on this machine only hands on: its name is of no use elsewhere.
        "relay": "" if relay in ("127.0.0.1", "::1", "localhost") else relay,
        "site": urlsplit(settings.base_url).netloc,
        "base_url": settings.base_url,
    }


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
        link_requests.request_link(session, now, form.email.data or "")
    return render_template("public/new-link.html", form=form, sent_to=form.email.data)


def _public_decision(session: Session, number: str) -> Decision:
    try:
        return decision_questions.public_by_number(session, number)
    except UnknownSubject:
        abort(404)


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
