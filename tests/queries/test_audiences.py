"""Who is in an audience: the database's answer against one by hand, and in members' words."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from sqlalchemy.orm import Session

from coopmail.domain.audience_question import EVERYBODY, About, Condition, Question
from coopmail.domain.contacts import Contact, Representation
from coopmail.domain.groups import Seat
from coopmail.domain.organisations import Organisation
from coopmail.errors import UnknownSubject
from coopmail.parts import Parts
from coopmail.queries import audiences
from tests.builders import Cooperative, build_audience, build_field
from tests.queries import small_field
from tests.queries.small_field import FIELDS, QUESTIONS, TODAY, Field


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FIELDS, QUESTIONS)
def test_the_database_answers_as_one_would_by_hand(office: Parts, found: Field, question: Question) -> None:
    with Session(office.db.engine) as session:
        small_field.write(session, found)
        inside = set(session.scalars(sa.select(Organisation.id).where(audiences.organisations(question, TODAY))))
        alone = set(session.scalars(sa.select(Contact.id).where(audiences.persons(question, TODAY))))
        reached = {row.contact_id: bool(row.votes) for row in session.execute(audiences.contacts(question, TODAY))}
        reach = audiences.reach(session, question, TODAY)
        session.rollback()
    by_hand = small_field.organisations(found, question)
    members = [place for place in by_hand if found.libraries[place].takes()]
    contacts = small_field.reached(found, question)
    assert inside == {found.ids[place] for place in by_hand}
    assert alone == {found.contact_ids[place] for place in small_field.persons(found, question)}
    assert reached == {found.contact_ids[place]: says for place, says in contacts.items()}
    assert reach == audiences.Reach(len(members), len(by_hand) - len(members), len(alone), sum(contacts.values()),
                                    len(contacts) - sum(contacts.values()))  # fmt: skip


def names(session: Session, question: Question) -> tuple[list[str], list[str], dict[str, str]]:
    """Organisations, persons, and contacts with what they do, all by name."""
    inside = sa.select(Organisation.name).where(audiences.organisations(question, TODAY)).order_by(Organisation.name)
    alone = sa.select(Contact.name).where(audiences.persons(question, TODAY)).order_by(Contact.name)
    reached = audiences.contacts(question, TODAY).subquery()
    contacts = sa.select(Contact.name, reached.c.votes).join(reached, reached.c.contact_id == Contact.id)
    modes = {name: "votes" if votes else "reads" for name, votes in session.execute(contacts)}
    return list(session.scalars(inside)), list(session.scalars(alone)), modes


def test_the_whole_field_is_every_organisation_and_every_person_of_none(
    office: Parts, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, now):
        build_field(session, cooperative, now())
        inside, alone, contacts = names(session, EVERYBODY)
    assert inside == [f"Bibliotheek {name}" for name in ("Aartselaar", "Boom", "Duffel", "Lier", "Mol", "Zoersel")] + [
        "Cultuurcentrum Turnhout"
    ]
    assert alone == ["Mia Jacobs", "Nele Jans", "Omar Aziz"]
    assert contacts == {
        "Els Peeters": "votes", "Jan Maes": "votes", "Bibliotheek Boom": "votes", "Lies Claes": "votes",
        "An Wouters": "reads", "Tom Baert": "votes", "Rik Smet": "votes", "Mia Jacobs": "votes",
        "Nele Jans": "votes", "Omar Aziz": "votes",
    }  # fmt: skip


def test_members_of_a_service_of_a_size_or_whoever_is_no_member(office: Parts, cooperative: Cooperative) -> None:
    question = Question((
        (Condition(About.SERVICE, "krantenarchief"), Condition(About.SIZE, "15000-36000")),
        (Condition(About.TYPE, "culture_centre"), Condition(About.MEMBER, negated=True)),
    ))  # fmt: skip
    with office.db.transaction() as (session, now):
        build_field(session, cooperative, now())
        found = names(session, question)
    assert found == (
        ["Bibliotheek Boom", "Bibliotheek Duffel", "Bibliotheek Lier", "Cultuurcentrum Turnhout"], [],
        {"Bibliotheek Boom": "votes", "Lies Claes": "votes", "Rik Smet": "votes"},
    )  # fmt: skip


def test_a_group_is_the_organisations_that_its_seats_are_of_and_reaches_whoever_sits_in_it(
    office: Parts, cooperative: Cooperative
) -> None:
    question = Question(((Condition(About.GROUP, "digitale-collecties"),),))
    with office.db.transaction() as (session, _now):
        of_lier = sa.update(Seat).where(Seat.contact_id == cooperative.contacts["lies"].id)
        session.execute(of_lier.values(organisation_id=cooperative.libraries["Lier"].id))
        found = names(session, question)
    assert found == (
        ["Bibliotheek Lier"], ["Mia Jacobs"],
        {"Els Peeters": "votes", "Lies Claes": "votes", "Mia Jacobs": "votes", "Tom Baert": "votes"},
    )  # fmt: skip


def test_an_organisation_that_ended_is_in_no_audience_from_that_day_on(office: Parts, cooperative: Cooperative) -> None:
    with office.db.transaction() as (session, _now):
        for name, day in (("Mol", TODAY), ("Lier", date(2026, 11, 17))):
            session.get_one(Organisation, cooperative.libraries[name].id).ended_on = day
        session.flush()
        inside, _, contacts = names(session, EVERYBODY)
    assert "Bibliotheek Mol" not in inside
    assert "Bibliotheek Lier" in inside
    assert "An Wouters" not in contacts


def test_whoever_stops_standing_for_an_organisation_belongs_to_the_field_for_himself(
    office: Parts, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, now):
        session.execute(sa.update(Representation).where(
            Representation.contact_id == cooperative.contacts["an"].id).values(ended_at=now()))  # fmt: skip
        assert names(session, EVERYBODY)[1] == ["An Wouters", "Mia Jacobs"]


def test_slugs_that_name_nothing_are_found(office: Parts, cooperative: Cooperative) -> None:
    question = Question((
        (Condition(About.SERVICE, "krantenarchief"), Condition(About.SERVICE, "weg")),
        (Condition(About.MARK, "pilot:ook-weg"), Condition(About.GROUP, "digitale-collecties")),
        (Condition(About.GROUP, "nergens"),),
    ))  # fmt: skip
    with office.db.reading() as (session, _now):
        assert audiences.unknown(session, question) == ["ook-weg", "weg", "nergens"]


def test_an_audience_that_is_not_there_is_named(office: Parts, cooperative: Cooperative) -> None:
    with office.db.transaction() as (session, now):
        saved = build_audience(session, now(), "Iedereen", [[Condition(About.FIELD)]])
        assert audiences.get(session, saved.id) is saved
        with pytest.raises(UnknownSubject):
            audiences.get(session, saved.id + 1)
