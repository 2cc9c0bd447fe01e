"""Questions about reminding: who has something open, and to how many a reminder now would go."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Ballot, Poll, PollState, VotingUnit
from coopmail.queries.board import answered


def to_remind(poll_ids: Collection[int]) -> sa.Select[int]:
    """The question for the contacts who have something open in these polls, each once."""
    has_answered = sa.exists().where(Ballot.unit_id == Invitation.unit_id)
    return (
        sa.select(Invitation.contact_id)
        .join(Poll, Poll.id == Invitation.poll_id)
        .join(Contact, Contact.id == Invitation.contact_id)
        .where(
            Invitation.poll_id.in_(poll_ids),
            Invitation.revoked_at.is_(None),
            Contact.left_at.is_(None),
            Poll.state == PollState.OPEN,
            ~has_answered,
        )
        .distinct()
    )


def reachable() -> sa.ColumnElement[bool]:
    """The condition that mail reaches a contact, as far as we know."""
    return Contact.left_at.is_(None) & Contact.undeliverable_at.is_(None)


class Remindable(NamedTuple):
    """What a reminder now would do.

    So many `mails` would go; `already` so many contacts have had today's; to so many `units` that have not answered no
    mail would go, since it reaches nobody there.
    """

    mails: int
    already: int
    units: int


def remindable(session: Session, poll_id: int, day: date) -> Remindable:
    """To how many a reminder of that day would go for a poll, and to how many not."""
    who = to_remind([poll_id]).where(reachable()).subquery()
    key = sa.literal("reminder:") + sa.cast(who.c.contact_id, sa.String) + sa.literal(f":{day}")
    had = sa.exists().where(Mail.dedupe_key == key)
    standing = (
        sa.exists()
        .where(Invitation.unit_id == VotingUnit.id, Invitation.revoked_at.is_(None))
        .where(Contact.id == Invitation.contact_id, reachable())
    )
    people = sa.select(sa.func.count()).select_from(who)
    units = sa.select(sa.func.count()).select_from(VotingUnit).where(VotingUnit.poll_id == poll_id)
    row = session.execute(
        sa.select(
            people.where(~had).scalar_subquery(),
            people.where(had).scalar_subquery(),
            units.where(~answered(), ~standing).scalar_subquery(),
        )
    ).one()
    return Remindable(*row)
