"""Tables in and out of files: what staff send from whatever program they have, and what they open from us."""

from __future__ import annotations

import csv
import io
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import example, given
from hypothesis import strategies as st

from coopmail.documents import xlsx_package
from coopmail.documents.apostrophe import with_apostrophe, without_apostrophe
from coopmail.documents.tables import (
    MAX_BYTES,
    MAX_CELL,
    MAX_ROWS,
    REASONS,
    Cell,
    Row,
    Table,
    TableUnreadable,
    read_table,
    write_csv,
    write_xlsx,
)

PLAIN = "Naam;Gemeente\r\nBib De Lei;Gent\r\nBib Sint-Niklaas;Coöperatie België\r\n"
READ = Table(("Naam", "Gemeente"), [Row(2, ("Bib De Lei", "Gent")), Row(3, ("Bib Sint-Niklaas", "Coöperatie België"))])


def read_text(text: str) -> Table:
    return read_table(text.encode(), "tabel.csv")


def reason(raw: bytes, name: str = "tabel.csv") -> tuple[str, dict[str, int]]:
    """Why a file is refused, and what its sentence names."""
    with pytest.raises(TableUnreadable) as caught:
        read_table(raw, name)
    assert str(caught.value) == REASONS[caught.value.reason].format(**caught.value.values)
    return caught.value.reason, caught.value.values


def workbook(fill: Callable[[Any], object], **options: Any) -> bytes:
    """A workbook as XlsxWriter makes it, filled by a test."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, options) as book:
        fill(book)
    return file.getvalue()


def wall_clock(*parts: int) -> datetime:
    """A time as sheets hold it: without a zone."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


def one_sheet(*rows: list[Any]) -> bytes:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("Blad1")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)

    return workbook(fill)


def changed(raw: bytes, part: str, change: Callable[[bytes], bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with one of its members changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as before, zipfile.ZipFile(file, "w", compression) as after:
        for member in before.namelist():
            content = before.read(member)
            after.writestr(member, change(content) if member == part else content)
    return file.getvalue()


def with_sheet(sheet_data: str) -> bytes:
    """A workbook whose one sheet holds these elements, byte for byte."""
    head = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    return changed(
        one_sheet(["x"]), "xl/worksheets/sheet1.xml", lambda _: f"{head}{sheet_data}</sheetData></worksheet>".encode()
    )


# Text files


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("cp1252"),
        b"\xff\xfe" + PLAIN.encode("utf-16-le"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with mark", "windows-1252", "utf-16-le", "utf-16-be", "utf-16-le bare", "utf-16-be bare"],
)
def test_letters_with_accents_arrive_from_every_encoding(raw: bytes) -> None:
    assert read_table(raw, "tabel.csv") == READ


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_every_separator_and_every_line_ending_is_understood(separator: str, ending: str) -> None:
    assert read_text(PLAIN.replace(";", separator).replace("\r\n", ending)) == READ


@pytest.mark.parametrize(
    ("text", "header", "cells"),
    [
        ("Naam, straat, nummer;Plaats\nDe Lei;Gent\n", ("Naam, straat, nummer", "Plaats"), ("De Lei", "Gent")),
        ("Naam,Opmerking (a;b)\nDe Lei,goed\n", ("Naam", "Opmerking (a;b)"), ("De Lei", "goed")),
        ('"Naam;voluit",Plaats\nDe Lei,Gent\n', ("Naam;voluit", "Plaats"), ("De Lei", "Gent")),
        ("Naam\tPlaats, gemeente\nDe Lei\tGent; oost\n", ("Naam", "Plaats, gemeente"), ("De Lei", "Gent; oost")),
        ("Naam\nDe Lei, Gent\n", ("Naam",), ("De Lei, Gent",)),
        ("Naam;Tekst\nDe Lei;a, b, c\nGent;d, e\n", ("Naam", "Tekst"), ("De Lei", "a, b, c")),
    ],
)
def test_a_separator_within_a_name_or_a_free_text_misleads_nobody(
    text: str, header: tuple[str, ...], cells: tuple[str, ...]
) -> None:
    table = read_text(text)
    assert (table.header, table.rows[0].cells) == (header, cells)


@pytest.mark.parametrize("first", ["sep=|\r\n", '"sep=|"\n', "SEP=|\r"])
def test_excel_s_own_first_line_names_the_separator_and_still_counts_as_a_line(first: str) -> None:
    assert read_text(first + "a,x|b;y\n1|2\n") == Table(("a,x", "b;y"), [Row(3, ("1", "2"))])


def test_a_row_is_found_on_the_line_on_which_it_begins() -> None:
    text = '\r\nNaam;Adres\r\n"De ""Lei""";"Kerkstraat 1\r\n9000 Gent"\r\n;;\r\n\r\nBib;"a\nb\rc"\r\nLaatste;x'
    assert read_text(text) == Table(
        ("Naam", "Adres"),
        [Row(3, ('De "Lei"', "Kerkstraat 1\r\n9000 Gent")), Row(7, ("Bib", "a\nb\rc")), Row(10, ("Laatste", "x"))],
    )


def test_empty_columns_at_the_end_are_none_and_short_rows_are_filled_up() -> None:
    assert read_text("a;b;;\n1;2;;\n3;;;\n4\n;5\n").rows == [
        Row(2, ("1", "2")), Row(3, ("3", "")), Row(4, ("4", "")), Row(5, ("", "5")),
    ]  # fmt: skip


def test_a_row_with_more_cells_than_the_header_is_wrong_and_the_others_are_not() -> None:
    assert read_text("a;b\n1;2;3;4\n5;6\n").rows == [Row(2, ("1", "2", "3", "4"), surplus=2), Row(3, ("5", "6"))]


def test_a_header_alone_is_a_table_without_rows() -> None:
    assert read_text("Naam;Plaats\n") == Table(("Naam", "Plaats"), [])


def test_a_quotation_mark_within_a_text_stays_what_it_is() -> None:
    assert read_text('a;b\nBib "De Lei";x\n').rows == [Row(2, ('Bib "De Lei"', "x"))]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ("empty", {})),
        (b"\r\n \r\n", ("empty", {})),
        (b";;\r\n;;\r\n", ("empty", {})),
        (b"a;b\r\n1;\x00\r\n", ("nul", {"line": 2})),
        (b"a;b\r\n\x81;\xff\r\n", ("encoding", {})),
        (b"\xef\xbb\xbfa;\xff\r\n", ("encoding", {})),
        (b'a;b\r\n1;2\r\n"3;4\r\n5;6\r\n', ("quote_never_closed", {"line": 3})),
        (b'sep=;\na;b\n1;"2', ("quote_never_closed", {"line": 3})),
        (b"a;b\n1;" + b"x" * (MAX_CELL + 1), ("cell_too_long", {"line": 2, "limit": MAX_CELL})),
        (b"a;b\n1;" + b"x" * 200_000, ("cell_too_long", {"line": 2, "limit": MAX_CELL})),
        (b"a;b\n" + b"x;" * 200 + b"x", ("too_many_columns", {"line": 2, "limit": 200})),
        (b"a\n" + b"1\n" * (MAX_ROWS + 1), ("too_many_rows", {"limit": MAX_ROWS})),
        (b"x" * (MAX_BYTES + 1), ("too_big", {"limit": MAX_BYTES})),
        (";".join("a" * 100).encode() + b"\n1" * 40_001, ("too_many_cells", {"limit": 4_000_000})),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_text_file_that_cannot_be_used_is_refused_with_its_reason(
    raw: bytes, expected: tuple[str, dict[str, int]]
) -> None:
    assert reason(raw) == expected


# Files that are something else

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def zipped(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("raw", "name", "expected"),
    [
        (_OLE, "oud.xls", "old_excel"),
        (_OLE + "EncryptedPackage".encode("utf-16-le"), "slot.xlsx", "encrypted"),
        (b"%PDF-1.7\n", "lijst.pdf", "pdf"),
        (b"\x89PNG\r\n", "lijst.csv", "not_a_table"),
        (b"<html><table>", "lijst.xls", "web_page"),
        (b"just text", "lijst.xlsx", "damaged"),
        (zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet", content__xml="<a/>"), "l.ods",
         "open_document"),
        (zipped(readme__txt="hello"), "lijst.zip", "not_a_table"),
        (one_sheet(["a"])[:-200], "half.xlsx", "damaged"),
        (changed(one_sheet(["a"]), "xl/worksheets/sheet1.xml", lambda content: content[:-20]), "a.xlsx", "damaged"),
        (changed(one_sheet(["a"]), "xl/worksheets/sheet1.xml", lambda _: b"", zipfile.ZIP_BZIP2), "a.xlsx", "damaged"),
        (changed(one_sheet(["a"]), "xl/workbook.xml",
                 lambda content: content.replace(b"<workbook", b'<!DOCTYPE x [<!ENTITY e "e">]><workbook', 1)),
         "a.xlsx", "damaged"),
        (changed(one_sheet(["a"]), "xl/workbook.xml", lambda content: content.replace(b"UTF-8", b"UTF-9", 1)),
         "a.xlsx", "damaged"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_named_and_says_what_to_do(raw: bytes, name: str, expected: str) -> None:
    assert reason(raw, name) == (expected, {})


def test_a_text_file_that_calls_itself_old_excel_or_begins_like_a_zip_is_read_all_the_same() -> None:
    assert read_table(b"PK;Naam\n1;Gent\n", "lijst.xls") == Table(("PK", "Naam"), [Row(2, ("1", "Gent"))])


# Sheets


def test_cells_of_a_sheet_read_as_they_were_typed() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("Blad1")
        sheet.write_row(0, 0, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"])
        sheet.write_row(1, 0, [14000, 0.1 + 0.2, -1.5, "0203", True])
        sheet.write_datetime(1, 5, wall_clock(2026, 11, 23), book.add_format({"num_format": "dd/mm/yyyy"}))
        sheet.write_datetime(1, 6, wall_clock(2026, 11, 23, 9, 5), book.add_format({"num_format": "d mmm yy h:mm"}))
        sheet.write_number(1, 7, 203430576, book.add_format({"num_format": "0000000000"}))
        sheet.write_formula(1, 8, "=1/0", None, "#DIV/0!")
        sheet.write_formula(1, 9, '="Gent"', None, "Gent")
        sheet.write_number(1, 10, 0.5, book.add_format({"num_format": "hh:mm"}))

    assert read_table(workbook(fill), "a.xlsx").rows == [
        Row(2, ("14000", "0,3", "-1,5", "0203", "TRUE", "2026-11-23", "2026-11-23 09:05:00", "0203430576", "#DIV/0!",
                "Gent", "12:00:00")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "code", "shown"),
    [
        (59, "d/m/yyyy", "1900-02-28"),
        (61, "d/m/yyyy", "1900-03-01"),
        (2958465, "yyyy", "9999-12-31"),
        (2958466, "yyyy", "2958466"),
        (46349, "[$-813]dddd d mmmm yyyy", "2026-11-23"),
        (46349.999999, "d/m/yyyy", "2026-11-24"),
        (1.25, "[h]:mm", "30:00:00"),
        (46349, '0" dagen"', "46349"),
        (46349, "[Red]#,##0", "46349"),
        (0.25, "0.00E+00", "0,25"),
        (1e21, "General", "1000000000000000000000"),
    ],
)
def test_a_number_is_a_day_or_a_time_when_its_format_shows_one(number: float, code: str, shown: str) -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "a")
        sheet.write_number(1, 0, number, book.add_format({"num_format": code}))

    assert read_table(workbook(fill), "a.xlsx").rows == [Row(2, (shown,))]


def test_days_of_a_workbook_that_counts_from_1904_are_right() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "a")
        sheet.write_datetime(1, 0, wall_clock(2026, 11, 23), book.add_format({"num_format": 14}))

    assert read_table(workbook(fill, date_1904=True), "a.xlsx").rows == [Row(2, ("2026-11-23",))]


def test_the_first_visible_sheet_that_holds_something_is_read() -> None:
    def fill(book: Any) -> None:
        hidden, empty, wanted, later = map(book.add_worksheet, ("Verborgen", "Leeg", "Bibliotheken", "Later"))
        hidden.hide()
        hidden.write(0, 0, "not this")
        later.write(0, 0, "nor this")
        empty.activate()
        wanted.write(3, 1, "Naam")
        wanted.write(6, 1, "Gent")

    assert read_table(workbook(fill), "a.xlsx") == Table(("", "Naam"), [Row(7, ("", "Gent"))], "Bibliotheken")


def test_what_openpyxl_writes_is_read_as_well() -> None:
    book = openpyxl.Workbook()
    book.active.append(["Naam", "Sinds", "Aantal"])
    book.active.append(["Bib & Co <Gent>\nbis", date(2026, 11, 23), Decimal("2.50")])
    file = io.BytesIO()
    book.save(file)
    assert read_table(file.getvalue(), "a.xlsx") == Table(
        ("Naam", "Sinds", "Aantal"), [Row(2, ("Bib & Co <Gent>\nbis", "2026-11-23", "2,5"))], "Sheet"
    )


def test_texts_in_pieces_without_places_and_with_escapes_are_whole() -> None:
    raw = with_sheet(
        '<row><c t="inlineStr"><is><r><t>Na</t></r><r><t>am</t></r><rPh><t>no</t></rPh></is></c>'
        '<c t="inlineStr"><is><t>b</t></is></c></row>'
        '<row r="4"><c t="str"><v>a_x000A_b_x005F_x0041_</v></c><c t="d"><v>2026-11-23T00:00:00</v></c></row>'
    )
    assert read_table(raw, "a.xlsx") == Table(("Naam", "b"), [Row(4, ("a\nb_x0041_", "2026-11-23"))], "Blad1")


@pytest.mark.parametrize(
    ("sheet_data", "expected"),
    [
        ("", ("empty", {})),
        ('<row r="1"><c r="A1"/></row>', ("empty", {})),
        ('<row r="3"><c r="A3"><f>1+1</f></c></row>', ("formula_without_value", {"line": 3})),
        ('<row r="1"><c r="XFD1"><v>1</v></c></row>', ("too_many_columns", {"line": 1, "limit": 200})),
        ('<row r="1"><c r="A1" t="s"><v>7</v></c></row>', ("damaged", {})),
        ('<row r="9999999"><c><v>1</v></c></row>', ("damaged", {})),
        ('<row r="1"><c r="A1" t="str"><v>' + "x" * 500_000 + "</v></c></row>",
         ("cell_too_long", {"line": 1, "limit": MAX_CELL})),
        ("<row/>" * 1_048_577, ("damaged", {})),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_sheet_that_cannot_be_used_is_refused_with_its_reason(
    sheet_data: str, expected: tuple[str, dict[str, int]]
) -> None:
    assert reason(with_sheet(sheet_data), "a.xlsx") == expected


def test_a_part_of_endless_elements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_package, "MAX_ELEMENTS", 10_000)
    assert reason(with_sheet("<row>" + "<c/>" * 20_000 + "</row>"), "a.xlsx") == ("too_many_cells", {"limit": 10_000})


# Size


def test_fifty_thousand_rows_of_text_are_read_right() -> None:
    raw = b"".join(write_csv(["Nummer", "Naam"], ([row, f"Bib {row}"] for row in range(50_000))))
    table = read_table(raw, "groot.csv")
    assert (len(table.rows), table.rows[-1]) == (50_000, Row(50_001, ("49999", "Bib 49999")))


def test_fifty_thousand_rows_of_a_sheet_are_read_right() -> None:
    raw = b"".join(write_xlsx(["Nummer", "Naam"], ([row, f"Bib {row}"] for row in range(50_000)), "Groot"))
    table = read_table(raw, "groot.xlsx")
    assert (len(table.rows), table.rows[-1], table.sheet) == (50_000, Row(50_001, ("49999", "Bib 49999")), "Groot")


def peak(work: Callable[[], object]) -> int:
    """Bytes that a piece of work takes at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = changed(one_sheet(["a"]), "xl/worksheets/sheet1.xml", lambda content: content + bytes(201_000_000))
    found: list[tuple[str, dict[str, int]]] = []
    assert peak(lambda: found.append(reason(bomb, "bom.xlsx"))) < 5_000_000
    assert found == [("too_big_unpacked", {"limit": 200_000_000})]


def test_a_file_that_unpacks_to_more_than_it_declares_gives_no_byte_more() -> None:
    raw = changed(one_sheet(["a"]), "xl/worksheets/sheet1.xml", lambda content: content + b" " * 50_000_000)
    declared = (50_000_000 + _sheet_size()).to_bytes(4, "little")
    assert raw.count(declared) == 2  # before the member, and in the directory
    lied = raw.replace(declared, (900).to_bytes(4, "little"))
    found: list[tuple[str, dict[str, int]]] = []
    assert peak(lambda: found.append(reason(lied, "bom.xlsx"))) < 5_000_000
    assert found == [("damaged", {})]


def _sheet_size() -> int:
    with zipfile.ZipFile(io.BytesIO(one_sheet(["a"]))) as archive:
        return archive.getinfo("xl/worksheets/sheet1.xml").file_size


def test_one_endless_row_and_one_endless_text_take_little_memory() -> None:
    row = with_sheet('<row r="1">' + "<c><v>1</v></c>" * 1_000_000 + "</row>")
    text = with_sheet('<row r="1"><c t="str"><v>' + "x" * 20_000_000 + "</v></c></row>")
    assert peak(lambda: reason(row, "rij.xlsx")) < 5_000_000
    assert peak(lambda: reason(text, "tekst.xlsx")) < 5_000_000


def test_a_far_away_cell_and_a_false_count_of_texts_take_little_memory() -> None:
    far = with_sheet('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="GR1048576"><v>2</v></c></row>')
    liar = changed(
        one_sheet(["a"]), "xl/sharedStrings.xml",
        lambda content: content.replace(b'uniqueCount="1"', b'uniqueCount="4000000000000"'),
    )  # fmt: skip
    rows: list[Table] = []
    assert peak(lambda: rows.extend([read_table(far, "ver.xlsx"), read_table(liar, "telt.xlsx")])) < 5_000_000
    assert [len(table.rows) for table in rows] == [1, 0]
    assert (rows[0].rows[0].line, rows[0].rows[0].surplus, rows[1].header) == (1_048_576, 199, ("a",))


def test_a_large_export_is_written_in_little_memory() -> None:
    def rows() -> Any:
        return ([number, "Bibliotheek " * 5, date(2026, 1, 1)] for number in range(20_000))

    assert peak(lambda: sum(map(len, write_csv(["a", "b", "c"], rows())))) < 3_000_000
    assert peak(lambda: sum(map(len, write_xlsx(["a", "b", "c"], rows(), "Export")))) < 6_000_000


# Writing

ROW: list[Cell] = [
    "Bib; De \"Lei\"", 14000, -2.5, Decimal("1234.50"), True, None, date(2026, 11, 23),
    datetime(2026, 7, 1, 22, 30, tzinfo=UTC), "regel 1\nregel 2",
]  # fmt: skip
HEADER = [f"kolom {number}" for number in range(1, 10)]
WRITTEN = (
    'Bib; De "Lei"', "14000", "-2,5", "1234,5", "TRUE", "", "2026-11-23", "2026-07-02 00:30:00", "regel 1\nregel 2",
)  # fmt: skip


def test_a_csv_file_is_byte_for_byte_what_belgian_excel_opens() -> None:
    assert b"".join(write_csv(["Naam", "Sinds"], [["Café", date(2026, 11, 3)], [None, 1.5]])) == (
        b'\xef\xbb\xbf"Naam";"Sinds"\r\n"Caf\xc3\xa9";"2026-11-03"\r\n"";"1,5"\r\n'
    )


def test_values_come_back_from_both_formats_as_the_same_text() -> None:
    as_text = read_table(b"".join(write_csv(HEADER, [ROW])), "a.csv")
    as_sheet = read_table(b"".join(write_xlsx(HEADER, [ROW], "Blad")), "a.xlsx")
    assert (as_text.rows, as_sheet.rows) == ([Row(2, WRITTEN)], [Row(2, WRITTEN)])


def test_a_sheet_holds_real_numbers_days_and_moments_under_a_bold_header_that_stays_and_filters() -> None:
    book = openpyxl.load_workbook(io.BytesIO(b"".join(write_xlsx(HEADER, [ROW], "Blad"))))
    sheet = book.active
    values = [cell.value for cell in sheet[2]]
    assert values == [
        'Bib; De "Lei"', 14000, -2.5, 1234.5, True, None, wall_clock(2026, 11, 23), wall_clock(2026, 7, 2, 0, 30),
        "regel 1\nregel 2",
    ]  # fmt: skip
    assert [cell.font.bold for cell in sheet[1]] == [True] * 9
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet["G2"].number_format) == ("A2", "A1:I2", "dd/mm/yyyy")
    assert [sheet.column_dimensions[name].width > 10 for name in "AH"] == [True, True]


DANGEROUS = [
    "=1+1", "+1+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", '"=1', "' =1", "'=1", "\u00a0=1", "＝1",
    "=HYPERLINK(\"x\")", "+32-2-1234567", "+3221234567",
]  # fmt: skip


@pytest.mark.parametrize("text", DANGEROUS)
def test_a_text_that_would_run_gets_an_apostrophe_in_csv_and_loses_it_when_it_comes_back(text: str) -> None:
    raw = b"".join(write_csv(["a", "b"], [[text, "x"]]))
    opened = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert opened == [["a", "b"], [f"'{text}", "x"]]
    assert read_table(raw, "a.csv").rows == [Row(2, (text, "x"))]


@pytest.mark.parametrize("text", ["+32 2 123 45 67", "'s-Gravenvoeren", "a=b", "9000 Gent", "", "www.bib.example"])
def test_a_telephone_number_and_an_ordinary_text_are_left_alone(text: str) -> None:
    opened = b"".join(write_csv(["a", "b"], [[text, "x"]])).decode("utf-8-sig")
    assert opened == f'"a";"b"\r\n"{text}";"x"\r\n'


@pytest.mark.parametrize("text", [*DANGEROUS[:4], "https://bib.example", "mailto:bib@bib.example", "{=1}", "0203"])
def test_a_text_in_a_sheet_is_no_formula_and_no_link_and_needs_no_apostrophe(text: str) -> None:
    raw = b"".join(write_xlsx([text, "b"], [[text, "x"]], "Blad"))
    cell = openpyxl.load_workbook(io.BytesIO(raw)).active["A2"]
    assert (cell.value, cell.data_type, cell.hyperlink) == (text, "s", None)


def test_a_text_that_looks_like_mark_up_stays_text() -> None:
    text = "<r><t>a</t></r>"
    assert read_table(b"".join(write_xlsx(["a"], [[text]], "Blad")), "a.xlsx").rows == [Row(2, (f"'{text}",))]


def test_a_text_longer_than_excel_holds_is_cut_where_one_sees_it() -> None:
    raw = b"".join(write_xlsx(["a"], [["👍" * 20_000]], "Blad"))
    assert openpyxl.load_workbook(io.BytesIO(raw)).active["A2"].value == "👍" * 16_383 + "…"


def test_what_excel_cannot_hold_as_number_or_day_is_written_as_text() -> None:
    raw = b"".join(write_xlsx(["a", "b", "c"], [[10**15, -(10**16), date(1899, 1, 1)]], "Blad"))
    values = [cell.value for cell in openpyxl.load_workbook(io.BytesIO(raw)).active[2]]
    assert values == ["1000000000000000", "-10000000000000000", "1899-01-01"]


@pytest.mark.parametrize(
    ("name", "given_name"),
    [("Bib: lijst [1/2]?", "Bib  lijst  1 2"), ("x" * 40, "x" * 31), ("'", "Table"), ("History", "Table")],
)
def test_a_sheet_gets_a_name_that_excel_takes(name: str, given_name: str) -> None:
    raw = b"".join(write_xlsx(["a"], [], name))
    assert openpyxl.load_workbook(io.BytesIO(raw)).sheetnames == [given_name]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), wall_clock(2026, 1, 1)])
def test_a_number_that_is_none_and_a_time_without_a_zone_are_defects(value: Any) -> None:
    with pytest.raises(ValueError, match=r"number for a table|wants a time zone"):
        b"".join(write_csv(["a"], [[value]]))
    with pytest.raises(ValueError, match=r"number for a table|wants a time zone"):
        write_xlsx(["a"], [[value]], "Blad")


# Whatever is written is read back

_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufffe\uffff"), max_size=20)
_NAME = st.text("abcdefgh ;,éë'\"=+-", min_size=1, max_size=8).filter(str.strip)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """A header of two columns and more, and rows whose last cell is not empty."""
    header = draw(st.lists(_NAME, min_size=2, max_size=5))
    row = st.lists(_CELL, min_size=len(header) - 1, max_size=len(header) - 1)
    return header, [[*cells, draw(_NAME)] for cells in draw(st.lists(row, max_size=6))]


def cells_of(table: Table) -> tuple[list[str], list[list[str]]]:
    return list(table.header), [list(row.cells) for row in table.rows]


@given(tables())
@example((["a", "b"], [[" ", "x"], [" \u00a0a ", "y"]]))
def test_every_table_comes_back_from_csv_as_it_was(table: tuple[list[str], list[list[str]]]) -> None:
    assert cells_of(read_table(b"".join(write_csv(*table)), "a.csv")) == table


@given(tables())
@example((["a", "b"], [[" ", "x"], [" \u00a0a ", "y"]]))
def test_every_table_comes_back_from_a_sheet_as_it_was_with_single_line_breaks(
    table: tuple[list[str], list[list[str]]],
) -> None:
    header, rows = table
    expected = [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in rows]
    assert cells_of(read_table(b"".join(write_xlsx(header, rows, "Blad")), "a.xlsx")) == (header, expected)


@given(st.text("'=+-@ \t\"a1", max_size=6))
@example("'\ta")
@example("'+32 2 1")
def test_no_two_texts_become_the_same_under_the_apostrophe(text: str) -> None:
    assert without_apostrophe(with_apostrophe(text)) == text


def outcome(raw: bytes) -> str:
    try:
        read_table(raw, "a.csv")
    except TableUnreadable as error:
        return error.reason
    return "read"


@given(st.binary(max_size=300))
def test_no_bytes_at_all_are_worse_than_unreadable(raw: bytes) -> None:
    assert {outcome(raw), outcome(b"a;b\n" + raw), outcome(_SOUND[:400] + raw + _SOUND[400:])} <= OUTCOMES


@given(st.sampled_from(["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels"]),
       st.integers(0, 2000), st.binary(min_size=1, max_size=3))  # fmt: skip
def test_no_damage_to_a_part_of_a_workbook_is_worse_than_unreadable(part: str, place: int, damage: bytes) -> None:
    def change(content: bytes) -> bytes:
        at = place % len(content)
        return content[:at] + damage + content[at + len(damage) :]

    assert outcome(changed(_SOUND, part, change)) in OUTCOMES


OUTCOMES = {*REASONS, "read"}
_SOUND = one_sheet(["a", "b"], [1, "x"])
