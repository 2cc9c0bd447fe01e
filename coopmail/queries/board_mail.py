"""Questions about the mail of a poll that runs: what became of each invitation, what was sent, whom to remind."""

from __future__ import annotations

import enum
from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import CampaignStop, Mail, MailState, StopKind
from coopmail.domain.polls import VotingUnit
from coopmail.queries import outbox

INVITED = "ballot-invitation"
"""The mail with which a contact is asked."""


LOST = (MailState.BOUNCED, MailState.FAILED, MailState.EXPIRED)
"""A mail that did not arrive, though it should have."""


class Fate(enum.StrEnum):
    """What became of an invitation's mail: its state, but that one that waits may be held back, or never was."""

    QUEUED = "queued"
    PAUSED = "paused"
    CLAIMED = "claimed"
    SENT = "sent"
    BOUNCED = "bounced"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NONE = "none"


class Invited(NamedTuple):
    """A contact who is asked for a unit, and what became of the mail."""

    unit_id: int
    contact_id: int
    name: str
    email: str
    telephone: str
    away_until: date | None
    undeliverable_at: datetime | None
    left_at: datetime | None
    mail_id: int | None
    fate: Fate
    at: datetime | None
    reply: str


def mailed(poll_id: int, states: Collection[MailState]) -> sa.ColumnElement[bool]:
    """The condition that one of a unit's standing invitations was mailed and its mail is in one of these states."""
    units = (
        sa.select(Invitation.unit_id)
        .join(Mail, Mail.invitation_id == Invitation.id)
        .where(
            Invitation.poll_id == poll_id,
            Invitation.revoked_at.is_(None),
            Mail.template == INVITED,
            Mail.state.in_(tuple(states)),
        )
    )
    return VotingUnit.id.in_(units)


def invited(session: Session, now: datetime, unit_ids: Collection[int]) -> dict[int, list[Invited]]:
    """Who is asked for these units, by unit, with what became of the newest mail that asked them: one question."""
    rows = session.execute(
        sa.select(
            Invitation.unit_id, Contact.id, Contact.name, Contact.email, Contact.telephone, Contact.away_until,
            Contact.undeliverable_at, Contact.left_at,
            Mail.id, Mail.state, Mail.accepted_at, Mail.reply, outbox.paused(now).label("paused"),
        )
        .join(Contact, Contact.id == Invitation.contact_id)
        .outerjoin(Mail, (Mail.invitation_id == Invitation.id) & (Mail.template == INVITED))
        .where(Invitation.unit_id.in_(unit_ids), Invitation.revoked_at.is_(None))
        .order_by(Contact.name, Contact.id, Mail.id)
    )  # fmt: skip
    newest: dict[tuple[int, int], Invited] = {}
    for *who, mail_id, state, at, reply, held in rows:
        found = Invited._make((*who, mail_id, fate(state, held), at, reply or ""))
        newest[found.unit_id, found.contact_id] = found
    by_unit: dict[int, list[Invited]] = {}
    for found in newest.values():
        by_unit.setdefault(found.unit_id, []).append(found)
    return by_unit


def names() -> sa.ScalarSelect[str]:
    """The names of those who are asked for a unit, as one text to search in."""
    return _together(Contact.name, " ")


class Person(NamedTuple):
    """Someone who is asked for a unit, as a file has it."""

    name: str
    email: str
    telephone: str
    fate: Fate


_FIELD, _ROW = "\x1f", "\x1e"
"""What parts fields and rows: no name holds them."""


def people() -> sa.ScalarSelect[str]:
    """Those who are asked for a unit and how their mail stands, as one text for `read_people`: a line a mail."""
    number = sa.func.coalesce(sa.cast(Mail.id, sa.String), "0")
    state = sa.func.coalesce(sa.cast(Mail.state, sa.String), Fate.NONE.value)
    parts = (Contact.name, Contact.email, Contact.telephone, number, state)
    text: sa.ColumnElement[str] = sa.literal("")
    for part in parts:
        text = text + part + _FIELD
    return _together(text, _ROW)


