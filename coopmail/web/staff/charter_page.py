"""The charter in force, to be read: it is changed in its file, by a decision, and read when the program starts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import render_template

from coopmail import charter as rules
from coopmail.charter import Charter
from coopmail.domain.calendar import brussels_day
from coopmail.errors import CharterError
from coopmail.parts import parts
from coopmail.web.staff.charter_words import chapters, quiet_period
from coopmail.web.staff.console import staff


@staff.get("/charter")
def charter() -> str:
    """Every dated entry of the charter: which holds today, which will and which did; and the file that it is in."""
    office = parts()
    with office.db.reading() as (_session, now):
        today = brussels_day(now())
    return render_template(
        "staff/charter/charter.html",
        charter=office.charter,
        chapters=chapters(office.charter, today),
        quiet=[quiet_period(period) for period in office.charter.quiet_periods],
        **_file(office.settings.charter, office.charter),
    )


def _file(path: Path, in_use: Charter) -> dict[str, Any]:
    """The file's name without its folder, when it was last changed, and whether it is still what is in use."""
    facts: dict[str, Any] = {"file": path.name, "changed_at": None, "standing": "same"}
    try:
        facts["changed_at"] = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if rules.load(path) != in_use:
            facts["standing"] = "changed"
    except (OSError, CharterError):
        facts["standing"] = "unusable"
    return facts
