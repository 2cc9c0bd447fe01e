"""`python -m tests.mail.killable`: forks senders that a test can kill with -9, without loading everything for each.

It reads an order a line from its standard input (JSON: the database, the relay's port, the connections, the moment at
which the clock stands), and answers with two lines: the sender's process id, and how that process ended.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from coopmail import create_app
from coopmail.config import Relay, Settings
from coopmail.mail.delivery import deliver_due
from tests.conftest import FrozenClock


def main() -> None:
    """Fork a sender for each order, one after the other."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                _send(order)
            os._exit(0)
        _say(pid)
        _say(os.waitpid(pid, 0)[1])


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _send(order: dict[str, Any]) -> None:
    settings = Settings(
        secret_keys={1: order["key"]}, database_url=order["database"], mailbox=Path(order["folder"]),
        key_folder=Path(order["folder"]), base_url="http://localhost", relay_connections=order["connections"],
        relay=Relay("127.0.0.1", order["port"], "none"),
    )  # fmt: skip
    deliver_due(create_app(settings, system_clock=FrozenClock(datetime.fromisoformat(order["moment"]))))


if __name__ == "__main__":
    main()
