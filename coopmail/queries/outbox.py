"""Questions about mail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from coopmail.domain.audit import Matter
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation, Link, LinkRequest
from coopmail.domain.outbox import WAITING, CampaignStop, Mail, MailState, StopKind
from coopmail.domain.polls import Ballot, Channel, Poll, PollState, VotingUnit
from coopmail.domain.staff import StaffMember


class Envelope(NamedTuple):
    """Everything about one mail that is its own, as it stands now: asked just before it is sent.

    It is addressed to a contact or to one of the staff. What is not there (no invitation, no unit, no ballot, no stop)
    is `None`.
    """

    id: int
    epoch: int
    state: MailState
    key: str
    template: str
    campaign: str
    context: dict[str, Any]
    created_at: datetime
    expires_at: datetime | None
    attempts: int
    contact_id: int | None
    staff_id: int | None
    name: str
    email: str
    language: str
    functional: bool
    left_at: datetime | None
    stopped: StopKind | None
    stopped_until: datetime | None
    invitation_id: int | None
    revoked_at: datetime | None
    nomination_id: int | None
    poll_id: int | None
    poll_state: PollState | None
    closes_at: datetime | None
    unit_id: int | None
    unit: str
    population: int
    seat_id: int | None
    person_id: int | None
    weight: int
    link_id: str | None
    link_kind: str
    key_version: int
    ballot_version: int | None
    marks_text: str | None
    answered_by: str
    cast_at: datetime | None
    channel: Channel | None = None
    recorded_by: str | None = None
    proof: str | None = None


def _envelopes(wanted: sa.ColumnElement[bool]) -> sa.Select[Any]:
    mail, contact, asked, unit = Mail.__table__.c, Contact.__table__.c, Invitation.__table__.c, VotingUnit.__table__.c
    poll, link, ballot, stop = Poll.__table__.c, Link.__table__.c, Ballot.__table__.c, CampaignStop.__table__.c
    staff, either = StaffMember.__table__.c, sa.func.coalesce
    recorder = StaffMember.__table__.alias("recorder")
    return (
        sa.select(
            mail.id, mail.claim_epoch, mail.state, mail.key, mail.template, mail.campaign, mail.context,
            mail.created_at, mail.expires_at, mail.attempts,
            mail.contact_id, mail.staff_id, either(contact.name, staff.name), either(contact.email, staff.email),
            either(contact.language, staff.language), either(contact.functional, sa.false()),
            either(contact.left_at, staff.left_at),
            stop.kind, stop.until,
            mail.invitation_id, asked.revoked_at, asked.nomination_id,
            asked.poll_id, poll.state, poll.closes_at,
            asked.unit_id, unit.name, unit.population, unit.seat_id, unit.contact_id, unit.weight,
            link.id, link.kind, link.key_version,
            ballot.version, ballot.marks_text, ballot.answered_by, ballot.cast_at, ballot.channel, recorder.c.name,
            ballot.proof,
        )
        .select_from(Mail)
        .outerjoin(Contact, Contact.id == Mail.contact_id)
        .outerjoin(StaffMember, StaffMember.id == Mail.staff_id)
        .outerjoin(CampaignStop, CampaignStop.campaign == Mail.campaign)
        .outerjoin(Invitation, Invitation.id == Mail.invitation_id)
        .outerjoin(Poll, Poll.id == Invitation.poll_id)
        .outerjoin(VotingUnit, VotingUnit.id == Invitation.unit_id)
        .outerjoin(Ballot, Ballot.unit_id == Invitation.unit_id)
        .outerjoin(recorder, recorder.c.id == Ballot.recorded_by_id)
        .outerjoin(Link, Link.invitation_id == Mail.invitation_id)
        .where(wanted)
        # Of several links the newest comes last and stays: under the newest key, then the latest.
        .order_by(Link.key_version, Link.created_at, Link.id.desc())
    )  # fmt: skip


_ENVELOPES = {
    "sqlite": _envelopes(Mail.id.in_(sa.bindparam("ids", expanding=True))),
    # One parameter, so that it is one prepared statement however many mails are asked about.
    "postgresql": _envelopes(Mail.id == sa.func.any(sa.bindparam("ids", type_=postgresql.ARRAY(sa.Integer)))),
}


def envelopes(session: Session, ids: Sequence[int]) -> dict[int, Envelope]:
    """Mails by id, as they stand now; one question for all of them."""
    rows = session.connection().execute(_ENVELOPES[session.get_bind().dialect.name], {"ids": ids})
    return {row[0]: Envelope._make(row) for row in rows}


def paused(moment: datetime) -> sa.ColumnElement[bool]:
    """Whether a mail's campaign is held back at that moment."""
    lasts = CampaignStop.until.is_(None) | (CampaignStop.until > moment)
    return sa.exists().where(CampaignStop.campaign == Mail.campaign, CampaignStop.kind == StopKind.PAUSED, lasts)


