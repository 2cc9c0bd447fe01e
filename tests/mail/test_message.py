"""A message's bytes: whatever stands in a name, a subject or a text, no header is added and none is lost."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coopmail.errors import HeaderError
from coopmail.mail.message import Mailbox, Message, structured, unstructured
from tests.mail.reading import check, check_wire, parsed

SENDER = Mailbox("Cultuurconnect", "cooperatie@cultuurconnect.example")
BREAKS = ["\n", "\r", "\r\n", "\r\n ", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
CONTROLS = ["\x00", "\x01", "\x07", "\x08", "\t", "\x1b", "\x1f", "\x7f", "\x80", "\x9f"]
INJECTIONS = [f"Uw stem{end}Bcc: jan@mol.example" for end in BREAKS]
ODD = [
    "Peeters, Els", 'Els "de snelle" Peeters', "Els \\ Peeters", "'s-Hertogenbosch", "O'Neill", "(Els)",
    "Els <els@x.be>", "els@mol.example", "a; b: c", "=?utf-8?q?Bcc=3A?=", "=?utf-8?b?Cg==?= x",
    "Ghaïth Ünal-Šimić", "Els 😀 Peeters", "👩\u200d👩\u200d👧", "e\u0301", "\u202eslE", "\ufeffEls",
    "Els\u00a0Peeters", "  Els", "Els  ", " ", "a  b", "", ".", "--", "é" * 500, "x" * 1200, "woord " * 300, "😀" * 300,
    '"', "\\", "<", ">", "\u3000", "Bcc: jan@mol.example", "From", "\u00ad",
]  # fmt: skip

nasty = st.one_of(
    st.text(st.characters(), max_size=200),
    st.text(st.sampled_from("ab é😀,;:<>()[]@\"'\\=?_.-"), max_size=120),
    st.sampled_from([*ODD, *INJECTIONS]),
    st.tuples(st.text(max_size=20), st.sampled_from([*BREAKS, *CONTROLS]), st.text(max_size=20)).map("".join),
)
bodies = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.lists(
        st.sampled_from(["", ".", "..", "--=_0", "--=_" + "0" * 31 + "1", "From here", "=20", "a ", "b\t", "é" * 90,
                         "x" * 2000, "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "<p>", "Bcc: jan@mol.example"]),
        max_size=12,
    ).map("\n".join),
)  # fmt: skip


def a_message(**changes: Any) -> Message:
    """A message; `changes` replace what it is made of."""
    values: dict[str, Any] = {
        "key": "0" * 31 + "1", "to": Mailbox("Els Peeters", "els@mol.example"), "sender": SENDER,
        "reply_to": "klaar.leroy@cultuurconnect.example", "subject": "Uw stem", "text": "Dag Els,\n",
        "html": "<p>Dag Els,</p>", "created_at": datetime(2026, 11, 16, 8, tzinfo=UTC), "language": "nl",
        "headers": {"X-Coopmail-Mail": "ballot-invitation"},
    }  # fmt: skip
    return Message(**(values | changes))


def written(message: Message) -> bytes | None:
    """The bytes, or nothing where the message was refused."""
    try:
        return message.as_bytes()
    except HeaderError:
        assert message.has_bad_headers()
        return None


def test_an_ordinary_message_is_written_in_full() -> None:
    raw = a_message(subject="Bibliotheek Mol: uw stem (vóór vr 4 december, 17 uur)", text="Tot één uur.\n").as_bytes()
    assert (
        raw.decode("ascii").replace("\r\n", "\n")
        == """\
From: Cultuurconnect
 <cooperatie@cultuurconnect.example>
To: Els Peeters
 <els@mol.example>
Reply-To: klaar.leroy@cultuurconnect.example
Subject: =?utf-8?q?Bibliotheek_Mol=3A_uw_stem_=28v=C3=B3=C3=B3r_vr_4_decem?=
 =?utf-8?q?ber=2C_17_uur=29?=
Date: Mon, 16 Nov 2026 08:00:00 +0000
Message-ID: <00000000000000000000000000000001@cultuurconnect.example>
MIME-Version: 1.0
Content-Language: nl
Auto-Submitted: auto-generated
X-Auto-Response-Suppress: AutoReply
X-Coopmail-Mail: ballot-invitation
Content-Type: multipart/alternative; boundary="=_00000000000000000000000000000001"

--=_00000000000000000000000000000001
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Tot =C3=A9=C3=A9n uur.

