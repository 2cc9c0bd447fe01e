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
    """Serve the pages; without Redis, with the runner's thread beside them."""
    from coopmail import logs
    from coopmail.cli.server import run_server, wants_the_production_extra

    settings = Settings.from_env()
    logs.configure_server()
    if settings.server == "waitress":
        run_server(settings, host, port)
        return
    wants_the_production_extra("COOPMAIL_SERVER=gunicorn", "gunicorn")
    from coopmail.cli.gunicorn_server import run_gunicorn

    run_gunicorn(settings, host, port)


@coopmail.command()
def worker() -> None:
    """Run the jobs that are rung in Redis; start as many as you like."""
    from coopmail import logs
    from coopmail.cli.server import run_worker

    settings = Settings.from_env()
    logs.configure_server()
    run_worker(settings)


@coopmail.command()
def scheduler() -> None:
    """Ring jobs when they are due, and run them here while Redis or the workers are away; two are safer than one."""
    from coopmail import logs
    from coopmail.cli.server import run_scheduler

    settings = Settings.from_env()
    logs.configure_server()
    run_scheduler(settings)


@coopmail.command()
def doctor() -> None:
    """Check settings, charter, database, Redis, relay, sender domain, keys and jobs; status 1 where one is wrong."""
    from coopmail.cli.doctor import examine

    raise SystemExit(examine())


def _endpoint(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """HOST:PORT as a pair."""
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter("wants HOST:PORT")
    return host.strip("[]"), int(port)


@coopmail.command()
@click.option("--simulate", is_flag=True, help="Do the whole round without a person, on a database of its own.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same round.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--reset", is_flag=True, help="Throw the demonstration away and start over.")
@click.option("--database", metavar="URL", help="With --simulate: an empty database to use.")
@click.option("--redis", metavar="URL", help="With --simulate: run 2 workers and 2 schedulers on this Redis.")
@click.option("--smtp", metavar="HOST:PORT", callback=_endpoint, help="With --simulate: a relay to hand mails to.")
@click.option("--sink", metavar="HOST:PORT", callback=_endpoint, help="With --simulate: where that relay delivers.")
def demo(
    simulate: bool, as_json: bool, seed: int, port: int, reset: bool, database: str | None, redis: str | None,
    smtp: tuple[str, int] | None, sink: tuple[str, int] | None,
) -> None:  # fmt: skip
    """Run the demonstration cooperative, with its mails in a local mailbox."""
    if simulate:
        from coopmail.cli.simulated_stack import Stack
        from coopmail.cli.simulation import simulate_round

        raise SystemExit(simulate_round(seed, as_json=as_json, stack=Stack(database, redis, smtp, sink)))
    if database or redis or smtp or sink:
        raise click.UsageError("--database, --redis, --smtp and --sink go with --simulate.")
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
    from coopmail.cli.audit import audit
    from coopmail.cli.count import count
    from coopmail.cli.mail import mail
    from coopmail.cli.matters import matters
    from coopmail.cli.organisations import organisations
    from coopmail.cli.polls import polls
    from coopmail.cli.staff import staff

    coopmail.add_command(polls)
    coopmail.add_command(staff)
    coopmail.add_command(matters)
    coopmail.add_command(organisations)
    coopmail.add_command(mail)
    coopmail.add_command(count)
    coopmail.add_command(audit)


_register()
