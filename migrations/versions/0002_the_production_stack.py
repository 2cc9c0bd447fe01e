"""Secret ballots, the sealed audit chain, campaigns that stand still, what senders share about the relay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this version."""
    op.create_table(
        "campaign_stops",
        sa.Column("campaign", sa.String(length=80), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("paused", "cancelled", name="stopkind", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("campaign", name=op.f("pk_campaign_stops")),
    )
    op.create_table(
        "relay_states",
        sa.Column("name", sa.String(length=260), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_relay_states")),
    )
    op.create_table(
        "poll_keys",
        sa.Column("poll_id", sa.Integer(), nullable=False),
        sa.Column("half", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["poll_id"], ["polls.id"], name=op.f("fk_poll_keys_poll_id_polls")),
        sa.PrimaryKeyConstraint("poll_id", name=op.f("pk_poll_keys")),
    )
    op.create_table(
        "published_ballots",
        sa.Column("poll_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("marks_text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["poll_id"], ["polls.id"], name=op.f("fk_published_ballots_poll_id_polls")),
        sa.PrimaryKeyConstraint("poll_id", "code", name=op.f("pk_published_ballots")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sealed_ballots",
        sa.Column("handle", sa.String(length=64), nullable=False),
        sa.Column("poll_id", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["poll_id"], ["polls.id"], name=op.f("fk_sealed_ballots_poll_id_polls")),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_sealed_ballots")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("sealed_ballots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sealed_ballots_poll_id"), ["poll_id"], unique=False)

    with op.batch_alter_table("audit_rows", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sequence", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("salt", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("commitment", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("chain", sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f("ix_audit_rows_sequence"), ["sequence"], unique=True)

    with op.batch_alter_table("ballots", schema=None) as batch_op:
        batch_op.alter_column("marks_text", existing_type=sa.TEXT(), nullable=True)

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_due"))
        batch_op.create_index("ix_outbox_due", ["state", "priority", "not_before", "id"], unique=False)

    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("list_hash", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("audit_head", sa.String(length=80), nullable=True))

    # Not by batch: it would rebuild the table on SQLite, to which rows of others point.
    op.add_column("polls", sa.Column("secret", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("polls", sa.Column("key_destroyed_at", sa.DateTime(timezone=True), nullable=True))
