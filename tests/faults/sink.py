"""Where the mail of these tests arrives: a relay that counts, and that can hold every message's reply at some point."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from tests.mail.scripted import Event, Move, ScriptedRelay
from tests.servers import PATIENCE

_KEY = re.compile(rb"^Message-ID: <([0-9a-f]+)@", re.MULTILINE)


@dataclass(frozen=True)
class Copy:
    """A message that came whole: its row's key, on which connection, and when by the monotonic clock."""

    key: str
    connection: int
    at: float
    raw: bytes


class Sink(ScriptedRelay):
    """Takes every message. `copies` are in the order in which their final dots came."""

    def __init__(self) -> None:
        super().__init__(self._behave)
        self.copies: list[Copy] = []
        self._waiting_at: int | None = None
        self._reached, self._released = threading.Event(), threading.Event()
        self._noting = threading.Lock()

    def __enter__(self) -> Sink:
        super().__enter__()
        return self

    def hold_at(self, count: int) -> None:
        """From that message on, leave messages without a reply until `let_go`."""
        self._reached.clear()
        self._released.clear()
        self._waiting_at = count

    def holds(self) -> bool:
        """Whether a message is held now."""
        return self._reached.is_set()

    def let_go(self) -> None:
        """Reply to what is held: where the sender is gone, its message was taken and it never hears so."""
        self._waiting_at = None
        self._released.set()

    def _behave(self, event: Event) -> Move | None:
        if event.verb == "END":
            found = _KEY.search(event.raw)
            assert found, event.raw[:300]
            with self._noting:
                self.copies.append(Copy(found.group(1).decode(), event.connection, time.monotonic(), event.raw))
            if self._waiting_at is not None and len(self.copies) >= self._waiting_at:
                self._reached.set()
                self._released.wait(2 * PATIENCE)
        return None

    def by_key(self) -> dict[str, list[Copy]]:
        """The copies of each message."""
        found: dict[str, list[Copy]] = defaultdict(list)
        for copy in list(self.copies):
            found[copy.key].append(copy)
        return dict(found)

    def cut_off(self) -> set[Copy]:
        """The last message of each connection that its sender left without a goodbye: no reply may have been heard."""
        left = {event.connection for event in list(self.heard) if event.verb == "QUIT"}
        last = {copy.connection: copy for copy in list(self.copies)}
        return {copy for connection, copy in last.items() if connection not in left}
