"""What an RQ worker calls. A job in Redis holds a name and nothing else."""

from __future__ import annotations

from flask import Flask

from coopmail.doorbell import EVERYTHING
from coopmail.jobs.runner import run_all, run_jobs
from coopmail.jobs.schedule import SCHEDULE
from coopmail.parts import parts

_installed: dict[str, Flask] = {}


def work_for(app: Flask) -> None:
    """Name the application whose jobs this process, and those that are forked from it, will run."""
    _installed["app"] = app


def perform(name: str) -> None:
    """Run the schedule's job of that name, or every job; a name that the schedule does not know runs nothing."""
    app = _installed["app"]
    office = parts(app)
    if name == EVERYTHING:
        office.db.doorbell.begun()
        run_all(app)
    else:
        run_jobs(app, [job for job in SCHEDULE if job.name == name])
    office.db.doorbell.flush()  # this process ends before its bell's thread would have carried the ring
    office.db.close()
