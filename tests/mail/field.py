"""A larger field for the tests of sending: libraries with a contact each, and polls that they are asked to answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa
from flask import Flask

from coopmail import create_app
from coopmail.actions import polls
from coopmail.config import Relay, Settings
from coopmail.domain.contacts import Contact, Mode, Representation, address_key
from coopmail.domain.organisations import Organisation, OrganisationKind
from coopmail.domain.outbox import CampaignStop, Mail, MailEvent, MailState, Priority, RelayState
from coopmail.domain.polls import Poll
from coopmail.domain.services import Subscription
from coopmail.mail.delivery import deliver_due
from coopmail.parts import Parts, parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, FrozenClock
from tests.mail.smtp import Arrived

Domain = Callable[[int], str]


def mol(_: int) -> str:
    """Everybody has an address at Mol."""
    return "mol.example"


def member(number: int, domain: Domain = mol) -> str:
    """The address of one of the field."""
    return f"lid{number:03}@{domain(number)}"


def members(libraries: int, domain: Domain = mol) -> list[str]:
    """The addresses of the whole field."""
    return [member(number, domain) for number in range(libraries)]


def fill(office: Parts, cooperative: Cooperative, libraries: int, domain: Domain = mol) -> None:
    """Many more libraries, each with a contact who votes."""
    service = cooperative.services["krantenarchief"].id
    with office.db.transaction() as (session, now):
        found = [
            {"name": f"Bibliotheek {number:03}", "kind": OrganisationKind.LIBRARY, "municipality": "M",
             "province": "Antwerpen", "population": 1000}
            for number in range(libraries)
        ]  # fmt: skip
        people = [
            {"name": f"Lid {number:03}", "email": email, "email_key": address_key(email), "confirmed_at": now()}
            for number, email in enumerate(members(libraries, domain))
        ]
        places = session.scalars(
            sa.insert(Organisation).returning(Organisation.id, sort_by_parameter_order=True), found
        )
        contacts = session.scalars(sa.insert(Contact).returning(Contact.id, sort_by_parameter_order=True), people)
        pairs = list(zip(places.all(), contacts.all(), strict=True))
        session.execute(
            sa.insert(Subscription),
            [{"organisation_id": place, "service_id": service, "starts_on": date(2025, 1, 1),
              "contract_reference": "CC", "price_cents": 1} for place, _ in pairs],
        )  # fmt: skip
        session.execute(
            sa.insert(Representation),
            [{"organisation_id": place, "contact_id": contact, "mode": Mode.VOTES, "started_at": now()}
             for place, contact in pairs],
        )  # fmt: skip


def open_poll(office: Parts, cooperative: Cooperative, slug: str = "krantenarchief") -> Poll:
    """Ask the whole field, and the five mails of the small cooperative's members."""
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, slug=slug)
        return polls.open_poll(session, draft.id, now, office.basis)


def build_field(office: Parts, cooperative: Cooperative, libraries: int, domain: Domain = mol) -> Poll:
    """A vote among many more libraries: so many mails and five."""
    fill(office, cooperative, libraries, domain)
    return open_poll(office, cooperative)


def campaign(poll: Poll) -> str:
    """The campaign of a poll's invitations."""
    return f"poll:{poll.id}:invitation"


def make_newsletter(office: Parts, poll: Poll) -> None:
    """Let a campaign go as late as a newsletter."""
    with office.db.transaction() as (session, _):
        session.execute(sa.update(Mail).where(Mail.campaign == campaign(poll)).values(priority=Priority.NEWSLETTER))


@dataclass(frozen=True)
class Row:
    """Where one mail stands."""

    id: int
    state: str
    attempts: int
    reply: str


def rows(office: Parts) -> dict[str, Row]:
    """Where each mail stands, by its key, which is also that of its Message-ID."""
    with office.db.reading() as (session, _):
        found = session.execute(sa.select(Mail.key, Mail.id, Mail.state, Mail.attempts, Mail.reply).order_by(Mail.id))
        return {row.key: Row(row.id, row.state.value, row.attempts, row.reply) for row in found}


def start_over(office: Parts) -> None:
    """As if nothing had been sent yet: the same mails wait under the same keys."""
    with office.db.transaction() as (session, _):
        for table in (MailEvent, RelayState, CampaignStop):
            session.execute(sa.delete(table))
        session.execute(
            sa.update(Mail).values(state=MailState.QUEUED, lease_until=None, attempts=0, reply="", accepted_at=None,
                                   not_before=Mail.created_at)
        )  # fmt: skip


@contextmanager
def sender(settings: Settings, clock: FrozenClock, port: int, **changes: Any) -> Iterator[Flask]:
    """A runner of its own on the same database, whose relay listens on that port of this machine."""
    way_out = Relay("127.0.0.1", port, "none")
    app = create_app(replace(settings, **({"relay": way_out} | changes)), system_clock=clock)
    try:
        yield app
    finally:
        parts(app).db.close()


def send(app: Flask) -> int:
    """Send what is due, without jitter."""
    return deliver_due(app, jitter=lambda: 0.5)


def key_of(message: Arrived) -> str:
    """The key of the row that a message stands for."""
    found = re.search(rb"^Message-ID: <([0-9a-f]{32})@", message.raw, re.MULTILINE)
    assert found
    return found[1].decode()
