"""Why somebody was or was not asked, and the outbox as a list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from coopmail.actions import polls
from coopmail.actions.outbox import pause_campaign
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Group, Seat, SeatOrigin, SeatRole
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Audience, Poll
from coopmail.parts import Parts
from coopmail.queries import mail_list, mails
from coopmail.queries.mails import Why
from tests.builders import Cooperative, build_contact, build_poll
from tests.conftest import CLOSING, MONDAY
from tests.mail.acts import change

Lines = list[tuple[str, Why]]


def why(office: Parts, contact: Contact, poll: Poll) -> Lines:
    """For whom a contact was asked or not, and why."""
    with office.db.reading() as (session, _):
        found = session.get_one(Contact, contact.id)
        return [(line.whom, line.why) for line in mails.why_not(session, found, session.get_one(Poll, poll.id))]


def person(office: Parts, *stands_for: tuple[int, int | None, Mode], confirmed: bool = True) -> Contact:
    """Somebody new, who stands for organisations after the poll was opened."""
    with office.db.transaction() as (session, now):
        found = build_contact("Nele Nieuw", "nele@nieuw.example", now())
        found.confirmed_at = now() if confirmed else None
        session.add(found)
        session.flush()
        for organisation_id, service_id, mode in stands_for:
            session.add(Representation(contact_id=found.id, organisation_id=organisation_id, service_id=service_id,
                                       mode=mode, started_at=now()))  # fmt: skip
        return found


def test_who_was_invited_reads_for_which_library_and_by_which_mail(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    lies = cooperative.contacts["lies"]
    assert why(office, lies, poll) == [("Bibliotheek Duffel", Why.INVITED), ("Bibliotheek Lier", Why.INVITED)]
    with office.db.reading() as (session, _):
        lines = mails.why_not(session, lies, session.get_one(Poll, poll.id))
        asked = session.scalars(sa.select(Mail.id).where(Mail.contact_id == lies.id).order_by(Mail.id)).all()
    assert sorted(line.mail_id or 0 for line in lines) == list(asked)
    assert {line.state for line in lines} == {MailState.QUEUED}


def test_an_invitation_that_was_taken_back_says_so(office: Parts, cooperative: Cooperative, poll: Poll) -> None:
    els = cooperative.contacts["els"]
    change(office, Invitation, Invitation.contact_id == els.id, revoked_at=MONDAY)
    assert why(office, els, poll) == [("Bibliotheek Aartselaar", Why.REVOKED)]


def test_who_only_reads_or_whose_library_does_not_take_the_service_was_not_asked(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    assert why(office, cooperative.contacts["an"], poll) == [("Bibliotheek Mol", Why.READS)]
    assert why(office, cooperative.contacts["tom"], poll) == [("Bibliotheek Zoersel", Why.NO_UNIT)]
    assert why(office, cooperative.contacts["mia"], poll) == [("Mia Jacobs", Why.NO_ORGANISATION)]


def test_the_row_for_the_poll_s_service_goes_before_the_general_one(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    boom, lier, mol = (cooperative.libraries[name].id for name in ("Boom", "Lier", "Mol"))
    archive, vlacc = (cooperative.services[slug].id for slug in ("krantenarchief", "open-vlacc"))
    nele = person(
        office,
        (boom, None, Mode.VOTES), (boom, archive, Mode.READS), (lier, vlacc, Mode.VOTES), (mol, None, Mode.VOTES),
    )  # fmt: skip
    assert why(office, nele, poll) == [
        ("Bibliotheek Boom", Why.READS_SERVICE),
        ("Bibliotheek Lier", Why.OTHER_SERVICE),
        ("Bibliotheek Mol", Why.NOT_YET),
    ]


def test_who_has_not_confirmed_or_has_left_was_not_asked(office: Parts, cooperative: Cooperative, poll: Poll) -> None:
    nele = person(office, (cooperative.libraries["Boom"].id, None, Mode.VOTES), confirmed=False)
    assert why(office, nele, poll) == [("Bibliotheek Boom", Why.UNCONFIRMED)]
    change(office, Contact, Contact.id == nele.id, left_at=MONDAY)
    assert why(office, nele, poll) == [("Nele Nieuw", Why.LEFT)]


def test_of_a_group_only_who_held_a_seat_with_a_vote_was_asked(office: Parts, cooperative: Cooperative) -> None:
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, slug="groep", audience=Audience.GROUP_SEATS,
                           service_id=None)  # fmt: skip
        seats = polls.open_poll(session, draft.id, now, office.basis)
        session.add(Seat(group_id=session.scalars(sa.select(Group.id)).one(), contact_id=cooperative.contacts["an"].id,
                         role=SeatRole.MEMBER, has_vote=True, origin=SeatOrigin.REPLACEMENT,
                         starts_on=date(2026, 11, 16)))  # fmt: skip
    name = cooperative.group.name
    assert why(office, cooperative.contacts["els"], seats) == [("Els Peeters", Why.INVITED)]
    assert why(office, cooperative.contacts["mia"], seats) == [(name, Why.SEAT_WITHOUT_VOTE)]
    assert why(office, cooperative.contacts["jan"], seats) == [(name, Why.NO_SEAT)]
    assert why(office, cooperative.contacts["an"], seats) == [(name, Why.NOT_YET)]


@pytest.fixture
def spread(office: Parts, poll: Poll) -> list[int]:
    """The ids of five mails, queued a day apart: the first on Monday."""
    with office.db.transaction() as (session, _):
        rows = session.scalars(sa.select(Mail).order_by(Mail.id)).all()
        for days, row in enumerate(rows):
            row.created_at = MONDAY + timedelta(days=days)
        return [row.id for row in rows]


def test_a_moment_s_first_mail_is_found_by_halving(office: Parts, spread: list[int]) -> None:
    with office.db.reading() as (session, _):
        found = [mail_list.first_id(session, MONDAY + timedelta(days=days, hours=-1)) for days in range(6)]
        assert found[1:5] == spread[1:5]
        assert found[0] <= spread[0], "before them all"
        assert found[5] == spread[-1] + 1, "after them all"


def test_where_there_is_no_mail_every_moment_is_after_it(office: Parts) -> None:
    with office.db.reading() as (session, _):
        assert mail_list.first_id(session, MONDAY) == 0
        assert mail_list.first_moment(session) is None
        assert mail_list.recent_campaigns(session, "nothing") == []
        assert mail_list.standing(session, MONDAY) == []


@pytest.mark.parametrize("many", [1, mail_list.MANY])
def test_the_same_mails_are_found_whether_few_or_many_are_like_it(
    office: Parts, poll: Poll, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(mail_list, "MANY", many)

    def found(condition: Callable[..., sa.ColumnElement[bool]], value: object) -> int:
        with office.db.reading() as (session, _):
            rows = mail_list.rows(MONDAY).where(condition(session, value))
            return len(session.execute(rows).all())

    assert [found(mail_list.to_people, pattern) for pattern in ("%lies%", "%aartselaar%", "%nobody%")] == [2, 2, 0]
    assert [found(mail_list.in_state, state) for state in (MailState.QUEUED, MailState.SENT)] == [5, 0]


def test_campaigns_that_wait_or_are_held_back_are_named_with_their_mails(office: Parts, poll: Poll) -> None:
    name = f"poll:{poll.id}:invitation"
    with office.db.transaction() as (session, now):
        pause_campaign(session, now(), name, "wacht")
    change(office, Mail, Mail.contact_id == 1, state=MailState.SENT)
    with office.db.reading() as (session, _):
        [held] = mail_list.standing(session, MONDAY)
        assert (held.name, held.counts) == (name, {MailState.QUEUED: 4, MailState.SENT: 1})
        assert held.stop is not None
        assert mail_list.stopped_by(session, held.stop) == "staff"
        assert mail_list.waiting(session)[MailState.QUEUED] == 4
