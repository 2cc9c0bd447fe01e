"""What staff write of a contact: who it is, for whom it stands, until when it is away, and who takes over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import cast

from wtforms import (
    BooleanField,
    EmailField,
    Form,
    HiddenField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TelField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # the stubs are of 3.2
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, Optional, Regexp

from coopmail.domain.contacts import Mode
from coopmail.domain.services import Service
from coopmail.forms.contact_details import an_address
from coopmail.forms.kind import Data, lazy, one_line, tidy
from coopmail.forms.staff.poll import day_of
from coopmail.queries.contacts import Standing

NOBODY = "0"
"""The choice of no organisation: a person of the field."""
LONGEST_AWAY = 730
"""Days: what lies later was mistyped."""


class VersionedForm(Form):
    """A form that says which version of a contact its edit began from."""

    version = HiddenField()

    @property
    def read_version(self) -> int:
        """That version; 0 where the field holds none."""
        text = self.version.data or ""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


class ContactForm(VersionedForm):
    """A person, or a mailbox that several people read."""

    name = StringField(
        lazy("Name"), filters=[tidy],
        validators=[DataRequired(lazy("Type the name.")),
                    Length(max=120, message=lazy("Keep the name under 120 characters.")), one_line],
    )  # fmt: skip
    email = EmailField(
        lazy("E-mail address"), validators=[DataRequired(lazy("Type the address that mail goes to.")), an_address]
    )
    telephone = TelField(
        lazy("Telephone number (optional)"), filters=[tidy],
        validators=[
            Optional(),
            Regexp(r"[+0-9][0-9 ./()-]{5,29}",
                   message=lazy("Type a telephone number in digits, such as 02 123 45 67.")),
        ],
    )  # fmt: skip
    language = RadioField(
        lazy("Language of mails and pages"),
        choices=[SelectChoice("nl", "Nederlands"), SelectChoice("en", "English")],
        validate_choice=False,
        default="nl",
        validators=[AnyOf(["nl", "en"], message=lazy("Choose a language."))],
    )
    functional = BooleanField(lazy("This is a mailbox that several people read"))


class NewContactForm(ContactForm):
    """A contact that is added, and the first organisation that it stands for."""

    organisation = SelectField(lazy("Organisation"), validate_choice=False)
    mode = RadioField(
        lazy("For that organisation, this contact"),
        choices=[SelectChoice("votes", lazy("votes")), SelectChoice("reads", lazy("only reads along"))],
        validate_choice=False,
        default="votes",
        validators=[AnyOf(["votes", "reads"], message=lazy("Choose one of the two."))],
    )

    @property
    def organisation_id(self) -> int | None:
        """The organisation that was chosen; `None` for a person of the field."""
        return int(self.organisation.data) if self.organisation.data != NOBODY else None

    def validate_organisation(self, field: SelectField) -> None:
        """One of those there are, or none, on purpose."""
        if field.data not in {str(choice[0]) for choice in field.choices or ()} - {""}:
            raise ValidationError(lazy("Choose the organisation, or that there is none."))


class AwayForm(VersionedForm):
    """The last day of an absence; empty: back."""

    until = StringField(lazy("Last day out of office"), filters=[lambda text: (text or "").strip()])
    today: date

    def validate_until(self, field: StringField) -> None:
        """A day that is to come, within two years."""
        if not field.data:
            return
        day = self.day
        if day is None:
            raise ValidationError(lazy("Type a day, as in 31/12/2026, or leave it empty."))
        if day < self.today:
            raise ValidationError(lazy("That day is over: type the last day of the absence, or leave it empty."))
        if (day - self.today).days > LONGEST_AWAY:
            raise ValidationError(lazy("That is more than two years from now: look at the year."))

    @property
    def day(self) -> date | None:
        """The day that was typed."""
        return day_of(self.until.data)


class HandOverForm(Form):
    """Who takes over, and what."""

    name = StringField(
        lazy("Name of the successor"), filters=[tidy],
        validators=[DataRequired(lazy("Type the name of whoever takes over.")),
                    Length(max=120, message=lazy("Keep the name under 120 characters.")), one_line],
    )  # fmt: skip
    email = EmailField(
        lazy("E-mail address of the successor"),
        validators=[DataRequired(lazy("Type the address of whoever takes over.")), an_address],
    )
    organisations = SelectMultipleField(
        lazy("What is handed over"),
        validate_choice=False,
        validators=[InputRequired(lazy("Tick at least one organisation."))],
    )

    @property
    def chosen(self) -> list[int]:
        """The organisations that are ticked."""
        return [int(text) for text in self.organisations.data or () if text.isascii() and text.isdecimal()]

    def validate_organisations(self, field: SelectMultipleField) -> None:
        """Some of those that the contact stands for."""
        if not set(field.data or ()) <= {str(choice[0]) for choice in field.choices or ()}:
            raise ValidationError(lazy("Tick organisations of this contact only."))


GENERAL = (
    SelectChoice("votes", lazy("votes")),
    SelectChoice("reads", lazy("only reads along")),
    SelectChoice("none", lazy("neither")),
)
OF_SERVICE = (
    SelectChoice("general", lazy("as the general rule")),
    SelectChoice("votes", lazy("votes")),
    SelectChoice("reads", lazy("only reads along")),
)


class StandingForm(VersionedForm):
    """How a contact stands for one organisation: the general rule, then each service for which it is otherwise."""

    general = RadioField(
        lazy("General rule"), choices=list(GENERAL), validate_choice=False, default="none",
        validators=[AnyOf(["votes", "reads", "none"], message=lazy("Choose the general rule."))],
    )  # fmt: skip
    services: Sequence[Service] = ()

    def of_service(self, service: Service) -> RadioField:
        """The field of one service."""
        return cast("RadioField", self[f"service_{service.id}"])

    @property
    def standing(self) -> Standing:
        """What was chosen."""
        chosen: Standing = {}
        if self.general.data != "none":
            chosen[None] = Mode(self.general.data)
        for service in self.services:
            if (mode := self.of_service(service).data) != "general":
                chosen[service.id] = Mode(mode)
        return chosen


def standing_form(services: Sequence[Service], now: Standing, data: Data | None) -> StandingForm:
    """The form for these services, showing how things stand or what was sent."""
    fields = {
        f"service_{service.id}": RadioField(
            service.name, choices=list(OF_SERVICE), validate_choice=False,
            default=now[service.id].value if service.id in now else "general",
            validators=[AnyOf(["general", "votes", "reads"], message=lazy("Choose one of the three."))],
        )
        for service in services
    }  # fmt: skip
    made: type[StandingForm] = type("FilledStandingForm", (StandingForm,), {**fields, "services": services})
    return made(data, general=now[None].value if None in now else "none")
