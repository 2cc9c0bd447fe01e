"""The demonstration's people: invented names from common ones, addresses that no mail can reach (`.example`)."""

from __future__ import annotations

import csv
import random
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from coopmail.charter import Charter
from coopmail.cli.demonstration_field import DATA, DIRECTOR_OF_BOTH, Field
from coopmail.domain.contacts import Contact, Mode, Representation, address_key
from coopmail.domain.organisations import Organisation
from coopmail.domain.services import Service

MAILBOXES = 45
UNREACHED_SERVICE = "krantenarchief"
STAFF_DOMAIN = "cultuurconnect.example"
ENGLISH_SHARE = 0.03
AREA_CODES = {"Antwerpen": "03", "Brussel": "02", "Limburg": "011", "Oost-Vlaanderen": "09",
              "Vlaams-Brabant": "016", "West-Vlaanderen": "050"}  # fmt: skip

Team = dict[int, list[Contact]]
"""The contacts of each organisation, by its id: persons first, the first of them its director; then the mailbox."""


@dataclass(frozen=True)
class Office:
    """Cultuurconnect's own people, who stand for no organisation."""

    director: Contact
    business_director: Contact
    team_coach: Contact
    product_managers: list[Contact]
    community_manager: Contact


@dataclass(frozen=True)
class People:
    """Everybody: the staff, and the contacts of each organisation."""

    office: Office
    team: Team

    def persons(self, organisation: Organisation) -> list[Contact]:
        """An organisation's contacts that are one person each."""
        return [contact for contact in self.team[organisation.id] if not contact.functional]


class Inventor:
    """Invents contacts; no address twice."""

    def __init__(self, rng: random.Random, now: datetime) -> None:
        self.rng, self.now = rng, now
        self.taken: set[str] = set()
        with (DATA / "names_nl_be.csv").open(encoding="utf-8", newline="") as file:
            rows = [(row["kind"], row["name"]) for row in csv.DictReader(file)]
        self.last_names = [name for kind, name in rows if kind == "last_names"]
        # "El" stands among the first names and is a part of one.
        self.first_names = [name for kind, name in rows if kind != "last_names" and name != "El"]

    def person(self, domain: str, province: str) -> Contact:
        """Somebody with a name, a language and a telephone."""
        first, last = self.rng.choice(self.first_names), self.rng.choice(self.last_names)
        language = "en" if self.rng.random() < ENGLISH_SHARE else "nl"
        local = f"{slug(first)}.{slug(last).replace('-', '')}"
        return self._contact(f"{first} {last}", local, domain, self._telephone(province), language=language)

    def mailbox(self, organisation: Organisation) -> Contact:
        """A functional mailbox that several people read."""
        telephone = self._telephone(organisation.province)
        return self._contact(organisation.name, "bibliotheek", domain_of(organisation), telephone, functional=True)

    def community_manager(self, charter: Charter) -> Contact:
        """The one whom the charter names."""
        named = charter.cooperative.community_manager
        local, domain = named.email.rsplit("@", 1)
        return self._contact(named.name, local, domain, named.telephone)

    def _contact(
        self, name: str, local: str, domain: str, telephone: str, *, language: str = "nl", functional: bool = False
    ) -> Contact:
        email, again = f"{local}@{domain}", 1
        while address_key(email) in self.taken:
            again += 1
            email = f"{local}{again}@{domain}"
        self.taken.add(address_key(email))
        return Contact(name=name, email=email, email_key=address_key(email), language=language, telephone=telephone,
                       functional=functional, confirmed_at=self.now)  # fmt: skip

    def _telephone(self, province: str) -> str:
        """A number that rings nowhere: after the area code, none in Belgium begins with a zero."""
        area = AREA_CODES[province]
        return f"{area} {'0' * (5 - len(area))} {self.rng.randrange(100):02} {self.rng.randrange(100):02}"


def invite(session: Session, rng: random.Random, field: Field, charter: Charter, now: datetime) -> People:
    """Write the contacts of all organisations, the staff, and for whom each contact stands."""
    inventor = Inventor(rng, now)
    office = _office(inventor, charter)
    team = _team(inventor, rng, field)
    staff = [office.director, office.business_director, office.team_coach, *office.product_managers]
    session.add_all([*staff, office.community_manager])
    session.add_all(contact for contacts in team.values() for contact in contacts)
    session.flush()
    people = People(office, team)
    session.add_all(_representations(rng, field, people, now))
    session.flush()
    return people


