"""`coopmail count`: counts a published list of ballots again, without database or settings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from coopmail.domain import ballot_list
from coopmail.domain.ballot_list import BallotList, ListUnreadable
from coopmail.domain.counting import Count, Verdict


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--hash", "expected", help="The hash in the outcome mail; where the list has another, the status is 1.")
def count(file: Path, expected: str | None) -> None:
    """Count a list of ballots again: tally, verdict, and the hash to compare with the outcome mail's.

    FILE is the list that a poll's page offers once it is closed. Exit status 1 where it is no such list, or not the
    one of that hash.
    """
    raw = file.read_bytes()
    try:
        found = ballot_list.read(raw)
        counted = ballot_list.recount(found)
    except ListUnreadable as error:
        click.echo(f"{file.name}: {' '.join(str(error).split())}", err=True)
        raise SystemExit(1) from error
    _say(found, counted)
    click.echo(f"Hash of this file (SHA-256): {hashlib.sha256(raw).hexdigest()}")
    canonical = ballot_list.canonical(found)
    hashed = hashlib.sha256(canonical).hexdigest()
    if canonical != raw:
        click.echo(f"This file was written anew by another program: the hash of what it says is\n{hashed}")
    _compare(hashed, expected)


def _compare(hashed: str, expected: str | None) -> None:
    """Say whether it is the list that the outcome mail names; status 1 where it is another."""
    if expected is None:
        click.echo(
            "Compare the hash with the one in the outcome mail, or give it: coopmail count FILE --hash HASH. Only where"
            " they\nare equal is this the list that was counted at closing."
        )
    elif expected.strip().lower() == hashed:
        click.echo("That is the hash that was given: this is the list that was counted at closing.")
    else:
        click.echo("The hash that was given is another: this is not the list that was counted at closing.", err=True)
        raise SystemExit(1)


def _say(found: BallotList, counted: Count) -> None:
    labels = {option.key: option.label_en or option.label_nl for option in found.options}
    click.echo(f"{found.slug}: {found.title_en or found.title_nl}")
    ballots = sum(weight > 0 for _, _, weight in found.ballots)
    click.echo(f"{'Secret' if found.secret else 'Open'} poll: {ballots} ballots with {counted.cast} votes of"
               f" the {counted.electorate} that could be cast, {counted.abstentions} of them abstentions.")  # fmt: skip
    for key, votes in counted.tally.items():
        click.echo(f"  {votes:>7}  {labels[key]}")
    click.echo(f"Verdict: {_verdict(counted, labels)}")
    if found.apart:
        heard = ballot_list.recount_apart(found)
        click.echo(
            f"Heard apart, without a vote: {heard.cast} of {found.apart}, {heard.abstentions} of them abstentions."
        )
        for key, number in heard.tally.items():
            click.echo(f"  {number:>7}  {labels[key]}")


def _verdict(counted: Count, labels: dict[str, str]) -> str:
    """The verdict in words, with what was chosen or stood equal."""
    tied = " and ".join(f"“{labels[key]}”" for key in counted.tied)
    if counted.winner is not None:
        return f"“{labels[counted.winner]}” is chosen" + (f", after a tie between {tied}." if tied else ".")
    return {
        Verdict.TIE: f"a tie between {tied}; nothing is chosen.",
        Verdict.NO_BALLOTS: "nobody voted; nothing is chosen.",
        Verdict.NO_QUORUM: "too few took part; nothing is chosen.",
        Verdict.ALL_ABSTAINED: "all abstained; nothing is chosen.",
        Verdict.NO_MAJORITY: "no option has the majority that was asked; nothing is chosen.",
    }[counted.verdict]
