"""Handing a message over: our connection under Flask-Mail, to a relay or to the local mailbox.

Flask-Mail's own has no time-out, checks no certificate and discards partial refusals. A reply becomes a class of
`errors.RelayError`, by which the outbox knows whom to blame and when to try again.
"""

from __future__ import annotations

import contextlib
import os
import re
import smtplib
import ssl
from pathlib import Path
from typing import NoReturn

import flask_mail
from flask import current_app

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
from coopmail.mail.message import Message

TIMEOUT = 20.0
_DOWN = (421, 454)


class RelayConnection(flask_mail.Connection):
    """An SMTP session: TLS verified, a time limit on every step, one recipient a transaction."""

    def __init__(self, mail: flask_mail.Mail, relay: Relay) -> None:
        super().__init__(mail)
        self.relay = relay

    def configure_host(self) -> smtplib.SMTP:
        """Connect, secure and sign in; `RelayDown` where that fails."""
        host: smtplib.SMTP | None = None
        try:
            if self.relay.tls == "tls":
                host = smtplib.SMTP_SSL(self.relay.host, self.relay.port, timeout=TIMEOUT, context=_verifying())
            else:
                host = smtplib.SMTP(self.relay.host, self.relay.port, timeout=TIMEOUT)
            if self.relay.tls == "starttls":
                host.starttls(context=_verifying())
            if self.relay.username:
                host.login(self.relay.username, self.relay.password)
            host.ehlo_or_helo_if_needed()  # `mail` does not say it by itself
        except (OSError, smtplib.SMTPException) as error:
            if host is not None:
                host.close()
            raise RelayDown(0, f"{type(error).__name__}: {error}"[:300]) from error
        return host

    def __exit__(self, *_: object) -> None:
        """Say goodbye; whether the relay still listens does not matter."""
        if self.host is not None:
            try:
                self.host.quit()
            except (OSError, smtplib.SMTPException):
                self.host.close()

    def hand_over(self, message: Message) -> str:
        """Send one message and return the relay's reply; raises a class of `RelayError`."""
        raw = message.as_bytes()  # HeaderError before a word is said
        host = self.host
        if host is None:  # Flask-Mail's MAIL_SUPPRESS_SEND
            return "250 suppressed"
        recipient = message.to.address
        text: bytes | str
        begun = False
        try:
            code, text = host.mail(message.from_.address)
            if code != 250:
                _refuse(code, text, SenderRefused)
            begun = True
            code, text = host.rcpt(recipient)
            if code not in (250, 251):
                _refuse(code, text, SenderRefused if _refuses_us(code, text) else RecipientRefused)
            try:
                code, text = host.data(raw)
            except smtplib.SMTPDataError as error:  # the word DATA itself was refused; it is an OSError too
                code, text = error.smtp_code, error.smtp_error
            if code != 250:
                _refuse(code, text, MessageRefused)
        except OSError as error:  # smtplib's own are among them
            host.close()
            reason = f"{type(error).__name__}: {error}"[:300]
            if begun:
                raise Interrupted(0, reason) from error
            raise RelayDown(0, reason) from error
        except RelayError:
            with contextlib.suppress(OSError):  # a relay that has gone by now shows at the next message
                host.rset()
            raise
        finally:
            self.num_emails += 1
        flask_mail.email_dispatched.send(current_app._get_current_object(), message=message)  # type: ignore[attr-defined]
        return f"{code} {_words(text)}"


class MailboxConnection(flask_mail.Connection):
    """The local mailbox: a file a message, named by the row's key, so that a second attempt writes the same file."""

    def __init__(self, mail: flask_mail.Mail, folder: Path) -> None:
        super().__init__(mail)
        self.folder = folder

    def __enter__(self) -> MailboxConnection:
        """There is no host to connect to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to leave."""

    def hand_over(self, message: Message) -> str:
        """Write the message, whole or not at all."""
        draft = self.folder / f".{message.key}.{os.getpid()}"
        draft.write_bytes(message.as_bytes())
        draft.replace(self.folder / f"{message.key}.eml")
        flask_mail.email_dispatched.send(current_app._get_current_object(), message=message)  # type: ignore[attr-defined]
        return "250 in the local mailbox"


def connect(mail: flask_mail.Mail, settings: Settings) -> RelayConnection | MailboxConnection:
    """The way out that the settings name."""
    if settings.relay is None:
        return MailboxConnection(mail, settings.mailbox)
    return RelayConnection(mail, settings.relay)


def _verifying() -> ssl.SSLContext:
    """Certificates and names are checked. Made only where it is used: it reads the machine's list of authorities."""
    return ssl.create_default_context()


def _refuses_us(code: int, text: bytes | str) -> bool:
    """Whether a relay that refuses a recipient means us: it relays for nobody, or wants us to sign in."""
    return code in (530, 535) or re.search(r"relay\w* (access )?denied|unable to relay", _words(text), re.I) is not None


def _words(text: bytes | str) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).replace("\n", " ")[:300]


def _refuse(code: int, text: bytes | str, permanent: type[RelayError]) -> NoReturn:
    if code in _DOWN:
        raise RelayDown(code, _words(text))
    raise (PassingFailure if 400 <= code < 500 else permanent)(code, _words(text))
