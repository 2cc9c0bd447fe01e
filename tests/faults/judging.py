"""What must hold afterwards, whatever was killed: of the answers, of the mail, and of their sums."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from coopmail.domain.audit import AuditRow
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Ballot, VotingUnit
from coopmail.parts import Parts
from coopmail.queries import outbox
from tests.faults.sink import Copy, Sink
from tests.faults.stack import Stack

ANSWERED = "its unit has answered; the colleague was told so"
CHANGED = "the answer was changed since; a later mail says so"


def check_answers(office: Parts, planned: Mapping[str, Sequence[str]], confirmed: Mapping[str, str]) -> None:
    """Every confirmed answer is recorded exactly once, the last one of a unit stands, and each has one receipt."""
    assert confirmed == {unit: choices[-1] for unit, choices in planned.items()}
    with office.db.reading() as (session, _):
        names = {row.id: row.name for row in session.execute(sa.select(VotingUnit.id, VotingUnit.name))}
        ballots = {names[row.unit_id]: (row.marks, row.version) for row in session.scalars(sa.select(Ballot))}
        cast = sorted(
            (names[row.detail["unit"]], int(row.detail["version"]))
            for row in session.scalars(sa.select(AuditRow).where(AuditRow.act == "ballot-cast"))
        )
        rows = session.execute(
            sa.select(Invitation.unit_id, Mail.context)
            .join(Mail, Mail.invitation_id == Invitation.id)
            .where(Mail.template == "ballot-receipt")
        )
        receipts = sorted((names[unit or 0], int(context["version"])) for unit, context in rows)
    assert ballots == {unit: ((choices[-1],), len(choices)) for unit, choices in planned.items()}
    versions = sorted((unit, nth) for unit, choices in planned.items() for nth in range(1, len(choices) + 1))
    assert cast == versions
    assert receipts == versions


def check_mail(stack: Stack, planned: Collection[str], within: tuple[float, float] | None = None) -> int:
    """All mail has arrived or was rightly held back, and is what it was; returns how many copies were too many.

    A second copy is allowed of the last message of a connection that was cut off, and, where the database server
    crashed, of what came between two moments.
    """
    with stack.office.db.reading() as (session, _):
        rows = {row.key: row for row in session.scalars(sa.select(Mail))}
        asked = session.execute(
            sa.select(Mail.key, VotingUnit.name)
            .join(Invitation, Invitation.id == Mail.invitation_id)
            .join(VotingUnit, VotingUnit.id == Invitation.unit_id)
        )
        units = {row.key: row.name for row in asked}
    copies, excused = stack.sink.by_key(), _excused(stack.sink, within)
    unsent = {key: row for key, row in rows.items() if row.state is not MailState.SENT}
    assert set(copies) - set(rows) == set()
    assert [row.template for key, row in rows.items() if row.state is MailState.SENT and key not in copies] == []
    wrong = [
        (row.template, row.state.value, row.reply) for key, row in unsent.items()
        if (row.template, row.state, row.reply) not in HELD_BACK or units[key] not in planned
    ]  # fmt: skip
    assert wrong == []
    # Of a mail that was sent one copy counts, the others are too many; of one that was held back every copy is.
    extra = [copy for key, found in copies.items() for copy in found[: len(found) - (key not in unsent)]]
    assert [copy.key for copy in extra if copy not in excused] == []
    assert [key for key, found in copies.items() if len({copy.raw for copy in found}) != 1] == []
    return len(extra)


HELD_BACK = {
    ("ballot-invitation", MailState.SUPPRESSED, ANSWERED),
    ("ballot-receipt", MailState.SUPPRESSED, CHANGED),
}


def _excused(sink: Sink, within: tuple[float, float] | None) -> set[Copy]:
    began, ended = within or (0.0, 0.0)
    return sink.cut_off() | {copy for copy in sink.copies if began <= copy.at <= ended}


def check_sums(stack: Stack, audience: int) -> dict[str, int]:
    """The campaign's counts add up to whom it was meant for; returns them."""
    with stack.office.db.reading() as (session, _):
        counts = outbox.counts(session, stack.campaign)
    assert sum(counts.values()) == audience
    return counts


def last_accepted(office: Parts) -> datetime:
    """When the last mail was accepted."""
    with office.db.reading() as (session, _):
        found = session.scalars(sa.select(sa.func.max(Mail.accepted_at))).one()
    assert found is not None
    return found
