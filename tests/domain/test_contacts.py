"""Addresses: what is one, what only looks like one, and which two are the same."""

from __future__ import annotations

import pytest

from coopmail.domain.contacts import address_key, valid_address


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("els.peeters@aartselaar.example", "els.peeters@aartselaar.example"),
        ("  els.peeters@aartselaar.example\t", "els.peeters@aartselaar.example"),
        ("Els.Peeters@Aartselaar.Example", "Els.Peeters@aartselaar.example"),
        ("els+stem@bib.aartselaar.example", "els+stem@bib.aartselaar.example"),
        ("o'neill_1-2@x9.example", "o'neill_1-2@x9.example"),
        ("jan@ｍol.example", "jan@mol.example"),  # a letter of full width is the same letter
    ],
)
def test_an_ordinary_address_is_taken_in_its_normal_form(typed: str, address: str) -> None:
    assert valid_address(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "", "els", "els@", "@mol.example", "els@mol", "els@localhost", "els@@mol.example", "els@mol..example",
        "els@.example", "els@-mol.example", ".els@mol.example", "els.@mol.example", "e..ls@mol.example",
        "els peeters@mol.example", "els,jan@mol.example", "els@mol.example, jan@mol.example",
        "Els <els@mol.example>", '"els"@mol.example', "els@[127.0.0.1]", "els@mol.example\nBcc: jan@mol.example",
        "els@mol.example\r\nX: y", "els\x00@mol.example", "els@mol.example\x00", "els\x0b@mol.example",
        "els\u2028@mol.example", "e" * 65 + "@mol.example", "els@" + "m" * 64 + ".example", "(els)@mol.example",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        valid_address(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "els@m\u043el.example",  # a Cyrillic o in Mol
        "els@\u0430artselaar.example",  # a Cyrillic a
        "els@mol.ex\u0430mple",
        "els@\u03bfl.example",  # a Greek omicron
        "els@\u0441\u043e\u0441.example",  # a label that is wholly Cyrillic beside a Latin one
        "els@mol.\u0440\u0444",
    ],
)
def test_an_address_that_mixes_scripts_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"^the address mixes scripts$"):
        valid_address(typed)


@pytest.mark.parametrize(
    "mark",
    ["\u200e", "\u200f", "\u061c", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068",
     "\u2069", "\u200b", "\u200d", "\u00ad", "\ufeff"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["{}els@mol.example", "e{}ls@mol.example", "els{}@mol.example"])
def test_an_invisible_or_turning_mark_before_the_at_sign_is_refused(place: str, mark: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        valid_address(place.format(mark))


@pytest.mark.parametrize("mark", list("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
@pytest.mark.parametrize("place", ["els@{}mol.example", "els@m{}ol.example", "els@mol{}.example"])
def test_a_mark_that_turns_the_writing_around_is_refused_in_the_domain(place: str, mark: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        valid_address(place.format(mark))


@pytest.mark.parametrize(
    "typed", ["josé@mol.example", "jose\u0301@mol.example", "ёлс@mol.example", "els😀@mol.example"]
)
def test_a_name_beyond_ascii_before_the_at_sign_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"."):  # it would need SMTPUTF8, which few relays speak
        valid_address(typed)


@pytest.mark.parametrize("domain", ["café.example", "cafe\u0301.example", "CAFÉ.example", "xn--caf-dma.example"])
def test_a_domain_beyond_ascii_is_taken_in_the_form_that_mail_is_sent_to(domain: str) -> None:
    assert valid_address(f"els@{domain}") == "els@xn--caf-dma.example"


@pytest.mark.parametrize("typed", ["els@mol.example", "els@café.example", "jan@ｍol.example"])
def test_an_address_that_is_taken_can_stand_in_a_header(typed: str) -> None:
    assert valid_address(typed).isascii()
    assert valid_address(valid_address(typed)) == valid_address(typed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Els.Peeters@Mol.example", "els.peeters@mol.example"),
        (" els@mol.example\r\n", "els@mol.example"),
        ("jose\u0301@mol.example", "josé@mol.example"),
        ("JOSÉ@mol.example", "josé@mol.example"),
    ],
)
def test_two_spellings_of_one_address_are_one(one: str, other: str) -> None:
    assert address_key(one) == address_key(other) == other


@pytest.mark.parametrize(
    ("one", "other"),
    [("els@mol.example", "els@m\u043el.example"), ("els@mol.example", "els+1@mol.example"),
     ("els@mol.example", "e.ls@mol.example"), ("jose@mol.example", "josé@mol.example")],
)  # fmt: skip
def test_two_addresses_that_only_look_alike_are_two(one: str, other: str) -> None:
    assert address_key(one) != address_key(other)
