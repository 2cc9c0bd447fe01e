"""Lists of the console: searched, sorted, filtered, paged and exported, all by one mechanism.

A page costs a constant number of questions, whatever the length of its list: how many there are, the rows of this page,
and the choices of its filters. What is asked stands in the address, so that a list can be kept and sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask import Response, abort, render_template, request, stream_with_context, url_for
from sqlalchemy.orm import Session

from coopmail.documents import tables
from coopmail.documents.tables import Cell
from coopmail.parts import parts
from coopmail.web.staff.console import staff

PAGE = 50
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHUNK = 1_000
"""Rows that an export holds in memory at a time."""

Choices = list[tuple[str, str]]


@dataclass(frozen=True)
class Column:
    """One column: its heading, what an export writes of a row, and, where it can be sorted by, in what order."""

    key: str
    heading: str
    value: Callable[[Any], Cell]
    order: tuple[sa.SQLColumnExpression[Any], ...] = ()


@dataclass(frozen=True)
class Filter:
    """One choice among few. A value that is not among the choices is not asked of the database."""

    key: str
    label: str
    choices: Callable[[Session], Choices]
    where: Callable[[str], sa.ColumnElement[bool]]


@dataclass(frozen=True)
class Listing:
    """A list: its question, what can be searched, and how it is sorted where nothing is asked (`-` turns it around).

    `elsewhere` finds a row by another table: it gets a LIKE pattern in lower case, escaped by a backslash.
    `unique` ends every order, so that no row stands on two pages. A list that grows without end has `most`: of what is
    asked its page counts, sorts and turns over so many rows only, those with the highest `unique`.
    """

    name: str
    question: sa.Select[Any]
    columns: tuple[Column, ...]
    searched: tuple[sa.SQLColumnExpression[str], ...]
    unique: sa.SQLColumnExpression[Any]
    default: str
    filters: tuple[Filter, ...] = ()
    elsewhere: Callable[[str], sa.ColumnElement[bool]] | None = None
    most: int | None = None


@dataclass
class Seen:
    """A list as it was asked for: one page of its rows, and how to ask for another."""

    listing: Listing
    rows: Sequence[Any]
    total: int
    number: int
    searched: str
    sort: str
    chosen: dict[str, str]
    choices: dict[str, Choices] = field(default_factory=dict)

    @property
    def pages(self) -> int:
        """How many pages there are: at least one."""
        return max(1, -(-self.total // PAGE))

    @property
    def cut(self) -> bool:
        """Whether there may be more than is counted and shown."""
        return self.listing.most is not None and self.total >= self.listing.most

    @property
    def narrowed(self) -> bool:
        """Whether something was searched or filtered, so that an empty list is not an empty house."""
        return bool(self.searched or self.chosen)

    def address(self, **changes: Any) -> str:
        """The address of this list with something else asked; `None` leaves a question out."""
        here: dict[str, Any] = {**(request.view_args or {}), **request.args.to_dict()}
        here.pop("done", None)
        here |= changes
        return url_for(request.endpoint or "", **{key: value for key, value in here.items() if value is not None})

    def cleared(self) -> str:
        """The address of this list with nothing searched and nothing filtered."""
        return self.address(q=None, page=None, **dict.fromkeys(self.choices))

    def turned(self, column: Column) -> str:
        """How a press on a column's heading sorts."""
        return f"-{column.key}" if self.sort == column.key else column.key

    def direction(self, column: Column) -> str:
        """What is said of a column to whoever hears the page: `ascending`, `descending` or `none`."""
        return {column.key: "ascending", f"-{column.key}": "descending"}.get(self.sort, "none")

    def export(self, form: str) -> str:
        """The address of the whole list, as it is narrowed and sorted, as a file."""
        here = {**(request.view_args or {}), **request.args.to_dict(), "form": form}
        here.pop("done", None)
        here.pop("page", None)
        return url_for(f"{request.endpoint}_export", **here)


def register(
    rule: str,
    endpoint: str,
    make: Callable[..., Listing],
    template: str,
    facts: Callable[..., dict[str, Any]] | None = None,
) -> None:
    """Put a list on the console: its page at `rule`, its exports at `rule.csv` and `rule.xlsx`.

    `make(session, now, **values)` gives the list and `facts` what else the page shows; `values` are those of the rule.
    """

    def page(**values: Any) -> str:
        with parts().db.reading() as (session, now):
            moment = now()
            seen = look(session, make(session, moment, **values))
            more = facts(session, moment, **values) if facts else {}
            return render_template(template, seen=seen, now=moment, **more)

    def export(form: str, **values: Any) -> Response:
        return send(make, form, values)

    staff.add_url_rule(rule, endpoint, page)
    staff.add_url_rule(f"{rule}.<any(csv, xlsx):form>", f"{endpoint}_export", export)


