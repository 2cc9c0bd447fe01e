"""The frame of the console: who is signed in, what they may do, and what every page of it shares.

The session's cookie is random, known to the database by its hash only, and sent to `/staff` alone: no other page has a
cookie. Every POST carries the session's own token, so that no page elsewhere can send one in its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, TypeVar

from flask import Blueprint, Response, abort, current_app, g, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from coopmail.actions.sign_in import hash_of
from coopmail.domain.staff import StaffMember, StaffRole, StaffSession
from coopmail.forms.kind import lazy
from coopmail.parts import parts
from coopmail.queries import staff as people
from coopmail.web.language import kept_language, speak_as

COOKIE = "coopmail_staff"
staff = Blueprint("staff", __name__, url_prefix="/staff")
View = TypeVar("View", bound=Callable[..., Any])
_OPEN = "coopmail_open"
_ADMIN = "coopmail_admin"
_FILES = "coopmail_files"
MAX_UPLOAD = 26 * 1024 * 1024
"""Bytes of a form with files: two documents of 10 MB, or an import of 20, and what stands around them."""
_SENTENCES: dict[str, str] = {}


def open_to_all(view: View) -> View:
    """Mark a page that wants nobody signed in: the door itself."""
    setattr(view, _OPEN, True)
    return view


def admin_only(view: View) -> View:
    """Mark a page that only an admin may use."""
    setattr(view, _ADMIN, True)
    return view


def takes_files(view: View) -> View:
    """Mark a page to which files are sent: from whoever is signed in it takes up to `MAX_UPLOAD` bytes."""
    setattr(view, _FILES, True)
    return view


def me() -> StaffMember:
    """Who is signed in."""
    found: StaffSession = g.staff_session
    return found.staff


def actor() -> str:
    """How the record names who is signed in."""
    return me().actor


def say(code: str, sentence: str) -> None:
    """Name the sentence that a page shows after an act: the address carries the code and never a text."""
    _SENTENCES[code] = sentence


def done(endpoint: str, code: str, **values: Any) -> BaseResponse:
    """After an act: go to a page that says so. Going back or loading again then repeats nothing."""
    if code not in _SENTENCES:
        raise LookupError(f"no sentence is named {code}")
    return redirect(to(endpoint, done=code, **values), 303)


def to(endpoint: str, **values: Any) -> str:
    """The address of a page, in the language that this page's address asks for."""
    here: dict[str, Any] = {**values, **kept_language()}
    return url_for(endpoint, **here)


def sentence() -> str | None:
    """What the act before this page did, in words."""
    found = _SENTENCES.get(request.args.get("done", ""))
    return str(found) if found is not None else None


@dataclass(frozen=True)
class Entry:
    """A place in the console's menu."""

    label: str
    address: str
    current: bool


_FIRST = (("today", lazy("Today")), ("polls", lazy("Polls")), ("decisions", lazy("Decisions")),
          ("organisations", lazy("Organisations")), ("contacts", lazy("Contacts")))  # fmt: skip
_MORE = (("audiences", lazy("Audiences")), ("reachability", lazy("Reachability")), ("outbox", lazy("Outbox")),
         ("audit", lazy("Audit log")), ("groups", lazy("Groups")), ("services", lazy("Services")),
         ("charter", lazy("Charter")))  # fmt: skip
_ADMINS = (("staff_members", lazy("Staff")),)


def navigation(first: bool) -> list[Entry]:
    """The menu: what is used every day, or the rest, for whoever is signed in."""
    places = _FIRST if first else _MORE + (_ADMINS if me().role is StaffRole.ADMIN else ())
    return [Entry(label, to(f"staff.{endpoint}"), _within(url_for(f"staff.{endpoint}"))) for endpoint, label in places]


def _within(address: str) -> bool:
    return request.path == address or (not address.endswith("/") and request.path.startswith(f"{address}/"))


def csrf_field() -> Markup:
    """The hidden field of every form in the console."""
    found: StaffSession | None = g.get("staff_session")
    return Markup('<input type="hidden" name="csrf" value="{}">').format(found.csrf if found else "")


@staff.before_request
def check() -> BaseResponse | None:
    """Let in who is signed in and may, and take no form that another site sent."""
    view: Any = current_app.view_functions[request.endpoint or ""]
    # A browser says so where a form comes from elsewhere; one that says nothing is held by the token alone.
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        abort(403)
    token = request.cookies.get(COOKIE, "")
    with parts().db.reading() as (session, now):
        g.staff_session = people.signed_in(session, hash_of(token), now()) if token else None
    if g.staff_session is not None:
        speak_as(me().language)
    if getattr(view, _OPEN, False):
        return None
    if g.staff_session is None:
        if request.method == "POST":
            abort(401)
        return redirect(to("staff.sign_in", next=_here()), 303)
    if getattr(view, _ADMIN, False) and me().role is not StaffRole.ADMIN:
        abort(403)
    if getattr(view, _FILES, False):
        request.max_content_length = MAX_UPLOAD
    if request.method == "POST" and not compare_digest(
        request.form.get("csrf", "").encode(), g.staff_session.csrf.encode()
    ):
        abort(403)
    return None


@staff.app_errorhandler(401)
def signed_out(_error: Exception) -> tuple[str, int]:
    """A form was sent after its session ended: nothing is lost, since the browser keeps what was typed."""
    return render_template("staff/signed-out.html"), 401


@staff.after_request
def not_framed(response: Response) -> Response:
    """Only the console's own previews may be shown inside one of its pages."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def here_in_the_console(address: str) -> str | None:
    """An address to go on to after signing in: a page of the console, or nothing.

    Only a path under `/staff`, in plain characters: anything that a browser could read as another site is refused.
    """
    plain = all("!" <= char <= "~" and char not in '\\"<>' for char in address)
    inside = address == "/staff" or address.startswith(("/staff/", "/staff?"))
    return address if plain and inside and "//" not in address.partition("?")[0] and len(address) <= 500 else None


def _here() -> str | None:
    return here_in_the_console(request.full_path.rstrip("?"))
