"""One contact in the console: what is known of it, adding one, and changing who it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import abort, render_template, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from coopmail import wording
from coopmail.actions import contacts as actions
from coopmail.actions.representations import OrganisationEnded
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Mode
from coopmail.errors import ChangedMeanwhile, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.forms.mail_test import PLACES
from coopmail.forms.staff.contact import NOBODY, ContactForm, NewContactForm, VersionedForm
from coopmail.parts import parts
from coopmail.queries import contact_page as shown
from coopmail.queries import contacts as questions
from coopmail.web.language import kept_language
from coopmail.web.staff.console import actor, done, say, staff
from coopmail.web.staff.contact_history import told
from coopmail.web.staff.contact_list import LANGUAGES, MODES, status

say("contact-added", lazy("The contact is added. Open votes in which it may answer are on their way to it."))
say("contact-saved", lazy("The contact is saved."))
say("contact-readdressed", lazy("The contact is saved. What is open is mailed again, to the new address."))


@staff.get("/contacts/<int:contact_id>")
def contact(contact_id: int) -> str:
    """All that is known of a contact, and what can be done."""
    with parts().db.reading() as (session, now):
        found, moment = find(session, contact_id), now()
        return render_template("staff/contacts/one.html", contact=found, **_facts(session, found, moment))


def _facts(session: Session, contact: Contact, now: datetime) -> dict[str, Any]:
    today = brussels_day(now)
    return {
        "status": status(contact, today),
        "represents": questions.represents(session, contact.id),
        "seats": questions.seats(session, contact.id),
        "asked": shown.open_invitations(session, contact.id),
        "waiting": questions.waiting_nominations(session, contact.id),
        "tests": shown.tests_of(session, [contact.id]),
        "history": told(session, contact),
        "places": PLACES,
        "modes": MODES,
        "languages": LANGUAGES,
        "today": today,
    }


@staff.route("/contacts/new", methods=["GET", "POST"])
def contact_new() -> BaseResponse | str | tuple[str, int]:
    """Add somebody: for an organisation, or as a person of the field."""
    chosen = request.args.get("organisation", "")
    form = NewContactForm(request.form if request.method == "POST" else None, organisation=chosen)
    with parts().db.reading() as (session, now):
        offered = shown.organisation_choices(session, brussels_day(now()))
    form.organisation.choices = [
        ("", _("Choose an organisation")),
        (NOBODY, _("None: a person of the field")),
        *offered,
    ]
    if request.method != "POST":
        return render_template("staff/contacts/edit.html", form=form, contact=None)
    if not form.validate():
        return render_template("staff/contacts/edit.html", form=form, contact=None), 422
    office = parts()
    try:
        with office.db.transaction() as (session, now):
            added = actions.add(session, now, office.basis, **_values(form), organisation_id=form.organisation_id,
                                mode=Mode(form.mode.data), actor=actor())  # fmt: skip
            contact_id = added.id
    except actions.AddressTaken as taken:
        form.email.errors = [_taken(taken)]
        return render_template("staff/contacts/edit.html", form=form, contact=None), 409
    except OrganisationEnded:
        form.organisation.errors = [_("This organisation takes no part any more: choose the one that took its place.")]
        return render_template("staff/contacts/edit.html", form=form, contact=None), 409
    return done("staff.contact", "contact-added", contact_id=contact_id)


@staff.route("/contacts/<int:contact_id>/edit", methods=["GET", "POST"])
def contact_edit(contact_id: int) -> BaseResponse | str | tuple[str, int]:
    """Change who a contact is."""
    with parts().db.reading() as (session, _now):
        found = find(session, contact_id)
    if request.method != "POST":
        return render_template("staff/contacts/edit.html", form=ContactForm(obj=found), contact=found)
    form = ContactForm(request.form)
    if not form.validate():
        return render_template("staff/contacts/edit.html", form=form, contact=found), 422
    try:
        with parts().db.transaction() as (session, now):
            saved = actions.edit(session, now, contact_id, version=form.read_version, actor=actor(), **_values(form))
            moved = saved.email_key != found.email_key
        return done("staff.contact", "contact-readdressed" if moved else "contact-saved", contact_id=contact_id)
    except ChangedMeanwhile:
        return _conflict(form, contact_id)
    except actions.AddressTaken as taken:
        form.email.errors = [_taken(taken)]
    except actions.MailboxHoldsSeat:
        form.functional.errors = [
            _("This contact holds a seat. A seat is personal, so a mailbox of several people cannot hold one: end the"
              " seat first, or add the mailbox as a contact of its own.")
        ]  # fmt: skip
    return render_template("staff/contacts/edit.html", form=form, contact=found), 409


def find(session: Session, contact_id: int) -> Contact:
    """The contact of a page; 404 where there is none."""
    try:
        return questions.by_id(session, contact_id)
    except UnknownSubject:
        abort(404)


def address(endpoint: str, **values: Any) -> str:
    """The address of a page in the language that is kept."""
    return url_for(endpoint, **(values | kept_language()))


def changed_by_other(session: Session, form: VersionedForm, contact: Contact) -> dict[str, str]:
    """Who saved first and when, for `staff.conflict`; saving the form again is then on purpose."""
    form.version.data = str(contact.version)
    change = shown.last_change(session, contact.id)
    if change is None:
        return {"who": _("Somebody"), "when": _("just now")}
    return {"who": change.who, "when": wording.moment(change.at)}


def _conflict(form: ContactForm, contact_id: int) -> tuple[str, int]:
    with parts().db.reading() as (session, _now):
        found = find(session, contact_id)
        conflict = changed_by_other(session, form, found)
    told = {"language": LANGUAGES[found.language], "functional": _("yes") if found.functional else _("no")}
    present = [(form[name].label.text, told.get(name, getattr(found, name)) or "–") for name in _FIELDS
               if form[name].data != getattr(found, name)]  # fmt: skip
    return render_template(
        "staff/contacts/edit.html", form=form, contact=found, conflict=conflict, present=present
    ), 409


_FIELDS = ("name", "email", "telephone", "language", "functional")


def _values(form: ContactForm) -> dict[str, Any]:
    return {name: form[name].data for name in _FIELDS} | {"telephone": form.telephone.data or ""}


def _taken(taken: actions.AddressTaken) -> Markup:
    """That somebody has the address, with the way there."""
    link = Markup('<a href="{}">{}</a>').format(address("staff.contact", contact_id=taken.contact_id), taken.name)
    sentence = (
        _("This is the address of %(contact)s, who left. Is it the same person? Then take that one back.", contact=link)
        if taken.left
        else _("This is the address of %(contact)s already. Change that one, or type another address.", contact=link)
    )
    return Markup(sentence)  # noqa: S704 - the name in it is escaped above
