"""Adding an organisation to a poll that is open already.

Units are frozen at opening, and whoever joins later votes the next time; staff may add one with a reason, which the
record keeps. Rule: `links-and-ballots.md`, "One unit, one vote".
"""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import electorate, organisations
from coopmail.actions.basis import Basis
from coopmail.actions.records import STAFF, audit
from coopmail.clock import Clock
from coopmail.domain.calendar import brussels_day
from coopmail.domain.organisations import Organisation
from coopmail.domain.polls import Audience, Ballot, Poll, VotingUnit
from coopmail.domain.services import Subscription, running_on
from coopmail.errors import ActionRefused, UnknownSubject
from coopmail.queries import polls


class NoReason(ActionRefused):
    """Staff add an organisation with a reason only."""


class SeatsOnly(ActionRefused):
    """A poll of a group asks its seats, and no organisation."""


class VotesAlready(ActionRefused):
    """The organisation was asked when the poll opened, or was added since."""


class NoMember(ActionRefused):
    """The organisation takes nothing today that would give it a vote in this poll."""


class WouldUnmask(ActionRefused):
    """Somebody voted already in a secret poll: what comes after the addition could be told from what came before."""


def add_unit(
    session: Session, now: Clock, basis: Basis, poll_id: int, organisation_id: int, reason: str, *, actor: str = STAFF
) -> VotingUnit:
    """Give an organisation a vote in a poll that is open: weight one, and its contacts are invited.

    The number of units and of inhabitants, from which shares of costs are computed, follow. Raises `PollNotOpen`,
    `NoReason`, `SeatsOnly`, `VotesAlready`, `NoMember`, `WouldUnmask`, `Ended` or `UnknownSubject`.
    """
    if not reason.strip():
        raise NoReason("Say why this organisation is added: the record keeps it.")
    organisation = organisations.locked(session, organisation_id)
    organisations.check_goes_on(organisation)
    poll = _locked(session, poll_id)
    moment = now()
    poll.check_open(moment)
    check_can_join(session, poll, organisation_id)
    if not session.scalar(sa.select(member_of(poll, organisation_id, brussels_day(moment)))):
        raise NoMember(f"{organisation.name} takes nothing today that gives it a vote in this poll.")
    unit = VotingUnit(poll_id=poll.id, organisation_id=organisation.id, name=organisation.name,
                      population=organisation.population, weight=1)  # fmt: skip
    session.add(unit)
    session.flush()
    poll.units, poll.population = polls.electorate_size(session, poll.id)
    electorate.invite(session, poll, moment, basis)
    electorate.raise_unreachable(session, poll, moment)
    audit(session, moment, "unit-added", actor, f"poll:{poll.id}", organisation=organisation.id, unit=unit.id,
          reason=reason.strip())  # fmt: skip
    audit(session, moment, "added-to-poll", actor, f"organisation:{organisation.id}", poll=poll.id,
          reason=reason.strip())  # fmt: skip
    return unit


def check_can_join(session: Session, poll: Poll, organisation_id: int) -> None:
    """Raise where no organisation, or not this one, can be added to an open poll."""
    if poll.audience is Audience.GROUP_SEATS:
        raise SeatsOnly("This poll asks the seats of a group.")
    # Whatever merged into it is asked in its place: a unit of its own would be a second vote.
    own = sa.select(Organisation.id).where(
        (Organisation.id == organisation_id) | (Organisation.merged_into_id == organisation_id)
    )
    known = sa.exists().where(VotingUnit.poll_id == poll.id, VotingUnit.organisation_id.in_(own))
    if session.scalar(sa.select(known)):
        raise VotesAlready("This organisation is asked already.")
    if poll.secret and session.scalar(sa.select(sa.exists().where(Ballot.poll_id == poll.id))):
        raise WouldUnmask("In a secret poll nobody is added once somebody voted.")


def member_of(poll: Poll, organisation_id: int, day: date) -> sa.ColumnElement[bool]:
    """Whether an organisation takes today what gives a vote in this poll: its service, or any where it has none."""
    takes = sa.exists().where(Subscription.organisation_id == organisation_id, running_on(day))
    return takes.where(Subscription.service_id == poll.service_id) if poll.service_id is not None else takes


def _locked(session: Session, poll_id: int) -> Poll:
    found = sa.select(Poll).where(Poll.id == poll_id).with_for_update().execution_options(populate_existing=True)
    poll = session.scalars(found).one_or_none()
    if poll is None:
        raise UnknownSubject(f"There is no poll {poll_id}.")
    return poll
