"""What was answered in a poll that is closed: by name in an open one, by receipt code in a secret one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from coopmail.domain import ballot_list
from coopmail.domain.audit import AuditRow
from coopmail.domain.counting import Marks
from coopmail.domain.links import Invitation
from coopmail.domain.polls import Ballot, Channel, Outcome, Poll, PublishedBallot, VotingUnit, read_marks
from coopmail.queries import polls

MOST_ROWS = 1000
"""A page shows so many ballots and links to the whole list: a browser need not hold a hundred thousand rows."""


@dataclass(frozen=True)
class ShownBallot:
    """A ballot as a page shows it: the unit's name in an open poll, the receipt code in a secret one.

    `label` is empty for a person who answers for no organisation: the name is not shown. `apart`: has no vote.
    `channel`: how it came, where it is said whose it is.
    """

    label: str
    marks: Marks
    apart: bool = False
    channel: Channel | None = None


def shown(session: Session, poll: Poll, outcome: Outcome | None) -> list[ShownBallot]:
    """The first `MOST_ROWS` ballots of a poll that has an outcome; none where they may not be shown."""
    if outcome is None or not polls.shows_counts(poll, outcome):
        return []
    question = _rows(session, poll).add_columns(sa.null() if poll.secret else Ballot.channel).limit(MOST_ROWS)
    return [
        ShownBallot(
            "" if label == ballot_list.PERSON and weight == 0 else label, read_marks(text), weight == 0, channel
        )
        for label, text, weight, channel in session.execute(question)
    ]


def pieces(session: Session, poll: Poll) -> Iterator[bytes]:
    """The list of a closed poll as it is published, piece by piece: memory does not grow with the poll."""
    electorate, apart = polls.electorate_weight(session, poll.id), polls.units_apart(session, poll.id)
    with session.execute(_rows(session, poll).execution_options(yield_per=1000)) as rows:
        ballots = ((label, text, weight) for label, text, weight in rows)
        yield from ballot_list.pieces(poll, electorate, ballots, apart)


def replaced(session: Session, poll_id: int, unit_id: int) -> AuditRow | None:
    """The last answer by link of a unit in an open vote, as the record has it: what a recorded vote stands over."""
    asked = session.scalars(sa.select(Invitation.contact_id).where(Invitation.unit_id == unit_id))
    rows = session.scalars(
        sa.select(AuditRow)
        .where(
            AuditRow.subject == f"poll:{poll_id}",
            AuditRow.act == "ballot-cast",
            AuditRow.actor.in_([f"contact:{contact_id}" for contact_id in asked]),
        )
        .order_by(AuditRow.id.desc())
    )
    return next((row for row in rows if row.detail.get("unit") == unit_id), None)


def _rows(session: Session, poll: Poll) -> sa.Select[str, str, int]:
    """Label, marks and weight of each ballot, sorted as bytes sort; a person of the field stands without a name."""
    if poll.secret:
        return (
            sa.select(PublishedBallot.code, PublishedBallot.marks_text, sa.literal(1))
            .where(PublishedBallot.poll_id == poll.id)
            .order_by(_as_bytes(session, PublishedBallot.code))
        )
    marks = sa.func.coalesce(Ballot.marks_text, "[]")
    alone = VotingUnit.contact_id.is_not(None)
    label = sa.case((alone, sa.literal(ballot_list.PERSON)), else_=VotingUnit.name)
    return (
        sa.select(label, marks, VotingUnit.weight)
        .join(Ballot, Ballot.unit_id == VotingUnit.id)
        .where(Ballot.poll_id == poll.id)
        .order_by(_as_bytes(session, label), _as_bytes(session, Ballot.marks_text), VotingUnit.weight)
    )


def _as_bytes(session: Session, column: InstrumentedAttribute[Any] | sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A text to sort by as its bytes sort, whatever the database's language."""
    return sa.collate(column, "BINARY" if session.get_bind().dialect.name == "sqlite" else "C")
