"""The one source of now: everything else is handed the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system() -> datetime:
    """The computer's time, aware, in UTC."""
    return datetime.now(UTC)
