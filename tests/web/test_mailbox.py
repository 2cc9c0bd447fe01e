"""The local mailbox: for whoever sits at this machine, and nobody else."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coopmail import create_app
from coopmail.cli.server import http_server
from coopmail.config import Relay, Settings
from coopmail.parts import parts
from tests.conftest import Received
from tests.servers import serving


@pytest.fixture
def port(settings: Settings) -> Iterator[int]:
    """The application behind the real server."""
    app = create_app(settings)
    server = http_server(app, settings, "127.0.0.1", 0)
    with serving(server):
        yield server.effective_port
    parts(app).db.close()


def ask(port: int, path: str, **headers: str) -> int:
    """The status of a page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": "8.8.8.8"},
        {"Forwarded": "for=8.8.8.8"},
        {"X_Real_IP": "8.8.8.8"},
        {"Via": "1.1 proxy"},
        {"Host": "coopmail.example"},
        {"Host": "127.0.0.1.evil.example"},
    ],
    ids=str,
)
def test_whoever_comes_through_a_proxy_or_by_another_name_is_refused(port: int, headers: dict[str, str]) -> None:
    assert ask(port, "/mailbox/") == 200
    assert ask(port, "/mailbox/", **headers) == 403


@pytest.mark.parametrize("key", ["..%2fcoopmail", "0" * 32, "A" * 32, "x"])
def test_nothing_but_a_message_can_be_read(port: int, key: str) -> None:
    assert ask(port, f"/mailbox/{key}") == 404


def test_there_is_none_where_mail_is_sent_or_the_server_is_reached_by_others(
    settings: Settings, tmp_path: Path
) -> None:
    for changed in (
        replace(settings, relay=Relay("127.0.0.1", 25, "none")),
        replace(settings, base_url="https://stem.example.org"),
    ):
        app = create_app(changed)
        assert app.test_client().get("/mailbox/").status_code == 404
        parts(app).db.close()


def test_the_mailbox_shows_a_message_as_html_in_a_frame_and_as_text(
    client: object, deliver: object, poll: object
) -> None:
    from flask.testing import FlaskClient

    assert isinstance(client, FlaskClient)
    mails: list[Received] = deliver()  # type: ignore[operator]
    listed = client.get("/mailbox/?q=els.peeters").get_data(as_text=True)
    assert mails[0].subject.partition(":")[0] in listed
    key = listed.partition("/mailbox/")[2]
    key = next(part for part in listed.split('"') if part.startswith("/mailbox/") and len(part.split("?")[0]) == 41)
    page = client.get(key.split("?")[0])
    assert "<iframe" in page.get_data(as_text=True)
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    html = client.get(key.split("?")[0] + "/html")
    assert "script" not in html.headers["Content-Security-Policy"]
    assert 'target="_blank"' not in html.get_data(as_text=True)
    assert "https://" not in html.get_data(as_text=True).replace("https://www.w3.org", "")
