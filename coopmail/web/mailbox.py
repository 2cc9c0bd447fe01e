"""The local mailbox: what was sent, as a mail program shows it. Embedded mode and this machine only."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, render_template, request

from coopmail.config import Settings
from coopmail.parts import parts

mailbox = Blueprint("mailbox", __name__, url_prefix="/mailbox")
PAGE = 50
_HTML_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src 'none'; frame-ancestors 'self'; base-uri 'none'"
_PROXIED = ("x-forwarded", "forwarded", "x-real-ip", "via")
_LOCAL = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Received:
    """One message."""

    key: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        """Its subject."""
        return str(self.message["Subject"])

    @property
    def to(self) -> str:
        """To whom."""
        return str(self.message["To"])

    @property
    def at(self) -> datetime:
        """When it was written."""
        return parsedate_to_datetime(str(self.message["Date"]))

    def part(self, subtype: str) -> str:
        """Its text or its html."""
        found = self.message.get_body((subtype,))
        return found.get_content() if found else ""


def allowed(settings: Settings) -> bool:
    """Whether there is a local mailbox at all: no relay, and an address of this machine."""
    return settings.embedded and urlsplit(settings.base_url).hostname in _LOCAL


@mailbox.before_request
def only_here() -> None:
    """Refuse whoever is elsewhere, and a page elsewhere that gave this machine another name."""
    try:
        here = ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        here = False
    host = urlsplit(f"//{request.host}").hostname
    forwarded = any(name.lower().startswith(_PROXIED) for name, _value in request.headers)
    if not here or forwarded or host not in _LOCAL:
        abort(403)


@mailbox.get("/")
def listing() -> str:
    """The newest messages, or those to or about something."""
    wanted = request.args.get("q", "").strip().lower()
    number = max(1, request.args.get("page", 1, type=int))
    files = sorted(_folder().glob("*.eml"), key=lambda file: (-file.stat().st_mtime_ns, file.name))
    if wanted:
        read = [_read(file) for file in files]
        found = [mail for mail in read if wanted in f"{mail.to} {mail.subject}".lower()]
        total, shown = len(found), found[(number - 1) * PAGE : number * PAGE]
    else:
        total, shown = len(files), [_read(file) for file in files[(number - 1) * PAGE : number * PAGE]]
    return render_template(
        "mailbox/list.html",
        mails=shown,
        total=total,
        q=wanted,
        number=number,
        pages=max(1, -(-total // PAGE)),
    )


@mailbox.get("/<key>")
def message(key: str) -> Response:
    """One message: its headers, the html in a frame of its own, and the text."""
    page = Response(render_template("mailbox/message.html", mail=_get(key)))
    page.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; frame-ancestors 'none'; "
        "form-action 'self'"
    )
    return page


@mailbox.get("/<key>/html")
def html(key: str) -> Response:
    """The html part, whose links open in the whole window (a new one would be sandboxed as the frame is)."""
    text = _get(key).part("html").replace("<head>", '<head><base target="_top">', 1)
    text = text.replace('target="_blank"', 'target="_top"')
    page = Response(text, mimetype="text/html")
    page.headers["Content-Security-Policy"] = _HTML_CSP
    return page


def _folder() -> Path:
    return parts().settings.mailbox


def _get(key: str) -> Received:
    file = _folder() / f"{key}.eml"
    if not re.fullmatch(r"[0-9a-f]{32}", key) or not file.is_file():
        abort(404)
    return _read(file)


def _read(file: Path) -> Received:
    found = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return Received(file.stem, found)
