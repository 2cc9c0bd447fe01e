"""What can be done with a poll: open, extend, close, announce, withdraw, decide; and cast a ballot."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import ballots, electorate, reminders, secret_ballots
from coopmail.actions.audit import seal_all
from coopmail.actions.basis import Basis
from coopmail.actions.records import (
    RUNNER,
    STAFF,
    audit,
    queue_mail_each,
    raise_matter,
    settle_matter,
)
from coopmail.charter import Charter
from coopmail.clock import Clock
from coopmail.domain import ballot_list
from coopmail.domain.calendar import brussels_day, working_day
from coopmail.domain.counting import Marks
from coopmail.domain.decisions import Decision
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Ballot, Outcome, Poll, PollState, VotingUnit
from coopmail.errors import ActionRefused, EmptyElectorate
from coopmail.queries import ballots as published
from coopmail.queries import invitations, polls
from coopmail.vault import Vault


def draft_poll(session: Session, now: Clock, poll: Poll) -> Poll:
    """Write a draft; one of the same slug that is still a draft is replaced, any other stands in the way."""
    before = session.scalars(sa.select(Poll).where(Poll.slug == poll.slug).with_for_update()).one_or_none()
    if before is not None and before.state is not PollState.DRAFT:
        raise ActionRefused(f"Poll {poll.slug} is {before.state.value}: give the new one another slug.")
    if before is not None:
        session.delete(before)
        session.flush()
    session.add(poll)
    session.flush()
    if poll.secret:
        secret_ballots.prepare(session)
    audit(session, now(), "poll-drafted", STAFF, f"poll:{poll.id}", slug=poll.slug)
    return poll


def warnings(poll: Poll, now: datetime, charter: Charter) -> list[str]:
    """What staff should mind before opening: the charter's least duration and quiet periods. Nothing is refused."""
    today, closing = brussels_day(now), brussels_day(poll.closes_at)
    least = charter.polls_on(today).least_duration_days
    notes = []
    if (closing - today).days < least:
        notes.append(
            f"the charter asks that a poll be open for {least} days; this one is for {(closing - today).days}."
        )
    for when, day in (("opens", today), ("closes", closing)):
        name = charter.quiet_name(day, "en")
        if name is not None:
            notes.append(f"the poll {when} in a quiet period: {name}.")
        if not working_day(day):
            notes.append(f"the poll {when} on a day that is no working day.")
    return notes


def open_poll(session: Session, poll_id: int, now: Clock, basis: Basis) -> Poll:
    """Freeze the electorate and invite it. Set by set: the cost does not grow by statements.

    Raises `TransitionRefused`, `EmptyElectorate`, or `ActionRefused` where the closing time has passed or the poll
    cannot be secret.
    """
    poll = _locked(session, poll_id)
    poll.check_transition(PollState.OPEN)
    moment = now()
    if poll.closes_at <= moment:
        raise ActionRefused("The closing time has passed: choose a later one.")
    rules = basis.charter.polls_on(brussels_day(moment))
    poll.go(PollState.OPEN)
    poll.opened_at, poll.charter_entry = moment, rules.id
    electorate.freeze(session, poll, moment)
    poll.units, poll.population = polls.electorate_size(session, poll.id)
    if poll.units == 0:
        raise EmptyElectorate("Nobody may vote in this poll: its audience has no member or seat with a vote.")
    if poll.secret:
        secret_ballots.make_key(session, poll, basis.vault)
    electorate.invite(session, poll, moment, basis)
    reminders.plan(session, poll, basis.charter)
    electorate.raise_unreachable(session, poll, moment)
    audit(session, moment, "poll-opened", STAFF, f"poll:{poll.id}", charter_entry=rules.id)
    return poll


