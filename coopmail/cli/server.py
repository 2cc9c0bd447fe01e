"""Starting the application's processes, and bringing its tables up to date."""

from __future__ import annotations

import importlib.util
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from coopmail import MAX_BODY, create_app
from coopmail.config import Settings
from coopmail.db import DEMONSTRATION, Database
from coopmail.domain.base import InstallationMark
from coopmail.errors import DatabaseError, SettingError
from coopmail.parts import parts
from coopmail.queries.installation import MIGRATIONS, newest_migration, version

if TYPE_CHECKING:
    from coopmail.jobs.runner import ThreadRunner
    from coopmail.jobs.scheduler import Scheduler


def upgrade_database(url: str) -> None:
    """Run the migrations that this database lacks."""
    from alembic import command  # a quarter of a second: not when only serving
    from alembic.config import Config
    from alembic.util import CommandError

    database = Database(url)
    try:
        with database.engine.connect() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except (SQLAlchemyError, CommandError) as error:
        reason = getattr(error, "orig", None) or error
        raise DatabaseError(f"The database cannot be brought up to date: {reason}") from error
    finally:
        database.close()


def check_database(database: Database, *, simulation: bool) -> None:
    """Refuse a database of another version, and simulated time on one that is not the demonstration's."""
    head = newest_migration()
    try:
        with database.reading() as (session, _):
            found = version(session)
            marked = session.get(InstallationMark, DEMONSTRATION) if found == head else None
    except SQLAlchemyError as error:
        raise DatabaseError(
            f"The database cannot be read: run `coopmail db upgrade` first. ({type(error).__name__})"
        ) from error
    if found != head:
        raise DatabaseError(
            f"The database is at version {found or '–'}, the application at {head}: run `coopmail db upgrade`."
        )
    if simulation and marked is None:
        raise DatabaseError(
            "COOPMAIL_SIMULATION wants a database of the demonstration: simulated time would close real polls."
        )


def http_server(app: Any, settings: Settings, host: str, port: int) -> Any:
    """A server that listens; `run` serves. Port 0 takes a free one.

    What a proxy says of whom it speaks for is believed of the one that is trusted. Where none is, its headers stay to
    be seen: the local mailbox refuses whoever came through one.
    """
    import waitress

    trusted = settings.trusted_proxy or None
    return waitress.create_server(
        app,
        host=host,
        port=port,
        threads=8,
        ident="coopmail",
        max_request_body_size=MAX_BODY,
        trusted_proxy=trusted,
        trusted_proxy_headers={"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"} if trusted else set(),
        clear_untrusted_proxy_headers=trusted is not None,
    )


def check_port(host: str, port: int) -> None:
    """Raise `SettingError` where something is served on that port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingError(f"Nothing can be served on {host}, port {port}: {error.strerror or error}.") from error


def run_server(settings: Settings, host: str, port: int) -> None:
    """Serve by waitress until the process is asked to end; the runner's thread finishes the job that runs.

    Where Redis is configured, workers and a scheduler run the jobs, and this process runs none.
    """
    from coopmail.jobs.runner import ThreadRunner

    app = create_app(settings)
    check_database(parts(app).db, simulation=settings.simulation)
    runner = ThreadRunner(app) if settings.run_jobs and settings.redis_url is None else None
    on_sigterm(_leave)
    try:
        server = http_server(app, settings, host, port)
    except OSError as error:
        raise SettingError(f"Nothing can be served on {host}, port {port}: {error.strerror or error}.") from error
    if runner is not None:
        # A page must not wait 5 ms at each of its steps for the thread that renders mails.
        sys.setswitchinterval(0.0005)
        runner.start()
    try:
        server.run()
    finally:
        if runner is not None:
            runner.stop()
        parts(app).db.doorbell.flush()
        parts(app).db.close()


def run_worker(settings: Settings) -> None:
    """Run the jobs that are rung in Redis until asked to end; `SettingError` where no Redis is configured."""
    if settings.redis_url is None:
        raise SettingError("A worker wants COOPMAIL_REDIS_URL. Without Redis, `coopmail scheduler` runs the jobs.")
    wants_the_production_extra("COOPMAIL_REDIS_URL", "rq")
    from coopmail.jobs.worker import work

    app = create_app(settings)
    check_database(parts(app).db, simulation=settings.simulation)
    work(app)


def run_scheduler(settings: Settings) -> None:
    """Ring jobs in Redis when they are due; without Redis, run them in this process. Until asked to end."""
    app = create_app(settings)
    check_database(parts(app).db, simulation=settings.simulation)
    runner = _scheduler(app, settings)
    on_sigterm(runner.end_soon)
    structlog.get_logger(__name__).info("scheduler-started")
    runner.run()
    parts(app).db.close()


def _scheduler(app: Flask, settings: Settings) -> Scheduler | ThreadRunner:
    if settings.redis_url is None:
        from coopmail.jobs.runner import ThreadRunner

        return ThreadRunner(app)
    wants_the_production_extra("COOPMAIL_REDIS_URL", "redis")
    from coopmail.jobs.scheduler import Scheduler

    return Scheduler(app)


def on_sigterm(act: Callable[[], None]) -> None:
    """Do this when the process is asked to end, by SIGTERM or Ctrl+C."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        act()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


def _leave() -> None:
    raise SystemExit(0)


def wants_the_production_extra(setting: str, module: str) -> None:
    """Raise `SettingError` where a setting asks for a library that is not installed."""
    if importlib.util.find_spec(module) is None:
        raise SettingError(f"{setting} wants {module}: install Coopmail with its extra `production`.")
