"""`coopmail demo`: the demonstration cooperative on the embedded default, in one process."""

from __future__ import annotations

import os
import secrets
import shutil
from datetime import datetime, time, timedelta
from pathlib import Path

import click
from flask import Flask

from coopmail import create_app
from coopmail.actions import polls
from coopmail.cli.demonstration import load
from coopmail.cli.poll_file import build_poll, read_poll_file
from coopmail.cli.server import check_port, run_server, upgrade_database
from coopmail.config import ROOT, Settings
from coopmail.db import DEMONSTRATION, Database
from coopmail.domain.base import InstallationMark
from coopmail.domain.calendar import BRUSSELS, brussels_day, working_day_on_or_before
from coopmail.domain.polls import PollState, Visibility
from coopmail.mail.delivery import deliver_due
from coopmail.parts import parts
from coopmail.queries import outbox
from coopmail.queries import polls as questions

POLL_FILES = ROOT / "coopmail" / "data" / "polls"
DAYS_OPEN = 18


def run_demo(seed: int, port: int, *, reset: bool) -> None:
    """Make the demonstration where there is none, open its polls, send their mails, and serve."""
    folder = ROOT / "var"
    database, mailbox = folder / "coopmail.sqlite", folder / "mailbox"
    if any(name.startswith("COOPMAIL_") for name in os.environ):
        click.echo("The demonstration has settings of its own: the COOPMAIL_ ones that are set here are not used.")
    check_port("127.0.0.1", port)  # before anything is thrown away or promised
    if reset:
        for file in folder.glob("coopmail.sqlite*"):
            file.unlink()
        shutil.rmtree(mailbox, ignore_errors=True)
    settings = Settings(
        secret_keys={1: secret_key(folder / "secret-key")},
        database_url=f"sqlite:///{database}",
        mailbox=mailbox,
        base_url=f"http://127.0.0.1:{port}",
    )
    upgrade_database(settings.database_url)
    app = create_app(settings)
    _prepare(app, seed)
    _send_with_progress(app)
    _say_what_to_open(app)
    parts(app).db.close()
    run_server(settings, "127.0.0.1", port)


def secret_key(file: Path) -> str:
    """The key of this installation, made once and readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(48))
    return file.read_text().strip()


def load_demonstration(database: Database, app: Flask, seed: int) -> bool:
    """Fill an empty database, in one transaction; false where the demonstration is there already."""
    with database.transaction() as (session, now):
        if session.get(InstallationMark, DEMONSTRATION) is not None:
            return False
        load(session, now(), parts(app).charter, seed)
        return True


def open_demonstration_polls(app: Flask, closes_at: datetime | None = None) -> list[str]:
    """Draft and open the polls of `data/polls/` that are not there yet; returns their slugs."""
    office = parts(app)
    opened = []
    for file in sorted(POLL_FILES.glob("*.toml")):
        entry = read_poll_file(file)
        with office.db.transaction() as (session, now):
            if any(poll.slug == entry.slug for poll in questions.listing(session)):
                continue
            day = working_day_on_or_before(brussels_day(now()) + timedelta(days=DAYS_OPEN))
            entry.closes = closes_at or datetime.combine(day, time(17), BRUSSELS)
            poll = build_poll(session, entry, file.parent, office.charter.polls_on(brussels_day(now())))
            polls.draft_poll(session, now, poll)
            polls.open_poll(session, poll.id, now, office.basis)
            opened.append(entry.slug)
    return opened


def _prepare(app: Flask, seed: int) -> None:
    if load_demonstration(parts(app).db, app, seed):
        click.echo("The demonstration cooperative is loaded: 303 libraries, 2 culture centres, invented contacts.")
    for slug in open_demonstration_polls(app):
        click.echo(f"Poll {slug} is open.")


def _send_with_progress(app: Flask) -> None:
    """Send what waits before serving, so that the mailbox is whole when it is opened."""
    office = parts(app)
    with office.db.reading() as (session, now):
        total = outbox.due(session, now())
    if total == 0:
        return
    with click.progressbar(length=total, label="Sending mails") as bar:
        while sent := deliver_due(app, seconds=0.5):
            bar.update(sent)


def _say_what_to_open(app: Flask) -> None:
    office = parts(app)
    base = office.settings.base_url
    click.echo(
        f"\nOpen in a browser (Ctrl+C ends):\n  the local mailbox   {base}/mailbox/\n  the public pages    {base}/\n"
        f"  the console         {base}/staff/   as {office.charter.cooperative.community_manager.email};"
        " the code is mailed to the local mailbox"
    )
    with office.db.reading() as (session, _):
        for poll in questions.listing(session, (PollState.OPEN, PollState.CLOSED, PollState.DECIDED)):
            if poll.visibility is Visibility.PUBLIC:
                click.echo(f"  {poll.state.value:<18}  {base}/polls/{poll.slug}")
    click.echo(
        "\nBeside it, in another terminal, to follow and close a poll: .venv/bin/coopmail polls list, with"
        f"\n  export COOPMAIL_SECRET_KEYS=1:$(cat var/secret-key) COOPMAIL_BASE_URL={base}\n"
    )
