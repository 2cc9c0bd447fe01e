"""What was answered in a poll that is closed: by name in an open one, by receipt code in a secret one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from coopmail.domain import ballot_list
from coopmail.domain.counting import Marks
from coopmail.domain.polls import Ballot, Outcome, Poll, PublishedBallot, VotingUnit, read_marks
from coopmail.queries import polls

MOST_ROWS = 1000
"""A page shows so many ballots and links to the whole list: a browser need not hold a hundred thousand rows."""


@dataclass(frozen=True)
class ShownBallot:
    """A ballot as a page shows it: the unit's name in an open poll, the receipt code in a secret one."""

    label: str
    marks: Marks


def shown(session: Session, poll: Poll, outcome: Outcome | None) -> list[ShownBallot]:
    """The first `MOST_ROWS` ballots of a poll that has an outcome; none where they may not be shown."""
    if outcome is None or not polls.shows_counts(poll, outcome):
        return []
    question = _rows(session, poll).limit(MOST_ROWS)
    return [ShownBallot(label, read_marks(text)) for label, text, _ in session.execute(question)]


def pieces(session: Session, poll: Poll) -> Iterator[bytes]:
    """The list of a closed poll as it is published, piece by piece: memory does not grow with the poll."""
    electorate = polls.electorate_weight(session, poll.id)
    with session.execute(_rows(session, poll).execution_options(yield_per=1000)) as rows:
        yield from ballot_list.pieces(poll, electorate, ((label, text, weight) for label, text, weight in rows))


def _rows(session: Session, poll: Poll) -> sa.Select[str, str, int]:
    """Label, marks and weight of each ballot, sorted as bytes sort."""
    if poll.secret:
        return (
            sa.select(PublishedBallot.code, PublishedBallot.marks_text, sa.literal(1))
            .where(PublishedBallot.poll_id == poll.id)
            .order_by(_as_bytes(session, PublishedBallot.code))
        )
    marks = sa.func.coalesce(Ballot.marks_text, "[]")
    return (
        sa.select(VotingUnit.name, marks, VotingUnit.weight)
        .join(Ballot, Ballot.unit_id == VotingUnit.id)
        .where(Ballot.poll_id == poll.id)
        .order_by(_as_bytes(session, VotingUnit.name), _as_bytes(session, Ballot.marks_text), VotingUnit.weight)
    )


def _as_bytes(session: Session, column: InstrumentedAttribute[Any]) -> sa.ColumnElement[Any]:
    """A text to sort by as its bytes sort, whatever the database's language."""
    return sa.collate(column, "BINARY" if session.get_bind().dialect.name == "sqlite" else "C")
