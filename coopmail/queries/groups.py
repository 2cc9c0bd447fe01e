"""Questions about groups and services."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from coopmail.domain.groups import Group
from coopmail.domain.organisations import Organisation
from coopmail.domain.services import Service
from coopmail.errors import UnknownSubject


def group_by_slug(session: Session, slug: str) -> Group:
    """The group of that slug, or `UnknownSubject` that names those there are."""
    group = session.scalars(sa.select(Group).where(Group.slug == slug)).one_or_none()
    if group is None:
        raise UnknownSubject(f"There is no group called {slug}. {_known(session, Group.slug)}")
    return group


def listing(session: Session) -> list[Group]:
    """Every group, by name."""
    return list(session.scalars(sa.select(Group).order_by(Group.name, Group.id)))


def service_by_slug(session: Session, slug: str) -> Service:
    """The service of that slug, or `UnknownSubject` that names those there are."""
    service = session.scalars(sa.select(Service).where(Service.slug == slug)).one_or_none()
    if service is None:
        raise UnknownSubject(f"There is no service called {slug}. {_known(session, Service.slug)}")
    return service


def _known(session: Session, slugs: InstrumentedAttribute[str]) -> str:
    known = ", ".join(session.scalars(sa.select(slugs).order_by(slugs)))
    if known:
        return f"Known: {known}."
    if session.scalar(sa.select(sa.exists().where(Organisation.id.is_not(None)))):
        return "There is none."
    return (
        "No cooperative is loaded yet: import your organisations with `coopmail organisations import FILE`, or run"
        " `coopmail demo` for an invented one."
    )
