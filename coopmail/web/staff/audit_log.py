"""The audit log in the console: what was done, by whom and to what; to be read and searched, and never edited."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from flask import Response, render_template, request, stream_with_context, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.documents import tables
from coopmail.documents.tables import Cell
from coopmail.domain.audit import AuditRow, Head
from coopmail.domain.calendar import in_brussels
from coopmail.forms.staff.poll import day_of
from coopmail.parts import parts
from coopmail.queries import audit as chain
from coopmail.queries import record
from coopmail.queries import staff as people
from coopmail.queries.record import ANY_CONTACT, Asked, Named
from coopmail.web.language import kept_language
from coopmail.web.staff.act_words import act_in_words, acts, acts_that_hold
from coopmail.web.staff.console import staff
from coopmail.web.staff.listing import XLSX

MOST_IN_XLSX = 1_000_000
"""Rows of a sheet in Excel, less its heading; a CSV holds all."""
SHORT = 160
"""Characters of a detail that stands beside its act."""
PAGES = {
    "audience": ("staff.audience", "audience_id"),
    "campaign": ("staff.campaign", "campaign"),
    "contact": ("staff.contact", "contact_id"),
    "decision": ("staff.decision", "number"),
    "mail": ("staff.mail", "mail_id"),
    "organisation": ("staff.organisation", "organisation_id"),
    "poll": ("staff.poll", "slug"),
}
"""The page of what the record calls `kind:ID`, and what its address wants."""


@dataclass(frozen=True)
class Line:
    """An audit row in words. `who` and `about` have an address where there is a page to go to."""

    row: AuditRow
    act: str
    who: str
    who_address: str | None
    about: str
    about_address: str | None
    detail: list[tuple[str, str]]
    erased: bool

    @property
    def short(self) -> bool:
        """Whether the detail can stand beside the act."""
        return 0 < sum(len(key) + len(value) for key, value in self.detail) <= SHORT


def lines(session: Session, rows: Iterable[AuditRow]) -> list[Line]:
    """Audit rows in words; one question finds all the names."""
    rows = list(rows)
    names = record.named(session, [reference for row in rows for reference in (row.actor, row.subject)])
    return [_line(row, names) for row in rows]


def _line(row: AuditRow, names: Mapping[str, Named]) -> Line:
    erased = row.sequence is not None and row.salt is None
    return Line(
        row, act_in_words(row.act), _who(row.actor, names), _address(row.actor, names), _about(row.subject, names),
        _address(row.subject, names), [(key, _plain(value)) for key, value in row.detail.items()], erased,
    )  # fmt: skip


def _who(actor: str, names: Mapping[str, Named]) -> str:
    if actor in names:
        return _name(names[actor])
    return {"": _("erased"), "runner": _("the runner, by itself"), "staff": _("the command line")}.get(actor, actor)


def _about(subject: str, names: Mapping[str, Named]) -> str:
    return _name(names[subject]) if subject in names else subject


def _name(found: Named) -> str:
    return found.text_en if wording.language() == "en" else found.text_nl


def _address(reference: str, names: Mapping[str, Named]) -> str | None:
    kind, _colon, rest = reference.partition(":")
    if kind not in PAGES or (reference not in names and kind != "campaign"):
        return None
    endpoint, argument = PAGES[kind]
    values: dict[str, Any] = {argument: names[reference].key if reference in names else rest, **kept_language()}
    return url_for(endpoint, **values)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@staff.get("/audit")
def audit() -> str:
    """A page of the record, the last act first."""
    with parts().db.reading() as (session, _now):
        part = record.page(session, _asked(), before=_number("before"), after=_number("after"))
        return render_template(
            "staff/audit/list.html",
            lines=lines(session, part.rows),
            part=part,
            acts=acts(),
            actors=_actors(session),
            chosen=request.args,
            narrowed=any(request.args.get(name) for name in ("q", "act", "actor", "subject", "from", "to")),
            address=_here,
            export=_export,
            subject=_subject(session),
            unsealed=chain.count_unsealed(session),
            **_head(session),
        )


@staff.get("/audit.<any(csv, xlsx):form>")
def audit_export(form: str) -> Response:
    """All that is asked, as a file. A CSV is streamed; a sheet holds a million rows at most."""
    header = [_("Number"), _("Moment"), _("Act"), _("Code"), _("Who"), _("Actor"), _("About"), _("Subject"),
              _("Detail"), _("Seal")]  # fmt: skip
    if form == "xlsx":
        with parts().db.reading() as (session, _now):
            content: Any = tables.write_xlsx(header, _cells(session, MOST_IN_XLSX), "audit")
        response = Response(content, mimetype=XLSX)
    else:
        response = Response(_csv(header), mimetype="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"audit.{form}")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _csv(header: list[str]) -> Iterator[bytes]:
    def pieces() -> Iterator[bytes]:
        with parts().db.reading() as (session, _now):
            yield from tables.write_csv(header, _cells(session, None))

    return stream_with_context(pieces())


def _cells(session: Session, limit: int | None) -> Iterator[list[Cell]]:
    for rows in record.every(session, _asked(), limit):
        names = record.named(session, [reference for row in rows for reference in (row.actor, row.subject)])
        for row in rows:
            yield [
                row.sequence, row.at, act_in_words(row.act), row.act, _who(row.actor, names), row.actor,
                _about(row.subject, names), row.subject, json.dumps(row.detail, ensure_ascii=False), row.chain,
            ]  # fmt: skip


def _asked() -> Asked:
    words = request.args.get("q", "")[:200].lower().split()
    first, last = _day("from"), _day("to")
    return Asked(
        acts={word: acts_that_hold(word) for word in words[:10]},
        act=request.args.get("act", "")[:60],
        actor=request.args.get("actor", "")[:60],
        subject=request.args.get("subject", "")[:60],
        first=in_brussels(first, time(0)) if first else None,
        end=in_brussels(last + timedelta(days=1), time(0)) if last else None,
    )


def _day(name: str) -> date | None:
    """A day that was asked, where it can be one of the record's."""
    day = day_of(request.args.get(name))
    return day if day and 2000 <= day.year < 3000 else None


def _number(name: str) -> int | None:
    """An id that was asked, as large as a database keeps them."""
    found = request.args.get(name, type=int)
    return found if found is not None and 0 < found < 2**31 else None


def _actors(session: Session) -> list[tuple[str, str]]:
    """Whose acts can be chosen."""
    everybody = [("runner", _("the runner, by itself")), ("staff", _("the command line")),
                 (ANY_CONTACT, _("whoever has a personal link"))]  # fmt: skip
    return [*((person.actor, person.name) for person in people.listing(session)), *everybody]


def _here(**changes: Any) -> str:
    """The address of this list with something else asked; `None` leaves a question out."""
    asked: dict[str, Any] = {key: value for key, value in (_kept() | changes).items() if value not in (None, "")}
    return url_for("staff.audit", **asked)


def _export(form: str) -> str:
    return url_for("staff.audit_export", form=form, **_kept())


def _kept() -> dict[str, Any]:
    """What the address asks, but for the page of it."""
    return {key: value for key, value in request.args.to_dict().items() if key not in ("before", "after", "done")}


def _subject(session: Session) -> str:
    """What the list is about, where it is about one thing."""
    asked = request.args.get("subject", "")
    return _about(asked, record.named(session, [asked]))


def _head(session: Session) -> dict[str, Head | None]:
    try:
        return {"head": chain.head(session)}
    except ValueError:
        return {"head": None}
