"""What tests of pages share: a browser without scripts that fills in forms as they are served."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import sqlalchemy as sa

from coopmail.db import Database
from coopmail.domain.base import Base


@dataclass
class ServedForm:
    """A form with the values that it was served with, and its buttons."""

    method: str
    action: str
    values: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """All forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[ServedForm] = []
        self._area: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect fields as a browser would send them."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(ServedForm(values.get("method", "get").lower(), values.get("action", "")))
        if not self.found or ("name" not in values and tag != "button"):
            return
        form = self.found[-1]
        kind = values.get("type", "text")
        if tag == "button" or kind == "submit":
            form.buttons.append((values.get("name", ""), values.get("value", "")))
        elif tag == "input" and (kind not in ("radio", "checkbox") or "checked" in values):
            form.values.append((values["name"], values.get("value", "")))


def everything(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, to compare before and after."""
    with db.reading() as (session, _):
        return {
            table.name: sorted((tuple(row) for row in session.execute(sa.select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }
