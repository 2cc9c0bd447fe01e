"""What a poll says when it is written, and the checks on it: the same for a poll file and for the console.

A fault is data, a code with the field that it is about: each road words it for whoever reads it.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

import msgspec

from coopmail.actions.electorate import AudienceFault, audience_faults
from coopmail.domain.calendar import BRUSSELS, in_brussels
from coopmail.domain.counting import Majority, ShareOf, TieRule
from coopmail.domain.methods import METHODS
from coopmail.domain.polls import Audience, CostSharing, Effect, Poll, Visibility

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
SHARE = r"^[1-9][0-9]{0,3}/[1-9][0-9]{0,3}$"
RESERVED = ("new",)
"""Short names that an address of the console needs for itself."""
LONGEST_SLUG, LONGEST_KEY, LONGEST_LINE, LONGEST_TEXT = 80, 30, 200, 20_000
MOST_OPTIONS, MOST_MINUTES, MOST_REMINDERS, FARTHEST_REMINDER = 30, 120, 10, 90
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_LINE)]
Translation = Annotated[str, msgspec.Meta(max_length=LONGEST_LINE)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]
Slug = Annotated[str, msgspec.Meta(pattern=SLUG, max_length=LONGEST_SLUG)]
Key = Annotated[str, msgspec.Meta(pattern=SLUG, max_length=LONGEST_KEY)]
Share = Annotated[str, msgspec.Meta(pattern=SHARE)]
Days = Annotated[int, msgspec.Meta(ge=1, le=FARTHEST_REMINDER)]


class OptionEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An option. `cost_euro` is the total, excl. VAT, as in "48000.00"."""

    key: Key
    label_nl: Line
    label_en: Translation = ""
    description_nl: str = ""
    description_en: str = ""
    abstain: bool = False
    status_quo: bool = False
    cost_euro: str | None = None
    cost_yearly: bool = False
    cost_sharing: CostSharing = CostSharing.NONE


class PollEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A poll as it is written. Service, group and saved audience are named; `closes` is a clock time of Brussels."""

    slug: Slug
    title_nl: Line
    title_en: Translation = ""
    summary_nl: Text
    summary_en: str = ""
    more_nl: str = ""
    more_en: str = ""
    next_step_nl: Text
    next_step_en: str = ""
    minutes: Annotated[int, msgspec.Meta(ge=1, le=MOST_MINUTES)] = 2
    effect: Effect
    visibility: Visibility = Visibility.PARTICIPANTS
    audience: Audience
    service: str | None = None
    saved_audience: str | None = None
    group: str
    method: str
    majority: Majority = Majority.SIMPLE
    share: Share = "2/3"
    share_of: ShareOf = ShareOf.VALID
    quorum: Share | None = None
    tie: TieRule = TieRule.LEFT_OPEN
    secret: bool = False
    closes: datetime
    reminder_days: Annotated[list[Days], msgspec.Meta(max_length=MOST_REMINDERS)] | None = None
    options: Annotated[list[OptionEntry], msgspec.Meta(min_length=2, max_length=MOST_OPTIONS)]


class Fault(enum.StrEnum):
    """What can be wrong with a poll whose fields are each well-formed."""

    NAME_RESERVED = "name_reserved"
    KEY_TWICE = "key_twice"
    FEW_OPTIONS = "few_options"
    MANY_OPTIONS = "many_options"
    STATUS_QUO_ONE = "status_quo_one"
    SHARE_LARGE = "share_large"
    METHOD_UNKNOWN = "method_unknown"
    ABSTENTION_STAYS = "abstention_stays"
    COST_MISSING = "cost_missing"
    COST_UNREADABLE = "cost_unreadable"
    COST_NOT_CENTS = "cost_not_cents"
    HOUR_SKIPPED = "hour_skipped"
    CLOSING_PASSED = "closing_passed"
    TOO_SMALL = "too_small"


@dataclasses.dataclass(frozen=True)
class Faulty:
    """A fault, the field of the entry that it is about, and where it is an option's, which one (from 0)."""

    fault: Fault | AudienceFault
    field: str
    place: int | None = None
    values: dict[str, Any] = dataclasses.field(default_factory=dict)


