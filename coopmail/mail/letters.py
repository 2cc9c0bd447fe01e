"""What each mail holds, and whether it is still wanted: asked at the moment of sending, from the rows alone.

`LETTERS` has an entry a template in `emails/`. What a campaign's mails share is kept apart from what is one
recipient's, so that the shared part is compiled once (`composing`). A template only inserts a recipient's texts and
never asks about them; it may ask about flags and the length of lists.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from flask_babel import gettext
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.actions import rehearsal
from coopmail.config import Settings
from coopmail.domain.contacts import Nomination
from coopmail.domain.links import Invitation, Link
from coopmail.domain.outbox import MailState, StopKind
from coopmail.domain.polls import Audience, Channel, Outcome, Poll, PollState, Visibility, member_share, read_marks
from coopmail.domain.staff import SignIn
from coopmail.links import LinkSigner
from coopmail.queries import contacts, invitations, polls
from coopmail.queries.outbox import Envelope


class Unwanted(Exception):
    """The mail must not go out any more: the state it gets, and why."""

    def __init__(self, state: MailState, reason: str) -> None:
        super().__init__(reason)
        self.state, self.reason = state, reason


@dataclass(frozen=True, eq=False)
class Shared:
    """What the letters of a campaign have alike. The same content is the same object, so that it can be a key."""

    values: dict[str, Any]


NOTHING_SHARED = Shared({})


@dataclass
class Memory:
    """What letters share while it is fresh: polls as read, and their words."""

    polls: dict[int, Poll] = field(default_factory=dict)
    shared: dict[Hashable, Shared] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """What a letter is written with. `session` opens a session only where it is asked."""

    ask: Callable[[], Session]
    now: datetime
    settings: Settings
    signer: LinkSigner
    memory: Memory
    keep: Callable[[dict[str, Any]], Shared]
    """The one object of that content."""

    @property
    def session(self) -> Session:
        """For what is not in the envelope."""
        return self.ask()

    def address(self, link_id: str, kind: str, key_version: int) -> str:
        """The page of a link, with its signed token. Derived at send, never stored."""
        if not self.signer.knows(key_version):
            raise Unwanted(MailState.FAILED, "the key of its link is kept no longer")
        return f"{self.settings.base_url}/r/{self.signer.sign(kind, link_id, key_version)}"

    def poll(self, mail: Envelope) -> Poll:
        """The poll of a mail, as fresh as its envelope in what decides whether the mail is wanted."""
        poll_id = mail.poll_id or 0
        found = self.memory.polls.get(poll_id)
        if found is None or (found.state, found.closes_at) != (mail.poll_state, mail.closes_at):
            for key in [key for key, poll in self.memory.polls.items() if poll.id == poll_id]:
                del self.memory.polls[key]
            self.memory.shared.clear()
            found = self.memory.polls[poll_id] = polls.whole(self.session, poll_id)
        return found

    def once(self, what: Hashable, poll: Poll, make: Callable[[], dict[str, Any]]) -> Shared:
        """What all letters of a poll share in the language spoken now, made once."""
        key = (what, poll.id, wording.language())
        if key not in self.memory.shared:
            self.memory.shared[key] = self.keep(make())
        return self.memory.shared[key]


@dataclass(frozen=True)
class Letter:
    """What a mail says: shared by its campaign, and one recipient's."""

    shared: Shared
    recipient: dict[str, Any]


def write(desk: Desk, mail: Envelope) -> Letter:
    """The letter of an outbox row, or `Unwanted`."""
    if mail.staff_id is not None and mail.left_at is not None:
        raise Unwanted(MailState.SUPPRESSED, "this colleague left")
    if (mail.contact_id is None and mail.staff_id is None) or mail.left_at is not None:
        raise Unwanted(MailState.SUPPRESSED, "the contact left")
    if mail.stopped is StopKind.CANCELLED:
        raise Unwanted(MailState.CANCELLED, "its campaign was cancelled")
    if mail.expires_at is not None and mail.expires_at <= desk.now:
        raise Unwanted(MailState.EXPIRED, "its time has passed")
    return LETTERS[mail.template](desk, mail)


def _standing(mail: Envelope) -> None:
    if mail.invitation_id is None or mail.revoked_at is not None:
        raise Unwanted(MailState.CANCELLED, "the invitation was taken back")


def _own_address(desk: Desk, mail: Envelope) -> str:
    if mail.link_id is None:
        raise Unwanted(MailState.FAILED, "its invitation has no link")
    return desk.address(mail.link_id, mail.link_kind, mail.key_version)


