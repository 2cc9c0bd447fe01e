"""Questions about the outbox as a list: what waits, what stands still, and the rows that pages show.

It grows by a mail a contact an act, to millions; so nothing here counts or sorts the whole of it. Ids grow with time:
a day is found by looking for its first id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import WAITING, CampaignStop, Mail, MailState, RelayState, StopKind
from coopmail.domain.polls import Poll, VotingUnit
from coopmail.domain.staff import StaffMember
from coopmail.queries import outbox
from coopmail.queries.board_mail import LOST

MANY = 10_000
"""What is more than this is not counted to the end."""
RECENT = 2_000
"""So many of the newest mails tell which campaigns are recent."""
MOST_CAMPAIGNS = 40
LISTED = 2_000
"""So many of the newest mails a list turns over: who wants older ones searches, or chooses a month or a campaign."""
FEW_PEOPLE = 2_000
RELAY = "relay"

NAME = sa.func.coalesce(Contact.name, StaffMember.name, "–").label("name")
ADDRESS = sa.func.coalesce(Contact.email, StaffMember.email, "").label("email")


def rows(now: datetime) -> sa.Select[*tuple[Any, ...]]:
    """Mails as lists show them: a row a mail, with whom it is for and what it is about."""
    return (
        sa.select(
            Mail.id, Mail.template, Mail.campaign, Mail.state, Mail.reply, Mail.attempts, Mail.created_at,
            Mail.accepted_at, Mail.contact_id, Mail.staff_id, NAME, ADDRESS, VotingUnit.name.label("unit"),
            Poll.slug, Poll.title_nl, Poll.title_en, outbox.paused(now).label("paused"),
        )
        .select_from(Mail)
        .outerjoin(Contact, Contact.id == Mail.contact_id)
        .outerjoin(StaffMember, StaffMember.id == Mail.staff_id)
        .outerjoin(Invitation, Invitation.id == Mail.invitation_id)
        .outerjoin(Poll, Poll.id == Invitation.poll_id)
        .outerjoin(VotingUnit, VotingUnit.id == Invitation.unit_id)
    )  # fmt: skip


def to_people(session: Session, pattern: str) -> sa.ColumnElement[bool]:
    """The condition that a mail is for somebody whose name or address is like a pattern (`\\` escapes).

    Where few mails are, they are found by person; else the newest mails are looked through for theirs.
    """
    staff = session.scalars(sa.select(StaffMember.id).where(_named(StaffMember, pattern))).all()
    ids = session.scalars(sa.select(Contact.id).where(_named(Contact, pattern)).limit(FEW_PEOPLE + 1)).all()
    theirs: sa.ColumnElement[bool] = Mail.contact_id.in_(ids)
    if len(ids) > FEW_PEOPLE or _many(session, theirs):
        # A value and no join: PostgreSQL would begin a join with the people, and sort all that they ever got.
        whose = sa.select(_named(Contact, pattern)).where(Contact.id == Mail.contact_id)
        theirs = sa.func.coalesce(whose.correlate(Mail).scalar_subquery(), sa.false())
    # A mail to staff has no contact: said so, because that is what the index knows.
    return theirs | (Mail.contact_id.is_(None) & Mail.staff_id.in_(staff)) if staff else theirs


def _many(session: Session, condition: sa.ColumnElement[bool]) -> bool:
    """Whether more mails meet a condition than are quickly sorted."""
    some = sa.select(sa.literal(1)).select_from(Mail).where(condition).limit(2 * MANY).subquery()
    return session.scalars(sa.select(sa.func.count()).select_from(some)).one() == 2 * MANY


def _named(table: type[Contact] | type[StaffMember], pattern: str) -> sa.ColumnElement[bool]:
    by_name = sa.func.lower(table.name).like(pattern, escape="\\")
    return by_name | table.email_key.like(pattern, escape="\\")


def in_state(session: Session, state: MailState) -> sa.ColumnElement[bool]:
    """The condition that a mail stands in a state, said so that the newest are found fast.

    Where many do, the newest mails are looked through and the index on states is of no help.
    """
    common = _many(session, Mail.state == state)
    return _plain(Mail.state) == state.value if common else Mail.state == state


def _plain(column: Any) -> sa.ColumnElement[str]:
    """A column as a text that no index knows."""
    return sa.func.coalesce(sa.type_coerce(column, sa.String), "", type_=sa.String)


def between(session: Session, begin: datetime, end: datetime | None) -> sa.ColumnElement[bool]:
    """The condition that a mail was queued in a span of time."""
    since = Mail.id >= first_id(session, begin)
    return since if end is None else since & (Mail.id < first_id(session, end))


def first_id(session: Session, moment: datetime) -> int:
    """The first id that a mail queued at a moment or later may have: found by halving, in one question."""
    span = sa.select(sa.literal(0).label("low"), sa.func.coalesce(sa.func.max(Mail.id) + 1, 0).label("high"))
    span_ = span.select_from(Mail).cte("span", recursive=True)
    middle = (span_.c.low + span_.c.high) // 2
    at = sa.select(Mail.created_at).where(Mail.id >= middle).order_by(Mail.id).limit(1).scalar_subquery()
    before = at < moment
    halved = span_.union_all(
        sa.select(
            sa.case((before, middle + 1), else_=span_.c.low), sa.case((before, span_.c.high), else_=middle)
        ).where(span_.c.low < span_.c.high)
    )
    found: int = session.scalars(sa.select(sa.func.max(halved.c.low)).where(halved.c.low >= halved.c.high)).one()
    return found


def first_moment(session: Session) -> datetime | None:
    """When the oldest mail was queued."""
    return session.scalars(sa.select(Mail.created_at).order_by(Mail.id).limit(1)).one_or_none()


def waiting(session: Session) -> dict[MailState, int]:
    """How many mails wait and how many did not arrive, by state; what is more than `MANY` is counted as one more."""
    parts = []
    for state in (*WAITING, *LOST):
        some = sa.select(sa.literal(1)).where(Mail.state == state).limit(MANY + 1).subquery()
        parts.append(sa.select(sa.literal(state.value).label("state"), sa.func.count().label("n")).select_from(some))
    return {MailState(state): number for state, number in session.execute(sa.union_all(*parts))}


def relay(session: Session) -> RelayState | None:
    """What is known of the relay, where anything was noted."""
    return session.get(RelayState, RELAY)


class Standing(NamedTuple):
    """A campaign with mail that waits, or that is held back: its mails by state, and what holds it."""

    name: str
    counts: dict[MailState, int]
    stop: CampaignStop | None


def standing(session: Session, now: datetime) -> list[Standing]:
    """The campaigns with mail that waits, and those that are held back now."""
    lasts = CampaignStop.until.is_(None) | (CampaignStop.until > now)
    held = sa.select(CampaignStop).where(CampaignStop.kind == StopKind.PAUSED, lasts)
    stops = {stop.campaign: stop for stop in session.scalars(held.limit(MOST_CAMPAIGNS))}
    some = sa.select(Mail.campaign).where(Mail.state.in_(WAITING)).limit(MANY).subquery()
    busy = session.scalars(sa.select(some.c.campaign).distinct().limit(MOST_CAMPAIGNS)).all()
    names = sorted({*busy, *stops})
    counts = counts_of(session, names)
    return [Standing(name, counts.get(name, {}), stops.get(name)) for name in names]


def counts_of(session: Session, campaigns: Collection[str]) -> dict[str, dict[MailState, int]]:
    """How many mails of these campaigns stand in each state, in the order of a mail's life."""
    if not campaigns:
        return {}
    counted = sa.select(Mail.campaign, Mail.state, sa.func.count()).where(Mail.campaign.in_(campaigns))
    found: dict[str, dict[MailState, int]] = {}
    rows = session.execute(counted.group_by(Mail.campaign, Mail.state)).all()
    for campaign, state, number in sorted(rows, key=lambda row: list(MailState).index(row[1])):
        found.setdefault(campaign, {})[state] = number
    return found


