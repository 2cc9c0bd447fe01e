"""`coopmail audit`: the record of what was done: read it, and see whether anybody changed it."""

from __future__ import annotations

import json
from typing import Any

import click

from coopmail.cli.office import office
from coopmail.domain.audit import START, Head, Written
from coopmail.errors import DatabaseError
from coopmail.queries import audit as record
from coopmail.queries import audit_verification, polls


class HeadType(click.ParamType[Head]):
    """A head as it stands in an outcome mail: SEQUENCE:HASH."""

    name = "SEQUENCE:HASH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Head:
        """Read it."""
        try:
            head = value if isinstance(value, Head) else Head.read(value.strip())
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        if head.sequence == 0:
            self.fail("rows are numbered from 1.", param, ctx)
        return head


@click.group()
def audit() -> None:
    """The record of what was done: sealed a few seconds later, so that no change of it goes unseen."""


@audit.command("list")
@click.option("--subject", help="Only what is about one subject, as in poll:3 or organisation:12.")
@click.option("--poll", "slug", help="Only what is about one poll, by its slug.")
def list_record(subject: str | None, slug: str | None) -> None:
    """Print the record: number, moment in UTC, act, actor, subject, detail. What is not sealed yet has no number."""
    if subject and slug:
        raise click.UsageError("Give either --subject or --poll.")
    with office() as found, found.db.reading() as (session, _):
        if slug:
            subject = f"poll:{polls.by_slug(session, slug).id}"
        empty = True
        for row in record.record(session, subject):
            click.echo(_line(row))
            empty = False
    if empty:
        click.echo("The record holds nothing" + (f" about {subject}." if subject else " yet."))


@audit.command()
def head() -> None:
    """Print the head of the chain: kept elsewhere, it proves later that nothing before it was changed."""
    with office() as found, found.db.reading() as (session, _):
        try:
            marked = record.head(session)
        except ValueError as error:
            raise DatabaseError("The mark of the head cannot be read: run `coopmail audit verify`.") from error
    click.echo("Nothing is sealed yet." if marked == START else str(marked))


@audit.command()
@click.option("--head", "kept", type=HeadType(), multiple=True, help="A head that was kept, as in an outcome mail.")
def verify(kept: tuple[Head, ...]) -> None:
    """Follow the chain, and name the first row that was changed, taken out or put in. Exit status 1 where one was."""
    with office() as found, found.db.reading() as (session, _):
        result = audit_verification.verify(session, kept)
    if result.unsealed:
        click.echo(f"Not sealed yet, and not looked at: {result.unsealed}.")
    if result.fault is not None:
        click.echo(_plain(result.fault.text))
        click.echo("What follows it was not looked at.")
        raise SystemExit(1)
    click.echo(f"The record is as it was sealed: {result.head.sequence} rows. Head: {result.head}")
    if kept:
        click.echo("It holds " + ("the head" if len(kept) == 1 else f"all {len(kept)} heads") + " that you kept.")


def _line(row: Written) -> str:
    """A row as one line."""
    number = _text(row.sequence) if row.sequence is not None else "-"
    about = f"{_text(row.actor) or '(erased)':<14} {_text(row.subject):<16}"
    return _plain(f"{number:>7}  {_text(row.at)[:19]} UTC  {_text(row.act):<18} {about} {_detail(row)}").rstrip()


def _plain(text: str) -> str:
    """A text for a terminal: whatever a voter or an insider wrote, no control character reaches it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _detail(row: Written) -> str:
    text = _text(row.detail)
    try:
        return json.dumps(json.loads(text), ensure_ascii=False) if text != "{}" else ""
    except ValueError:
        return text  # somebody changed it: shown as it stands


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
