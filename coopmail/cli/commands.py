"""Every command, on one page; what takes more than a few lines stands in a module of its own."""

from __future__ import annotations

import click

from coopmail.cli.command_group import Commands
from coopmail.config import Settings


@click.group(cls=Commands)
def coopmail() -> None:
    """Governs a cooperative's shared services by e-mail."""


@coopmail.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """Serve the pages, with the runner's thread beside them."""
    from coopmail.cli.server import run_server

    run_server(Settings.from_env(), host, port)


@coopmail.command()
@click.option("--simulate", is_flag=True, help="Do the whole round without a person, on a database of its own.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same round.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--reset", is_flag=True, help="Throw the demonstration away and start over.")
def demo(simulate: bool, as_json: bool, seed: int, port: int, reset: bool) -> None:
    """Run the demonstration cooperative, with its mails in a local mailbox."""
    if simulate:
        from coopmail.cli.simulation import simulate_round

        raise SystemExit(simulate_round(seed, as_json=as_json))
    from coopmail.cli.demo import run_demo

    run_demo(seed, port, reset=reset)


@coopmail.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Bring the tables up to this version."""
    from coopmail.cli.server import upgrade_database

    upgrade_database(Settings.from_env().database_url)
    click.echo("The database is up to date.")


@coopmail.group()
def jobs() -> None:
    """What happens by itself."""


@jobs.command("run")
def run_jobs() -> None:
    """Run every job once, now: to look, or from a timer where no runner is wanted."""
    from coopmail.cli.office import installation
    from coopmail.jobs.runner import run_all

    with installation() as app:
        run_all(app)


def _register() -> None:
    from coopmail.cli.matters import matters
    from coopmail.cli.polls import polls

    coopmail.add_command(polls)
    coopmail.add_command(matters)


_register()
