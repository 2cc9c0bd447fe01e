"""Tables out of plain values: CSV that Belgian Excel opens with a double click, and XLSX. Both in constant memory."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from coopmail.documents.apostrophe import with_apostrophe
from coopmail.documents.shape import Cell, written_moment, written_number
from coopmail.domain.calendar import BRUSSELS

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_CHUNK = 64 * 1024
"""Bytes, or characters, that are gathered before they are handed on."""
_EXCEL_TEXT = 32_767
"""UTF-16 units that Excel holds in a cell; more makes it call the file damaged."""
_EXACT = 10**15
"""Whole numbers from here on lose digits in Excel, and are written as text."""
_FIRST_DAY = date(1900, 3, 1)
"""Excel takes 1900 for a leap year: days before this one are written as text."""
_NARROWEST, _WIDEST = 8, 60
_NO_XML = re.compile("[\x00\ud800-\udfff\ufffe\uffff]")


def write_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """A CSV file piece by piece: UTF-8 with its mark, semicolons, CRLF, decimal comma, days as YYYY-MM-DD.

    Every cell is quoted, so that no text makes a reader guess another separator.
    Moments are in Brussels time. A text that would run as a formula gets an apostrophe (`with_apostrophe`), which
    `read_table` takes away again. Raises ValueError for a time without a zone and for a number that is none.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    buffer.write("\ufeff")
    writer.writerow([_csv_cell(name) for name in header])
    for row in rows:
        writer.writerow([_csv_cell(cell) for cell in row])
        if buffer.tell() > _CHUNK:
            yield _emptied(buffer)
    yield _emptied(buffer)


def _emptied(buffer: io.StringIO) -> bytes:
    piece = buffer.getvalue().encode("utf-8")
    buffer.seek(0)
    buffer.truncate()
    return piece


def _csv_cell(cell: Cell) -> str:
    """A cell as Belgian Excel types it."""
    return with_apostrophe(_NO_XML.sub("\ufffd", cell)) if isinstance(cell, str) else _plain(cell)


def _plain(cell: Cell) -> str:
    """A value other than text, written out."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, datetime):
        return written_moment(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    return written_number(_finite(cell))


def _finite(number: Any) -> Decimal:
    """A number exactly as it prints. Raises ValueError for one that is not finite."""
    exact = Decimal(str(number))
    if not exact.is_finite():
        raise ValueError(f"{number} is no number for a table.")
    return exact


def write_xlsx(header: Sequence[str], rows: Iterable[Sequence[Cell]], sheet_name: str) -> Iterator[bytes]:
    """An XLSX file piece by piece; all rows are taken before this returns, and nothing large is kept in memory.

    The header is bold, stays in sight and filters. Text is text: never a formula, never a link. Days and moments
    (Brussels time) are real ones. Raises ValueError for a time without a zone and for a number that is none.
    """
    from xlsxwriter import Workbook  # takes a while to load: not at the start

    file = tempfile.SpooledTemporaryFile(max_size=1024 * 1024)  # noqa: SIM115 (the pieces close it)
    try:
        with Workbook(file, {"constant_memory": True}) as book:
            sheet = book.add_worksheet(_sheet_name(sheet_name))
            formats: dict[type, Format] = {
                date: book.add_format({"num_format": "dd/mm/yyyy", "align": "left"}),
                datetime: book.add_format({"num_format": "dd/mm/yyyy hh:mm:ss", "align": "left"}),
            }
            _fill(sheet, header, rows, book.add_format({"bold": True, "text_wrap": False}), formats)
    except BaseException:
        file.close()
        raise
    return _pieces(file)


def _pieces(file: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(_CHUNK):
            yield piece


def _fill(
    sheet: Worksheet, header: Sequence[str], rows: Iterable[Sequence[Cell]], bold: Format, formats: dict[type, Format]
) -> None:
    """Header and rows; then what is only known once they are written: widths and the filter's reach."""
    widths: list[int] = []
    last = 0
    for column, name in enumerate(header):
        sheet.write_string(0, column, _xlsx_text(name), bold)
        widths.append(len(name) + 4)  # the filter's arrow stands beside the name
    for last, row in enumerate(rows, start=1):
        for column, cell in enumerate(row):
            width = _put(sheet, last, column, cell, formats)
            if column < len(widths) and width > widths[column]:
                widths[column] = width
    for column, width in enumerate(widths):
        sheet.set_column(column, column, min(max(width + 1, _NARROWEST), _WIDEST))
    sheet.freeze_panes(1, 0)
    if header:
        sheet.autofilter(0, 0, last, len(header) - 1)


def _put(sheet: Worksheet, row: int, column: int, cell: Cell, formats: dict[type, Format]) -> int:
    """One cell; how many characters wide it shows."""
    if cell is None or cell == "":
        return 0
    if isinstance(cell, str):
        sheet.write_string(row, column, _xlsx_text(cell))
        return max(map(len, cell.splitlines()), default=0) if len(cell) > _WIDEST else len(cell)
    text = _plain(cell)
    if isinstance(cell, bool):
        sheet.write_boolean(row, column, cell)
    elif isinstance(cell, date):
        _put_date(sheet, row, column, cell, formats)
    elif -_EXACT < cell < _EXACT:
        sheet.write_number(row, column, cell)
    else:
        sheet.write_string(row, column, text)
    return len(text)


def _put_date(sheet: Worksheet, row: int, column: int, cell: date, formats: dict[type, Format]) -> None:
    """A day, or a moment in Brussels, as a real date with its format."""
    kind: type = date
    day = cell
    if isinstance(cell, datetime):
        kind = datetime
        cell = cell.astimezone(BRUSSELS).replace(tzinfo=None, microsecond=0)
        day = cell.date()
    if day < _FIRST_DAY:
        sheet.write_string(row, column, str(cell))
    else:
        sheet.write_datetime(row, column, cell, formats[kind])


def _xlsx_text(text: str) -> str:
    """A text that an XLSX file can hold: its line breaks are single, and what is no character is replaced."""
    text = _NO_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(text) > _EXCEL_TEXT // 2 and len(text.encode("utf-16-le")) // 2 > _EXCEL_TEXT:
        cut = text.encode("utf-16-le")[: (_EXCEL_TEXT - 1) * 2]
        text = cut.decode("utf-16-le", "ignore") + "…"
    # XlsxWriter hands a text of this form on as mark-up.
    return f"'{text}" if text.startswith("<r>") and text.endswith("</r>") else text


def _sheet_name(name: str) -> str:
    """A name that Excel takes for a sheet: 31 characters, without those that it uses in references."""
    name = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", name)[:31].strip(" '")
    return "Table" if name.lower() in ("", "history") else name
