"""What each mail holds, and whether it is still wanted: asked at the moment of sending, from the rows alone.

`LETTERS` has an entry a template in `emails/`. What a campaign's mails share is kept apart from what is one
recipient's (`shared`, `recipient`), so that the shared part can be compiled once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask_babel import gettext
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.config import Settings
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Outcome, Poll, PollState, VotingUnit, unit_cost
from coopmail.links import LinkSigner
from coopmail.queries import invitations, polls


class Unwanted(Exception):
    """The mail must not go out any more: the state it gets, and why."""

    def __init__(self, state: MailState, reason: str) -> None:
        super().__init__(reason)
        self.state, self.reason = state, reason


@dataclass(frozen=True)
class Desk:
    """What a letter is written with. `shared` keeps what a campaign's letters share while one session reads them."""

    session: Session
    now: datetime
    settings: Settings
    signer: LinkSigner
    shared: dict[Hashable, dict[str, Any]] = field(default_factory=dict)

    def address(self, invitation: Invitation) -> str:
        """The page of an invitation, with its signed token. Derived at send, never stored."""
        link = invitations.link_of(self.session, invitation.id)
        if not self.signer.knows(link.key_version):
            raise Unwanted(MailState.FAILED, "the key of its link is kept no longer")
        token = self.signer.sign(link.kind, link.id, link.key_version)
        return f"{self.settings.base_url}/r/{token}"

    def once(self, what: str, poll: Poll, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What all letters of a poll share in the language spoken now, made once; each letter gets its own copy."""
        key = (what, poll.id, wording.language())
        if key not in self.shared:
            self.shared[key] = make()
        return dict(self.shared[key])


@dataclass(frozen=True)
class Letter:
    """What a mail says: shared by its campaign, and one recipient's."""

    shared: dict[str, Any]
    recipient: dict[str, Any]


def write(desk: Desk, mail: Mail) -> Letter:
    """The letter of an outbox row, or `Unwanted`."""
    if mail.contact is None or mail.contact.left_at is not None:
        raise Unwanted(MailState.SUPPRESSED, "the contact left")
    if mail.expires_at is not None and mail.expires_at <= desk.now:
        raise Unwanted(MailState.EXPIRED, "its time has passed")
    return LETTERS[mail.template](desk, mail, mail.contact)


def _standing(mail: Mail) -> Invitation:
    if mail.invitation is None or mail.invitation.revoked_at is not None:
        raise Unwanted(MailState.CANCELLED, "the invitation was taken back")
    return mail.invitation


def _of_poll(desk: Desk, mail: Mail) -> tuple[Invitation, Poll, Letter]:
    """The facts that every mail about a poll has."""
    invitation = _standing(mail)
    poll, unit = invitation.poll, invitation.unit
    if poll is None or unit is None:
        raise Unwanted(MailState.FAILED, "its invitation is to no poll")
    shares = {}
    for option in poll.options:
        cents = unit_cost(poll, option, unit)
        shares[option.key] = wording.cost(option, cents) if cents is not None else ""
    address = desk.address(invitation)
    recipient = {
        "name": invitation.contact.name,
        "functional": invitation.contact.functional,
        "unit": unit.name,
        "link": address,
        "person_link": f"{address}/person",
        "shares": shares,
    }
    return invitation, poll, Letter(desk.once("poll", poll, lambda: _question(poll, unit)), recipient)


def _question(poll: Poll, unit: VotingUnit) -> dict[str, Any]:
    """What a poll asks: the same for each of its units, which are all seats or all organisations."""
    return {
        "title": wording.said(poll, "title"),
        "summary": wording.said(poll, "summary"),
        "next_step": wording.said(poll, "next_step"),
        "group": poll.group.name,
        "service": wording.said(poll.service, "phrase") if poll.service else "",
        "effect": wording.effect(poll),
        "minutes": poll.minutes,
        "options": [
            {
                "key": option.key,
                "label": wording.said(option, "label"),
                "cost": wording.cost(option, option.cost_cents) if option.cost_cents is not None else "",
                "abstain": option.abstain,
                "for_unit": unit_cost(poll, option, unit) is not None,
            }
            for option in poll.options
        ],
        "closes": wording.moment(poll.closes_at),
        "closes_short": wording.moment_short(poll.closes_at),
        "seat": unit.seat_id is not None,
    }


def _invitation(desk: Desk, mail: Mail, _contact: Contact) -> Letter:
    invitation, poll, letter = _of_poll(desk, mail)
    _still_open(desk, poll)
    if polls.ballot_of(desk.session, invitation.unit_id or 0) is not None:
        raise Unwanted(MailState.SUPPRESSED, "its unit has answered; the colleague was told so")
    return letter


def _still_open(desk: Desk, poll: Poll) -> None:
    desk.session.refresh(poll, ["state", "closes_at"])  # the session may have read it for an earlier mail
    if not poll.accepts_answers(desk.now):
        raise Unwanted(MailState.CANCELLED, f"the poll is {poll.state.value} or past its closing time")


def _receipt(desk: Desk, mail: Mail, _contact: Contact) -> Letter:
    invitation, poll, letter = _of_poll(desk, mail)
    ballot = polls.ballot_of(desk.session, invitation.unit_id or 0)
    if ballot is None or ballot.version != mail.context["version"]:
        raise Unwanted(MailState.SUPPRESSED, "the answer was changed since; a later mail says so")
    letter.recipient.update(
        marks=wording.marks(poll, ballot.marks),
        answered_by=ballot.answered_by,
        cast_at=wording.moment(ballot.cast_at),
    )
    letter.shared["changeable"] = poll.accepts_answers(desk.now)
    return letter


def _outcome(desk: Desk, mail: Mail, _contact: Contact) -> Letter:
    invitation, poll, letter = _of_poll(desk, mail)
    outcome = polls.outcome_of(desk.session, poll.id)
    if outcome is None:
        raise Unwanted(MailState.CANCELLED, "the poll has no outcome")
    ballot = polls.ballot_of(desk.session, invitation.unit_id or 0)
    letter.shared.update(desk.once("outcome", poll, lambda: _result(poll, outcome)))
    letter.recipient["marks"] = wording.marks(poll, ballot.marks) if ballot else ""
    letter.recipient["vote"] = letter.recipient["marks"] or gettext("not cast")
    return letter


def _result(poll: Poll, outcome: Outcome) -> dict[str, Any]:
    marks = sum(outcome.tally.values()) or 1
    return {
        "sentence": wording.outcome(poll, outcome),
        "after": wording.next_step(poll, outcome),
        "closing": wording.closing(poll),
        "turnout": wording.turnout(poll, outcome),
        "rule": wording.rule(poll),
        "quorum_met": outcome.quorum_met,
        "has_quorum": poll.quorum is not None,
        "rows": [
            {
                "letter": wording.letter(place),
                "label": wording.said(option, "label"),
                "votes": outcome.tally[option.key],
                "said": wording.votes(outcome.tally[option.key]),
                "share": wording.share(outcome.tally[option.key], outcome.cast),
                "width": round(outcome.tally[option.key] * 100 / marks),
            }
            for place, option in enumerate(poll.options)
        ],
    }


def _extended(desk: Desk, mail: Mail, _contact: Contact) -> Letter:
    _, poll, letter = _of_poll(desk, mail)
    _still_open(desk, poll)
    return letter


def _withdrawn(desk: Desk, mail: Mail, _contact: Contact) -> Letter:
    _, poll, letter = _of_poll(desk, mail)
    letter.shared["reason"] = poll.withdrawal_reason
    return letter


def _matter(desk: Desk, invitation: Invitation) -> dict[str, Any]:
    """A line of a mail that holds several things."""
    poll, unit = invitation.poll, invitation.unit
    if poll is None or unit is None:
        nomination = invitation.nomination
        name = nomination.organisation.name if nomination else ""
        return {"unit": name, "whom": name, "title": "", "closes": "",
                "closes_short": "", "open": False, "link": desk.address(invitation)}  # fmt: skip
    return {
        "unit": unit.name,
        "whom": poll.group.name if unit.seat_id is not None else unit.name,
        "title": wording.said(poll, "title"),
        "closes": wording.moment(poll.closes_at),
        "closes_short": wording.moment_short(poll.closes_at),
        "open": poll.state is PollState.OPEN,
        "link": desk.address(invitation),
    }


def _reminder(desk: Desk, _mail: Mail, contact: Contact) -> Letter:
    """All that is open for a person now: a unit that has answered meanwhile is not in it."""
    open_ = invitations.still_open(desk.session, contact.id, desk.now)
    if not open_:
        raise Unwanted(MailState.SUPPRESSED, "nothing is open for this person any more")
    return Letter({}, {"name": contact.name, "matters": [_matter(desk, invitation) for invitation in open_]})


def _new_link(desk: Desk, _mail: Mail, contact: Contact) -> Letter:
    live = invitations.live(desk.session, contact.id, desk.now)
    if not live:
        raise Unwanted(MailState.SUPPRESSED, "this person has no page any more")
    return Letter({}, {"name": contact.name, "matters": [_matter(desk, invitation) for invitation in live]})


def _nomination(desk: Desk, mail: Mail, _contact: Contact) -> Letter:
    invitation = _standing(mail)
    nomination = invitation.nomination
    if nomination is None or nomination.answered_at is not None:
        raise Unwanted(MailState.SUPPRESSED, "it has been answered")
    return Letter({}, {"name": invitation.contact.name, "unit": nomination.organisation.name,
                       "named_by": nomination.named_by.name, "link": desk.address(invitation),
                       "until": wording.moment(mail.expires_at) if mail.expires_at else "–",
                       "until_short": wording.moment_short(mail.expires_at) if mail.expires_at else "–"})  # fmt: skip


def _nomination_answered(_desk: Desk, mail: Mail, contact: Contact) -> Letter:
    nomination = mail.invitation.nomination if mail.invitation else None
    if nomination is None:
        raise Unwanted(MailState.FAILED, "its nomination is gone")
    return Letter({}, {"name": contact.name, "unit": nomination.organisation.name, "nominee": nomination.contact.name,
                       "nominee_address": nomination.contact.email, "accepted": bool(nomination.accepted),
                       "replaces": nomination.replaces})  # fmt: skip


LETTERS: dict[str, Callable[[Desk, Mail, Contact], Letter]] = {
    "ballot-invitation": _invitation,
    "ballot-receipt": _receipt,
    "ballot-by-colleague": _receipt,
    "ballot-outcome": _outcome,
    "poll-extended": _extended,
    "poll-withdrawn": _withdrawn,
    "reminder": _reminder,
    "new-link": _new_link,
    "contact-details-invitation": _nomination,
    "contact-details-answered": _nomination_answered,
}
