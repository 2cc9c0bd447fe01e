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
