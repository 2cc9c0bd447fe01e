"""Secret polls for the tests: a larger electorate that votes, and all that a thief of the database would find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import polls, secret_ballots
from coopmail.domain.base import Base
from coopmail.domain.contacts import Mode, Representation
from coopmail.domain.links import Invitation
from coopmail.domain.organisations import Organisation, OrganisationKind
from coopmail.domain.polls import Poll, VotingUnit
from coopmail.domain.services import Subscription
from coopmail.parts import Parts
from tests.builders import Cooperative, build_contact, build_poll
from tests.conftest import CLOSING


@dataclass(frozen=True)
class Cast:
    """What one unit did in truth: an attacker should not find it out."""

    unit: int
    contact: int
    marks: str
    code: str


def build_libraries(session: Session, cast: Cooperative, count: int, now: datetime) -> None:
    """So many libraries that take the Krantenarchief, each with one contact who votes."""
    for number in range(count):
        library = Organisation(
            name=f"Bibliotheek Veld {number:03}", kind=OrganisationKind.LIBRARY, municipality=f"Veld {number}",
            province="Limburg", population=10_000 + number,
        )  # fmt: skip
        contact = build_contact(f"Stemmer {number:03}", f"stemmer{number}@veld.example", now)
        session.add_all([library, contact])
        session.flush()
        session.add(
            Subscription(organisation_id=library.id, service_id=cast.services["krantenarchief"].id,
                         starts_on=date(2025, 1, 1), contract_reference="CC-1", price_cents=100_000)
        )  # fmt: skip
        session.add(Representation(contact_id=contact.id, organisation_id=library.id, mode=Mode.VOTES, started_at=now))
    session.flush()


def open_secret_poll(office: Parts, cast: Cooperative, slug: str = "geheim", **changes: Any) -> Poll:
    """A secret poll of the Krantenarchief's members, open."""
    values: dict[str, Any] = {"closes_at": CLOSING, "secret": True, "slug": slug}
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cast, **values | changes)
        return polls.open_poll(session, draft.id, now, office.basis)


def invited(office: Parts, poll: Poll) -> list[tuple[int, int, str]]:
    """Invitation, unit and name of the contact, one a unit, in the order of opening."""
    with office.db.reading() as (session, _):
        rows = session.execute(
            sa.select(sa.func.min(Invitation.id), Invitation.unit_id)
            .where(Invitation.poll_id == poll.id)
            .group_by(Invitation.unit_id)
            .order_by(sa.func.min(Invitation.id))
        ).all()
        names = {row.id: row.contact.name for row in session.scalars(sa.select(Invitation))}
    return [(invitation, unit or 0, names[invitation]) for invitation, unit in rows]


def vote_all(office: Parts, poll: Poll, seed: int, clock: Any) -> list[Cast]:
    """Everybody votes in an order of the seed, some twice; returns the truth in the order of the last answers."""
    rng = Random(seed)
    voters = invited(office, poll)
    order = [*rng.sample(voters, len(voters)), *rng.sample(voters, len(voters) // 4)]
    truth: dict[int, Cast] = {}
    for invitation, unit, name in order:
        clock.advance(seconds=7)
        marks = rng.choice(["keep", "move", "abstain"])
        with office.db.transaction() as (session, now):
            contact = polls.cast_ballot(session, now, invitation, (marks,), name, office.basis.vault).contact_id
            receipt = secret_ballots.receipt(session, poll, unit, office.basis.vault)
        assert receipt is not None
        assert contact is not None
        if unit in truth and truth[unit].marks == marks:
            continue  # an equal answer changes nothing, also not its place
        truth.pop(unit, None)
        truth[unit] = Cast(unit, contact, receipt.marks[0], receipt.code)
    return list(truth.values())


FEW = {
    "all for one": ("keep", "keep", "keep", "keep"),
    "all for the other": ("move", "move", "move", "move"),
    "all abstaining": ("abstain", "abstain", "abstain", "abstain"),
    "equal or nearly": ("keep", "move", "keep", "move"),
    "some abstaining": ("abstain", "move", "abstain", "keep"),
}
"""What fewer than five may choose, in the order of the voters; of fewer than four the first."""


def vote_few(office: Parts, poll: Poll, choices: tuple[str, ...]) -> None:
    """The first units of a poll choose so, one each."""
    for (invitation, _, name), mark in zip(invited(office, poll), choices, strict=False):
        with office.db.transaction() as (session, now):
            polls.cast_ballot(session, now, invitation, (mark,), name, office.basis.vault)


def dump(office: Parts) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table in the order in which the database keeps it, with PostgreSQL's hidden columns."""
    hidden = "" if office.db.sqlite else ", ctid::text AS ctid, xmin::text AS xmin"
    found = {}
    with office.db.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            rows = connection.exec_driver_sql(f"SELECT *{hidden} FROM {table.name}")
            found[table.name] = [dict(row) for row in rows.mappings()]
    return found


def names_of_units(office: Parts, poll: Poll) -> dict[int, str]:
    """The units of a poll by name."""
    with office.db.reading() as (session, _):
        rows = session.execute(sa.select(VotingUnit.id, VotingUnit.name).where(VotingUnit.poll_id == poll.id))
        return {row[0]: row[1] for row in rows}
