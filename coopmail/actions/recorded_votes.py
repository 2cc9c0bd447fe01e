"""Votes by telephone or on paper, which staff record; and what a unit's contacts can say against one.

Rule: `facts.md`, "Not only digital": who gave it, when, by which channel and how staff know stands with it, and it is
marked as recorded, never as signed. Everyone who votes for the unit is told, and may contest it until the decision.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import ballots
from coopmail.actions.ballots import Given
from coopmail.actions.records import audit, queue_mail, raise_matter, settle_matter, staff_id
from coopmail.clock import Clock
from coopmail.domain.counting import Marks
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Ballot, Channel, Poll, PollState, VotingUnit
from coopmail.errors import ActionRefused, ChangedMeanwhile
from coopmail.queries import invitations, matters, polls
from coopmail.queries.ballots import replaced
from coopmail.queries.calls import holder_of


class SecretVote(ActionRefused):
    """Nobody records a secret vote for another."""


class PersonalVote(ActionRefused):
    """A seat's vote, or a person's, is given by nobody else."""


class AlreadyContested(ActionRefused):
    """The vote was contested before, for another reason: staff look at it."""


class Untimely(enum.StrEnum):
    """Why a vote cannot have been given when staff say."""

    FUTURE = "future"
    BEFORE_OPENING = "before-opening"
    BEFORE_THE_ANSWER = "before-the-answer"


class WrongMoment(ActionRefused):
    """The vote cannot have been given then, or does not count since a later one came."""

    def __init__(self, reason: Untimely) -> None:
        super().__init__(f"The vote cannot have been given then: {reason.value}.")
        self.reason = reason


@dataclass(frozen=True)
class RecordedVote:
    """What staff write down. `given_at` is to the minute; `over` is the version of the answer it replaces, 0 for none.

    `proof` says how staff know: who rang which number, where the paper is kept.
    """

    marks: Marks
    answered_by: str
    channel: Channel
    given_at: datetime
    proof: str
    over: int = 0


def record_vote(session: Session, now: Clock, poll_id: int, unit_id: int, vote: RecordedVote, *, actor: str) -> Ballot:
    """Record a vote that was given by telephone or on paper; the same one again changes nothing.

    Under the locks and the deadline of `polls.cast_ballot`: what was given in time but is recorded too late does not
    count. Raises `PollNotOpen`, `SecretVote`, `PersonalVote`, `WrongMoment`, `ChangedMeanwhile` where another answer
    stands than the one to be replaced, or `ActionRefused` for what is no ballot of this poll.
    """
    poll, moment = ballots.hold(session, now, poll_id, unit_id)
    poll.check_open(moment)
    _check_vote(session, poll, unit_id, vote)
    ballot = polls.ballot_of(session, unit_id)
    given = _given(poll, vote, actor)
    if ballot is not None and given.is_what(ballot, ballot.marks_text):
        return ballot
    if vote.over != (ballot.version if ballot is not None else 0):
        raise ChangedMeanwhile("Another answer came meanwhile: look at it first.")
    _check_moment(poll, ballot, vote.given_at, moment)
    return ballots.write(session, moment, poll, unit_id, given, None)


def repeats(poll: Poll, ballot: Ballot, vote: RecordedVote, actor: str) -> bool:
    """Whether a ballot is what recording this vote made: a second click."""
    return _given(poll, vote, actor).is_what(ballot, ballot.marks_text)


def remove_vote(
    session: Session, now: Clock, poll_id: int, unit_id: int, version: int, reason: str, *, actor: str
) -> bool:
    """Take a recorded vote back while the poll is open, and tell the unit's contacts; false where there is none.

    An answer by link that it replaced stands again: no vote is lost by a slip of ours.

    Raises `PollNotOpen`, or `ChangedMeanwhile` where another answer stands now.
    """
    if not reason.strip():
        raise ActionRefused("Removing a vote wants a reason: it is mailed to whoever votes for the unit.")
    poll, moment = ballots.hold(session, now, poll_id, unit_id)
    poll.check_open(moment)
    ballot = polls.ballot_of(session, unit_id)
    if ballot is None:
        return False
    if ballot.channel is Channel.LINK or ballot.version != version:
        raise ChangedMeanwhile("Another answer came meanwhile: look at it first.")
    audit(session, moment, "ballot-removed", actor, f"poll:{poll.id}", unit=unit_id, marks=ballot.marks_text,
          version=ballot.version, answered_by=ballot.answered_by, channel=ballot.channel.value,
          reason=reason.strip())  # fmt: skip
    ballots.drop_contest(session, moment, ballot, actor)
    before = replaced(session, poll.id, unit_id)
    if before is not None:
        ballots.restore(session, moment, ballot, before, actor)
        return True
    session.delete(ballot)
    _free_keys(session, poll, unit_id, moment)
    for invited in invitations.of_unit(session, unit_id):
        queue_mail(
            session, moment, "ballot-recorded", f"removed:{unit_id}:{invited.contact_id}:{moment.isoformat()}",
            campaign=f"poll:{poll.id}:receipt", contact_id=invited.contact_id, invitation_id=invited.id,
            context={"removed": reason.strip()},
        )  # fmt: skip
    return True


def contest(session: Session, now: Clock, invitation_id: int, reason: str) -> Ballot:
    """Say that a vote which staff recorded is not right; staff are asked to look. Nobody is mailed.

    Possible until the outcome is decided. The same again changes nothing. Raises `ActionRefused` where there is no such
    vote or it is too late, `AlreadyContested` where it was contested for another reason.
    """
    invitation = invitations.get(session, invitation_id)
    if invitation.poll_id is None or invitation.unit_id is None:
        raise ActionRefused("This invitation is not to a poll.")
    poll, moment = ballots.hold(session, now, invitation.poll_id, invitation.unit_id)
    session.refresh(invitation, ["revoked_at"])
    ballot = polls.ballot_of(session, invitation.unit_id)
    if ballot is None or invitation.revoked_at is not None or not contestable(poll, ballot):
        raise ActionRefused("There is no recorded vote to contest, or it is too late.")
    if ballot.contested_at is not None:
        if ballot.contest_reason != reason:
            raise AlreadyContested("This vote was contested before.")
        return ballot
    ballot.contested_at, ballot.contest_reason = moment, reason
    by = invitation.contact.name
    audit(session, moment, "ballot-contested", f"contact:{invitation.contact_id}", f"poll:{poll.id}",
          unit=ballot.unit_id, version=ballot.version, reason=reason)  # fmt: skip
    raise_matter(
        session, moment, f"contested:{ballot.unit_id}:{ballot.version}:{moment:%Y%m%dT%H%M%S%f}",
        f"{by} contests the vote that was recorded for a unit of poll {poll.slug}: {reason}",
        poll_id=poll.id, unit_id=ballot.unit_id, by=by, reason=reason,
    )  # fmt: skip
    return ballot


def contestable(poll: Poll, ballot: Ballot) -> bool:
    """Whether a ballot was recorded by staff, of a poll that nothing was decided on yet."""
    return ballot.channel is not Channel.LINK and poll.state in (PollState.OPEN, PollState.CLOSED)


def keep_vote(session: Session, now: Clock, poll_id: int, unit_id: int, note: str, *, actor: str) -> bool:
    """Keep a contested vote after looking at it, and say why; false where no contest waits.

    `note` stands in the record, and whoever votes for the unit reads it on the page.
    """
    if not note.strip():
        raise ActionRefused("Keeping a contested vote wants a reason.")
    poll, moment = ballots.hold(session, now, poll_id, unit_id)
    ballot = polls.ballot_of(session, unit_id)
    waiting = matters.contests_waiting(session, ballot) if ballot is not None else []
    for matter in waiting:
        matter.detail = {**(matter.detail or {}), "kept": note.strip()}
        settle_matter(session, moment, matter.key, actor=actor)
    if waiting:
        audit(session, moment, "contest-kept", actor, f"poll:{poll.id}", unit=unit_id, note=note.strip())
    return bool(waiting)


def _given(poll: Poll, vote: RecordedVote, actor: str) -> Given:
    return Given(
        vote.marks, vote.answered_by, actor, channel=vote.channel, recorded_by_id=staff_id(actor), proof=vote.proof,
        at=max(vote.given_at, poll.opened_at or vote.given_at),
    )  # fmt: skip


def _check_vote(session: Session, poll: Poll, unit_id: int, vote: RecordedVote) -> None:
    if poll.secret:
        raise SecretVote("This vote is secret: nobody can record it for another.")
    unit = session.get_one(VotingUnit, unit_id)
    if unit.poll_id != poll.id or vote.channel is Channel.LINK or not vote.proof or not vote.answered_by:
        raise ActionRefused("This is not a vote to record.")
    if not poll.method.accepts(vote.marks, poll.option_keys, poll.abstain_keys):
        raise ActionRefused("This is not a ballot of this poll.")
    if unit.organisation_id is None and vote.answered_by != holder_of(session, unit).name:
        raise PersonalVote("This vote is personal: only its holder gives it.")


def _check_moment(poll: Poll, ballot: Ballot | None, given_at: datetime, now: datetime) -> None:
    """The last vote before closing counts: one that was given before an answer by link came does not replace it."""
    if given_at > now:
        raise WrongMoment(Untimely.FUTURE)
    if poll.opened_at is not None and given_at < _minute(poll.opened_at):
        raise WrongMoment(Untimely.BEFORE_OPENING)
    if ballot is not None and ballot.channel is Channel.LINK and given_at < _minute(ballot.cast_at):
        raise WrongMoment(Untimely.BEFORE_THE_ANSWER)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _free_keys(session: Session, poll: Poll, unit_id: int, now: datetime) -> None:
    """Let a later ballot of the unit, whose versions begin again, be mailed under the keys of the one removed."""
    invited = sa.select(Invitation.id).where(Invitation.unit_id == unit_id)
    session.execute(
        sa.update(Mail)
        .where(Mail.invitation_id.in_(invited), Mail.campaign == f"poll:{poll.id}:receipt")
        .values(dedupe_key=Mail.dedupe_key + f":until:{now:%Y%m%dT%H%M%S%f}")
        .execution_options(synchronize_session=False)
    )