def counts(session: Session, campaign: str) -> dict[str, int]:
    """How many mails of a campaign stand in each state; they add up to its audience when it was frozen."""
    rows = session.execute(sa.select(Mail.state, sa.func.count()).where(Mail.campaign == campaign).group_by(Mail.state))
    return {state.value: number for state, number in rows}


def due(session: Session, now: datetime) -> int:
    """How many mails could go out now."""
    return session.scalars(
        sa.select(sa.func.count())
        .select_from(Mail)
        .where(
            Mail.state.in_(WAITING),
            Mail.not_before <= now,
            sa.or_(Mail.expires_at.is_(None), Mail.expires_at > now),
        )
    ).one()


def bounced_unraised(session: Session) -> list[Mail]:
    """Mails that bounced or failed, and invitations that ran out of time, not yet put before staff."""
    lost = Mail.state.in_((MailState.BOUNCED, MailState.FAILED)) | (
        (Mail.state == MailState.EXPIRED) & (Mail.template == "ballot-invitation")
    )
    raised = sa.exists().where(Matter.key == "mail:" + sa.cast(Mail.id, sa.String))
    return list(session.scalars(sa.select(Mail).where(lost, ~raised).order_by(Mail.id).limit(500)))


def link_is_requested(session: Session) -> bool:
    """Whether somebody waits for a new link."""
    return bool(session.scalar(sa.select(sa.exists().where(LinkRequest.id.is_not(None)))))


def matters(session: Session) -> list[Matter]:
    """What waits for staff, the oldest first."""
    return list(session.scalars(sa.select(Matter).where(Matter.settled_at.is_(None)).order_by(Matter.id)))


class Campaign(NamedTuple):
    """A campaign's mails by state, how many are there in all, and whether it stands still."""

    name: str
    counts: dict[str, int]
    stop: CampaignStop | None


def campaigns(session: Session) -> list[Campaign]:
    """Campaigns with mail that waits, and those that stand still."""
    waiting = sa.select(Mail.campaign).where(Mail.state.in_(WAITING)).distinct()
    stops = {stop.campaign: stop for stop in session.scalars(sa.select(CampaignStop))}
    names = sorted({*session.scalars(waiting), *stops})
    return [Campaign(name, counts(session, name), stops.get(name)) for name in names]


def poll_of(session: Session, campaign: str) -> Poll | None:
    """The poll that a campaign's mails are about, if they are about one."""
    match = re.fullmatch(r"poll:([0-9]{1,9}):[a-z]+", campaign)
    return session.get(Poll, int(match[1])) if match else None


def left_open(session: Session, campaign: str) -> Poll | None:
    """The open poll to which a campaign invites, if it does."""
    poll = poll_of(session, campaign) if campaign.endswith(":invitation") else None
    return poll if poll is not None and poll.state is PollState.OPEN else None
