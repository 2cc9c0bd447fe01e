"""Secret ballots: made unreadable when they are cast, published without names at closing, their key gone after it.

While the poll is open a ballot stands under a handle that only the poll's key ties to its unit, and what it says is
encrypted: PostgreSQL keeps rows in the order in which they came, so a handle alone would not do. A row of `ballots`
says *that* a unit answered. Rule: `design/links-and-ballots.md`, "Open and secret".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from coopmail.actions.records import RUNNER, audit
from coopmail.domain.ballot_list import LEAST
from coopmail.domain.base import InstallationMark, insert_new
from coopmail.domain.counting import Marks
from coopmail.domain.polls import (
    Ballot,
    Poll,
    PollKey,
    PublishedBallot,
    SealedBallot,
    VotingUnit,
    read_marks,
    write_marks,
)
from coopmail.errors import ActionRefused
from coopmail.queries import poll_keys
from coopmail.vault import CODE_LENGTH, BallotUnreadable, Key, KeyUnreadable, Vault, new_place

_AT_ONCE = 1000
"""Rows read and written together: memory stays flat."""


@dataclass(frozen=True)
class Receipt:
    """What a voter may see of the own ballot while the poll is open. Never mailed or logged, and stored sealed only."""

    code: str
    marks: Marks


def prepare(session: Session) -> None:
    """Give this database a folder name for its keys, where it has none: before the first key, and kept for good."""
    if poll_keys.place(session) is None:
        session.execute(insert_new(session, InstallationMark).values(name=poll_keys.PLACE, value=new_place()))


def make_key(session: Session, poll: Poll, vault: Vault) -> None:
    """Make the key of a poll that is being opened, under the lock of its row: the file first, then the row.

    Where the opening is rolled back the file stays behind without its other half, and a job removes it. Raises
    `ActionRefused` where the poll cannot be secret: fewer than five may vote, or votes weigh differently.
    """
    if poll.units < LEAST:
        raise ActionRefused(
            f"A secret poll wants {LEAST} voters or more, and here {poll.units} may vote: the count would tell who"
            " voted what. Make it an open one, or ask more."
        )
    if session.scalar(sa.select(sa.exists().where(VotingUnit.poll_id == poll.id, VotingUnit.weight != 1))):
        raise ActionRefused("A poll in which votes weigh differently cannot be secret: the weights would tell.")
    prepare(session)
    place = poll_keys.place(session)
    assert place is not None
    session.add(PollKey(poll_id=poll.id, half=vault.make(place, poll.id)))
    session.flush()


def key_of(session: Session, poll_id: int, vault: Vault | None) -> Key:
    """The key of a secret poll that is open, or `KeyUnreadable`."""
    found = poll_keys.half(session, poll_id)
    if found is None or vault is None:
        raise KeyUnreadable(f"There is no key for poll {poll_id}.")
    place, half = found
    return vault.read(place, poll_id, half)


def marked(session: Session, key: Key, unit_id: int) -> str | None:
    """What a unit marked, as text; `None` where it has not answered."""
    line = _line(session, key, unit_id)
    return line[CODE_LENGTH:] if line is not None else None


def seal(session: Session, key: Key, poll: Poll, unit_id: int, contact_id: int, marks: str) -> None:
    """Keep what a contact marked for a unit, in the place of its last answer; equal marks look as new as other ones.

    The contact's receipt code is sealed with the marks, so that publishing need not know who answered.
    """
    handle = key.handle(unit_id)
    # As long as the longest ballot could be, so that length tells nothing.
    length = CODE_LENGTH + len(write_marks(tuple(poll.option_keys)).encode())
    sealed = key.seal(handle, key.code(handle, contact_id) + marks, length)
    sqlite_is_it = session.get_bind().dialect.name == "sqlite"
    ballot = (sqlite.insert if sqlite_is_it else postgresql.insert)(SealedBallot).values(
        handle=handle, poll_id=poll.id, sealed=sealed
    )
    session.execute(ballot.on_conflict_do_update(index_elements=["handle"], set_={"sealed": sealed}))


def receipt(session: Session, poll: Poll, unit_id: int, vault: Vault) -> Receipt | None:
    """The receipt of a unit that answered an open poll; `None` where there is none, or no key to tell it with."""
    try:
        key = key_of(session, poll.id, vault)
        line = _line(session, key, unit_id)
    except (KeyUnreadable, BallotUnreadable):
        return None  # the page says so; a job puts it before staff
    return Receipt(line[:CODE_LENGTH], read_marks(line[CODE_LENGTH:])) if line is not None else None


def publish(session: Session, poll: Poll, vault: Vault) -> dict[Marks, int]:
    """Open every sealed ballot, publish what it says under its receipt code, forget the rest; returns the profile.

    Written in the order of the codes, so that neither a dump nor one from before tells which ballot was whose. Only
    for `LEAST` ballots or more: of fewer none is opened (`destroy_unread`). Raises `BallotUnreadable` or
    `KeyUnreadable`, and nothing is closed, where one ballot cannot be opened or is missing: none may be dropped in
    silence.
    """
    answered = session.scalars(sa.select(sa.func.count()).where(Ballot.poll_id == poll.id)).one()
    lines = sorted(_opened(session, poll, vault))
    _check_all_there(answered, len(lines))
    profile = {read_marks(text): votes for text, votes in Counter(line[CODE_LENGTH:] for line in lines).items()}
    if not all(poll.method.accepts(marks, poll.option_keys, poll.abstain_keys) for marks in profile):
        raise BallotUnreadable("A ballot says what nobody can have marked.")
    rest = iter(lines)
    while batch := list(islice(rest, _AT_ONCE)):
        session.execute(sa.insert(PublishedBallot), [_published(poll, line) for line in batch])
    discard(session, poll)
    return profile


def destroy_unread(session: Session, poll: Poll, answered: int) -> None:
    """Delete the ballots of a poll in which too few answered to count; the key is not even read.

    Raises `BallotUnreadable` where not as many are kept as units answered: then rows were tampered with, and perhaps
    more than few answered.
    """
    kept = session.scalars(sa.select(sa.func.count()).where(SealedBallot.poll_id == poll.id)).one()
    _check_all_there(answered, kept)
    discard(session, poll)


def discard(session: Session, poll: Poll) -> None:
    """Delete a poll's sealed ballots and the database's half of its key."""
    session.execute(sa.delete(SealedBallot).where(SealedBallot.poll_id == poll.id))
    session.execute(sa.delete(PollKey).where(PollKey.poll_id == poll.id))


def record_destruction(session: Session, now: datetime, poll_id: int) -> None:
    """Record, once, that nothing of a poll's key is left."""
    destroyed = (
        sa.update(Poll)
        .where(Poll.id == poll_id, Poll.key_destroyed_at.is_(None))
        .values(key_destroyed_at=now)
        .returning(Poll.id)
    )
    if session.execute(destroyed).one_or_none() is not None:
        audit(session, now, "poll-key-destroyed", RUNNER, f"poll:{poll_id}")


