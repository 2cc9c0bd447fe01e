"""Who changed something last: for whoever comes second."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.audit import AuditRow
from coopmail.domain.contacts import Contact
from coopmail.domain.staff import StaffMember


class Change(NamedTuple):
    """The last act on a subject: by whom, in words, and when."""

    who: str
    at: datetime


def last_change(session: Session, subject: str) -> Change:
    """The last act that the record has of a subject (`poll:3`). Raises `LookupError` where there is none."""
    row = session.scalars(
        sa.select(AuditRow).where(AuditRow.subject == subject).order_by(AuditRow.id.desc()).limit(1)
    ).one_or_none()
    if row is None:
        raise LookupError(f"nothing was done to {subject}")
    return Change(actor_names(session, {row.actor})[row.actor], row.at)


def actor_names(session: Session, actors: set[str]) -> dict[str, str]:
    """The names of those whom the record calls `staff:3` or `contact:7`; others stay as they are."""
    names = {actor: actor for actor in actors}
    for prefix, table in (("staff", StaffMember), ("contact", Contact)):
        ids = [int(key) for actor in actors for kind, _, key in [actor.partition(":")]
               if kind == prefix and key.isdecimal()]  # fmt: skip
        if ids:
            found = session.execute(sa.select(table.id, table.name).where(table.id.in_(ids)))
            names |= {f"{prefix}:{key}": name for key, name in found}
    return names
