"""Destroying keys by themselves: after closing, after a kill at any step, and never the key of a poll being opened."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from coopmail import create_app
from coopmail.actions import polls as actions
from coopmail.actions import secret_ballots
from coopmail.config import Settings
from coopmail.db import Database
from coopmail.domain.audit import AuditRow
from coopmail.domain.polls import Outcome, Poll, PollState, PublishedBallot, SealedBallot
from coopmail.errors import PollNotOpen
from coopmail.jobs.poll_keys import destroy_poll_keys
from coopmail.jobs.polls import close_due_polls
from coopmail.jobs.runner import run_all
from coopmail.parts import Parts, parts
from coopmail.queries import outbox
from coopmail.vault import Vault
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, FrozenClock
from tests.secrecy import build_libraries, invited, open_secret_poll
from tests.web.pages import everything


@pytest.fixture
def secret_poll(office: Parts, cooperative: Cooperative) -> Poll:
    """A secret poll that is open, in which six have answered."""
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, 6, now())
    poll = open_secret_poll(office, cooperative)
    for invitation, _, name in invited(office, poll)[:6]:
        with office.db.transaction() as (session, now):
            actions.cast_ballot(session, now, invitation, ("keep",), name, office.basis.vault)
    return poll


def key_files(office: Parts) -> list[Path]:
    """What is under the key folder."""
    return sorted(path for path in office.settings.key_folder.rglob("*") if path.is_file())


def close(office: Parts, poll: Poll) -> None:
    """Close by staff, and nothing more: no job has run."""
    with office.db.transaction() as (session, now):
        actions.close_poll(session, poll.id, now, office.basis, early=True)


def destroyed(office: Parts, poll: Poll) -> tuple[datetime | None, int]:
    """When the key is recorded as destroyed, and how many audit rows say so."""
    with office.db.reading() as (session, _):
        rows = session.scalar(sa.select(sa.func.count()).where(AuditRow.act == "poll-key-destroyed"))
        return session.get_one(Poll, poll.id).key_destroyed_at, rows or 0


def matters(office: Parts) -> dict[str, str]:
    """What waits for staff, by key, beside the library that nobody votes for."""
    with office.db.reading() as (session, _):
        return {matter.key: matter.text for matter in outbox.matters(session) if not matter.key.startswith("unit:")}


def test_while_a_poll_is_open_its_key_stays(app: Flask, office: Parts, secret_poll: Poll) -> None:
    (file,) = key_files(office)
    before = file.read_bytes()
    run_all(app)
    assert (key_files(office), file.read_bytes(), destroyed(office, secret_poll)) == ([file], before, (None, 0))


@pytest.mark.parametrize("how", ["closing", "withdrawal", "time"])
def test_the_key_of_a_poll_that_is_over_is_destroyed_and_that_is_recorded_once(
    app: Flask, office: Parts, secret_poll: Poll, clock: FrozenClock, how: str
) -> None:
    if how == "closing":
        close(office, secret_poll)
    elif how == "withdrawal":
        with office.db.transaction() as (session, now):
            actions.withdraw_poll(session, secret_poll.id, now, "Niet meer nodig.")
    else:
        clock.move_to(CLOSING)
    run_all(app)
    assert (key_files(office), destroyed(office, secret_poll)) == ([], (clock(), 1))
    clock.advance(hours=1)
    destroy_poll_keys(app)
    assert destroyed(office, secret_poll) == (clock() - timedelta(hours=1), 1)


@pytest.mark.parametrize("step", ["before anything", "before the file", "before the disk", "before the record"])
def test_a_runner_killed_at_any_step_leaves_the_rest_to_the_next_one(
    app: Flask, office: Parts, secret_poll: Poll, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> Any:
        raise Killed

    close(office, secret_poll)
    assert len(key_files(office)) == 1  # closing is committed before a key is touched
    if step != "before anything":
        where: tuple[Any, str] = {
            "before the file": (Vault, "destroy"), "before the disk": (Database, "scrub"),
            "before the record": (secret_ballots, "record_destruction"),
        }[step]  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(*where, die)
            with pytest.raises(Killed):
                destroy_poll_keys(app)
        assert destroyed(office, secret_poll) == (None, 0)
    for _ in range(2):
        destroy_poll_keys(app)
    assert (key_files(office), destroyed(office, secret_poll)) == ([], (clock(), 1))


def test_two_runners_at_once_record_it_once(app: Flask, settings: Settings, office: Parts, secret_poll: Poll,
                                            clock: FrozenClock) -> None:  # fmt: skip
    close(office, secret_poll)
    other = create_app(settings, system_clock=clock)
    start = threading.Barrier(4)

    def run(runner: Flask) -> None:
        start.wait()
        destroy_poll_keys(runner)

    threads = [threading.Thread(target=run, args=(runner,)) for runner in (app, other, app, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    destroy_poll_keys(app)
    parts(other).db.close()
    assert (key_files(office), destroyed(office, secret_poll)) == ([], (clock(), 1))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_while_somebody_reads_the_old_state_the_key_is_not_said_to_be_destroyed(
    app: Flask, office: Parts, secret_poll: Poll, clock: FrozenClock
) -> None:
    with office.db.reading() as (session, _):
        session.get_one(Poll, secret_poll.id)  # SQLite's log must be kept for this reader
        close(office, secret_poll)
        destroy_poll_keys(app)
        assert (key_files(office), destroyed(office, secret_poll)) == ([], (None, 0))
    destroy_poll_keys(app)
    assert destroyed(office, secret_poll) == (clock(), 1)


def test_the_key_of_a_poll_that_is_being_opened_right_now_is_left_alone(
    app: Flask, office: Parts, cooperative: Cooperative, monkeypatch: pytest.MonkeyPatch
) -> None:
    with office.db.transaction() as (session, _):
        secret_ballots.prepare(session)
        draft = build_poll(session, cooperative, closes_at=CLOSING, secret=True)
    made, go_on = threading.Event(), threading.Event()
    make = Vault.make

    def slowly(vault: Vault, place: str, poll_id: int) -> bytes:
        half = make(vault, place, poll_id)
        made.set()
        assert go_on.wait(30)
        return half

    def open_poll() -> None:
        with office.db.transaction() as (session, now):
            actions.open_poll(session, draft.id, now, office.basis)

    monkeypatch.setattr(Vault, "make", slowly)
    opening = threading.Thread(target=open_poll)
    opening.start()
    assert made.wait(30)
    sweeping = threading.Thread(target=destroy_poll_keys, args=(app,))
    sweeping.start()
    sweeping.join(timeout=0.3)
    assert sweeping.is_alive()  # it waits for the poll's row
    go_on.set()
    opening.join(30)
    sweeping.join(30)
    with office.db.reading() as (session, _):
        assert session.get_one(Poll, draft.id).state is PollState.OPEN
        assert secret_ballots.key_of(session, draft.id, office.basis.vault).whole


def test_what_an_opening_left_behind_is_removed(app: Flask, office: Parts, cooperative: Cooperative) -> None:
    with office.db.transaction() as (session, _):
        secret_ballots.prepare(session)
        draft = build_poll(session, cooperative, closes_at=CLOSING, secret=True)

    def break_off() -> None:
        with office.db.transaction() as (session, now):
            actions.open_poll(session, draft.id, now, office.basis)
            raise RuntimeError("the power failed")

    with pytest.raises(RuntimeError):
        break_off()
    assert len(key_files(office)) == 1
    destroy_poll_keys(app)
    assert key_files(office) == []
    assert matters(office) == {}


def test_a_file_of_a_poll_that_nobody_knows_is_removed_when_it_is_old(
    app: Flask, office: Parts, secret_poll: Poll
) -> None:
    """Its poll may stand in a transaction that is not committed yet."""
    (own,) = key_files(office)
    fresh, old = own.with_name("poll-98.key"), own.with_name("poll-99.key.new")
    for file in (fresh, old):
        file.write_bytes(bytes(64))
    hours_ago = own.stat().st_mtime - 2 * 3600
    os.utime(old, (hours_ago, hours_ago))
    destroy_poll_keys(app)
    assert key_files(office) == sorted([own, fresh])


def test_the_keys_of_another_installation_in_the_same_folder_are_left_alone(
    app: Flask, office: Parts, secret_poll: Poll
) -> None:
    other = office.settings.key_folder / "0123456789abcdef" / f"poll-{secret_poll.id}.key"
    other.parent.mkdir()
    other.write_bytes(bytes(64))
    close(office, secret_poll)
    destroy_poll_keys(app)
    assert key_files(office) == [other]


def test_a_runner_that_sees_another_folder_says_so_and_records_nothing(
    settings: Settings, office: Parts, secret_poll: Poll, clock: FrozenClock, tmp_path: Path
) -> None:
    close(office, secret_poll)
    elsewhere = create_app(replace(settings, key_folder=tmp_path / "elsewhere"), system_clock=clock)
    destroy_poll_keys(elsewhere)
    parts(elsewhere).db.close()
    assert destroyed(office, secret_poll) == (None, 0)
    assert len(key_files(office)) == 1
    assert "COOPMAIL_KEY_FOLDER" in matters(office)["poll-keys"]


def test_a_key_that_goes_missing_while_its_poll_is_open_is_put_before_staff_at_once(
    client: FlaskClient, app: Flask, office: Parts, secret_poll: Poll
) -> None:
    (file,) = key_files(office)
    kept = file.read_bytes()
    file.unlink()
    for _ in range(2):
        destroy_poll_keys(app)
    waiting = matters(office)
    assert list(waiting) == [f"poll-key:{secret_poll.id}"]
    assert waiting[f"poll-key:{secret_poll.id}"].startswith("Secret poll geheim takes no answers: The key file of poll")
    file.write_bytes(kept)
    with office.db.reading() as (session, _):
        assert secret_ballots.key_of(session, secret_poll.id, office.basis.vault).whole


def test_a_poll_that_cannot_be_counted_is_put_before_staff_once_and_closes_when_its_key_is_back(
    app: Flask, office: Parts, cooperative: Cooperative, secret_poll: Poll, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        other = build_poll(session, cooperative, closes_at=CLOSING, slug="other")
        actions.open_poll(session, other.id, now, office.basis)
    (file,) = key_files(office)
    kept = file.read_bytes()
    file.unlink()
    clock.move_to(CLOSING)
    run_all(app)
    before = everything(office.db)
    close_due_polls(app)
    assert everything(office.db) == before
    text = matters(office)[f"close:{secret_poll.id}"]
    assert "Secret poll geheim cannot be closed and counted: The key file of poll" in text
    with office.db.reading() as (session, _):
        states = {row.slug: row.state for row in session.execute(sa.select(Poll.slug, Poll.state))}
        assert session.get(Outcome, secret_poll.id) is None
        assert session.scalar(sa.select(sa.func.count()).select_from(SealedBallot)) == 6
    assert states == {"geheim": PollState.OPEN, "other": PollState.CLOSED}  # it held up no other poll
    file.write_bytes(kept)
    invitation, _, name = invited(office, secret_poll)[7]
    with pytest.raises(PollNotOpen), office.db.transaction() as (session, now):  # the key is back, the time is past
        actions.cast_ballot(session, now, invitation, ("move",), name, office.basis.vault)
    run_all(app)
    with office.db.reading() as (session, _):
        assert session.get_one(Outcome, secret_poll.id).tally == {"keep": 6, "move": 0, "abstain": 0}
        assert session.scalar(sa.select(sa.func.count()).select_from(PublishedBallot)) == 6
    assert key_files(office) == []
