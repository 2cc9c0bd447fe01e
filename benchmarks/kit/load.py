"""Clients that fetch pages and send ballots as fast as they are answered.

`python -m benchmarks.kit.load` is a process of its own, so that it takes little from the server. It reads a plan as
JSON on its input and prints what it saw.

A plan has `port`, `clients` and `work`: a list of visits, each a list of requests that one client makes in turn over a
connection that it keeps. A request is `[name, method, path, body, status]`; `status` is the one that is expected.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.kit.run import Wrong

Request = tuple[str, str, str, str, int]
Visit = Sequence[Request]
_CHUNK = 1 << 18


@dataclass
class Seen:
    """What came of a plan: seconds in all, seconds of each answer by the request's name, and what was not expected.

    `busy` is the clients' own processor time in seconds: near `seconds`, the clients were measured and not the server.
    """

    seconds: float = 0.0
    busy: float = 0.0
    took: dict[str, list[float]] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return sum(len(took) for took in self.took.values()) / self.seconds

    def milliseconds(self, share: float, *names: str) -> float:
        """The time within which such a share of the requests of these names was answered."""
        took = sorted(second for name in names or self.took for second in self.took[name])
        return took[min(len(took) - 1, int(len(took) * share))] * 1000


class Client:
    """One connection, and the visits that it makes."""

    def __init__(self, port: int, visits: Iterator[Visit], seen: Seen) -> None:
        self._port, self._visits, self._seen = port, visits, seen
        self._requests: Iterator[Request] = iter(())
        self._buffer = b""
        self._connect()

    def _connect(self) -> None:
        self.is_new = True
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self) -> int:
        """The number of its socket, to be waited for."""
        return self._socket.fileno()

    def go_on(self) -> bool:
        """Send the next request; False where nothing is left to do."""
        request = next(self._requests, None)
        while request is None:
            visit = next(self._visits, None)
            if visit is None:
                self._socket.close()
                return False
            self._requests = iter(visit)
            request = next(self._requests, None)
        self._request, self._began = request, time.perf_counter()
        self._socket.sendall(_written(request))
        return True

    def hear(self) -> bool:
        """Read what there is; True where the answer is whole."""
        data = self._socket.recv(_CHUNK)
        if not data:
            raise Wrong(f"The server hung up at a {self._request[0]}.")
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or len(self._buffer) < end + 4 + self._length(end):
            return False
        name, status = self._request[0], int(self._buffer[9:12])
        self._seen.took.setdefault(name, []).append(time.perf_counter() - self._began)
        if status != self._request[4]:
            self._seen.unexpected.append(f"{name}: {status}")
        closes = b"\r\nconnection: close" in self._buffer[:end].lower()
        self._buffer = b""
        if closes:
            self._socket.close()
            self._connect()
        return True

    def _length(self, end: int) -> int:
        head = self._buffer[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            raise Wrong("The server does not say how long its answer is.")
        return int(head[at + 17 :].split(b"\r\n", 1)[0])


def _written(request: Request) -> bytes:
    _, method, path, body, _ = request
    form = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Language: nl\r\n{form}\r\n{body}".encode("ascii")


def visit_all(port: int, clients: int, work: Sequence[Visit]) -> Seen:
    """Make all visits by so many clients at once."""
    seen, visits, waiting = Seen(), iter(work), select.epoll()
    began, busy_before = time.perf_counter(), time.process_time()
    busy: dict[int, Client] = {}

    def go_on(client: Client) -> None:
        if client.go_on():
            busy[client.fileno()] = client
            if client.is_new:
                waiting.register(client.fileno(), select.EPOLLIN)  # closing a socket took it off
                client.is_new = False

    for client in [Client(port, visits, seen) for _ in range(clients)]:
        go_on(client)
    while busy:
        heard = waiting.poll(60)
        if not heard:
            raise Wrong("The server has said nothing for a minute.")
        for number, _ in heard:
            if busy[number].hear():
                go_on(busy.pop(number))
    seen.seconds, seen.busy = time.perf_counter() - began, time.process_time() - busy_before
    return seen


def visited(port: int, clients: int, work: Sequence[Visit]) -> Seen:
    """The same in a process of its own; raises `Wrong` where an answer was not the expected one."""
    plan = json.dumps({"port": port, "clients": clients, "work": work})
    command = [sys.executable, "-m", "benchmarks.kit.load"]
    done = subprocess.run(command, input=plan, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    if found["unexpected"]:
        raise Wrong(f"{len(found['unexpected'])} answers were not the expected ones: {found['unexpected'][:3]}.")
    return Seen(**found)


def main() -> None:
    """Do as the plan says."""
    plan = json.load(sys.stdin)
    seen = visit_all(plan["port"], plan["clients"], plan["work"])
    print(json.dumps(asdict(seen)))


if __name__ == "__main__":
    main()