def _of_poll(desk: Desk, mail: Envelope) -> tuple[Poll, dict[str, Any]]:
    """The poll of a mail, and what every letter about it says to one recipient."""
    _standing(mail)
    if mail.poll_id is None or mail.unit_id is None:
        raise Unwanted(MailState.FAILED, "its invitation is to no poll")
    poll = desk.poll(mail)
    shares = {}
    for option in poll.options:
        cents = member_share(option, mail.population, poll.population, poll.units) if mail.weight else None
        shares[option.key] = wording.cost(option, cents) if cents is not None else ""
    address = _own_address(desk, mail)
    return poll, {
        "name": mail.name,
        "functional": mail.functional,
        "unit": mail.unit,
        "link": address,
        "person_link": f"{address}/person",
        "shares": shares,
    }


class Role(NamedTuple):
    """As what one is asked: for a seat, as a person for oneself, or (neither) for an organisation; and with a vote.

    Letters that differ in it share nothing.
    """

    seat: bool
    person: bool
    without_vote: bool


def _role(mail: Envelope) -> Role:
    return Role(mail.seat_id is not None, mail.person_id is not None, mail.weight == 0)


def _question(poll: Poll, role: Role) -> dict[str, Any]:
    """What a poll asks: the same for each of its units that are asked in one role."""
    return role._asdict() | {
        "title": wording.said(poll, "title"),
        "summary": wording.said(poll, "summary"),
        "next_step": wording.said(poll, "next_step"),
        "group": poll.group.name,
        "service": wording.said(poll.service, "phrase") if poll.service else "",
        "effect": wording.effect(poll),
        "minutes": poll.minutes,
        "secret": poll.secret,
        "options": [
            {
                "key": option.key,
                "label": wording.said(option, "label"),
                "cost": wording.cost(option, option.cost_cents) if option.cost_cents is not None else "",
                "abstain": option.abstain,
                "for_unit": not role.without_vote and member_share(option, 1, poll.population, poll.units) is not None,
            }
            for option in poll.options
        ],
        "closes": wording.moment(poll.closes_at),
        "closes_short": wording.moment_short(poll.closes_at),
        "members_only": poll.audience in (Audience.ALL_MEMBERS, Audience.SERVICE_MEMBERS),
        "listed": wording.listed_without_name(poll),
    }


def _about(desk: Desk, mail: Envelope, poll: Poll) -> Shared:
    role = _role(mail)
    return desk.once(("poll", role), poll, lambda: _question(poll, role))


def _invitation(desk: Desk, mail: Envelope) -> Letter:
    poll, recipient = _of_poll(desk, mail)
    _still_open(desk, poll)
    if mail.ballot_version is not None:
        raise Unwanted(MailState.SUPPRESSED, "its unit has answered; the colleague was told so")
    return Letter(_about(desk, mail, poll), recipient)


def _still_open(desk: Desk, poll: Poll) -> None:
    if not poll.accepts_answers(desk.now):
        raise Unwanted(MailState.CANCELLED, f"the poll is {poll.state.value} or past its closing time")


def _receipt(desk: Desk, mail: Envelope) -> Letter:
    poll, recipient = _of_poll(desk, mail)
    if mail.ballot_version is None or mail.ballot_version != mail.context["version"] or mail.cast_at is None:
        raise Unwanted(MailState.SUPPRESSED, "the answer was changed since; a later mail says so")
    recipient |= {"answered_by": mail.answered_by, "cast_at": wording.moment(mail.cast_at)}
    if mail.marks_text is not None:  # in a secret poll it is nowhere to be read, and no mail says it
        recipient["marks"] = wording.marks(poll, read_marks(mail.marks_text))
    changeable = poll.accepts_answers(desk.now)
    role = _role(mail)
    shared = desk.once(
        ("receipt", role, changeable), poll, lambda: _question(poll, role) | _ending(poll, changeable)
    )  # fmt: skip
    return Letter(shared, recipient)


