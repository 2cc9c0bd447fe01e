"""`coopmail polls`: write, open, follow and close polls from the command line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.actions import decisions, electorate, poll_drafts
from coopmail.actions import polls as actions
from coopmail.cli.office import office
from coopmail.cli.poll_file import build_poll, closing_time, read_poll_file, said
from coopmail.domain.calendar import brussels_day
from coopmail.domain.polls import Poll, PollState
from coopmail.errors import PollFileError
from coopmail.parts import Parts
from coopmail.queries import outbox
from coopmail.queries import polls as questions

_MOMENT = click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"])


@click.group()
def polls() -> None:
    """Polls: draft → open → closed → decided, or withdrawn. Times are Brussels time."""


@polls.command("list")
def list_polls() -> None:
    """Every poll, with its state and closing time."""
    with office() as found, found.db.reading() as (session, _):
        listed = questions.listing(session)
        for poll in listed:
            click.echo(f"{poll.slug:<40} {_standing(poll)}")
        if not listed:
            click.echo("There is no poll yet. Write one in a TOML file, then: coopmail polls draft FILE")


@polls.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Read a poll file and say what it would make; nothing is written."""
    entry = read_poll_file(file)
    with office() as found:
        with found.db.reading() as (session, now):
            poll = build_poll(session, entry, file.parent, found.charter.polls_on(brussels_day(now())))
            _refuse_today(session, file, poll, now())
            units = electorate.size(session, poll, now())
            notes = _warnings(found, poll, now())
        click.echo(f"{entry.slug}: {len(entry.options)} options, closes {wording.moment(closing_time(entry.closes))}.")
        kind = "Secret" if entry.secret else "Not secret: the outcome shows how each one voted"
        click.echo(f"{kind}. {units} may vote today; who may is decided at opening.")
        for note in notes:
            click.echo(f"Mind: {note}")


@polls.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def draft(file: Path) -> None:
    """Write a draft from a poll file; a draft of the same name is replaced."""
    entry = read_poll_file(file)
    with office() as found:
        with found.db.transaction() as (session, now):
            poll = build_poll(session, entry, file.parent, found.charter.polls_on(brussels_day(now())))
            _refuse_today(session, file, poll, now())
            actions.draft_poll(session, now, poll)
        click.echo(f"Draft {entry.slug} is written. To open it: coopmail polls open {entry.slug}")


@polls.command("open")
@click.argument("slug")
@click.option("--yes", is_flag=True, help="Do not ask.")
def open_(slug: str, yes: bool) -> None:
    """Open a draft: freeze who may vote, and mail each contact a personal link."""
    with office() as found:
        with found.db.reading() as (session, _):
            questions.by_slug(session, slug).check_transition(PollState.OPEN)
        _ask(yes, f"Open {slug}, and mail everyone who may vote? Mails cannot be taken back.")
        with found.db.transaction() as (session, now):
            poll = questions.by_slug(session, slug)
            notes = _warnings(found, poll, now())
            poll = actions.open_poll(session, poll.id, now, found.basis)
            turnout = questions.turnout(session, poll.id)
            mails = outbox.counts(session, f"poll:{poll.id}:invitation").get("queued", 0)
        for note in notes:
            click.echo(f"Mind: {note}")
        click.echo(
            f"{slug} is open until {wording.moment(poll.closes_at)}: "
            f"{turnout.units} may vote{_others(turnout.apart)}, {mails} mails are queued."
        )
        if poll.secret:
            place = found.settings.key_folder
            click.echo(f"Its key is in {place}, and must be in no backup: it is destroyed at closing.")
        if turnout.unreachable:
            click.echo(f"Nobody can be reached for {turnout.unreachable} of them: see `coopmail matters list`.")


@polls.command()
@click.argument("slug")
def show(slug: str) -> None:
    """How a poll stands: turnout, mails, reminders, outcome."""
    with office() as found, found.db.reading() as (session, _):
        poll = questions.by_slug(session, slug)
        turnout = questions.turnout(session, poll.id)
        click.echo(f"{poll.title_nl}\n{_standing(poll)}{_secrecy(poll)}")
        click.echo(_taking_part(poll, turnout))
        for name in ("invitation", "receipt", "extended", "withdrawn", "outcome"):
            counts = outbox.counts(session, f"poll:{poll.id}:{name}")
            if counts:
                numbers = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
                click.echo(f"{name} mails: {numbers}")
        for reminder in questions.reminders_of(session, poll.id):
            click.echo(f"reminder on {wording.day(reminder.day)}: {reminder.state.value}")
        outcome = questions.outcome_of(session, poll.id)
        if outcome is not None:
            click.echo(wording.outcome(poll, outcome))
            shown = questions.shows_counts(poll, outcome)
            lines = [f"  {outcome.tally[option.key]:>5}  {option.label_nl}" for option in poll.options]
            click.echo("\n".join(lines if shown else [wording.hidden_counts()]))
            if outcome.apart is not None:
                click.echo(wording.apart(outcome))
                click.echo("\n".join(f"  {outcome.apart['tally'][key]:>5}  {wording.option_label(poll, key)}"
                                     for key in poll.option_keys))  # fmt: skip
            if outcome.list_hash is not None:
                click.echo(f"hash of the list of ballots: {outcome.list_hash}")


