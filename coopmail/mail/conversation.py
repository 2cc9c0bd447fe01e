"""One message's SMTP transaction as a plain machine: what to write, given what was read. It touches no socket.

Where the relay offers PIPELINING (RFC 2920), MAIL, RCPT and DATA go out in one write; where it then refuses the
recipient and still says 354 to DATA, a lone dot ends a message to nobody. Without it each waits for its reply.
Replies may come byte by byte or all in one lump.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from coopmail.errors import (
    Interrupted,
    MessageRefused,
    PassingFailure,
    RecipientRefused,
    RelayDown,
    RelayError,
    SenderRefused,
)

_DOWN = (421, 454)
_LONGEST = 64 * 1024
"""A relay that sends so many octets without ending its reply is not a relay."""
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_RELAYS_FOR_NOBODY = re.compile(r"relay\w* (access )?denied|unable to relay", re.IGNORECASE)


class Stage(enum.Enum):
    """Which reply is waited for."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END = "END"
    RSET = "RSET"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a relay said, on one line."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


class Replies:
    """Cuts what comes in into replies."""

    def __init__(self) -> None:
        self._rest = b""
        self._words: list[bytes] = []
        self._length = 0

    @property
    def begun(self) -> bool:
        """Whether a part of a reply is there."""
        return bool(self._rest or self._words)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """The replies that are whole now, those before a fault too; `RelayDown` where this is no SMTP."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._add(len(line) + 1)
            match = _LINE.fullmatch(line.rstrip(b"\r"))
            if match is None:
                raise RelayDown(0, f"the relay said something that is no reply: {line[:80]!r}")
            code, more, words = match.groups()
            self._words.append(words or b"")
            if more != b"-":
                said = b" ".join(self._words).decode("utf-8", "replace").strip()
                self._words, self._length = [], 0
                yield Reply(int(code), " ".join(said.split())[:300])
        self._add(0)

    def _add(self, octets: int) -> None:
        self._length += octets
        if self._length + len(self._rest) > _LONGEST:
            raise RelayDown(0, "the relay's reply does not end")


class Transaction:
    """Hands one message over. `result` is the relay's last word once `done`: a reply, or the error that it means."""

    def __init__(self, sender: str, recipient: str, raw: bytes, *, pipelining: bool) -> None:
        self._envelope = {
            Stage.MAIL: f"MAIL FROM:<{sender}>\r\n".encode("ascii"),
            Stage.RCPT: f"RCPT TO:<{recipient}>\r\n".encode("ascii"),
            Stage.DATA: b"DATA\r\n",
        }
        self._body = raw.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        self._pipelining = pipelining
        self._replies = Replies()
        self._waits: list[Stage] = []
        self._error: RelayError | None = None
        self.begun = False
        """Whether MAIL was accepted: from then on a silence may be this message's fault."""
        self.done = False
        self.usable = True
        """Whether the connection takes another message."""
        self.result: Reply | RelayError = RelayDown(0, "nothing was said")

    @property
    def stage(self) -> Stage | None:
        """The reply that is waited for."""
        return self._waits[0] if self._waits else None

    def start(self) -> bytes:
        """What to write first."""
        if not self._pipelining:
            return self._say(Stage.MAIL)
        return b"".join(self._say(stage) for stage in (Stage.MAIL, Stage.RCPT, Stage.DATA))

    def receive(self, data: bytes) -> bytes:
        """Take what came in; what to write next. Whatever comes after the last reply costs the connection."""
        said = []
        try:
            for reply in self._replies.feed(data):
                if self.done:  # a goodbye, or a reply that nothing asked for
                    self.usable = False
                    break
                said.append(self._hear(reply))
        except RelayDown as error:
            self._broken(error)
        if self.done and self._replies.begun:
            self.usable = False
        return b"".join(said)

    def broke_off(self, reason: str) -> None:
        """The relay hung up, or says nothing any more."""
        self._broken(Interrupted(0, reason) if self.begun else RelayDown(0, reason))

    def _broken(self, error: RelayError) -> None:
        self.usable = False
        if not self.done:  # what was said at the end stands, and so does a refusal before it
            self.result, self.done = self._error or error, True

    def _say(self, stage: Stage) -> bytes:
        self._waits.append(stage)
        return self._envelope[stage]

    def _hear(self, reply: Reply) -> bytes:
        stage = self._waits.pop(0)
        if reply.code in _DOWN or _out_of_step(stage, reply):
            self._broken(RelayDown(reply.code, reply.text))
            return b""
        return _HEARD[stage](self, reply)

    def _heard_mail(self, reply: Reply) -> bytes:
        if not _accepts(reply):
            return self._refused(_refusal(reply, SenderRefused))
        self.begun = True
        return b"" if self._pipelining else self._say(Stage.RCPT)

    def _heard_rcpt(self, reply: Reply) -> bytes:
        if not _accepts(reply):
            return self._refused(_refusal(reply, SenderRefused if _refuses_us(reply) else RecipientRefused))
        return b"" if self._pipelining else self._say(Stage.DATA)

    def _heard_data(self, reply: Reply) -> bytes:
        if reply.code != 354:
            return self._refused(_refusal(reply, MessageRefused))
        self._waits.append(Stage.END)
        return b".\r\n" if self._error is not None else self._body

    def _heard_end(self, reply: Reply) -> bytes:
        if self._error is not None:
            return self._finish(self._error)
        if not _accepts(reply):
            return self._finish(_refusal(reply, MessageRefused))
        return self._finish(reply)

    def _heard_rset(self, _reply: Reply) -> bytes:
        return self._finish(self._error or self.result)

    def _refused(self, error: RelayError) -> bytes:
        """Note the first refusal; once nothing else is waited for, clear the table."""
        self._error = self._error or error
        if self._waits:
            return b""
        self._waits.append(Stage.RSET)
        return b"RSET\r\n"

    def _finish(self, result: Reply | RelayError) -> bytes:
        self.result, self.done = result, True
        return b""


_HEARD = {
    Stage.MAIL: Transaction._heard_mail,
    Stage.RCPT: Transaction._heard_rcpt,
    Stage.DATA: Transaction._heard_data,
    Stage.END: Transaction._heard_end,
    Stage.RSET: Transaction._heard_rset,
}


def _out_of_step(stage: Stage, reply: Reply) -> bool:
    """Whether this cannot be the answer to that: 354 is DATA's alone, and DATA is not accepted by anything else."""
    expected = reply.code == 354 if stage is Stage.DATA else reply.code < 300
    return stage is not Stage.RSET and reply.code < 400 and not expected


def _accepts(reply: Reply) -> bool:
    return 200 <= reply.code < 300


def _refuses_us(reply: Reply) -> bool:
    """Whether a relay that refuses a recipient means us: it relays for nobody, or wants us to sign in."""
    return reply.code in (530, 535) or _RELAYS_FOR_NOBODY.search(reply.text) is not None


def _refusal(reply: Reply, permanent: type[RelayError]) -> RelayError:
    return (PassingFailure if 400 <= reply.code < 500 else permanent)(reply.code, reply.text)
