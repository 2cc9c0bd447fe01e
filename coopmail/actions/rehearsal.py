"""What opening a poll would do, computed and not written: whom it would ask, whom nobody reaches, as whom to look.

It asks the questions that opening asks (`queries.electorate`, `electorate.whom`), so that a draft is looked at as it
will be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from coopmail.actions.electorate import whom
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.polls import Poll, PollState, VotingUnit
from coopmail.queries.electorate import units as units_of

SHOWN = 500
"""So many units are listed on a page; all of them are counted."""
A_MOMENT = timedelta(minutes=1)
"""A draft whose closing time has passed is looked at so long before it."""
_IDS = ("organisation_id", "seat_id", "contact_id")
_LETTERS = dict(zip("osp", _IDS, strict=True))


class Unit(NamedTuple):
    """A unit as it would be frozen; one of its three ids has a value."""

    organisation_id: int | None
    seat_id: int | None
    contact_id: int | None
    name: str
    population: int
    weight: int

    @property
    def code(self) -> str:
        """How an address names it: `o12`, an organisation; `s3`, a seat; `p7`, a person."""
        return next(f"{letter}{getattr(self, name)}" for letter, name in _LETTERS.items() if getattr(self, name))


class Asked(NamedTuple):
    """A contact who would be invited for a unit."""

    unit: Unit
    contact: Contact


@dataclass(frozen=True)
class Rehearsal:
    """What opening now would do. `voting` have a vote, `apart` are heard and counted apart; `mails` would go out."""

    voting: int
    apart: int
    population: int
    mails: int
    unreached: int
    units: list[Unit]
    """The first `SHOWN`, those with a vote first, by name."""
    lost: list[Unit]
    """The first `SHOWN` of those for whom nobody would be invited."""


def rehearse(session: Session, poll: Poll, now: datetime) -> Rehearsal:
    """Whom an opening now would ask."""
    units = _units(session, poll, now)
    votes = units.c.weight > 0
    voting, apart, population = session.execute(
        sa.select(
            sa.func.count().filter(votes), sa.func.count().filter(~votes),
            sa.func.coalesce(sa.func.sum(units.c.population).filter(votes), 0),
        ).select_from(units)
    ).one()  # fmt: skip
    asked = whom(poll, units).subquery("asked")
    columns = Unit._fields
    lost = sa.except_(
        sa.select(*(units.c[name] for name in columns)), sa.select(*(asked.c[name] for name in columns))
    ).subquery("lost")
    return Rehearsal(
        voting, apart, int(population), mails=_count(session, asked), unreached=_count(session, lost),
        units=_listed(session, units), lost=_listed(session, lost),
    )  # fmt: skip


def _count(session: Session, found: sa.Subquery) -> int:
    return session.scalars(sa.select(sa.func.count()).select_from(found)).one()


def _units(session: Session, poll: Poll, now: datetime) -> sa.Subquery:
    return units_of(session, poll, brussels_day(now)).subquery("units")


def _listed(session: Session, units: sa.Subquery) -> list[Unit]:
    question = sa.select(*(units.c[name] for name in Unit._fields))
    ordered = question.order_by(units.c.weight.desc(), units.c.name, *(units.c[name] for name in _IDS))
    return [Unit(*row) for row in session.execute(ordered.limit(SHOWN))]


def look_as(session: Session, poll: Poll, now: datetime, words: Sequence[str] = (), most: int = 20) -> list[Asked]:
    """Contacts who would be invited, by the name of their unit; only those in whom each of the words is found."""
    asked = whom(poll, _units(session, poll, now)).subquery("asked")
    question = _with_contact(asked)
    for word in words:
        pattern = "%" + re.sub(r"([\\%_])", r"\\\1", word.lower()) + "%"
        searched = (asked.c.name, Contact.name, Contact.email)
        question = question.where(sa.or_(*(sa.func.lower(text).like(pattern, escape="\\") for text in searched)))
    order = (asked.c.weight.desc(), asked.c.name, *(asked.c[name] for name in _IDS), Contact.name, Contact.id)
    return _read(session, question.order_by(*order).limit(most))


def asked_as(session: Session, poll: Poll, now: datetime, code: str, contact_id: int) -> Asked | None:
    """One contact who would be invited for one unit, by `Unit.code`; `None` where that one would not be."""
    found = re.fullmatch(r"([osp])([1-9][0-9]{0,8})", code)
    if found is None:
        return None
    asked = whom(poll, _units(session, poll, now)).subquery("asked")
    mine = (asked.c[_LETTERS[found[1]]] == int(found[2])) & (Contact.id == contact_id)
    return next(iter(_read(session, _with_contact(asked).where(mine))), None)


def _with_contact(asked: sa.Subquery) -> sa.Select[*tuple[Any, ...]]:
    columns = [asked.c[name] for name in Unit._fields]
    return sa.select(Contact, *columns).join(Contact, Contact.id == asked.c.asked_id)


def _read(session: Session, question: sa.Select[*tuple[Any, ...]]) -> list[Asked]:
    return [Asked(Unit(*row[1:]), row[0]) for row in session.execute(question)]


def invitation(session: Session, poll: Poll, asked: Asked, now: datetime) -> Invitation:
    """The invitation that a contact would get, to be looked at and never stored; its poll says that it is open.

    The costs are shared over whoever would be asked now.
    """
    found = rehearse(session, poll, now)
    for name, value in {"state": PollState.OPEN, "units": found.voting, "population": found.population}.items():
        set_committed_value(poll, name, value)  # as if it were read so: nothing is written
    unit = VotingUnit(poll_id=poll.id, **asked.unit._asdict())
    made = Invitation(kind="ballot", contact_id=asked.contact.id, poll_id=poll.id, created_at=now)
    for name, value in {"contact": asked.contact, "poll": poll, "unit": unit, "nomination": None}.items():
        set_committed_value(made, name, value)
    return made
