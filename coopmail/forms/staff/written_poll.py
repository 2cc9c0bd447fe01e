"""A whole poll as staff write it: its head and its rows of options, judged by the checks of `actions.poll_entry`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from wtforms import BooleanField, Field, Form, HiddenField

from coopmail import wording
from coopmail.actions.electorate import AudienceFault
from coopmail.actions.poll_entry import MOST_OPTIONS, Fault, Faulty, PollEntry, faults, short_name
from coopmail.domain.counting import Majority, ShareOf, TieRule
from coopmail.domain.polls import Audience, Effect, Visibility
from coopmail.forms.kind import Data, lazy
from coopmail.forms.staff.poll import Choices, PollForm, day_of, hour_of
from coopmail.forms.staff.poll_choices import offer
from coopmail.forms.staff.poll_option import OptionForm, Row, act, forms_of, is_blank, row_of, rows_of


@dataclass
class WrittenPoll:
    """The whole form: its head and its rows of options. It is iterated, and has `errors`, as a form has."""

    head: PollForm
    rows: list[Row]
    kept: dict[str, Any] = field(default_factory=dict)
    """The option that was removed last, and its place: to be put back."""
    focus: int | None = None
    options: list[OptionForm] = field(init=False)

    def __post_init__(self) -> None:
        self.options = forms_of(self.rows)

    def __iter__(self) -> Iterator[Field]:
        yield from self.head
        for option in self.options:
            yield from option

    @property
    def errors(self) -> bool:
        """Whether a field has a message."""
        return any(found.errors for found in self)

    def act(self, asked: str) -> WrittenPoll:
        """The form after a button of its rows was pressed; nothing that was typed is lost."""
        rows, place = act(self.rows, asked, self.kept)
        kept = self.kept if not asked.startswith("restore") else {}
        if len(rows) < len(self.rows):
            gone = int(asked.partition("-")[2])
            kept = {} if is_blank(self.rows[gone]) else {"place": gone, "row": self.rows[gone]}
        return WrittenPoll(self.head, rows, kept, place)

    def validate(self) -> bool:
        """Judge every field, and what they say together.

        Rows in which nothing is typed are left out, once there are options enough: until then they ask to be filled in.
        """
        written = [row for row in self.rows if not is_blank(row)]
        if sum(not row.get("abstain") for row in written) >= 2:
            self.rows = written
        self.options = forms_of(self.rows)
        right = [form.validate() for form in (self.head, *self.options)]
        if len(self.rows) > MOST_OPTIONS or len(self.rows) < 2:
            self._blame(Faulty(Fault.FEW_OPTIONS if len(self.rows) < 2 else Fault.MANY_OPTIONS, "options"))
        elif all(right):
            for found in faults(self.entry()):
                self._blame(found)
        return not self.errors

    def entry(self) -> PollEntry:
        """What is written, once each field is right."""
        head = self.head
        taken: set[str] = set()
        day, hour = day_of(head.closes_day.data), hour_of(head.closes_hour.data)
        assert day is not None  # `validate` has looked
        assert hour is not None
        texts = {name: head[name].data or "" for name in head._fields if name.endswith(("_nl", "_en"))}
        return PollEntry(
            **texts,
            slug=head.slug.data or short_name(texts["title_nl"]) or "stemronde",
            minutes=int(head.minutes.data or 2), group=head.group.data, method=head.method.data,
            audience=Audience(head.audience.data), effect=Effect(head.effect.data),
            visibility=Visibility(head.visibility.data), majority=Majority(head.majority.data),
            tie=TieRule(head.tie.data), share_of=ShareOf(head.share_of.data), share=head.share.data or "2/3",
            service=head.service.data or None, saved_audience=head.saved_audience.data or None,
            quorum=head.quorum.data or None, secret=head.secret.data,
            closes=datetime.combine(day, hour),
            reminder_days=[int(day) for day in (head.reminder_days.data or "").split(", ") if day],
            options=[option.entry(taken) for option in self.options],
        )  # fmt: skip

    def blame(self, found: list[Faulty]) -> None:
        """Say what is wrong at the field that it is about."""
        for one in found:
            self._blame(one)

    def _blame(self, found: Faulty) -> None:
        name = {"closes": "closes_day", "options": "label_nl"}.get(found.field, found.field)
        form: Form = self.head
        if found.place is not None or found.field == "options":
            form = self.options[found.place or 0]
        form[name].errors = [*form[name].errors, sentence(found)]


def sentence(found: Faulty) -> str:
    """What to do about a fault, in the language spoken now."""
    return str(_SENTENCES[found.fault]) % ({"least": "", "units": ""} | found.values)


_SENTENCES: dict[Fault | AudienceFault, str] = {
    Fault.NAME_RESERVED: lazy("An address of the console needs this word: type another short name."),
    Fault.KEY_TWICE: lazy("Give each option a label of its own."),
    Fault.FEW_OPTIONS: lazy("Give at least two options beside the abstention."),
    Fault.MANY_OPTIONS: lazy("Keep at most thirty options."),
    AudienceFault.SERVICE_MISSING: lazy("Choose the service whose members are asked."),
    AudienceFault.SERVICE_SPARE: lazy("Choose “The members of a service” above, or no service here."),
    AudienceFault.SAVED_MISSING: lazy("Choose which saved audience is asked."),
    AudienceFault.SAVED_SPARE: lazy("Choose “A saved audience” above, or no audience here."),
    AudienceFault.SAVED_ARCHIVED: lazy("This audience is archived: take it back from the archive, or choose another."),
    AudienceFault.FIELD_DECIDES: lazy(
        "The whole field can be consulted only: choose a consultation, or ask members alone."
    ),
    AudienceFault.FIELD_SECRET: lazy(
        "This cannot be a secret vote, since whoever is no member is counted apart: untick it, or ask members alone."
    ),
    Fault.STATUS_QUO_ONE: lazy("Mark exactly one option as how it stays as it is, or choose that nothing is chosen."),
    Fault.SHARE_LARGE: lazy("A share is 1/1 at most: type a fraction such as 2/3."),
    Fault.METHOD_UNKNOWN: lazy("Choose what a voter may mark."),
    Fault.ABSTENTION_STAYS: lazy("An abstention cannot be how it stays as it is: untick one of the two."),
    Fault.COST_MISSING: lazy("Type the cost that is shared, or choose that it is not shared."),
    Fault.COST_UNREADABLE: lazy("Type an amount, as in 48.000,00."),
    Fault.COST_NOT_CENTS: lazy("Type an amount in whole cents, as in 48.000,00."),
    Fault.HOUR_SKIPPED: lazy("The clocks go forward that night, so this hour does not exist: choose another hour."),
    Fault.CLOSING_PASSED: lazy("This time has passed: choose a later one."),
    Fault.TOO_SMALL: lazy(
        "Only %(units)s may vote today, and a secret vote wants %(least)s or more: the count would tell who chose what."
    ),
}


def empty(choices: Choices, reminder_days: list[int], abstention: Row) -> WrittenPoll:
    """A form to begin with: two empty options and the abstention, the charter's reminders, nothing chosen."""
    head = PollForm(data={"reminder_days": ", ".join(map(str, reminder_days))})
    return WrittenPoll(_offering(head, choices), [{}, {}, abstention])


