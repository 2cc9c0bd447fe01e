"""What every table shares: `Base`, the UTC column type, enumerations as text, random keys made by the database."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.sql.functions import GenericFunction

from coopmail.errors import ChangedMeanwhile

NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment, aware and in UTC on both databases (SQLite alone would hand back a naive one)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse a naive time: it is a defect of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: Any) -> datetime | None:
        """The moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table."""

    metadata = sa.MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: UtcDateTime()}  # noqa: RUF012 - SQLAlchemy reads it from the class


E = TypeVar("E", bound=enum.StrEnum)


def enumeration(kind: type[E]) -> sa.Enum:
    """A column type that keeps an enumeration's value as text and refuses any other."""
    return sa.Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        name=kind.__name__.lower(),
        length=30,
        values_callable=lambda members: [member.value for member in members],
    )


class random_key(GenericFunction[str]):  # noqa: N801 - it is an SQL function
    """128 random bits as 32 hexadecimal digits, drawn by the database: one a row of INSERT … SELECT."""

    type = sa.String(32)
    inherit_cache = True


@compiles(random_key, "sqlite")
def _random_key_sqlite(_element: Any, _compiler: Any, **_: Any) -> str:
    return "lower(hex(randomblob(16)))"


@compiles(random_key, "postgresql")
def _random_key_postgresql(_element: Any, _compiler: Any, **_: Any) -> str:
    # Two version-4 UUIDs hold 244 random bits from the server's strong source; SHA-256 folds them to 128.
    both = "uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())"
    return f"encode(substring(sha256({both}) from 1 for 16), 'hex')"


class Versioned:
    """A row that two people may edit at once: `version` counts its changes, and an edit names the one that it read."""

    version: Mapped[int] = mapped_column(default=1, server_default="1", sort_order=90)

    def edit(self, read_version: int) -> None:
        """Begin an edit of what was read as that version, or raise `ChangedMeanwhile`: then nothing is overwritten."""
        if read_version != self.version:
            raise ChangedMeanwhile("Somebody else changed this meanwhile.")
        self.version = read_version + 1


class InstallationMark(Base):
    """A fact about this database: that it holds the demonstration, how far simulated time has moved."""

    __tablename__ = "installation_marks"
    name: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    value: Mapped[str] = mapped_column(sa.String(200))


LANGUAGES = ("nl", "en")


def in_language(row: object, field: str, language: str) -> str:
    """A text that staff wrote: the English version where there is one and it is asked, else the Dutch."""
    english = getattr(row, f"{field}_en")
    dutch: str = getattr(row, f"{field}_nl")
    return english if language == "en" and english else dutch


def insert_new(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that passes over rows whose unique key is there already, on either database."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


_WAKE = "wake_runners"


def wake_runners(session: Session) -> None:
    """Ask that the runners be rung when this transaction commits: there is something for them."""
    session.info[_WAKE] = True


def wakes_runners(session: Session) -> bool:
    """Whether `wake_runners` was asked."""
    return _WAKE in session.info