def recent_campaigns(session: Session, also: str) -> list[str]:
    """The campaigns of the newest mails, the latest on top, and one more by name where it is there."""
    newest = sa.select(Mail.id, Mail.campaign).order_by(Mail.id.desc()).limit(RECENT).subquery()
    last = sa.func.max(newest.c.id)
    names = sa.select(newest.c.campaign).group_by(newest.c.campaign).order_by(last.desc()).limit(MOST_CAMPAIGNS)
    found = list(session.scalars(names))
    if also and also not in found and is_known(session, also):
        found.append(also)
    return found


def is_known(session: Session, campaign: str) -> bool:
    """Whether any mail belongs to a campaign of that name."""
    return bool(session.scalar(sa.select(sa.exists().where(Mail.campaign == campaign))))


def stop_of(session: Session, campaign: str, now: datetime) -> CampaignStop | None:
    """What holds a campaign back now, or ended it."""
    found = session.get(CampaignStop, campaign)
    return None if found is None or (found.until is not None and found.until <= now) else found


def stopped_by(session: Session, stop: CampaignStop) -> str | None:
    """Who held a campaign back or ended it, as the record names them."""
    acts = ("campaign-paused", "campaign-cancelled")
    found = sa.select(AuditRow.actor).where(
        AuditRow.subject == f"campaign:{stop.campaign}", AuditRow.act.in_(acts), AuditRow.at == stop.at
    )
    return session.scalars(found.order_by(AuditRow.id.desc()).limit(1)).one_or_none()


def titles(session: Session, campaigns: Iterable[str]) -> dict[str, Poll]:
    """The polls that campaigns are about, by the campaign's name."""
    ids = {name: int(number) for name in campaigns if (number := _poll_id(name))}
    found = {poll.id: poll for poll in session.scalars(sa.select(Poll).where(Poll.id.in_(set(ids.values()))))}
    return {name: found[poll_id] for name, poll_id in ids.items() if poll_id in found}


def _poll_id(campaign: str) -> str:
    kind, _, rest = campaign.partition(":")
    number = rest.partition(":")[0]
    return number if kind == "poll" and number.isdecimal() and len(number) < 10 else ""


def how_many(session: Session, found: sa.Select[int]) -> int:
    """How many rows a question has."""
    return session.scalars(sa.select(sa.func.count()).select_from(found.order_by(None).subquery())).one()
