"""Lines that people type, as they are kept and compared; and what a line in other people's mails may hold."""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_ADDRESS = re.compile(r"[/@]|www\.|\w\.\w{2,}", re.IGNORECASE)


def tidy(text: str | None) -> str:
    """A line as typed, in NFC, without white space around it and with single spaces inside."""
    return " ".join(unicodedata.normalize("NFC", text or "").split())


def compared(text: str) -> str:
    """A name as compared with others: tidy, and the same in capitals and small letters."""
    return tidy(text).casefold()


def has_unseen(text: str) -> bool:
    """Whether there are controls, or marks that turn the direction of writing: a name can look like another by them."""
    return any(unicodedata.category(char) in _UNSEEN for char in text)


def has_address(text: str) -> bool:
    """Whether a mail program would make a link of it, or of a part of it."""
    return _ADDRESS.search(text) is not None
