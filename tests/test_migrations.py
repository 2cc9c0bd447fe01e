"""Migrations: from nothing to exactly the tables of the application; another database is refused with what to do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from coopmail.cli.server import check_database, upgrade_database
from coopmail.db import DEMONSTRATION, Database
from coopmail.domain.audit import AuditRow
from coopmail.domain.base import Base, InstallationMark
from coopmail.domain.contacts import Contact
from coopmail.domain.polls import Ballot, Poll
from coopmail.errors import DatabaseError
from coopmail.queries.installation import MIGRATIONS, newest_migration
from tests.builders import build_contact
from tests.conftest import MONDAY

HEAD = ScriptDirectory(str(MIGRATIONS)).get_current_head()
OTHER = f"The database is at version {{}}, the application at {HEAD}: run `coopmail db upgrade`."


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.sqlite"
        return
    server = sa.make_url(request.getfixturevalue("postgresql_server"))
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"e{uuid.uuid4().hex}"
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield server.set(database=name).render_as_string(hide_password=False)
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    """The same, opened."""
    database = Database(empty_url)
    yield database
    database.close()


@pytest.fixture
def migrated(database_url: str) -> Iterator[Database]:
    """A database of this version, opened."""
    database = Database(database_url)
    yield database
    database.close()


def differences(database: Database) -> list[Any]:
    """In what a database and the application's tables differ."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found: list[Any] = compare_metadata(context, Base.metadata)
        return found


def refusal(database: Database, *, simulation: bool = False) -> str:
    """Why a database is refused."""
    with pytest.raises(DatabaseError) as error:
        check_database(database, simulation=simulation)
    return str(error.value)


def test_upgrading_an_empty_database_gives_exactly_the_tables_of_the_application(
    empty_url: str, empty: Database
) -> None:
    assert differences(empty) != []
    upgrade_database(empty_url)
    assert differences(empty) == []
    check_database(empty, simulation=False)


def test_every_rule_of_the_tables_is_in_the_database_too(migrated: Database) -> None:
    """What the comparison passes over: checks, and the conditions of partial indices."""
    found = sa.inspect(migrated.engine)
    for table in Base.metadata.sorted_tables:
        checks = {check["name"] for check in found.get_check_constraints(table.name)}
        assert checks == {rule.name for rule in table.constraints if isinstance(rule, sa.CheckConstraint)}, table.name
    dialect = migrated.engine.dialect.name
    partial = {index["name"] for index in found.get_indexes("representations")
               if index.get("dialect_options", {}).get(f"{dialect}_where") is not None}  # fmt: skip
    assert partial == {"uq_representations_general", "uq_representations_service"}


def test_upgrading_again_changes_nothing_and_keeps_every_row(database_url: str, migrated: Database) -> None:
    with migrated.transaction() as (session, _):
        session.add(build_contact("Els Peeters", "els.peeters@aartselaar.example", MONDAY))
    upgrade_database(database_url)
    assert differences(migrated) == []
    with migrated.reading() as (session, _):
        assert session.scalars(sa.select(Contact.email)).all() == ["els.peeters@aartselaar.example"]


def upgrade_to(database: Database, revision: str) -> None:
    """Run the migrations up to one of them."""
    with database.engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


