"""The processes of an installation, started for the simulation: embedded, or the whole production stack."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import sqlalchemy as sa

from coopmail.config import Relay, Settings
from coopmail.db import Database
from coopmail.errors import DatabaseError, SettingError

PATIENCE = 30.0
WORKERS = SCHEDULERS = 2


@dataclass(frozen=True)
class Stack:
    """What the simulation runs on; what is not named is the embedded default."""

    database: str | None = None
    redis: str | None = None
    smtp: tuple[str, int] | None = None
    sink: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        if (self.smtp is None) != (self.sink is None):
            raise SettingError("--smtp and --sink go together: a relay, and where that relay delivers.")
        if self.redis is not None and (self.database is None or self.database.startswith("sqlite")):
            raise SettingError("--redis wants --database postgresql+psycopg://…: several workers share a database.")

    @property
    def relayed(self) -> bool:
        """Whether a relay stands between the application and the sink."""
        return self.smtp is not None

    def settings(self, folder: Path, port: int, sink_port: int) -> Settings:
        """The settings of its installation."""
        host, smtp_port = self.smtp or ("127.0.0.1", sink_port)
        return Settings(
            secret_keys={1: "of the simulation only and not a secret"},
            database_url=self.database or f"sqlite:///{folder}/simulation.sqlite",
            base_url=f"http://127.0.0.1:{port}",
            mailbox=folder / "mailbox",
            key_folder=folder / "poll-keys",
            relay=Relay(host, smtp_port, "none"),
            simulation=True,
            tick_seconds=0.05 if self.redis is None else 0.2,
            redis_url=self.redis,
            server="waitress" if self.redis is None else "gunicorn",
        )


def check_empty(url: str) -> None:
    """Raise `DatabaseError` where a database has any table: the simulation writes a cooperative of its own."""
    database = Database(url)
    try:
        tables = sa.inspect(database.engine).get_table_names()
    except sa.exc.SQLAlchemyError as error:
        raise DatabaseError(f"The database cannot be read: {getattr(error, 'orig', None) or error}") from error
    finally:
        database.close()
    if tables:
        raise DatabaseError(f"The simulation wants an empty database; this one has {len(tables)} tables.")


class Installation:
    """The processes of an installation: a server and, with Redis, workers and schedulers. Their logs are files."""

    def __init__(self, settings: Settings, folder: Path, port: int) -> None:
        relay = settings.relay
        assert relay is not None
        self.settings, self.folder, self.port = settings, folder, port
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("COOPMAIL_")} | {
            "COOPMAIL_SECRET_KEYS": ",".join(f"{version}:{key}" for version, key in settings.secret_keys.items()),
            "COOPMAIL_DATABASE_URL": settings.database_url,
            "COOPMAIL_BASE_URL": settings.base_url,
            "COOPMAIL_SMTP": f"smtp+plain://{relay.host}:{relay.port}",
            "COOPMAIL_MAILBOX": str(settings.mailbox),
            "COOPMAIL_KEY_FOLDER": str(settings.key_folder),
            "COOPMAIL_SIMULATION": "1",
            "COOPMAIL_TICK_SECONDS": str(settings.tick_seconds),
            "COOPMAIL_SERVER": settings.server,
        }
        if settings.redis_url is not None:
            self.environment["COOPMAIL_REDIS_URL"] = settings.redis_url
        self._open = ExitStack()
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Installation:
        server = self._start("serve", "--port", str(self.port))
        if self.settings.redis_url is not None:
            for name in ["worker"] * WORKERS + ["scheduler"] * SCHEDULERS:
                self._start(name)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and server.poll() is None:
            if self._answers():
                return self
            _wait(server, 0.05)
        self.__exit__(None, None, None)
        raise RuntimeError(f"the server did not start: {self.log('serve')[-2000:]}")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        out: IO[bytes] = self._open.enter_context((self.folder / f"{arguments[0]}.log").open("ab"))
        command = [sys.executable, "-m", "coopmail.cli", *arguments]
        process = subprocess.Popen(command, env=self.environment, stdout=out, stderr=out)
        self._processes.append(process)
        return process

    def _answers(self) -> bool:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
                connection.request("GET", "/ready")
                return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:  # it does not listen yet
            return False

    def log(self, name: str) -> str:
        """What the processes of that name have said."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            if not _wait(process, 20):
                process.kill()
                process.wait()
        self._open.close()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
