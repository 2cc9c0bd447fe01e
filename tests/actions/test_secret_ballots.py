"""Secret polls: opened with a key, cast without a trace of what was chosen, counted as an open poll would be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.actions import electorate, polls, secret_ballots
from coopmail.domain import ballot_list
from coopmail.domain.audit import AuditRow
from coopmail.domain.counting import TieRule, Verdict
from coopmail.domain.polls import (
    Audience,
    Ballot,
    Outcome,
    Poll,
    PollKey,
    PollState,
    PublishedBallot,
    SealedBallot,
    VotingUnit,
)
from coopmail.errors import ActionRefused
from coopmail.parts import Parts
from coopmail.queries import ballots
from coopmail.vault import BallotUnreadable, KeyUnreadable
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, FrozenClock
from tests.mail.acts import invitation
from tests.secrecy import build_libraries, invited, open_secret_poll
from tests.web.pages import everything

ELS, JAN, LIES = "els.peeters@aartselaar.example", "jan.maes@aartselaar.example", "lies.claes@duffel.example"
BOOM = "bibliotheek@boom.example"
AARTSELAAR = "Bibliotheek Aartselaar"


@pytest.fixture
def field(office: Parts, cooperative: Cooperative) -> Cooperative:
    """The small cooperative and six libraries more."""
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, 6, now())
    return cooperative


def draft(office: Parts, cooperative: Cooperative, **changes: Any) -> Poll:
    """A secret poll that is not open yet."""
    values: dict[str, Any] = {"closes_at": CLOSING, "secret": True}
    with office.db.transaction() as (session, _):
        secret_ballots.prepare(session)
        return build_poll(session, cooperative, **values | changes)


def files(office: Parts) -> list[str]:
    """The names of the key files."""
    return sorted(path.name for path in office.settings.key_folder.rglob("*") if path.is_file())


def cast(office: Parts, poll: Poll, email: str, unit: str, *marks: str, by: str = "") -> None:
    """A contact answers for a unit."""
    with office.db.transaction() as (session, now):
        polls.cast_ballot(
            session, now, invitation(office, email, unit, poll.id), marks, by or email, office.basis.vault
        )


def cast_all(office: Parts, poll: Poll, *choices: tuple[str, ...]) -> None:
    """The first units of a poll answer so, in order."""
    for (invitation_id, _, name), marks in zip(invited(office, poll), choices, strict=False):
        with office.db.transaction() as (session, now):
            polls.cast_ballot(session, now, invitation_id, marks, name, office.basis.vault)


def close(office: Parts, poll: Poll) -> Outcome:
    """Staff close a poll before its time."""
    with office.db.transaction() as (session, now):
        return polls.close_poll(session, poll.id, now, office.basis, early=True)


def counts(office: Parts, *tables: type[Any]) -> list[int]:
    """How many rows each of these tables has."""
    with office.db.reading() as (session, _):
        return [session.scalars(sa.select(sa.func.count()).select_from(table)).one() for table in tables]


@contextmanager
def nothing_written(office: Parts) -> Iterator[None]:
    """What happens inside leaves the database as it was."""
    before = everything(office.db)
    yield
    assert everything(office.db) == before


def test_opening_makes_a_key_of_which_the_database_has_half(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)
    with office.db.reading() as (session, _):
        assert len(session.get_one(PollKey, poll.id).half) == 32
        assert secret_ballots.key_of(session, poll.id, office.basis.vault).whole
    assert files(office) == [f"poll-{poll.id}.key"]


def test_an_open_poll_has_no_key(office: Parts, poll: Poll) -> None:
    assert (files(office), counts(office, PollKey)) == ([], [0])


def test_a_poll_with_fewer_than_five_voters_cannot_be_secret(office: Parts, cooperative: Cooperative) -> None:
    seats = draft(office, cooperative, audience=Audience.GROUP_SEATS, service_id=None)
    with (
        nothing_written(office),
        pytest.raises(ActionRefused, match="A secret poll wants 5 voters or more, and here 3 may vote"),
        office.db.transaction() as (session, now),
    ):
        polls.open_poll(session, seats.id, now, office.basis)
    assert files(office) == []


def test_a_poll_with_exactly_five_voters_can_be_secret(office: Parts, cooperative: Cooperative) -> None:
    assert open_secret_poll(office, cooperative).units == 5


def test_a_poll_in_which_votes_weigh_differently_cannot_be_secret(
    office: Parts, cooperative: Cooperative, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze = electorate.freeze

    def weigh(session: Any, poll: Poll, now: Any) -> None:
        freeze(session, poll, now)
        heavy = sa.select(sa.func.max(VotingUnit.id)).scalar_subquery()
        session.execute(sa.update(VotingUnit).where(VotingUnit.id == heavy).values(weight=2))

    monkeypatch.setattr(electorate, "freeze", weigh)
    poll = draft(office, cooperative)
    with (
        nothing_written(office),
        pytest.raises(ActionRefused, match="A poll in which votes weigh differently cannot be secret"),
        office.db.transaction() as (session, now),
    ):
        polls.open_poll(session, poll.id, now, office.basis)
    assert files(office) == []


def test_an_opening_that_is_undone_leaves_a_file_over_which_the_next_one_writes(
    office: Parts, field: Cooperative
) -> None:
    poll = draft(office, field)

    def break_off() -> None:
        with office.db.transaction() as (session, now):
            polls.open_poll(session, poll.id, now, office.basis)
            raise RuntimeError("the power failed")

    with pytest.raises(RuntimeError):
        break_off()
    assert (files(office), counts(office, PollKey)) == ([f"poll-{poll.id}.key"], [0])
    with office.db.transaction() as (session, now):
        polls.open_poll(session, poll.id, now, office.basis)
    cast_all(office, poll, *[("keep",)] * 5)
    assert close(office, poll).tally["keep"] == 5


def test_of_a_secret_ballot_the_record_says_that_it_was_cast_and_no_more(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)
    cast(office, poll, ELS, AARTSELAAR, "move")
    with office.db.reading() as (session, _):
        ballot = session.scalars(sa.select(Ballot)).one()
        row = session.scalars(sa.select(AuditRow).where(AuditRow.act == "ballot-cast")).one()
    assert (ballot.marks_text, ballot.answered_by, ballot.version) == (None, ELS, 1)
    assert row.detail == {"unit": ballot.unit_id, "version": 1, "answered_by": ELS}


def test_an_equal_answer_again_changes_nothing_and_any_other_seals_anew(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)

    def sealed() -> bytes:
        with office.db.reading() as (session, _):
            return session.scalars(sa.select(SealedBallot.sealed)).one()

    cast(office, poll, ELS, AARTSELAAR, "keep")
    seen = [sealed()]
    with nothing_written(office):
        cast(office, poll, ELS, AARTSELAAR, "keep")
    # A colleague who repeats an answer leaves the same traces as one who changes it.
    for email, mark in ((JAN, "keep"), (ELS, "move"), (ELS, "keep")):
        cast(office, poll, email, AARTSELAAR, mark)
        seen.append(sealed())
    assert len(set(seen)) == 4
    assert counts(office, Ballot, SealedBallot) == [1, 1]


def receipt_after(office: Parts, poll: Poll, email: str, mark: str) -> secret_ballots.Receipt:
    """The receipt of Aartselaar's ballot, once a contact has answered for it."""
    cast(office, poll, email, AARTSELAAR, mark)
    with office.db.reading() as (session, _):
        unit = session.scalars(sa.select(VotingUnit.id).where(VotingUnit.name == AARTSELAAR)).one()
        receipt = secret_ballots.receipt(session, poll, unit, office.basis.vault)
    assert receipt is not None
    return receipt


