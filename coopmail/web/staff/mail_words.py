"""How the outbox says things: what a mail is, why it exists, what happened to it, and why it was not sent.

Reasons are stored as English sentences, so that the record and the command line can be read without a catalogue; here
each has its words, and a test fails where one has none.
"""

from __future__ import annotations

import re
from datetime import date

from coopmail import wording
from coopmail.actions.outbox import TAKEN_BACK
from coopmail.domain.outbox import MailState
from coopmail.domain.polls import Poll
from coopmail.forms.kind import lazy
from coopmail.queries.board_mail import Fate
from coopmail.queries.mails import RetryFault, Why
from coopmail.web.staff.board_words import CAMPAIGNS, FATES

__all__ = ["CAMPAIGNS", "FATES"]

Sign = tuple[str, str]

TEMPLATES: dict[str, Sign] = {
    "ballot-invitation": (lazy("Invitation to vote"),
                          lazy("A poll was opened, and this contact may answer in it.")),
    "ballot-receipt": (lazy("Receipt"), lazy("This contact answered; the receipt goes to whoever answers.")),
    "ballot-by-colleague": (lazy("A colleague answered"),
                            lazy("A colleague answered for the same organisation; everybody else who may is told.")),
    "ballot-recorded": (lazy("A vote that we recorded"),
                        lazy("We recorded a vote by telephone or on paper, or took it back; the organisation's"
                             " contact persons are told.")),
    "ballot-outcome": (lazy("Outcome"), lazy("A poll was closed and counted; all who were asked get its outcome.")),
    "poll-extended": (lazy("More time"), lazy("A poll got a later closing time; all who were asked are told.")),
    "poll-withdrawn": (lazy("Withdrawal"), lazy("A poll was withdrawn; all who were asked are told why.")),
    "poll-proof": (lazy("Proof of a poll"),
                   lazy("One of the staff asked for a proof of a poll that is being written.")),
    "reminder": (lazy("Reminder"), lazy("On a day of reminders something was still open for this contact.")),
    "new-link": (lazy("New link"), lazy("Somebody asked for a new link at this address.")),
    "contact-details-invitation": (lazy("Named as the right person"),
                                   lazy("Somebody named this person as the one to ask.")),
    "contact-details-answered": (lazy("The person named has answered"),
                                 lazy("The person whom this contact named has answered.")),
    "handover-invitation": (lazy("Question to take over"), lazy("This person was asked to take over from a contact.")),
    "handover-answered": (lazy("Answer to a handover"), lazy("The person asked to take over has answered.")),
    "mail-test": (lazy("Test mail"), lazy("One of the staff sent a test mail, to see whether mail arrives.")),
    "sign-in-code": (lazy("Code to sign in"), lazy("Somebody typed this address at the door of the console.")),
}  # fmt: skip
"""What a letter is called, and what causes it."""

OTHER_CAMPAIGNS: dict[str, str] = {
    "contact-details": lazy("Naming and taking over"),
    "new-link": lazy("New links"),
    "mail-test": lazy("Test mails"),
    "sign-in": lazy("Codes to sign in"),
}
"""Campaigns that are about no poll and no day."""

EVENTS: dict[str, str] = {
    "sent": lazy("Handed to the mail relay, which took it"),
    "bounced": lazy("Refused for good"),
    "refused": lazy("The mail itself was refused for good"),
    "deferred": lazy("Refused for now: tried again later"),
    "interrupted": lazy("The connection broke off: tried again later"),
    "relay-down": lazy("The mail relay did not work: nothing was tried"),
    "sender-refused": lazy("The mail relay refused our sender: its campaign waits"),
    "paused": lazy("Held back with its campaign"),
    "paced": lazy("Put off, to go no faster than agreed"),
    "not-writable": lazy("Could not be written"),
    "not-rendered": lazy("A fault in its template: tried again later"),
    "left-to-another": lazy("Left to another sender"),
    "expired": lazy("Given up: its time was over"),
    "suppressed": lazy("Not sent: not needed any more"),
    "cancelled": lazy("Not sent: taken back"),
    "failed": lazy("Not sent: it could not be written"),
    "retried": lazy("Put into the queue again"),
    "taken-back": lazy("Taken back by hand"),
}
"""What happened to a mail."""
AFTER_LEASE = "-after-lease"

REASONS: dict[str, str] = {
    "this colleague left": lazy("This colleague does not work with us any more."),
    "the contact left": lazy("The contact had left before it went out."),
    "its campaign was cancelled": lazy("Its campaign was cancelled before it went out."),
    "its time has passed": lazy("Its time was over before it could go out."),
    "the invitation was taken back": lazy("The invitation that it is about was taken back."),
    "its invitation has no link": lazy("Its invitation has no personal link: report this fault."),
    "its invitation is to no poll": lazy("Its invitation is to no poll: report this fault."),
    "the key of its link is kept no longer": lazy("The key of its personal link is kept no longer: send a new link."),
    "its unit has answered; the colleague was told so": lazy(
        "Its organisation had answered by then; another mail said so."
    ),
    "the answer was changed since; a later mail says so": lazy("The answer was changed since; a later mail says so."),
    "the unit has answered since, or the poll is over": lazy("It was answered since, or the poll is over."),
    "the poll has no outcome": lazy("The poll has no outcome."),
    "nothing is open for this person any more": lazy("Nothing was open any more for this person."),
    "this person has no page any more": lazy("This person has no page any more to which a link could lead."),
    "its nomination is gone": lazy("That somebody was named is not in the record any more."),
    "it has been answered": lazy("It was answered before it went out."),
    "its sign-in is over": lazy("The sign-in that it was for is over."),
    "the key of its code is kept no longer": lazy("The key of its code is kept no longer: ask for a new code."),
    "the poll is no draft any more": lazy("The poll is no draft any more."),
    "that contact would not be asked any more": lazy("The contact as whom it was shown would not be asked any more."),
    "its lease had ended": lazy("Another sender had taken it over."),
    TAKEN_BACK: lazy("One of the staff took it back."),
}
"""Why a mail was not sent, or not by this sender."""

