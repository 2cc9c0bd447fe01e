"""Counting a vote: what each rule calls enough, and what no rule may depend on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coopmail.domain.counting import Count, Majority, Marks, Rule, ShareOf, TieRule, Verdict, count

OPTIONS = ("keep", "move", "stop", "abstain")
ABSTAIN = ("abstain",)
SIMPLE = Rule()
ABSOLUTE = Rule(majority=Majority.ABSOLUTE)
TWO_THIRDS = Rule(majority=Majority.QUALIFIED, share=Fraction(2, 3))


def tally(rule: Rule, electorate: int = 100, **votes: int) -> Count:
    """Count one choice a ballot; `votes` are how many chose what."""
    return count({(key,): number for key, number in votes.items()}, OPTIONS, ABSTAIN, electorate, rule)


def said(found: Count) -> tuple[Verdict, str | None, tuple[str, ...]]:
    """What a count says."""
    return found.verdict, found.winner, found.tied


def test_most_votes_wins_and_every_number_is_reported() -> None:
    assert tally(SIMPLE, 20, keep=5, move=3, abstain=2) == Count(
        tally={"keep": 5, "move": 3, "stop": 0, "abstain": 2}, cast=10, abstentions=2, electorate=20, quorum_met=True,
        verdict=Verdict.CARRIED, winner="keep", tied=(),
    )  # fmt: skip
    assert tally(SIMPLE, 20, keep=5, move=3, abstain=2).valid == 8


def test_most_votes_wins_without_being_more_than_half() -> None:
    assert said(tally(SIMPLE, keep=4, move=3, stop=3)) == (Verdict.CARRIED, "keep", ())


def test_one_vote_is_enough_where_nobody_else_votes() -> None:
    assert said(tally(SIMPLE, move=1)) == (Verdict.CARRIED, "move", ())


def test_abstentions_never_win() -> None:
    assert said(tally(SIMPLE, move=1, abstain=9)) == (Verdict.CARRIED, "move", ())


def test_where_nobody_votes_nothing_is_chosen() -> None:
    assert tally(SIMPLE) == Count(
        tally={"keep": 0, "move": 0, "stop": 0, "abstain": 0}, cast=0, abstentions=0, electorate=100, quorum_met=True,
        verdict=Verdict.NO_BALLOTS,
    )  # fmt: skip
    assert said(tally(replace(SIMPLE, quorum=Fraction(1, 2)))) == (Verdict.NO_BALLOTS, None, ())


def test_where_all_abstain_nothing_is_chosen() -> None:
    found = tally(SIMPLE, abstain=7)
    assert said(found) == (Verdict.ALL_ABSTAINED, None, ())
    assert (found.cast, found.abstentions, found.valid) == (7, 7, 0)


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ({"keep": 5, "move": 5}, Verdict.NO_MAJORITY),
        ({"keep": 5, "move": 4}, Verdict.CARRIED),
        ({"keep": 51, "move": 49}, Verdict.CARRIED),
        ({"keep": 50, "move": 49, "stop": 1}, Verdict.NO_MAJORITY),
        ({"keep": 4, "move": 3, "stop": 2}, Verdict.NO_MAJORITY),
    ],
)
def test_an_absolute_majority_is_more_than_half_and_half_is_not_enough(votes: dict[str, int], verdict: Verdict) -> None:
    assert tally(ABSOLUTE, **votes).verdict is verdict


@pytest.mark.parametrize(
    ("share", "votes", "verdict"),
    [
        (Fraction(2, 3), {"keep": 6, "move": 3}, Verdict.CARRIED),
        (Fraction(2, 3), {"keep": 5, "move": 3}, Verdict.NO_MAJORITY),
        (Fraction(2, 3), {"keep": 66, "move": 34}, Verdict.NO_MAJORITY),  # a rounded 0.66 would let it pass
        (Fraction(2, 3), {"keep": 67, "move": 33}, Verdict.CARRIED),
        (Fraction(1, 2), {"keep": 6, "move": 4, "stop": 2}, Verdict.CARRIED),
        (Fraction(7, 12), {"keep": 63, "move": 45}, Verdict.CARRIED),  # in floating point, 7/12 of 108 is more than 63
        (Fraction(1), {"keep": 9, "move": 1}, Verdict.NO_MAJORITY),
        (Fraction(1), {"keep": 9}, Verdict.CARRIED),
    ],
)
def test_a_qualified_majority_is_at_least_its_share_exactly(
    share: Fraction, votes: dict[str, int], verdict: Verdict
) -> None:
    assert tally(replace(TWO_THIRDS, share=share), **votes).verdict is verdict


@pytest.mark.parametrize(
    ("share_of", "verdict"),
    [(ShareOf.VALID, Verdict.CARRIED), (ShareOf.CAST, Verdict.NO_MAJORITY), (ShareOf.ELECTORATE, Verdict.NO_MAJORITY)],
)
def test_abstentions_weigh_only_where_the_share_is_of_all_votes_cast(share_of: ShareOf, verdict: Verdict) -> None:
    # 6 of 9 valid votes, of 12 cast, of 20 who may vote.
    for rule in (replace(ABSOLUTE, share_of=share_of), replace(TWO_THIRDS, share_of=share_of)):
        assert tally(rule, 20, keep=6, move=3, abstain=3).verdict is verdict


def test_a_share_of_the_electorate_counts_those_who_stay_away() -> None:
    rule = replace(ABSOLUTE, share_of=ShareOf.ELECTORATE)
    assert said(tally(rule, 20, keep=10)) == (Verdict.NO_MAJORITY, None, ())
    assert said(tally(rule, 20, keep=11)) == (Verdict.CARRIED, "keep", ())


def test_a_share_of_the_votes_cast_is_met_with_abstentions_in_it() -> None:
    rule = replace(TWO_THIRDS, share_of=ShareOf.CAST)
    assert said(tally(rule, keep=6, abstain=3)) == (Verdict.CARRIED, "keep", ())
    assert said(tally(rule, keep=6, abstain=4)) == (Verdict.NO_MAJORITY, None, ())


@pytest.mark.parametrize(
    ("electorate", "cast", "met"),
    [(20, 10, True), (20, 9, False), (21, 11, True), (21, 10, False), (20, 20, True)],
)
def test_a_quorum_of_half_is_met_exactly_and_missed_by_one(electorate: int, cast: int, met: bool) -> None:
    found = tally(replace(SIMPLE, quorum=Fraction(1, 2)), electorate, keep=cast)
    assert found.quorum_met is met
    assert said(found) == ((Verdict.CARRIED, "keep", ()) if met else (Verdict.NO_QUORUM, None, ()))


def test_abstentions_count_towards_the_quorum() -> None:
    rule = replace(SIMPLE, quorum=Fraction(1, 2))
    assert said(tally(rule, 20, keep=1, abstain=9)) == (Verdict.CARRIED, "keep", ())
    assert said(tally(rule, 20, keep=1, abstain=8)) == (Verdict.NO_QUORUM, None, ())


def test_a_missed_quorum_is_said_before_anything_else() -> None:
    rule = replace(ABSOLUTE, quorum=Fraction(1, 2))
    assert tally(rule, 20, abstain=5).verdict is Verdict.NO_QUORUM
    assert tally(rule, 20, keep=2, move=2).verdict is Verdict.NO_QUORUM
    assert tally(rule, 20, abstain=10).verdict is Verdict.ALL_ABSTAINED


def test_a_tie_stays_a_tie_where_the_rule_leaves_it_open() -> None:
    rule = replace(SIMPLE, status_quo="keep")
    assert said(tally(rule, keep=4, move=4, stop=2)) == (Verdict.TIE, None, ("keep", "move"))
    assert said(tally(rule, keep=4, move=4, stop=4)) == (Verdict.TIE, None, ("keep", "move", "stop"))


def test_a_tie_falls_to_what_stays_as_it_is_where_the_rule_says_so() -> None:
    rule = replace(SIMPLE, tie=TieRule.STATUS_QUO, status_quo="keep")
    assert said(tally(rule, keep=4, move=4)) == (Verdict.CARRIED, "keep", ("keep", "move"))


def test_a_tie_without_the_status_quo_in_it_stays_a_tie() -> None:
    rule = replace(SIMPLE, tie=TieRule.STATUS_QUO, status_quo="keep")
    assert said(tally(rule, keep=3, move=4, stop=4)) == (Verdict.TIE, None, ("move", "stop"))
    assert said(tally(replace(rule, status_quo=None), move=4, stop=4)) == (Verdict.TIE, None, ("move", "stop"))


def test_a_tie_without_the_majority_that_is_asked_is_no_majority_and_names_those_on_top() -> None:
    rule = replace(ABSOLUTE, tie=TieRule.STATUS_QUO, status_quo="keep")
    assert said(tally(rule, keep=5, move=5)) == (Verdict.NO_MAJORITY, None, ("keep", "move"))


def test_where_several_may_be_marked_each_mark_is_a_vote_and_each_ballot_counts_once() -> None:
    profile: dict[Marks, int] = {("keep", "move"): 3, ("move",): 2, ("abstain",): 1}
    found = count(profile, OPTIONS, ABSTAIN, 10, ABSOLUTE)
    assert found.tally == {"keep": 3, "move": 5, "stop": 0, "abstain": 1}
    assert (found.cast, found.abstentions, said(found)) == (6, 1, (Verdict.CARRIED, "move", ()))


choices = st.sampled_from(OPTIONS)
ballots = st.lists(choices, max_size=40)
approvals = st.lists(
    st.one_of(
        st.just(("abstain",)),
        st.sets(st.sampled_from(OPTIONS[:3]), min_size=1).map(lambda keys: tuple(k for k in OPTIONS if k in keys)),
    ),
    max_size=30,
)
fractions = st.fractions(min_value=Fraction(1, 20), max_value=1, max_denominator=20)
rules = st.builds(
    Rule, st.sampled_from(Majority), fractions, st.sampled_from(ShareOf), st.none() | fractions,
    st.sampled_from(TieRule), st.none() | st.sampled_from(OPTIONS[:3]),
)  # fmt: skip


def profile_of(marks: list[Marks]) -> dict[Marks, int]:
    """How often each ballot occurs, in the order in which they came in."""
    return {each: marks.count(each) for each in dict.fromkeys(marks)}


@given(approvals, rules, st.randoms(use_true_random=False), st.integers(0, 20))
def test_the_order_in_which_ballots_come_in_changes_nothing(
    marks: list[Marks], rule: Rule, chance: object, more: int
) -> None:
    shuffled = list(marks)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    electorate = len(marks) + more
    assert count(profile_of(shuffled), OPTIONS, ABSTAIN, electorate, rule) == count(
        profile_of(marks), OPTIONS, ABSTAIN, electorate, rule
    )


@given(approvals, rules, st.permutations(OPTIONS), st.integers(0, 20))
def test_the_order_of_the_options_changes_no_winner(
    marks: list[Marks], rule: Rule, order: list[str], more: int
) -> None:
    electorate = len(marks) + more
    one = count(profile_of(marks), OPTIONS, ABSTAIN, electorate, rule)
    other = count(profile_of(marks), order, ABSTAIN, electorate, rule)
    assert (one.verdict, one.winner, set(one.tied)) == (other.verdict, other.winner, set(other.tied))
    assert one.tally == other.tally
    assert list(other.tally) == order


@given(st.dictionaries(choices.map(lambda key: (key,)), st.integers(1, 9)), rules, st.integers(0, 20))
def test_a_ballot_of_weight_k_counts_as_k_ballots(profile: dict[Marks, int], rule: Rule, more: int) -> None:
    singles = [marks for marks, weight in profile.items() for _ in range(weight)]
    electorate = len(singles) + more
    weighed = count(profile, OPTIONS, ABSTAIN, electorate, rule)
    assert weighed == count(profile_of(singles), OPTIONS, ABSTAIN, electorate, rule)
    assert weighed.cast == len(singles)


@given(ballots, rules, st.integers(0, 20))
def test_with_one_choice_each_the_tally_adds_up_to_the_votes_cast(chosen: list[str], rule: Rule, more: int) -> None:
    found = count(profile_of([(key,) for key in chosen]), OPTIONS, ABSTAIN, len(chosen) + more, rule)
    assert sum(found.tally.values()) == found.cast == len(chosen)
    assert found.tally == {key: chosen.count(key) for key in OPTIONS}
    assert found.abstentions == chosen.count("abstain")


@given(ballots, rules, st.integers(0, 20))
def test_a_winner_is_always_on_top_and_alone_unless_the_rule_breaks_the_tie(
    chosen: list[str], rule: Rule, more: int
) -> None:
    found = count(profile_of([(key,) for key in chosen]), OPTIONS, ABSTAIN, len(chosen) + more, rule)
    assert (found.winner is not None) is (found.verdict is Verdict.CARRIED)
    if found.winner is None:
        return
    top = tuple(key for key in OPTIONS[:3] if found.tally[key] == max(found.tally[k] for k in OPTIONS[:3]))
    assert found.winner in top
    assert found.tied == (top if len(top) > 1 else ())
    if len(top) > 1:
        assert (rule.tie, found.winner) == (TieRule.STATUS_QUO, rule.status_quo)


@given(ballots, st.sampled_from(TieRule), st.none() | st.sampled_from(OPTIONS[:3]))
def test_one_more_vote_never_hurts_the_winner_where_most_votes_wins(
    chosen: list[str], tie: TieRule, status_quo: str | None
) -> None:
    rule = Rule(tie=tie, status_quo=status_quo)
    before = count(profile_of([(key,) for key in chosen]), OPTIONS, ABSTAIN, 100, rule)
    if before.winner is None:
        return
    after = count(profile_of([(key,) for key in [*chosen, before.winner]]), OPTIONS, ABSTAIN, 100, rule)
    assert said(after) == (Verdict.CARRIED, before.winner, ())
