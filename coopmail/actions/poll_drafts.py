"""What can be done with a poll that is not open yet: write it, change it, give it documents, throw it away."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import secret_ballots
from coopmail.actions.electorate import AudienceFault
from coopmail.actions.poll_entry import (
    Fault,
    Faulty,
    OptionEntry,
    PollEntry,
    cents,
    closing_moment,
    faults,
    in_clock_time,
)
from coopmail.actions.records import STAFF, audit, queue_mail_to_staff
from coopmail.charter import PollRules
from coopmail.clock import Clock
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.audit import AuditRow
from coopmail.domain.ballot_list import LEAST
from coopmail.domain.calendar import brussels_day
from coopmail.domain.polls import Attachment, Option, Poll, PollState
from coopmail.domain.staff import StaffMember
from coopmail.errors import ActionRefused, UnknownSubject
from coopmail.queries import groups
from coopmail.queries.electorate import sizes
from coopmail.queries.polls import documents_of

PROOF_LASTS = timedelta(days=1)
_TEXTS = ("title", "summary", "more", "next_step")
_SAME = ("slug", *(f"{name}_{language}" for name in _TEXTS for language in ("nl", "en")),
         "minutes", "effect", "visibility", "audience", "majority", "share_of", "quorum", "secret")  # fmt: skip
_OPTION = ("key", "label_nl", "label_en", "description_nl", "description_en", "abstain", "status_quo", "cost_yearly",
           "cost_sharing")  # fmt: skip


class EntryWrong(ActionRefused):
    """A poll that cannot be written as it is; `faults` says what is wrong where."""

    def __init__(self, found: list[Faulty]) -> None:
        super().__init__("The poll is not right yet: " + ", ".join(one.fault.value for one in found))
        self.faults = found


class NameTaken(ActionRefused):
    """Another poll has this short name already."""

    def __init__(self, other: Poll) -> None:
        super().__init__(f"Poll {other.slug} is there already ({other.state.value}): give the new one another slug.")
        self.other_id = other.id


class NoDraft(ActionRefused):
    """The poll was opened or withdrawn meanwhile: nothing of it can be changed any more."""

    def __init__(self, poll: Poll) -> None:
        super().__init__(f"Poll {poll.slug} is {poll.state.value}: only a draft can be changed.")


def build_poll(session: Session, entry: PollEntry, rules: PollRules) -> Poll:
    """A draft from an entry, without documents, not yet added to the session.

    Reminder days that it does not name are the charter's. Raises `UnknownSubject` for a group, service or audience that
    is not there, `EntryWrong` for what `faults` finds.
    """
    return Poll(state=PollState.DRAFT, **_columns(session, entry, rules))


def _columns(session: Session, entry: PollEntry, rules: PollRules) -> dict[str, Any]:
    if found := faults(entry):
        raise EntryWrong(found)
    group = groups.group_by_slug(session, entry.group)
    service = groups.service_by_slug(session, entry.service) if entry.service else None
    audience = _audience_by_name(session, entry.saved_audience) if entry.saved_audience else None
    return {name: getattr(entry, name) for name in _SAME} | {
        "service_id": service.id if service else None,
        "saved_audience_id": audience.id if audience else None,
        "group_id": group.id,
        "method_name": entry.method,
        "majority_share": entry.share,
        "tie_rule": entry.tie,
        "closes_at": closing_moment(entry.closes),
        "reminder_days": entry.reminder_days if entry.reminder_days is not None else rules.reminder_days,
        "options": [_option(option, place) for place, option in enumerate(entry.options)],
    }


def _audience_by_name(session: Session, name: str) -> SavedAudience:
    found = session.scalars(
        sa.select(SavedAudience).where(SavedAudience.name == name, SavedAudience.archived_at.is_(None))
    ).one_or_none()
    if found is None:
        raise UnknownSubject(f"There is no saved audience called {name}.")
    return found


def _option(entry: OptionEntry, place: int) -> Option:
    found = cents(entry.cost_euro)
    assert not isinstance(found, Fault)  # `faults` has looked
    return Option(position=place, cost_cents=found, **{name: getattr(entry, name) for name in _OPTION})


def entry_of(poll: Poll) -> PollEntry:
    """The reverse of `build_poll`: what somebody would type to get this poll."""
    return PollEntry(
        **{name: getattr(poll, name) for name in _SAME},
        service=poll.service.slug if poll.service else None,
        saved_audience=poll.saved_audience.name if poll.saved_audience else None,
        group=poll.group.slug,
        method=poll.method_name,
        share=poll.majority_share,
        tie=poll.tie_rule,
        closes=in_clock_time(poll.closes_at),
        reminder_days=list(poll.reminder_days),
        options=[
            OptionEntry(
                cost_euro=f"{option.cost_cents // 100}.{option.cost_cents % 100:02}"
                if option.cost_cents is not None
                else None,
                **{name: getattr(option, name) for name in _OPTION},
            )
            for option in poll.options
        ],
    )


def faults_today(session: Session, poll: Poll, now: datetime) -> list[Faulty]:
    """What is wrong with a draft as things stand: its closing time has passed, or it cannot be secret.

    A secret poll wants enough votes to hide among, and none that is counted apart.
    """
    found = []
    if poll.closes_at <= now:
        found.append(Faulty(Fault.CLOSING_PASSED, "closes"))
    if not poll.secret:
        return found
    units = sizes(session, poll, brussels_day(now))
    if units.voting < LEAST:
        found.append(Faulty(Fault.TOO_SMALL, "secret", values={"units": units.voting, "least": LEAST}))
    if units.apart:
        found.append(Faulty(AudienceFault.FIELD_SECRET, "secret"))
    return found


def write_draft(
    session: Session, now: Clock, entry: PollEntry, rules: PollRules, *, copied: Poll | None = None, actor: str = STAFF
) -> Poll:
    """Write a new draft, with the documents of the poll that it is `copied` from.

    The same entry again gives the draft that is there: a second click. Raises `EntryWrong`, `NameTaken`,
    `UnknownSubject`.
    """
    before = session.scalars(sa.select(Poll).where(Poll.slug == entry.slug).with_for_update()).one_or_none()
    if before is not None:
        if before.state is PollState.DRAFT and as_written(entry, rules) == entry_of(before):
            return before
        raise NameTaken(before)
    poll = build_poll(session, entry, rules)
    _refuse(faults_today(session, poll, now()))
    session.add(poll)
    session.flush()
    for row in documents_of(session, copied) if copied is not None else ():
        poll.attachments.append(
            Attachment(name=row.name, media_type=row.media_type, size=row.size, content=row.content)
        )
    if poll.secret:
        secret_ballots.prepare(session)
    detail = {"copied_from": copied.slug} if copied is not None else {}
    audit(session, now(), "poll-drafted", actor, f"poll:{poll.id}", slug=poll.slug, **detail)
    return poll


def as_written(entry: PollEntry, rules: PollRules) -> PollEntry:
    """An entry as it would be read back once it is written: with what it left to the charter filled in."""
    return msgspec.structs.replace(
        entry,
        reminder_days=entry.reminder_days if entry.reminder_days is not None else list(rules.reminder_days),
        closes=in_clock_time(closing_moment(entry.closes)),
        options=[_tidy(option) for option in entry.options],
    )


def _tidy(option: OptionEntry) -> OptionEntry:
    found = cents(option.cost_euro)
    amount = f"{found // 100}.{found % 100:02}" if isinstance(found, int) else None
    return msgspec.structs.replace(option, cost_euro=amount)


def edit_draft(
    session: Session, now: Clock, poll_id: int, entry: PollEntry, rules: PollRules, *, version: int, actor: str = STAFF
) -> Poll:
    """Replace what a draft says; its documents stay. `version` is the one that was read.

    Raises `NoDraft`, `ChangedMeanwhile`, `EntryWrong`, `NameTaken`, `UnknownSubject`.
    """
    poll = locked_draft(session, poll_id)
    before = entry_of(poll)
    after = as_written(entry, rules)
    if before == after:
        return poll  # a second click, or nothing was changed
    poll.edit(version)
    other = session.scalars(sa.select(Poll).where(Poll.slug == entry.slug, Poll.id != poll.id)).one_or_none()
    if other is not None:
        raise NameTaken(other)
    columns = _columns(session, entry, rules)
    poll.options = []
    session.flush()  # the old keys go before the new ones come
    for name, value in columns.items():
        setattr(poll, name, value)
    _refuse(faults_today(session, poll, now()))
    session.flush()
    session.expire(poll, ["service", "saved_audience", "group"])
    if poll.secret:
        secret_ballots.prepare(session)
    changed = [name for name in PollEntry.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    audit(session, now(), "poll-edited", actor, f"poll:{poll.id}", slug=poll.slug, changed=changed)
    return poll


def delete_draft(session: Session, now: Clock, poll_id: int, *, actor: str = STAFF) -> None:
    """Throw a draft away for good, with its documents; the record keeps its name. Raises `NoDraft`."""
    poll = locked_draft(session, poll_id)
    audit(session, now(), "poll-deleted", actor, f"poll:{poll.id}", slug=poll.slug, title=poll.title_nl)
    session.delete(poll)
    session.flush()


def was_deleted(session: Session, poll_id: int) -> bool:
    """Whether a draft of that id was thrown away: a second click asks."""
    gone = sa.exists().where(AuditRow.subject == f"poll:{poll_id}", AuditRow.act == "poll-deleted")
    return bool(session.scalar(sa.select(gone)))


def send_proof(session: Session, now: Clock, poll: Poll, person: StaffMember, unit: str, contact_id: int) -> None:
    """Mail one of the staff, in their own language, the invitation that a contact would get for a unit.

    `unit` is a `rehearsal.Unit.code`. Nobody else is mailed. Pressed twice within a minute, it goes once.
    """
    moment = now()
    queue_mail_to_staff(
        session, moment, "poll-proof", f"{poll.id}:{person.id}:{moment:%Y%m%dT%H%M}", campaign=f"poll:{poll.id}:proof",
        staff_id=person.id, context={"poll_id": poll.id, "unit": unit, "contact_id": contact_id},
        expires_at=moment + PROOF_LASTS,
    )  # fmt: skip
    audit(session, moment, "poll-proof-sent", person.actor, f"poll:{poll.id}")


def locked_draft(session: Session, poll_id: int) -> Poll:
    """A draft that is about to be changed, held against anybody else. Raises `NoDraft`."""
    poll = session.scalars(
        sa.select(Poll).where(Poll.id == poll_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if poll.state is not PollState.DRAFT:
        raise NoDraft(poll)
    return poll


def _refuse(found: list[Faulty]) -> None:
    if found:
        raise EntryWrong(found)
