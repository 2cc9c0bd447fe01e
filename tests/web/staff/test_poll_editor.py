"""Writing a poll in the console: nothing that is typed is lost, and each mistake is said where it was made."""

from __future__ import annotations

import io
from datetime import date, time

import pytest

from coopmail.actions import polls
from coopmail.domain.calendar import in_brussels
from coopmail.domain.polls import Audience, CostSharing, Effect, Poll, PollState
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.console import Console
from tests.web.pages import everything
from tests.web.staff.writing import (
    NEW,
    OPTIONS,
    SLUG,
    at_fields,
    in_fields,
    page_of,
    poll_of,
    recorded,
    send,
    slugs,
    summary,
    text_of,
    typed,
    went,
)  # fmt: skip

EDIT = f"/staff/polls/{SLUG}/edit"
PAST = "Dit moment is voorbij: kies een later."


@pytest.fixture
def draft(console: Console, cooperative: Cooperative, office: Parts) -> Poll:
    """A poll that Klaar wrote."""
    assert went(send(console, typed())) == f"/polls/{SLUG}/preview?done=poll-drafted"
    return poll_of(office, SLUG)


def test_a_poll_is_written_through_the_page(
    console: Console, office: Parts, cooperative: Cooperative, draft: Poll
) -> None:
    assert (draft.state, draft.effect, draft.audience, draft.minutes, draft.reminder_days) == (
        PollState.DRAFT, Effect.ADVICE, Audience.SERVICE_MEMBERS, 3, [7, 1],
    )  # fmt: skip
    assert draft.closes_at == in_brussels(date(2026, 12, 11), time(17))
    assert [(one.key, one.label_nl, one.cost_cents, one.cost_sharing, one.status_quo, one.abstain)
            for one in draft.options] == [
        ("ja-graag", "Ja, graag", 4_800_000, CostSharing.EQUAL, False, False),
        ("nee-we-doen-het-niet", "Nee, we doen het niet", None, CostSharing.NONE, True, False),
        ("onthouding", "Onthouding", None, CostSharing.NONE, False, True),
    ]  # fmt: skip
    assert draft.more_nl == "# Waarom\n\nHet **scheelt** werk."
    assert recorded(office, draft.id) == [("poll-drafted", console.person.actor, {"slug": SLUG})]


def test_saving_the_same_draft_twice_writes_it_once(console: Console, office: Parts, draft: Poll) -> None:
    before = everything(office.db)
    assert went(send(console, typed())) == f"/polls/{SLUG}/preview?done=poll-drafted"
    assert everything(office.db) == before


def test_the_form_begins_with_the_abstention_and_the_reminders_of_the_charter(
    console: Console, cooperative: Cooperative
) -> None:
    form = in_fields(console.get(NEW), "title_nl")
    assert {name: value for name, value in form.items() if value and name not in ("csrf", "do")} == {
        "minutes": "2", "share": "2/3", "share_of": "valid", "reminder_days": "7, 3, 1",
        "options-0-cost_sharing": "none", "options-1-cost_sharing": "none", "options-2-cost_sharing": "none",
        "options-2-label_nl": "Onthouding", "options-2-label_en": "Abstain", "options-2-abstain": "y",
    }  # fmt: skip


def test_an_empty_form_says_at_each_field_what_to_do(console: Console, office: Parts, cooperative: Cooperative) -> None:
    page = page_of(send(console, in_fields(console.get(NEW), "title_nl")), 422)
    wanted = {
        "title_nl": "Typ de vraag, in het Nederlands.",
        "summary_nl": "Zeg in enkele zinnen waarover het gaat, in het Nederlands.",
        "next_step_nl": "Zeg wat er met het antwoord gebeurt, in het Nederlands.",
        "group": "Kies de groep die de vraag stelt.",
        "audience": "Kies aan wie het gevraagd wordt.",
        "effect": "Kies wat de uitslag doet.",
        "visibility": "Kies wie de vraag en de uitslag kan lezen.",
        "method": "Kies wat iemand mag aanduiden.",
        "majority": "Kies een meerderheid.",
        "tie": "Kies wat er bij gelijke stemmen gebeurt.",
        "closes_day": "Kies de dag waarop de stemronde sluit, zoals 4/12/2026.",
        "closes_hour": "Typ het uur waarop de stemronde sluit, zoals 17:00.",
        "options-0-label_nl": "Typ hoe deze optie heet, of verwijder ze.",
        "options-1-label_nl": "Typ hoe deze optie heet, of verwijder ze.",
    }
    assert at_fields(page) == wanted
    assert {place.removesuffix("-0") if not place.startswith("options") else place: text
            for place, text in summary(page)} == wanted  # fmt: skip
    assert "<title>Fout: Stemronde schrijven" in page
    assert slugs(office) == []


WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"title_nl": "x" * 201}, "title_nl", "Houd dit onder de 200 tekens."),
    ({"title_nl": "a\u202eb"}, "title_nl",
     "Verwijder de onzichtbare tekens: typ de tekst opnieuw in plaats van hem te plakken."),
    ({"summary_nl": "x" * 20_001}, "summary_nl", "Houd dit onder de 20.000 tekens."),
    ({"slug": "Met Spaties"}, "slug", "Gebruik kleine letters, cijfers en koppeltekens, zoals in krantenarchief-2027."),
    ({"slug": "new"}, "slug", "Een adres van de console heeft dit woord nodig: typ een andere korte naam."),
    ({"minutes": "0"}, "minutes", "Typ een aantal minuten, van 1 tot 120."),
    ({"minutes": "veel"}, "minutes", "Typ een aantal minuten, van 1 tot 120."),
    ({"group": "nergens"}, "group", "Kies de groep die de vraag stelt."),
    ({"audience": "iedereen"}, "audience", "Kies aan wie het gevraagd wordt."),
    ({"service": ""}, "service", "Kies de dienst waarvan de coöperanten bevraagd worden."),
    ({"service": "nergens"}, "service", "Kies een dienst uit de lijst."),
    ({"audience": "all_members"}, "service",
     "Kies hierboven “De coöperanten van een dienst”, of hier geen dienst."),
    ({"audience": "saved", "service": ""}, "saved_audience", "Kies welk bewaard publiek bevraagd wordt."),
    ({"audience": "whole_field", "service": ""}, "effect",
     "Het hele veld kan alleen bevraagd worden: kies een bevraging, of vraag het alleen aan coöperanten."),
    ({"audience": "whole_field", "service": "", "effect": "consultation", "secret": "y"}, "secret",
     "Dit kan geen geheime stemming zijn, want wie geen coöperant is, wordt apart geteld: vink het uit, of vraag het "
     "alleen aan coöperanten."),
    ({"audience": "group_seats", "service": "", "secret": "y"}, "secret",
     "Vandaag mogen er maar 3 stemmen, en een geheime stemming vraagt er 5 of meer: de telling zou verraden wie wat "
     "koos."),
    ({"share": "3/2"}, "share", "Een deel is hoogstens 1/1: typ een breuk zoals 2/3."),
    ({"share": "66%"}, "share", "Typ een breuk, zoals 2/3."),
    ({"quorum": "een kwart"}, "quorum", "Typ een breuk, zoals 1/4, of laat het leeg."),
    ({"closes_day": "32/12/2026"}, "closes_day", "Kies de dag waarop de stemronde sluit, zoals 4/12/2026."),
    ({"closes_hour": "25:00"}, "closes_hour", "Typ het uur waarop de stemronde sluit, zoals 17:00."),
    ({"closes_day": "2026-11-16", "closes_hour": "09:00"}, "closes_day", PAST),
    ({"closes_day": "2020-01-01"}, "closes_day", PAST),
    ({"closes_day": "2027-03-28", "closes_hour": "02:30"}, "closes_day",
     "Die nacht gaat de klok vooruit, dus dit uur bestaat niet: kies een ander uur."),
    ({"reminder_days": "7, nul"}, "reminder_days", "Typ hoogstens tien aantallen dagen van 1 tot 90, zoals 7, 3, 1."),
    ({"options-0-label_nl": ""}, "options-0-label_nl", "Typ hoe deze optie heet, of verwijder ze."),
    ({"options-0-cost_euro": "veel"}, "options-0-cost_euro", "Typ een bedrag, zoals 48.000,00."),
    ({"options-0-cost_euro": "1,005"}, "options-0-cost_euro", "Typ een bedrag in hele centen, zoals 48.000,00."),
    ({"options-0-cost_euro": ""}, "options-0-cost_sharing",
     "Typ de kost die verdeeld wordt, of kies dat hij niet verdeeld wordt."),
    ({"options-0-abstain": "y"}, "options-0-label_nl", "Geef minstens twee opties naast de onthouding."),
    ({"options-2-status_quo": "y"}, "options-2-status_quo",
     "Een onthouding kan niet zijn hoe het blijft zoals het is: vink een van de twee uit."),
    ({"options-0-status_quo": "y", "tie": "status_quo"}, "tie",
     "Duid precies één optie aan als hoe het blijft zoals het is, of kies dat er niets gekozen is."),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "place", "message"), WRONG)
