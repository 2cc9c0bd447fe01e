"""The whole round without a person, from an empty database to the mailed outcome: `coopmail demo --simulate`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median

from benchmarks.kit.report import Row, measured
from benchmarks.kit.run import Run


def rows(run: Run) -> list[Row]:
    """Seconds of a round, the process's start included."""
    seconds = []
    for _ in range(run.rounds):
        began = time.monotonic()
        command = [sys.executable, "-m", "coopmail.cli", "demo", "--simulate", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds.append(time.monotonic() - began)
    result = json.loads(done.stdout.splitlines()[-1])
    return [measured(f"simulated round ({result['invited']} invitations, {result['ballots']} ballots)",
                     median(seconds), "s", most=30)]  # fmt: skip
