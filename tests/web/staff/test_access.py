"""Who may open which page of the console, and that no form from elsewhere is taken."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.console import Console
from tests.web.staff.routes import ROUTES
from tests.web.staff.world import World


def rules(app: Flask) -> dict[str, set[str]]:
    """The console's endpoints, and their methods."""
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("staff."):
            found.setdefault(rule.endpoint, set()).update((rule.methods or set()) & {"GET", "POST"})
    return found


def test_every_page_of_the_console_stands_in_the_table(app: Flask) -> None:
    exports = {f"{endpoint}_export" for endpoint in ROUTES}
    assert {endpoint for endpoint in rules(app) if endpoint not in exports} == set(ROUTES)
    assert {route.who for route in ROUTES.values()} <= {"all", "staff", "admin", "own"}


@pytest.mark.parametrize("endpoint", sorted(ROUTES))
def test_who_may_open_a_page(
    app: Flask, client: FlaskClient, console: Console, admin: Console, world: World, endpoint: str
) -> None:
    route = ROUTES[endpoint]
    path = world.path(route.path)
    methods = rules(app)[endpoint]
    allowed = (200, 303) if route.who == "all" else (303,)
    if "GET" in methods:
        stranger = client.get(path)
        assert stranger.status_code in allowed, "nobody is signed in"
        if route.who != "all":
            assert (stranger.location or "").startswith("/staff/sign-in?next=")
            assert admin.ask(path).status_code in ((404,) if route.who == "own" else (200, 303)), "an admin may"
            assert console.ask(path).status_code in ((403,) if route.who == "admin" else (200, 303))
    if "POST" in methods and route.who != "all":
        assert client.post(path).status_code == 401, "nobody is signed in"
        assert console.client.post(path).status_code == 403, "no token of the page"
        assert console.client.post(path, data={"csrf": "é"}).status_code == 403
        assert admin.client.post(path, data={"csrf": token_of(console)}).status_code == 403, "another's token"


@pytest.mark.parametrize("endpoint", sorted(ROUTES))
def test_a_form_that_another_site_sends_is_refused(app: Flask, admin: Console, world: World, endpoint: str) -> None:
    if "POST" not in rules(app)[endpoint]:
        return
    headers = {"Sec-Fetch-Site": "cross-site"}
    path = world.path(ROUTES[endpoint].path)
    assert admin.client.post(path, data={"csrf": token_of(admin)}, headers=headers).status_code == 403


@pytest.mark.parametrize("endpoint", sorted(name for name, route in ROUTES.items() if "{" in route.path))
def test_what_is_not_there_is_not_found(admin: Console, world: World, endpoint: str, app: Flask) -> None:
    path = world.strange_path(ROUTES[endpoint].path)
    if "GET" in rules(app)[endpoint]:
        assert admin.ask(path).status_code == 404
    else:
        assert admin.client.post(path, data={"csrf": token_of(admin)}).status_code == 404


def test_only_the_console_has_a_cookie(
    client: FlaskClient, console: Console, office: Parts, cooperative: Cooperative
) -> None:
    for path in ("/", "/link", "/health", "/r/nothing"):
        assert client.get(path).headers.getlist("Set-Cookie") == []
        assert console.client.get(path).headers.getlist("Set-Cookie") == []


def token_of(browser: Console) -> str:
    """The token of somebody's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/staff/me"))
    assert found
    return found.group(1)
