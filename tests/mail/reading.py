"""Reading a mail as a mail program does."""

from __future__ import annotations

import email
import email.policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

from coopmail.mail.message import Message

EXPECTED = [
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Language", "Auto-Submitted",
    "X-Auto-Response-Suppress", "X-Coopmail-Mail", "Content-Type",
]  # fmt: skip


def name_in(raw: bytes, header: str) -> str:
    """The name in From or To. (Python 3.11's newer reader leaves a space between two encoded words.)"""
    value = str(email.message_from_bytes(raw, policy=email.policy.compat32)[header])
    return str(make_header(decode_header(parseaddr(value.replace("\r\n", ""))[0])))


def parsed(raw: bytes) -> EmailMessage:
    """The message as a reader sees it."""
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def part(message: EmailMessage, kind: str) -> str:
    """One of the two texts."""
    found = message.get_body((kind,))
    assert found is not None
    return lines(str(found.get_content()))


def lines(text: str) -> str:
    """A text with its line ends alike: mail knows only one."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def check(message: Message, raw: bytes) -> None:
    """Exactly the expected headers with their values, and both texts."""
    check_headers(message, raw)
    found = parsed(raw)
    assert part(found, "plain") == lines(message.body or "")
    assert part(found, "html") == lines(message.html or "")


def check_headers(message: Message, raw: bytes) -> None:
    """Exactly the expected headers with their values, over two parts."""
    found = parsed(raw)
    assert found.keys() == EXPECTED
    assert found["Subject"] == message.subject
    assert found["Date"].datetime == message.created_at
    plain = {name: str(found[name]) for name in EXPECTED if name not in ("From", "To", "Subject", "Date")}
    assert plain == {
        "Reply-To": message.reply_to, "Message-ID": f"<{message.key}@cultuurconnect.example>", "MIME-Version": "1.0",
        "Content-Language": message.language, "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "AutoReply", "X-Coopmail-Mail": message.structured["X-Coopmail-Mail"],
        "Content-Type": f'multipart/alternative; boundary="=_{message.key}"',
    }  # fmt: skip
    for name, mailbox in (("From", message.from_), ("To", message.to)):
        (address,) = found[name].addresses
        assert (name_in(raw, name), address.addr_spec) == (mailbox.name, mailbox.address)
    assert [kind.get_content_type() for kind in found.iter_parts()] == ["text/plain", "text/html"]


def check_wire(raw: bytes) -> None:
    """What any relay takes: ASCII, CRLF alone, no line beyond 998 octets, in the body none beyond 76."""
    assert raw.isascii()
    assert raw.endswith(b"\r\n")
    for line in raw[:-2].split(b"\r\n"):
        assert b"\r" not in line
        assert b"\n" not in line
        assert len(line) <= 998
    _, _, body = raw.partition(b"\r\n\r\n")
    assert max(len(line) for line in body.split(b"\r\n")) <= 76
