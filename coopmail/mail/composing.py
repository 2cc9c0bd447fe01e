"""From a letter to bytes, by two roads that give the same message.

The plain road renders each letter whole (`rendering`): about 9 ms. The fast road renders a campaign's letter once a
template, language and shape, with a marker in place of each of the recipient's texts, and cuts the result there; each
further letter is put together from the pieces, its texts escaped and encoded for where they stand. A letter's shape is
what templates may ask of a recipient: flags and the length of lists. A property test compares the two roads.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from markupsafe import escape

from coopmail import wording
from coopmail.charter import Charter
from coopmail.mail.letters import ONE_OFF, Letter, Shared
from coopmail.mail.message import body, quoted
from coopmail.mail.rendering import Rendered, markup, one_line, render, render_parts

_NONCE = secrets.token_hex(8)
"""No text that staff or members wrote can be taken for a marker. Letters and digits only: mrml rewrites others."""
_MARK = re.compile(f"mark{_NONCE}n([0-9]+)e")
_AS_IT_IS = re.compile("[A-Za-z0-9 :/_-]{0,70}")
"""Nothing to escape or to encode, and short enough for a line."""
KEPT = 200
"""So many compiled letters and shared contents are kept; then all are made anew."""


@dataclass(frozen=True)
class Composed:
    """A subject, and the message's body with its boundary still to be named."""

    subject: str
    text: bytes
    html: bytes

    def body(self, key: str) -> bytes:
        """The multipart body of the mail with that key."""
        return body(key, self.text, self.html)


@dataclass(frozen=True)
class _Compiled:
    """Pieces; a number stands for one of the recipient's texts."""

    subject: list[str | int]
    text: list[str | list[str | int]]
    html: list[bytes | int]

    def fill(self, texts: list[str]) -> Composed:
        """The letter of one recipient."""
        subject = "".join(texts[piece] if isinstance(piece, int) else piece for piece in self.subject)
        lines = [
            piece if isinstance(piece, str) else _wrapped("".join(texts[p] if isinstance(p, int) else p for p in piece))
            for piece in self.text
        ]
        encoded = [_encoded(text) for text in texts]
        html = [encoded[piece] if isinstance(piece, int) else piece for piece in self.html]
        return Composed(one_line(subject), quoted(wording.tidy_lines("\n".join(lines))), b"".join(html))


class Composer:
    """Makes the bytes of letters. Keeps what is compiled: one an application, or one a process."""

    def __init__(self, charter: Charter, sender_name: str) -> None:
        self._charter, self._sender_name = charter, sender_name
        self._compiled: dict[Hashable, _Compiled] = {}
        self._shared: dict[str, Shared] = {}

    def keep(self, values: dict[str, Any]) -> Shared:
        """The one object of a shared content."""
        if len(self._shared) > KEPT:
            self._shared.clear()
            self._compiled.clear()
        return self._shared.setdefault(repr(values), Shared(values))

    def plain(self, template: str, letter: Letter) -> Rendered:
        """A letter rendered whole, in the language spoken now."""
        return render(template, letter, self._charter, self._sender_name)

    def compose(self, template: str, letter: Letter) -> Composed:
        """A letter by the road that fits it, in the language spoken now."""
        if template in ONE_OFF:
            rendered = self.plain(template, letter)
            return Composed(rendered.subject, quoted(rendered.text), quoted(rendered.html))
        return self.fast(template, letter)

    def fast(self, template: str, letter: Letter) -> Composed:
        """A letter put together from its campaign's pieces."""
        texts: list[str] = []
        key = (template, wording.language(), letter.shared, _shape(letter.recipient, texts))
        compiled = self._compiled.get(key)
        if compiled is None:
            if len(self._compiled) > KEPT:
                self._compiled.clear()
            compiled = self._compiled[key] = self._compile(template, letter)
        return compiled.fill(texts)

    def _compile(self, template: str, letter: Letter) -> _Compiled:
        marked = Letter(letter.shared, _marked(letter.recipient, [0]))
        parts = render_parts(template, marked, self._charter, self._sender_name)
        return _Compiled(_cut(parts.subject), _cut_lines(parts.text), [
            piece if isinstance(piece, int) else _soft(piece) for piece in _cut(parts.html)
        ])  # fmt: skip


def _shape(value: Any, texts: list[str]) -> Hashable:
    """What may be asked of a value; its texts are collected in order."""
    if isinstance(value, str):
        texts.append(value)
        return str
    if isinstance(value, dict):
        return tuple([(key, _shape(part, texts)) for key, part in value.items()])
    if isinstance(value, list | tuple):
        return tuple([_shape(part, texts) for part in value])
    return (type(value), value)


def _marked(value: Any, count: list[int]) -> Any:
    """The same value with a marker in place of each text, numbered in the order of `_shape`."""
    if isinstance(value, str):
        count[0] += 1
        return f"mark{_NONCE}n{count[0] - 1}e"
    if isinstance(value, dict):
        return {key: _marked(part, count) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(part, count) for part in value]
    return value


def _cut(text: str) -> list[str | int]:
    """A text as pieces and the numbers of its markers."""
    pieces = _MARK.split(text)
    cut: list[str | int] = []
    for place, piece in enumerate(pieces):
        if place % 2:
            cut.append(int(piece))
        elif piece:
            cut.append(piece)
    return cut


def _cut_lines(text: str) -> list[str | list[str | int]]:
    """A plain text: runs of lines that are the same for all, wrapped now, and lines to fill and wrap later."""
    found: list[str | list[str | int]] = []
    run: list[str] = []
    for line in text.split("\n"):
        if _MARK.search(line) is None:
            run.append(wording.wrap_line(line))
            continue
        found += [*_run(run), _cut(line)]
        run = []
    return [*found, *_run(run)]


def _run(lines: list[str]) -> list[str]:
    """Lines as one piece, with one empty line in a row at most, also beside the filled lines around it."""
    if not lines:
        return []
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    if not text.strip("\n"):
        return [""]
    return [("\n" if text.startswith("\n") else "") + text.strip("\n") + ("\n" if text.endswith("\n") else "")]


def _wrapped(text: str) -> str:
    return "\n".join(wording.wrap_line(line) for line in text.split("\n")) if "\n" in text else wording.wrap_line(text)


def _soft(piece: str) -> bytes:
    """A piece of html, encoded; it ends in a soft line end, so that what follows begins a line of its own."""
    encoded = quoted(piece + "x")[:-1]  # so that its last line leaves room for "="
    return encoded if encoded.endswith(b"=\r\n") else encoded + b"=\r\n"


def _encoded(text: str) -> bytes:
    """One of the recipient's texts inside html: escaped, then encoded."""
    if _AS_IT_IS.fullmatch(text):
        return text.encode("ascii") + b"=\r\n"
    return _soft(str(escape(markup(text))))
