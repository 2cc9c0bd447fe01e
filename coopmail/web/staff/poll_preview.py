"""A draft as those who are asked will see it: the page, the paper and the mail, by the templates that they get.

Nothing is written: who would be asked is computed. No link and no token stands in any of it, and its form is not sent.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from flask import Response, abort, current_app, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail import wording
from coopmail.actions import poll_drafts, rehearsal
from coopmail.domain.base import LANGUAGES
from coopmail.domain.polls import Poll, PollState
from coopmail.forms import KINDS
from coopmail.forms.ballot import BallotForm
from coopmail.forms.kind import Page, lazy
from coopmail.mail import letters
from coopmail.mail.delivery import composer_of
from coopmail.mail.rendering import Rendered
from coopmail.parts import parts
from coopmail.queries import polls as questions
from coopmail.web.language import kept_language, speak_as
from coopmail.web.security import CSP
from coopmail.web.staff.board import by_slug
from coopmail.web.staff.console import done, me, say, staff

say("poll-proof-sent", lazy("The proof is on its way to your own address. Nobody else gets it."))
FRAMED = CSP.replace("frame-ancestors 'none'", "frame-ancestors 'self'").replace("action 'self'", "action 'none'")
FRAMING = f"{CSP}; frame-src 'self'"
MAIL = "default-src 'none'; style-src 'unsafe-inline'; img-src 'none'; frame-ancestors 'self'; base-uri 'none'"
_BALLOT = KINDS["ballot"]


class As(NamedTuple):
    """As whom one looks, and in which language."""

    asked: rehearsal.Asked
    language: str

    @property
    def address(self) -> dict[str, Any]:
        """How an address says so."""
        return {"unit": self.asked.unit.code, "contact": self.asked.contact.id}


@staff.get("/polls/<slug>/preview")
def poll_preview(slug: str) -> BaseResponse:
    """The page and the mail of a draft, as one of those who would be asked."""
    with parts().db.reading() as (session, now):
        poll = by_slug(session, slug)
        if poll.state is not PollState.DRAFT:
            return done("staff.poll", "poll-no-draft", slug=slug)
        words = request.args.get("q", "")[:100].split()
        moment = now()
        others = rehearsal.look_as(session, poll, moment, words) if words else []
        seen = _seen(session, poll, moment)
        total = rehearsal.rehearse(session, poll, moment) if seen is None else None
    mail = _mail(slug, seen) if seen is not None else None
    page = render_template(
        "staff/polls/preview.html", poll=poll, seen=seen, mail=mail, words=words, others=others, total=total,
        languages=LANGUAGES,
    )  # fmt: skip
    return _with_policy(page, FRAMING)


@staff.get("/polls/<slug>/preview/page")
def poll_preview_page(slug: str) -> BaseResponse:
    """The page of the personal link, in a frame or by itself."""
    return _page(slug, _BALLOT.page)


@staff.get("/polls/<slug>/preview/paper")
def poll_preview_paper(slug: str) -> BaseResponse:
    """The same on paper, to take to the municipal executive."""
    return _page(slug, _BALLOT.paper or abort(404))


@staff.get("/polls/<slug>/preview/mail")
def poll_preview_mail(slug: str) -> BaseResponse:
    """The html part of the invitation, for a frame in which nothing runs and no link leads away."""
    with parts().db.reading() as (session, now):
        seen = _seen(session, _draft(session, slug), now())
    html = _mail(slug, seen or abort(404)).html
    html = html.replace("<head>", '<head><base target="_top">', 1).replace('target="_blank"', 'target="_top"')
    return _with_policy(html, MAIL)


@staff.post("/polls/<slug>/proof")
def poll_proof(slug: str) -> BaseResponse:
    """Mail the invitation to whoever is signed in, as a proof."""
    with parts().db.transaction() as (session, now):
        poll = by_slug(session, slug)
        if poll.state is not PollState.DRAFT:
            return done("staff.poll", "poll-no-draft", slug=slug)
        seen = _seen(session, poll, now()) or abort(404)
        poll_drafts.send_proof(session, now, poll, me(), seen.asked.unit.code, seen.asked.contact.id)
    return done("staff.poll_preview", "poll-proof-sent", slug=slug, **seen.address, **{"in": seen.language})


def _draft(session: Session, slug: str) -> Poll:
    poll = by_slug(session, slug)
    return poll if poll.state is PollState.DRAFT else abort(404)


def _seen(session: Session, poll: Poll, now: Any) -> As | None:
    """As whom the address asks to look: the first of the electorate where it names nobody; 404 for a stranger."""
    given = request.values
    contact, unit = given.get("contact", ""), given.get("unit", "")
    if contact or unit:
        number = int(contact) if re.fullmatch("[0-9]{1,9}", contact) else 0
        asked = rehearsal.asked_as(session, poll, now, unit, number)
        if asked is None:
            abort(404)
    else:
        asked = next(iter(rehearsal.look_as(session, poll, now, most=1)), None)
    if asked is None:
        return None
    language = given.get("in", asked.contact.language)
    return As(asked, language if language in LANGUAGES else "nl")


def _page(slug: str, template: str) -> BaseResponse:
    office = parts()
    with office.db.reading() as (session, now):
        moment = now()
        poll = _draft(session, slug)
        seen = _seen(session, poll, moment) or abort(404)
        if request.args.get("lang", "") not in LANGUAGES:
            speak_as(seen.language)
        moment = min(moment, poll.closes_at - rehearsal.A_MOMENT)
        made = rehearsal.invitation(session, poll, seen.asked, moment)
        found: Page = _BALLOT.read(session, made, moment, office.basis)
        page = render_template(
            template, page=found, form=BallotForm(found, None), refused=None, token="", pointed="", preview=True,
            url_for=_address_in(slug, seen), **found.facts,
        )  # fmt: skip
    return _with_policy(page, FRAMED)


def _address_in(slug: str, seen: As) -> Any:
    """`url_for` on a page that nobody was mailed: what a personal link leads to leads to the preview's own pages."""

    def address(endpoint: str, **values: Any) -> str:
        if not endpoint.startswith("respond."):
            return url_for(endpoint, **values)
        here = {"slug": slug, **seen.address, **kept_language()}
        return {
            "respond.attachment": lambda: url_for("staff.poll_document", slug=slug,
                                                  attachment_id=values["attachment_id"]),
            "respond.draft": lambda: url_for("staff.poll_preview_paper", **here),
            "respond.page": lambda: url_for("staff.poll_preview_page", **here),
        }.get(endpoint, lambda: "#main")()  # fmt: skip

    return address


def _mail(slug: str, seen: As) -> Rendered:
    """The invitation, rendered by the letters' own road."""
    office, composer = parts(), composer_of(current_app._get_current_object())  # type: ignore[attr-defined]
    with office.db.reading() as (session, now), wording.speaking(seen.language):
        poll = questions.whole(session, by_slug(session, slug).id)
        desk = letters.Desk(lambda: session, now(), office.settings, office.signer, letters.Memory(), composer.keep)
        return composer.plain("ballot-invitation", letters.proof(desk, poll, seen.asked))


def _with_policy(page: str, policy: str) -> BaseResponse:
    response = Response(page, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy
    return response
