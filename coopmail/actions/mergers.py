"""Organisations that become one, and one that becomes two.

Polls that are open keep the units and weights that they were frozen with, so that no merger changes a result
(`links-and-ballots.md`, "One unit, one vote"): whoever had a link to a unit keeps it while voting for what goes on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import organisations, representations
from coopmail.actions.basis import Basis
from coopmail.actions.organisations import Facts, day_before
from coopmail.actions.records import STAFF, audit
from coopmail.clock import Clock
from coopmail.domain.base import insert_new
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Mode, Nomination, Representation
from coopmail.domain.groups import Seat
from coopmail.domain.organisations import Organisation, Pilot
from coopmail.domain.services import Subscription
from coopmail.errors import ActionRefused, ChangedMeanwhile

_ALWAYS = date.max


class SameOrganisation(ActionRefused):
    """An organisation cannot merge with itself."""


class Share(enum.StrEnum):
    """What becomes of a contact or a subscription when an organisation splits."""

    STAYS = "stays"
    MOVES = "moves"
    BOTH = "both"


@dataclass(frozen=True)
class Merger:
    """Two organisations become one: `gone_id` ends, `stays_id` goes on under `name`, with so many inhabitants."""

    gone_id: int
    stays_id: int
    gone_version: int
    stays_version: int
    name: str
    population: int


def merge(session: Session, now: Clock, basis: Basis, merger: Merger, *, actor: str = STAFF) -> Organisation:
    """Let two organisations become one; the one that goes on.

    What they take is united a service at a time: from the earliest first day to the latest last day, under the contract
    and price of the one that goes on. Contacts stand for it as they did (votes goes before reads), with their seats.
    The other's last day is yesterday, so that nobody counts twice today. Raises `ChangedMeanwhile`, `Ended`,
    `SameOrganisation`, `NameTaken` or `UnknownSubject`.
    """
    gone, stays = _both(session, merger)
    moment = now()
    organisations.check_name_free(session, merger.name, stays.id)
    gone.edit(merger.gone_version)
    stays.edit(merger.stays_version)
    before = {"name": stays.name, "population": stays.population}
    stays.name, stays.population = merger.name, merger.population
    gone.ended_on, gone.merged_into_id = day_before(moment), stays.id
    # What merged into the one that ends now goes on in the same.
    into = sa.update(Organisation).where(Organisation.merged_into_id == gone.id)
    session.execute(into.values(merged_into_id=stays.id))
    _unite_subscriptions(session, gone.id, stays.id, brussels_day(moment))
    _unite_pilots(session, gone.id, stays.id)
    moved = _move_contacts(session, moment, gone.id, stays.id)
    _move_seats(session, gone.id, stays.id, brussels_day(moment))
    audit(session, moment, "organisation-merged", actor, f"organisation:{gone.id}", into=stays.id, contacts=moved)
    changed = {"name": [before["name"], stays.name], "population": [before["population"], stays.population]}
    audit(session, moment, "organisation-grew", actor, f"organisation:{stays.id}", by=gone.id, contacts=moved,
          changed=changed)  # fmt: skip
    _follow(session, moment, basis, moved, f"merger{gone.id}", actor)
    return stays


def split(
    session: Session, now: Clock, basis: Basis, organisation_id: int, facts: Facts, *, version: int, remaining: int,
    contacts: Mapping[int, Share], subscriptions: Mapping[int, Share], actor: str = STAFF,
) -> Organisation:  # fmt: skip
    """Let a new organisation come out of one; `remaining` is the number of inhabitants that the old one keeps.

    Contacts and running subscriptions, by id, move or are with both from now on; who is not named stays. The new one
    takes from today, under the same contract and price. It has no unit in polls that are open. Raises
    `ChangedMeanwhile`, `Ended`, `NameTaken`, `CodeTaken` or `UnknownSubject`.
    """
    old = organisations.locked(session, organisation_id)
    organisations.check_goes_on(old)
    old.edit(version)
    before, old.population = old.population, remaining
    new = organisations.add(session, now, facts, actor=actor, split_from_id=old.id)
    moment = now()
    moved = _share_contacts(session, moment, old.id, new.id, contacts)
    _share_subscriptions(session, brussels_day(moment), old.id, new.id, subscriptions)
    audit(session, moment, "organisation-split", actor, f"organisation:{old.id}", new=new.id, contacts=moved,
          changed={"population": [before, remaining]})  # fmt: skip
    _follow(session, moment, basis, moved, f"split{new.id}", actor)
    return new


def _both(session: Session, merger: Merger) -> tuple[Organisation, Organisation]:
    if merger.gone_id == merger.stays_id:
        raise SameOrganisation("Choose two organisations.")
    found = {key: organisations.locked(session, key) for key in sorted((merger.gone_id, merger.stays_id))}
    gone, stays = found[merger.gone_id], found[merger.stays_id]
    for organisation in (gone, stays):
        organisations.check_goes_on(organisation)
    if (gone.version, stays.version) != (merger.gone_version, merger.stays_version):
        raise ChangedMeanwhile("Somebody else changed one of these organisations meanwhile.")
    return gone, stays


def _unite_subscriptions(session: Session, gone_id: int, stays_id: int, today: date) -> None:
    """What runs or will run: once a service, over the days of both; the other's past stays with the other."""
    live = Subscription.ends_on.is_(None) | (Subscription.ends_on >= today)
    question = sa.select(Subscription).where(live).order_by(Subscription.starts_on)
    own: dict[int, list[Subscription]] = {}
    for row in session.scalars(question.where(Subscription.organisation_id == stays_id)):
        own.setdefault(row.service_id, []).append(row)
    for row in session.scalars(question.where(Subscription.organisation_id == gone_id)).all():
        mine = own.get(row.service_id)
        starts = _free_start(session, stays_id, row, today)
        if mine:
            mine[0].starts_on = min(mine[0].starts_on, starts)
            mine[-1].ends_on = _later(mine[-1].ends_on, row.ends_on)
        else:
            copy = Subscription(organisation_id=stays_id, service_id=row.service_id, starts_on=starts,
                                ends_on=row.ends_on, contract_reference=row.contract_reference,
                                price_cents=row.price_cents)  # fmt: skip
            session.add(copy)
            own[row.service_id] = [copy]
        _stop_before(session, row, today)
    session.flush()


