"""How the board says things: each a sign (`ok`, `wait`, `wrong` or `off`) with its words, or words alone."""

from __future__ import annotations

from datetime import datetime

from coopmail.domain.polls import Poll, PollState, ReminderState
from coopmail.forms.kind import lazy
from coopmail.queries.board import Standing
from coopmail.queries.board_mail import Fate

Sign = tuple[str, str]

FATES: dict[Fate, Sign] = {
    Fate.QUEUED: ("wait", lazy("Waits to be sent")),
    Fate.PAUSED: ("off", lazy("Held back")),
    Fate.CLAIMED: ("wait", lazy("Being sent")),
    Fate.SENT: ("ok", lazy("Sent")),
    Fate.BOUNCED: ("wrong", lazy("Refused by the mailbox")),
    Fate.FAILED: ("wrong", lazy("Could not be sent")),
    Fate.SUPPRESSED: ("off", lazy("Not needed any more")),
    Fate.CANCELLED: ("off", lazy("Taken back")),
    Fate.EXPIRED: ("wrong", lazy("Not sent in time")),
    Fate.NONE: ("off", lazy("Not mailed")),
}
"""What became of a mail."""

STANDINGS: dict[Standing, str] = {
    Standing.ANSWERED: lazy("Answered"),
    Standing.WAITING: lazy("Not answered"),
    Standing.UNREACHABLE: lazy("Nobody to mail"),
    Standing.BOUNCED: lazy("Mail did not arrive"),
    Standing.CALLED: lazy("Called, not answered"),
    Standing.RECORDED: lazy("Recorded by us"),
    Standing.CONTESTED: lazy("Contested"),
}
"""How it stands with a unit, as a filter."""

CAMPAIGNS: dict[str, str] = {
    "invitation": lazy("Invitations"),
    "again": lazy("Invitations, sent again"),
    "receipt": lazy("Receipts"),
    "extended": lazy("More time"),
    "withdrawn": lazy("Withdrawal"),
    "outcome": lazy("Outcome"),
}
"""What was sent."""

REMINDERS: dict[ReminderState, Sign] = {
    ReminderState.PLANNED: ("wait", lazy("Planned")),
    ReminderState.QUEUED: ("ok", lazy("Sent")),
    ReminderState.MISSED: ("wrong", lazy("Not sent")),
}
"""What became of a reminder."""

STATES: dict[PollState, Sign] = {
    PollState.DRAFT: ("off", lazy("Draft")),
    PollState.OPEN: ("wait", lazy("Running")),
    PollState.CLOSED: ("ok", lazy("Closed")),
    PollState.DECIDED: ("ok", lazy("Decided")),
    PollState.WITHDRAWN: ("off", lazy("Withdrawn")),
}
"""Where a poll stands."""


def state(poll: Poll, now: datetime) -> Sign:
    """Where a poll stands now: one whose time has passed is being counted, one that waits for us says so."""
    if poll.state is PollState.OPEN and not poll.accepts_answers(now):
        return ("wait", lazy("Being counted"))
    if poll.state is PollState.CLOSED and poll.announced_at is None:
        return ("wrong", lazy("Counted, not announced"))
    return STATES[poll.state]
