"""A message's bytes, under Flask-Mail's `Message`: our own header writer, html and text, the same bytes every time.

Flask-Mail loses the address where a sender's name has a comma and lets line ends through in places; Python encodes
structured headers that must not be encoded. So every header is written here, and each character that could start
another one is refused.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

import flask_mail

from coopmail.errors import HeaderError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_ATOMS = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_LINE = 76
# The categories Cc, Cs, Zl and Zp.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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
        self.message_id = message_id(key, sender)

    def as_bytes(self) -> bytes:
        """The whole message with CRLF line ends; `HeaderError` where a header cannot be written safely."""
        return head(
            key=self.key, message_id=self.message_id, to=self.to, sender=self.from_, reply_to=str(self.reply_to),
            subject=self.subject, created_at=self.created_at, language=self.language, extra=self.structured,
        ) + body(self.key, quoted(self.body or ""), quoted(self.html or ""))  # fmt: skip

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


def message_id(key: str, sender: Mailbox) -> str:
    """The Message-ID of the row with that key."""
    return f"<{key}@{sender.address.rpartition('@')[2]}>"


def head(
    *,
    key: str,
    message_id: str,
    to: Mailbox,
    sender: Mailbox,
    reply_to: str,
    subject: str,
    created_at: datetime,
    language: str,
    extra: Mapping[str, str],
) -> bytes:
    """A message's headers, up to and with the empty line; `HeaderError` where one cannot be written safely."""
    lines = [
        mailbox("From", sender),
        mailbox("To", to),
        _constant("Reply-To", _address(reply_to)),
        unstructured("Subject", subject),
        _date(created_at),
        structured("Message-ID", message_id),
        _constant("MIME-Version", "1.0"),
        _constant("Content-Language", language),
        _constant("Auto-Submitted", "auto-generated"),
        _constant("X-Auto-Response-Suppress", "AutoReply"),
        *(_constant(name, value) for name, value in extra.items()),
        f'Content-Type: multipart/alternative; boundary="=_{key}"',
        "",
    ]
    return "\r\n".join(lines).encode("ascii")


def body(key: str, text: bytes, html: bytes) -> bytes:
    """The two parts, quoted-printable already, between their boundaries."""
    boundary = f"\r\n--=_{key}".encode("ascii")
    return b"".join((boundary, _TEXT, text, boundary, _HTML, html, boundary, b"--\r\n"))


_TEXT, _HTML = (
    f"\r\nContent-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
    for subtype in ("plain", "html")
)


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
    if len(name) + 2 + len(value) <= _LINE:
        return f"{name}: {value}"
    line, lines = f"{name}:", []
    for word in value.split(" "):
        if len(line) + 1 + len(word) > _LINE and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
        if len(line) > 998:
            raise HeaderError(f"{name} has a word that no line can hold.")
    return "\r\n".join([*lines, line])


@lru_cache(maxsize=512)
def _date(moment: datetime) -> str:
    return structured("Date", format_datetime(moment))


@lru_cache(maxsize=512)
def _constant(name: str, value: str) -> str:
    """A structured header that many messages share."""
    return structured(name, value)


@lru_cache(maxsize=512)
def mailbox(name: str, found: Mailbox) -> str:
    """A header of one name and address."""
    address = _address(found.address)
    _safe(name, found.name)
    if not found.name:
        return f"{name}: {address}"
    if not _stands(name, found.name):
        shown = _encoded(found.name, len(name) + 2)
    elif _ATOMS.fullmatch(found.name):
        shown = found.name
    else:
        shown = '"' + found.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
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
    """Encoded words (RFC 2047) of at most 75 characters, cut between characters, each on a line of its own."""
    shown = value.translate(_Q)
    if len(shown) <= len(value.encode("utf-8")) * 4 / 3:
        words = [f"q?{chunk}" for chunk in _q_chunks(value, used)]
    else:
        words = [f"b?{b64encode(chunk).decode('ascii')}" for chunk in _b_chunks(value, used)]
    return "\r\n ".join(f"=?utf-8?{word}?=" for word in words)


class _QTable(dict[int, str]):
    """A character as the Q encoding has it, noted when it is first met."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        plain = char.isascii() and (char.isalnum() or char in "!*+-/")
        self[point] = char if plain else "".join(f"={octet:02X}" for octet in char.encode("utf-8"))
        return self[point]


_Q = _QTable({ord(" "): "_"})


def _q_chunks(value: str, used: int) -> Iterator[str]:
    """Cut after a space where there is one, else between two characters."""
    room, chunk = _word_room(used), ""
    for word in value.replace(" ", " \0").split("\0"):  # a control: no value has it
        shown = word.translate(_Q)
        if len(chunk) + len(shown) <= room:
            chunk += shown
            continue
        for char in word:
            shown = char.translate(_Q)
            if len(chunk) + len(shown) > room:
                yield chunk
                chunk, room = "", _word_room(1)
            chunk += shown
    yield chunk


def _b_chunks(value: str, used: int) -> Iterator[bytes]:
    room, chunk = _word_room(used) // 4 * 3, b""
    for char in value:
        octets = char.encode("utf-8")
        if len(chunk) + len(octets) > room:
            yield chunk
            chunk, room = b"", _word_room(1) // 4 * 3
        chunk += octets
    yield chunk


def _word_room(used: int) -> int:
    """How many characters an encoded word may hold where so many columns of its line are taken."""
    return _LINE - used - len("=?utf-8?q??=")


def _safe(name: str, value: str) -> None:
    """Refuse whatever `str.splitlines` splits on, and every control: Python itself turns some into a new header."""
    if not _NAME.fullmatch(name) or _CONTROL.search(value):
        raise HeaderError(f"The header {name!r} holds a control character.")


def quoted(content: str) -> bytes:
    """A text as quoted-printable (RFC 2045), with CRLF line ends."""
    plain = content.replace("\r\n", "\n").replace("\r", "\n") if "\r" in content else content
    return b2a_qp(plain.encode("utf-8", "replace"), quotetabs=False, istext=True, header=False).replace(b"\n", b"\r\n")
