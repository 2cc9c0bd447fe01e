"""The field that is measured on: organisations with a contact each, and a poll that they are all asked to answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from coopmail import create_app
from coopmail.actions import polls
from coopmail.cli.poll_file import build_poll, read_poll_file
from coopmail.cli.server import upgrade_database
from coopmail.config import ROOT, Relay, Settings
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Group, GroupKind
from coopmail.domain.links import Invitation, Link
from coopmail.domain.organisations import Organisation, OrganisationKind
from coopmail.domain.services import Service, Subscription
from coopmail.parts import Parts, parts

CHUNK = 5_000
KEYS = {1: "a key of the benchmarks that opens nothing else"}
POLL_FILE = ROOT / "coopmail" / "data" / "polls" / "krantenarchief.toml"


def settings_of(url: str, folder: Path, relay_port: int | None = None) -> Settings:
    """The settings of an installation in a folder; without a relay its mail stays in the local mailbox."""
    relay = Relay("127.0.0.1", relay_port, "none") if relay_port else None
    return Settings(secret_keys=KEYS, database_url=url, mailbox=folder / "mailbox", key_folder=folder / "keys",
                    relay=relay, base_url="http://127.0.0.1", run_jobs=False)  # fmt: skip


def environment_of(settings: Settings) -> dict[str, str]:
    """The same settings for a process of its own."""
    found = {
        "COOPMAIL_SECRET_KEYS": ",".join(f"{version}:{key}" for version, key in settings.secret_keys.items()),
        "COOPMAIL_DATABASE_URL": settings.database_url,
        "COOPMAIL_MAILBOX": str(settings.mailbox),
        "COOPMAIL_KEY_FOLDER": str(settings.key_folder),
        "COOPMAIL_BASE_URL": settings.base_url,
        "COOPMAIL_RUN_JOBS": str(int(settings.run_jobs)),
        "COOPMAIL_SERVER": settings.server,
        "COOPMAIL_PROCESSES": str(settings.processes),
    }
    if settings.relay is not None:
        found["COOPMAIL_SMTP"] = f"smtp+plain://{settings.relay.host}:{settings.relay.port}"
    return found


@contextmanager
def installation(settings: Settings) -> Iterator[Parts]:
    """The parts of a migrated installation; every connection is closed at the end."""
    upgrade_database(settings.database_url)
    office = parts(create_app(settings))
    try:
        yield office
    finally:
        office.db.close()


def fill(office: Parts, contacts: int) -> None:
    """Write so many organisations that take a service, each with one contact who votes."""
    with office.db.transaction() as (session, _):
        session.add(Group(id=1, slug="digitale-collecties", name="Digitale Collecties", kind=GroupKind.STEERING_GROUP))
        session.add(Service(id=1, slug="krantenarchief", name="Krantenarchief", phrase_nl="het Krantenarchief"))
    for start in range(0, contacts, CHUNK):
        rows = _people(range(start + 1, min(start + CHUNK, contacts) + 1), datetime.now(UTC))
        with office.db.transaction() as (session, _):
            for entity, values in rows.items():
                session.execute(sa.insert(entity), values)


def _people(numbers: range, now: datetime) -> dict[type, list[dict[str, object]]]:
    return {
        Organisation: [{"id": n, "name": f"Bibliotheek van gemeente {n}", "kind": OrganisationKind.LIBRARY,
                        "municipality": "", "province": "Antwerpen", "population": 10_000 + n} for n in numbers],
        Contact: [{"id": n, "name": f"Mieke Peeters-{n}", "email": f"mieke@l{n}.example",
                   "email_key": f"mieke@l{n}.example", "confirmed_at": now} for n in numbers],
        Subscription: [{"organisation_id": n, "service_id": 1, "starts_on": date(2025, 1, 1),
                        "contract_reference": "", "price_cents": 0} for n in numbers],
        Representation: [{"contact_id": n, "organisation_id": n, "mode": Mode.VOTES, "started_at": now}
                         for n in numbers],
    }  # fmt: skip


def open_poll(office: Parts, *, slug: str = "krantenarchief", long: bool = False, secret: bool = False) -> int:
    """Open the demonstration's poll for all of them and return its id.

    `long` lengthens its texts until the html of its invitation is about 20 kB.
    """
    entry = read_poll_file(POLL_FILE)
    entry.slug, entry.closes, entry.attachments = slug, datetime.now(UTC) + timedelta(days=30), []
    if long:
        entry.summary_nl += f"\n\n{entry.more_nl}\n\n{entry.next_step_nl}\n\n{entry.summary_nl}"
    with office.db.transaction() as (session, now):
        poll = build_poll(session, entry, POLL_FILE.parent, office.charter.polls_on(now().date()))
        poll.secret = secret
        polls.draft_poll(session, now, poll)
        polls.open_poll(session, poll.id, now, office.basis)
        return poll.id


def analyse(office: Parts) -> None:
    """Let the database count its rows, as it does by itself in a field that grew over months."""
    with office.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def tokens(office: Parts, poll_id: int) -> dict[int, str]:
    """The token of each voting unit's link."""
    with office.db.reading() as (session, _):
        rows = session.execute(
            sa.select(Invitation.unit_id, Link.kind, Link.id, Link.key_version)
            .join(Link, Link.invitation_id == Invitation.id)
            .where(Invitation.poll_id == poll_id, Invitation.unit_id.is_not(None))
            .order_by(Invitation.id)
        )
        return {unit_id or 0: office.signer.sign(kind, link, version) for unit_id, kind, link, version in rows}
