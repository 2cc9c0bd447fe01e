"""In which language a page is: what its address asks, else the contact's, else the browser's."""

from __future__ import annotations

from flask import g, request
from flask_babel import refresh

from coopmail.domain.base import LANGUAGES


def select_locale() -> str:
    """The language of this request: `nl` or `en`."""
    asked = request.args.get("lang", "")
    if asked in LANGUAGES:
        return asked
    known: str | None = g.get("contact_language")
    return known or request.accept_languages.best_match(LANGUAGES) or "nl"


def speak_as(contact_language: str) -> None:
    """Use a contact's language from here on, unless the address asks for another."""
    g.contact_language = contact_language
    refresh()  # type: ignore[no-untyped-call]


def kept_language() -> dict[str, str]:
    """The `lang` of this request's address, to be carried on to the next page."""
    asked = request.args.get("lang", "")
    return {"lang": asked} if asked in LANGUAGES else {}
