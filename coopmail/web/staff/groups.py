"""Groups, who sits in them, and services: to be read. They come from the charter and, later, from compositions."""

from __future__ import annotations

from flask import abort, render_template

from coopmail.domain.calendar import brussels_day
from coopmail.domain.groups import Group
from coopmail.errors import UnknownSubject
from coopmail.parts import parts
from coopmail.queries import groups as known
from coopmail.queries import seats
from coopmail.web.staff.console import staff
from coopmail.web.staff.group_words import KINDS, ONE, ORIGINS, ROLES


@staff.get("/groups")
def groups() -> str:
    """Every group, by kind, with how many sit in it today."""
    with parts().db.reading() as (session, now):
        found = seats.groups_on(session, brussels_day(now()))
    by_kind = [(words, [row for row in found if row.group.kind == kind]) for kind, words in KINDS.items()]
    return render_template(
        "staff/groups/list.html", kinds=[(words, rows) for words, rows in by_kind if rows],
        names={row.group.id: row.group for row in found},
    )  # fmt: skip


@staff.get("/groups/<slug>")
def group(slug: str) -> str:
    """A group: what it steers and prepares for, who sits in it, who will and who did."""
    with parts().db.reading() as (session, now):
        try:
            found = known.group_by_slug(session, slug)
        except UnknownSubject:
            abort(404)
        today = brussels_day(now())
        rows = seats.of_group(session, found.id)
        return render_template(
            "staff/groups/group.html",
            group=found,
            kind=ONE[found.kind],
            parent=session.get(Group, found.parent_id) if found.parent_id else None,
            below=seats.prepared_by(session, found.id),
            services=seats.steered_by(session, found.id),
            now_sitting=[
                row for row in rows if row.starts_on <= today and (row.ends_on is None or row.ends_on >= today)
            ],
            coming=[row for row in rows if row.starts_on > today],
            past=[row for row in rows if row.ends_on is not None and row.ends_on < today],
            roles=ROLES,
            origins=ORIGINS,
        )


@staff.get("/services")
def services() -> str:
    """Every service, who steers it and how many take it today."""
    with parts().db.reading() as (session, now):
        return render_template("staff/groups/services.html", found=seats.services_on(session, brussels_day(now())))