@polls.command()
@click.argument("slug")
@click.option("--until", required=True, type=_MOMENT, help="The new closing time, as in 2026-12-11T17:00.")
def extend(slug: str, until: datetime) -> None:
    """Give an open poll more time; all who were asked are told."""
    with office() as found:
        with found.db.transaction() as (session, now):
            poll = actions.extend_poll(
                session, questions.by_slug(session, slug).id, now, closing_time(until), found.basis
            )
        click.echo(f"{slug} is open until {wording.moment(poll.closes_at)}.")


@polls.command()
@click.argument("slug")
@click.option("--yes", is_flag=True, help="Do not ask.")
def close(slug: str, yes: bool) -> None:
    """Close an open poll before its time, count it, and mail the outcome."""
    with office() as found:
        with found.db.reading() as (session, _):
            poll = questions.by_slug(session, slug)
            poll.check_transition(PollState.CLOSED)
            turnout = questions.turnout(session, poll.id)
        _ask(
            yes,
            f"{turnout.units - turnout.answered} of {turnout.units} have not answered and no longer can"
            f"{_others(turnout.apart - turnout.answered_apart)}. Close {slug}?",
        )
        with found.db.transaction() as (session, now):
            poll = questions.by_slug(session, slug)
            outcome = actions.close_poll(session, poll.id, now, found.basis, early=True)
        click.echo(wording.outcome(poll, outcome))


@polls.command()
@click.argument("slug")
def announce(slug: str) -> None:
    """Mail the outcome of a poll that was closed too late to be announced by itself."""
    with office() as found, found.db.transaction() as (session, now):
        actions.announce_outcome(session, questions.by_slug(session, slug).id, now)
    click.echo("The outcome mails are queued.")


@polls.command()
@click.argument("slug")
@click.option("--reason", required=True, help="Mailed to all who were asked.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def withdraw(slug: str, reason: str, yes: bool) -> None:
    """Withdraw a draft or an open poll. This cannot be undone: its answers decide nothing."""
    with office() as found:
        with found.db.reading() as (session, _):
            questions.by_slug(session, slug).check_transition(PollState.WITHDRAWN)
        _ask(yes, f"Withdraw {slug}, and mail the reason to all who were asked?")
        with found.db.transaction() as (session, now):
            actions.withdraw_poll(session, questions.by_slug(session, slug).id, now, reason)
    click.echo(f"{slug} is withdrawn.")


@polls.command()
@click.argument("slug")
@click.option("--text", required=True, help="What was decided, in Dutch.")
@click.option("--text-en", default="", help="The same in English.")
@click.option("--grounds", required=True, help="On what the decision rests.")
def decide(slug: str, text: str, text_en: str, grounds: str) -> None:
    """Write the decision that rests on a closed poll."""
    with office() as found, found.db.transaction() as (session, now):
        decision = decisions.decide_poll(session, questions.by_slug(session, slug).id, now, text, text_en, grounds)
    click.echo(f"Decision {decision.number} is recorded and stands on the poll's page; nobody is mailed.")


def _standing(poll: Poll) -> str:
    """The state, and the time that belongs to it."""
    if poll.state is PollState.WITHDRAWN and poll.withdrawn_at is not None:
        return f"withdrawn on {wording.moment(poll.withdrawn_at)}"
    if poll.closed_at is not None:
        state = "" if poll.state is PollState.CLOSED else f"{poll.state.value}, "
        return f"{state}closed on {wording.moment(poll.closed_at)}"
    return f"{poll.state.value}, closes {wording.moment(poll.closes_at)}"


def _taking_part(poll: Poll, turnout: questions.Turnout) -> str:
    if not turnout.units + turnout.apart:
        return "Never opened." if poll.withdrawn_at is not None else "Not opened yet: who may vote is decided then."
    reached = f"nobody can be reached for {turnout.unreachable}" if turnout.unreachable else "all can be reached"
    heard = f"; of {turnout.apart} heard apart, {turnout.answered_apart}" if turnout.apart else ""
    return f"{turnout.answered} of {turnout.units} have answered{heard}; {reached}."


def _others(number: int) -> str:
    """How many besides, who have no vote and are heard apart."""
    return f" (and {number} heard apart, without a vote)" if number else ""


def _secrecy(poll: Poll) -> str:
    """What belongs to a secret poll's standing: whether its key is there."""
    if not poll.secret:
        return ""
    if poll.key_destroyed_at is not None:
        return f"; secret, its key destroyed on {wording.moment(poll.key_destroyed_at)}"
    return "; secret" if poll.closed_at is None and poll.withdrawn_at is None else "; secret, its key not destroyed yet"


def _refuse_today(session: Session, file: Path, poll: Poll, now: datetime) -> None:
    for wrong in poll_drafts.faults_today(session, poll, now):
        raise PollFileError(f"{file.name}: {said(wrong)}")


def _warnings(found: Parts, poll: Poll, now: datetime) -> list[str]:
    sentences = [wording.poll_warning(one) for one in actions.warnings(poll, now, found.charter)]
    return [sentence[:1].lower() + sentence[1:] for sentence in sentences]


def _ask(yes: bool, question: str) -> None:
    if not yes:
        click.confirm(question, abort=True)
