"""The whole of the main job by a person in a browser, from an empty installation, without a command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from coopmail.domain.staff import StaffRole
from coopmail.jobs.runner import run_all
from coopmail.parts import parts
from tests.builders import build_staff
from tests.conftest import FrozenClock
from tests.e2e.conftest import served

OpenPage = Callable[..., Page]
WORDS = {
    "nl": {
        "mail a code": "Mail me een code", "sign in": "Aanmelden", "polls": "Stemrondes",
        "organisations": "Organisaties", "cast": "Stem uitbrengen", "recorded": "Je stem is genoteerd",
    },
    "en": {
        "mail a code": "Mail me a code", "sign in": "Sign in", "polls": "Polls", "organisations": "Organisations",
        "cast": "Cast vote", "recorded": "Your vote is recorded",
    },
}  # fmt: skip


@dataclass
class Installation:
    """An installation that nobody has used yet, save that it knows its admin."""

    app: Flask
    url: str
    language: str = "nl"

    def run_jobs(self) -> None:
        """What the runner would do now."""
        for _ in range(3):
            run_all(self.app)

    def visit(self, page: Page, path: str) -> None:
        """Open a page in this test's language."""
        page.goto(f"{self.url}{path}{'&' if '?' in path else '?'}lang={self.language}")

    def open_mail(self, page: Page, to: str, subject: str) -> None:
        """Open the newest mail to an address in the local mailbox."""
        self.visit(page, f"/mailbox/?q={to}")
        page.get_by_role("link", name=re.compile(subject)).first.click()


@pytest.fixture
def installation(tmp_path: Path, migrated_sqlite: Path, clock: FrozenClock) -> Iterator[Installation]:
    """The embedded default with an empty database and one admin."""
    with served(tmp_path, migrated_sqlite, clock) as (app, url):
        with parts(app).db.transaction() as (session, now):
            build_staff(session, now(), "Klaar Leroy", StaffRole.ADMIN)
        yield Installation(app, url)


def sign_in(installation: Installation, page: Page) -> None:
    """Ask for a code, read it in the mailbox in another tab, type it."""
    words = WORDS[installation.language]
    installation.visit(page, "/staff/")
    page.get_by_role("textbox").fill("klaar.leroy@cultuurconnect.example")
    page.get_by_role("button", name=words["mail a code"]).click()
    installation.run_jobs()
    mailbox = page.context.new_page()
    installation.open_mail(mailbox, "klaar.leroy", "console|beheer")
    code = re.search(r"^\d{3} \d{3}$", mailbox.locator("pre.plain").inner_text(), re.MULTILINE)
    assert code
    mailbox.close()
    page.get_by_role("textbox").fill(code.group())
    page.get_by_role("button", name=words["sign in"], exact=True).click()
    expect(page).to_have_url(re.compile(r"/staff/\?lang="))


TABLE = (
    "e-mail;naam;type;gemeente;provincie;inwoners;contactpersoon;telefoon;stemt of leest;afname;vanaf\r\n"
    "zoe@boom.example;Bibliotheek Boom;bibliotheek;Boom;Antwerpen;18.000;Zoë Bosmans;03 000 00 01;stemt;Krantenarchief;"
    "2025-01-01\r\n"
    "an@mol.example;Bibliotheek Mol;bibliotheek;Mol;Antwerpen;37.000;An Wouters;03 000 00 02;stemt;Krantenarchief;"
    "2025-01-01\r\n"
    "els@lier.example;Bibliotheek Lier;bibliotheek;Lier;Antwerpen;36.000;Els Claes;03 000 00 03;stemt;Krantenarchief;"
    "2025-01-01\r\n"
)


def import_the_members(installation: Installation, page: Page, folder: Path) -> None:
    """Send a table as Excel saves it, look at what it would do, confirm."""
    file = folder / "coöperanten.csv"
    file.write_bytes(TABLE.encode("cp1252"))
    installation.visit(page, "/staff/organisations/import")
    page.locator("input[type=file]").set_input_files(file)
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("main")).to_contain_text("Zoë Bosmans")
    page.locator("form:has(input[name=seen]) button[type=submit]").click()
    expect(page).to_have_url(re.compile(r"/staff/organisations\?done=organisations-imported"))
    expect(page.locator("main")).to_contain_text("Bibliotheek Lier")


