"""Importing a file on a page: sent, looked at, confirmed or thrown away, in a member of staff's words."""

from __future__ import annotations

import io
import re
import time
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse
from xlsxwriter import Workbook

from coopmail.actions.contacts import leave
from coopmail.config import ROOT
from coopmail.documents.tables import read_table
from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact
from coopmail.domain.organisation_sheet import ALSO, Heading
from coopmail.domain.organisations import Organisation
from coopmail.domain.uploads import Upload
from coopmail.parts import Parts
from coopmail.web.staff.import_words import COLUMNS
from tests.builders import Cooperative
from tests.conftest import FrozenClock
from tests.console import Console
from tests.web.pages import everything

PAGE = "/staff/organisations/import"
HEADER = "naam;type;gemeente;provincie;inwoners;contactpersoon;e-mail;afname;prijs"
GEEL = "Bibliotheek Geel;bibliotheek;Geel;Antwerpen;41.000;Bo Nys;bo.nys@geel.example;Krantenarchief;1.234,50"


def send(console: Console, content: bytes | str, name: str = "veld.csv", language: str = "nl") -> TestResponse:
    """Send a file, in a body made here: the test client leaves a temporary file open behind a large one."""
    token = re.search(r'name="csrf" value="([^"]+)"', console.get(PAGE))
    assert token
    raw = content.encode() if isinstance(content, str) else content
    begin = "--end\r\nContent-Disposition: form-data; name="
    head = f'{begin}"csrf"\r\n\r\n{unescape(token.group(1))}\r\n{begin}"file"; filename="{name}"\r\n\r\n'
    kind = "multipart/form-data; boundary=end"
    return console.client.post(
        f"{PAGE}?lang={language}", data=head.encode() + raw + b"\r\n--end--\r\n", content_type=kind
    )


def preview(console: Console, content: bytes | str, name: str = "veld.csv") -> str:
    """Send a file, and go where that leads: the path of its preview."""
    answer = send(console, content, name)
    assert answer.status_code == 303, words(answer.get_data(as_text=True))
    return answer.location.partition("?")[0]


def confirm(console: Console, path: str, page: str = "", **fields: str) -> TestResponse:
    """Press the button of a preview, as it was seen."""
    seen = re.search(r'name="seen" value="([0-9a-f]+)"', page or console.get(path))
    assert seen
    return console.post_form(path, {"seen": seen.group(1), **fields}, page="/staff/me")


def bring_in(console: Console, content: bytes | str, name: str = "veld.csv") -> None:
    """All of it at once."""
    assert confirm(console, preview(console, content, name)).status_code == 303


