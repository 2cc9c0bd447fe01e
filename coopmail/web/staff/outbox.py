"""The outbox: what waits to go out, what stands still and why, and the acts on a campaign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response, abort, render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse
from wtforms import Form

from coopmail.actions import outbox as actions
from coopmail.domain.outbox import WAITING, CampaignStop, MailState, StopKind
from coopmail.errors import ActionRefused, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.forms.staff.outbox import ReasonForm
from coopmail.parts import parts
from coopmail.queries import mail_list, mails
from coopmail.queries.changes import actor_names
from coopmail.queries.outbox import left_open
from coopmail.web.staff import mail_lists
from coopmail.web.staff import mail_words as words
from coopmail.web.staff.console import actor, done, say, staff
from coopmail.web.staff.listing import look, send

say("campaign-paused", lazy("These mails are held back. What was on its way to the mail relay still arrives."))
say("campaign-resumed", lazy("These mails go out again."))
say("campaign-cancelled", lazy("What had not gone out yet is taken back."))
say("campaign-retried", lazy("The mails that did not arrive wait to be sent again."))

Answer = BaseResponse | str | tuple[str, int]


@staff.get("/outbox")
def outbox() -> str:
    """What waits, what stands still, and every mail, the newest on top."""
    with parts().db.reading() as (session, now):
        moment = now()
        standing = mail_list.standing(session, moment)
        seen = look(session, mail_lists.whole(session, moment))
        return render_template(
            "staff/outbox/list.html",
            seen=seen,
            now=moment,
            words=words,
            relay=mail_list.relay(session),
            waiting=mail_list.waiting(session),
            many=mail_list.MANY,
            standing=standing,
            about=mail_list.titles(session, [found.name for found in standing]),
        )


@staff.get("/outbox.<any(csv, xlsx):form>")
def outbox_export(form: str) -> Response:
    """The mails as a file, as they are narrowed and sorted."""
    return send(mail_lists.exported(mail_lists.whole), form, {})


@staff.get("/outbox/campaigns/<campaign>")
def campaign(campaign: str) -> str:
    """A campaign: how its mails stand, what can be done with them, and the mails."""
    with parts().db.reading() as (session, now):
        moment = now()
        facts = _facts(session, moment, campaign)
        seen = look(session, mail_lists.of_campaign(session, moment, campaign))
        return render_template("staff/outbox/campaign.html", seen=seen, **facts)


@staff.get("/outbox/campaigns/<campaign>.<any(csv, xlsx):form>")
def campaign_export(campaign: str, form: str) -> Response:
    """A campaign's mails as a file."""
    with parts().db.reading() as (session, _now):
        if not mail_list.is_known(session, campaign):
            abort(404)
    return send(mail_lists.exported(mail_lists.of_campaign), form, {"campaign": campaign})


@staff.route("/outbox/campaigns/<campaign>/pause", methods=["GET", "POST"])
def campaign_pause(campaign: str) -> Answer:
    """Hold a campaign's mails back, until they are let go."""
    form = ReasonForm(request.form if request.method == "POST" else None)

    def act(session: Session, now: datetime) -> None:
        actions.pause_campaign(session, now, campaign, form.reason.data or "", actor=actor())

    return _act("pause", campaign, "campaign-paused", act, form)


@staff.route("/outbox/campaigns/<campaign>/resume", methods=["GET", "POST"])
def campaign_resume(campaign: str) -> Answer:
    """Let a campaign's mails go out."""
    return _act("resume", campaign, "campaign-resumed",
                lambda session, now: actions.resume_campaign(session, now, campaign, actor=actor()))  # fmt: skip


@staff.route("/outbox/campaigns/<campaign>/cancel", methods=["GET", "POST"])
def campaign_cancel(campaign: str) -> Answer:
    """Take back for good what has not gone out."""
    form = ReasonForm(request.form if request.method == "POST" else None)

    def act(session: Session, now: datetime) -> None:
        actions.cancel_campaign(session, now, campaign, form.reason.data or "", actor=actor())

    return _act("cancel", campaign, "campaign-cancelled", act, form)


