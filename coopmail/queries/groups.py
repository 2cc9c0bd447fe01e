"""Questions about groups and services."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.groups import Group
from coopmail.domain.services import Service
from coopmail.errors import UnknownSubject


def group_by_slug(session: Session, slug: str) -> Group:
    """The group of that slug, or `UnknownSubject` that names those there are."""
    group = session.scalars(sa.select(Group).where(Group.slug == slug)).one_or_none()
    if group is None:
        known = ", ".join(session.scalars(sa.select(Group.slug).order_by(Group.slug)))
        raise UnknownSubject(f"There is no group called {slug}. Known: {known}.")
    return group


def service_by_slug(session: Session, slug: str) -> Service:
    """The service of that slug, or `UnknownSubject` that names those there are."""
    service = session.scalars(sa.select(Service).where(Service.slug == slug)).one_or_none()
    if service is None:
        known = ", ".join(session.scalars(sa.select(Service.slug).order_by(Service.slug)))
        raise UnknownSubject(f"There is no service called {slug}. Known: {known}.")
    return service
