"""Polls: their states, options, electorate, ballots and outcome."""

from __future__ import annotations

import enum
import json
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from coopmail.domain.audiences import SavedAudience
from coopmail.domain.base import Base, Versioned, enumeration
from coopmail.domain.contacts import Contact
from coopmail.domain.counting import Majority, Marks, Rule, ShareOf, TieRule, Verdict
from coopmail.domain.groups import Group
from coopmail.domain.methods import METHODS, Method
from coopmail.domain.services import Service
from coopmail.domain.staff import StaffMember
from coopmail.errors import PollNotOpen, TransitionRefused


class PollState(enum.StrEnum):
    """Where a poll stands."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


TRANSITIONS: dict[PollState, frozenset[PollState]] = {
    PollState.DRAFT: frozenset({PollState.OPEN, PollState.WITHDRAWN}),
    PollState.OPEN: frozenset({PollState.CLOSED, PollState.WITHDRAWN}),
    PollState.CLOSED: frozenset({PollState.DECIDED}),
    PollState.DECIDED: frozenset(),
    PollState.WITHDRAWN: frozenset(),
}


class Effect(enum.StrEnum):
    """What an outcome does: it binds, it advises, or it is one voice among others."""

    BINDING = "binding"
    ADVICE = "advice"
    CONSULTATION = "consultation"


class Audience(enum.StrEnum):
    """Who is asked. Whoever is no member (in the whole field, or a saved audience) is heard and counted apart."""

    SERVICE_MEMBERS = "service_members"
    GROUP_SEATS = "group_seats"
    ALL_MEMBERS = "all_members"
    WHOLE_FIELD = "whole_field"
    SAVED = "saved"


class Visibility(enum.StrEnum):
    """Who may read the question and the outcome: everybody, or only whoever was asked."""

    PUBLIC = "public"
    PARTICIPANTS = "participants"


class CostSharing(enum.StrEnum):
    """How a total cost falls on the members: not at all, in equal parts, or by population."""

    NONE = "none"
    EQUAL = "equal"
    POPULATION = "population"


class Poll(Versioned, Base):
    """A vote (stemronde). What is frozen at opening: electorate, weights, rule, effect, charter entry.

    `units` and `population` are the electorate's, written at opening: what a unit's share of a cost is computed from.
    """

    __tablename__ = "polls"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(80), unique=True)
    state: Mapped[PollState] = mapped_column(enumeration(PollState), default=PollState.DRAFT, index=True)
    title_nl: Mapped[str] = mapped_column(sa.String(200))
    title_en: Mapped[str] = mapped_column(sa.String(200), default="")
    summary_nl: Mapped[str] = mapped_column(sa.Text)
    summary_en: Mapped[str] = mapped_column(sa.Text, default="")
    more_nl: Mapped[str] = mapped_column(sa.Text, default="")
    more_en: Mapped[str] = mapped_column(sa.Text, default="")
    next_step_nl: Mapped[str] = mapped_column(sa.Text)
    next_step_en: Mapped[str] = mapped_column(sa.Text, default="")
    minutes: Mapped[int]
    effect: Mapped[Effect] = mapped_column(enumeration(Effect))
    visibility: Mapped[Visibility] = mapped_column(enumeration(Visibility))
    audience: Mapped[Audience] = mapped_column(enumeration(Audience))
    service_id: Mapped[int | None] = mapped_column(sa.ForeignKey("services.id"))
    saved_audience_id: Mapped[int | None] = mapped_column(sa.ForeignKey("saved_audiences.id"))
    group_id: Mapped[int] = mapped_column(sa.ForeignKey("groups.id"))
    method_name: Mapped[str] = mapped_column(sa.String(30))
    majority: Mapped[Majority] = mapped_column(enumeration(Majority))
    majority_share: Mapped[str] = mapped_column(sa.String(20))
    share_of: Mapped[ShareOf] = mapped_column(enumeration(ShareOf))
    quorum: Mapped[str | None] = mapped_column(sa.String(20))
    tie_rule: Mapped[TieRule] = mapped_column(enumeration(TieRule))
    secret: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    closes_at: Mapped[datetime] = mapped_column(index=True)
    reminder_days: Mapped[list[int]] = mapped_column(sa.JSON)
    charter_entry: Mapped[str | None] = mapped_column(sa.String(60))
    units: Mapped[int] = mapped_column(default=0)
    population: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawal_reason: Mapped[str] = mapped_column(sa.Text, default="")
    key_destroyed_at: Mapped[datetime | None]

    service: Mapped[Service | None] = relationship()
    saved_audience: Mapped[SavedAudience | None] = relationship()
    group: Mapped[Group] = relationship()
    options: Mapped[list[Option]] = relationship(order_by="Option.position", cascade="all, delete-orphan")
    attachments: Mapped[list[Attachment]] = relationship(order_by="Attachment.id", cascade="all, delete-orphan")

    @property
    def method(self) -> Method:
        """The poll's way to decide."""
        return METHODS[self.method_name]

    @property
    def rule(self) -> Rule:
        """The counting rule."""
        status_quo = next((option.key for option in self.options if option.status_quo), None)
        quorum = Fraction(self.quorum) if self.quorum else None
        return Rule(self.majority, Fraction(self.majority_share), self.share_of, quorum, self.tie_rule, status_quo)

    @property
    def option_keys(self) -> list[str]:
        """The options' keys, in order."""
        return [option.key for option in self.options]

    @property
    def abstain_keys(self) -> list[str]:
        """The keys that mean an abstention."""
        return [option.key for option in self.options if option.abstain]

    def go(self, wanted: PollState) -> None:
        """Take a named transition, or raise `TransitionRefused`."""
        self.check_transition(wanted)
        self.state = wanted

    def check_transition(self, wanted: PollState) -> None:
        """Raise `TransitionRefused` where the poll cannot become `wanted` from its present state."""
        if wanted not in TRANSITIONS[self.state]:
            raise TransitionRefused(f"Poll {self.slug}", self.state.value, wanted.value)

    def accepts_answers(self, now: datetime) -> bool:
        """Whether an answer counts now: open, and strictly before closing (a late worker lets no late vote in)."""
        return self.state is PollState.OPEN and now < self.closes_at

    def check_open(self, now: datetime) -> None:
        """Raise `PollNotOpen` where an answer does not count now."""
        if not self.accepts_answers(now):
            raise PollNotOpen(f"Poll {self.slug} takes no answers any more.")


