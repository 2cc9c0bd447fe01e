"""axe-core without a finding on every page, in both languages, light and dark; nothing wider than a small telephone."""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from coopmail.actions import decisions, polls
from tests.builders import build_poll
from tests.conftest import CLOSING
from tests.e2e.conftest import ROOT, Live

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OpenPage = Callable[..., Page]


def findings(page: Page) -> list[str]:
    """What axe finds on the page that is open, its frames read to the end: axe looks into them."""
    for frame in page.frames:
        frame.wait_for_load_state()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found["violations"] for node in rule["nodes"]]


def links(live: Live) -> dict[str, str]:
    """The paths of the personal links in the mailbox since it was last emptied, by template and addressee."""
    found: dict[str, str] = {}
    for file in live.office.settings.mailbox.glob("*.eml"):
        message = email.message_from_bytes(file.read_bytes())
        text = message.get_payload(0).get_payload(decode=True).decode()  # type: ignore[union-attr]
        match = re.search(r"^http://[^/]+(/r/\S+?)\r?$", text, re.MULTILINE)
        if match:
            found[f"{message['X-Coopmail-Mail']} {str(message['To']).split('<')[-1].rstrip('>')}"] = match.group(1)
    return found


def pages(live: Live, page: Page) -> Iterator[str]:
    """Open every page in every state, and name each."""
    path = links(live)
    els = path["ballot-invitation els.peeters@aartselaar.example"]
    jan = path["ballot-invitation jan.maes@aartselaar.example"]
    boom = path["ballot-invitation bibliotheek@boom.example"]

    def visit(where: str, name: str) -> str:
        page.goto(f"{live.url}{where}{'&' if '?' in where else '?'}lang={live.language}")  # type: ignore[attr-defined]
        return name

    for where, name in (
        ("/", "home"), ("/polls/krantenarchief", "open poll"), ("/link", "new link"), ("/nowhere", "not found"),
        ("/r/nothing", "no link"), ("/mailbox/", "mailbox"), ("/mailbox/?q=zzz", "empty mailbox search"),
        (els, "ballot"), (f"{els}?choice=move", "ballot, pointed"), (boom, "ballot of a shared mailbox"),
        (f"{els}/draft", "draft"), (f"{els}/person", "person"),
    ):  # fmt: skip
        yield visit(where, name)
    visit("/mailbox/", "mailbox")
    page.locator("main a[href*='/mailbox/']").first.click()
    yield "message"
    visit("/link", "new link")
    page.locator("form[method=post] button").click()
    yield "new link, refused"
    page.locator("input[name=email]").fill("els.peeters@aartselaar.example")
    page.locator("form[method=post] button").click()
    yield "new link, sent"
    visit(f"{els}/person", "person")
    page.locator("form[method=post] button").click()
    yield "person, refused"
    page.locator("input[name=name]").fill("Nora Smets")
    page.locator("input[name=email]").fill("nora@aartselaar.example")
    page.locator("input[value=beside]").check()
    page.locator("form[method=post] button").click()
    yield "person, named"
    live.run_jobs()
    nora = links(live)["contact-details-invitation nora@aartselaar.example"]
    yield visit(nora, "contact details")
    page.locator("form[method=post] button").click()
    yield "contact details, refused"
    page.locator("input[value=decline]").check()
    page.locator("form[method=post] button").click()
    yield "contact details, declined"
    visit(boom, "ballot")
    page.locator("form[method=post] button").click()
    yield "ballot, refused"
    visit(els, "ballot")
    page.locator("input[value=move]").check()
    page.locator("form[method=post] button").click()
    yield "ballot, answered"
    yield visit(jan, "ballot, answered by a colleague")
    live.clock.move_to(CLOSING)
    yield visit(els, "ballot, closed and not yet counted")
    live.run_jobs()
    yield visit(els, "outcome")
    yield visit(jan, "outcome, answered by a colleague")
    yield visit("/polls/krantenarchief", "public outcome")
    with live.office.db.transaction() as (session, now):
        decisions.decide_poll(session, live.poll.id, now, "We stappen over.", "We move.", "De stemronde.")
    yield visit(els, "decided")
    with live.office.db.transaction() as (session, now):
        second = build_poll(session, live.cooperative, closes_at=CLOSING.replace(year=2027), slug="second",
                            method_name="approval", audience="group_seats", service_id=None)  # fmt: skip
        polls.open_poll(session, second.id, now, live.office.basis)
    for file in live.office.settings.mailbox.glob("*.eml"):
        file.unlink()
    live.run_jobs()
    seat = links(live)["ballot-invitation els.peeters@aartselaar.example"]
    yield visit(seat, "approval")
    yield visit(f"{seat}/person", "personal seat")
    with live.office.db.transaction() as (session, now):
        polls.withdraw_poll(session, second.id, now, "Niet meer nodig.")
    yield visit(seat, "withdrawn")
    yield visit("/polls/second", "public withdrawn")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", ["nl", "en"])
def test_no_page_has_a_finding_and_none_is_wider_than_a_small_telephone(
    live: Live, open_page: OpenPage, language: str, dark: bool
) -> None:
    live.language = language  # type: ignore[attr-defined]
    page = open_page(bypass_csp=True, dark=dark, width=320)
    wrong: dict[str, list[str]] = {}
    seen = 0
    for name in pages(live, page):
        seen += 1
        found = findings(page)
        if page.evaluate("document.documentElement.scrollWidth") > 320:
            found.append("wider than 320 pixels")
        if page.locator("html").get_attribute("lang") != language:
            found.append("in another language")
        if found:
            wrong[name] = found
    assert wrong == {}
    assert seen == 32


def test_the_borders_of_fields_stand_out_by_three_to_one(live: Live, open_page: OpenPage) -> None:
    """axe does not look at this (WCAG 1.4.11)."""

    def luminance(colour: str) -> float:
        channels = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for dark in (False, True):
        page = open_page(dark=dark)
        page.goto(f"{live.url}/link")
        border = page.locator("input[name=email]").evaluate("field => getComputedStyle(field).borderTopColor")
        behind = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        light, dim = sorted((luminance(border), luminance(behind)), reverse=True)
        assert (light + 0.05) / (dim + 0.05) >= 3


def test_the_stylesheet_is_small() -> None:
    assert len((ROOT / "templates" / "static" / "coopmail.css").read_bytes()) < 15_000
    assert not list(Path(ROOT / "templates").rglob("*.js"))
