"""Every job that happens by itself, on one page. Each may run twice, late, or beside itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask

from coopmail.jobs import audit, mail, poll_keys, polls


@dataclass(frozen=True)
class Job:
    """A function, and after how many seconds it is due again. The database says what there is to do."""

    name: str
    run: Callable[[Flask], None]
    every: float


SCHEDULE = (
    Job("seal-audit", audit.seal_audit, every=5),  # first: closing then finds little left to seal
    Job("close-polls", polls.close_due_polls, every=5),
    Job("destroy-poll-keys", poll_keys.destroy_poll_keys, every=60),
    Job("send-reminders", polls.send_due_reminders, every=60),
    Job("answer-link-requests", mail.answer_link_requests, every=5),
    Job("mail-sign-in-codes", mail.mail_sign_in_codes, every=5),
    Job("deliver-mail", mail.deliver, every=5),
    Job("report-bounces", mail.report_bounces, every=60),
)
