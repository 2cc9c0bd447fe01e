"""Handing a message to a real SMTP server: what each answer means, and for whom."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import flask_mail
import pytest
from flask import Flask

from coopmail import create_app
from coopmail.config import Relay, Settings
from coopmail.errors import (
    HeaderError,
    MessageRefused,
    PassingFailure,
    RecipientRefused,
    RelayDown,
    RelayError,
    SenderRefused,
)
from coopmail.mail import relay
from coopmail.mail.message import Mailbox, Message
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


def hand_over(app: Flask, *messages: Message) -> list[str]:
    """Hand messages over on one connection; an error is noted by its class and code."""
    settings: Settings = app.extensions["coopmail"].settings
    answers = []
    with app.app_context(), relay.connect(app.extensions["mail"], settings) as connection:
        for message in messages:
            try:
                answers.append(connection.hand_over(message))
            except RelayError as error:
                answers.append(f"{type(error).__name__} {error.code}")
    return answers


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
    app = an_app(tmp_path, plain(smtp))
    settings: Settings = app.extensions["coopmail"].settings
    with (
        app.app_context(),
        relay.connect(app.extensions["mail"], settings) as connection,
        pytest.raises(RelayError) as refused,
    ):
        connection.hand_over(a_message())
    assert type(refused.value) is kind
    assert (refused.value.code, str(refused.value)) == (code, reply)
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
    assert smtp.heard.count("RSET") == 1


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_relay_that_says_goodbye_and_hangs_up_is_down(tmp_path: Path, smtp: SmtpServer, verb: str) -> None:
    smtp.answer(verb, "421 4.3.2 closing", closes=True)
    assert hand_over(an_app(tmp_path, plain(smtp)), a_message()) == ["RelayDown 421"]


@pytest.mark.parametrize(
    ("verb", "first"), [("MAIL", "RelayDown 0"), ("RCPT", "Interrupted 0"), ("DATA", "Interrupted 0")]
)
def test_a_relay_that_hangs_up_within_a_message_interrupts_it_and_is_down_for_the_next(
    tmp_path: Path, smtp: SmtpServer, verb: str, first: str
) -> None:
    smtp.answer(verb, "250-and no more", closes=True)
    assert hand_over(an_app(tmp_path, plain(smtp)), a_message(1), a_message(2)) == [first, "RelayDown 0"]


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
            patch.setattr(relay, "TIMEOUT", 0.2)  # it accepts, and never says a word
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


def test_a_message_that_cannot_be_written_is_refused_before_a_word_is_said(tmp_path: Path, smtp: SmtpServer) -> None:
    app = an_app(tmp_path, plain(smtp))
    with pytest.raises(HeaderError):
        hand_over(app, a_message(name="Els\r\nBcc: jan@mol.example"))
    assert smtp.heard == ["EHLO"]


def test_flask_mails_signal_tells_of_each_message_that_was_handed_over(tmp_path: Path, smtp: SmtpServer) -> None:
    app = an_app(tmp_path, plain(smtp))
    smtp.answer("RCPT", "550 unknown", to="nobody@mol.example")
    with app.app_context(), app.extensions["mail"].record_messages() as outbox:
        hand_over(app, a_message(1), a_message(2, to="nobody@mol.example"), a_message(3, to="jan@mol.example"))
    assert [message.recipients for message in outbox] == [["els@mol.example"], ["jan@mol.example"]]


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
    with app.app_context(), app.extensions["mail"].record_messages() as outbox:
        assert hand_over(app, message, message) == ["250 in the local mailbox"] * 2
    assert [file.name for file in (tmp_path / "mailbox").iterdir()] == [f"{message.key}.eml"]
    assert (tmp_path / "mailbox" / f"{message.key}.eml").read_bytes() == message.as_bytes()
    assert outbox == [message, message]
