"""What all senders share about the relay: whether it is down, and how fast it and each receiving domain may be fed.

The breaker: after a fault of the relay nobody tries for half a minute, then one sender tries with one connection, and
its first success lets all go on. Pacing is GCRA (ITU-T I.371): one moment a name, from which follows when the next
message may go; some seconds' worth may go at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import raise_matter
from coopmail.domain.base import insert_new
from coopmail.domain.outbox import RelayState

PAUSE = timedelta(seconds=30)
BURST = timedelta(seconds=10)
"""So much of a rate may be used at once."""
TELL_STAFF_AFTER = 10
"""Faults in a row, half a minute apart."""
RELAY = "relay"
MINUTE = timedelta(minutes=1)


def may_try(session: Session, now: datetime) -> tuple[bool, bool]:
    """Whether to try the relay now, and whether only to see if it is well again.

    Who is let in to see keeps others out for half a minute.
    """
    seen = session.get(RelayState, RELAY)
    if seen is None or seen.failures == 0:
        return True, False
    state = _locked(session, RELAY)
    if state.blocked_until is not None and state.blocked_until > now:
        return False, False
    state.blocked_until = now + PAUSE
    return True, True


def fault(session: Session, now: datetime, reason: str) -> None:
    """The relay is at fault: nobody tries for a while. Staff are told when it lasts."""
    state = _locked(session, RELAY)
    state.failures += 1
    state.blocked_until, state.reason = now + PAUSE, reason[:500]
    if state.failures >= TELL_STAFF_AFTER:
        text = f"The mail relay has not worked for some minutes: {reason}"
        raise_matter(session, now, f"relay-down:{now:%Y-%m-%d}", text, reason=reason[:500])


def well(session: Session) -> None:
    """The relay took a message: everybody may go on."""
    state = _locked(session, RELAY)
    state.failures, state.blocked_until, state.reason = 0, None, ""


def pace(session: Session, now: datetime, lines: Sequence[tuple[str, int]]) -> tuple[str, int, datetime] | None:
    """Take a place in each of these lines (a name, and how many a minute), or in none of them.

    Where one is full: its name, its rate, and when it takes somebody again. The relay's comes first, then the domains'
    in their order: senders that lock in different orders would wait for each other.
    """
    states = [(_locked(session, name), a_minute) for name, a_minute in lines]
    for state, a_minute in states:
        if state.free_at is not None and state.free_at - now > BURST:
            return state.name, a_minute, state.free_at - BURST
    for state, a_minute in states:
        state.free_at = max(state.free_at or now, now) + MINUTE / a_minute
    return None


def _locked(session: Session, name: str) -> RelayState:
    query = sa.select(RelayState).where(RelayState.name == name).with_for_update()
    query = query.execution_options(populate_existing=True)
    found = session.scalars(query).one_or_none()
    if found is None:
        session.execute(insert_new(session, RelayState).values(name=name, failures=0, reason=""))
        found = session.scalars(query).one()
    return found
