"""Opening and closing a poll of 10³ … 10⁶ contacts on PostgreSQL: how the time grows, and this process's memory.

Each size runs in a process and on a server of its own (`python -m benchmarks.scale 1000`). The field has one contact an
organisation; one in a hundred may only read, so that its organisation cannot be reached and is put before staff. Six
in ten answer. The ballots are written by one statement: this measures opening and closing, not answering.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.kit.report import Row, measured
from benchmarks.kit.run import Run, Wrong
from benchmarks.kit.servers import durable_postgresql
from coopmail import create_app
from coopmail.actions import polls
from coopmail.cli.poll_file import build_poll, read_poll_file
from coopmail.cli.server import upgrade_database
from coopmail.config import ROOT, Settings
from coopmail.domain.groups import Group, GroupKind
from coopmail.domain.polls import Outcome, Poll
from coopmail.domain.services import Service
from coopmail.parts import Parts, parts

SIZES = (1_000, 10_000, 100_000, 1_000_000)
EXPONENT, MEGABYTES = 1.05, 300
"""The aims: seconds grow with the contacts to this power at most; and what this process may hold at its peak."""

FIELD = (
    "INSERT INTO organisations (id, name, kind, municipality, province, population, regional, big_city)"
    " SELECT n, 'Bibliotheek ' || n, 'library', '', 'Antwerpen', 10000 + n, false, false FROM generate_series(1, :n) n",
    "INSERT INTO contacts (id, name, email, email_key, language, telephone, functional, confirmed_at)"
    " SELECT n, 'Contact ' || n, 'c@l' || n || '.example', 'c@l' || n || '.example', 'nl', '', false, now()"
    " FROM generate_series(1, :n) n",
    "INSERT INTO subscriptions (organisation_id, service_id, starts_on, contract_reference, price_cents)"
    " SELECT n, 1, '2025-01-01', '', 0 FROM generate_series(1, :n) n",
    "INSERT INTO representations (contact_id, organisation_id, mode, started_at)"
    " SELECT n, n, CASE WHEN n % 100 = 0 THEN 'reads' ELSE 'votes' END, now() FROM generate_series(1, :n) n",
)
BALLOTS = (
    "INSERT INTO ballots (poll_id, unit_id, contact_id, answered_by, marks_text, cast_at, version)"
    " SELECT poll_id, unit_id, contact_id, 'Contact', '[\"' || (ARRAY['{}', '{}'])[1 + unit_id % 2] || '\"]', now(), 1"
    " FROM invitations WHERE unit_id % 10 < 6"
)


def fill(office: Parts, contacts: int) -> None:
    """A field of so many organisations with one contact each, as a database knows it that has looked at its tables."""
    with office.db.transaction() as (session, _):
        session.add(Group(id=1, slug="digitale-collecties", name="Digitale Collecties", kind=GroupKind.STEERING_GROUP))
        session.add(Service(id=1, slug="krantenarchief", name="Krantenarchief", phrase_nl="het Krantenarchief"))
        session.flush()
        for statement in FIELD:
            session.execute(sa.text(statement), {"n": contacts})
    settle(office)


def settle(office: Parts) -> None:
    """What PostgreSQL does by itself a minute later; here at once, so that each run finds the same."""
    with office.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


def open_poll(office: Parts) -> tuple[Poll, float]:
    """Draft and open a poll of all members; the poll, and the seconds of opening, its commit included."""
    file = ROOT / "coopmail" / "data" / "polls" / "krantenarchief.toml"
    entry = read_poll_file(file)
    entry.closes = datetime.now(UTC) + timedelta(days=30)
    with office.db.transaction() as (session, now):
        draft = build_poll(session, entry, file.parent, office.charter.polls_on(now().date()))
        polls.draft_poll(session, now, draft)
    began = time.perf_counter()
    with office.db.transaction() as (session, now):
        poll = polls.open_poll(session, draft.id, now, office.basis)
    return poll, time.perf_counter() - began


def close_poll(office: Parts, poll: Poll) -> tuple[Outcome, float]:
    """Close it; the outcome, and the seconds."""
    began = time.perf_counter()
    with office.db.transaction() as (session, now):
        outcome = polls.close_poll(session, poll.id, now, office.basis, early=True)
    return outcome, time.perf_counter() - began


def measure(contacts: int) -> dict[str, Any]:
    """Seconds of opening and closing for so many contacts, and this process's peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder, durable_postgresql() as url:
        upgrade_database(url)
        here = Path(folder)
        settings = Settings(
            secret_keys={1: "k" * 40}, database_url=url, mailbox=here / "mailbox", key_folder=here / "k"
        )
        office = parts(create_app(settings))
        fill(office, contacts)
        poll, opening = open_poll(office)
        settle(office)
        with office.db.transaction() as (session, _):
            session.execute(sa.text(BALLOTS.format(*session.get_one(Poll, poll.id).option_keys[:2])))
        settle(office)
        outcome, closing = close_poll(office, poll)
        if (outcome.units, outcome.cast) != (contacts, sum(outcome.tally.values())) or outcome.cast < contacts // 2:
            raise Wrong(f"The outcome does not add up: {outcome.units} units, {outcome.tally}.")
        office.db.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"contacts": contacts, "opening": opening, "closing": closing, "memory": memory}


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The power of the size with which the seconds grow: the slope of the best line through their logarithms."""
    x, y = [math.log(size) for size in sizes], [math.log(second) for second in seconds]
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    across = sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True))
    return across / sum((a - middle_x) ** 2 for a in x)


def rows(run: Run | None = None) -> list[Row]:
    """Measure every size, each in a process of its own, and what came of the aims."""
    run = run or Run()
    found = []
    for size in SIZES[:2] if run.quick else SIZES:
        done = subprocess.run([sys.executable, "-m", "benchmarks.scale", str(size)], stdout=subprocess.PIPE, check=True)
        one = json.loads(done.stdout)
        found.append(one)
        run.say(f"{size:,} contacts: opened in {one['opening']:.2f} s, closed in {one['closing']:.2f} s, "
                f"peak memory {one['memory']:.0f} MB")  # fmt: skip
    peak = max(one["memory"] for one in found)
    what = f"peak memory of the process that opens and closes, up to {found[-1]['contacts']:,} contacts"
    return [*(_growth(act, found) for act in ("opening", "closing")), measured(what, peak, "MB", most=MEGABYTES)]


def _growth(act: str, found: Sequence[dict[str, Any]]) -> Row:
    """How the seconds grow with the contacts; beside, the smallest poll's contacts a second."""
    first, last = found[0], found[-1]
    sizes, seconds = [one["contacts"] for one in found], [one[act] for one in found]
    power = exponent(sizes, seconds)
    ours, beside = last["contacts"] / last[act], first["contacts"] / first[act]
    return {
        "what": f"{act} a poll of {last['contacts']:,} contacts in {last[act]:.1f} s: exponent {power:.2f}, "
        f"over the last step {exponent(sizes[-2:], seconds[-2:]):.2f}",
        "ours_per_second": ours,
        "beside": f"a poll of {first['contacts']:,}",
        "beside_per_second": beside,
        "ratio": ours / beside,
        "aim": f"exponent ≤ {EXPONENT}",
        "met": power <= EXPONENT,
        "exponent": power,
        "seconds": dict(zip(sizes, seconds, strict=True)),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
