"""For whom a contact stands, and how open polls follow: who votes now is invited, who does not loses the link."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from coopmail.actions import electorate
from coopmail.actions.ballots import mail_of
from coopmail.actions.basis import Basis
from coopmail.actions.records import STAFF, audit, queue_mail, settle_matter
from coopmail.clock import Clock
from coopmail.domain.audit import Matter
from coopmail.domain.base import insert_new
from coopmail.domain.contacts import Contact, Mode, Nomination, Representation
from coopmail.domain.links import Invitation
from coopmail.domain.organisations import Organisation
from coopmail.domain.polls import Ballot, Poll, PollState, VotingUnit
from coopmail.errors import ActionRefused, UnknownSubject
from coopmail.queries import contacts as people
from coopmail.queries.contacts import Standing
from coopmail.queries.polls import unreachable


class ContactLeft(ActionRefused):
    """The contact left: nothing can be asked of it until it comes back."""


class OrganisationEnded(ActionRefused):
    """The organisation merged into another, or ceased: nobody new stands for it."""


def lock_contact(session: Session, contact_id: int) -> Contact:
    """A contact as it stands now, held until the transaction ends; raises `UnknownSubject`."""
    locked = sa.select(Contact).where(Contact.id == contact_id).with_for_update()
    found = session.scalars(locked.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise UnknownSubject(f"There is no contact {contact_id}.")
    return found


def set_standing(
    session: Session, now: Clock, basis: Basis, contact_id: int, organisation_id: int, wanted: Standing, *,
    version: int, actor: str = STAFF,
) -> Contact:  # fmt: skip
    """Say how a contact stands for an organisation: by service id, the general rule under `None`; empty: no more.

    Open polls follow at once. What stands already changes nothing. Raises `ContactLeft`, `OrganisationEnded`,
    `ChangedMeanwhile` or `UnknownSubject`.
    """
    contact = lock_contact(session, contact_id)
    organisation = session.get(Organisation, organisation_id)
    if organisation is None:
        raise UnknownSubject(f"There is no organisation {organisation_id}.")
    before = people.standing(session, contact_id, organisation_id)
    if wanted == before:
        return contact
    if contact.left_at is not None:
        raise ContactLeft(f"{contact.name} left.")
    if organisation.ended_on is not None and wanted:
        raise OrganisationEnded(f"{organisation.name} takes no part any more.")
    contact.edit(version)
    moment = now()
    _write(session, moment, contact, organisation_id, before, wanted)
    audit(session, moment, "standing-changed", actor, f"contact:{contact.id}", organisation=organisation_id,
          before=_told(before), after=_told(wanted))  # fmt: skip
    follow(session, moment, basis, contact, f"v{contact.version}", actor=actor)
    return contact


def follow(session: Session, now: datetime, basis: Basis, contact: Contact, round_: str, *, actor: str = STAFF) -> None:
    """Let the open polls follow who a contact is and for whom it stands; who was invited before is mailed anew.

    A unit for which nobody is left is put before staff, one that somebody answers for again is ticked off. Closing
    waits for this, so that whoever is invited hears the outcome. `round_` names the act: it mails once.
    """
    session.flush()
    for poll in _open_polls(session, contact.id):
        taken = _take_back(session, now, poll, contact)
        again = _give_back(session, poll, contact)
        electorate.invite(session, poll, now, basis)
        for invitation_id, _unit in again:
            queue_mail(session, now, "ballot-invitation", f"again:{invitation_id}:{round_}",
                       campaign=f"poll:{poll.id}:again", contact_id=contact.id, invitation_id=invitation_id,
                       expires_at=poll.closes_at)  # fmt: skip
        _tell_what_was_answered(session, now, poll, contact)
        electorate.raise_unreachable(session, poll, now)
        _reopen(session, now, taken)
        for unit_id in _reached(session, poll, contact):
            settle_matter(session, now, f"unit:{unit_id}", actor=actor)


def take_over(session: Session, now: datetime, nomination: Nomination) -> None:
    """Let the new contact stand for the organisation as far as the other does; end the other's part where replaced.

    Whoever named the new contact and left since stood for it until then: that is what is taken over.
    """
    former = nomination.named_by
    own = {row.service_id: row for row in _rows(session, nomination.contact, nomination.organisation_id)}
    for row in _rows(session, former, nomination.organisation_id, until_leaving=True):
        mine = own.get(row.service_id)
        if mine is None:
            session.add(
                Representation(contact_id=nomination.contact_id, organisation_id=nomination.organisation_id,
                               service_id=row.service_id, mode=row.mode, started_at=now)
            )  # fmt: skip
        elif row.mode is Mode.VOTES:
            mine.mode = Mode.VOTES
        if nomination.replaces:
            row.ended_at = now
    session.flush()
    _pass_on(session, now, nomination)


def stands_for(session: Session, contact_id: int, organisation_id: int) -> bool:
    """Whether a contact votes for an organisation, in whatever service."""
    standing = sa.exists().where(
        Representation.contact_id == contact_id,
        Representation.organisation_id == organisation_id,
        Representation.mode == Mode.VOTES,
        Representation.ended_at.is_(None),
    )
    return bool(session.scalar(sa.select(standing)))


def stood_for(session: Session, contact: Contact, organisation_id: int, *, votes: bool = False) -> bool:
    """Whether a contact stands for an organisation (as one who votes), or did until it left."""
    rows = _rows(session, contact, organisation_id, until_leaving=True)
    return any(row.mode is Mode.VOTES or not votes for row in rows)


def _rows(
    session: Session, contact: Contact, organisation_id: int, *, until_leaving: bool = False
) -> list[Representation]:
    running: sa.ColumnElement[bool] = Representation.ended_at.is_(None)
    if until_leaving and contact.left_at is not None:
        running = running | (Representation.ended_at == contact.left_at)
    found = sa.select(Representation).where(
        Representation.contact_id == contact.id, Representation.organisation_id == organisation_id, running
    )
    return list(session.scalars(found.order_by(Representation.id)))


def _write(
    session: Session, now: datetime, contact: Contact, organisation_id: int, before: Standing, wanted: Standing
) -> None:
    for row in _rows(session, contact, organisation_id):
        if wanted.get(row.service_id) is not row.mode:
            row.ended_at = now
    session.flush()  # a unique key holds among those that run
    session.add_all(
        Representation(contact_id=contact.id, organisation_id=organisation_id, service_id=service_id, mode=mode,
                       started_at=now)
        for service_id, mode in wanted.items()
        if before.get(service_id) is not mode
    )  # fmt: skip


def _told(standing: Standing) -> dict[str, str]:
    """How the record names it: the general rule is `all`."""
    return {str(service_id or "all"): mode.value for service_id, mode in standing.items()}


def _open_polls(session: Session, contact_id: int) -> list[Poll]:
    """The open polls that concern a contact, held against closing, in the order in which everyone takes them."""
    concerned = Poll.id.in_(people.polls_of(contact_id))
    held = sa.select(Poll).where(Poll.state == PollState.OPEN, concerned).order_by(Poll.id)
    return list(session.scalars(held.with_for_update(read=True, of=Poll)))


def _mine(poll: Poll, contact: Contact) -> sa.ColumnElement[bool]:
    return (Invitation.poll_id == poll.id) & (Invitation.contact_id == contact.id)


def _may_answer(poll: Poll) -> sa.ColumnElement[bool]:
    """Whether an invitation's contact may answer for its unit now, also for one that merged into its organisation."""
    units = sa.select(VotingUnit).where(VotingUnit.poll_id == poll.id).subquery()
    asked = electorate.whom(poll, units).subquery()
    directly = sa.exists().where(asked.c.asked_id == Invitation.contact_id, asked.c.id == Invitation.unit_id)
    general = Representation.service_id.is_(None)
    covers: sa.ColumnElement[bool] = general
    if poll.service_id is not None:  # as `electorate` has it: a row for the service goes before the general one
        own = aliased(Representation)
        overruled = sa.exists().where(
            own.contact_id == Representation.contact_id,
            own.organisation_id == Representation.organisation_id,
            own.service_id == poll.service_id,
            own.ended_at.is_(None),
        )
        covers = (Representation.service_id == poll.service_id) | (general & ~overruled)
    merged = sa.exists().where(
        VotingUnit.id == Invitation.unit_id,
        Organisation.id == VotingUnit.organisation_id,
        Representation.organisation_id == Organisation.merged_into_id,
        Representation.contact_id == Invitation.contact_id,
        Representation.mode == Mode.VOTES,
        Representation.ended_at.is_(None),
        covers,
    )
    return directly | merged


def _take_back(session: Session, now: datetime, poll: Poll, contact: Contact) -> list[int]:
    """Revoke the invitations of who does not vote any more; the units."""
    lost = sa.update(Invitation).where(_mine(poll, contact), Invitation.revoked_at.is_(None), ~_may_answer(poll))
    lost = lost.values(revoked_at=now).returning(Invitation.unit_id).execution_options(synchronize_session=False)
    return [unit_id for unit_id in session.scalars(lost) if unit_id is not None]


def _give_back(session: Session, poll: Poll, contact: Contact) -> list[tuple[int, int | None]]:
    """Let the invitations of who votes again hold again: id and unit of each."""
    back = sa.update(Invitation).where(_mine(poll, contact), Invitation.revoked_at.is_not(None), _may_answer(poll))
    back = back.values(revoked_at=None).returning(Invitation.id, Invitation.unit_id)
    rows = session.execute(back.execution_options(synchronize_session=False)).all()
    return [(row[0], row[1]) for row in rows]


def _tell_what_was_answered(session: Session, now: datetime, poll: Poll, contact: Contact) -> None:
    """Where a colleague answered for the unit, the contact hears that instead of the question; once an answer."""
    answered = session.execute(
        sa.select(Invitation.id, Ballot)
        .join(Ballot, Ballot.unit_id == Invitation.unit_id)
        .where(_mine(poll, contact), Invitation.revoked_at.is_(None),
               Ballot.contact_id.is_(None) | (Ballot.contact_id != contact.id))
    )  # fmt: skip
    for invitation_id, ballot in answered.all():
        queue_mail(session, now, mail_of(ballot, contact.id),
                   f"{poll.id}:{ballot.unit_id}:{contact.id}:{ballot.version}",
                   campaign=f"poll:{poll.id}:receipt", contact_id=contact.id, invitation_id=invitation_id,
                   context={"version": ballot.version})  # fmt: skip