def words(page: str) -> str:
    """What a page says, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def table(page: str, caption: str) -> list[list[str]]:
    """The rows of a table, by its caption."""
    found = re.search(rf"<caption>{caption}.*?</table>", page, re.DOTALL)
    assert found, caption
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", found.group(0), re.DOTALL)[1:]
    return [[words(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)] for row in rows]


def names(office: Parts) -> list[str]:
    """Every organisation, by name."""
    with office.db.reading() as (session, _):
        return list(session.scalars(sa.select(Organisation.name).order_by(Organisation.name)))


def without_uploads(office: Parts) -> dict[str, Any]:
    """All that is in the database, save the files that wait."""
    return {name: rows for name, rows in everything(office.db).items() if name != "uploads"}


def test_a_file_is_looked_at_and_then_imported_in_the_name_of_who_did(console: Console, office: Parts) -> None:
    path = preview(console, f"{HEADER}\n{GEEL}\n")
    assert names(office) == []
    page = console.get(path)
    assert table(page, "Hoeveel") == [
        ["Organisaties", "1", "0"], ["Contactpersonen", "1", "0"], ["Wie staat voor wie", "1", "0"],
        ["Afname van diensten", "1", "0"],
    ]  # fmt: skip
    assert table(page, "Wat erbij komt")[1] == [
        "bo.nys@geel.example", "Contactpersoon", "Naam: Bo Nys"
    ]  # fmt: skip
    assert "Niemand krijgt er mail over." in words(page)
    answer = confirm(console, path, page)
    assert (answer.status_code, answer.location) == (
        303, "/staff/organisations?done=organisations-imported&lang=nl",
    )  # fmt: skip
    assert names(office) == ["Bibliotheek Geel"]
    with office.db.reading() as (session, _):
        row = session.scalars(sa.select(AuditRow).where(AuditRow.act == "organisations-imported")).one()
        assert (row.actor, row.detail["file"]) == (console.person.actor, "veld.csv")


def test_what_changes_is_shown_as_it_stands_and_as_it_will(console: Console, cooperative: Cooperative) -> None:
    rows = "Bibliotheek Mol;38.000;an.wouters@mol.example;stemt\nBibliotheek Lier;;;\n"
    page = console.get(preview(console, f"naam;inwoners;e-mail;stemt of leest\n{rows}"))
    assert table(page, "Wat verandert") == [
        ["Bibliotheek Mol", "Organisatie", "Inwoners: 37.000 → wordt 38.000"],
        ["an.wouters@mol.example – Bibliotheek Mol", "Wie staat voor wie",
         "alle diensten: leest enkel mee → wordt stemt"],
    ]  # fmt: skip
    assert "1 organisatie van het bestand blijft zoals ze is." in words(page)


def test_the_second_click_imports_nothing_more_and_is_answered_as_the_first(console: Console, office: Parts) -> None:
    path = preview(console, f"{HEADER}\n{GEEL}\n")
    page = console.get(path)
    first = confirm(console, path, page)
    before = everything(office.db)
    second = confirm(console, path, page)
    assert (second.status_code, second.location) == (first.status_code, first.location)
    assert everything(office.db) == before
    assert "Dit bestand is al geïmporteerd" in words(console.get(path))
    with office.db.reading() as (session, _):
        assert session.execute(sa.select(Upload.name, sa.func.length(Upload.content))).one() == ("veld.csv", 0)


def test_the_same_file_again_is_said_to_change_nothing(console: Console, office: Parts) -> None:
    bring_in(console, f"{HEADER}\n{GEEL}\n")
    before = without_uploads(office)
    page = console.get(preview(console, f"{HEADER}\n{GEEL}\n"))
    assert "Dit bestand verandert niets" in words(page)
    assert "Importeer dit bestand" not in page
    assert without_uploads(office) == before


def test_a_bad_row_is_named_and_nothing_is_written_unless_it_is_passed_over(console: Console, office: Parts) -> None:
    bad = GEEL.replace("Geel", "Mol").replace("41.000", "veel").replace("bo.nys@geel", "an@mol")
    path = preview(console, f"{HEADER}\n{GEEL}\n{bad}\n")
    page = console.get(path)
    assert table(page, "Rijen die niet bruikbaar zijn") == [
        ["Regel 3", "inwoners", "veel", "Schrijf een geheel getal, zoals 14000."]
    ]
    before = everything(office.db)
    refused = confirm(console, path, page)
    assert refused.status_code == 422
    assert refused.get_data(as_text=True).count("Er is nog niets geschreven.") == 2, "in the summary and at the box"
    assert everything(office.db) == before
    assert "Sla de ene rij over die niet bruikbaar is" in words(page)
    assert confirm(console, path, page, skip_bad="y").status_code == 303
    assert names(office) == ["Bibliotheek Geel"]


def test_bad_rows_and_changes_can_be_taken_along_as_a_file(console: Console) -> None:
    path = preview(console, f"{HEADER}\n{GEEL}\nBibliotheek Mol\n")
    bad = read_table(console.ask(f"{path}/bad-rows.csv", language="en").data, "bad rows.csv")
    assert bad.header == ("Line", "Column", "What stands there", "What to do")
    assert [row.cells[:2] for row in bad.rows] == [
        ("3", "gemeente"), ("3", "inwoners"), ("3", "provincie"), ("3", "type"),
    ]  # fmt: skip
    told = read_table(console.ask(f"{path}/changes.csv", language="en").data, "changes.csv")
    assert [row.cells[:3] for row in told.rows] == [
        ("Organisation", "Bibliotheek Geel", "added"), ("Contact", "bo.nys@geel.example", "added"),
        ("Who stands for whom", "bo.nys@geel.example – Bibliotheek Geel", "added"),
        ("Subscription", "Bibliotheek Geel – krantenarchief", "added"),
    ]  # fmt: skip


def test_what_changed_meanwhile_is_shown_again_instead_of_written(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    path = preview(console, "naam;inwoners\nBibliotheek Mol;38000\n")
    seen = console.get(path)
    with office.db.transaction() as (session, _):
        session.execute(sa.update(Organisation).where(Organisation.name == "Bibliotheek Mol").values(population=37_500))
    before = everything(office.db)
    answer = confirm(console, path, seen)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Er is iets veranderd sinds je keek" in words(page)
    assert table(page, "Wat verandert") == [["Bibliotheek Mol", "Organisatie", "Inwoners: 37.500 → wordt 38.000"]]
    assert everything(office.db) == before
    assert confirm(console, path, page).status_code == 303


def test_a_form_without_what_was_seen_writes_nothing(console: Console, office: Parts) -> None:
    path = preview(console, f"{HEADER}\n{GEEL}\n")
    assert console.post_form(path).status_code == 409
    assert names(office) == []


def test_a_file_waits_is_found_again_and_is_thrown_away(console: Console, office: Parts) -> None:
    path = preview(console, f"{HEADER}\n{GEEL}\n", "mijn tabel.csv")
    assert "mijn tabel.csv" in words(console.get(PAGE))
    answer = console.post_form(f"{path}/throw-away", page=path)
    assert answer.location == f"{PAGE}?done=upload-dropped&lang=nl"
    assert "mijn tabel.csv" not in words(console.get(PAGE))
    again = console.post_form(f"{path}/throw-away", page="/staff/me")
    assert again.status_code == 404
    assert "Dit bestand is hier niet meer" in words(again.get_data(as_text=True))
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(Upload.key)).all() == []


def test_nobody_sees_or_uses_the_file_of_a_colleague(console: Console, colleague: Console, office: Parts) -> None:
    path = preview(console, f"{HEADER}\n{GEEL}\n")
    seen = console.get(path)
    colleague.get(path, status=404)
    assert confirm(colleague, path, seen).status_code == 404
    assert colleague.post_form(f"{path}/throw-away", page="/staff/me").status_code == 404
    assert "veld.csv" not in words(colleague.get(PAGE))
    assert names(office) == []
    assert console.get(path) != ""


def test_looking_changes_nothing(console: Console, office: Parts, cooperative: Cooperative) -> None:
    path = preview(console, f"{HEADER}\n{GEEL}\n")
    before = everything(office.db)
    for page in (PAGE, path, f"{path}/changes.csv", f"{path}/bad-rows.csv", f"{PAGE}/example.csv"):
        assert console.ask(page).status_code == 200
    assert everything(office.db) == before


def test_no_file_at_all_and_a_file_that_is_no_table_are_refused_in_both_languages(console: Console) -> None:
    for content, name, dutch, english in (
        (b"%PDF-1.7", "veld.pdf", "Het bestand is een pdf", "The file is a PDF"),
        (b"  ", "leeg.csv", "Er staat geen tabel in het bestand", "The file holds no table"),
        (b"naam;NAAM\nx;y", "v.csv", 'heeft de kolom "NAAM" twee keer', 'has the column "NAAM" twice'),
        (b"code;type\n1;bib", "v.csv", 'heeft geen kolom "naam"', 'has no column "naam"'),
        (b"naam" + b"x" * 20_000_000, "v.csv", "Het bestand is te groot", "The file is too large"),
        (b"", "", "Kies eerst een bestand.", "Choose a file first."),
    ):
        for language, sentence in (("nl", dutch), ("en", english)):
            answer = send(console, content, name, language=language)
            assert answer.status_code == 422
            assert words(answer.get_data(as_text=True)).count(sentence) == 2, "in the summary and at the field"


def test_only_the_page_of_the_import_takes_a_large_body(console: Console) -> None:
    large = "x" * 600_000
    assert console.post_form("/staff/contacts/new", {"name": large}).status_code == 413
    assert send(console, b"naam\n" + b"Bibliotheek Geel\n" * 100_000).status_code == 303


def test_a_table_without_rows_says_what_to_do(console: Console, cooperative: Cooperative) -> None:
    assert "Er staan geen rijen onder de namen van de kolommen" in words(console.get(preview(console, HEADER)))


def test_the_example_can_be_imported_as_it_is(console: Console, office: Parts) -> None:
    answer = console.ask(f"{PAGE}/example.csv")
    assert "filename=voorbeeld.csv" in answer.headers["Content-Disposition"]
    assert read_table(answer.data, "x.csv").header == tuple(heading.value for heading in Heading)
    bring_in(console, answer.data)
    assert names(office) == ["Bibliotheek Voorbeeld", "Cultuurcentrum Voorbeeld"]
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(Contact.name).order_by(Contact.name)).all() == [
            "An Roels", "Balie Voorbeeld", "Bo Nys",
        ]  # fmt: skip


def test_the_page_says_what_each_column_means(console: Console) -> None:
    assert set(COLUMNS) == set(Heading)
    assert [row[0] for row in table(console.get(PAGE), "Alle kolommen")] == [heading.value for heading in Heading]


def test_the_documentation_lists_each_column_with_all_its_names() -> None:
    text = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE)[2:])
    assert listed == {heading.value: ", ".join(also) for heading, also in ALSO.items()}


def test_a_column_that_means_nothing_is_named(console: Console, cooperative: Cooperative) -> None:
    page = words(console.get(preview(console, "naam;Provinsie\nBibliotheek Mol;Limburg\n")))
    assert "1 kolom betekent hier niets en wordt overgeslagen" in page
    assert "Provinsie." in page


def test_open_polls_are_named_before_anybody_is_mailed(console: Console, poll: Any) -> None:
    page = words(console.get(preview(console, "naam;contactpersoon;e-mail\nBibliotheek Mol;Bo Nys;bo@mol.example\n")))
    assert "1 stemronde is open: wie er voortaan in mag stemmen, krijgt een uitnodiging" in page


def xlsx(*rows: tuple[Any, ...]) -> bytes:
    """A workbook with real numbers."""
    raw = io.BytesIO()
    with Workbook(raw, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Bibliotheken")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return raw.getvalue()


CITY = "naam;type;gemeente;provincie;inwoners;contactpersoon;e-mail\r\n" \
       'Bibliotheek Niël;bib;"Niël\r\nbij Boom";Antwerpen;41000;Zoë Nys;zoe@niel.example\r\n'  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        CITY.encode("cp1252"), CITY.encode("utf-8-sig"), CITY.encode("utf-16"),
        CITY.replace(";", "\t").encode("utf-16"), CITY.replace(";", ",").encode(), b"sep=;\r\n" + CITY.encode("cp1252"),
        "E-mail;Provincie;Naam;Contactpersoon;Inwoners;Type;Gemeente\r\nzoe@niel.example;antwerpen;Bibliotheek Niël;"
        "Zoë Nys;41.000;bib;Niël bij Boom\r\n".encode("cp1252"),
        xlsx(("naam", "type", "gemeente", "provincie", "inwoners", "contactpersoon", "e-mail"),
             ("Bibliotheek Niël", "bib", "Niël bij Boom", "Antwerpen", 41_000, "Zoë Nys", "zoe@niel.example")),
    ],
    ids=["Windows-1252", "byte order mark", "UTF-16", "tabs", "commas", "sep=", "moved columns", "XLSX"],
)  # fmt: skip
def test_a_file_of_whatever_program_says_the_same(console: Console, office: Parts, raw: bytes) -> None:
    bring_in(console, raw)
    with office.db.reading() as (session, _):
        found = session.execute(sa.select(Organisation.name, Organisation.municipality, Organisation.population)).one()
        assert found == ("Bibliotheek Niël", "Niël bij Boom", 41_000)
        assert session.execute(sa.select(Contact.name, Contact.email)).one() == ("Zoë Nys", "zoe@niel.example")


def test_after_a_line_break_in_quotes_the_lines_are_still_those_of_the_file(console: Console) -> None:
    page = console.get(preview(console, CITY + "Bibliotheek Mol;bib;Mol;Antwerpen;veel;;\r\n"))
    assert [row[:3] for row in table(page, "Rijen die niet bruikbaar zijn")] == [["Regel 4", "inwoners", "veel"]]


def test_one_address_with_two_names_is_named_and_one_who_left_is_not_brought_back(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, now):
        contact = session.scalars(sa.select(Contact).where(Contact.name == "Tom Baert")).one()
        leave(session, now, office.basis, contact.id)
    page = console.get(preview(console, "naam;contactpersoon;e-mail\nBibliotheek Mol;Bo Nys;bo@mol.example\n"
        "Bibliotheek Lier;Bob Nys;BO@mol.example\nBibliotheek Boom;Tom Baert;tom.baert@zoersel.example\n"))  # fmt: skip
    assert [row[::3] for row in table(page, "Rijen die niet bruikbaar zijn")] == [
        ["Regel 3", "Op regel 2 heet de contactpersoon van dit adres Bo Nys: schrijf één naam, of twee adressen."],
        ["Regel 4", "Tom Baert is vertrokken. Neem dat eerst terug op de pagina van de contactpersoon, of laat de rij"
                    " weg."],
    ]  # fmt: skip


def test_a_name_is_shown_as_text_whatever_it_holds(console: Console, cooperative: Cooperative) -> None:
    page = console.get(preview(console, "naam;type\nBibliotheek Mol;<script>alert(1)</script>\n", "<b>x.csv"))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;b&gt;x.csv" in page


def test_a_file_of_a_day_old_goes_when_another_comes(console: Console, office: Parts, clock: FrozenClock) -> None:
    old = preview(console, f"{HEADER}\n{GEEL}\n", "oud.csv")
    clock.advance(hours=7)
    console = Console.of(console.client.application, office, console.person)
    clock.advance(hours=7)
    console = Console.of(console.client.application, office, console.person)
    clock.advance(hours=11)
    console = Console.of(console.client.application, office, console.person)
    preview(console, f"{HEADER}\n{GEEL}\n", "nieuw.csv")
    console.get(old, status=404)


def test_fifty_thousand_rows_are_looked_at_in_seconds(console: Console) -> None:
    rows = "".join(
        f"Bibliotheek {n};bib;Gemeente {n};Limburg;12.000;Bo {n};bo@g{n}.example;Krantenarchief;1.234,50\n"
        for n in range(50_000)
    )
    begun = time.monotonic()
    path = preview(console, f"{HEADER}\n{rows}")
    page = console.get(path)
    took = time.monotonic() - begun
    assert table(page, "Hoeveel")[0] == ["Organisaties", "50.000", "0"]
    assert len(table(page, "Wat erbij komt")) == 100
    assert len(page) < 200_000
    assert took < 60
