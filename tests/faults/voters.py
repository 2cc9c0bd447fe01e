"""Libraries that answer over HTTP, again and again until they are told that their answer is there."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from random import Random
from urllib.parse import urlencode

import sqlalchemy as sa

from coopmail.domain.links import Invitation, Link
from coopmail.domain.polls import VotingUnit
from coopmail.parts import Parts

HANDS = 8
AGAIN = 0.05
LIMIT = 90.0
"""Seconds after which a page that cannot be had is a defect."""
_AWAY = (500, 502, 503)


def links(office: Parts, poll_id: int) -> dict[str, str]:
    """The path of the personal link of each library of the large field: of these, one person answers."""
    with office.db.reading() as (session, _):
        rows = session.execute(
            sa.select(VotingUnit.name, Link.kind, Link.id, Link.key_version)
            .join(Invitation, Invitation.unit_id == VotingUnit.id)
            .join(Link, Link.invitation_id == Invitation.id)
            .where(Invitation.poll_id == poll_id)
        ).all()
    found = {name: f"/r/{office.signer.sign(kind, link, version)}" for name, kind, link, version in rows}
    return {name: path for name, path in found.items() if name.removeprefix("Bibliotheek ").isdecimal()}


def plan(units: Sequence[str], answers: int, seed: int = 1) -> dict[str, list[str]]:
    """What units answer, in turn: a quarter of them changes its mind once, so there are `answers` in all."""
    dice = Random(seed)
    chosen = dice.sample(sorted(units), answers * 4 // 5)
    found = {unit: [dice.choice(["keep", "move", "abstain"])] for unit in chosen}
    for unit in chosen[: answers - len(chosen)]:
        found[unit].append("move" if found[unit] == ["keep"] else "keep")
    return found


class Voters:
    """Eight people at once; each opens the page and answers once a permit of `allow`, until it is confirmed.

    `confirmed` holds what each unit was last told to be recorded, `seconds` how long each page took that came, and
    `faults` what no fault of the stack can excuse. Closing waits until everybody is done.
    """

    def __init__(self, port: int, paths: Mapping[str, str], planned: Mapping[str, Sequence[str]]) -> None:
        self.confirmed: dict[str, str] = {}
        self.count = self.missed = 0
        self.seconds: list[float] = []
        self.faults: list[str] = []
        self._port, self._paths = port, paths
        self._permits, self._lock, self._pause = threading.Semaphore(0), threading.Lock(), threading.Event()
        self._total = sum(len(choices) for choices in planned.values())
        self._hands = ThreadPoolExecutor(HANDS, thread_name_prefix="voter")
        self._work: list[Future[None]] = [
            self._hands.submit(self._answer, unit, choices) for unit, choices in planned.items()
        ]

    def __enter__(self) -> Voters:
        return self

    def __exit__(self, *_: object) -> None:
        self.allow(self._total)
        self._hands.shutdown(wait=True)

    def allow(self, answers: int) -> None:
        """Let so many more be given."""
        self._permits.release(answers)

    def finish(self) -> None:
        """Let everybody answer, and wait for it."""
        self.allow(self._total)
        for work in self._work:
            work.result(2 * LIMIT)

    def _answer(self, unit: str, choices: Sequence[str]) -> None:
        for choice in choices:
            self._permits.acquire()
            if self._visit("GET", self._paths[unit], None, 200) and self._visit(
                "POST", self._paths[unit], urlencode({"choice": choice}), 303
            ):
                with self._lock:
                    self.confirmed[unit] = choice
                    self.count += 1

    def _visit(self, method: str, path: str, body: str | None, wanted: int) -> bool:
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            try:
                began = time.monotonic()
                status = self._ask(method, path, body)
            except (OSError, http.client.HTTPException):
                status = 503
            if status == wanted:
                self.seconds.append(time.monotonic() - began)
                return True
            if status not in _AWAY:
                self.faults.append(f"{method}: {status}")
                return False
            self.missed += 1
            self._pause.wait(AGAIN)
        self.faults.append(f"{method}: not within {LIMIT} seconds")
        return False

    def _ask(self, method: str, path: str, body: str | None) -> int:
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection:
            connection.request(method, path, body, form)
            response = connection.getresponse()
            response.read()
            return response.status