def slug(text: str) -> str:
    """A text as a part of an address: ASCII, lower case, hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def domain_of(organisation: Organisation) -> str:
    """An organisation's invented domain: bibliotheek@aartselaar.example, an.peeters@cultuurcentrum-turnhout.example."""
    return f"{slug(organisation.name.removeprefix('Bibliotheek '))}.example"


def _office(inventor: Inventor, charter: Charter) -> Office:
    # First of all: nobody else may come to have the community manager's address.
    community_manager = inventor.community_manager(charter)
    steering_groups = sum(group.kind == "steering_group" for group in charter.groups)
    staff = [inventor.person(STAFF_DOMAIN, "Brussel") for _ in range(3 + steering_groups)]
    return Office(staff[0], staff[1], staff[2], staff[3:], community_manager)


def _team(inventor: Inventor, rng: random.Random, field: Field) -> Team:
    """Most libraries have two contacts, some one, some three; one director has two libraries."""
    both = [library for name in DIRECTOR_OF_BOTH for library in field.libraries if library.name == name]
    ordinary = [library for library in field.libraries if not library.big_city and library not in both]
    with_mailbox = {library.id for library in rng.sample(ordinary, MAILBOXES)}
    team: Team = {}
    for library in field.libraries:
        size = 3 if library.big_city else rng.choices((1, 2, 3), weights=(22, 58, 20))[0]
        # A mailbox counts among the contacts, so some libraries can only be reached through theirs.
        persons = size - (library.id in with_mailbox)
        team[library.id] = [inventor.person(domain_of(library), library.province) for _ in range(persons)]
        if library.id in with_mailbox:
            team[library.id].append(inventor.mailbox(library))
    for centre in field.culture_centres:
        team[centre.id] = [inventor.person(domain_of(centre), centre.province)]
    team[both[1].id][0] = team[both[0].id][0]
    return team


def _representations(rng: random.Random, field: Field, people: People, now: datetime) -> list[Representation]:
    unreached = _unreached_member(rng, field, people)
    rows = []
    for organisation in [*field.libraries, *field.culture_centres]:
        contacts = people.team[organisation.id]
        if organisation is unreached:
            standing = _nobody_votes(contacts, field.services[UNREACHED_SERVICE])
        else:
            standing = _standing(rng, contacts, field.taken_by(organisation))
        for contact, service, mode in standing:
            service_id = service.id if service is not None else None
            rows.append(
                Representation(contact_id=contact.id, organisation_id=organisation.id, service_id=service_id,
                               mode=mode, started_at=now)
            )  # fmt: skip
    return rows


Standing = list[tuple[Contact, Service | None, Mode]]


def _standing(rng: random.Random, contacts: list[Contact], taken: list[Service]) -> Standing:
    """The first contact votes; some others vote too, or for one service, sometimes in the first one's place."""
    first, *others = contacts
    standing: Standing = [(first, None, Mode.VOTES)]
    handed_over = False
    for other in others:
        chance = rng.random()
        if chance < 0.25:
            standing.append((other, None, Mode.VOTES))
            continue
        standing.append((other, None, Mode.READS))
        if chance < 0.45 and taken and not handed_over:
            service, handed_over = rng.choice(taken), True
            standing.append((other, service, Mode.VOTES))
            if chance < 0.35:
                standing.append((first, service, Mode.READS))
    return standing


def _unreached_member(rng: random.Random, field: Field, people: People) -> Organisation:
    """A member with two persons or more, of whom nobody will vote for the service."""
    names = DIRECTOR_OF_BOTH
    return rng.choice(
        [
            member
            for member in field.takers[UNREACHED_SERVICE]
            if len(people.persons(member)) > 1 and not member.big_city and member.name not in names
        ]
    )


def _nobody_votes(contacts: list[Contact], service: Service) -> Standing:
    """Everybody thought that a colleague did: staff must see whom a poll on this service does not reach."""
    first, *others = contacts
    return [(first, None, Mode.VOTES), (first, service, Mode.READS), *((other, None, Mode.READS) for other in others)]
