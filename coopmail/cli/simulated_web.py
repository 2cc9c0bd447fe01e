"""A server process and a browser without a window, for the simulation."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from urllib.parse import urlencode, urlsplit

from coopmail.config import Settings


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`coopmail serve` as a process of its own."""

    def __init__(self, settings: Settings, port: int) -> None:
        relay = settings.relay
        assert relay is not None
        self.port = port
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("COOPMAIL_")} | {
            "COOPMAIL_SECRET_KEYS": ",".join(f"{version}:{key}" for version, key in settings.secret_keys.items()),
            "COOPMAIL_DATABASE_URL": settings.database_url,
            "COOPMAIL_BASE_URL": settings.base_url,
            "COOPMAIL_SMTP": f"smtp+plain://{relay.host}:{relay.port}",
            "COOPMAIL_SIMULATION": "1",
            "COOPMAIL_TICK_SECONDS": str(settings.tick_seconds),
        }

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "coopmail.cli", "serve", "--port", str(self.port)], env=self.environment
        )
        until = time.monotonic() + 20
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
                    connection.request("GET", "/health")
                    if connection.getresponse().status == http.HTTPStatus.OK:
                        return self
            except OSError:  # it does not listen yet
                pass
            self._pause()
        self.__exit__(None, None, None)
        raise RuntimeError("the server did not start")

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _pause(self) -> None:
        try:
            self.process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            return


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
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        self.connection.request(method, urlsplit(url).path, body, headers)
        response = self.connection.getresponse()
        return response.status, response.read().decode("utf-8"), response.getheader("Location") or ""
