"""What can be done with a decision: write it on a poll, record it of a meeting, correct, withdraw and restore it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import STAFF, audit
from coopmail.clock import Clock
from coopmail.domain.base import InstallationMark, insert_new
from coopmail.domain.calendar import brussels_day
from coopmail.domain.decisions import Decision, DecisionDocument
from coopmail.domain.polls import Poll, PollState, Visibility
from coopmail.errors import ActionRefused

NUMBERING = "decision-numbering"
"""The mark that whoever gives a number holds."""
OF_THE_POLL = ("group_id", "decided_on", "present", "votes_for", "votes_against", "abstained")
"""What a decision that rests on a poll has from the poll, and nobody writes."""


class AlreadyRecorded(ActionRefused):
    """A decision of that group, day and title stands already, with other words: `number` says which."""

    def __init__(self, number: str) -> None:
        super().__init__(f"Decision {number} has the same group, date and title: correct that one.")
        self.number = number


class NotStanding(ActionRefused):
    """A withdrawn decision is not corrected: it is restored first."""


class PollNotPublic(ActionRefused):
    """A decision is never more public than the poll that it rests on."""


@dataclass(frozen=True)
class Words:
    """What staff write down of a decision. Heads are counted in persons; none of them is known where it is `None`."""

    group_id: int
    decided_on: date
    title_nl: str
    text_nl: str
    visibility: Visibility
    title_en: str = ""
    text_en: str = ""
    grounds: str = ""
    present: int | None = None
    votes_for: int | None = None
    votes_against: int | None = None
    abstained: int | None = None


@dataclass(frozen=True)
class Document:
    """A file to be kept with a decision."""

    name: str
    media_type: str
    content: bytes


def decide_poll(
    session: Session, poll_id: int, now: Clock, text_nl: str, text_en: str, grounds: str, *, title_nl: str = "",
    title_en: str = "", actor: str = STAFF,
) -> Decision:  # fmt: skip
    """Write the decision that rests on a closed poll, under the next number of the year.

    It is as public as the poll, and has the poll's title unless another is given. Raises `ActionRefused` where the text
    or the grounds are missing or the outcome waits to be announced, and `TransitionRefused`.
    """
    if not text_nl.strip() or not grounds.strip():
        raise ActionRefused("A decision wants its text in Dutch and its grounds.")
    poll = session.scalars(
        sa.select(Poll).where(Poll.id == poll_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    poll.check_transition(PollState.DECIDED)
    if poll.announced_at is None:
        raise ActionRefused(f"The outcome still waits for you: run `coopmail polls announce {poll.slug}` first.")
    poll.go(PollState.DECIDED)
    _hold_numbering(session)
    moment = now()
    decision = Decision(
        number=_next_number(session, brussels_day(moment).year), group_id=poll.group_id, poll_id=poll.id,
        decided_on=brussels_day(moment), title_nl=title_nl.strip() or poll.title_nl,
        title_en=title_en.strip() or ("" if title_nl.strip() else poll.title_en), text_nl=text_nl.strip(),
        text_en=text_en.strip(), grounds=grounds.strip(), visibility=poll.visibility, recorded_at=moment,
        recorded_by_id=_staff_id(actor),
    )  # fmt: skip
    session.add(decision)
    audit(session, moment, "poll-decided", actor, f"poll:{poll.id}", number=decision.number)
    return decision


def record_decision(
    session: Session, now: Clock, words: Words, documents: Sequence[Document] = (), *, actor: str = STAFF
) -> Decision:
    """Write down what a meeting decided, under the next number of the year in which it did.

    It is recorded, and never called signed (`facts.md`, "Not only digital"). The same once more (a second click, a
    colleague who was there too) adds nothing and is answered with the first; one of the same group, day and title that
    says otherwise is `AlreadyRecorded`. Raises `ActionRefused` for a day to come, or numbers that cannot be.
    """
    _hold_numbering(session)
    moment = now()
    words = _checked(words, moment)
    same = _same(session, words)
    if same is not None:
        if _words_of(same) == words and all(_has(same, document) for document in documents):
            return same
        raise AlreadyRecorded(same.number)
    decision = Decision(
        number=_next_number(session, words.decided_on.year), recorded_at=moment, recorded_by_id=_staff_id(actor),
        documents=[_kept(document) for document in documents], **asdict(words),
    )  # fmt: skip
    session.add(decision)
    session.flush()
    audit(session, moment, "decision-recorded", actor, f"decision:{decision.id}", number=decision.number,
          group=words.group_id, decided_on=words.decided_on.isoformat(), documents=_names(documents))  # fmt: skip
    return decision


def correct_decision(
    session: Session, decision_id: int, now: Clock, version: int, words: Words, *, added: Sequence[Document] = (),
    removed: Collection[int] = (), actor: str = STAFF,
) -> Decision:  # fmt: skip
    """Write a decision anew; the record keeps each changed part as it was and as it is. Saving the same adds nothing.

    Who decided, when and with how many votes is not changed where it rests on a poll, and it is never more public than
    its poll. Raises `ChangedMeanwhile`, `NotStanding`, `PollNotPublic`, and `ActionRefused` as `record_decision` does.
    """
    decision = _locked(session, decision_id)
    if decision.poll_id is None:
        words = _checked(words, now())
    before, after = asdict(_words_of(decision)), asdict(words)
    if decision.poll_id is not None:
        after |= {name: before[name] for name in OF_THE_POLL}
    changed = [name for name in before if before[name] != after[name]]
    gone = [document for document in decision.documents if document.id in removed]
    added = [document for document in added if not _has(decision, document)]
    if not changed and not gone and not added:
        return decision
    _refuse_withdrawn(decision)
    if after["visibility"] is Visibility.PUBLIC and not _may_be_public(decision):
        raise PollNotPublic("Its poll is not public, so the decision cannot be.")
    decision.edit(version)
    for name in changed:
        setattr(decision, name, after[name])
    for document in gone:
        decision.documents.remove(document)
    decision.documents += [_kept(document) for document in added]
    # Who may read it is no part of what was decided: making it public is not called a correction.
    only_shown = changed == ["visibility"] and not gone and not added
    audit(
        session, now(), "decision-visibility-changed" if only_shown else "decision-corrected", actor,
        f"decision:{decision.id}",
        before={name: _plain(before[name]) for name in changed}, after={name: _plain(after[name]) for name in changed},
        **({"added": _names(added)} if added else {}), **({"removed": _names(gone)} if gone else {}),
    )  # fmt: skip
    session.flush()
    return decision


def withdraw_decision(
    session: Session, decision_id: int, now: Clock, version: int, reason: str, *, actor: str = STAFF
) -> Decision:
    """Take a decision back, with a reason that stands beside it. It stays, under its number, and can be restored.

    The same once more adds nothing. Raises `ChangedMeanwhile`, `ActionRefused` without a reason, or `NotStanding` where
    it is withdrawn for another.
    """
    if not reason.strip():
        raise ActionRefused("A withdrawal wants a reason: it stands on the decision's page.")
    decision = _locked(session, decision_id)
    if decision.withdrawn_at is not None and decision.withdrawal_reason == reason.strip():
        return decision
    _refuse_withdrawn(decision)
    decision.edit(version)
    decision.withdrawn_at, decision.withdrawal_reason = now(), reason.strip()
    audit(session, decision.withdrawn_at, "decision-withdrawn", actor, f"decision:{decision.id}",
          reason=decision.withdrawal_reason)  # fmt: skip
    return decision


def restore_decision(session: Session, decision_id: int, now: Clock, version: int, *, actor: str = STAFF) -> Decision:
    """Let a withdrawn decision stand again; one that stands is left as it is.

    Raises `ChangedMeanwhile`, or `AlreadyRecorded` where another took its place meanwhile.
    """
    _hold_numbering(session)
    decision = _locked(session, decision_id)
    if decision.withdrawn_at is None:
        return decision
    same = _same(session, _words_of(decision)) if decision.poll_id is None else None
    if same is not None:
        raise AlreadyRecorded(same.number)
    decision.edit(version)
    reason, decision.withdrawn_at, decision.withdrawal_reason = decision.withdrawal_reason, None, ""
    audit(session, now(), "decision-restored", actor, f"decision:{decision.id}", reason=reason)
    return decision


def _hold_numbering(session: Session) -> None:
    """Let one at a time give numbers, until the commit: a year without a decision has no row of it to hold."""
    session.execute(insert_new(session, InstallationMark).values(name=NUMBERING, value=""))
    session.scalars(
        sa.select(InstallationMark.name).where(InstallationMark.name == NUMBERING).with_for_update()
    ).one()  # fmt: skip


def _next_number(session: Session, year: int) -> str:
    numbers = session.scalars(sa.select(Decision.number).where(Decision.number.startswith(f"{year}-")))
    following = max((int(number.partition("-")[2]) for number in numbers), default=0) + 1
    return f"{year}-{following:03}"


def _locked(session: Session, decision_id: int) -> Decision:
    return session.scalars(
        sa.select(Decision)
        .where(Decision.id == decision_id)
        .with_for_update(of=Decision)
        .execution_options(populate_existing=True)
    ).one()


def _checked(words: Words, now: datetime) -> Words:
    """The words without white space around them, or `ActionRefused`: forms say the same beside each field."""
    texts = {name: value.strip() for name, value in asdict(words).items() if type(value) is str}
    words = Words(**(asdict(words) | texts))
    if not words.title_nl or not words.text_nl:
        raise ActionRefused("A decision wants its title and its text in Dutch.")
    if words.decided_on > brussels_day(now):
        raise ActionRefused("A decision is recorded after it was taken: the date lies in the future.")
    votes = (words.votes_for, words.votes_against, words.abstained)
    known = [count for count in votes if count is not None]
    if min([words.present or 0, *known]) < 0:
        raise ActionRefused("Persons and votes are counted from 0.")
    if known and (len(known) < len(votes) or words.present is None or sum(known) > words.present):
        raise ActionRefused("Votes for, against and abstentions go together, and are no more than who was present.")
    return words


def _same(session: Session, words: Words) -> Decision | None:
    """The decision of a meeting that stands under the same group, day and title."""
    return session.scalars(
        sa.select(Decision)
        .where(
            Decision.poll_id.is_(None), Decision.withdrawn_at.is_(None), Decision.group_id == words.group_id,
            Decision.decided_on == words.decided_on, Decision.title_nl == words.title_nl,
        )
        .order_by(Decision.id)
    ).first()  # fmt: skip


def _words_of(decision: Decision) -> Words:
    return Words(**{part.name: getattr(decision, part.name) for part in fields(Words)})


def _may_be_public(decision: Decision) -> bool:
    return decision.poll is None or decision.poll.visibility is Visibility.PUBLIC


def _refuse_withdrawn(decision: Decision) -> None:
    if decision.withdrawn_at is not None:
        raise NotStanding(f"Decision {decision.number} is withdrawn: restore it first.")


def _has(decision: Decision, document: Document) -> bool:
    """Whether the very file is there already, as after a second click."""
    return any(kept.name == document.name and kept.content == document.content for kept in decision.documents)


def _kept(document: Document) -> DecisionDocument:
    return DecisionDocument(size=len(document.content), **asdict(document))


def _names(documents: Sequence[Document | DecisionDocument]) -> list[str]:
    return [document.name for document in documents]


def _staff_id(actor: str) -> int | None:
    kind, _, number = actor.partition(":")
    return int(number) if kind == STAFF and number else None


def _plain(value: Any) -> Any:
    """As JSON keeps it."""
    return value.isoformat() if isinstance(value, date) else value
