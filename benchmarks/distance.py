"""The same mail over 20 ms of distance: a proxy between senders and `smtp-sink` holds back what it carries for 10 ms in
each direction. A relay in another data centre is about that far.
"""

from __future__ import annotations

import smtplib
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.kit.field import settings_of
from benchmarks.kit.report import Row, compared
from benchmarks.kit.run import Run
from benchmarks.kit.sample import sample
from benchmarks.kit.sending import by_flask_mail, by_workers
from benchmarks.kit.servers import copied, delayed, durable_postgresql, sink
from benchmarks.mail import WORKERS, prepare, rate

ROUND_TRIP_MS = 20.0


def rows(run: Run) -> list[Row]:
    """Messages a second, ours beside Flask-Mail's."""
    ours, theirs = run.count(5_000, 300), run.count(200, 20)
    run.say(f"{run.rounds} rounds: {ours:,} messages of ours, {theirs:,} of Flask-Mail.")
    mine: list[float] = []
    others: list[float] = []
    with (
        durable_postgresql() as server,
        sink() as target,
        delayed(target.port, ROUND_TRIP_MS) as port,
        tempfile.TemporaryDirectory() as folder,
    ):
        run.say(f"An SMTP command and its reply take {_round_trip_ms(port):.1f} ms.")
        template = prepare(server, Path(folder), ours)
        file = Path(folder) / "message.json"
        sample().write(file, theirs)
        for number in range(run.rounds):
            settings = settings_of(copied(server, f"round{number}", template), Path(folder), port)
            mine.append(rate(target, ours, "ours", partial(by_workers, settings, WORKERS, ours)))
            others.append(rate(target, theirs, "Flask-Mail", partial(by_flask_mail, port, file)))
    what = f"over {ROUND_TRIP_MS:g} ms on PostgreSQL, {WORKERS} worker processes"
    return [compared(what, mine, "Flask-Mail, one connection", others, 10)]


def _round_trip_ms(port: int) -> float:
    took = []
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for _ in range(9):
            began = time.perf_counter()
            smtp.noop()
            took.append(time.perf_counter() - began)
    return median(took) * 1000
