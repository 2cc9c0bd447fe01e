"""What a table is once it is read, why a file is none, and how numbers and times are written in cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from coopmail.domain.calendar import BRUSSELS
from coopmail.errors import CoopmailError

MAX_BYTES = 20_000_000
MAX_ROWS = 200_000
MAX_COLUMNS = 200
MAX_CELLS = 4_000_000
"""Rows times columns: what keeps a read table within a few hundred megabytes at the worst."""
MAX_CELL = 10_000
"""Characters in one cell."""

_SAVE_AS = "Open it in your spreadsheet program, save it as CSV or XLSX, and send that file."
REASONS = {
    "binary_excel": f"The file is in Excel's binary format. {_SAVE_AS}",
    "cell_too_long": "Line {line} has a cell of more than {limit} characters: shorten it, or look for a quotation "
    "mark that is never closed.",
    "damaged": f"The file is damaged. {_SAVE_AS}",
    "empty": "The file holds no table: put the names of the columns in the first row.",
    "encoding": 'The letters of this text file cannot be made out: save it as "CSV UTF-8".',
    "encrypted": "The file is protected with a password: save it without one.",
    "formula_without_value": "Line {line} has a formula that was never worked out: open the file in your spreadsheet "
    "program, save it, and send it again.",
    "not_a_table": f"The file is no table. {_SAVE_AS}",
    "nul": "Line {line} has a NUL character, which no text holds: save the table again as CSV or XLSX.",
    "old_excel": f"The file is in the format of Excel before 2007. {_SAVE_AS}",
    "open_document": f"The file is in the OpenDocument format. {_SAVE_AS}",
    "pdf": "The file is a PDF: send the table that it was made from, saved as CSV or XLSX.",
    "quote_never_closed": "On line {line} a quotation mark is opened and never closed: close it, or take it away.",
    "too_big": "The file is larger than {limit} bytes: divide the table over several files.",
    "too_big_unpacked": "The file unpacks to more than {limit} bytes: copy the table into a new file without "
    "pictures and formatting.",
    "too_many_cells": "The table has more than {limit} cells: leave out columns, or divide it over several files.",
    "too_many_columns": "Line {line} has more than {limit} columns: leave out those that are not needed.",
    "too_many_rows": "The table has more than {limit} rows: divide it over several files.",
    "web_page": f"The file is a web page or another text with mark-up, whatever its name says. {_SAVE_AS}",
}
"""Each reason for which a file is refused, and what to do, in English; a page words the same codes in its language."""


class TableUnreadable(CoopmailError):
    """A file holds no table that can be used. `reason` is a key of `REASONS`, `values` what its sentence names."""

    def __init__(self, reason: str, **values: int) -> None:
        super().__init__(REASONS[reason].format(**values))
        self.reason, self.values = reason, values


@dataclass(frozen=True, slots=True)
class Row:
    """One row under the header.

    `line` is where a person finds it: the line of a text file on which it begins, or the row's number in a sheet;
    both count from 1. `cells` has at least as many as the header. `surplus` of them lie beyond the header, under no
    name: that row is wrong, and the others may be used.
    """

    line: int
    cells: tuple[str, ...]
    surplus: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A header and the rows under it, as text. `sheet` is the sheet's name, and empty for a text file."""

    header: tuple[str, ...]
    rows: list[Row]
    sheet: str = ""


def assemble(lines: Iterable[tuple[int, list[str]]], sheet: str = "") -> Table:
    """A table out of numbered lines; the first that is not empty is the header.

    Empty rows are passed over, and empty cells at the end of a row are none.
    Raises `TableUnreadable` where there is no header, or where a limit is passed.
    """
    filled = _filled(lines)
    _, header = next(filled, (0, []))
    if not header:
        raise TableUnreadable("empty")
    width = cells = len(header)
    rows: list[Row] = []
    for line, row in filled:
        padded = row + [""] * (width - len(row))
        cells += len(padded)
        if len(rows) == MAX_ROWS:
            raise TableUnreadable("too_many_rows", limit=MAX_ROWS)
        if cells > MAX_CELLS:
            raise TableUnreadable("too_many_cells", limit=MAX_CELLS)
        rows.append(Row(line, tuple(padded), surplus=len(padded) - width))
    return Table(tuple(header), rows, sheet)


def _filled(lines: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold something, without their empty end, each within its limits."""
    for line, row in lines:
        while row and not row[-1].strip():
            row.pop()
        if not row:
            continue
        if len(row) > MAX_COLUMNS:
            raise TableUnreadable("too_many_columns", line=line, limit=MAX_COLUMNS)
        if max(map(len, row)) > MAX_CELL:
            raise TableUnreadable("cell_too_long", line=line, limit=MAX_CELL)
        yield line, row


def written_number(number: Decimal) -> str:
    """A number as it is typed in Belgium: a decimal comma, no needless zeros, no exponent, no thousands mark."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace(".", ",")


def written_moment(moment: datetime) -> str:
    """A moment in Brussels to the second; Excel takes this form for a date in every language.

    Raises ValueError for a time without a zone: nobody can tell when it was.
    """
    if moment.tzinfo is None:
        raise ValueError("A moment in a table wants a time zone.")
    return moment.astimezone(BRUSSELS).replace(tzinfo=None).isoformat(" ", "seconds")


Cell = str | int | float | Decimal | bool | date | datetime | None
"""What a cell to be written may hold. Cents are whole numbers, and the caller's to divide."""
