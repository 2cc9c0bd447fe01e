"""Whatever an insider changes in the sealed record, the first row that is not as it was is named."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from coopmail.actions.audit import erase, seal, seal_all
from coopmail.db import Database
from coopmail.domain.audit import START, AuditRow, Head
from coopmail.parts import Parts
from coopmail.queries import audit
from coopmail.queries.audit_verification import Fault, Verification, verify
from tests.conftest import MONDAY
from tests.queries.record import ENTRY, FORGOTTEN, LAST, after, append, sql, write_record

UNSAID = "Row 4 (id 4): actor, detail and salt were erased, and no entry says so."
TEXTS = ("act", "subject", "actor", "detail", "salt", "commitment", "chain")
on_one_record = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
"""Each example undoes what it changed, so that all can use one database."""


@pytest.fixture
def db(office: Parts) -> Database:
    """A database with the small record."""
    write_record(office.db)
    return office.db


@pytest.fixture
def head(db: Database) -> Head:
    """Its head."""
    with db.reading() as (session, _):
        return audit.head(session)


def fault(db: Database, *statements: str, **values: object) -> Fault | None:
    """What is wrong after these statements."""
    return after(db, sql(*statements, **values)).fault


def named(found: Verification) -> int | None:
    """The row that a verification names."""
    assert found.fault is not None
    return found.fault.sequence


def stored(session: Session, number: int, column: str) -> bytes:
    """The bytes of a row's column; none where it is empty."""
    row = next(row for row in audit.sealed(session) if row.sequence == str(number).encode())
    return getattr(row, column) or b""


def test_a_record_that_nobody_changed_passes_with_what_is_not_sealed_counted(db: Database, head: Head) -> None:
    with db.reading() as (session, _):
        assert verify(session) == Verification(head, 1, None)
    assert head.sequence == LAST


def test_an_empty_record_passes(office: Parts) -> None:
    with office.db.reading() as (session, _):
        assert verify(session) == Verification(START, 0, None)


def test_neither_the_session_s_time_zone_nor_its_date_style_matters(db: Database, head: Head) -> None:
    zone = ["SET LOCAL TimeZone = 'Asia/Kolkata'", "SET LOCAL DateStyle = 'German, DMY'"]
    statements = zone if db.engine.dialect.name == "postgresql" else ["SELECT 1"]
    assert after(db, sql(*statements)) == Verification(head, 1, None)


@on_one_record
@given(number=st.integers(1, LAST), column=st.sampled_from([*TEXTS, "at"]), place=st.integers(0, 200), data=st.data())
def test_any_changed_byte_of_any_column_of_any_sealed_row_is_named(
    db: Database, number: int, column: str, place: int, data: st.DataObject
) -> None:
    # PostgreSQL would refuse what is no text; SQLite stores any byte.
    sqlite = db.engine.dialect.name == "sqlite"
    byte = data.draw(st.integers(0, 255) if sqlite else st.integers(32, 126))
    moved = data.draw(st.integers(1, 10**15)) * data.draw(st.sampled_from([1, -1]))

    def change(session: Session) -> None:
        before = stored(session, number, column)
        place_in = place % (len(before) + 1)
        text = before[:place_in] + bytes([byte]) + before[place_in + 1 :]
        assume(text != before)
        value: object = text
        cast = "CAST(:value AS TEXT)"
        if not sqlite:
            value, cast = text.decode(), "CAST(:value AS json)" if column == "detail" else ":value"
            if column == "at":
                value, cast = timedelta(microseconds=moved), "at + :value"
        statement = sa.text(f"UPDATE audit_rows SET {column} = {cast} WHERE sequence = :number")
        try:
            session.execute(statement, {"value": value, "number": number})
        except DBAPIError:
            assume(False)  # the database refuses it: too long, no JSON, beyond the calendar
        assume(stored(session, number, column) != before)  # it cuts spaces beyond a column's length

    assert named(after(db, change)) == number


