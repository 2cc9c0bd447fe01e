"""Open a poll for so many contacts, one each an organisation, and print seconds and memory as JSON."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from coopmail import create_app
from coopmail.actions import polls
from coopmail.cli.poll_file import build_poll, read_poll_file
from coopmail.cli.server import upgrade_database
from coopmail.config import ROOT, Settings
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Group, GroupKind
from coopmail.domain.organisations import Organisation, OrganisationKind
from coopmail.domain.services import Service, Subscription
from coopmail.parts import Parts, parts

CHUNK = 5_000


def fill(office: Parts, contacts: int) -> None:
    """A field of so many organisations with one contact each."""
    now = datetime.now(UTC)
    with office.db.transaction() as (session, _):
        session.add(Group(id=1, slug="digitale-collecties", name="Digitale Collecties", kind=GroupKind.STEERING_GROUP))
        session.add(Service(id=1, slug="krantenarchief", name="Krantenarchief", phrase_nl="het Krantenarchief"))
    for start in range(0, contacts, CHUNK):
        numbers = range(start + 1, min(start + CHUNK, contacts) + 1)
        rows: dict[type, list[dict[str, object]]] = {
            Organisation: [{"id": n, "name": f"Bibliotheek {n}", "kind": OrganisationKind.LIBRARY, "municipality": "",
                            "province": "Antwerpen", "population": 10_000 + n} for n in numbers],
            Contact: [{"id": n, "name": f"Contact {n}", "email": f"c@l{n}.example", "email_key": f"c@l{n}.example",
                       "confirmed_at": now} for n in numbers],
            Subscription: [{"organisation_id": n, "service_id": 1, "starts_on": date(2025, 1, 1),
                            "contract_reference": "", "price_cents": 0} for n in numbers],
            Representation: [{"contact_id": n, "organisation_id": n, "mode": Mode.VOTES, "started_at": now}
                             for n in numbers],
        }  # fmt: skip
        with office.db.transaction() as (session, _):
            for table, values in rows.items():
                session.execute(sa.insert(table), values)


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            secret_keys={1: "k" * 40},
            database_url=f"sqlite:///{folder}/bench.sqlite",
            mailbox=Path(folder) / "mailbox",
        )
        upgrade_database(settings.database_url)
        office = parts(create_app(settings))
        fill(office, int(sys.argv[1]))
        file = ROOT / "coopmail" / "data" / "polls" / "krantenarchief.toml"
        entry = read_poll_file(file)
        entry.closes = datetime.now(UTC) + timedelta(days=30)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        with office.db.transaction() as (session, now):
            poll = build_poll(session, entry, file.parent, office.charter.polls_on(now().date()))
            polls.draft_poll(session, now, poll)
            polls.open_poll(session, poll.id, now, office.basis)
        seconds = time.monotonic() - began
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(json.dumps({"seconds": seconds, "grown": grown}))


if __name__ == "__main__":
    main()