def faults(entry: PollEntry) -> list[Faulty]:
    """All that is wrong with an entry in itself, whatever the time and whoever there is to ask."""
    reserved = [Faulty(Fault.NAME_RESERVED, "slug")] if entry.slug in RESERVED else []
    return [*reserved, *_whom(entry), *_counting(entry), *_options(entry), *_closing(entry)]


def _whom(entry: PollEntry) -> Iterator[Faulty]:
    named = Poll(
        audience=entry.audience, effect=entry.effect, secret=entry.secret,
        service_id=_some_id(entry.service), saved_audience_id=_some_id(entry.saved_audience),
    )  # fmt: skip
    for fault in audience_faults(named):
        yield Faulty(fault, _ABOUT[fault])


def _some_id(name: str | None) -> int | None:
    """An id for what is named: that it is there is looked at when the poll is built."""
    return None if name is None else 0


_ABOUT = {
    AudienceFault.SERVICE_MISSING: "service",
    AudienceFault.SERVICE_SPARE: "service",
    AudienceFault.SAVED_MISSING: "saved_audience",
    AudienceFault.SAVED_SPARE: "saved_audience",
    AudienceFault.SAVED_ARCHIVED: "saved_audience",
    AudienceFault.FIELD_DECIDES: "effect",
    AudienceFault.FIELD_SECRET: "secret",
}


def _counting(entry: PollEntry) -> Iterator[Faulty]:
    if entry.tie is TieRule.STATUS_QUO and sum(option.status_quo for option in entry.options) != 1:
        yield Faulty(Fault.STATUS_QUO_ONE, "tie")
    for name, share in (("share", entry.share), ("quorum", entry.quorum)):
        if share is not None and not 0 < Fraction(share) <= 1:
            yield Faulty(Fault.SHARE_LARGE, name)
    if entry.method not in METHODS:
        yield Faulty(Fault.METHOD_UNKNOWN, "method", values={"known": ", ".join(METHODS)})


def _options(entry: PollEntry) -> Iterator[Faulty]:
    keys = [option.key for option in entry.options]
    if len(set(keys)) != len(keys):
        yield Faulty(Fault.KEY_TWICE, "options")
    if sum(not option.abstain for option in entry.options) < 2:
        yield Faulty(Fault.FEW_OPTIONS, "options")
    for place, option in enumerate(entry.options):
        values = {"option": option.key}
        if option.abstain and option.status_quo:
            yield Faulty(Fault.ABSTENTION_STAYS, "status_quo", place, values)
        if option.cost_euro is None and option.cost_sharing is not CostSharing.NONE:
            yield Faulty(Fault.COST_MISSING, "cost_sharing", place, values)
        if isinstance(wrong := cents(option.cost_euro), Fault):
            yield Faulty(wrong, "cost_euro", place, values)


def cents(amount: str | None) -> int | Fault | None:
    """An amount in euro as cents, or what is wrong with it."""
    if amount is None:
        return None
    try:
        found = Decimal(amount) * 100
    except ArithmeticError:  # no number, or one that no computer holds
        return Fault.COST_UNREADABLE
    if not found.is_finite() or not 0 <= found < 10**13 or found != int(found):
        return Fault.COST_NOT_CENTS
    return int(found)


def _closing(entry: PollEntry) -> Iterator[Faulty]:
    try:
        closing_moment(entry.closes)
    except ValueError:
        yield Faulty(Fault.HOUR_SKIPPED, "closes", values={"hour": entry.closes.time(), "day": entry.closes.date()})


def closing_moment(local: datetime) -> datetime:
    """A closing time as typed, in Brussels; one with a time zone of its own is taken as it is.

    Raises `ValueError` for an hour that the clocks skip.
    """
    return local if local.tzinfo is not None else in_brussels(local.date(), local.time())


def in_clock_time(moment: datetime) -> datetime:
    """The reverse of `closing_moment`: what a clock in Brussels shows."""
    return moment.astimezone(BRUSSELS).replace(tzinfo=None)


def short_name(text: str, longest: int = LONGEST_SLUG) -> str:
    """A text as a short name for addresses: small letters, digits and hyphens; empty where it has none of them."""
    plain = unicodedata.normalize("NFKD", text.replace("&", " en ")).encode("ascii", "ignore").decode().lower()
    words = re.findall("[a-z0-9]+", plain)
    name = ""
    for word in words:
        if len(name) + len(word) + 1 > longest:
            break
        name = f"{name}-{word}" if name else word
    return name or "".join(words)[:longest]
