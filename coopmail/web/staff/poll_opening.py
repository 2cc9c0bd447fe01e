"""A last look at a draft, and opening it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail.actions import poll_drafts, rehearsal
from coopmail.actions import polls as actions
from coopmail.actions.electorate import AudienceRefused, audience_faults
from coopmail.actions.poll_entry import Faulty
from coopmail.domain.polls import Poll, PollState
from coopmail.errors import ActionRefused, ChangedMeanwhile, EmptyElectorate
from coopmail.forms.kind import lazy
from coopmail.forms.staff.written_poll import sentence
from coopmail.parts import parts
from coopmail.web.staff.board import by_slug
from coopmail.web.staff.console import actor, done, say, staff

say("poll-opened", lazy("The poll is open. The invitations are on their way."))


@staff.route("/polls/<slug>/open", methods=["GET", "POST"])
def poll_open(slug: str) -> BaseResponse | str | tuple[str, int]:
    """Who will be asked, what to mind; then open. A second click finds it open and goes to the board."""
    office = parts()
    with office.db.reading() as (session, now):
        moment = now()
        poll = by_slug(session, slug)
        facts = _facts(session, poll, moment) if poll.state is PollState.DRAFT else {}
    if poll.state is not PollState.DRAFT:
        opened = request.method == "POST" and poll.state is PollState.OPEN
        return done("staff.poll", "poll-opened" if opened else "poll-no-draft", slug=slug)
    if request.method != "POST":
        return render_template("staff/polls/open.html", poll=poll, now=moment, **facts)
    try:
        with office.db.transaction() as (writing, clock):
            seen = request.form.get("version", "")
            version = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
            actions.open_poll(writing, poll.id, clock, office.basis, version=version, actor=actor())
    except ActionRefused as error:
        why = _why(error, facts["faults"])
        return render_template("staff/polls/open.html", poll=poll, now=moment, refused=why, **facts), 409
    return done("staff.poll", "poll-opened", slug=slug)


def _facts(session: Session, poll: Poll, now: datetime) -> dict[str, Any]:
    wrong = [Faulty(fault, "audience") for fault in audience_faults(poll)]
    found = rehearsal.rehearse(session, poll, now)
    wrong += poll_drafts.faults_today(session, poll, now)
    return {
        "found": found,
        "faults": [sentence(one) for one in wrong],
        "warnings": actions.warnings(poll, now, parts().charter),
        "can_open": not wrong and found.voting > 0,
    }


def _why(error: ActionRefused, faults: list[str]) -> str:
    """Why it was not opened, and what to do."""
    if isinstance(error, ChangedMeanwhile):
        return _("Somebody changed this draft after you opened this page. Look at it again below, then open it.")
    if isinstance(error, EmptyElectorate):
        return _("Nobody may vote in this poll: its audience has no member or seat with a vote. Choose who is asked.")
    if isinstance(error, AudienceRefused):
        return sentence(Faulty(error.fault, "audience"))
    return " ".join(faults) or _("This poll cannot be opened as it is. Look at its closing time and who is asked.")
