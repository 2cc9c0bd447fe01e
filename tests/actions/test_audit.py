"""Sealing the record: numbered without a gap, by one at a time, whoever is killed; and forgetting a person in it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import audit
from coopmail.actions import polls as actions
from coopmail.db import Database
from coopmail.domain.audit import START, AuditRow, Head
from coopmail.domain.links import Invitation
from coopmail.domain.polls import Outcome, Poll
from coopmail.errors import ActionRefused, DatabaseError
from coopmail.parts import Parts
from coopmail.queries import audit as record
from coopmail.queries.audit_verification import Verification, verify
from tests.conftest import CLOSING, MONDAY, FrozenClock
from tests.queries.record import DETAILS, append

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""What SQLite cannot do: it has one writer at a time."""


def add_rows(db: Database, *numbers: int) -> None:
    """Note acts, each in a transaction of its own."""
    for number in numbers:
        with db.transaction() as (session, _):
            append(session, number, {"unit": number})


def sealed(db: Database) -> list[tuple[int, int]]:
    """Number and id of every sealed row."""
    with db.reading() as (session, _):
        rows = session.execute(
            sa.select(AuditRow.sequence, AuditRow.id).where(AuditRow.sequence.is_not(None)).order_by(AuditRow.sequence)
        )
        return [(number, row_id) for number, row_id in rows if number is not None]


def verified(db: Database) -> Verification:
    """What is found now."""
    with db.reading() as (session, _):
        return verify(session)


def seal_once(db: Database) -> int:
    """Seal a batch; one that would wait for long fails."""
    with db.transaction() as (session, _):
        if not db.sqlite:
            session.execute(sa.text("SET LOCAL lock_timeout = '10s'"))
        return audit.seal(session)


