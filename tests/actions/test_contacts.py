"""Contacts come, change, are away, leave and come back: what that does to open votes and their mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.actions import contacts, nominations, representations
from coopmail.domain.audit import AuditRow, Matter
from coopmail.domain.contacts import Contact, Mode
from coopmail.domain.groups import Seat
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Poll
from coopmail.errors import ChangedMeanwhile
from coopmail.parts import Parts
from coopmail.queries import contacts as questions
from coopmail.queries.polls import turnout
from tests.builders import Cooperative
from tests.conftest import FrozenClock, Received
from tests.web.pages import everything

Deliver = Callable[[], list[Received]]
NORA: dict[str, Any] = {"name": "Nora Smets", "email": "nora.smets@mol.example", "language": "nl"}


def person(cooperative: Cooperative, name: str) -> int:
    """The id of one of the cast."""
    return cooperative.contacts[name].id


def library(cooperative: Cooperative, name: str) -> int:
    """The id of a library."""
    return cooperative.libraries[name].id


def version_of(office: Parts, contact_id: int) -> int:
    """Which version of a contact is there now."""
    with office.db.reading() as (session, _):
        return session.get_one(Contact, contact_id).version


def edit(office: Parts, contact_id: int, **changes: Any) -> None:
    """Change a contact as a page does that was read just now."""
    with office.db.transaction() as (session, now):
        known = session.get_one(Contact, contact_id)
        values = {field: getattr(known, field) for field in ("version", "name", "email", "language", "telephone",
                                                             "functional")}  # fmt: skip
        contacts.edit(session, now, contact_id, **(values | changes))


def waiting(office: Parts) -> list[str]:
    """The keys of what waits for staff."""
    with office.db.reading() as (session, _):
        return sorted(session.scalars(sa.select(Matter.key).where(Matter.settled_at.is_(None))))


def invited(mails: list[Received]) -> list[str]:
    """Whom the invitations among these mails went to."""
    return sorted(mail.to for mail in mails if mail.template == "ballot-invitation")


def set_standing(office: Parts, contact_id: int, organisation_id: int, standing: questions.Standing) -> None:
    """Say for whom a contact stands, as a page does that was read just now."""
    version = version_of(office, contact_id)
    with office.db.transaction() as (session, now):
        representations.set_standing(session, now, office.basis, contact_id, organisation_id, standing,
                                     version=version)  # fmt: skip


def test_whoever_is_added_for_a_library_is_invited_to_its_open_vote_once(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    deliver()
    assert len(waiting(office)) == 1  # Mol, where nobody votes
    for _click in range(2):
        with office.db.transaction() as (session, now):
            contacts.add(session, now, office.basis, **NORA, organisation_id=library(cooperative, "Mol"))
    (mail,) = deliver()
    assert (mail.to, mail.template) == ("nora.smets@mol.example", "ballot-invitation")
    assert client.post(mail.link, data={"choice": "keep"}).status_code == 303
    assert waiting(office) == []


def test_a_second_click_adds_nothing_and_another_with_that_address_is_refused_by_name(
    office: Parts, cooperative: Cooperative
) -> None:
    def add(**changes: Any) -> None:
        with office.db.transaction() as (session, now):
            contacts.add(session, now, office.basis, **(NORA | changes), organisation_id=library(cooperative, "Mol"))

    add()
    before = everything(office.db)
    add()
    with pytest.raises(contacts.AddressTaken) as taken:
        add(name="Somebody Else", email="NORA.smets@mol.example")
    assert taken.value.name == "Nora Smets"
    assert everything(office.db) == before


def test_a_person_of_the_field_stands_for_nobody_and_is_asked_no_binding_vote(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    with office.db.transaction() as (session, now):
        added = contacts.add(session, now, office.basis, **NORA)
        session.flush()
        assert questions.represents(session, added.id) == []
        assert added.confirmed_at == now()
    assert deliver() == []


def test_another_address_gets_the_open_votes_again_and_the_old_links_go_on(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    old = next(mail.link for mail in deliver() if mail.to == "els.peeters@aartselaar.example")
    els = person(cooperative, "els")
    with office.db.transaction() as (session, now):
        session.get_one(Contact, els).undeliverable_at = now()
    edit(office, els, email="Els.Peeters@aartselaar-nieuw.example")
    (mail,) = deliver()
    assert (mail.to, mail.template) == ("Els.Peeters@aartselaar-nieuw.example", "ballot-invitation")
    assert mail.link == old
    assert client.get(old).status_code == 200
    with office.db.reading() as (session, _):
        assert session.get_one(Contact, els).undeliverable_at is None
        moved = session.scalars(sa.select(AuditRow).where(AuditRow.act == questions.ADDRESS_CHANGED)).one()
        assert moved.detail == {"before": "els.peeters@aartselaar.example",
                                "after": "els.peeters@aartselaar-nieuw.example"}  # fmt: skip


def test_a_vote_that_was_answered_is_not_mailed_again_to_another_address(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "els.peeters@aartselaar.example")
    client.post(link, data={"choice": "keep"})
    deliver()
    edit(office, person(cooperative, "els"), email="els@elsewhere.example")
    assert deliver() == []


def test_an_invitation_that_waits_goes_to_the_new_address_and_once(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    edit(office, person(cooperative, "boom"), email="bib@boom.example")
    assert [mail.to for mail in deliver() if "boom" in mail.to] == ["bib@boom.example"]


def test_an_address_in_another_spelling_is_the_same_address(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    edit(office, person(cooperative, "els"), email="Els.PEETERS@aartselaar.example")
    assert deliver() == []
    with office.db.reading() as (session, _):
        assert session.get_one(Contact, person(cooperative, "els")).email == "Els.PEETERS@aartselaar.example"


def test_an_edit_without_a_change_writes_nothing_whatever_version_was_read(
    office: Parts, cooperative: Cooperative
) -> None:
    edit(office, person(cooperative, "els"), telephone="03 123 45 67")
    before = everything(office.db)
    edit(office, person(cooperative, "els"), telephone="03 123 45 67", version=1)
    assert everything(office.db) == before


def test_of_two_who_change_a_contact_the_second_is_told_and_writes_nothing(
    office: Parts, cooperative: Cooperative
) -> None:
    edit(office, person(cooperative, "els"), telephone="03 123 45 67")
    before = everything(office.db)
    with pytest.raises(ChangedMeanwhile):
        edit(office, person(cooperative, "els"), telephone="03 999 99 99", version=1)
    assert everything(office.db) == before


@pytest.mark.parametrize("taken", ["jan.maes@aartselaar.example", "JAN.MAES@aartselaar.example"])
def test_the_address_of_another_is_refused_and_says_whose_it_is(
    office: Parts, cooperative: Cooperative, taken: str
) -> None:
    before = everything(office.db)
    with pytest.raises(contacts.AddressTaken) as refused:
        edit(office, person(cooperative, "els"), email=taken)
    assert refused.value.name == "Jan Maes"
    assert everything(office.db) == before


def test_whoever_holds_a_seat_cannot_become_a_mailbox(office: Parts, cooperative: Cooperative) -> None:
    before = everything(office.db)
    with pytest.raises(contacts.MailboxHoldsSeat):
        edit(office, person(cooperative, "els"), functional=True)
    assert everything(office.db) == before
    edit(office, person(cooperative, "jan"), functional=True)


def test_whoever_leaves_loses_its_links_and_its_seats_and_staff_hear_who_has_nobody(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    links = [mail.link for mail in deliver() if mail.to == "lies.claes@duffel.example"]
    lies = person(cooperative, "lies")
    for _click in range(2):
        with office.db.transaction() as (session, now):
            contacts.leave(session, now, office.basis, lies)
    assert [client.get(link).status_code for link in links] == [410, 410]
    assert client.post(links[0], data={"choice": "keep"}).status_code == 410
    with office.db.reading() as (session, _):
        unreached = session.scalars(
            sa.select(Matter.text).where(Matter.settled_at.is_(None)).order_by(Matter.text)
        ).all()  # fmt: skip
        assert [text.partition(" in poll")[0] for text in unreached] == [
            "Nobody can be reached for Bibliotheek Duffel", "Nobody can be reached for Bibliotheek Lier",
            "Nobody can be reached for Bibliotheek Mol",
        ]  # fmt: skip
        assert turnout(session, poll.id).unreachable == 3
        assert questions.represents(session, lies) == []
        assert session.scalars(sa.select(Seat.ends_on).where(Seat.contact_id == lies)).all() == [date(2026, 11, 16)]
        assert session.scalars(sa.select(AuditRow).where(AuditRow.act == "contact-left")).one().subject == (
            f"contact:{lies}"
        )
    assert deliver() == []


def test_whoever_comes_back_stands_where_it_stood_and_its_open_votes_are_mailed_again(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient, clock: FrozenClock
) -> None:
    deliver()
    lies = person(cooperative, "lies")
    set_standing(office, lies, library(cooperative, "Boom"), {None: Mode.READS})
    set_standing(office, lies, library(cooperative, "Boom"), {})  # ended before: stays ended
    clock.advance(minutes=1)
    with office.db.transaction() as (session, now):
        contacts.leave(session, now, office.basis, lies)
    clock.advance(days=1)
    for _click in range(2):
        with office.db.transaction() as (session, now):
            contacts.come_back(session, now, office.basis, lies)
    mails = deliver()
    assert invited(mails) == ["lies.claes@duffel.example"] * 2
    assert [client.post(mail.link, data={"choice": "keep"}).status_code for mail in mails] == [303, 303]
    with office.db.reading() as (session, _):
        assert [each.organisation.name for each in questions.represents(session, lies)] == [
            "Bibliotheek Duffel", "Bibliotheek Lier",
        ]  # fmt: skip
        assert session.scalars(sa.select(Seat.ends_on).where(Seat.contact_id == lies)).all() == [None]
        assert turnout(session, poll.id).unreachable == 1
    assert len(waiting(office)) == 1


def test_who_left_and_whose_place_was_taken_comes_back_without_it(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient, clock: FrozenClock
) -> None:
    deliver()
    boom = person(cooperative, "boom")
    with office.db.transaction() as (session, now):
        nominations.hand_over(session, now, office.basis, boom, [library(cooperative, "Boom")], name="Piet Nieuw",
                              email="piet@boom.example")  # fmt: skip
    with office.db.transaction() as (session, now):
        contacts.leave(session, now, office.basis, boom)
    (asked,) = deliver()
    clock.advance(minutes=1)
    details = {"answer": "accept", "name": "Piet Nieuw", "language": "nl", "telephone": ""}
    assert client.post(asked.link, data=details).status_code == 303
    assert invited(deliver()) == ["piet@boom.example"]
    with office.db.transaction() as (session, now):
        contacts.come_back(session, now, office.basis, boom)
        assert questions.represents(session, boom) == []
    assert deliver() == []


def test_a_matter_that_was_ticked_off_waits_again_when_the_last_voter_leaves(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    an, mol = person(cooperative, "an"), library(cooperative, "Mol")
    (before,) = waiting(office)
    set_standing(office, an, mol, {None: Mode.VOTES})
    assert waiting(office) == []
    set_standing(office, an, mol, {None: Mode.READS})
    assert waiting(office) == [before]


def test_an_absence_is_noted_and_taken_back(office: Parts, cooperative: Cooperative) -> None:
    els = person(cooperative, "els")
    with office.db.transaction() as (session, now):
        contacts.set_away(session, now, els, date(2026, 12, 24), version=1)
    with office.db.transaction() as (session, now):
        contacts.set_away(session, now, els, date(2026, 12, 24), version=1)  # the second click
        assert session.get_one(Contact, els).away_until == date(2026, 12, 24)
    with office.db.transaction() as (session, now), pytest.raises(ChangedMeanwhile):
        contacts.set_away(session, now, els, None, version=1)
    with office.db.transaction() as (session, now):
        contacts.set_away(session, now, els, None, version=2)
        assert session.get_one(Contact, els).away_until is None


def bounce(office: Parts, address: str) -> int:
    """Let the relay have refused the last mail to an address for good."""
    with office.db.transaction() as (session, _):
        mail = session.scalars(
            sa.select(Mail).join(Contact).where(Contact.email_key == address).order_by(Mail.id.desc()).limit(1)
        ).one()
        mail.state, mail.reply = MailState.BOUNCED, "550 no such user"
        return mail.id


def undeliverable(office: Parts) -> list[str]:
    """Who is marked so that mail does not arrive."""
    with office.db.reading() as (session, _):
        return list(session.scalars(sa.select(Contact.name).where(Contact.undeliverable_at.is_not(None))))


def test_a_bounce_marks_the_contact_and_is_put_before_staff(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    mail_id = bounce(office, "els.peeters@aartselaar.example")
    deliver()
    assert undeliverable(office) == ["Els Peeters"]
    assert f"mail:{mail_id}" in waiting(office)


def test_a_bounce_of_the_address_before_says_nothing_about_the_new_one(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, clock: FrozenClock
) -> None:
    deliver()
    mail_id = bounce(office, "els.peeters@aartselaar.example")
    clock.advance(seconds=5)
    edit(office, person(cooperative, "els"), email="els@elsewhere.example")
    deliver()
    assert undeliverable(office) == []
    assert f"mail:{mail_id}" in waiting(office)
    bounce(office, "els@elsewhere.example")
    clock.advance(seconds=5)
    deliver()
    assert undeliverable(office) == ["Els Peeters"]


def test_a_mail_that_failed_by_our_own_fault_marks_nobody(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    mail_id = bounce(office, "els.peeters@aartselaar.example")
    with office.db.transaction() as (session, _):
        session.get_one(Mail, mail_id).state = MailState.FAILED
    deliver()
    assert undeliverable(office) == []
    assert f"mail:{mail_id}" in waiting(office)


def test_what_was_named_and_waits_is_asked_again_at_another_address(
    office: Parts, cooperative: Cooperative, deliver: Deliver, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        named = nominations.hand_over(
            session, now, office.basis, person(cooperative, "boom"), [library(cooperative, "Boom")], name="Piet Nieuw",
            email="piet@boom.exmaple.example",
        )  # fmt: skip
        piet = named[0].contact_id
    (first,) = deliver()
    clock.advance(hours=1)
    edit(office, piet, email="piet@boom.example")
    (second,) = deliver()
    assert (second.to, second.template, second.link) == ("piet@boom.example", "handover-invitation", first.link)
