"""A person votes in secret, notes the receipt code, and finds it in the published list; every page of it is sound."""

from __future__ import annotations

import pytest

from coopmail.actions import polls
from tests.conftest import CLOSING
from tests.e2e.conftest import Live
from tests.e2e.test_accessibility import OpenPage, findings, links
from tests.secrecy import build_libraries, invited, open_secret_poll


@pytest.mark.parametrize(("language", "dark"), [("nl", False), ("en", True)], ids=["nl light", "en dark"])
def test_a_voter_finds_the_own_code_in_the_list_and_no_page_has_a_finding(
    live: Live, open_page: OpenPage, language: str, dark: bool
) -> None:
    for file in live.office.settings.mailbox.glob("*.eml"):
        file.unlink()
    with live.office.db.transaction() as (session, now):
        build_libraries(session, live.cooperative, 6, now())
    poll = open_secret_poll(live.office, live.cooperative)
    live.run_jobs()
    path = links(live)
    els, jan = (path[f"ballot-invitation {who}@aartselaar.example"] for who in ("els.peeters", "jan.maes"))
    page = open_page(bypass_csp=True, dark=dark, width=320)
    wrong: dict[str, list[str]] = {}

    def look(where: str, name: str) -> None:
        page.goto(f"{live.url}{where}?lang={language}")
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        found = findings(page)
        if page.evaluate("document.documentElement.scrollWidth") > 320:
            found.append("wider than 320 pixels")
        if found:
            wrong[name] = found

    look(els, "ballot")
    look("/polls/geheim", "public, open")
    look(f"{els}/draft", "draft")
    page.goto(f"{live.url}{els}?lang={language}")
    page.locator("input[value=move]").check()
    page.locator("form[method=post] button").click()
    code = page.locator("#answered code").inner_text()
    look(els, "answered")
    look(f"{els}/draft", "answer on paper")
    assert page.locator("dd code").inner_text() == code
    look(jan, "answered by a colleague")
    assert page.locator("code").count() == 0
    for invitation, _, name in invited(live.office, poll)[-6:]:
        with live.office.db.transaction() as (session, now):
            polls.cast_ballot(session, now, invitation, ("keep",), name, live.office.basis.vault)
    live.clock.move_to(CLOSING)
    look(els, "closed and not yet counted")
    live.run_jobs()
    look("/polls/geheim", "public outcome")
    look(els, "outcome")
    row = page.locator("tr", has=page.locator("code", has_text=code))
    assert (
        row.locator("td").inner_text() == {"nl": "Naar een open platform", "en": "Move to an open platform"}[language]
    )
    assert page.locator("tr code").count() == 7
    assert wrong == {}
