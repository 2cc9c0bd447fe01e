"""Whether the application is well, for those who run it: alive, ready, and its figures."""

from __future__ import annotations

import hmac
from functools import cache

from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from coopmail.parts import parts
from coopmail.queries.installation import newest_migration, version
from coopmail.web import figures

health = Blueprint("health", __name__)


@health.get("/health")
def alive() -> dict[str, str]:
    """Alive: this process answers. Asks nothing of anything else, so that nobody restarts it for a database's fault."""
    return {"status": "ok"}


@health.get("/ready")
def ready() -> tuple[dict[str, str], int]:
    """Ready: its database and Redis answer. 503 names what is missing, in one word: database, migration or redis."""
    missing = _missing()
    return ({"status": missing}, 503) if missing else ({"status": "ready"}, 200)


@health.get("/metrics")
def metrics() -> Response:
    """The figures, for whoever shows the token; for everybody else there is no such page."""
    token = parts().settings.metrics_token
    shown = request.headers.get("Authorization", "")
    if not token or not hmac.compare_digest(shown.encode(), f"Bearer {token}".encode()):
        abort(404)
    return Response(figures.render(current_app), content_type=figures.CONTENT_TYPE)


def _missing() -> str:
    office = parts()
    try:
        with office.db.reading() as (session, _now):
            if version(session) != _head():
                return "migration"
    except SQLAlchemyError as error:
        empty = isinstance(error, ProgrammingError) or "no such table" in str(error)  # PostgreSQL, SQLite
        return "migration" if empty else "database"
    return "" if office.db.doorbell.reachable() else "redis"


@cache
def _head() -> str:
    """The migration that this process was started with."""
    return newest_migration()
