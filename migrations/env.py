"""Alembic's entry: runs on the connection that `coopmail db upgrade` hands over."""

from __future__ import annotations

from typing import Literal

from alembic import context

import coopmail.domain.audit
import coopmail.domain.decisions
import coopmail.domain.groups
import coopmail.domain.links
import coopmail.domain.outbox
import coopmail.domain.polls
import coopmail.domain.services
import coopmail.domain.uploads  # noqa: F401 - each module adds its tables to the metadata
from coopmail.domain.base import Base, UtcDateTime


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write our column type as what the database has, so that a migration stands on its own."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
