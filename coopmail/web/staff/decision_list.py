"""The list of decisions in the console, and its exports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.domain.decisions import Decision
from coopmail.domain.groups import Group
from coopmail.domain.polls import Poll, Visibility
from coopmail.domain.staff import StaffMember
from coopmail.forms.kind import lazy
from coopmail.queries import decisions as questions
from coopmail.queries.decisions import TITLE_EN, TITLE_NL
from coopmail.web.staff.listing import Choices, Column, Filter, Listing, register

_WITHDRAWN = Decision.withdrawn_at.is_not(None)


def _listing(_session: Session, _now: datetime) -> Listing:
    question = (
        sa.select(
            Decision.id, Decision.number, TITLE_NL.label("title_nl"), TITLE_EN.label("title_en"), Decision.decided_on,
            Decision.visibility, Decision.withdrawn_at, Decision.present, Decision.votes_for, Decision.votes_against,
            Decision.abstained, Group.name.label("group_name"), Group.slug.label("group_slug"),
            Poll.slug.label("poll_slug"), StaffMember.name.label("recorded_by"),
        )
        .join(Group, Group.id == Decision.group_id)
        .outerjoin(Poll, Poll.id == Decision.poll_id)
        .outerjoin(StaffMember, StaffMember.id == Decision.recorded_by_id)
    )  # fmt: skip
    return Listing(
        name="decisions",
        question=question,
        columns=(
            Column("number", lazy("Number"), lambda row: row.number, (Decision.number,)),
            Column("title", lazy("Decision"), lambda row: wording.said(row, "title"), (sa.func.lower(TITLE_NL),)),
            Column("decided", lazy("Day"), lambda row: row.decided_on, (Decision.decided_on,)),
            Column("group", lazy("Group"), lambda row: row.group_name, (sa.func.lower(Group.name),)),
            Column("origin", lazy("How decided"), _origin),
            Column("visibility", lazy("Who may read it"), lambda row: visibility_words(row.visibility)),
            Column("standing", lazy("In force"), lambda row: _standing(row.withdrawn_at)),
            Column("recorded", lazy("Who recorded it"), lambda row: row.recorded_by or ""),
        ),
        searched=questions.SEARCHED,
        unique=Decision.id,
        default="-decided",
        filters=(
            Filter("group", lazy("Group"), _groups, lambda slug: Group.slug == slug),
            Filter("year", lazy("Year"), _years, lambda year: questions.in_year(int(year))),
            Filter("origin", lazy("How decided"), lambda _s: [("poll", _("by poll")), ("meeting", _("in a meeting"))],
                   lambda code: Decision.poll_id.is_(None) if code == "meeting" else Decision.poll_id.is_not(None)),
            Filter("visibility", lazy("Who may read it"), _visibilities,
                   lambda code: Decision.visibility == Visibility(code)),
            Filter("standing", lazy("In force"), lambda _s: [("stands", _("stands")), ("withdrawn", _("withdrawn"))],
                   lambda code: ~_WITHDRAWN if code == "stands" else _WITHDRAWN),
        ),
    )  # fmt: skip


def _groups(session: Session) -> Choices:
    return [(group.slug, group.name) for group in questions.groups(session)]


def _years(session: Session) -> Choices:
    return [(str(year), str(year)) for year in questions.years(session)]


def _origin(row: Any) -> str:
    if row.poll_slug:
        return _("by poll")
    votes = wording.meeting(row)
    return _("in a meeting: %(votes)s", votes=votes) if votes else _("in a meeting")


def _visibilities(_session: Session) -> Choices:
    return [(one.value, visibility_words(one)) for one in Visibility]


def visibility_words(visibility: Visibility) -> str:
    """Who may read a decision."""
    return _("everybody") if visibility is Visibility.PUBLIC else _("only inside")


def _standing(withdrawn_at: datetime | None) -> str:
    return _("withdrawn") if withdrawn_at else _("stands")


register("/decisions", "decisions", _listing, "staff/decisions/list.html")
