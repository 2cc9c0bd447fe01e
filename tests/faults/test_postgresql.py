"""PostgreSQL crashes and comes back in the middle: what was confirmed is there, the rest is sent within a minute."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from coopmail.cli.server import upgrade_database
from tests.faults.judging import check_answers, check_mail, check_sums, last_accepted
from tests.faults.stack import ring, stack
from tests.faults.voters import Voters, links, plan
from tests.servers import binary, eventually, free_port, redis

LIBRARIES, ANSWERS = 595, 150
MAILS = LIBRARIES + 5
UNSYNCED = 1.0
"""Seconds of which the record that a mail was sent may be lost (`mail.md`): thrice the log writer's delay, and more."""


class Server:
    """A PostgreSQL that waits for its disk, and that can crash."""

    def __init__(self, folder: Path, who: dict[str, Any]) -> None:
        self._folder, self._who = folder, who
        self.url = sa.make_url(f"postgresql+psycopg://coopmail@127.0.0.1:{free_port()}/postgres")
        self._run("initdb", "-U", "coopmail", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c port={self.url.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._run("pg_ctl", "-o", options, "-w", "-l", str(folder / "log"), "start")

    def crash(self) -> None:
        """Drop everything, at once, and start again; returns when it answers."""
        self._run("pg_ctl", "-m", "immediate", "-w", "-l", str(self._folder / "log"), "restart")

    def stop(self) -> None:
        """For good."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def settings(self) -> dict[str, str]:
        """What makes a commit last."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            names = ("fsync", "synchronous_commit", "full_page_writes")
            return {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names}

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [binary(program), "-D", str(self._folder / "data"), *arguments],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder, **self._who,
        )  # fmt: skip


@contextmanager
def durable_postgresql() -> Iterator[Server]:
    """Such a server, with the template that `installation` copies."""
    folder, who = Path(tempfile.mkdtemp(prefix="coopmail-pg-")), {}
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody")
        os.chown(folder, account.pw_uid, account.pw_gid)
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    try:
        server = Server(folder, who)
        try:
            engine = sa.create_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
            with engine.connect() as connection:
                connection.exec_driver_sql("CREATE DATABASE coopmail_template")
            upgrade_database(server.url.set(database="coopmail_template").render_as_string(hide_password=False))
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_all_is_well_again_within_a_minute_of_a_crash_of_postgresql(tmp_path: Path) -> None:
    with durable_postgresql() as database, redis() as server:
        assert database.settings() == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
        with stack(database.url, tmp_path, LIBRARIES, server.url) as found:
            paths = links(found.office, found.poll_id)
            planned = plan(list(paths), ANSWERS)
            with Voters(found.web.port, paths, planned) as voters:
                voters.allow(2 * ANSWERS // 3)
                ring(server.url)
                eventually(lambda: len(found.sink.copies) >= MAILS // 4 and voters.count >= ANSWERS // 5, 90)
                crashed = time.monotonic()
                database.crash()
                back = time.monotonic()
                crashed_at = found.now()
                voters.finish()
            found.settle()
            assert voters.faults == []
            check_answers(found.office, planned, voters.confirmed)
            check_mail(found, planned, (crashed - UNSYNCED, back))
            assert set(check_sums(found, MAILS)) <= {"sent", "suppressed"}
            assert (last_accepted(found.office) - crashed_at).total_seconds() <= 60
