"""`make bench`, `make bench ARGS="mail --json"`: measures what is said to be fast.

Every benchmark is a module here with `rows(run)`; its first lines say what it does. Each is said, shown as a table and
written to its own part of `RESULTS.md`. Aims are aims: a figure never makes this fail, work that was not done does.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys

from benchmarks.kit.report import Row, machine, table, write_part
from benchmarks.kit.run import Missing, Run, Wrong

NAMES = ("mail", "distance", "sqlite", "building", "answers", "lists", "scale", "start", "round")
PROFILES = ("mail", "answers")


def main() -> None:
    """Run what is asked, everything where nothing is named."""
    asked = _arguments()
    found: list[Row] = []
    try:
        for name in asked.names or NAMES:
            found += (_profile if asked.profile else _measure)(name, Run(asked.quick))
    except (Missing, Wrong) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    if asked.json:
        print(json.dumps({"rows": found}, ensure_ascii=False))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure what is said to be fast.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    parser.add_argument("--quick", action="store_true", help="little work, one round, RESULTS.md stays as it is")
    parser.add_argument("--profile", action="store_true", help=f"where the time goes ({', '.join(PROFILES)})")
    asked = parser.parse_args()
    known = PROFILES if asked.profile else NAMES
    for name in asked.names:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
    if asked.profile and not asked.names:
        asked.names = list(PROFILES)
    return asked


def _measure(name: str, run: Run) -> list[Row]:
    module = importlib.import_module(f"benchmarks.{name}")
    what = inspect.cleandoc(module.__doc__ or "")
    print(f"\n## {name}\n\n{what}\n\nOn {machine()}.\n", flush=True)
    rows: list[Row] = module.rows(run) if inspect.signature(module.rows).parameters else module.rows()
    print("\n" + "\n".join(table(rows)), flush=True)
    if not run.quick:
        notes = [f"- {note}" for note in run.notes]
        write_part(name, [what, "", f"On {machine()}.", "", *table(rows), "", *notes], NAMES)
    return rows


def _profile(name: str, run: Run) -> list[Row]:
    print(f"\n## Where the time goes: {name}\n\nOn {machine()}.\n", flush=True)
    importlib.import_module(f"benchmarks.{name}").profile(run)
    return []


if __name__ == "__main__":
    main()
