"""Text files as tables: whose letters, which separator, and on which line each row begins."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import chain, islice

from coopmail.documents.apostrophe import without_apostrophe
from coopmail.documents.shape import MAX_CELL, Table, TableUnreadable, assemble

SEPARATORS = "\t;,"
"""Where several fit equally well, the first wins: a comma belongs in names, a semicolon seldom, a tab never."""
_BREAK = re.compile(r"\r\n|\r|\n")
_SAMPLE = 25
"""Rows by which a separator is judged."""
_END = "\0"
"""Stands after the last line. No text holds it, so it is a row of its own unless a quotation mark is still open."""
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_csv(raw: bytes) -> Table:
    """A table out of a text file. Raises `TableUnreadable`."""
    text = decode(raw)
    if _END in text:
        raise TableUnreadable("nul", line=len(_BREAK.findall(text, 0, text.index(_END))) + 1)
    announced = re.match(r'"?sep=([^"\r\n])"?(\r\n|\r|\n|\Z)', text, re.IGNORECASE)
    if announced:  # Excel's own first line, which it never shows
        return assemble(_rows(text[announced.end() :], announced[1], lines_above=1))
    return assemble(_rows(text, _separator(text)))


def decode(raw: bytes) -> str:
    """Text by its byte order mark, else UTF-16 where every other byte is zero, else UTF-8, else Windows-1252.

    Raises `TableUnreadable` with reason `encoding` where none of them fits.
    """
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if raw.startswith(mark)), None)
    names = [marked] if marked else [_unmarked_utf16(raw) or "utf-8", "cp1252"]
    for name in names:
        try:
            return raw.decode(name)
        except UnicodeDecodeError:
            continue
    raise TableUnreadable("encoding")


def _unmarked_utf16(raw: bytes) -> str | None:
    """Western letters in UTF-16 have a zero for their other byte; in no other encoding is a third of the bytes zero."""
    sample = raw[:4096]
    first, second = sample[::2].count(0), sample[1::2].count(0)
    if second * 3 > len(sample) and first * 20 < len(sample):
        return "utf-16-le"
    if first * 3 > len(sample) and second * 20 < len(sample):
        return "utf-16-be"
    return None


def _separator(text: str) -> str:
    """The separator by which the header has several cells and the most of the rows below it have as many."""
    return max(SEPARATORS, key=lambda separator: _agreement(text, separator))


def _agreement(text: str, separator: str) -> tuple[bool, float]:
    """Whether the separator divides the header, and which share of the first rows it divides alike."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        sizes = [(len(row), _filled_size(row)) for row in islice(filter(any, reader), _SAMPLE)]
    except csv.Error:
        return (False, 0.0)
    if not sizes:  # this separator is all that the file holds
        return (True, 1.0)
    header, *below = sizes
    alike = sum(size[0] == header[0] or size[1] == header[1] for size in below)
    return (header[1] > 1, alike / len(below) if below else 0.0)


def _filled_size(row: list[str]) -> int:
    """How many cells a row has up to the last that is not empty."""
    return max((place for place, cell in enumerate(row, start=1) if cell.strip()), default=0)


def _rows(text: str, separator: str, lines_above: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Every row with the line on which it begins."""
    lines = chain(io.StringIO(text, newline=""), [_END])
    reader = csv.reader(lines, delimiter=separator)
    begins = 1
    try:
        for row in reader:
            if row != [_END]:
                if row and row[-1].endswith(_END):
                    raise TableUnreadable("quote_never_closed", line=lines_above + begins)
                yield lines_above + begins, [without_apostrophe(cell) for cell in row]
            begins = reader.line_num + 1
    except csv.Error as error:  # a cell beyond the reader's own limit, which is larger than ours
        raise TableUnreadable("cell_too_long", line=lines_above + begins, limit=MAX_CELL) from error
