"""Writing down the ballot of a unit, under the locks that `polls.cast_ballot` holds, and telling who votes for it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from coopmail.actions import secret_ballots
from coopmail.actions.records import audit, queue_mail
from coopmail.domain.counting import Marks
from coopmail.domain.links import Invitation
from coopmail.domain.polls import Ballot, Poll, write_marks
from coopmail.queries import invitations, polls
from coopmail.vault import Vault

SETTLE = timedelta(minutes=5)
"""Colleagues hear of a changed answer after so long: whoever changes it ten times in a row mails them once."""


def write(
    session: Session,
    now: datetime,
    poll: Poll,
    invitation: Invitation,
    marks: Marks,
    answered_by: str,
    vault: Vault | None,
) -> Ballot:
    """Write the answer of an invitation's unit over its last one; an equal one changes nothing.

    Of a secret ballot the row and the audit say that it was cast; what it says is sealed apart.
    """
    assert invitation.unit_id is not None
    unit_id, text = invitation.unit_id, write_marks(marks)
    ballot = polls.ballot_of(session, unit_id)
    key = secret_ballots.key_of(session, poll.id, vault) if poll.secret else None
    if ballot is not None and (ballot.contact_id, ballot.answered_by) == (invitation.contact_id, answered_by):
        before = secret_ballots.marked(session, key, unit_id) if key else ballot.marks_text
        if before == text:
            return ballot
    if key:
        secret_ballots.seal(session, key, poll, unit_id, invitation.contact_id, text)
    said = {} if key else {"marks": text}
    if ballot is None:
        ballot = Ballot(poll_id=poll.id, unit_id=unit_id, version=0)
        session.add(ballot)
    ballot.contact_id, ballot.marks_text, ballot.answered_by = invitation.contact_id, said.get("marks"), answered_by
    ballot.cast_at, ballot.version = now, ballot.version + 1
    audit(session, now, "ballot-cast", f"contact:{invitation.contact_id}", f"poll:{poll.id}",
          unit=unit_id, **said, version=ballot.version, answered_by=answered_by)  # fmt: skip
    _tell(session, now, poll.id, invitation, ballot.version)
    return ballot


def _tell(session: Session, now: datetime, poll_id: int, invitation: Invitation, version: int) -> None:
    """Queue the receipt, and a mail to everyone else who votes for the unit."""
    assert invitation.unit_id is not None
    for other in invitations.of_unit(session, invitation.unit_id):
        mine = other.id == invitation.id
        queue_mail(
            session, now, "ballot-receipt" if mine else "ballot-by-colleague",
            f"{poll_id}:{invitation.unit_id}:{other.contact_id}:{version}",
            campaign=f"poll:{poll_id}:receipt", contact_id=other.contact_id, invitation_id=other.id,
            context={"version": version}, after=timedelta(0) if mine or version == 1 else SETTLE,
        )  # fmt: skip
