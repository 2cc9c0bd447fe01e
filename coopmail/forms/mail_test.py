"""Where did our test mail arrive?"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session
from wtforms import Form, RadioField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # the stubs are of 3.2
from wtforms.validators import AnyOf, InputRequired

from coopmail.actions import mail_tests
from coopmail.actions.basis import Basis
from coopmail.clock import Clock
from coopmail.domain.links import Invitation, Response
from coopmail.forms.kind import Data, Kind, Page, lazy

PLACES = {
    "inbox": lazy("In the inbox"),
    "unwanted": lazy("Among unwanted mail"),
    "quarantine": lazy("In quarantine: I had to release it"),
    "forwarded": lazy("A colleague forwarded it to me"),
}
"""Where a test mail can be found, in words."""


class MailTestForm(Form):
    """Where the test mail was found. Nothing is chosen beforehand, so that no mail scanner can answer."""

    found = RadioField(
        lazy("Where did you find our mail?"),
        choices=[SelectChoice(key, said) for key, said in PLACES.items()],
        validate_choice=False,
        validators=[
            InputRequired(lazy("Say where you found our mail.")),
            AnyOf(mail_tests.FOUND, message=lazy("Choose one of the four.")),
        ],
    )


def read(session: Session, invitation: Invitation, _now: datetime, _basis: Basis) -> Page:
    """What was answered before, where something was."""
    response = session.get(Response, invitation.id, populate_existing=True)
    where = PLACES.get(str(response.answers.get("found"))) if response is not None else None
    return Page(invitation, invitation.contact.name, True, {"response": response, "where": where})


def form(_page: Page, formdata: Data | None) -> MailTestForm:
    """The form, empty or as it was sent."""
    return MailTestForm(formdata)


def repeats(page: Page, form: Form) -> bool:
    """Whether the same was answered before."""
    assert isinstance(form, MailTestForm)
    response: Response | None = page.facts["response"]
    return response is not None and response.answers.get("found") == form.found.data


def answer(session: Session, now: Clock, _basis: Basis, page: Page, form: Form) -> None:
    """Note where it was found."""
    assert isinstance(form, MailTestForm)
    mail_tests.answer(session, now, page.invitation.id, form.found.data or "")


MAIL_TEST = Kind(
    name="mail-test",
    page="respond/mail-test.html",
    mails=("mail-test",),
    read=read,
    form=form,
    answer=answer,
    repeats=repeats,
)
