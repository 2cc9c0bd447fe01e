"""Questions about contacts: for whom they stand, what they were asked, what was done about them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact, Mode, Nomination, Representation
from coopmail.domain.groups import Group, Seat
from coopmail.domain.links import Invitation
from coopmail.domain.organisations import Organisation
from coopmail.domain.polls import Ballot, Poll, PollState, VotingUnit
from coopmail.domain.services import Service
from coopmail.errors import UnknownSubject

Standing = dict[int | None, Mode]
"""How a contact stands for an organisation, by service id; the general rule is under `None`."""

ADDRESS_CHANGED = "contact-address-changed"
"""The act in the record by which is known since when an address is in use."""


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


def last_answer(contact_id: sa.SQLColumnExpression[int]) -> sa.ScalarSelect[datetime]:
    """When a contact last answered by link: a column for a question about contacts."""
    return (
        sa.select(sa.func.max(Ballot.cast_at))
        .join(Invitation, Invitation.unit_id == Ballot.unit_id)
        .where(Invitation.contact_id == contact_id, Ballot.contact_id == contact_id)
        .correlate(Contact)
        .scalar_subquery()
    )


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
