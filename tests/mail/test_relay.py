"""Handing a message to a real SMTP server: what each answer means, and for whom."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import flask_mail
import pytest
from flask import Flask

from coopmail import create_app
from coopmail.config import Relay, Settings
from coopmail.errors import (
    Interrupted,
    MessageRefused,
    PassingFailure,
    RecipientRefused,
    RelayDown,
    RelayError,
    SenderRefused,
)
from coopmail.mail import channel, relay
from coopmail.mail.channel import Answer, Channel, Outgoing
from coopmail.mail.conversation import Reply
from coopmail.mail.message import Mailbox, Message
from coopmail.mail.pool import Pool
from tests.mail.scripted import HOLD, Event, Move, ScriptedRelay
from tests.mail.smtp import SmtpServer, certificate

LOGIN = ("coopmail", "a password with a space")


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    """A server that takes everything."""
    with SmtpServer() as server:
        yield server


def an_app(tmp_path: Path, way_out: Relay | None) -> Flask:
    """An application with that relay; it opens no database."""
    return create_app(
        Settings(
            secret_keys={1: "a key that only the tests know, and long enough"},
            database_url=f"sqlite:///{tmp_path}/none.sqlite", mailbox=tmp_path / "mailbox", relay=way_out,
        )
    )  # fmt: skip


def plain(server: SmtpServer) -> Relay:
    """The way to a server on this machine."""
    return Relay("127.0.0.1", server.port, "none")


def a_message(
    number: int = 1, *, name: str = "Peeters, Els", to: str = "els@mol.example", text: str = "Dag Els,\n"
) -> Message:
    """A message; each number is another one."""
    return Message(
        key=f"{number:032x}", to=Mailbox(name, to),
        sender=Mailbox("Cultuurconnect", "cooperatie@cultuurconnect.example"),
        reply_to="klaar.leroy@cultuurconnect.example", subject="Uw stem", text=text, html="<p>Dag Els,</p>",
        created_at=datetime(2026, 11, 16, 8, tzinfo=UTC), language="nl",
    )  # fmt: skip


def outgoing(message: Message) -> Outgoing:
    """A message ready for the wire; its tag is its key."""
    return Outgoing(message.key, message.key, message.from_.address, message.to.address, message.as_bytes())


def opening(app: Flask) -> Callable[[], Channel]:
    """What opens a channel of that application."""
    settings: Settings = app.extensions["coopmail"].settings
    return lambda: relay.connect(app.extensions["mail"], settings)


def answers_to(app: Flask, *messages: Message) -> list[Answer]:
    """Hand messages over one after the other, on one connection as long as it takes them."""
    found: list[Answer] = []
    with closing(Pool(opening(app), most=1)) as pool:
        for message in messages:
            assert pool.ready(1) == 1
            pool.start(outgoing(message))
            found += pool.wait()
    assert [answer.tag for answer in found] == [message.key for message in messages]
    return found


def hand_over(app: Flask, *messages: Message) -> list[str]:
    """The relay's replies to messages; an error by its class and code."""
    return [
        f"{type(answer.result).__name__} {answer.result.code}" if isinstance(answer.result, RelayError)
        else str(answer.result)
        for answer in answers_to(app, *messages)
    ]  # fmt: skip


def test_an_accepted_message_arrives_byte_for_byte_and_its_reply_is_returned(tmp_path: Path, smtp: SmtpServer) -> None:
    message = a_message()
    assert hand_over(an_app(tmp_path, plain(smtp)), message) == ["250 2.0.0 kept"]
    (arrived,) = smtp.messages
    assert (arrived.sender, arrived.recipient) == ("cooperatie@cultuurconnect.example", "els@mol.example")
    assert arrived.raw == message.as_bytes()
    assert smtp.heard == ["EHLO", "MAIL", "RCPT", "DATA"]


def test_each_message_has_a_transaction_and_one_recipient_of_its_own(tmp_path: Path, smtp: SmtpServer) -> None:
    messages = [a_message(number, to=f"lid{number}@mol.example") for number in range(3)]
    assert hand_over(an_app(tmp_path, plain(smtp)), *messages) == ["250 2.0.0 kept"] * 3
    assert [arrived.recipient for arrived in smtp.messages] == [f"lid{number}@mol.example" for number in range(3)]
    assert smtp.heard == ["EHLO", *(["MAIL", "RCPT", "DATA"] * 3)]