def _recorded(desk: Desk, mail: Envelope) -> Letter:
    """A vote that staff recorded, or took back: to everyone who votes for its unit."""
    poll, recipient = _of_poll(desk, mail)
    changeable, role = poll.accepts_answers(desk.now), _role(mail)
    recipient["contest_link"] = f"{recipient['link']}/contest"
    if "removed" in mail.context:
        if mail.ballot_version is not None or not changeable:
            raise Unwanted(MailState.SUPPRESSED, "the unit has answered since, or the poll is over")
        said = {"removed": True, "changeable": True}
        shared = desk.once(("removed", role), poll, lambda: _question(poll, role) | said)
        return Letter(shared, recipient | {"reason": mail.context["removed"]})
    if mail.ballot_version != mail.context["version"] or mail.cast_at is None or mail.recorded_by is None:
        raise Unwanted(MailState.SUPPRESSED, "the answer was changed since; a later mail says so")
    recipient |= {
        "answered_by": mail.answered_by, "cast_at": wording.moment(mail.cast_at), "recorded_by": mail.recorded_by,
        "recorded_at": wording.moment(mail.created_at), "proof": mail.proof or "",
        "channel": wording.channel(mail.channel or Channel.LINK),
        "marks": wording.marks(poll, read_marks(mail.marks_text or "[]")),
    }  # fmt: skip
    more = {"removed": False, "contestable": poll.state in (PollState.OPEN, PollState.CLOSED)}
    key = ("recorded", role, changeable, more["contestable"])
    return Letter(desk.once(key, poll, lambda: _question(poll, role) | more | _ending(poll, changeable)), recipient)


def _ending(poll: Poll, changeable: bool) -> dict[str, Any]:
    """Until when an answer can be changed, or when the poll closed, which may be earlier than announced."""
    if changeable or poll.closed_at is None:
        return {"changeable": changeable}
    return {"changeable": False, "closes": wording.moment(min(poll.closed_at, poll.closes_at))}


def _outcome(desk: Desk, mail: Envelope) -> Letter:
    poll, recipient = _of_poll(desk, mail)
    role = _role(mail)
    shared = desk.once(("outcome", role), poll, lambda: _question(poll, role) | _result(desk, poll))
    if mail.marks_text is not None:
        recipient["vote"] = wording.marks(poll, read_marks(mail.marks_text))
    else:
        recipient["vote"] = gettext("cast") if mail.ballot_version is not None else gettext("not cast")
    return Letter(shared, recipient)


def _result(desk: Desk, poll: Poll) -> dict[str, Any]:
    outcome = polls.outcome_of(desk.session, poll.id)
    if outcome is None:
        raise Unwanted(MailState.CANCELLED, "the poll has no outcome")
    is_public = poll.visibility is Visibility.PUBLIC
    return _counted(poll, outcome) | {
        "list_hash": outcome.list_hash or "",
        "audit_head": outcome.audit_head or "",
        "list_url": f"{desk.settings.base_url}/polls/{poll.slug}/ballots.json" if is_public else "",
    }


def _counted(poll: Poll, outcome: Outcome) -> dict[str, Any]:
    return {
        "sentence": wording.outcome(poll, outcome),
        "after": wording.next_step(poll, outcome),
        "closing": wording.closing(poll),
        "turnout": wording.turnout(poll, outcome),
        "rule": wording.rule(poll),
        "quorum_met": outcome.quorum_met,
        "has_quorum": poll.quorum is not None,
        "shows_counts": polls.shows_counts(poll, outcome),
        "rows": _rows(poll, outcome.tally, outcome.cast - outcome.abstentions),
        "apart": wording.apart(outcome),
        "rows_apart": _rows_apart(poll, outcome),
    }


def _rows(poll: Poll, tally: dict[str, int], valid: int) -> list[dict[str, Any]]:
    """What was said of each option."""
    marks = sum(tally.values()) or 1
    return [
        {
            "letter": wording.letter(place),
            "label": wording.said(option, "label"),
            "votes": tally[option.key],
            "said": wording.votes(tally[option.key]),
            "share": "–" if option.abstain else wording.share(tally[option.key], valid),
            "width": round(tally[option.key] * 100 / marks),
        }
        for place, option in enumerate(poll.options)
    ]


def _rows_apart(poll: Poll, outcome: Outcome) -> list[dict[str, Any]]:
    """The same of those who have no vote, where any of them answered."""
    found = outcome.apart
    if not found or not found["cast"]:
        return []
    rows = _rows(poll, found["tally"], found["cast"] - found["abstentions"])
    return [row | {"said": wording.answers(row["votes"])} for row in rows]


def _extended(desk: Desk, mail: Envelope) -> Letter:
    poll, recipient = _of_poll(desk, mail)
    _still_open(desk, poll)
    return Letter(_about(desk, mail, poll), recipient)


