"""Not the right person? Name the right one; and the page on which that one confirms."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from wtforms import EmailField, Form, RadioField, StringField, TelField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # the stubs are of 3.2
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, Optional, Regexp

from coopmail.actions import nominations
from coopmail.actions.basis import Basis
from coopmail.actions.representations import stood_for
from coopmail.clock import Clock
from coopmail.domain.contacts import Nomination, valid_address
from coopmail.domain.links import Invitation
from coopmail.forms.kind import Data, Kind, Page, lazy, one_line, tidy


def _name(label: Any, missing: Any) -> StringField:
    return StringField(
        label,
        filters=[tidy],
        validators=[
            DataRequired(missing),
            Length(max=120, message=lazy("Keep the name under 120 characters.")),
            one_line,
        ],
    )


def an_address(_form: Form, field: EmailField) -> None:
    """An address that mail can be sent to; look-alike letters of another script are refused."""
    try:
        field.data = valid_address(field.data or "")
    except ValueError as error:
        raise ValidationError(
            lazy("Type one e-mail address with an @, such as naam@bibliotheek.be, in ordinary letters.")
        ) from error


class NominationForm(Form):
    """Who is the right person, and whether you go or stay."""

    name = _name(lazy("Name of the right person"), lazy("Type the name of the right person."))
    email = EmailField(
        lazy("E-mail address of that person"),
        validators=[DataRequired(lazy("Type the e-mail address of the right person.")), an_address],
    )
    role = RadioField(
        lazy("And you?"),
        choices=[
            SelectChoice("replaces", lazy("That person takes my place. My own links end once it is confirmed.")),
            SelectChoice("beside", lazy("We both stay: whoever answers last before closing, counts.")),
        ],
        validate_choice=False,
        validators=[
            InputRequired(lazy("Say whether that person takes your place, or joins you.")),
            AnyOf(["replaces", "beside"], message=lazy("Choose one of the two.")),
        ],
    )


class ContactDetailsForm(Form):
    """The named person's own details, typed by that person."""

    answer = RadioField(
        lazy("Are you the right person?"),
        choices=[
            SelectChoice("accept", lazy("Yes, mail me")),
            SelectChoice("decline", lazy("No, it is somebody else")),
        ],
        validate_choice=False,
        validators=[
            InputRequired(lazy("Say whether you are the right person.")),
            AnyOf(["accept", "decline"], message=lazy("Choose one of the two.")),
        ],
    )
    name = StringField(
        lazy("Your name"),
        filters=[tidy],
        validators=[Length(max=120, message=lazy("Keep your name under 120 characters.")), one_line],
    )
    language = RadioField(
        lazy("In which language do you want our mails?"),
        choices=[SelectChoice("nl", "Nederlands"), SelectChoice("en", "English")],
        validate_choice=False,
    )
    telephone = TelField(
        lazy("Telephone number (optional)"),
        filters=[tidy],
        validators=[
            Optional(),
            Regexp(
                r"[+0-9][0-9 ./()-]{5,29}",
                message=lazy("Type a telephone number in digits, such as 02 123 45 67."),
            ),
        ],
    )

    def validate_name(self, field: StringField) -> None:
        """Who says yes also says who that is."""
        if self.answer.data == "accept" and not field.data:
            raise ValidationError(lazy("Type your name."))

    def validate_language(self, field: RadioField) -> None:
        """Who says yes also says in which language."""
        if self.answer.data == "accept" and field.data not in ("nl", "en"):
            raise ValidationError(lazy("Choose a language."))


def read(session: Session, invitation: Invitation, _now: datetime, _basis: Basis) -> Page:
    """Who named this person, for which organisation, and whether that was answered."""
    nomination = invitation.nomination
    assert nomination is not None
    still = stood_for(session, nomination.named_by, nomination.organisation_id, votes=True)
    facts = {"nomination": nomination}
    return Page(invitation, nomination.organisation.name, nomination.answered_at is None and still, facts)


def form(_page: Page, formdata: Data | None) -> ContactDetailsForm:
    """The form, empty or as it was sent."""
    return ContactDetailsForm(formdata)


def repeats(page: Page, form: Form) -> bool:
    """Whether the same was answered before."""
    assert isinstance(form, ContactDetailsForm)
    nomination: Nomination = page.facts["nomination"]
    contact = page.invitation.contact
    same = (contact.name, contact.language, contact.telephone) == (
        form.name.data, form.language.data, form.telephone.data or "",
    )  # fmt: skip
    accepts = form.answer.data == "accept"
    return nomination.accepted is not None and nomination.accepted == accepts and (same or not accepts)


def answer(session: Session, now: Clock, basis: Basis, page: Page, form: Form) -> None:
    """Confirm or decline."""
    assert isinstance(form, ContactDetailsForm)
    nominations.answer_nomination(
        session, now, basis, page.invitation.id,
        accepts=form.answer.data == "accept", name=form.name.data or "", language=form.language.data or "nl",
        telephone=form.telephone.data or "",
    )  # fmt: skip


CONTACT_DETAILS = Kind(
    name="contact-details",
    page="respond/contact-details.html",
    mails=("contact-details-invitation", "contact-details-answered"),
    read=read,
    form=form,
    answer=answer,
    repeats=repeats,
)