@on_one_record
@given(number=st.integers(1, LAST), new=st.integers(-(2**31), 2**31 - 1))
@example(number=ENTRY, new=-(2**31))
@example(number=ENTRY, new=2**31 - 1)
def test_any_changed_number_or_id_of_any_sealed_row_is_named(db: Database, number: int, new: int) -> None:
    with db.reading() as (session, _):
        taken = session.scalars(sa.select(AuditRow.id)).all()
    assume(new not in taken)
    renumbered = after(
        db, sql("UPDATE audit_rows SET sequence = :new WHERE sequence = :number", new=new, number=number)
    )
    assert named(renumbered) == number
    assert renumbered.fault == Fault(number, f"Row {number} was renumbered: it is id {number} and has number {new}.")
    other = after(db, sql("UPDATE audit_rows SET id = :new WHERE sequence = :number", new=new, number=number))
    assert named(other) == number


@on_one_record
@given(number=st.integers(1, LAST), other=st.integers(1, LAST))
def test_two_rows_that_changed_places_are_named_by_the_first_of_them(db: Database, number: int, other: int) -> None:
    assume(number < other)
    found = fault(
        db,
        "UPDATE audit_rows SET sequence = -1 WHERE sequence = :number",
        "UPDATE audit_rows SET sequence = :number WHERE sequence = :other",
        "UPDATE audit_rows SET sequence = :other WHERE sequence = -1",
        number=number,
        other=other,
    )
    where = f"it is id {number} and has number {other}; id {other} stands in its place"
    assert found == Fault(number, f"Row {number} was renumbered: {where}.")


@on_one_record
@given(number=st.integers(1, LAST), more=st.integers(0, LAST), closed=st.booleans())
def test_rows_that_were_taken_out_are_named_by_the_first_also_where_the_gap_was_closed(
    db: Database, number: int, more: int, closed: bool
) -> None:
    last = min(number + more, LAST)
    statements = ["DELETE FROM audit_rows WHERE sequence BETWEEN :number AND :last"]
    if closed:  # in two steps: no two rows may have one number on the way
        statements += [
            "UPDATE audit_rows SET sequence = -sequence WHERE sequence > :last",
            "UPDATE audit_rows SET sequence = -sequence - (:last - :number + 1) WHERE sequence < 0",
        ]
    found = after(db, sql(*statements, number=number, last=last))
    # With the entry gone, nothing says any more that row 4 was erased: that is said as well.
    more_said = f" {UNSAID}" if FORGOTTEN < number <= ENTRY <= last else ""
    if last == LAST:
        text = f"Row {number} is missing: the record ends before it, and the mark `audit-head` names row {LAST}."
        assert found.fault == Fault(number, text + more_said)
    elif not closed:
        assert found.fault == Fault(number, f"Row {number} is missing.{more_said}")
    assert named(found) == number


@on_one_record
@given(number=st.integers(1, LAST), garbage=st.booleans())
def test_a_row_that_was_put_in_between_is_named(db: Database, number: int, garbage: bool) -> None:
    """With a chain of its own that fits, it passes, and the row after it no longer follows on it."""

    def change(session: Session) -> None:
        session.execute(sa.text("UPDATE audit_rows SET sequence = -sequence WHERE sequence >= :n"), {"n": number})
        session.execute(sa.text("UPDATE audit_rows SET sequence = -sequence + 1 WHERE sequence < 0"))
        hashes = {"salt": "0" * 32, "commitment": "0" * 64, "chain": "0" * 64}
        session.add(AuditRow(at=sa.func.current_timestamp(), act="ballot-cast", actor="contact:9", subject="poll:1",
                             detail={"unit": 9}, sequence=number, **hashes))  # fmt: skip
        session.flush()
        if not garbage:
            forge(session, number)

    found = after(db, change)
    assert named(found) == (number if garbage or number == LAST else number + 1)
    if garbage:
        with db.reading() as (session, _):
            newest = session.scalars(sa.select(sa.func.max(AuditRow.id))).one()
        assert found.fault is not None
        assert found.fault.text.startswith(
            f"Row {number} was renumbered: it is id {number} and has number {number + 1};"
        )
        assert int(found.fault.text.split("; id ")[1].split()[0]) > newest


def forge(session: Session, number: int) -> None:
    """Give a row hashes that fit what it says now."""
    before = START
    for row in audit.sealed(session):
        if row.sequence == str(number).encode():
            fitting = row._replace(commitment=row.committed().encode())
            session.execute(
                sa.text("UPDATE audit_rows SET commitment = :commitment, chain = :chain WHERE sequence = :number"),
                {"commitment": row.committed(), "chain": fitting.chained(before), "number": number},
            )
            return
        before = Head(before.sequence + 1, (row.chain or b"").decode())


