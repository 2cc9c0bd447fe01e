"""What people type in the cells of a sheet, read in Dutch and in English: yes and no, numbers, amounts, days.

A reader takes a cell that is not empty and is tidy (`domain/lines.py`), and raises `CellWrong` for what it cannot be.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import TypeVar

from coopmail.domain.base import LANGUAGES
from coopmail.domain.contacts import Mode, valid_address
from coopmail.domain.lines import has_address, has_unseen
from coopmail.domain.organisations import MOST_PEOPLE, PROVINCES, OrganisationKind

_YES, _NO = {"ja", "j", "yes", "y", "true", "waar", "1", "x"}, {"nee", "neen", "n", "no", "false", "onwaar", "0"}
_KINDS = {
    OrganisationKind.LIBRARY: ("bibliotheek", "bib", "library"),
    OrganisationKind.CULTURE_CENTRE: ("cultuurcentrum", "gemeenschapscentrum", "cc", "gc", "culture_centre",
                                      "culture centre", "community centre"),
    OrganisationKind.BODY: ("andere", "andere organisatie", "body", "other"),
}  # fmt: skip
_LANGUAGES = {"nl": "nl", "nederlands": "nl", "dutch": "nl", "en": "en", "engels": "en", "english": "en"}
_MODES = {"stemt": Mode.VOTES, "votes": Mode.VOTES, "leest": Mode.READS, "reads": Mode.READS}
_WHOLE = re.compile(r"\d+|\d{1,3}(?:[. ]\d{3})+", re.ASCII)
_AMOUNT = re.compile(r"(\d+|\d{1,3}(?:[. ]\d{3})+)(?:,(\d{1,2}))?|(\d+)\.(\d{1,2})", re.ASCII)
_DAYS = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[T ]00:00(?::00)?)?", re.ASCII),
    re.compile(r"(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4})", re.ASCII),
)
_TELEPHONE = re.compile(r"[+0-9][0-9 ./()-]{5,29}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1950, 2100
MOST_CENTS = 100_000_000_00
"""A hundred million euro a year: a larger price is a slip of the pen."""


Found = TypeVar("Found")


class CellWrong(Exception):
    """A cell cannot be what its column wants. `code` says why; `values` belong in the sentence."""

    def __init__(self, code: str, **values: str | int) -> None:
        super().__init__(code)
        self.code, self.values = code, values


def plain(text: str) -> str:
    """A word as compared: small letters, without accents, with nothing but letters and digits."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in apart if char.isalnum())


_PROVINCES = {plain(name): name for name in PROVINCES}
_KIND_OF = {plain(word): kind for kind, words in _KINDS.items() for word in words}


def short(limit: int) -> Callable[[str], str]:
    """A reader of texts of at most so many characters."""

    def read(text: str) -> str:
        if len(text) > limit:
            raise CellWrong("too_long", limit=limit)
        if has_unseen(text):
            raise CellWrong("unseen")
        return text

    return read


def person_name(text: str) -> str:
    """A name that may stand in other people's mails."""
    if has_address(text):
        raise CellWrong("name_has_address")
    return short(120)(text)


def organisation_name(text: str) -> str:
    """An organisation's name; it stands in the subjects of mails."""
    if has_address(text.replace("/", " ")):
        raise CellWrong("name_has_address")
    return short(200)(text)


def kind(text: str) -> OrganisationKind:
    """What an organisation is."""
    return _one_of(_KIND_OF, text, "kind_unknown")


def province(text: str) -> str:
    """A Flemish province, or Brussels."""
    return _one_of(_PROVINCES, text, "province_unknown")


def language(text: str) -> str:
    """A language of our mails."""
    assert set(_LANGUAGES.values()) == set(LANGUAGES)
    return _one_of(_LANGUAGES, text, "language_unknown")


def yes_or_no(text: str) -> bool:
    """Ja or nee."""
    word = plain(text)
    if word not in _YES | _NO:
        raise CellWrong("yes_or_no")
    return word in _YES


def population(text: str) -> int:
    """A number of inhabitants, with or without a dot between the thousands."""
    if _WHOLE.fullmatch(text) is None:
        raise CellWrong("no_whole_number")
    digits = text.replace(".", "").replace(" ", "")
    if len(digits) > 9 or int(digits) > MOST_PEOPLE:
        raise CellWrong("too_many_people", limit=MOST_PEOPLE)
    return int(digits)


def price(text: str) -> int:
    """An amount in euro, as cents: "1.234,50", "1234,5", "€ 1.234", or a program's "1234.50"."""
    found = _AMOUNT.fullmatch(text.replace("€", "").replace("EUR", "").strip())
    if found is None:
        raise CellWrong("no_amount")
    whole, cents = found[1] or found[3], found[2] or found[4] or ""
    digits = whole.replace(".", "").replace(" ", "")
    if len(digits) > 12 or int(digits) * 100 > MOST_CENTS:
        raise CellWrong("price_too_high")
    return int(digits) * 100 + int(cents.ljust(2, "0") or 0)


def day(text: str) -> date:
    """A day as 2026-12-31 or 31/12/2026."""
    for form in _DAYS:
        found = form.fullmatch(text)
        if found is not None:
            try:
                read = date(int(found["y"]), int(found["m"]), int(found["d"]))
            except ValueError as error:
                raise CellWrong("no_day") from error
            if not _FIRST_YEAR <= read.year <= _LAST_YEAR:
                raise CellWrong("no_day")
            return read
    raise CellWrong("no_day")


def telephone(text: str) -> str:
    """A telephone number, kept as it was typed."""
    if _TELEPHONE.fullmatch(text) is None:
        raise CellWrong("no_telephone")
    return text


def address(text: str) -> str:
    """An e-mail address in its normal form."""
    try:
        return valid_address(text)
    except ValueError as error:
        raise CellWrong("no_address") from error


def several(text: str) -> list[str]:
    """The items of a cell that holds more than one, divided by commas, semicolons or upright strokes."""
    return [item.strip() for item in re.split(r"[,;|]", text) if item.strip()]


def services(text: str, known: Mapping[str, str]) -> tuple[str, ...]:
    """The slugs of services, each written by name or slug; `known` maps them as `plain` words."""
    return tuple(dict.fromkeys(_service(item, known) for item in several(text)))


def modes(text: str, known: Mapping[str, str]) -> dict[str | None, Mode]:
    """How a contact stands: "stemt" or "leest" for all services (`None`), "leest: Krantenarchief" for one."""
    found: dict[str | None, Mode] = {}
    for item in several(text):
        word, colon, name = item.partition(":")
        mode = _one_of(_MODES, word, "mode_unknown")
        slug = _service(name.strip(), known) if colon else None
        if found.setdefault(slug, mode) is not mode:
            raise CellWrong("mode_twice")
    return found


def _service(item: str, known: Mapping[str, str]) -> str:
    try:
        return known[plain(item)]
    except KeyError:
        raise CellWrong("service_unknown", service=item[:60], known=", ".join(sorted(set(known.values())))) from None


def _one_of(words: Mapping[str, Found], text: str, code: str) -> Found:
    try:
        return words[plain(text)]
    except KeyError:
        raise CellWrong(code) from None
