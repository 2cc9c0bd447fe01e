"""Questions about the record: what is not sealed yet, where its chain ends, and what it says, byte for byte."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import GenericFunction

from coopmail.domain.audit import AUDIT_HEAD, START, AuditRow, Head, Written
from coopmail.domain.base import InstallationMark, UtcDateTime

_CHUNK = 5_000
"""Rows that are held in memory at a time."""


class raw(GenericFunction[bytes]):  # noqa: N801 - it is an SQL function
    """A column's value as bytes: what is stored, not what the driver makes of it. A moment in UTC, as SQLite has it."""

    type = sa.LargeBinary()
    inherit_cache = True


@compiles(raw, "sqlite")
def _raw_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS BLOB)"


@compiles(raw, "postgresql")
def _raw_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    text = f"CAST({column} AS TEXT)"
    if isinstance(next(iter(element.clauses)).type, UtcDateTime):
        # Of a year before the first, `YYYY` alone would look like one after it.
        text = f"replace(to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US BC'), ' AD', '')"
    return f"convert_to({text}, 'UTF8')"


COLUMNS = tuple(raw(getattr(AuditRow, name)) for name in Written._fields)
"""What `Written` is made of."""


def unsealed(session: Session, limit: int, after: int = 0) -> list[Written]:
    """The first rows of an id beyond `after` that are not sealed, in the order of their ids."""
    waiting = sa.select(*COLUMNS).where(AuditRow.sequence.is_(None), AuditRow.id > after)
    return [Written._make(row) for row in session.execute(waiting.order_by(AuditRow.id).limit(limit))]


def count_unsealed(session: Session) -> int:
    """How many rows wait to be sealed."""
    return session.scalars(sa.select(sa.func.count()).select_from(AuditRow).where(AuditRow.sequence.is_(None))).one()


def is_unsealed(session: Session) -> bool:
    """Whether a row waits to be sealed."""
    return bool(session.scalar(sa.select(sa.exists().where(AuditRow.sequence.is_(None)))))


def is_sealed(session: Session) -> bool:
    """Whether any row was sealed."""
    return bool(session.scalar(sa.select(sa.exists().where(AuditRow.sequence.is_not(None)))))


def head(session: Session) -> Head:
    """The head of the chain as it is marked; `START` where nothing was sealed. Raises `ValueError` for no head."""
    value = session.scalar(sa.select(InstallationMark.value).where(InstallationMark.name == AUDIT_HEAD))
    return START if value is None else Head.read(value)


def record(session: Session, subject: str | None = None) -> Generator[Written]:
    """The record about a subject (`poll:3`), or all of it, in the order of the ids; a few thousand rows at a time."""
    rows = sa.select(*COLUMNS).order_by(AuditRow.id)
    yield from _stream(session, rows if subject is None else rows.where(AuditRow.subject == subject))


def sealed(session: Session) -> Generator[Written]:
    """The sealed rows in the order of their numbers, a few thousand at a time."""
    return _stream(session, sa.select(*COLUMNS).where(AuditRow.sequence.is_not(None)).order_by(AuditRow.sequence))


def _stream(session: Session, rows: sa.Select[*tuple[Any, ...]]) -> Generator[Written]:
    with closing(session.execute(rows, execution_options={"yield_per": _CHUNK})) as found:
        for row in found:
            yield Written._make(row)