def cast_ballot(
    session: Session, now: Clock, invitation_id: int, marks: Marks, answered_by: str, vault: Vault | None = None
) -> Ballot:
    """Record the answer of a unit; the last one before closing counts.

    The deadline is asked before the locks and again under them, and the poll's row is held so that closing waits. An
    equal answer by the same contact again changes nothing. A secret poll wants the `vault` with its key. Raises
    `PollNotOpen`, `KeyUnreadable`, or `ActionRefused` where the marks are not a ballot of this poll.
    """
    invitation = invitations.get(session, invitation_id)
    if invitation.poll_id is None or invitation.unit_id is None or invitation.poll is None:
        raise ActionRefused("This invitation is not to a poll.")
    invitation.poll.check_open(now())
    poll = session.scalars(
        sa.select(Poll)
        .where(Poll.id == invitation.poll_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).one()
    session.execute(sa.select(VotingUnit.id).where(VotingUnit.id == invitation.unit_id).with_for_update()).one()
    moment = now()
    poll.check_open(moment)
    session.refresh(invitation, ["revoked_at"])
    if invitation.revoked_at is not None:
        raise ActionRefused("This invitation was taken back.")
    if not poll.method.accepts(marks, poll.option_keys, poll.abstain_keys):
        raise ActionRefused("This is not a ballot of this poll.")
    return ballots.write(session, moment, poll, invitation, marks, answered_by, vault)


def close_poll(session: Session, poll_id: int, now: Clock, basis: Basis, *, early: bool = False) -> Outcome:
    """Close and count, once: whoever comes second finds the poll closed and gets `TransitionRefused`.

    A secret poll whose ballots cannot all be opened is not closed: `KeyUnreadable` or `BallotUnreadable`. `early` is
    staff's act, before the time. A poll that the runner closes later than the charter's grace is counted all the same;
    its outcome is then announced by staff and not by itself.
    """
    poll = _locked(session, poll_id)
    poll.check_transition(PollState.CLOSED)
    moment = now()
    if not early and moment < poll.closes_at:
        raise ActionRefused(f"Poll {poll.slug} closes only later.")
    late = moment - poll.closes_at
    poll.go(PollState.CLOSED)
    poll.closed_at = moment
    reminders.cancel(session, poll.id)
    _tell_colleagues(session, poll.id, moment)
    outcome = _count(session, poll, moment, basis.vault)
    audit(session, moment, "poll-closed", STAFF if early else RUNNER, f"poll:{poll.id}",
          early=early, tally=outcome.tally, verdict=outcome.verdict.value)  # fmt: skip
    if late > timedelta(days=basis.charter.polls_on(brussels_day(moment)).closing_grace_days):
        raise_matter(
            session, moment, f"announce:{poll.id}",
            f"Poll {poll.slug} was closed {late.days} days late. Its outcome is counted and not yet mailed: look at it,"
            f" then run `coopmail polls announce {poll.slug}`.",
        )  # fmt: skip
    else:
        _announce(session, poll, moment)
    outcome.audit_head = str(seal_all(session))  # last: it holds what every other closing waits for
    return outcome


def _tell_colleagues(session: Session, poll_id: int, now: datetime) -> None:
    """Send at once what was held back for a changed answer to settle: it does not change any more."""
    session.execute(
        sa.update(Mail)
        .where(Mail.campaign == f"poll:{poll_id}:receipt", Mail.state == MailState.QUEUED, Mail.not_before > now)
        .values(not_before=now)
        .execution_options(synchronize_session=False)
    )


def announce_outcome(session: Session, poll_id: int, now: Clock) -> Poll:
    """Mail the outcome of a closed poll to all who were asked, where that has not been done."""
    poll = _locked(session, poll_id)
    if poll.state not in (PollState.CLOSED, PollState.DECIDED):
        raise ActionRefused(f"Poll {poll.slug} has no outcome yet.")
    moment = now()
    _announce(session, poll, moment)
    settle_matter(session, moment, f"announce:{poll.id}")
    audit(session, moment, "outcome-announced", STAFF, f"poll:{poll.id}")
    return poll


def extend_poll(session: Session, poll_id: int, now: Clock, closes_at: datetime, basis: Basis) -> Poll:
    """Give an open poll a later closing time; all who were asked are told. Links, mails and reminders follow."""
    poll = _locked(session, poll_id)
    moment = now()
    poll.check_open(moment)
    if closes_at <= poll.closes_at:
        raise ActionRefused("An extension wants a later closing time than the present one.")
    before, poll.closes_at = poll.closes_at, closes_at
    electorate.move_expiry(session, poll, basis.charter)
    session.execute(
        sa.update(Mail)
        .where(Mail.campaign == f"poll:{poll.id}:invitation", Mail.state == MailState.QUEUED)
        .values(expires_at=closes_at)
    )
    reminders.plan(session, poll, basis.charter, after=moment)
    stamp = closes_at.strftime("%Y%m%dT%H%M")
    queue_mail_each(session, moment, "poll-extended", stamp, campaign=f"poll:{poll.id}:extended", poll_id=poll.id,
                    where=sa.true(), expires_at=closes_at)  # fmt: skip
    audit(session, moment, "poll-extended", STAFF, f"poll:{poll.id}",
          before=before.isoformat(), after=closes_at.isoformat())  # fmt: skip
    return poll


def withdraw_poll(session: Session, poll_id: int, now: Clock, reason: str) -> Poll:
    """Withdraw a draft or an open poll, with a reason that is mailed to all who were asked."""
    if not reason.strip():
        raise ActionRefused("A withdrawal wants a reason: it is mailed to all who were asked.")
    poll = _locked(session, poll_id)
    moment = now()
    was_open = poll.state is PollState.OPEN
    poll.go(PollState.WITHDRAWN)
    poll.withdrawn_at, poll.withdrawal_reason = moment, reason.strip()
    reminders.cancel(session, poll.id)
    secret_ballots.discard(session, poll)
    if was_open:
        queue_mail_each(session, moment, "poll-withdrawn", "1", campaign=f"poll:{poll.id}:withdrawn",
                        poll_id=poll.id, where=sa.true())  # fmt: skip
    audit(session, moment, "poll-withdrawn", STAFF, f"poll:{poll.id}", reason=poll.withdrawal_reason)
    return poll


def decide_poll(session: Session, poll_id: int, now: Clock, text_nl: str, text_en: str, grounds: str) -> Decision:
    """Write the decision that rests on a closed poll, under the next number of the year."""
    if not text_nl.strip() or not grounds.strip():
        raise ActionRefused("A decision wants its text in Dutch and its grounds.")
    poll = _locked(session, poll_id)
    poll.check_transition(PollState.DECIDED)
    if poll.announced_at is None:
        raise ActionRefused(f"The outcome still waits for you: run `coopmail polls announce {poll.slug}` first.")
    poll.go(PollState.DECIDED)
    moment = now()
    day = brussels_day(moment)
    of_the_year = sa.select(Decision.number).where(Decision.number.startswith(f"{day.year}-"))
    numbers = session.scalars(of_the_year.with_for_update())  # two at once get two numbers
    following = max((int(number.partition("-")[2]) for number in numbers), default=0) + 1
    decision = Decision(
        number=f"{day.year}-{following:03}", group_id=poll.group_id, poll_id=poll.id, decided_on=day,
        text_nl=text_nl.strip(), text_en=text_en.strip(), grounds=grounds.strip(),
    )  # fmt: skip
    session.add(decision)
    audit(session, moment, "poll-decided", STAFF, f"poll:{poll.id}", number=decision.number)
    return decision


def _locked(session: Session, poll_id: int) -> Poll:
    return session.scalars(
        sa.select(Poll).where(Poll.id == poll_id).with_for_update().execution_options(populate_existing=True)
    ).one()


def _count(session: Session, poll: Poll, now: datetime, vault: Vault) -> Outcome:
    turnout = polls.turnout(session, poll.id)
    weight = polls.electorate_weight(session, poll.id)
    counts = ballot_list.shows_counts(poll, turnout.answered)
    if counts:
        profile = secret_ballots.publish(session, poll, vault) if poll.secret else polls.profile(session, poll.id)
        found = poll.method.counting(profile, poll.option_keys, poll.abstain_keys, weight, poll.rule)
    else:
        secret_ballots.destroy_unread(session, poll, turnout.answered)
        found = ballot_list.too_few(poll.option_keys, turnout.answered, weight)
    values = asdict(found) | {"tied": list(found.tied)}
    values["list_hash"] = ballot_list.digest(published.pieces(session, poll)) if counts else None
    outcome = Outcome(poll_id=poll.id, counted_at=now, answered_units=turnout.answered, units=turnout.units, **values)
    session.add(outcome)
    return outcome


def _announce(session: Session, poll: Poll, now: datetime) -> None:
    poll.announced_at = poll.announced_at or now
    queue_mail_each(session, now, "ballot-outcome", "1", campaign=f"poll:{poll.id}:outcome", poll_id=poll.id,
                    where=sa.true())  # fmt: skip
