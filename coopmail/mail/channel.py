"""A way out that takes one message at a time and never blocks: an SMTP session, or the local mailbox in its place.

smtplib opens a session (`relay`) and hands its socket over; one thread can then serve many channels (`pool`): while one
message waits for its reply, others are on the wire.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import smtplib
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from coopmail.errors import RelayError
from coopmail.mail.conversation import Reply, Stage, Transaction

TIMEOUT = 20.0
"""Seconds for each step of a conversation, and for connecting."""
END_TIMEOUT = 60.0
"""Seconds for the reply to a whole message: a relay may look into it first, and who leaves early sends it twice."""
_CHUNK = 65536
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready for the wire. `tag` is the caller's own."""

    tag: object
    key: str
    sender: str
    recipient: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a message: the relay's reply, or the error that it means."""

    tag: object
    result: Reply | RelayError
    fresh: bool
    """Whether its channel had handed over nothing before: then a fault of the relay is more than a goodbye."""


class Channel(Protocol):
    """A way out that takes one message at a time."""

    delivered: int

    def start(self, outgoing: Outgoing) -> None:
        """Begin to hand a message over."""

    def advance(self, now: float) -> Answer | None:
        """Read and write what can be; the answer once there is one."""

    @property
    def usable(self) -> bool:
        """Whether it takes another message."""

    def fileno(self) -> int:
        """What to wait for; below 0 where the answer is there at once."""

    @property
    def wants(self) -> int:
        """What to wait for: `selectors` events."""

    @property
    def deadline(self) -> float:
        """Until when it waits, on the monotonic clock."""

    def close(self) -> None:
        """Leave politely."""


class RelayChannel:
    """An SMTP session whose socket never blocks."""

    def __init__(self, host: smtplib.SMTP) -> None:
        assert host.sock is not None
        self._host, self._socket = host, host.sock
        self._socket.setblocking(False)
        self._pipelining = host.has_extn("pipelining")
        self._talk: Transaction | None = None
        self._tag: object = None
        self._unsent = b""
        self._gone = False
        self._open = True
        self.delivered = 0
        self.deadline = 0.0

    @property
    def usable(self) -> bool:
        """Whether it takes another message."""
        return self._open

    @property
    def wants(self) -> int:
        """Replies, and room to write where something is left to write."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)

    def fileno(self) -> int:
        """The socket."""
        return self._socket.fileno()

    def start(self, outgoing: Outgoing) -> None:
        """Write the envelope."""
        self._tag = outgoing.tag
        self._talk = Transaction(outgoing.sender, outgoing.recipient, outgoing.raw, pipelining=self._pipelining)
        self._unsent = self._talk.start()
        self._extend(time.monotonic())
        self._write()

    def advance(self, now: float) -> Answer | None:
        """Read and write what can be; the answer once there is one, also where time is up."""
        talk = self._talk
        if talk is None:  # the relay says goodbye while nothing is asked of it
            self.close()
            return None
        try:
            heard = self._read()
            if heard:
                self._extend(now)
                self._unsent += talk.receive(heard)
            if not talk.done:
                self._write()
        except OSError as error:
            talk.broke_off(f"{type(error).__name__}: {error}"[:300])
        if not talk.done and now >= self.deadline:
            talk.broke_off("the relay says nothing")
        return self._finish(talk) if talk.done else None

    def _finish(self, talk: Transaction) -> Answer:
        answer = Answer(self._tag, talk.result, fresh=self.delivered == 0)
        self.delivered += isinstance(talk.result, Reply)
        # Where it answered before it had the whole message, it would take the next one for the rest of this.
        in_step = talk.usable and not self._unsent and not self._gone
        self._talk, self._unsent = None, b""
        if not in_step:
            self._open = False
            self._host.close()
        return answer

    def _extend(self, now: float) -> None:
        assert self._talk is not None
        self.deadline = now + (END_TIMEOUT if self._talk.stage is Stage.END else TIMEOUT)

    def _read(self) -> bytes:
        heard = b""
        while True:
            try:
                chunk = self._socket.recv(_CHUNK)
                if not chunk:
                    raise ConnectionResetError("the relay hung up")
            except OSError as error:
                if heard or isinstance(error, _NOT_YET):
                    return heard  # what was said counts; that it hung up shows at the next look
                raise
            heard += chunk

    def _write(self) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                self._unsent = self._unsent[sent:]
                self._extend(time.monotonic())  # it takes what we write
        except _NOT_YET:
            return
        except OSError:
            self._gone, self._unsent = True, b""  # what it said before it left is still to be read

    def close(self) -> None:
        """Say goodbye; whether the relay still listens does not matter."""
        if self._open and self._talk is None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._socket.settimeout(2)
                self._host.docmd("QUIT")
        self._open = False
        self._host.close()


class MailboxChannel:
    """The local mailbox: a file a message, named by the row's key, so that a second attempt writes the same file."""

    wants = selectors.EVENT_READ
    usable = True
    deadline = 0.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: object = None
        self.delivered = 0
        folder.mkdir(parents=True, exist_ok=True)

    def fileno(self) -> int:
        """Its answer is there at once."""
        return -1

    def start(self, outgoing: Outgoing) -> None:
        """Write the message, whole or not at all."""
        draft = self._folder / f".{outgoing.key}.{os.getpid()}"
        draft.write_bytes(outgoing.raw)
        draft.replace(self._folder / f"{outgoing.key}.eml")
        self._written = outgoing.tag

    def advance(self, _now: float) -> Answer | None:
        """The answer to what was written."""
        tag, self._written = self._written, None
        if tag is None:
            return None
        self.delivered += 1
        return Answer(tag, Reply(250, "in the local mailbox"), fresh=False)

    def close(self) -> None:
        """Nothing to leave."""


class Silent(MailboxChannel):
    """Flask-Mail's MAIL_SUPPRESS_SEND: nothing goes anywhere, and everything counts as accepted."""

    def __init__(self) -> None:
        self._written = None
        self.delivered = 0

    def start(self, outgoing: Outgoing) -> None:
        """Keep nothing."""
        self._written = outgoing.tag

    def advance(self, now: float) -> Answer | None:
        """Say so."""
        answer = super().advance(now)
        return Answer(answer.tag, Reply(250, "suppressed"), fresh=False) if answer else None
