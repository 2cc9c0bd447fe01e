"""What an act goes by, beside its own arguments."""

from __future__ import annotations

from dataclasses import dataclass

from coopmail.charter import Charter
from coopmail.vault import Vault


@dataclass(frozen=True)
class Basis:
    """The cooperative's charter, the version of the key that signs new links, and the keys of secret polls."""

    charter: Charter
    key_version: int
    vault: Vault