@pytest.mark.parametrize("number", [0, -5])
def test_a_row_that_was_put_before_the_first_is_named(db: Database, number: int) -> None:
    added = "INSERT INTO audit_rows (id, at, act, actor, subject, detail, sequence) " \
            "VALUES (99, '2026-11-16 08:00:00.000000', 'a', 'b', 'c', '{}', :number)"  # fmt: skip
    assert fault(db, added, number=number) == Fault(None, f"A row of number {number} (id 99) was added.")


def test_a_row_that_was_added_at_the_end_is_named_though_it_follows(db: Database) -> None:
    def change(session: Session) -> None:
        mark = audit.head(session)
        seal_all(session)
        session.execute(sa.text("UPDATE installation_marks SET value = :v WHERE name = 'audit-head'"), {"v": str(mark)})

    assert after(db, change).fault == Fault(14, "Row 14 (id 14) was added: the mark `audit-head` ends at 13.")


def test_a_row_whose_number_was_taken_away_is_named(db: Database) -> None:
    assert fault(db, "UPDATE audit_rows SET sequence = NULL WHERE sequence = 7") == Fault(
        7, "Row 7 was renumbered: it is id 7 and has no number."
    )


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("actor", "its actor, detail or salt was changed."),
        ("act", "its id, time, act, subject, commitment or chain was changed, or the row before it was written anew."),
    ],
)
def test_what_is_said_of_a_changed_row_tells_which_part_of_it(db: Database, column: str, words: str) -> None:
    found = fault(db, f"UPDATE audit_rows SET {column} = 'x' WHERE sequence = 7")
    assert found == Fault(7, f"Row 7 (id 7): {words}")


def test_the_first_of_two_changed_rows_is_named(db: Database) -> None:
    assert fault(db, "UPDATE audit_rows SET actor = 'x' WHERE sequence IN (5, 9)") == Fault(
        5, "Row 5 (id 5): its actor, detail or salt was changed."
    )


class TestErasing:
    """An erased row passes where a sealed, unchanged entry says so, and nowhere else."""

    BLANK = "UPDATE audit_rows SET actor = '', detail = '{}', salt = NULL WHERE sequence = :number"

    @pytest.mark.parametrize("number", [1, 5, ENTRY, LAST])
    def test_a_row_that_was_erased_without_an_entry_is_named(self, db: Database, number: int) -> None:
        found = fault(db, self.BLANK, number=number)
        if number == ENTRY:
            assert found == Fault(ENTRY, f"Row 11 (id 11): an entry about erasing was erased. {UNSAID}")
        else:
            assert found == Fault(number, UNSAID.replace("4", str(number)))

    def test_an_erased_row_whose_entry_is_not_sealed_yet_is_named(self, db: Database) -> None:
        def change(session: Session) -> None:
            session.execute(sa.text(self.BLANK), {"number": 6})
            session.add(AuditRow(at=sa.func.current_timestamp(), act="audit-erased", actor="staff", subject="audit",
                                 detail={"sequences": [6], "reason": "?"}))  # fmt: skip

        assert named(after(db, change)) == 6

    def test_an_entry_that_comes_before_the_row_says_nothing_of_it(self, db: Database) -> None:
        def change(session: Session) -> None:
            session.add(AuditRow(at=sa.func.current_timestamp(), act="audit-erased", actor="staff", subject="audit",
                                 detail={"sequences": [16], "reason": "?"}))  # fmt: skip
            session.flush()
            append(session, 16, {"unit": 3})
            seal_all(session)
            session.execute(sa.text(self.BLANK), {"number": 16})

        assert named(after(db, change)) == 16

    def test_where_the_entry_was_taken_out_the_entry_is_named(self, db: Database) -> None:
        found = fault(db, f"DELETE FROM audit_rows WHERE sequence = {ENTRY}")
        assert found == Fault(ENTRY, f"Row 11 is missing. {UNSAID}")
        assert named(after(db, sql(f"DELETE FROM audit_rows WHERE sequence >= {ENTRY}"))) == ENTRY

    def test_a_changed_row_that_cannot_be_its_entry_does_not_hide_a_wrong_erasing_before_it(self, db: Database) -> None:
        found = fault(db, self.BLANK, "UPDATE audit_rows SET actor = 'x' WHERE sequence = 8", number=5)
        assert found == Fault(5, "Row 5 (id 5): actor, detail and salt were erased, and no entry says so.")

    def test_where_a_changed_row_may_have_been_its_entry_both_are_said(self, db: Database) -> None:
        found = fault(db, self.BLANK, "UPDATE audit_rows SET act = 'x' WHERE sequence = 8", number=5)
        changed = "its id, time, act, subject, commitment or chain was changed, or the row before it was written anew."
        erased = "actor, detail and salt were erased, and no entry says so."
        assert found == Fault(8, f"Row 8 (id 8): {changed} Row 5 (id 5): {erased}")

    @pytest.mark.parametrize("column", ["at", "act", "subject", "commitment", "chain"])
    def test_all_else_of_an_erased_row_is_still_protected(self, db: Database, column: str) -> None:
        values = {"at": "'2020-01-01 00:00:00.000000'"}
        change = f"UPDATE audit_rows SET {column} = {values.get(column, chr(39) * 2)} WHERE sequence = {FORGOTTEN}"
        assert named(after(db, sql(change))) == FORGOTTEN

    def test_content_that_is_back_after_erasing_is_named(self, db: Database) -> None:
        def change(session: Session) -> None:
            said = sa.select(AuditRow.actor, AuditRow.detail, AuditRow.salt).where(AuditRow.sequence == 6)
            actor, detail, salt = session.execute(said).one()
            erase(session, lambda: MONDAY, AuditRow.sequence == 6, "Asked to be forgotten.")
            assert verify(session).fault is None
            back = sa.update(AuditRow).where(AuditRow.sequence == 6)
            session.execute(back.values(actor=actor, detail=detail, salt=salt))

        assert after(db, change).fault == Fault(6, "Row 6 (id 6): it was erased, and its content is back.")


