"""Whoever gets hold of everything that a secret poll leaves behind links voters to ballots no better than chance.

The attacker below has a whole dump in the order in which the database keeps its rows, the key folder, the mailbox and
the logs. Each of its ways is also shown a leak, which it must find.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from coopmail.domain.polls import PollKey, SealedBallot
from coopmail.jobs.runner import run_all
from coopmail.parts import Parts
from coopmail.vault import BallotUnreadable, Key
from tests.builders import Cooperative
from tests.conftest import CLOSING, FrozenClock
from tests.secrecy import FEW, Cast, build_libraries, dump, open_secret_poll, vote_all, vote_few

Dump = dict[str, list[dict[str, Any]]]
VOTERS, ROUNDS = 26, 4  # beside the four of the small cooperative who can vote
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def truths(office: Parts, cooperative: Cooperative, clock: FrozenClock) -> dict[int, list[Cast]]:
    """Several secret polls in which everybody voted, each in another order: who cast what, by poll."""
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, VOTERS, now())
    found = {}
    for seed in range(ROUNDS):
        poll = open_secret_poll(office, cooperative, f"geheim-{seed}")
        found[poll.id] = vote_all(office, poll, seed, clock)
    return found


@pytest.fixture
def closed(app: Flask, office: Parts, truths: dict[int, list[Cast]], clock: FrozenClock) -> Dump:
    """The dump after closing, when all jobs have run."""
    clock.move_to(CLOSING)
    for _ in range(3):
        run_all(app)
    return dump(office)


def units_in(found: Dump, poll_id: int) -> dict[str, dict[Any, int]]:
    """By what a row may name a voter of a poll: its unit, invitation, contact, organisation or mail."""
    units = {row["id"]: row["id"] for row in found["voting_units"] if row["poll_id"] == poll_id}
    asked = [row for row in found["invitations"] if row["poll_id"] == poll_id]
    invitations = {row["id"]: row["unit_id"] for row in asked}
    return {
        "unit_id": units,
        "invitation_id": invitations,
        "contact_id": {row["contact_id"]: row["unit_id"] for row in asked},
        "organisation_id": {row["organisation_id"]: row["id"] for row in found["voting_units"] if row["id"] in units},
        "mail_id": {row["id"]: invitations[row["invitation_id"]] for row in found["outbox"]
                    if row["invitation_id"] in invitations},
    }  # fmt: skip


def rank(value: Any) -> tuple[str, Any]:
    """What to sort any column by: numbers and moments by size, everything else as text."""
    if isinstance(value, int | float | datetime):
        return type(value).__name__, value
    return "text", repr(value)


def voter_orders(found: Dump, poll_id: int) -> Iterator[tuple[str, list[int]]]:
    """The poll's voters in every order that a table has to offer: as its rows lie, and by each of its columns."""
    naming = units_in(found, poll_id)
    for table, rows in found.items():
        named: list[tuple[dict[str, Any], int]] = []
        for row in rows:
            if table == "audit_rows":
                detail = row["detail"] if isinstance(row["detail"], dict) else json.loads(row["detail"])
                row = row | {"unit_id": detail.get("unit")}
            # The first thing that names somebody decides: the same people are asked in every poll.
            unit = next((known.get(row[key]) for key, known in naming.items() if row.get(key) is not None), None)
            if unit is not None:
                named.append((row, unit))
        for column in ["", *(named[0][0] if named else ())]:
            ordered = sorted(named, key=lambda pair: rank(pair[0].get(column))) if column else named
            for how, pairs in (("first", ordered), ("last", ordered[::-1])):
                once = list(dict.fromkeys(unit for _, unit in pairs))
                yield f"{table} by {column or 'place'}, {how}", once if how == "first" else once[::-1]


def code_orders(found: Dump, poll_id: int) -> Iterator[tuple[str, list[str]]]:
    """The poll's receipt codes as their rows lie, backwards, and by each column."""
    rows = [row for row in found["published_ballots"] if row["poll_id"] == poll_id]
    yield "as they lie", [row["code"] for row in rows]
    for column in rows[0]:
        yield f"by {column}", [row["code"] for row in sorted(rows, key=lambda row: rank(row[column]))]
        yield f"by {column}, backwards", [row["code"] for row in sorted(rows, key=lambda row: rank(row[column]))[::-1]]


