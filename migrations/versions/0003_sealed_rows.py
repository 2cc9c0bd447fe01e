"""Sealed audit rows: quick to find what is not sealed; on PostgreSQL, no careless change or deletion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# It keeps mistakes out, not the owner of the table: that is what the chain is for. Erasing passes.
REFUSE = """
CREATE FUNCTION refuse_change_of_sealed_audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND (NEW.id, NEW.at, NEW.act, NEW.subject, NEW.sequence, NEW.commitment, NEW.chain)
            IS NOT DISTINCT FROM (OLD.id, OLD.at, OLD.act, OLD.subject, OLD.sequence, OLD.commitment, OLD.chain)
        AND ((NEW.actor, NEW.detail::text, NEW.salt) IS NOT DISTINCT FROM (OLD.actor, OLD.detail::text, OLD.salt)
            OR (NEW.actor = '' AND NEW.detail::text = '{}' AND NEW.salt IS NULL))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit row % is sealed: it can be erased, not changed or deleted', OLD.sequence;
END
$$
"""
GUARD = """
CREATE TRIGGER sealed_audit_rows_stay BEFORE UPDATE OR DELETE ON audit_rows
FOR EACH ROW WHEN (OLD.sequence IS NOT NULL) EXECUTE FUNCTION refuse_change_of_sealed_audit_row()
"""


def upgrade() -> None:
    """Bring the tables to this version."""
    unsealed = sa.text("sequence IS NULL")
    op.create_index("ix_audit_rows_unsealed", "audit_rows", ["id"], sqlite_where=unsealed, postgresql_where=unsealed)
    if op.get_context().dialect.name == "postgresql":
        op.execute(REFUSE)
        op.execute(GUARD)
