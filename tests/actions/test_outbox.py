"""What staff do with mails: send again what did not arrive, take one back, and let a campaign rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from coopmail.actions import outbox, polls
from coopmail.actions.contacts import note_bounces
from coopmail.domain.audit import AuditRow, Matter
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import CampaignStop, Mail, MailState, StopKind
from coopmail.domain.polls import Poll
from coopmail.errors import UnknownSubject
from coopmail.parts import Parts
from coopmail.queries.mails import RetryFault
from tests.builders import build_staff
from tests.conftest import CLOSING, MONDAY, FrozenClock, Received
from tests.mail.acts import change, events, mails

ELS, JAN, BOOM = "els.peeters@aartselaar.example", "jan.maes@aartselaar.example", "bibliotheek@boom.example"
KLAAR = "staff:1"
Deliver = Callable[[], list[Received]]


@pytest.fixture(autouse=True)
def staff(office: Parts) -> None:
    """Klaar and two colleagues."""
    with office.db.transaction() as (session, now):
        for name in ("Klaar Leroy", "Ria Claes", "Bram Wouters"):
            build_staff(session, now(), name)


def invited(office: Parts, address: str = ELS) -> Mail:
    """The mail that invites somebody."""
    return mails(office, "ballot-invitation")[address]


def lose(office: Parts, state: MailState = MailState.BOUNCED, address: str = ELS) -> int:
    """Let somebody's invitation not arrive; its id."""
    mail_id = invited(office, address).id
    change(office, Mail, Mail.id == mail_id, state=state, attempts=3, reply="550 5.1.1 no such user")
    return mail_id


def retry(office: Parts, mail_id: int) -> Mail:
    """Klaar sends a mail again."""
    with office.db.transaction() as (session, now):
        return outbox.retry_mail(session, now(), mail_id, actor=KLAAR)


def cancel(office: Parts, mail_id: int) -> Mail:
    """Klaar takes a mail back."""
    with office.db.transaction() as (session, now):
        return outbox.cancel_mail(session, now(), mail_id, actor=KLAAR)


def recorded(office: Parts, subject: str) -> list[tuple[str, str]]:
    """What the record says of a subject, and who did it."""
    with office.db.reading() as (session, _):
        rows = session.scalars(sa.select(AuditRow).where(AuditRow.subject == subject).order_by(AuditRow.id))
        return [(row.act, row.actor) for row in rows]


def waiting_matters(office: Parts) -> int:
    """How often a lost mail waits for staff."""
    with office.db.reading() as (session, _):
        waits = sa.select(sa.func.count()).select_from(Matter)
        return session.scalars(waits.where(Matter.key.like("mail:%"), Matter.settled_at.is_(None))).one()


def test_a_mail_that_bounced_goes_out_again_as_the_same_message(office: Parts, poll: Poll, deliver: Deliver) -> None:
    mail_id = lose(office)
    assert ELS not in {mail.to for mail in deliver()}
    queued = retry(office, mail_id)
    assert (queued.state, queued.attempts, queued.reply, queued.not_before) == (MailState.QUEUED, 0, "", MONDAY)
    [received] = deliver()
    assert (received.to, str(received.message["Message-ID"]).strip("<").partition("@")[0]) == (ELS, queued.key)
    mail = invited(office)
    assert (mail.state, mail.attempts) == (MailState.SENT, 1)
    assert [event for event, _ in events(office, mail)] == ["retried", "sent"]
    assert recorded(office, f"mail:{mail_id}") == [("mail-retried", KLAAR)]


def test_sending_again_what_waits_already_changes_nothing(office: Parts, poll: Poll) -> None:
    mail_id = lose(office, MailState.FAILED)
    retry(office, mail_id)
    retry(office, mail_id)
    assert recorded(office, f"mail:{mail_id}") == [("mail-retried", KLAAR)]
    assert events(office, invited(office)) == [("retried", KLAAR)]


def test_an_invitation_that_ran_out_of_time_follows_the_poll_s_new_closing_time(
    office: Parts, poll: Poll, clock: FrozenClock, deliver: Deliver
) -> None:
    later = CLOSING + timedelta(days=7)
    mail_id = lose(office, MailState.EXPIRED)
    with office.db.transaction() as (session, now):
        polls.extend_poll(session, poll.id, now, later, office.basis)
    clock.move_to(CLOSING + timedelta(hours=1))
    assert retry(office, mail_id).expires_at == later
    assert ("ballot-invitation", ELS) in {(mail.template, mail.to) for mail in deliver()}


def left(office: Parts, _poll: Poll, _clock: FrozenClock) -> None:
    """Els leaves."""
    change(office, Contact, Contact.email == ELS, left_at=MONDAY)


def revoked(office: Parts, _poll: Poll, _clock: FrozenClock) -> None:
    """Els's invitation is taken back."""
    change(office, Invitation, Invitation.id == invited(office).invitation_id, revoked_at=MONDAY)


def cancelled(office: Parts, poll: Poll, _clock: FrozenClock) -> None:
    """The whole campaign is cancelled."""
    with office.db.transaction() as (session, now):
        outbox.cancel_campaign(session, now(), f"poll:{poll.id}:invitation", "fout", actor=KLAAR)


def withdrawn(office: Parts, poll: Poll, _clock: FrozenClock) -> None:
    """The poll is withdrawn."""
    with office.db.transaction() as (session, now):
        polls.withdraw_poll(session, poll.id, now, "fout")


