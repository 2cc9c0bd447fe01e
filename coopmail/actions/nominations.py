"""Not the right person? Somebody names the right one, or staff let one hand over to another; the new one confirms."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.basis import Basis
from coopmail.actions.records import STAFF, audit, queue_mail, raise_matter
from coopmail.actions.representations import follow, lock_contact, stands_for, stood_for, take_over
from coopmail.clock import Clock
from coopmail.domain.base import insert_new, random_key
from coopmail.domain.contacts import Contact, Nomination, address_key
from coopmail.domain.links import Invitation, Link
from coopmail.domain.outbox import Priority
from coopmail.domain.polls import VotingUnit
from coopmail.errors import ActionRefused
from coopmail.queries import contacts as people
from coopmail.queries import invitations

NOMINATIONS_A_DAY = 5
NOMINATION_DAYS = 60
KIND = "contact-details"
HANDOVER = "handover"


class TooManyNominations(ActionRefused):
    """One contact named more people in a day than anyone needs to."""


class OwnAddress(ActionRefused):
    """Somebody named themselves."""


class NothingToHandOver(ActionRefused):
    """Whoever would hand over stands for none of these organisations."""


def name_other(
    session: Session, now: Clock, basis: Basis, invitation_id: int, *, name: str, email: str, replaces: bool
) -> Nomination:
    """Name the right person for the organisation that an invitation is to; that person is asked to confirm.

    Naming the same address again adds nothing. Raises `TooManyNominations`, `OwnAddress`, or `ActionRefused` for a
    seat, which is personal.
    """
    invitation = invitations.get(session, invitation_id)
    if invitation.unit is None or invitation.unit.organisation_id is None:
        raise ActionRefused("A seat is personal: nobody stands in.")
    organisation_id = people.goes_on_as(session, invitation.unit.organisation_id)
    namer = lock_contact(session, invitation.contact_id)
    session.refresh(invitation, ["revoked_at"])
    if invitation.revoked_at is not None or not stands_for(session, namer.id, organisation_id):
        raise ActionRefused("Only who still votes for an organisation can name another.")
    moment = now()
    known = _waiting(session, namer, email, organisation_id)
    if known is not None:
        known.replaces = replaces
        return known
    _check_number(session, namer, moment)
    contact = _nominee(session, namer, name, email)
    nomination = Nomination(organisation_id=organisation_id, named_by_id=namer.id, contact_id=contact.id,
                            replaces=replaces, named_at=moment)  # fmt: skip
    session.add(nomination)
    session.flush()
    _invite_nominee(session, moment, KIND, nomination, basis)
    audit(session, moment, "contact-named", f"contact:{namer.id}", f"organisation:{organisation_id}",
          nomination=nomination.id, contact=contact.id, replaces=replaces)  # fmt: skip
    return nomination


def hand_over(
    session: Session, now: Clock, basis: Basis, contact_id: int, organisation_ids: list[int], *, name: str, email: str,
    actor: str = STAFF,
) -> list[Nomination]:  # fmt: skip
    """Let another take a contact's place at these organisations: one mail asks for all, one answer confirms them.

    Until then nothing changes. Asking the same again adds nothing. It holds when whoever hands over leaves meanwhile.
    Raises `OwnAddress`, or `NothingToHandOver` where the contact stands for none of them.
    """
    contact = lock_contact(session, contact_id)
    mine = [each for each in sorted(set(organisation_ids)) if stood_for(session, contact, each)]
    if not mine:
        raise NothingToHandOver(f"{contact.name} stands for none of these organisations.")
    moment = now()
    if [_waiting(session, contact, email, each) is not None for each in mine] == [True] * len(mine):
        return [found for each in mine if (found := _waiting(session, contact, email, each)) is not None]
    successor = _nominee(session, contact, name, email)
    named = [Nomination(organisation_id=each, named_by_id=contact.id, contact_id=successor.id, replaces=True,
                        named_at=moment) for each in mine]  # fmt: skip
    session.add_all(named)
    session.flush()
    _invite_nominee(session, moment, HANDOVER, named[0], basis)
    audit(session, moment, "handover-asked", actor, f"contact:{contact.id}", contact=successor.id, organisations=mine)
    return named


def answer_nomination(
    session: Session, now: Clock, basis: Basis, invitation_id: int, *, accepts: bool, name: str, language: str,
    telephone: str,
) -> Nomination:  # fmt: skip
    """The named person confirms, or says that it is somebody else. Answered once; the same answer again adds nothing.

    Accepting makes the contact stand for the organisation as the one who named it does, invites it to the open polls,
    and, where it replaces, takes the other's links back.
    """
    invitation, nomination = _asked(session, invitation_id)
    if nomination.answered_at is not None:
        return _same(nomination, accepts)
    namer = lock_contact(session, nomination.named_by_id)
    if accepts and not stood_for(session, namer, nomination.organisation_id, votes=True):
        raise ActionRefused("Whoever named this contact no longer votes for the organisation.")
    moment = now()
    _record(session, moment, basis, [nomination], accepts=accepts, name=name, language=language, telephone=telephone)
    queue_mail(session, moment, "contact-details-answered", str(nomination.id), campaign="contact-details",
               contact_id=nomination.named_by_id, invitation_id=invitation.id, priority=Priority.SYSTEM)  # fmt: skip
    return nomination


def answer_handover(
    session: Session, now: Clock, basis: Basis, invitation_id: int, *, accepts: bool, name: str, language: str,
    telephone: str,
) -> Nomination:  # fmt: skip
    """The successor confirms for all organisations that the mail named, or says no: then staff are told.

    What was handed to another meanwhile stays with that one. Raises `NothingToHandOver` where that is all of it.
    """
    invitation, nomination = _asked(session, invitation_id)
    if nomination.answered_at is not None:
        return _same(nomination, accepts)
    former = lock_contact(session, nomination.named_by_id)
    named = people.handed_over(session, nomination)
    kept = [each for each in named if stood_for(session, former, each.organisation_id)]
    if accepts and not kept:
        raise NothingToHandOver("Somebody else took this over meanwhile.")
    moment = now()
    lost = [each for each in named if each not in kept] if accepts else []
    _decline(moment, lost)
    named = kept if accepts else named
    _record(session, moment, basis, named, accepts=accepts, name=name, language=language, telephone=telephone)
    queue_mail(session, moment, "handover-answered", str(nomination.id), campaign="contact-details",
               contact_id=former.id, invitation_id=invitation.id, priority=Priority.SYSTEM)  # fmt: skip
    if not accepts:
        text = f"{nomination.contact.name} will not take over from {former.name}: somebody else is needed."
        raise_matter(session, moment, f"handover:{nomination.id}", text,
                     contact=former.id, name=former.name, successor=nomination.contact.name)  # fmt: skip
    return nomination


def _asked(session: Session, invitation_id: int) -> tuple[Invitation, Nomination]:
    invitation = invitations.get(session, invitation_id)
    if invitation.nomination is None:
        raise ActionRefused("This invitation asks for no contact details.")
    locked = sa.select(Nomination).where(Nomination.id == invitation.nomination_id).with_for_update()
    return invitation, session.scalars(locked).one()


def _same(nomination: Nomination, accepts: bool) -> Nomination:
    if nomination.accepted is not accepts:
        raise ActionRefused("This was answered otherwise before.")
    return nomination


def _decline(now: datetime, named: list[Nomination]) -> None:
    for nomination in named:
        nomination.answered_at, nomination.accepted = now, False


def _record(
    session: Session, now: datetime, basis: Basis, named: list[Nomination], *, accepts: bool, name: str, language: str,
    telephone: str,
) -> None:  # fmt: skip
    """Write one answer to all that it answers; where it is yes, standing, links and open polls follow."""
    contact = named[0].contact
    for nomination in named:
        nomination.answered_at, nomination.accepted = now, accepts
    if accepts:
        contact.name, contact.language, contact.telephone = name, language, telephone
        contact.confirmed_at, contact.left_at = contact.confirmed_at or now, None
        contact.version += 1
        for nomination in named:
            take_over(session, now, nomination)
            _move_invitations(session, now, nomination)
        follow(session, now, basis, contact, f"n{named[0].id}")
        if named[0].replaces:
            follow(session, now, basis, named[0].named_by, f"n{named[0].id}")
    act = "contact-confirmed" if accepts else "contact-declined"
    for nomination in named:
        subject = f"organisation:{nomination.organisation_id}"
        audit(session, now, act, f"contact:{contact.id}", subject, nomination=nomination.id)


def _waiting(session: Session, namer: Contact, email: str, organisation_id: int) -> Nomination | None:
    """Whether the same person was named for the same organisation and has not answered. Raises `OwnAddress`."""
    key = address_key(email)
    if key == namer.email_key:
        raise OwnAddress("This is the address at which this invitation was sent.")
    return session.scalars(
        sa.select(Nomination)
        .join(Contact, Contact.id == Nomination.contact_id)
        .where(Contact.email_key == key, Nomination.named_by_id == namer.id,
               Nomination.organisation_id == organisation_id, Nomination.answered_at.is_(None))
    ).first()  # fmt: skip


def _check_number(session: Session, namer: Contact, now: datetime) -> None:
    today = sa.select(sa.func.count()).select_from(Nomination)
    today = today.where(Nomination.named_by_id == namer.id, Nomination.named_at > now - timedelta(days=1))
    if session.scalars(today).one() >= NOMINATIONS_A_DAY:
        raise TooManyNominations(f"At most {NOMINATIONS_A_DAY} people can be named in a day.")


def _nominee(session: Session, namer: Contact, name: str, email: str) -> Contact:
    """The contact with that address; one that is not known yet is written, and confirms itself."""
    key = address_key(email)
    contact = invitations.contact_by_address(session, key)
    if contact is None:
        values = {"name": name, "email": email, "email_key": key, "language": namer.language}
        session.execute(insert_new(session, Contact).values(**values))  # another may name the same at this moment
        return session.scalars(sa.select(Contact).where(Contact.email_key == key)).one()
    if contact.left_at is not None:
        contact.left_at = contact.confirmed_at = None  # whoever left can come back, and confirms it
    return contact


def _invite_nominee(session: Session, now: datetime, kind: str, nomination: Nomination, basis: Basis) -> None:
    invitation = Invitation(kind=kind, contact_id=nomination.contact_id, nomination_id=nomination.id, created_at=now)
    session.add(invitation)
    session.flush()
    expires = now + timedelta(days=NOMINATION_DAYS)
    session.execute(
        sa.insert(Link).values(id=random_key(), kind=kind, key_version=basis.key_version,
                               invitation_id=invitation.id, created_at=now, expires_at=expires)
    )  # fmt: skip
    queue_mail(session, now, f"{kind}-invitation", str(nomination.id), campaign="contact-details",
               contact_id=nomination.contact_id, invitation_id=invitation.id, expires_at=expires)  # fmt: skip


def _move_invitations(session: Session, now: datetime, nomination: Nomination) -> None:
    """Give the new contact's earlier pages back; where it replaces, take the other's, and whom else they named.

    Of the open polls `follow` takes care; these are also those that are over.
    """
    units = sa.select(VotingUnit.id).where(VotingUnit.organisation_id == nomination.organisation_id)
    of_units = sa.update(Invitation).where(Invitation.unit_id.in_(units))
    over = ~Invitation.poll_id.in_(people.open_poll_ids())
    session.execute(
        of_units.where(Invitation.contact_id == nomination.contact_id, Invitation.revoked_at.is_not(None), over)
        .values(revoked_at=None)
    )  # fmt: skip
    if nomination.replaces:
        others = sa.select(Nomination.id).where(
            Nomination.named_by_id == nomination.named_by_id,
            Nomination.organisation_id == nomination.organisation_id,
            Nomination.answered_at.is_(None),
        )
        session.execute(of_units.where(Invitation.contact_id == nomination.named_by_id, over).values(revoked_at=now))
        session.execute(
            sa.update(Invitation)
            .where(Invitation.kind == KIND, Invitation.nomination_id.in_(others))
            .values(revoked_at=now)
        )
