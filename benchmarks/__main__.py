"""Seconds and megabytes on this machine: the simulated round, the first answer of a server, opening a large poll.

`make bench` runs all and writes `benchmarks/RESULTS.md`; `make bench ARGS="opening"` runs one and writes nothing.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
CONTACTS = 100_000


def simulated_round() -> tuple[str, str, str]:
    """The whole round, from an empty database to the mailed outcome."""
    began = time.monotonic()
    command = [sys.executable, "-m", "coopmail.cli", "demo", "--simulate", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return (f"simulated round ({result['invited']} invitations, {result['ballots']} ballots)",
            f"{time.monotonic() - began:.1f} s", "30 s")  # fmt: skip


def first_request() -> list[tuple[str, str, str]]:
    """`coopmail serve` from its start to its first answer, and its memory then and after 500 pages."""
    from coopmail.cli.server import upgrade_database
    from coopmail.cli.simulated_web import free_port

    with tempfile.TemporaryDirectory() as folder:
        url, port = f"sqlite:///{folder}/bench.sqlite", free_port()
        upgrade_database(url)
        environment = os.environ | {
            "COOPMAIL_SECRET_KEYS": "1:" + "k" * 40,
            "COOPMAIL_DATABASE_URL": url,
            "COOPMAIL_MAILBOX": f"{folder}/mailbox",
        }
        began = time.monotonic()
        server = subprocess.Popen([sys.executable, "-m", "coopmail.cli", "serve", "--port", str(port)], env=environment)
        try:
            while True:
                try:
                    _get(port)
                    break
                except OSError:
                    time.sleep(0.01)
            seconds = time.monotonic() - began
            rest = _peak(server.pid)
            for _ in range(500):
                _get(port)
            return [("first answer of coopmail serve", f"{seconds:.2f} s", "2 s"),
                    ("its memory then", f"{rest:.0f} MB", "120 MB"),
                    ("its memory after 500 pages", f"{_peak(server.pid):.0f} MB", "120 MB")]  # fmt: skip
        finally:
            server.terminate()
            server.wait(timeout=20)


def opening() -> list[tuple[str, str, str]]:
    """Opening a poll for 1,000 and for 100,000 contacts, each in a process of its own, with its peak memory."""
    rows = []
    for contacts in (1_000, CONTACTS):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.opening", str(contacts)], capture_output=True, text=True, check=True
        )
        result = json.loads(done.stdout)
        rows.append((f"opening a poll for {contacts:,} contacts (SQLite)", f"{result['seconds']:.2f} s, "
                     f"peak memory +{result['grown']:.0f} MB over before", "15 s, flat"))  # fmt: skip
    return rows


def _get(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/")
    if connection.getresponse().status != http.HTTPStatus.OK:
        raise OSError("not yet")
    connection.close()


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def machine() -> str:
    """The machine, as far as it matters."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())  # fmt: skip
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, {platform.system()}"


def main() -> None:
    """Run what is asked."""
    wanted = sys.argv[1:] or ["round", "serve", "opening"]
    rows: list[tuple[str, str, str]] = []
    if "round" in wanted:
        rows.append(simulated_round())
    if "serve" in wanted:
        rows += first_request()
    if "opening" in wanted:
        rows += opening()
    lines = ["| what | measured | aim |", "| --- | --- | --- |", *(f"| {a} | {b} | {c} |" for a, b, c in rows)]
    print("\n".join(lines))
    if not sys.argv[1:]:
        RESULTS.write_text(f"# Measurements\n\n`make bench` on {machine()}.\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
