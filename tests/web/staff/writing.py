"""What tests of drafts share: a poll as staff type it, a form read back as a browser has it, and what a page says."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import sqlalchemy as sa
from werkzeug.test import TestResponse

from coopmail.domain.audit import AuditRow
from coopmail.domain.polls import Poll
from coopmail.parts import Parts
from tests.console import Console

NEW = "/staff/polls/new"
QUESTION: dict[str, str] = {
    "version": "", "copied_from": "", "title_nl": "Willen we een gedeelde wachtrij?",
    "title_en": "Do we want a shared queue?", "slug": "", "summary_nl": "Eén wachtrij voor alle reservaties.",
    "summary_en": "", "more_nl": "# Waarom\n\nHet **scheelt** werk.", "more_en": "",
    "next_step_nl": "De stuurgroep werkt het uit.", "next_step_en": "", "minutes": "3",
    "group": "digitale-collecties", "audience": "service_members", "service": "krantenarchief", "saved_audience": "",
    "effect": "advice", "visibility": "participants", "method": "choice", "majority": "simple", "share": "2/3",
    "share_of": "valid", "quorum": "", "tie": "left_open", "closes_day": "2026-12-11", "closes_hour": "17:00",
    "reminder_days": "7, 1",
}  # fmt: skip
OPTIONS: list[dict[str, str]] = [
    {"label_nl": "Ja, graag", "label_en": "Yes, please", "description_nl": "Vanaf de zomer.",
     "cost_euro": "48.000,00", "cost_sharing": "equal"},
    {"label_nl": "Nee, we doen het niet", "status_quo": "y"},
    {"label_nl": "Onthouding", "abstain": "y"},
]  # fmt: skip
SLUG = "willen-we-een-gedeelde-wachtrij"


def options(*rows: dict[str, str]) -> dict[str, str]:
    """Rows of options as a browser sends them."""
    empty = {"key": "", "written_as": "", "label_nl": "", "label_en": "", "description_nl": "", "description_en": "",
             "cost_euro": "", "cost_sharing": "none"}  # fmt: skip
    return {f"options-{n}-{name}": value for n, row in enumerate(rows) for name, value in (empty | row).items()}


def typed(*rows: dict[str, str], **changes: str | None) -> dict[str, str]:
    """The whole form; a change to `None` is a field that is not sent."""
    values: dict[str, str | None] = {**QUESTION, **options(*(rows or OPTIONS)), **changes}
    return {name: value for name, value in values.items() if value is not None}


class _Fields(HTMLParser):
    """The forms of a page with what stands in their fields, as a browser would send it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self._into: str | None = None
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a field holds."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({})
        if not self.forms:
            return
        name, form = values.get("name", ""), self.forms[-1]
        if tag == "textarea" and name:
            form[name], self._into = "", name
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in values or self._select not in form):
            form[self._select] = values["value"]
        elif tag == "input" and name and (values.get("type") not in ("radio", "checkbox") or "checked" in values):
            form[name] = values.get("value", "")

    def handle_data(self, data: str) -> None:
        """What stands in a large field; the first line end is the page's own."""
        if self._into:
            self.forms[-1][self._into] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        """The large field ends."""
        if tag == "textarea":
            self._into = None


def in_fields(page: str, holding: str = "csrf") -> dict[str, str]:
    """What the form that holds a field of that name would send as it is; the form to sign out is another."""
    found = [form for form in _Fields(page).forms if holding in form]
    return found[0]


def text_of(page: str) -> str:
    """What a page says in its main part, on one line."""
    main = page.partition("<main")[2].partition(">")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def summary(page: str) -> list[tuple[str, str]]:
    """The errors that stand on top of a page, each with the field that it leads to."""
    found = re.findall(r'<li><a href="#([^"]+)">([^<]*)</a></li>', page.partition('class="errors"')[2])
    return [(place, unescape(text)) for place, text in found]


def at_fields(page: str) -> dict[str, str]:
    """What is said beside each field."""
    found = re.findall(r'<p class="error" id="([^"]+)-error">(.*?)</p>', page, re.DOTALL)
    return {name: " ".join(unescape(re.sub(r"<span.*?</span>", "", text)).split()) for name, text in found}


def send(browser: Console, data: dict[str, str], path: str = NEW, language: str = "nl") -> TestResponse:
    """Send a form of the editor with the token that the browser has."""
    return browser.post_form(path, data, page="/staff/me", language=language)


def page_of(answer: TestResponse, status: int = 200) -> str:
    """The page that is an answer."""
    text = answer.get_data(as_text=True)
    assert answer.status_code == status, f"{answer.status} {answer.location} {text_of(text)[:400]}"
    return text


def went(answer: TestResponse) -> str:
    """To which page an answer leads, and with which sentence; where it is no such answer, what the page says."""
    if answer.status_code != 303:
        return text_of(answer.get_data(as_text=True))
    return answer.location.removeprefix("/staff").removesuffix("&lang=nl")


def poll_of(office: Parts, slug: str) -> Poll:
    """The poll as it is now, with all that belongs to it."""
    with office.db.reading() as (session, _):
        found = session.scalars(sa.select(Poll).where(Poll.slug == slug)).one()
        _ = (found.options, found.attachments)
        return found


def slugs(office: Parts) -> list[str]:
    """The short names of all polls."""
    with office.db.reading() as (session, _):
        return list(session.scalars(sa.select(Poll.slug).order_by(Poll.id)))


def recorded(office: Parts, poll_id: int) -> list[tuple[str, str, dict[str, Any]]]:
    """What the record has of a poll: act, actor, detail."""
    with office.db.reading() as (session, _):
        rows = session.scalars(
            sa.select(AuditRow).where(AuditRow.subject == f"poll:{poll_id}").order_by(AuditRow.id)
        ).all()
        return [(row.act, row.actor, row.detail) for row in rows]
