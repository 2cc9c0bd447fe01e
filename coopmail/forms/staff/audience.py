"""A saved audience, built without scripts: lists of conditions that submit buttons add and take away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wtforms import Field, Form, HiddenField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from coopmail.domain.audience_question import (
    MOST_CONDITIONS,
    MOST_LISTS,
    About,
    Condition,
    Fault,
    Question,
    QuestionUnreadable,
    parse,
)
from coopmail.forms.kind import Data, lazy, one_line, tidy
from coopmail.forms.staff.texts import plain

FAULTS = {
    Fault.NO_CONDITION: lazy("Add a condition: without one, nobody is in this audience."),
    Fault.TOO_MANY: lazy("This is too much: take some conditions away."),
    Fault.UNREADABLE: lazy("This is no condition that we know: choose it again."),
    Fault.VALUE_MISSING: lazy("Choose what this condition is about, or take it away."),
    Fault.VALUE_UNKNOWN: lazy("Choose from the list, or take this condition away."),
    Fault.SIZE_WRONG: lazy("Type a lowest number of inhabitants, a highest one, or both, the lowest first."),
    Fault.FIELD_DENIED: lazy("Nobody is outside of the whole field: take “not” or this condition away."),
}
"""What to do about each fault of a question."""
_ROW = re.compile(r"c-([0-9]{1,3})-([0-9]{1,3})")
_PRESS = re.compile(r"(add|size|drop|drop-list)-([0-9]{1,3})(?:-([0-9]{1,3}))?")


@dataclass
class Row:
    """One condition as it is typed: a choice (`what` is `service:krantenarchief`), or a size. An error has words."""

    what: str = ""
    negated: bool = False
    is_size: bool = False
    low: str = ""
    high: str = ""
    id: str = ""
    new: bool = False
    errors: list[str] = field(default_factory=list)
    type: str = "Row"

    def raw(self) -> dict[str, Any]:
        """The condition as `parse` reads it."""
        if self.is_size:
            return {"about": About.SIZE.value, "value": f"{_digits(self.low)}-{_digits(self.high)}",
                    "negated": self.negated}  # fmt: skip
        about, _, value = self.what.partition(":")
        return {"about": about, "value": value, "negated": self.negated}


class AudienceForm(Form):
    """The name, what it is for, and the question."""

    version = HiddenField()
    name = StringField(
        lazy("Name"), filters=[tidy],
        validators=[DataRequired(lazy("Type a name by which you will know this audience.")),
                    Length(max=120, message=lazy("Keep the name under 120 characters.")), one_line],
    )  # fmt: skip
    description = TextAreaField(
        lazy("What it is for (optional)"), filters=[lambda text: (text or "").replace("\r\n", "\n").strip()],
        validators=[Length(max=2000, message=lazy("Keep this under 2,000 characters.")), plain],
    )  # fmt: skip

    def __init__(self, formdata: Data | None, question: Question | None = None, **values: Any) -> None:
        super().__init__(formdata, **values)
        self.lists = _typed(formdata) if formdata is not None else _written(question)
        self._number()

    def __iter__(self) -> Iterator[Field]:
        """Every field, and every condition: what the summary of errors links to."""
        yield from super().__iter__()
        for rows in self.lists:
            yield from rows  # type: ignore[misc] # a row has what the summary asks of a field

    @property
    def errors(self) -> dict[str, Any]:
        """What is wrong, also in the conditions."""
        return super().errors | {row.id: row.errors for rows in self.lists for row in rows if row.errors}

    def question(self) -> Question | None:
        """What is asked; where it cannot be, nothing, and the condition says why."""
        try:
            return parse([[row.raw() for row in rows] for rows in self.lists])
        except QuestionUnreadable as error:
            row = self.lists[error.in_list or 0][error.condition or 0]
            missing = not row.is_size and not row.what
            row.errors = [FAULTS[Fault.VALUE_MISSING if missing else error.fault]]
            return None

    def forgive(self) -> None:
        """Say nothing of conditions that are not filled in yet: nobody asked to count or to save."""
        for row in (row for rows in self.lists for row in rows):
            row.errors = []

    def press(self, button: str) -> None:
        """Do what a button asks that adds or takes away; any other changes nothing. No list is ever without a row."""
        if button == "list" and len(self.lists) < MOST_LISTS:
            self.lists.append([Row(new=True)])
        found = _PRESS.fullmatch(button)
        if found and int(found[2]) < len(self.lists):
            getattr(self, f"_{found[1].replace('-', '_')}")(int(found[2]), int(found[3] or 0))
        self._number()

    def _add(self, place: int, _row: int) -> None:
        if len(self.lists[place]) < MOST_CONDITIONS:
            self.lists[place].append(Row(new=True))

    def _size(self, place: int, _row: int) -> None:
        if len(self.lists[place]) < MOST_CONDITIONS:
            self.lists[place].append(Row(is_size=True, new=True))

    def _drop(self, place: int, row: int) -> None:
        del self.lists[place][row : row + 1]
        if not self.lists[place]:
            self._drop_list(place, 0)

    def _drop_list(self, place: int, _row: int) -> None:
        del self.lists[place]
        self.lists = self.lists or [[Row(new=True)]]

    def _number(self) -> None:
        for place, rows in enumerate(self.lists):
            for number, row in enumerate(rows):
                row.id = f"c-{place}-{number}"


def as_typed(condition: Condition) -> Row:
    """A condition as the form shows it."""
    if condition.about is About.SIZE:
        low, high = condition.sizes
        ends = ["" if end is None else str(end) for end in (low, high)]
        return Row(negated=condition.negated, is_size=True, low=ends[0], high=ends[1])
    what = f"{condition.about.value}:{condition.value}" if condition.value else condition.about.value
    return Row(what=what, negated=condition.negated)


def _written(question: Question | None) -> list[list[Row]]:
    if question is None:
        return [[Row()]]
    return [[as_typed(condition) for condition in conditions] for conditions in question.lists]


def _typed(formdata: Data) -> list[list[Row]]:
    """The conditions in the order of their numbers, whatever numbers are missing."""
    places: dict[int, dict[int, Row]] = {}
    for name in formdata:
        found = _ROW.fullmatch(name)
        if found and (int(found[1]) in places or len(places) < MOST_LISTS):
            rows = places.setdefault(int(found[1]), {})
            if len(rows) < MOST_CONDITIONS:
                rows[int(found[2])] = _row(formdata, name)
    return [[row for _, row in sorted(rows.items())] for _, rows in sorted(places.items())] or [[Row()]]


def _row(formdata: Data, name: str) -> Row:
    is_size = formdata[name] == About.SIZE
    low, high = (formdata.get(f"{name}-{end}", "")[:20].strip() for end in ("low", "high"))
    negated = formdata.get(f"{name}-not") == "y"
    return Row("" if is_size else formdata[name][:250], negated, is_size, low, high)


def _digits(text: str) -> str:
    """A number as people type it: 10.000 and 10 000 are ten thousand."""
    return re.sub(r"(?<=[0-9])[.\s\u202f](?=[0-9]{3}\b)", "", text)
