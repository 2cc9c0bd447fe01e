"""Counting: pure functions over plain data.

Input is a profile: how often each filled-in ballot occurs. Rules are exact fractions and are frozen with the poll.
Majorities: `simple` is the most votes; `absolute` is more than half (strict); `qualified` is at least its share
(inclusive). What each is a share of is part of the rule: valid votes (without abstentions), all ballots cast, or the
electorate. Ties are reported as ties first, then broken by the rule that was published beforehand.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

Marks = tuple[str, ...]
"""What one ballot says: the keys of the options chosen, in the poll's order."""


class Majority(enum.StrEnum):
    """How much is enough."""

    SIMPLE = "simple"
    ABSOLUTE = "absolute"
    QUALIFIED = "qualified"


class ShareOf(enum.StrEnum):
    """What a majority is a share of."""

    VALID = "valid"
    CAST = "cast"
    ELECTORATE = "electorate"


class TieRule(enum.StrEnum):
    """What breaks a tie: nothing (it stays a tie), or the option that keeps things as they are."""

    LEFT_OPEN = "left_open"
    STATUS_QUO = "status_quo"


class Verdict(enum.StrEnum):
    """What the count says."""

    CARRIED = "carried"
    NO_BALLOTS = "no_ballots"
    NO_QUORUM = "no_quorum"
    ALL_ABSTAINED = "all_abstained"
    NO_MAJORITY = "no_majority"
    TIE = "tie"


@dataclass(frozen=True)
class Rule:
    """A counting rule as frozen at opening. `share` is used by `qualified`; `quorum` is a share of the electorate."""

    majority: Majority = Majority.SIMPLE
    share: Fraction = Fraction(2, 3)
    share_of: ShareOf = ShareOf.VALID
    quorum: Fraction | None = None
    tie: TieRule = TieRule.LEFT_OPEN
    status_quo: str | None = None


@dataclass(frozen=True)
class Heard:
    """How often each option was marked, in the poll's order, by how many, and how many of them abstained."""

    tally: dict[str, int]
    cast: int
    abstentions: int


@dataclass(frozen=True)
class Count:
    """A result, in votes. `tally` has every option in the poll's order; `tied` names those that stood equal on top."""

    tally: dict[str, int]
    cast: int
    abstentions: int
    electorate: int
    quorum_met: bool
    verdict: Verdict
    winner: str | None = None
    tied: tuple[str, ...] = ()

    @property
    def valid(self) -> int:
        """Ballots that say something else than an abstention."""
        return self.cast - self.abstentions


def count(
    profile: Mapping[Marks, int], options: Sequence[str], abstain: Iterable[str], electorate: int, rule: Rule
) -> Count:
    """Count a profile of ballots, each a vote for every option that it marks.

    One choice of several is the case of one mark a ballot, approval the case of more. `options` are the keys in the
    poll's order, abstentions among them; `electorate` is the number of votes that could be cast.
    """
    abstaining, heard = frozenset(abstain), hear(profile, options, abstain)
    tally, cast, abstentions = heard.tally, heard.cast, heard.abstentions
    quorum_met = rule.quorum is None or Fraction(cast) >= rule.quorum * electorate
    verdict, winner, tied = _judge(tally, abstaining, cast, cast - abstentions, electorate, quorum_met, rule)
    return Count(tally, cast, abstentions, electorate, quorum_met, verdict, winner, tied)


def hear(profile: Mapping[Marks, int], options: Sequence[str], abstain: Iterable[str]) -> Heard:
    """Add up a profile and judge nothing: all that is told of those who are heard apart, without a vote."""
    abstaining = frozenset(abstain)
    tally = dict.fromkeys(options, 0)
    abstentions = 0
    for marks, weight in profile.items():
        for key in marks:
            tally[key] += weight
        if abstaining.issuperset(marks):
            abstentions += weight
    return Heard(tally, sum(profile.values()), abstentions)


def _judge(
    tally: Mapping[str, int],
    abstaining: frozenset[str],
    cast: int,
    valid: int,
    electorate: int,
    quorum_met: bool,
    rule: Rule,
) -> tuple[Verdict, str | None, tuple[str, ...]]:
    if cast == 0:
        return Verdict.NO_BALLOTS, None, ()
    if not quorum_met:
        return Verdict.NO_QUORUM, None, ()
    if valid == 0:
        return Verdict.ALL_ABSTAINED, None, ()
    standing = {key: votes for key, votes in tally.items() if key not in abstaining}
    most = max(standing.values())
    top = tuple(key for key, votes in standing.items() if votes == most)
    base = {ShareOf.VALID: valid, ShareOf.CAST: cast, ShareOf.ELECTORATE: electorate}[rule.share_of]
    if not enough(most, base, rule):
        return Verdict.NO_MAJORITY, None, top if len(top) > 1 else ()
    if len(top) == 1:
        return Verdict.CARRIED, top[0], ()
    if rule.tie is TieRule.STATUS_QUO and rule.status_quo in top:
        return Verdict.CARRIED, rule.status_quo, top
    return Verdict.TIE, None, top


def enough(votes: int, base: int, rule: Rule) -> bool:
    """Whether so many votes of so many are the majority that the rule asks."""
    if rule.majority is Majority.ABSOLUTE:
        return 2 * votes > base
    if rule.majority is Majority.QUALIFIED:
        return Fraction(votes) >= rule.share * base
    return votes > 0