def test_a_contact_keeps_the_receipt_code_and_a_colleague_gets_another_one(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)
    acts = [(ELS, "keep"), (ELS, "move"), (JAN, "move"), (ELS, "keep")]
    found = [receipt_after(office, poll, email, mark) for email, mark in acts]
    assert [receipt.marks for receipt in found] == [("keep",), ("move",), ("move",), ("keep",)]
    first, changed, colleague, again = [receipt.code for receipt in found]
    assert first == changed == again != colleague


def test_of_a_unit_that_two_answered_for_only_the_last_one_s_code_is_in_the_list(
    office: Parts, field: Cooperative
) -> None:
    """Else the first would read in the list, under the code that both saw, what the colleague chose."""
    poll = open_secret_poll(office, field)
    cast_all(office, poll, *[("keep",)] * 6)
    mine, other = receipt_after(office, poll, ELS, "move").code, receipt_after(office, poll, JAN, "move").code
    close(office, poll)
    with office.db.reading() as (session, _):
        rows = session.execute(sa.select(PublishedBallot.code, PublishedBallot.marks_text)).all()
    listed = {row.code: row.marks_text for row in rows}
    assert len(listed) == len(rows) == 6
    assert (listed.get(mine), listed.get(other)) == (None, '["move"]')


def test_without_its_key_a_poll_takes_no_answer(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)
    (file,) = office.settings.key_folder.rglob("*.key")
    file.unlink()
    with nothing_written(office), pytest.raises(KeyUnreadable):
        cast(office, poll, ELS, AARTSELAAR, "keep")


