"""A small record to tamper with: ten acts, one of them forgotten, three more, and what an insider might do to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import audit
from coopmail.actions.records import audit as note
from coopmail.db import Database
from coopmail.domain.audit import AuditRow, Head
from coopmail.queries.audit_verification import Verification, verify
from tests.conftest import MONDAY

DETAILS: tuple[dict[str, Any], ...] = (
    {"slug": "krantenarchief"},
    {"charter_entry": "2026", "options": ["keep", "move"], "nested": {"a": [1, {"b": None}]}},
    {"unit": 4, "marks": '["keep"]', "version": 1, "answered_by": 'Zoë "de" Ruyter\\'},
    {"unit": 5, "answered_by": "Els Peeters"},
    {},
    {"share": 0.1, "big": 12345678901234567890, "small": 1e-07, "no": False},
    {"name": "\u202eבית 🗳\u2028"},
    {"z": 1, "a": 2},
    {"reason": "Te vroeg.\nEcht."},
    {"number": "2026-001"},
)
FORGOTTEN, ENTRY, LAST = 4, 11, 13
"""The row of Els Peeters, the entry that says that it was erased, and the last one."""


class _Undo(Exception):
    """Ends a transaction whose changes are not wanted."""


def append(session: Session, number: int, detail: dict[str, Any]) -> None:
    """Note an act that is not like any other."""
    at = MONDAY + timedelta(hours=number, microseconds=number * 1001)
    note(session, at, f"act-{number}", f"contact:{number}", f"poll:{number % 3}", **detail)
    session.flush()


def write_record(db: Database) -> Head:
    """Thirteen sealed rows, one of them erased, and one that is not sealed yet."""
    with db.transaction() as (session, now):
        for number, detail in enumerate(DETAILS, 1):
            append(session, number, detail)
        audit.erase(session, now, AuditRow.actor == f"contact:{FORGOTTEN}", "Asked to be forgotten.")
    with db.transaction() as (session, _):
        append(session, 12, {"unit": 6})
        append(session, 13, {"unit": 7})
        head = audit.seal_all(session)
    with db.transaction() as (session, _):
        append(session, 14, {"unit": 8})
    return head


def free(session: Session) -> None:
    """Let an owner of the tables change sealed rows, as an insider could."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("SET LOCAL session_replication_role = replica"))


def after(db: Database, change: Callable[[Session], object], kept: Sequence[Head] = ()) -> Verification:
    """What is found where the record was changed so; the change is undone."""
    found: list[Verification] = []
    try:
        with db.transaction() as (session, _):
            free(session)
            change(session)
            session.flush()
            found.append(verify(session, kept))
            raise _Undo
    except _Undo:
        return found[0]


def sql(*statements: str, **values: object) -> Callable[[Session], object]:
    """A change in words of SQL."""
    return lambda session: [session.execute(sa.text(statement), values) for statement in statements]
