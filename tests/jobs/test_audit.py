"""Sealing by itself, a few seconds behind."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from coopmail.actions import audit
from coopmail.domain.audit import AuditRow
from coopmail.domain.base import InstallationMark
from coopmail.domain.polls import Poll
from coopmail.jobs.audit import seal_audit
from coopmail.jobs.runner import run_all
from coopmail.jobs.schedule import SCHEDULE
from coopmail.parts import Parts
from coopmail.queries.audit_verification import verify
from tests.queries.record import append


def numbers(office: Parts) -> list[int | None]:
    """The sequence of every row, by id."""
    with office.db.reading() as (session, _):
        return list(session.scalars(sa.select(AuditRow.sequence).order_by(AuditRow.id)))


def test_a_run_of_the_jobs_seals_what_was_done(app: Flask, office: Parts, poll: Poll) -> None:
    assert set(numbers(office)) == {None}
    run_all(app)
    assert numbers(office) == list(range(1, len(numbers(office)) + 1))
    with office.db.reading() as (session, _):
        assert verify(session).fault is None


def test_a_run_seals_all_that_waits_batch_by_batch(app: Flask, office: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "BATCH", 4)
    with office.db.transaction() as (session, _):
        for number in range(11):
            append(session, number, {})
    seal_audit(app)
    assert numbers(office) == list(range(1, 12))


def test_where_nothing_waits_nothing_is_written(app: Flask, office: Parts) -> None:
    seal_audit(app)
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(InstallationMark.name)).all() == []


def test_sealing_is_due_every_five_seconds_and_comes_before_closing() -> None:
    names = [job.name for job in SCHEDULE]
    assert names.index("seal-audit") < names.index("close-polls")
    assert {job.name: job.every for job in SCHEDULE}["seal-audit"] == 5