@pytest.mark.parametrize(
    ("changes", "choices"),
    [
        ({}, [("keep",), ("move",), ("move",), ("abstain",), ("move",), ("keep",)]),
        ({"method_name": "approval"}, [("keep", "move"), ("move",), ("keep",), ("abstain",), ("keep", "move")]),
        ({"quorum": "3/4"}, [("keep",)] * 5),
        ({"tie_rule": TieRule.STATUS_QUO}, [("keep",), ("move",)] * 3),
        ({"majority": "qualified", "share_of": "electorate"}, [("keep",)] * 6),
        ({}, [("abstain",)] * 7),
    ],
)
def test_a_secret_poll_is_counted_as_an_open_one_and_its_list_counts_again(
    office: Parts, field: Cooperative, changes: dict[str, Any], choices: list[tuple[str, ...]]
) -> None:
    outcomes = []
    for secret in (False, True):
        poll = open_secret_poll(office, field, f"poll-{secret}".lower(), secret=secret, **changes)
        cast_all(office, poll, *choices)
        outcome = close(office, poll)
        names = ("tally", "cast", "abstentions", "electorate", "quorum_met", "verdict", "winner", "tied", "units",
                 "answered_units")  # fmt: skip
        outcomes.append({name: getattr(outcome, name) for name in names})
        with office.db.reading() as (session, _):
            raw = b"".join(ballots.pieces(session, session.get_one(Poll, poll.id)))
        assert ballot_list.digest([raw]) == outcome.list_hash
        found = ballot_list.recount(ballot_list.read(raw))
        assert {name: getattr(found, name) for name in names[:7]} == {name: outcomes[-1][name] for name in names[:7]}
        assert list(found.tied) == outcome.tied
        assert ballot_list.canonical(ballot_list.read(raw)) == raw
        assert json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == raw
    assert outcomes[0] == outcomes[1]
    assert outcomes[0]["cast"] == len(choices)


def test_closing_publishes_each_ballot_under_its_code_and_keeps_nothing_else(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)
    choices = [("keep",), ("move",), ("abstain",), ("move",), ("keep",)]
    cast_all(office, poll, *choices)
    expected = {}
    with office.db.reading() as (session, _):
        for ballot in session.scalars(sa.select(Ballot)):
            receipt = secret_ballots.receipt(session, poll, ballot.unit_id, office.basis.vault)
            assert receipt is not None
            expected[receipt.code] = f'["{receipt.marks[0]}"]'
    close(office, poll)
    with office.db.reading() as (session, _):
        rows = session.execute(sa.select(PublishedBallot.code, PublishedBallot.marks_text)).all()
        shown = ballots.shown(session, session.get_one(Poll, poll.id), session.get_one(Outcome, poll.id))
    assert {row.code: row.marks_text for row in rows} == expected
    assert [row.code for row in rows] == sorted(expected)  # as the database keeps them: not in the order of answering
    assert [row.label for row in shown] == sorted(expected)
    assert counts(office, SealedBallot, PollKey) == [0, 0]


@pytest.mark.parametrize(
    ("changes", "choices"),
    [
        ({}, [("move",), ("move",), ("abstain",), ("move",)]),
        ({}, [("keep",)]),
        ({}, [("abstain",)] * 3),
        ({"tie_rule": TieRule.STATUS_QUO}, [("keep",), ("move",)]),
        ({"quorum": "1/20"}, [("move",)] * 4),
        ({"method_name": "approval"}, [("keep", "move")] * 4),
    ],
)
def test_fewer_than_five_ballots_of_a_secret_poll_are_not_counted(
    office: Parts, field: Cooperative, changes: dict[str, Any], choices: list[tuple[str, ...]]
) -> None:
    poll = open_secret_poll(office, field, **changes)
    cast_all(office, poll, *choices)
    outcome = close(office, poll)
    assert (outcome.verdict, outcome.winner, outcome.tied) == (Verdict.NO_QUORUM, None, [])
    assert (outcome.cast, outcome.answered_units, outcome.quorum_met) == (len(choices), len(choices), False)
    assert (outcome.tally, outcome.abstentions) == ({"keep": 0, "move": 0, "abstain": 0}, 0)
    assert (outcome.list_hash, counts(office, PublishedBallot, SealedBallot, PollKey)) == (None, [0, 0, 0])
    with office.db.reading() as (session, _):
        row = session.scalars(sa.select(AuditRow).where(AuditRow.act == "poll-closed")).one()
    assert row.detail == {"early": True, "tally": {"keep": 0, "move": 0, "abstain": 0}, "verdict": "no_quorum"}


