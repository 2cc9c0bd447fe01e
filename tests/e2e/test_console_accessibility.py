"""Every page of the console: axe without a finding, and nothing wider than a small telephone (which is 400 % zoom)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from coopmail.domain.staff import StaffRole
from coopmail.web.staff.console import COOKIE
from tests.builders import build_staff
from tests.console import Console
from tests.e2e.conftest import Live
from tests.e2e.test_accessibility import findings
from tests.web.staff.routes import ROUTES
from tests.web.staff.test_access import rules
from tests.web.staff.world import build_world

OpenPage = Callable[..., Page]
THE_MAIL_ITSELF = "staff.poll_preview_mail"
"""No page: what a frame shows. As every mail it is laid out in tables, and in the language that is asked of it."""


@pytest.mark.parametrize(("language", "dark"), [("nl", False), ("en", True)], ids=["nl-light", "en-dark"])
def test_no_page_of_the_console_has_a_finding_and_none_is_wider_than_a_small_telephone(
    live: Live, open_page: OpenPage, language: str, dark: bool
) -> None:
    with live.office.db.transaction() as (session, now):
        person = build_staff(session, now(), "Ria Claes", StaffRole.ADMIN)
    browser = Console.of(live.app, live.office, person)
    world = build_world(live.office, live.cooperative, live.poll, person)
    page = open_page(bypass_csp=True, dark=dark, width=320)
    cookie = browser.client.get_cookie(COOKIE, path="/staff")
    assert cookie is not None
    page.context.add_cookies([{"name": COOKIE, "value": cookie.value, "url": f"{live.url}/staff/"}])
    wrong: dict[str, list[str]] = {}
    seen = 0
    methods = rules(live.app)
    for endpoint, route in ROUTES.items():
        path = world.path(route.path)
        if "GET" not in methods[endpoint] or endpoint == THE_MAIL_ITSELF:
            continue
        answer = browser.ask(path, language=language)
        if answer.mimetype != "text/html" or answer.status_code != 200:
            continue
        page.goto(f"{live.url}{path}?lang={language}")
        seen += 1
        found = findings(page)
        if page.evaluate("document.documentElement.scrollWidth") > 320:
            found.append("wider than 320 pixels")
        if page.locator("html").get_attribute("lang") != language:
            found.append("in another language")
        if found:
            wrong[endpoint] = found
    assert wrong == {}
    assert seen > 80
