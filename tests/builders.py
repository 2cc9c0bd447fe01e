"""A fixed cast, small enough to count on one's fingers.

| organisation | who votes | Krantenarchief |
| --- | --- | --- |
| Bibliotheek Aartselaar | Els Peeters, Jan Maes | yes |
| Bibliotheek Boom | the mailbox bibliotheek@boom.example | yes |
| Bibliotheek Duffel | Lies Claes (also for Lier) | yes |
| Bibliotheek Lier | Lies Claes | yes |
| Bibliotheek Mol | nobody: An Wouters only reads | yes |
| Bibliotheek Zoersel | Tom Baert, who speaks English | no, Open Vlacc only |

The steering group: Mia Jacobs in the chair without a vote; Els Peeters, Lies Claes and Tom Baert vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from coopmail.actions.decisions import Document, Words, record_decision
from coopmail.actions.records import STAFF
from coopmail.clock import Clock
from coopmail.domain.audience_question import Condition, Question, to_json
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Mode, Representation, address_key
from coopmail.domain.counting import Majority, ShareOf, TieRule
from coopmail.domain.decisions import Decision
from coopmail.domain.groups import Group, GroupKind, Seat, SeatOrigin, SeatRole
from coopmail.domain.organisations import Organisation, OrganisationKind
from coopmail.domain.polls import Audience, CostSharing, Effect, Option, Poll, PollState, Visibility
from coopmail.domain.services import Service, Subscription
from coopmail.domain.staff import StaffMember, StaffRole

LIBRARIES = {"Aartselaar": 14_000, "Boom": 18_000, "Duffel": 17_000, "Lier": 36_000, "Mol": 37_000, "Zoersel": 22_000}
REPORT = Document("verslag.pdf", "application/pdf", b"%PDF-1.7")


@dataclass
class Cooperative:
    """The cast, by short names."""

    libraries: dict[str, Organisation] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    group: Group = field(default_factory=Group)


def build_cooperative(session: Session, now: datetime) -> Cooperative:
    """Write the cast."""
    cast = Cooperative()
    cast.group = Group(slug="digitale-collecties", name="Stuurgroep Digitale Collecties", kind=GroupKind.STEERING_GROUP)
    session.add(cast.group)
    session.flush()
    for slug, name, phrase_nl, phrase_en in (
        ("krantenarchief", "Krantenarchief", "het Krantenarchief", "the Krantenarchief"),
        ("open-vlacc", "Open Vlacc", "Open Vlacc", ""),
    ):
        cast.services[slug] = Service(
            slug=slug, name=name, phrase_nl=phrase_nl, phrase_en=phrase_en, steering_group_id=cast.group.id
        )
    for name, population in LIBRARIES.items():
        cast.libraries[name] = Organisation(
            name=f"Bibliotheek {name}", kind=OrganisationKind.LIBRARY, municipality=name, province="Antwerpen",
            population=population,
        )  # fmt: skip
    cast.contacts = {
        "els": build_contact("Els Peeters", "els.peeters@aartselaar.example", now),
        "jan": build_contact("Jan Maes", "jan.maes@aartselaar.example", now),
        "boom": build_contact("Bibliotheek Boom", "bibliotheek@boom.example", now, functional=True),
        "lies": build_contact("Lies Claes", "lies.claes@duffel.example", now),
        "an": build_contact("An Wouters", "an.wouters@mol.example", now),
        "tom": build_contact("Tom Baert", "tom.baert@zoersel.example", now, language="en"),
        "mia": build_contact("Mia Jacobs", "mia.jacobs@cultuurconnect.example", now),
    }
    session.add_all([*cast.services.values(), *cast.libraries.values(), *cast.contacts.values()])
    session.flush()
    for name, library in cast.libraries.items():
        for slug, service in cast.services.items():
            if slug == "open-vlacc" or name != "Zoersel":
                session.add(
                    Subscription(organisation_id=library.id, service_id=service.id, starts_on=date(2025, 1, 1),
                                 contract_reference="CC-1", price_cents=100_000)
                )  # fmt: skip
    for contact, where, mode in (
        ("els", "Aartselaar", Mode.VOTES), ("jan", "Aartselaar", Mode.VOTES), ("boom", "Boom", Mode.VOTES),
        ("lies", "Duffel", Mode.VOTES), ("lies", "Lier", Mode.VOTES), ("an", "Mol", Mode.READS),
        ("tom", "Zoersel", Mode.VOTES),
    ):  # fmt: skip
        session.add(
            Representation(contact_id=cast.contacts[contact].id, organisation_id=cast.libraries[where].id, mode=mode,
                           started_at=now)
        )  # fmt: skip
    for contact, role, has_vote in (
        ("mia", SeatRole.CHAIR, False), ("els", SeatRole.MEMBER, True), ("lies", SeatRole.MEMBER, True),
        ("tom", SeatRole.MEMBER, True),
    ):  # fmt: skip
        session.add(
            Seat(group_id=cast.group.id, contact_id=cast.contacts[contact].id, role=role, has_vote=has_vote,
                 origin=SeatOrigin.COMPOSITION, starts_on=date(2025, 1, 1))
        )  # fmt: skip
    session.flush()
    return cast


def build_contact(name: str, email: str, now: datetime, **more: Any) -> Contact:
    """A contact who has confirmed."""
    return Contact(name=name, email=email, email_key=address_key(email), confirmed_at=now, **more)


def build_options() -> list[Option]:
    """Two directions with their price, and the abstention."""
    return [
        Option(position=0, key="keep", label_nl="Bij de leverancier blijven", label_en="Stay with the supplier",
               status_quo=True, cost_cents=12_000_000, cost_yearly=True, cost_sharing=CostSharing.POPULATION),
        Option(position=1, key="move", label_nl="Naar een open platform", label_en="Move to an open platform",
               cost_cents=9_000_000, cost_sharing=CostSharing.EQUAL),
        Option(position=2, key="abstain", label_nl="Onthouding", label_en="Abstain", abstain=True),
    ]  # fmt: skip


def build_poll(session: Session, cast: Cooperative, *, closes_at: datetime, **changes: Any) -> Poll:
    """A draft of the Krantenarchief's members; `changes` replace columns."""
    values: dict[str, Any] = {
        "slug": "krantenarchief",
        "state": PollState.DRAFT,
        "title_nl": "Welke weg gaat het Krantenarchief op?",
        "title_en": "Which way for the Krantenarchief?",
        "summary_nl": "De leverancier verhoogt zijn prijs. Er is een alternatief.",
        "summary_en": "The supplier raises its price. There is an alternative.",
        "next_step_nl": "De stuurgroep voert de keuze uit.",
        "next_step_en": "The steering group carries out the choice.",
        "minutes": 2,
        "effect": Effect.BINDING,
        "visibility": Visibility.PUBLIC,
        "audience": Audience.SERVICE_MEMBERS,
        "service_id": cast.services["krantenarchief"].id,
        "group_id": cast.group.id,
        "method_name": "choice",
        "majority": Majority.SIMPLE,
        "majority_share": "2/3",
        "share_of": ShareOf.VALID,
        "quorum": None,
        "tie_rule": TieRule.LEFT_OPEN,
        "closes_at": closes_at,
        "reminder_days": [7, 3, 1],
        "options": build_options(),
    }
    poll = Poll(**(values | changes))
    session.add(poll)
    session.flush()
    return poll