def _withdrawn(desk: Desk, mail: Envelope) -> Letter:
    poll, recipient = _of_poll(desk, mail)
    role = _role(mail)
    shared = desk.once(
        ("withdrawn", role), poll, lambda: _question(poll, role) | {"reason": poll.withdrawal_reason}
    )  # fmt: skip
    return Letter(shared, recipient)


def _matters(desk: Desk, found: list[Invitation]) -> list[dict[str, Any]]:
    """The lines of a mail that holds several things."""
    links = invitations.links_of(desk.session, [invitation.id for invitation in found])
    return [_matter(desk, invitation, links[invitation.id]) for invitation in found]


def _matter(desk: Desk, invitation: Invitation, link: Link) -> dict[str, Any]:
    poll, unit = invitation.poll, invitation.unit
    address = desk.address(link.id, link.kind, link.key_version)
    if poll is None or unit is None:
        nomination = invitation.nomination
        name = wording.names(_handed_over(desk, nomination)) if nomination else ""
        return {"unit": name, "whom": name, "title": "", "closes": "",
                "closes_short": "", "open": False, "link": address}  # fmt: skip
    return {
        "unit": unit.name,
        "whom": poll.group.name if unit.organisation_id is None else unit.name,
        "title": wording.said(poll, "title"),
        "closes": wording.moment(poll.closes_at),
        "closes_short": wording.moment_short(poll.closes_at),
        "open": poll.state is PollState.OPEN,
        "link": address,
    }


def _reminder(desk: Desk, mail: Envelope) -> Letter:
    """All that is open for a person now: a unit that has answered meanwhile is not in it."""
    open_ = invitations.still_open(desk.session, mail.contact_id or 0, desk.now)
    if not open_:
        raise Unwanted(MailState.SUPPRESSED, "nothing is open for this person any more")
    return Letter(NOTHING_SHARED, {"name": mail.name, "matters": _matters(desk, open_)})


def _new_link(desk: Desk, mail: Envelope) -> Letter:
    live = invitations.live(desk.session, mail.contact_id or 0, desk.now)
    if not live:
        raise Unwanted(MailState.SUPPRESSED, "this person has no page any more")
    return Letter(NOTHING_SHARED, {"name": mail.name, "matters": _matters(desk, live)})


def _nomination_of(desk: Desk, mail: Envelope) -> Nomination:
    nomination = desk.session.get(Nomination, mail.nomination_id) if mail.nomination_id is not None else None
    if nomination is None:
        raise Unwanted(MailState.FAILED, "its nomination is gone")
    return nomination


def _nomination(desk: Desk, mail: Envelope) -> Letter:
    _standing(mail)
    nomination = _nomination_of(desk, mail)
    if nomination.answered_at is not None:
        raise Unwanted(MailState.SUPPRESSED, "it has been answered")
    until, until_short = (
        (wording.moment(mail.expires_at), wording.moment_short(mail.expires_at)) if mail.expires_at else ("–", "–")
    )
    recipient = {"name": mail.name, "unit": nomination.organisation.name, "named_by": nomination.named_by.name,
                 "link": _own_address(desk, mail), "until": until, "until_short": until_short}  # fmt: skip
    return Letter(NOTHING_SHARED, recipient)


def _nomination_answered(desk: Desk, mail: Envelope) -> Letter:
    nomination = _nomination_of(desk, mail)
    recipient = {"name": mail.name, "unit": nomination.organisation.name, "nominee": nomination.contact.name,
                 "nominee_address": nomination.contact.email, "accepted": bool(nomination.accepted),
                 "replaces": nomination.replaces}  # fmt: skip
    return Letter(NOTHING_SHARED, recipient)


def _sign_in_code(desk: Desk, mail: Envelope) -> Letter:
    """The code of a sign-in, derived now: the row holds none."""
    sign_in = desk.session.get(SignIn, mail.context["sign_in"])
    if sign_in is None or sign_in.used_at is not None:
        raise Unwanted(MailState.SUPPRESSED, "its sign-in is over")
    if not desk.signer.knows(sign_in.key_version):
        raise Unwanted(MailState.FAILED, "the key of its code is kept no longer")
    code = desk.signer.code(sign_in.key, sign_in.key_version)
    until = wording.moment(mail.expires_at) if mail.expires_at else "–"
    return Letter(NOTHING_SHARED, {"name": mail.name, "code": f"{code[:3]} {code[3:]}", "until": until})


