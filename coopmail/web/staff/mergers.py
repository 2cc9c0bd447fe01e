"""Organisations that become one or two, and an organisation that is added to an open poll: looked at, then done."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from flask import abort, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail.actions import joiners, mergers, organisations
from coopmail.actions.mergers import Merger, Share
from coopmail.domain import cells
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Mode
from coopmail.domain.organisations import Organisation
from coopmail.domain.polls import Poll
from coopmail.errors import ActionRefused, ChangedMeanwhile, PollNotOpen, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.forms.staff.organisation import SHARES, JoinForm, MergerForm, SplitForm
from coopmail.parts import parts
from coopmail.queries import organisations as questions
from coopmail.queries import polls
from coopmail.web.staff.console import actor, done, say, staff, to
from coopmail.web.staff.organisations import Page, changed_by_other, find, say_taken, who_changed

say("organisation-merged", lazy("The two are one. Polls that are open keep both votes."))
say("organisation-split", lazy("The new organisation is there. It votes from the next poll on."))
say("organisation-joined", lazy("The organisation can vote in that poll; its contacts are being invited."))


@staff.route("/organisations/<int:organisation_id>/merge", methods=["GET", "POST"])
def organisation_merge(organisation_id: int) -> Page:
    """Two become one: chosen, looked at with what it does, and then done."""
    with parts().db.reading() as (session, _now):
        found = find(session, organisation_id)
        offered = questions.others(session, organisation_id)
        merged = {str(one.id) for one in questions.merged_into(session, organisation_id)}
    form = MergerForm(request.form if request.method == "POST" else None)
    form.other.choices = [("", _("Choose an organisation")), *offered]
    if found.ended_on is not None:
        return _over(found)
    if request.method != "POST" or "back" in request.form:
        return render_template("staff/organisations/merge.html", form=form, organisation=found)
    if "confirmed" in request.form and form.other.data in merged:  # the second click
        return done("staff.organisation", "organisation-merged", organisation_id=organisation_id)
    if not form.validate():
        return render_template("staff/organisations/merge.html", form=form, organisation=found), 422
    if "confirmed" not in request.form:
        return _look_at_merger(form, organisation_id)
    return _merge(form, organisation_id)


def _look_at_merger(form: MergerForm, organisation_id: int, why: str = "", status: int = 200) -> tuple[str, int]:
    with parts().db.reading() as (session, now):
        today = brussels_day(now())
        gone, stays = _pair(session, form, organisation_id)
        facts = {
            "gone": gone, "stays": stays, "counted": questions.counted(session, gone.id, today),
            "twice": questions.seats_twice(session, gone.id, stays.id, today), "name": form.name.data or stays.name,
            "population": _together(form, gone, stays), "asked": questions.asked(session, stays.id),
            "services": _services_of_both(session, gone, stays, today),
        }  # fmt: skip
        found = find(session, organisation_id)
    page = render_template("staff/organisations/merge-look.html", form=form, organisation=found, why=why, **facts)
    return page, status


def _services_of_both(session: Session, gone: Organisation, stays: Organisation, day: date) -> dict[str, list[str]]:
    """What only the one takes, and what both do."""
    one, other = ({taken.service.name for taken in questions.live(session, key, day)} for key in (gone.id, stays.id))
    return {"new": sorted(one - other), "both": sorted(one & other)}


def _pair(session: Session, form: MergerForm, organisation_id: int) -> tuple[Organisation, Organisation]:
    """The one that ends, and the one that goes on."""
    this, other = find(session, organisation_id), find(session, int(form.other.data))
    return (other, this) if form.goes_on.data == "this" else (this, other)


def _together(form: MergerForm, gone: Organisation, stays: Organisation) -> int:
    return cells.population(form.population.data) if form.population.data else gone.population + stays.population


def _merge(form: MergerForm, organisation_id: int) -> Page:
    office = parts()
    try:
        with office.db.transaction() as (session, now):
            gone, stays = _pair(session, form, organisation_id)
            wanted = Merger(gone.id, stays.id, _version("gone_version"), _version("stays_version"),
                            form.name.data or stays.name, _together(form, gone, stays))  # fmt: skip
            mergers.merge(session, now, office.basis, wanted, actor=actor())
        return done("staff.organisation", "organisation-merged", organisation_id=stays.id)
    except organisations.NameTaken as error:
        say_taken(form, error)
        with office.db.reading() as (session, _now):
            found = find(session, organisation_id)
        return render_template("staff/organisations/merge.html", form=form, organisation=found), 409
    except organisations.Ended:
        with office.db.reading() as (session, _now):
            pair = _pair(session, form, organisation_id)
        return _over(next((one for one in pair if one.ended_on is not None), pair[0]))
    except ChangedMeanwhile:
        with office.db.reading() as (session, _now):
            changed = [who_changed(session, one.id) for one in _pair(session, form, organisation_id)]
        who, when = changed[-1]
        why = _("One of the two was changed meanwhile, last by %(who)s on %(when)s. Look again at what will happen.",
                who=who, when=when)  # fmt: skip
        return _look_at_merger(form, organisation_id, why, 409)


@staff.route("/organisations/<int:organisation_id>/split", methods=["GET", "POST"])
def organisation_split(organisation_id: int) -> Page:
    """A new organisation comes out of one: written, looked at with what it does, and then done."""
    with parts().db.reading() as (session, now):
        found, today = find(session, organisation_id), brussels_day(now())
        people, taken = questions.contacts(session, organisation_id), questions.live(session, organisation_id, today)
        asked = questions.asked(session, organisation_id)
    if found.ended_on is not None:
        return _over(found)
    form = SplitForm(request.form if request.method == "POST" else None, version=str(found.version),
                     province=found.province, municipality=found.municipality, kind=found.kind.value)  # fmt: skip
    facts: dict[str, Any] = {
        "organisation": found, "people": people, "taken": taken, "asked": asked, "shares": SHARES,
        "contacts": _shares("contact", (one.contact.id for one in people)),
        "subscriptions": _shares("subscription", (one.subscription.id for one in taken)),
    }  # fmt: skip
    facts["going"] = _going(facts)
    if request.method != "POST" or "back" in request.form:
        return render_template("staff/organisations/split.html", form=form, **facts)
    if not form.validate():
        return render_template("staff/organisations/split.html", form=form, **facts), 422
    if "confirmed" not in request.form:
        return render_template("staff/organisations/split-look.html", form=form, **facts)
    return _split(form, facts)


def _going(facts: dict[str, Any]) -> dict[str, list[str]]:
    """Who and what moves along, and who and what is with both, by name."""
    people = [(one.contact.name, facts["contacts"][one.contact.id]) for one in facts["people"]]
    taken = [(one.service.name, facts["subscriptions"][one.subscription.id]) for one in facts["taken"]]
    return {
        f"{what}_{share}": [name for name, chosen in rows if chosen is share]
        for what, rows in (("contacts", people), ("services", taken))
        for share in (Share.MOVES, Share.BOTH)
    }


def _over(organisation: Organisation) -> Page:
    """To the page of one that has ended, which says so; where it merged, also by a second click, to what goes on."""
    if organisation.merged_into_id is not None and request.method == "POST":
        return done("staff.organisation", "organisation-merged", organisation_id=organisation.merged_into_id)
    return redirect(to("staff.organisation", organisation_id=organisation.id), 303)


def _split(form: SplitForm, facts: dict[str, Any]) -> Page:
    office, old = parts(), facts["organisation"]
    try:
        with office.db.transaction() as (session, now):
            new = mergers.split(
                session, now, office.basis, old.id, form.facts, version=form.read_version,
                remaining=cells.population(form.remaining.data or ""), contacts=facts["contacts"],
                subscriptions=facts["subscriptions"], actor=actor(),
            )  # fmt: skip
        return done("staff.organisation", "organisation-split", organisation_id=new.id)
    except (organisations.NameTaken, organisations.CodeTaken) as error:
        say_taken(form, error)
        return render_template("staff/organisations/split.html", form=form, **facts), 409
    except organisations.Ended:
        return _over(old)
    except ChangedMeanwhile:
        why = changed_by_other(old.id, form)
        return render_template("staff/organisations/split-look.html", form=form, why=why, **facts), 409


def _shares(what: str, keys: Iterable[int]) -> dict[int, Share]:
    """What was chosen for each contact or subscription; nothing chosen: it stays."""
    said = {key: request.form.get(f"{what}-{key}", "") for key in keys}
    return {key: Share(value) if value in SHARES else Share.STAYS for key, value in said.items()}


@staff.route("/organisations/<int:organisation_id>/join/<slug>", methods=["GET", "POST"])
def joiner_add(organisation_id: int, slug: str) -> Page:
    """Add an organisation to a poll that is open, with a reason."""
    with parts().db.reading() as (session, _now):
        found, poll = find(session, organisation_id), _poll(session, slug)
        voters = sum(_votes_in(one, poll) for one in questions.contacts(session, organisation_id))
    form = JoinForm(request.form if request.method == "POST" else None)
    facts = {"organisation": found, "poll": poll, "voters": voters}
    if request.method != "POST":
        return render_template("staff/organisations/join.html", form=form, **facts)
    if not form.validate():
        return render_template("staff/organisations/join.html", form=form, **facts), 422
    office = parts()
    try:
        with office.db.transaction() as (session, now):
            joiners.add_unit(session, now, office.basis, poll.id, organisation_id, form.reason.data or "",
                             actor=actor())  # fmt: skip
        return done("staff.organisation", "organisation-joined", organisation_id=organisation_id)
    except ActionRefused as error:
        return render_template("staff/organisations/join.html", form=form, why=_why_not(error), **facts), 409


def _votes_in(one: questions.Standing, poll: Poll) -> bool:
    """Whether a contact votes for its organisation in a poll."""
    return one.of_service.get(poll.service_id, one.general) is Mode.VOTES and one.contact.confirmed_at is not None


def _poll(session: Session, slug: str) -> Poll:
    try:
        return polls.by_slug(session, slug)
    except UnknownSubject:
        abort(404)


def _why_not(error: ActionRefused) -> str:
    return {
        joiners.SeatsOnly: _("This poll asks the seats of a group, and no organisations."),
        joiners.VotesAlready: _("This organisation is asked in this poll already."),
        joiners.NoMember: _("This organisation takes nothing today that gives it a vote here: start that first."),
        joiners.WouldUnmask: _("This poll is secret and somebody has voted: what comes later could be told apart."),
        organisations.Ended: _("This organisation has ended: take that back first."),
        PollNotOpen: _("This poll is not open: nobody can be added any more."),
    }[type(error)]  # fmt: skip


def _version(name: str) -> int:
    text = request.form.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
