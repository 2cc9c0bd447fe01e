"""What a cell of an XLSX file shows, as text: numbers, days, times, truths, and Excel's escapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial

from coopmail.documents.shape import written_number

Shown = Callable[[str], str]
"""From a number as stored to its text."""

_WHOLE = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_UNSEEN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
"""Parts of a number format that are literal text, space, colour, condition or language."""
_DIGITS = 15
"""Excel keeps and shows so many; what is stored beyond them is the machine's rounding."""
_DATES = frozenset({14, 15, 16, 17, 22, *range(27, 32), 34, 35, 36, *range(50, 59)})
_TIMES = frozenset({18, 19, 20, 21, 32, 33, 45, 46, 47})
"""Numbers of built-in formats (ECMA-376 part 1, 18.8.30), with those of the East Asian languages."""
_LAST_SERIAL = 2_958_465
"""31 December 9999, by which many mean that there is no end."""
_SECONDS = 86_400


def number(stored: str) -> str:
    """A number as it was typed, not as a machine keeps it: 14000, 0,3."""
    if _WHOLE.fullmatch(stored):
        return str(int(stored))
    try:
        exact = Decimal(stored)
    except InvalidOperation:
        return stored
    if not exact.is_finite() or abs(exact.adjusted()) > 30:
        return stored
    return written_number(Decimal(f"{exact:.{_DIGITS}g}"))


def moment(stored: str, since_1904: bool) -> str:
    """A day, with its time where it has one; a time alone where there is no day. Else the number itself.

    Excel counts days from 1900, or from 1904 in workbooks that say so.
    """
    try:
        serial = float(stored)
    except ValueError:
        return stored
    if not 0 <= serial <= _LAST_SERIAL - 1462 * since_1904:
        return number(stored)
    seconds = round(serial * _SECONDS)
    if seconds < _SECONDS and not since_1904:
        return time_of_day(stored, since_1904) if seconds else number(stored)
    at = _epoch(serial, since_1904) + timedelta(seconds=seconds)
    return at.isoformat(" ", "seconds").removesuffix(" 00:00:00")


def _epoch(serial: float, since_1904: bool) -> datetime:
    """Day 0. Excel takes 1900 for a leap year, so that days before March of that year are counted from one later."""
    if since_1904:
        return datetime(1904, 1, 1)  # noqa: DTZ001 (sheets know no zones)
    return datetime(1899, 12, 30 if serial >= 60 else 31)  # noqa: DTZ001 (sheets know no zones)


def time_of_day(stored: str, since_1904: bool) -> str:
    """A time, or a length of time in hours, minutes and seconds; with the day where there plainly is one."""
    try:
        serial = float(stored)
    except ValueError:
        return stored
    if not 0 <= serial < 1000:
        return moment(stored, since_1904)
    minutes, seconds = divmod(round(serial * _SECONDS), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def padded(width: int) -> Shown:
    """Numbers that show zeros in front, as enterprise numbers do."""

    def shown(stored: str) -> str:
        plain = number(stored)
        return plain.zfill(width) if plain.isdigit() else plain

    return shown


def shown_by(format_number: int, code: str | None, since_1904: bool = False) -> Shown:
    """How a number format shows numbers: as a day, as a time, with zeros in front, or plainly.

    `code` is the format as the workbook spells it, and None for one that is built in.
    """
    day, time = partial(moment, since_1904=since_1904), partial(time_of_day, since_1904=since_1904)
    if code is None:
        return day if format_number in _DATES else time if format_number in _TIMES else number
    if re.fullmatch("0{2,30}", code):
        return padded(len(code))
    letters = set(_UNSEEN.sub("", code).partition(";")[0].lower())
    if letters & set("yd"):
        return day
    if letters & set("hs"):
        return time
    return day if "m" in letters else number


def unescaped(text: str) -> str:
    """A text with Excel's _xHHHH_ resolved, save where that is no character."""
    return _ESCAPE.sub(_character, text) if "_x" in text else text


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if code == 0 or 0xD800 <= code < 0xE000 or code >= 0xFFFE else chr(code)


def iso_moment(stored: str) -> str:
    """A cell of type d: ISO 8601, its day alone where the time is midnight."""
    return re.sub(r"[T ]00:00(:00(\.0+)?)?Z?$", "", stored).replace("T", " ")