@pytest.mark.parametrize(
    ("verb", "reply", "kind", "code"),
    [
        ("RCPT", "450 4.2.0 greylisted", PassingFailure, 450),
        ("RCPT", "451 4.7.1 come back later", PassingFailure, 451),
        ("RCPT", "452 4.2.2 mailbox full", PassingFailure, 452),
        ("RCPT", "550 5.1.1 no such mailbox", RecipientRefused, 550),
        ("RCPT", "553 5.1.3 that is no mailbox", RecipientRefused, 553),
        ("MAIL", "450 4.1.8 later", PassingFailure, 450),
        ("MAIL", "550 5.7.1 we do not know you", SenderRefused, 550),
        ("MAIL", "553 5.7.1 sender refused", SenderRefused, 553),
        ("END", "451 4.3.0 later", PassingFailure, 451),
        ("END", "554 5.7.1 looks like spam", MessageRefused, 554),
        ("END", "552 5.3.4 too big", MessageRefused, 552),
        ("DATA", "451 4.3.0 no disk", PassingFailure, 451),
        ("DATA", "554 5.5.1 no valid recipients", MessageRefused, 554),
        ("MAIL", "421 4.3.2 closing", RelayDown, 421),
        ("RCPT", "421 4.7.0 too many", RelayDown, 421),
        ("DATA", "421 4.3.2 closing", RelayDown, 421),
        ("END", "421 4.3.2 closing", RelayDown, 421),
        ("RCPT", "454 4.7.0 no TLS now", RelayDown, 454),
    ],
)
def test_each_refusal_says_who_is_to_blame(
    tmp_path: Path, smtp: SmtpServer, verb: str, reply: str, kind: type[RelayError], code: int
) -> None:
    smtp.answer(verb, reply)
    (answer,) = answers_to(an_app(tmp_path, plain(smtp)), a_message())
    assert type(answer.result) is kind
    assert (answer.result.code, str(answer.result)) == (code, reply)
    assert smtp.messages == []


@pytest.mark.parametrize(
    ("verb", "reply", "said"),
    [
        ("MAIL", "450 later", "PassingFailure 450"),
        ("RCPT", "550 unknown", "RecipientRefused 550"),
        ("DATA", "554 refused", "MessageRefused 554"),
        ("DATA", "451 later", "PassingFailure 451"),
        ("END", "554 spam", "MessageRefused 554"),
    ],
)
def test_after_a_refusal_the_next_message_goes_on_the_same_connection(
    tmp_path: Path, smtp: SmtpServer, verb: str, reply: str, said: str
) -> None:
    smtp.answer(verb, reply, times=1)
    answers = hand_over(an_app(tmp_path, plain(smtp)), a_message(1), a_message(2, to="jan@mol.example"))
    assert answers == [said, "250 2.0.0 kept"]
    assert smtp.recipients() == ["jan@mol.example"]
    assert smtp.heard.count("EHLO") == 1
    assert smtp.heard.count("RSET") == (verb != "END")  # the end of a message clears the table by itself


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_relay_that_says_goodbye_and_hangs_up_is_down(tmp_path: Path, smtp: SmtpServer, verb: str) -> None:
    smtp.answer(verb, "421 4.3.2 closing", closes=True)
    assert hand_over(an_app(tmp_path, plain(smtp)), a_message()) == ["RelayDown 421"]


@pytest.mark.parametrize(
    ("verb", "said"), [("MAIL", "RelayDown 0"), ("RCPT", "Interrupted 0"), ("DATA", "Interrupted 0")]
)
def test_a_relay_that_hangs_up_within_a_message_interrupts_it_and_the_next_takes_a_new_connection(
    tmp_path: Path, smtp: SmtpServer, verb: str, said: str
) -> None:
    smtp.answer(verb, "250-and no more", closes=True, times=1)
    assert hand_over(an_app(tmp_path, plain(smtp)), a_message(1), a_message(2)) == [said, "250 2.0.0 kept"]
    assert smtp.heard.count("EHLO") == 2
    assert [arrived.message["Message-ID"] for arrived in smtp.messages] == [a_message(2).message_id]


def test_an_answer_says_whether_its_connection_had_handed_anything_over_before(
    tmp_path: Path, smtp: SmtpServer
) -> None:
    smtp.answer("RCPT", "421 4.3.2 closing", to="jan@", closes=True)
    messages = [a_message(1, to="jan@mol.example"), a_message(2), a_message(3), a_message(4, to="jan@mol.example")]
    found = answers_to(an_app(tmp_path, plain(smtp)), *messages)
    assert [(type(answer.result), answer.fresh) for answer in found] == [
        (RelayDown, True), (Reply, True), (Reply, False), (RelayDown, False),
    ]  # fmt: skip


