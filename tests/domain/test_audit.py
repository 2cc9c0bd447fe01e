"""The form of the sealed chain, worked out a second time here: another program must come to the same hashes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coopmail.domain.audit import START, Head, Written

ROW = Written(
    id=b"7",
    at=b"2026-11-16 08:00:00.000000",
    act=b"ballot-cast",
    subject=b"poll:3",
    actor=b"contact:12",
    detail='{"answered_by": "Zoë", "unit": 4}'.encode(),
    sequence=b"1",
    salt=b"00112233445566778899aabbccddeeff",
    commitment=b"54",
    chain=None,
)


def test_a_commitment_is_the_hash_of_its_netstrings() -> None:
    said = (
        b"27:coopmail-audit-commitment-1,32:00112233445566778899aabbccddeeff,10:contact:12,"
        b'34:{"answered_by": "Zo\xc3\xab", "unit": 4},'
    )
    assert ROW.committed() == hashlib.sha256(said).hexdigest()


def test_a_chain_is_the_hash_of_its_netstrings() -> None:
    said = (
        b"22:coopmail-audit-chain-1,64:" + b"0" * 64 + b",1:1,1:7,26:2026-11-16 08:00:00.000000,"
        b"11:ballot-cast,6:poll:3,2:54,"
    )
    assert ROW.chained(START) == hashlib.sha256(said).hexdigest()


@pytest.mark.parametrize("empty", [None, b""])
def test_a_row_that_lacks_a_field_has_no_hash_and_none_fits_it(empty: bytes | None) -> None:
    bare = ROW._replace(commitment=empty, chain=empty)
    for without in (bare._replace(salt=None), bare._replace(actor=None), bare._replace(detail=None)):
        assert (without.committed(), without.kept()) == ("", False)
    for without in (bare._replace(at=None), bare._replace(act=None), bare._replace(commitment=None)):
        assert (without.chained(START), without.follows(START)) == ("", False)


cuts = st.text("0123456789:,a", min_size=4, max_size=30).flatmap(
    lambda text: st.tuples(st.just(text.encode()), st.integers(0, len(text)), st.integers(0, len(text)))
)
"""Fields that look like the marks between them, and two ways to cut the same bytes in two."""


@given(cuts)
def test_no_two_rows_have_one_hash_however_their_fields_are_cut(cut: tuple[bytes, int, int]) -> None:
    text, here, there = cut
    one = ROW._replace(act=text[:here], subject=text[here:], actor=text[:here], detail=text[here:])
    other = ROW._replace(act=text[:there], subject=text[there:], actor=text[:there], detail=text[there:])
    assert (one.chained(START) == other.chained(START)) is (here == there)
    assert (one.committed() == other.committed()) is (here == there)


def test_a_head_is_read_as_it_is_written() -> None:
    head = Head(1_234_567, "ab" * 32)
    assert (str(head), Head.read(str(head))) == (f"1234567:{'ab' * 32}", head)
    assert Head.read(str(START)) == START


@pytest.mark.parametrize(
    "text",
    ["", "5", "5:", ":" + "a" * 64, "05:" + "a" * 64, "-5:" + "a" * 64, "5:" + "a" * 63, "5:" + "A" * 64,
     "5:" + "a" * 64 + "\n", "5:" + "g" * 64, "٥:" + "a" * 64, "1" * 19 + ":" + "a" * 64],
)  # fmt: skip
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SEQUENCE:HASH"):
        Head.read(text)
