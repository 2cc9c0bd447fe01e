"""Connections to the relay, and the local mailbox in their place.

Flask-Mail's own connection has no time-out, checks no certificate and discards partial refusals. Ours opens with
smtplib (greeting, TLS, login) and then hands its socket to a `Channel`, of which one thread can serve many: while one
message waits for its reply, others are on the wire.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import flask_mail

from coopmail.config import Relay, Settings
from coopmail.errors import RelayDown, RelayError
from coopmail.mail.conversation import Reply, Stage, Transaction

TIMEOUT = 20.0
"""Seconds for each step of a conversation, and for connecting."""
END_TIMEOUT = 60.0
"""Seconds for the reply to a whole message: a relay may look into it first, and who leaves early sends it twice."""
GATHER = 0.001
"""After an answer, others are waited for as long as they follow each other so closely: they share a commit."""
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
            host = smtplib.SMTP_SSL(relay.host, relay.port, timeout=TIMEOUT, context=_verifying())
        else:
            host = smtplib.SMTP(relay.host, relay.port, timeout=TIMEOUT)
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


class Pool:
    """Channels that one thread serves. The first is opened when it is asked for, others beside the work."""

    def __init__(self, opens: Callable[[], Channel], most: int) -> None:
        self._opens, self.most = opens, most
        self._idle: list[Channel] = []
        self._busy: set[Channel] = set()
        self._opening: list[Future[Channel]] = []
        self._executor: ThreadPoolExecutor | None = None
        self._selector = selectors.DefaultSelector()
        self._watched: dict[Channel, int] = {}

    @property
    def busy(self) -> int:
        """How many messages are on the wire."""
        return len(self._busy)

    @property
    def idle(self) -> int:
        """How many channels wait for a message."""
        return len(self._idle)

    @property
    def proven(self) -> int:
        """How many channels have handed something over."""
        return sum(channel.delivered > 0 for channel in (*self._idle, *self._busy))

    def ready(self, wanted: int) -> int:
        """See that up to `wanted` channels are there; how many take a message now.

        The first is waited for and raises `RelayDown` where it cannot be opened. A further one that cannot only lowers
        how many there may be: some relays allow few.
        """
        self._collect()
        while self._opening and not (self._idle or self._busy):  # every other one has left
            wait(self._opening, return_when=FIRST_COMPLETED)
            self._collect()
        if wanted and not (self._idle or self._busy):
            self._idle.append(self._opens())
        there = len(self._idle) + len(self._busy) + len(self._opening)
        for _ in range(min(wanted, self.most) - there):
            self._executor = self._executor or ThreadPoolExecutor(4, thread_name_prefix="coopmail-relay")
            self._opening.append(self._executor.submit(self._opens))
        return len(self._idle)

    def _collect(self) -> None:
        for future in [future for future in self._opening if future.done()]:
            self._opening.remove(future)
            try:
                self._idle.append(future.result())
            except RelayDown:
                self.most = max(1, len(self._idle) + len(self._busy) + len(self._opening))

    def start(self, outgoing: Outgoing) -> None:
        """Put a message on an idle channel."""
        channel = self._idle.pop()
        self._busy.add(channel)
        channel.start(outgoing)
        self._watch(channel)

    def wait(self) -> list[Answer]:
        """Wait for answers, at least one where a message is on the wire; a silent relay's comes when its time is up."""
        answers: list[Answer] = []
        while self._busy:
            ripe = self._ripe(GATHER if answers else math.inf)
            answers += [answer for channel in ripe if (answer := self._advance(channel)) is not None]
            if answers and not ripe:
                break
        return answers

    def _ripe(self, patience: float) -> list[Channel]:
        """The channels that something came on, or whose time is up; none where nothing came for so many seconds."""
        at_once = [channel for channel in self._busy if channel.fileno() < 0]
        if at_once:
            return at_once
        pause = max(0.0, min(channel.deadline for channel in self._busy) - time.monotonic())
        found: list[Channel] = [key.data for key, _ in self._selector.select(min(pause, patience))]
        if found:
            return found
        now = time.monotonic()
        return [channel for channel in self._busy if channel.deadline <= now]

    def _advance(self, channel: Channel) -> Answer | None:
        answer = channel.advance(time.monotonic())
        if channel in self._busy and answer is not None:
            self._busy.discard(channel)
            if channel.usable:
                self._idle.append(channel)
        if not channel.usable:
            self._forget(channel)
        else:
            self._watch(channel)
        return answer

    def _watch(self, channel: Channel) -> None:
        """Wait for what it wants: a channel stays registered while it lives."""
        if channel.fileno() < 0 or self._watched.get(channel) == channel.wants:
            return
        change = self._selector.modify if channel in self._watched else self._selector.register
        change(channel, channel.wants, channel)
        self._watched[channel] = channel.wants

    def _forget(self, channel: Channel) -> None:
        if channel in self._idle:
            self._idle.remove(channel)
        self._busy.discard(channel)
        if self._watched.pop(channel, None) is not None:
            self._selector.unregister(channel)

    def close(self) -> None:
        """Leave; a message still on the wire is let go without an answer."""
        if self._executor is not None:
            self._executor.shutdown(wait=True)
            self._collect()
        for channel in [*self._idle, *self._busy]:
            channel.close()
        self._selector.close()
