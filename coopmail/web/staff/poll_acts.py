"""What staff do with a poll that runs: remind, extend, close, withdraw, announce, decide.

Each act says what it asks, when it may be done, and when a second press repeats the first; `poll_act` shows its page.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy.orm import Session
from wtforms import Form

from coopmail import wording
from coopmail.actions import decisions, polls, reminders
from coopmail.actions.basis import Basis
from coopmail.clock import Clock
from coopmail.domain.audit import AuditRow
from coopmail.domain.calendar import brussels_day, working_day
from coopmail.domain.polls import Poll, PollState, ReminderState
from coopmail.forms.kind import Data, lazy
from coopmail.forms.staff.poll_acts import CloseForm, ConfirmForm, DecideForm, ExtendForm, WithdrawForm
from coopmail.parts import parts
from coopmail.queries import board
from coopmail.queries import polls as questions
from coopmail.queries.reminders import remindable
from coopmail.web.staff.console import actor, say, staff
from coopmail.web.staff.poll_act import Act, Answer, act_page

say("poll-reminded", lazy("The reminders are queued."))
say("poll-reminded-nobody", lazy("No reminder was sent: whoever could be mailed had today's already, or has answered."))
say("poll-extended", lazy("There is more time now, and everybody who was asked is told."))
say("poll-closed", lazy("The vote is closed and counted."))
say("poll-withdrawn", lazy("The vote is withdrawn."))
say("poll-announced", lazy("The outcome is on its way to everybody who was asked."))
say("poll-decided", lazy("The decision is written."))


def _plain(now: datetime, data: Data | None, _poll: Poll) -> Form:
    return ConfirmForm(now, data)


def _never(_session: Session, _poll: Poll, _before: AuditRow, _form: Form) -> bool:
    return False


def _remind(session: Session, now: Clock, _basis: Basis, poll: Poll, _form: Form) -> str:
    sent = reminders.remind_now(session, now, poll.id, actor=actor())
    return "poll-reminded" if sent else "poll-reminded-nobody"


def _remind_facts(session: Session, now: datetime, poll: Poll) -> dict[str, Any]:
    day = brussels_day(now)
    planned = [
        row.day
        for row in questions.reminders_of(session, poll.id)
        if row.state is ReminderState.PLANNED and row.day > day
    ]
    return {
        "found": remindable(session, poll.id, day),
        "working_day": working_day(day, parts().charter.quiet_on(day, day)),
        "planned": planned,
    }


REMIND = Act(
    name="remind",
    recorded="poll-reminded",
    sentence="poll-reminded",
    possible=lambda poll, now: poll.accepts_answers(now),
    form=_plain,
    repeats=_never,  # another press finds that nobody is left to mail
    do=_remind,
    facts=_remind_facts,
)


def _extend(session: Session, now: Clock, basis: Basis, poll: Poll, form: ExtendForm) -> str:
    assert form.closes_at is not None
    polls.extend_poll(session, poll.id, now, form.closes_at, basis, version=form.read_version, actor=actor())
    return "poll-extended"


def _extended(poll: Poll, form: ExtendForm) -> bool:
    """Whether the poll closes then already, and did not when the page was asked for."""
    return form.closes_at == poll.closes_at and form.read_version != poll.version


def _warns(form: ExtendForm) -> bool:
    """Whether a new closing time wants a second look; the same one, sent again after the warning, is meant."""
    if form.closes_at is None or form.meant:
        return False
    day = brussels_day(form.closes_at)
    quiet = parts().charter.quiet_name(day, wording.language())
    if quiet is not None:
        form.warnings.append(_("%(day)s lies in a quiet period: %(name)s.", day=wording.day(day), name=quiet))
    elif not working_day(day):
        form.warnings.append(_("%(day)s is no working day.", day=wording.day(day)))
    form.minded.data = form.closes_at.isoformat()
    return bool(form.warnings)


def _extend_facts(session: Session, _now: datetime, poll: Poll) -> dict[str, Any]:
    return {"asked": board.asked(session, poll.id), "counts": board.counts(session, poll)}


EXTEND = Act(
    name="extend",
    recorded="poll-extended",
    sentence="poll-extended",
    possible=lambda poll, now: poll.accepts_answers(now),
    form=lambda now, data, poll: ExtendForm(now, data, closes_at=poll.closes_at, version=poll.version),
    repeats=lambda _session, poll, _before, form: _extended(poll, form),
    do=_extend,
    facts=_extend_facts,
    warns=_warns,
)


def _close(session: Session, now: Clock, basis: Basis, poll: Poll, form: CloseForm) -> str:
    polls.close_poll(session, poll.id, now, basis, early=True, reason=form.reason.data or "", actor=actor())
    return "poll-closed"


CLOSE = Act(
    name="close",
    recorded="poll-closed",
    sentence="poll-closed",
    possible=lambda poll, _now: poll.state is PollState.OPEN,
    form=lambda now, data, _poll: CloseForm(now, data),
    repeats=lambda _session, _poll, before, form: (before.detail or {}).get("reason", "") == (form.reason.data or ""),
    do=_close,
    facts=_extend_facts,
)


def _withdraw(session: Session, now: Clock, _basis: Basis, poll: Poll, form: WithdrawForm) -> str:
    polls.withdraw_poll(session, poll.id, now, form.reason.data or "", actor=actor())
    return "poll-withdrawn"


WITHDRAW = Act(
    name="withdraw",
    recorded="poll-withdrawn",
    sentence="poll-withdrawn",
    possible=lambda poll, _now: poll.state in (PollState.DRAFT, PollState.OPEN),
    form=lambda now, data, _poll: WithdrawForm(now, data),
    repeats=lambda _session, poll, _before, form: poll.withdrawal_reason == form.reason.data,
    do=_withdraw,
    facts=_extend_facts,
)


def _announce(session: Session, now: Clock, _basis: Basis, poll: Poll, _form: Form) -> str:
    polls.announce_outcome(session, poll.id, now, actor=actor())
    return "poll-announced"


def _outcome_facts(session: Session, _now: datetime, poll: Poll) -> dict[str, Any]:
    return {"asked": board.asked(session, poll.id), "outcome": questions.outcome_of(session, poll.id)}


ANNOUNCE = Act(
    name="announce",
    recorded="outcome-announced",
    sentence="poll-announced",
    possible=lambda poll, _now: poll.state is PollState.CLOSED and poll.announced_at is None,
    form=_plain,
    repeats=lambda _session, _poll, _before, _form: True,
    do=_announce,
    facts=_outcome_facts,
)


def _decide_form(_now: datetime, data: Data | None, poll: Poll) -> DecideForm:
    return DecideForm(_now, data, title_nl=poll.title_nl, title_en=poll.title_en)


def _decide(session: Session, now: Clock, _basis: Basis, poll: Poll, form: DecideForm) -> str:
    decisions.decide_poll(
        session, poll.id, now, form.text_nl.data or "", form.text_en.data or "", form.grounds.data or "",
        title_nl=form.title_nl.data or "", title_en=form.title_en.data or "", actor=actor(),
    )  # fmt: skip
    return "poll-decided"


def _same_decision(session: Session, poll: Poll, _before: AuditRow, form: DecideForm) -> bool:
    found = questions.decision_of(session, poll.id)
    return found is not None and (found.text_nl, found.grounds) == (form.text_nl.data, form.grounds.data)


DECIDE = Act(
    name="decide",
    recorded="poll-decided",
    sentence="poll-decided",
    possible=lambda poll, _now: poll.state is PollState.CLOSED and poll.announced_at is not None,
    form=_decide_form,
    repeats=_same_decision,
    do=_decide,
    facts=_outcome_facts,
)


@staff.route("/polls/<slug>/remind", methods=["GET", "POST"])
def poll_remind(slug: str) -> Answer:
    """Remind whoever has not answered, now."""
    return act_page(REMIND, slug)


@staff.route("/polls/<slug>/extend", methods=["GET", "POST"])
def poll_extend(slug: str) -> Answer:
    """Give more time."""
    return act_page(EXTEND, slug)


@staff.route("/polls/<slug>/close", methods=["GET", "POST"])
def poll_close(slug: str) -> Answer:
    """Close before the time, and count."""
    return act_page(CLOSE, slug)


@staff.route("/polls/<slug>/withdraw", methods=["GET", "POST"])
def poll_withdraw(slug: str) -> Answer:
    """Withdraw, with a reason."""
    return act_page(WITHDRAW, slug)


@staff.route("/polls/<slug>/announce", methods=["GET", "POST"])
def poll_announce(slug: str) -> Answer:
    """Mail an outcome that waited for us."""
    return act_page(ANNOUNCE, slug)


@staff.route("/polls/<slug>/decide", methods=["GET", "POST"])
def poll_decide(slug: str) -> Answer:
    """Write the decision."""
    return act_page(DECIDE, slug)
