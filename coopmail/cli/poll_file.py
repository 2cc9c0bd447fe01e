"""Reads a poll from a TOML file: everything is checked before anything is written."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy.orm import Session

from coopmail.actions import poll_drafts
from coopmail.actions.electorate import AudienceFault
from coopmail.actions.poll_documents import LONGEST_NAME, MAX_ATTACHMENT, FileRefused, document
from coopmail.actions.poll_entry import Fault, Faulty, PollEntry, closing_moment, faults
from coopmail.charter import PollRules
from coopmail.domain.polls import Attachment, Poll
from coopmail.errors import PollFileError, UnknownSubject

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_SAID: dict[Fault | AudienceFault, str] = {
    Fault.NAME_RESERVED: "`slug` cannot be this word: an address of the console needs it",
    Fault.KEY_TWICE: "two options have the same `key`",
    Fault.FEW_OPTIONS: "a poll wants at least two options beside the abstention",
    Fault.MANY_OPTIONS: "a poll has thirty options at most",
    AudienceFault.SERVICE_MISSING: '`service` goes with audience = "service_members", and only with that',
    AudienceFault.SERVICE_SPARE: '`service` goes with audience = "service_members", and only with that',
    AudienceFault.SAVED_MISSING: '`saved_audience` goes with audience = "saved", and only with that',
    AudienceFault.SAVED_SPARE: '`saved_audience` goes with audience = "saved", and only with that',
    AudienceFault.SAVED_ARCHIVED: "`saved_audience` is archived: take it back from the archive, or name another",
    AudienceFault.FIELD_DECIDES: 'audience = "whole_field" goes with effect = "consultation", and only with that',
    AudienceFault.FIELD_SECRET: 'audience = "whole_field" cannot be secret: whoever is no member is counted apart',
    Fault.STATUS_QUO_ONE: 'tie = "status_quo" wants exactly one option with status_quo = true',
    Fault.SHARE_LARGE: "`{field}` is a share: more than nothing, at most 1/1",
    Fault.METHOD_UNKNOWN: "`method` is one of {known}",
    Fault.ABSTENTION_STAYS: "option {option}: an abstention cannot be the status quo",
    Fault.COST_MISSING: "option {option}: `cost_sharing` wants a `cost_euro`",
    Fault.COST_UNREADABLE: 'option {option}: `cost_euro` is an amount such as "48000.00"',
    Fault.COST_NOT_CENTS: 'option {option}: `cost_euro` is an amount in whole cents, such as "48000.00"',
    Fault.HOUR_SKIPPED: "closes: {hour:%H:%M} does not exist on {day:%d-%m-%Y}: the clocks go forward",
    Fault.CLOSING_PASSED: "closes: this time has passed; choose a later one.",
    Fault.TOO_SMALL: "secret: {units} may vote today, and a secret poll wants {least} or more: the count would tell"
    " who voted what.",
}


class AttachmentEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[attachments]]`: a file beside the poll file."""

    file: Line
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]


class PollFile(PollEntry, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    attachments: list[AttachmentEntry] = msgspec.field(default_factory=list)


def read_poll_file(path: Path) -> PollFile:
    """The entry of a file, or `PollFileError` that names the place."""
    try:
        entry = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), PollFile)
        for found in faults(entry):
            raise ValueError(said(found))
    except (
        OSError,
        UnicodeDecodeError,
        tomllib.TOMLDecodeError,
        msgspec.ValidationError,
        ValueError,
    ) as error:
        raise PollFileError(f"{path.name}: {error}. See docs/poll-file.md.") from error
    return entry


def said(found: Faulty) -> str:
    """What is wrong with an entry, by the names that a poll file has for things."""
    return _SAID[found.fault].format(field=found.field, **found.values)


def build_poll(session: Session, entry: PollFile, folder: Path, rules: PollRules) -> Poll:
    """A draft from an entry; names of groups and services are looked up. Not yet added to the session."""
    try:
        poll = poll_drafts.build_poll(session, entry, rules)
    except UnknownSubject as error:
        raise PollFileError(str(error)) from error
    except poll_drafts.EntryWrong as error:
        raise PollFileError(said(error.faults[0])) from error
    poll.attachments = [_attachment(attachment, folder) for attachment in entry.attachments]
    return poll


def closing_time(local: datetime) -> datetime:
    """A closing time as typed, in Brussels; one with a time zone of its own is taken as it is."""
    try:
        return closing_moment(local)
    except ValueError as error:
        raise PollFileError(f"closes: {error}") from error


def _attachment(entry: AttachmentEntry, folder: Path) -> Attachment:
    path = folder / entry.file
    if Path(entry.file).name != entry.file or not path.is_file():
        raise PollFileError(f"attachments: there is no file {entry.file!r} beside the poll file")
    try:
        return document(entry.file, entry.name, path.read_bytes())
    except FileRefused as error:
        why = {"kind": "is no PDF, text, CSV, PNG or JPEG", "empty": "is empty",
               "size": f"is larger than {MAX_ATTACHMENT // 1024 // 1024} MB"}[error.code]  # fmt: skip
        raise PollFileError(f"attachments: {entry.file!r} {why}") from error
