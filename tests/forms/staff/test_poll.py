"""What staff type in the form of a poll is read as they mean it, or not at all."""

from __future__ import annotations

from datetime import date, time

import pytest
from werkzeug.datastructures import MultiDict

from coopmail.actions.poll_entry import Fault, cents, short_name
from coopmail.forms.staff.poll import day_of, hour_of
from coopmail.forms.staff.poll_option import OptionForm, act, amount, forms_of, is_blank, rows_of


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("48.000,00", 4_800_000), ("48000", 4_800_000), ("48000,5", 4_800_050), ("48 000", 4_800_000),
        ("€ 48.000", 4_800_000), ("1.048.000,25", 104_800_025), ("12.50", 1_250), ("0", 0), (None, None), ("", None),
        ("veel", Fault.COST_UNREADABLE), ("1,2,3", Fault.COST_UNREADABLE), ("-5", Fault.COST_NOT_CENTS),
        ("1,005", Fault.COST_NOT_CENTS), ("1e20", Fault.COST_NOT_CENTS), ("nan", Fault.COST_NOT_CENTS),
    ],
)  # fmt: skip
def test_an_amount_is_read_as_people_write_it(typed: str | None, found: int | Fault | None) -> None:
    assert cents(amount(typed) or None) == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("2026-12-04", date(2026, 12, 4)), ("4/12/2026", date(2026, 12, 4)), ("04.12.2026", date(2026, 12, 4)),
        ("29/2/2027", None), ("12/2026", None), ("morgen", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_a_day_is_read_as_a_browser_sends_it_and_as_people_write_it(typed: str | None, found: date | None) -> None:
    assert day_of(typed) == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("17:00", time(17)), ("17:30:00", time(17, 30)), ("17.30", time(17, 30)), ("17u", time(17)), ("9", time(9)),
        ("24:00", None), ("17:60", None), ("vijf uur", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_an_hour_is_read_as_a_browser_sends_it_and_as_people_write_it(typed: str | None, found: time | None) -> None:
    assert hour_of(typed) == found


@pytest.mark.parametrize(
    ("text", "longest", "name"),
    [
        ("Welke weg gaat het Krantenarchief op?", 80, "welke-weg-gaat-het-krantenarchief-op"),
        ("Één coöperatie & zo", 80, "een-cooperatie-en-zo"),
        ("Bij de leverancier blijven", 12, "bij-de"),
        ("Verkiezingsprogrammacommissie", 10, "verkiezing"),
        ("???", 80, ""),
    ],
)
def test_a_short_name_is_made_of_whole_words(text: str, longest: int, name: str) -> None:
    assert short_name(text, longest) == name


def keys(*labels: str) -> list[str]:
    """The keys of options with these labels."""
    taken: set[str] = set()
    return [form.entry(taken).key for form in forms_of([{"label_nl": label} for label in labels])]


def test_each_option_gets_a_key_of_its_own_from_its_label() -> None:
    assert keys("Blijven", "blijven!", "Weggaan", "???", "…") == ["blijven", "blijven-2", "weggaan", "optie", "optie-2"]


def option(**row: str) -> OptionForm:
    """The form of one option."""
    return forms_of([row])[0]


def test_a_key_stays_as_long_as_the_label_that_it_was_made_for() -> None:
    kept = option(key="keep", written_as="Blijven", label_nl="Blijven")
    changed = option(key="keep", written_as="Blijven", label_nl="Weggaan")
    forged = option(key="Not A Key!", written_as="Blijven", label_nl="Blijven")
    assert [form.entry(set()).key for form in (kept, changed, forged)] == ["keep", "weggaan", "optie"]


A, B, C = {"label_nl": "A"}, {"label_nl": "B"}, {"label_nl": "C"}


@pytest.mark.parametrize(
    ("asked", "rows", "place"),
    [
        ("up-1", [B, A, C], 0), ("down-1", [A, C, B], 2), ("up-0", [A, B, C], 0), ("down-2", [A, B, C], 2),
        ("remove-0", [B, C], 0), ("remove-2", [A, B], 1), ("add", [A, B, C, {}], 3),
        ("remove-9", [A, B, C], None), ("remove--1", [A, B, C], None), ("dance-1", [A, B, C], 1),
        ("restore", [A, B, C], None),
    ],
)  # fmt: skip
def test_a_button_of_the_rows_does_what_it_says_and_no_other_harm(
    asked: str, rows: list[dict[str, str]], place: int | None
) -> None:
    assert act([A, B, C], asked, {}) == (rows, place)


def test_rows_come_in_the_order_of_their_numbers_and_strange_fields_are_passed_over() -> None:
    sent = {
        "options-10-label_nl": "Tien",
        "options-2-label_nl": "Twee",
        "options-2-colour": "red",
        "options-x-key": "x",
    }
    found = rows_of(MultiDict(sent))
    assert found == [{"label_nl": "Twee"}, {"label_nl": "Tien"}]
    assert [is_blank(row) for row in ({}, {"abstain": "y"}, {"label_en": " "}, {"cost_euro": "5"})] == [
        True, True, True, False,
    ]  # fmt: skip
