"""The main job in a real browser: mailbox, link, vote, change, receipt, closing, outcome; both languages, with and
without scripts, by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import CLOSING
from tests.e2e.conftest import Live

WORDS = {
    "nl": {
        "option": "Naar een open platform", "other": "Bij de leverancier blijven", "button": "Stem uitbrengen",
        "recorded": "Je stem is genoteerd", "change": "Het antwoord wijzigen", "choose": "Kies één optie.",
        "outcome": "“Bij de leverancier blijven” is gekozen, met 1 van de 1 geldige stemmen.",
        "open": "Open je stembrief", "until": "vrijdag 4 december 2026 om 17.00 uur",
    },
    "en": {
        "option": "Move to an open platform", "other": "Stay with the supplier", "button": "Cast vote",
        "recorded": "Your vote is recorded", "change": "Change the answer", "choose": "Choose one option.",
        "outcome": "“Stay with the supplier” is chosen, with 1 of 1 valid votes.",
        "open": "Open your ballot", "until": "Friday 4 December 2026 at 17:00",
    },
}  # fmt: skip
OpenPage = Callable[..., Page]


def open_mail(page: Page, live: Live, to: str, subject: re.Pattern[str]) -> None:
    """Open the newest mail to an address in the local mailbox."""
    page.goto(f"{live.url}/mailbox/?q={to}")
    page.get_by_role("link", name=subject).first.click()


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without-scripts"])
@pytest.mark.parametrize("language", ["nl", "en"])
def test_from_the_mail_to_the_outcome(live: Live, open_page: OpenPage, language: str, scripts: bool) -> None:
    words = WORDS[language]
    with live.office.db.transaction() as (session, _):
        session.merge(live.cooperative.contacts["boom"]).language = language
        session.merge(live.cooperative.contacts["els"]).language = language
    page = open_page(scripts=scripts, width=390)
    open_mail(page, live, "els.peeters", re.compile("Bibliotheek Aartselaar"))
    frame = page.frame_locator("iframe")
    frame.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/r/ballot\."))
    if language == "en":
        # The mail went out in Dutch before the language was changed; the page follows the contact.
        expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_text(words["until"]).first).to_be_visible()

    page.get_by_role("button", name=words["button"]).click()
    expect(page.get_by_role("link", name=words["choose"])).to_be_visible()

    page.get_by_label(words["option"]).check()
    page.get_by_role("button", name=words["button"]).click()
    expect(page.get_by_text(words["recorded"])).to_be_visible()
    expect(page.locator("main")).to_contain_text(words["option"])

    page.get_by_text(words["change"]).click()
    page.get_by_label(words["other"]).check()
    page.get_by_role("button", name=words["button"]).click()
    expect(page.get_by_text(words["recorded"])).to_be_visible()
    expect(page.locator("main")).to_contain_text(words["other"])
    ballot = page.url

    live.run_jobs()
    open_mail(page, live, "els.peeters", re.compile("genoteerd" if language == "nl" else "recorded"))
    expect(page.locator("pre.plain")).to_contain_text(words["other"])

    live.clock.move_to(CLOSING)
    live.run_jobs()
    open_mail(page, live, "els.peeters", re.compile("uitslag" if language == "nl" else "outcome"))
    expect(page.frame_locator("iframe").get_by_role("heading", name=words["outcome"])).to_be_visible()
    page.goto(ballot)
    expect(page.get_by_text(words["outcome"]).first).to_be_visible()
    expect(page.locator("textarea")).to_have_value(re.compile(re.escape(words["outcome"])))
    page.goto(f"{live.url}/polls/krantenarchief?lang={language}")
    expect(page.get_by_text(words["outcome"]).first).to_be_visible()


def test_a_vote_by_keyboard_alone(live: Live, open_page: OpenPage) -> None:
    page = open_page()
    open_mail(page, live, "els.peeters", re.compile("Bibliotheek Aartselaar"))
    page.frame_locator("iframe").get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/r/ballot\."))
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "choice":
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    page.keyboard.press("Enter")
    expect(page.get_by_text("Je stem is genoteerd")).to_be_visible()


def test_an_error_takes_the_focus_and_leads_to_its_field(live: Live, open_page: OpenPage) -> None:
    page = open_page()
    open_mail(page, live, "bibliotheek@boom", re.compile("Bibliotheek Boom"))
    page.frame_locator("iframe").get_by_role("link").first.click()
    page.get_by_role("button", name="Stem uitbrengen").click()
    summary = page.locator("[autofocus]")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Typ je eigen naam").click()
    expect(page.get_by_label("Je eigen naam")).to_be_focused()
    page.get_by_label("Je eigen naam").fill("Sofie De Backer")
    page.get_by_role("button", name="Stem uitbrengen").click()
    expect(page.get_by_label("Je eigen naam")).to_have_value("Sofie De Backer")


def test_a_scanner_with_scripts_that_presses_everything_changes_nothing(live: Live, open_page: OpenPage) -> None:
    from tests.web.pages import everything

    links = []
    page = open_page()
    for name in ("els.peeters", "bibliotheek@boom"):
        open_mail(page, live, name, re.compile("Bibliotheek"))
        page.frame_locator("iframe").get_by_role("link").first.click()
        expect(page).to_have_url(re.compile(r"/r/ballot\."))
        links.append(page.url)
    before = everything(live.office.db)
    for link in links:
        for path in (link, f"{link}?choice=move", f"{link}/person"):
            page.goto(path)
            for number in range(page.locator("button").count()):
                page.goto(path)
                page.locator("button").nth(number).click()
            for number in range(page.locator("form").count()):
                page.goto(path)
                with page.expect_navigation():
                    page.evaluate("number => HTMLFormElement.prototype.submit.call(document.forms[number])", number)
    assert everything(live.office.db) == before
    page.goto(links[0])
    page.get_by_label("Naar een open platform").check()
    page.get_by_role("button", name="Stem uitbrengen").click()
    expect(page.get_by_text("Je stem is genoteerd")).to_be_visible()
