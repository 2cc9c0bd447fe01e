"""Ticking off that a unit was called, and taking that back."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import audit, staff_id
from coopmail.clock import Clock
from coopmail.domain.polls import Call, VotingUnit
from coopmail.errors import ActionRefused, ChangedMeanwhile
from coopmail.queries import calls, polls


def tick(session: Session, now: Clock, poll_id: int, unit_id: int, note: str, after: int, *, actor: str) -> Call:
    """Note that a unit was called, after the call that was the last when staff looked; the same again adds nothing.

    Raises `ChangedMeanwhile` where a colleague called it meanwhile, `ActionRefused` where it has answered by now.
    """
    _hold(session, unit_id)
    last = next(iter(calls.calls_of(session, [unit_id]).get(unit_id, [])), None)
    who = staff_id(actor)
    if last is not None and last.id != after:
        if (last.staff_id, last.note) == (who, note):
            return last
        raise ChangedMeanwhile("A colleague called meanwhile.")
    if polls.ballot_of(session, unit_id) is not None:
        raise ActionRefused("It has answered meanwhile: nobody needs to call.")
    call = Call(unit_id=unit_id, staff_id=who, called_at=now(), note=note)
    session.add(call)
    audit(session, call.called_at, "unit-called", actor, f"poll:{poll_id}", unit=unit_id, note=note)
    return call


def untick(session: Session, now: Clock, poll_id: int, unit_id: int, call_id: int, *, actor: str) -> bool:
    """Take a call to that unit back; false where it is gone already."""
    _hold(session, unit_id)
    call = session.get(Call, call_id)
    if call is None or call.unit_id != unit_id:
        return False
    session.delete(call)
    audit(session, now(), "call-undone", actor, f"poll:{poll_id}", unit=unit_id, note=call.note)
    return True


def _hold(session: Session, unit_id: int) -> None:
    session.execute(sa.select(VotingUnit.id).where(VotingUnit.id == unit_id).with_for_update()).one()
