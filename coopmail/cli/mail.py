"""`coopmail mail`: what waits to go out, and holding a campaign back."""

from __future__ import annotations

import click

from coopmail import wording
from coopmail.actions import outbox as actions
from coopmail.cli.office import office
from coopmail.domain.outbox import CampaignStop
from coopmail.queries import outbox


@click.group()
def mail() -> None:
    """What waits to go out; pausing, resuming and cancelling a campaign."""


@mail.command("list")
def list_campaigns() -> None:
    """Campaigns with mail that waits, and those that stand still."""
    with office() as found, found.db.reading() as (session, _):
        listed = outbox.campaigns(session)
        for campaign in listed:
            numbers = ", ".join(f"{number} {state}" for state, number in sorted(campaign.counts.items()))
            click.echo(f"{campaign.name:<40} {numbers}{_standing(campaign.stop)}")
        if not listed:
            click.echo("Nothing waits to go out.")


def _standing(stop: CampaignStop | None) -> str:
    if stop is None:
        return ""
    until = f" until {wording.moment(stop.until)}" if stop.until is not None else ""
    return f"  [{stop.kind.value}{until}: {stop.reason}]"


@mail.command()
@click.argument("campaign")
@click.option("--reason", required=True, help="Kept in the record.")
def pause(campaign: str, reason: str) -> None:
    """Hold a campaign's mails back until it is resumed. What is on the wire now still arrives."""
    with office() as found:
        with found.db.transaction() as (session, now):
            actions.pause_campaign(session, now(), campaign, reason)
        click.echo(f"{campaign} is paused. To go on: coopmail mail resume {campaign}")


@mail.command()
@click.argument("campaign")
def resume(campaign: str) -> None:
    """Let a paused campaign's mails go out."""
    with office() as found:
        with found.db.transaction() as (session, now):
            actions.resume_campaign(session, now(), campaign)
        click.echo(f"{campaign} goes on.")


@mail.command()
@click.argument("campaign")
@click.option("--reason", required=True, help="Kept in the record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def cancel(campaign: str, reason: str, yes: bool) -> None:
    """Take back for good what has not gone out yet."""
    with office() as found:
        with found.db.reading() as (session, _):
            counts = outbox.counts(session, campaign)
        waiting = counts.get("queued", 0) + counts.get("claimed", 0)
        question = f"Cancel {campaign}? {waiting} mails will never be sent; {counts.get('sent', 0)} have been."
        if not yes:
            click.confirm(question, abort=True)
        with found.db.transaction() as (session, now):
            taken = actions.cancel_campaign(session, now(), campaign, reason)
        click.echo(f"{campaign} is cancelled: {taken} mails were taken back.")
