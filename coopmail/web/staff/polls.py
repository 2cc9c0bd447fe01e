"""The list of polls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import Session, defer

from coopmail import wording
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.groups import Group
from coopmail.domain.polls import Audience, Ballot, Poll, PollState, VotingUnit
from coopmail.domain.services import Service
from coopmail.forms.kind import lazy
from coopmail.forms.staff.poll_choices import STATES
from coopmail.web.staff import board_words
from coopmail.web.staff.listing import Choices, Column, Filter, Listing, register

_LONG = (Poll.summary_nl, Poll.summary_en, Poll.more_nl, Poll.more_en, Poll.next_step_nl, Poll.next_step_en)


def audience(row: Any) -> str:
    """Who is asked in a poll, in a few words."""
    said: dict[Audience, Callable[[], str]] = {
        Audience.SERVICE_MEMBERS: lambda: _("members of %(service)s", service=row.service_name),
        Audience.GROUP_SEATS: lambda: _("seats of %(group)s", group=row.group_name),
        Audience.ALL_MEMBERS: lambda: _("all members"),
        Audience.SAVED: lambda: row.audience_name or "–",
        Audience.WHOLE_FIELD: lambda: _("the whole field"),
    }
    return said[row.Poll.audience]()


def listing(_session: Session, now: datetime) -> Listing:
    """Every poll, the one that closes last on top."""
    return Listing(
        name="polls",
        question=_question(),
        columns=(
            Column("title", lazy("Question"), lambda row: wording.said(row.Poll, "title"), (Poll.title_nl,)),
            Column("state", lazy("State"), lambda row: str(board_words.state(row.Poll, now)[1]), (Poll.state,)),
            Column("audience", lazy("Who is asked"), audience),
            Column("group", lazy("Asked by"), lambda row: row.group_name, (Group.name,)),
            Column("closes", lazy("Closes"), lambda row: row.Poll.closes_at, (Poll.closes_at,)),
            Column("answered", lazy("Answered"), _answered),
        ),
        searched=(Poll.title_nl, Poll.title_en, Poll.slug),
        filters=(
            Filter("state", lazy("State"), _states, lambda value: Poll.state == PollState(value)),
            Filter("service", lazy("Service"), _named(Service), lambda value: Service.slug == value),
            Filter("group", lazy("Group"), _named(Group), lambda value: Group.slug == value),
        ),
        default="-closes",
        unique=Poll.id,
    )


def _question() -> sa.Select[Any]:
    """Beside each poll what its line says: all in one question, however many lines there are."""
    answered = (
        sa.select(sa.func.count())
        .select_from(Ballot)
        .join(VotingUnit, VotingUnit.id == Ballot.unit_id)
        .where(Ballot.poll_id == Poll.id, VotingUnit.weight > 0)
        .correlate(Poll)
        .scalar_subquery()
    )
    return (
        sa.select(
            Poll,
            Group.name.label("group_name"),
            Service.name.label("service_name"),
            SavedAudience.name.label("audience_name"),
            answered.label("answered"),
        )
        .join(Group, Group.id == Poll.group_id)
        .outerjoin(Service, Service.id == Poll.service_id)
        .outerjoin(SavedAudience, SavedAudience.id == Poll.saved_audience_id)
        .options(*(defer(column) for column in _LONG))
    )


def _answered(row: Any) -> str:
    return _("%(part)s of %(whole)s", part=row.answered, whole=row.Poll.units) if row.Poll.opened_at else ""


def _states(_session: Session) -> Choices:
    return [(state.value, text) for state, text in STATES.items()]


def _named(table: type[Group | Service]) -> Callable[[Session], Choices]:
    def choices(session: Session) -> Choices:
        return [(slug, name) for slug, name in session.execute(sa.select(table.slug, table.name).order_by(table.name))]

    return choices


register("/polls", "polls", listing, "staff/polls/list.html", facts=lambda _session, _now: _facts())


def _facts() -> dict[str, Any]:
    return {"words": board_words, "audience": audience, "answered": _answered}
