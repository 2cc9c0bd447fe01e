"""`coopmail doctor`: looks at every part of an installation and says, a line each, what to do where one is wrong.

It changes nothing and sends nothing, and shows no password.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import click
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from coopmail import charter, clock
from coopmail.cli.doctor_mail import check_domain, check_relay
from coopmail.cli.finding import Finding, fine, unknown, wrong
from coopmail.config import Settings
from coopmail.db import Database
from coopmail.doorbell import connect, count_seen
from coopmail.errors import CharterError, SettingError
from coopmail.jobs.schedule import SCHEDULE
from coopmail.queries import staff
from coopmail.queries.installation import newest_migration, sweeps, version

CLOCKS_APART = 2.0
"""Seconds by which this machine's clock and the database's may differ."""
LONG_AGO = timedelta(minutes=3)
"""A job that should run every few seconds, or every minute, must have run within this."""
REDIS_WANTED = (6, 2)


def examine() -> int:
    """Print a line for each part; returns 1 where one is wrong, else 0. What could not be checked is no fault."""
    faults = 0
    for finding in findings():
        click.echo(str(finding))
        faults += finding.is_wrong
    click.echo("Everything that could be checked is in order." if not faults else f"To be mended: {faults}.")
    return 1 if faults else 0


def findings(system_clock: clock.Clock = clock.system) -> Iterator[Finding]:
    """What is found, part by part. Without readable settings there is nothing else to look at."""
    try:
        settings = Settings.from_env()
    except SettingError as error:
        yield wrong("settings", str(error))
        return
    yield check_settings(settings)
    yield check_charter(settings.charter)
    file = sa.make_url(settings.database_url).database or ""
    if settings.database_url.startswith("sqlite") and not Path(file).is_file():
        yield wrong("database", f"There is no file {file}: run `coopmail db upgrade`, or mend COOPMAIL_DATABASE_URL.")
    else:
        database = Database(settings.database_url, simulation=settings.simulation)
        try:
            yield from check_database(database, system_clock)
        finally:
            database.close()
    yield from check_redis(settings.redis_url)
    yield from check_relay(settings.relay)
    yield from check_domain(settings.mail_domain)
    yield check_keys(settings.key_folder)


def check_settings(settings: Settings) -> Finding:
    """Settings that can be read and go together."""
    address = urlsplit(settings.base_url)
    local = address.hostname in ("127.0.0.1", "::1", "localhost")
    if address.scheme == "http" and not local:
        return wrong("settings", "COOPMAIL_BASE_URL begins with http: personal links would be readable on their way.")
    if settings.server == "gunicorn" and settings.run_jobs and settings.redis_url is None:
        return wrong("settings", "COOPMAIL_SERVER=gunicorn wants COOPMAIL_REDIS_URL, or COOPMAIL_RUN_JOBS=0.")
    return fine("settings", f"{settings.server}, {settings.base_url}")


def check_charter(file: Path) -> Finding:
    """A charter that follows its own rules."""
    try:
        return fine("charter", f"{charter.load(file).cooperative.name}, {file}")
    except CharterError as error:
        return wrong("charter", str(error))


def check_database(database: Database, system_clock: clock.Clock) -> Iterator[Finding]:
    """A database that answers, at this application's migration, with the same time; and when each job last ran."""
    head = newest_migration()
    try:
        with database.reading() as (session, now):
            found, ran, moment = version(session), sweeps(session), now()
            admin = found == head and staff.has_admin(session)
            yield _clocks(database, session, system_clock)
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())[:200]
        yield wrong("database", f"It cannot be read: see COOPMAIL_DATABASE_URL, then `coopmail db upgrade`. {reason}")
        return
    kind = "SQLite" if database.sqlite else "PostgreSQL"
    if found == head:
        yield fine("database", f"{kind}, migration {head}")
    else:
        yield wrong("database", f"It is at migration {found}, the application at {head}: `coopmail db upgrade`.")
    if found == head and admin:
        yield fine("staff", "somebody can sign in to the console and say who else may")
    elif found == head:
        yield wrong("staff", "Nobody is an admin of the console: coopmail staff add ADDRESS --name NAME --role admin")
    yield check_jobs(ran, moment)


def _clocks(database: Database, session: Session, system_clock: clock.Clock) -> Finding:
    if database.sqlite:
        return fine("clock", "the database uses this machine's")
    here = system_clock()
    there: datetime = session.scalars(sa.select(sa.func.clock_timestamp(type_=sa.DateTime(timezone=True)))).one()
    apart = (there - here).total_seconds()
    if abs(apart) > CLOCKS_APART:
        return wrong("clock", f"The database's is {apart:+.1f} s from this machine's: let both follow a time server.")
    return fine("clock", f"the database's is {apart:+.1f} s from this machine's")


def check_jobs(ran: dict[str, datetime], now: datetime) -> Finding:
    """Jobs that ran of late."""
    late = [job.name for job in SCHEDULE if job.name not in ran or now - ran[job.name] > LONG_AGO]
    if not late:
        return fine("jobs", "each ran within the last minutes")
    start = "is `coopmail serve`, or a worker and a scheduler, running? See the log for `job-failed`."
    return wrong("jobs", f"These have not run for {LONG_AGO.seconds // 60} minutes: {', '.join(late)}; {start}")


def check_redis(url: str | None) -> Iterator[Finding]:
    """Redis of an age that RQ wants, with a worker and a scheduler at it."""
    if url is None:
        yield fine("redis", "none is set: a thread of `coopmail serve`, or `coopmail scheduler`, runs the jobs")
        return
    try:
        connection = connect(url)
        found = str(connection.info("server")["redis_version"])
        counts = {what: count_seen(connection, what) for what in ("worker", "scheduler")}
    except Exception as error:  # whatever a client may raise, the other parts are still to be looked at
        yield wrong("redis", f"It does not answer ({type(error).__name__}): see COOPMAIL_REDIS_URL.")
        return
    if tuple(int(part) for part in found.split(".")[:2]) < REDIS_WANTED:
        yield wrong("redis", f"It is version {found}: take {'.'.join(map(str, REDIS_WANTED))} or newer.")
    else:
        yield fine("redis", f"version {found}")
    for what, number in counts.items():
        if number:
            yield fine(f"{what}s", f"{number} seen of late")
        else:
            yield wrong(f"{what}s", f"None was seen of late: start `coopmail {what}`.")


def check_keys(folder: Path) -> Finding:
    """A folder for the keys of secret polls that this account can write to and no other can read."""
    if not folder.exists():
        above = next(parent for parent in folder.parents if parent.exists())
        if os.access(above, os.W_OK | os.X_OK):
            return unknown("keys", f"{folder} is not there yet: the first secret poll makes it. Share it between "
                           "`serve`, workers and scheduler, and keep it out of the database's backup.")  # fmt: skip
        return wrong("keys", f"{folder} is not there and cannot be made by this account: make it, mode 0700.")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return wrong("keys", f"{folder} cannot be written by this account: give it to the one that serves.")
    open_ = [path for path in (folder, *sorted(folder.rglob("*"))) if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_:
        return wrong("keys", f"{open_[0]} can be read by others: chmod -R go= {folder}")
    return fine("keys", f"{folder}, readable by this account only")
