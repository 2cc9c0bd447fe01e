"""Signs and reads the token of a personal link.

`/r/<kind>.<id>.<signature>`: the id is 128 random bits that the database keeps, the signature is
HMAC-SHA-256 over it with a salt a kind. The database alone opens no link, the keys alone open none.
Only this module knows itsdangerous. A personal link is no proof of identity.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from itsdangerous import BadSignature, Signer

from coopmail.errors import LinkUnreadable

MAX_TOKEN = 512
_GRAMMAR = re.compile(r"([a-z]{2,20}(?:-[a-z]{2,20})*)\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True)
class Claim:
    """What a token's signature vouches for: a kind, a link's id in 32 hexadecimal digits, the key's version."""

    kind: str
    link_id: str
    key_version: int


class LinkSigner:
    """Signs with the newest key and reads with any that is still kept."""

    def __init__(self, keys: Mapping[int, str]) -> None:
        self._keys = dict(keys)
        self.current = max(keys)

    def sign(self, kind: str, link_id: str, key_version: int) -> str:
        """The token of a link; the same link always gives the same token."""
        value = f"{kind}.{_encode(bytes.fromhex(link_id))}"
        return self._signer(kind, key_version).sign(value).decode("ascii")

    def knows(self, key_version: int) -> bool:
        """Whether links signed with that version still open."""
        return key_version in self._keys

    def read(self, token: str) -> Claim:
        """The claim of a token, or `LinkUnreadable`.

        Grammar first, then the canonical form (several spellings of one signature decode alike), then the signature.
        """
        match = _GRAMMAR.fullmatch(token) if len(token) <= MAX_TOKEN else None
        if match is None:
            raise LinkUnreadable("The token has not the form of a personal link.")
        kind, link_id, signature = match.groups()
        if _encode(_decode(link_id)) != link_id or _encode(_decode(signature)) != signature:
            raise LinkUnreadable("The token is not in its canonical form.")
        for version in sorted(self._keys, reverse=True):
            try:
                self._signer(kind, version).unsign(token)
            except BadSignature:
                continue
            return Claim(kind, _decode(link_id).hex(), version)
        raise LinkUnreadable("The token's signature is wrong.")

    def code(self, key: str, key_version: int) -> str:
        """Six digits for a sign-in's key. Derived whenever it is needed: no row holds it, and no key no code."""
        signature = self._signer("sign-in-code", key_version).get_signature(key)
        return f"{int.from_bytes(hashlib.sha256(signature).digest()[:8], 'big') % 1_000_000:06}"

    def _signer(self, kind: str, version: int) -> Signer:
        return Signer(
            self._keys[version],
            salt=f"coopmail.link.{kind}",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
