"""The demonstration cooperative: real municipalities, invented people, a seed. See `data/README.md`.

The work is split by subject: `demonstration_field` (libraries and what they take), `demonstration_people` (contacts and
for whom they stand), `demonstration_seats` (who sits in which group) and `demonstration_audiences` (the wider field).
"""

from __future__ import annotations

import random
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import founding
from coopmail.charter import Charter
from coopmail.cli import demonstration_audiences, demonstration_field, demonstration_people, demonstration_seats
from coopmail.db import DEMONSTRATION
from coopmail.domain.base import InstallationMark
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, address_key
from coopmail.domain.groups import Group
from coopmail.domain.organisations import Organisation
from coopmail.domain.staff import StaffMember, StaffRole
from coopmail.errors import ActionRefused


def load(session: Session, now: datetime, charter: Charter, seed: int = 1) -> None:
    """Fill an empty, migrated database; the same seed at the same time gives the same rows.

    Raises `ActionRefused` where the database holds organisations, contacts or groups: invented people must never stand
    among real ones.
    """
    if any(session.scalar(sa.select(table.id).limit(1)) for table in (Organisation, Contact, Group)):
        raise ActionRefused("The demonstration wants an empty database, and this one holds rows already.")
    rng = random.Random(seed)  # noqa: S311 - it must repeat itself, not be secret
    today = brussels_day(now)
    groups, services, _ = founding.found(session, charter)
    field = demonstration_field.found(session, rng, services, today)
    people = demonstration_people.invite(session, rng, field, charter, now)
    demonstration_seats.seat(session, rng, field, people, groups, charter, today)
    _staff(session, now, charter)
    demonstration_audiences.widen(session, rng, now)
    session.add(InstallationMark(name=DEMONSTRATION, value=str(seed)))
    session.flush()


def _staff(session: Session, now: datetime, charter: Charter) -> None:
    """Who may use the console: the community manager whom the charter names, and a colleague."""
    manager = charter.cooperative.community_manager
    colleague = f"bram.wouters@{manager.email.rpartition('@')[2]}"
    for name, email, role in (
        (manager.name, manager.email, StaffRole.ADMIN), ("Bram Wouters", colleague, StaffRole.STAFF)
    ):  # fmt: skip
        session.add(StaffMember(name=name, email=email, email_key=address_key(email), role=role, created_at=now))
