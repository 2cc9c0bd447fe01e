"""Questions about the installation itself: at which migration its database is, when each job last ran."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.config import ROOT
from coopmail.domain.base import InstallationMark

MIGRATIONS = ROOT / "migrations"
SWEEP = "job:"
"""The marks of the jobs: this and the job's name."""
_FORM = "%Y-%m-%dT%H:%M:%SZ"


def newest_migration() -> str:
    """The number of the newest migration of this application: its file's name begins with it."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def version(session: Session) -> str | None:
    """The number of the migration that this database is at; raises SQLAlchemy's error where it has no tables."""
    found: str | None = session.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found


def sweeps(session: Session) -> dict[str, datetime]:
    """When each job last ran without a fault, to the half minute."""
    rows = session.scalars(sa.select(InstallationMark).where(InstallationMark.name.startswith(SWEEP, autoescape=True)))
    return {row.name.removeprefix(SWEEP): read_moment(row.value) for row in rows}


def write_moment(moment: datetime) -> str:
    """A moment as a mark's value: such texts sort as the moments do."""
    return moment.astimezone(UTC).strftime(_FORM)


def read_moment(text: str) -> datetime:
    """The reverse of `write_moment`."""
    return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
