"""Channels that one thread serves: which are idle, which wait for an answer, and which is opened beside the work."""

from __future__ import annotations

import math
import selectors
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from coopmail.errors import RelayDown
from coopmail.mail.channel import Answer, Channel, Outgoing

GATHER = 0.001
"""After an answer, others are waited for as long as they follow each other so closely: they share a commit."""


class Pool:
    """The channels of a sender. The first is opened when it is asked for, others beside the work."""

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
