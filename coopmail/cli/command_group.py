"""Commands that say what a person can mend in one line, without a traceback; exit status 2."""

from __future__ import annotations

import sys

import click

from coopmail.errors import CoopmailError


class Commands(click.Group):
    """A group of commands in which an error of ours ends the command and not in a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except CoopmailError as error:
            click.echo(f"Error: {' '.join(str(error).split())}", err=True)
            sys.exit(2)
