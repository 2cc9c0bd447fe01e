"""`coopmail organisations`: bring the cooperative in from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from coopmail.actions import organisation_import as actions
from coopmail.cli.office import office
from coopmail.documents.tables import MAX_BYTES, read_table
from coopmail.domain.organisation_plan import Plan
from coopmail.domain.organisation_sheet import Line
from coopmail.errors import SettingError
from coopmail.parts import Parts
from coopmail.web.staff import import_words


@click.group()
def organisations() -> None:
    """Who is in the cooperative."""


@organisations.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every change and every bad row.")
@click.option("--skip-bad", is_flag=True, help="Pass over rows that cannot be used, and import the others.")
def import_file(file: Path, dry_run: bool, as_json: bool, skip_bad: bool) -> None:
    """Import organisations, their contacts and what they take from a CSV or XLSX file.

    docs/import.md says how it is written. Without --skip-bad nothing is written while a row is bad, and the exit status
    is 1; with a file that cannot be read at all it is 2. The same file twice changes nothing.
    """
    with office() as found:
        plan, written = _carry_out(found, _read(file), dry_run=dry_run, skip_bad=skip_bad)
        refused = bool(plan.faults) and not skip_bad
        if as_json:
            click.echo(json.dumps(_as_json(plan, file.name, written), ensure_ascii=False))
        else:
            _print(plan, written=written, every=dry_run)
    raise SystemExit(1 if refused else 0)


def _read(file: Path) -> actions.Sheet:
    """The table in a file; one byte more than may be is enough to refuse it. Raises `TableUnreadable`."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingError(f"{file.name} cannot be read: {error.strerror}.") from error
    table = read_table(raw, file.name)
    return actions.Sheet(file.name, table.header, [Line(row.line, row.cells, row.surplus) for row in table.rows])


def _carry_out(found: Parts, sheet: actions.Sheet, *, dry_run: bool, skip_bad: bool) -> tuple[Plan, bool]:
    """What a sheet does, and whether it was written."""
    if dry_run:
        with found.db.reading() as (session, now):
            return actions.plan_import(session, now(), found.charter, sheet), False
    try:
        with found.db.transaction() as (session, now):
            plan = actions.import_organisations(session, now, found.basis, sheet, skip_bad=skip_bad)
    except actions.RowsRefused as refused:
        return refused.plan, False
    return plan, not plan.empty


def _print(plan: Plan, *, written: bool, every: bool) -> None:
    """Counts, and where they are asked every change; what is wrong goes to the error output."""
    for name in plan.unknown_columns:
        click.echo(f'Column "{name}" means nothing here and is passed over.', err=True)
    for wrong in import_words.wrong(plan):
        place = f"Line {wrong.line}, column {wrong.column}" if wrong.column else f"Line {wrong.line}"
        click.echo(f"{place}{f' ({wrong.value})' if wrong.value else ''}: {wrong.reason}", err=True)
    for change in plan.changes() if every else ():
        told = import_words.told(change)
        click.echo(f"{'+' if told.added else '~'} {told.sort}: {told.subject}: {told.in_one_line}")
    for count in import_words.counts(plan):
        click.echo(f"{count.label}: {count.added} added, {count.changed} changed")
    if plan.founded:
        click.echo(f"Groups and services of the charter: {len(plan.founded)} added")
    click.echo(f"Organisations left as they are: {plan.same}")
    if plan.faults:
        click.echo(f"Rows that cannot be used: {plan.bad_rows} of {plan.rows}")
    click.echo("Imported." if written else "There is nothing to import." if plan.empty else "Nothing is written.")


def _as_json(plan: Plan, name: str, written: bool) -> dict[str, Any]:
    """What was done, for a program."""
    changes = [import_words.told(change)._asdict() | {"sort": change.sort} for change in plan.changes()]
    bad = [
        {"line": fault.line, "column": fault.column, "code": fault.code, "values": fault.values, "reason": wrong.reason}
        for fault, wrong in zip(plan.faults, import_words.wrong(plan), strict=True)
    ]
    return {
        "file": name, "rows": plan.rows, "written": written, "bad_rows": plan.bad_rows, "bad": bad,
        "unknown_columns": plan.unknown_columns, "founded": plan.founded, "unchanged": plan.same, "changes": changes,
    }  # fmt: skip
