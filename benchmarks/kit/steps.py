"""Where a worker's time goes: by the steps of a mail's road, and by functions."""

from __future__ import annotations

import cProfile
import functools
import importlib
import pstats
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from coopmail import create_app
from coopmail.config import Settings
from coopmail.mail.delivery import deliver_due
from coopmail.parts import parts

STEPS: dict[str, tuple[str, ...]] = {
    "claim": ("coopmail.mail.claims:claim",),
    "ask": ("coopmail.mail.delivery:envelopes",),
    "letter": ("coopmail.mail.letters:write",),
    "sign": ("coopmail.links:LinkSigner.sign",),
    "compose": (
        "coopmail.mail.composing:Composer.compose",
        "coopmail.mail.composing:Composed.body",
        "coopmail.mail.delivery:head",
    ),
    "connect and send": ("coopmail.mail.pool:Pool.ready", "coopmail.mail.pool:Pool.start"),
    "wait for replies": ("coopmail.mail.pool:Pool.wait",),
    "record": ("coopmail.mail.claims:record",),
    "commit": ("coopmail.mail.delivery:_Run._settle",),
}
"""A step, and the functions that take it, by the names under which they are called. What a function calls that is a
step of its own is not counted twice; so `commit` is what is left of the transaction."""
REST = "all else"


def clock() -> tuple[float, float]:
    """Seconds by the clock, and of this thread's processor time."""
    return time.perf_counter(), time.thread_time()


@dataclass
class Stopwatch:
    """Seconds of each step: by the clock, and of processor time. What is missing of it was waiting."""

    clock: Callable[[], tuple[float, float]] = clock
    wall: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*STEPS, REST), 0.0))
    busy: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*STEPS, REST), 0.0))
    _road: list[str] = field(default_factory=lambda: [REST])
    _since: tuple[float, float] = (0.0, 0.0)

    def start(self) -> None:
        """Begin to count."""
        self._since = self.clock()

    def lap(self) -> None:
        """Give the time since the last lap to the step that is taken now."""
        now = self.clock()
        self.wall[self._road[-1]] += now[0] - self._since[0]
        self.busy[self._road[-1]] += now[1] - self._since[1]
        self._since = now

    def timed(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time is this step's."""

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            self.lap()
            self._road.append(step)
            try:
                return function(*args, **kwargs)
            finally:
                self.lap()
                self._road.pop()

        return run

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Put every step's functions under the watch."""
        kept = []
        for step, names in STEPS.items():
            for name in names:
                owner, attribute, function = found(name)
                kept.append((owner, attribute, function))
                setattr(owner, attribute, self.timed(step, function))
        self.start()
        try:
            yield
        finally:
            self.lap()
            for owner, attribute, function in kept:
                setattr(owner, attribute, function)


def found(name: str) -> tuple[Any, str, Callable[..., Any]]:
    """Where a function of `STEPS` stands, its name there, and itself; `AttributeError` where there is none."""
    module, _, path = name.partition(":")
    *classes, attribute = path.split(".")
    owner = functools.reduce(getattr, classes, importlib.import_module(module))
    return owner, attribute, getattr(owner, attribute)


def show_steps(settings: Settings, count: int) -> None:
    """Send so many mails by one worker and print what each step takes of a mail, in microseconds."""
    app, watch = create_app(settings), Stopwatch()
    began = time.perf_counter()
    with watch.watching():
        while deliver_due(app):
            pass
    seconds = time.perf_counter() - began
    parts(app).db.close()
    print(f"One worker, {count:,} mails: {count / seconds:,.0f}/s. Microseconds a mail:\n")
    print("| step | by the clock | of it busy | of it waiting | share |\n| --- | ---: | ---: | ---: | ---: |")
    for step in (*STEPS, REST):
        wall, busy = watch.wall[step] / count * 1e6, watch.busy[step] / count * 1e6
        print(f"| {step} | {wall:,.0f} | {busy:,.0f} | {max(0, wall - busy):,.0f} | {watch.wall[step] / seconds:.0%} |")


def show_functions(settings: Settings, _count: int) -> None:
    """Send by one worker under cProfile, which makes everything slower, and print the functions that cost most."""
    app, profiler = create_app(settings), cProfile.Profile()
    profiler.runcall(lambda: [None for _ in iter(lambda: deliver_due(app), 0)])
    parts(app).db.close()
    print("\nThe same under cProfile, by functions:\n")
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(25)
