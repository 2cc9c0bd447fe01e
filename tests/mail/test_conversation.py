"""One message's SMTP transaction: each reply at each step, in whatever pieces it comes, and what it means for whom."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coopmail.errors import (
    Interrupted,
    MessageRefused,
    PassingFailure,
    RecipientRefused,
    RelayDown,
    RelayError,
    SenderRefused,
)
from coopmail.mail.conversation import Replies, Reply, Stage, Transaction

RAW = b"From: a\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n"
STUFFED = b"From: a\r\n\r\n..dot\r\n...\r\n..\r\nend\r\n.\r\n"
ENVELOPE = [b"MAIL FROM:<us@mol.example>\r\n", b"RCPT TO:<els@mol.example>\r\n", b"DATA\r\n"]
USUAL = {Stage.MAIL: "250 ok", Stage.RCPT: "250 ok", Stage.DATA: "354 go", Stage.END: "250 2.0.0 kept as 7",
         Stage.RSET: "250 ok"}  # fmt: skip
MULTI = "250-2.0.0 kept\r\n250-as\r\n250 number 7"
CUTS = ("whole", "octets", "lump")

each_way = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])


def outcome_of(pipelining: bool, replies: Mapping[Stage, str | None]) -> tuple[Talk, tuple[type[object], str, bool]]:
    """A talk, and what it means: the same in whatever pieces the replies come."""
    talks = [Talk(pipelining, replies, cut).run() for cut in CUTS]
    assert {(talk.outcome, b"".join(talk.written)) for talk in talks} == {
        (talks[0].outcome, b"".join(talks[0].written))
    }
    return talks[0], talks[0].outcome


class Talk:
    """A transaction with a relay that answers each step as it was told, in pieces as they are cut."""

    def __init__(self, pipelining: bool, replies: Mapping[Stage, str | None] | None = None, cut: str = "whole") -> None:
        self.replies: dict[Stage, str | None] = {**USUAL, **(replies or {})}
        self.cut = cut
        self.transaction = Transaction("us@mol.example", "els@mol.example", RAW, pipelining=pipelining)
        self.written: list[bytes] = []
        self._in_body = False

    def run(self) -> Talk:
        """Talk until it is done, or the relay hangs up where its reply is None."""
        heard = self.transaction.start()
        while heard:
            self.written.append(heard)
            said = b""
            for stage in self._asked(heard):
                reply = self.replies[stage]
                if reply is None:
                    self._feed(said)
                    self.transaction.broke_off("the relay hung up")
                    return self
                said += reply.encode() + b"\r\n"
                self._in_body = stage is Stage.DATA and reply.startswith("354")
            heard = self._feed(said)
        return self

    def _asked(self, heard: bytes) -> list[Stage]:
        """Which replies the relay owes for what it heard."""
        if self._in_body:
            assert heard in (STUFFED, b".\r\n")
            return [Stage.END]
        return [Stage(line[:4].decode()) for line in heard.splitlines()]

    def _feed(self, said: bytes) -> bytes:
        if self.cut == "lump":
            return self.transaction.receive(said)
        pieces = [bytes([octet]) for octet in said] if self.cut == "octets" else said.splitlines(keepends=True)
        return b"".join([self.transaction.receive(piece) for piece in pieces])

    @property
    def outcome(self) -> tuple[type[object], str, bool]:
        """What it means, in what words, and whether the connection takes another message."""
        assert self.transaction.done
        return type(self.transaction.result), str(self.transaction.result), self.transaction.usable


# ── What is written ──────────────────────────────────────────────────────────────────────────────────────


def test_with_pipelining_the_envelope_goes_in_one_write_and_the_message_in_a_second() -> None:
    for cut in CUTS:
        talk = Talk(True, cut=cut).run()
        assert talk.written == [b"".join(ENVELOPE), STUFFED]
        assert talk.outcome == (Reply, "250 2.0.0 kept as 7", True)


def test_without_pipelining_each_step_waits_for_its_reply() -> None:
    for cut in CUTS:
        talk = Talk(False, cut=cut).run()
        assert talk.written == [*ENVELOPE, STUFFED]
        assert talk.outcome == (Reply, "250 2.0.0 kept as 7", True)


@each_way
def test_it_says_which_reply_it_waits_for(pipelining: bool) -> None:
    talk = Transaction("us@mol.example", "els@mol.example", RAW, pipelining=pipelining)
    talk.start()
    seen = [talk.stage]
    for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 kept\r\n"):
        talk.receive(reply)
        seen.append(talk.stage)
    assert seen == [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END, None]


# ── What a reply means ───────────────────────────────────────────────────────────────────────────────────

DOWN = [(stage, f"{code} 4.3.2 closing", RelayDown, False)
        for stage in (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END) for code in (421, 454)]  # fmt: skip
OUT_OF_STEP = [
    (Stage.MAIL, "354 go", RelayDown, False),
    (Stage.MAIL, "334 who", RelayDown, False),
    (Stage.DATA, "334 who", RelayDown, False),
    (Stage.RCPT, "354 go", RelayDown, False),
    (Stage.DATA, "250 ok", RelayDown, False),
    (Stage.END, "354 go", RelayDown, False),
]
REFUSALS = [
    (Stage.MAIL, "450 4.1.8 later", PassingFailure, True),
    (Stage.MAIL, "550 5.7.1 not you", SenderRefused, True),
    (Stage.RCPT, "450 4.2.0 greylisted", PassingFailure, True),
    (Stage.RCPT, "550 5.1.1 no such mailbox", RecipientRefused, True),
    (Stage.RCPT, "530 5.7.0 sign in first", SenderRefused, True),
    (Stage.RCPT, "535 5.7.8 wrong password", SenderRefused, True),
    (Stage.RCPT, "550 5.7.1 relaying denied", SenderRefused, True),
    (Stage.RCPT, "554 5.7.1 Relay access denied", SenderRefused, True),
    (Stage.RCPT, "550 unable to relay", SenderRefused, True),
    (Stage.DATA, "451 4.3.0 no disk", PassingFailure, True),
    (Stage.DATA, "554 5.5.1 no valid recipients", MessageRefused, True),
    (Stage.END, "451 4.7.1 later", PassingFailure, True),
    (Stage.END, "552 5.3.4 too big", MessageRefused, True),
]


@each_way
@pytest.mark.parametrize(("stage", "reply", "kind", "usable"), [*DOWN, *OUT_OF_STEP, *REFUSALS])
def test_each_reply_at_each_step_says_who_is_to_blame_and_whether_the_connection_goes_on(
    pipelining: bool, stage: Stage, reply: str, kind: type[RelayError], usable: bool
) -> None:
    replies: dict[Stage, str | None] = {stage: reply}
    if stage in (Stage.MAIL, Stage.RCPT) and pipelining and usable:
        replies |= {Stage.DATA: "503 5.5.1 no recipient"}
        replies |= {Stage.RCPT: "503 5.5.1 no sender"} if stage is Stage.MAIL else {}
    talk, outcome = outcome_of(pipelining, replies)
    assert outcome == (kind, reply, usable)
    wire = b"".join(talk.written)
    assert (b"From: a" in wire) is (stage is Stage.END)
    assert (b"RSET" in wire) is (usable and stage is not Stage.END)


@each_way
@pytest.mark.parametrize("reply", ["250", "250 ", MULTI, "251 2.1.5 forwarded", "250-\r\n250 ok", "299 x"])
@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.END])
def test_every_reply_of_the_two_hundreds_accepts(pipelining: bool, stage: Stage, reply: str) -> None:
    talk, outcome = outcome_of(pipelining, {stage: reply})
    assert outcome[::2] == (Reply, True)
    assert isinstance(talk.transaction.result, Reply)
    assert talk.transaction.result.code == int((reply if stage is Stage.END else USUAL[Stage.END])[:3])


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (MULTI, "250 2.0.0 kept as number 7"),
        ("250  a \t b ", "250 a b"),
        ("250 " + "x" * 400, "250 " + "x" * 300),
        ("250 gewéigerd", "250 gewéigerd"),
        ("250", "250"),
    ],
)
def test_a_reply_is_kept_on_one_line_of_bearable_length(said: str, text: str) -> None:
    assert Talk(True, {Stage.END: said}).run().outcome == (Reply, text, True)


def test_a_reply_that_is_no_utf8_is_kept_as_well_as_it_goes() -> None:
    assert [str(reply) for reply in Replies().feed(b"550 caf\xe9\r\n")] == ["550 caf\ufffd"]


@pytest.mark.parametrize("end", ["250 nothing sent", "554 no valid recipients", "451 later", "354 what"])
@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        ({Stage.RCPT: "550 unknown"}, RecipientRefused),
        ({Stage.RCPT: "450 greylisted"}, PassingFailure),
        ({Stage.MAIL: "550 not you"}, SenderRefused),
        ({Stage.MAIL: "550 not you", Stage.RCPT: "550 unknown"}, SenderRefused),
    ],
)
def test_where_a_refusal_is_followed_by_354_a_lone_dot_ends_a_message_to_nobody(
    end: str, refused: dict[Stage, str], kind: type[RelayError]
) -> None:
    talk, outcome = outcome_of(True, {**refused, Stage.END: end})
    assert talk.written == [b"".join(ENVELOPE), b".\r\n"]
    in_step = not end.startswith("354")
    assert outcome == (kind, next(iter(refused.values())), in_step)


@each_way
@pytest.mark.parametrize(("reply", "usable"), [("250 ok", True), ("500 what", True), ("421 bye", False)])
def test_after_a_refusal_the_reply_to_rset_changes_nothing_but_a_goodbye_is_heard(
    pipelining: bool, reply: str, usable: bool
) -> None:
    _, outcome = outcome_of(pipelining, {Stage.DATA: "554 refused", Stage.RSET: reply})
    assert outcome == (MessageRefused, "554 refused", usable)


# ── A relay that leaves, or talks nonsense ───────────────────────────────────────────────────────────────


@each_way
@pytest.mark.parametrize(
    ("stage", "kind"),
    [(Stage.MAIL, RelayDown), (Stage.RCPT, Interrupted), (Stage.DATA, Interrupted), (Stage.END, Interrupted)],
)
def test_who_is_to_blame_for_a_hang_up_depends_on_whether_the_message_had_begun(
    pipelining: bool, stage: Stage, kind: type[RelayError]
) -> None:
    talk, outcome = outcome_of(pipelining, {stage: None})
    assert outcome == (kind, "0 the relay hung up", False)
    assert talk.transaction.begun is (kind is Interrupted)


@each_way
def test_a_refusal_that_was_said_stands_though_the_relay_hangs_up_after_it(pipelining: bool) -> None:
    talk = Talk(pipelining, {Stage.RCPT: "550 unknown", Stage.DATA: None, Stage.RSET: None}).run()
    assert talk.outcome == (RecipientRefused, "550 unknown", False)


@each_way
def test_a_hang_up_after_the_last_reply_costs_only_the_connection(pipelining: bool) -> None:
    talk = Talk(pipelining).run()
    talk.transaction.broke_off("the relay hung up")
    assert talk.outcome == (Reply, "250 2.0.0 kept as 7", False)


@each_way
@pytest.mark.parametrize(
    "after", ["421 bye", "250 and again", "550 after all", "nonsense", "x" * 70_000, "250-more to come\r\n" * 9]
)
def test_what_was_accepted_stays_accepted_whatever_the_relay_says_after_it(pipelining: bool, after: str) -> None:
    _, outcome = outcome_of(pipelining, {Stage.END: f"250 2.0.0 kept as 7\r\n{after}"})
    assert outcome == (Reply, "250 2.0.0 kept as 7", False)


@each_way
@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END])
@pytest.mark.parametrize("nonsense", ["HTTP/1.1 400 Bad Request", "", "25 ok", "250ok", "150 wait", "999 x", "\x00"])
def test_what_is_no_reply_is_the_relays_fault(pipelining: bool, stage: Stage, nonsense: str) -> None:
    _, (kind, said, usable) = outcome_of(pipelining, {stage: nonsense})
    assert (kind, usable) == (RelayDown, False)
    assert said.startswith("0 the relay said something that is no reply: ")


@pytest.mark.parametrize("endless", [b"x", b"250", b"250-", b"250-\r\n", b"250-more\r\n"])
def test_a_reply_that_does_not_end_is_the_relays_fault_and_memory_stays_small(endless: bytes) -> None:
    talk = Transaction("us@mol.example", "els@mol.example", RAW, pipelining=True)
    talk.start()
    fed = 0
    for chunk in itertools.repeat(endless * 500):
        talk.receive(chunk)
        fed += len(chunk)
        if talk.done:
            break
        assert fed < 200_000
    assert isinstance(talk.result, RelayDown)
    assert not talk.usable


# ── In whatever pieces ───────────────────────────────────────────────────────────────────────────────────

codes = st.sampled_from(["250", "251", "354", "421", "450", "451", "454", "503", "530", "550", "554", "221", "150"])
words = st.sampled_from(["", " ok", " relaying denied", " \xe9", "-more\r\n250 ok", "-more\r\n550 no", "-", "x", "\r"])
replies = st.lists(st.tuples(codes, words, st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"])).map("".join), max_size=9)


@given(replies.map("".join), st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_a_conversation_is_the_same_in_whatever_pieces_the_replies_come(
    said: str, cuts: Iterable[int], pipelining: bool
) -> None:
    octets = said.encode("latin-1")
    marks = [0, *sorted(cut for cut in cuts if cut < len(octets)), len(octets)]
    ways = [
        [octets],
        [octets[one:other] for one, other in itertools.pairwise(marks)],
        [bytes([octet]) for octet in octets],
    ]
    seen = []
    for pieces in ways:
        talk = Transaction("us@mol.example", "els@mol.example", RAW, pipelining=pipelining)
        written = talk.start() + b"".join([talk.receive(piece) for piece in pieces])
        seen.append((written, talk.done, talk.usable, talk.begun, type(talk.result), str(talk.result)))
    assert seen == [seen[0]] * 3