def _check_all_there(answered: int, kept: int) -> None:
    if kept != answered:
        raise BallotUnreadable(f"{answered} units answered, and {kept} ballots are kept.")


def _line(session: Session, key: Key, unit_id: int) -> str | None:
    """The receipt code of a unit's ballot and, right behind it, its marks: as they were sealed."""
    handle = key.handle(unit_id)
    sealed = session.scalar(sa.select(SealedBallot.sealed).where(SealedBallot.handle == handle))
    return key.open(handle, sealed) if sealed is not None else None


def _opened(session: Session, poll: Poll, vault: Vault) -> Iterator[str]:
    """Each ballot as its receipt code and, right behind it, its marks: one text takes less memory than two."""
    key = key_of(session, poll.id, vault)
    every = (
        sa.select(SealedBallot.handle, SealedBallot.sealed)
        .where(SealedBallot.poll_id == poll.id)
        .order_by(SealedBallot.handle)
        .execution_options(yield_per=_AT_ONCE)
    )
    with session.execute(every) as rows:
        for handle, sealed in rows:
            yield key.open(handle, sealed)


def _published(poll: Poll, line: str) -> dict[str, object]:
    return {"poll_id": poll.id, "code": line[:CODE_LENGTH], "marks_text": line[CODE_LENGTH:]}
