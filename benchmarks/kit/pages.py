"""Where the time of a page goes: the same requests in one process, without a server, plain and under cProfile."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Sequence

import sqlalchemy as sa

from benchmarks.kit.load import Request, Visit
from benchmarks.kit.run import Wrong
from coopmail import create_app
from coopmail.config import Settings
from coopmail.parts import parts

WARM = 100


def show(settings: Settings, visits: Sequence[Visit]) -> None:
    """Print what a GET and a POST cost: milliseconds, statements, and the functions that cost most."""
    app = create_app(settings)
    client, statements = app.test_client(), [0]

    def ask(requests: Sequence[Request]) -> None:
        for _, method, path, body, status in requests:
            form = "application/x-www-form-urlencoded"
            if client.open(path, method=method, data=body or None, content_type=form).status_code != status:
                raise Wrong(f"A {method} was not answered as expected.")

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def count(*_: object) -> None:
        statements[0] += 1

    kinds = [list(requests) for requests in zip(*visits, strict=True)]
    for requests in kinds:
        ask(requests[:WARM])
    middle = WARM + (len(visits) - WARM) // 2
    for requests in kinds:
        plain, watched = requests[WARM:middle], requests[middle:]
        statements[0], began, busy = 0, time.perf_counter(), time.process_time()
        ask(plain)
        wall, busy = time.perf_counter() - began, time.process_time() - busy
        print(f"{requests[0][0]}: {wall / len(plain) * 1000:.2f} ms, of it {busy / len(plain) * 1000:.2f} ms busy, "
              f"{statements[0] / len(plain):.1f} statements.\n")  # fmt: skip
        profiler = cProfile.Profile()
        profiler.runcall(ask, watched)
        for order in ("tottime", "cumulative"):
            pstats.Stats(profiler).strip_dirs().sort_stats(order).print_stats(15 if order == "tottime" else 40)
    parts(app).db.close()
