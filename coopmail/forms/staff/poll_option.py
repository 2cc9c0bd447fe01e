"""One option of a poll as it is written, and the rows of options: added, removed and moved without a script."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Form, HiddenField, SelectField, StringField, TextAreaField, ValidationError
from wtforms.validators import DataRequired, Length

from coopmail.actions.poll_entry import LONGEST_KEY, LONGEST_LINE, MOST_OPTIONS, OptionEntry, short_name
from coopmail.domain.polls import CostSharing
from coopmail.forms.kind import Data, lazy, tidy
from coopmail.forms.staff.poll_choices import SHARINGS, offer
from coopmail.forms.staff.texts import LONGEST_PART, plain, several_lines

NAMES = ("key", "written_as", "label_nl", "label_en", "description_nl", "description_en", "abstain", "status_quo",
         "cost_euro", "cost_yearly", "cost_sharing")  # fmt: skip
"""What is sent of an option."""
_TEXTS = ("label_nl", "label_en", "description_nl", "description_en", "cost_euro")
_FIELD = re.compile(r"options-([0-9]{1,3})-([a-z_]+)")
_LONG_LINE = lazy("Keep this under 200 characters.")


def amount(text: str | None) -> str:
    """An amount as people write it ("48.000,00", "48000.5", "€ 48 000") as one that a poll file has ("48000.00")."""
    found = re.sub(r"[€\s]", "", text or "")
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]*)?", found):
        found = found.replace(".", "")
    found = found.replace(",", ".")
    return f"{found}.00" if found.isdecimal() else found


class OptionForm(Form):
    """An option. `key` is made from the label, and kept as long as the label is the one that it was `written_as`."""

    key = HiddenField()
    written_as = HiddenField()
    label_nl = StringField(
        lazy("Label in Dutch"),
        filters=[tidy],
        validators=[DataRequired(lazy("Type what this option is called, or remove it.")),
                    Length(max=LONGEST_LINE, message=_LONG_LINE), plain],
    )  # fmt: skip
    label_en = StringField(
        lazy("Label in English (optional)"), filters=[tidy],
        validators=[Length(max=LONGEST_LINE, message=_LONG_LINE), plain],
    )  # fmt: skip
    description_nl = TextAreaField(
        lazy("Explanation in Dutch (optional)"), filters=[several_lines],
        validators=[Length(max=LONGEST_PART, message=lazy("Keep this under 5,000 characters.")), plain],
    )  # fmt: skip
    description_en = TextAreaField(
        lazy("Explanation in English (optional)"), filters=[several_lines],
        validators=[Length(max=LONGEST_PART, message=lazy("Keep this under 5,000 characters.")), plain],
    )  # fmt: skip
    abstain = BooleanField(lazy("This is the abstention"))
    status_quo = BooleanField(lazy("This is how it stays as it is"))
    cost_euro = StringField(lazy("Total cost in euro, excl. VAT (optional)"), filters=[amount])
    cost_yearly = BooleanField(lazy("This cost comes back every year"))
    cost_sharing = SelectField(
        lazy("How the cost is shared"), choices=offer(SHARINGS), validate_choice=False,
        default=CostSharing.NONE.value,
    )  # fmt: skip

    def validate_cost_sharing(self, field: SelectField) -> None:
        """One of those there are."""
        if field.data not in list(CostSharing):
            raise ValidationError(lazy("Choose how the cost is shared."))

    def entry(self, taken: set[str]) -> OptionEntry:
        """The option, under a key that no other has taken."""
        label = self.label_nl.data or ""
        key = self.key.data if self.written_as.data == label and self.key.data else short_name(label, LONGEST_KEY - 3)
        return OptionEntry(
            key=_free(key or "optie", taken),
            label_nl=label, label_en=self.label_en.data or "",
            description_nl=self.description_nl.data or "", description_en=self.description_en.data or "",
            abstain=self.abstain.data, status_quo=self.status_quo.data, cost_euro=self.cost_euro.data or None,
            cost_yearly=self.cost_yearly.data, cost_sharing=CostSharing(self.cost_sharing.data),
        )  # fmt: skip


def _free(key: str, taken: set[str]) -> str:
    found = key if re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", key) and len(key) <= LONGEST_KEY else "optie"
    number = 1
    while found in taken:
        number += 1
        found = f"{key[: LONGEST_KEY - 3]}-{number}"
    taken.add(found)
    return found


Row = dict[str, str]


def rows_of(data: Data) -> list[Row]:
    """The options that were sent, in order."""
    found: dict[int, Row] = {}
    for name in data:
        match = _FIELD.fullmatch(name)
        if match and match[2] in NAMES:
            found.setdefault(int(match[1]), {})[match[2]] = data[name]
    return [found[place] for place in sorted(found)][: MOST_OPTIONS + 1]


def row_of(entry: OptionEntry) -> Row:
    """An option as it would have been sent."""
    row = {name: getattr(entry, name) or "" for name in ("key", *_TEXTS)}
    ticks = {name: "y" for name in ("abstain", "status_quo", "cost_yearly") if getattr(entry, name)}
    return row | ticks | {"written_as": entry.label_nl, "cost_sharing": entry.cost_sharing.value}


def is_blank(row: Row) -> bool:
    """Whether nothing was typed in it."""
    return not any(row.get(name, "").strip() for name in _TEXTS)


def forms_of(rows: list[Row]) -> list[OptionForm]:
    """A form for each row, its fields numbered from nought."""
    return [OptionForm(_numbered(row, place), prefix=f"options-{place}-") for place, row in enumerate(rows)]


def _numbered(row: Row, place: int) -> MultiDict[str, str]:
    return MultiDict({f"options-{place}-{name}": value for name, value in row.items()})


def act(rows: list[Row], asked: str, kept: dict[str, Any]) -> tuple[list[Row], int | None]:
    """Do what a button of the rows asks: `add`, `remove-2`, `up-2`, `down-2`, or `restore` what is `kept` of a removal.

    Gives the rows, and the place of the one that it was about. What cannot be (up from the top) changes nothing.
    """
    what, _, text = asked.partition("-")
    place = int(text) if text.isdecimal() and len(text) < 4 else -1
    rows = list(rows)
    if what == "add" and len(rows) < MOST_OPTIONS:
        return [*rows, {}], len(rows)
    if what == "restore" and kept:
        rows.insert(kept["place"], kept["row"])
        return rows, kept["place"]
    if not 0 <= place < len(rows):
        return rows, None
    if what == "remove":
        del rows[place]
        return rows, min(place, len(rows) - 1) if rows else None
    other = place + {"up": -1, "down": 1}.get(what, 0)
    if 0 <= other < len(rows):
        rows[place], rows[other] = rows[other], rows[place]
        return rows, other
    return rows, place
