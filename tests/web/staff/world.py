"""A small cooperative in which every page of the console has something to show, and the names of what is in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

STRANGE: dict[str, Any] = {"slug": "nowhere", "number": "1999-001", "campaign": "nothing", "key": "0" * 32}


@dataclass(frozen=True)
class World:
    """What stands in a path of `ROUTES` between braces."""

    names: dict[str, Any]

    def path(self, pattern: str) -> str:
        """The path of a page about something that is there."""
        return pattern.format(**self.names)

    def strange_path(self, pattern: str) -> str:
        """The same path about something that is not there: the first name is of nothing."""
        first = re.findall(r"\{(\w+)\}", pattern)[0]
        kind = first.partition("_")[0] if first not in STRANGE else first
        return pattern.format(**(self.names | {first: STRANGE.get(kind, 999_999_999)}))