def write_the_poll(installation: Installation, page: Page) -> None:
    """Fill in the form: what is missing is said first, and nothing that was typed is lost."""
    installation.visit(page, "/staff/polls/new")
    page.locator("input[name=title_nl]").fill("Welke weg gaat het Krantenarchief op?")
    page.locator("button[value=save]").last.click()
    expect(page.locator(".errors")).to_be_focused()
    expect(page.locator("input[name=title_nl]")).to_have_value("Welke weg gaat het Krantenarchief op?")
    page.locator("textarea[name=summary_nl]").fill("De leverancier verhoogt zijn prijs.")
    page.locator("textarea[name=more_nl]").fill("## Waarom\n\nEr is een **alternatief**.")
    page.locator("textarea[name=next_step_nl]").fill("De stuurgroep voert de keuze uit.")
    page.locator("select[name=group]").select_option(label="Stuurgroep Digitale Collecties")
    page.locator("input[name=audience][value=service_members]").check()
    page.locator("select[name=service]").select_option(label="Krantenarchief")
    for place, label in enumerate(("Blijven", "Overstappen")):
        page.locator(f"input[name=options-{place}-label_nl]").fill(label)
    for name, value in (("method", "choice"), ("effect", "binding"), ("majority", "simple"), ("tie", "left_open"),
                        ("visibility", "public")):  # fmt: skip
        page.locator(f"input[name={name}][value={value}]").check()
    page.locator("input[name=closes_day]").fill("2026-12-04")
    page.locator("input[name=closes_hour]").fill("17:00")
    page.locator("button[value=save]").last.click()
    expect(page.locator(".said")).to_be_visible()


def answer(installation: Installation, page: Page, to: str, label: str) -> None:
    """Open the mail, press its button, choose, send."""
    words = WORDS[installation.language]
    installation.open_mail(page, to, "Krantenarchief")
    page.frame_locator("iframe").get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/r/ballot\."))
    page.goto(f"{page.url}?lang={installation.language}")
    page.get_by_label(label, exact=True).check()
    page.get_by_role("button", name=words["cast"]).click()
    expect(page.get_by_text(words["recorded"])).to_be_visible()


def record_the_call(installation: Installation, page: Page) -> None:
    """Find who has not answered, and write down the vote that was given by telephone."""
    slug = "welke-weg-gaat-het-krantenarchief-op"
    installation.visit(page, f"/staff/polls/{slug}/calls")
    expect(page.locator("main")).to_contain_text("Bibliotheek Lier")
    expect(page.locator("main")).not_to_contain_text("Bibliotheek Boom")
    expect(page.locator("a[href^='tel:03']").first).to_be_visible()
    page.locator("main a[href*='/votes/']").first.click()
    page.get_by_label("Blijven", exact=True).check()
    page.get_by_label(re.compile("Els Claes")).check()
    page.locator("input[name=channel][value=telephone]").check()
    page.locator("textarea[name=proof]").fill("Belde op maandag.")
    page.locator("main form button[type=submit]").last.click()
    expect(page.locator(".said")).to_be_visible()


@pytest.mark.parametrize("language", ["nl", "en"])
def test_from_an_empty_installation_to_a_decision_that_everybody_reads(
    installation: Installation, open_page: OpenPage, tmp_path: Path, language: str
) -> None:
    installation.language = language
    page = open_page(scripts=False)
    sign_in(installation, page)
    import_the_members(installation, page, tmp_path)
    write_the_poll(installation, page)
    poll = "/staff/polls/welke-weg-gaat-het-krantenarchief-op"

    installation.visit(page, f"{poll}/preview")
    expect(page.locator("main")).to_contain_text("Overstappen")
    expect(page.locator("main")).to_contain_text("Bibliotheek Boom")
    installation.visit(page, f"{poll}/open")
    expect(page.locator("main")).to_contain_text("Bibliotheek Lier")
    page.locator("main form button[type=submit]").last.click()
    expect(page.locator(".said")).to_be_visible()
    installation.run_jobs()

    answer(installation, page, "zoe@boom", "Overstappen")
    answer(installation, page, "an@mol", "Blijven")
    record_the_call(installation, page)
    installation.run_jobs()
    installation.open_mail(page, "els@lier", "Bibliotheek Lier")
    expect(page.locator("pre.plain")).to_contain_text("Blijven")

    installation.visit(page, poll)
    for name in ("Zoë Bosmans", "An Wouters", "Els Claes"):
        expect(page.locator("main")).to_contain_text(name)
    installation.visit(page, f"{poll}/close")
    page.locator("main form button[type=submit]").last.click()
    expect(page.locator(".said")).to_be_visible()
    installation.run_jobs()

    installation.visit(page, f"{poll}/decide")
    page.locator("[name=text_nl]").fill("We blijven bij de leverancier.")
    page.locator("[name=grounds]").fill("De stemronde: 2 van de 3 stemmen.")
    page.locator("main form button[type=submit]").last.click()
    expect(page.locator(".said")).to_be_visible()

    page.context.clear_cookies()
    installation.visit(page, "/decisions")
    page.locator("main a[href*='/decisions/2026-001']").first.click()
    expect(page.locator("main")).to_contain_text("We blijven bij de leverancier.")
