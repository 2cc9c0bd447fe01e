"""Rings the runners after a commit. It only says *now*: a ring that is lost costs a few seconds, never a mail."""

from __future__ import annotations

import threading


class Doorbell:
    """A bell inside one process: `ring` from any thread, `wait` in the runner."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait for a ring, at most `seconds`; true where one came."""
        rung = self._event.wait(seconds)
        self._event.clear()
        return rung
