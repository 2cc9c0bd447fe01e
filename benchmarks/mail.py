"""Mail end to end on PostgreSQL (`fsync` on): claim, sign, render, send, record, by 2 worker processes.

Everybody sends the same invitation to the same `smtp-sink` on this machine, in turn, round by round. Ours begins with
rows in the outbox and ends with the last record; every row must then be sent once and the sink must have counted as
many. The others get their texts ready, with only a name, an organisation and a link to fill in, and record nothing:
Flask-Mail on one reused connection, nodemailer with a pool of 5, Postfix's `smtp-source -s 8`, which sends one constant
message (a connection each, or all on 8 connections with `-d`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.kit import steps
from benchmarks.kit.field import analyse, fill, installation, open_poll, settings_of
from benchmarks.kit.report import Row, compared
from benchmarks.kit.run import Run
from benchmarks.kit.sample import sample
from benchmarks.kit.sending import by_flask_mail, by_nodemailer, by_smtp_source, by_workers, install_nodemailer
from benchmarks.kit.servers import Sink, copied, durable_postgresql, named, sink

WORKERS = 2
OTHERS = {
    "Flask-Mail, one connection": 10.0,
    "nodemailer, pool of 5": 3.0,
    "smtp-source -s 8": 0.4,
    "smtp-source -s 8 -d": None,
}


def rows(run: Run) -> list[Row]:
    """Messages a second, ours beside each of the others."""
    install_nodemailer()
    ours, theirs = run.count(10_000, 300), run.count(2_000, 100)
    message = sample()
    html, text = len(message.html.encode()), len(message.text.encode())
    run.say(f"html {html:,} octets, text {text:,}, ours on the wire {message.wire:,}.")
    run.say(f"{run.rounds} rounds: {ours:,} messages of ours and smtp-source, {theirs:,} of Flask-Mail and nodemailer.")
    rates: dict[str, list[float]] = {name: [] for name in ("ours", *OTHERS)}
    with durable_postgresql() as server, sink() as target, tempfile.TemporaryDirectory() as folder:
        template = prepare(server, Path(folder), ours)
        file = Path(folder) / "message.json"
        message.write(file, theirs)
        others = _others(target.port, file, theirs, ours, message.wire)
        for number in range(run.rounds):
            settings = settings_of(copied(server, f"round{number}", template), Path(folder), target.port)
            rates["ours"].append(rate(target, ours, "ours", partial(by_workers, settings, WORKERS, ours)))
            for name, (count, send) in others.items():
                rates[name].append(rate(target, count, name, send))
    what = f"end to end on PostgreSQL, {WORKERS} worker processes"
    return [compared(what, rates["ours"], name, rates[name], least) for name, least in OTHERS.items()]


def _others(port: int, file: Path, count: int, constant: int, size: int) -> dict[str, tuple[int, Callable[[], float]]]:
    """How many messages each of the others sends, and the function that sends them."""
    source = partial(by_smtp_source, port, constant, size)
    return {
        "Flask-Mail, one connection": (count, partial(by_flask_mail, port, file)),
        "nodemailer, pool of 5": (count, partial(by_nodemailer, port, file)),
        "smtp-source -s 8": (constant, partial(source, keeps=False)),
        "smtp-source -s 8 -d": (constant, partial(source, keeps=True)),
    }


def prepare(server: str, folder: Path, contacts: int) -> str:
    """The name of a database in which a poll has just been opened: its invitations are queued."""
    with installation(settings_of(named(server, "postgres"), folder)) as office:
        fill(office, contacts)
        open_poll(office, long=True)
        analyse(office)
    copied(server, "opened", "postgres")
    return "opened"


def rate(target: Sink, count: int, name: str, send: Callable[[], float]) -> float:
    """Messages a second; every one of them must have arrived."""
    before = target.messages()
    seconds = send()
    target.check(before, count, name)
    return count / seconds


def profile(run: Run) -> None:
    """Where a worker's time goes, by steps of the road and by functions."""
    count = run.count(5_000, 500)
    with durable_postgresql() as server, sink() as target, tempfile.TemporaryDirectory() as folder:
        template = prepare(server, Path(folder), count)
        for number, show in enumerate((steps.show_steps, steps.show_functions)):
            show(settings_of(copied(server, f"profile{number}", template), Path(folder), target.port), count)
