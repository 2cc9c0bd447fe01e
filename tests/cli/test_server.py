"""Starting the server: a port that is taken is said before anything is thrown away; whom a proxy is believed about."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import Client

from coopmail.cli.gunicorn_server import behind
from coopmail.cli.server import check_port, http_server, run_worker
from coopmail.config import Settings
from coopmail.errors import SettingError
from tests.servers import serving

SETTINGS = Settings({1: "a key that only the tests know and long enough"})
Visit = Callable[[str, dict[str, str]], list[str]]
PROXIED = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "stem.example.org"}


def mirror(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Say who asked, how, and where."""
    start_response("200 OK", [("Content-Type", "application/json")])
    host = str(environ["HTTP_HOST"]).partition(":")[0]
    return [json.dumps([environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], host]).encode()]


def under_gunicorn(trusted: str, headers: dict[str, str]) -> list[str]:
    """What gunicorn's processes see; the peer's address is the one that they would read from the socket."""
    page = Client(behind(mirror, trusted)).get(
        base_url="http://127.0.0.1/", headers=headers, environ_base={"REMOTE_ADDR": "127.0.0.1"}
    )
    found: list[str] = json.loads(page.get_data(as_text=True))
    return found


def under_waitress(trusted: str, headers: dict[str, str]) -> list[str]:
    """What waitress sees."""
    server = http_server(mirror, replace(SETTINGS, trusted_proxy=trusted), "127.0.0.1", 0)
    with serving(server), closing(http.client.HTTPConnection("127.0.0.1", server.effective_port)) as connection:
        connection.request("GET", "/", headers=headers)
        found: list[str] = json.loads(connection.getresponse().read())
        return found


@pytest.mark.parametrize("visit", [under_gunicorn, under_waitress])
def test_only_the_proxy_that_is_trusted_is_believed(visit: Visit) -> None:
    assert visit("127.0.0.1", PROXIED) == ["192.0.2.7", "https", "stem.example.org"]
    assert visit("127.0.0.1", PROXIED | {"X-Forwarded-For": "198.51.100.1, 192.0.2.7"})[0] == "192.0.2.7"
    assert visit("10.0.0.1", PROXIED) == ["127.0.0.1", "http", "127.0.0.1"]
    assert visit("", PROXIED) == ["127.0.0.1", "http", "127.0.0.1"]


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            SettingError, match=f"Nothing can be served on 127.0.0.1, port {port}: Address already in use"
        ):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


def test_a_worker_without_redis_says_what_to_do() -> None:
    with pytest.raises(SettingError) as error:
        run_worker(SETTINGS)
    assert str(error.value) == ("A worker wants COOPMAIL_REDIS_URL. Without Redis, `coopmail scheduler` runs the jobs.")
