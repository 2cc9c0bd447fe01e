"""Reads a poll from a TOML file: everything is checked before anything is written."""

from __future__ import annotations

import mimetypes
import tomllib
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy.orm import Session

from coopmail.charter import PollRules
from coopmail.domain.calendar import in_brussels
from coopmail.domain.counting import Majority, ShareOf, TieRule
from coopmail.domain.methods import METHODS
from coopmail.domain.polls import (
    Attachment,
    Audience,
    CostSharing,
    Effect,
    Option,
    Poll,
    PollState,
    Visibility,
)
from coopmail.errors import PollFileError, UnknownSubject
from coopmail.queries import groups

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Translation = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Key = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=30)]
Share = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,3}/[1-9][0-9]{0,3}$")]
MAX_ATTACHMENT = 10 * 1024 * 1024
MEDIA_TYPES = ("application/pdf", "text/plain", "image/png", "image/jpeg", "text/csv")


class OptionEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[options]]`."""

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


class AttachmentEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[attachments]]`: a file beside the poll file."""

    file: Line
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class PollEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    slug: Slug
    title_nl: Line
    title_en: Translation = ""
    summary_nl: Text
    summary_en: str = ""
    more_nl: str = ""
    more_en: str = ""
    next_step_nl: Text
    next_step_en: str = ""
    minutes: Annotated[int, msgspec.Meta(ge=1, le=120)] = 2
    effect: Effect
    visibility: Visibility = Visibility.PARTICIPANTS
    audience: Audience
    service: str | None = None
    group: str
    method: str
    majority: Majority = Majority.SIMPLE
    share: Share = "2/3"
    share_of: ShareOf = ShareOf.VALID
    quorum: Share | None = None
    tie: TieRule = TieRule.LEFT_OPEN
    secret: bool = False
    closes: datetime
    reminder_days: Annotated[list[Annotated[int, msgspec.Meta(ge=1, le=90)]], msgspec.Meta(max_length=10)] | None = None
    options: Annotated[list[OptionEntry], msgspec.Meta(min_length=2, max_length=30)]
    attachments: list[AttachmentEntry] = []


def read_poll_file(path: Path) -> PollEntry:
    """The entry of a file, or `PollFileError` that names the place."""
    try:
        entry = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), PollEntry)
        _check(entry)
    except (
        OSError,
        UnicodeDecodeError,
        tomllib.TOMLDecodeError,
        msgspec.ValidationError,
        ValueError,
    ) as error:
        raise PollFileError(f"{path.name}: {error}. See docs/poll-file.md.") from error
    return entry


def build_poll(session: Session, entry: PollEntry, folder: Path, rules: PollRules) -> Poll:
    """A draft from an entry; names of groups and services are looked up. Not yet added to the session."""
    try:
        group = groups.group_by_slug(session, entry.group)
        service = groups.service_by_slug(session, entry.service) if entry.service else None
    except UnknownSubject as error:
        raise PollFileError(str(error)) from error
    text = (
        "title_nl",
        "title_en",
        "summary_nl",
        "summary_en",
        "more_nl",
        "more_en",
        "next_step_nl",
        "next_step_en",
    )
    same = ("slug", "minutes", "effect", "visibility", "audience", "majority", "share_of", "quorum", "secret")
    return Poll(
        **{name: getattr(entry, name) for name in (*text, *same)},
        state=PollState.DRAFT,
        service_id=service.id if service else None,
        group_id=group.id,
        method_name=entry.method,
        majority_share=entry.share,
        tie_rule=entry.tie,
        closes_at=closing_time(entry.closes),
        reminder_days=entry.reminder_days if entry.reminder_days is not None else rules.reminder_days,
        options=[_option(option, place) for place, option in enumerate(entry.options)],
        attachments=[_attachment(attachment, folder) for attachment in entry.attachments],
    )


def closing_time(local: datetime) -> datetime:
    """A closing time as typed, in Brussels; one with a time zone of its own is taken as it is."""
    if local.tzinfo is not None:
        return local
    try:
        return in_brussels(local.date(), local.time())
    except ValueError as error:
        raise PollFileError(f"closes: {error}") from error


def _check(entry: PollEntry) -> None:
    keys = [option.key for option in entry.options]
    if len(set(keys)) != len(keys):
        raise ValueError("two options have the same `key`")
    if sum(not option.abstain for option in entry.options) < 2:
        raise ValueError("a poll wants at least two options beside the abstention")
    if (entry.audience is Audience.SERVICE_MEMBERS) != (entry.service is not None):
        raise ValueError('`service` goes with audience = "service_members", and only with that')
    if entry.tie is TieRule.STATUS_QUO and sum(option.status_quo for option in entry.options) != 1:
        raise ValueError('tie = "status_quo" wants exactly one option with status_quo = true')
    for name, share in (("share", entry.share), ("quorum", entry.quorum)):
        if share is not None and not 0 < Fraction(share) <= 1:
            raise ValueError(f"`{name}` is a share: more than nothing, at most 1/1")
    if entry.method not in METHODS:
        raise ValueError(f"`method` is one of {', '.join(METHODS)}")
    for option in entry.options:
        if option.abstain and option.status_quo:
            raise ValueError(f"option {option.key}: an abstention cannot be the status quo")
        if option.cost_euro is None and option.cost_sharing is not CostSharing.NONE:
            raise ValueError(f"option {option.key}: `cost_sharing` wants a `cost_euro`")
        _cents(option)


def _cents(option: OptionEntry) -> int | None:
    if option.cost_euro is None:
        return None
    try:
        cents = Decimal(option.cost_euro) * 100
    except ArithmeticError as error:  # no number, or one that no computer holds
        raise ValueError(f'option {option.key}: `cost_euro` is an amount such as "48000.00"') from error
    if not cents.is_finite() or not 0 <= cents < 10**13 or cents != int(cents):
        raise ValueError(f'option {option.key}: `cost_euro` is an amount in whole cents, such as "48000.00"')
    return int(cents)


def _option(entry: OptionEntry, place: int) -> Option:
    texts = ("key", "label_nl", "label_en", "description_nl", "description_en", "abstain", "status_quo",
             "cost_yearly", "cost_sharing")  # fmt: skip
    return Option(position=place, cost_cents=_cents(entry), **{name: getattr(entry, name) for name in texts})


def _attachment(entry: AttachmentEntry, folder: Path) -> Attachment:
    path = folder / entry.file
    if Path(entry.file).name != entry.file or not path.is_file():
        raise PollFileError(f"attachments: there is no file {entry.file!r} beside the poll file")
    media_type, packed = mimetypes.guess_type(path.name)
    if media_type not in MEDIA_TYPES or packed is not None:
        raise PollFileError(f"attachments: {entry.file!r} is no PDF, text, CSV, PNG or JPEG")
    content = path.read_bytes()
    if len(content) > MAX_ATTACHMENT:
        raise PollFileError(f"attachments: {entry.file!r} is larger than {MAX_ATTACHMENT // 1024 // 1024} MB")
    # Kept on a disk, a document without its ending opens in nothing.
    name = entry.name if Path(entry.name).suffix == path.suffix else entry.name + path.suffix
    return Attachment(name=name, media_type=media_type, size=len(content), content=content)
