"""Who may vote: freezing the units, inviting whoever votes for them. Set by set, never row by row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from coopmail.actions.basis import Basis
from coopmail.actions.records import queue_mail_each, raise_matter_each
from coopmail.charter import Charter
from coopmail.domain.base import insert_new, random_key
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Seat, sitting_on
from coopmail.domain.links import Invitation, Link
from coopmail.domain.organisations import Organisation
from coopmail.domain.polls import Audience, Poll, VotingUnit
from coopmail.domain.services import Subscription, running_on
from coopmail.queries.polls import unreachable

KIND = "ballot"


def freeze(session: Session, poll: Poll, now: datetime) -> None:
    """Write the voting units: organisations with a running subscription, or the seats with a vote. Weight: one each."""
    columns = ["poll_id", "organisation_id", "seat_id", "name", "population", "weight"]
    session.execute(sa.insert(VotingUnit).from_select(columns, _units(poll, now)))


def size(session: Session, poll: Poll, now: datetime) -> int:
    """How many could vote if the poll were opened now."""
    return session.scalars(sa.select(sa.func.count()).select_from(_units(poll, now).order_by(None).subquery())).one()


def _units(poll: Poll, now: datetime) -> sa.Select[*tuple[Any, ...]]:
    day = brussels_day(now)
    poll_id = sa.literal(poll.id, sa.Integer)
    if poll.audience is Audience.GROUP_SEATS:
        return (
            sa.select(poll_id, sa.null(), Seat.id, Contact.name, sa.literal(0), sa.literal(1))
            .join(Contact, Contact.id == Seat.contact_id)
            .where(Seat.group_id == poll.group_id, Seat.has_vote, sitting_on(day))
            .order_by(Contact.name)
        )
    takes = sa.exists().where(Subscription.organisation_id == Organisation.id, running_on(day))
    if poll.audience is Audience.SERVICE_MEMBERS:
        takes = takes.where(Subscription.service_id == poll.service_id)
    return (
        sa.select(poll_id, Organisation.id, sa.null(), Organisation.name, Organisation.population, sa.literal(1))
        .where(takes)
        .order_by(Organisation.name)
    )


def invite(session: Session, poll: Poll, now: datetime, basis: Basis) -> None:
    """Invite whoever votes for a unit of the poll and was not invited yet: an invitation, a link, a mail each.

    Running it again invites nobody twice, so it also serves whoever becomes a contact while the poll is open.
    """
    who = _seat_holders(poll) if poll.audience is Audience.GROUP_SEATS else _voters(poll)
    columns = ["kind", "contact_id", "poll_id", "unit_id", "created_at"]
    session.execute(insert_new(session, Invitation).from_select(columns, _rows(who, poll, now)))
    without_link = ~sa.exists().where(_linked(poll).c.invitation_id == Invitation.id)
    session.execute(
        sa.insert(Link).from_select(
            ["id", "kind", "key_version", "invitation_id", "created_at", "expires_at"],
            sa.select(
                random_key(),
                Invitation.kind,
                sa.literal(basis.key_version),
                Invitation.id,
                sa.literal(now, Link.__table__.c.created_at.type),
                sa.literal(link_expiry(poll.closes_at, basis.charter), Link.__table__.c.expires_at.type),
            ).where(Invitation.poll_id == poll.id, without_link),
        )
    )
    queue_mail_each(
        session, now, "ballot-invitation", "1", campaign=f"poll:{poll.id}:invitation", poll_id=poll.id,
        where=sa.true(), expires_at=poll.closes_at,
    )  # fmt: skip


def raise_unreachable(session: Session, poll: Poll, now: datetime) -> None:
    """Put before staff each unit for which nobody was invited: it would lose its vote unseen."""
    words = sa.literal("Nobody can be reached for ") + VotingUnit.name + sa.literal(f" in poll {poll.slug}.")
    key = sa.literal("unit:") + sa.cast(VotingUnit.id, sa.String)
    alone = sa.select(key, words).where(VotingUnit.poll_id == poll.id, unreachable())
    raise_matter_each(session, now, alone.order_by(VotingUnit.name))


def _linked(poll: Poll) -> sa.CTE:
    """The invitations of a poll that have a link, asked once.

    Else PostgreSQL, which takes the table for empty at a first opening, looks through all that it has just written for
    each row that it writes.
    """
    of_poll = sa.select(Link.invitation_id).join(Invitation, Invitation.id == Link.invitation_id)
    return of_poll.where(Invitation.poll_id == poll.id).cte("linked").prefix_with("MATERIALIZED")


def link_expiry(closes_at: datetime, charter: Charter) -> datetime:
    """Until when a poll's links open its page: the outcome can be read long after closing."""
    return closes_at + timedelta(days=charter.polls_on(brussels_day(closes_at)).link_days_after_closing)


def move_expiry(session: Session, poll: Poll, charter: Charter) -> None:
    """Let the links of a poll follow its closing time, without new mails."""
    of_poll = sa.select(Invitation.id).where(Invitation.poll_id == poll.id)
    moved = sa.update(Link).where(Link.invitation_id.in_(of_poll))
    moved = moved.values(expires_at=link_expiry(poll.closes_at, charter))
    # Else SQLAlchemy would fetch the id of every link, to mend those that this session holds: there are none.
    session.execute(moved, execution_options={"synchronize_session": False})


def _rows(who: sa.Select[int, int], poll: Poll, now: datetime) -> sa.Select[tuple[str, int, int, int, datetime]]:
    pairs = who.subquery()
    return sa.select(
        sa.literal(KIND),
        pairs.c.contact_id,
        sa.literal(poll.id),
        pairs.c.unit_id,
        sa.literal(now, Invitation.__table__.c.created_at.type),
    ).where(pairs.c.unit_id.is_not(None))


def _seat_holders(poll: Poll) -> sa.Select[int, int]:
    return (
        sa.select(Seat.contact_id.label("contact_id"), VotingUnit.id.label("unit_id"))
        .join(VotingUnit, VotingUnit.seat_id == Seat.id)
        .join(Contact, Contact.id == Seat.contact_id)
        .where(VotingUnit.poll_id == poll.id, Contact.left_at.is_(None))
    )


def _voters(poll: Poll) -> sa.Select[int, int]:
    """Contacts who vote for a unit: by a row for the poll's service, else by their general one."""
    general = Representation.service_id.is_(None)
    covers: sa.ColumnElement[bool] = general
    if poll.service_id is not None:
        other = aliased(Representation)
        overruled = sa.exists().where(
            other.contact_id == Representation.contact_id,
            other.organisation_id == Representation.organisation_id,
            other.service_id == poll.service_id,
            other.ended_at.is_(None),
        )
        covers = (Representation.service_id == poll.service_id) | (general & ~overruled)
    return (
        sa.select(Representation.contact_id.label("contact_id"), VotingUnit.id.label("unit_id"))
        .join(VotingUnit, VotingUnit.organisation_id == Representation.organisation_id)
        .join(Contact, Contact.id == Representation.contact_id)
        .where(
            VotingUnit.poll_id == poll.id,
            Representation.mode == Mode.VOTES,
            Representation.ended_at.is_(None),
            Contact.left_at.is_(None),
            Contact.confirmed_at.is_not(None),
            covers,
        )
        .distinct()
    )
