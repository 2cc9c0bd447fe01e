"""The ballot: one choice of several, or several; behind a functional mailbox also who is answering."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from wtforms import Form, SelectMultipleField, StringField, ValidationError
from wtforms.validators import DataRequired, Length

from coopmail.actions import polls, secret_ballots
from coopmail.actions.basis import Basis
from coopmail.clock import Clock
from coopmail.domain.counting import Marks
from coopmail.domain.links import Invitation
from coopmail.domain.polls import Ballot, Poll, PollState, unit_cost
from coopmail.forms.kind import Data, Kind, Page, lazy, one_line, tidy
from coopmail.queries import ballots, matters
from coopmail.queries import polls as questions


class MarksForm(Form):
    """The keys chosen in a poll. Nothing is filled in beforehand."""

    poll: Poll
    choice = SelectMultipleField(validate_choice=False)

    @property
    def marks(self) -> tuple[str, ...]:
        """What is marked, in the poll's order; unknown keys stay at the end, to be refused."""
        chosen = list(dict.fromkeys(self.choice.data or []))
        keys = self.poll.option_keys
        return tuple(sorted(chosen, key=lambda key: keys.index(key) if key in keys else len(keys)))

    def validate_choice(self, _field: Any) -> None:
        """Each way to be wrong has a sentence that says what to do."""
        marks, method = self.marks, self.poll.method
        if not marks:
            raise ValidationError(
                lazy("Choose at least one option, or abstain.") if method.several else lazy("Choose one option.")
            )
        if method.accepts(marks, self.poll.option_keys, self.poll.abstain_keys):
            return
        if not set(marks) <= set(self.poll.option_keys):
            raise ValidationError(lazy("Choose from the options on this page."))
        if not method.several:
            raise ValidationError(lazy("Choose one option only."))
        raise ValidationError(lazy("Abstaining cannot go together with another choice: untick one of them."))


class BallotForm(MarksForm):
    """The keys chosen, and a name where several people read the mailbox. Nothing is filled in beforehand."""

    answered_by = StringField(
        lazy("Your own name"),
        filters=[tidy],
        validators=[
            DataRequired(lazy("Type your own name: several people read this mailbox.")),
            Length(max=120, message=lazy("Keep your name under 120 characters.")),
            one_line,
        ],
    )

    def __init__(self, page: Page, formdata: Data | None) -> None:
        super().__init__(formdata)
        poll = page.invitation.poll
        assert poll is not None
        self.poll = poll
        if not page.invitation.contact.functional:
            del self.answered_by


def read(session: Session, invitation: Invitation, now: datetime, basis: Basis) -> Page:
    """The question, what each option costs this unit, what was answered, and the outcome once there is one.

    `marks` is what this contact may see of the answer: in a secret poll that is its own, with the `receipt` code, while
    the poll is open; a colleague and a later reader see that there is one.
    """
    poll, unit = invitation.poll, invitation.unit
    assert poll is not None
    assert unit is not None
    outcome = questions.announced_outcome(session, poll)
    ballot = questions.ballot_of(session, unit.id)
    marks, receipt = _own(session, poll, ballot, invitation, basis)
    facts = {
        "poll": poll,
        "unit": unit,
        "seat": unit.seat_id is not None,
        "alone": unit.contact_id is not None,
        "without_vote": unit.weight == 0,
        "shares": {option.key: unit_cost(poll, option, unit) for option in poll.options},
        "ballot": ballot,
        "marks": marks,
        "receipt": receipt,
        "outcome": outcome,
        "rows": ballots.shown(session, poll, outcome),
        "decision": questions.decision_of(session, poll.id),
        "contest": matters.contest_of(session, ballot) if ballot is not None else None,
        "now": now,
    }
    return Page(invitation, unit.name, poll.accepts_answers(now), facts)


def _own(
    session: Session, poll: Poll, ballot: Ballot | None, invitation: Invitation, basis: Basis
) -> tuple[Marks | None, str | None]:
    if ballot is None:
        return None, None
    if not poll.secret:
        return ballot.marks, None
    if ballot.contact_id != invitation.contact_id or poll.state is not PollState.OPEN:
        return None, None
    receipt = secret_ballots.receipt(session, poll, ballot.unit_id, basis.vault)
    return (receipt.marks, receipt.code) if receipt else (None, None)


def repeats(page: Page, form: Form) -> bool:
    """Whether this contact's ballot already says so."""
    assert isinstance(form, BallotForm)
    ballot: Ballot | None = page.facts["ballot"]
    contact = page.invitation.contact
    name = form.answered_by.data if contact.functional else contact.name
    mine = (contact.id, form.marks, name)
    return ballot is not None and (ballot.contact_id, page.facts["marks"], ballot.answered_by) == mine


def answer(session: Session, now: Clock, basis: Basis, page: Page, form: Form) -> None:
    """Cast the ballot."""
    assert isinstance(form, BallotForm)
    contact = page.invitation.contact
    name = form.answered_by.data if contact.functional else contact.name
    polls.cast_ballot(session, now, page.invitation.id, form.marks, name or contact.name, basis.vault)


BALLOT = Kind(
    name="ballot",
    page="respond/ballot.html",
    paper="respond/draft.html",
    mails=("ballot-invitation", "ballot-receipt", "ballot-by-colleague", "ballot-recorded", "ballot-outcome",
           "poll-extended", "poll-withdrawn", "reminder"),
    read=read,
    form=BallotForm,
    answer=answer,
    repeats=repeats,
)  # fmt: skip
