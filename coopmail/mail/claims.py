"""Who holds which mail: claims, leases, and the record of what became of each.

A claim holds a row for a lease; whoever died gives it back when the lease ends, and a record by an older claim changes
nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from coopmail.db import Database
from coopmail.domain.outbox import Mail, MailEvent, MailState
from coopmail.queries.outbox import paused

BATCH = 100
LEASE = timedelta(seconds=50)
"""So that what a dead sender held is on its way again within a minute."""
RENEW_SECONDS = 10.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that is ours to send, as long as nobody claimed it after us."""

    id: int
    epoch: int
    priority: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mail: its new state, what happened in a word, and in the relay's own."""

    state: MailState
    event: str
    reply: str
    retry_at: datetime | None = None
    charged: bool = True


def claim(db: Database, most: int, held: Collection[Claim] = ()) -> list[Claim]:
    """Take up to so many due mails, the most urgent first; those of paused campaigns stay where they are.

    What the caller itself holds is never taken from it, also where its lease ended because the clock jumped.
    """
    with db.transaction() as (session, now):
        moment = now()
        _free_expired(session, moment, [claim.id for claim in held])
        due = (
            sa.select(Mail.id)
            .where(Mail.state == MailState.QUEUED, Mail.not_before <= moment, ~paused(moment))
            .order_by(Mail.priority, Mail.not_before, Mail.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        rows = session.execute(
            sa.update(Mail)
            .where(Mail.id.in_(due.scalar_subquery()))
            .values(state=MailState.CLAIMED, lease_until=moment + LEASE, claim_epoch=Mail.claim_epoch + 1)
            .returning(Mail.id, Mail.claim_epoch, Mail.priority, Mail.not_before)
            .execution_options(synchronize_session=False)
        ).all()
        ordered = sorted(rows, key=lambda row: (row.priority, row.not_before, row.id))
        return [Claim(row.id, row.claim_epoch, row.priority) for row in ordered]


def _free_expired(session: Session, moment: datetime, held: Collection[int]) -> None:
    """What a dead sender held goes back into the queue."""
    late = sa.select(Mail.id).where(
        Mail.state == MailState.CLAIMED, Mail.lease_until < moment, Mail.id.not_in(held) if held else sa.true()
    )
    session.execute(
        sa.update(Mail)
        .where(Mail.id.in_(late.with_for_update(skip_locked=True).scalar_subquery()))
        .values(state=MailState.QUEUED, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def more_urgent(session: Session, priority: int, moment: datetime) -> bool:
    """Whether something waits that goes before a mail of that priority."""
    waits = sa.exists().where(
        Mail.state == MailState.QUEUED, Mail.priority < priority, Mail.not_before <= moment, ~paused(moment)
    )
    return bool(session.scalar(sa.select(waits)))


_TABLE = Mail.__table__
_RECORD = (
    sa.update(Mail)
    .where(
        _TABLE.c.id == sa.bindparam("mail"),
        _TABLE.c.claim_epoch == sa.bindparam("held_epoch"),
        _TABLE.c.state == MailState.CLAIMED,
    )
    .values(
        state=sa.bindparam("new_state", type_=_TABLE.c.state.type),
        reply=sa.bindparam("said", type_=sa.String()),
        lease_until=None,
        attempts=_TABLE.c.attempts + sa.bindparam("charge", type_=sa.Integer()),
        accepted_at=sa.func.coalesce(sa.bindparam("accepted", type_=_TABLE.c.accepted_at.type), _TABLE.c.accepted_at),
        not_before=sa.func.coalesce(sa.bindparam("retry_at", type_=_TABLE.c.not_before.type), _TABLE.c.not_before),
    )
)
_HELD = sa.select(_TABLE.c.id, _TABLE.c.claim_epoch, _TABLE.c.state).where(
    _TABLE.c.id.in_(sa.bindparam("mails", expanding=True))
)
# PostgreSQL takes the whole record of accepted mails in one statement: 60 microseconds a mail where the two above are
# 190. A claimed row is one that has a lease; asked for by its state, the planner would walk through all claimed ones.
_RECORD_SENT = """
WITH given AS (
    SELECT * FROM unnest(%(ids)s::int[], %(epochs)s::int[], %(replies)s::text[]) AS given (id, epoch, reply)
), mine AS (
    UPDATE outbox SET state = 'sent', reply = given.reply, lease_until = NULL, accepted_at = %(moment)s,
        attempts = attempts + 1
    FROM given WHERE outbox.id = given.id AND claim_epoch = given.epoch AND lease_until IS NOT NULL
    RETURNING outbox.id
)
INSERT INTO mail_events (mail_id, at, event, detail)
SELECT given.id, %(moment)s, CASE WHEN mine.id IS NULL THEN 'sent-after-lease' ELSE 'sent' END, given.reply
FROM given LEFT JOIN mine ON mine.id = given.id
"""


def record(session: Session, moment: datetime, results: Sequence[tuple[Claim, Result]]) -> None:
    """Write what became of mails, and an event each, in few statements however many they are.

    A row that is not ours any more keeps its state; what happened is noted all the same.
    """
    rest = list(results)
    if session.get_bind().dialect.name == "postgresql":
        sent = [(claim, result) for claim, result in results if result.state is MailState.SENT]
        rest = [(claim, result) for claim, result in results if result.state is not MailState.SENT]
        if sent:
            given = {
                "ids": [claim.id for claim, _ in sent],
                "epochs": [claim.epoch for claim, _ in sent],
                "replies": [result.reply[:500] for _, result in sent],
                "moment": moment,
            }
            session.connection().exec_driver_sql(_RECORD_SENT, given)
    if rest:
        _record(session, moment, rest)


def _record(session: Session, moment: datetime, results: Sequence[tuple[Claim, Result]]) -> None:
    lost = _lost(session, results)
    connection = session.connection()
    connection.execute(_RECORD, [_row(moment, claim, result) for claim, result in results])
    notes = [
        {"mail_id": claim.id, "at": moment, "detail": result.reply[:500],
         "event": result.event + ("-after-lease" if claim.id in lost else "")}
        for claim, result in results
    ]  # fmt: skip
    connection.execute(sa.insert(MailEvent), notes)


def _row(moment: datetime, claim: Claim, result: Result) -> dict[str, object]:
    return {
        "mail": claim.id,
        "held_epoch": claim.epoch,
        "new_state": result.state,
        "said": result.reply[:500],
        "charge": int(result.charged and result.state in (MailState.SENT, MailState.QUEUED)),
        "accepted": moment if result.state is MailState.SENT else None,
        "retry_at": result.retry_at,
    }


def _lost(session: Session, results: Sequence[tuple[Claim, Result]]) -> set[int]:
    """The mails that are not ours any more. Their rows are locked, so that nobody takes one before the record."""
    held = session.connection().execute(_HELD.with_for_update(), {"mails": [claim.id for claim, _ in results]})
    ours = {row.id: row.claim_epoch for row in held if row.state is MailState.CLAIMED}
    return {claim.id for claim, _ in results if ours.get(claim.id) != claim.epoch}


def give_back(db: Database, claims: Iterable[Claim], pause: timedelta = timedelta(0)) -> None:
    """Return rows that are still ours to the queue, no attempt charged; with a pause, not before it is over."""
    held = list(claims)
    if not held:
        return
    with db.transaction() as (session, now):
        values: dict[str, Any] = {"state": MailState.QUEUED, "lease_until": None}
        if pause:
            values["not_before"] = now() + pause
        session.execute(_ours(held).values(values))


def renew(db: Database, claims: Iterable[Claim]) -> None:
    """Hold rows for another lease, passing over one that is being recorded now: this must wait for nobody."""
    held = list(claims)
    if not held:
        return
    with db.transaction() as (session, now):
        free = sa.select(Mail.id).where(*_are_ours(held)).with_for_update(skip_locked=True)
        renewed = sa.update(Mail).where(Mail.id.in_(free.scalar_subquery())).values(lease_until=now() + LEASE)
        session.execute(renewed.execution_options(synchronize_session=False))


def _ours(held: list[Claim]) -> sa.Update:
    return sa.update(Mail).where(*_are_ours(held)).execution_options(synchronize_session=False)


def _are_ours(held: list[Claim]) -> tuple[sa.ColumnElement[bool], ...]:
    pairs = [(claim.id, claim.epoch) for claim in held]
    return sa.tuple_(Mail.id, Mail.claim_epoch).in_(pairs), Mail.state == MailState.CLAIMED


class Heartbeat:
    """Renews leases every few seconds in a thread of its own, also while a relay is slow."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.held: set[Claim] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="coopmail-lease", daemon=True)

    @property
    def beating(self) -> bool:
        """Whether it has been started."""
        return self._thread.ident is not None

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            try:
                renew(self._db, self.held.copy())
            except Exception:  # a lease that cannot be renewed ends by itself: then the mail is another's to send
                _log.exception("lease-not-renewed")
