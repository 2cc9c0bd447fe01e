"""Questions about one mail, and about one person's: what became of it, whether it may be tried again, why none came."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from coopmail.domain.audit import AuditRow
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Mode
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import CampaignStop, Mail, MailEvent, MailState, StopKind
from coopmail.domain.polls import Audience, Poll, PollState, VotingUnit
from coopmail.errors import UnknownSubject
from coopmail.queries import contacts
from coopmail.queries.board_mail import LOST

ASKING = ("ballot-invitation", "poll-extended")
"""Mails that are of use only while their poll takes answers."""
MOST_EVENTS = 100
MOST_POLLS = 50


class RetryFault(enum.StrEnum):
    """Why a mail would not be sent if it were tried again."""

    SENT = "sent"
    NOT_NEEDED = "not_needed"
    LEFT = "left"
    INVITATION_REVOKED = "invitation_revoked"
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    POLL_OVER = "poll_over"
    TOO_LATE = "too_late"


def get(session: Session, mail_id: int) -> Mail:
    """A mail, with whom it is for and the invitation, poll and unit that it is about, or `UnknownSubject`."""
    about = joinedload(Mail.invitation)
    found = session.scalars(
        sa.select(Mail)
        .where(Mail.id == mail_id)
        .options(joinedload(Mail.contact), joinedload(Mail.staff),
                 about.joinedload(Invitation.poll), about.joinedload(Invitation.unit))
    ).one_or_none()  # fmt: skip
    if found is None:
        raise UnknownSubject(f"There is no mail {mail_id}.")
    return found


def events(session: Session, mail_id: int) -> list[MailEvent]:
    """What happened to a mail, the latest on top; of very many the last hundred."""
    last = sa.select(MailEvent).where(MailEvent.mail_id == mail_id).order_by(MailEvent.id.desc())
    return list(session.scalars(last.limit(MOST_EVENTS)))


def caused_by(session: Session, mail: Mail) -> str | None:
    """Who did the act that queued a mail, as the record names them; `None` where nothing says so.

    A mail and the record of its act have the same moment: they are written in one transaction.
    """
    asked = mail.invitation
    subjects = [f"contact:{mail.contact_id}", f"mail:{mail.id}"]
    if asked is not None:
        subjects += [f"poll:{asked.poll_id}", f"unit:{asked.unit_id}", f"invitation:{asked.id}"]
    found = sa.select(AuditRow.actor).where(AuditRow.subject.in_(subjects), AuditRow.at == mail.created_at)
    return session.scalars(found.order_by(AuditRow.id).limit(1)).one_or_none()


def retry_fault(session: Session, mail: Mail, now: datetime) -> RetryFault | None:
    """Why a mail that does not wait would not be sent if it were tried again, or `None`: then it may be."""
    asked, to = mail.invitation, mail.contact or mail.staff
    poll = asked.poll if asked else None
    open_ = poll is not None and poll.accepts_answers(now)
    stop = session.get(CampaignStop, mail.campaign)
    faults = {
        RetryFault.SENT: mail.state is MailState.SENT,
        RetryFault.NOT_NEEDED: mail.state is MailState.SUPPRESSED,
        RetryFault.LEFT: to is None or to.left_at is not None,
        RetryFault.INVITATION_REVOKED: asked is not None and asked.revoked_at is not None,
        RetryFault.CAMPAIGN_CANCELLED: stop is not None and stop.kind is StopKind.CANCELLED,
        RetryFault.POLL_OVER: mail.template in ASKING and not open_,
        RetryFault.TOO_LATE: mail.expires_at is not None and mail.expires_at <= now and not open_,
    }
    return next((fault for fault, found in faults.items() if found), None)


def worth_retrying(campaign: str, now: datetime, expiry: datetime | None) -> sa.Select[int]:
    """The ids of a campaign's mails that did not arrive and are still of use.

    `expiry` is the closing time of the campaign's poll while it takes answers, else `None`: then what only that poll
    asks for, and what has expired, is of no use any more.
    """
    useful: sa.ColumnElement[bool] = sa.true()
    if expiry is None:
        in_time = Mail.expires_at.is_(None) | (Mail.expires_at > now)
        useful = in_time & Mail.template.not_in(ASKING)
    return (
        sa.select(Mail.id)
        .join(Contact, Contact.id == Mail.contact_id)
        .outerjoin(Invitation, Invitation.id == Mail.invitation_id)
        .where(Mail.campaign == campaign, Mail.state.in_(LOST), Contact.left_at.is_(None),
               Invitation.revoked_at.is_(None), useful)
        .order_by(Mail.id)
    )  # fmt: skip


class Why(enum.StrEnum):
    """Why a contact was, or was not, invited to a poll."""

    INVITED = "invited"
    REVOKED = "revoked"
    LEFT = "left"
    UNCONFIRMED = "unconfirmed"
    READS = "reads"
    READS_SERVICE = "reads_service"
    OTHER_SERVICE = "other_service"
    NO_UNIT = "no_unit"
    NO_SEAT = "no_seat"
    SEAT_WITHOUT_VOTE = "seat_without_vote"
    NO_ORGANISATION = "no_organisation"
    NOT_YET = "not_yet"


class WhyNot(NamedTuple):
    """For whom a contact was asked or not in a poll, why, and the mail that asked, where there is one."""

    whom: str
    why: Why
    mail_id: int | None = None
    state: MailState | None = None
    reply: str = ""


def why_not(session: Session, contact: Contact, poll: Poll) -> list[WhyNot]:
    """Why a contact was or was not invited to a poll that was opened: a line for each whom they stand for."""
    return why_each(session, contact, [poll])[poll.id]


def why_each(session: Session, contact: Contact, polls: Sequence[Poll]) -> dict[int, list[WhyNot]]:
    """The same of several polls, by their id, in a constant number of questions."""
    known = _Known(session, contact, polls)
    return {poll.id: _reasons(known, contact, poll) for poll in polls}


def open_polls(session: Session) -> list[Poll]:
    """The polls that are open, the first to close on top; their groups are loaded."""
    found = sa.select(Poll).where(Poll.state == PollState.OPEN).options(joinedload(Poll.group))
    return list(session.scalars(found.order_by(Poll.closes_at, Poll.id).limit(MOST_POLLS)))


class _Known:
    """What the reasons are found in: invitations, for whom the contact stands, seats, and which organisations vote."""

    def __init__(self, session: Session, contact: Contact, polls: Sequence[Poll]) -> None:
        ids = [poll.id for poll in polls]
        self.stands_for = contacts.represents(session, contact.id)
        self.seats = [seat for seat, _group in contacts.seats(session, contact.id)]
        self.asked = _asked(session, contact.id, ids)
        organisations = [each.organisation.id for each in self.stands_for]
        units = sa.select(VotingUnit.poll_id, VotingUnit.organisation_id).where(
            VotingUnit.poll_id.in_(ids), VotingUnit.organisation_id.in_(organisations)
        )
        self.organisations = {(poll_id, organisation_id) for poll_id, organisation_id in session.execute(units)}


class _Asked(NamedTuple):
    poll_id: int
    organisation_id: int | None
    line: WhyNot


def _asked(session: Session, contact_id: int, poll_ids: list[int]) -> list[_Asked]:
    """A contact's invitations to these polls, each with the newest mail that asked."""
    rows = session.execute(
        sa.select(Invitation.poll_id, VotingUnit.organisation_id, VotingUnit.name, Invitation.revoked_at,
                  Invitation.id, Mail.id, Mail.state, Mail.reply)
        .join(VotingUnit, VotingUnit.id == Invitation.unit_id)
        .outerjoin(Mail, (Mail.invitation_id == Invitation.id) & (Mail.template == "ballot-invitation"))
        .where(Invitation.contact_id == contact_id, Invitation.poll_id.in_(poll_ids))
        .order_by(VotingUnit.name, Invitation.id, Mail.id)
    )  # fmt: skip
    newest: dict[int, _Asked] = {}
    for poll_id, organisation_id, name, revoked_at, invitation_id, mail_id, state, reply in rows:
        why = Why.INVITED if revoked_at is None else Why.REVOKED
        newest[invitation_id] = _Asked(poll_id or 0, organisation_id, WhyNot(name, why, mail_id, state, reply or ""))
    return list(newest.values())