class Option(Base):
    """Something that a voter can mark. `cost_cents` is the total, excl. VAT, and `cost_sharing` says who bears it."""

    __tablename__ = "options"
    __table_args__ = (sa.UniqueConstraint("poll_id", "key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    poll_id: Mapped[int] = mapped_column(sa.ForeignKey("polls.id"))
    position: Mapped[int]
    key: Mapped[str] = mapped_column(sa.String(30))
    label_nl: Mapped[str] = mapped_column(sa.String(200))
    label_en: Mapped[str] = mapped_column(sa.String(200), default="")
    description_nl: Mapped[str] = mapped_column(sa.Text, default="")
    description_en: Mapped[str] = mapped_column(sa.Text, default="")
    abstain: Mapped[bool] = mapped_column(default=False)
    status_quo: Mapped[bool] = mapped_column(default=False)
    cost_cents: Mapped[int | None] = mapped_column(sa.BigInteger)
    cost_yearly: Mapped[bool] = mapped_column(default=False)
    cost_sharing: Mapped[CostSharing] = mapped_column(enumeration(CostSharing), default=CostSharing.NONE)


class Attachment(Base):
    """A document that belongs to a poll."""

    __tablename__ = "attachments"
    id: Mapped[int] = mapped_column(primary_key=True)
    poll_id: Mapped[int] = mapped_column(sa.ForeignKey("polls.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    media_type: Mapped[str] = mapped_column(sa.String(60))
    size: Mapped[int]
    content: Mapped[bytes] = mapped_column(sa.LargeBinary, deferred=True)


class VotingUnit(Base):
    """One of the electorate (stemgerechtigden). Frozen.

    An organisation in a members' poll, a seat in a group's; in a consultation of the field also a person. `weight` is
    its number of votes; one without a vote (0: no member) is heard, and counted apart.
    """

    __tablename__ = "voting_units"
    __table_args__ = (
        sa.UniqueConstraint("poll_id", "organisation_id"),
        sa.UniqueConstraint("poll_id", "seat_id"),
        sa.Index("uq_voting_units_poll_id_contact_id", "poll_id", "contact_id", unique=True),
        sa.CheckConstraint(
            "(CASE WHEN organisation_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN seat_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN contact_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="organisation_seat_or_person",
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    poll_id: Mapped[int] = mapped_column(sa.ForeignKey("polls.id"))
    organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    seat_id: Mapped[int | None] = mapped_column(sa.ForeignKey("seats.id"))
    contact_id: Mapped[int | None] = mapped_column(sa.ForeignKey("contacts.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    population: Mapped[int]
    weight: Mapped[int]


class Channel(enum.StrEnum):
    """How a vote came: by personal link, or otherwise, and then staff recorded it."""

    LINK = "link"
    TELEPHONE = "telephone"
    PAPER = "paper"


class Ballot(Base):
    """The answer of one unit (stembrief); the last valid one before closing counts. `version` counts its changes.

    One that staff recorded has no `contact_id`: `answered_by` is who gave it, `proof` how staff know, and the unit's
    contacts, who are told, may contest it.
    """

    __tablename__ = "ballots"
    id: Mapped[int] = mapped_column(primary_key=True)
    poll_id: Mapped[int] = mapped_column(sa.ForeignKey("polls.id"), index=True)
    unit_id: Mapped[int] = mapped_column(sa.ForeignKey("voting_units.id"), unique=True)
    contact_id: Mapped[int | None] = mapped_column(sa.ForeignKey("contacts.id"))
    answered_by: Mapped[str] = mapped_column(sa.String(200))
    marks_text: Mapped[str | None] = mapped_column(sa.Text)
    cast_at: Mapped[datetime]
    version: Mapped[int]
    channel: Mapped[Channel] = mapped_column(enumeration(Channel), default=Channel.LINK, server_default="link")
    recorded_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))
    proof: Mapped[str] = mapped_column(sa.Text, default="", server_default=sa.text("''"))
    contested_at: Mapped[datetime | None]
    contest_reason: Mapped[str] = mapped_column(sa.Text, default="", server_default=sa.text("''"))

    contact: Mapped[Contact | None] = relationship()
    recorded_by: Mapped[StaffMember | None] = relationship()

    @property
    def marks(self) -> Marks:
        """The keys that are marked; none can be read here where the poll is secret."""
        return read_marks(self.marks_text) if self.marks_text is not None else ()


class Outcome(Base):
    """The result (uitslag), counted once at closing.

    `apart` is what those without a vote said, where any were asked: `tally`, `cast`, `abstentions` and `units`.
    """

    __tablename__ = "outcomes"
    poll_id: Mapped[int] = mapped_column(sa.ForeignKey("polls.id"), primary_key=True)
    counted_at: Mapped[datetime]
    tally: Mapped[dict[str, int]] = mapped_column(sa.JSON)
    cast: Mapped[int]
    abstentions: Mapped[int]
    electorate: Mapped[int]
    answered_units: Mapped[int]
    units: Mapped[int]
    quorum_met: Mapped[bool]
    verdict: Mapped[Verdict] = mapped_column(enumeration(Verdict))
    winner: Mapped[str | None] = mapped_column(sa.String(30))
    tied: Mapped[list[str]] = mapped_column(sa.JSON)
    list_hash: Mapped[str | None] = mapped_column(sa.String(64))
    audit_head: Mapped[str | None] = mapped_column(sa.String(80))
    apart: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)


class Call(Base):
    """Staff called a unit that had not answered: when, who, and what came of it."""

    __tablename__ = "calls"
    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(sa.ForeignKey("voting_units.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))
    called_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(sa.String(400), default="")

    staff: Mapped[StaffMember | None] = relationship()


class PollKey(Base):
    """The database's half of a secret poll's key; the other half is a file outside it. Deleted at closing."""

    __tablename__ = "poll_keys"
    poll_id: Mapped[int] = mapped_column(sa.ForeignKey("polls.id"), primary_key=True)
    half: Mapped[bytes] = mapped_column(sa.LargeBinary)


class SealedBallot(Base):
    """What a unit answered in a secret poll that is open, readable with the poll's key alone.

    `handle` is HMAC(poll key, unit): without the key it names nobody. No voter, no time, and no order of insertion
    (SQLite: no rowid; PostgreSQL keeps rows in the order in which they came, so what is marked is encrypted).
    """

    __tablename__ = "sealed_ballots"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it from the class
    handle: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    poll_id: Mapped[int] = mapped_column(sa.ForeignKey("polls.id"), index=True)
    sealed: Mapped[bytes] = mapped_column(sa.LargeBinary)


class PublishedBallot(Base):
    """A ballot of a secret poll that is closed, under the receipt code that its voter saw on the page."""

    __tablename__ = "published_ballots"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it from the class
    poll_id: Mapped[int] = mapped_column(sa.ForeignKey("polls.id"), primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    marks_text: Mapped[str] = mapped_column(sa.Text)


class ReminderState(enum.StrEnum):
    """What became of a planned reminder."""

    PLANNED = "planned"
    QUEUED = "queued"
    MISSED = "missed"


class Reminder(Base):
    """A day on which whoever has not answered is reminded of a poll."""

    __tablename__ = "reminders"
    poll_id: Mapped[int] = mapped_column(sa.ForeignKey("polls.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    state: Mapped[ReminderState] = mapped_column(enumeration(ReminderState), default=ReminderState.PLANNED)


def write_marks(marks: Marks) -> str:
    """Marks as canonical text, so that equal ballots are equal rows and can be grouped by the database."""
    return json.dumps(list(marks), separators=(",", ":"), ensure_ascii=False)


def read_marks(text: str) -> Marks:
    """The reverse of `write_marks`."""
    found: Any = json.loads(text)
    return tuple(str(key) for key in found)


def unit_cost(poll: Poll, option: Option, unit: VotingUnit) -> int | None:
    """What an option costs a unit of an open poll, in cents; `None` where it bears no share: members share costs."""
    return member_share(option, unit.population, poll.population, poll.units) if unit.weight else None


def member_share(option: Option, population: int, total_population: int, units: int) -> int | None:
    """What an option costs one member, in cents, rounded half up; `None` where the costs are not shared."""
    if option.cost_cents is None or option.cost_sharing is CostSharing.NONE:
        return None
    equal = option.cost_sharing is CostSharing.EQUAL
    part, whole = (1, units) if equal else (population, total_population)
    return (2 * option.cost_cents * part + whole) // (2 * whole) if whole else None