def _free_start(session: Session, stays_id: int, row: Subscription, today: date) -> date:
    """The first day of what is taken over; today, where the one that goes on took it then itself and stopped since."""
    past = sa.exists().where(
        Subscription.organisation_id == stays_id, Subscription.service_id == row.service_id,
        Subscription.ends_on < today, Subscription.ends_on >= row.starts_on,
    )  # fmt: skip
    return max(today, row.starts_on) if session.scalar(sa.select(past)) else row.starts_on


def _later(one: date | None, other: date | None) -> date | None:
    latest = max(one or _ALWAYS, other or _ALWAYS)
    return None if latest == _ALWAYS else latest


def _stop_before(session: Session, row: Subscription, day: date) -> None:
    """End a subscription on the day before; one that would begin that day or later never does."""
    if row.starts_on >= day:
        session.delete(row)
    else:
        row.ends_on = date.fromordinal(day.toordinal() - 1)


def _unite_pilots(session: Session, gone_id: int, stays_id: int) -> None:
    table = Pilot.__table__
    theirs = sa.select(sa.literal(stays_id, table.c.organisation_id.type), Pilot.service_id)
    theirs = theirs.where(Pilot.organisation_id == gone_id)
    session.execute(insert_new(session, Pilot).from_select(["organisation_id", "service_id"], theirs))


