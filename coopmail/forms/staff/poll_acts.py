"""What staff type when they extend, close, withdraw or decide a poll."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time, timedelta

from wtforms import Form, HiddenField, StringField, TextAreaField, ValidationError
from wtforms.validators import DataRequired, Length

from coopmail.domain.calendar import BRUSSELS, in_brussels
from coopmail.forms.kind import Data, lazy, tidy
from coopmail.forms.staff.texts import plain

LONGEST = timedelta(days=366)
"""A poll that would be open for longer is a slip of the keys."""
_HOUR = re.compile(r"([01]?[0-9]|2[0-3])(?:[:.hu]([0-5][0-9]))?")


def trim(text: str | None) -> str:
    """Lines as typed, in NFC, without white space around them."""
    return unicodedata.normalize("NFC", (text or "").replace("\r\n", "\n")).strip()


class ConfirmForm(Form):
    """Nothing but the button."""

    def __init__(self, _now: datetime, formdata: Data | None) -> None:
        super().__init__(formdata)


class ExtendForm(Form):
    """The new closing time, in Brussels; the present one is filled in, and is not later than itself.

    `closes_at` is what was typed, as a moment, once that could be read; `warnings` is what the page says of it.

    `minded` is the time of which a warning was shown, so that the same time sent again is meant; `version` is that of
    the poll as the page showed it.
    """

    day = StringField(lazy("New closing day"), filters=[tidy], validators=[DataRequired(lazy("Choose a day."))])
    hour = StringField(
        lazy("Hour, in Brussels"), filters=[tidy], validators=[DataRequired(lazy("Type an hour, such as 17:00."))]
    )
    version = HiddenField()
    minded = HiddenField()

    def __init__(self, now: datetime, formdata: Data | None, *, closes_at: datetime, version: int) -> None:
        local = closes_at.astimezone(BRUSSELS)
        super().__init__(formdata, day=local.date().isoformat(), hour=f"{local:%H:%M}", version=str(version))
        self._now, self._present = now, closes_at
        self.closes_at: datetime | None = None
        self.warnings: list[str] = []

    @property
    def meant(self) -> bool:
        """Whether a warning about this very time was shown before."""
        return self.closes_at is not None and bool(self.minded.data == self.closes_at.isoformat())

    @property
    def read_version(self) -> int:
        """The version that the page showed; none of a poll's where somebody sent something else."""
        text = self.version.data or ""
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0

    def validate_day(self, field: StringField) -> None:
        """A day of the calendar."""
        try:
            date.fromisoformat(field.data or "")
        except ValueError as error:
            raise ValidationError(lazy("Choose a day, or type it as 2026-12-31.")) from error

    def validate_hour(self, field: StringField) -> None:
        """A time that exists on that day, later than the present closing time and than now."""
        found = _HOUR.fullmatch((field.data or "").lower())
        if found is None:
            raise ValidationError(lazy("Type an hour, such as 17:00."))
        if self.day.errors:
            return
        try:
            hour = time(int(found[1]), int(found[2] or 0))
            self.closes_at = wanted = in_brussels(date.fromisoformat(self.day.data or ""), hour)
        except (ValueError, OverflowError) as error:
            raise ValidationError(lazy("The clocks skip this hour on that day: choose another.")) from error
        if wanted <= self._now:
            raise ValidationError(lazy("This time has passed: choose a later one."))
        if wanted > self._now + LONGEST:
            raise ValidationError(lazy("This is more than a year away: choose an earlier day."))
        if wanted <= self._present:
            raise ValidationError(lazy("This is not later than the present closing time: choose a later one."))


class CloseForm(Form):
    """Why it is closed before its time, for the record."""

    reason = TextAreaField(
        lazy("Why now? (optional)"),
        filters=[trim],
        validators=[Length(max=1000, message=lazy("Keep it under 1000 characters.")), plain],
    )

    def __init__(self, _now: datetime, formdata: Data | None) -> None:
        super().__init__(formdata)


class WithdrawForm(Form):
    """Why it is withdrawn: everybody who was asked reads it."""

    reason = TextAreaField(
        lazy("The reason, in Dutch"),
        filters=[trim],
        validators=[
            DataRequired(lazy("Type the reason: everybody who was asked reads it.")),
            Length(max=2000, message=lazy("Keep it under 2000 characters.")),
            plain,
        ],
    )

    def __init__(self, _now: datetime, formdata: Data | None) -> None:
        super().__init__(formdata)


def _title(label: str, *validators: object) -> StringField:
    longest = Length(max=200, message=lazy("Keep the title under 200 characters."))
    return StringField(label, filters=[tidy], validators=[*validators, longest, plain])


def _text(label: str, *validators: object) -> TextAreaField:
    longest = Length(max=20_000, message=lazy("Keep it under 20,000 characters."))
    return TextAreaField(label, filters=[trim], validators=[*validators, longest])


class DecideForm(Form):
    """The decision that rests on a poll: its title and text in both languages, and its grounds."""

    title_nl = _title(lazy("Title, in Dutch"), DataRequired(lazy("Type the title of the decision, in Dutch.")))
    title_en = _title(lazy("Title, in English (optional)"))
    text_nl = _text(lazy("What is decided, in Dutch"), DataRequired(lazy("Type what is decided, in Dutch.")))
    text_en = _text(lazy("What is decided, in English (optional)"))
    grounds = _text(lazy("On what grounds, in Dutch"), DataRequired(lazy("Type on what the decision rests.")))

    def __init__(self, _now: datetime, formdata: Data | None, **beforehand: str) -> None:
        super().__init__(formdata, data=beforehand)
