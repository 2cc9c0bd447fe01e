"""Who may vote: freezing the units, inviting whoever votes for them. Set by set, never row by row."""

from __future__ import annotations

import enum
from collections.abc import Callable
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
from coopmail.domain.groups import Seat
from coopmail.domain.links import Invitation, Link
from coopmail.domain.polls import Audience, Effect, Poll, VotingUnit
from coopmail.errors import ActionRefused
from coopmail.queries import electorate as asked
from coopmail.queries import polls
from coopmail.queries.polls import unreachable

KIND = "ballot"


class AudienceFault(enum.StrEnum):
    """Why a poll cannot ask its audience."""

    SERVICE_MISSING = "service_missing"
    SERVICE_SPARE = "service_spare"
    SAVED_MISSING = "saved_missing"
    SAVED_SPARE = "saved_spare"
    SAVED_ARCHIVED = "saved_archived"
    FIELD_DECIDES = "field_decides"
    FIELD_SECRET = "field_secret"  # noqa: S105 - it is no password


_SENTENCES = {
    AudienceFault.SERVICE_MISSING: "A poll of a service's members wants the service.",
    AudienceFault.SERVICE_SPARE: "Only a poll of a service's members names a service.",
    AudienceFault.SAVED_MISSING: "A poll of a saved audience wants that audience.",
    AudienceFault.SAVED_SPARE: "Only a poll of a saved audience names one.",
    AudienceFault.SAVED_ARCHIVED: "That audience is archived: take it back from the archive, or choose another.",
    AudienceFault.FIELD_DECIDES: "The whole field is heard in a consultation only: it decides and advises nothing.",
    AudienceFault.FIELD_SECRET: "A poll of the whole field cannot be secret: members and others are counted apart.",
}


class AudienceRefused(ActionRefused):
    """A poll that may not ask its audience; `fault` says why."""

    def __init__(self, fault: AudienceFault) -> None:
        super().__init__(_SENTENCES[fault])
        self.fault = fault


def audience_faults(poll: Poll) -> list[AudienceFault]:
    """Why a poll cannot ask its audience; an empty list where it can. Rule: issue 4, "binding polls never ask them"."""
    of_service, saved = poll.audience is Audience.SERVICE_MEMBERS, poll.audience is Audience.SAVED
    field = poll.audience is Audience.WHOLE_FIELD
    archived = poll.saved_audience is not None and poll.saved_audience.archived_at is not None
    wrong = {
        AudienceFault.SERVICE_MISSING: of_service and poll.service_id is None,
        AudienceFault.SERVICE_SPARE: not of_service and poll.service_id is not None,
        AudienceFault.SAVED_MISSING: saved and poll.saved_audience_id is None,
        AudienceFault.SAVED_SPARE: not saved and poll.saved_audience_id is not None,
        AudienceFault.SAVED_ARCHIVED: saved and archived,
        AudienceFault.FIELD_DECIDES: field and poll.effect is not Effect.CONSULTATION,
        AudienceFault.FIELD_SECRET: field and bool(poll.secret),
    }
    return [fault for fault, found in wrong.items() if found]


def check_audience(poll: Poll) -> None:
    """Raise `AudienceRefused` where a poll may not ask its audience."""
    for fault in audience_faults(poll):
        raise AudienceRefused(fault)


def freeze(session: Session, poll: Poll, now: datetime) -> None:
    """Write the voting units: whoever is asked today, with the weight that `queries.electorate` gives each."""
    columns = ["poll_id", "organisation_id", "seat_id", "contact_id", "name", "population", "weight"]
    poll_id = sa.literal(poll.id, sa.Integer)
    for part in asked.parts(session, poll, brussels_day(now)):
        rows = part.with_only_columns(poll_id, *part.selected_columns)
        session.execute(sa.insert(VotingUnit).from_select(columns, rows))


