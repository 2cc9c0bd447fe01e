"""For whom a contact stands, service by service, and how open votes follow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.actions import contacts, polls, representations
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.links import Invitation
from coopmail.domain.organisations import Organisation
from coopmail.domain.polls import Audience, Effect, Poll
from coopmail.errors import ChangedMeanwhile, UnknownSubject
from coopmail.parts import Parts
from coopmail.queries import contacts as questions
from coopmail.queries.polls import outcome_of
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, FrozenClock, Received
from tests.web.pages import everything

Deliver = Callable[[], list[Received]]


@pytest.fixture
def everyone(office: Parts, cooperative: Cooperative, poll: Poll) -> Poll:
    """A second poll, of all members."""
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, slug="everyone", audience=Audience.ALL_MEMBERS,
                           service_id=None, effect=Effect.CONSULTATION)  # fmt: skip
        return polls.open_poll(session, draft.id, now, office.basis)


def stand(office: Parts, contact_id: int, organisation_id: int, standing: questions.Standing, version: int = 0) -> None:
    """Say how a contact stands, as a page that was read just now does."""
    with office.db.transaction() as (session, now):
        read = version or session.get_one(Contact, contact_id).version
        representations.set_standing(session, now, office.basis, contact_id, organisation_id, standing, version=read)


def may_answer(office: Parts, contact_id: int) -> list[str]:
    """The polls that a contact holds a link to."""
    with office.db.reading() as (session, _):
        return sorted(
            session.scalars(
                sa.select(Poll.slug)
                .join(Invitation, Invitation.poll_id == Poll.id)
                .where(Invitation.contact_id == contact_id, Invitation.revoked_at.is_(None))
            )
        )


VOTES, READS = Mode.VOTES, Mode.READS
CASES: list[tuple[Mode | None, Mode | None, list[str]]] = [
    (VOTES, None, ["everyone", "krantenarchief"]),
    (VOTES, VOTES, ["everyone", "krantenarchief"]),
    (VOTES, READS, ["everyone"]),
    (READS, VOTES, ["krantenarchief"]),
    (READS, None, []),
    (None, VOTES, ["krantenarchief"]),
    (None, READS, []),
    (None, None, []),
]


@pytest.mark.parametrize(("general", "of_service", "expected"), CASES)
def test_a_row_for_the_service_goes_before_the_general_rule_in_votes_that_are_open(
    office: Parts, cooperative: Cooperative, everyone: Poll, general: Mode | None, of_service: Mode | None,
    expected: list[str],
) -> None:  # fmt: skip
    an, mol = cooperative.contacts["an"].id, cooperative.libraries["Mol"].id
    service = cooperative.services["krantenarchief"].id
    chosen = {None: general, service: of_service}
    standing = {key: mode for key, mode in chosen.items() if mode is not None}
    stand(office, an, mol, {None: VOTES, service: VOTES})
    stand(office, an, mol, standing)
    assert may_answer(office, an) == expected
    with office.db.reading() as (session, _):
        assert questions.standing(session, an, mol) == standing


def test_who_reads_from_now_on_loses_the_link_and_who_votes_again_gets_it_back_by_mail(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "els.peeters@aartselaar.example")
    els, aartselaar = cooperative.contacts["els"].id, cooperative.libraries["Aartselaar"].id
    stand(office, els, aartselaar, {None: READS})
    assert client.get(link).status_code == 410
    assert deliver() == []
    stand(office, els, aartselaar, {None: VOTES})
    (mail,) = deliver()
    assert (mail.to, mail.template, mail.link) == ("els.peeters@aartselaar.example", "ballot-invitation", link)
    assert client.post(link, data={"choice": "keep"}).status_code == 303


def test_what_a_reader_answered_while_it_voted_still_counts(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient, clock: FrozenClock
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "bibliotheek@boom.example")
    assert client.post(link, data={"choice": "keep", "answered_by": "Piet"}).status_code == 303
    stand(office, cooperative.contacts["boom"].id, cooperative.libraries["Boom"].id, {})
    clock.move_to(CLOSING)
    deliver()
    with office.db.reading() as (session, _):
        outcome = outcome_of(session, poll.id)
        assert outcome is not None
        assert (outcome.cast, outcome.tally["keep"]) == (1, 1)


def test_whoever_votes_from_now_on_for_a_library_that_answered_is_told_so_and_can_change_it(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "els.peeters@aartselaar.example")
    client.post(link, data={"choice": "keep"})
    deliver()
    stand(office, cooperative.contacts["an"].id, cooperative.libraries["Aartselaar"].id, {None: VOTES})
    (mail,) = deliver()
    assert (mail.to, mail.template) == ("an.wouters@mol.example", "ballot-by-colleague")
    assert client.post(mail.link, data={"choice": "move"}).status_code == 303


def test_the_same_again_changes_nothing_and_an_old_version_is_refused(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    an, mol = cooperative.contacts["an"].id, cooperative.libraries["Mol"].id
    stand(office, an, mol, {None: VOTES}, version=1)
    before = everything(office.db)
    stand(office, an, mol, {None: VOTES}, version=1)
    with pytest.raises(ChangedMeanwhile):
        stand(office, an, mol, {}, version=1)
    assert everything(office.db) == before


def test_nobody_new_stands_for_what_ended_who_left_stands_for_nobody_and_strange_ids_are_named(
    office: Parts, cooperative: Cooperative
) -> None:
    an, mol = cooperative.contacts["an"].id, cooperative.libraries["Mol"].id
    with pytest.raises(UnknownSubject):
        stand(office, an, 999_999, {None: VOTES})
    with office.db.transaction() as (session, _):
        session.get_one(Organisation, mol).ended_on = date(2026, 11, 1)
    with pytest.raises(representations.OrganisationEnded):
        stand(office, an, mol, {None: VOTES})
    stand(office, an, mol, {})  # but one can stop
    with office.db.transaction() as (session, now):
        contacts.leave(session, now, office.basis, an)
    with pytest.raises(representations.ContactLeft):
        stand(office, an, cooperative.libraries["Lier"].id, {None: VOTES})


def test_who_stands_for_two_is_asked_twice_and_ending_one_leaves_the_other(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient
) -> None:
    links = {mail.subject.partition(":")[0]: mail.link for mail in deliver() if mail.to == "lies.claes@duffel.example"}
    assert sorted(links) == ["Bibliotheek Duffel", "Bibliotheek Lier"]
    stand(office, cooperative.contacts["lies"].id, cooperative.libraries["Lier"].id, {})
    assert {name: client.get(link).status_code for name, link in links.items()} == {
        "Bibliotheek Duffel": 200, "Bibliotheek Lier": 410,
    }  # fmt: skip


def test_after_a_merger_the_vote_of_the_part_that_is_gone_stays_with_whoever_had_it(
    office: Parts, cooperative: Cooperative, poll: Poll, deliver: Deliver, client: FlaskClient, clock: FrozenClock
) -> None:
    link = next(mail.link for mail in deliver() if mail.to == "bibliotheek@boom.example")
    boom, lier = cooperative.libraries["Boom"].id, cooperative.libraries["Lier"].id
    with office.db.transaction() as (session, now):
        merged = session.get_one(Organisation, boom)
        merged.ended_on, merged.merged_into_id = now().date(), lier
        session.execute(
            sa.update(Representation).where(Representation.organisation_id == boom).values(organisation_id=lier)
        )
    clock.advance(minutes=1)
    stand(office, cooperative.contacts["boom"].id, cooperative.libraries["Duffel"].id, {None: READS})  # any change
    assert client.get(link).status_code == 200
    named = {"name": "Piet Nieuw", "email": "piet@lier.example", "role": "replaces"}
    assert client.post(f"{link}/person", data=named).status_code == 200
    (asked,) = [mail for mail in deliver() if mail.template == "contact-details-invitation"]
    details = {"answer": "accept", "name": "Piet Nieuw", "language": "nl", "telephone": ""}
    assert client.post(asked.link, data=details).status_code == 303
    units = sorted(mail.subject.partition(":")[0] for mail in deliver() if mail.to == "piet@lier.example")
    assert units == ["Bibliotheek Boom", "Bibliotheek Lier"]
    assert client.get(link).status_code == 410
