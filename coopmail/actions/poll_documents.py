"""The documents of a draft: which files a poll takes, and adding and removing them."""

from __future__ import annotations

import mimetypes
from pathlib import PurePath

from sqlalchemy.orm import Session

from coopmail.actions.poll_drafts import locked_draft
from coopmail.actions.records import STAFF, audit
from coopmail.clock import Clock
from coopmail.domain.polls import Attachment
from coopmail.errors import ActionRefused
from coopmail.queries.polls import documents_of

MAX_ATTACHMENT = 10 * 1024 * 1024
MEDIA_TYPES = ("application/pdf", "text/plain", "image/png", "image/jpeg", "text/csv")
LONGEST_NAME = 120


class FileRefused(ActionRefused):
    """A document of a kind, or a size, that a poll does not take: `code` is `kind`, `size` or `empty`."""

    def __init__(self, code: str, name: str) -> None:
        super().__init__(f"{name!r}: {code}")
        self.code, self.name = code, name


def document(filename: str, name: str, content: bytes) -> Attachment:
    """A document from a file, called `name`. Raises `FileRefused`.

    What a browser would run is not taken; the ending says what it is.
    """
    path = PurePath(filename)
    media_type, packed = mimetypes.guess_type(path.name)
    if media_type not in MEDIA_TYPES or packed is not None:
        raise FileRefused("kind", filename)
    if not content:
        raise FileRefused("empty", filename)
    if len(content) > MAX_ATTACHMENT:
        raise FileRefused("size", filename)
    # Kept on a disk, a document without its ending opens in nothing.
    name = name if PurePath(name).suffix == path.suffix else name + path.suffix
    return Attachment(name=name, media_type=media_type, size=len(content), content=content)


def add_documents(
    session: Session, now: Clock, poll_id: int, documents: list[Attachment], *, actor: str = STAFF
) -> list[Attachment]:
    """Give a draft documents; one that is there already, by name and byte for byte, is passed over.

    Raises `NoDraft`.
    """
    poll = locked_draft(session, poll_id)
    there = {(row.name, row.content) for row in documents_of(session, poll)}
    added = [one for one in documents if (one.name, one.content) not in there]
    for one in added:
        poll.attachments.append(one)
        audit(session, now(), "poll-document-added", actor, f"poll:{poll.id}", name=one.name, size=one.size)
    if added:  # whoever looks at the draft to open it looks at its documents too
        poll.edit(poll.version)
    session.flush()
    return added


def remove_document(session: Session, now: Clock, poll_id: int, attachment_id: int, *, actor: str = STAFF) -> None:
    """Take a document from a draft; one that is gone stays gone. Raises `NoDraft`."""
    poll = locked_draft(session, poll_id)
    for row in [row for row in poll.attachments if row.id == attachment_id]:
        poll.attachments.remove(row)
        poll.edit(poll.version)
        audit(session, now(), "poll-document-removed", actor, f"poll:{poll.id}", name=row.name)
