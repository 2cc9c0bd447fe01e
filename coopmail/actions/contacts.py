"""Not the right person? Somebody names the right one, who confirms; and a lost link is mailed again."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import electorate
from coopmail.actions.basis import Basis
from coopmail.actions.records import audit, queue_mail
from coopmail.clock import Clock
from coopmail.domain.base import insert_new, random_key, wake_runners
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Mode, Nomination, Representation, address_key
from coopmail.domain.links import Invitation, Link, LinkRequest
from coopmail.domain.outbox import Mail, Priority
from coopmail.domain.polls import Ballot, Poll, PollState, VotingUnit
from coopmail.errors import ActionRefused
from coopmail.queries import invitations

NOMINATIONS_A_DAY = 5
NOMINATION_DAYS = 60
KIND = "contact-details"


class TooManyNominations(ActionRefused):
    """One contact named more people in a day than anyone needs to."""


class OwnAddress(ActionRefused):
    """Somebody named themselves."""


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
    organisation_id = invitation.unit.organisation_id
    session.scalars(sa.select(Contact).where(Contact.id == invitation.contact_id).with_for_update()).one()
    session.refresh(invitation, ["revoked_at"])
    if invitation.revoked_at is not None or not _stands_for(session, invitation.contact_id, organisation_id):
        raise ActionRefused("Only who still votes for an organisation can name another.")
    moment = now()
    key = address_key(email)
    if key == invitation.contact.email_key:
        raise OwnAddress("This is the address at which this invitation was sent.")
    mine = sa.select(Nomination).where(Nomination.named_by_id == invitation.contact_id)
    contact = invitations.contact_by_address(session, key)
    if contact is not None:
        known = session.scalars(
            mine.where(Nomination.contact_id == contact.id, Nomination.organisation_id == organisation_id,
                       Nomination.answered_at.is_(None))
        ).first()  # fmt: skip
        if known is not None:
            known.replaces = replaces
            return known
    today = session.scalars(mine.where(Nomination.named_at > moment - timedelta(days=1))).all()
    if len(today) >= NOMINATIONS_A_DAY:
        raise TooManyNominations(f"At most {NOMINATIONS_A_DAY} people can be named in a day.")
    if contact is None:
        values = {"name": name, "email": email, "email_key": key, "language": invitation.contact.language}
        session.execute(insert_new(session, Contact).values(**values))  # another may name the same at this moment
        contact = session.scalars(sa.select(Contact).where(Contact.email_key == key)).one()
    elif contact.left_at is not None:
        contact.left_at = contact.confirmed_at = None  # whoever left can come back, and confirms it
    nomination = Nomination(organisation_id=organisation_id, named_by_id=invitation.contact_id,
                            contact_id=contact.id, replaces=replaces, named_at=moment)  # fmt: skip
    session.add(nomination)
    session.flush()
    _invite_nominee(session, moment, nomination, basis)
    audit(session, moment, "contact-named", f"contact:{invitation.contact_id}", f"organisation:{organisation_id}",
          nomination=nomination.id, contact=contact.id, replaces=replaces)  # fmt: skip
    return nomination


def answer_nomination(
    session: Session, now: Clock, basis: Basis, invitation_id: int, *, accepts: bool, name: str, language: str,
    telephone: str,
) -> Nomination:  # fmt: skip
    """The named person confirms, or says that it is somebody else. Answered once; the same answer again adds nothing.

    Accepting makes the contact stand for the organisation as the one who named it does, invites it to the open polls,
    and, where it replaces, takes the other's links back.
    """
    invitation = invitations.get(session, invitation_id)
    if invitation.nomination is None:
        raise ActionRefused("This invitation asks for no contact details.")
    nomination = session.scalars(
        sa.select(Nomination).where(Nomination.id == invitation.nomination_id).with_for_update()
    ).one()
    if nomination.answered_at is not None:
        if nomination.accepted is not accepts:
            raise ActionRefused("This was answered otherwise before.")
        return nomination
    session.scalars(sa.select(Contact).where(Contact.id == nomination.named_by_id).with_for_update()).one()
    if accepts and not _stands_for(session, nomination.named_by_id, nomination.organisation_id):
        raise ActionRefused("Whoever named this contact no longer votes for the organisation.")
    moment = now()
    nomination.answered_at, nomination.accepted = moment, accepts
    if accepts:
        contact = nomination.contact
        contact.name, contact.language, contact.telephone = name, language, telephone
        contact.confirmed_at, contact.left_at = contact.confirmed_at or moment, None
        _take_over(session, moment, nomination)
        _move_invitations(session, moment, nomination)
        session.flush()
        for poll in _open_polls_of(session, nomination.organisation_id):
            electorate.invite(session, poll, moment, basis)
        _tell_what_was_answered(session, moment, nomination)
    act = "contact-confirmed" if accepts else "contact-declined"
    subject = f"organisation:{nomination.organisation_id}"
    audit(session, moment, act, f"contact:{nomination.contact_id}", subject, nomination=nomination.id)
    queue_mail(session, moment, "contact-details-answered", str(nomination.id), campaign="contact-details",
               contact_id=nomination.named_by_id, invitation_id=invitation.id, priority=Priority.SYSTEM)  # fmt: skip
    return nomination


def request_link(session: Session, now: Clock, address: str) -> None:
    """Note that somebody asks for a new link; the same work whether or not the address is known."""
    session.add(LinkRequest(address=address[:320], requested_at=now()))
    wake_runners(session)


def answer_link_requests(session: Session, now: datetime, basis: Basis) -> None:
    """Mail what is live to those who asked and are known, a few times a day at most; forget the requests."""
    limit = basis.charter.polls_on(brussels_day(now)).new_links_a_day
    requests = session.scalars(sa.select(LinkRequest).order_by(LinkRequest.id).limit(500)).all()
    for key in dict.fromkeys(address_key(request.address) for request in requests):
        contact = invitations.contact_by_address(session, key)
        if contact is None or contact.left_at is not None:
            continue
        prefix = f"new-link:{contact.id}:{brussels_day(now)}:"
        sent = session.scalars(
            sa.select(sa.func.count()).select_from(Mail).where(Mail.dedupe_key.startswith(prefix))
        ).one()
        if sent < limit and invitations.live(session, contact.id, now):
            _renew(session, now, contact.id, basis)
            queue_mail(session, now, "new-link", f"{contact.id}:{brussels_day(now)}:{sent + 1}", campaign="new-link",
                       contact_id=contact.id, priority=Priority.SYSTEM, expires_at=now + timedelta(days=1))  # fmt: skip
    session.execute(sa.delete(LinkRequest).where(LinkRequest.id.in_([request.id for request in requests])))


def _renew(session: Session, now: datetime, contact_id: int, basis: Basis) -> None:
    """A link under the present key for each live invitation that has none (its key may be kept no longer)."""
    for invitation in invitations.live(session, contact_id, now):
        newest = invitations.link_of(session, invitation.id)
        if newest.key_version != basis.key_version:
            session.execute(
                sa.insert(Link).values(id=random_key(), kind=newest.kind, key_version=basis.key_version,
                                       invitation_id=invitation.id, created_at=now, expires_at=newest.expires_at)
            )  # fmt: skip


def _invite_nominee(session: Session, now: datetime, nomination: Nomination, basis: Basis) -> None:
    invitation = Invitation(kind=KIND, contact_id=nomination.contact_id, nomination_id=nomination.id, created_at=now)
    session.add(invitation)
    session.flush()
    expires = now + timedelta(days=NOMINATION_DAYS)
    session.execute(
        sa.insert(Link).values(id=random_key(), kind=KIND, key_version=basis.key_version,
                               invitation_id=invitation.id, created_at=now, expires_at=expires)
    )  # fmt: skip
    queue_mail(session, now, "contact-details-invitation", str(nomination.id), campaign="contact-details",
               contact_id=nomination.contact_id, invitation_id=invitation.id, expires_at=expires)  # fmt: skip


def _take_over(session: Session, now: datetime, nomination: Nomination) -> None:
    """Let the new contact stand for the organisation as far as the other does; end the other's part where replaced."""
    standing = session.scalars(
        sa.select(Representation).where(
            Representation.organisation_id == nomination.organisation_id,
            Representation.contact_id.in_((nomination.named_by_id, nomination.contact_id)),
            Representation.ended_at.is_(None),
        )
    ).all()
    own = {row.service_id: row for row in standing if row.contact_id == nomination.contact_id}
    for row in standing:
        if row.contact_id != nomination.named_by_id:
            continue
        if row.service_id in own:
            if row.mode is Mode.VOTES:
                own[row.service_id].mode = Mode.VOTES
        else:
            session.add(
                Representation(contact_id=nomination.contact_id, organisation_id=nomination.organisation_id,
                               service_id=row.service_id, mode=row.mode, started_at=now)
            )  # fmt: skip
        if nomination.replaces:
            row.ended_at = now


