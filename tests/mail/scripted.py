"""A relay that does what it is told at every step, for what a well-behaved server cannot do.

It offers PIPELINING or not, answers octet by octet or all in one lump, falls silent, hangs up, and calls a function at
each step: before its reply, in the thread of that connection, so that a test may act or look while a message waits.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.mail.smtp import Arrived

CHUNK = 65536


@dataclass(frozen=True)
class Event:
    """What a client did: CONNECT, EHLO, MAIL, RCPT, DATA, BODY (it has begun), END, REPLIED (to END), RSET or QUIT."""

    verb: str
    connection: int
    nth: int
    """How many times it was done so far, on all connections together."""
    recipient: str = ""
    raw: bytes = b""
    """The message, at END and REPLIED."""


@dataclass(frozen=True)
class Move:
    """What the relay does about it. Without a reply and without hanging up it waits until the client leaves."""

    reply: str = ""
    closes: bool = False
    resets: bool = False
    """It hangs up as a machine does that was switched off: whatever comes after is answered by a reset."""
    keeps: bool = False
    """At END: it delivers the message, whatever it says or does not say."""


HOLD = Move()
HANG_UP = Move(closes=True)


@dataclass(frozen=True)
class Kept(Arrived):
    """A message that the relay took."""

    connection: int


class ScriptedRelay:
    """A relay on a free port. `messages` are those it took, `heard` is all that clients did, in order.

    `behave` is asked at every step and may answer None: then the relay does what every relay does. `chunks` says how
    its replies come: `whole`, `octets` (one by one), or in one `lump` as soon as it waits for the client. With `tls` it
    speaks TLS from the first octet.
    """

    def __init__(
        self,
        behave: Callable[[Event], Move | None] = lambda event: None,
        *,
        pipelining: bool = True,
        chunks: str = "whole",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.behave, self.pipelining, self.chunks, self._tls = behave, pipelining, chunks, tls
        self.messages: list[Kept] = []
        self.heard: list[Event] = []
        self.open = 0
        """How many connections there are now."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._problems: list[BaseException] = []

    def __enter__(self) -> ScriptedRelay:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(20)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)
        for problem in self._problems:
            raise problem

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many were made so far."""
        return self._counts["CONNECT"]

    def recipients(self) -> list[str]:
        """To whom it took a message, sorted."""
        return sorted(message.recipient for message in self.messages)

    def count(self, verb: str) -> int:
        """How often clients did that."""
        return self._counts[verb]

    def settle(self) -> None:
        """Wait until every client has left."""
        with self._lock:
            assert self._lock.wait_for(lambda: self.open == 0, timeout=20)

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self.messages, self.heard = [], []
            self._counts.clear()

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="scripted-relay", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                found, _ = self._listener.accept()
            except OSError:  # it was shut down
                return
            number += 1
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(found)
            self._begin(self._serve, found, number)

    def _serve(self, found: socket.socket, number: int) -> None:
        with self._lock:
            self.open += 1
        try:
            with contextlib.suppress(OSError, _Left), self._secured(found) as found:
                _Session(self, found, number).talk()
        except BaseException as problem:
            self._problems.append(problem)
        finally:
            with self._lock:
                self.open -= 1
                self._lock.notify_all()

    def _secured(self, found: socket.socket) -> socket.socket:
        if self._tls is None:
            return found
        secured = self._tls.wrap_socket(found, server_side=True)
        self._sockets.append(secured)
        return secured

    def note(self, verb: str, connection: int, recipient: str, raw: bytes) -> Event:
        """Write down what a client did."""
        with self._lock:
            self._counts[verb] += 1
            event = Event(verb, connection, self._counts[verb], recipient, raw)
            self.heard.append(event)
            return event


class _Left(Exception):
    """The conversation is over."""


class _Session:
    """The relay's side of a connection."""

    def __init__(self, relay: ScriptedRelay, found: socket.socket, number: int) -> None:
        self._relay, self._socket, self._number = relay, found, number
        self._in = self._out = b""
        self._sender = self._recipient = ""

    def talk(self) -> None:
        """From the greeting until one of the two leaves."""
        self._step("CONNECT", "220 relay.example ESMTP")
        features = "250-relay.example\r\n250-PIPELINING\r\n250 8BITMIME" if self._relay.pipelining else "250 8BITMIME"
        while True:
            verb, _, argument = self._line().partition(" ")
            match verb.upper():
                case "EHLO":
                    self._step("EHLO", features)
                case "MAIL":
                    self._sender, self._recipient = _address(argument), ""
                    self._step("MAIL", "250 2.1.0 ok")
                case "RCPT":
                    self._rcpt(_address(argument))
                case "DATA":
                    if self._step("DATA", "354 go" if self._recipient else "503 5.5.1 no recipient").startswith("354"):
                        self._body()
                case "QUIT":
                    self._step("QUIT", "221 2.0.0 bye")
                    self._flush()
                    raise _Left
                case other:
                    self._step(other.upper(), "250 2.0.0 ok")

    def _rcpt(self, recipient: str) -> None:
        self._recipient = recipient
        if not self._step("RCPT", "250 2.1.5 ok").startswith("2"):
            self._recipient = ""

    def _body(self) -> None:
        while not self._in:
            self._read()
        event = self._relay.note("BODY", self._number, self._recipient, b"")
        self._do(self._relay.behave(event), None)
        while not (b"\r\n.\r\n" in self._in or self._in.startswith(b".\r\n")):
            self._read()
        if self._in.startswith(b".\r\n"):
            raw, self._in = b"", self._in[3:]
        else:
            stuffed, _, self._in = self._in.partition(b"\r\n.\r\n")
            raw = (stuffed + b"\r\n").replace(b"\r\n..", b"\r\n.")
        self._step("END", "250 2.0.0 kept", raw)
        self._flush()
        self._do(self._relay.behave(self._relay.note("REPLIED", self._number, self._recipient, raw)), None)

    def _step(self, verb: str, usual: str, raw: bytes = b"") -> str:
        """Ask what to do, do it, and return what was said."""
        event = self._relay.note(verb, self._number, self._recipient, raw)
        move = self._relay.behave(event)
        said = usual if move is None else move.reply
        if verb == "END" and raw and (said.startswith("250") or (move is not None and move.keeps)):
            kept = Kept(self._sender, self._recipient, raw, said, self._number)
            with self._relay._lock:
                self._relay.messages.append(kept)
        self._do(move, usual)
        return said

    def _do(self, move: Move | None, usual: str | None) -> None:
        said = usual if move is None else move.reply
        if said:
            self._say(said.encode("ascii") + b"\r\n")
        if move is not None and (move.closes or move.resets):
            self._flush()
            if move.resets:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise _Left
        if said == "":
            self._flush()
            while self._socket.recv(CHUNK):
                pass
            raise _Left

    def _say(self, reply: bytes) -> None:
        self._out += reply
        if self._relay.chunks != "lump":
            self._flush()

    def _flush(self) -> None:
        said, self._out = self._out, b""
        step = 1 if self._relay.chunks == "octets" else len(said) or 1
        for start in range(0, len(said), step):
            self._socket.sendall(said[start : start + step])

    def _line(self) -> str:
        while b"\r\n" not in self._in:
            self._flush()
            self._read()
        line, _, self._in = self._in.partition(b"\r\n")
        return line.decode("ascii")

    def _read(self) -> None:
        self._flush()
        heard = self._socket.recv(CHUNK)
        if not heard:
            raise _Left
        self._in += heard


def _address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]
