"""The `coopmail` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from coopmail.cli import commands

    commands.coopmail(prog_name="coopmail")
