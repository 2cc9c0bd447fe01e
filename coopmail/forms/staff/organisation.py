"""What staff write of an organisation: its facts, what it takes, its end, and organisations that become one or two."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from wtforms import (
    BooleanField,
    Field,
    Form,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # the stubs are of 3.2
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from coopmail.actions.mergers import Share
from coopmail.actions.organisations import Facts
from coopmail.actions.subscriptions import Terms
from coopmail.domain import cells
from coopmail.domain.cells import CellWrong
from coopmail.domain.organisations import PROVINCES, Organisation, OrganisationKind
from coopmail.domain.services import Subscription
from coopmail.forms.kind import lazy, one_line, tidy
from coopmail.forms.staff.contact import VersionedForm
from coopmail.forms.staff.poll import day_of
from coopmail.forms.staff.sheet_words import WRONG
from coopmail.forms.staff.texts import plain

KINDS: dict[str, str] = {
    OrganisationKind.LIBRARY: lazy("Library"),
    OrganisationKind.CULTURE_CENTRE: lazy("Culture or community centre"),
    OrganisationKind.BODY: lazy("Another body of the field"),
}


def reads(reader: Callable[[str], Any]) -> Callable[[Form, Field], None]:
    """A validator that asks the reader of an import's cells, so that a form and a file take the same."""

    def check(_form: Form, found: Field) -> None:
        try:
            if found.data:
                reader(found.data)
        except CellWrong as wrong:
            raise ValidationError(str(WRONG[wrong.code]) % wrong.values) from wrong

    return check


def offered(message: str) -> Callable[[Form, Field], None]:
    """A validator that takes what the form offers and nothing else, and says what to do."""

    def check(_form: Form, found: Field) -> None:
        known = {str(choice.value) for choice in found.iter_choices()}  # type: ignore[attr-defined] # a select
        chosen = found.data if isinstance(found.data, list) else [found.data]
        if not {str(value) for value in chosen} <= known - {""}:
            raise ValidationError(message)

    return check


def a_day(_form: Form, found: Field) -> None:
    """A day of the calendar, as a browser sends it or as a person types it."""
    if found.data and day_of(found.data) is None:
        raise ValidationError(lazy("Type a day, such as 31/12/2026."))


def _population(label: str) -> StringField:
    return StringField(label, filters=[tidy],
                       validators=[DataRequired(lazy("Type the number of inhabitants, such as 14000.")),
                                   reads(cells.population)])  # fmt: skip


def _name() -> StringField:
    return StringField(lazy("Name"), filters=[tidy],
                       validators=[DataRequired(lazy("Type the name.")), reads(cells.organisation_name)])  # fmt: skip


class OrganisationForm(VersionedForm):
    """The facts of an organisation."""

    name = _name()
    kind = RadioField(
        lazy("What it is"),
        choices=[SelectChoice(key, label) for key, label in KINDS.items()],
        validate_choice=False,
        validators=[InputRequired(lazy("Choose what it is.")), offered(lazy("Choose what it is."))],
    )
    municipality = StringField(
        lazy("Municipality"), filters=[tidy],
        validators=[DataRequired(lazy("Type the municipality.")), Length(max=200), one_line],
    )  # fmt: skip
    province = SelectField(
        lazy("Province"),
        choices=[SelectChoice("", lazy("Choose a province")), *(SelectChoice(name, name) for name in PROVINCES)],
        validate_choice=False,
        validators=[offered(lazy("Choose a province."))],
    )
    population = _population(lazy("Inhabitants"))
    code = StringField(lazy("Code (optional)"), filters=[tidy], validators=[Optional(), reads(cells.short(40))])
    regional = BooleanField(lazy("Regional library"))
    big_city = BooleanField(lazy("Library of a big city"))

    @property
    def facts(self) -> Facts:
        """What the form says, once it is valid."""
        return Facts(
            name=self.name.data or "", kind=OrganisationKind(self.kind.data), municipality=self.municipality.data or "",
            province=self.province.data, population=cells.population(self.population.data or ""),
            regional=bool(self.regional.data), big_city=bool(self.big_city.data), code=self.code.data or None,
        )  # fmt: skip


