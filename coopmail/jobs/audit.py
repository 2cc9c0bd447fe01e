"""Sealing the record a few seconds behind: in the transaction of an answer, all answers would wait for each other."""

from __future__ import annotations

import time

from flask import Flask

from coopmail.actions import audit
from coopmail.parts import parts
from coopmail.queries import audit as record

LONGEST = 10.0
"""Seconds after which the job ends, to be due again."""


def seal_audit(app: Flask) -> None:
    """Seal what is there, a batch a transaction; a second sealer leaves it to the first."""
    office = parts(app)
    with office.db.reading() as (session, _):
        if not record.is_unsealed(session):
            return
    ends = time.monotonic() + LONGEST
    while time.monotonic() < ends:
        with office.db.transaction() as (session, _):
            if audit.seal(session) < audit.BATCH:
                return