def matches(found: Dump, truths: dict[int, list[Cast]]) -> dict[str, int]:
    """How many voters each pair of orders gives the right code, in all polls together."""
    total: dict[str, int] = {}
    for poll_id, truth in truths.items():
        codes = {cast.unit: cast.code for cast in truth}
        for voters, units in voter_orders(found, poll_id):
            answered = [unit for unit in units if unit in codes]
            for ballots, order in code_orders(found, poll_id):
                hits = sum(codes[unit] == code for unit, code in zip(answered, order, strict=False))
                total[f"{voters} ~ {ballots}"] = total.get(f"{voters} ~ {ballots}", 0) + hits
    return total


def correlations(found: Dump, truths: dict[int, list[Cast]]) -> dict[str, float]:
    """Spearman's rank correlation of the order of answering with each order of codes, on average over the polls."""
    total: dict[str, float] = {}
    for poll_id, truth in truths.items():
        place = {cast.code: rank for rank, cast in enumerate(truth)}
        for ballots, order in code_orders(found, poll_id):
            n = len(order)
            distance = sum((place[code] - rank) ** 2 for rank, code in enumerate(order))
            total[ballots] = total.get(ballots, 0) + (1 - 6 * distance / (n * (n * n - 1))) / len(truths)
    return total


def mentions(found: Dump, words: set[str]) -> dict[str, set[str]]:
    """In which tables, beside the published ballots, one of these words stands."""
    seen = {table: {word for word in words for row in rows if any(word in repr(value) for value in row.values())}
            for table, rows in found.items() if table != "published_ballots"}  # fmt: skip
    return {table: those for table, those in seen.items() if those}


def keys_in(found: Dump) -> Iterator[Key]:
    """Every value of a dump, tried as a poll's key."""
    for rows in found.values():
        for row in rows:
            for value in row.values():
                yield Key(value if isinstance(value, bytes) else str(value).encode())


def test_no_order_of_voters_gives_their_receipt_codes_better_than_chance(
    closed: Dump, truths: dict[int, list[Cast]]
) -> None:
    found = matches(closed, truths)
    assert len(found) > 500
    # By chance a pair of orders hits once a poll: four times here, and more than 24 times once in 10^11.
    assert {pair: hits for pair, hits in found.items() if hits > 24} == {}
    # By chance the average of four polls of thirty has a standard deviation of 0.093.
    assert {order: rank for order, rank in correlations(closed, truths).items() if abs(rank) > 0.6} == {}


@on_sqlite
def test_the_attacker_finds_ballots_that_were_published_in_the_order_of_answering(
    closed: Dump, truths: dict[int, list[Cast]]
) -> None:
    place = {cast.code: number for truth in truths.values() for number, cast in enumerate(truth)}
    leaky = closed | {"published_ballots": sorted(closed["published_ballots"], key=lambda row: place[row["code"]])}
    everyone = sum(len(truth) for truth in truths.values())
    assert matches(leaky, truths)["ballots by cast_at, first ~ as they lie"] == everyone
    assert correlations(leaky, truths)["as they lie"] == pytest.approx(1)