def build_staff(session: Session, now: datetime, name: str, role: StaffRole = StaffRole.STAFF) -> StaffMember:
    """One of the staff, whose address is made of the name."""
    email = f"{name.lower().replace(' ', '.')}@cultuurconnect.example"
    person = StaffMember(name=name, email=email, email_key=address_key(email), role=role, created_at=now)
    session.add(person)
    session.flush()
    return person


def build_audience(session: Session, now: datetime, name: str, lists: list[list[Condition]]) -> SavedAudience:
    """A saved audience: whoever meets every condition of one of the lists."""
    question = to_json(Question(tuple(map(tuple, lists))))
    audience = SavedAudience(name=name, question=question, created_at=now)
    session.add(audience)
    session.flush()
    return audience


def build_field(session: Session, cast: Cooperative, now: datetime) -> None:
    """Beside the members: a culture centre in Turnhout, for which Rik Smet votes, and two persons of no organisation.

    Mia Jacobs, in the chair, stands for no organisation either.
    """
    centre = Organisation(name="Cultuurcentrum Turnhout", kind=OrganisationKind.CULTURE_CENTRE,
                          municipality="Turnhout", province="Antwerpen", population=45_000)  # fmt: skip
    cast.contacts["rik"] = build_contact("Rik Smet", "rik.smet@turnhout.example", now)
    cast.contacts["nele"] = build_contact("Nele Jans", "nele.jans@veld.example", now)
    cast.contacts["omar"] = build_contact("Omar Aziz", "omar.aziz@veld.example", now, language="en")
    session.add_all([centre, *(cast.contacts[name] for name in ("rik", "nele", "omar"))])
    session.flush()
    cast.libraries["Turnhout"] = centre
    session.add(Representation(contact_id=cast.contacts["rik"].id, organisation_id=centre.id, mode=Mode.VOTES,
                               started_at=now))  # fmt: skip
    session.flush()


def build_decision(
    session: Session, now: Clock, cast: Cooperative, *, documents: Sequence[Document] = (REPORT,), actor: str = STAFF,
    **changes: Any,
) -> Decision:  # fmt: skip
    """A decision of the steering group, recorded today: nine were there, seven for, one against; only inside."""
    values: dict[str, Any] = {
        "group_id": cast.group.id,
        "decided_on": brussels_day(now()),
        "title_nl": "Fundels in alle bibliotheken",
        "text_nl": "Fundels komt in elke bibliotheek.",
        "visibility": Visibility.PARTICIPANTS,
        "grounds": "De bespreking van vandaag.",
        "present": 9,
        "votes_for": 7,
        "votes_against": 1,
        "abstained": 1,
    }
    return record_decision(session, now, Words(**(values | changes)), documents, actor=actor)
