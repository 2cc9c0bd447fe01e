"""`coopmail matters`: what waits for staff."""

from __future__ import annotations

import click

from coopmail.actions.records import settle_matter as settle
from coopmail.cli.office import office
from coopmail.domain.audit import Matter
from coopmail.errors import UnknownSubject
from coopmail.queries import outbox


@click.group()
def matters() -> None:
    """What waits for staff: who cannot be reached, what the runner could not do."""


@matters.command("list")
def list_matters() -> None:
    """List what waits, the oldest first."""
    with office() as found, found.db.reading() as (session, _):
        waiting = outbox.matters(session)
    for matter in waiting:
        click.echo(f"{matter.id:>5}  {matter.raised_at:%Y-%m-%d %H:%M} UTC  {matter.text}")
    if not waiting:
        click.echo("Nothing waits for you.")


@matters.command("settle")
@click.argument("matter_id", type=int)
def settle_matter(matter_id: int) -> None:
    """Tick one off."""
    with office() as found, found.db.transaction() as (session, now):
        matter = session.get(Matter, matter_id)
        if matter is None:
            raise UnknownSubject(f"There is no matter {matter_id}: see `coopmail matters list`.")
        settle(session, now(), matter.key)
    click.echo("Ticked off.")
