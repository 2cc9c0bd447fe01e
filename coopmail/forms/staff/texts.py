"""Texts that staff write: one line, or several."""

from __future__ import annotations

import unicodedata

from wtforms import Field, Form, ValidationError

from coopmail.forms.kind import lazy

LONGEST_PART = 5_000


def several_lines(text: str | None) -> str:
    """Text as typed, in NFC, with plain line ends and no white space around it."""
    return unicodedata.normalize("NFC", (text or "").replace("\r\n", "\n").replace("\r", "\n")).strip()


def plain(_form: Form, found: Field) -> None:
    """Refuse what cannot be seen: controls, and marks that turn the direction of writing."""
    if any(unicodedata.category(char) in ("Cc", "Cs", "Co") and char not in "\n\t" for char in found.data or ""):
        raise ValidationError(lazy("Remove the invisible characters: type the text again instead of pasting it."))
    if any("\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069" for char in found.data or ""):
        raise ValidationError(lazy("Remove the invisible characters: type the text again instead of pasting it."))