USED = """
INSERT INTO groups (id, slug, name, kind) VALUES (1, 'dc', 'Digitale Collecties', 'steering_group');
INSERT INTO contacts (id, name, email, email_key, telephone, language, functional)
    VALUES (1, 'Els Peeters', 'els@aartselaar.example', 'els@aartselaar.example', '', 'nl', false);
INSERT INTO organisations (id, name, kind, municipality, province, population, regional, big_city)
    VALUES (1, 'Bibliotheek Aartselaar', 'library', 'Aartselaar', 'Antwerpen', 14000, false, false);
INSERT INTO polls (id, slug, state, title_nl, title_en, summary_nl, summary_en, more_nl, more_en, next_step_nl,
    next_step_en, minutes, effect, visibility, audience, group_id, method_name, majority, majority_share, share_of,
    tie_rule, closes_at, reminder_days, units, population, withdrawal_reason)
    VALUES (1, 'p', 'open', 'T', '', 'S', '', '', '', 'N', '', 2, 'binding', 'public', 'all_members', 1, 'choice',
    'simple', '2/3', 'valid', 'left_open', '2026-12-04 16:00:00', '[7]', 1, 14000, '');
INSERT INTO options (id, poll_id, position, key, label_nl, label_en, description_nl, description_en, abstain,
    status_quo, cost_yearly, cost_sharing) VALUES (1, 1, 0, 'keep', 'K', '', '', '', false, false, false, 'none');
INSERT INTO voting_units (id, poll_id, organisation_id, name, population, weight)
    VALUES (1, 1, 1, 'Bibliotheek Aartselaar', 14000, 1);
INSERT INTO ballots (id, poll_id, unit_id, contact_id, answered_by, marks_text, cast_at, version)
    VALUES (1, 1, 1, 1, 'Els Peeters', '["keep"]', '2026-11-20 10:00:00', 1);
INSERT INTO audit_rows (id, at, act, actor, subject, detail)
    VALUES (1, '2026-11-20 10:00:00', 'ballot-cast', 'contact\\:1', 'poll\\:1', '{}');
"""


def test_a_database_in_use_keeps_every_row_when_it_is_upgraded(empty: Database, empty_url: str) -> None:
    upgrade_to(empty, "0001")
    with empty.transaction() as (session, _):
        for statement in USED.strip().rstrip(";").split(";\n"):
            session.execute(sa.text(statement))
    upgrade_database(empty_url)
    assert differences(empty) == []
    with empty.reading() as (session, _):
        poll, ballot = session.get_one(Poll, 1), session.get_one(Ballot, 1)
        assert (poll.secret, poll.key_destroyed_at) == (False, None)
        assert (ballot.marks, ballot.answered_by) == (("keep",), "Els Peeters")
        assert session.scalars(sa.select(AuditRow.sequence)).all() == [None]


def test_there_is_one_line_of_migrations() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_an_empty_database_is_refused_with_what_to_run(empty: Database) -> None:
    kind = {"sqlite": "OperationalError", "postgresql": "ProgrammingError"}[empty.engine.dialect.name]
    assert refusal(empty) == f"The database cannot be read: run `coopmail db upgrade` first. ({kind})"


def test_a_database_of_another_version_is_refused_with_both_versions(migrated: Database) -> None:
    with migrated.transaction() as (session, _):
        session.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    assert refusal(migrated) == OTHER.format("0000")


def test_a_database_whose_version_was_lost_is_refused(migrated: Database) -> None:
    with migrated.transaction() as (session, _):
        session.execute(sa.text("DELETE FROM alembic_version"))
    assert refusal(migrated) == OTHER.format("–")


def test_a_database_of_a_version_that_nobody_knows_cannot_be_upgraded(database_url: str, migrated: Database) -> None:
    with migrated.transaction() as (session, _):
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError) as error:
        upgrade_database(database_url)
    assert str(error.value) == ("The database cannot be brought up to date: Can't locate revision identified by '9999'")


def test_a_database_that_nobody_serves_cannot_be_upgraded() -> None:
    with pytest.raises(DatabaseError, match=r"^The database cannot be brought up to date: connection "):
        upgrade_database("postgresql+psycopg://coopmail:geheim@127.0.0.1:1/coopmail")


def test_a_database_file_that_cannot_be_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match=r"^The folder of the database cannot be made: .*file"):
        upgrade_database(f"sqlite:///{tmp_path}/file/coopmail.sqlite")


def test_simulated_time_wants_the_mark_of_the_demonstration(migrated: Database) -> None:
    check_database(migrated, simulation=False)
    assert refusal(migrated, simulation=True) == (
        "COOPMAIL_SIMULATION wants a database of the demonstration: simulated time would close real polls."
    )
    with migrated.transaction() as (session, _):
        session.add(InstallationMark(name=DEMONSTRATION, value="1"))
    check_database(migrated, simulation=True)


def test_the_newest_file_is_the_head_of_the_migrations() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == newest_migration()