def _reached(session: Session, poll: Poll, contact: Contact) -> list[int]:
    """The units for which this contact can answer now."""
    found = sa.select(Invitation.unit_id).where(_mine(poll, contact), Invitation.revoked_at.is_(None))
    return [unit_id for unit_id in session.scalars(found) if unit_id is not None]


def _reopen(session: Session, now: datetime, units: list[int]) -> None:
    """Put before staff again that nobody answers for these units, where it was ticked off before."""
    alone = session.scalars(sa.select(VotingUnit.id).where(VotingUnit.id.in_(units), unreachable())).all()
    session.execute(
        sa.update(Matter)
        .where(Matter.key.in_([f"unit:{unit_id}" for unit_id in alone]), Matter.settled_at.is_not(None))
        .values(settled_at=None, settled_by_id=None, raised_at=now)
    )


def _pass_on(session: Session, now: datetime, nomination: Nomination) -> None:
    """Invite the new contact for the units, frozen before a merger, for which the other was invited."""
    theirs = (
        sa.select(Invitation.kind, sa.literal(nomination.contact_id), Invitation.poll_id, Invitation.unit_id,
                  sa.literal(now, Invitation.__table__.c.created_at.type))
        .join(VotingUnit, VotingUnit.id == Invitation.unit_id)
        .join(Organisation, Organisation.id == VotingUnit.organisation_id)
        .where(Invitation.contact_id == nomination.named_by_id,
               Invitation.poll_id.in_(people.open_poll_ids()),
               Organisation.merged_into_id == nomination.organisation_id)
    )  # fmt: skip
    columns = ["kind", "contact_id", "poll_id", "unit_id", "created_at"]
    session.execute(insert_new(session, Invitation).from_select(columns, theirs))
