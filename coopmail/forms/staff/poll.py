"""A poll as staff write it, all but its options: each field by itself. `written_poll` puts them together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from wtforms import (
    BooleanField,
    Form,
    HiddenField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, Optional, Regexp

from coopmail.actions.poll_entry import (
    FARTHEST_REMINDER,
    LONGEST_LINE,
    LONGEST_SLUG,
    LONGEST_TEXT,
    MOST_MINUTES,
    MOST_REMINDERS,
    SHARE,
    SLUG,
)
from coopmail.domain.counting import ShareOf
from coopmail.forms.kind import lazy, tidy
from coopmail.forms.staff import poll_choices as words
from coopmail.forms.staff.poll_choices import offer
from coopmail.forms.staff.texts import plain, several_lines

_NONE = lazy("Choose one")
_LONG_LINE = lazy("Keep this under 200 characters.")
_LONG_TEXT = lazy("Keep this under 20,000 characters.")


def _line(label: str, missing: str = "") -> StringField:
    wanted = [DataRequired(missing)] if missing else []
    return StringField(label, filters=[tidy], validators=[*wanted, Length(max=LONGEST_LINE, message=_LONG_LINE), plain])


def _text(label: str, missing: str = "") -> TextAreaField:
    wanted = [DataRequired(missing)] if missing else []
    return TextAreaField(
        label, filters=[several_lines], validators=[*wanted, Length(max=LONGEST_TEXT, message=_LONG_TEXT), plain]
    )


def _one_of(label: str, choices: dict[Any, str], missing: str) -> RadioField:
    values = [str(value) for value in choices]
    return RadioField(
        label, choices=offer(choices), validate_choice=False,
        validators=[InputRequired(missing), AnyOf(values, message=missing)],
    )  # fmt: skip


def _days(text: str | None) -> str:
    return ", ".join(re.split(r"[\s,;]+", text.strip(" ,;"))) if text else ""


def day_of(text: str | None) -> date | None:
    """A day as a browser sends it ("2026-12-04") or as a person types it ("4/12/2026"); `None` for any other text."""
    typed = re.fullmatch(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})", text or "")
    try:
        return date(int(typed[3]), int(typed[2]), int(typed[1])) if typed else date.fromisoformat(text or "")
    except ValueError:
        return None


def hour_of(text: str | None) -> time | None:
    """A time of the clock: "17:00", "17.30", "17u", "17"; `None` for any other text."""
    typed = re.fullmatch(r"([01]?[0-9]|2[0-3])(?:[:.uh]([0-5][0-9])?(?::00)?)?", (text or "").replace(" ", ""))
    return time(int(typed[1]), int(typed[2] or 0)) if typed else None


def _offered(found: SelectField) -> bool:
    return found.data in [choice.value for choice in found.iter_choices()]  # type: ignore[attr-defined] # 3.2's stubs


class PollForm(Form):
    """All of a poll but its options and its documents."""

    version = HiddenField()
    copied_from = HiddenField()
    title_nl = _line(lazy("Question in Dutch"), lazy("Type the question, in Dutch."))
    title_en = _line(lazy("Question in English (optional)"))
    slug = StringField(
        lazy("Short name (optional)"), filters=[tidy],
        validators=[Optional(), Length(max=LONGEST_SLUG, message=lazy("Keep the short name under 80 characters.")),
                    Regexp(SLUG, message=lazy("Use small letters, digits and hyphens, as in krantenarchief-2027."))],
    )  # fmt: skip
    summary_nl = _text(lazy("In short, in Dutch"), lazy("Say in a few sentences what this is about, in Dutch."))
    summary_en = _text(lazy("In short, in English (optional)"))
    more_nl = _text(lazy("More, in Dutch (optional)"))
    more_en = _text(lazy("More, in English (optional)"))
    next_step_nl = _text(lazy("What happens next, in Dutch"), lazy("Say what happens with the answer, in Dutch."))
    next_step_en = _text(lazy("What happens next, in English (optional)"))
    minutes = StringField(lazy("How many minutes answering takes"), filters=[tidy], default="2")
    group = SelectField(lazy("Group that asks"), validate_choice=False)
    audience = _one_of(lazy("Who is asked"), words.AUDIENCES, lazy("Choose who is asked."))
    service = SelectField(lazy("Which service"), validate_choice=False)
    saved_audience = SelectField(lazy("Which saved audience"), validate_choice=False)
    effect = _one_of(lazy("What the outcome does"), words.EFFECTS, lazy("Choose what the outcome does."))
    visibility = _one_of(lazy("Who can read the question and the outcome"), words.VISIBILITIES,
                         lazy("Choose who can read the question and the outcome."))  # fmt: skip
    secret = BooleanField(lazy("A secret vote: after closing, nobody can tell who chose what"))
    method = _one_of(lazy("What a voter may choose"), words.METHODS, lazy("Choose what a voter may mark."))
    majority = _one_of(lazy("Majority"), words.MAJORITIES, lazy("Choose a majority."))
    share = StringField(
        lazy("Share of a qualified majority"), filters=[tidy], default="2/3",
        validators=[Regexp(SHARE, message=lazy("Type a fraction, as in 2/3."))],
    )  # fmt: skip
    share_of = SelectField(lazy("The majority is a share of"), choices=offer(words.SHARES_OF),
                           validate_choice=False, default=ShareOf.VALID.value)  # fmt: skip
    quorum = StringField(
        lazy("Quorum (optional)"), filters=[tidy],
        validators=[Optional(), Regexp(SHARE, message=lazy("Type a fraction, as in 1/4, or leave it empty."))],
    )  # fmt: skip
    tie = _one_of(lazy("At equal votes"), words.TIES, lazy("Choose what happens at equal votes."))
    closes_day = StringField(lazy("Last day"), filters=[tidy])
    closes_hour = StringField(lazy("Hour of closing, in Brussels"), filters=[tidy])
    reminder_days = StringField(lazy("Reminders, in days before closing"), filters=[_days])
    with_documents = BooleanField(lazy("Take its documents along"))

    def validate_minutes(self, found: StringField) -> None:
        """A whole number, and not an endless one."""
        if not re.fullmatch("[1-9][0-9]{0,2}", found.data or "") or int(found.data or "0") > MOST_MINUTES:
            raise ValidationError(lazy("Type a number of minutes, from 1 to 120."))

    def validate_closes_day(self, found: StringField) -> None:
        """A day of the calendar."""
        if day_of(found.data) is None:
            raise ValidationError(lazy("Choose the day on which the poll closes, as in 4/12/2026."))

    def validate_closes_hour(self, found: StringField) -> None:
        """A time of the clock."""
        if hour_of(found.data) is None:
            raise ValidationError(lazy("Type the hour at which the poll closes, as in 17:00."))

    def validate_reminder_days(self, found: StringField) -> None:
        """Whole days, each once, not too many."""
        days = (found.data or "").split(", ") if found.data else []
        right = all(day.isdecimal() and 1 <= int(day[:4]) <= FARTHEST_REMINDER for day in days)
        if not right or len(days) > MOST_REMINDERS:
            raise ValidationError(lazy("Type at most ten numbers of days from 1 to 90, as in 7, 3, 1."))

    def validate_share_of(self, found: SelectField) -> None:
        """One of those there are."""
        if found.data not in list(ShareOf):
            raise ValidationError(_NONE)

    def validate_group(self, found: SelectField) -> None:
        """One of those there are."""
        if not found.data or not _offered(found):
            raise ValidationError(lazy("Choose the group that asks."))

    def validate_service(self, found: SelectField) -> None:
        """One of those there are, or none."""
        if found.data and not _offered(found):
            raise ValidationError(lazy("Choose a service from the list."))

    def validate_saved_audience(self, found: SelectField) -> None:
        """One of those there are, or none."""
        if found.data and not _offered(found):
            raise ValidationError(lazy("Choose a saved audience from the list."))


@dataclass(frozen=True)
class Choices:
    """The groups, services and saved audiences there are: what an entry calls each, and its name."""

    groups: dict[str, str]
    services: dict[str, str]
    audiences: dict[str, str]
