"""The demonstration's seats: every group composed as the page on the governance model describes it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import date

from sqlalchemy.orm import Session

from coopmail.charter import Charter, GroupEntry, in_force
from coopmail.cli.demonstration_field import BRUSSELS_PROVINCE, DIRECTOR_OF_BOTH, Field
from coopmail.cli.demonstration_people import People
from coopmail.domain.contacts import Contact
from coopmail.domain.groups import Group, Seat, SeatOrigin, SeatRole
from coopmail.domain.organisations import Organisation

FIRST_TERM = 2025
BOARD, FINANCE_COMMITTEE, EXPERTS, STAKEHOLDERS, ASSEMBLY = 9, 3, 7, 5, 30
# The page on the governance model gives these two more seats than the others: here 12 with a vote instead of 11.
LARGER_GROUPS = ("basisinfrastructuur", "digitale-collecties")
TOPICS = ("lokaal erfgoed", "promotie", "scholen", "toegankelijkheid", "statistieken", "prijs en contract",
          "vrijwilligers", "gebruikersonderzoek", "auteursrecht", "opleiding")  # fmt: skip
BOARD_TOPICS = ("voorzitter", "penningmeester", "financiën", "overheidsopdrachten", "personeel", "subsidies",
                "lokaal cultuurbeleid", "juridische zaken", "cultuur- en gemeenschapscentra")  # fmt: skip


def seat(
    session: Session,
    rng: random.Random,
    field: Field,
    people: People,
    groups: dict[str, Group],
    charter: Charter,
    today: date,
) -> None:
    """Fill every group of the charter; at most one seat an organisation a group."""
    hall = Hall(rng, field, people, groups, charter, today)
    # The order matters: committee, working groups and assembly have people of the groups before them.
    steps: dict[str, Callable[[Hall, GroupEntry], None]] = {
        "board": _board,
        "finance_committee": _finance_committee,
        "management": _management,
        "steering_group": _steering_group,
        "working_group": _working_group,
        "stakeholder_group": _stakeholder_group,
        "general_assembly": _general_assembly,
    }
    for kind, fill in steps.items():
        for entry in charter.groups:
            if entry.kind == kind:
                fill(hall, entry)
    session.add_all(row for rows in hall.seats.values() for row in rows)
    session.flush()


class Hall:
    """The seats given so far, by group, and what giving them goes by."""

    def __init__(
        self,
        rng: random.Random,
        field: Field,
        people: People,
        groups: dict[str, Group],
        charter: Charter,
        today: date,
    ) -> None:
        self.rng, self.field, self.people, self.groups = rng, field, people, groups
        self.charter, self.today = charter, today
        self.rules = in_force(charter.seat_rules, today)
        self.seats: dict[str, list[Seat]] = {slug: [] for slug in groups}
        self.seated: set[int] = set()
        self.steering: set[int] = set()

    def give(
        self,
        entry: GroupEntry,
        contact: Contact,
        organisation: Organisation | None,
        subjects: str,
        *,
        role: SeatRole = SeatRole.MEMBER,
        vote: bool | None = None,
        origin: SeatOrigin = SeatOrigin.COMPOSITION,
    ) -> None:
        """One seat, for the group's running term; whether it has a vote follows from its role, unless told."""
        first, last = term(self.charter, entry, self.today)
        self.seated.add(contact.id)
        self.seats[entry.slug].append(
            Seat(
                group_id=self.groups[entry.slug].id,
                contact_id=contact.id,
                organisation_id=organisation.id if organisation is not None else None,
                role=role,
                has_vote=vote if vote is not None else role.value not in self.rules.roles_without_vote,
                subjects=subjects,
                origin=origin,
                starts_on=first,
                ends_on=last,
            )
        )

    def by_office(self, entry: GroupEntry, contact: Contact, role: SeatRole, subjects: str) -> None:
        """A seat without a vote for one of the staff."""
        self.give(entry, contact, None, subjects, role=role, vote=False, origin=SeatOrigin.OFFICE)

    def person_of(self, organisation: Organisation) -> Contact:
        """Somebody of an organisation, rather one who sits nowhere yet."""
        persons = self.people.persons(organisation)
        return next((person for person in persons if person.id not in self.seated), persons[0])

    def free(self, organisations: Iterable[Organisation]) -> list[Organisation]:
        """The organisations of which somebody sits nowhere yet. Who directs two libraries is asked for the first."""
        return [
            organisation
            for organisation in organisations
            if organisation.name != DIRECTOR_OF_BOTH[1]
            and any(person.id not in self.seated for person in self.people.persons(organisation))
        ]

    def takers(self, group: str | None) -> list[Organisation]:
        """The libraries that take a service steered by a group; all of them where nobody does."""
        slugs = [service.slug for service in self.charter.services if service.steering_group == group]
        taking = {organisation.id for slug in slugs for organisation in self.field.takers[slug]}
        return [library for library in self.field.libraries if library.id in taking] or self.field.libraries

    def of_parent(self, entry: GroupEntry) -> list[Seat]:
        """The seats with a vote in the group that this one belongs to."""
        return [row for row in self.seats.get(entry.parent or "", []) if row.has_vote]


def term(charter: Charter, entry: GroupEntry, today: date) -> tuple[date, date | None]:
    """The term that runs today, counted from 2025-01-01 in steps of the charter; without end where it is silent."""
    years = in_force(charter.terms, today).years.get(entry.kind)
    if years is None:
        return date(FIRST_TERM, 1, 1), None
    first = FIRST_TERM + (today.year - FIRST_TERM) // years * years
    return date(first, 1, 1), date(first + years - 1, 12, 31)