_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"the poll is (?P<state>\w+) or past its closing time", lazy("The poll takes no answers any more.")),
    (r"no time is left for another try: (?P<reply>.*)", lazy("No time was left for another try, after: %(reply)s")),
)
"""The same where the sentence holds a value."""

RETRY_FAULTS: dict[RetryFault, str] = {
    RetryFault.SENT: lazy("It was sent: sending it again would be a second mail."),
    RetryFault.NOT_NEEDED: lazy("It was not needed any more when its turn came."),
    RetryFault.LEFT: lazy("Whom it is for has left, and gets no mail any more."),
    RetryFault.INVITATION_REVOKED: lazy("The invitation that it is about was taken back."),
    RetryFault.CAMPAIGN_CANCELLED: lazy("Its campaign was cancelled for good."),
    RetryFault.POLL_OVER: lazy("The poll takes no answers any more."),
    RetryFault.TOO_LATE: lazy("Its time is over."),
}
"""Why a mail cannot be tried again."""

_NOT_ASKED = ("off", lazy("Not asked"))
SIGNS: dict[Why, Sign] = dict.fromkeys(Why, _NOT_ASKED) | {
    Why.INVITED: ("ok", lazy("Invited")),
    Why.REVOKED: ("off", lazy("Invitation taken back")),
    Why.UNCONFIRMED: ("wait", lazy("Not asked yet")),
    Why.NOT_YET: ("wrong", lazy("Not invited")),
}
"""Whether somebody was asked, as a sign."""

WHY: dict[Why, str] = {
    Why.INVITED: lazy("May answer."),
    Why.REVOKED: lazy("Was invited; the invitation was taken back since."),
    Why.LEFT: lazy("Has left, and gets no mail any more."),
    Why.UNCONFIRMED: lazy("Has not confirmed yet to be the right person; nobody is invited before that."),
    Why.READS: lazy("Only reads for this organisation, and does not vote."),
    Why.READS_SERVICE: lazy("Only reads for this service, and does not vote."),
    Why.OTHER_SERVICE: lazy("Stands for this organisation for other services only."),
    Why.NO_UNIT: lazy("The organisation did not belong to the audience when the poll was opened."),
    Why.NO_SEAT: lazy("Had no seat in this group when the poll was opened."),
    Why.SEAT_WITHOUT_VOTE: lazy("Has a seat without a vote."),
    Why.NO_ORGANISATION: lazy("Stands for no organisation, and was not asked as a person."),
    Why.NOT_YET: lazy("May vote, but came to it after the poll was opened."),
}
"""Why somebody was or was not invited."""


def template(name: str) -> str:
    """What a letter is called; one of another version of this program by its own name."""
    return str(TEMPLATES[name][0]) if name in TEMPLATES else name


def cause(name: str) -> str:
    """What causes a letter."""
    return str(TEMPLATES[name][1]) if name in TEMPLATES else ""


def campaign(name: str, poll: Poll | None) -> str:
    """What a campaign is called: what is sent, and the poll or the day that it is about."""
    what = name.rpartition(":")[2]
    if poll is not None:
        said = CAMPAIGNS.get(what) or TEMPLATES.get(f"poll-{what}", (what, ""))[0]
        return f"{said}: {wording.said(poll, 'title')}"
    if re.fullmatch(r"reminder:\d{4}-\d\d-\d\d", name):
        return f"{TEMPLATES['reminder'][0]}: {wording.day(date.fromisoformat(what))}"
    return str(OTHER_CAMPAIGNS.get(name, name))


def event(name: str) -> str:
    """What happened to a mail."""
    return str(EVENTS.get(name.removesuffix(AFTER_LEASE), name))


def late(name: str) -> bool:
    """Whether it happened after the sender's hold on the mail had ended: another may have sent it too."""
    return name.endswith(AFTER_LEASE)


def reason(text: str) -> str:
    """A stored reason in the language spoken now; what a relay said stays as it said it."""
    if text in REASONS:
        return str(REASONS[text])
    for pattern, words in _PATTERNS:
        if found := re.fullmatch(pattern, text, re.DOTALL):
            return str(words) % found.groupdict()
    return text


def is_ours(text: str) -> bool:
    """Whether a stored reason is ours, and no reply of a relay."""
    return text in REASONS or any(re.fullmatch(pattern, text, re.DOTALL) for pattern, _ in _PATTERNS)


def fate(state: MailState, paused: bool) -> Sign:
    """A mail's state as a sign with its words; one that waits may be held back."""
    return FATES[Fate.PAUSED if paused and state is MailState.QUEUED else Fate(state.value)]
