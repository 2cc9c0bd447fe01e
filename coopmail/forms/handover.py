"""Do you take over? One page for all organisations that are handed over, with the details of whoever takes over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session
from wtforms import Form

from coopmail import wording
from coopmail.actions import nominations
from coopmail.actions.basis import Basis
from coopmail.actions.representations import stood_for
from coopmail.clock import Clock
from coopmail.domain.links import Invitation
from coopmail.forms.contact_details import ContactDetailsForm, repeats
from coopmail.forms.kind import Data, Kind, Page
from coopmail.queries import contacts


def read(session: Session, invitation: Invitation, _now: datetime, _basis: Basis) -> Page:
    """Who hands over, what, and whether that was answered."""
    nomination = invitation.nomination
    assert nomination is not None
    named = contacts.handed_over(session, nomination)
    if nomination.accepted:  # what another took over meanwhile is not this one's
        named = [each for each in named if each.accepted]
    names = [each.organisation.name for each in named]
    still = any(stood_for(session, each.named_by, each.organisation_id) for each in named)
    facts = {"nomination": nomination, "names": names}
    return Page(invitation, wording.names(names), nomination.answered_at is None and still, facts)


def form(_page: Page, formdata: Data | None) -> ContactDetailsForm:
    """The form, empty or as it was sent."""
    return ContactDetailsForm(formdata)


def answer(session: Session, now: Clock, basis: Basis, page: Page, form: Form) -> None:
    """Confirm or decline, for all of it."""
    assert isinstance(form, ContactDetailsForm)
    nominations.answer_handover(
        session, now, basis, page.invitation.id,
        accepts=form.answer.data == "accept", name=form.name.data or "", language=form.language.data or "nl",
        telephone=form.telephone.data or "",
    )  # fmt: skip


HANDOVER = Kind(
    name="handover",
    page="respond/handover.html",
    mails=("handover-invitation", "handover-answered"),
    read=read,
    form=form,
    answer=answer,
    repeats=repeats,
)
