"""Importing organisations, their contacts and what they take: looked at first, then written whole or not at all.

A file that is looked at on a page waits in `Upload` until it is used, thrown away, or a day old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import founding
from coopmail.actions.basis import Basis
from coopmail.actions.organisation_writing import Writing
from coopmail.actions.records import STAFF
from coopmail.charter import Charter
from coopmail.clock import Clock
from coopmail.domain.base import random_key
from coopmail.domain.calendar import brussels_day
from coopmail.domain.cells import plain
from coopmail.domain.organisation_comparison import make_plan
from coopmail.domain.organisation_plan import Plan
from coopmail.domain.organisation_sheet import Line, read_header, read_rows
from coopmail.domain.staff import StaffMember
from coopmail.domain.uploads import SPENT, Upload
from coopmail.errors import ActionRefused
from coopmail.queries import organisation_import as questions

KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Sheet:
    """A table as it was sent, and the name of its file."""

    name: str
    header: Sequence[str]
    rows: Sequence[Line]


class RowsRefused(ActionRefused):
    """Rows of the sheet cannot be used, and nobody said to go on without them. `plan` names them."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(f"{plan.bad_rows} rows cannot be used: mend them, or say that they be passed over.")
        self.plan = plan


class PlanChanged(ActionRefused):
    """What the import would do is no longer what was looked at. `plan` is what it would do now."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("The database changed meanwhile: look again at what the import would do.")
        self.plan = plan


def plan_import(session: Session, now: datetime, charter: Charter, sheet: Sheet) -> Plan:
    """What importing a sheet would do; nothing is written. Raises `SheetRefused` for its header."""
    today = brussels_day(now)
    known = questions.services(session)
    known += [(entry.slug, entry.name) for entry in charter.services]
    slugs = {plain(word): slug for slug, name in reversed(known) for word in (slug, name)}
    columns = read_header(sheet.header)
    entries, faults = read_rows(columns, sheet.rows, slugs)
    plan = make_plan(columns, entries, faults, questions.known(session, today), today)
    plan.rows, plan.founded = len(sheet.rows), founding.missing(session, charter)
    return plan


def import_organisations(
    session: Session, now: Clock, basis: Basis, sheet: Sheet, *, skip_bad: bool = False, seen: str | None = None,
    actor: str = STAFF,
) -> Plan:  # fmt: skip
    """Write what a sheet says, and the charter's groups and services that are not there yet; what was done.

    Equal rows change nothing: a second time adds not even a row to the record. The contacts count as confirmed. Whoever
    votes now for a unit of an open poll is invited, whoever does not loses the link. `seen` is the digest of the plan
    that was looked at. Raises `SheetRefused`, `RowsRefused` unless `skip_bad`, or `PlanChanged`.
    """
    _hold(session)
    moment = now()
    plan = plan_import(session, moment, basis.charter, sheet)
    if seen is not None and plan.digest() != seen:
        raise PlanChanged(plan)
    if plan.faults and not skip_bad:
        raise RowsRefused(plan)
    if not plan.empty:
        Writing(session, moment, basis, plan, sheet.name, actor).write()
    return plan


def _hold(session: Session) -> None:
    """Let nobody else change organisations or contacts until this transaction ends: two imports come one by one.

    SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("LOCK TABLE organisations, contacts IN SHARE ROW EXCLUSIVE MODE"))


def keep_upload(session: Session, now: datetime, staff: StaffMember, name: str, content: bytes) -> str:
    """Keep a file for whoever sent it, until it is used; the key under which it is found. Old ones go."""
    session.execute(sa.delete(Upload).where(Upload.sent_at <= now - KEPT))
    row = sa.insert(Upload).values(key=random_key(), staff_id=staff.id, name=name[:200], content=content, sent_at=now)
    return session.scalars(row.returning(Upload.key)).one()


def drop_upload(session: Session, staff: StaffMember, key: str) -> None:
    """Throw a file away; one that is gone already, or another's, changes nothing."""
    session.execute(sa.delete(Upload).where(Upload.key == key, Upload.staff_id == staff.id))


def spend_upload(session: Session, staff: StaffMember, key: str) -> bool:
    """Take a file to import it; whether it was still there to be taken.

    Its row stays without its content until it is a day old, so that a second click is answered as the first.
    """
    mine = sa.update(Upload).where(Upload.key == key, Upload.staff_id == staff.id, Upload.content != SPENT)
    return session.scalars(mine.values(content=SPENT).returning(Upload.key)).one_or_none() is not None
