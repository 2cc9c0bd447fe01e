"""Writing down the ballot of a unit, however it came, and telling who votes for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import secret_ballots
from coopmail.actions.records import audit, queue_mail, settle_matter
from coopmail.clock import Clock
from coopmail.domain.audit import AuditRow
from coopmail.domain.counting import Marks
from coopmail.domain.polls import Ballot, Channel, Poll, VotingUnit, write_marks
from coopmail.queries import invitations, matters, polls
from coopmail.vault import Vault

SETTLE = timedelta(minutes=5)
"""Colleagues hear of a changed answer after so long: whoever changes it ten times in a row mails them once."""


@dataclass(frozen=True)
class Given:
    """An answer as it came: by a contact's link, or otherwise, and then one of the staff recorded it.

    `contact_id` is whose link it was; empty where staff recorded it, and then `recorded_by_id`, `proof` (how they know)
    and `at` (when it was given) are not.
    """

    marks: Marks
    answered_by: str
    actor: str
    contact_id: int | None = None
    channel: Channel = Channel.LINK
    recorded_by_id: int | None = None
    proof: str = ""
    at: datetime | None = None

    def is_what(self, ballot: Ballot, text: str | None) -> bool:
        """Whether a ballot, which says `text`, came of this very answer."""
        mine = (self.contact_id, self.answered_by, self.channel, self.proof, write_marks(self.marks))
        same = mine == (ballot.contact_id, ballot.answered_by, ballot.channel, ballot.proof, text)
        return same and self.at in (None, ballot.cast_at)


def hold(session: Session, now: Clock, poll_id: int, unit_id: int) -> tuple[Poll, datetime]:
    """Hold a poll, so that closing waits, and one of its units, so that nobody else answers for it meanwhile.

    Returns the poll as it is now and the moment, which is asked under these locks.
    """
    poll = session.scalars(
        sa.select(Poll).where(Poll.id == poll_id).with_for_update(read=True).execution_options(populate_existing=True)
    ).one()
    session.execute(sa.select(VotingUnit.id).where(VotingUnit.id == unit_id).with_for_update()).one()
    return poll, now()


def write(session: Session, now: datetime, poll: Poll, unit_id: int, given: Given, vault: Vault | None) -> Ballot:
    """Write the answer of a unit that is held over its last one; an equal one changes nothing.

    Of a secret ballot the row and the audit say that it was cast; what it says is sealed apart. A new answer takes the
    place of a contested one too, and the contest with it.
    """
    text = write_marks(given.marks)
    ballot = polls.ballot_of(session, unit_id)
    key = secret_ballots.key_of(session, poll.id, vault) if poll.secret else None
    if ballot is not None and (ballot.contact_id, ballot.answered_by) == (given.contact_id, given.answered_by):
        before = secret_ballots.marked(session, key, unit_id) if key else ballot.marks_text
        if given.is_what(ballot, before):
            return ballot
    if key:
        assert given.contact_id is not None, "nobody records a secret vote for another"
        secret_ballots.seal(session, key, poll, unit_id, given.contact_id, text)
    said = {} if key else {"marks": text}
    if ballot is None:
        ballot = Ballot(poll_id=poll.id, unit_id=unit_id, version=0)
        session.add(ballot)
    elif ballot.contested_at is not None:
        drop_contest(session, now, ballot, given.actor)
    ballot.contact_id, ballot.marks_text, ballot.answered_by = given.contact_id, said.get("marks"), given.answered_by
    ballot.channel, ballot.recorded_by_id, ballot.proof = given.channel, given.recorded_by_id, given.proof
    ballot.cast_at, ballot.version = given.at or now, ballot.version + 1
    audit(session, now, "ballot-cast" if given.contact_id else "ballot-recorded", given.actor, f"poll:{poll.id}",
          unit=unit_id, **said, version=ballot.version, answered_by=given.answered_by, **_how(given))  # fmt: skip
    _tell(session, now, ballot)
    return ballot


def restore(session: Session, now: datetime, ballot: Ballot, before: AuditRow, actor: str) -> None:
    """Let the answer by link stand again that a recorded vote replaced, and tell who votes for the unit."""
    ballot.contact_id, ballot.marks_text = int(before.actor.partition(":")[2]), before.detail["marks"]
    ballot.answered_by, ballot.cast_at = before.detail["answered_by"], before.at
    ballot.channel, ballot.recorded_by_id, ballot.proof = Channel.LINK, None, ""
    ballot.version += 1
    audit(session, now, "ballot-restored", actor, f"poll:{ballot.poll_id}", unit=ballot.unit_id,
          marks=ballot.marks_text, version=ballot.version, answered_by=ballot.answered_by)  # fmt: skip
    _tell(session, now, ballot)


def drop_contest(session: Session, now: datetime, ballot: Ballot, actor: str) -> None:
    """Let a contest go: what was contested is no longer the answer. The matter that it raised is ticked off."""
    ballot.contested_at, ballot.contest_reason = None, ""
    for matter in matters.contests_waiting(session, ballot):
        settle_matter(session, now, matter.key, actor=actor)


def mail_of(ballot: Ballot, contact_id: int) -> str:
    """Which mail tells a contact of a unit's ballot."""
    if ballot.channel is not Channel.LINK:
        return "ballot-recorded"
    return "ballot-receipt" if ballot.contact_id == contact_id else "ballot-by-colleague"


def _how(given: Given) -> dict[str, str]:
    """What the record says beyond an answer by link."""
    if given.channel is Channel.LINK:
        return {}
    return {"channel": given.channel.value, "proof": given.proof, "given_at": given.at.isoformat() if given.at else ""}


def _tell(session: Session, now: datetime, ballot: Ballot) -> None:
    """Queue a mail to everyone who votes for the unit: the receipt to whoever answered, and to the others who did."""
    for invited in invitations.of_unit(session, ballot.unit_id):
        mine = invited.contact_id == ballot.contact_id
        queue_mail(
            session, now, mail_of(ballot, invited.contact_id),
            f"{ballot.poll_id}:{ballot.unit_id}:{invited.contact_id}:{ballot.version}",
            campaign=f"poll:{ballot.poll_id}:receipt", contact_id=invited.contact_id, invitation_id=invited.id,
            context={"version": ballot.version}, after=timedelta(0) if mine or ballot.version == 1 else SETTLE,
        )  # fmt: skip