def _handed_over(desk: Desk, nomination: Nomination) -> list[str]:
    """The organisations that a handover is about; once it is confirmed, those that were taken over."""
    named = contacts.handed_over(desk.session, nomination)
    return [each.organisation.name for each in named if each.accepted is not False or not nomination.accepted]


def _handover(desk: Desk, mail: Envelope) -> Letter:
    letter = _nomination(desk, mail)
    nomination = _nomination_of(desk, mail)
    units = _handed_over(desk, nomination)
    own = {"unit": wording.names(units), "units": units, "former": nomination.named_by.name}
    return Letter(NOTHING_SHARED, letter.recipient | own)


def _handover_answered(desk: Desk, mail: Envelope) -> Letter:
    units = _handed_over(desk, _nomination_of(desk, mail))
    return Letter(NOTHING_SHARED, _nomination_answered(desk, mail).recipient | {"unit": wording.names(units)})


def _mail_test(desk: Desk, mail: Envelope) -> Letter:
    _standing(mail)
    recipient = {"name": mail.name, "link": _own_address(desk, mail), "it_page": f"{desk.settings.base_url}/it"}
    return Letter(NOTHING_SHARED, recipient)


@dataclass(frozen=True)
class _ProofDesk(Desk):
    """A desk at which no link is signed: each leads to the console's own page."""

    page: str = ""

    def address(self, _link_id: str, _kind: str, _key_version: int) -> str:
        """The page on which staff look at the poll."""
        return self.page


def proof(desk: Desk, poll: Poll, asked: rehearsal.Asked) -> Letter:
    """The invitation that a contact would get to a poll that is not open yet, written as that one will be.

    Its links lead to the console and hold no token; costs are shared over whoever would be asked now.
    """
    unit, contact = asked
    rehearsal.invitation(desk.session, poll, asked, desk.now)
    page = f"{desk.settings.base_url}/staff/polls/{poll.slug}/preview?unit={unit.code}&contact={contact.id}"
    at = _ProofDesk(desk.ask, min(desk.now, poll.closes_at - rehearsal.A_MOMENT), desk.settings, desk.signer,
                    Memory({poll.id: poll}), desk.keep, page)  # fmt: skip
    known: dict[str, Any] = dict.fromkeys(Envelope._fields) | {
        "name": contact.name, "functional": contact.functional, "invitation_id": 0, "poll_id": poll.id,
        "poll_state": poll.state, "closes_at": poll.closes_at, "unit_id": 0, "unit": unit.name,
        "population": unit.population, "seat_id": unit.seat_id, "person_id": unit.contact_id, "weight": unit.weight,
        "link_id": "", "link_kind": "", "key_version": 0, "context": {},
    }  # fmt: skip
    letter = _invitation(at, Envelope(**known))
    return Letter(letter.shared, letter.recipient | {"link": page, "person_link": page})


def _poll_proof(desk: Desk, mail: Envelope) -> Letter:
    poll = desk.session.get(Poll, mail.context["poll_id"])
    if poll is None or poll.state is not PollState.DRAFT:
        raise Unwanted(MailState.SUPPRESSED, "the poll is no draft any more")
    asked = rehearsal.asked_as(desk.session, poll, desk.now, mail.context["unit"], mail.context["contact_id"])
    if asked is None:
        raise Unwanted(MailState.SUPPRESSED, "that contact would not be asked any more")
    return proof(desk, polls.whole(desk.session, poll.id), asked)


LETTERS: dict[str, Callable[[Desk, Envelope], Letter]] = {
    "sign-in-code": _sign_in_code,
    "ballot-invitation": _invitation,
    "ballot-receipt": _receipt,
    "ballot-by-colleague": _receipt,
    "ballot-recorded": _recorded,
    "ballot-outcome": _outcome,
    "poll-extended": _extended,
    "poll-withdrawn": _withdrawn,
    "reminder": _reminder,
    "new-link": _new_link,
    "contact-details-invitation": _nomination,
    "contact-details-answered": _nomination_answered,
    "handover-invitation": _handover,
    "handover-answered": _handover_answered,
    "mail-test": _mail_test,
    "poll-proof": _poll_proof,
}
ONE_OFF = frozenset({"sign-in-code", "reminder", "new-link", "contact-details-invitation", "contact-details-answered",
                     "handover-invitation", "handover-answered", "mail-test", "poll-proof"})  # fmt: skip
"""Letters that are rendered whole each time: nothing in them is shared, or lists are asked about."""
