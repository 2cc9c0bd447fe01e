"""A browser without scripts in which one of the staff is signed in."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from coopmail.actions import sign_in
from coopmail.domain.staff import StaffMember
from coopmail.parts import Parts
from coopmail.web.staff.console import COOKIE

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class Console:
    """Asks for pages and sends forms, as a browser does: with the cookie, and the token that the page held."""

    def __init__(self, client: FlaskClient, person: StaffMember, token: str) -> None:
        self.client, self.person = client, person
        client.set_cookie(COOKIE, token, path="/staff")

    @classmethod
    def of(cls, app: Flask, office: Parts, person: StaffMember) -> Console:
        """Sign somebody in through the acts that the pages call."""
        with office.db.transaction() as (session, now):
            begun = sign_in.ask(session, now, person.email, office.signer.current)
            session.flush()
            begun.staff_id, begun.mailed_at = person.id, now()
            code = office.signer.code(begun.key, begun.key_version)
            _, token = sign_in.enter(session, now, begun.key, code, office.signer.code)
        return cls(app.test_client(), person, token)

    def get(self, path: str, *, language: str = "nl", status: int = 200) -> str:
        """The text of a page, as it is written."""
        answer = self.ask(path, language=language)
        assert answer.status_code == status, f"{path}: {answer.status}"
        return answer.get_data(as_text=True)

    def ask(self, path: str, *, language: str = "nl") -> TestResponse:
        """The answer to a GET."""
        return self.client.get(f"{path}{'&' if '?' in path else '?'}lang={language}")

    def post_form(
        self, path: str, data: dict[str, Any] | None = None, *, page: str | None = None, language: str = "nl"
    ) -> TestResponse:
        """Open the page of a form (`page`, else the path itself), and send it with that page's token."""
        shown = self.get(page or path, language=language)
        found = _CSRF.search(shown)
        assert found, f"{page or path} has no form"
        sent = {"csrf": unescape(found.group(1)), **(data or {})}
        address = f"{path}{'&' if '?' in path else '?'}lang={language}"
        answer = self.client.post(address, data=sent)
        answer.request.environ["wsgi.input"].close()  # a large form is a file on the disk, which nobody else closes
        return answer
