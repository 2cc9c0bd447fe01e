"""`python -m coopmail.cli` is `coopmail`."""

from coopmail.cli import main

main()