def sent(data: Data, choices: Choices) -> WrittenPoll:
    """The form as it was sent."""
    kept: dict[str, Any] = {}
    place = data.get("kept-place", "")
    if place.isdecimal() and len(place) < 4:
        row = {name.removeprefix("kept-"): data[name] for name in data if name.startswith("kept-")}
        kept = {"place": int(row.pop("place")), "row": row}
    return WrittenPoll(_offering(PollForm(data), choices), rows_of(data), kept)


def of_entry(entry: PollEntry, choices: Choices, version: int | None) -> WrittenPoll:
    """The form of a poll that is there; without a `version`, for a copy: its name and closing time are left open."""
    head = PollForm(data=values_of(entry) | {"version": str(version or "")})
    if version is None:
        head.slug.data = head.closes_day.data = ""
        head.copied_from.data = entry.slug
        head.with_documents.data = True
    return WrittenPoll(_offering(head, choices), [row_of(option) for option in entry.options])


def values_of(entry: PollEntry) -> dict[str, Any]:
    """An entry as the fields of the form have it."""
    same = {name: getattr(entry, name) for name in PollEntry.__struct_fields__ if name not in ("options", "closes")}
    days = ", ".join(map(str, entry.reminder_days or []))
    return same | {"closes_day": f"{entry.closes:%Y-%m-%d}", "closes_hour": f"{entry.closes:%H:%M}",
                   "reminder_days": days, "minutes": str(entry.minutes),
                   "service": entry.service or "", "saved_audience": entry.saved_audience or ""}  # fmt: skip


def _offering(head: PollForm, choices: Choices) -> PollForm:
    head.group.choices = offer({"": _("Choose a group"), **choices.groups})
    head.service.choices = offer({"": _("No service"), **choices.services})
    head.saved_audience.choices = offer({"": _("No saved audience"), **choices.audiences})
    return head


def differences(mine: WrittenPoll, theirs: PollEntry) -> list[tuple[str, str]]:
    """The fields in which a form differs from what stands there now: the label, and what stands there."""
    return [*_other_texts(mine, values_of(theirs)), *_other_options(mine, theirs)]


def _other_texts(mine: WrittenPoll, present: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, found in mine.head._fields.items():
        if name in present and str(found.data or "") != str(present[name] or ""):
            yield str(found.label.text), _shown(found, present[name])


def _shown(found: Field, value: Any) -> str:
    offered = {choice.value: str(choice.label) for choice in getattr(found, "choices", None) or []}
    if value in (True, False):
        return _("yes") if value else _("no")
    return offered.get(str(value), str(value or "–"))


def _other_options(mine: WrittenPoll, theirs: PollEntry) -> Iterator[tuple[str, str]]:
    typed = [{name: value for name, value in row.items() if value and name not in ("key", "written_as")}
             for row in mine.rows]  # fmt: skip
    there = [{name: value for name, value in row_of(option).items() if value and name not in ("key", "written_as")}
             for option in theirs.options]  # fmt: skip
    if typed != there:
        lines = [f"{wording.letter(place)}: {option.label_nl}" for place, option in enumerate(theirs.options)]
        yield _("Options"), " · ".join(lines)


def as_text(mine: WrittenPoll) -> str:
    """All that was typed, to be copied: where it cannot be saved any more."""
    lines = [f"{found.label.text}: {found.data}" for found in mine
             if found.data and not isinstance(found, HiddenField | BooleanField)]  # fmt: skip
    return "\n".join(lines)
