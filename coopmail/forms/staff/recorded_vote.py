"""A vote by telephone or on paper, as staff type it; why one is removed or kept; and a call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time

from wtforms import BooleanField, Form, HiddenField, RadioField, StringField, TextAreaField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # the stubs are of 3.2
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length

from coopmail.domain.calendar import BRUSSELS, in_brussels
from coopmail.domain.polls import Ballot, Channel, Poll, VotingUnit
from coopmail.forms.ballot import MarksForm
from coopmail.forms.contest import lines
from coopmail.forms.kind import Data, lazy, one_line, tidy
from coopmail.forms.staff.texts import plain
from coopmail.queries.calls import Person

OTHER = "other"
"""Somebody who is not among the unit's contacts gave the vote."""
_HOUR = re.compile(r"([01]?[0-9]|2[0-3])(?:[:.hu]([0-5][0-9]))?")
_NUMBER = re.compile(r"[0-9]{1,9}")


def number(text: str | None) -> int:
    """What a hidden field holds; 0 where somebody sent something else."""
    return int(text) if text and _NUMBER.fullmatch(text) else 0


class RecordedVoteForm(MarksForm):
    """Who gave the vote, how, when, what, and how staff know. Only the moment is filled in: now, in Brussels.

    `over` is the version of the answer that the page showed, 0 for none; `replace` is ticked to put this one in its
    place.
    """

    giver = RadioField(
        lazy("Who gave the vote?"), validate_choice=False,
        validators=[InputRequired(lazy("Say who gave the vote."))],
    )  # fmt: skip
    name = StringField(
        lazy("Name of that other person"), filters=[tidy],
        validators=[Length(max=120, message=lazy("Keep the name under 120 characters.")), one_line],
    )  # fmt: skip
    channel = RadioField(
        lazy("How did the vote come?"),
        choices=[
            SelectChoice(Channel.TELEPHONE.value, lazy("By telephone")),
            SelectChoice(Channel.PAPER.value, lazy("On paper")),
        ],
        validate_choice=False,
        validators=[
            InputRequired(lazy("Say whether it came by telephone or on paper.")),
            AnyOf([Channel.TELEPHONE.value, Channel.PAPER.value], message=lazy("Choose one of the two.")),
        ],
    )
    day = StringField(lazy("On which day?"), filters=[tidy], validators=[DataRequired(lazy("Choose a day."))])
    hour = StringField(
        lazy("At what time, in Brussels?"), filters=[tidy],
        validators=[DataRequired(lazy("Type an hour, such as 17:00."))],
    )  # fmt: skip
    proof = TextAreaField(
        lazy("How do you know?"), filters=[lines],
        validators=[
            DataRequired(lazy("Say how you know: who rang which number, or where the paper is kept.")),
            Length(max=1000, message=lazy("Keep this under 1,000 characters.")), plain,
        ],
    )  # fmt: skip
    replace = BooleanField(lazy("Replace the answer that stands now"))
    over = HiddenField()

    def __init__(
        self, formdata: Data | None, *, poll: Poll, unit: VotingUnit, people: Sequence[Person], ballot: Ballot | None,
        now: datetime,
    ) -> None:  # fmt: skip
        local = now.astimezone(BRUSSELS)
        over = str(ballot.version) if ballot is not None else "0"
        super().__init__(formdata, day=local.date().isoformat(), hour=f"{local:%H:%M}", over=over)
        self.poll = poll
        self.given_at = now
        self.personal = unit.organisation_id is None
        self._people = {str(person.contact_id): person.name for person in people if not person.functional}
        choices = [SelectChoice(key, name) for key, name in self._people.items()]
        self.giver.choices = choices if self.personal else [*choices, SelectChoice(OTHER, lazy("Somebody else"))]
        if self.personal:
            del self.name
        if ballot is None:
            del self.replace

    @property
    def answered_by(self) -> str:
        """The name of whoever gave the vote."""
        return self._people.get(self.giver.data or "") or self.name.data or ""

    @property
    def read_version(self) -> int:
        """The version of the answer that the page showed; 0 where there was none."""
        return number(self.over.data)

    def validate_giver(self, field: RadioField) -> None:
        """One of those on the page."""
        if field.data not in self._people and (self.personal or field.data != OTHER):
            raise ValidationError(lazy("Choose one of the people on this page."))

    def validate_name(self, field: StringField) -> None:
        """Somebody else has a name."""
        if self.giver.data == OTHER and not field.data:
            raise ValidationError(lazy("Type the name of whoever gave the vote."))

    def validate_day(self, field: StringField) -> None:
        """A day of the calendar."""
        try:
            date.fromisoformat(field.data or "")
        except ValueError as error:
            raise ValidationError(lazy("Choose a day, or type it as 2026-12-31.")) from error

    def validate_hour(self, field: StringField) -> None:
        """A time that exists on that day. Whether the vote can have been given then, the action says."""
        found = _HOUR.fullmatch((field.data or "").lower())
        if found is None:
            raise ValidationError(lazy("Type an hour, such as 17:00."))
        if self.day.errors:
            return
        try:
            hour = time(int(found[1]), int(found[2] or 0))
            self.given_at = in_brussels(date.fromisoformat(self.day.data or ""), hour)
        except (ValueError, OverflowError) as error:
            raise ValidationError(lazy("The clocks skip this hour on that day: choose another.")) from error

    def validate_replace(self, field: BooleanField) -> None:
        """An answer that stands is replaced by nobody's mistake."""
        if not field.data:
            raise ValidationError(lazy("This one already has an answer: tick that this vote replaces it, or go back."))


class RemoveVoteForm(Form):
    """Why a recorded vote is taken back; `over` is the version of what the page showed."""

    reason = TextAreaField(
        lazy("Why do you remove it?"), filters=[lines],
        validators=[
            DataRequired(lazy("Say why: it is mailed to whoever votes here.")),
            Length(max=1000, message=lazy("Keep this under 1,000 characters.")), plain,
        ],
    )  # fmt: skip
    over = HiddenField()

    @property
    def read_version(self) -> int:
        """The version of the answer that the page showed."""
        return number(self.over.data)


class KeepVoteForm(Form):
    """Why a contested vote is kept."""

    note = TextAreaField(
        lazy("Why do you keep it?"), filters=[lines],
        validators=[
            DataRequired(lazy("Say why: whoever contested it reads this on the page.")),
            Length(max=1000, message=lazy("Keep this under 1,000 characters.")), plain,
        ],
    )  # fmt: skip


class CallForm(Form):
    """A call to tick off, with what came of it; `after` is the last call that the page showed, 0 for none."""

    note = StringField(
        lazy("Note (optional)"), filters=[tidy],
        validators=[Length(max=400, message=lazy("Keep the note under 400 characters."))],
    )  # fmt: skip
    after = HiddenField()

    @property
    def read_last(self) -> int:
        """The last call that the page showed."""
        return number(self.after.data)
