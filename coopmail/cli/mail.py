"""`coopmail mail`: what waits to go out, and holding a campaign back."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.actions import outbox as actions
from coopmail.cli.office import office
from coopmail.domain.outbox import WAITING, CampaignStop, StopKind
from coopmail.errors import UnknownSubject
from coopmail.queries import outbox, polls


@click.group()
def mail() -> None:
    """What waits to go out; pausing, resuming and cancelling a campaign.

    CAMPAIGN is a name of `coopmail mail list`, as poll:4:invitation, or with the poll's own, as SLUG:invitation.
    """


@mail.command("list")
def list_campaigns() -> None:
    """Campaigns with mail that waits, and those that stand still."""
    with office() as found, found.db.reading() as (session, _):
        listed = [campaign for campaign in outbox.campaigns(session) if not _is_over(campaign)]
        for campaign in listed:
            numbers = ", ".join(f"{number} {state}" for state, number in sorted(campaign.counts.items()))
            poll = outbox.poll_of(session, campaign.name)
            name = campaign.name if poll is None else f"{campaign.name} ({poll.slug})"
            click.echo(f"{name:<40} {numbers}{_standing(campaign.stop)}")
        if not listed:
            click.echo("Nothing waits to go out.")


def _is_over(campaign: outbox.Campaign) -> bool:
    """Whether it is cancelled, and nothing of it is in a sender's hands any more."""
    cancelled = campaign.stop is not None and campaign.stop.kind is StopKind.CANCELLED
    return cancelled and not any(state in campaign.counts for state in WAITING)


def _named(session: Session, campaign: str) -> str:
    """The campaign's own name, also of one that is called by its poll's slug."""
    slug, _, what = campaign.partition(":")
    if not what or outbox.counts(session, campaign):
        return campaign
    try:
        return f"poll:{polls.by_slug(session, slug).id}:{what}"
    except UnknownSubject:
        return campaign


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
            actions.pause_campaign(session, now(), _named(session, campaign), reason)
        click.echo(f"{campaign} is paused. To go on: coopmail mail resume {campaign}")


@mail.command()
@click.argument("campaign")
def resume(campaign: str) -> None:
    """Let a paused campaign's mails go out."""
    with office() as found:
        with found.db.transaction() as (session, now):
            name = _named(session, campaign)
            actions.check_known(session, name)
            actions.resume_campaign(session, now(), name)
        click.echo(f"{campaign} goes on.")


@mail.command()
@click.argument("campaign")
@click.option("--reason", required=True, help="Kept in the record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def cancel(campaign: str, reason: str, yes: bool) -> None:
    """Take back for good what has not gone out yet."""
    with office() as found:
        with found.db.reading() as (session, _):
            name = _named(session, campaign)
            actions.check_cancellable(session, name)
            counts = outbox.counts(session, name)
        waiting = counts.get("queued", 0) + counts.get("claimed", 0)
        question = f"Cancel {campaign}? {waiting} mails will never be sent; {counts.get('sent', 0)} have been."
        if not yes:
            click.confirm(question, abort=True)
        with found.db.transaction() as (session, now):
            taken = actions.cancel_campaign(session, now(), name, reason)
            poll = outbox.left_open(session, name)
        click.echo(f"{campaign} is cancelled: {taken} mails were taken back.")
        if poll is not None:
            click.echo(f"The poll is still open. To withdraw it: coopmail polls withdraw {poll.slug} --reason …")
