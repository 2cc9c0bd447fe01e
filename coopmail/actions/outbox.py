"""What staff, and a relay that refuses our sender, can do with a campaign's mails: pause, resume, cancel."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import STAFF, audit, raise_matter
from coopmail.domain.base import insert_new, wake_runners
from coopmail.domain.outbox import CampaignStop, Mail, MailState, StopKind
from coopmail.errors import ActionRefused, UnknownSubject
from coopmail.queries.outbox import left_open


def pause_campaign(
    session: Session, now: datetime, campaign: str, reason: str, *, actor: str = STAFF, until: datetime | None = None
) -> None:
    """Hold a campaign's mails back, for good or until a moment; what is on the wire now still arrives.

    A pause that lasts longer stays as it is: a relay that refuses our sender must not end one of staff's. Raises
    `ActionRefused` where the campaign is cancelled, or paused for good already.
    """
    check_known(session, campaign)
    stop = _stop(session, campaign)
    if stop is not None and stop.kind is StopKind.CANCELLED:
        raise ActionRefused(f"Campaign {campaign} is cancelled.")
    if stop is not None and until is not None and (stop.until is None or stop.until >= until):
        return
    if stop is not None and stop.until is None:
        raise ActionRefused(f"Campaign {campaign} is paused already: {stop.reason}")
    if stop is None:
        session.execute(
            insert_new(session, CampaignStop).values(campaign=campaign, kind=StopKind.PAUSED, at=now, reason="")
        )
        stop = _stop(session, campaign)
    assert stop is not None
    stop.at, stop.until, stop.reason = now, until, reason[:500]
    audit(session, now, "campaign-paused", actor, f"campaign:{campaign}", reason=reason[:500])


def resume_campaign(session: Session, now: datetime, campaign: str) -> None:
    """Let a paused campaign's mails go out."""
    stop = _stop(session, campaign)
    if stop is None or stop.kind is not StopKind.PAUSED:
        raise ActionRefused(f"Campaign {campaign} is not paused.")
    session.delete(stop)
    wake_runners(session)
    audit(session, now, "campaign-resumed", STAFF, f"campaign:{campaign}")


def cancel_campaign(session: Session, now: datetime, campaign: str, reason: str) -> int:
    """Take back what has not gone out, for good; how many mails that is, without those that a sender holds now.

    A sender asks before each message and cancels those itself: a mail that did go out is never called cancelled.
    Where they were the invitations to a poll that is open, staff are told that it still is.
    """
    check_known(session, campaign)
    if (stop := _stop(session, campaign)) is not None:
        _refuse_cancelled(stop)
        session.delete(stop)
        session.flush()
    session.add(CampaignStop(campaign=campaign, kind=StopKind.CANCELLED, at=now, reason=reason[:500]))
    taken = session.scalars(
        sa.update(Mail)
        .where(Mail.campaign == campaign, Mail.state == MailState.QUEUED)
        .values(state=MailState.CANCELLED, reply="its campaign was cancelled")
        .returning(Mail.id)
        .execution_options(synchronize_session=False)
    ).all()
    audit(session, now, "campaign-cancelled", STAFF, f"campaign:{campaign}", reason=reason[:500], mails=len(taken))
    if (poll := left_open(session, campaign)) is not None:
        text = (
            f"The invitations to poll {poll.slug} were cancelled ({len(taken)} were taken back), and it is still open:"
            f" to end it too, run `coopmail polls withdraw {poll.slug}`."
        )
        raise_matter(session, now, f"cancelled:{campaign}", text)
    return len(taken)


def check_cancellable(session: Session, campaign: str) -> None:
    """Raise `UnknownSubject` or `ActionRefused` where there is no such campaign, or it is cancelled already."""
    check_known(session, campaign)
    if (stop := session.get(CampaignStop, campaign)) is not None:
        _refuse_cancelled(stop)


def check_known(session: Session, campaign: str) -> None:
    """Raise `UnknownSubject` where no mail belongs to a campaign of that name."""
    if not session.scalar(sa.select(sa.exists().where(Mail.campaign == campaign))):
        raise UnknownSubject(f"There is no campaign called {campaign}.")


def _refuse_cancelled(stop: CampaignStop) -> None:
    if stop.kind is StopKind.CANCELLED:
        raise ActionRefused(f"Campaign {stop.campaign} is cancelled already.")


def _stop(session: Session, campaign: str) -> CampaignStop | None:
    return session.get(CampaignStop, campaign, with_for_update=True)