def look(session: Session, listing: Listing) -> Seen:
    """The page of a list that the address asks for; a number beyond the last is the last."""
    choices = {found.key: found.choices(session) for found in listing.filters}
    seen = _asked(listing, choices)
    question = _newest(listing, narrow(listing, seen))
    ids = question.with_only_columns(listing.unique, maintain_column_froms=True).order_by(None)
    seen.total = session.scalars(sa.select(sa.func.count()).select_from(ids.subquery())).one()
    seen.number = min(max(1, request.args.get("page", 1, type=int)), seen.pages)
    # First which rows: else the database works out every column of all the pages before.
    here = _sorted(listing, ids, seen.sort).limit(PAGE).offset((seen.number - 1) * PAGE)
    only = listing.question.where(listing.unique.in_(session.scalars(here).all()))
    seen.rows = _plain(session.execute(_sorted(listing, only, seen.sort)))
    return seen


def _newest(listing: Listing, question: sa.Select[Any]) -> sa.Select[Any]:
    """Of a list that grows without end, what its page goes by."""
    if listing.most is None:
        return question
    found = question.with_only_columns(listing.unique, maintain_column_froms=True).order_by(None)
    newest = found.order_by(listing.unique.desc()).limit(listing.most).correlate(None)
    return question.where(listing.unique.in_(newest))  # the conditions again: they tell planners where to begin


def send(make: Callable[..., Listing], form: str, values: dict[str, Any]) -> Response:
    """The whole list as it is narrowed and sorted, as a file that Excel opens; memory does not grow with it."""
    with parts().db.reading() as (session, now):
        moment = now()
        listing = make(session, moment, **values)
        seen = _asked(listing, {found.key: found.choices(session) for found in listing.filters})
        header = [str(column.heading) for column in listing.columns]
        if form == "xlsx":
            content: Any = tables.write_xlsx(header, _cells(session, listing, seen), listing.name)
            response = Response(content, mimetype=XLSX)
        else:
            response = Response(_csv(make, values, header), mimetype="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"{listing.name}.{form}")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _csv(make: Callable[..., Listing], values: dict[str, Any], header: Sequence[str]) -> Iterator[bytes]:
    def lines() -> Iterator[bytes]:
        with parts().db.reading() as (session, now):
            listing = make(session, now(), **values)
            seen = _asked(listing, {found.key: found.choices(session) for found in listing.filters})
            yield from tables.write_csv(header, _cells(session, listing, seen))

    return stream_with_context(lines())


def _cells(session: Session, listing: Listing, seen: Seen) -> Iterator[list[Cell]]:
    question = _sorted(listing, narrow(listing, seen), seen.sort)
    with session.execute(question.execution_options(yield_per=CHUNK)) as rows:
        for part in rows.partitions():
            for row in _plain(part):
                yield [column.value(row) for column in listing.columns]
            session.expunge_all()


def _plain(rows: Any) -> list[Any]:
    """Rows of one thing as that thing."""
    return [row[0] if len(row) == 1 else row for row in rows]


def narrow(listing: Listing, seen: Seen) -> sa.Select[Any]:
    """The list's question, with what is searched and filtered."""
    question = listing.question
    for word in seen.searched.lower().split():
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        found: list[sa.ColumnElement[bool]]
        found = [sa.func.lower(column).like(pattern, escape="\\") for column in listing.searched]
        if listing.elsewhere is not None:
            found.append(listing.elsewhere(pattern))
        question = question.where(sa.or_(*found))
    for chosen in listing.filters:
        if chosen.key in seen.chosen:
            question = question.where(chosen.where(seen.chosen[chosen.key]))
    return question


def _asked(listing: Listing, choices: dict[str, Choices]) -> Seen:
    """What the address asks; what it asks and the list does not know is passed over, an endless search refused."""
    searched = " ".join(request.args.get("q", "").split())
    if len(searched) > 200 or "\x00" in searched:  # which PostgreSQL keeps in no text
        abort(400)
    sort = request.args.get("sort", "")
    known = {column.key for column in listing.columns if column.order}
    chosen = {
        key: value
        for key, offered in choices.items()
        if (value := request.args.get(key, "")) in {code for code, _label in offered} - {""}
    }
    return Seen(listing, (), 0, 1, searched, sort if sort.removeprefix("-") in known else listing.default, chosen,
                choices)  # fmt: skip


def _sorted(listing: Listing, question: sa.Select[Any], sort: str) -> sa.Select[Any]:
    order = next((column.order for column in listing.columns if column.key == sort.removeprefix("-")), ())
    if sort.startswith("-"):
        return question.order_by(None).order_by(*(part.desc() for part in order), listing.unique.desc())
    return question.order_by(None).order_by(*order, listing.unique)
