"""The published list: its bytes, its hash, counting it again, and files that are no list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coopmail.domain.ballot_list import ListUnreadable, canonical, digest, pieces, read, recount, shows_counts
from coopmail.domain.counting import Majority, ShareOf, TieRule, Verdict, count
from coopmail.domain.polls import Poll, write_marks
from tests.builders import build_options

Ballot = tuple[str, str, int]
LABELS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
CHOICES = st.sampled_from([("keep",), ("move",), ("keep", "move"), ("abstain",)])


def poll(**changes: Any) -> Poll:
    """An approval, closed."""
    values: dict[str, Any] = {
        "slug": "weg", "title_nl": "Welke weg?", "title_en": "", "method_name": "approval", "secret": False,
        "majority": Majority.SIMPLE, "majority_share": "2/3", "share_of": ShareOf.VALID, "quorum": "1/4",
        "tie_rule": TieRule.STATUS_QUO, "options": build_options(),
    }  # fmt: skip
    return Poll(**(values | changes))


def written(ballots: list[Ballot], electorate: int = 40, **changes: Any) -> bytes:
    """The list of these ballots."""
    return b"".join(pieces(poll(**changes), electorate, ballots))


def test_a_list_is_these_bytes() -> None:
    assert written([("Bibliotheek “Überlingen”", '["keep"]', 1), ("Mol", '["keep","move"]', 2)]).decode() == (
        '{"abstain":["abstain"],"ballots":[["Bibliotheek “Überlingen”",["keep"],1],["Mol",["keep","move"],2]],'
        '"electorate":40,"format":"coopmail-ballots-1","method":"approval","options":['
        '{"key":"keep","label_en":"Stay with the supplier","label_nl":"Bij de leverancier blijven"},'
        '{"key":"move","label_en":"Move to an open platform","label_nl":"Naar een open platform"},'
        '{"key":"abstain","label_en":"Abstain","label_nl":"Onthouding"}],'
        '"rule":{"majority":"simple","quorum":"1/4","share":"2/3","share_of":"valid","status_quo":"keep",'
        '"tie":"status_quo"},"secret":false,"slug":"weg","title_en":"","title_nl":"Welke weg?"}'
    )


@given(st.lists(st.tuples(LABELS, CHOICES, st.integers(1, 3)), max_size=30))
def test_a_list_is_canonical_json_and_counts_as_it_was_counted(given_: list[tuple[str, tuple[str, ...], int]]) -> None:
    ballots = sorted((label, write_marks(marks), weight) for label, marks, weight in given_)
    raw = written(ballots, electorate=100)
    assert raw == json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert canonical(read(raw)) == raw
    profile: dict[tuple[str, ...], int] = {}
    for _, marks, weight in given_:
        profile[marks] = profile.get(marks, 0) + weight
    own = poll()
    assert recount(read(raw)) == count(profile, own.option_keys, own.abstain_keys, 100, own.rule)


def test_a_long_list_in_pieces_is_the_list_and_its_hash_is_that_of_the_whole() -> None:
    ballots = [(f"Bibliotheek {number:06}", '["move"]', 1) for number in range(100_000)]
    found = list(pieces(poll(), 200_000, ballots))
    whole = b"".join(found)
    assert max(map(len, found)) < 30_000
    assert digest(found) == hashlib.sha256(whole).hexdigest()
    assert (recount(read(whole)).tally["move"], recount(read(whole)).verdict) == (100_000, Verdict.CARRIED)


@pytest.mark.parametrize(
    ("secret", "cast", "shown"), [(False, 0, True), (False, 4, True), (True, 4, False), (True, 5, True)]
)
def test_counts_are_hidden_only_where_fewer_than_five_voted_in_secret(secret: bool, cast: int, shown: bool) -> None:
    assert shows_counts(poll(secret=secret), cast) is shown


def change(**values: Any) -> Callable[[dict[str, Any]], object]:
    """Replace keys of a list."""
    return lambda found: found.update(values)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda found: found.pop("rule"), "missing required field `rule`"),
        (change(format="another"), "at `$.format`"),
        (change(extra=1), "unknown field `extra`"),
        (change(electorate=1), "This list holds more votes than could be cast."),
        (change(electorate=-1), "at `$.electorate`"),
        (change(method="lots"), "The method or the options of this list are not those of a poll."),
        (change(abstain=["nobody"]), "The method or the options of this list are not those of a poll."),
        (change(ballots=[["Mol", ["nobody"], 1]]), "The ballot of Mol is not a ballot of this poll."),
        (change(ballots=[["Mol", [], 1]]), "The ballot of Mol is not a ballot of this poll."),
        (change(ballots=[["Mol", ["keep"], -1]]), "at `$.ballots[0][2]`"),
        (change(ballots=[["Mol", ["keep"], 0]]), "This list holds more ballots without a vote than were asked"),
        (change(apart=1, secret=True), "or a secret one."),
        (change(apart=-1), "at `$.apart`"),
        (change(ballots=[["Mol", ["keep"]]]), "at `$.ballots[0]`"),
        (lambda found: found["rule"].update(quorum="1/0"), "at `$.rule.quorum`"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused_with_the_place(
    spoil: Callable[[dict[str, Any]], object], says: str
) -> None:
    found = json.loads(written([("Boom", '["keep"]', 1), ("Mol", '["keep"]', 1)]))
    spoil(found)
    with pytest.raises(ListUnreadable) as refused:
        read(json.dumps(found).encode())
    assert says in str(refused.value)


def test_a_receipt_code_stands_in_a_secret_list_once_and_a_name_may_stand_in_an_open_one_twice() -> None:
    twice = [("K7QF-2MXD-9TRW", '["keep"]', 1)] * 2
    assert recount(read(written(twice))).cast == 2
    with pytest.raises(ListUnreadable, match="The receipt code K7QF-2MXD-9TRW stands in this list more than once"):
        read(written(twice, secret=True))


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b"\x89PNG\r\n", b'{"format":"coopmail-ballots-1"}'])
def test_a_file_of_another_kind_is_said_to_be_no_list(raw: bytes) -> None:
    with pytest.raises(ListUnreadable, match="This is no list of ballots of Coopmail"):
        read(raw)
