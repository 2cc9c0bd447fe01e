"""What a benchmark runs against: a PostgreSQL that keeps its promises, Debian's `smtp-sink`, a wire of some length."""

from __future__ import annotations

import http.client
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from benchmarks.kit.run import Missing, Wrong
from coopmail.cli.simulated_web import free_port
from tests.servers import binary, postgresql


@contextmanager
def durable_postgresql() -> Iterator[str]:
    """The tests' PostgreSQL, started again with `fsync` on: durability is part of what is promised."""
    try:
        binary("initdb")
    except AssertionError as error:
        raise Missing(str(error)) from error
    with postgresql() as url:
        with connected(url) as connection:
            data = connection.execute(sa.text("SHOW data_directory")).scalar_one()
            port = connection.execute(sa.text("SHOW port")).scalar_one()
        options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=on"
        command = [binary("pg_ctl"), "-D", data, "-m", "fast", "-w", "-l", f"{data}/../log", "-o", options, "restart"]
        owner = pwd.getpwuid(os.stat(data).st_uid).pw_name
        # PostgreSQL will not run as root: whoever owns its files may start it.
        subprocess.run(command, check=True, capture_output=True, cwd=Path(data).parent,
                       user=owner if os.geteuid() == 0 else None)  # fmt: skip
        with connected(url) as connection:
            if connection.execute(sa.text("SHOW fsync")).scalar_one() != "on":
                raise Wrong("PostgreSQL does not wait for the disk.")
        yield url


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    """A connection whose every statement stands by itself."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def copied(server: str, name: str, template: str) -> str:
    """The address of a new database of that name, a copy of another that nobody is connected to."""
    with connected(server) as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    return named(server, name)


def named(server: str, name: str) -> str:
    """The address of a server's database of that name."""
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


@dataclass(frozen=True)
class Sink:
    """A server that takes every message and throws it away."""

    port: int
    counters: Path

    def messages(self) -> int:
        """How many messages it has taken so far."""
        found = re.findall(rb"mesg=(\d+)", self.counters.read_bytes()[-200:])
        return int(found[-1]) if found else 0

    def check(self, before: int, sent: int, who: str) -> None:
        """Raise `Wrong` where so many messages have not arrived since, each once."""
        until = time.monotonic() + 5
        while self.messages() - before < sent and time.monotonic() < until:
            time.sleep(0.01)
        if self.messages() - before != sent:
            raise Wrong(f"{who}: {self.messages() - before} messages arrived of {sent}.")


@contextmanager
def sink() -> Iterator[Sink]:
    """Debian's `smtp-sink` on this machine, which counts what it is given."""
    program, port = program_of("smtp-sink"), free_port()
    unprivileged = ["-u", "nobody"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        counters = Path(folder) / "counters"
        with counters.open("wb") as output:
            command = [program, *unprivileged, "-c", f"127.0.0.1:{port}", "1000"]
            with running(command, stdout=output) as process:
                wait_for(port, process)
                yield Sink(port, counters)


@contextmanager
def delayed(port: int, round_trip_ms: float) -> Iterator[int]:
    """A port that leads to another one, so many milliseconds there and back."""
    here = free_port()
    command = [sys.executable, "-m", "benchmarks.kit.delay", str(here), str(port), str(round_trip_ms / 2)]
    with running(command) as process:
        wait_for(here, process)
        yield here


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    stdout: IO[bytes] | None = None,
    quiet: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process, ended at the end. Where it is `quiet`, the lines that it logs are thrown away."""
    nowhere = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen(command, env=environment, stdout=nowhere if stdout is None else stdout, stderr=nowhere)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_for(port: int, process: subprocess.Popen[bytes], path: str = "") -> float:
    """Wait until a server accepts connections, or answers a path; returns when it did, by the monotonic clock."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.connect()
            if path:
                connection.request("GET", path)
                connection.getresponse().read()
            return time.monotonic()
        except OSError:
            time.sleep(0.005)
        finally:
            connection.close()
    raise Wrong(f"Nothing listens on port {port}.")


def program_of(name: str) -> str:
    """The path of a program of Debian's `postfix`, which need not run."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing(f'{name} is not on this machine: sudo apt-get install postfix (choose "No configuration").')
    return found