def test_receipt_codes_and_choices_stand_next_to_no_voter(
    closed: Dump, truths: dict[int, list[Cast]], office: Parts, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = {cast.code for truth in truths.values() for cast in truth}
    assert {row["code"] for row in closed["published_ballots"]} == codes
    assert mentions(closed, codes) == {}
    # Choices stand in the question, the count and the audit of that count, which name no voter.
    assert set(mentions(closed, {'"keep"', "'keep'"})) == {"options", "outcomes", "audit_rows"}
    acts = {row["act"] for row in closed["audit_rows"] if "keep" in repr(row["detail"])}
    assert acts == {"poll-closed"}
    assert [row["marks_text"] for row in closed["ballots"]] == [None] * len(codes)
    assert (closed["sealed_ballots"], closed["poll_keys"]) == ([], [])
    assert [path for path in office.settings.key_folder.rglob("*") if path.is_file()] == []
    logs = capsys.readouterr()
    letters = "".join(path.read_text() for path in office.settings.mailbox.glob("*.eml"))
    assert letters.count("X-Coopmail-Mail: ballot-receipt") > 0
    assert [code for code in codes if code in logs.out + logs.err + letters] == []


@on_sqlite
def test_a_code_next_to_a_voter_is_seen(closed: Dump, truths: dict[int, list[Cast]]) -> None:
    code = next(iter(truths.values()))[0].code
    leaky = closed | {"outbox": [*closed["outbox"], {"context": {"receipt": code}}]}
    assert mentions(leaky, {code}) == {"outbox": {code}}


@on_sqlite
def test_no_value_of_the_dump_is_a_key_that_gives_the_codes(closed: Dump, truths: dict[int, list[Cast]]) -> None:
    cast = next(iter(truths.values()))[0]
    assert [key for key in keys_in(closed) if key.code(key.handle(cast.unit), cast.contact) == cast.code] == []


def test_while_a_poll_is_open_its_dump_tells_nothing_and_with_the_key_it_tells_all(
    office: Parts, truths: dict[int, list[Cast]]
) -> None:
    found = dump(office)
    assert set(mentions(found, {'"keep"', "'keep'", "keep"})) == {"options"}
    assert found["published_ballots"] == []
    sealed = {row["handle"]: bytes(row["sealed"]) for row in found["sealed_ballots"]}
    everyone = sum(len(truth) for truth in truths.values())
    assert len(sealed) == len(set(sealed.values())) == everyone
    assert len({len(content) for content in sealed.values()}) == 1
    for poll_id, truth in truths.items():
        with office.db.reading() as (session, _):
            half = session.get_one(PollKey, poll_id).half
            place = session.execute(
                sa.text("SELECT value FROM installation_marks WHERE name = 'poll-keys'")
            ).scalar_one()
        stranger = Key(half)
        with pytest.raises(BallotUnreadable):  # the database's half is no key
            stranger.open(next(iter(sealed)), next(iter(sealed.values())))
        assert not {stranger.handle(cast.unit) for cast in truth} & set(sealed)
        key = office.basis.vault.read(place, poll_id, half)
        opened = {cast.unit: key.open(key.handle(cast.unit), sealed[key.handle(cast.unit)]) for cast in truth}
        assert opened == {cast.unit: f'{cast.code}["{cast.marks}"]' for cast in truth}
        assert opened == {
            cast.unit: f'{key.code(key.handle(cast.unit), cast.contact)}["{cast.marks}"]' for cast in truth
        }


def traces(found: Dump, poll_id: int) -> dict[str, list[Any]]:
    """What a closed poll left in each table that the answers or the count could be seen in, without names and numbers
    that differ from poll to poll."""
    units = units_in(found, poll_id)
    outcomes = [row for row in found["outcomes"] if row["poll_id"] == poll_id]
    ballots = [row for row in found["ballots"] if row["unit_id"] in units["unit_id"]]
    mails = [row for row in found["outbox"] if row["id"] in units["mail_id"]]
    acts = sorted(
        (row for row in found["audit_rows"] if row["subject"] == f"poll:{poll_id}"), key=lambda row: row["id"]
    )
    voters = {unit: organisation for organisation, unit in units["organisation_id"].items()}
    return {
        "outcomes": [{key: plain(row[key]) for key in OUTCOME} for row in outcomes],
        "ballots": [(row["marks_text"], row["version"], row["answered_by"], row["cast_at"]) for row in ballots],
        "outbox": sorted((row["template"], repr(plain(row["context"])), row["state"]) for row in mails),
        "audit_rows": [(row["act"], detail | {"unit": voters.get(detail.get("unit"))})
                       for row in acts for detail in [plain(row["detail"])]],
        "secrets": [row for table in ("published_ballots", "sealed_ballots", "poll_keys") for row in found[table]
                    if row["poll_id"] == poll_id],
    }  # fmt: skip


OUTCOME = ("tally", "cast", "abstentions", "electorate", "answered_units", "units", "quorum_met", "verdict", "winner",
           "tied", "list_hash")  # fmt: skip


def plain(value: Any) -> Any:
    """A value as both databases keep it: SQLite has JSON as text and truth as a number."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value)
    return value


@pytest.mark.parametrize("changes", [{}, {"quorum": "1/20", "tie_rule": "status_quo"}], ids=["plain", "with a quorum"])
@pytest.mark.parametrize("voters", [1, 2, 3, 4])
def test_whatever_fewer_than_five_chose_the_dump_is_the_same(
    app: Flask, office: Parts, cooperative: Cooperative, clock: FrozenClock, voters: int, changes: dict[str, Any]
) -> None:
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, 6, now())
    polls = [open_secret_poll(office, cooperative, f"geheim-{place}", **changes) for place in range(len(FEW))]
    for poll, choices in zip(polls, FEW.values(), strict=True):
        vote_few(office, poll, choices[:voters])
    clock.move_to(CLOSING)
    for _ in range(3):
        run_all(app)
    found = dump(office)
    first, *others = (traces(found, poll.id) for poll in polls)
    assert first["outcomes"] == [
        {"tally": {"keep": 0, "move": 0, "abstain": 0}, "cast": voters, "abstentions": 0, "electorate": 11,
         "answered_units": voters, "units": 11, "quorum_met": False, "verdict": "no_quorum", "winner": None,
         "tied": [], "list_hash": None}
    ]  # fmt: skip
    assert (len(first["ballots"]), first["secrets"]) == (voters, [])
    assert [act for act, _ in first["audit_rows"]] == [
        "poll-opened", *["ballot-cast"] * voters, "poll-closed", "poll-key-destroyed",
    ]  # fmt: skip
    assert [trace for trace in others if trace != first] == []
    assert set(mentions(found, {"keep", "move"})) == {"options", "outcomes", "audit_rows"}
    assert [path for path in office.settings.key_folder.rglob("*") if path.is_file()] == []


def test_from_five_ballots_on_the_dumps_differ_by_the_outcome(
    app: Flask, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, 6, now())
    polls = [open_secret_poll(office, cooperative, f"geheim-{place}") for place in range(2)]
    for poll, mark in zip(polls, ("keep", "move"), strict=True):
        vote_few(office, poll, (mark,) * 5)
    clock.move_to(CLOSING)
    run_all(app)
    found = dump(office)
    outcomes = [traces(found, poll.id)["outcomes"][0] for poll in polls]
    assert [(row["verdict"], row["winner"], row["cast"]) for row in outcomes] == [
        ("carried", "keep", 5), ("carried", "move", 5),
    ]  # fmt: skip
    assert outcomes[0]["tally"] == {"keep": 5, "move": 0, "abstain": 0}


def raw_bytes(folder: Path) -> bytes:
    """SQLite's file and its log as they are on the disk."""
    return b"".join(file.read_bytes() for file in sorted(folder.glob("coopmail.sqlite*")))


@on_sqlite
def test_sqlite_s_files_hold_no_half_of_a_key_and_no_sealed_ballot_once_the_job_has_run(
    app: Flask, office: Parts, truths: dict[int, list[Cast]], clock: FrozenClock, tmp_path: Path
) -> None:
    with office.db.reading() as (session, _):
        gone = [key.half for key in session.scalars(sa.select(PollKey))]
        gone += [ballot.sealed for ballot in session.scalars(sa.select(SealedBallot))]
        gone += [ballot.handle.encode() for ballot in session.scalars(sa.select(SealedBallot))]
    assert len(gone) == ROUNDS + 2 * sum(len(truth) for truth in truths.values())
    assert [secret for secret in gone if secret not in raw_bytes(tmp_path)] == []
    clock.move_to(CLOSING)
    for _ in range(2):
        run_all(app)
    left = raw_bytes(tmp_path)
    assert [secret for secret in gone if secret in left] == []
    assert all(cast.code.encode() in left for truth in truths.values() for cast in truth)
