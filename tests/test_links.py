"""The token of a personal link: signed, read back, and opened by nothing that is not exactly it."""

from __future__ import annotations

import base64
import hmac
import itertools
import random
import string
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coopmail.errors import LinkUnreadable
from coopmail.links import MAX_TOKEN, Claim, LinkSigner

OLD, NEW = "the old key, long enough to be one" + "." * 8, "the new key, long enough to be one" + "." * 8
ID = "00112233445566778899aabbccddeeff"
KINDS = ("ballot", "contact-details")
ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


@pytest.fixture(scope="module")
def signer() -> LinkSigner:
    """One key."""
    return LinkSigner({1: OLD})


@pytest.fixture(scope="module")
def token(signer: LinkSigner) -> str:
    """A valid token."""
    return signer.sign("ballot", ID, 1)


@given(st.sampled_from(KINDS), st.binary(min_size=16, max_size=16).map(bytes.hex))
def test_what_was_signed_is_read_back(kind: str, link_id: str) -> None:
    signer = LinkSigner({1: OLD})
    token = signer.sign(kind, link_id, 1)
    assert signer.read(token) == Claim(kind, link_id, 1)
    assert signer.sign(kind, link_id, 1) == token


def test_a_token_says_its_kind_its_id_and_a_signature_of_256_bits(token: str) -> None:
    kind, link_id, signature = token.split(".")
    assert kind == "ballot"
    assert base64.urlsafe_b64decode(link_id + "==").hex() == ID
    assert len(base64.urlsafe_b64decode(signature + "=")) == 32


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_signed_with_hmac_sha_256_under_a_key_of_its_own(kind: str) -> None:
    value, _, signature = LinkSigner({1: OLD}).sign(kind, ID, 1).rpartition(".")
    own_key = hmac.digest(OLD.encode(), f"coopmail.link.{kind}".encode(), "sha256")
    expected = hmac.digest(own_key, value.encode(), "sha256")
    assert base64.urlsafe_b64decode(signature + "=") == expected


def refused(signer: LinkSigner, token: str) -> bool:
    """Whether a token is refused as unreadable; any other error is a defect and goes through."""
    try:
        signer.read(token)
    except LinkUnreadable:
        return True
    return False


def test_one_kinds_signature_opens_no_other_kind(signer: LinkSigner) -> None:
    for one, other in itertools.permutations(KINDS, 2):
        signature = signer.sign(one, ID, 1).rpartition(".")[2]
        value = signer.sign(other, ID, 1).rpartition(".")[0]
        assert refused(signer, f"{value}.{signature}")


def test_one_ids_signature_opens_no_other_id(signer: LinkSigner, token: str) -> None:
    other = signer.sign("ballot", ID[:-1] + "0", 1)
    assert refused(signer, f"{other.rpartition('.')[0]}.{token.rpartition('.')[2]}")


def test_after_a_new_key_the_old_links_still_open_and_new_ones_are_signed_with_the_new_key() -> None:
    before, after = LinkSigner({1: OLD}), LinkSigner({1: OLD, 2: NEW})
    assert (before.current, after.current) == (1, 2)
    assert after.read(before.sign("ballot", ID, 1)) == Claim("ballot", ID, 1)
    assert after.read(after.sign("ballot", ID, 2)) == Claim("ballot", ID, 2)
    assert after.sign("ballot", ID, 1) == before.sign("ballot", ID, 1) != after.sign("ballot", ID, 2)
    assert refused(before, after.sign("ballot", ID, 2))


def test_once_the_old_key_is_gone_its_links_open_no_more() -> None:
    old, both, new = LinkSigner({1: OLD}), LinkSigner({1: OLD, 2: NEW}), LinkSigner({2: NEW})
    assert refused(new, old.sign("ballot", ID, 1))
    assert new.read(both.sign("ballot", ID, 2)) == Claim("ballot", ID, 2)
    assert [signer.knows(1) for signer in (old, both, new)] == [True, True, False]
    assert [signer.knows(2) for signer in (old, both, new)] == [False, True, True]


def test_the_highest_version_signs_in_whatever_order_the_keys_are_given() -> None:
    assert LinkSigner({2: NEW, 1: OLD}).current == 2
    assert LinkSigner({9: NEW, 10: OLD}).current == 10


def test_another_installations_key_opens_nothing(token: str) -> None:
    assert refused(LinkSigner({1: NEW}), token)