def size(session: Session, poll: Poll, now: datetime) -> int:
    """How many could vote if the poll were opened now; whoever would be heard apart is not among them."""
    return asked.sizes(session, poll, brussels_day(now)).voting


def of_record(session: Session, poll: Poll) -> dict[str, Any]:
    """What the record keeps of an audience at opening: how many, how many apart, and a saved question as it stood."""
    saved = poll.saved_audience if poll.audience is Audience.SAVED else None
    question = {"saved_audience": saved.name, "question": saved.question} if saved is not None else {}
    apart = polls.units_apart(session, poll.id)
    return {"audience": poll.audience.value, "units": poll.units, "apart": apart, **question}


def invite(session: Session, poll: Poll, now: datetime, basis: Basis) -> None:
    """Invite whoever answers for a unit of the poll and was not invited yet: an invitation, a link, a mail each.

    Whoever votes for an organisation, the holder of a seat, a person. Running it again invites nobody twice, so it
    also serves whoever becomes a contact while the poll is open.
    """
    columns = ["kind", "contact_id", "poll_id", "unit_id", "created_at"]
    units = sa.select(VotingUnit).where(VotingUnit.poll_id == poll.id).subquery()
    for who in _WHO[poll.audience]:
        session.execute(insert_new(session, Invitation).from_select(columns, _rows(who(poll, units), poll, now)))
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
    alone = sa.select(key, words, VotingUnit.poll_id, VotingUnit.id)
    alone = alone.where(VotingUnit.poll_id == poll.id, unreachable())
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


def _rows(
    who: sa.Select[*tuple[Any, ...]], poll: Poll, now: datetime
) -> sa.Select[tuple[str, int, int, int, datetime]]:
    pairs = who.subquery()
    return sa.select(
        sa.literal(KIND),
        pairs.c.asked_id,
        sa.literal(poll.id),
        pairs.c.id,
        sa.literal(now, Invitation.__table__.c.created_at.type),
    ).where(pairs.c.id.is_not(None))


def whom(poll: Poll, units: sa.Subquery) -> sa.Select[*tuple[Any, ...]]:
    """The contacts who answer for these units, also for such as `queries.electorate.units` finds for a draft.

    A row a contact a unit: `asked_id` beside the unit's columns.
    """
    found = sa.union_all(*(who(poll, units) for who in _WHO[poll.audience])).subquery()
    return sa.select(*found.c)


def _seat_holders(_poll: Poll, units: sa.Subquery) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(Seat.contact_id.label("asked_id"), *units.c)
        .join(units, units.c.seat_id == Seat.id)
        .join(Contact, Contact.id == Seat.contact_id)
        .where(Contact.left_at.is_(None))
    )


def _persons(_poll: Poll, units: sa.Subquery) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(Contact.id.label("asked_id"), *units.c)
        .join(units, units.c.contact_id == Contact.id)
        .where(Contact.left_at.is_(None))
    )


def _voters(poll: Poll, units: sa.Subquery) -> sa.Select[*tuple[Any, ...]]:
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
        sa.select(Representation.contact_id.label("asked_id"), *units.c)
        .join(units, units.c.organisation_id == Representation.organisation_id)
        .join(Contact, Contact.id == Representation.contact_id)
        .where(
            Representation.mode == Mode.VOTES,
            Representation.ended_at.is_(None),
            Contact.left_at.is_(None),
            Contact.confirmed_at.is_not(None),
            covers,
        )
        .distinct()
    )


_WHO: dict[Audience, tuple[Callable[[Poll, sa.Subquery], sa.Select[*tuple[Any, ...]]], ...]] = {
    Audience.SERVICE_MEMBERS: (_voters,),
    Audience.ALL_MEMBERS: (_voters,),
    Audience.GROUP_SEATS: (_seat_holders,),
    Audience.WHOLE_FIELD: (_voters, _persons),
    Audience.SAVED: (_voters, _persons),
}
"""Who is invited for the units of an audience."""