class MarkedForm(OrganisationForm):
    """The same, and of which services it is a pilot."""

    pilots = SelectMultipleField(
        lazy("Pilot library of"), choices=[], validate_choice=False,
        validators=[offered(lazy("Tick services of this list only."))],
    )  # fmt: skip

    @property
    def pilot_of(self) -> set[int]:
        """The services that are ticked, once the form is valid."""
        return {int(key) for key in self.pilots.data or ()}

    @classmethod
    def of(cls, organisation: Organisation, pilots: list[int]) -> MarkedForm:
        """The form as an organisation stands."""
        return cls(
            version=str(organisation.version), name=organisation.name, kind=organisation.kind.value,
            municipality=organisation.municipality, province=organisation.province,
            population=str(organisation.population), code=organisation.code or "", regional=organisation.regional,
            big_city=organisation.big_city, pilots=[str(key) for key in pilots],
        )  # fmt: skip


class SubscriptionForm(VersionedForm):
    """What is taken: from when until when, under which contract, at what price."""

    starts_on = StringField(
        lazy("First day"), filters=[tidy], validators=[DataRequired(lazy("Type the first day.")), a_day]
    )
    ends_on = StringField(lazy("Last day (optional)"), filters=[tidy], validators=[Optional(), a_day])
    contract_reference = StringField(
        lazy("Contract (optional)"), filters=[tidy], validators=[Optional(), reads(cells.short(60))]
    )
    price = StringField(
        lazy("Price a year, excl. VAT (optional)"), filters=[tidy], validators=[Optional(), reads(cells.price)]
    )

    @property
    def terms(self) -> Terms:
        """What the form says, once it is valid."""
        starts = day_of(self.starts_on.data)
        assert starts is not None
        cents = cells.price(self.price.data) if self.price.data else 0
        return Terms(starts, day_of(self.ends_on.data), self.contract_reference.data or "", cents)

    @classmethod
    def of(cls, row: Subscription, version: int) -> SubscriptionForm:
        """The form as a subscription stands."""
        return cls(
            version=str(version), starts_on=row.starts_on.isoformat(), contract_reference=row.contract_reference,
            ends_on=row.ends_on.isoformat() if row.ends_on is not None else "", price=typed_price(row.price_cents),
        )  # fmt: skip


class NewSubscriptionForm(SubscriptionForm):
    """The same for a service that is not taken yet."""

    service = SelectField(
        lazy("Service"), choices=[], validate_choice=False, validators=[offered(lazy("Choose a service."))]
    )


class LastDayForm(VersionedForm):
    """On which day something ends."""

    day = StringField(lazy("Last day"), filters=[tidy], validators=[DataRequired(lazy("Type the last day.")), a_day])

    @property
    def last(self) -> date:
        """That day, once the form is valid."""
        found = day_of(self.day.data)
        assert found is not None
        return found


class MergerForm(Form):
    """Which two become one, which of them goes on, under what name."""

    other = SelectField(
        lazy("Becomes one with"),
        choices=[],
        validate_choice=False,
        validators=[offered(lazy("Choose the other organisation."))],
    )
    goes_on = RadioField(
        lazy("Which of the two goes on?"),
        choices=[SelectChoice("this", lazy("This one")), SelectChoice("other", lazy("The other one"))],
        validate_choice=False,
        validators=[offered(lazy("Say which of the two goes on."))],
    )
    name = StringField(
        lazy("New name (optional)"), filters=[tidy], validators=[Optional(), reads(cells.organisation_name)]
    )
    population = StringField(
        lazy("Inhabitants together (optional)"), filters=[tidy], validators=[Optional(), reads(cells.population)]
    )


class SplitForm(OrganisationForm):
    """The facts of the new organisation, and how many inhabitants the old one keeps."""

    remaining = _population(lazy("Inhabitants that stay with the old one"))


SHARES: dict[str, str] = {
    Share.STAYS: lazy("stays"),
    Share.MOVES: lazy("moves along"),
    Share.BOTH: lazy("is with both"),
}


class JoinForm(Form):
    """Why an organisation is added to a poll that is open."""

    reason = TextAreaField(
        lazy("Why is it added?"), filters=[lambda text: (text or "").strip()],
        validators=[DataRequired(lazy("Say why: the record keeps it.")),
                    Length(max=1000, message=lazy("Keep the reason under 1,000 characters.")), plain],
    )  # fmt: skip


def typed_price(cents: int) -> str:
    """An amount as a person types it."""
    return f"{cents // 100},{cents % 100:02}"