def _move_contacts(session: Session, now: datetime, gone_id: int, stays_id: int) -> list[int]:
    """Let whoever stands for the one stand for the other; who was named and has not answered is named for it too."""
    leaving, own = _by_contact(session, gone_id), _by_contact(session, stays_id)
    for contact_id, rows in leaving.items():
        mine = own.get(contact_id, {})
        wanted = _united(rows, mine)
        for row in (*rows.values(), *(row for key, row in mine.items() if wanted.get(key) is not row.mode)):
            row.ended_at = now
        session.flush()  # a unique key holds among those that run
        session.add_all(
            Representation(contact_id=contact_id, organisation_id=stays_id, service_id=key, mode=mode, started_at=now)
            for key, mode in wanted.items()
            if key not in mine or mine[key].mode is not mode
        )
    named = sa.update(Nomination).where(Nomination.organisation_id == gone_id, Nomination.answered_at.is_(None))
    session.execute(named.values(organisation_id=stays_id))
    session.flush()
    return sorted(leaving)


Rows = dict[int | None, Representation]
"""How a contact stands for an organisation: a row a service, the general rule under `None`."""


def _by_contact(session: Session, organisation_id: int) -> dict[int, Rows]:
    found: dict[int, Rows] = {}
    for row in _standing(session, organisation_id):
        found.setdefault(row.contact_id, {})[row.service_id] = row
    return found


def _united(one: Rows, other: Rows) -> dict[int | None, Mode]:
    """How a contact stands for both at once: wherever it voted for either, it votes."""
    wanted = {}
    for key in {*one, *other}:
        rows = [rows.get(key) or rows.get(None) for rows in (one, other)]
        modes = {row.mode for row in rows if row is not None}
        wanted[key] = Mode.VOTES if Mode.VOTES in modes else Mode.READS
    general = wanted.get(None)
    return {key: mode for key, mode in wanted.items() if key is None or mode is not general}


def _share_contacts(
    session: Session, now: datetime, old_id: int, new_id: int, wanted: Mapping[int, Share]
) -> list[int]:
    shared = [row for row in _standing(session, old_id) if wanted.get(row.contact_id, Share.STAYS) is not Share.STAYS]
    for row in shared:
        session.add(
            Representation(contact_id=row.contact_id, organisation_id=new_id, service_id=row.service_id,
                           mode=row.mode, started_at=now)
        )  # fmt: skip
        if wanted[row.contact_id] is Share.MOVES:
            row.ended_at = now
    session.flush()
    return sorted({row.contact_id for row in shared})


def _share_subscriptions(session: Session, today: date, old_id: int, new_id: int, wanted: Mapping[int, Share]) -> None:
    keys = [key for key, share in wanted.items() if share is not Share.STAYS]
    live = Subscription.ends_on.is_(None) | (Subscription.ends_on >= today)
    of_old = sa.select(Subscription).where(Subscription.organisation_id == old_id, Subscription.id.in_(keys), live)
    for row in session.scalars(of_old).all():
        session.add(
            Subscription(organisation_id=new_id, service_id=row.service_id, starts_on=max(today, row.starts_on),
                         ends_on=row.ends_on, contract_reference=row.contract_reference, price_cents=row.price_cents)
        )  # fmt: skip
        if wanted[row.id] is Share.MOVES:
            _stop_before(session, row, today)
    session.flush()


def _standing(session: Session, organisation_id: int) -> list[Representation]:
    running = sa.select(Representation).where(
        Representation.organisation_id == organisation_id, Representation.ended_at.is_(None)
    )
    return list(session.scalars(running.order_by(Representation.id)))


def _move_seats(session: Session, gone_id: int, stays_id: int, today: date) -> None:
    lasting = Seat.ends_on.is_(None) | (Seat.ends_on >= today)
    moved = sa.update(Seat).where(Seat.organisation_id == gone_id, lasting)
    session.execute(moved.values(organisation_id=stays_id))


def _follow(session: Session, now: datetime, basis: Basis, contacts: Iterable[int], round_: str, actor: str) -> None:
    """Let open polls follow each contact whose organisations changed."""
    for contact_id in contacts:
        contact = session.get_one(Contact, contact_id)
        representations.follow(session, now, basis, contact, round_, actor=actor)
