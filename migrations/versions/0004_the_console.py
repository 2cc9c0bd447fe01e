"""Organisations and contacts as they live, the staff and their console, recorded votes and decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OLD_UNIT = "CONSTRAINT ck_voting_units_organisation_or_seat CHECK ((organisation_id IS NULL) <> (seat_id IS NULL))"
NEW_UNIT = (
    "CONSTRAINT ck_voting_units_organisation_seat_or_person CHECK ((CASE WHEN organisation_id IS NULL THEN 0 ELSE 1 END)"
    " + (CASE WHEN seat_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN contact_id IS NULL THEN 0 ELSE 1 END) = 1)"
)
AUDIENCES = "CONSTRAINT ck_polls_audience CHECK (audience IN ('service_members', 'group_seats', 'all_members'"


def upgrade() -> None:
    """Bring the tables to this version."""
    _new_tables()
    # Plain SQL that both databases know: SQLite takes a column with its constraint, and no constraint afterwards.
    for line in (
        "organisations ADD COLUMN code VARCHAR(40)",
        "organisations ADD COLUMN ended_on DATE",
        _points("organisations", "merged_into_id", "organisations"),
        _points("organisations", "split_from_id", "organisations"),
        "contacts ADD COLUMN undeliverable_at {moment}",
        "contacts ADD COLUMN away_until DATE",
        _points("polls", "saved_audience_id", "saved_audiences"),
        _points("voting_units", "contact_id", "contacts"),
        "ballots ADD COLUMN channel VARCHAR(30) DEFAULT 'link' NOT NULL"
        " CONSTRAINT ck_ballots_channel CHECK (channel IN ('link', 'telephone', 'paper'))",
        _points("ballots", "recorded_by_id", "staff"),
        "ballots ADD COLUMN proof TEXT DEFAULT '' NOT NULL",
        "ballots ADD COLUMN contested_at {moment}",
        "ballots ADD COLUMN contest_reason TEXT DEFAULT '' NOT NULL",
        "outcomes ADD COLUMN apart JSON",
        "decisions ADD COLUMN title_nl VARCHAR(200) DEFAULT '' NOT NULL",
        "decisions ADD COLUMN title_en VARCHAR(200) DEFAULT '' NOT NULL",
        "decisions ADD COLUMN visibility VARCHAR(30) DEFAULT 'participants' NOT NULL"
        " CONSTRAINT ck_decisions_visibility CHECK (visibility IN ('public', 'participants'))",
        "decisions ADD COLUMN present INTEGER",
        "decisions ADD COLUMN votes_for INTEGER",
        "decisions ADD COLUMN votes_against INTEGER",
        "decisions ADD COLUMN abstained INTEGER",
        "decisions ADD COLUMN recorded_at {moment}",
        _points("decisions", "recorded_by_id", "staff"),
        "decisions ADD COLUMN withdrawn_at {moment}",
        "decisions ADD COLUMN withdrawal_reason TEXT DEFAULT '' NOT NULL",
        _points("matters", "poll_id", "polls"),
        _points("matters", "unit_id", "voting_units"),
        _points("matters", "mail_id", "outbox"),
        "matters ADD COLUMN detail JSON",
        _points("matters", "settled_by_id", "staff"),
        _points("outbox", "staff_id", "staff"),
        "outbox DROP COLUMN address",
        *(f"{table} ADD COLUMN version INTEGER DEFAULT '1' NOT NULL"
          for table in ("organisations", "contacts", "polls", "decisions")),
    ):  # fmt: skip
        op.execute("ALTER TABLE " + line.format(moment="DATETIME" if _sqlite() else "TIMESTAMP WITH TIME ZONE"))
    # A decision that rests on a public poll was, and stays, public.
    op.execute(
        "UPDATE decisions SET visibility = 'public' WHERE poll_id IN (SELECT id FROM polls WHERE visibility = 'public')"
    )
    for table, columns, unique in (
        ("organisations", ["code"], True),
        ("voting_units", ["poll_id", "contact_id"], True),
        ("contacts", ["name"], False),
        ("seats", ["contact_id"], False),
        ("decisions", ["decided_on"], False),
        ("matters", ["poll_id"], False),
    ):
        prefix = "uq" if unique else "ix"
        op.create_index(f"{prefix}_{table}_{'_'.join(columns)}", table, columns, unique=unique)
    _changed_checks()


def _sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _points(table: str, column: str, to: str) -> str:
    return f"{table} ADD COLUMN {column} INTEGER CONSTRAINT fk_{table}_{column}_{to} REFERENCES {to} (id)"


def _changed_checks() -> None:
    """A unit may be a person, a poll may ask the field, a recorded ballot names no contact."""
    if not _sqlite():
        op.execute("ALTER TABLE voting_units DROP CONSTRAINT ck_voting_units_organisation_or_seat")
        op.execute(f"ALTER TABLE voting_units ADD {NEW_UNIT}")
        op.execute("ALTER TABLE polls DROP CONSTRAINT ck_polls_audience")
        op.execute(f"ALTER TABLE polls ADD {AUDIENCES}, 'whole_field', 'saved'))")
        op.execute("ALTER TABLE ballots ALTER COLUMN contact_id DROP NOT NULL")
        return
    # SQLite changes no constraint of a table, and making a table anew to which others point loses them. What its own
    # manual gives for loosening a constraint: write the table's definition, and let it be read again.
    connection = op.get_bind()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    for table, before, after in (
        ("voting_units", OLD_UNIT, NEW_UNIT),
        ("polls", AUDIENCES, f"{AUDIENCES}, 'whole_field', 'saved'"),
        ("ballots", "contact_id INTEGER NOT NULL", "contact_id INTEGER"),
    ):
        definition = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
        text = connection.exec_driver_sql(definition, (table,)).scalar_one()
        if text.count(before) != 1:
            raise RuntimeError(f"table {table} is not as version 0003 left it")
        changed = "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?"
        connection.exec_driver_sql(changed, (text.replace(before, after), table))
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def _new_tables() -> None:
    op.create_table(
        "saved_audiences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("question", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_audiences")),
        sa.UniqueConstraint("name", name=op.f("uq_saved_audiences_name")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("email_key", sa.String(length=320), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column(
            "role",
            sa.Enum("staff", "admin", name="staffrole", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email_key", name=op.f("uq_staff_email_key")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_sign_ins_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("key", name=op.f("uq_sign_ins_key")),
    )
    op.create_index("ix_sign_ins_address_key", "sign_ins", ["address_key"])
    op.create_index("ix_sign_ins_requested_at", "sign_ins", ["requested_at"])
    op.create_table(
        "staff_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("csrf", sa.String(length=43), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_sessions_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_staff_sessions_token_hash")),
    )
    op.create_index("ix_staff_sessions_staff_id", "staff_sessions", ["staff_id"])
    op.create_table(
        "pilots",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_pilots_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_pilots_service_id_services")),
        sa.PrimaryKeyConstraint("organisation_id", "service_id", name=op.f("pk_pilots")),
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(length=400), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_calls_staff_id_staff")),
        sa.ForeignKeyConstraint(["unit_id"], ["voting_units.id"], name=op.f("fk_calls_unit_id_voting_units")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
    )
    op.create_index("ix_calls_unit_id", "calls", ["unit_id"])
    op.create_table(
        "decision_documents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("media_type", sa.String(length=60), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name=op.f("fk_decision_documents_decision_id_decisions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_documents")),
    )
    op.create_index("ix_decision_documents_decision_id", "decision_documents", ["decision_id"])
    op.create_table(
        "responses",
        sa.Column("invitation_id", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitations.id"], name=op.f("fk_responses_invitation_id_invitations")
        ),
        sa.PrimaryKeyConstraint("invitation_id", name=op.f("pk_responses")),
    )
    op.create_table(
        "uploads",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_uploads_staff_id_staff")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_sent_at", "uploads", ["sent_at"])
