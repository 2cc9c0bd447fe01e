"""What staff can do with an organisation: add it, edit it, mark it, end it, and take that back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import STAFF, audit
from coopmail.clock import Clock
from coopmail.domain.audit import AuditRow
from coopmail.domain.calendar import brussels_day
from coopmail.domain.lines import compared
from coopmail.domain.organisations import Organisation, OrganisationKind, Pilot
from coopmail.domain.services import Subscription
from coopmail.errors import ActionRefused, UnknownSubject

ENDED = "organisation-ended"


class NameTaken(ActionRefused):
    """Another organisation has this name."""


class CodeTaken(ActionRefused):
    """Another organisation has this code."""


class Ended(ActionRefused):
    """The organisation takes no part in anything new any more."""


class NotEnded(ActionRefused):
    """The organisation did not end, or merged into another: there is nothing to take back."""


class DayRefused(ActionRefused):
    """A day that cannot be: an organisation ends today or before."""


@dataclass(frozen=True)
class Facts:
    """What is known of an organisation."""

    name: str
    kind: OrganisationKind
    municipality: str
    province: str
    population: int
    regional: bool = False
    big_city: bool = False
    code: str | None = None


def add(session: Session, now: Clock, facts: Facts, *, pilot_of: set[int] | None = None, actor: str = STAFF,
        **more: Any) -> Organisation:  # fmt: skip
    """Add an organisation; `pilot_of` are ids of services. Raises `NameTaken` or `CodeTaken`."""
    check_free(session, facts, None)
    organisation = Organisation(**asdict(facts), **more)
    session.add(organisation)
    session.flush()
    told = {"pilot_of": _set_pilots(session, organisation.id, pilot_of)} if pilot_of else {}
    audit(session, now(), "organisation-added", actor, f"organisation:{organisation.id}", **asdict(facts), **told)
    return organisation


def edit(
    session: Session, now: Clock, organisation_id: int, facts: Facts, *, version: int, pilot_of: set[int],
    actor: str = STAFF,
) -> Organisation:  # fmt: skip
    """Change what is known of an organisation; what is the same already changes nothing.

    Units of polls that are open or over keep the name and the population that they were frozen with. Raises
    `ChangedMeanwhile`, `NameTaken`, `CodeTaken` or `UnknownSubject`.
    """
    organisation = locked(session, organisation_id)
    before = {name: getattr(organisation, name) for name in asdict(facts)}
    changes = {name: value for name, value in asdict(facts).items() if before[name] != value}
    pilots = set(session.scalars(sa.select(Pilot.service_id).where(Pilot.organisation_id == organisation_id)))
    if not changes and pilots == pilot_of:
        return organisation
    check_free(session, facts, organisation_id)
    organisation.edit(version)
    for name, value in changes.items():
        setattr(organisation, name, value)
    told: dict[str, Any] = {name: [before[name], value] for name, value in changes.items()}
    if pilots != pilot_of:
        told["pilot_of"] = [sorted(pilots), _set_pilots(session, organisation_id, pilot_of)]
    audit(session, now(), "organisation-edited", actor, f"organisation:{organisation_id}", changed=told)
    return organisation


def end(
    session: Session, now: Clock, organisation_id: int, *, ended_on: date, version: int, actor: str = STAFF
) -> Organisation:
    """An organisation ceases; what it takes ends on the same day, and what it would take later never starts.

    Open polls keep its unit, and its contacts their links: a deletion changes no result (`links-and-ballots.md`, "One
    unit, one vote"). Raises `ChangedMeanwhile`, `Ended`, `DayRefused` or `UnknownSubject`.
    """
    organisation = locked(session, organisation_id)
    check_goes_on(organisation)
    moment = now()
    if ended_on > brussels_day(moment):
        raise DayRefused("An organisation can end today or on an earlier day.")
    organisation.edit(version)
    organisation.ended_on = ended_on
    cut = cut_subscriptions(session, organisation_id, ended_on)
    audit(session, moment, ENDED, actor, f"organisation:{organisation_id}", ended_on=ended_on.isoformat(), **cut)
    return organisation


def resume(session: Session, now: Clock, organisation_id: int, *, version: int, actor: str = STAFF) -> Organisation:
    """Take back that an organisation ended; what it took runs again as before.

    Raises `ChangedMeanwhile`, `NotEnded` (also where it merged: that is not taken back) or `UnknownSubject`.
    """
    organisation = locked(session, organisation_id)
    if organisation.ended_on is None or organisation.merged_into_id is not None:
        raise NotEnded(f"{organisation.name} did not end by itself.")
    organisation.edit(version)
    organisation.ended_on = None
    _restore_subscriptions(session, organisation_id)
    audit(session, now(), "organisation-resumed", actor, f"organisation:{organisation_id}")
    return organisation


def locked(session: Session, organisation_id: int) -> Organisation:
    """An organisation as it stands now, held until the transaction ends; raises `UnknownSubject`."""
    found = sa.select(Organisation).where(Organisation.id == organisation_id).with_for_update()
    organisation = session.scalars(found.execution_options(populate_existing=True)).one_or_none()
    if organisation is None:
        raise UnknownSubject(f"There is no organisation {organisation_id}.")
    return organisation


def check_goes_on(organisation: Organisation) -> None:
    """Raise `Ended` where the organisation ended."""
    if organisation.ended_on is not None:
        raise Ended(f"{organisation.name} ended on {organisation.ended_on}.")


def check_free(session: Session, facts: Facts, organisation_id: int | None) -> None:
    """Raise `NameTaken` or `CodeTaken` where another organisation, also one that ended, has the name or the code."""
    check_name_free(session, facts.name, organisation_id)
    if facts.code is not None:
        taken = session.execute(sa.select(Organisation.id, Organisation.name).where(Organisation.code == facts.code))
        for other_id, name in taken:
            if other_id != organisation_id:
                raise CodeTaken(f"{name} has the code {facts.code} already.")


def check_name_free(session: Session, wanted: str, organisation_id: int | None) -> None:
    """Raise `NameTaken` where another organisation, also one that ended, has the name, in capitals or not."""
    # Compared here: the databases do not agree on what a capital with an accent is.
    for other_id, name in session.execute(sa.select(Organisation.id, Organisation.name)):
        if other_id != organisation_id and compared(name) == compared(wanted):
            raise NameTaken(f"There is an organisation called {name} already.")


def cut_subscriptions(session: Session, organisation_id: int, last: date) -> dict[str, Any]:
    """End on a day what an organisation takes; what starts later goes. What the record keeps of it, to take it back."""
    rows = session.scalars(
        sa.select(Subscription).where(
            Subscription.organisation_id == organisation_id,
            Subscription.ends_on.is_(None) | (Subscription.ends_on > last),
        )
    ).all()
    cut: dict[str, Any] = {"ended": [], "removed": []}
    for row in rows:
        if row.starts_on > last:
            cut["removed"].append(kept(row))
            session.delete(row)
        else:
            cut["ended"].append([row.id, row.ends_on.isoformat() if row.ends_on is not None else None])
            row.ends_on = last
    session.flush()
    return cut


def kept(row: Subscription) -> dict[str, Any]:
    """A subscription as the record keeps it."""
    return {
        "service_id": row.service_id,
        "starts_on": row.starts_on.isoformat(),
        "ends_on": row.ends_on.isoformat() if row.ends_on is not None else None,
        "contract_reference": row.contract_reference,
        "price_cents": row.price_cents,
    }


def day_before(moment: datetime) -> date:
    """The day before the one that it is in Brussels."""
    return brussels_day(moment) - timedelta(days=1)


def _restore_subscriptions(session: Session, organisation_id: int) -> None:
    """Undo `cut_subscriptions` by what the record of the ending says."""
    subject = AuditRow.subject == f"organisation:{organisation_id}"
    said: Mapping[str, Any] = session.scalars(
        sa.select(AuditRow.detail).where(subject, AuditRow.act == ENDED).order_by(AuditRow.id.desc()).limit(1)
    ).one()
    for key, ends_on in said.get("ended", []):
        row = session.get(Subscription, key)
        if row is not None:
            row.ends_on = _day(ends_on)
    session.add_all(
        Subscription(organisation_id=organisation_id, **row | {
            "starts_on": _day(row["starts_on"]), "ends_on": _day(row["ends_on"]),
        })
        for row in said.get("removed", [])
    )  # fmt: skip
    session.flush()


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text is not None else None


def _set_pilots(session: Session, organisation_id: int, pilot_of: set[int]) -> list[int]:
    session.execute(sa.delete(Pilot).where(Pilot.organisation_id == organisation_id))
    session.add_all(Pilot(organisation_id=organisation_id, service_id=key) for key in sorted(pilot_of))
    session.flush()
    return sorted(pilot_of)
