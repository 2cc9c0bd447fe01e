"""Alive, ready and the figures: what those who run the installation look at."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from coopmail import create_app
from coopmail.actions.installation import note_sweeps
from coopmail.actions.outbox import pause_campaign
from coopmail.config import Settings
from coopmail.domain.outbox import CampaignStop, Mail, MailState, Priority, StopKind
from coopmail.domain.polls import Poll
from coopmail.doorbell import RedisDoorbell
from coopmail.errors import SettingError
from coopmail.parts import Parts, parts
from coopmail.queries.installation import newest_migration
from tests.conftest import FrozenClock
from tests.mail import acts
from tests.production import NOBODY

NOWHERE = "postgresql+psycopg://coopmail:geheim@127.0.0.1:1/coopmail"
TOKEN = "a-token-for-who-collects-figures"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With figures."""
    return replace(settings, metrics_token=TOKEN)


@contextmanager
def changed(app: Flask, statement: str, back: str) -> Iterator[None]:
    """The database after a statement, for a while."""
    for text in (statement, back):
        with parts(app).db.engine.begin() as connection:
            connection.execute(sa.text(text))
        if text == statement:
            yield


def figures(client: FlaskClient) -> dict[str, float]:
    """The figures by name and labels, as they stand in the text."""
    page = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (page.status_code, page.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        " ".join([sample.name.removeprefix("coopmail_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(page.get_data(as_text=True))
        for sample in family.samples
    }


def test_an_application_whose_database_and_redis_answer_is_alive_and_ready(client: FlaskClient) -> None:
    assert (client.get("/health").status_code, client.get("/health").json) == (200, {"status": "ok"})
    assert (client.get("/ready").status_code, client.get("/ready").json) == (200, {"status": "ready"})


def test_one_that_lacks_a_migration_or_any_table_is_alive_and_not_ready(app: Flask, client: FlaskClient) -> None:
    older, back = (f"UPDATE alembic_version SET version_num = '{number}'" for number in ("0001", newest_migration()))
    with changed(app, older, back):
        assert (client.get("/ready").status_code, client.get("/ready").json) == (503, {"status": "migration"})
        assert client.get("/health").status_code == 200
    rename = "ALTER TABLE {} RENAME TO {}"
    with changed(app, rename.format("alembic_version", "elsewhere"), rename.format("elsewhere", "alembic_version")):
        assert client.get("/ready").json == {"status": "migration"}
    assert client.get("/ready").status_code == 200


def test_one_whose_database_does_not_answer_is_alive_and_not_ready_and_shows_no_password() -> None:
    client = create_app(Settings({1: "a key that only the tests know and long enough"}, NOWHERE)).test_client()
    page = client.get("/ready")
    assert (page.status_code, page.json) == (503, {"status": "database"})
    assert client.get("/health").status_code == 200


def test_one_whose_redis_does_not_answer_is_not_ready(app: Flask, client: FlaskClient) -> None:
    parts(app).db.doorbell = RedisDoorbell(NOBODY)
    assert (client.get("/ready").status_code, client.get("/ready").json) == (503, {"status": "redis"})


def test_the_figures_are_what_the_database_holds(
    client: FlaskClient, office: Parts, poll: Poll, clock: FrozenClock
) -> None:
    clock.advance(seconds=90)
    acts.vote(office, "els.peeters@aartselaar.example", "Bibliotheek Aartselaar")
    with office.db.transaction() as (session, now):
        note_sweeps(session, now() - timedelta(seconds=7), ["deliver-mail"])
        audit = session.scalar(sa.text("SELECT count(*) FROM audit_rows WHERE sequence IS NULL"))
        mails = session.scalars(sa.select(Mail).order_by(Mail.id)).all()
        for mail in mails[:2]:
            mail.state = MailState.BOUNCED
    found = figures(client)
    wanted = Counter((mail.priority, mail.state) for mail in mails)
    assert {name: number for name, number in found.items() if name.startswith("outbox_mails")} == {
        f"outbox_mails {priority.name.lower()} {state.value}": wanted.get((priority, state), 0)
        for priority in Priority
        for state in MailState
    }
    assert found["outbox_mails governance bounced"] == 2
    assert found["oldest_due_mail_seconds"] == 90
    assert (found["ballots"], found["open_polls"], found["unsealed_audit_rows"]) == (1, 1, audit)
    assert found["job_last_run_seconds deliver-mail"] == 7


def test_a_campaign_that_stands_still_keeps_nobody_waiting(
    client: FlaskClient, office: Parts, poll: Poll, clock: FrozenClock
) -> None:
    clock.advance(seconds=90)
    with office.db.transaction() as (session, now):
        for campaign in session.scalars(sa.select(Mail.campaign).distinct()):
            session.add(CampaignStop(campaign=campaign, kind=StopKind.PAUSED, at=now(), reason="wait"))
    assert figures(client)["oldest_due_mail_seconds"] == 0


def test_a_campaign_whose_pause_is_over_is_waited_for_again(
    office: Parts, client: FlaskClient, clock: FrozenClock, poll: Poll
) -> None:
    with office.db.transaction() as (session, now):
        pause_campaign(session, now(), f"poll:{poll.id}:invitation", "x", until=now() + timedelta(hours=1))
    clock.advance(minutes=59)
    assert figures(client)["oldest_due_mail_seconds"] == 0
    clock.advance(minutes=1)
    assert figures(client)["oldest_due_mail_seconds"] == 3600


def test_while_the_database_is_away_a_page_asks_to_come_back_and_one_line_is_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = create_app(Settings({1: "a key that only the tests know and long enough"}, NOWHERE)).test_client()
    page = client.get("/?lang=en")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "10")
    assert "It is not your fault" in page.get_data(as_text=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines if line["level"] == "error"] == ["database-away"]
    assert not any("exception" in line for line in lines)


def test_requests_are_counted_by_the_rule_of_their_address(client: FlaskClient) -> None:
    for path in ("/r/ballot.x.y", "/r/ballot.z.y?lang=en", "/nowhere", "/polls/nothing"):
        client.get(path)
    client.head("/")
    client.open("/", method="BREW")
    found = figures(client)
    assert {name: number for name, number in found.items() if name.startswith("request_seconds_count")} == {
        "request_seconds_count GET /r/<token> 404": 2,
        "request_seconds_count GET (none) 404": 1,
        "request_seconds_count GET /polls/<slug> 404": 1,
        "request_seconds_count HEAD / 200": 1,
        "request_seconds_count other (none) 405": 1,
    }


@pytest.mark.parametrize("shown", ["", TOKEN, "Bearer ", f"Bearer {TOKEN}x", f"bearer {TOKEN}", f"Bearer é{TOKEN}"])
def test_who_does_not_show_the_token_finds_what_is_nowhere(client: FlaskClient, shown: str) -> None:
    page, nowhere = client.get("/metrics", headers={"Authorization": shown}), client.get("/nowhere")
    assert (page.status_code, page.data) == (404, nowhere.data)


def test_without_a_token_there_are_no_figures(settings: Settings) -> None:
    app = create_app(replace(settings, metrics_token=""))
    for shown in ("", "Bearer ", f"Bearer {TOKEN}"):
        assert app.test_client().get("/metrics", headers={"Authorization": shown}).status_code == 404


def test_figures_without_the_library_that_makes_them_are_asked_for_by_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(SettingError) as error:
        create_app(settings)
    assert str(error.value) == (
        "COOPMAIL_METRICS_TOKEN wants prometheus-client: install Coopmail with its extra `production`."
    )
