"""A message's bytes, under Flask-Mail's `Message`: our own header writer, html and text, the same bytes every time.

Flask-Mail loses the address where a sender's name has a comma and lets line ends through in places; Python encodes
structured headers that must not be encoded. So every header is written here, and each character that could start
another one is refused.
"""

from __future__ import annotations

import quopri
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

import flask_mail

from coopmail.errors import HeaderError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_ATOMS = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_LINE = 76


@dataclass(frozen=True)
class Mailbox:
    """A name and an address."""

    name: str
    address: str


class Message(flask_mail.Message):
    """One mail to one person. The outbox row's key makes Message-ID and boundary, its creation the date."""

    def __init__(
        self,
        *,
        key: str,
        to: Mailbox,
        sender: Mailbox,
        reply_to: str,
        subject: str,
        text: str,
        html: str,
        created_at: datetime,
        language: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(subject, [to.address], text, html, sender=sender.address, reply_to=reply_to,
                         date=created_at.timestamp())  # fmt: skip
        self.key, self.to, self.from_, self.created_at, self.language = key, to, sender, created_at, language
        self.structured = dict(headers or {})
        self.message_id = f"<{key}@{sender.address.rpartition('@')[2]}>"

    def as_bytes(self) -> bytes:
        """The whole message with CRLF line ends; `HeaderError` where a header cannot be written safely."""
        boundary = f"=_{self.key}"
        lines = [
            _mailbox("From", self.from_),
            _mailbox("To", self.to),
            structured("Reply-To", _address(str(self.reply_to))),
            unstructured("Subject", self.subject),
            structured("Date", format_datetime(self.created_at)),
            structured("Message-ID", self.message_id),
            structured("MIME-Version", "1.0"),
            structured("Content-Language", self.language),
            structured("Auto-Submitted", "auto-generated"),
            structured("X-Auto-Response-Suppress", "AutoReply"),
            *(structured(name, value) for name, value in self.structured.items()),
            f'Content-Type: multipart/alternative; boundary="{boundary}"',
            "",
        ]
        body = ""
        for subtype, content in (("plain", self.body or ""), ("html", self.html or "")):
            body += f"\r\n--{boundary}\r\n" + "\r\n".join((
                f"Content-Type: text/{subtype}; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "",
                _quoted(content),
            ))  # fmt: skip
        return ("\r\n".join(lines) + body + f"\r\n--{boundary}--\r\n").encode("ascii")

    def as_string(self) -> str:
        """The message as text."""
        return self.as_bytes().decode("ascii")

    def has_bad_headers(self) -> bool:
        """Whether the message cannot be written: Flask-Mail asks before it sends."""
        try:
            self.as_bytes()
        except HeaderError:
            return True
        return False


def unstructured(name: str, value: str) -> str:
    """A header of free text, in encoded words where it is not short plain ASCII."""
    _safe(name, value)
    if _stands(name, value):
        return f"{name}: {value}"
    return f"{name}: {_encoded(value, len(name) + 2)}"


def structured(name: str, value: str) -> str:
    """A header that must stand as it is; it is folded at its spaces and never encoded."""
    _safe(name, value)
    if not _PLAIN.fullmatch(value):
        raise HeaderError(f"{name} may hold ASCII only.")
    line, lines = f"{name}:", []
    for word in value.split(" "):
        if len(line) + 1 + len(word) > _LINE and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
        if len(line) > 998:
            raise HeaderError(f"{name} has a word that no line can hold.")
    return "\r\n".join([*lines, line])


def _mailbox(name: str, mailbox: Mailbox) -> str:
    address = _address(mailbox.address)
    _safe(name, mailbox.name)
    if not mailbox.name:
        return f"{name}: {address}"
    if not _stands(name, mailbox.name):
        shown = _encoded(mailbox.name, len(name) + 2)
    elif _ATOMS.fullmatch(mailbox.name):
        shown = mailbox.name
    else:
        shown = '"' + mailbox.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name}: {shown}\r\n <{address}>"


def _stands(name: str, value: str) -> bool:
    """Whether a text can stand as it is: ASCII on one line, with no white space that a reader would drop."""
    short = len(name) + 2 + len(value) <= _LINE
    return short and bool(_PLAIN.fullmatch(value)) and "=?" not in value and value == " ".join(value.split())


def _address(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise HeaderError("A mail address has a character that it must not have.")
    return address


def _encoded(value: str, used: int) -> str:
    return Header(value, "utf-8", maxlinelen=_LINE, header_name="x" * (used - 2)).encode(linesep="\r\n")


def _safe(name: str, value: str) -> None:
    """Refuse whatever `str.splitlines` splits on, and every control: Python itself turns some into a new header."""
    if not _NAME.fullmatch(name) or any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in value):
        raise HeaderError(f"The header {name!r} holds a control character.")


def _quoted(content: str) -> str:
    plain = content.replace("\r\n", "\n").replace("\r", "\n")
    return quopri.encodestring(plain.encode("utf-8", "replace")).decode("ascii").replace("\n", "\r\n")
