"""The demonstration cooperative: real municipalities, invented people, a seed. See `data/README.md`.

The work is split by subject: `demonstration_field` (libraries and what they take), `demonstration_people` (contacts and
for whom they stand) and `demonstration_seats` (who sits in which group).
"""

from __future__ import annotations

import random
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.charter import Charter
from coopmail.cli import demonstration_field, demonstration_people, demonstration_seats
from coopmail.db import DEMONSTRATION
from coopmail.domain.base import InstallationMark
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact
from coopmail.domain.groups import Group, GroupKind
from coopmail.domain.organisations import Organisation
from coopmail.domain.services import Service
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
    groups = _groups(session, charter)
    services = _services(session, charter, groups)
    field = demonstration_field.found(session, rng, services, today)
    people = demonstration_people.invite(session, rng, field, charter, now)
    demonstration_seats.seat(session, rng, field, people, groups, charter, today)
    session.add(InstallationMark(name=DEMONSTRATION, value=str(seed)))
    session.flush()


def _groups(session: Session, charter: Charter) -> dict[str, Group]:
    groups = {
        entry.slug: Group(slug=entry.slug, name=entry.name, kind=GroupKind(entry.kind)) for entry in charter.groups
    }
    session.add_all(groups.values())
    session.flush()
    for entry in charter.groups:
        if entry.parent is not None:
            groups[entry.slug].parent_id = groups[entry.parent].id
    return groups


def _services(session: Session, charter: Charter, groups: dict[str, Group]) -> dict[str, Service]:
    services = {}
    for entry in charter.services:
        steered_by = groups[entry.steering_group].id if entry.steering_group is not None else None
        services[entry.slug] = Service(
            slug=entry.slug,
            name=entry.name,
            phrase_nl=entry.phrase_nl or entry.name,
            phrase_en=entry.phrase_en or "",
            steering_group_id=steered_by,
        )
    session.add_all(services.values())
    session.flush()
    return services
