"""The published list of a poll's ballots: canonical JSON that anyone can recount, and its hash.

Canonical: one line of UTF-8 without spaces, keys sorted, strings escaped as JSON must and no further, ballots sorted
by label. A ballot is `[label, marks, weight]`; the label is the receipt code in a secret poll, the organisation's or
the seat's name in an open one. Weight 0 is somebody without a vote, who is heard and counted apart: `apart` says how
many were asked so, and is left out where none was. A person who stands for no organisation has `PERSON` for a label,
and no name. The hash is SHA-256 of exactly those bytes: it is stored at closing and mailed with the outcome.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal

import msgspec

from coopmail.domain.counting import Count, Heard, Majority, Marks, Rule, ShareOf, TieRule, Verdict, hear
from coopmail.domain.methods import METHODS
from coopmail.domain.polls import Poll, write_marks
from coopmail.errors import CoopmailError

FORMAT = "coopmail-ballots-1"
LEAST = 5
"""From so many ballots on a secret poll counts. Of fewer, any outcome would tell who voted what."""
PERSON = "a person of the field"
"""The label of every person who answers for no organisation: who said what stays between that person and staff."""
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_CHUNK = 500

Share = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,3}/[1-9][0-9]{0,3}$")]
Votes = Annotated[int, msgspec.Meta(ge=0)]


class ListUnreadable(CoopmailError):
    """A file that is no list of ballots, or one that contradicts itself; the message says where."""


class OptionEntry(msgspec.Struct, forbid_unknown_fields=True):
    """An option, in the poll's order."""

    key: str
    label_nl: str
    label_en: str


class RuleEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The counting rule; shares are exact fractions."""

    majority: Majority
    share: Share
    share_of: ShareOf
    quorum: Share | None
    tie: TieRule
    status_quo: str | None


class BallotList(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A list as read from a file: all that is needed to count again. `electorate` is the votes that could be cast.

    `apart` is how many without a vote were asked to be heard.
    """

    format: Literal["coopmail-ballots-1"]
    slug: str
    title_nl: str
    title_en: str
    secret: bool
    method: str
    options: list[OptionEntry]
    abstain: list[str]
    rule: RuleEntry
    electorate: Votes
    ballots: list[tuple[str, list[str], Votes]]
    apart: Votes = 0


def shows_counts(poll: Poll, cast: int) -> bool:
    """Whether a poll counts, so that there is something to show: an open one always, a secret one from `LEAST` on."""
    return not poll.secret or cast >= LEAST


def too_few(options: Sequence[str], cast: int, electorate: int) -> Count:
    """The result of a secret poll with fewer than `LEAST` ballots: it says how many took part, and no more.

    Not even a verdict or a tie: of one ballot, of a unanimous few or of two that stand equal, either tells who voted
    what. Nobody has to open a ballot for it.
    """
    verdict = Verdict.NO_QUORUM if cast else Verdict.NO_BALLOTS
    return Count(dict.fromkeys(options, 0), cast, 0, electorate, False, verdict)


def pieces(
    poll: Poll, electorate: int, ballots: Iterable[tuple[str, str, int]], apart: int = 0
) -> Iterator[bytes]:  # fmt: skip
    """The list as bytes, piece by piece. `ballots` are (label, marks as text, weight), sorted as bytes sort."""
    rest = {
        "electorate": electorate,
        "format": FORMAT,
        "method": poll.method_name,
        "options": [{"key": one.key, "label_en": one.label_en, "label_nl": one.label_nl} for one in poll.options],
        "rule": _rule(poll),
        "secret": poll.secret,
        "slug": poll.slug,
        "title_en": poll.title_en,
        "title_nl": poll.title_nl,
    }
    # `abstain`, `apart` and `ballots` are the first keys in the order of the alphabet.
    heard = f'"apart":{apart},' if apart else ""
    yield f'{{"abstain":{_encode(poll.abstain_keys)},{heard}"ballots":['.encode()
    waiting: list[str] = []
    separator = ""
    for label, marks, weight in ballots:
        waiting.append(f"{separator}[{_encode(label)},{marks},{weight}]")
        separator = ","
        if len(waiting) == _CHUNK:
            yield "".join(waiting).encode()
            waiting.clear()
    yield "".join(waiting).encode()
    yield f"],{_encode(rest)[1:]}".encode()


def digest(found: Iterable[bytes]) -> str:
    """SHA-256 of the pieces, in hexadecimal."""
    total = hashlib.sha256()
    for piece in found:
        total.update(piece)
    return total.hexdigest()


def read(raw: bytes) -> BallotList:
    """The list that a file holds, or `ListUnreadable`."""
    try:
        found = msgspec.json.decode(raw, type=BallotList, strict=True)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ListUnreadable(f"This is no list of ballots of Coopmail: {error}.") from error
    keys = [option.key for option in found.options]
    if found.method not in METHODS or len(set(keys)) != len(keys) or not set(found.abstain) <= set(keys):
        raise ListUnreadable("The method or the options of this list are not those of a poll.")
    labels = Counter(label for label, _, _ in found.ballots)
    if found.secret and len(labels) != len(found.ballots):
        raise ListUnreadable(f"The receipt code {labels.most_common(1)[0][0]} stands in this list more than once.")
    accepts = METHODS[found.method].accepts
    for label, marks, _ in found.ballots:
        if not accepts(tuple(marks), keys, found.abstain):
            raise ListUnreadable(f"The ballot of {label} is not a ballot of this poll.")
    if sum(weight for _, _, weight in found.ballots) > found.electorate:
        raise ListUnreadable("This list holds more votes than could be cast.")
    heard = sum(weight == 0 for _, _, weight in found.ballots)
    if heard > found.apart or (found.secret and found.apart):
        raise ListUnreadable("This list holds more ballots without a vote than were asked, or a secret one.")
    return found


def recount(found: BallotList) -> Count:
    """Count a list as it was counted at closing. None is published of a secret poll with fewer than `LEAST` ballots."""
    profile: Counter[Marks] = Counter()
    for _, marks, weight in found.ballots:
        if weight:
            profile[tuple(marks)] += weight
    quorum = Fraction(found.rule.quorum) if found.rule.quorum else None
    rule = Rule(
        found.rule.majority, Fraction(found.rule.share), found.rule.share_of, quorum, found.rule.tie,
        found.rule.status_quo,
    )  # fmt: skip
    keys = [option.key for option in found.options]
    return METHODS[found.method].counting(profile, keys, found.abstain, found.electorate, rule)


def recount_apart(found: BallotList) -> Heard:
    """Count again what those said who have no vote."""
    profile = Counter(tuple(marks) for _, marks, weight in found.ballots if weight == 0)
    return hear(profile, [option.key for option in found.options], found.abstain)


def canonical(found: BallotList) -> bytes:
    """The bytes that the hash is of, whatever spaces or order of keys the file had."""
    plain: dict[str, Any] = msgspec.to_builtins(found)
    plain["ballots"].sort(key=lambda ballot: (ballot[0], write_marks(tuple(ballot[1])), ballot[2]))
    return _encode(plain).encode()


def _rule(poll: Poll) -> dict[str, Any]:
    return {
        "majority": poll.majority.value,
        "share": poll.majority_share,
        "share_of": poll.share_of.value,
        "quorum": poll.quorum,
        "tie": poll.tie_rule.value,
        "status_quo": poll.rule.status_quo,
    }