--=_00000000000000000000000000000001
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>Dag Els,</p>
--=_00000000000000000000000000000001--
"""
    )


@given(nasty, nasty, nasty, bodies, bodies)
@example("Uw stem", "Els", "Cultuurconnect, vzw", ".\n..\n", "--=_" + "0" * 31 + "1")
def test_whatever_stands_in_a_name_a_subject_or_a_text_the_headers_are_exactly_ours(
    subject: str, name: str, sender: str, text: str, html: str
) -> None:
    message = a_message(
        subject=subject, to=Mailbox(name, "els@mol.example"), sender=Mailbox(sender, SENDER.address),
        text=text, html=html,
    )  # fmt: skip
    raw = written(message)
    if raw is None:
        # Nothing is refused without a reason: each of these characters is a control, or splits a line, or is no text.
        assert re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", subject + name + sender)
        return
    check_wire(raw)
    check(message, raw)


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_name_or_subject_arrives_as_it_is(odd: str) -> None:
    message = a_message(subject=odd, to=Mailbox(odd, "els@mol.example"), sender=Mailbox(odd, SENDER.address))
    raw = message.as_bytes()
    check_wire(raw)
    check(message, raw)
    assert not message.has_bad_headers()


@pytest.mark.parametrize("place", ["subject", "to", "sender", "reply_to", "language", "headers"])
@pytest.mark.parametrize("char", [*BREAKS, *CONTROLS, "\ud800"])
def test_a_line_end_or_control_in_any_header_is_refused(place: str, char: str) -> None:
    text = f"Els{char}Bcc: jan@mol.example"
    value: object = {"to": Mailbox(text, "els@mol.example"), "sender": Mailbox(text, SENDER.address),
                     "headers": {"X-Coopmail-Mail": text}}.get(place, text)  # fmt: skip
    message = a_message(**{place: value})
    with pytest.raises(HeaderError):
        message.as_bytes()
    assert message.has_bad_headers()


@pytest.mark.parametrize(
    "address",
    [
        "els@mol.example\r\nBcc: jan@mol.example", "els@mol.example\nX: y", "els@mol.example>", "<els@mol.example",
        "els@mol.example, jan@mol.example", "els peeters@mol.example", "els@mol example", "els", "@mol.example", " ",
        "els@", "els@mol.example\x0b", "els@mol.example\u2028", "josé@mol.example", "els@café.example",
        "els@mol.example\n", "a" * 65 + "@mol.example", '"els"@mol.example', "els@[127.0.0.1]", "els@@mol.example",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["to", "sender", "reply_to"])
def test_what_is_no_plain_address_stands_in_no_header(place: str, address: str) -> None:
    value: object = address if place == "reply_to" else Mailbox("Els", address)
    with pytest.raises(HeaderError):
        a_message(**{place: value}).as_bytes()


@pytest.mark.parametrize("name", ["X-Coop\r\nBcc", "X Coop", "X:Coop", "", "1X", "X-Coöp", "X\x0bY"])
def test_a_header_has_a_plain_name(name: str) -> None:
    with pytest.raises(HeaderError):
        a_message(headers={name: "x"}).as_bytes()


def test_a_second_attempt_is_the_same_message() -> None:
    first, second = a_message(text="é" * 300), a_message(text="é" * 300)
    assert first.as_bytes() == first.as_bytes() == second.as_bytes()
    assert first.as_string().encode("ascii") == first.as_bytes()
    assert parsed(first.as_bytes())["Message-ID"] == f"<{'0' * 31}1@cultuurconnect.example>"
    other = parsed(a_message(key="f" * 32).as_bytes())
    assert (other["Message-ID"], other.get_boundary()) == (f"<{'f' * 32}@cultuurconnect.example>", "=_" + "f" * 32)


def test_a_text_that_holds_the_boundary_ends_nothing() -> None:
    boundary = "--=_" + "0" * 31 + "1"
    message = a_message(text=f"a\n{boundary}\nb\n{boundary}--\n", html=f"{boundary}--")
    check(message, message.as_bytes())


@pytest.mark.parametrize(
    "value",
    [
        "<https://stem.example/u/" + "a" * 300 + ">",
        ", ".join(f"<{number:032x}@cultuurconnect.example>" for number in range(40)),
        "List-Unsubscribe=One-Click",
        "=?utf-8?q?no?=",
        "x" * 900,
    ],
)
def test_a_structured_header_is_folded_at_its_spaces_and_never_encoded(value: str) -> None:
    raw = a_message(headers={"X-Coopmail-Mail": value}).as_bytes()
    check_wire(raw)
    found = raw.decode("ascii").partition("X-Coopmail-Mail: ")[2].partition("\r\nContent-Type")[0]
    assert found.replace("\r\n", "") == value
    assert all(line.startswith(" ") for line in found.split("\r\n")[1:])
    if " " in value:
        assert max(len(line) for line in found.split("\r\n")) <= 76


@given(nasty)
def test_a_structured_header_stands_as_it_is_or_is_refused(value: str) -> None:
    try:
        header = structured("List-Id", value)
    except HeaderError:
        assert not value.isascii() or re.search("[\x00-\x1f\x7f]", value) or len(max(value.split(" "), key=len)) > 900
        return
    assert header.replace("\r\n", "") == f"List-Id: {value}"


def test_a_structured_header_whose_word_no_line_can_hold_is_refused() -> None:
    assert structured("X-Word", "x" * 990) == "X-Word: " + "x" * 990
    with pytest.raises(HeaderError):
        structured("X-Word", "x" * 991)


@pytest.mark.parametrize(
    "value", ["é", "é" * 400, "Els 😀 Peeters", "x" * 400, "woord " * 60 + "eind", "=?utf-8?q?x?="]
)
def test_a_free_text_is_encoded_in_lines_of_76_octets_at_most(value: str) -> None:
    header = unstructured("Subject", value)
    assert max(len(line) for line in header.split("\r\n")) <= 76
    assert parsed(f"{header}\r\n\r\n".encode("ascii"))["Subject"] == value


@pytest.mark.parametrize("value", ["", "Uw stem", "a: b", "x" * 67])
def test_a_short_plain_text_stands_as_it_is(value: str) -> None:
    assert unstructured("Subject", value) == f"Subject: {value}"
