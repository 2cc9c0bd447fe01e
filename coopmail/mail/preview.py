"""What a mail of the outbox says, for staff to read: without its links, which are its receiver's alone.

No link is signed and no code is derived here, so that neither can come onto a page by any road.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import structlog
from flask_babel import gettext
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.links import LinkSigner
from coopmail.mail import letters
from coopmail.mail.rendering import render
from coopmail.parts import Parts
from coopmail.queries.outbox import envelopes

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Preview:
    """A mail's subject and text in its receiver's language; or why it would not be sent now, as `Unwanted` says it.

    Neither is there where its template has a defect.
    """

    language: str
    subject: str = ""
    text: str = ""
    reason: str = ""


class _NoSigner:
    """Knows every key and gives nothing away."""

    def knows(self, _version: int) -> bool:
        return True

    def sign(self, *_of: object) -> str:
        return ""

    def code(self, *_of: object) -> str:
        return "······"


@dataclass(frozen=True)
class _Desk(letters.Desk):
    """A desk at which each personal link is said and not written."""

    def address(self, link_id: str, kind: str, key_version: int) -> str:  # noqa: ARG002 - whose link it is, is not said
        return _mark()


def preview(session: Session, now: datetime, office: Parts, mail_id: int) -> Preview:
    """What a mail would say if it were written now. Raises `KeyError` where there is none."""
    mail = envelopes(session, [mail_id])[mail_id]
    signer = cast("LinkSigner", _NoSigner())
    desk = _Desk(lambda: session, now, office.settings, signer, letters.Memory(), letters.Shared)
    with wording.speaking(mail.language or "nl"):
        try:
            letter = letters.write(desk, mail)
            rendered = render(mail.template, letter, office.charter, office.settings.sender_name)
        except letters.Unwanted as unwanted:
            return Preview(wording.language(), reason=unwanted.reason)
        except Exception:  # a defect in one template must not hide what became of its mails
            _log.exception("mail-not-previewed", mail=mail_id, template=mail.template)
            return Preview(wording.language())
        return Preview(wording.language(), _without_links(rendered.subject), _without_links(rendered.text))


def _mark() -> str:
    return gettext("[personal link]")


def _without_links(text: str) -> str:
    """A text in which the pages behind a link are as unsaid as the link, and nothing that looks like one is left."""
    behind: Any = re.escape(_mark()) + r"(?:/[\w-]+)*(?:\?\S*)?"
    text = re.sub(behind, lambda _found: _mark(), text)
    return re.sub(r"\S*/r/\S*", lambda _found: _mark(), text)