def _reasons(known: _Known, contact: Contact, poll: Poll) -> list[WhyNot]:
    asked = [found for found in known.asked if found.poll_id == poll.id]
    lines = [found.line for found in asked]
    if contact.left_at is not None:
        return [*lines, WhyNot(contact.name, Why.LEFT)]
    if poll.audience is Audience.GROUP_SEATS:
        return lines or [WhyNot(poll.group.name, _why_no_seat(known, poll))]
    covered = {found.organisation_id for found in asked}
    for each in known.stands_for:
        if each.organisation.id not in covered:
            lines.append(WhyNot(each.organisation.name, _why_no_vote(known, contact, poll, each)))
    return lines or [WhyNot(contact.name, Why.NO_ORGANISATION)]


def _why_no_seat(known: _Known, poll: Poll) -> Why:
    day = brussels_day(poll.opened_at) if poll.opened_at else date.max
    seats = [
        seat for seat in known.seats
        if seat.group_id == poll.group_id and seat.starts_on <= day <= (seat.ends_on or date.max)
    ]  # fmt: skip
    if not seats:
        return Why.NO_SEAT
    return Why.NOT_YET if any(seat.has_vote for seat in seats) else Why.SEAT_WITHOUT_VOTE


def _why_no_vote(known: _Known, contact: Contact, poll: Poll, each: contacts.Represents) -> Why:
    """Why a contact was not asked for an organisation. Rule: the row for the poll's service, else the general one."""
    own = next((mode for service, mode in each.services if service.id == poll.service_id), None)
    mode = own or each.general
    reasons = {
        Why.NO_UNIT: (poll.id, each.organisation.id) not in known.organisations,
        Why.UNCONFIRMED: contact.confirmed_at is None,
        Why.OTHER_SERVICE: mode is None,
        Why.READS_SERVICE: own is Mode.READS,
        Why.READS: mode is Mode.READS,
    }
    return next((why for why, found in reasons.items() if found), Why.NOT_YET)
