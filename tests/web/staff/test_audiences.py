"""Saved audiences in the console: built without scripts, looked at before they are saved, put away and taken back."""

from __future__ import annotations

import base64
import csv
import io
import re
import zlib
from typing import Any

import pytest
import sqlalchemy as sa

from coopmail.domain.audience_question import About, Condition, parse
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.audit import AuditRow
from coopmail.domain.polls import Audience, Effect
from coopmail.parts import Parts
from tests.builders import Cooperative, build_audience, build_field, build_poll
from tests.conftest import CLOSING
from tests.console import Console
from tests.web.pages import Forms, ServedForm

NEW = "/staff/audiences/new"
ARCHIVE = {"c-0-0": "service:krantenarchief"}


@pytest.fixture
def field(office: Parts, cooperative: Cooperative) -> Cooperative:
    """The small cooperative, with a culture centre and persons of no organisation."""
    with office.db.transaction() as (session, now):
        build_field(session, cooperative, now())
    return cooperative


def shown(page: str) -> str:
    """A page's text with single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def typed(page: str) -> dict[str, str]:
    """What stands in the builder as it was served: nothing but what a browser would send again."""
    form: ServedForm = next(form for form in Forms(page).found if ("do", "save") in form.buttons)
    values = dict(form.values)
    for name, options in re.findall(r'<select id="(c-[0-9-]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        values[name] = chosen[1] if chosen else ""
    area = re.search(r'<textarea id="description"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL)
    return values | {"description": area[1] if area else ""}


def press(console: Console, path: str, button: str, values: dict[str, Any], status: int = 200) -> str:
    """Press a button of the builder, with what is typed in it."""
    answer = console.post_form(path, {**values, "do": button})
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def kept(office: Parts) -> list[SavedAudience]:
    """Every saved audience."""
    with office.db.reading() as (session, _):
        return list(session.scalars(sa.select(SavedAudience).order_by(SavedAudience.id)))


def save(console: Console, name: str = "Krantenarchief", **values: str) -> str:
    """Save an audience; the address of its page."""
    answer = console.post_form(NEW, {"name": name, **(values or ARCHIVE), "do": "save"})
    assert answer.status_code == 303, shown(answer.get_data(as_text=True))
    return answer.location.partition("?")[0]


def packed(raw: bytes) -> str:
    """What stands in an address for a question that is not saved."""
    return "q-" + base64.urlsafe_b64encode(zlib.compress(raw)).decode().rstrip("=")


def test_an_empty_list_says_what_to_do_first(console: Console) -> None:
    page = shown(console.get("/staff/audiences"))
    assert "Er is nog geen doelgroep. Maak de eerste: druk op “Nieuwe doelgroep”, en zeg wie erin zit." in page


def test_i_build_an_audience_press_by_press_and_nothing_typed_is_lost(
    office: Parts, console: Console, field: Cooperative
) -> None:
    page = press(console, NEW, "add-0", {"name": "Grote of kleine", "description": "Voor de\nbevraging", **ARCHIVE})
    assert typed(page)["c-0-1"] == ""
    page = press(console, NEW, "size-0", typed(page) | {"c-0-1": "province:Antwerpen", "c-0-1-not": "y"})
    page = press(console, NEW, "list", typed(page) | {"c-0-2-low": "10.000", "c-0-2-high": "veel"})
    page = press(console, NEW, "drop-0-1", typed(page) | {"c-1-0": "field"})
    values = typed(page)
    assert values == {
        "csrf": values["csrf"], "version": "", "name": "Grote of kleine", "description": "Voor de\nbevraging",
        "c-0-0": "service:krantenarchief", "c-0-1": "size", "c-0-1-low": "10.000", "c-0-1-high": "veel",
        "c-1-0": "field",
    }  # fmt: skip
    wrong = press(console, NEW, "save", values, 422)
    assert "Typ een kleinste aantal inwoners, een grootste, of allebei, het kleinste eerst." in wrong
    assert 'href="#c-0-1"' in wrong
    assert typed(wrong) == values
    page = press(console, NEW, "drop-list-1", values | {"c-0-1-high": "18 000"})
    assert console.post_form(NEW, {**typed(page), "do": "save"}).status_code == 303
    [saved] = kept(office)
    assert (saved.name, saved.description) == ("Grote of kleine", "Voor de\nbevraging")
    assert parse(saved.question).lists == (
        (Condition(About.SERVICE, "krantenarchief"), Condition(About.SIZE, "10000-18000")),
    )


def test_i_see_who_it_is_before_i_save(office: Parts, console: Console, field: Cooperative) -> None:
    page = press(console, NEW, "count", {"c-0-0": "service:krantenarchief", "c-1-0": "member", "c-1-0-not": "y"})
    text = shown(page)
    assert "Al wie het Krantenarchief afneemt, of al wie geen coöperant is." in text
    assert "6 organisaties (opent in een nieuw tabblad) waarvan 5 coöperanten" in text
    assert "3 personen zonder organisatie" in text
    assert "Bibliotheek Aartselaar, Bibliotheek Boom, Bibliotheek Duffel, Bibliotheek Lier, Bibliotheek Mol, " in text
    assert "Personen: Mia Jacobs, Nele Jans, Omar Aziz" in text
    assert "9 bereikte contactpersonen (opent in een nieuw tabblad) 8 die stemmen, 1 die lezen" in text
    assert kept(office) == []
    address = re.search(r'href="(/staff/audiences/q-[^"]+/organisations)[?"]', page)
    assert address
    listed = shown(console.get(address[1]))
    assert "Deze doelgroep is niet bewaard: het adres van deze pagina bevat de vraag." in listed
    assert "Cultuurcentrum Turnhout cultuurcentrum Turnhout Antwerpen 45.000 nee" in listed


def test_enter_counts_and_neither_saves_nor_takes_anything_away(console: Console, field: Cooperative) -> None:
    form = next(form for form in Forms(console.get(NEW)).found if ("do", "save") in form.buttons)
    assert form.buttons[0] == ("do", "count")


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("organisations", [["Cultuurcentrum Turnhout", "cultuurcentrum", "Turnhout", "Antwerpen", "45000", "nee"]]),
        ("persons", [["Mia Jacobs", "mia.jacobs@cultuurconnect.example", ""],
                     ["Nele Jans", "nele.jans@veld.example", ""], ["Omar Aziz", "omar.aziz@veld.example", ""]]),
        ("contacts", [["Mia Jacobs", "mia.jacobs@cultuurconnect.example", "", "stemt"],
                      ["Nele Jans", "nele.jans@veld.example", "", "stemt"],
                      ["Omar Aziz", "omar.aziz@veld.example", "", "stemt"],
                      ["Rik Smet", "rik.smet@turnhout.example", "Cultuurcentrum Turnhout", "stemt"]]),
    ],
)  # fmt: skip
def test_who_is_in_an_audience_is_a_list_and_a_file(
    office: Parts, console: Console, field: Cooperative, kind: str, rows: list[list[str]]
) -> None:
    address = save(console, "Geen coöperant", **{"c-0-0": "member", "c-0-0-not": "y"})
    assert all(row[0] in shown(console.get(f"{address}/{kind}")) for row in rows)
    raw = console.client.get(f"{address}/{kind}.csv?lang=nl").data.decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(raw), delimiter=";"))[1:] == rows


def test_its_page_says_who_is_in_it_today_and_which_polls_ask_it(
    office: Parts, console: Console, field: Cooperative
) -> None:
    address = save(console)
    with office.db.transaction() as (session, _now):
        build_poll(session, field, closes_at=CLOSING, audience=Audience.SAVED, effect=Effect.ADVICE, service_id=None,
                   saved_audience_id=kept(office)[0].id, title_nl="Wat nu?")  # fmt: skip
    page = shown(console.get(f"{address}?done=audience-saved"))
    assert "De doelgroep is bewaard." in page
    assert "Al wie het Krantenarchief afneemt." in page
    assert "5 organisaties waarvan 5 coöperanten" in page
    assert "Wat nu? (ontwerp)" in page
    listed = shown(console.get("/staff/audiences"))
    assert "Krantenarchief Al wie het Krantenarchief afneemt. 1 in gebruik".replace("t. 1", "t 1") in listed
    archive = shown(console.get(f"{address}/archive"))
    assert "1 ontwerp vraagt haar, en kan dan niet opengaan" in archive


@pytest.mark.parametrize(
    ("values", "dutch", "english"),
    [
        ({"c-0-0": "group:digitale-collecties", "c-0-1": "type:library", "c-0-1-not": "y"},
         "Al wie een mandaat heeft in de Stuurgroep Digitale Collecties en geen bibliotheek is.",
         "Everyone who has a seat in Stuurgroep Digitale Collecties and is no library."),
        ({"c-0-0": "size", "c-0-0-high": "20000", "c-1-0": "mark:pilot:open-vlacc", "c-1-1": "mark:big_city"},
         "Al wie hoogstens 20.000 inwoners telt, of al wie piloot is van Open Vlacc en een grootstad is.",
         "Everyone who has at most 20,000 inhabitants, or everyone who is a pilot of Open Vlacc and is a big city."),
        ({"c-0-0": "field"}, "Iedereen in het veld.", "Everybody in the field."),
        ({"c-0-0": "province:Antwerpen", "c-0-0-not": "y", "c-0-1": "field"},
         "Al wie niet in Antwerpen ligt.", "Everyone who is not in Antwerpen."),
    ],
)  # fmt: skip
def test_a_question_reads_as_a_sentence_in_both_languages(
    console: Console, field: Cooperative, values: dict[str, str], dutch: str, english: str
) -> None:
    address = save(console, "Een doelgroep", **values)
    assert dutch in shown(console.get(address))
    assert english in shown(console.get(address, language="en"))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"name": "", **ARCHIVE}, "Typ een naam waaraan je deze doelgroep herkent."),
        ({"name": "x" * 121, **ARCHIVE}, "120"),
        ({"name": "Zie www.veld.example", **ARCHIVE}, "zonder webadres of mailadres"),
        ({"name": "Iets", "c-0-0": ""}, "Kies waarover deze voorwaarde gaat, of neem ze weg."),
        ({"name": "Iets", "c-0-0": "weather:rain"}, "Deze voorwaarde kennen we niet: kies ze opnieuw."),
        ({"name": "Iets", "c-0-0": "type:shop"}, "Kies uit de lijst, of neem deze voorwaarde weg."),
        ({"name": "Iets", "c-0-0": "field", "c-0-0-not": "y"}, "Niemand staat buiten het hele veld"),
        ({"name": "Iets", "c-0-0": "size", "c-0-0-low": "5", "c-0-0-high": "2"}, "Typ een kleinste aantal inwoners"),
        ({"name": "Iets"}, "Kies waarover deze voorwaarde gaat, of neem ze weg."),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do_and_nothing_is_saved(
    office: Parts, console: Console, field: Cooperative, values: dict[str, str], says: str
) -> None:
    assert says in shown(press(console, NEW, "save", values, 422))
    assert kept(office) == []


def test_a_service_that_is_not_there_is_named_and_stays_chosen(
    office: Parts, console: Console, field: Cooperative
) -> None:
    page = press(console, NEW, "save", {"name": "Weg", "c-0-0": "service:weg"}, 409)
    assert "Een dienst of groep uit deze vraag is er niet meer: kies opnieuw." in shown(page)
    assert typed(page)["c-0-0"] == "service:weg"
    assert kept(office) == []


def test_two_audiences_have_two_names(office: Parts, console: Console, field: Cooperative) -> None:
    save(console, "Krantenarchief")
    page = press(console, NEW, "save", {"name": "KRANTENARCHIEF", **ARCHIVE}, 409)
    assert "Een andere doelgroep heeft deze naam al" in shown(page)
    assert len(kept(office)) == 1


def test_whoever_saves_second_is_told_and_loses_nothing(
    office: Parts, console: Console, colleague: Console, field: Cooperative
) -> None:
    address = save(console, "Krantenarchief")
    mine = typed(console.get(f"{address}/edit"))
    theirs = typed(colleague.get(f"{address}/edit"))
    theirs |= {"name": "Van Bram", "c-0-0": "member", "do": "save"}
    assert colleague.client.post(f"{address}/edit?lang=nl", data=theirs).status_code == 303
    mine |= {"name": "Van Klaar", "do": "save"}
    answer = console.client.post(f"{address}/edit?lang=nl", data=mine)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Bram Wouters" in shown(page)
    assert "Naam Van Bram" in shown(page)
    assert "Wie erin zit Al wie coöperant is" in shown(page)
    assert typed(page)["name"] == "Van Klaar"
    assert [saved.name for saved in kept(office)] == ["Van Bram"]
    again = typed(page) | {"do": "save"}
    assert console.client.post(f"{address}/edit?lang=nl", data=again).status_code == 303
    assert [(saved.name, saved.version) for saved in kept(office)] == [("Van Klaar", 3)]


def test_saving_the_same_again_changes_nothing(office: Parts, console: Console, field: Cooperative) -> None:
    address = save(console)
    values = typed(console.get(f"{address}/edit")) | {"do": "save"}
    for _ in range(2):
        assert console.client.post(f"{address}/edit", data=values).status_code == 303
    assert [saved.version for saved in kept(office)] == [1]
    assert acts(office) == ["audience-saved"]


def acts(office: Parts) -> list[str]:
    """What the record has of audiences, and that Klaar did it."""
    with office.db.reading() as (session, _):
        wanted = sa.select(AuditRow).where(AuditRow.subject.startswith("audience:")).order_by(AuditRow.id)
        rows = list(session.scalars(wanted))
    assert {row.actor.partition(":")[0] for row in rows} <= {"staff"}
    return [row.act for row in rows]


def test_an_audience_is_put_away_once_and_taken_back(office: Parts, console: Console, field: Cooperative) -> None:
    address = save(console)
    for _ in range(2):
        assert console.post_form(f"{address}/archive").status_code == 303
    assert "In het archief sinds" in shown(console.get(address))
    assert "in het archief" in shown(console.get("/staff/audiences?state=archived"))
    assert "Krantenarchief" not in shown(console.get("/staff/audiences?state=in-use"))
    for _ in range(2):
        assert console.post_form(f"{address}/back", page="/staff/me").status_code == 303
    assert "In het archief sinds" not in shown(console.get(address))
    assert acts(office) == ["audience-saved", "audience-archived", "audience-restored"]


@pytest.mark.parametrize(
    "key",
    [
        "999999999",
        "nothing",
        "q-",
        "q-AAAA",
        "q-é",
        "q-" + "W1" * 900,
        packed(b"[]"),
        packed(b"\xff"),
        packed(b"[[" * 20_000),
        packed(b'[[{"about":"province"}]]'),
        packed(b'[["about"]]' + b" " * 10_000_000),
        packed(b'[[{"about":"province","value":"\\u0000"}]]'),
        packed(b'[[{"about":"province","value":"\\ud800"}]]'),
    ],
)
def test_an_address_that_names_no_audience_is_not_found(console: Console, key: str) -> None:
    for kind in ("organisations", "persons", "contacts"):
        assert console.ask(f"/staff/audiences/{key}/{kind}").status_code == 404
        assert console.ask(f"/staff/audiences/{key}/{kind}.csv").status_code == 404


def test_rows_beyond_what_a_question_may_hold_are_passed_over(console: Console, field: Cooperative) -> None:
    many = {f"c-{place}-{row}": "member" for place in range(30) for row in range(30)}
    found = typed(press(console, NEW, "count", many))
    assert sum(name.startswith("c-") for name in found) == 100
    assert press(console, NEW, "drop-list-77", {"c-0-0": "member"})
    assert press(console, NEW, "drop-0-99", {"c-0-0": "member"})


def test_a_list_of_audiences_asks_as_many_questions_for_three_as_for_thirty(
    office: Parts, console: Console, field: Cooperative
) -> None:
    asked: list[int] = []
    for number in (3, 30):
        with office.db.transaction() as (session, now):
            for place in range(number):
                build_audience(session, now(), f"{number}-{place}", [[Condition(About.SERVICE, "krantenarchief")]])
        count = 0

        def note(*_: Any) -> None:
            nonlocal count
            count += 1

        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        console.get("/staff/audiences")
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
        asked.append(count)
    assert asked[0] == asked[1]
