"""A vote's states, its last second, and what an option costs one member."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coopmail.domain.calendar import in_brussels
from coopmail.domain.counting import Majority, Marks, Rule, ShareOf, TieRule
from coopmail.domain.polls import CostSharing, Option, Poll, PollState, member_share, read_marks, write_marks
from coopmail.errors import PollNotOpen, TransitionRefused
from tests.builders import build_options

ALLOWED = {
    ("draft", "open"), ("draft", "withdrawn"), ("open", "closed"), ("open", "withdrawn"), ("closed", "decided"),
}  # fmt: skip
CLOSING = in_brussels(date(2026, 12, 4), time(17))


def a_poll(state: PollState = PollState.OPEN, closes_at: datetime = CLOSING) -> Poll:
    """A poll that no database knows."""
    return Poll(
        slug="krantenarchief", state=state, closes_at=closes_at, options=build_options(), majority=Majority.QUALIFIED,
        majority_share="3/5", share_of=ShareOf.CAST, quorum="1/3", tie_rule=TieRule.STATUS_QUO, method_name="choice",
    )  # fmt: skip


@pytest.mark.parametrize(("state", "wanted"), list(product(PollState, PollState)), ids=lambda state: state.value)
def test_a_poll_goes_only_where_it_may_and_stays_where_it_is_otherwise(state: PollState, wanted: PollState) -> None:
    poll = a_poll(state)
    if (state.value, wanted.value) in ALLOWED:
        poll.check_transition(wanted)
        assert poll.state is state
        poll.go(wanted)
        assert poll.state is wanted
        return
    for act in (poll.check_transition, poll.go):
        with pytest.raises(TransitionRefused) as refused:
            act(wanted)
        assert (refused.value.subject, refused.value.state, refused.value.wanted) == (
            "Poll krantenarchief", state.value, wanted.value,
        )  # fmt: skip
        already = state is wanted
        rest = f"already {state.value}." if already else f"{state.value}; it cannot become {wanted.value}."
        assert str(refused.value) == f"Poll krantenarchief is {rest}"
        assert poll.state is state


@pytest.mark.parametrize(
    "closes_at",
    [
        CLOSING,
        in_brussels(date(2026, 3, 29), time(3)),
        in_brussels(date(2026, 10, 25), time(2, 30)),
        in_brussels(date(2028, 2, 29), time(17)),
        in_brussels(date(2026, 12, 31), time(23, 59, 59)),
    ],
)
def test_my_vote_counts_until_the_last_second_and_not_at_closing_or_after(closes_at: datetime) -> None:
    poll = a_poll(closes_at=closes_at)
    for before in (timedelta(seconds=1), timedelta(microseconds=1), timedelta(days=10)):
        poll.check_open(closes_at - before)
        assert poll.accepts_answers(closes_at - before)
    for after in (timedelta(0), timedelta(microseconds=1), timedelta(seconds=1), timedelta(days=10)):
        with pytest.raises(PollNotOpen, match=r"^Poll krantenarchief takes no answers any more\.$"):
            poll.check_open(closes_at + after)
        assert not poll.accepts_answers(closes_at + after)


@pytest.mark.parametrize("state", [state for state in PollState if state is not PollState.OPEN])
def test_no_vote_counts_in_a_poll_that_is_not_open(state: PollState) -> None:
    with pytest.raises(PollNotOpen):
        a_poll(state).check_open(CLOSING - timedelta(days=1))


def test_in_the_doubled_hour_a_vote_closes_the_first_time_the_clock_says_so() -> None:
    poll = a_poll(closes_at=in_brussels(date(2026, 10, 25), time(2, 30)))
    poll.check_open(datetime(2026, 10, 25, 0, 29, 59, tzinfo=UTC))
    with pytest.raises(PollNotOpen):
        poll.check_open(datetime(2026, 10, 25, 1, 29, 59, tzinfo=UTC))  # 02.29 again


def test_a_polls_rule_is_made_of_exact_fractions() -> None:
    poll = a_poll()
    assert poll.rule == Rule(
        Majority.QUALIFIED, Fraction(3, 5), ShareOf.CAST, Fraction(1, 3), TieRule.STATUS_QUO, "keep"
    )
    poll.quorum = None
    assert poll.rule.quorum is None
    assert (poll.option_keys, poll.abstain_keys) == (["keep", "move", "abstain"], ["abstain"])


@pytest.mark.parametrize(
    ("marks", "text"),
    [(("keep",), '["keep"]'), (("keep", "move"), '["keep","move"]'), (('a"b', "é"), '["a\\"b","é"]')],
)
def test_equal_ballots_are_equal_texts(marks: Marks, text: str) -> None:
    assert write_marks(marks) == text
    assert read_marks(text) == marks


def an_option(cents: int | None, sharing: CostSharing) -> Option:
    """An option with its price."""
    return Option(cost_cents=cents, cost_sharing=sharing)


@pytest.mark.parametrize(
    ("cents", "units", "share"),
    [(100, 3, 33), (200, 3, 67), (100, 8, 13), (300, 8, 38), (1, 2, 1), (1, 3, 0), (0, 5, 0), (900, 1, 900)],
)
def test_equal_parts_are_rounded_half_up_to_the_cent(cents: int, units: int, share: int) -> None:
    assert member_share(an_option(cents, CostSharing.EQUAL), 14_000, 122_000, units) == share


@pytest.mark.parametrize(
    ("cents", "population", "total", "share"),
    [
        (12_000_000, 14_000, 122_000, 1_377_049),  # 1,377,049.18
        (12_000_000, 37_000, 122_000, 3_639_344),  # 3,639,344.26
        (1, 1, 2, 1),
        (3, 1, 6, 1),
        (100, 0, 122_000, 0),
        (100, 122_000, 122_000, 100),
        (9_999_999_999_999, 1, 3, 3_333_333_333_333),
    ],
)
def test_parts_by_population_are_rounded_half_up_to_the_cent(
    cents: int, population: int, total: int, share: int
) -> None:
    assert member_share(an_option(cents, CostSharing.POPULATION), population, total, 5) == share


def test_where_costs_are_not_shared_i_am_told_no_share() -> None:
    assert member_share(an_option(100, CostSharing.NONE), 14_000, 122_000, 5) is None
    for sharing in CostSharing:
        assert member_share(an_option(None, sharing), 14_000, 122_000, 5) is None
    assert member_share(an_option(100, CostSharing.POPULATION), 0, 0, 5) is None
    assert member_share(an_option(100, CostSharing.EQUAL), 14_000, 122_000, 0) is None


@given(st.integers(0, 10**12), st.lists(st.integers(0, 600_000), min_size=1, max_size=60))
def test_all_shares_together_are_the_total_within_a_cent_a_member(cents: int, populations: list[int]) -> None:
    total, units = sum(populations), len(populations)
    for sharing in (CostSharing.EQUAL, CostSharing.POPULATION):
        shares = [member_share(an_option(cents, sharing), population, total, units) for population in populations]
        if sharing is CostSharing.POPULATION and total == 0:
            assert shares == [None] * units
            continue
        found = [share for share in shares if share is not None]
        assert len(found) == units
        assert abs(sum(found) - cents) <= units
        parts = [Fraction(1, units) if sharing is CostSharing.EQUAL else Fraction(p, total) for p in populations]
        for share, part in zip(found, parts, strict=True):
            assert Fraction(-1, 2) <= cents * part - share < Fraction(1, 2)  # half a cent is rounded up