def over(_office: Parts, _poll: Poll, clock: FrozenClock) -> None:
    """The closing time passes."""
    clock.move_to(CLOSING)


def sent(office: Parts, _poll: Poll, _clock: FrozenClock) -> None:
    """It was sent after all."""
    change(office, Mail, Mail.id == invited(office).id, state=MailState.SENT)


def not_needed(office: Parts, _poll: Poll, _clock: FrozenClock) -> None:
    """A colleague answered first."""
    change(office, Mail, Mail.id == invited(office).id, state=MailState.SUPPRESSED)


def old(office: Parts, _poll: Poll, _clock: FrozenClock) -> None:
    """It is a mail of another kind, whose time has passed, about nothing that is open."""
    change(office, Mail, Mail.id == invited(office).id, template="reminder", invitation_id=None, expires_at=MONDAY)


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (left, RetryFault.LEFT),
        (revoked, RetryFault.INVITATION_REVOKED),
        (cancelled, RetryFault.CAMPAIGN_CANCELLED),
        (withdrawn, RetryFault.POLL_OVER),
        (over, RetryFault.POLL_OVER),
        (sent, RetryFault.SENT),
        (not_needed, RetryFault.NOT_NEEDED),
        (old, RetryFault.TOO_LATE),
    ],
)
def test_what_would_not_be_sent_is_not_sent_again_and_it_says_why(
    office: Parts, poll: Poll, clock: FrozenClock, happens: Callable[[Parts, Poll, FrozenClock], None], why: RetryFault
) -> None:
    mail_id = lose(office)
    happens(office, poll, clock)
    with pytest.raises(outbox.RetryRefused) as refused:
        retry(office, mail_id)
    assert refused.value.why is why
    assert ("mail-retried", KLAAR) not in recorded(office, f"mail:{mail_id}")


def test_a_mail_that_was_taken_back_stays_here_until_it_is_sent_after_all(
    office: Parts, poll: Poll, deliver: Deliver
) -> None:
    mail_id = invited(office).id
    assert (cancel(office, mail_id).state, cancel(office, mail_id).reply) == (MailState.CANCELLED, outbox.TAKEN_BACK)
    assert ELS not in {mail.to for mail in deliver()}
    assert recorded(office, f"mail:{mail_id}") == [("mail-cancelled", KLAAR)], "a second click records nothing"
    retry(office, mail_id)
    assert [mail.to for mail in deliver()] == [ELS]


@pytest.mark.parametrize("state", [MailState.CLAIMED, MailState.SENT, MailState.BOUNCED])
def test_only_what_waits_can_be_taken_back(office: Parts, poll: Poll, state: MailState) -> None:
    mail_id = lose(office, state)
    with pytest.raises(outbox.NotWaiting):
        cancel(office, mail_id)
    assert invited(office).state is state


def test_of_a_campaign_all_that_did_not_arrive_and_is_of_use_goes_out_again(
    office: Parts, poll: Poll, deliver: Deliver
) -> None:
    lose(office, MailState.BOUNCED, ELS)
    lose(office, MailState.FAILED, BOOM)
    lose(office, MailState.EXPIRED, JAN)
    change(office, Contact, Contact.email == BOOM, left_at=MONDAY)
    deliver()
    campaign = f"poll:{poll.id}:invitation"
    with office.db.transaction() as (session, now):
        assert outbox.retry_campaign(session, now(), campaign, actor=KLAAR) == 2
    assert sorted(mail.to for mail in deliver()) == [ELS, JAN]
    with office.db.transaction() as (session, now):
        assert outbox.retry_campaign(session, now(), campaign, actor=KLAAR) == 0, "a second click finds nothing"
    assert recorded(office, f"campaign:{campaign}") == [("campaign-retried", KLAAR)]
    cancelled(office, poll, FrozenClock(MONDAY))
    with office.db.transaction() as (session, now), pytest.raises(outbox.RetryRefused):
        outbox.retry_campaign(session, now(), campaign, actor=KLAAR)


def test_a_mail_that_is_lost_again_is_put_before_staff_again(office: Parts, poll: Poll) -> None:
    mail_id = lose(office)
    for again in range(2):
        with office.db.transaction() as (session, now):
            note_bounces(session, now())
        assert waiting_matters(office) == 1, f"lost {again + 1} times"
        retry(office, mail_id)
        assert waiting_matters(office) == 0
        lose(office)


def test_the_record_says_who_held_a_campaign_back_let_it_go_and_cancelled_it(office: Parts, poll: Poll) -> None:
    campaign = f"poll:{poll.id}:invitation"
    with office.db.transaction() as (session, now):
        outbox.pause_campaign(session, now(), campaign, "wacht", actor=KLAAR)
        outbox.resume_campaign(session, now(), campaign, actor="staff:2")
        assert outbox.cancel_campaign(session, now(), campaign, "fout", actor="staff:3") == 5
    assert recorded(office, f"campaign:{campaign}") == [
        ("campaign-paused", KLAAR), ("campaign-resumed", "staff:2"), ("campaign-cancelled", "staff:3"),
    ]  # fmt: skip
    with office.db.reading() as (session, _):
        assert session.get_one(CampaignStop, campaign).kind is StopKind.CANCELLED


def test_a_mail_that_is_not_there_is_named(office: Parts) -> None:
    for act in (retry, cancel):
        with pytest.raises(UnknownSubject):
            act(office, 999_999_999)