def read_people(text: str | None) -> list[Person]:
    """What `people` found, by name; of several mails to one of them the newest."""
    found: dict[str, tuple[int, Person]] = {}
    for row in text.split(_ROW) if text else ():
        name, email, telephone, number, state, _end = row.split(_FIELD)
        if int(number) >= found.get(email, (0, None))[0]:
            found[email] = int(number), Person(name, email, telephone, Fate(state))
    return sorted(person for _number, person in found.values())


def _together(text: sa.ColumnElement[str] | InstrumentedAttribute[str], separator: str) -> sa.ScalarSelect[str]:
    return (
        sa.select(sa.func.aggregate_strings(text, separator))
        .select_from(Invitation)
        .join(Contact, Contact.id == Invitation.contact_id)
        .outerjoin(Mail, (Mail.invitation_id == Invitation.id) & (Mail.template == INVITED))
        .where(Invitation.unit_id == VotingUnit.id, Invitation.revoked_at.is_(None))
        .correlate(VotingUnit)
        .scalar_subquery()
    )


def fate(state: MailState | None, held: bool) -> Fate:
    """What became of a mail in that state, where its campaign is `held` back or not."""
    if state is None:
        return Fate.NONE
    return Fate.PAUSED if held and state is MailState.QUEUED else Fate(state.value)


class SentMail(NamedTuple):
    """A mail about a unit: its template, to whom, and how it stands."""

    mail_id: int
    template: str
    contact_id: int
    name: str
    created_at: datetime
    accepted_at: datetime | None
    fate: Fate


def mails_of(session: Session, now: datetime, unit_id: int) -> list[SentMail]:
    """Every mail about a unit, the newest first. A reminder is about all that is open for a person, and not in it."""
    rows = session.execute(
        sa.select(
            Mail.id, Mail.template, Contact.id, Contact.name, Mail.created_at, Mail.accepted_at, Mail.state,
            outbox.paused(now).label("paused"),
        )
        .join(Invitation, Invitation.id == Mail.invitation_id)
        .join(Contact, Contact.id == Mail.contact_id)
        .where(Invitation.unit_id == unit_id)
        .order_by(Mail.id.desc())
        .limit(200)
    )  # fmt: skip
    return [SentMail(*row[:6], fate(row.state, row.paused)) for row in rows]


CAMPAIGNS = ("invitation", "again", "receipt", "extended", "withdrawn", "outcome")
"""The campaigns of a poll, as they follow one another: `poll:ID:NAME`."""


class Campaign(NamedTuple):
    """What was sent in one campaign: how many mails stand in each state, and what holds it back."""

    name: str
    campaign: str
    counts: dict[Fate, int]
    stop: CampaignStop | None


def campaigns(session: Session, now: datetime, poll_id: int) -> list[Campaign]:
    """What was sent about a poll, by campaign and state: two questions, whatever the number of mails."""
    names = {f"poll:{poll_id}:{name}": name for name in CAMPAIGNS}
    stops = {
        stop.campaign: stop
        for stop in session.scalars(
            sa.select(CampaignStop).where(
                CampaignStop.campaign.in_(names), CampaignStop.until.is_(None) | (CampaignStop.until > now)
            )
        )
    }
    found: dict[str, dict[Fate, int]] = {}
    for campaign, state, number in session.execute(
        sa.select(Mail.campaign, Mail.state, sa.func.count())
        .where(Mail.campaign.in_(names))
        .group_by(Mail.campaign, Mail.state)
    ):
        held = campaign in stops and stops[campaign].kind is StopKind.PAUSED
        found.setdefault(campaign, {})[fate(state, held)] = number
    in_order = {key: {which: found[key][which] for which in Fate if which in found[key]} for key in found}
    return [Campaign(names[key], key, in_order[key], stops.get(key)) for key in names if key in in_order]
