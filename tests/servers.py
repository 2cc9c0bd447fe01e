"""Real servers for the tests, started from the machine's binaries in a temporary folder on ports of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from waitress import wasyncore


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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
