"""The question of an audience: what can be asked, and how what cannot is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coopmail.domain.audience_question import (
    MOST_CONDITIONS,
    MOST_LISTS,
    About,
    Condition,
    Fault,
    Mark,
    Question,
    QuestionUnreadable,
    parse,
    size,
    to_json,
)

IN_LIMBURG = {"about": "province", "value": "Limburg", "negated": False}
CONDITIONS = st.one_of(
    st.builds(Condition, st.sampled_from([About.SERVICE, About.GROUP, About.PROVINCE]),
              st.text(st.characters(categories=["L"]), min_size=1, max_size=5), st.booleans()),
    st.builds(Condition, st.just(About.TYPE), st.sampled_from(["library", "culture_centre", "body"]), st.booleans()),
    st.builds(Condition, st.just(About.MARK), st.sampled_from(["regional", "big_city", "pilot:a"]), st.booleans()),
    st.builds(Condition, st.just(About.MEMBER), st.just(""), st.booleans()),
    st.just(Condition(About.FIELD)),
    st.builds(lambda low, more: Condition(About.SIZE, size(low, low + more)), st.integers(0, 500), st.integers(0, 500)),
)  # fmt: skip
LISTS = st.lists(st.lists(CONDITIONS, min_size=1, max_size=4, unique=True).map(tuple), min_size=1, max_size=4,
                 unique=True)  # fmt: skip


@given(LISTS)
def test_a_question_is_read_back_as_it_was_written(lists: list[tuple[Condition, ...]]) -> None:
    question = Question(tuple(lists))
    assert parse(to_json(question)) == question


def test_conditions_and_groups_that_say_the_same_are_one() -> None:
    twice = parse([[IN_LIMBURG, IN_LIMBURG], [IN_LIMBURG]])
    assert twice == Question(((Condition(About.PROVINCE, "Limburg"),),))


@pytest.mark.parametrize(
    ("value", "sizes", "kept"),
    [("10000-20000", (10_000, 20_000), "10000-20000"), ("10000-", (10_000, None), "10000-"),
     ("-20000", (None, 20_000), "-20000"), ("0-0", (0, 0), "0-0"), ("007-0010", (7, 10), "7-10")],
)  # fmt: skip
def test_a_size_has_a_lowest_number_a_highest_or_both(
    value: str, sizes: tuple[int | None, int | None], kept: str
) -> None:
    [[condition]] = parse([[{"about": "size", "value": value}]]).lists
    assert (condition.sizes, condition.value) == (sizes, kept)


def test_a_mark_is_read_with_the_service_that_a_pilot_is_of() -> None:
    [[regional, pilot]] = parse([[{"about": "mark", "value": "regional"}, {"about": "mark", "value": "pilot:x"}]]).lists
    assert (regional.mark, pilot.mark) == ((Mark.REGIONAL, ""), (Mark.PILOT, "x"))


def test_a_question_names_the_services_and_groups_in_it_pilots_too() -> None:
    question = parse([[{"about": "service", "value": "a"}, {"about": "mark", "value": "pilot:b"}],
                      [{"about": "group", "value": "c", "negated": True}]])  # fmt: skip
    assert (question.slugs(About.SERVICE), question.slugs(About.GROUP)) == ({"a", "b"}, {"c"})


@pytest.mark.parametrize(
    ("raw", "fault", "place"),
    [
        (None, Fault.UNREADABLE, (None, None)),
        ({}, Fault.UNREADABLE, (None, None)),
        ([{}], Fault.UNREADABLE, (None, None)),
        ([], Fault.NO_CONDITION, (None, None)),
        ([[IN_LIMBURG], []], Fault.NO_CONDITION, (1, None)),
        ([[IN_LIMBURG]] * (MOST_LISTS + 1), Fault.TOO_MANY, (None, None)),
        ([[IN_LIMBURG] * (MOST_CONDITIONS + 1)], Fault.TOO_MANY, (0, None)),
        ([[IN_LIMBURG, {"about": "weather"}]], Fault.UNREADABLE, (0, 1)),
        ([[IN_LIMBURG | {"extra": 1}]], Fault.UNREADABLE, (0, 0)),
        ([[IN_LIMBURG | {"value": 7}]], Fault.UNREADABLE, (0, 0)),
        ([[IN_LIMBURG | {"value": "x" * 201}]], Fault.UNREADABLE, (0, 0)),
        ([[IN_LIMBURG | {"value": "Lim\0burg"}]], Fault.UNREADABLE, (0, 0)),
        ([[IN_LIMBURG | {"value": "\ud800"}]], Fault.UNREADABLE, (0, 0)),
        ([[IN_LIMBURG | {"negated": "no"}]], Fault.UNREADABLE, (0, 0)),
        ([["Limburg"]], Fault.UNREADABLE, (0, 0)),
        ([[{"value": "Limburg"}]], Fault.UNREADABLE, (0, 0)),
        ([[{"about": ["province"], "value": "Limburg"}]], Fault.UNREADABLE, (0, 0)),
        ([[IN_LIMBURG], [{"about": "service", "value": " "}]], Fault.VALUE_MISSING, (1, 0)),
        ([[{"about": "type", "value": "shop"}]], Fault.VALUE_UNKNOWN, (0, 0)),
        ([[{"about": "mark", "value": "pilot"}]], Fault.VALUE_UNKNOWN, (0, 0)),
        ([[{"about": "mark", "value": "regional:x"}]], Fault.VALUE_UNKNOWN, (0, 0)),
        ([[{"about": "member", "value": "x"}]], Fault.VALUE_UNKNOWN, (0, 0)),
        ([[{"about": "size", "value": "-"}]], Fault.SIZE_WRONG, (0, 0)),
        ([[{"about": "size", "value": ""}]], Fault.SIZE_WRONG, (0, 0)),
        ([[{"about": "size", "value": "9-3"}]], Fault.SIZE_WRONG, (0, 0)),
        ([[{"about": "size", "value": "few-many"}]], Fault.SIZE_WRONG, (0, 0)),
        ([[{"about": "size", "value": "٣-"}]], Fault.SIZE_WRONG, (0, 0)),
        ([[{"about": "field", "negated": True}]], Fault.FIELD_DENIED, (0, 0)),
    ],
)
def test_what_cannot_be_asked_is_named_with_its_place(raw: Any, fault: Fault, place: tuple[int | None, ...]) -> None:
    with pytest.raises(QuestionUnreadable) as refused:
        parse(raw)
    assert (refused.value.fault, (refused.value.in_list, refused.value.condition)) == (fault, place)
    assert str(refused.value).startswith("The question of this audience cannot be asked: ")
