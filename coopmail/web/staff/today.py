"""Today: what closes soon, what waits for somebody, who cannot be reached, what did not run. And all matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import Response, abort, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail import wording
from coopmail.actions import matters as acts
from coopmail.domain.audit import Matter
from coopmail.forms.kind import lazy
from coopmail.parts import parts
from coopmail.queries import matters, today
from coopmail.web.staff.console import actor, done, say, staff, to
from coopmail.web.staff.listing import Choices, Column, Filter, Listing, look, send

say("matters-settled", lazy("Ticked off. Under “Ticked off lately” it can be put back."))
say("matters-none", lazy("Nothing was ticked: choose what is done first."))
say("matter-reopened", lazy("It waits again."))

JOBS = {
    "seal-audit": lazy("Sealing the audit log"),
    "close-polls": lazy("Closing and counting votes"),
    "destroy-poll-keys": lazy("Destroying the keys of secret votes"),
    "send-reminders": lazy("Sending reminders"),
    "answer-link-requests": lazy("Mailing new links"),
    "mail-sign-in-codes": lazy("Mailing codes to sign in with"),
    "deliver-mail": lazy("Sending mail"),
    "report-bounces": lazy("Reporting mail that did not arrive"),
}
"""What each job of the schedule does, in words."""
SILENT = timedelta(minutes=10)
"""A job that has not run for so long, or a mail that has waited so long, is told."""


@staff.get("/", endpoint="today")
def page() -> str:
    """What stands before staff now."""
    with parts().db.reading() as (session, now):
        moment = now()
        found = today.today(session, moment)
        late = silent(found.ran, moment)
        return render_template(
            "staff/today/today.html",
            today=found,
            silent=late,
            stopped=len(late) == len(JOBS),
            last=max(found.ran.values(), default=None),
            late=found.oldest_due >= SILENT.total_seconds(),
            waiting_since=moment - timedelta(seconds=found.oldest_due),
            address=address,
            now=moment,
        )


@staff.get("/matters", endpoint="matters")
def matter_list() -> str:
    """All that waits, or waited, for staff."""
    with parts().db.reading() as (session, now):
        seen = look(session, _listing(session, now()))
        seen.rows = matters.whole(session, [matter.id for matter in seen.rows])
        seen.rows.sort(key=lambda matter: matter.id, reverse=seen.sort.startswith("-"))
        return render_template("staff/today/matters.html", seen=seen, address=address, now=now())


@staff.get("/matters.<any(csv, xlsx):form>")
def matters_export(form: str) -> Response:
    """The same list as a file."""
    return send(_listing, form, {})


@staff.post("/matters/settle")
def matters_settle() -> BaseResponse:
    """Tick off what is done: one, or several at once."""
    ids = [int(text) for text in request.form.getlist("matter") if text.isascii() and text.isdigit() and len(text) < 10]
    with parts().db.transaction() as (session, now):
        settled = acts.settle(session, now, ids, actor=actor())
    return done(_back(), "matters-settled" if settled or ids else "matters-none")


@staff.post("/matters/<int:matter_id>/reopen")
def matter_reopen(matter_id: int) -> BaseResponse:
    """Let what was ticked off wait again."""
    with parts().db.transaction() as (session, now):
        if session.get(Matter, matter_id) is None:
            abort(404)
        acts.reopen(session, now, matter_id, actor=actor())
    return done(_back(), "matter-reopened")


def silent(ran: Mapping[str, datetime], now: datetime) -> list[tuple[str, datetime | None]]:
    """The jobs that have not run for too long, each with when it last did."""
    return [(label, ran.get(name)) for name, label in JOBS.items() if name not in ran or now - ran[name] > SILENT]


def address(matter: Matter) -> str | None:
    """The page on which something can be done about a matter; nothing where there is none."""
    return _PAGES.get(matter.key.partition(":")[0], _subject)(matter)


def _vote(matter: Matter) -> str | None:
    if matter.poll is None or matter.unit_id is None:
        return None
    return to("staff.vote_record", slug=matter.poll.slug, unit_id=matter.unit_id)


def _organisation(matter: Matter) -> str | None:
    if matter.unit is None or matter.unit.organisation_id is None:
        return _subject(matter)
    return to("staff.organisation", organisation_id=matter.unit.organisation_id)


def _contact(matter: Matter) -> str | None:
    contact_id = (matter.detail or {}).get("contact")
    return to("staff.contact", contact_id=contact_id) if contact_id else None


def _subject(matter: Matter) -> str | None:
    """The mail that a matter is about, else its poll."""
    if matter.mail_id is not None:
        return to("staff.mail", mail_id=matter.mail_id)
    return to("staff.poll", slug=matter.poll.slug) if matter.poll is not None else None


_PAGES: dict[str, Callable[[Matter], str | None]] = {"contested": _vote, "unit": _organisation, "handover": _contact}
"""By what a matter's key begins with; others lead to their subject."""


def _back() -> str:
    return "staff.matters" if request.form.get("back") == "matters" else "staff.today"


def _listing(_session: Session, _now: datetime) -> Listing:
    return Listing(
        name="matters",
        question=sa.select(Matter),
        columns=(
            Column("raised", lazy("Since"), lambda matter: matter.raised_at, (Matter.id,)),
            Column("matter", lazy("What"), wording.matter),
            Column("settled", lazy("Ticked off"), lambda matter: matter.settled_at),
        ),
        searched=(Matter.text,),
        unique=Matter.id,
        default="-raised",
        filters=(Filter("state", lazy("Which"), _states, lambda value: _STATES[value][1]),),
    )


_STATES: dict[str, tuple[str, sa.ColumnElement[bool]]] = {
    "waiting": (lazy("Waits"), Matter.settled_at.is_(None)),
    "settled": (lazy("Ticked off"), Matter.settled_at.is_not(None)),
}


def _states(_session: Session) -> Choices:
    return [(code, label) for code, (label, _where) in _STATES.items()]
