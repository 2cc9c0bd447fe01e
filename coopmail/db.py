"""The database: `transaction()` for acts, `reading()` for questions.

SQLite's writers begin IMMEDIATE (read-then-write under a plain BEGIN fails under load) and its readers use an engine
of their own that cannot write; PostgreSQL's readers are READ ONLY transactions. So a GET cannot change a table.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail import clock
from coopmail.domain.base import InstallationMark, wakes_runners
from coopmail.doorbell import Doorbell
from coopmail.errors import DatabaseError

Now = Callable[[], datetime]
CLOCK_OFFSET = "clock_offset_seconds"
DEMONSTRATION = "demonstration"


class Database:
    """Opens transactions and says what time it is in them.

    `system_clock` replaces the computer's (and PostgreSQL's) clock in tests. With `simulation`, an offset that every
    process reads from the database is added, so that server and runners travel together.
    """

    def __init__(
        self,
        url: str,
        *,
        doorbell: Doorbell | None = None,
        system_clock: clock.Clock | None = None,
        simulation: bool = False,
    ) -> None:
        self.url = url
        self.doorbell = doorbell or Doorbell()
        self._clock = system_clock
        self._simulation = simulation
        self._seen = (-math.inf, datetime.min.replace(tzinfo=UTC))
        self.sqlite = url.startswith("sqlite")
        if self.sqlite:
            try:
                Path(sa.make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DatabaseError(f"The folder of the database cannot be made: {error}") from error
        self.engine = self._engine(read_only=False)
        self._read_engine = self._engine(read_only=True)
        self._fast_engine = self._engine(read_only=False, durable=False) if self.sqlite else self.engine

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[tuple[Session, Now]]:
        """A session whose changes are committed together, and `now`, to be called once the locks are held.

        One that is not `durable` does not wait for the disk: only for what may be repeated when the power fails, such
        as the record that a mail was sent.
        """
        with Session(self.engine if durable else self._fast_engine, expire_on_commit=False) as session:
            with session.begin():
                if not durable and not self.sqlite:
                    session.execute(sa.text("SET LOCAL synchronous_commit = off"))
                yield session, lambda: self._now(session)
            if wakes_runners(session):
                self.doorbell.ring()

    @contextmanager
    def steady(self) -> Iterator[Steady]:
        """One connection for many short transactions in a row that need not wait for the disk (see `transaction`)."""
        with self._fast_engine.connect() as connection, Session(connection, expire_on_commit=False) as session:
            if not self.sqlite:
                # The few statements of such a connection are prepared once, and not planned again each time.
                connection.exec_driver_sql("SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan")
                connection.commit()
            try:
                yield Steady(self, session)
            finally:
                session.rollback()
                if not self.sqlite and not connection.invalidated:
                    connection.exec_driver_sql("RESET synchronous_commit; RESET plan_cache_mode")
                    connection.commit()

    @contextmanager
    def reading(self) -> Iterator[tuple[Session, Now]]:
        """A session that can only read. What it loaded stays usable after it is closed."""
        with Session(self._read_engine, expire_on_commit=False) as session:
            yield session, lambda: self._about_now(session)
            session.commit()  # after a rollback psycopg would prepare, and PostgreSQL plan, every statement anew

    @staticmethod
    def look_again(session: Session) -> None:
        """Let a reading session's next question see the present; what it loaded stays loaded."""
        session.commit()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self._read_engine.dispose()
        self._fast_engine.dispose()

    def scrub(self, *tables: str) -> bool:
        """Take deleted rows of these tables off the disk as far as the database can; false: try again later.

        SQLite: the log is written into the file, where deleted rows are zeros, and cut to nothing; somebody who still
        reads the old state keeps it from that. PostgreSQL: VACUUM, outside of any transaction.
        """
        if not self.sqlite:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                # To shorten the file it would wait for every reader, and voters for it.
                connection.exec_driver_sql(f"VACUUM (TRUNCATE false) {', '.join(tables)}")
            return True
        raw: Any = self.engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute("PRAGMA busy_timeout = 1000")  # writers wait meanwhile: rather come back later
            busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            cursor.execute("PRAGMA busy_timeout = 20000")
        finally:
            raw.close()
        return not busy

    def _about_now(self, session: Session) -> datetime:
        """The time for what decides nothing: PostgreSQL's clock is asked once a second.

        Deadlines are held by `transaction`, which asks each time.
        """
        if self.sqlite or self._simulation or self._clock is not None:
            return self._now(session)
        asked, found = self._seen
        since = time.monotonic() - asked
        if not 0 <= since < 1:
            asked, found = self._seen = time.monotonic(), self._now(session)
            since = 0
        return found + timedelta(seconds=since)

    def _now(self, session: Session) -> datetime:
        if self._clock is not None:
            now = self._clock()
        elif self.sqlite:
            now = clock.system()
        else:
            now = session.scalars(sa.select(sa.func.clock_timestamp(type_=sa.DateTime(timezone=True)))).one()
        if self._simulation:
            offset = session.scalar(sa.select(InstallationMark.value).where(InstallationMark.name == CLOCK_OFFSET))
            now += timedelta(seconds=float(offset or 0))
        return now.astimezone(UTC)

    def _engine(self, *, read_only: bool, durable: bool = True) -> sa.Engine:
        if not self.sqlite:
            # Read-only where only questions are asked, at the level that sees one state throughout.
            options: dict[str, Any] = (
                {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"} if read_only else {}
            )
            return sa.create_engine(self.url, pool_pre_ping=True, hide_parameters=True, execution_options=options)
        engine = sa.create_engine(self.url, hide_parameters=True)
        begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # we begin ourselves
            connection.execute("PRAGMA busy_timeout = 20000")
            connection.execute("PRAGMA journal_mode = WAL")
            # A receipt promises that the answer is on disk.
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # a deleted secret ballot is zeros on the disk
            if read_only:
                connection.execute("PRAGMA query_only = ON")

        @sa.event.listens_for(engine, "begin")
        def start(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine


class Steady:
    """Transactions one after the other on one connection."""

    def __init__(self, db: Database, session: Session) -> None:
        self._db, self._session = db, session

    @contextmanager
    def transaction(self) -> Iterator[tuple[Session, Now]]:
        """As `Database.transaction(durable=False)`; its `now` decides nothing and may be asked of the clock earlier."""
        with self._session.begin():
            yield self._session, lambda: self._db._about_now(self._session)
