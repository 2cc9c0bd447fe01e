"""What an organisation takes, in the console: start it, correct it, end it, let it run on, take it back."""

from __future__ import annotations

from typing import Any

from flask import abort, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from coopmail import wording
from coopmail.actions import subscriptions as actions
from coopmail.actions.organisations import Ended
from coopmail.actions.subscriptions import Terms
from coopmail.domain.calendar import brussels_day
from coopmail.domain.organisations import Organisation
from coopmail.errors import ActionRefused, ChangedMeanwhile, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.forms.staff.contact import VersionedForm
from coopmail.forms.staff.organisation import LastDayForm, NewSubscriptionForm, SubscriptionForm
from coopmail.parts import parts
from coopmail.queries import organisations as questions
from coopmail.queries.organisations import Taken
from coopmail.web.staff.console import actor, done, say, staff
from coopmail.web.staff.organisations import Page, changed_by_other, find

say("subscription-started", lazy("It is saved. Polls that are open stay as they are; it votes from the next one on."))
say("subscription-saved", lazy("It is saved. Polls that are open stay as they are."))
say(
    "subscription-ended",
    lazy("It ends on that day. Polls that are open stay as they are. You can let it run on again."),
)
say("subscription-goes-on", lazy("It runs on, without a last day."))
say("subscription-removed", lazy("It is taken back, as if it was never started."))


@staff.route("/organisations/<int:organisation_id>/subscriptions/new", methods=["GET", "POST"])
def subscription_new(organisation_id: int) -> Page:
    """An organisation takes a service."""
    with parts().db.reading() as (session, now):
        found, today = find(session, organisation_id), brussels_day(now())
        offered = [(str(service.id), service.name) for service in questions.services(session)]
    form = NewSubscriptionForm(request.form if request.method == "POST" else None, version=str(found.version),
                               starts_on=today.isoformat())  # fmt: skip
    form.service.choices = [("", _("Choose a service")), *offered]
    facts = {"organisation": found, "taken": None}
    if request.method != "POST":
        return render_template("staff/organisations/subscription.html", form=form, **facts)
    if not form.validate():
        return render_template("staff/organisations/subscription.html", form=form, **facts), 422
    try:
        with parts().db.transaction() as (session, now):
            actions.start(session, now, organisation_id, int(form.service.data), form.terms, version=form.read_version,
                          actor=actor())  # fmt: skip
        return done("staff.organisation", "subscription-started", organisation_id=organisation_id)
    except actions.PeriodsOverlap as error:
        if error.other == form.terms:  # the second click
            return done("staff.organisation", "subscription-started", organisation_id=organisation_id)
        return _refused("staff/organisations/subscription.html", error, form, facts)
    except ActionRefused as error:
        return _refused("staff/organisations/subscription.html", error, form, facts)


@staff.route("/subscriptions/<int:subscription_id>/edit", methods=["GET", "POST"])
def subscription_edit(subscription_id: int) -> Page:
    """Correct what is taken."""
    taken, organisation = _find(subscription_id)
    form = (
        SubscriptionForm(request.form)
        if request.method == "POST"
        else SubscriptionForm.of(taken.subscription, organisation.version)
    )
    facts = {"organisation": organisation, "taken": taken}
    if request.method != "POST":
        return render_template("staff/organisations/subscription.html", form=form, **facts)
    if not form.validate():
        return render_template("staff/organisations/subscription.html", form=form, **facts), 422
    return _change(subscription_id, form.terms, form, "subscription-saved", "staff/organisations/subscription.html",
                   facts)  # fmt: skip


