"""The installation that a command works on: wired, its database checked, and closed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from coopmail import create_app, wording
from coopmail.cli.server import check_database
from coopmail.config import Settings
from coopmail.parts import Parts, parts


@contextmanager
def installation() -> Iterator[Flask]:
    """The application of the environment's settings; `DatabaseError` where its database is not the one expected."""
    settings = Settings.from_env()
    app = create_app(settings)
    try:
        check_database(parts(app).db, simulation=settings.simulation)
        yield app
    finally:
        parts(app).db.close()


@contextmanager
def office() -> Iterator[Parts]:
    """The installation's parts, inside an application that speaks English to operators."""
    with installation() as app, app.app_context(), wording.speaking("en"):
        yield parts(app)
