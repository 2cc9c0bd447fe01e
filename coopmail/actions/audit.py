"""Sealing the record of what was done, and forgetting a person in it. How it is sealed: `domain/audit.py`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import STAFF, audit
from coopmail.clock import Clock
from coopmail.domain.audit import AUDIT_HEAD, ERASED, ERASED_SUBJECT, START, AuditRow, Head, Written
from coopmail.domain.base import InstallationMark, insert_new
from coopmail.errors import ActionRefused, DatabaseError
from coopmail.queries import audit as record

BATCH = 2_000
"""Rows that are sealed by one look: a twentieth of a second of work, and under a megabyte."""

Salt = Callable[[], str]

_SEALED = sa.update(AuditRow.__table__).where(AuditRow.__table__.c.id == sa.bindparam("row"))  # type: ignore[arg-type]


def draw_salt() -> str:
    """128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def seal(session: Session, *, salt: Salt = draw_salt) -> int:
    """Number and chain a batch of rows that are not sealed yet, in the order of their ids, and say how many.

    Whoever commits later gets a later number. One sealer at a time holds the head: a second one leaves at once. Nobody
    who adds a row waits for a sealer (on SQLite: for one batch at most). Raises `DatabaseError` where the head is lost.
    """
    head = _locked_head(session, wait=False)
    return len(_seal_batch(session, head, 0, salt)) if head is not None else 0


def seal_all(session: Session, *, salt: Salt = draw_salt) -> Head:
    """Seal all that is there, what this transaction did included, and return the head.

    Waits for another sealer. The head stays locked until the commit, so call this last, after every other lock.
    """
    head = _locked_head(session, wait=True)
    assert head is not None
    after = 0
    while rows := _seal_batch(session, head, after, salt):
        # From here on: the database would pass over what this transaction sealed again and again.
        after, head = rows[-1]["row"], Head(rows[-1]["sequence"], rows[-1]["chain"])
    return head


def erase(session: Session, now: Clock, rows: sa.ColumnElement[bool], reason: str) -> int:
    """Forget the actor and detail of the rows that meet a condition, and say how many: a person is forgotten.

    What happened, when and to which subject stays, sealed as it was. Erasing is itself an entry, which names the
    sequences and the reason (so the reason must not name the person). Entries about erasing cannot be erased; what was
    erased before is passed over. Raises `ActionRefused` without a reason. Source: `links-and-ballots.md`, Evidence.
    """
    if not reason.strip():
        raise ActionRefused("Erasing wants a reason: it stands in the record.")
    seal_all(session)
    whole = (rows, AuditRow.sequence.is_not(None), AuditRow.salt.is_not(None), AuditRow.act != ERASED)
    sequences = session.scalars(sa.select(AuditRow.sequence).where(*whole).order_by(AuditRow.sequence)).all()
    if not sequences:
        return 0
    forgotten = sa.update(AuditRow).where(*whole).values(actor="", detail={}, salt=None)
    session.execute(forgotten, execution_options={"synchronize_session": False})
    audit(session, now(), ERASED, STAFF, ERASED_SUBJECT, sequences=list(sequences), reason=reason.strip())
    seal_all(session)
    return len(sequences)


def _locked_head(session: Session, *, wait: bool) -> Head | None:
    """The head, held until the commit; `None` where another sealer holds it and we do not wait."""
    session.flush()
    mark = sa.select(InstallationMark.value).where(InstallationMark.name == AUDIT_HEAD)
    locked = mark.with_for_update(skip_locked=not wait)
    value = session.scalars(locked).one_or_none()
    if value is None:
        # Asked first: an INSERT that finds the mark there waits for whoever holds it, even to do nothing.
        if not wait and session.scalars(mark).one_or_none() is not None:
            return None
        session.execute(insert_new(session, InstallationMark).values(name=AUDIT_HEAD, value=str(START)))
        value = session.scalars(locked).one_or_none()
    return None if value is None else _read_head(session, value)


def _read_head(session: Session, value: str) -> Head:
    try:
        head = Head.read(value)
    except ValueError:
        head = START
    if head == START and record.is_sealed(session):
        raise DatabaseError(f"The mark `{AUDIT_HEAD}` is lost, and rows are sealed: run `coopmail audit verify`.")
    return head


def _seal_batch(session: Session, head: Head, after: int, salt: Salt) -> list[dict[str, Any]]:
    """Seal the first rows beyond an id, move the mark, and return what was written."""
    sealed = []
    for row in record.unsealed(session, BATCH, after):
        head, values = _follow(head, row, salt())
        sealed.append(values)
    if sealed:
        session.connection().execute(_SEALED, sealed)
        mark = sa.update(InstallationMark).where(InstallationMark.name == AUDIT_HEAD).values(value=str(head))
        session.execute(mark, execution_options={"synchronize_session": False})
    return sealed


def _follow(before: Head, row: Written, salt: str) -> tuple[Head, dict[str, Any]]:
    """What sealing writes into a row that follows on `before`, and the new head."""
    row = row._replace(salt=salt.encode())
    row = row._replace(commitment=row.committed().encode())
    head = Head(before.sequence + 1, row.chained(before))
    commitment = (row.commitment or b"").decode()
    return head, {"row": int(row.id), "sequence": head.sequence, "salt": salt, "commitment": commitment,
                  "chain": head.chain}  # fmt: skip
