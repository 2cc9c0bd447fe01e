"""The keys of secret polls, half of each in a file outside the database, and what can be done with a whole one.

A poll's key is HMAC-SHA-256 of two halves of 32 random bytes: one in a file, one in the table `poll_keys`. Neither is
of any use alone. The file is `<key folder>/<place>/poll-<id>.key`, readable by its owner only; `place` is a random
name that the database knows of itself, so that two installations that share a key folder touch nothing of each other.
Rule: `design/links-and-ballots.md`, "Open and secret".
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from coopmail.errors import CoopmailError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HALF = 32
"""Bytes in each half of a key."""
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""What receipt codes are written in: without 0, 1, I and O."""
CODE_LENGTH = len("K7QF-2MXD-9TRW")
_NONCE = 12
_NAME = re.compile(r"poll-([1-9][0-9]*)\.key(\.new)?")


class KeyUnreadable(CoopmailError):
    """The key of a secret poll is missing or damaged: nothing can be sealed or opened with it."""


class BallotUnreadable(CoopmailError):
    """A sealed ballot is damaged, or was sealed with another key."""


@dataclass(frozen=True)
class Key:
    """The whole key of one poll. It is made when it is needed, and never written down."""

    whole: bytes = field(repr=False)

    def handle(self, unit_id: int) -> str:
        """Under what a unit's ballot is kept: 64 hexadecimal digits that name nobody without the key."""
        return self._derive(f"unit:{unit_id}").hex()

    def code(self, handle: str, contact_id: int) -> str:
        """A contact's receipt code of a ballot, as in `K7QF-2MXD-9TRW`: 60 bits, the same whenever it is asked.

        A colleague who answers for the same unit has another one: else each would find the other's choice in the list.
        """
        bits = int.from_bytes(self._derive(f"receipt:{handle}:{contact_id}")[:8]) >> 4
        letters = "".join(ALPHABET[bits >> shift & 31] for shift in range(55, -1, -5))
        return "-".join((letters[:4], letters[4:8], letters[8:]))

    def seal(self, handle: str, text: str, length: int) -> bytes:
        """A text encrypted for its handle alone, padded to `length` bytes: how long it is tells nothing."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text.encode().ljust(length), handle.encode())

    def open(self, handle: str, sealed: bytes) -> str:
        """The text that was sealed under a handle, or `BallotUnreadable`."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], handle.encode()).decode().rstrip(" ")
        except (InvalidTag, ValueError) as error:
            raise BallotUnreadable("A sealed ballot cannot be opened with the key of its poll.") from error

    @cached_property
    def _cipher(self) -> AESGCM:
        # Imported here: most installations have no secret poll, and starting should stay light.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._derive("seal"))

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self.whole, purpose.encode(), "sha256")


class Vault:
    """The key folder: makes, reads and destroys the files in it. Knows no database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, place: str, poll_id: int) -> bytes:
        """Write a new file half, whole and on disk before this returns; returns the half for the database.

        Only for a poll that nobody else is opening: a file that an opening left behind is written over.
        """
        folder, file = self._folder / place, self._file(place, poll_id)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            half, other = secrets.token_bytes(HALF), secrets.token_bytes(HALF)
            fresh = file.with_suffix(".key.new")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(half + _check(half, other))
                out.flush()
                os.fsync(out.fileno())
            fresh.rename(file)
            for changed in (folder, self._folder):
                _sync(changed)
        except OSError as error:
            raise KeyUnreadable(f"The key of poll {poll_id} cannot be written: {error}") from error
        return other

    def read(self, place: str, poll_id: int, other: bytes) -> Key:
        """The key of a poll, from its file and the database's half, or `KeyUnreadable`."""
        try:
            found = self._file(place, poll_id).read_bytes()
        except OSError as error:
            raise KeyUnreadable(f"The key file of poll {poll_id} cannot be read: {error}") from error
        half, check = found[:HALF], found[HALF:]
        if not hmac.compare_digest(check, _check(half, other)):
            raise KeyUnreadable(f"The key file of poll {poll_id} is damaged, or belongs to another key.")
        return Key(hmac.digest(half, other, "sha256"))

    def polls(self, place: str) -> dict[int, float]:
        """The ids of the polls that have a file, or a piece of one, with the time (seconds) of its last change."""
        found: dict[int, float] = {}
        folder = self._folder / place
        for name in os.listdir(folder) if folder.is_dir() else []:
            if match := _NAME.fullmatch(name):
                poll_id = int(match.group(1))
                with suppress(FileNotFoundError):  # another runner has just destroyed it
                    found[poll_id] = max(found.get(poll_id, 0.0), (folder / name).stat().st_mtime)
        return found

    def holds(self, place: str) -> bool:
        """Whether this folder is the one in which the database's keys were made."""
        return (self._folder / place).is_dir()

    def destroy(self, place: str, poll_id: int) -> None:
        """Write over the file of a poll and remove it; nothing happens where there is none."""
        file = self._file(place, poll_id)
        for one in (file, file.with_suffix(".key.new")):
            try:
                with one.open("r+b", buffering=0) as out:
                    out.write(bytes(os.fstat(out.fileno()).st_size))
                    os.fsync(out.fileno())
                one.unlink()
            except FileNotFoundError:
                continue
        if self.holds(place):
            _sync(self._folder / place)

    def _file(self, place: str, poll_id: int) -> Path:
        return self._folder / place / f"poll-{poll_id}.key"


def new_place() -> str:
    """A random name for a database's own folder of keys."""
    return secrets.token_hex(8)


def _check(half: bytes, other: bytes) -> bytes:
    """What shows that two halves belong together."""
    return hashlib.sha256(b"check:" + half + other).digest()


def _sync(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
