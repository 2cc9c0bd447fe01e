"""A small cooperative in which every page of the console has something to show, and the names of what is in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from coopmail.actions import decisions, polls
from coopmail.actions.organisation_import import keep_upload
from coopmail.actions.records import STAFF, audit
from coopmail.domain.audience_question import About, Condition
from coopmail.domain.audit import Matter
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Attachment, Poll, VotingUnit
from coopmail.domain.services import Subscription
from coopmail.domain.staff import StaffMember
from coopmail.parts import Parts
from tests.builders import Cooperative, build_audience, build_decision, build_poll

STRANGE: dict[str, Any] = {"slug": "nowhere", "number": "1999-001", "campaign": "nothing", "key": "0" * 32}


@dataclass(frozen=True)
class World:
    """What stands in a path of `ROUTES` between braces."""

    names: dict[str, Any]

    def path(self, pattern: str) -> str:
        """The path of a page about something that is there."""
        return pattern.format(**self.names)

    def strange_path(self, pattern: str) -> str:
        """The same path about something that is not there: the first name is of nothing."""
        first = re.findall(r"\{(\w+)\}", pattern)[0]
        kind = first.partition("_")[0] if first not in STRANGE else first
        return pattern.format(**(self.names | {first: STRANGE.get(kind, 999_999_999)}))


def build_world(office: Parts, cooperative: Cooperative, poll: Poll, person: StaffMember) -> World:
    """Give the small cooperative something of every kind; a file that `person` sent waits to be imported."""
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
        upload_key = keep_upload(session, now(), person, "veld.csv", b"naam;inwoners\r\nBibliotheek Mol;veel\r\n")
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
        "staff_id": person.id,
        "number": standing.number,
        "document_id": standing.documents[0].id,
        "withdrawn_number": withdrawn.number,
        "upload_key": upload_key,
        "group_slug": cooperative.group.slug,
    })  # fmt: skip
