"""What an act goes by, beside its own arguments."""

from __future__ import annotations

from dataclasses import dataclass

from coopmail.charter import Charter


@dataclass(frozen=True)
class Basis:
    """The cooperative's charter, and the version of the key that signs new links."""

    charter: Charter
    key_version: int
