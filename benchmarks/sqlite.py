"""The same mail on SQLite, where one process does it all: what a small cooperative runs."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.kit.field import fill, installation, open_poll, settings_of
from benchmarks.kit.report import Row, compared
from benchmarks.kit.run import Run
from benchmarks.kit.sample import sample
from benchmarks.kit.sending import by_flask_mail, by_workers
from benchmarks.kit.servers import sink
from benchmarks.mail import rate


def rows(run: Run) -> list[Row]:
    """Messages a second, ours beside Flask-Mail's."""
    ours, theirs = run.count(5_000, 300), run.count(2_000, 100)
    run.say(f"{run.rounds} rounds: {ours:,} messages of ours, {theirs:,} of Flask-Mail.")
    mine: list[float] = []
    others: list[float] = []
    with sink() as target, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with installation(settings_of(f"sqlite:///{folder}/opened.sqlite", folder)) as office:
            fill(office, ours)
            open_poll(office, long=True)
        file = folder / "message.json"
        sample().write(file, theirs)
        for number in range(run.rounds):
            shutil.copy(folder / "opened.sqlite", folder / f"round{number}.sqlite")
            settings = settings_of(f"sqlite:///{folder}/round{number}.sqlite", folder, target.port)
            mine.append(rate(target, ours, "ours", partial(by_workers, settings, 1, ours)))
            others.append(rate(target, theirs, "Flask-Mail", partial(by_flask_mail, target.port, file)))
    return [compared("end to end on SQLite, one process", mine, "Flask-Mail, one connection", others, 5)]
