"""The console's lists with 100,000 contacts, 10,000 polls and a mail to each contact: how long a page takes.

Every page is asked by somebody signed in, through the application and without a network, on SQLite and on PostgreSQL;
the figure is the time that 95 of 100 requests stay under.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient

from benchmarks.kit.field import installation, settings_of
from benchmarks.kit.report import Row, measured
from benchmarks.kit.run import Run, Wrong
from benchmarks.kit.servers import durable_postgresql
from coopmail import create_app
from coopmail.actions import sign_in
from coopmail.domain.base import UtcDateTime
from coopmail.domain.staff import StaffMember, StaffRole
from coopmail.parts import Parts
from coopmail.web.staff.console import COOKIE

CONTACTS, POLLS, UNITS_A_POLL = 100_000, 10_000, 20
ASKED = 60
MILLISECONDS = 100

PAGES = {
    "contacts": "/staff/contacts",
    "contacts, page 1,500": "/staff/contacts?page=1500",
    "contacts, searched": "/staff/contacts?q=peeters+77",
    "contacts, sorted by address": "/staff/contacts?sort=-email",
    "organisations": "/staff/organisations",
    "organisations, searched": "/staff/organisations?q=bibliotheek+777",
    "polls": "/staff/polls",
    "polls, searched": "/staff/polls?q=vraag+77",
    "a poll of 100,000 units": "/staff/polls/great",
    "a poll of 100,000 units, those who have not answered": "/staff/polls/great?answer=no",
    "whom to call in it": "/staff/polls/great/calls",
    "outbox": "/staff/outbox",
    "audit log": "/staff/audit",
    "today": "/staff/",
}

_NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :n) "
_POLL = (
    "title_nl, title_en, summary_nl, summary_en, more_nl, more_en, next_step_nl, next_step_en, minutes, effect,"
    " visibility, audience, service_id, group_id, method_name, majority, majority_share, share_of, tie_rule, closes_at,"
    " reminder_days, units, population, opened_at, withdrawal_reason"
)
_POLL_VALUES = (
    "'', 'Een vraag.', '', '', '', 'Wordt uitgevoerd.', '', 2, 'binding', 'public', 'service_members', 1, 1, 'choice',"
    " 'simple', '2/3', 'valid', 'left_open', {closes}, '[]', {units}, 0, {opened}, ''"
)
FIELD = (
    ("INSERT INTO groups (id, slug, name, kind) VALUES (1, 'digitale-collecties', 'Digitale Collecties',"
     " 'steering_group')", 0),
    ("INSERT INTO services (id, slug, name, phrase_nl, phrase_en, steering_group_id) VALUES (1, 'krantenarchief',"
     " 'Krantenarchief', 'het Krantenarchief', '', 1)", 0),
    ("INSERT INTO organisations (id, name, kind, municipality, province, population, regional, big_city) "
     + _NUMBERS + "SELECT n, 'Bibliotheek ' || n, 'library', 'Gemeente ' || n, 'Antwerpen', 10000 + n, false, false"
     " FROM numbers", CONTACTS),
    ("INSERT INTO contacts (id, name, email, email_key, language, telephone, functional, confirmed_at) "
     + _NUMBERS + "SELECT n, CASE n % 4 WHEN 0 THEN 'Els Peeters ' WHEN 1 THEN 'Jan Maes ' WHEN 2 THEN 'An Claes '"
     " ELSE 'Tom Baert ' END || n, 'c@l' || n || '.example', 'c@l' || n || '.example', 'nl', '03 000 00 00', false,"
     " :now FROM numbers", CONTACTS),
    ("INSERT INTO subscriptions (organisation_id, service_id, starts_on, contract_reference, price_cents) "
     + _NUMBERS + "SELECT n, 1, '2025-01-01', '', 0 FROM numbers", CONTACTS),
    ("INSERT INTO representations (contact_id, organisation_id, mode, started_at) "
     + _NUMBERS + "SELECT n, n, 'votes', :now FROM numbers", CONTACTS),
    (f"INSERT INTO polls (id, slug, state, {_POLL}) " + _NUMBERS + "SELECT n, 'vraag-' || n, CASE n % 50 WHEN 0 THEN"
     " 'open' ELSE 'decided' END, 'Vraag ' || n, "
     + _POLL_VALUES.format(closes=":later", units=UNITS_A_POLL, opened=":now") + " FROM numbers", POLLS),
    (f"INSERT INTO polls (id, slug, state, {_POLL}) VALUES ({POLLS + 1}, 'great', 'open', 'De grote vraag', "
     + _POLL_VALUES.format(closes=":later", units=CONTACTS, opened=":now") + ")", 0),
    ("INSERT INTO options (poll_id, position, key, label_nl, label_en, description_nl, description_en, abstain,"
     " status_quo, cost_yearly, cost_sharing) SELECT id, 0, 'yes', 'Ja', '', '', '', false, false, false, 'none'"
     " FROM polls UNION ALL SELECT id, 1, 'no', 'Nee', '', '', '', false, false, false, 'none' FROM polls", 0),
    ("INSERT INTO voting_units (poll_id, organisation_id, name, population, weight) " + _NUMBERS
     + "SELECT (n - 1) / " + str(UNITS_A_POLL) + " + 1, (n - 1) % " + str(UNITS_A_POLL) + " + 1, 'Bibliotheek ' || n,"
     " 10000, 1 FROM numbers", POLLS * UNITS_A_POLL),
    (f"INSERT INTO voting_units (poll_id, organisation_id, name, population, weight) SELECT {POLLS + 1}, id, name,"
     " population, 1 FROM organisations", 0),
    ("INSERT INTO invitations (kind, contact_id, poll_id, unit_id, created_at) SELECT 'ballot', organisation_id,"
     " poll_id, id, :now FROM voting_units", 0),
    ("INSERT INTO outbox (key, template, campaign, dedupe_key, contact_id, invitation_id, context, priority,"
     " created_at, not_before, state, claim_epoch, attempts, reply, accepted_at)"
     " SELECT 'k' || id, 'ballot-invitation', 'poll:' || poll_id || '\\:invitation', 'd' || id, contact_id,"
     " id, '{}', 1, :now, :now, 'sent', 1, 1, '250 OK', :now"
     f" FROM invitations WHERE poll_id = {POLLS + 1}", 0),
    ("INSERT INTO ballots (poll_id, unit_id, contact_id, answered_by, marks_text, cast_at, version) SELECT poll_id,"
     " unit_id, contact_id, 'Els', '[\"yes\"]', :now, 1 FROM invitations WHERE id % 10 < 6", 0),
    ("INSERT INTO audit_rows (at, act, actor, subject, detail) SELECT :now, 'ballot-cast', 'contact:' || contact_id,"
     " 'poll:' || poll_id, '{}' FROM ballots", 0),
)  # fmt: skip


def fill(office: Parts) -> str:
    """The great field; the token of somebody who is signed in to its console."""
    with office.db.transaction() as (session, now):
        moment = now()
        for statement, rows in FIELD:
            known: dict[str, Any] = {"n": rows, "now": moment, "later": moment + timedelta(days=30)}
            question = sa.text(statement)
            used = {name: value for name, value in known.items() if name in question._bindparams}
            dated = [sa.bindparam(name, type_=UtcDateTime) for name in used if name != "n"]
            session.execute(question.bindparams(*dated), used)
        person = StaffMember(name="Klaar Leroy", email="klaar@coop.example", email_key="klaar@coop.example",
                             role=StaffRole.ADMIN, created_at=moment)  # fmt: skip
        session.add(person)
        session.flush()
        begun = sign_in.ask(session, now, person.email, office.signer.current)
        session.flush()
        begun.staff_id = person.id
        code = office.signer.code(begun.key, begun.key_version)
        _, token = sign_in.enter(session, now, begun.key, code, office.signer.code)
    with office.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return token


def p95(browser: FlaskClient, path: str, times: int) -> float:
    """Milliseconds under which 95 of 100 requests stay."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        answer = browser.get(path)
        took.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise Wrong(f"{path} answered {answer.status}")
    return sorted(took)[min(times - 1, round(times * 0.95))] * 1000


def rows(run: Run | None = None) -> list[Row]:
    """Each page on each database."""
    run = run or Run()
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, durable_postgresql() as url:
        for name, address in (("SQLite", f"sqlite:///{folder}/lists.sqlite"), ("PostgreSQL", url)):
            settings = settings_of(address, Path(folder))
            with installation(settings) as office:
                began = datetime.now(UTC)
                token = fill(office)
                run.say(f"{name}: the field was written in {(datetime.now(UTC) - began).seconds} s")
                app = create_app(settings)
                browser = app.test_client()
                browser.set_cookie(COOKIE, token, path="/staff")
                for what, path in PAGES.items():
                    browser.get(path)
                    milliseconds = p95(browser, path, 10 if run.quick else ASKED)
                    found.append(measured(f"{name}: {what}", milliseconds, "ms (p95)", most=MILLISECONDS))
                    run.say(f"{name}: {what}: {milliseconds:.0f} ms")
    return found
