"""The cooperative's groups and services, as its charter names them, put into the database."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.charter import Charter
from coopmail.domain.groups import Group, GroupKind
from coopmail.domain.services import Service


class Founded(NamedTuple):
    """The charter's groups and services by slug, and the names of those that were not there before."""

    groups: dict[str, Group]
    services: dict[str, Service]
    new: list[str]


def missing(session: Session, charter: Charter) -> list[str]:
    """The names of the charter's groups and services that are not in the database yet."""
    groups, services = set(session.scalars(sa.select(Group.slug))), set(session.scalars(sa.select(Service.slug)))
    return [entry.name for entry in charter.groups if entry.slug not in groups] + [
        entry.name for entry in charter.services if entry.slug not in services
    ]


def found(session: Session, charter: Charter) -> Founded:
    """Write the charter's groups and services that are not there yet; those that are stay as they are."""
    new = missing(session, charter)
    groups = _groups(session, charter)
    return Founded(groups, _services(session, charter, groups), new)


def _groups(session: Session, charter: Charter) -> dict[str, Group]:
    groups = {group.slug: group for group in session.scalars(sa.select(Group))}
    added = [entry for entry in charter.groups if entry.slug not in groups]
    groups |= {entry.slug: Group(slug=entry.slug, name=entry.name, kind=GroupKind(entry.kind)) for entry in added}
    session.add_all(groups.values())
    session.flush()
    for entry in added:
        if entry.parent is not None:
            groups[entry.slug].parent_id = groups[entry.parent].id
    return groups


def _services(session: Session, charter: Charter, groups: dict[str, Group]) -> dict[str, Service]:
    services = {service.slug: service for service in session.scalars(sa.select(Service))}
    for entry in charter.services:
        if entry.slug not in services:
            services[entry.slug] = Service(
                slug=entry.slug,
                name=entry.name,
                phrase_nl=entry.phrase_nl or entry.name,
                phrase_en=entry.phrase_en or "",
                steering_group_id=groups[entry.steering_group].id if entry.steering_group is not None else None,
            )
    session.add_all(services.values())
    session.flush()
    return services
