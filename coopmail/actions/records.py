"""What every act leaves behind: an audit row, mails in the outbox, matters for staff."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.audit import AuditRow, Matter
from coopmail.domain.base import insert_new, random_key, wake_runners
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail, MailState, Priority

STAFF = "staff"
RUNNER = "runner"


def audit(session: Session, now: datetime, act: str, actor: str, subject: str, **detail: Any) -> None:
    """Append a row to the record of what was done."""
    session.add(AuditRow(at=now, act=act, actor=actor, subject=subject, detail=detail))


def raise_matter(
    session: Session,
    now: datetime,
    key: str,
    text: str,
    *,
    poll_id: int | None = None,
    unit_id: int | None = None,
    mail_id: int | None = None,
    **detail: Any,
) -> None:
    """Put something before staff, once a key.

    Pages word it by what stands before the first colon of the key (`wording.matter`), out of the poll, unit and mail
    that it is about and of `detail`; `text` is the same in English, for the command line.
    """
    session.execute(
        insert_new(session, Matter).values(
            key=key, text=text, raised_at=now, poll_id=poll_id, unit_id=unit_id, mail_id=mail_id,
            detail=detail or sa.null(),
        )
    )  # fmt: skip


def raise_matter_each(session: Session, now: datetime, rows: sa.Select[str, str, int, int]) -> None:
    """Put before staff each key, text, poll and unit that a question finds, in one statement, once a key."""
    session.flush()
    rows = rows.add_columns(sa.literal(now, Matter.__table__.c.raised_at.type))
    names = ["key", "text", "poll_id", "unit_id", "raised_at"]
    session.execute(insert_new(session, Matter).from_select(names, rows))


def settle_matter(session: Session, now: datetime, key: str, *, actor: str = STAFF) -> bool:
    """Tick a matter off, where there is one of that key that still waits; whether there was."""
    waiting = sa.update(Matter).where(Matter.key == key, Matter.settled_at.is_(None))
    done = waiting.values(settled_at=now, settled_by_id=staff_id(actor)).returning(Matter.id)
    matter_id = session.execute(done).scalar_one_or_none()
    if matter_id is not None:
        audit(session, now, "matter-settled", actor, f"matter:{matter_id}", key=key)
    return matter_id is not None


def staff_id(actor: str) -> int | None:
    """Which of the staff an actor is; `None` for the command line, the runner and contacts."""
    who, _, number = actor.partition(":")
    return int(number) if who == STAFF and number else None


def queue_mail(
    session: Session,
    now: datetime,
    template: str,
    dedupe_key: str,
    *,
    campaign: str,
    contact_id: int,
    invitation_id: int | None = None,
    context: dict[str, Any] | None = None,
    priority: Priority = Priority.GOVERNANCE,
    expires_at: datetime | None = None,
    after: timedelta = timedelta(0),
) -> None:
    """Queue one mail, to go out `after` so long; a second one of the same key is passed over."""
    session.flush()
    wake_runners(session)
    session.execute(
        insert_new(session, Mail).values(
            key=random_key(),
            dedupe_key=f"{template}:{dedupe_key}",
            contact_id=contact_id,
            invitation_id=invitation_id,
            context=context or {},
            **_fresh(now, template, campaign, priority, expires_at) | {"not_before": now + after},
        )
    )


def queue_mail_to_staff(
    session: Session,
    now: datetime,
    template: str,
    dedupe_key: str,
    *,
    campaign: str,
    staff_id: int,
    context: dict[str, Any] | None = None,
    priority: Priority = Priority.GOVERNANCE,
    expires_at: datetime | None = None,
) -> None:
    """Queue one mail to one of the staff, who waits for it; a second one of the same key is passed over."""
    session.flush()
    wake_runners(session)
    session.execute(
        insert_new(session, Mail).values(
            key=random_key(),
            dedupe_key=f"{template}:{dedupe_key}",
            staff_id=staff_id,
            context=context or {},
            **_fresh(now, template, campaign, priority, expires_at),
        )
    )


def queue_mail_each(
    session: Session,
    now: datetime,
    template: str,
    round_: str,
    *,
    campaign: str,
    poll_id: int,
    where: sa.ColumnElement[bool],
    context: dict[str, Any] | None = None,
    expires_at: datetime | None = None,
) -> None:
    """Queue one mail for each standing invitation of a poll that meets the condition, in one statement."""
    session.flush()
    wake_runners(session)
    columns = _columns(_fresh(now, template, campaign, Priority.GOVERNANCE, expires_at) | {"context": context or {}})
    text = sa.String
    dedupe = (
        sa.literal(f"{template}:{poll_id}:")
        + sa.cast(Invitation.unit_id, text) + ":" + sa.cast(Invitation.contact_id, text)
        + sa.literal(f":{round_}")
    )  # fmt: skip
    rows = sa.select(
        random_key(), dedupe, Invitation.contact_id, Invitation.id, *columns.values()
    ).where(Invitation.poll_id == poll_id, Invitation.revoked_at.is_(None), where)  # fmt: skip
    names = ["key", "dedupe_key", "contact_id", "invitation_id", *columns]
    session.execute(insert_new(session, Mail).from_select(names, rows))


def queue_mail_to(
    session: Session,
    now: datetime,
    template: str,
    round_: str,
    *,
    campaign: str,
    contacts: sa.Subquery,
    expires_at: datetime | None = None,
) -> None:
    """Queue one mail for each `contact_id` of a question, in one statement."""
    session.flush()
    wake_runners(session)
    columns = _columns(_fresh(now, template, campaign, Priority.GOVERNANCE, expires_at) | {"context": {}})
    contact_id = contacts.c.contact_id
    dedupe = sa.literal(f"{template}:") + sa.cast(contact_id, sa.String) + sa.literal(f":{round_}")
    # The condition keeps SQLite from reading ON CONFLICT as a join's ON.
    rows = sa.select(random_key(), dedupe, contact_id, *columns.values()).where(sa.true())
    names = ["key", "dedupe_key", "contact_id", *columns]
    session.execute(insert_new(session, Mail).from_select(names, rows))


def _columns(values: dict[str, Any]) -> dict[str, sa.ColumnElement[Any]]:
    """Values that every row of an INSERT … SELECT has alike."""
    table = Mail.__table__
    return {name: sa.literal(value, table.c[name].type) for name, value in values.items()}


def _fresh(
    now: datetime, template: str, campaign: str, priority: Priority, expires_at: datetime | None
) -> dict[str, Any]:
    """The columns that every new row of the outbox has alike."""
    return {
        "template": template,
        "campaign": campaign,
        "priority": int(priority),
        "created_at": now,
        "not_before": now,
        "expires_at": expires_at,
        "state": MailState.QUEUED,
        "claim_epoch": 0,
        "attempts": 0,
        "reply": "",
    }