def test_a_mistake_is_said_at_its_field_and_on_top_and_nothing_typed_is_lost(
    console: Console, office: Parts, cooperative: Cooperative, changes: dict[str, str], place: str, message: str
) -> None:
    before = everything(office.db)
    sent = typed(**changes)
    page = page_of(send(console, sent), 422)
    assert at_fields(page) == {place: message}
    assert [text for _, text in summary(page)] == [message]
    kept = in_fields(page, "title_nl")
    shown = {name: value.replace(".", "").replace(",00", "") for name, value in sent.items()}
    lost = {name for name, value in shown.items() if value != kept.get(name, "").replace(".00", "").replace(".", "")}
    assert lost - set(changes) == set()
    assert everything(office.db) == before


def test_all_mistakes_in_a_form_are_said_at_once_in_english_too(console: Console, cooperative: Cooperative) -> None:
    page = page_of(send(console, typed(title_nl="", share="half", minutes="x"), language="en"), 422)
    assert summary(page) == [
        ("title_nl", "Type the question, in Dutch."),
        ("minutes", "Type a number of minutes, from 1 to 120."),
        ("share", "Type a fraction, as in 2/3."),
    ]


def labels(page: str) -> list[str]:
    """The labels of the options in a form."""
    form = in_fields(page, "title_nl")
    return [form[f"options-{n}-label_nl"] for n in range(30) if f"options-{n}-label_nl" in form]


