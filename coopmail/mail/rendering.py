"""A letter becomes subject, html and text: Jinja in `emails/`, MJML to html, the text part from its own template."""

from __future__ import annotations

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


def render(template: str, letter: Letter, charter: Charter, sender_name: str) -> Rendered:
    """The texts of a letter in the language spoken now. Needs an application context."""
    person = charter.cooperative.community_manager
    values: dict[str, Any] = {
        "shared": letter.shared,
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
    return Rendered(" ".join(subject.split()), mrml.to_html(mjml, render_options=_OPTIONS).content, wording.wrap(text))