def _move_invitations(session: Session, now: datetime, nomination: Nomination) -> None:
    """Give the new contact's earlier links back; where it replaces, take the other's, and whom else they named."""
    units = sa.select(VotingUnit.id).where(VotingUnit.organisation_id == nomination.organisation_id)
    of_units = sa.update(Invitation).where(Invitation.unit_id.in_(units))
    restored = session.execute(
        of_units.where(Invitation.contact_id == nomination.contact_id, Invitation.revoked_at.is_not(None))
        .values(revoked_at=None)
        .returning(Invitation.id, Invitation.poll_id)
    ).all()
    for again, poll_id in restored:
        queue_mail(session, now, "ballot-invitation", f"again:{again}:{nomination.id}",
                   campaign=f"poll:{poll_id}:again", contact_id=nomination.contact_id, invitation_id=again)  # fmt: skip
    if nomination.replaces:
        others = sa.select(Nomination.id).where(
            Nomination.named_by_id == nomination.named_by_id,
            Nomination.organisation_id == nomination.organisation_id,
            Nomination.answered_at.is_(None),
        )
        session.execute(of_units.where(Invitation.contact_id == nomination.named_by_id).values(revoked_at=now))
        session.execute(sa.update(Invitation).where(Invitation.nomination_id.in_(others)).values(revoked_at=now))


