"""What an organisation takes (afname): started, ended, corrected, taken back.

None of it changes a poll that is open: who votes was frozen when it opened. Every act counts as a change of the
organisation, so that two people who work on one at once see each other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import organisations
from coopmail.actions.records import STAFF, audit
from coopmail.clock import Clock
from coopmail.domain.calendar import brussels_day
from coopmail.domain.organisations import Organisation
from coopmail.domain.services import Subscription
from coopmail.errors import ActionRefused, UnknownSubject

_ALWAYS = date.max


class PeriodsOverlap(ActionRefused):
    """The organisation takes this service already in a part of these days. `other` is what it takes then."""

    def __init__(self, other: Subscription) -> None:
        super().__init__("This service is taken already in a part of these days: end that first.")
        self.other = Terms(other.starts_on, other.ends_on, other.contract_reference, other.price_cents)


class EndsBeforeStart(ActionRefused):
    """The last day lies before the first."""


class BegunAlready(ActionRefused):
    """A subscription that has run stays on record: it is ended, and not removed."""


@dataclass(frozen=True)
class Terms:
    """What a subscription says: both days included, the price a year in cents excl. VAT."""

    starts_on: date
    ends_on: date | None
    contract_reference: str
    price_cents: int


def start(
    session: Session, now: Clock, organisation_id: int, service_id: int, terms: Terms, *, version: int,
    actor: str = STAFF,
) -> Subscription:  # fmt: skip
    """An organisation takes a service. Raises `ChangedMeanwhile`, `Ended`, `PeriodsOverlap` or `EndsBeforeStart`."""
    organisation = organisations.locked(session, organisation_id)
    organisations.check_goes_on(organisation)
    subscription = Subscription(organisation_id=organisation_id, service_id=service_id, **asdict(terms))
    _check(session, subscription, terms)
    organisation.edit(version)
    session.add(subscription)
    session.flush()
    _record(session, now, "subscription-started", actor, organisation, organisations.kept(subscription))
    return subscription


def change(
    session: Session, now: Clock, subscription_id: int, terms: Terms, *, version: int, actor: str = STAFF
) -> Subscription:
    """Correct or end a subscription, or let it run on (no last day); what is the same already changes nothing.

    Raises `ChangedMeanwhile`, `Ended`, `PeriodsOverlap`, `EndsBeforeStart` or `UnknownSubject`.
    """
    subscription = found(session, subscription_id)
    organisation = organisations.locked(session, subscription.organisation_id)
    session.refresh(subscription)
    organisations.check_goes_on(organisation)
    before = {name: getattr(subscription, name) for name in asdict(terms)}
    if before == asdict(terms):
        return subscription
    _check(session, subscription, terms)
    organisation.edit(version)
    for name, value in asdict(terms).items():
        setattr(subscription, name, value)
    told = {name: [str(before[name]), str(value)] for name, value in asdict(terms).items() if before[name] != value}
    _record(session, now, _act(before["ends_on"], terms.ends_on), actor, organisation,
            {"subscription": subscription.id, "service_id": subscription.service_id, "changed": told})  # fmt: skip
    return subscription


def remove(session: Session, now: Clock, subscription_id: int, *, version: int, actor: str = STAFF) -> Organisation:
    """Take back a subscription that was started by mistake: it must begin today or later.

    Raises `ChangedMeanwhile`, `BegunAlready` or `UnknownSubject`.
    """
    subscription = found(session, subscription_id)
    organisation = organisations.locked(session, subscription.organisation_id)
    if subscription.starts_on < brussels_day(now()):
        raise BegunAlready("This subscription has run already: end it instead.")
    organisation.edit(version)
    _record(session, now, "subscription-removed", actor, organisation, organisations.kept(subscription))
    session.delete(subscription)
    session.flush()
    return organisation


def found(session: Session, subscription_id: int) -> Subscription:
    """A subscription, or `UnknownSubject`."""
    subscription = session.get(Subscription, subscription_id)
    if subscription is None:
        raise UnknownSubject(f"There is no subscription {subscription_id}.")
    return subscription


def _act(before: date | None, after: date | None) -> str:
    if before == after:
        return "subscription-corrected"
    return "subscription-goes-on" if after is None else "subscription-ended"


def _check(session: Session, subscription: Subscription, terms: Terms) -> None:
    if terms.ends_on is not None and terms.ends_on < terms.starts_on:
        raise EndsBeforeStart("The last day lies before the first.")
    with session.no_autoflush:
        others = session.scalars(
            sa.select(Subscription).where(
                Subscription.organisation_id == subscription.organisation_id,
                Subscription.service_id == subscription.service_id,
                Subscription.starts_on <= (terms.ends_on or _ALWAYS),
                Subscription.ends_on.is_(None) | (Subscription.ends_on >= terms.starts_on),
            )
        ).all()
    for other in others:
        if other is not subscription:
            raise PeriodsOverlap(other)


def _record(
    session: Session, now: Clock, act: str, actor: str, organisation: Organisation, detail: dict[str, Any]
) -> None:
    audit(session, now(), act, actor, f"organisation:{organisation.id}", **detail)
