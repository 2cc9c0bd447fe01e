"""Whether anybody changed the record: the sealed chain, followed from its first row. Its form: `domain/audit.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from coopmail.domain.audit import AUDIT_HEAD, ERASED, ERASED_SUBJECT, START, AuditRow, Head, Written
from coopmail.domain.polls import Outcome, Poll
from coopmail.queries import audit


@dataclass(frozen=True)
class Fault:
    """What is wrong with the record, in a sentence, and with which row (`None`: with none that was sealed)."""

    sequence: int | None
    text: str


@dataclass(frozen=True)
class Verification:
    """How far the record was followed without a fault, how many rows wait to be sealed, and the first fault."""

    head: Head
    unsealed: int
    fault: Fault | None


@dataclass(frozen=True)
class Known:
    """A head that is known from elsewhere, and from where."""

    head: Head
    source: str


Heads = Mapping[int, Sequence[Known]]


def verify(session: Session, kept: Iterable[Head] = ()) -> Verification:
    """Follow the chain from its first row, and stop at the first that was changed, taken out, put in or renumbered.

    The head is compared with its mark, with those in the outcomes of polls, and with those that somebody `kept`. Memory
    does not grow with the record.
    """
    waiting = audit.count_unsealed(session)
    try:
        marked = audit.head(session)
        known = _known_heads(session, marked, kept)
    except ValueError as error:
        return Verification(START, waiting, Fault(None, f"A head that the database holds cannot be read: {error}."))
    walk = _Walk(session, marked, known)
    with closing(audit.sealed(session)) as rows:
        fault = next((fault for fault in map(walk.step, rows) if fault is not None), None) or walk.end()
    return Verification(walk.at, waiting, fault)


class _Walk:
    """A walk along the sealed rows. `at` is the last one that is as it was sealed."""

    def __init__(self, session: Session, marked: Head, known: Heads) -> None:
        self.session, self.marked, self.known = session, marked, known
        self.at = START
        self.erased, self.claimed = _erased(session)
        self.stray: Written | None = None
        self.unsaid: Fault | None = None

    def step(self, row: Written) -> Fault | None:
        """Go to the next row, in the order of the numbers, and say what is wrong there, if anything."""
        if _number(row) <= self.at.sequence:
            self.stray = self.stray or row  # it was added, or its own place will be found empty
            return None
        after = Head(self.at.sequence + 1, _said(row.chain))
        fault = _behind(self.marked, self.at, row) or _fault(self.session, self.at, row, self.erased)
        fault = fault or _rewritten(after, self.known)
        if fault is not None:
            return self._first(fault, row if _number(row) == after.sequence else None)
        self.at = after
        if row.erased and after.sequence not in self.erased and self.unsaid is None:
            text = (
                f"Row {after.sequence} (id {_said(row.id)}): actor, detail and salt were erased, and no entry says so."
            )
            self.unsaid = Fault(after.sequence, text)
        return None

    def end(self) -> Fault | None:
        """Say what is wrong with where the rows end, if anything."""
        missing = _cut(self.session, self.at, self.known)
        return self._first(missing, None) if missing is not None else self.unsaid or _added(self.stray)

    def _first(self, fault: Fault, row: Written | None) -> Fault:
        """The fault to name: that an earlier row was erased unsaid, unless this one may have taken its entry away."""
        if self.unsaid is None or self.unsaid.sequence in self.claimed:
            return fault
        if row is not None and row.follows(self.at) and row.act != ERASED.encode():
            return self.unsaid
        return Fault(fault.sequence, f"{fault.text} {self.unsaid.text}")


def _known_heads(session: Session, marked: Head, kept: Iterable[Head]) -> Heads:
    outcomes = session.execute(
        sa.select(Poll.slug, Outcome.audit_head)
        .join(Outcome, Outcome.poll_id == Poll.id)
        .where(Outcome.audit_head.is_not(None))
        .order_by(Poll.id)
    )
    found = [Known(marked, f"the mark `{AUDIT_HEAD}`")]
    found += [Known(one, f"the head that was kept, {str(one)[:20]}…,") for one in kept]
    found += [Known(Head.read(text or ""), f"the outcome of poll {slug}") for slug, text in outcomes]
    heads: dict[int, list[Known]] = {}
    for one in found:
        heads.setdefault(one.head.sequence, []).append(one)
    return heads


def _erased(session: Session) -> tuple[set[int], set[int]]:
    """The sequences that entries about erasing name: entries that follow on the row before them, and all whole ones."""
    before = aliased(AuditRow)
    entries = (
        sa.select(*audit.COLUMNS, audit.raw(before.chain))
        .outerjoin(before, before.sequence == sa.cast(AuditRow.sequence, sa.BigInteger) - 1)
        .where(AuditRow.act == ERASED, AuditRow.subject == ERASED_SUBJECT)
    )
    proven, claimed = set[int](), set[int]()
    for *columns, chain in session.execute(entries):
        row = Written._make(columns)
        number, named = _number(row), _sequences(row) if row.kept() else []
        claimed.update(named)
        if number.is_integer() and row.follows(Head(int(number) - 1, _said(chain) if chain else START.chain)):
            proven.update(one for one in named if one < number)
    return proven, claimed


def _sequences(entry: Written) -> list[int]:
    try:
        named = json.loads(entry.detail or b"")["sequences"]
        return [one for one in named if isinstance(one, int)]
    except (ValueError, KeyError, TypeError):
        return []  # whoever wrote this entry was not us


def _fault(session: Session, before: Head, row: Written, erased: set[int]) -> Fault | None:
    """What is wrong with the row that is found after `before`, if anything."""
    number = before.sequence + 1
    if _number(row) != number:
        return _missing(session, before)
    problem = _problem(before, row, erased)
    if problem is None:
        return None
    rightful = next((one for one in audit.record(session) if one.follows(before) and one.id != row.id), None)
    if rightful is not None:
        return Fault(number, _moved(number, rightful, row))
    return Fault(number, f"Row {number} (id {_said(row.id)}): {problem}")


def _problem(before: Head, row: Written, erased: set[int]) -> str | None:
    """What is wrong with a row that bears the right number; `None` where it is as it was sealed, or was erased."""
    follows, kept, named = row.follows(before), row.kept(), before.sequence + 1 in erased
    if follows and row.erased:
        return "an entry about erasing was erased." if row.act == ERASED.encode() else None
    if follows and kept:
        return "it was erased, and its content is back." if named else None
    if follows:
        return "its actor, detail or salt was changed."
    if kept or row.erased:
        return "its id, time, act, subject, commitment or chain was changed, or the row before it was written anew."
    return "it is not the row that was sealed."


def _missing(session: Session, before: Head, known: str = "") -> Fault:
    """Nothing stands where a row must: it was taken out, or has another number now."""
    number = before.sequence + 1
    rightful = next((one for one in audit.record(session) if one.follows(before)), None)
    return Fault(number, f"Row {number} is missing{known}." if rightful is None else _moved(number, rightful, None))


def _moved(number: int, rightful: Written, row: Written | None) -> str:
    """Where the row that was sealed under a number is now, and which one stands in its place."""
    now = "no number" if rightful.sequence is None else f"number {_said(rightful.sequence)}"
    there = f"; id {_said(row.id)} stands in its place" if row is not None else ""
    return f"Row {number} was renumbered: it is id {_said(rightful.id)} and has {now}{there}."


def _behind(marked: Head, before: Head, row: Written) -> Fault | None:
    if before.sequence < marked.sequence:
        return None
    number = before.sequence + 1
    text = f"Row {number} (id {_said(row.id)}) was added: the mark `{AUDIT_HEAD}` ends at {marked.sequence}."
    return Fault(number, text)


def _rewritten(at: Head, known: Heads) -> Fault | None:
    other = next((one for one in known.get(at.sequence, ()) if one.head != at), None)
    if other is None:
        return None
    text = f"Row {at.sequence} is not the one that {other.source} names: it or a row before it was written anew."
    return Fault(at.sequence, text)


def _cut(session: Session, end: Head, known: Heads) -> Fault | None:
    beyond = max((number for number in known if number > end.sequence), default=None)
    if beyond is None:
        return None
    return _missing(session, end, f": the record ends before it, and {known[beyond][0].source} names row {beyond}")


def _added(row: Written | None) -> Fault | None:
    if row is None:
        return None
    return Fault(None, f"A row of number {_said(row.sequence)} (id {_said(row.id)}) was added.")


def _number(row: Written) -> float:
    """A row's number. SQLite would also store a word there, which comes after all numbers."""
    try:
        return float(row.sequence or b"")
    except ValueError:
        return float("inf")


def _said(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
