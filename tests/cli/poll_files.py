"""Poll files for the tests: one that is right, for the cooperative of `builders.py`, and changes to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from coopmail.clock import system
from coopmail.domain.calendar import BRUSSELS

HEAD = {
    "slug": '"krantenarchief"',
    "title_nl": '"Welke weg gaat het Krantenarchief op?"',
    "summary_nl": '"De leverancier verhoogt zijn prijs."',
    "next_step_nl": '"De stuurgroep voert de keuze uit."',
    "effect": '"binding"',
    "audience": '"service_members"',
    "service": '"krantenarchief"',
    "group": '"digitale-collecties"',
    "method": '"choice"',
    "closes": "2026-12-11T17:00:00",
}
OPTIONS = """
[[options]]
key = "blijven"
label_nl = "Bij de leverancier blijven"
cost_euro = "48000.00"
cost_sharing = "population"

[[options]]
key = "overstappen"
label_nl = "Naar een open platform"

[[options]]
key = "onthouding"
label_nl = "Onthouding"
abstain = true
"""


def poll_text(options: str = OPTIONS, /, **changes: str | None) -> str:
    """The text of a poll file; a change replaces an entry by TOML, `None` takes it out."""
    entries = {name: value for name, value in (HEAD | changes).items() if value is not None}
    return "\n".join(f"{name} = {value}" for name, value in entries.items()) + "\n" + options


def far_away(days: int = 400) -> datetime:
    """Noon in Brussels, so many days from now by the computer's clock: no test may wait for it, or see it skipped."""
    return (system().astimezone(BRUSSELS) + timedelta(days=days)).replace(
        hour=12, minute=0, second=0, microsecond=0, tzinfo=None
    )


def write_poll(folder: Path, options: str = OPTIONS, /, **changes: str | None) -> Path:
    """Write a poll file that closes far in the future, unless a change says otherwise."""
    file = folder / "poll.toml"
    closes: dict[str, str | None] = {"closes": f"{far_away():%Y-%m-%dT%H:%M:%S}"}
    file.write_text(poll_text(options, **(closes | changes)), encoding="utf-8")
    return file
