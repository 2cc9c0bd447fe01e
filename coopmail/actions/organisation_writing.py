"""Writing the plan of an import, set by set: a few statements, whatever the number of rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from coopmail.actions import electorate, founding, representations
from coopmail.actions.basis import Basis
from coopmail.actions.records import audit, settle_matter
from coopmail.domain.audit import AuditRow, Matter
from coopmail.domain.base import Base
from coopmail.domain.contacts import Contact, Representation, address_key
from coopmail.domain.organisation_plan import Fields, Person, Plan, Target
from coopmail.domain.organisations import Organisation, Pilot
from coopmail.domain.polls import Poll, PollState, VotingUnit
from coopmail.domain.services import Subscription
from coopmail.queries import organisation_import as questions
from coopmail.queries.polls import unreachable

_MARKS = {"code": None, "regional": False, "big_city": False}
_PERSON = {"language": "nl", "telephone": "", "functional": False}
_TERMS = {"ends_on": None, "contract_reference": "", "price_cents": 0}


class Writing:
    """One import, in the order in which its rows need each other."""

    def __init__(self, session: Session, now: datetime, basis: Basis, plan: Plan, name: str, actor: str) -> None:
        self.session, self.now, self.basis, self.plan, self.name, self.actor = session, now, basis, plan, name, actor
        self.services: dict[str, int] = {}
        self.organisations: dict[Target, int] = {}
        self.contacts: dict[Person, int] = {}
        self.told: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def write(self) -> None:
        """All of it."""
        founding.found(self.session, self.basis.charter)
        self.services = questions.service_ids(self.session)
        self._organisations()
        self._contacts()
        self._representations()
        self._subscriptions()
        self._pilots()
        self._record()
        self._follow()

    def _organisations(self) -> None:
        new = {target.name: target for target, _ in self.plan.organisations if target.known is None}
        rows = [_MARKS | _values(fields) for target, fields in self.plan.organisations if target.known is None]
        for key, name in self._insert_named(Organisation, rows, Organisation.name):
            self.organisations[new[name]] = key
        self._update(Organisation, [
            {"id": target.known.id, "version": target.known.version + 1} | _values(fields)
            for target, fields in self.plan.organisations
            if target.known is not None
        ])  # fmt: skip
        for target, fields in self.plan.organisations:
            self.told[f"organisation:{self._organisation(target)}"] |= _said(fields, target.known is None)

    def _contacts(self) -> None:
        new = [(person, fields) for person, fields in self.plan.contacts if person.known is None]
        rows = [
            _PERSON | _values(fields)
            | {"email": person.address, "email_key": address_key(person.address), "confirmed_at": self.now}
            for person, fields in new
        ]  # fmt: skip
        persons = {address_key(person.address): person for person, _ in new}
        for key, address in self._insert_named(Contact, rows, Contact.email_key):
            self.contacts[persons[address]] = key
        self._update(Contact, [
            {"id": person.known.id, "version": person.known.version + 1} | self._confirmed(fields)
            for person, fields in self.plan.contacts
            if person.known is not None
        ])  # fmt: skip
        for person, fields in self.plan.contacts:
            self.told[f"contact:{self._contact(person)}"] |= _said(fields, person.known is None)

    def _confirmed(self, fields: Fields) -> dict[str, Any]:
        values = _values(fields)
        return values | ({"confirmed_at": self.now} if values.pop("confirmed", False) else {})

    def _representations(self) -> None:
        rows = []
        for stand in self.plan.stands:
            contact_id, organisation_id = self._contact(stand.person), self._organisation(stand.target)
            rows.append({
                "contact_id": contact_id, "organisation_id": organisation_id, "mode": stand.mode,
                "service_id": self.services[stand.service] if stand.service is not None else None,
                "started_at": self.now,
            })  # fmt: skip
            told = self.told[f"contact:{contact_id}"].setdefault("stands_for", [])
            told.append([organisation_id, stand.service or "all", stand.mode.value])
        # One who stood otherwise until now: the old row stays, with its end.
        over = [{"id": stand.known[0], "ended_at": self.now} for stand in self.plan.stands if stand.known is not None]
        self._update(Representation, over)
        self._insert(Representation, rows)

    def _subscriptions(self) -> None:
        added, changed = [], []
        for target, service, take, fields in self.plan.takes:
            organisation_id = self._organisation(target)
            if take.known is None:
                of = {"organisation_id": organisation_id, "service_id": self.services[service]}
                added.append(_TERMS | _values(fields) | of)
            else:
                changed.append({"id": take.known.id} | _values(fields))
            told = self.told[f"organisation:{organisation_id}"].setdefault("takes", {})
            told.setdefault(service, []).append(_said(fields, take.known is None))
        self._update(Subscription, changed)
        self._insert(Subscription, added)

    def _pilots(self) -> None:
        for target, service in self.plan.pilots:
            self.told[f"organisation:{self._organisation(target)}"].setdefault("pilot_of", []).append(service)
        self._insert(Pilot, [
            {"organisation_id": self._organisation(target), "service_id": self.services[service]}
            for target, service in self.plan.pilots
        ])  # fmt: skip

    def _record(self) -> None:
        """A row for the import, and one for each organisation and contact that it touched."""
        plan = self.plan
        sorts = {"organisations": "organisation", "contacts": "contact", "subscriptions": "subscription"}
        counts = {name: [plan.count(sort, added=True), plan.count(sort, added=False)] for name, sort in sorts.items()}
        audit(self.session, self.now, "organisations-imported", self.actor, "import", file=self.name,
              rows=plan.rows, passed_over=plan.bad_rows, founded=plan.founded, added_and_changed=counts)  # fmt: skip
        self.session.flush()
        self._insert(AuditRow, [
            {"at": self.now, "act": "imported", "actor": self.actor, "subject": subject, "detail": detail}
            for subject, detail in self.told.items()
        ])  # fmt: skip

    def _follow(self) -> None:
        """Let open polls follow who votes now: those who are new all at once, those who were known one by one."""
        if not self.plan.moves_voters:
            return
        known = {stand.person.known.id for stand in self.plan.stands if stand.person.known is not None}
        known |= {person.known.id for person, fields in self.plan.contacts if person.known and "confirmed" in fields}
        polls = sa.select(Poll).where(Poll.state == PollState.OPEN).order_by(Poll.id)
        for poll in self.session.scalars(polls.with_for_update(read=True, of=Poll)).all():
            electorate.invite(self.session, poll, self.now, self.basis)
            again = sa.select(Matter.key).join(VotingUnit, VotingUnit.id == Matter.unit_id)
            again = again.where(Matter.key.startswith("unit:"), Matter.poll_id == poll.id, ~unreachable())
            for key in self.session.scalars(again.where(Matter.settled_at.is_(None))).all():
                settle_matter(self.session, self.now, key, actor=self.actor)
        for contact_id in sorted(known):
            contact = self.session.get_one(Contact, contact_id)
            round_ = f"import{self.now:%Y%m%d%H%M%S%f}"
            representations.follow(self.session, self.now, self.basis, contact, round_, actor=self.actor)

    def _organisation(self, target: Target) -> int:
        return target.known.id if target.known is not None else self.organisations[target]

    def _contact(self, person: Person) -> int:
        return person.known.id if person.known is not None else self.contacts[person]

    def _insert(self, table: type[Base], rows: list[dict[str, Any]]) -> None:
        if rows:
            self.session.execute(sa.insert(table), rows)

    def _insert_named(
        self, table: type[Organisation] | type[Contact], rows: list[dict[str, Any]], name: InstrumentedAttribute[str]
    ) -> list[tuple[int, str]]:
        """Write rows; id and name of each. Asked afterwards: SQLite would give ids back a statement a row only."""
        last = self.session.scalar(sa.select(sa.func.max(table.id))) or 0
        self._insert(table, rows)
        return [(key, text) for key, text in self.session.execute(sa.select(table.id, name).where(table.id > last))]

    def _update(self, table: type[Base], rows: list[dict[str, Any]]) -> None:
        """Write changes over rows: a statement for each set of fields that change together."""
        alike: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            alike[tuple(sorted(row))].append(row)
        for several in alike.values():
            self.session.execute(sa.update(table), several)


def _values(fields: Fields) -> dict[str, Any]:
    return {name: new for name, (_, new) in fields.items()}


def _said(fields: Fields, added: bool) -> dict[str, Any]:
    """A change as the record keeps it."""
    plain = {name: [_plain(old), _plain(new)] for name, (old, new) in fields.items()}
    return {"added": {name: new for name, (_, new) in plain.items()}} if added else {"changed": plain}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | bool) else str(value)
