"""What staff should mind before a poll opens. Nothing is refused for it; `wording.poll_warning` says each."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class Caution(enum.StrEnum):
    """What there is to mind."""

    SHORT = "short"
    QUIET_OPENING = "quiet_opening"
    QUIET_CLOSING = "quiet_closing"
    FREE_OPENING = "free_opening"
    FREE_CLOSING = "free_closing"
    NO_ENGLISH = "no_english"


@dataclass(frozen=True)
class PollWarning:
    """One thing to mind.

    `values`: `least` and `days` (whole days) where the time is short; `name_nl` and `name_en` of a quiet period; the
    names of the `fields` that have no English text.
    """

    caution: Caution
    values: dict[str, Any] = field(default_factory=dict)
