"""Sends the same messages to the same sink: by our workers, and by what a user would otherwise pick."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks.kit.field import environment_of
from benchmarks.kit.run import Missing, Wrong
from benchmarks.kit.servers import connected, program_of
from coopmail.config import Settings

NODEMAILER = Path(__file__).parent.parent / "nodemailer"
TO_NOBODY = ("-f", "cooperatie@cultuurconnect.example", "-t", "mieke@l1.example")


def by_workers(settings: Settings, workers: int, count: int) -> float:
    """Seconds that so many worker processes take, from the first claim to the last record."""
    command = [sys.executable, "-m", "benchmarks.kit.worker"]
    started = [
        subprocess.Popen(command, env=os.environ | environment_of(settings), text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(workers)
    ]  # fmt: skip
    try:
        for worker in started:
            assert worker.stdout is not None
            if worker.stdout.readline() != "ready\n":
                raise Wrong("A worker did not start.")
        for worker in started:
            assert worker.stdin is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
        said = [json.loads(worker.communicate(timeout=900)[0]) for worker in started]
    finally:
        for worker in started:
            worker.kill()
            worker.wait()
    _check_recorded(settings.database_url, count)
    return float(max(one["ended"] for one in said) - min(one["began"] for one in said))


def _check_recorded(url: str, count: int) -> None:
    """Raise `Wrong` unless every mail is recorded as sent, exactly once."""
    with connected(url) as connection:
        counted = connection.execute(sa.text("SELECT state, count(*) FROM outbox GROUP BY state"))
        states = {state: number for state, number in counted}  # noqa: C416 - rows are not pairs to a type checker
        events = connection.execute(
            sa.text("SELECT count(*), count(DISTINCT mail_id) FROM mail_events WHERE event = 'sent'")
        ).one()
    if states != {"sent": count} or tuple(events) != (count, count):
        raise Wrong(f"Of {count} mails the database says {states}; {events[0]} records of {events[1]} mails.")


def by_flask_mail(port: int, file: Path) -> float:
    """Seconds that Flask-Mail takes on one connection, in a process of its own."""
    return _seconds([sys.executable, "-m", "benchmarks.kit.theirs", str(port), str(file)])


def by_nodemailer(port: int, file: Path) -> float:
    """Seconds that nodemailer takes with a pool of five connections."""
    return _seconds(["node", str(NODEMAILER / "send.mjs"), str(port), str(file)])


def by_smtp_source(port: int, count: int, size: int, *, keeps: bool) -> float:
    """Seconds that `smtp-source` takes with eight sessions; one that `keeps` sends all on the same connections."""
    command = [program_of("smtp-source"), "-s", "8", "-l", str(size), "-m", str(count), *TO_NOBODY]
    began = time.monotonic()
    subprocess.run([*command, *(["-d"] if keeps else []), f"127.0.0.1:{port}"], check=True)
    return time.monotonic() - began


def install_nodemailer() -> None:
    """Install nodemailer beside its script by the lock file, where that has not been done since it changed."""
    lock, installed = NODEMAILER / "package-lock.json", NODEMAILER / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    try:
        subprocess.run(["npm", "ci", "--silent"], cwd=NODEMAILER, check=True, stdout=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise Missing("npm is not on this machine: sudo apt-get install npm.") from error


def _seconds(command: list[str]) -> float:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])
