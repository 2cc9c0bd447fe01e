"""What members and staff do in the tests of mail, each in a transaction of its own."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from coopmail.actions import polls
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail, MailEvent
from coopmail.domain.polls import VotingUnit
from coopmail.parts import Parts
from coopmail.queries import outbox


def invitation(office: Parts, email: str, unit: str, poll_id: int | None = None) -> int:
    """The id of a contact's invitation to vote for a unit."""
    with office.db.reading() as (session, _):
        return session.scalars(
            sa.select(Invitation.id)
            .join(Contact, Contact.id == Invitation.contact_id)
            .join(VotingUnit, VotingUnit.id == Invitation.unit_id)
            .where(Contact.email == email, VotingUnit.name == unit,
                   Invitation.poll_id == poll_id if poll_id else sa.true())
        ).one()  # fmt: skip


def vote(office: Parts, email: str, unit: str, choice: str = "keep", by: str = "", poll_id: int | None = None) -> None:
    """A contact answers for a unit."""
    invitation_id = invitation(office, email, unit, poll_id)
    with office.db.transaction() as (session, now):
        polls.cast_ballot(session, now, invitation_id, (choice,), by or email.partition("@")[0])


def change(office: Parts, table: type[Any], where: sa.ColumnElement[bool], **values: Any) -> None:
    """Change rows behind the application's back."""
    with office.db.transaction() as (session, _):
        for row in session.scalars(sa.select(table).where(where)):
            for name, value in values.items():
                setattr(row, name, value)


def mails(office: Parts, template: str | None = None) -> dict[str, Mail]:
    """The outbox's rows by `address template`, of one letter where it is named: then by address alone."""
    with office.db.reading() as (session, _):
        rows = session.scalars(
            sa.select(Mail).where(Mail.template == template if template else sa.true())
            .options(joinedload(Mail.contact), joinedload(Mail.invitation).joinedload(Invitation.unit))
            .order_by(Mail.id)
        ).all()  # fmt: skip
    named: dict[str, Mail] = {}
    for row in rows:
        assert row.contact is not None
        name = row.contact.email if template else f"{row.contact.email} {row.template}"
        unit = row.invitation.unit if row.invitation else None
        named[f"{name} {unit.name}" if name in named and unit else name] = row
    assert len(named) == len(rows)
    return named


def events(office: Parts, mail: Mail) -> list[tuple[str, str]]:
    """What happened to a mail, in order, and in what words."""
    with office.db.reading() as (session, _):
        rows = session.scalars(sa.select(MailEvent).where(MailEvent.mail_id == mail.id).order_by(MailEvent.id))
        return [(row.event, row.detail) for row in rows]


def counts(office: Parts, campaign: str) -> dict[str, int]:
    """A campaign's mails by state."""
    with office.db.reading() as (session, _):
        return outbox.counts(session, campaign)
