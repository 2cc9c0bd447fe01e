"""What a kind of invitation is: its page, its form, what its answer does, and its mails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from flask_babel import lazy_gettext
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from wtforms import Field, Form, ValidationError

from coopmail.actions.basis import Basis
from coopmail.clock import Clock
from coopmail.domain.lines import has_address, has_unseen, tidy
from coopmail.domain.links import Invitation

__all__ = ["Data", "Filled", "Kind", "Page", "lazy", "one_line", "tidy"]

Data = MultiDict[str, str]
Filled = TypeVar("Filled", bound=Form)


@dataclass(frozen=True)
class Page:
    """What the page of an invitation shows: for whom one answers, whether one may now, and the kind's own facts."""

    invitation: Invitation
    unit_name: str
    accepts: bool
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """One kind of invitation.

    `read` finds the page's facts and writes nothing; `form` makes the form, empty or filled; `answer` calls the action
    inside the caller's transaction; `repeats` says whether a form only repeats what is recorded, so that a second
    click is answered as the first, also when no answer is taken any more. `page` is a template, `mails` are folders in
    `emails/`, `paper` is a template to print, where the kind has one.
    """

    name: str
    page: str
    mails: tuple[str, ...]
    read: Callable[[Session, Invitation, datetime, Basis], Page]
    form: Callable[[Page, Data | None], Form]
    answer: Callable[[Session, Clock, Basis, Page, Form], None]
    repeats: Callable[[Page, Form], bool]
    paper: str | None = None


def lazy(text: str) -> str:
    """A text that is said in the language spoken when it is shown: forms are defined before anyone speaks."""
    return cast("str", lazy_gettext(text))  # a LazyString, which WTForms takes wherever it takes a text


def one_line(_form: Form, found: Field) -> None:
    """Refuse controls, marks that turn the direction of writing (a name can look like another by them), and links."""
    if has_unseen(found.data or ""):
        raise ValidationError(lazy("Remove the invisible characters: type the text again instead of pasting it."))
    if has_address(found.data or ""):
        # A name stands in other people's mails, where a mail program would make a link of it.
        raise ValidationError(lazy("Type a name here, without an address of a page or of mail."))
