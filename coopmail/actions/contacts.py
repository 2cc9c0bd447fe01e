"""Contacts come, change, are away, leave and come back; and mail to them bounces."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from coopmail.actions.basis import Basis
from coopmail.actions.records import STAFF, audit, queue_mail, raise_matter
from coopmail.actions.representations import OrganisationEnded, follow, lock_contact
from coopmail.clock import Clock
from coopmail.domain.audit import AuditRow
from coopmail.domain.base import insert_new
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Mode, Representation, address_key
from coopmail.domain.groups import Seat, sitting_on
from coopmail.domain.links import Invitation
from coopmail.domain.organisations import Organisation
from coopmail.domain.outbox import WAITING, Mail, MailState
from coopmail.errors import ActionRefused
from coopmail.queries import contacts as people
from coopmail.queries import invitations, outbox


class AddressTaken(ActionRefused):
    """Another contact has that address; who that is can be said after the transaction is undone."""

    def __init__(self, contact: Contact) -> None:
        super().__init__(f"{contact.email} is the address of {contact.name}.")
        self.contact_id, self.name, self.left = contact.id, contact.name, contact.left_at is not None


class MailboxHoldsSeat(ActionRefused):
    """A seat is personal, so whoever holds one cannot be a mailbox that several people read."""


def add(
    session: Session, now: Clock, basis: Basis, *, name: str, email: str, language: str, telephone: str = "",
    functional: bool = False, organisation_id: int | None = None, mode: Mode = Mode.VOTES, actor: str = STAFF,
) -> Contact:  # fmt: skip
    """Add a contact, who stands for one organisation or, where none is named, belongs to the field for himself.

    Staff know the address, so nothing is asked of it first. The same again adds nothing. Raises `AddressTaken` or
    `OrganisationEnded`.
    """
    given = {"name": name, "email": email, "language": language, "telephone": telephone, "functional": functional}
    moment = now()
    organisation = session.get(Organisation, organisation_id) if organisation_id is not None else None
    if organisation is not None and organisation.ended_on is not None:
        raise OrganisationEnded(f"{organisation.name} takes no part any more.")
    new = insert_new(session, Contact).values(**given, email_key=address_key(email), confirmed_at=moment, version=1)
    contact_id = session.scalar(new.returning(Contact.id))
    if contact_id is None:
        return _added_before(session, email, given, organisation, mode)
    contact = lock_contact(session, contact_id)
    if organisation is not None:
        session.add(Representation(contact_id=contact.id, organisation_id=organisation.id, mode=mode,
                                   started_at=moment))  # fmt: skip
    standing = {"organisation": organisation.id, "mode": mode.value} if organisation is not None else {}
    audit(session, moment, "contact-added", actor, f"contact:{contact.id}", **given, **standing)
    follow(session, moment, basis, contact, f"v{contact.version}", actor=actor)
    return contact


def edit(
    session: Session, now: Clock, contact_id: int, *, version: int, name: str, email: str, language: str,
    telephone: str, functional: bool, actor: str = STAFF,
) -> Contact:  # fmt: skip
    """Change a contact. To another address, what is open is mailed again; links sent before stay this contact's.

    What is there already changes nothing. Raises `ChangedMeanwhile`, `AddressTaken`, or `MailboxHoldsSeat`.
    """
    contact = lock_contact(session, contact_id)
    wanted = {"name": name, "email": email, "language": language, "telephone": telephone, "functional": functional}
    changes = {field: [getattr(contact, field), value] for field, value in wanted.items()
               if getattr(contact, field) != value}  # fmt: skip
    if not changes:
        return contact
    contact.edit(version)
    moment = now()
    if "functional" in changes and functional and sits(session, contact, brussels_day(moment)):
        raise MailboxHoldsSeat(f"{contact.name} holds a seat, which is personal.")
    former = contact.email_key
    _write(session, contact, wanted)
    audit(session, moment, "contact-edited", actor, f"contact:{contact.id}", changes=changes)
    if contact.email_key != former:
        contact.undeliverable_at = None
        audit(session, moment, people.ADDRESS_CHANGED, actor, f"contact:{contact.id}", before=former,
              after=contact.email_key)  # fmt: skip
        _mail_again(session, moment, contact)
    return contact


def set_away(
    session: Session, now: Clock, contact_id: int, until: date | None, *, version: int, actor: str = STAFF
) -> Contact:
    """Note the last day on which a contact is out of office, or that it is back. No mail is held back for it."""
    contact = lock_contact(session, contact_id)
    if contact.away_until == until:
        return contact
    contact.edit(version)
    contact.away_until = until
    audit(session, now(), "contact-away", actor, f"contact:{contact.id}", until=until.isoformat() if until else None)
    return contact


def leave(session: Session, now: Clock, basis: Basis, contact_id: int, *, actor: str = STAFF) -> Contact:
    """A contact leaves: no mail any more; it stands for nobody, its links end, its seats end today.

    Units for which nobody is left are put before staff. `come_back` restores what this ends. Again adds nothing.
    """
    contact = lock_contact(session, contact_id)
    if contact.left_at is not None:
        return contact
    moment = now()
    contact.left_at, contact.away_until = moment, None
    contact.version += 1
    mine = Representation.contact_id == contact.id
    session.execute(
        sa.update(Representation).where(mine, Representation.ended_at.is_(None)).values(ended_at=moment)
    )  # fmt: skip
    of_no_poll = sa.update(Invitation).where(Invitation.contact_id == contact.id, Invitation.poll_id.is_(None))
    session.execute(of_no_poll.where(Invitation.revoked_at.is_(None)).values(revoked_at=moment))
    today = brussels_day(moment)
    ended = session.scalars(
        sa.select(Seat).where(Seat.contact_id == contact.id, Seat.ends_on.is_(None) | (Seat.ends_on > today))
    ).all()
    were = [[seat.id, seat.ends_on.isoformat() if seat.ends_on else None] for seat in ended]
    for seat in ended:
        seat.ends_on = today
    audit(session, moment, "contact-left", actor, f"contact:{contact.id}", seats=were)
    follow(session, moment, basis, contact, f"v{contact.version}", actor=actor)
    return contact


def come_back(session: Session, now: Clock, basis: Basis, contact_id: int, *, actor: str = STAFF) -> Contact:
    """Undo leaving: what it ended holds again, and what is open is mailed anew. Again adds nothing.

    An organisation that ended meanwhile is not stood for again, nor what another has taken over since.
    """
    contact = lock_contact(session, contact_id)
    if contact.left_at is None:
        return contact
    moment, left = now(), contact.left_at
    contact.left_at = None
    contact.version += 1
    lasting = sa.select(Organisation.id).where(Organisation.ended_on.is_(None))
    session.execute(
        sa.update(Representation)
        .where(Representation.contact_id == contact.id, Representation.ended_at == left,
               Representation.organisation_id.in_(lasting))
        .values(ended_at=None)
    )  # fmt: skip
    session.execute(
        sa.update(Invitation)
        .where(Invitation.contact_id == contact.id, Invitation.poll_id.is_(None), Invitation.revoked_at == left)
        .values(revoked_at=None)
    )
    _sit_again(session, contact, brussels_day(left))
    audit(session, moment, "contact-returned", actor, f"contact:{contact.id}")
    follow(session, moment, basis, contact, f"v{contact.version}", actor=actor)
    return contact


def note_bounces(session: Session, now: datetime) -> None:
    """Put each mail that was refused for good before staff, and mark the address, unless it is another one by now."""
    lost = outbox.bounced_unraised(session)
    since = people.address_in_use_since(session, {mail.contact_id for mail in lost if mail.contact_id is not None})
    for mail in lost:
        who = mail.contact.name if mail.contact else mail.staff.name if mail.staff else "–"
        raise_matter(session, now, f"mail:{mail.id}", f"A mail ({mail.template}) to {who} did not arrive: {mail.reply}",
                     mail_id=mail.id, poll_id=mail.invitation.poll_id if mail.invitation else None,
                     unit_id=mail.invitation.unit_id if mail.invitation else None)  # fmt: skip
        contact = mail.contact
        if contact is not None and mail.state is MailState.BOUNCED and not _older(mail, since.get(contact.id)):
            contact.undeliverable_at = contact.undeliverable_at or now


def sits(session: Session, contact: Contact, day: date) -> bool:
    """Whether a contact holds a seat on a day, or will."""
    held = sitting_on(day) | (Seat.starts_on > day)
    return bool(session.scalar(sa.select(sa.exists().where(Seat.contact_id == contact.id, held))))


def _older(mail: Mail, since: datetime | None) -> bool:
    """Whether a mail was made for an address that is in use no longer."""
    return since is not None and mail.created_at < since


def _added_before(
    session: Session, email: str, given: dict[str, Any], organisation: Organisation | None, mode: Mode
) -> Contact:
    """Who has the address already, where it is the second click of one addition; else `AddressTaken`."""
    known = session.scalars(sa.select(Contact).where(Contact.email_key == address_key(email))).one()
    same = (known.version, known.left_at) == (1, None)
    same = same and all(getattr(known, field) == value for field, value in given.items())
    found = {each.organisation.id: each.general for each in people.represents(session, known.id)}
    if same and found == ({organisation.id: mode} if organisation is not None else {}):
        return known
    raise AddressTaken(known)


def _write(session: Session, contact: Contact, wanted: dict[str, Any]) -> None:
    """Write the new values; the address of another, also one that is written at this moment, is refused."""
    key = address_key(wanted["email"])
    taken = invitations.contact_by_address(session, key)
    if taken is not None and taken.id != contact.id:
        raise AddressTaken(taken)
    try:
        with session.begin_nested():
            for field, value in wanted.items():
                setattr(contact, field, value)
            contact.email_key = key
    except IntegrityError:
        raise AddressTaken(session.scalars(sa.select(Contact).where(Contact.email_key == key)).one()) from None


def _mail_again(session: Session, now: datetime, contact: Contact) -> None:
    """Mail what is open to the new address; what waits to go out goes there by itself."""
    if contact.left_at is not None:
        return
    waits = set(session.scalars(sa.select(Mail.invitation_id).where(Mail.contact_id == contact.id,
                                                                    Mail.state.in_(WAITING))))  # fmt: skip
    for found in invitations.still_open(session, contact.id, now):
        if found.id not in waits and found.poll is not None:
            queue_mail(session, now, "ballot-invitation", f"again:{found.id}:v{contact.version}",
                       campaign=f"poll:{found.poll_id}:again", contact_id=contact.id, invitation_id=found.id,
                       expires_at=found.poll.closes_at)  # fmt: skip
    for found in people.waiting_invitations(session, contact.id):
        if found.id not in waits:
            queue_mail(session, now, f"{found.kind}-invitation", f"{found.nomination_id}:v{contact.version}",
                       campaign="contact-details", contact_id=contact.id, invitation_id=found.id,
                       expires_at=invitations.link_of(session, found.id).expires_at)  # fmt: skip


def _sit_again(session: Session, contact: Contact, left_on: date) -> None:
    """Give the seats back that leaving ended, as the record of it says."""
    last = session.scalars(
        sa.select(AuditRow)
        .where(AuditRow.subject == f"contact:{contact.id}", AuditRow.act == "contact-left")
        .order_by(AuditRow.id.desc())
        .limit(1)
    ).one_or_none()
    for seat_id, ends_on in last.detail.get("seats", []) if last is not None else []:
        seat = session.get(Seat, seat_id)
        if seat is not None and seat.contact_id == contact.id and seat.ends_on == left_on:
            seat.ends_on = date.fromisoformat(ends_on) if ends_on else None
