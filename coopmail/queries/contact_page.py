"""What the page of a contact shows: seats, what was asked, what was done, test mails, and what an act would end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact, Representation
from coopmail.domain.links import Invitation, Response
from coopmail.domain.organisations import Organisation
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Ballot, Poll, PollState, VotingUnit
from coopmail.domain.services import Subscription, running_on
from coopmail.queries.changes import Change, actor_names
from coopmail.queries.contacts import Represents

HISTORY = 50
"""So many acts a page shows; the audit log has all."""


class Asked(NamedTuple):
    """What a contact was asked in a poll that is open: the invitation, the mail that brought it, and the answer."""

    invitation: Invitation
    poll: Poll
    unit: VotingUnit
    mail: MailState | None
    answered_by: str | None
    mine: bool


def open_invitations(session: Session, contact_id: int) -> list[Asked]:
    """What a contact is asked in polls that are open, the first to close on top; also what was taken back."""
    newest = aliased(Mail)
    last = (
        sa.select(sa.func.max(newest.id))
        .where(newest.invitation_id == Invitation.id, newest.template == "ballot-invitation")
        .correlate(Invitation)
        .scalar_subquery()
    )
    rows = session.execute(
        sa.select(Invitation, Poll, VotingUnit, Mail.state, Ballot.answered_by, Ballot.contact_id)
        .join(Poll, Poll.id == Invitation.poll_id)
        .join(VotingUnit, VotingUnit.id == Invitation.unit_id)
        .outerjoin(Mail, Mail.id == last)
        .outerjoin(Ballot, Ballot.unit_id == Invitation.unit_id)
        .where(Invitation.contact_id == contact_id, Poll.state == PollState.OPEN)
        .order_by(Poll.closes_at, Invitation.id)
    )
    return [Asked(invitation, poll, unit, mail, by, by is not None and who == contact_id)
            for invitation, poll, unit, mail, by, who in rows]  # fmt: skip


def organisation_choices(session: Session, day: date) -> list[tuple[str, str]]:
    """The organisations that somebody can stand for on a day: id and name, by name."""
    going_on = Organisation.ended_on.is_(None) | (Organisation.ended_on > day)
    rows = session.execute(sa.select(Organisation.id, Organisation.name).where(going_on).order_by(Organisation.name))
    return [(str(row[0]), row[1]) for row in rows]


def last_change(session: Session, contact_id: int) -> Change | None:
    """Who last did something to a contact, or as that contact, and when."""
    name = f"contact:{contact_id}"
    row = session.scalars(
        sa.select(AuditRow)
        .where((AuditRow.subject == name) | (AuditRow.actor == name))
        .order_by(AuditRow.id.desc())
        .limit(1)
    ).one_or_none()
    return Change(actor_names(session, {row.actor})[row.actor], row.at) if row is not None else None


def history(session: Session, contact_id: int) -> list[AuditRow]:
    """What was done about a contact and by it, the newest first."""
    name = f"contact:{contact_id}"
    about = sa.select(AuditRow.id).where(AuditRow.subject == name).order_by(AuditRow.id.desc()).limit(HISTORY)
    return list(session.scalars(sa.select(AuditRow).where(AuditRow.id.in_(about)).order_by(AuditRow.id.desc())))


class Test(NamedTuple):
    """A test mail: when it was asked, whether the mail went out, when it was answered, and what."""

    invitation: Invitation
    mail: MailState | None
    response: Response | None


def tests_of(session: Session, contact_ids: Iterable[int]) -> list[Test]:
    """The test mails of contacts, the newest first."""
    rows = session.execute(
        sa.select(Invitation, Mail.state, Response)
        .outerjoin(Mail, (Mail.invitation_id == Invitation.id) & (Mail.template == "mail-test"))
        .outerjoin(Response, Response.invitation_id == Invitation.id)
        .where(Invitation.contact_id.in_(list(contact_ids)), Invitation.kind == "mail-test")
        .order_by(Invitation.id.desc())
    )
    return [Test(invitation, mail, response) for invitation, mail, response in rows]


def stood_for_until_leaving(session: Session, contact: Contact) -> list[Represents]:
    """For whom a contact stood when it left; nothing where it did not leave."""
    if contact.left_at is None:
        return []
    rows = session.scalars(
        sa.select(Organisation)
        .join(Representation, Representation.organisation_id == Organisation.id)
        .where(Representation.contact_id == contact.id, Representation.ended_at == contact.left_at)
        .order_by(Organisation.name)
        .distinct()
    )
    return [Represents(organisation, None, []) for organisation in rows]


def taken(session: Session, organisation_id: int, day: date) -> set[int]:
    """The ids of the services that an organisation takes on a day."""
    found = sa.select(Subscription.service_id).where(Subscription.organisation_id == organisation_id, running_on(day))
    return set(session.scalars(found))


def open_polls_of(session: Session, organisation_id: int) -> list[Poll]:
    """The open polls in which an organisation has a vote."""
    return list(
        session.scalars(
            sa.select(Poll)
            .join(VotingUnit, VotingUnit.poll_id == Poll.id)
            .where(VotingUnit.organisation_id == organisation_id, Poll.state == PollState.OPEN)
            .order_by(Poll.closes_at, Poll.id)
        )
    )


def alone_for(session: Session, contact_id: int) -> list[tuple[Poll, VotingUnit]]:
    """The units of open polls for which this contact alone can answer, and nobody has yet."""
    other = aliased(Invitation)
    others = sa.exists().where(
        other.unit_id == Invitation.unit_id, other.contact_id != contact_id, other.revoked_at.is_(None)
    )
    rows = session.execute(
        sa.select(Poll, VotingUnit)
        .join(VotingUnit, VotingUnit.poll_id == Poll.id)
        .join(Invitation, Invitation.unit_id == VotingUnit.id)
        .where(Poll.state == PollState.OPEN, Invitation.contact_id == contact_id, Invitation.revoked_at.is_(None),
               ~others, ~sa.exists().where(Ballot.unit_id == VotingUnit.id))
        .order_by(Poll.closes_at, VotingUnit.name)
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]