def other_spellings(token: str) -> Iterator[str]:
    """Each other last character of the id and of the signature that decodes to the same bytes."""
    kind, link_id, signature = token.split(".")
    for last in ALPHABET:
        for part, build in ((link_id, "{kind}.{new}.{signature}"), (signature, "{kind}.{link_id}.{new}")):
            padded = "=" * (-len(part) % 4)
            new = part[:-1] + last
            same = base64.urlsafe_b64decode(new + padded) == base64.urlsafe_b64decode(part + padded)
            if same and new != part:
                yield build.format(kind=kind, link_id=link_id, signature=signature, new=new)


def test_another_spelling_of_the_same_bytes_is_refused(signer: LinkSigner, token: str) -> None:
    spellings = list(other_spellings(token))
    assert len(spellings) == 15 + 3  # 22 characters leave four bits over, 43 leave two
    assert all(refused(signer, spelling) for spelling in spellings)


def mutations(token: str, chance: random.Random) -> Iterator[str]:
    """Endless tokens that look like this one, each of another kind of harm in turn."""
    odd = [*ALPHABET, *".=+/%&? \t\r\n\x00\x0b\x0c\x1c\x7féа０İſK\u2028\u200b\u202e\ud800\udfff😀"]
    other_kinds = ["Ballot", "BALLOT", "ballots", "contact-details", "", "ballot-", "b\u0430llot"]
    while True:
        place = chance.randrange(len(token))
        before, char, after = token[:place], token[place], token[place + 1 :]
        yield before + chr(ord(char) ^ (1 << chance.randrange(7))) + after  # a bit
        yield before + chance.choice(ALPHABET) + after
        yield before + chance.choice(odd) + after
        yield before + char.swapcase() + after
        yield before + chance.choice(odd) + char + after  # an insertion
        yield before + after
        yield token[:place]
        yield token[place:]
        yield token[place:] + token[:place]
        yield token + chance.choice(["=", "==", "===", "====", ".", "%3D", "/", "\n", "\r\n", " ", "\x00", "\ud800"])
        yield chance.choice(["=", ".", "/", "\n", " ", "\ufeff", "ballot.", "x"]) + token
        yield token.replace("ballot", chance.choice(other_kinds))
        yield token.replace(".", chance.choice(["", "..", ",", "·", "．", "%2E", ".\n"]))
        yield token.translate({ord(char): chr(ord(char) + 0xFEE0) if char.isalnum() else char})  # of full width
        yield "".join(chance.sample(token, len(token)))
        yield "".join(chance.choice(odd) for _ in range(chance.choice([0, 1, 22, 73, 73, 73, 512, 600])))
        yield f"ballot.{''.join(chance.choices(ALPHABET, k=22))}.{''.join(chance.choices(ALPHABET, k=43))}"
        yield token + "A" * chance.choice([1, MAX_TOKEN - len(token), MAX_TOKEN - len(token) + 1, 5000])


def test_of_a_hundred_thousand_tokens_that_look_like_mine_none_opens_anything(signer: LinkSigner, token: str) -> None:
    assert signer.read(token) == Claim("ballot", ID, 1)
    tried, opened = 0, []
    for mutation in mutations(token, random.Random(20261204)):
        if mutation == token:
            continue
        tried += 1
        if not refused(signer, mutation):
            opened.append(mutation)
        if tried == 100_000:
            break
    assert opened == []


@pytest.mark.parametrize("length", [MAX_TOKEN + 1, 10_000, 1_000_000])
def test_a_token_of_more_than_512_characters_is_refused_unread(signer: LinkSigner, length: int) -> None:
    assert refused(signer, "ballot." + "A" * (length - 7))
    assert refused(signer, "a-" * (length // 2))


def test_even_a_token_that_is_signed_is_refused_beyond_512_characters(signer: LinkSigner) -> None:
    rest = len(signer.sign("ab", ID, 1)) - 2
    kind = "ab" + "-ab" * ((MAX_TOKEN - rest - 2) // 3)
    longest = kind + "c" * (MAX_TOKEN - rest - len(kind))
    assert len(signer.sign(longest, ID, 1)) == MAX_TOKEN
    assert signer.read(signer.sign(longest, ID, 1)) == Claim(longest, ID, 1)
    assert refused(signer, signer.sign(longest + "c", ID, 1))


@given(st.text(alphabet=st.characters()) | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Nd", "Ll"])))
def test_no_text_whatever_makes_anything_but_an_unreadable_link(text: str) -> None:
    assert refused(LinkSigner({1: OLD}), text)