@staff.route("/outbox/campaigns/<campaign>/retry", methods=["GET", "POST"])
def campaign_retry(campaign: str) -> Answer:
    """Send again what did not arrive."""

    def act(session: Session, now: datetime) -> None:
        actions.retry_campaign(session, now, campaign, actor=actor())

    return _act("retry", campaign, "campaign-retried", act)


def _act(
    name: str, campaign: str, sentence: str, act: Callable[[Session, datetime], object], form: Form | None = None
) -> Answer:
    """Show what an act will do, and to how many; or do it. Pressed again, it finds itself done."""
    if request.method != "POST":
        return _show(name, campaign, form)
    if form is not None and not form.validate():
        return _show(name, campaign, form), 422
    try:
        with parts().db.transaction() as (session, now):
            actions.check_known(session, campaign)
            act(session, now())
    except UnknownSubject:
        abort(404)
    except ActionRefused:
        if _stands_so(name, campaign):
            return done("staff.campaign", sentence, campaign=campaign)
        return _show(name, campaign, form), 409
    return done("staff.campaign", sentence, campaign=campaign)


_WANTED: dict[str, StopKind | None] = {"pause": StopKind.PAUSED, "resume": None, "cancel": StopKind.CANCELLED}
"""How a campaign stands after each act."""


def _stands_so(name: str, campaign: str) -> bool:
    """Whether a campaign stands as an act would have it: then somebody did it before."""
    with parts().db.reading() as (session, now):
        stop = mail_list.stop_of(session, campaign, now())
    return name in _WANTED and _WANTED[name] is (stop.kind if stop is not None else None)


def _show(name: str, campaign: str, form: Form | None) -> str:
    with parts().db.reading() as (session, now):
        facts = _facts(session, now(), campaign)
        stop: CampaignStop | None = facts["stop"]
        refused = _refusal(name, stop.kind if stop is not None else None, facts)
        return render_template(f"staff/outbox/campaign-{name}.html", form=form, refused=refused, **facts)


def _refusal(name: str, kind: StopKind | None, facts: dict[str, Any]) -> str:
    """Why an act cannot be done with a campaign as it stands, or nothing."""
    if kind is StopKind.CANCELLED:
        return _("These mails were taken back for good.")
    return {
        "pause": _("These mails are held back already.") if kind and facts["stop"].until is None else "",
        "resume": "" if kind else _("These mails are not held back."),
        "retry": "" if facts["retryable"] else _("No mail here can be sent again."),
        "cancel": "",
    }[name]


def _facts(session: Session, now: datetime, campaign: str) -> dict[str, Any]:
    """What the pages of a campaign show. Aborts with 404 where there is none."""
    counts = mail_list.counts_of(session, [campaign]).get(campaign)
    if counts is None:
        abort(404)
    about = mail_list.titles(session, [campaign])
    poll = about.get(campaign)
    stop = mail_list.stop_of(session, campaign, now)
    expiry = poll.closes_at if poll is not None and poll.accepts_answers(now) else None
    cancelled = stop is not None and stop.kind is StopKind.CANCELLED
    retryable = 0 if cancelled else mail_list.how_many(session, mails.worth_retrying(campaign, now, expiry))
    return {
        "campaign": campaign, "heading": words.campaign(campaign, poll), "poll": poll, "counts": counts, "stop": stop,
        "stopped_by": who(session, mail_list.stopped_by(session, stop)) if stop is not None else "",
        "words": words, "now": now, "waiting": sum(counts.get(state, 0) for state in WAITING),
        "sent": counts.get(MailState.SENT, 0),
        "retryable": retryable, "left_open": left_open(session, campaign) is not None,
    }  # fmt: skip


def who(session: Session, name: str | None) -> str:
    """Who did something, as a person would say it; empty where nothing says who."""
    if name is None:
        return ""
    said = {"runner": _("the system itself"), "staff": _("the command line")}
    return said.get(name) or actor_names(session, {name})[name]
