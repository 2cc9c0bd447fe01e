"""What a benchmark found: its rows, the machine, and its own part of `RESULTS.md`."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent.parent / "RESULTS.md"
HEAD = """# Measurements

What `make bench` saw, a part for each benchmark; running one writes its own part anew. Compare the ratios: both sides
of one were measured in turn in the same run on the same machine. The aims are aims, never tests.
"""

Row = dict[str, Any]
"""`what, ours_per_second, beside, beside_per_second, ratio, aim, met`. Where the figure is no rate, `ours_per_second`
is `None` and `measured`, `beside_measured` and `unit` have it."""


def compared(what: str, ours: Sequence[float], beside: str, theirs: Sequence[float], least: float | None) -> Row:
    """Our rates and theirs, round by round, in pieces a second. The ratio is the median of the rounds' ratios.

    `least` is the ratio aimed at: below 1 it is said as a share. `None` where nothing is aimed at.
    """
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    aim = "" if least is None else f"≥ {least:.0%}" if least < 1 else f"≥ {least:g} ×"
    met = None if least is None else ratio >= least
    return {"what": what, "ours_per_second": median(ours), "beside": beside, "beside_per_second": median(theirs),
            "ratio": ratio, "aim": aim, "met": met}  # fmt: skip


def measured(
    what: str, value: float, unit: str, *, most: float | None = None, beside: str = "", theirs: float | None = None
) -> Row:
    """A figure in a unit of its own, of which less is better; `most` is what is aimed at."""
    return {"what": what, "ours_per_second": None, "beside": beside, "beside_per_second": None,
            "ratio": value / theirs if theirs else None, "aim": "" if most is None else f"≤ {most:g} {unit}",
            "met": None if most is None else value <= most, "measured": value, "beside_measured": theirs,
            "unit": unit}  # fmt: skip


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as lines of Markdown."""
    lines = ["| what | ours | beside | theirs | ratio | aim | met |", "| --- | ---: | --- | ---: | ---: | --- | --- |"]
    for row in rows:
        unit = row.get("unit", "/s")
        ours = row.get("measured", row["ours_per_second"])
        theirs = row.get("beside_measured", row["beside_per_second"])
        met = {True: "yes", False: "no", None: ""}[row["met"]]
        cells = (row["what"], _figure(ours, unit), row["beside"], _figure(theirs, unit), _ratio(row), row["aim"], met)
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def machine() -> str:
    """The machine and the day, as far as they matter."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return (
        f"{os.cpu_count()} cores ({model or platform.processor()}), Python {platform.python_version()}, "
        f"{platform.system()}, {date.today().isoformat()}"  # noqa: DTZ011 - the day on this machine is meant
    )


def write_part(name: str, lines: Sequence[str], order: Sequence[str], file: Path = RESULTS) -> None:
    """Write one benchmark's part of the results; the parts of others stay as they are."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    parts = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    parts[name] = "\n" + "\n".join(lines) + "\n"
    kept = [part for part in order if part in parts]
    body = "\n".join(f"## {part}\n\n{parts[part].strip()}\n" for part in kept)
    file.write_text(f"{HEAD}\n{body}", encoding="utf-8")


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{shown} {unit}" if unit != "/s" else f"{shown}/s"


def _ratio(row: Row) -> str:
    ratio = row["ratio"]
    if ratio is None:
        return ""
    return f"{ratio:.0%}" if "%" in row["aim"] else f"{ratio:.2f} ×"
