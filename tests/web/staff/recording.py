"""What tests of recorded votes share: a unit by its name, the form as staff fill it in, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from coopmail.domain.audit import AuditRow
from coopmail.domain.polls import Ballot, Poll, VotingUnit
from coopmail.parts import Parts
from tests.builders import Cooperative

SAID = "Els belde met het nummer van de bib."


def unit_id(office: Parts, poll: Poll, name: str) -> int:
    """The unit of a poll by its name."""
    with office.db.reading() as (session, _):
        found = sa.select(VotingUnit.id).where(VotingUnit.poll_id == poll.id, VotingUnit.name == name)
        return session.scalars(found).one()


def typed(cooperative: Cooperative, **changes: Any) -> dict[str, Any]:
    """The form for Bibliotheek Aartselaar: Els Peeters rang at the moment at which the poll opened."""
    values: dict[str, Any] = {
        "choice": "move", "giver": str(cooperative.contacts["els"].id), "name": "", "channel": "telephone",
        "day": "2026-11-16", "hour": "09:00", "proof": SAID, "over": "0",
    }  # fmt: skip
    return {key: value for key, value in (values | changes).items() if value is not None}


def ballot(office: Parts, unit: int) -> Ballot | None:
    """The ballot of a unit, with who recorded it."""
    with office.db.reading() as (session, _):
        found = session.scalars(sa.select(Ballot).where(Ballot.unit_id == unit)).one_or_none()
        if found is not None:
            _ = found.recorded_by
        return found


def acts(office: Parts, *wanted: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The record's rows of these acts: act, actor, detail."""
    with office.db.reading() as (session, _):
        rows = session.scalars(sa.select(AuditRow).where(AuditRow.act.in_(wanted)).order_by(AuditRow.id))
        return [(row.act, row.actor, row.detail) for row in rows]


def statements(office: Parts, act: Callable[[], object]) -> int:
    """How many statements an act makes."""
    counted: list[str] = []

    def note(_connection: object, _cursor: object, text: str, *_more: object) -> None:
        counted.append(text)

    engines = {office.db.engine, office.db._read_engine}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    act()
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", note)
    return len(counted)
