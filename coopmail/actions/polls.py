"""What can be done with a poll: open, extend, close, announce, withdraw; and cast a ballot."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

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
from coopmail.domain.counting import Marks, hear
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.poll_warnings import Caution, PollWarning
from coopmail.domain.polls import Ballot, Outcome, Poll, PollState
from coopmail.errors import ActionRefused, ChangedMeanwhile, EmptyElectorate
from coopmail.queries import ballots as published
from coopmail.queries import invitations, polls
from coopmail.vault import Vault


def draft_poll(session: Session, now: Clock, poll: Poll, *, actor: str = STAFF) -> Poll:
    """Write a draft; one of the same slug that is still a draft is replaced, any other stands in the way."""
    before = session.scalars(sa.select(Poll).where(Poll.slug == poll.slug).with_for_update()).one_or_none()
    if before is not None and before.state is not PollState.DRAFT:
        raise ActionRefused(f"Poll {poll.slug} is {before.state.value}: give the new one another slug.")
    if before is not None:
        poll.version = before.version + 1  # whoever has the old one in a form is told
        session.delete(before)
        session.flush()
    session.add(poll)
    session.flush()
    if poll.secret:
        secret_ballots.prepare(session)
    audit(session, now(), "poll-drafted", actor, f"poll:{poll.id}", slug=poll.slug)
    return poll


def warnings(poll: Poll, now: datetime, charter: Charter) -> list[PollWarning]:
    """What staff should mind before opening: the charter's least duration and quiet periods, texts without English.

    Nothing is refused. Days are whole days of the calendar in Brussels.
    """
    today, closing = brussels_day(now), brussels_day(poll.closes_at)
    least, days = charter.polls_on(today).least_duration_days, (closing - today).days
    notes = [PollWarning(Caution.SHORT, {"least": least, "days": days})] if days < least else []
    for day, quiet, free in ((today, Caution.QUIET_OPENING, Caution.FREE_OPENING),
                             (closing, Caution.QUIET_CLOSING, Caution.FREE_CLOSING)):  # fmt: skip
        name_nl, name_en = charter.quiet_name(day, "nl"), charter.quiet_name(day, "en")
        if name_nl is not None:
            notes.append(PollWarning(quiet, {"name_nl": name_nl, "name_en": name_en}))
        if not working_day(day):
            notes.append(PollWarning(free))
    if lacking := _without_english(poll):
        notes.append(PollWarning(Caution.NO_ENGLISH, {"fields": lacking}))
    return notes


def _without_english(poll: Poll) -> list[str]:
    """The texts that whoever reads English gets in Dutch, by the names that a poll file has for them."""
    names = ("title", "summary", "next_step", "more")
    lacking = [name for name in names if getattr(poll, f"{name}_nl") and not getattr(poll, f"{name}_en")]
    return lacking + [f"options.{option.key}.label" for option in poll.options if not option.label_en]


def open_poll(
    session: Session, poll_id: int, now: Clock, basis: Basis, *, version: int | None = None, actor: str = STAFF
) -> Poll:
    """Freeze the electorate and invite it. Set by set: the cost does not grow by statements.

    `version` is the draft's as it was looked at. Raises `TransitionRefused`, `ChangedMeanwhile`, `EmptyElectorate`, or
    `ActionRefused` where the closing time has passed or the poll cannot be secret or may not ask its audience.
    """
    poll = _locked(session, poll_id)
    poll.check_transition(PollState.OPEN)
    if version not in (None, poll.version):
        raise ChangedMeanwhile("What is opened is not what was looked at.")
    moment = now()
    if poll.closes_at <= moment:
        raise ActionRefused("The closing time has passed: choose a later one.")
    electorate.check_audience(poll)
    rules = basis.charter.polls_on(brussels_day(moment))
    poll.go(PollState.OPEN)
    poll.opened_at, poll.charter_entry = moment, rules.id
    electorate.freeze(session, poll, moment)
    poll.units, poll.population = polls.electorate_size(session, poll.id)
    if poll.units + polls.units_apart(session, poll.id) == 0:
        raise EmptyElectorate("Nobody may vote in this poll: its audience has no member or seat with a vote.")
    if poll.secret:
        secret_ballots.make_key(session, poll, basis.vault)
    electorate.invite(session, poll, moment, basis)
    reminders.plan(session, poll, basis.charter)
    electorate.raise_unreachable(session, poll, moment)
    audit(session, moment, "poll-opened", actor, f"poll:{poll.id}", charter_entry=rules.id,
          **electorate.of_record(session, poll))  # fmt: skip
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
    poll, moment = ballots.hold(session, now, invitation.poll_id, invitation.unit_id)
    poll.check_open(moment)
    session.refresh(invitation, ["revoked_at"])
    if invitation.revoked_at is not None:
        raise ActionRefused("This invitation was taken back.")
    if not poll.method.accepts(marks, poll.option_keys, poll.abstain_keys):
        raise ActionRefused("This is not a ballot of this poll.")
    given = ballots.Given(marks, answered_by, f"contact:{invitation.contact_id}", invitation.contact_id)
    return ballots.write(session, moment, poll, invitation.unit_id, given, vault)


def close_poll(
    session: Session, poll_id: int, now: Clock, basis: Basis, *, early: bool = False, reason: str = "",
    actor: str = STAFF,
) -> Outcome:  # fmt: skip
    """Close and count, once: whoever comes second finds the poll closed and gets `TransitionRefused`.

    A secret poll whose ballots cannot all be opened is not closed: `KeyUnreadable` or `BallotUnreadable`. `early` is
    staff's act, before the time; their `reason` stays in the record. A poll that the runner closes later than the
    charter's grace is counted all the same; its outcome is then announced by staff and not by itself.
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
    said: dict[str, Any] = {"reason": reason.strip()} if reason.strip() else {}
    said |= {"apart": outcome.apart} if outcome.apart is not None else {}
    audit(session, moment, "poll-closed", actor if early else RUNNER, f"poll:{poll.id}", **said,
          early=early, tally=outcome.tally, verdict=outcome.verdict.value)  # fmt: skip
    if late > timedelta(days=basis.charter.polls_on(brussels_day(moment)).closing_grace_days):
        raise_matter(
            session, moment, f"announce:{poll.id}",
            f"Poll {poll.slug} was closed {late.days} days late. Its outcome is counted and not yet mailed: look at it,"
            f" then run `coopmail polls announce {poll.slug}`.", poll_id=poll.id, days=late.days,
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


def announce_outcome(session: Session, poll_id: int, now: Clock, *, actor: str = STAFF) -> Poll:
    """Mail the outcome of a closed poll to all who were asked, where that has not been done."""
    poll = _locked(session, poll_id)
    if poll.state not in (PollState.CLOSED, PollState.DECIDED):
        raise ActionRefused(f"Poll {poll.slug} has no outcome yet.")
    moment = now()
    _announce(session, poll, moment)
    settle_matter(session, moment, f"announce:{poll.id}", actor=actor)
    audit(session, moment, "outcome-announced", actor, f"poll:{poll.id}")
    return poll


def extend_poll(
    session: Session, poll_id: int, now: Clock, closes_at: datetime, basis: Basis, *, version: int | None = None,
    actor: str = STAFF,
) -> Poll:  # fmt: skip
    """Give an open poll a later closing time; all who were asked are told. Links, mails and reminders follow.

    `version` is that of the poll as it was read; `ChangedMeanwhile` where it is another now. Raises `PollNotOpen`, or
    `ActionRefused` where the time is not later.
    """
    poll = _locked(session, poll_id)
    moment = now()
    poll.check_open(moment)
    poll.edit(poll.version if version is None else version)
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
    audit(session, moment, "poll-extended", actor, f"poll:{poll.id}",
          before=before.isoformat(), after=closes_at.isoformat())  # fmt: skip
    return poll


def withdraw_poll(session: Session, poll_id: int, now: Clock, reason: str, *, actor: str = STAFF) -> Poll:
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
    settle_matter(session, moment, f"close:{poll.id}", actor=actor)
    if was_open:
        queue_mail_each(session, moment, "poll-withdrawn", "1", campaign=f"poll:{poll.id}:withdrawn",
                        poll_id=poll.id, where=sa.true())  # fmt: skip
    audit(session, moment, "poll-withdrawn", actor, f"poll:{poll.id}", reason=poll.withdrawal_reason)
    return poll


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
    values["apart"] = _heard_apart(session, poll, turnout)
    outcome = Outcome(poll_id=poll.id, counted_at=now, answered_units=turnout.answered, units=turnout.units, **values)
    session.add(outcome)
    return outcome


def _heard_apart(session: Session, poll: Poll, turnout: polls.Turnout) -> dict[str, Any] | None:
    """What those without a vote said, where any were asked: it is told beside the outcome, and decides nothing."""
    if not turnout.apart:
        return None
    found = hear(polls.profile_apart(session, poll.id), poll.option_keys, poll.abstain_keys)
    return asdict(found) | {"units": turnout.apart, "answered": turnout.answered_apart}


def _announce(session: Session, poll: Poll, now: datetime) -> None:
    poll.announced_at = poll.announced_at or now
    queue_mail_each(session, now, "ballot-outcome", "1", campaign=f"poll:{poll.id}:outcome", poll_id=poll.id,
                    where=sa.true())  # fmt: skip
