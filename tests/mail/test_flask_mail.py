"""What users of Flask-Mail rely on holds, though its connection is not used: the signal, and suppressed sending."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import flask_mail
import pytest
from flask import Flask

from coopmail.config import Relay, Settings
from coopmail.domain.polls import Poll
from coopmail.mail.message import Message
from coopmail.parts import Parts
from tests.mail.acts import mails
from tests.mail.field import send
from tests.mail.smtp import SmtpServer


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    """The relay."""
    with SmtpServer() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, smtp: SmtpServer) -> Settings:
    """Settings of an installation with a relay."""
    return replace(settings, relay=Relay("127.0.0.1", smtp.port, "none"))


def test_record_messages_sees_each_message_that_was_accepted_as_it_went_out(
    app: Flask, poll: Poll, smtp: SmtpServer
) -> None:
    smtp.answer("RCPT", "550 5.1.1 unknown", to="bibliotheek@boom.example")
    with app.app_context(), app.extensions["mail"].record_messages() as outbox:
        assert send(app) == 4
    assert [message.recipients for message in outbox] == [[arrived.recipient] for arrived in smtp.messages]
    for message, arrived in zip(outbox, smtp.messages, strict=True):
        assert isinstance(message, Message)
        assert message.subject == arrived.message["Subject"]
        assert message.as_bytes().partition(b"\r\n\r\n")[0] == arrived.raw.partition(b"\r\n\r\n")[0]
        body = arrived.message.get_body(("plain",))
        assert body is not None
        assert message.body == body.get_content().replace("\r\n", "\n")
        page = arrived.message.get_body(("html",))
        assert page is not None
        assert message.html is not None
        assert message.html == page.get_content().replace("\r\n", "\n")


def test_without_anybody_who_listens_no_message_is_made_for_the_signal(
    app: Flask, poll: Poll, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr("coopmail.mail.delivery.Message", lambda **values: made.append(values))
    assert send(app) == 5
    assert made == []


def test_where_sending_is_suppressed_nothing_leaves_and_every_row_says_so(
    app: Flask, office: Parts, poll: Poll, smtp: SmtpServer
) -> None:
    app.config["MAIL_SUPPRESS_SEND"] = True
    flask_mail.Mail(app)
    with app.app_context(), app.extensions["mail"].record_messages() as outbox:
        assert send(app) == 5
    assert smtp.heard == []
    assert {(mail.state.value, mail.reply) for mail in mails(office).values()} == {("sent", "250 suppressed")}
    assert len(outbox) == 5
