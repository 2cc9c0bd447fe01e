"""Opening a way out: a session with the relay, or the local mailbox where none is configured.

Flask-Mail's own connection has no time-out, checks no certificate and discards partial refusals.
"""

from __future__ import annotations

import smtplib
import socket
import ssl

import flask_mail

from coopmail.config import Relay, Settings
from coopmail.errors import RelayDown
from coopmail.mail import channel
from coopmail.mail.channel import Channel, MailboxChannel, RelayChannel, Silent


def connect(mail: flask_mail._Mail, settings: Settings) -> Channel:
    """The way out that the settings name; `RelayDown` where it cannot be opened."""
    if mail.suppress:
        return Silent()
    if settings.relay is None:
        return MailboxChannel(settings.mailbox)
    return RelayChannel(open_session(settings.relay))


def open_session(relay: Relay) -> smtplib.SMTP:
    """Connect, secure and sign in, with a limit on every step; `RelayDown` where that fails."""
    host: smtplib.SMTP | None = None
    try:
        if relay.tls == "tls":
            host = smtplib.SMTP_SSL(relay.host, relay.port, timeout=channel.TIMEOUT, context=_verifying())
        else:
            host = smtplib.SMTP(relay.host, relay.port, timeout=channel.TIMEOUT)
        if relay.tls == "starttls":
            host.starttls(context=_verifying())
        if relay.username:
            host.login(relay.username, relay.password)
        host.ehlo_or_helo_if_needed()
        assert host.sock is not None
        host.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, ValueError, smtplib.SMTPException) as error:
        if host is not None:
            host.close()
        raise RelayDown(0, f"{type(error).__name__}: {error}"[:300]) from error
    return host


def _verifying() -> ssl.SSLContext:
    """Certificates and names are checked. Made only where it is used: it reads the machine's list of authorities."""
    return ssl.create_default_context()