def _board(hall: Hall, entry: GroupEntry) -> None:
    """Its chair has a vote, unlike a steering group's."""
    libraries = hall.rng.sample(hall.free(hall.field.libraries), BOARD)
    for place, (library, topic) in enumerate(zip(libraries, BOARD_TOPICS, strict=True)):
        role = SeatRole.CHAIR if place == 0 else SeatRole.MEMBER
        hall.give(entry, hall.person_of(library), library, topic, role=role, vote=True)


def _finance_committee(hall: Hall, entry: GroupEntry) -> None:
    """Three of the board, its chair not among them: committee and chair confirm beside each other."""
    _seats_again(hall, entry, hall.of_parent(entry)[1 : 1 + FINANCE_COMMITTEE])


def _management(hall: Hall, entry: GroupEntry) -> None:
    office = hall.people.office
    by_office = SeatOrigin.OFFICE
    hall.give(entry, office.director, None, "algemene leiding", role=SeatRole.CHAIR, vote=True, origin=by_office)
    hall.give(entry, office.business_director, None, "zakelijke leiding", vote=True, origin=by_office)


def _steering_group(hall: Hall, entry: GroupEntry) -> None:
    """Of each Flemish province a large and a small library, one of Brussels, a big city; each takes a service of it."""
    names = [service.name for service in hall.charter.services if service.steering_group == entry.slug]
    office = hall.people.office
    number = [group.slug for group in hall.charter.groups if group.kind == entry.kind].index(entry.slug)
    hall.by_office(entry, office.director, SeatRole.CHAIR, "voorzitterschap")
    hall.by_office(entry, office.team_coach, SeatRole.DEPUTY_CHAIR, "vervangt de voorzitter")
    hall.by_office(entry, office.product_managers[number], SeatRole.PRODUCT_MANAGER, ", ".join(names))
    libraries = _balanced(hall, entry, number)
    for place, library in enumerate(libraries):
        topic = "grootstedelijke context" if library.big_city else TOPICS[(place + number) % len(TOPICS)]
        hall.give(entry, hall.person_of(library), library, f"{names[place % len(names)]}, {topic}")


def _balanced(hall: Hall, entry: GroupEntry, number: int) -> list[Organisation]:
    """Libraries below the charter's limit sit in one steering group only; larger ones may sit in several."""
    takers = hall.takers(entry.slug)
    big_cities = [library for library in takers if library.big_city and library.province != BRUSSELS_PROVINCE]
    chosen = [big_cities[number % len(big_cities)]]
    open_to = [library for library in takers if library.id not in hall.steering and not library.big_city]
    candidates = hall.free(open_to)
    for province in sorted({library.province for library in candidates}):
        here = sorted((one for one in candidates if one.province == province), key=lambda one: -one.population)
        third = max(1, len(here) // 3)
        ends = [here] if province == BRUSSELS_PROVINCE or len(here) == 1 else [here[:third], here[-third:]]
        chosen += [hall.rng.choice(end) for end in ends]
    if entry.slug not in LARGER_GROUPS:
        chosen.pop()  # a small one
    limit = hall.rules.several_groups_above_population
    hall.steering |= {library.id for library in chosen if library.population <= limit}
    return chosen


def _working_group(hall: Hall, entry: GroupEntry) -> None:
    """Experts, of whom two sit in the steering group that it prepares for."""
    _seats_again(hall, entry, hall.rng.sample(hall.of_parent(entry), 2))
    _newcomers(hall, entry, hall.takers(entry.parent), EXPERTS, SeatRole.EXPERT)


def _stakeholder_group(hall: Hall, entry: GroupEntry) -> None:
    for centre in hall.field.culture_centres:
        hall.give(entry, hall.person_of(centre), centre, "ticketing")
    _newcomers(hall, entry, hall.field.libraries, len(hall.field.culture_centres) + STAKEHOLDERS, SeatRole.MEMBER)
    hall.by_office(entry, hall.people.office.community_manager, SeatRole.OBSERVER, "verslag")


def _general_assembly(hall: Hall, entry: GroupEntry) -> None:
    """The board, and others of the field."""
    for group in hall.charter.groups:
        if group.kind == "board":
            _seats_again(hall, entry, hall.seats[group.slug])
    _newcomers(hall, entry, hall.field.libraries, ASSEMBLY, SeatRole.MEMBER)


def _seats_again(hall: Hall, entry: GroupEntry, rows: Sequence[Seat]) -> None:
    """Seats for people who sit in another group already, as members with a vote."""
    contacts = {contact.id: contact for contacts in hall.people.team.values() for contact in contacts}
    libraries = {library.id: library for library in hall.field.libraries}
    for row in rows:
        organisation = libraries.get(row.organisation_id) if row.organisation_id is not None else None
        hall.give(entry, contacts[row.contact_id], organisation, row.subjects)


def _newcomers(hall: Hall, entry: GroupEntry, libraries: Iterable[Organisation], size: int, role: SeatRole) -> None:
    """Fill a group up to its size with people who sit nowhere yet, of organisations that have no seat in it."""
    present = {row.organisation_id for row in hall.seats[entry.slug]}
    candidates = [library for library in hall.free(libraries) if library.id not in present]
    missing = size - len(hall.seats[entry.slug])
    for place, library in enumerate(hall.rng.sample(candidates, missing)):
        hall.give(entry, hall.person_of(library), library, TOPICS[place % len(TOPICS)], role=role)