@pytest.mark.parametrize(("silent", "kind"), [("MAIL", RelayDown), ("RCPT", Interrupted), ("END", Interrupted)])
def test_a_relay_that_falls_silent_is_waited_for_no_longer_than_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str, kind: type[RelayError]
) -> None:
    monkeypatch.setattr(channel, "END_TIMEOUT" if silent == "END" else "TIMEOUT", 0.2)
    with ScriptedRelay(lambda event: HOLD if event.verb == silent else None) as server:
        (answer,) = answers_to(an_app(tmp_path, Relay("127.0.0.1", server.port, "none")), a_message())
    assert (type(answer.result), str(answer.result)) == (kind, "0 the relay says nothing")


@pytest.mark.parametrize("way", [{"closes": True}, {"resets": True}], ids=["closes", "resets"])
@pytest.mark.parametrize("verb", ["END", "REPLIED"])
def test_what_a_relay_said_before_it_left_counts_and_the_next_message_takes_a_new_connection(
    tmp_path: Path, verb: str, way: dict[str, bool]
) -> None:
    reply = "250 2.0.0 kept" if verb == "END" else ""
    with ScriptedRelay(lambda event: Move(reply, **way) if event.verb == verb else None) as server:
        app = an_app(tmp_path, Relay("127.0.0.1", server.port, "none"))
        found = answers_to(app, a_message(1))
        assert [str(answer.result) for answer in found] == ["250 2.0.0 kept"]
        # The next is noticed to be left alone at once, or at its first word: never later.
        later = answers_to(app, a_message(1), a_message(2))
    assert [str(answer.result) for answer in later[:1]] == ["250 2.0.0 kept"]
    assert isinstance(later[1].result, Reply) or (isinstance(later[1].result, RelayDown) and not later[1].fresh)


@pytest.mark.parametrize("way", [{}, {"closes": True}, {"resets": True}], ids=["stays", "closes", "resets"])
def test_an_answer_in_the_middle_of_a_large_message_is_heard_and_nothing_follows_on_that_connection(
    tmp_path: Path, way: dict[str, bool]
) -> None:
    large = a_message(1, text="x" * 30_000_000)
    first = threading.Event()

    def behave(event: Event) -> Move | None:
        if event.verb != "BODY" or first.is_set():
            return None
        first.set()
        return Move("552 5.3.4 too big", **way)

    with ScriptedRelay(behave) as server:
        said = hand_over(an_app(tmp_path, Relay("127.0.0.1", server.port, "none")), large, a_message(2))
        assert said == ["MessageRefused 552", "250 2.0.0 kept"]
        assert [(kept.connection, kept.raw) for kept in server.messages] == [(2, a_message(2).as_bytes())]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("chunks", ["whole", "octets", "lump"])
def test_however_its_replies_come_a_large_message_arrives_byte_for_byte(
    tmp_path: Path, pipelining: bool, chunks: str
) -> None:
    messages = [a_message(number, text=f"{number} é.\n.\n" * 20_000) for number in (1, 2)]
    with ScriptedRelay(pipelining=pipelining, chunks=chunks) as server:
        said = hand_over(an_app(tmp_path, Relay("127.0.0.1", server.port, "none")), *messages)
    assert said == ["250 2.0.0 kept"] * 2
    assert [arrived.raw for arrived in server.messages] == [message.as_bytes() for message in messages]
    assert {arrived.connection for arrived in server.messages} == {1}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("550 5.7.1 relaying denied", "SenderRefused 550"),
        ("530 5.7.0 sign in first", "SenderRefused 530"),
        ("550 5.7.1 the recipient does not want this", "RecipientRefused 550"),
    ],
)
def test_a_relay_that_relays_for_nobody_blames_us_and_no_contact(
    tmp_path: Path, smtp: SmtpServer, reply: str, said: str
) -> None:
    smtp.answer("RCPT", reply)
    assert hand_over(an_app(tmp_path, plain(smtp)), a_message(1)) == [said]


