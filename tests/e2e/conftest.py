"""A real server, a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright

from coopmail import create_app
from coopmail.actions import polls
from coopmail.cli.server import http_server
from coopmail.config import Settings
from coopmail.domain.polls import Poll
from coopmail.jobs.runner import run_all
from coopmail.parts import Parts, parts
from coopmail.web.public import limiter
from tests.builders import Cooperative, build_cooperative, build_poll
from tests.conftest import CLOSING, FrozenClock
from tests.servers import serving

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync")  # fmt: skip


@dataclass
class Live:
    """A served application with an open poll, and a clock to move."""

    app: Flask
    url: str
    clock: FrozenClock
    poll: Poll
    cooperative: Cooperative

    @property
    def office(self) -> Parts:
        """Its parts."""
        return parts(self.app)

    def run_jobs(self) -> None:
        """What the runner would do now."""
        for _ in range(3):
            run_all(self.app)


@contextmanager
def served(folder: Path, migrated: Path, clock: FrozenClock) -> Iterator[tuple[Flask, str]]:
    """The embedded default on a port of its own, with an empty database: the application, and its address."""
    shutil.copy(migrated, folder / "coopmail.sqlite")
    key = "a key that only the tests know, and long enough"
    settings = Settings(
        secret_keys={1: key}, database_url=f"sqlite:///{folder}/coopmail.sqlite", mailbox=folder / "mailbox",
        key_folder=folder / "poll-keys",
    )  # fmt: skip
    server = http_server(Flask("waiting"), settings, "127.0.0.1", 0)
    settings = replace(settings, base_url=f"http://127.0.0.1:{server.effective_port}")
    app = create_app(settings, system_clock=clock)
    server.application = app
    limiter.reset()
    with serving(server):
        yield app, settings.base_url
    parts(app).db.close()


@pytest.fixture
def live(tmp_path: Path, migrated_sqlite: Path, clock: FrozenClock) -> Iterator[Live]:
    """A small cooperative with an open poll, the invitations sent."""
    with served(tmp_path, migrated_sqlite, clock) as (app, url):
        with parts(app).db.transaction() as (session, now):
            cast = build_cooperative(session, now())
            poll = polls.open_poll(session, build_poll(session, cast, closes_at=CLOSING).id, now, parts(app).basis)
        found = Live(app, url, clock, poll, cast)
        found.run_jobs()
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the run; a machine without it fails."""
    path = shutil.which("chromium")
    assert path, "chromium is not on this machine: `make test` installs it, or `apt install chromium`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a window: `scripts`, `dark`, `width`; a fault on a page fails the test."""
    contexts = []

    def open_(*, scripts: bool = True, dark: bool = False, width: int = 1280, bypass_csp: bool = False) -> Page:
        context = chromium.new_context(
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": 900},
            bypass_csp=bypass_csp,
            locale="nl-BE",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        return context.new_page()

    yield open_
    for context in contexts:
        context.close()
