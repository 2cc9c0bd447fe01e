"""A browser without a window, for the simulation."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from urllib.parse import urlencode, urlsplit


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Form(HTMLParser):
    """The ballot's form as a page serves it."""

    choices: list[str] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    asks_name: bool = False
    answered: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the fields, and whether the page confirms an answer."""
        found = dict(attrs)
        self.answered = self.answered or found.get("id") == "answered"
        if tag == "input" and found.get("name") == "choice":
            self.choices.append(found.get("value") or "")
            if "checked" in found:
                self.chosen.append(found.get("value") or "")
        self.asks_name = self.asks_name or (tag == "input" and found.get("name") == "answered_by")


class Browser:
    """Opens pages and sends forms over one connection."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __enter__(self) -> Browser:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def open(self, url: str) -> Form:
        """Open a page and read its form."""
        _status, text, _location = self._ask("GET", url)
        form = Form()
        form.feed(text)
        return form

    def answer(self, url: str, form: Form, choice: Sequence[str], name: str) -> tuple[int, Form]:
        """Send the form filled in, follow the redirect, and read the page that comes."""
        fields: list[tuple[str, str]] = [("choice", key) for key in choice]
        if form.asks_name:
            fields.append(("answered_by", name))
        status, text, location = self._ask("POST", url, urlencode(fields))
        if status == http.HTTPStatus.SEE_OTHER:
            status, text, _ = self._ask("GET", location)
        page = Form()
        page.feed(text)
        return status, page

    def post(self, url: str, fields: dict[str, str]) -> int:
        """Send fields and return the status."""
        return self._ask("POST", url, urlencode(fields))[0]

    def _ask(self, method: str, url: str, body: str | None = None) -> tuple[int, str, str]:
        try:
            response = self._send(method, url, body)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.connection.close()  # the server had closed a connection that was idle
            response = self._send(method, url, body)
        return response.status, response.read().decode("utf-8"), response.getheader("Location") or ""

    def _send(self, method: str, url: str, body: str | None) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        self.connection.request(method, urlsplit(url).path, body, headers)
        return self.connection.getresponse()
