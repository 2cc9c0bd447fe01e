"""What can be done with a contact: out of office, leave, come back, stand for somebody, hand over, a test mail."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import abort, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail import wording
from coopmail.actions import contacts as actions
from coopmail.actions import mail_tests, nominations, representations
from coopmail.domain.calendar import brussels_day
from coopmail.domain.organisations import Organisation
from coopmail.domain.services import Service
from coopmail.errors import ChangedMeanwhile
from coopmail.forms.kind import lazy
from coopmail.forms.staff.contact import AwayForm, HandOverForm, StandingForm, standing_form
from coopmail.parts import parts
from coopmail.queries import contact_page as shown
from coopmail.queries import contacts as questions
from coopmail.web.staff.console import actor, done, say, staff
from coopmail.web.staff.contact_list import MODES
from coopmail.web.staff.contacts import address, changed_by_other, find

say("contact-away", lazy("It is noted. Mail still goes out: the day is a hint to whoever calls."))
say("contact-left", lazy("The contact has left: no mail goes there any more. Units without anybody left are on Today."))
say("contact-returned", lazy("The contact is back, with all that leaving ended. What is open is mailed again."))
say("contact-standing", lazy("It is saved. Open votes followed: who votes now is invited, who does not lost the link."))
say("contact-handed-over", lazy("The successor gets one mail. Nothing changes until that is confirmed."))
say("mail-test-sent", lazy("The test mail is on its way. The answer shows on this page."))
say("mail-test-recent", lazy("A test mail went out less than an hour ago: wait for its answer."))


@staff.route("/contacts/<int:contact_id>/away", methods=["GET", "POST"])
def contact_away(contact_id: int) -> BaseResponse | str | tuple[str, int]:
    """Until when a contact is out of office."""
    with parts().db.reading() as (session, now):
        contact, today = find(session, contact_id), brussels_day(now())
    until = contact.away_until if contact.away_until and contact.away_until >= today else None
    form = AwayForm(request.form if request.method == "POST" else None, version=str(contact.version),
                    until=until.isoformat() if until else "")  # fmt: skip
    form.today = today
    facts: dict[str, Any] = {"form": form, "contact": contact, "conflict": None, "present": []}
    if request.method != "POST":
        return render_template("staff/contacts/away.html", **facts)
    if not form.validate():
        return render_template("staff/contacts/away.html", **facts), 422
    try:
        with parts().db.transaction() as (session, now):
            actions.set_away(session, now, contact_id, form.day, version=form.read_version, actor=actor())
    except ChangedMeanwhile:
        with parts().db.reading() as (session, _now):
            contact = find(session, contact_id)
            facts["conflict"] = changed_by_other(session, form, contact)
        facts["present"] = [(form.until.label.text, wording.day(contact.away_until) if contact.away_until else "–")]
        return render_template("staff/contacts/away.html", **facts), 409
    return done("staff.contact", "contact-away", contact_id=contact_id)


@staff.route("/contacts/<int:contact_id>/leave", methods=["GET", "POST"])
def contact_leave(contact_id: int) -> BaseResponse | str:
    """What leaving ends, in numbers; then it is done."""
    office = parts()
    if request.method == "POST":
        with office.db.transaction() as (session, now):
            actions.leave(session, now, office.basis, find(session, contact_id).id, actor=actor())
        return done("staff.contact", "contact-left", contact_id=contact_id)
    with office.db.reading() as (session, now):
        contact, today = find(session, contact_id), brussels_day(now())
        if contact.left_at is not None:
            return redirect(address("staff.contact", contact_id=contact_id), 303)
        return render_template(
            "staff/contacts/leave.html", contact=contact, represents=questions.represents(session, contact_id),
            asked=[each for each in shown.open_invitations(session, contact_id) if not each.invitation.revoked_at],
            alone=shown.alone_for(session, contact_id), waiting=questions.waiting_nominations(session, contact_id),
            seats=[pair for pair in questions.seats(session, contact_id)
                   if pair[0].ends_on is None or pair[0].ends_on > today],
        )  # fmt: skip


@staff.route("/contacts/<int:contact_id>/back", methods=["GET", "POST"])
def contact_back(contact_id: int) -> BaseResponse | str:
    """Take leaving back."""
    office = parts()
    if request.method == "POST":
        with office.db.transaction() as (session, now):
            actions.come_back(session, now, office.basis, find(session, contact_id).id, actor=actor())
        return done("staff.contact", "contact-returned", contact_id=contact_id)
    with office.db.reading() as (session, _now):
        contact = find(session, contact_id)
        if contact.left_at is None:
            return redirect(address("staff.contact", contact_id=contact_id), 303)
        return render_template("staff/contacts/back.html", contact=contact,
                               represents=shown.stood_for_until_leaving(session, contact))  # fmt: skip


@staff.get("/contacts/<int:contact_id>/stand")
def contact_stand(contact_id: int) -> BaseResponse | str:
    """Choose for whom; the next page says how."""
    with parts().db.reading() as (session, now):
        contact = find(session, contact_id)
        offered = shown.organisation_choices(session, brussels_day(now()))
    chosen = request.args.get("organisation", "")
    if chosen in {key for key, _name in offered}:
        where = address("staff.contact_standing", contact_id=contact_id, organisation_id=int(chosen))
        return redirect(where, 303)
    return render_template("staff/contacts/stand.html", contact=contact, offered=offered)


@staff.route("/contacts/<int:contact_id>/stand/<int:organisation_id>", methods=["GET", "POST"])
def contact_standing(contact_id: int, organisation_id: int) -> BaseResponse | str | tuple[str, int]:
    """Votes, reads, or neither: the general rule, and each service for which it is otherwise."""
    facts, form = _standing(contact_id, organisation_id)
    if request.method != "POST":
        return render_template("staff/contacts/standing.html", form=form, **facts)
    if not form.validate():
        return render_template("staff/contacts/standing.html", form=form, **facts), 422
    office = parts()
    try:
        with office.db.transaction() as (session, now):
            representations.set_standing(session, now, office.basis, contact_id, organisation_id, form.standing,
                                         version=form.read_version, actor=actor())  # fmt: skip
        return done("staff.contact", "contact-standing", contact_id=contact_id)
    except ChangedMeanwhile:
        with office.db.reading() as (session, _now):
            contact = find(session, contact_id)
            facts |= {"conflict": changed_by_other(session, form, contact), "contact": contact,
                      "present": _present(session, form, contact_id, organisation_id)}  # fmt: skip
    except representations.ContactLeft:
        facts["refused"] = _("This contact left: take it back first, then say for whom it stands.")
    except representations.OrganisationEnded:
        facts["refused"] = _("This organisation takes no part any more: choose the one that took its place.")
    return render_template("staff/contacts/standing.html", form=form, **facts), 409


def _standing(contact_id: int, organisation_id: int) -> tuple[dict[str, Any], StandingForm]:
    with parts().db.reading() as (session, now):
        contact = find(session, contact_id)
        organisation = session.get(Organisation, organisation_id)
        if organisation is None:
            abort(404)
        present = questions.standing(session, contact_id, organisation_id)
        services = list(session.scalars(sa.select(Service).order_by(Service.name)))
        facts = {
            "contact": contact, "organisation": organisation, "services": services,
            "takes": shown.taken(session, organisation_id, brussels_day(now())),
            "open_polls": shown.open_polls_of(session, organisation_id),
            "known": bool(present), "conflict": None, "present": [], "refused": "",
        }  # fmt: skip
    form = standing_form(services, present, request.form if request.method == "POST" else None)
    if request.method != "POST":
        form.version.data = str(contact.version)
    return facts, form


def _present(session: Session, form: StandingForm, contact_id: int, organisation_id: int) -> list[tuple[str, str]]:
    """What stands there now, where it differs from what was chosen."""
    now, chosen = questions.standing(session, contact_id, organisation_id), form.standing
    rows = [(None, form.general.label.text), *((service.id, service.name) for service in form.services)]
    return [(label, str(MODES[now[key].value]) if key in now else "–") for key, label in rows
            if now.get(key) is not chosen.get(key)]  # fmt: skip


@staff.route("/contacts/<int:contact_id>/hand-over", methods=["GET", "POST"])
def contact_hand_over(contact_id: int) -> BaseResponse | str | tuple[str, int]:
    """Name a successor, who confirms everything with one answer."""
    with parts().db.reading() as (session, _now):
        contact = find(session, contact_id)
        mine = questions.represents(session, contact_id) or shown.stood_for_until_leaving(session, contact)
        facts = {"contact": contact, "represents": mine,
                 "waiting": [each for each in questions.waiting_nominations(session, contact_id)
                             if each.named_by_id == contact_id]}  # fmt: skip
    everything = [str(each.organisation.id) for each in mine]
    form = HandOverForm(request.form if request.method == "POST" else None, organisations=everything)
    form.organisations.choices = [(str(each.organisation.id), each.organisation.name) for each in mine]
    if request.method != "POST":
        return render_template("staff/contacts/hand-over.html", form=form, **facts)
    if not form.validate():
        return render_template("staff/contacts/hand-over.html", form=form, **facts), 422
    office = parts()
    try:
        with office.db.transaction() as (session, now):
            nominations.hand_over(session, now, office.basis, contact_id, form.chosen, name=form.name.data or "",
                                  email=form.email.data or "", actor=actor())  # fmt: skip
        return done("staff.contact", "contact-handed-over", contact_id=contact_id)
    except nominations.OwnAddress:
        form.email.errors = [_("This is this contact's own address: type the successor's.")]
    except nominations.NothingToHandOver:
        form.organisations.errors = [_("This contact stands for none of these any more: look again.")]
    return render_template("staff/contacts/hand-over.html", form=form, **facts), 409


@staff.post("/contacts/<int:contact_id>/mail-test")
def contact_mail_test(contact_id: int) -> BaseResponse:
    """Send a test mail."""
    office = parts()
    with office.db.transaction() as (session, now):
        sent = mail_tests.send(session, now, office.basis, [find(session, contact_id).id], actor=actor())
    return done("staff.contact", "mail-test-sent" if sent else "mail-test-recent", contact_id=contact_id)