def test_options_are_added_moved_removed_and_put_back_and_nothing_typed_is_lost(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    form = typed(title_nl="", closes_day="nog niet")
    for button, expected in (
        ("add", ["Ja, graag", "Nee, we doen het niet", "Onthouding", ""]),
        ("down-0", ["Nee, we doen het niet", "Ja, graag", "Onthouding", ""]),
        ("up-2", ["Nee, we doen het niet", "Onthouding", "Ja, graag", ""]),
        ("up-0", ["Nee, we doen het niet", "Onthouding", "Ja, graag", ""]),
        ("remove-2", ["Nee, we doen het niet", "Onthouding", ""]),
        ("restore", ["Nee, we doen het niet", "Onthouding", "Ja, graag", ""]),
        ("remove-99", ["Nee, we doen het niet", "Onthouding", "Ja, graag", ""]),
        ("nonsense", ["Nee, we doen het niet", "Onthouding", "Ja, graag", ""]),
    ):
        page = page_of(send(console, form | {"do": button}))
        assert labels(page) == expected, button
        assert summary(page) == [], "a button of the rows judges nothing"
        form = in_fields(page, "title_nl")
    assert (form["title_nl"], form["closes_day"], form["summary_nl"]) == (
        "", "nog niet", "Eén wachtrij voor alle reservaties.",
    )  # fmt: skip
    assert (form["options-2-description_nl"], form["options-2-cost_sharing"], form["options-1-abstain"]) == (
        "Vanaf de zomer.", "equal", "y",
    )  # fmt: skip
    assert slugs(office) == []


def test_a_short_name_that_another_poll_has_names_that_one(console: Console, office: Parts, draft: Poll) -> None:
    page = page_of(send(console, typed(title_nl="Iets anders", slug=SLUG)), 422)
    assert at_fields(page) == {
        "slug": f"“Willen we een gedeelde wachtrij?” heeft de korte naam {SLUG} al: typ hier een andere."
    }
    assert in_fields(page, "title_nl")["title_nl"] == "Iets anders"
    assert slugs(office) == [SLUG]


def test_an_earlier_poll_is_copied_all_but_its_name_and_its_day(console: Console, office: Parts, draft: Poll) -> None:
    add(console, "nota.txt", b"De nota.")
    page = console.get(f"{NEW}?from={SLUG}")
    form = in_fields(page, "title_nl")
    assert (form["slug"], form["closes_day"], form["closes_hour"], form["with_documents"]) == ("", "", "17:00", "y")
    assert "behalve de korte naam en de laatste dag" in text_of(page)
    sent = form | {"closes_day": "18/12/2026", "slug": "wachtrij-2"}
    assert went(send(console, sent)) == "/polls/wachtrij-2/preview?done=poll-drafted"
    made = poll_of(office, "wachtrij-2")
    assert [option.key for option in made.options] == [option.key for option in draft.options]
    assert (made.title_nl, made.more_nl, made.closes_at) == (
        draft.title_nl, draft.more_nl, in_brussels(date(2026, 12, 18), time(17)),
    )  # fmt: skip
    assert [file.name for file in made.attachments] == ["nota.txt"]
    assert recorded(office, made.id)[0][2] == {"slug": "wachtrij-2", "copied_from": SLUG}
    console.get(f"{NEW}?from=nergens", status=404)


def test_a_draft_is_changed_and_the_record_says_what(console: Console, office: Parts, draft: Poll) -> None:
    form = in_fields(console.get(EDIT), "title_nl")
    assert went(send(console, form, EDIT)) == f"/polls/{SLUG}/preview?done=poll-edited"
    assert [act for act, *_ in recorded(office, draft.id)] == ["poll-drafted"], "nothing was changed"
    sent = form | {"title_nl": "Wat wordt het?", "options-0-label_nl": "Graag", "slug": "wachtrij"}
    assert went(send(console, sent, EDIT)) == "/polls/wachtrij/preview?done=poll-edited"
    now = poll_of(office, "wachtrij")
    assert (now.id, now.title_nl, [option.key for option in now.options]) == (
        draft.id, "Wat wordt het?", ["graag", "nee-we-doen-het-niet", "onthouding"],
    )  # fmt: skip
    act, who, detail = recorded(office, draft.id)[-1]
    assert (act, who, sorted(detail["changed"])) == (
        "poll-edited", console.person.actor, ["options", "slug", "title_nl"],
    )  # fmt: skip


def test_of_two_who_change_a_draft_the_second_is_told_and_loses_nothing(
    console: Console, colleague: Console, office: Parts, draft: Poll
) -> None:
    mine = in_fields(console.get(EDIT), "title_nl") | {"title_nl": "Mijn vraag"}
    theirs = in_fields(colleague.get(EDIT), "title_nl") | {"title_nl": "Hun vraag", "minutes": "9"}
    assert went(send(colleague, theirs, EDIT)) == f"/polls/{SLUG}/preview?done=poll-edited"
    page = page_of(send(console, mine, EDIT), 409)
    said = text_of(page)
    assert "Bram Wouters bewaarde een wijziging op maandag 16 november 2026 om 09.00 uur" in said
    assert "Vraag in het Nederlands Hun vraag" in said
    assert "Hoeveel minuten het antwoorden duurt 9" in said
    assert poll_of(office, SLUG).title_nl == "Hun vraag"
    again = in_fields(page, "title_nl")
    assert again["title_nl"] == "Mijn vraag"
    assert went(send(console, again, EDIT)) == f"/polls/{SLUG}/preview?done=poll-edited"
    assert poll_of(office, SLUG).title_nl == "Mijn vraag"


def test_a_poll_that_was_opened_meanwhile_stays_and_what_was_typed_can_be_copied(
    console: Console, office: Parts, draft: Poll
) -> None:
    mine = in_fields(console.get(EDIT), "title_nl") | {"title_nl": "Te laat getypt"}
    with office.db.transaction() as (session, now):
        polls.open_poll(session, draft.id, now, office.basis)
    before = everything(office.db)
    page = page_of(send(console, mine, EDIT), 409)
    assert "Deze stemronde kan niet meer gewijzigd worden" in text_of(page)
    assert "Vraag in het Nederlands: Te laat getypt" in page
    assert "Benaming in het Nederlands: Ja, graag" in page
    assert "Deze stemronde kan niet meer gewijzigd worden" in text_of(console.get(EDIT))
    assert went(send(console, {}, f"/staff/polls/{SLUG}/delete")) == f"/polls/{SLUG}?done=poll-no-draft"
    assert everything(office.db) == before


def test_a_draft_is_thrown_away_for_good_after_one_question(console: Console, office: Parts, draft: Poll) -> None:
    add(console, "nota.txt", b"De nota.")
    path = f"/staff/polls/{SLUG}/delete"
    page = console.get(path)
    assert (
        "Het ontwerp “Willen we een gedeelde wachtrij?” verdwijnt voorgoed en komt niet terug. "
        "1 document gaat mee weg. Niemand kreeg er een mail over, en niemand zal er een krijgen."
    ) in text_of(page)
    form = in_fields(page, "poll_id")
    for _click in range(2):
        assert went(send(console, form, path)) == "/polls?done=poll-deleted"
    assert slugs(office) == []
    assert [act for act, *_ in recorded(office, draft.id)] == ["poll-drafted", "poll-document-added", "poll-deleted"]
    console.get(path, status=404)


def add(console: Console, name: str, content: bytes) -> str:
    """Send a document to the draft: where that leads, or what the page says of it."""
    data = {"files": (io.BytesIO(content), name)}
    return went(console.post_form(f"/staff/polls/{SLUG}/documents", data, page="/staff/me"))


def test_documents_are_sent_read_and_removed(console: Console, office: Parts, draft: Poll) -> None:
    where = f"/staff/polls/{SLUG}/documents"
    assert "Er zijn nog geen documenten." in text_of(console.get(where))
    for _click in range(2):
        assert add(console, "Nota.txt", b"De nota.") == f"/polls/{SLUG}/documents?done=document-added"
    [file] = poll_of(office, SLUG).attachments
    assert (file.name, file.media_type, file.size) == ("Nota.txt", "text/plain", 8)
    answer = console.ask(f"{where}/{file.id}")
    assert (answer.status_code, answer.get_data()) == (200, b"De nota.")
    remove = f"{where}/{file.id}/remove"
    assert "“Nota.txt” verdwijnt uit dit ontwerp." in text_of(console.get(remove))
    for _click in range(2):
        assert went(send(console, {}, remove)) == f"/polls/{SLUG}/documents?done=document-removed"
    assert poll_of(office, SLUG).attachments == []
    console.get(f"{where}/{file.id}", status=404)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nota.html", b"<p>", "nota.html: stuur een pdf-, tekst-, csv-, png- of jpeg-bestand."),
        ("nota.txt.gz", b"x", "nota.txt.gz: stuur een pdf-, tekst-, csv-, png- of jpeg-bestand."),
        ("nota.txt", b"", "nota.txt: in dit bestand staat niets."),
        ("groot.pdf", b"x" * (10 * 1024 * 1024 + 1), "groot.pdf: houd een bestand onder de 10 MB."),
        ("", b"", "Kies eerst een of meer bestanden."),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_in_words(
    console: Console, office: Parts, draft: Poll, name: str, content: bytes, message: str
) -> None:
    said = add(console, name, content)
    assert "Er is niets toegevoegd" in said
    assert message in said
    assert poll_of(office, SLUG).attachments == []


def test_the_whole_field_is_consulted(console: Console, office: Parts, cooperative: Cooperative) -> None:
    sent = typed(audience="whole_field", service="", effect="consultation")
    assert went(send(console, sent)) == f"/polls/{SLUG}/preview?done=poll-drafted"
    made = poll_of(office, SLUG)
    assert (made.audience, made.effect) == (Audience.WHOLE_FIELD, Effect.CONSULTATION)


def test_what_staff_type_is_shown_as_text(console: Console, office: Parts, cooperative: Cooperative) -> None:
    evil = '"><script>alert(1)</script>'
    rows = [OPTIONS[0] | {"label_nl": evil}, *OPTIONS[1:]]
    assert "<script" not in page_of(send(console, typed(*rows, title_nl=evil, summary_nl=evil, share=evil)), 422)
    assert went(send(console, typed(*rows, title_nl=evil, summary_nl=evil, slug="boos"))) == (
        "/polls/boos/preview?done=poll-drafted"
    )
    for page in ("edit", "preview", "preview/page", "preview/paper", "preview/mail", "open", "delete", "documents"):
        assert "<script" not in console.get(f"/staff/polls/boos/{page}")


def test_looking_at_the_pages_of_a_draft_changes_nothing(console: Console, office: Parts, draft: Poll) -> None:
    before = everything(office.db)
    for path in (NEW, f"{NEW}?from={SLUG}", EDIT, f"/staff/polls/{SLUG}/delete", f"/staff/polls/{SLUG}/documents"):
        for language in ("nl", "en"):
            console.get(path, language=language)
    assert everything(office.db) == before
