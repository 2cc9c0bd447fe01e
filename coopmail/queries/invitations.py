"""Questions about invitations and links."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from coopmail.domain.contacts import Contact, Nomination
from coopmail.domain.links import Invitation, Link
from coopmail.domain.polls import Ballot, Poll, PollState
from coopmail.errors import LinkExpired, LinkRevoked, LinkUnknown

_WHOLE = (
    joinedload(Invitation.contact),
    joinedload(Invitation.unit),
    joinedload(Invitation.poll),
    # By the row's own keys: where there is no nomination, nothing is asked.
    selectinload(Invitation.nomination).joinedload(Nomination.named_by),
    selectinload(Invitation.nomination).joinedload(Nomination.organisation),
)


_SEVERAL = (
    *_WHOLE,
    joinedload(Invitation.poll).selectinload(Poll.options),
    joinedload(Invitation.poll).joinedload(Poll.group),
    joinedload(Invitation.poll).joinedload(Poll.service),
)


def by_link(session: Session, link_id: str, kind: str, key_version: int, now: datetime) -> Invitation:
    """The invitation that a signed link opens, whole.

    Raises `LinkUnknown` (also where the row is of another kind or another key), `LinkExpired` or `LinkRevoked`.
    """
    link = session.scalars(
        sa.select(Link).where(Link.id == link_id).options(joinedload(Link.invitation).options(*_WHOLE))
    ).one_or_none()
    if link is None or link.kind != kind or link.key_version != key_version or link.invitation.kind != kind:
        raise LinkUnknown("There is no such link.")
    if link.invitation.revoked_at is not None or link.invitation.contact.left_at is not None:
        raise LinkRevoked("The link was taken back.")
    if link.expires_at is not None and link.expires_at <= now:
        raise LinkExpired("The link's validity has passed.")
    return _complete(session, link.invitation)


def get(session: Session, invitation_id: int) -> Invitation:
    """An invitation, whole."""
    found = session.scalars(sa.select(Invitation).where(Invitation.id == invitation_id).options(*_WHOLE)).one()
    return _complete(session, found)


def _complete(session: Session, invitation: Invitation) -> Invitation:
    """Give an invitation's poll what belongs to it: frozen since it opened, so it is read once in a while only."""
    poll = invitation.poll
    if poll is not None:
        for name, value in _belongings(session, poll).items():
            set_committed_value(poll, name, value)
    return invitation


KEPT_SECONDS = 5.0
_KEPT: WeakKeyDictionary[object, dict[int, tuple[float, dict[str, Any]]]] = WeakKeyDictionary()
"""By database and poll: until when its options, documents, group and service are not read again."""


def _belongings(session: Session, poll: Poll) -> dict[str, Any]:
    kept = _KEPT.setdefault(session.get_bind(), {})
    until, found = kept.get(poll.id, (0.0, {}))
    if time.monotonic() >= until:
        names = ("options", "attachments", "group", "service")
        found = {name: getattr(poll, name) for name in names}
        kept[poll.id] = (time.monotonic() + KEPT_SECONDS, found)
    return found


def links_of(session: Session, invitation_ids: Iterable[int]) -> dict[int, Link]:
    """The newest link of each invitation: under the newest key, then the latest."""
    found = session.scalars(
        sa.select(Link)
        .where(Link.invitation_id.in_(list(invitation_ids)))
        .order_by(Link.key_version, Link.created_at, Link.id.desc())
    )
    return {link.invitation_id: link for link in found}


def link_of(session: Session, invitation_id: int) -> Link:
    """The newest link of an invitation."""
    return links_of(session, [invitation_id])[invitation_id]


def still_open(session: Session, contact_id: int, now: datetime) -> list[Invitation]:
    """What a contact has still to answer: open polls whose unit has not answered, the first to close on top."""
    answered = sa.exists().where(Ballot.unit_id == Invitation.unit_id)
    return list(
        session.scalars(
            sa.select(Invitation)
            .join(Poll, Poll.id == Invitation.poll_id)
            .where(
                Invitation.contact_id == contact_id,
                Invitation.revoked_at.is_(None),
                Poll.state == PollState.OPEN,
                Poll.closes_at > now,
                ~answered,
            )
            .order_by(Poll.closes_at, Invitation.id)
            .options(*_SEVERAL)
        )
    )


def live(session: Session, contact_id: int, now: datetime) -> list[Invitation]:
    """Every invitation of a contact whose page still opens, the newest first, without test mails."""
    return list(
        session.scalars(
            sa.select(Invitation)
            .where(
                Invitation.contact_id == contact_id,
                Invitation.revoked_at.is_(None),
                Invitation.poll_id.is_not(None) | Invitation.nomination_id.is_not(None),
                sa.exists().where(
                    Link.invitation_id == Invitation.id, Link.expires_at.is_(None) | (Link.expires_at > now)
                ),
            )
            .order_by(Invitation.id.desc())
            .limit(50)
            .options(*_SEVERAL)
        )
    )


def of_unit(session: Session, unit_id: int) -> list[Invitation]:
    """Everyone who may vote for a unit."""
    return list(
        session.scalars(
            sa.select(Invitation)
            .where(Invitation.unit_id == unit_id, Invitation.revoked_at.is_(None))
            .order_by(Invitation.id)
            .options(selectinload(Invitation.contact))
        )
    )


def contact_by_address(session: Session, email_key: str) -> Contact | None:
    """The contact with that address."""
    return session.scalars(sa.select(Contact).where(Contact.email_key == email_key)).one_or_none()