@contextmanager
def running(*functions: Callable[[], object]) -> Iterator[None]:
    """Run functions in threads beside what stands in the `with`; what one raises is raised."""
    errors: list[BaseException] = []

    def guarded(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(timeout=60)
    if errors:
        raise errors[0]


def test_what_is_there_is_numbered_in_the_order_of_the_ids_and_sealing_again_changes_nothing(office: Parts) -> None:
    add_rows(office.db, 1, 2, 3)
    assert [seal_once(office.db), seal_once(office.db)] == [3, 0]
    add_rows(office.db, 4)
    assert seal_once(office.db) == 1
    assert sealed(office.db) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    found = verified(office.db)
    assert (found.head.sequence, found.unsealed, found.fault) == (4, 0, None)


def test_equal_rows_and_salts_give_one_chain_on_either_database(office: Parts) -> None:
    """The head is written out here: it may change with no release, and is the same on SQLite and PostgreSQL."""
    salts = count(1)
    with office.db.transaction() as (session, _):
        for number, detail in enumerate(DETAILS, 1):
            append(session, number, detail)
        head = audit.seal_all(session, salt=lambda: f"{next(salts):032x}")
    assert str(head) == "10:171c00b44b3138899be73b158a3e36a8d2d531fa0eb128a5d12d552a70c747c7"
    assert verified(office.db) == Verification(head, 0, None)


def test_salts_are_128_random_bits(office: Parts) -> None:
    add_rows(office.db, *range(20))
    seal_once(office.db)
    with office.db.reading() as (session, _):
        salts = session.scalars(sa.select(AuditRow.salt)).all()
    assert len({int(salt or "", 16) for salt in salts}) == 20
    assert {len(salt or "") for salt in salts} == {32}


def test_a_backlog_is_sealed_batch_by_batch_with_few_statements(office: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "BATCH", 40)
    add_rows(office.db, *range(100))
    assert seal_once(office.db) == 40
    statements: list[str] = []
    engine = office.db.engine
    listener = lambda *event: statements.append(event[2])  # noqa: E731 - it must be taken off again
    sa.event.listen(engine, "before_cursor_execute", listener)
    with office.db.transaction() as (session, _):
        head = audit.seal_all(session)
    sa.event.remove(engine, "before_cursor_execute", listener)
    assert (head.sequence, verified(office.db)) == (100, Verification(head, 0, None))
    # The head; twice look, seal and move the mark; a look that finds nothing.
    assert [statement.split()[0] for statement in statements if not statement.startswith("BEGIN")] == [
        "SELECT", *["SELECT", "UPDATE", "UPDATE"] * 2, "SELECT",
    ]  # fmt: skip


def test_sealing_nothing_gives_the_head_before_the_first_row(office: Parts) -> None:
    with office.db.transaction() as (session, _):
        assert audit.seal_all(session) == START
    assert verified(office.db) == Verification(START, 0, None)


@on_postgresql
def test_a_row_that_is_committed_later_gets_a_later_number(office: Parts) -> None:
    with office.db.transaction() as (slow, _):
        append(slow, 1, {"unit": 1})
        add_rows(office.db, 2)
        assert seal_once(office.db) == 1
    assert seal_once(office.db) == 1
    assert sealed(office.db) == [(1, 2), (2, 1)]
    assert verified(office.db).fault is None


@on_postgresql
def test_a_second_sealer_leaves_at_once_and_a_closing_waits_for_the_first(office: Parts) -> None:
    add_rows(office.db, 1)
    seal_once(office.db)
    add_rows(office.db, 2)
    heads: list[Head] = []
    waits = threading.Event()

    def close() -> None:
        with office.db.transaction() as (session, _):
            append(session, 3, {"unit": 3})
            waits.set()
            heads.append(audit.seal_all(session))

    with office.db.transaction() as (first, _):
        assert audit.seal(first) == 1
        assert seal_once(office.db) == 0
        closing = threading.Thread(target=close)
        closing.start()
        assert waits.wait(20)
        wait_for_lock(first)
        assert heads == []
    closing.join(timeout=20)
    assert [head.sequence for head in heads] == [3]
    assert verified(office.db) == Verification(heads[0], 0, None)


def wait_for_lock(session: Session) -> None:
    """Until another session waits for a lock."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    for _ in range(20_000):
        session.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        if session.execute(waiting).scalar_one():
            return
    raise AssertionError("nobody waits")


def test_many_sealers_and_writers_at_once_make_one_chain_without_a_gap(
    office: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH", 7)
    over = threading.Event()

    def seal() -> None:
        while not over.is_set():
            seal_once(office.db)

    def close() -> None:
        for number in range(10):
            with office.db.transaction() as (session, _):
                append(session, number, {"closing": number})
                audit.seal_all(session)

    with running(seal, seal):
        with running(close, lambda: add_rows(office.db, *range(60)), lambda: add_rows(office.db, *range(60))):
            pass
        over.set()
    while seal_once(office.db):
        pass
    assert [number for number, _ in sealed(office.db)] == list(range(1, 131))
    assert verified(office.db).fault is None


@on_postgresql
def test_answers_do_not_wait_for_a_sealer(office: Parts, poll: Poll) -> None:
    with office.db.reading() as (session, _):
        invitations = session.scalars(sa.select(Invitation.id)).all()
    with office.db.transaction() as (sealer, _):
        assert audit.seal(sealer) > 0
        for invitation in invitations:
            with office.db.transaction() as (session, now):
                session.execute(sa.text("SET LOCAL lock_timeout = '1ms'"))
                actions.cast_ballot(session, now, invitation, ("keep",), "Els Peeters")
    with office.db.reading() as (session, _):
        assert record.count_unsealed(session) == len(invitations) == 5


KILLED = """
import os, signal, sys
from itertools import count
from coopmail.actions import audit
from coopmail.db import Database

db, drawn = Database(sys.argv[1]), count(1)

def salt():
    if next(drawn) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return audit.draw_salt()

audit.BATCH = 10
while True:
    with db.transaction() as (session, _):
        audit.seal(session, salt=salt)
"""


@pytest.mark.parametrize("row", [1, 7, 25])
def test_a_sealer_that_is_killed_leaves_whole_batches_and_the_next_one_goes_on(office: Parts, row: int) -> None:
    add_rows(office.db, *range(30))
    done = subprocess.run([sys.executable, "-c", KILLED, office.db.url, str(row)], check=False)
    assert done.returncode == -signal.SIGKILL
    whole = (row - 1) // 10 * 10
    found = verified(office.db)
    assert (found.head.sequence, found.unsealed, found.fault) == (whole, 30 - whole, None)
    assert seal_once(office.db) == 30 - whole
    assert sealed(office.db) == [(number, number) for number in range(1, 31)]
    assert verified(office.db).fault is None


@pytest.mark.parametrize("change", ["DELETE FROM installation_marks", "UPDATE installation_marks SET value = 'x'"])
def test_where_the_head_is_lost_nothing_is_sealed_onto_a_chain_that_begins_anew(office: Parts, change: str) -> None:
    add_rows(office.db, 1)
    seal_once(office.db)
    add_rows(office.db, 2)
    with office.db.transaction() as (session, _):
        session.execute(sa.text(change))
    with pytest.raises(DatabaseError) as error:
        seal_once(office.db)
    assert str(error.value) == "The mark `audit-head` is lost, and rows are sealed: run `coopmail audit verify`."
    assert sealed(office.db) == [(1, 1)]


def test_closing_seals_its_own_act_and_the_outcome_holds_a_head_that_proves_it_later(
    office: Parts, clock: FrozenClock, poll: Poll
) -> None:
    clock.move_to(CLOSING)
    with office.db.transaction() as (session, now):
        outcome = actions.close_poll(session, poll.id, now, office.basis)
    with office.db.reading() as (session, _):
        last = session.scalars(sa.select(AuditRow).order_by(AuditRow.sequence.desc()).limit(1)).one()
        assert (last.act, record.count_unsealed(session)) == ("poll-closed", 0)
        kept = session.scalars(sa.select(Outcome.audit_head)).one()
    assert kept == outcome.audit_head == f"{last.sequence}:{last.chain}"
    add_rows(office.db, 1, 2)
    seal_once(office.db)
    with office.db.reading() as (session, _):
        assert verify(session, [Head.read(kept)]).fault is None


def test_an_outcome_that_was_given_another_head_is_named(office: Parts, clock: FrozenClock, poll: Poll) -> None:
    clock.move_to(CLOSING)
    with office.db.transaction() as (session, now):
        head = actions.close_poll(session, poll.id, now, office.basis).audit_head
        assert head is not None
    number = int(head.partition(":")[0])
    with office.db.transaction() as (session, _):
        session.execute(sa.update(Outcome).values(audit_head=f"{number}:{'0' * 64}"))
    found = verified(office.db).fault
    assert found is not None
    assert (found.sequence, found.text) == (
        number,
        f"Row {number} is not the one that the outcome of poll krantenarchief names: "
        "it or a row before it was written anew.",
    )


class TestErasing:
    """A person is forgotten; what happened is not."""

    def erase(self, db: Database, condition: sa.ColumnElement[bool], reason: str = "Asked to be forgotten.") -> int:
        """Erase, in a transaction."""
        with db.transaction() as (session, now):
            return audit.erase(session, now, condition, reason)

    def rows(self, db: Database) -> list[AuditRow]:
        """The record."""
        with db.reading() as (session, _):
            return list(session.scalars(sa.select(AuditRow).order_by(AuditRow.sequence)))

    def test_actor_detail_and_salt_are_gone_and_all_else_stays_with_an_entry_that_says_so(self, office: Parts) -> None:
        add_rows(office.db, 1, 2, 3)
        seal_once(office.db)
        before = self.rows(office.db)
        assert self.erase(office.db, AuditRow.actor == "contact:2") == 1
        after = self.rows(office.db)
        assert [(row.actor, row.detail) for row in after] == [
            ("contact:1", {"unit": 1}), ("", {}), ("contact:3", {"unit": 3}),
            ("staff", {"sequences": [2], "reason": "Asked to be forgotten."}),
        ]  # fmt: skip
        assert after[1].salt is None
        for column in ("id", "at", "act", "subject", "sequence", "commitment", "chain"):
            assert [getattr(row, column) for row in after[:3]] == [getattr(row, column) for row in before]
        assert (after[3].act, after[3].subject, after[3].at) == ("audit-erased", "audit", MONDAY)
        assert verified(office.db) == Verification(Head(4, after[3].chain or ""), 0, None)

    def test_what_is_not_sealed_yet_is_sealed_first(self, office: Parts) -> None:
        add_rows(office.db, 1, 2)
        assert self.erase(office.db, AuditRow.actor == "contact:1") == 1
        assert [row.actor for row in self.rows(office.db)] == ["", "contact:2", "staff"]
        assert verified(office.db).fault is None

    def test_erasing_again_erases_nothing_and_notes_nothing(self, office: Parts) -> None:
        add_rows(office.db, 1, 2)
        assert [self.erase(office.db, AuditRow.subject == "poll:1") for _ in range(2)] == [1, 0]
        assert [row.act for row in self.rows(office.db)] == ["act-1", "act-2", "audit-erased"]

    def test_entries_about_erasing_cannot_be_erased(self, office: Parts) -> None:
        add_rows(office.db, 1, 2)
        assert [self.erase(office.db, sa.true()) for _ in range(2)] == [2, 0]
        assert [row.actor for row in self.rows(office.db)] == ["", "", "staff"]
        assert verified(office.db).fault is None

    def test_erasing_wants_a_reason(self, office: Parts) -> None:
        add_rows(office.db, 1)
        with pytest.raises(ActionRefused) as error:
            self.erase(office.db, sa.true(), " ")
        assert str(error.value) == "Erasing wants a reason: it stands in the record."
        assert [row.actor for row in self.rows(office.db)] == ["contact:1"]

    def test_an_erased_row_cannot_be_guessed_from_what_is_left(self, office: Parts) -> None:
        """The commitment of who and what is salted: without the salt no guess can be tried."""
        add_rows(office.db, 1)
        seal_once(office.db)
        with office.db.reading() as (session, _):
            whole = next(record.sealed(session))
        self.erase(office.db, AuditRow.actor == "contact:1")
        with office.db.reading() as (session, _):
            left = next(record.sealed(session))
        guess = left._replace(actor=whole.actor, detail=whole.detail)
        assert (whole.committed().encode(), guess.committed(), left.commitment) == (
            left.commitment,
            "",
            whole.commitment,
        )
        assert whole._replace(salt=b"0" * 32).committed() != whole.committed()