def _tell_what_was_answered(session: Session, now: datetime, nomination: Nomination) -> None:
    """Where a unit had answered, the new contact hears that instead of the question."""
    answered = session.execute(
        sa.select(Invitation, Ballot)
        .join(Ballot, Ballot.unit_id == Invitation.unit_id)
        .join(VotingUnit, VotingUnit.id == Invitation.unit_id)
        .join(Poll, Poll.id == Invitation.poll_id)
        .where(
            Invitation.contact_id == nomination.contact_id,
            VotingUnit.organisation_id == nomination.organisation_id,
            Poll.state == PollState.OPEN,
        )
    )
    for invitation, ballot in answered.all():
        queue_mail(session, now, "ballot-by-colleague",
                   f"{ballot.poll_id}:{ballot.unit_id}:{nomination.contact_id}:{ballot.version}",
                   campaign=f"poll:{ballot.poll_id}:receipt", contact_id=nomination.contact_id,
                   invitation_id=invitation.id, context={"version": ballot.version})  # fmt: skip


def _stands_for(session: Session, contact_id: int, organisation_id: int) -> bool:
    """Whether a contact votes for an organisation, in whatever service."""
    standing = sa.exists().where(
        Representation.contact_id == contact_id,
        Representation.organisation_id == organisation_id,
        Representation.mode == Mode.VOTES,
        Representation.ended_at.is_(None),
    )
    return bool(session.scalar(sa.select(standing)))


def _open_polls_of(session: Session, organisation_id: int) -> list[Poll]:
    return list(
        session.scalars(
            sa.select(Poll)
            .join(VotingUnit, VotingUnit.poll_id == Poll.id)
            .where(VotingUnit.organisation_id == organisation_id, Poll.state == PollState.OPEN)
            .order_by(Poll.id)
            .with_for_update(read=True, of=Poll)  # closing waits, so that whoever is invited hears the outcome
        )
    )
