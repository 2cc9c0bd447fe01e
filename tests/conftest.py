"""Fixtures: an application on each of the two databases, a clock that stands still, a small cooperative, its mail."""

from __future__ import annotations

import email
import email.policy
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from coopmail import create_app
from coopmail.actions import polls
from coopmail.cli.server import upgrade_database
from coopmail.config import Settings
from coopmail.domain.calendar import in_brussels
from coopmail.domain.polls import Poll
from coopmail.jobs.runner import run_all
from coopmail.parts import Parts, parts
from coopmail.web.public import limiter
from tests.builders import Cooperative, build_cooperative, build_poll
from tests.servers import postgresql

MONDAY = in_brussels(date(2026, 11, 16), time(9))
CLOSING = in_brussels(date(2026, 12, 4), time(17))


class FrozenClock:
    """A clock that moves when it is told to."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def move_to(self, moment: datetime) -> None:
        """Travel."""
        self.moment = moment.astimezone(UTC)

    def advance(self, **by: float) -> None:
        """Let time pass."""
        self.moment += timedelta(**by)


@dataclass(frozen=True)
class Received:
    """A mail as it arrived."""

    template: str
    to: str
    subject: str
    text: str
    html: str
    message: EmailMessage

    @property
    def link(self) -> str:
        """The path of the first personal link in the text part."""
        found = re.search(r"^http://[^/\s]+(/r/[^\s/?]+)$", self.text, re.MULTILINE)
        assert found, self.text
        return found.group(1)


@pytest.fixture
def clock() -> FrozenClock:
    """Monday 16 November 2026, nine o'clock in Brussels."""
    return FrozenClock(MONDAY)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A server for the whole run."""
    with postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, to be copied."""
    file = tmp_path_factory.mktemp("template") / "template.sqlite"
    upgrade_database(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: str) -> sa.URL:
    """A migrated database, to be copied by the server."""
    url = sa.make_url(postgresql_server)
    _administer(url, "CREATE DATABASE coopmail_template")
    upgrade_database(url.set(database="coopmail_template").render_as_string(hide_password=False))
    return url


def _administer(url: sa.URL, statement: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty migrated database: each test that touches one runs on both."""
    if request.param == "sqlite":
        template = request.getfixturevalue("migrated_sqlite")
        shutil.copy(template, tmp_path / "coopmail.sqlite")
        yield f"sqlite:///{tmp_path}/coopmail.sqlite"
        return
    server: sa.URL = request.getfixturevalue("migrated_postgresql")
    name = f"t{uuid.uuid4().hex}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE coopmail_template")
    yield server.set(database=name).render_as_string(hide_password=False)
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of the embedded kind."""
    return Settings(
        secret_keys={1: "a key that only the tests know, and long enough"},
        database_url=database_url,
        mailbox=tmp_path / "mailbox",
        key_folder=tmp_path / "poll-keys",
        base_url="http://localhost",
    )


@pytest.fixture
def app(settings: Settings, clock: FrozenClock) -> Iterator[Flask]:
    """The application, with a clock that stands still."""
    app = create_app(settings, system_clock=clock)
    app.testing = True
    limiter.reset()
    yield app
    parts(app).db.close()


@pytest.fixture
def office(app: Flask) -> Parts:
    """The application's parts."""
    return parts(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without scripts."""
    return app.test_client()


@pytest.fixture
def cooperative(office: Parts) -> Cooperative:
    """The small cooperative of `builders.py`."""
    with office.db.transaction() as (session, now):
        return build_cooperative(session, now())


@pytest.fixture
def secret(request: pytest.FixtureRequest) -> bool:
    """Whether the poll is secret: only where a test asks for it, by an indirect parameter."""
    return bool(getattr(request, "param", False))


@pytest.fixture
def poll(office: Parts, cooperative: Cooperative, secret: bool) -> Poll:
    """A poll of the Krantenarchief's members, open until Friday 4 December 2026 at 17.00."""
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, secret=secret)
        return polls.open_poll(session, draft.id, now, office.basis)


@pytest.fixture
def deliver(app: Flask, office: Parts) -> Callable[[], list[Received]]:
    """Run every job and return the mails that came since the last call, the earliest first."""
    seen: set[str] = set()

    def run() -> list[Received]:
        for _ in range(3):  # one job may cause another's mail
            run_all(app)
        fresh = []
        for file in sorted(office.settings.mailbox.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns):
            if file.name not in seen:
                seen.add(file.name)
                fresh.append(_parse(file))
        return fresh

    return run


def _parse(file: Path) -> Received:
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return Received(
        template=str(message["X-Coopmail-Mail"]),
        to=str(message["To"].addresses[0].addr_spec),
        subject=str(message["Subject"]),
        text=text.get_content().replace("\r\n", "\n"),
        html=html.get_content(),
        message=message,
    )
