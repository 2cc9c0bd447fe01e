"""The demonstration cooperative: its size, its oddities, and that the same seed gives the same rows."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.charter import load as load_charter
from coopmail.cli.demonstration import load
from coopmail.cli.poll_file import build_poll, read_poll_file
from coopmail.config import ROOT
from coopmail.db import Database
from coopmail.domain import audit, links, outbox, polls
from coopmail.domain.audience_question import EVERYBODY, parse
from coopmail.domain.base import Base, InstallationMark
from coopmail.domain.contacts import Contact, Mode, Representation, valid_address
from coopmail.domain.groups import Group, GroupKind, Seat, SeatRole, sitting_on
from coopmail.domain.organisations import Organisation, OrganisationKind
from coopmail.domain.services import Service, Subscription, running_on
from coopmail.errors import ActionRefused
from coopmail.queries import audiences

DATA = ROOT / "coopmail" / "data"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TODAY = date(2026, 11, 23)
CHARTER = load_charter(DATA / "charter.toml")
SUBJECTS = (audit, links, outbox, polls)  # imported so that their tables are there


def filled(folder: Path, seed: int = 1) -> Database:
    database = Database(f"sqlite:///{folder}/d{seed}.sqlite")
    Base.metadata.create_all(database.engine)
    with database.transaction() as (session, _):
        load(session, NOW, CHARTER, seed)
    return database


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = filled(tmp_path_factory.mktemp("demonstration"))
    yield database
    database.close()


@pytest.fixture
def session(demonstration: Database) -> Iterator[Session]:
    with demonstration.reading() as (session, _):
        yield session


def municipalities() -> list[dict[str, str]]:
    with (DATA / "municipalities.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def libraries(session: Session) -> list[Organisation]:
    return list(session.scalars(sa.select(Organisation).where(Organisation.kind == OrganisationKind.LIBRARY)))


def members(session: Session, service: str | None = None) -> list[Organisation]:
    """Whoever has a running subscription: to a service, or to any."""
    taking = sa.select(Subscription.organisation_id).join(Service).where(running_on(TODAY))
    if service is not None:
        taking = taking.where(Service.slug == service)
    return list(session.scalars(sa.select(Organisation).where(Organisation.id.in_(taking))))


def voters(session: Session) -> set[tuple[int, int]]:
    """Pairs of organisation and service for which somebody votes: a row for the service overrules the general one."""
    rows = session.scalars(sa.select(Representation).where(Representation.ended_at.is_(None))).all()
    special = {(row.contact_id, row.organisation_id, row.service_id): row.mode for row in rows}
    found = set()
    for service in session.scalars(sa.select(Service.id)):
        for row in rows:
            mode = special.get((row.contact_id, row.organisation_id, service), row.mode)
            if mode is Mode.VOTES and row.service_id in (None, service):
                found.add((row.organisation_id, service))
    return found


def seats(session: Session, slug: str) -> list[Seat]:
    query = sa.select(Seat).join(Group, Group.id == Seat.group_id).where(Group.slug == slug, sitting_on(TODAY))
    return list(session.scalars(query))


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.reading() as (session, _):
        return {
            table.name: [tuple(row) for row in session.execute(sa.select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def test_it_has_303_libraries_and_all_are_members(session: Session) -> None:
    assert len(libraries(session)) == 303
    assert {member.id for member in members(session)} == {library.id for library in libraries(session)}


def test_two_culture_centres_take_nothing_and_have_a_contact_each(session: Session) -> None:
    centres = session.scalars(sa.select(Organisation).where(Organisation.kind == OrganisationKind.CULTURE_CENTRE)).all()
    ids = [centre.id for centre in centres]
    assert len(ids) == 2
    assert session.scalars(sa.select(Subscription).where(Subscription.organisation_id.in_(ids))).all() == []
    contacts = session.scalars(sa.select(Representation.organisation_id).where(Representation.organisation_id.in_(ids)))
    assert sorted(contacts) == ids


def test_provinces_and_population_are_those_of_the_municipalities(session: Session) -> None:
    expected: Counter[str] = Counter()
    for row in municipalities():
        expected[row["province"]] += int(row["population_2020"])
    found: Counter[str] = Counter()
    for library in libraries(session):
        found[library.province] += library.population
    assert found == expected


def test_three_municipalities_share_a_library_and_one_city_has_two(session: Session) -> None:
    population = {row["municipality"]: int(row["population_2020"]) for row in municipalities()}
    found = {library.name: library.population for library in libraries(session)}
    shared = sum(population[name] for name in ("Hemiksem", "Schelle", "Niel"))
    assert found["Bibliotheek Hemiksem-Schelle-Niel"] == shared
    assert not {"Bibliotheek Hemiksem", "Bibliotheek Schelle", "Bibliotheek Niel"} & set(found)
    assert found["Bibliotheek Leuven"] + found["Bibliotheek Leuven Kessel-Lo"] == population["Leuven"]


def test_brussels_has_19_libraries_and_marks_are_plausible(session: Session) -> None:
    found = libraries(session)
    assert sum(library.province == "Brussel" for library in found) == 19
    assert {library.municipality for library in found if library.big_city} == {"Antwerpen", "Gent", "Brussel"}
    assert all(library.population > 35_000 for library in found if library.regional)
    assert any(library.regional for library in found)


def test_addresses_are_unique_valid_and_reach_nobody(session: Session) -> None:
    contacts = session.scalars(sa.select(Contact)).all()
    assert 570 <= len(contacts) <= 640
    assert all(contact.email.endswith(".example") and contact.email.isascii() for contact in contacts)
    assert all(valid_address(contact.email) == contact.email == contact.email_key for contact in contacts)
    assert len({contact.email_key for contact in contacts}) == len(contacts)
    assert all(contact.confirmed_at == NOW and contact.telephone for contact in contacts)
    assert 0.01 < sum(contact.language == "en" for contact in contacts) / len(contacts) < 0.06


def test_some_libraries_have_a_functional_mailbox_and_some_nothing_else(session: Session) -> None:
    query = sa.select(Representation.organisation_id, Contact).join(Contact, Contact.id == Representation.contact_id)
    kinds: dict[int, set[bool]] = {}
    for organisation, contact in session.execute(query):
        kinds.setdefault(organisation, set()).add(contact.functional)
    assert sum(True in found for found in kinds.values()) == 45
    assert any(found == {True} for found in kinds.values())
    assert {len(found) for found in kinds.values()} == {1, 2}


def test_libraries_have_one_to_three_contacts_and_mostly_two(session: Session) -> None:
    pairs = session.execute(sa.select(Representation.organisation_id, Representation.contact_id).distinct())
    of = Counter(organisation for organisation, _ in pairs)
    sizes = Counter(of[library.id] for library in libraries(session))
    assert set(sizes) == {1, 2, 3}
    assert sizes.most_common(1)[0][0] == 2


def test_one_director_votes_for_two_libraries(session: Session) -> None:
    pairs = session.execute(sa.select(Representation.contact_id, Representation.organisation_id).distinct()).all()
    several = [contact for contact, times in Counter(contact for contact, _ in pairs).items() if times > 1]
    assert len(several) == 1
    general = sa.select(Representation.mode).where(
        Representation.contact_id == several[0], Representation.service_id.is_(None)
    )
    assert session.scalars(general).all() == [Mode.VOTES, Mode.VOTES]
    mine = {organisation for contact, organisation in pairs if contact == several[0]}
    assert mine <= {member.id for member in members(session, "krantenarchief")}


def test_every_member_has_a_voter_for_each_service_save_one(session: Session) -> None:
    running = session.execute(sa.select(Subscription.organisation_id, Subscription.service_id).where(running_on(TODAY)))
    without = {(row.organisation_id, row.service_id) for row in running} - voters(session)
    assert len(without) == 1
    service = session.get_one(Service, without.pop()[1])
    assert service.slug == "krantenarchief"


def test_every_member_has_somebody_who_votes_in_general(session: Session) -> None:
    voting = sa.select(Representation.organisation_id).where(
        Representation.service_id.is_(None), Representation.mode == Mode.VOTES
    )
    assert {member.id for member in members(session)} <= set(session.scalars(voting))


def test_contacts_vote_for_some_services_and_only_read_others(session: Session) -> None:
    general = {
        (row.contact_id, row.organisation_id): row.mode
        for row in session.scalars(sa.select(Representation).where(Representation.service_id.is_(None)))
    }
    special = session.scalars(sa.select(Representation).where(Representation.service_id.is_not(None))).all()
    pairs = Counter((general[row.contact_id, row.organisation_id], row.mode) for row in special)
    assert set(pairs) == {(Mode.VOTES, Mode.READS), (Mode.READS, Mode.VOTES)}


def test_services_are_taken_by_different_numbers(session: Session) -> None:
    taking = {service.slug: len(members(session, service.slug)) for service in session.scalars(sa.select(Service))}
    assert min(taking[slug] for slug in ("open-vlacc", "bibliotheekwebsites", "bibliotheeksysteem")) >= 290
    assert (taking["krantenarchief"], taking["fundels"], taking["voor-de-show"]) == (180, 210, 0)
    assert max(taking[slug] for slug in ("arcadegames", "bibster", "bieblo", "mijn-leestipper")) < 180


def test_one_subscription_ends_soon_one_starts_soon_and_some_have_ended(session: Session) -> None:
    subscriptions = session.scalars(sa.select(Subscription)).all()
    ends = [row.ends_on for row in subscriptions if row.ends_on is not None]
    assert [end for end in ends if end >= TODAY] == [date(2026, 12, 31)]
    assert len([end for end in ends if end < TODAY]) > 3
    assert [row.starts_on for row in subscriptions if row.starts_on > TODAY] == [date(2026, 12, 1)]


def test_contracts_have_a_reference_and_a_price_that_grows_with_the_population(session: Session) -> None:
    subscriptions = session.scalars(sa.select(Subscription)).all()
    assert len({row.contract_reference for row in subscriptions}) == len(subscriptions)
    assert all(row.contract_reference.startswith(f"CC-{row.starts_on.year}-") for row in subscriptions)
    prices = session.execute(
        sa.select(Subscription.service_id, Subscription.price_cents)
        .join(Organisation, Organisation.id == Subscription.organisation_id)
        .order_by(Subscription.service_id, Organisation.population)
    ).all()
    assert [tuple(row) for row in prices] == sorted(tuple(row) for row in prices)


def test_groups_and_services_are_those_of_the_charter(session: Session) -> None:
    groups = {group.id: group for group in session.scalars(sa.select(Group))}
    found = {g.slug: (g.kind.value, groups[g.parent_id].slug if g.parent_id else None) for g in groups.values()}
    assert found == {entry.slug: (entry.kind, entry.parent) for entry in CHARTER.groups}
    services = session.scalars(sa.select(Service)).all()
    steered = {s.slug: groups[s.steering_group_id].slug if s.steering_group_id else None for s in services}
    assert steered == {entry.slug: entry.steering_group for entry in CHARTER.services}


def test_every_group_has_its_seats(session: Session) -> None:
    sizes = {entry.slug: len(seats(session, entry.slug)) for entry in CHARTER.groups}
    votes = {entry.slug: sum(seat.has_vote for seat in seats(session, entry.slug)) for entry in CHARTER.groups}
    assert sizes == {
        "raad-van-bestuur": 9, "algemene-vergadering": 30, "financieel-comite": 3, "directie": 2,
        "basisinfrastructuur": 15, "digitale-collecties": 15, "beleven": 14, "inspireren": 14,
        "werkgroep-open-vlacc": 7, "werkgroep-bibliotheekwebsites": 7, "werkgroep-bibliotheeksysteem": 7,
        "stakeholders-voor-de-show": 8,
    }  # fmt: skip
    assert [votes[slug] for slug in ("basisinfrastructuur", "digitale-collecties", "beleven", "inspireren")] == [
        12, 12, 11, 11,
    ]  # fmt: skip
    assert votes["raad-van-bestuur"] == 9


def test_a_group_has_one_seat_an_organisation_at_most(session: Session) -> None:
    for entry in CHARTER.groups:
        organisations = [seat.organisation_id for seat in seats(session, entry.slug) if seat.organisation_id]
        assert len(set(organisations)) == len(organisations), entry.slug


def test_steering_groups_mix_provinces_and_sizes(session: Session) -> None:
    steering = [entry.slug for entry in CHARTER.groups if entry.kind == "steering_group"]
    everywhere: Counter[int] = Counter()
    for slug in steering:
        chosen = [
            session.get_one(Organisation, seat.organisation_id) for seat in seats(session, slug) if seat.organisation_id
        ]
        everywhere.update(library.id for library in chosen if library.population <= 100_000)
        assert {library.province for library in chosen} == {row["province"] for row in municipalities()}
        assert any(library.big_city for library in chosen)
        assert min(library.population for library in chosen) < 15_000
    assert max(everywhere.values()) == 1


def test_steering_seats_have_a_term_subjects_and_offices_without_a_vote(session: Session) -> None:
    found = seats(session, "digitale-collecties")
    assert {(seat.starts_on, seat.ends_on) for seat in found} == {(date(2025, 1, 1), date(2026, 12, 31))}
    assert all(seat.subjects for seat in found)
    assert all(seat.has_vote == (seat.role is SeatRole.MEMBER) for seat in found)
    offices = [seat for seat in found if seat.role is not SeatRole.MEMBER]
    assert sorted(seat.role for seat in offices) == ["chair", "deputy_chair", "product_manager"]
    assert all(seat.contact.email.endswith("@cultuurconnect.example") for seat in offices)


def test_seats_are_held_by_persons_who_stand_for_the_organisation(session: Session) -> None:
    rows = session.execute(sa.select(Representation.contact_id, Representation.organisation_id))
    pairs = {(contact, organisation) for contact, organisation in rows}
    for seat in session.scalars(sa.select(Seat)):
        assert not seat.contact.functional
        assert seat.organisation_id is None or (seat.contact_id, seat.organisation_id) in pairs


def test_the_finance_committee_is_of_the_board_and_some_sit_in_two_groups(session: Session) -> None:
    board = {seat.contact_id: seat.role for seat in seats(session, "raad-van-bestuur")}
    committee = [seat.contact_id for seat in seats(session, "financieel-comite")]
    assert all(board[contact] is SeatRole.MEMBER for contact in committee)
    working = {seat.contact_id for seat in seats(session, "werkgroep-open-vlacc")}
    assert len(working & {seat.contact_id for seat in seats(session, "basisinfrastructuur")}) == 2
    assert session.scalars(sa.select(Group).where(Group.kind == GroupKind.MANAGEMENT)).one().slug == "directie"


def test_the_community_manager_is_the_charters(session: Session) -> None:
    named = CHARTER.cooperative.community_manager
    found = session.scalars(sa.select(Contact).where(Contact.email == named.email)).one()
    assert (found.name, found.telephone) == (named.name, named.telephone)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(demonstration: Database, tmp_path: Path) -> None:
    again, other = filled(tmp_path, 1), filled(tmp_path, 2)
    try:
        assert rows(again) == rows(demonstration)
        assert rows(other)["contacts"] != rows(demonstration)["contacts"]
        with other.reading() as (session, _):
            assert session.get_one(InstallationMark, "demonstration").value == "2"
    finally:
        again.close()
        other.close()


def test_a_database_that_holds_rows_is_refused(demonstration: Database) -> None:
    with pytest.raises(ActionRefused, match="empty database"), demonstration.transaction() as (session, _):
        load(session, NOW, CHARTER, 3)


@pytest.mark.parametrize("name", ["krantenarchief", "steering-group"])
def test_the_polls_of_the_demonstration_can_be_read_and_are_in_both_languages(session: Session, name: str) -> None:
    entry = read_poll_file(DATA / "polls" / f"{name}.toml")
    poll = build_poll(session, entry, DATA / "polls", CHARTER.polls_on(TODAY))
    assert all((poll.title_en, poll.summary_en, poll.more_en, poll.next_step_en))
    assert all(option.label_en and option.description_en for option in poll.options)
    assert len(poll.abstain_keys) == 1
    session.expunge_all()


def test_twelve_persons_of_no_organisation_belong_to_the_wider_field(session: Session) -> None:
    found = session.scalars(sa.select(Contact).where(Contact.email.endswith("@uithetveld.example"))).all()
    alone = set(session.scalars(sa.select(Contact.id).where(audiences.persons(EVERYBODY, TODAY))))
    assert len(found) == 12
    assert {person.id for person in found} <= alone


def test_three_audiences_are_saved_and_each_holds_somebody(session: Session) -> None:
    saved = audiences.in_use(session)
    assert [audience.name for audience in saved] == [
        "Grote en regionale bibliotheken", "Krantenarchief in Limburg", "Wie nog geen coöperant is",
    ]  # fmt: skip
    for audience in saved:
        question = parse(audience.question)
        assert audiences.unknown(session, question) == []
        reach = audiences.reach(session, question, TODAY)
        assert reach.organisations > 1
        assert reach.voters > 1
