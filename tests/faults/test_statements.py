"""kill -9 at every statement of the acts that matter: all of an act is there or nothing, and it can be done again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from coopmail.actions import secret_ballots
from coopmail.domain.audit import AuditRow
from coopmail.domain.links import Invitation, Link
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import (
    Ballot,
    Outcome,
    Poll,
    PollKey,
    PollState,
    PublishedBallot,
    SealedBallot,
    VotingUnit,
)
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, MONDAY
from tests.faults.dying import Dying, dying
from tests.secrecy import build_libraries, invited
from tests.web.pages import everything

LIBRARIES, AUDIENCE, REACHED = 6, 11, 10
"""Six libraries beside the cast's five, of which one has nobody who votes and one has two people: so there are eleven
units and as many invitations, which reach ten units."""
SHORTEST = 8
"""An act of fewer steps would not be the act that is meant."""
WELL_AFTER = CLOSING + timedelta(seconds=3)


@pytest.fixture
def doer(database_url: str, tmp_path: Path) -> Iterator[Dying]:
    """Who dies."""
    with dying(database_url, tmp_path) as found:
        yield found


@pytest.fixture(params=[False, True], ids=["open", "secret"])
def draft(request: pytest.FixtureRequest, office: Parts, cooperative: Cooperative) -> Poll:
    """A poll that waits to be opened."""
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, LIBRARIES, now())
        poll = build_poll(session, cooperative, closes_at=CLOSING, secret=request.param)
        if poll.secret:
            secret_ballots.prepare(session)  # as drafting does: later, each opening that dies would leave a folder
        return poll


def die_at_every_step(office: Parts, doer: Dying, act: str, moment: datetime, subject: int) -> None:
    """Kill an act at its first step, its second, …: nothing of it is there until, after its commit, all is.

    Done again it is refused or passed over, and changes nothing. What all is, the caller says.
    """
    before = everything(office.db)
    for step in count(1):
        assert doer.act(act, moment, subject, step=step) == "killed", f"nobody was killed at step {step}"
        after = everything(office.db)
        if after != before:
            break
    assert step > SHORTEST
    assert doer.act(act, moment, subject) == ("TransitionRefused" if act == "open" else "done")
    assert everything(office.db) == after


def tables(office: Parts, *mapped: type) -> list[int]:
    """How many rows each has."""
    with office.db.reading() as (session, _):
        return [session.scalars(sa.select(sa.func.count()).select_from(table)).one() for table in mapped]


def mails(office: Parts) -> Counter[str]:
    """How many mails there are of each letter."""
    with office.db.reading() as (session, _):
        return Counter(session.scalars(sa.select(Mail.template)))


def acts(office: Parts) -> Counter[str]:
    """How often each act is in the record."""
    with office.db.reading() as (session, _):
        return Counter(session.scalars(sa.select(AuditRow.act)))


def poll_of(office: Parts, poll: Poll) -> Poll:
    """As it stands now."""
    with office.db.reading() as (session, _):
        return session.get_one(Poll, poll.id)


def key_files(folder: Path) -> list[str]:
    """What is under the key folder."""
    return sorted(path.name for path in (folder / "poll-keys").rglob("*") if path.is_file())


def open_whole(doer: Dying, draft: Poll) -> None:
    assert doer.act("open", MONDAY, draft.id) == "done"


def vote(office: Parts, doer: Dying, poll: Poll, many: int) -> None:
    for invitation, _, _ in invited(office, poll)[:many]:
        assert doer.act("cast", MONDAY, invitation) == "done"


def test_a_poll_is_opened_whole_or_not_at_all(office: Parts, doer: Dying, draft: Poll, tmp_path: Path) -> None:
    die_at_every_step(office, doer, "open", MONDAY, draft.id)
    found = poll_of(office, draft)
    assert (found.state, found.units) == (PollState.OPEN, AUDIENCE)
    assert tables(office, VotingUnit, Invitation, Link, Mail) == [AUDIENCE] * 4
    assert mails(office) == {"ballot-invitation": AUDIENCE}
    assert acts(office) == {"poll-opened": 1}
    assert tables(office, PollKey) == [int(draft.secret)]
    assert key_files(tmp_path) == ([f"poll-{draft.id}.key"] if draft.secret else [])
    vote(office, doer, draft, REACHED)
    assert doer.act("close", WELL_AFTER) == "done"
    with office.db.reading() as (session, _):
        assert session.get_one(Outcome, draft.id).tally == {"keep": 0, "move": REACHED, "abstain": 0}


def test_a_ballot_is_cast_whole_or_not_at_all(office: Parts, doer: Dying, draft: Poll) -> None:
    open_whole(doer, draft)
    die_at_every_step(office, doer, "cast", MONDAY, invited(office, draft)[-1][0])
    assert tables(office, Ballot, SealedBallot) == [1, int(draft.secret)]
    assert mails(office) == {"ballot-invitation": AUDIENCE, "ballot-receipt": 1}
    assert acts(office) == {"poll-opened": 1, "ballot-cast": 1}


def test_a_poll_is_closed_whole_or_not_at_all(office: Parts, doer: Dying, draft: Poll) -> None:
    open_whole(doer, draft)
    vote(office, doer, draft, 7)
    die_at_every_step(office, doer, "close", WELL_AFTER, draft.id)
    assert poll_of(office, draft).state is PollState.CLOSED
    assert mails(office)["ballot-outcome"] == AUDIENCE
    assert acts(office)["poll-closed"] == 1
    assert tables(office, Ballot, Outcome, PublishedBallot) == [7, 1, 7 * draft.secret]
    assert tables(office, SealedBallot, PollKey) == [0, 0]
    with office.db.reading() as (session, _):
        assert session.get_one(Outcome, draft.id).tally == {"keep": 0, "move": 7, "abstain": 0}


@pytest.mark.parametrize("draft", [True], indirect=True, ids=["secret"])
def test_a_key_is_recorded_as_destroyed_only_when_it_is_and_then_once(
    office: Parts, doer: Dying, draft: Poll, tmp_path: Path
) -> None:
    open_whole(doer, draft)
    vote(office, doer, draft, 5)
    (file,) = (path for path in (tmp_path / "poll-keys").rglob("*") if path.is_file())
    key = file.read_bytes()
    assert doer.act("close", WELL_AFTER) == "done"
    for step in count(1):
        file.write_bytes(key)
        with office.db.transaction() as (session, _):
            session.execute(sa.delete(AuditRow).where(AuditRow.act == "poll-key-destroyed"))
            session.get_one(Poll, draft.id).key_destroyed_at = None
        fate = doer.act("destroy", WELL_AFTER, step=step)
        assert (poll_of(office, draft).key_destroyed_at is None) or not file.exists()
        assert doer.act("destroy", WELL_AFTER) == "done"
        assert (key_files(tmp_path), acts(office)["poll-key-destroyed"]) == ([], 1)
        assert poll_of(office, draft).key_destroyed_at == WELL_AFTER
        if fate == "done":
            break
        assert fate == "killed"
    assert step > SHORTEST
