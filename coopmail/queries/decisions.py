"""Questions about decisions: what everybody may read of them, and what staff see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from coopmail.domain.audit import AuditRow
from coopmail.domain.decisions import Decision, DecisionDocument
from coopmail.domain.groups import Group
from coopmail.domain.polls import Poll, Visibility
from coopmail.errors import UnknownSubject

PAGE = 20
TITLE_NL = sa.case((Decision.title_nl == "", Poll.title_nl), else_=Decision.title_nl)
TITLE_EN = sa.case((Decision.title_nl == "", Poll.title_en), else_=Decision.title_en)
"""Where `Poll` is joined: a decision of before there were titles has that of its poll."""
SEARCHED = (Decision.number, TITLE_NL, TITLE_EN, Decision.text_nl, Decision.text_en, Group.name)
"""What is searched, where `Group` and `Poll` are joined."""


@dataclass(frozen=True)
class Asked:
    """What a reader asks of the public list: words, a year, the slug of a group; and which page of it."""

    searched: str = ""
    year: int | None = None
    group: str = ""
    page: int = 1


@dataclass(frozen=True)
class Found:
    """One page of the public decisions. `years` and `groups` are those of which anything is public."""

    rows: Sequence[Decision]
    total: int
    page: int
    years: Sequence[int]
    groups: Sequence[Group]

    @property
    def pages(self) -> int:
        """How many pages there are: at least one."""
        return max(1, -(-self.total // PAGE))


def is_public() -> sa.ColumnElement[bool]:
    """The condition that everybody may read a decision: it is public, and so is the poll that it rests on."""
    # Correlated with the decision alone: a question around it may have joined polls of its own.
    shown = sa.exists().where(Poll.id == Decision.poll_id, Poll.visibility == Visibility.PUBLIC).correlate(Decision)
    return (Decision.visibility == Visibility.PUBLIC) & (Decision.poll_id.is_(None) | shown)


def in_year(year: int) -> sa.ColumnElement[bool]:
    """The condition that it was taken in that year."""
    return Decision.decided_on.between(date(year, 1, 1), date(year, 12, 31))


def years(session: Session, where: sa.ColumnElement[bool] | None = None) -> list[int]:
    """The years in which decisions were taken, the last one first."""
    year = sa.extract("year", Decision.decided_on)
    question = sa.select(year).distinct().order_by(year.desc())
    return [int(found) for found in session.scalars(question if where is None else question.where(where))]


def groups(session: Session, where: sa.ColumnElement[bool] | None = None) -> list[Group]:
    """The groups that took decisions, by name."""
    taken = sa.exists().where(Decision.group_id == Group.id)
    question = sa.select(Group).where(taken if where is None else taken.where(where))
    return list(session.scalars(question.order_by(Group.name)))


def public(session: Session, asked: Asked) -> Found:
    """What everybody may read, the last decision first. Nothing of another decision shows: no count, year or group."""
    question = sa.select(Decision).join(Decision.group).outerjoin(Decision.poll).where(is_public())
    for word in asked.searched.lower().split():
        question = question.where(sa.or_(*(sa.func.lower(text).contains(word, autoescape=True) for text in SEARCHED)))
    if asked.year is not None:
        question = question.where(in_year(asked.year))
    if asked.group:
        question = question.where(Group.slug == asked.group)
    total = session.scalars(sa.select(sa.func.count()).select_from(question.subquery())).one()
    page = min(max(1, asked.page), max(1, -(-total // PAGE)))
    rows = session.scalars(
        question.order_by(Decision.decided_on.desc(), Decision.id.desc())
        .limit(PAGE)
        .offset((page - 1) * PAGE)
        .options(joinedload(Decision.group), joinedload(Decision.poll))
    ).all()
    return Found(rows, total, page, years(session, is_public()), groups(session, is_public()))


def public_by_number(session: Session, number: str) -> Decision:
    """The decision of that number where everybody may read it, else `UnknownSubject`."""
    return _one(session, number, is_public())


def by_number(session: Session, number: str) -> Decision:
    """The decision of that number, with all that its page shows, or `UnknownSubject`."""
    return _one(session, number, sa.true())


def of_poll(session: Session, poll_id: int) -> Decision | None:
    """The decision that rests on a poll, where everybody may read it."""
    return session.scalars(sa.select(Decision).where(Decision.poll_id == poll_id, is_public())).one_or_none()


def corrected_at(session: Session, decision: Decision) -> datetime | None:
    """When it was last corrected; who may read it is no part of what was decided."""
    return session.scalar(
        sa.select(sa.func.max(AuditRow.at)).where(
            AuditRow.subject == f"decision:{decision.id}", AuditRow.act == "decision-corrected"
        )
    )


def history(session: Session, decision: Decision, limit: int = 50) -> list[AuditRow]:
    """What was done with it, the last first: its own acts, and that it was written on its poll."""
    mine = AuditRow.subject == f"decision:{decision.id}"
    if decision.poll_id is not None:
        mine |= (AuditRow.subject == f"poll:{decision.poll_id}") & (AuditRow.act == "poll-decided")
    return list(session.scalars(sa.select(AuditRow).where(mine).order_by(AuditRow.id.desc()).limit(limit)))


def document(session: Session, decision: Decision, document_id: int) -> DecisionDocument | None:
    """A document of that decision, where it has one of that id."""
    return session.scalars(
        sa.select(DecisionDocument).where(
            DecisionDocument.id == document_id, DecisionDocument.decision_id == decision.id
        )
    ).one_or_none()


def _one(session: Session, number: str, where: sa.ColumnElement[bool]) -> Decision:
    found = session.scalars(
        sa.select(Decision)
        .where(Decision.number == number, where)
        .options(
            joinedload(Decision.group),
            joinedload(Decision.poll).selectinload(Poll.options),
            joinedload(Decision.recorded_by),
            selectinload(Decision.documents),
        )
    ).one_or_none()
    if found is None:
        raise UnknownSubject(f"There is no decision {number}.")
    return found
