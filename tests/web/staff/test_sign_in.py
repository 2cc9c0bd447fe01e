"""Signing in: the code by mail, the browser that asked, tries that run out, and what a stranger learns (nothing)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from coopmail.domain.audit import AuditRow
from coopmail.domain.outbox import Mail
from coopmail.domain.staff import SignIn, StaffMember, StaffSession
from coopmail.parts import Parts
from coopmail.web.public import limiter
from tests.conftest import FrozenClock, Received
from tests.console import Console

Deliver = Callable[[], list[Received]]
ADDRESS = "klaar.leroy@cultuurconnect.example"


def ask(client: FlaskClient, address: str = ADDRESS) -> TestResponse:
    """Type an address at the door."""
    return client.post("/staff/sign-in?lang=nl", data={"email": address})


def code_in(mails: list[Received]) -> str:
    """The six digits of the one mail that came."""
    (mail,) = mails
    assert mail.template == "sign-in-code"
    found = re.search(r"^(\d{3}) (\d{3})$", mail.text, re.MULTILINE)
    assert found, mail.text
    assert f"{found[1]} {found[2]}" in mail.html
    return found[1] + found[2]


def enter(client: FlaskClient, code: str) -> TestResponse:
    """Type a code into the page that asked for it."""
    return client.post("/staff/sign-in/code?lang=nl", data={"code": code})


def cookies(answer: TestResponse) -> dict[str, str]:
    """What an answer sets, by name, with its attributes."""
    return {line.split("=", 1)[0]: line for line in answer.headers.getlist("Set-Cookie")}


def test_a_code_by_mail_opens_the_console_until_one_signs_out(
    client: FlaskClient, klaar: StaffMember, deliver: Deliver, office: Parts
) -> None:
    assert client.get("/staff/me").location == "/staff/sign-in?next=/staff/me"
    asked = client.post("/staff/sign-in?next=/staff/me&lang=nl", data={"email": f"  {ADDRESS.upper()} "})
    assert (asked.status_code, asked.location) == (303, "/staff/sign-in/code?next=/staff/me&lang=nl")
    code = code_in(deliver())
    answer = client.post("/staff/sign-in/code?next=/staff/me", data={"code": f" {code[:3]} {code[3:]} "})
    assert (answer.status_code, answer.location) == (303, "/staff/me")
    kept = cookies(answer)["coopmail_staff"]
    assert [mark for mark in ("Path=/staff", "HttpOnly", "SameSite=Lax") if mark not in kept] == []
    page = client.get("/staff/me?lang=nl").get_data(as_text=True)
    assert "Klaar Leroy" in page
    assert ADDRESS in page
    browser = Console(client, klaar, kept.split("=", 1)[1].split(";")[0])
    assert browser.post_form("/staff/sign-out", page="/staff/me").location == "/staff/sign-in?done=signed-out&lang=nl"
    assert client.get("/staff/me").status_code == 303
    with office.db.reading() as (session, _):
        acts = session.scalars(sa.select(AuditRow.act).where(AuditRow.subject == klaar.actor).order_by(AuditRow.id))
        assert list(acts) == ["staff-signed-in", "staff-signed-out"]


def test_the_door_says_the_same_to_a_stranger_who_gets_no_mail(
    app: Flask, client: FlaskClient, klaar: StaffMember, deliver: Deliver, office: Parts
) -> None:
    known, unknown = ask(client), ask(app.test_client(), "nobody@elsewhere.example")
    assert (known.status_code, known.location) == (unknown.status_code, unknown.location)
    assert len(deliver()) == 1
    with office.db.reading() as (session, _):
        stranger = session.scalars(sa.select(SignIn).where(SignIn.address_key == "nobody@elsewhere.example")).one()
        code = office.signer.code(stranger.key, stranger.key_version)
    other = app.test_client()
    other.set_cookie("coopmail_sign_in", stranger.key, path="/staff")
    assert enter(other, code).status_code == 422, "even the right code of an unknown address opens nothing"


def test_a_code_serves_only_in_the_browser_that_asked(
    app: Flask, client: FlaskClient, klaar: StaffMember, deliver: Deliver
) -> None:
    ask(client)
    code = code_in(deliver())
    other = app.test_client()
    ask(other, "nobody@elsewhere.example")
    assert enter(other, code).status_code == 422
    assert enter(app.test_client(), code).location == "/staff/sign-in?lang=nl"
    assert enter(client, code).status_code == 303


def test_a_code_serves_once(app: Flask, client: FlaskClient, klaar: StaffMember, deliver: Deliver) -> None:
    ask(client)
    key = client.get_cookie("coopmail_sign_in", path="/staff")
    assert key is not None
    code = code_in(deliver())
    assert enter(client, code).status_code == 303
    again = app.test_client()
    again.set_cookie("coopmail_sign_in", key.value, path="/staff")
    answer = enter(again, code)
    assert answer.status_code == 410
    assert "Deze aanmelding is voorbij" in answer.get_data(as_text=True)


def test_after_five_wrong_codes_the_right_one_is_refused_too(
    client: FlaskClient, klaar: StaffMember, deliver: Deliver
) -> None:
    ask(client)
    code = code_in(deliver())
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for _ in range(5):
        answer = enter(client, wrong)
        assert answer.status_code == 422
        assert "Dit is niet de code." in answer.get_data(as_text=True)
    assert enter(client, code).status_code == 410


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12a456", "１２３４５６"])
def test_what_is_no_code_costs_no_try(client: FlaskClient, klaar: StaffMember, deliver: Deliver, typed: str) -> None:
    ask(client)
    code = code_in(deliver())
    for _ in range(6):
        assert enter(client, typed).status_code == 422
    assert enter(client, code).status_code == 303


def test_a_code_is_valid_for_a_quarter_of_an_hour(
    client: FlaskClient, klaar: StaffMember, deliver: Deliver, clock: FrozenClock
) -> None:
    ask(client)
    code = code_in(deliver())
    clock.advance(minutes=15)
    assert enter(client, code).status_code == 410


def test_a_session_ends_after_twelve_hours_and_when_its_person_leaves(
    console: Console, colleague: Console, office: Parts, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        session.merge(colleague.person).left_at = now()
    assert colleague.ask("/staff/me").status_code == 303
    clock.advance(hours=11, minutes=59)
    assert console.ask("/staff/me").status_code == 200
    clock.advance(minutes=1)
    assert console.ask("/staff/me").status_code == 303


def test_one_person_is_mailed_five_codes_an_hour_at_most(
    app: Flask, klaar: StaffMember, deliver: Deliver, clock: FrozenClock
) -> None:
    for _ in range(8):
        limiter.reset()
        ask(app.test_client())
    assert len(deliver()) == 5
    clock.advance(hours=1, seconds=1)
    limiter.reset()
    ask(app.test_client())
    assert len(deliver()) == 1


def test_whoever_signs_in_gets_a_new_session_whatever_cookie_the_browser_had(
    client: FlaskClient, klaar: StaffMember, deliver: Deliver
) -> None:
    client.set_cookie("coopmail_staff", "chosen-by-somebody-else", path="/staff")
    ask(client)
    answer = enter(client, code_in(deliver()))
    assert "chosen-by-somebody-else" not in cookies(answer)["coopmail_staff"]
    client.set_cookie("coopmail_staff", "chosen-by-somebody-else", path="/staff")
    assert client.get("/staff/me").status_code == 303


def test_no_row_and_no_mail_in_the_database_holds_a_code_or_a_session(
    client: FlaskClient, klaar: StaffMember, deliver: Deliver, office: Parts
) -> None:
    ask(client)
    code = code_in(deliver())
    token = cookies(enter(client, code))["coopmail_staff"].split("=", 1)[1].split(";")[0]
    with office.db.reading() as (session, _):
        rows = [
            {column: getattr(row, column) for column in sa.inspect(type(row)).column_attrs.keys()}  # noqa: SIM118 - no mapping
            for table in (SignIn, StaffSession, Mail, AuditRow)
            for row in session.scalars(sa.select(table))
        ]
    assert len(rows) == 4
    assert code not in str(rows)
    assert token not in str(rows)


@pytest.mark.parametrize(
    "next_page",
    ["https://elsewhere.example/", "//elsewhere.example/staff", "/staff//elsewhere.example", "/staff/..//elsewhere",
     "/staffelsewhere", "\\\\elsewhere.example", "/\\elsewhere.example", "/staff/\n/elsewhere", "javascript:alert(1)",
     "/r/ballot", "/staff/" + 500 * "a"],
)  # fmt: skip
def test_signing_in_leads_to_the_console_and_nowhere_else(
    client: FlaskClient, klaar: StaffMember, deliver: Deliver, next_page: str
) -> None:
    client.post("/staff/sign-in", query_string={"next": next_page}, data={"email": ADDRESS})
    answer = client.post("/staff/sign-in/code", query_string={"next": next_page}, data={"code": code_in(deliver())})
    assert answer.location == "/staff/"
