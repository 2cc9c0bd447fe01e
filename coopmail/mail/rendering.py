"""A letter becomes subject, html and text: Jinja in `emails/`, MJML to html, the text part from its own template."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import mrml
from flask_babel import gettext, ngettext
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from coopmail import wording
from coopmail.charter import Charter
from coopmail.config import ROOT
from coopmail.mail.letters import Letter


@dataclass(frozen=True)
class Rendered:
    """A mail's texts."""

    subject: str
    html: str
    text: str


def environment() -> Environment:
    """The environment of `emails/`: an unknown name is an error, html and MJML are escaped, text is not."""
    env = Environment(
        loader=FileSystemLoader(ROOT / "emails"),
        autoescape=select_autoescape(("mjml", "html"), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    return env


_ENVIRONMENT = environment()
# MJML fetches a font from elsewhere where it knows its name: nothing in our mails comes from anybody else.
_OPTIONS = mrml.RenderOptions(fonts={})
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_LABEL = re.compile(r'(<div aria-label=")[^"]*(")')
_NO_MARKUP = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def prepare() -> None:
    """Load every template: once, before a process is forked for each job."""
    for name in _ENVIRONMENT.list_templates(extensions=["mjml", "txt"]):
        _ENVIRONMENT.get_template(name)


def render(template: str, letter: Letter, charter: Charter, sender_name: str) -> Rendered:
    """The texts of a letter in the language spoken now. Needs an application context."""
    parts = render_parts(template, letter, charter, sender_name)
    return Rendered(one_line(parts.subject), parts.html, wording.wrap(parts.text))


def one_line(subject: str) -> str:
    """A subject as templates write it, over several lines, on one."""
    return " ".join(subject.split())


def markup(text: str) -> str:
    """A text without what MJML, being XML, cannot hold: one such character would keep a mail from being written."""
    return _NO_MARKUP.sub("\ufffd", text)


def render_parts(template: str, letter: Letter, charter: Charter, sender_name: str) -> Rendered:
    """The same before its lines are arranged."""
    person = charter.cooperative.community_manager
    values: dict[str, Any] = {
        "shared": letter.shared.values,
        "recipient": letter.recipient,
        "language": wording.language(),
        "cooperative": charter.cooperative,
        "person": person,
        "person_role": person.role_en if wording.language() == "en" else person.role_nl,
        "sender_name": sender_name,
    }
    subject, mjml, text = (
        _ENVIRONMENT.get_template(f"{template}/{name}").render(values)
        for name in ("subject.txt", "body.mjml", "body.txt")
    )
    return Rendered(subject, _page(markup(mjml)), text)


def _page(mjml: str) -> str:
    """MJML as html. Its label, which screen readers say first, is the title: mrml writes it as Rust shows a string."""
    page = mrml.to_html(mjml, render_options=_OPTIONS).content
    title = _TITLE.search(page)
    label = title.group(1).replace('"', "&#34;") if title else ""
    return _LABEL.sub(lambda found: f"{found[1]}{label}{found[2]}", page, count=1)