class TestHeads:
    """What the chain alone cannot show, a head that is known from elsewhere does."""

    def rewrite(self, session: Session) -> None:
        """Change a row and seal all anew from there, mark and all."""
        session.execute(sa.text("UPDATE audit_rows SET subject = 'poll:9' WHERE sequence = 5"))
        before = START
        for row in list(audit.sealed(session)):
            chain = row.chained(before)
            before = Head(before.sequence + 1, chain)
            session.execute(
                sa.text("UPDATE audit_rows SET chain = :chain WHERE sequence = :number"),
                {"chain": chain, "number": before.sequence},
            )
        mark = sa.text("UPDATE installation_marks SET value = :v WHERE name = 'audit-head'")
        session.execute(mark, {"v": str(before)})

    def test_a_chain_that_was_written_anew_is_seen_by_who_kept_a_head(self, db: Database, head: Head) -> None:
        assert after(db, self.rewrite).fault is None
        found = after(db, self.rewrite, [head])
        assert found.fault is not None
        assert (found.fault.sequence, found.fault.text) == (
            LAST,
            f"Row 13 is not the one that the head that was kept, {str(head)[:20]}…, names: "
            "it or a row before it was written anew.",
        )

    def test_a_head_that_was_kept_before_the_change_still_holds(self, db: Database) -> None:
        with db.reading() as (session, _):
            rows = list(audit.sealed(session))
        early = Head(4, (rows[3].chain or b"").decode())
        assert after(db, self.rewrite, [early]).fault is None

    def test_a_head_holds_after_more_was_sealed(self, db: Database, head: Head) -> None:
        with db.transaction() as (session, _):
            assert seal(session) == 1
        with db.reading() as (session, _):
            found = verify(session, [head])
        assert (found.head.sequence, found.unsealed, found.fault) == (14, 0, None)

    def test_a_tail_that_was_cut_with_its_mark_is_seen_by_who_kept_a_head(self, db: Database, head: Head) -> None:
        with db.reading() as (session, _):
            rows = list(audit.sealed(session))
        cut = f"UPDATE installation_marks SET value = '11:{(rows[10].chain or b'').decode()}' WHERE name = 'audit-head'"
        change = sql("DELETE FROM audit_rows WHERE sequence > 11", cut)
        assert after(db, change).fault is None
        text = (f"Row 12 is missing: the record ends before it, and the head that was kept, {str(head)[:20]}…, "
                "names row 13.")  # fmt: skip
        assert after(db, change, [head]).fault == Fault(12, text)

    @pytest.mark.parametrize("value", ["13:" + "0" * 64, "14:" + "0" * 64, "12:" + "0" * 64])
    def test_a_changed_mark_is_seen(self, db: Database, value: str) -> None:
        number = int(value[:2])
        change = "UPDATE installation_marks SET value = :value WHERE name = 'audit-head'"
        found = after(db, sql(change, value=value))
        assert named(found) == number

    def test_a_mark_that_is_gone_or_is_no_head_is_seen(self, db: Database) -> None:
        gone = fault(db, "DELETE FROM installation_marks WHERE name = 'audit-head'")
        assert gone == Fault(1, "Row 1 (id 1) was added: the mark `audit-head` ends at 0.")
        broken = fault(db, "UPDATE installation_marks SET value = '13' WHERE name = 'audit-head'")
        assert broken == Fault(
            None,
            "A head that the database holds cannot be read: "
            "a head is SEQUENCE:HASH, the hash in 64 hexadecimal digits.",
        )


