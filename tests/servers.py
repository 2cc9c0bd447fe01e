"""Real servers for the tests, started from the machine's binaries in a temporary folder on ports of their own."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from redis import Redis
from redis.exceptions import RedisError
from waitress import wasyncore

from coopmail.config import ROOT

PATIENCE = 30.0
"""Seconds that a server may take for what a test waits for."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(what: Callable[[], object], seconds: float = PATIENCE, *, every: float = 0.02) -> None:
    """Return as soon as something is true; fail where it is not within so many seconds."""
    pause, until = threading.Event(), time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "what was waited for did not come about"
        pause.wait(every)


def binary(name: str) -> str:
    """The path of a PostgreSQL program; a machine without it fails the test and is told what to install."""
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )
    assert found, f"{name} is not on this machine: `make test` installs it, or `apt install postgresql`"
    return found


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server; yields the address of its `postgres` database. It will not run as root."""
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="coopmail-pg-"))
    who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    port = free_port()
    data = folder / "data"
    run = {"check": True, "capture_output": True, "cwd": folder, **who}
    subprocess.run([binary("initdb"), "-D", data, "-U", "coopmail", "-A", "trust", "-E", "UTF8", "--no-sync"], **run)  # type: ignore[call-overload]
    # The tests' data may be lost with the machine: no need to wait for its disk.
    options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    try:
        subprocess.run([binary("pg_ctl"), "-D", data, "-o", options, "-w", "-l", folder / "log", "start"], **run)  # type: ignore[call-overload]
        yield f"postgresql+psycopg://coopmail@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run(
            [binary("pg_ctl"), "-D", data, "-m", "immediate", "stop"],
            capture_output=True,
            cwd=folder,
            **who,
            check=False,
        )  # type: ignore[call-overload]
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_database(template: sa.URL) -> Iterator[str]:
    """A copy of a migrated PostgreSQL database (the fixture `migrated_postgresql`); yields its address."""
    name = f"t{uuid.uuid4().hex}"
    engine = sa.create_engine(template, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE coopmail_template"))
    try:
        yield template.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


class RedisServer:
    """A Redis on a port of its own, which can be stopped, killed, and started again with what it had saved."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> Redis:
        """A client that gives up soon."""
        return Redis.from_url(self.url, socket_connect_timeout=2, socket_timeout=2)

    def start(self) -> None:
        """Start, and wait until it answers."""
        program = shutil.which("redis-server")
        assert program, "redis-server is not on this machine: `make test` installs it, or `apt install redis-server`"
        self._process = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
             "--appendonly", "no", "--daemonize", "no"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        eventually(self._answers)

    def stop(self, *, kill: bool = False) -> None:
        """Shut down without saving; with `kill`, as a power cut would. Returns when it is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self._process.wait(timeout=PATIENCE)
            self._process = None

    def _answers(self) -> bool:
        with suppress(RedisError), closing(self.client) as client:
            return bool(client.ping())
        return False


@contextmanager
def redis() -> Iterator[RedisServer]:
    """A Redis server for tests that mean Redis; empty, and gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="coopmail-redis-"))
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Coopmail:
    """A `coopmail` command that runs as a process of its own; `output` is all that it and its children print."""

    process: subprocess.Popen[bytes]
    file: Path
    port: int = 0

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return self.file.read_text(encoding="utf-8", errors="replace")

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log so far; a line that is no JSON object fails the test."""
        found = [json.loads(line) for line in self.output.splitlines()]
        assert all(isinstance(line, dict) for line in found), found
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's lines of one event."""
        return [line for line in self.lines if line["event"] == name]

    def request(
        self, method: str, path: str, body: str | bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """Ask the server, on a connection of its own: status, text and headers."""
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request(method, path, body, form | dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8"), response.headers

    def kill(self) -> None:
        """End it at once, as `kill -9` does; its children stay."""
        self.process.kill()
        self.process.wait(timeout=PATIENCE)

    def end(self) -> int:
        """Ask it to end, wait until it has, and return its status."""
        self.process.terminate()
        return self.process.wait(timeout=60)

    def wait_until_ready(self) -> None:
        """Wait until the server answers, or the worker or scheduler says that it has started."""

        def is_ready() -> bool:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.output}"
            if not self.port:
                return "-started" in self.output
            with suppress(OSError, http.client.HTTPException):
                return self.request("GET", "/health")[0] == http.HTTPStatus.OK
            return False

        eventually(is_ready, 60)


@contextmanager
def coopmail(command: str, settings: Mapping[str, str]) -> Iterator[Coopmail]:
    """`coopmail serve`, `worker` or `scheduler` as a process of its own; yields when it is ready, ends it afterwards.

    `settings` are its `COOPMAIL_*` variables without the prefix: `DATABASE_URL`, and what else differs from `SETTINGS`.
    `serve` gets a free port (`Coopmail.port`). `MAILBOX` and `KEY_FOLDER` are its own where none is given: give one to
    processes that share them. One that was killed or has ended by itself may be left so.

        with redis() as server, coopmail("worker", {"DATABASE_URL": url, "REDIS_URL": server.url}) as worker:
            worker.kill()
    """
    folder = Path(tempfile.mkdtemp(prefix=f"coopmail-{command}-"))
    own = {"MAILBOX": str(folder / "mailbox"), "KEY_FOLDER": str(folder / "keys")}
    around = {name: value for name, value in os.environ.items() if not name.startswith("COOPMAIL_")}
    given = {f"COOPMAIL_{name}": value for name, value in (own | SETTINGS | dict(settings)).items()}
    port = free_port() if command == "serve" else 0
    arguments = [command, "--port", str(port)] if port else [command]
    with (folder / "log").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "coopmail.cli", *arguments],
            env=around | given, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    found = Coopmail(process, folder / "log", port)
    try:
        found.wait_until_ready()
        yield found
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


SETTINGS = {
    "SECRET_KEYS": "1:a key that only the tests know and long enough",
    "BASE_URL": "http://localhost",
    "TICK_SECONDS": "0.2",
}
"""What a process gets where a test says nothing else: a key, and a quick tick."""


@contextmanager
def serving(server: Any) -> Iterator[None]:
    """Run a waitress server in a thread, and end it between two looks at its sockets, not under it."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            wasyncore.loop(timeout=0.05, map=server._map, count=1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=20)
        server.task_dispatcher.shutdown()
        wasyncore.close_all(server._map)
