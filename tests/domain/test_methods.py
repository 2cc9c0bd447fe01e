"""What a voter may mark: one option, or several, and an abstention by itself."""

from __future__ import annotations

import itertools

import pytest

from coopmail.domain.counting import Marks
from coopmail.domain.methods import METHODS

OPTIONS = ["keep", "move", "stop", "abstain"]
ABSTAIN = ["abstain"]


def accepted(method: str, marks: Marks) -> bool:
    """Whether a ballot of that method may say this."""
    return METHODS[method].accepts(marks, OPTIONS, ABSTAIN)


def test_there_are_these_ways_to_decide() -> None:
    assert {name: (method.name, method.several) for name, method in METHODS.items()} == {
        "choice": ("choice", False), "approval": ("approval", True),
    }  # fmt: skip


@pytest.mark.parametrize("key", OPTIONS)
@pytest.mark.parametrize("method", METHODS)
def test_i_may_mark_any_one_option_or_abstain(method: str, key: str) -> None:
    assert accepted(method, (key,))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "marks",
    [(), ("",), ("other",), ("KEEP",), ("keep ",), ("keep", "keep"), ("keep", "other"), ("keep,move",)],
)
def test_an_empty_unknown_or_doubled_mark_is_no_ballot(method: str, marks: Marks) -> None:
    assert not accepted(method, marks)


@pytest.mark.parametrize("size", [2, 3])
def test_where_one_is_chosen_i_may_not_mark_several(size: int) -> None:
    for marks in itertools.combinations(OPTIONS, size):
        assert not accepted("choice", marks)


def test_where_several_may_be_approved_i_may_mark_all_of_them() -> None:
    taken = [marks for size in (1, 2, 3, 4) for marks in itertools.permutations(OPTIONS, size)
             if accepted("approval", marks)]  # fmt: skip
    assert taken == [
        ("keep",), ("move",), ("stop",), ("abstain",),
        ("keep", "move"), ("keep", "stop"), ("move", "stop"),
        ("keep", "move", "stop"),
    ]  # fmt: skip


def test_an_abstention_stands_alone_even_where_several_mean_one() -> None:
    options, abstain = ["keep", "blank", "abstain"], ["blank", "abstain"]
    method = METHODS["approval"]
    assert method.accepts(("blank",), options, abstain)
    assert not method.accepts(("blank", "abstain"), options, abstain)
    assert not method.accepts(("keep", "blank"), options, abstain)
