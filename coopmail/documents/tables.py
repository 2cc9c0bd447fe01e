"""Tables in and out of files: CSV and XLSX, whatever program they come from, and none of what they are about.

What a file may be and why it is refused is in `shape`, how it is read in `csv_reading` and `xlsx_reading`, how it is
written in `writing`. The rest of the house imports from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from coopmail.documents.csv_reading import read_csv
from coopmail.documents.shape import (
    MAX_BYTES,
    MAX_CELL,
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_ROWS,
    REASONS,
    Cell,
    Row,
    Table,
    TableUnreadable,
)
from coopmail.documents.writing import write_csv, write_xlsx
from coopmail.documents.xlsx_reading import read_xlsx

__all__ = [
    "MAX_BYTES", "MAX_CELL", "MAX_CELLS", "MAX_COLUMNS", "MAX_ROWS", "REASONS",
    "Cell", "Row", "Table", "TableUnreadable", "read_table", "write_csv", "write_xlsx",
]  # fmt: skip

_PICTURES_AND_ARCHIVES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"{\\rtf")
_OLD_CONTAINER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Excel before 2007; and Excel since, when a password is set."""
_MARK_UP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|table|head|body|meta|\?xml)\b", re.IGNORECASE)
_OF_SHEETS = (".xlsx", ".xlsm", ".xltx")


def read_table(raw: bytes, name: str) -> Table:
    """The table in a file that a person chose.

    What the file is, its bytes say; `name`, as the person's machine calls it, only helps where they say nothing.
    Every cell is text: numbers without thousands marks and with a decimal comma, days as YYYY-MM-DD, moments as
    YYYY-MM-DD HH:MM:SS, truths as TRUE and FALSE, errors as they show (#N/A), formulas by the value they had.
    Raises `TableUnreadable` with a reason that says what to do.
    """
    if len(raw) > MAX_BYTES:
        raise TableUnreadable("too_big", limit=MAX_BYTES)
    if not raw.strip(b" \t\r\n"):
        raise TableUnreadable("empty")
    return _reader(raw, name.lower())(raw)


def _reader(raw: bytes, name: str) -> Callable[[bytes], Table]:
    """Who reads these bytes. Raises `TableUnreadable` where nobody does."""
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return read_xlsx
    if raw.startswith(_OLD_CONTAINER):
        encrypted = "EncryptedPackage".encode("utf-16-le") in raw
        raise TableUnreadable("encrypted" if encrypted else "old_excel")
    if raw.startswith(b"%PDF"):
        raise TableUnreadable("pdf")
    if raw.startswith(_PICTURES_AND_ARCHIVES):
        raise TableUnreadable("not_a_table")
    if _MARK_UP.match(raw):
        raise TableUnreadable("web_page")
    if name.endswith(_OF_SHEETS):
        raise TableUnreadable("damaged")
    return read_csv
