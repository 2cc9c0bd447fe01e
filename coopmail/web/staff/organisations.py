"""One organisation in the console: what is known of it, adding one, changing it, ending it and taking that back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import abort, render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse
from wtforms import Form

from coopmail import wording
from coopmail.actions import organisations as actions
from coopmail.domain.calendar import brussels_day
from coopmail.domain.organisations import Organisation
from coopmail.errors import ActionRefused, ChangedMeanwhile, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.forms.staff.contact import VersionedForm
from coopmail.forms.staff.organisation import KINDS, LastDayForm, MarkedForm
from coopmail.parts import parts
from coopmail.queries import organisations as questions
from coopmail.queries.changes import last_change
from coopmail.web.staff.console import actor, done, say, staff
from coopmail.web.staff.organisation_history import told
from coopmail.web.staff.organisation_words import MODES

Page = BaseResponse | str | tuple[str, int]
"""What a page answers."""

say("organisation-added", lazy("The organisation is added. Now say what it takes, and who stands for it."))
say("organisation-saved", lazy("The organisation is saved."))
say("organisation-ended", lazy("The organisation has ended. You can take that back on this page."))
say("organisation-resumed", lazy("The organisation goes on, and takes again what it took."))


@staff.get("/organisations/<int:organisation_id>")
def organisation(organisation_id: int) -> str:
    """All that is known of an organisation, and what can be done."""
    with parts().db.reading() as (session, now):
        found = find(session, organisation_id)
        return render_template("staff/organisations/one.html", organisation=found, **_facts(session, found, now()))


def _facts(session: Session, found: Organisation, now: datetime) -> dict[str, Any]:
    today = brussels_day(now)
    into, origin = found.merged_into_id, found.split_from_id
    return {
        "today": today,
        "kinds": KINDS,
        "modes": MODES,
        "into": questions.by_id(session, into) if into is not None else None,
        "origin": questions.by_id(session, origin) if origin is not None else None,
        "merged": questions.merged_into(session, found.id),
        "pilots": questions.pilot_of(session, found.id),
        "taken": questions.taken(session, found.id),
        "contacts": questions.contacts(session, found.id),
        "seats": questions.seats(session, found.id, today),
        "asked": questions.asked(session, found.id),
        "joinable": [] if found.ended_on else questions.joinable(session, found.id, today),
        "history": told(session, questions.history(session, found.id)),
    }


@staff.route("/organisations/new", methods=["GET", "POST"])
def organisation_new() -> Page:
    """Add an organisation."""
    form = MarkedForm(request.form if request.method == "POST" else None)
    _offer_services(form)
    if request.method != "POST":
        return render_template("staff/organisations/edit.html", form=form, organisation=None)
    if not form.validate():
        return render_template("staff/organisations/edit.html", form=form, organisation=None), 422
    try:
        with parts().db.transaction() as (session, now):
            added = actions.add(session, now, form.facts, pilot_of=form.pilot_of, actor=actor())
        return done("staff.organisation", "organisation-added", organisation_id=added.id)
    except (actions.NameTaken, actions.CodeTaken) as error:
        say_taken(form, error)
    return render_template("staff/organisations/edit.html", form=form, organisation=None), 409


@staff.route("/organisations/<int:organisation_id>/edit", methods=["GET", "POST"])
def organisation_edit(organisation_id: int) -> Page:
    """Change what is known of an organisation."""
    with parts().db.reading() as (session, _now):
        found = find(session, organisation_id)
        pilots = [service.id for service in questions.pilot_of(session, organisation_id)]
    form = MarkedForm(request.form) if request.method == "POST" else MarkedForm.of(found, pilots)
    _offer_services(form)
    if request.method != "POST":
        return render_template("staff/organisations/edit.html", form=form, organisation=found)
    if not form.validate():
        return render_template("staff/organisations/edit.html", form=form, organisation=found), 422
    try:
        with parts().db.transaction() as (session, now):
            actions.edit(session, now, organisation_id, form.facts, version=form.read_version,
                         pilot_of=form.pilot_of, actor=actor())  # fmt: skip
        return done("staff.organisation", "organisation-saved", organisation_id=organisation_id)
    except ChangedMeanwhile:
        return _conflict(form, organisation_id)
    except (actions.NameTaken, actions.CodeTaken) as error:
        say_taken(form, error)
    return render_template("staff/organisations/edit.html", form=form, organisation=found), 409


@staff.route("/organisations/<int:organisation_id>/end", methods=["GET", "POST"])
def organisation_end(organisation_id: int) -> Page:
    """What ending an organisation does, in numbers; then it is done."""
    with parts().db.reading() as (session, now):
        found, today = find(session, organisation_id), brussels_day(now())
        facts = {"organisation": found, "counted": questions.counted(session, organisation_id, today)}
    form = LastDayForm(request.form if request.method == "POST" else None, version=str(found.version),
                       day=today.isoformat())  # fmt: skip
    if request.method == "POST" and form.validate():
        try:
            with parts().db.transaction() as (session, now):
                actions.end(session, now, organisation_id, ended_on=form.last, version=form.read_version,
                            actor=actor())  # fmt: skip
            return done("staff.organisation", "organisation-ended", organisation_id=organisation_id)
        except actions.DayRefused:
            form.day.errors = [_("Choose today or an earlier day: what ends later is ended when the day has come.")]
        except (ChangedMeanwhile, actions.Ended) as error:
            if found.ended_on == form.last:  # the second click
                return done("staff.organisation", "organisation-ended", organisation_id=organisation_id)
            return refused("staff/organisations/end.html", error, organisation_id, form, facts)
    page = render_template("staff/organisations/end.html", form=form, **facts)
    return (page, 422) if form.errors else page


@staff.route("/organisations/<int:organisation_id>/resume", methods=["GET", "POST"])
def organisation_resume(organisation_id: int) -> Page:
    """Take an ending back."""
    with parts().db.reading() as (session, _now):
        found = find(session, organisation_id)
    form = VersionedForm(request.form if request.method == "POST" else None, version=str(found.version))
    if request.method == "POST":
        try:
            with parts().db.transaction() as (session, now):
                actions.resume(session, now, organisation_id, version=form.read_version, actor=actor())
            return done("staff.organisation", "organisation-resumed", organisation_id=organisation_id)
        except (ChangedMeanwhile, actions.NotEnded) as error:
            if found.ended_on is None:  # the second click
                return done("staff.organisation", "organisation-resumed", organisation_id=organisation_id)
            return refused("staff/organisations/resume.html", error, organisation_id, form, {"organisation": found})
    return render_template("staff/organisations/resume.html", organisation=found, form=form)


def find(session: Session, organisation_id: int) -> Organisation:
    """The organisation of a page; 404 where there is none."""
    try:
        return questions.by_id(session, organisation_id)
    except UnknownSubject:
        abort(404)


def say_taken(form: Form, error: ActionRefused) -> None:
    """Say at the field that another organisation has its name, or its code."""
    if isinstance(error, actions.NameTaken):
        form["name"].errors = [_("Another organisation, perhaps one that ended, has this name: choose another.")]
    else:
        form["code"].errors = [_("Another organisation, perhaps one that ended, has this code: choose another.")]


_WHY: dict[type[ActionRefused], Callable[[], str]] = {
    actions.Ended: lambda: _("This organisation has ended already. Go back and look at its page."),
    actions.NotEnded: lambda: _("This organisation did not end, or it merged into another: there is nothing to undo."),
}


def refused(
    template: str, error: ActionRefused, organisation_id: int, form: VersionedForm, facts: dict[str, Any]
) -> tuple[str, int]:
    """The page of an act once more, with why it was not done; doing it again is then on purpose."""
    why = _WHY[type(error)]() if type(error) in _WHY else changed_by_other(organisation_id, form)
    return render_template(template, form=form, why=why, **facts), 409


def changed_by_other(organisation_id: int, form: VersionedForm) -> str:
    """Who changed an organisation meanwhile and when, in a sentence; the form then stands on what is there now."""
    with parts().db.reading() as (session, _now):
        form.version.data = str(find(session, organisation_id).version)
        who, when = who_changed(session, organisation_id)
    return _("%(who)s changed this organisation on %(when)s, after you opened this page. Look again, then press again.",
             who=who, when=when)  # fmt: skip


def who_changed(session: Session, organisation_id: int) -> tuple[str, str]:
    """Who changed an organisation last, and when, in words."""
    try:
        change = last_change(session, f"organisation:{organisation_id}")
    except LookupError:
        return _("Somebody"), _("just now")
    return change.who, wording.moment(change.at)


def _offer_services(form: MarkedForm) -> None:
    with parts().db.reading() as (session, _now):
        form.pilots.choices = [(str(service.id), service.name) for service in questions.services(session)]


def _conflict(form: MarkedForm, organisation_id: int) -> tuple[str, int]:
    """Both versions side by side; nothing that was typed is lost."""
    with parts().db.reading() as (session, _now):
        found = find(session, organisation_id)
        pilots = questions.pilot_of(session, organisation_id)
        who, when = who_changed(session, organisation_id)
    present = MarkedForm.of(found, [service.id for service in pilots])
    present.pilots.choices = form.pilots.choices
    told = {"pilots": wording.names([service.name for service in pilots]) or "–", "kind": str(KINDS[found.kind])}
    differing = [
        (field.label.text, told.get(name) or _said(present[name].data))
        for name, field in form._fields.items()
        if name != "version" and (field.data or None) != (present[name].data or None)
    ]
    form.version.data = str(found.version)
    conflict = {"who": who, "when": when, "present": differing}
    return render_template("staff/organisations/edit.html", form=form, organisation=found, conflict=conflict), 409


def _said(value: Any) -> str:
    return {True: _("yes"), False: _("no")}.get(value, value) or "–"