@staff.route("/subscriptions/<int:subscription_id>/end", methods=["GET", "POST"])
def subscription_end(subscription_id: int) -> Page:
    """On which day it ends, and what that does."""
    taken, organisation = _find(subscription_id)
    row = taken.subscription
    with parts().db.reading() as (session, now):
        today = brussels_day(now())
        polls = [one.poll for one in questions.asked(session, organisation.id)
                 if one.poll.service_id in (None, taken.service.id)]  # fmt: skip
    day = max(row.ends_on or today, row.starts_on)
    form = LastDayForm(request.form if request.method == "POST" else None, version=str(organisation.version),
                       day=day.isoformat())  # fmt: skip
    facts = {"organisation": organisation, "taken": taken, "polls": polls}
    if request.method != "POST":
        return render_template("staff/organisations/subscription-end.html", form=form, **facts)
    if not form.validate():
        return render_template("staff/organisations/subscription-end.html", form=form, **facts), 422
    terms = Terms(row.starts_on, form.last, row.contract_reference, row.price_cents)
    return _change(subscription_id, terms, form, "subscription-ended", "staff/organisations/subscription-end.html",
                   facts)  # fmt: skip


@staff.route("/subscriptions/<int:subscription_id>/go-on", methods=["GET", "POST"])
def subscription_go_on(subscription_id: int) -> Page:
    """Take the last day away."""
    taken, organisation = _find(subscription_id)
    row = taken.subscription
    form = VersionedForm(request.form if request.method == "POST" else None, version=str(organisation.version))
    facts = {"organisation": organisation, "taken": taken}
    if request.method != "POST":
        return render_template("staff/organisations/subscription-go-on.html", form=form, **facts)
    terms = Terms(row.starts_on, None, row.contract_reference, row.price_cents)
    return _change(subscription_id, terms, form, "subscription-goes-on",
                   "staff/organisations/subscription-go-on.html", facts)  # fmt: skip


@staff.route("/subscriptions/<int:subscription_id>/remove", methods=["GET", "POST"])
def subscription_remove(subscription_id: int) -> Page:
    """Take back what was started by mistake."""
    taken, organisation = _find(subscription_id)
    form = VersionedForm(request.form if request.method == "POST" else None, version=str(organisation.version))
    facts = {"organisation": organisation, "taken": taken}
    if request.method != "POST":
        return render_template("staff/organisations/subscription-remove.html", form=form, **facts)
    try:
        with parts().db.transaction() as (session, now):
            actions.remove(session, now, subscription_id, version=form.read_version, actor=actor())
        return done("staff.organisation", "subscription-removed", organisation_id=organisation.id)
    except ActionRefused as error:
        return _refused("staff/organisations/subscription-remove.html", error, form, facts)


def _find(subscription_id: int) -> tuple[Taken, Organisation]:
    with parts().db.reading() as (session, _now):
        try:
            taken = questions.subscription(session, subscription_id)
        except UnknownSubject:
            abort(404)
        return taken, find(session, taken.subscription.organisation_id)


def _change(
    subscription_id: int, terms: Terms, form: VersionedForm, code: str, template: str, facts: dict[str, Any]
) -> BaseResponse | tuple[str, int]:
    try:
        with parts().db.transaction() as (session, now):
            actions.change(session, now, subscription_id, terms, version=form.read_version, actor=actor())
        return done("staff.organisation", code, organisation_id=facts["organisation"].id)
    except ActionRefused as error:
        return _refused(template, error, form, facts)


def _refused(template: str, error: ActionRefused, form: VersionedForm, facts: dict[str, Any]) -> tuple[str, int]:
    """The page once more, with why it was not done and all that was typed."""
    why = changed_by_other(facts["organisation"].id, form) if isinstance(error, ChangedMeanwhile) else _why(error)
    return render_template(template, form=form, why=why, **facts), 409


def _why(error: ActionRefused) -> str:
    if isinstance(error, actions.PeriodsOverlap):
        other = error.other
        last = wording.day(other.ends_on) if other.ends_on is not None else _("without a last day")
        return _("This service is taken from %(first)s already (last day: %(last)s): end that, or choose other days.",
                 first=wording.day(other.starts_on), last=last)  # fmt: skip
    return {
        actions.EndsBeforeStart: _("The last day lies before the first: choose a later one."),
        actions.BegunAlready: _("This has run already, so it stays on record: end it instead."),
        Ended: _("This organisation has ended: take that back first."),
    }[type(error)]
