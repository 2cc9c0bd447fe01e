"""Who would be asked if a poll were opened today: what opening freezes, and what a draft is looked at with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.audience_question import EVERYBODY, Question, parse
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.contacts import Contact
from coopmail.domain.groups import Seat, sitting_on
from coopmail.domain.organisations import Organisation
from coopmail.domain.polls import Audience, Effect, Poll
from coopmail.domain.services import Subscription, running_on
from coopmail.queries import audiences

Units = sa.Select[*tuple[Any, ...]]


class Sizes(NamedTuple):
    """How many units would vote, and how many would be heard apart."""

    voting: int
    apart: int


def units(session: Session, poll: Poll, day: date) -> Units:
    """Whoever would be asked: a row a unit, with the columns that `VotingUnit` has (but no id and no poll).

    Organisations with a running subscription (to the poll's service), or the seats with a vote: one vote each. Of a
    saved audience or the whole field only members vote; where it is consulted, other organisations and persons are
    heard too, with weight 0. Organisations that ended are never asked. Rule: `design/links-and-ballots.md`, "One unit,
    one vote".
    """
    found = sa.union_all(*(part.order_by(None) for part in parts(session, poll, day))).subquery()
    return sa.select(*found.c)


def sizes(session: Session, poll: Poll, day: date) -> Sizes:
    """How many would be asked, by whether they vote."""
    found = units(session, poll, day).subquery()
    votes = found.c.weight > 0
    counts = sa.select(sa.func.count().filter(votes), sa.func.count().filter(~votes)).select_from(found)
    voting, apart = session.execute(counts).one()
    return Sizes(voting, apart)


def parts(session: Session, poll: Poll, day: date) -> list[Units]:
    """The questions whose rows together are the units: organisations, seats and persons each have their own."""
    return _PARTS[poll.audience](session, poll, day)


def _seats(_session: Session, poll: Poll, day: date) -> list[Units]:
    return [
        _unit("seat_id", Seat.id, Contact.name, 1)
        .join(Contact, Contact.id == Seat.contact_id)
        .where(Seat.group_id == poll.group_id, Seat.has_vote, sitting_on(day))
        .order_by(Contact.name)
    ]


def _members(_session: Session, poll: Poll, day: date) -> list[Units]:
    takes = sa.exists().where(Subscription.organisation_id == Organisation.id, running_on(day))
    if poll.audience is Audience.SERVICE_MEMBERS:
        takes = takes.where(Subscription.service_id == poll.service_id)
    return [_organisations(takes & audiences.going_on(day), 1)]


def _saved(session: Session, poll: Poll, day: date) -> list[Units]:
    return _asked(parse(session.get_one(SavedAudience, poll.saved_audience_id).question), poll, day)


def _whole_field(_session: Session, poll: Poll, day: date) -> list[Units]:
    return _asked(EVERYBODY, poll, day)


def _asked(question: Question, poll: Poll, day: date) -> list[Units]:
    """The members in an audience; where it is consulted also other organisations and persons, without a vote."""
    inside, member = audiences.organisations(question, day), audiences.is_member(day)
    voting = _organisations(inside & member, 1)
    if poll.effect is not Effect.CONSULTATION:
        return [voting]
    alone = _unit("contact_id", Contact.id, Contact.name, 0).where(audiences.persons(question, day))
    return [voting, _organisations(inside & ~member, 0), alone.order_by(Contact.name)]


_PARTS: dict[Audience, Callable[[Session, Poll, date], list[Units]]] = {
    Audience.SERVICE_MEMBERS: _members,
    Audience.ALL_MEMBERS: _members,
    Audience.GROUP_SEATS: _seats,
    Audience.WHOLE_FIELD: _whole_field,
    Audience.SAVED: _saved,
}


def _organisations(where: sa.ColumnElement[bool], weight: int) -> Units:
    found = _unit("organisation_id", Organisation.id, Organisation.name, weight, Organisation.population)
    return found.where(where).order_by(Organisation.name)


def _unit(whose: str, found: Any, name: Any, weight: int, population: Any = None) -> Units:
    """The columns of a unit: `whose` of its three ids has a value."""
    nothing = sa.cast(sa.null(), sa.Integer)
    ids = [(found if column == whose else nothing).label(column) for column in _IDS]
    inhabitants = sa.literal(0) if population is None else population
    return sa.select(*ids, name.label("name"), inhabitants.label("population"), sa.literal(weight).label("weight"))


_IDS = ("organisation_id", "seat_id", "contact_id")
