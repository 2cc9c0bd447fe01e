"""Destroying the keys of secret polls that are over, and watching over those in use.

Each step may be repeated and the process may be killed after any of them: the file goes first, then what the database
may still hold of deleted rows, and only then is it recorded that the key is destroyed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask

from coopmail import clock
from coopmail.actions import secret_ballots
from coopmail.actions.records import raise_matter
from coopmail.domain.polls import Poll, PollKey, PollState, SealedBallot
from coopmail.parts import Parts, parts
from coopmail.queries import poll_keys
from coopmail.vault import KeyUnreadable

ABANDONED = timedelta(hours=1)
"""A file of a poll that no row stands for yet may belong to an opening under way; after so long it cannot."""

_log = structlog.get_logger(__name__)


def destroy_poll_keys(app: Flask) -> None:
    """Destroy every key file that no open poll needs, then clean the database's disk, then record it."""
    office = parts(app)
    with office.db.reading() as (session, _):
        place, due = poll_keys.place(session), poll_keys.to_destroy(session)
    if place is None:
        return
    _watch(office)
    vault = office.basis.vault
    if due and not vault.holds(place):
        _tell(office, "poll-keys", "The folder with the keys of secret polls is not where COOPMAIL_KEY_FOLDER says, so"
              " the keys of polls that are over cannot be destroyed. Every process wants the same folder. If it was"
              f" deleted for good, make an empty folder {office.settings.key_folder / place}.",
              folder=str(office.settings.key_folder / place))  # fmt: skip
        return
    for poll_id, changed in vault.polls(place).items():
        try:
            _destroy_unneeded(office, place, poll_id, changed)
        except OSError as error:
            _tell(
                office,
                f"destroy-key:{poll_id}",
                f"The key file of poll {poll_id} cannot be destroyed: {error}",
                error=str(error),
            )
    gone = [poll_id for poll_id in due if poll_id not in vault.polls(place)]
    if gone and office.db.scrub(SealedBallot.__tablename__, PollKey.__tablename__):
        with office.db.transaction() as (session, now):
            for poll_id in gone:
                secret_ballots.record_destruction(session, now(), poll_id)


def _destroy_unneeded(office: Parts, place: str, poll_id: int, changed: float) -> None:
    """Destroy a file unless its poll is open or is being opened right now.

    Whoever opens a poll locks its row before the file is made. So under that lock, a file of a poll that is not open
    was left behind by an opening that came to nothing, or by a poll that is over.
    """
    with office.db.reading() as (session, _):
        state = session.scalar(sa.select(Poll.state).where(Poll.id == poll_id))
    if state is PollState.OPEN:
        return
    with office.db.transaction() as (session, _):
        state = session.scalar(sa.select(Poll.state).where(Poll.id == poll_id).with_for_update())
        unknown = state is None and changed > clock.system().timestamp() - ABANDONED.total_seconds()
        if state is not PollState.OPEN and not unknown:
            office.basis.vault.destroy(place, poll_id)


def _watch(office: Parts) -> None:
    """Tell staff in time, and not at closing, that the key of an open poll cannot be read."""
    with office.db.reading() as (session, _):
        for poll in poll_keys.in_use(session):
            try:
                secret_ballots.key_of(session, poll.id, office.basis.vault)
            except KeyUnreadable as error:
                # It may have been closed, and its key destroyed, after this session began to read.
                office.db.look_again(session)
                if session.scalar(sa.select(Poll.state).where(Poll.id == poll.id)) is PollState.OPEN:
                    text = (
                        f"Secret poll {poll.slug} takes no answers: {error} Put the file back; without it the poll"
                        " cannot be counted."
                    )
                    _tell(office, f"poll-key:{poll.id}", text, poll_id=poll.id, error=str(error))


def _tell(office: Parts, key: str, text: str, *, poll_id: int | None = None, **detail: Any) -> None:
    _log.error("poll-key", matter=key, text=text)
    with office.db.transaction() as (session, now):
        raise_matter(session, now(), key, text, poll_id=poll_id, **detail)