def test_where_nobody_listens_the_relay_is_down(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets this port
        app = an_app(tmp_path, Relay("127.0.0.1", probe.getsockname()[1], "none"))
        with pytest.raises(RelayDown, match=r"^0 ConnectionRefusedError"):
            hand_over(app, a_message())


def test_a_relay_that_never_greets_is_down(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        app = an_app(tmp_path, Relay("127.0.0.1", server.getsockname()[1], "none"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(channel, "TIMEOUT", 0.2)  # it accepts, and never says a word
            with pytest.raises(RelayDown, match=r"timed out$"):
                hand_over(app, a_message())


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path, "127.0.0.1")
    with SmtpServer(tls=context) as server:
        app = an_app(tmp_path, Relay("127.0.0.1", server.port, "starttls", *LOGIN))
        with pytest.raises(RelayDown, match=r"^0 SSLCertVerificationError"):
            hand_over(app, a_message())
        assert server.attempts == []
        assert "MAIL" not in server.heard


def test_a_certificate_of_another_name_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, file = certificate(tmp_path, "mail.elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with SmtpServer(tls=context) as server:
        app = an_app(tmp_path, Relay("127.0.0.1", server.port, "starttls"))
        with pytest.raises(RelayDown, match=r"^0 SSLCertVerificationError.*IP address mismatch"):
            hand_over(app, a_message())
        assert server.attempts == []


def test_a_relay_that_offers_no_starttls_where_we_ask_it_is_given_nothing(tmp_path: Path, smtp: SmtpServer) -> None:
    app = an_app(tmp_path, Relay("127.0.0.1", smtp.port, "starttls", *LOGIN))
    with pytest.raises(RelayDown, match=r"^0 SMTPNotSupportedError"):
        hand_over(app, a_message())
    assert "MAIL" not in smtp.heard


@pytest.mark.parametrize("login", [("", ""), LOGIN])
def test_a_certificate_that_is_vouched_for_is_trusted_and_we_sign_in_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: tuple[str, str]
) -> None:
    context, file = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with SmtpServer(tls=context, login=LOGIN) as server:
        app = an_app(tmp_path, Relay("127.0.0.1", server.port, "starttls", *login))
        assert hand_over(app, a_message()) == ["250 2.0.0 kept"]
        assert [arrived.recipient for arrived in server.messages] == ["els@mol.example"]
        assert server.heard[:2] == ["EHLO", "EHLO"]  # what was said before TLS is forgotten


@pytest.mark.parametrize("chunks", ["whole", "octets", "lump"])
def test_over_tls_large_messages_arrive_byte_for_byte_on_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: str
) -> None:
    context, file = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    messages = [a_message(number, text="é.\n.\n" * 50_000) for number in (1, 2, 3)]
    with ScriptedRelay(tls=context, chunks=chunks) as server:
        said = hand_over(an_app(tmp_path, Relay("127.0.0.1", server.port, "tls")), *messages)
    assert said == ["250 2.0.0 kept"] * 3
    assert [(kept.connection, kept.raw) for kept in server.messages] == [(1, each.as_bytes()) for each in messages]


def test_a_wrong_password_is_the_relays_fault_and_no_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, file = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with SmtpServer(tls=context, login=LOGIN) as server:
        app = an_app(tmp_path, Relay("127.0.0.1", server.port, "starttls", LOGIN[0], "wrong"))
        with pytest.raises(RelayDown, match=r"^0 SMTPAuthenticationError") as refused:
            hand_over(app, a_message())
        assert "wrong" not in str(refused.value)
        assert server.attempts == []


def test_a_line_that_begins_with_a_dot_arrives_with_it(tmp_path: Path, smtp: SmtpServer) -> None:
    text = ".\n..\n.dot\n...\nend\n.\n.\nafter a lone dot\n" + "." * 200 + "\n"
    message = a_message(text=text)
    assert hand_over(an_app(tmp_path, plain(smtp)), message, a_message(2)) == ["250 2.0.0 kept"] * 2
    assert smtp.messages[0].raw == message.as_bytes()
    body = smtp.messages[0].message.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == text


def test_where_flask_mail_suppresses_sending_nothing_leaves(tmp_path: Path, smtp: SmtpServer) -> None:
    app = an_app(tmp_path, plain(smtp))
    app.config["MAIL_SUPPRESS_SEND"] = True
    flask_mail.Mail(app)
    assert hand_over(app, a_message()) == ["250 suppressed"]
    assert smtp.heard == []


def test_without_a_relay_a_message_is_a_file_of_the_local_mailbox_and_a_second_attempt_the_same_file(
    tmp_path: Path,
) -> None:
    app = an_app(tmp_path, None)
    message = a_message()
    assert hand_over(app, message, message) == ["250 in the local mailbox"] * 2
    assert [file.name for file in (tmp_path / "mailbox").iterdir()] == [f"{message.key}.eml"]
    assert (tmp_path / "mailbox" / f"{message.key}.eml").read_bytes() == message.as_bytes()
