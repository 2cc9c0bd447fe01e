"""XLSX files as tables, in one pass and with bounded memory.

Read here and not by a library, because an upload must not be able to end or fill the process: a file of 5 kB aborts
calamine, and one of 180 kB makes openpyxl take 2.7 GB. What is read of the format is little: the first visible sheet
with something in it, its texts, numbers and number formats (ECMA-376 part 1, chapter 18).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coopmail.documents import xlsx_values
from coopmail.documents.shape import MAX_CELL, MAX_CELLS, MAX_COLUMNS, Table, TableUnreadable, assemble
from coopmail.documents.xlsx_package import Attributes, Package

_LAST_ROW = 1_048_576
_TRUTHS = {"0": "FALSE", "1": "TRUE", "false": "FALSE", "true": "TRUE"}
_OTHERS = {"xl/workbook.bin": "binary_excel", "content.xml": "open_document"}
"""Parts by which other formats in a zip are known."""
_HEARD = 8 * MAX_CELL
"""Characters of a text that are kept: enough to see that it is too long, however it is escaped."""


def read_xlsx(raw: bytes) -> Table:
    """The first visible sheet that holds something, hidden rows and columns with it. Raises `TableUnreadable`."""
    package = Package(raw)
    workbook = _workbook_part(package)
    parts = package.related(workbook)
    since_1904 = False
    sheets = []
    for name, given in package.elements(workbook):
        if name == "workbookPr":
            since_1904 = given.get("date1904") in ("1", "true")
        elif name == "sheet" and given.get("state", "visible") == "visible":
            kind, part = parts.get(given.get("id", ""), ("", ""))
            if kind == "worksheet":
                sheets.append((given.get("name", ""), part))
    by_kind = dict(parts.values())
    book = _Book(_texts(package, by_kind.get("sharedStrings")), _styles(package, by_kind.get("styles"), since_1904))
    return _first_filled(package, book, sheets)


def _workbook_part(package: Package) -> str:
    """Where the workbook is. Raises `TableUnreadable` for a zip of something else."""
    for part, reason in _OTHERS.items():
        if package.has(part):
            raise TableUnreadable(reason)
    main = [part for kind, part in package.related("").values() if kind == "officeDocument" and package.has(part)]
    if not main or main[0].lower().startswith(("word/", "ppt/", "visio/")):
        raise TableUnreadable("not_a_table")
    return main[0]


def _first_filled(package: Package, book: _Book, sheets: list[tuple[str, str]]) -> Table:
    for sheet, part in sheets:
        try:
            return assemble(_Sheet(book).rows(package, part), sheet)
        except TableUnreadable as error:
            if error.reason != "empty":
                raise
    raise TableUnreadable("empty")


@dataclass
class _Book:
    """What all sheets of a workbook share: texts, and how each style shows numbers."""

    texts: list[str]
    styles: list[xlsx_values.Shown]


def _texts(package: Package, part: str | None) -> list[str]:
    """The shared texts in order. What is spoken (rPh) beside Japanese is no part of them."""
    if part is None:
        return []
    found: list[str] = []
    heard = _Text()

    def end(name: str) -> None:
        heard.end(name)
        if name == "si":
            found.append(heard.take())

    for _ in package.parse(part, heard.start, end, heard.hear):
        if len(found) > MAX_CELLS:
            raise TableUnreadable("too_many_cells", limit=MAX_CELLS)
    return found


class _Text:
    """Gathers the characters in elements t, outside of rPh; of a text beyond all measure only the beginning."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.size = 0
        self.open = self.spoken = False

    def start(self, name: str, _: Attributes) -> None:
        self.spoken = self.spoken or name == "rPh"
        self.open = name == "t" and not self.spoken

    def end(self, name: str) -> None:
        self.spoken = self.spoken and name != "rPh"
        self.open = False

    def hear(self, text: str) -> None:
        if self.open and self.size < _HEARD:
            self.parts.append(text)
            self.size += len(text)

    def take(self) -> str:
        text = "".join(self.parts)
        self.drop()
        return xlsx_values.unescaped(text)

    def drop(self) -> None:
        self.parts.clear()
        self.size = 0


