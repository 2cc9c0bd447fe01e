"""What staff write of a decision: of a meeting, or of one that rests on a poll; and why one is withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from wtforms import (
    Field,
    Form,
    HiddenField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # the stubs are of 3.2
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length

from coopmail.actions.decisions import OF_THE_POLL, Words
from coopmail.domain.decisions import Decision
from coopmail.domain.groups import Group
from coopmail.domain.polls import Visibility
from coopmail.forms.kind import Data, lazy, tidy
from coopmail.forms.staff.files import DocumentsField
from coopmail.forms.staff.poll import day_of
from coopmail.forms.staff.texts import plain, several_lines

FIRST_YEAR = 1900
"""What lies before was mistyped."""
MOST = 100_000
"""Persons in a room."""
VOTES = ("votes_for", "votes_against", "abstained")


def _line(label: Any, *first: Callable[..., None]) -> StringField:
    long = Length(max=200, message=lazy("Keep the title under 200 characters."))
    return StringField(label, filters=[tidy], validators=[*first, long, plain])


def _text(label: Any, *first: Callable[..., None]) -> TextAreaField:
    long = Length(max=20_000, message=lazy("Keep the text under 20,000 characters: send the rest as a document."))
    return TextAreaField(label, filters=[several_lines], validators=[*first, long, plain])


def _short(label: Any, *first: Callable[..., None]) -> StringField:
    return StringField(label, filters=[lambda text: (text or "").strip()], validators=[*first])


class VersionForm(Form):
    """Whatever is changed by a form says which version it read."""

    version = HiddenField()

    @property
    def read_version(self) -> int:
        """The version from which an edit began; 0 where the field holds none."""
        text = self.version.data or ""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


class MeetingForm(Form):
    """Who decided, when, and how they voted."""

    group = SelectField(lazy("Which group decided?"), validators=[DataRequired(lazy("Choose the group that decided."))],
                        validate_choice=False)  # fmt: skip
    decided_on = _short(lazy("On which day?"), DataRequired(lazy("Type the day of the meeting, as in 4/12/2026.")))
    present = _short(lazy("Present"))
    votes_for = _short(lazy("For"))
    votes_against = _short(lazy("Against"))
    abstained = _short(lazy("Abstained"))
    groups: frozenset[str]
    today: date

    def validate_group(self, field: SelectField) -> None:
        """One of the groups there are."""
        if field.data not in self.groups:
            raise ValidationError(lazy("Choose the group that decided."))

    def validate_decided_on(self, field: StringField) -> None:
        """A day, and none to come."""
        day = day_of(field.data)
        if day is None:
            raise ValidationError(lazy("Type the day of the meeting, as in 4/12/2026."))
        if day > self.today:
            raise ValidationError(lazy("This day is yet to come: a decision is recorded after it was taken."))
        if day.year < FIRST_YEAR:
            raise ValidationError(lazy("Look at the year: it lies before 1900."))

    def validate_present(self, field: StringField) -> None:
        """How many were there: wanted where votes were counted."""
        count = read_number(field)
        if count == 0:
            raise ValidationError(lazy("Somebody was there: type how many, or leave it empty."))
        if count is None and any(self[name].data for name in VOTES):
            raise ValidationError(lazy("Type how many were present: the votes are held against it."))

    def validate_votes_for(self, field: StringField) -> None:
        """All three counts or none, and together no more than who was there."""
        self._count(field)
        present, *votes = (_known(self[name]) for name in ("present", *VOTES))
        if present and None not in votes and sum(vote or 0 for vote in votes) > present:
            raise ValidationError(lazy("For, against and abstained are more together than who was present."))

    def validate_votes_against(self, field: StringField) -> None:
        """All three counts or none."""
        self._count(field)

    def validate_abstained(self, field: StringField) -> None:
        """All three counts or none."""
        self._count(field)

    def _count(self, field: StringField) -> None:
        if read_number(field) is None and any(self[name].data for name in VOTES):
            raise ValidationError(lazy("Type a number here too, 0 if nobody; or leave all three empty."))

    def meeting(self) -> dict[str, Any]:
        """Who decided, when and how, once the form is valid."""
        numbers = {name: _known(self[name]) for name in ("present", *VOTES)}
        return {"group_id": int(self.group.data), "decided_on": day_of(self.decided_on.data), **numbers}


class TextsForm(VersionForm):
    """What was decided, who may read it, and the documents that belong to it."""

    title_nl = _line(lazy("Title in Dutch"), DataRequired(lazy("Type a title in Dutch.")))
    text_nl = _text(lazy("What was decided, in Dutch"), DataRequired(lazy("Type in Dutch what was decided.")))
    visibility = RadioField(
        lazy("Who may read it?"),
        choices=[
            SelectChoice("participants", lazy("Only inside: it is on no public page")),
            SelectChoice("public", lazy("Everybody: it stands on the public list of decisions")),
        ],
        validate_choice=False,
        validators=[
            InputRequired(lazy("Say who may read it.")),
            AnyOf(["participants", "public"], message=lazy("Choose one of the two.")),
        ],
    )
    attachments = DocumentsField(lazy("Documents (optional)"))
    removed = SelectMultipleField(lazy("Documents to remove"), coerce=int, validate_choice=False)
    grounds = _text(lazy("On what grounds (optional)"))
    title_en = _line(lazy("Title in English (optional)"))
    text_en = _text(lazy("What was decided, in English (optional)"))

    def texts(self) -> dict[str, Any]:
        """What was decided, once the form is valid."""
        names = ("title_nl", "title_en", "text_nl", "text_en", "grounds")
        texts: dict[str, Any] = {name: self[name].data or "" for name in names}
        return {**texts, "visibility": Visibility(self.visibility.data)}


class DecisionForm(MeetingForm, TextsForm):
    """A decision of a meeting."""

    def __init__(self, formdata: Data | None, groups: Sequence[Group], today: date, **values: Any) -> None:
        super().__init__(formdata, **values)
        self.today, self.groups = today, frozenset(str(group.id) for group in groups)
        self.group.choices = [("", lazy("Choose a group")), *((str(group.id), group.name) for group in groups)]

    @property
    def words(self) -> Words:
        """What is written, once the form is valid."""
        return Words(**self.meeting(), **self.texts())


class PollDecisionForm(TextsForm):
    """A decision that rests on a poll, which has the group, the day and the votes; its grounds are wanted."""

    grounds = _text(lazy("On what grounds"), DataRequired(lazy("Type on what grounds it was decided.")))

    def __init__(self, formdata: Data | None, decision: Decision, **values: Any) -> None:
        super().__init__(formdata, **values)
        self.decision = decision

    @property
    def words(self) -> Words:
        """What is written, once the form is valid."""
        return Words(**{name: getattr(self.decision, name) for name in OF_THE_POLL}, **self.texts())


class WithdrawalForm(VersionForm):
    """Why a decision does not stand."""

    reason = TextAreaField(
        lazy("Why is it withdrawn?"),
        filters=[several_lines],
        validators=[
            DataRequired(lazy("Type why: it stands on the decision's page.")),
            Length(max=2_000, message=lazy("Keep the reason under 2,000 characters.")),
            plain,
        ],
    )


def values_of(decision: Decision) -> dict[str, Any]:
    """A decision as the form holds it."""
    numbers = {name: getattr(decision, name) for name in ("present", *VOTES)}
    texts = {name: getattr(decision, name) for name in ("title_nl", "title_en", "text_nl", "text_en", "grounds")}
    return {
        **texts,
        **{name: "" if number is None else str(number) for name, number in numbers.items()},
        "group": str(decision.group_id),
        "decided_on": decision.decided_on.isoformat(),
        "visibility": decision.visibility.value,
        "version": str(decision.version),
    }


def read_number(field: Field) -> int | None:
    """A number as typed; `None` for nothing. Raises `ValidationError`."""
    text = field.data or ""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 9 or int(text) > MOST:
        raise ValidationError(lazy("Type a whole number, such as 7; 0 if there was nobody."))
    return int(text)


def _known(field: Field) -> int | None:
    """The number, or `None` also where it is none: then its own field says so."""
    try:
        return read_number(field)
    except ValidationError:
        return None
