"""The console as staff use it: signed-in browsers without scripts."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from coopmail.actions import decisions, polls
from coopmail.actions.organisation_import import keep_upload
from coopmail.actions.records import STAFF, audit
from coopmail.domain.audience_question import About, Condition
from coopmail.domain.audit import Matter
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Attachment, Poll, VotingUnit
from coopmail.domain.services import Subscription
from coopmail.domain.staff import StaffMember, StaffRole
from coopmail.parts import Parts
from tests.builders import Cooperative, build_audience, build_decision, build_poll, build_staff
from tests.console import Console
from tests.web.staff.world import World


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
    with office.db.transaction() as (session, now):
        unit_id = session.scalars(sa.select(sa.func.min(VotingUnit.id)).where(VotingUnit.poll_id == poll.id)).one()
        mail_id = session.scalars(sa.select(sa.func.min(Mail.id))).one()
        matter_id = session.scalars(sa.select(sa.func.min(Matter.id))).one()
        closed = build_poll(session, cooperative, closes_at=poll.closes_at, slug="gesloten", title_nl="Gesloten vraag")
        polls.open_poll(session, closed.id, now, office.basis)
        polls.close_poll(session, closed.id, now, office.basis, early=True)
        note = Attachment(name="Nota.txt", media_type="text/plain", size=4, content=b"Nota")
        draft = build_poll(session, cooperative, closes_at=poll.closes_at, slug="ontwerp", attachments=[note])
        audit(session, now(), "poll-drafted", STAFF, f"poll:{draft.id}")
        audience_id = build_audience(session, now(), "Grote bibliotheken", [[Condition(About.SIZE, "20000-")]]).id
        upload_key = keep_upload(session, now(), klaar, "veld.csv", b"naam;inwoners\r\nBibliotheek Mol;veel\r\n")
        standing = build_decision(session, now, cooperative)
        withdrawn = build_decision(session, now, cooperative, title_nl="Niet meer", documents=())
        decisions.withdraw_decision(session, withdrawn.id, now, 1, "Vergissing.")
        subscription_id = session.scalars(sa.select(sa.func.min(Subscription.id))).one()
    return World({
        "audience_id": audience_id,
        "organisation_id": cooperative.libraries["Aartselaar"].id,
        "subscription_id": subscription_id,
        "contact_id": cooperative.contacts["els"].id,
        "slug": poll.slug,
        "campaign": f"poll:{poll.id}:invitation",
        "mail_id": mail_id,
        "unit_id": unit_id,
        "matter_id": matter_id,
        "closed_slug": closed.slug,
        "draft_slug": draft.slug,
        "attachment_id": note.id,
        "staff_id": klaar.id,
        "number": standing.number,
        "document_id": standing.documents[0].id,
        "withdrawn_number": withdrawn.number,
        "upload_key": upload_key,
        "group_slug": cooperative.group.slug,
    })  # fmt: skip
