"""The console as staff use it: signed-in browsers without scripts."""

from __future__ import annotations

import pytest
from flask import Flask

from coopmail.domain.polls import Poll
from coopmail.domain.staff import StaffMember, StaffRole
from coopmail.parts import Parts
from tests.builders import Cooperative, build_staff
from tests.console import Console
from tests.web.staff.world import World, build_world


@pytest.fixture
def klaar(office: Parts) -> StaffMember:
    """The community manager, one of the staff."""
    with office.db.transaction() as (session, now):
        return build_staff(session, now(), "Klaar Leroy", StaffRole.STAFF)


@pytest.fixture
def console(app: Flask, office: Parts, klaar: StaffMember) -> Console:
    """Klaar's browser, signed in; pages are asked in Dutch."""
    return Console.of(app, office, klaar)


@pytest.fixture
def admin(app: Flask, office: Parts) -> Console:
    """An admin's browser, signed in."""
    with office.db.transaction() as (session, now):
        person = build_staff(session, now(), "Ria Claes", StaffRole.ADMIN)
    return Console.of(app, office, person)


@pytest.fixture
def colleague(app: Flask, office: Parts) -> Console:
    """A second one of the staff, in a browser of their own."""
    with office.db.transaction() as (session, now):
        person = build_staff(session, now(), "Bram Wouters", StaffRole.STAFF)
    return Console.of(app, office, person)


@pytest.fixture
def world(office: Parts, cooperative: Cooperative, poll: Poll, klaar: StaffMember) -> World:
    """The small cooperative with an open poll, its invitations queued, and one that is closed."""
    return build_world(office, cooperative, poll, klaar)