def _styles(package: Package, part: str | None, since_1904: bool) -> list[xlsx_values.Shown]:
    """How each style of a cell shows numbers."""
    if part is None or not package.has(part):
        return []
    codes: dict[int, str] = {}
    styles: list[xlsx_values.Shown] = []
    inside = False
    for name, given in package.elements(part):
        if name == "numFmt" and "numFmtId" in given:
            codes[_whole(given["numFmtId"])] = given.get("formatCode", "")
        elif name in ("cellStyleXfs", "cellXfs", "cellStyles", "dxfs"):
            inside = name == "cellXfs"
        elif name == "xf" and inside:
            number = _whole(given.get("numFmtId", "0"))
            styles.append(xlsx_values.shown_by(number, codes.get(number), since_1904))
    return styles


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise TableUnreadable("damaged")
    return int(text)


class _Sheet:
    """Hears the elements of one sheet and keeps the rows that are complete until they are handed on."""

    def __init__(self, book: _Book) -> None:
        self.book = book
        self.complete: list[tuple[int, list[str]]] = []
        self.row: list[str] = []
        self.line = 0
        self.column = 0
        self.columns: dict[str, int] = {}
        self.type = self.style = ""
        self.value, self.inline = _Text(), _Text()
        self.has_value = self.has_formula = False

    def rows(self, package: Package, part: str) -> Iterator[tuple[int, list[str]]]:
        """The rows that hold something, each with its number."""
        for _ in package.parse(part, self.start, self.end, self.hear):
            yield from self.complete
            self.complete.clear()

    def start(self, name: str, given: Attributes) -> None:
        if name == "c":
            self.column = self._column(given["r"]) if "r" in given else self.column + 1
            self.type, self.style = given.get("t", "n"), given.get("s", "0")
            self.has_value = self.has_formula = False
            self.value.drop()
            self.inline.drop()
        elif name == "v":
            self.value.open = self.has_value = True
        elif name == "row":
            self.line = _whole(given["r"]) if "r" in given else self.line + 1
            if not 0 < self.line <= _LAST_ROW:
                raise TableUnreadable("damaged")
            self.column = 0
        elif name == "f":
            self.has_formula = True
        else:
            self.inline.start(name, given)

    def hear(self, text: str) -> None:
        self.value.hear(text)
        self.inline.hear(text)

    def end(self, name: str) -> None:
        if name == "v":
            self.value.open = False
        elif name == "c":
            self._end_cell()
        elif name == "row":
            if self.row:
                self.complete.append((self.line, self.row))
                self.row = []
        else:
            self.inline.end(name)

    def _column(self, reference: str) -> int:
        """The number of a cell's column, from 1."""
        letters = reference.rstrip("0123456789")
        if letters not in self.columns:
            if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
                raise TableUnreadable("damaged")
            number = 0
            for letter in letters.upper():
                number = number * 26 + ord(letter) - 64
            self.columns[letters] = number
        return self.columns[letters]

    def _end_cell(self) -> None:
        text = self._shown()
        if not text or (self.column > MAX_COLUMNS and not text.strip()):
            return
        if self.column > MAX_COLUMNS:
            raise TableUnreadable("too_many_columns", line=self.line, limit=MAX_COLUMNS)
        self.row.extend([""] * (self.column - len(self.row)))
        self.row[self.column - 1] = text

    def _shown(self) -> str:
        """What the cell that just ended shows."""
        if self.type == "inlineStr":
            return self.inline.take()
        if not self.has_value:
            if self.has_formula:
                raise TableUnreadable("formula_without_value", line=self.line)
            return ""
        stored = self.value.take()
        if self.type == "s":
            return self._shared(stored)
        if self.type == "n":
            return self._number(stored.strip())
        if self.type == "b":
            return _TRUTHS.get(stored.strip(), stored)
        return xlsx_values.iso_moment(stored) if self.type == "d" else stored

    def _shared(self, stored: str) -> str:
        place = _whole(stored.strip())
        if place >= len(self.book.texts):
            raise TableUnreadable("damaged")
        return self.book.texts[place]

    def _number(self, stored: str) -> str:
        if not stored:
            return ""
        style = _whole(self.style)
        shown = self.book.styles[style] if style < len(self.book.styles) else xlsx_values.number
        return shown(stored)
