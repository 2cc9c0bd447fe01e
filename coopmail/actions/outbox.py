"""What can be done with mails: a campaign is paused, resumed or cancelled; one mail is taken back or tried again.

Staff do it, and a relay that refuses our sender pauses. Who did it stands in the record.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import STAFF, audit, raise_matter, staff_id
from coopmail.domain.audit import Matter
from coopmail.domain.base import insert_new, wake_runners
from coopmail.domain.outbox import WAITING, CampaignStop, Mail, MailEvent, MailState, StopKind
from coopmail.errors import ActionRefused, UnknownSubject
from coopmail.queries.mails import RetryFault, retry_fault, worth_retrying
from coopmail.queries.outbox import left_open, poll_of

TAKEN_BACK = "staff took it back"
"""Why a mail that one of the staff cancelled was not sent."""
IDS_A_STATEMENT = 1_000
_FAULTS = {
    RetryFault.SENT: "It was sent.",
    RetryFault.NOT_NEEDED: "It was not needed any more when its turn came.",
    RetryFault.LEFT: "Whom it is for has left.",
    RetryFault.INVITATION_REVOKED: "The invitation that it is about was taken back.",
    RetryFault.CAMPAIGN_CANCELLED: "Its campaign is cancelled.",
    RetryFault.POLL_OVER: "Its poll takes no answers any more.",
    RetryFault.TOO_LATE: "Its time has passed.",
}


class NotWaiting(ActionRefused):
    """A mail that cannot be taken back: it is sent, being sent, or ended otherwise."""


class RetryRefused(ActionRefused):
    """Mail that would not be sent if it were tried again; `why` says for what reason."""

    def __init__(self, why: RetryFault) -> None:
        super().__init__(_FAULTS[why])
        self.why = why


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


def resume_campaign(session: Session, now: datetime, campaign: str, *, actor: str = STAFF) -> None:
    """Let a paused campaign's mails go out. Raises `ActionRefused` where it is not paused."""
    stop = _stop(session, campaign)
    if stop is None or stop.kind is not StopKind.PAUSED:
        raise ActionRefused(f"Campaign {campaign} is not paused.")
    session.delete(stop)
    wake_runners(session)
    audit(session, now, "campaign-resumed", actor, f"campaign:{campaign}")


def cancel_campaign(session: Session, now: datetime, campaign: str, reason: str, *, actor: str = STAFF) -> int:
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
    audit(session, now, "campaign-cancelled", actor, f"campaign:{campaign}", reason=reason[:500], mails=len(taken))
    if (poll := left_open(session, campaign)) is not None:
        text = (
            f"The invitations to poll {poll.slug} were cancelled ({len(taken)} were taken back), and it is still open:"
            f" to end it too, run `coopmail polls withdraw {poll.slug}`."
        )
        raise_matter(session, now, f"cancelled:{campaign}", text, poll_id=poll.id, mails=len(taken))
    return len(taken)


def cancel_mail(session: Session, now: datetime, mail_id: int, *, actor: str = STAFF) -> Mail:
    """Take back one mail that waits; `retry_mail` undoes it. A second time changes nothing.

    Raises `NotWaiting` where it went out, is being sent at this moment, or ended otherwise.
    """
    mail = _locked(session, mail_id)
    if mail.state is MailState.CANCELLED:
        return mail
    if mail.state is not MailState.QUEUED:
        raise NotWaiting(f"Mail {mail_id} does not wait any more: it is {mail.state.value}.")
    mail.state, mail.reply = MailState.CANCELLED, TAKEN_BACK
    session.add(MailEvent(mail_id=mail.id, at=now, event="taken-back", detail=actor))
    audit(session, now, "mail-cancelled", actor, f"mail:{mail.id}")
    return mail


def retry_mail(session: Session, now: datetime, mail_id: int, *, actor: str = STAFF) -> Mail:
    """Put a mail that was refused, failed, ran out of time or was taken back into the queue, as if it were new.

    It stays the same message, with the same links. What is in the queue already stays as it is. Raises `RetryRefused`
    where it would not be sent: its `why` says for what reason.
    """
    mail = _locked(session, mail_id)
    if mail.state in WAITING:
        return mail
    fault = retry_fault(session, mail, now)
    if fault is not None:
        raise RetryRefused(fault)
    _queue_again(session, now, [mail.id], _expiry(mail), actor)
    session.refresh(mail)
    audit(session, now, "mail-retried", actor, f"mail:{mail.id}")
    return mail


def retry_campaign(session: Session, now: datetime, campaign: str, *, actor: str = STAFF) -> int:
    """Put each mail of a campaign that did not arrive, and is still of use, into the queue; how many that is.

    Those that staff took back are left out. Raises `UnknownSubject`, or `RetryRefused` where the campaign is cancelled.
    """
    check_known(session, campaign)
    stop = _stop(session, campaign)
    if stop is not None and stop.kind is StopKind.CANCELLED:
        raise RetryRefused(RetryFault.CAMPAIGN_CANCELLED)
    poll = poll_of(session, campaign)
    expiry = poll.closes_at if poll is not None and poll.accepts_answers(now) else None
    ids = list(session.scalars(worth_retrying(campaign, now, expiry).with_for_update(of=Mail)))
    _queue_again(session, now, ids, expiry, actor)
    if ids:
        audit(session, now, "campaign-retried", actor, f"campaign:{campaign}", mails=len(ids))
    return len(ids)


def _queue_again(session: Session, now: datetime, ids: list[int], expiry: datetime | None, actor: str) -> None:
    """Queue these mails anew. An expiry that has passed follows that of the poll, which may have been extended."""
    for begin in range(0, len(ids), IDS_A_STATEMENT):
        some = ids[begin : begin + IDS_A_STATEMENT]
        mails = sa.update(Mail).where(Mail.id.in_(some)).execution_options(synchronize_session=False)
        session.execute(mails.values(state=MailState.QUEUED, attempts=0, not_before=now, lease_until=None, reply=""))
        session.execute(mails.where(Mail.expires_at <= now).values(expires_at=expiry))
        session.execute(
            sa.insert(MailEvent), [{"mail_id": one, "at": now, "event": "retried", "detail": actor} for one in some]
        )
        # Its matter is settled, and gives up its key: one that is lost again is put before staff again.
        session.execute(
            sa.update(Matter)
            .where(Matter.mail_id.in_(some), Matter.settled_at.is_(None), Matter.key.like("mail:%"))
            .values(settled_at=now, settled_by_id=staff_id(actor))
            .execution_options(synchronize_session=False)
        )
        session.execute(
            sa.update(Matter)
            .where(Matter.mail_id.in_(some), Matter.key == "mail:" + sa.cast(Matter.mail_id, sa.String))
            .values(key=Matter.key + ":" + sa.cast(Matter.id, sa.String))
            .execution_options(synchronize_session=False)
        )
    if ids:
        wake_runners(session)


def _expiry(mail: Mail) -> datetime | None:
    poll = mail.invitation.poll if mail.invitation else None
    return poll.closes_at if poll else None


def _locked(session: Session, mail_id: int) -> Mail:
    """A mail that no sender takes meanwhile, or `UnknownSubject`."""
    found = session.get(Mail, mail_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownSubject(f"There is no mail {mail_id}.")
    return found


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
