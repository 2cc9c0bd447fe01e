"""An installation on PostgreSQL of which processes run on their own, seen from the test's process too."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from flask import Flask

from coopmail import create_app
from coopmail.actions import polls
from coopmail.config import Settings
from coopmail.db import Database
from coopmail.domain.links import Invitation, Link
from coopmail.domain.outbox import WAITING, Mail
from coopmail.domain.polls import Ballot, VotingUnit
from coopmail.doorbell import doorbell
from coopmail.parts import Parts, parts
from tests.builders import build_cooperative, build_poll
from tests.servers import SETTINGS, fresh_database

NOBODY = "redis://127.0.0.1:1/0"
"""Where no Redis is."""
VOTERS = ("Aartselaar", "Boom", "Duffel", "Lier")


@dataclass(frozen=True)
class Installation:
    """`settings` are what `tests.servers.coopmail` wants; `app` is the same installation in this process.

    What is done by `app` rings nobody: then only the schedule finds it. `ring` rings.
    """

    app: Flask
    settings: dict[str, str]
    mailbox: Path

    @property
    def office(self) -> Parts:
        """The parts of `app`."""
        return parts(self.app)

    def open_poll(self) -> int:
        """Open a poll for two weeks from now; its invitations are five mails."""
        with self.office.db.transaction() as (session, now):
            cast = build_cooperative(session, now())
            closes_at: datetime = now() + timedelta(days=14)
            draft = build_poll(session, cast, closes_at=closes_at)
            return polls.open_poll(session, draft.id, now, self.office.basis).id

    def vote(self, library: str, *, rings: bool = False) -> None:
        """Answer for a library, which queues a receipt."""
        db = self.office.db
        if rings:
            db = Database(db.url, doorbell=doorbell(self.settings["REDIS_URL"]))
        with db.transaction() as (session, now):
            invitation = session.scalars(
                sa.select(Invitation.id)
                .join(VotingUnit, VotingUnit.id == Invitation.unit_id)
                .where(VotingUnit.name == f"Bibliotheek {library}")
                .order_by(Invitation.id)
            ).first()
            assert invitation is not None
            polls.cast_ballot(session, now, invitation, ("keep",), library)
        if rings:
            db.close()

    def link(self, library: str) -> str:
        """The path of the first personal link of a library."""
        with self.office.db.reading() as (session, _):
            link = session.scalars(
                sa.select(Link)
                .join(Invitation, Invitation.id == Link.invitation_id)
                .join(VotingUnit, VotingUnit.id == Invitation.unit_id)
                .where(VotingUnit.name == f"Bibliotheek {library}")
                .order_by(Link.id)
            ).first()
        assert link is not None
        return f"/r/{self.office.signer.sign(link.kind, link.id, link.key_version)}"

    def unsent(self) -> int:
        """How many mails wait."""
        with self.office.db.reading() as (session, _):
            return session.scalars(sa.select(sa.func.count()).select_from(Mail).where(Mail.state.in_(WAITING))).one()

    def answers(self) -> int:
        """How many answers are recorded."""
        with self.office.db.reading() as (session, _):
            return session.scalars(sa.select(sa.func.count()).select_from(Ballot)).one()

    def letters(self) -> int:
        """How many mails are in the local mailbox."""
        return len(list(self.mailbox.glob("*.eml")))


@contextmanager
def installation(template: sa.URL, folder: Path, redis_url: str | None = None, **more: str) -> Iterator[Installation]:
    """A fresh database and what its processes must be told; `more` are further settings."""
    with fresh_database(template) as url:
        place = folder / uuid.uuid4().hex
        settings = {
            "DATABASE_URL": url,
            "MAILBOX": str(place / "mailbox"),
            "KEY_FOLDER": str(place / "keys"),
            **({"REDIS_URL": redis_url} if redis_url else {}),
            **more,
        }
        quiet = {name: value for name, value in (SETTINGS | settings).items() if name != "REDIS_URL"}
        app = create_app(Settings.from_env({f"COOPMAIL_{name}": value for name, value in quiet.items()}))
        try:
            yield Installation(app, settings, place / "mailbox")
        finally:
            parts(app).db.close()
