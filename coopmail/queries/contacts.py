"""Questions about contacts: for whom they stand, what they were asked, what was done about them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload

from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact, Mode, Nomination, Representation
from coopmail.domain.groups import Group, Seat
from coopmail.domain.links import Invitation, Response
from coopmail.domain.organisations import Organisation
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Ballot, Poll, PollState, VotingUnit
from coopmail.domain.services import Service, Subscription, running_on
from coopmail.errors import UnknownSubject
from coopmail.queries.changes import Change, actor_names

Standing = dict[int | None, Mode]
"""How a contact stands for an organisation, by service id; the general rule is under `None`."""

ADDRESS_CHANGED = "contact-address-changed"
"""The act in the record by which is known since when an address is in use."""

HISTORY = 50
"""So many acts a page shows; the audit log has all."""


def by_id(session: Session, contact_id: int) -> Contact:
    """A contact, or `UnknownSubject`."""
    found = session.get(Contact, contact_id)
    if found is None:
        raise UnknownSubject(f"There is no contact {contact_id}.")
    return found


def running(contact_id: sa.SQLColumnExpression[int] | int) -> sa.ColumnElement[bool]:
    """The condition that a representation is a contact's and runs.

    Said twice, so that each of the two partial indexes serves half of it: there is no other by contact.
    """
    mine = (Representation.contact_id == contact_id) & Representation.ended_at.is_(None)
    return (mine & Representation.service_id.is_(None)) | (mine & Representation.service_id.is_not(None))


def standing(session: Session, contact_id: int, organisation_id: int) -> Standing:
    """How a contact stands for one organisation."""
    rows = session.execute(
        sa.select(Representation.service_id, Representation.mode).where(
            running(contact_id), Representation.organisation_id == organisation_id
        )
    )
    return {row[0]: row[1] for row in rows}


class Represents(NamedTuple):
    """An organisation that a contact stands for: the general rule, and the services that differ from it."""

    organisation: Organisation
    general: Mode | None
    services: list[tuple[Service, Mode]]


def represents(session: Session, contact_id: int) -> list[Represents]:
    """For whom a contact stands, by name of the organisation."""
    rows = session.execute(
        sa.select(Organisation, Representation.mode, Service)
        .select_from(Representation)
        .join(Organisation, Organisation.id == Representation.organisation_id)
        .outerjoin(Service, Service.id == Representation.service_id)
        .where(running(contact_id))
        .order_by(Organisation.name, Service.name)
    )
    found: dict[int, Represents] = {}
    for organisation, mode, service in rows:
        known = found.get(organisation.id, Represents(organisation, None, []))
        if service is None:
            known = known._replace(general=mode)
        else:
            known.services.append((service, mode))
        found[organisation.id] = known
    return list(found.values())


def seats(session: Session, contact_id: int) -> list[tuple[Seat, Group]]:
    """A contact's seats, those of now and of before, the newest first."""
    rows = session.execute(
        sa.select(Seat, Group)
        .join(Group, Group.id == Seat.group_id)
        .where(Seat.contact_id == contact_id)
        .order_by(Seat.starts_on.desc(), Seat.id.desc())
    )
    return [(seat, group) for seat, group in rows]


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


def last_answer(contact_id: sa.SQLColumnExpression[int]) -> sa.ScalarSelect[datetime]:
    """When a contact last answered by link: a column for a question about contacts."""
    return (
        sa.select(sa.func.max(Ballot.cast_at))
        .join(Invitation, Invitation.unit_id == Ballot.unit_id)
        .where(Invitation.contact_id == contact_id, Ballot.contact_id == contact_id)
        .correlate(Contact)
        .scalar_subquery()
    )


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


def address_in_use_since(session: Session, contact_ids: Iterable[int]) -> dict[int, datetime]:
    """When the addresses of contacts were last changed; who has the first address still is not in it."""
    names = [f"contact:{contact_id}" for contact_id in contact_ids]
    rows = session.execute(
        sa.select(AuditRow.subject, sa.func.max(AuditRow.at))
        .where(AuditRow.act == ADDRESS_CHANGED, AuditRow.subject.in_(names))
        .group_by(AuditRow.subject)
    )
    return {int(subject.partition(":")[2]): at for subject, at in rows}


def waiting_nominations(session: Session, contact_id: int) -> list[Nomination]:
    """Who was named by a contact, or named it, and is waited for."""
    return list(
        session.scalars(
            sa.select(Nomination)
            .where((Nomination.contact_id == contact_id) | (Nomination.named_by_id == contact_id),
                   Nomination.answered_at.is_(None))
            .order_by(Nomination.id)
            .options(joinedload(Nomination.organisation), joinedload(Nomination.named_by),
                     joinedload(Nomination.contact))
        )
    )  # fmt: skip


def waiting_invitations(session: Session, contact_id: int) -> list[Invitation]:
    """The invitations by which a contact is asked to confirm that it is the right person."""
    return list(
        session.scalars(
            sa.select(Invitation)
            .join(Nomination, Nomination.id == Invitation.nomination_id)
            .where(Invitation.contact_id == contact_id, Invitation.revoked_at.is_(None),
                   Nomination.answered_at.is_(None))
            .order_by(Invitation.id)
        )
    )  # fmt: skip


def handed_over(session: Session, nomination: Nomination) -> list[Nomination]:
    """All that one handover mail asks: the nomination that its invitation names, and those that were written with it.

    The others have no invitation of their own; a person who is named from a link always has.
    """
    alone = ~sa.exists().where(Invitation.nomination_id == Nomination.id)
    together = (
        (Nomination.named_by_id == nomination.named_by_id)
        & (Nomination.contact_id == nomination.contact_id)
        & (Nomination.named_at == nomination.named_at)
        & alone
    )
    return list(
        session.scalars(
            sa.select(Nomination)
            .join(Organisation, Organisation.id == Nomination.organisation_id)
            .where((Nomination.id == nomination.id) | together)
            .order_by(Organisation.name, Nomination.id)
            .options(joinedload(Nomination.organisation), joinedload(Nomination.named_by))
        )
    )


def goes_on_as(session: Session, organisation_id: int) -> int:
    """The organisation that one merged into, or itself."""
    seen = {organisation_id}
    while True:
        other = session.scalar(sa.select(Organisation.merged_into_id).where(Organisation.id == organisation_id))
        if other is None or other in seen:
            return organisation_id
        organisation_id = other
        seen.add(other)


def open_poll_ids() -> sa.Select[int]:
    """The polls that are open."""
    return sa.select(Poll.id).where(Poll.state == PollState.OPEN)


def polls_of(contact_id: int) -> sa.CompoundSelect[int]:
    """The polls that concern a contact: it was invited, or a unit is its own, its seat's or its organisation's."""
    standing_for = sa.select(Representation.organisation_id).where(running(contact_id))
    theirs = (
        VotingUnit.organisation_id.in_(standing_for)
        | (VotingUnit.contact_id == contact_id)
        | VotingUnit.seat_id.in_(sa.select(Seat.id).where(Seat.contact_id == contact_id))
    )
    invited = sa.select(Invitation.poll_id).where(Invitation.contact_id == contact_id, Invitation.poll_id.is_not(None))
    return sa.union(invited, sa.select(VotingUnit.poll_id).where(theirs, VotingUnit.poll_id.in_(open_poll_ids())))


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
