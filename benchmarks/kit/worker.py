"""One worker: `python -m benchmarks.kit.worker` sends what is due by the settings of its environment, until nothing is.

It says `ready`, waits for a line, and ends with one line of JSON: when it began and ended, by the monotonic clock that
all processes of a machine share.
"""

from __future__ import annotations

import json
import sys
import time

from coopmail import create_app
from coopmail.config import Settings
from coopmail.mail.delivery import deliver_due


def main() -> None:
    """Send."""
    app = create_app(Settings.from_env())
    print("ready", flush=True)
    sys.stdin.readline()
    began, accepted = time.monotonic(), 0
    while found := deliver_due(app):
        accepted += found
    print(json.dumps({"began": began, "ended": time.monotonic(), "accepted": accepted}), flush=True)


if __name__ == "__main__":
    main()