def test_fewer_than_five_ballots_are_destroyed_without_the_key_being_read(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)
    cast_all(office, poll, *[("keep",)] * 4)
    spoil_file(office)
    assert close(office, poll).verdict is Verdict.NO_QUORUM
    assert counts(office, PublishedBallot, SealedBallot, PollKey) == [0, 0, 0]


def test_of_fewer_than_five_ballots_none_may_be_missing_either(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)
    cast_all(office, poll, *[("keep",)] * 4)
    lose_row(office)
    with nothing_written(office), pytest.raises(BallotUnreadable, match="4 units answered, and 3 ballots are kept"):
        close(office, poll)


def test_a_secret_poll_in_which_nobody_voted_closes_even_without_its_key(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)
    (file,) = office.settings.key_folder.rglob("*.key")
    file.unlink()
    outcome = close(office, poll)
    assert (outcome.verdict, outcome.cast) == (Verdict.NO_BALLOTS, 0)


def spoil_file(office: Parts) -> None:
    """The key file is gone."""
    (file,) = office.settings.key_folder.rglob("*.key")
    file.unlink()


def spoil_row(office: Parts) -> None:
    """A byte of a sealed ballot is changed."""
    with office.db.transaction() as (session, _):
        ballot = session.scalars(sa.select(SealedBallot).limit(1)).one()
        ballot.sealed = ballot.sealed[:-1] + bytes([ballot.sealed[-1] ^ 1])


def lose_row(office: Parts) -> None:
    """A sealed ballot is deleted."""
    with office.db.transaction() as (session, _):
        session.delete(session.scalars(sa.select(SealedBallot).limit(1)).one())


def swap_rows(office: Parts) -> None:
    """Two sealed ballots change places."""
    with office.db.transaction() as (session, _):
        one, other = session.scalars(sa.select(SealedBallot).limit(2))
        one.sealed, other.sealed = other.sealed, one.sealed


def slip_in(office: Parts) -> None:
    """Somebody with the key seals what nobody can mark."""
    with office.db.transaction() as (session, _):
        poll = session.scalars(sa.select(Poll)).one()
        key = secret_ballots.key_of(session, poll.id, office.basis.vault)
        ballot = session.scalars(sa.select(Ballot).limit(1)).one()
        secret_ballots.seal(session, key, poll, ballot.unit_id, ballot.contact_id or 0, '["nobody"]')


@pytest.mark.parametrize("spoil", [spoil_file, spoil_row, lose_row, swap_rows, slip_in])
def test_no_ballot_is_dropped_in_silence(office: Parts, field: Cooperative, spoil: Any) -> None:
    poll = open_secret_poll(office, field)
    cast_all(office, poll, *[("keep",)] * 6)
    spoil(office)
    with nothing_written(office), pytest.raises((BallotUnreadable, KeyUnreadable)):
        close(office, poll)
    with office.db.reading() as (session, _):
        assert session.get_one(Poll, poll.id).state is PollState.OPEN


def test_a_withdrawal_publishes_nothing_and_deletes_what_was_sealed(office: Parts, field: Cooperative) -> None:
    poll = open_secret_poll(office, field)
    cast_all(office, poll, *[("keep",)] * 6)
    with office.db.transaction() as (session, now):
        polls.withdraw_poll(session, poll.id, now, "Niet meer nodig.")
    assert counts(office, SealedBallot, PollKey, PublishedBallot, Outcome) == [0, 0, 0, 0]


def test_a_poll_that_closes_too_late_shows_nothing_before_staff_announce_it(
    client: FlaskClient, office: Parts, field: Cooperative, clock: FrozenClock
) -> None:
    poll = open_secret_poll(office, field)
    cast_all(office, poll, *[("keep",)] * 6)
    clock.advance(days=60)
    with office.db.transaction() as (session, now):
        polls.close_poll(session, poll.id, now, office.basis)
    with office.db.reading() as (session, _):
        assert session.get_one(Poll, poll.id).announced_at is None
    assert client.get(f"/polls/{poll.slug}/ballots.json").status_code == 404
    with office.db.transaction() as (session, now):
        polls.announce_outcome(session, poll.id, now)
    assert client.get(f"/polls/{poll.slug}/ballots.json").status_code == 200


def test_key_files_have_no_rights_for_others(office: Parts, field: Cooperative) -> None:
    open_secret_poll(office, field)
    paths: list[Path] = [office.settings.key_folder, *office.settings.key_folder.rglob("*")]
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}