def test_a_row_is_hashed_as_its_bytes_stand_in_the_database(db: Database) -> None:
    """Whatever the driver makes of a column: the text of a detail, and the moment in UTC with microseconds."""
    with db.reading() as (session, _):
        rows = list(audit.sealed(session))
    assert rows[1].at == b"2026-11-16 10:00:00.002002"
    assert rows[1].detail == (
        b'{"charter_entry": "2026", "options": ["keep", "move"], "nested": {"a": [1, {"b": null}]}}'
    )
    assert rows[6].detail == rb'{"name": "\u202e\u05d1\u05d9\u05ea \ud83d\uddf3\u2028"}'
    assert hashlib.sha256(b"").hexdigest() not in {row.committed() for row in rows}


def test_years_before_the_first_are_not_taken_for_those_after_it(db: Database) -> None:
    if db.engine.dialect.name == "sqlite":
        assert named(after(db, sql("UPDATE audit_rows SET at = '-' || at WHERE sequence = 3"))) == 3
        return
    change = "UPDATE audit_rows SET at = CAST(CAST(at AS TEXT) || ' BC' AS timestamptz) WHERE sequence = 3"
    assert named(after(db, sql(change))) == 3
    assert named(after(db, sql("UPDATE audit_rows SET at = 'infinity' WHERE sequence = 3"))) == 3


def test_the_record_of_a_subject_is_what_was_noted_about_it_in_order(db: Database) -> None:
    with db.reading() as (session, _):
        assert [row.act for row in audit.record(session, "poll:1")] == [
            b"act-1", b"act-4", b"act-7", b"act-10", b"act-13",
        ]  # fmt: skip
        assert len(list(audit.record(session))) == 14


def test_postgresql_refuses_careless_changes_of_sealed_rows_and_lets_erasing_pass(db: Database) -> None:
    if db.engine.dialect.name == "sqlite":
        with db.transaction() as (session, _):  # there is no such guard here: the chain is the only one
            session.execute(sa.text("UPDATE audit_rows SET actor = 'x' WHERE sequence = 5"))
        with db.reading() as (session, _):
            assert named(verify(session)) == 5
        return
    refused = [
        *(f"UPDATE audit_rows SET {column} = 'x' WHERE sequence = 5" for column in TEXTS if column != "detail"),
        "UPDATE audit_rows SET detail = '{\"unit\": 9}' WHERE sequence = 5",
        "UPDATE audit_rows SET detail = '{}', actor = '' WHERE sequence = 2",
        "UPDATE audit_rows SET sequence = NULL WHERE sequence = 5",
        "UPDATE audit_rows SET at = at + interval '1 second' WHERE sequence = 5",
        "UPDATE audit_rows SET id = 99 WHERE sequence = 5",
        "DELETE FROM audit_rows WHERE sequence = 5",
        "DELETE FROM audit_rows",
    ]
    for statement in refused:
        with pytest.raises(DBAPIError, match="is sealed: it can be erased"), db.transaction() as (session, _):
            session.execute(sa.text(statement))
    with db.transaction() as (session, _):
        session.execute(sa.text("UPDATE audit_rows SET actor = 'x' WHERE sequence IS NULL"))
    with db.reading() as (session, _):
        assert verify(session).fault is None


def test_the_test_s_own_tampering_is_undone(db: Database, head: Head) -> None:
    assert named(after(db, sql("DELETE FROM audit_rows"))) == 1
    with db.reading() as (session, _):
        assert verify(session) == Verification(head, 1, None)
