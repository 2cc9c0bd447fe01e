"""A random field, small enough to ask by hand who is in an audience: written to a database, and judged in Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st
from sqlalchemy.orm import Session

from coopmail.domain.audience_question import About, Condition, Question, size
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Group, GroupKind, Seat, SeatOrigin, SeatRole
from coopmail.domain.organisations import Organisation, OrganisationKind, Pilot
from coopmail.domain.services import Service, Subscription

TODAY = date(2026, 11, 16)
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
DAYS = st.sampled_from([date(2026, 11, 1), date(2026, 11, 15), TODAY, date(2026, 11, 17)])
MAYBE = st.one_of(st.none(), DAYS)
SERVICES, GROUPS, PROVINCES = ("archief", "boeken"), ("bestuur", "stuurgroep"), ("Antwerpen", "Limburg")


@dataclass(frozen=True)
class Library:
    """An organisation and what belongs to it: services from–to, pilots."""

    province: str
    population: int
    kind: OrganisationKind
    regional: bool
    big_city: bool
    ended_on: date | None
    taken: tuple[tuple[str, date, date | None], ...]
    pilot_of: frozenset[str]

    def takes(self, service: str | None = None) -> bool:
        """Whether a subscription runs today, to a service or to any."""
        return any(
            starts <= TODAY and (ends is None or ends >= TODAY) for slug, starts, ends in self.taken
            if service in (None, slug)
        )  # fmt: skip


@dataclass(frozen=True)
class Somebody:
    """A contact: for which organisations, and how; in which groups, for which organisation."""

    confirmed: bool
    left: bool
    functional: bool
    stands: tuple[tuple[int, Mode, bool], ...]
    seats: tuple[tuple[str, int | None, date, date | None], ...]

    def sits(self) -> list[tuple[str, int | None]]:
        """The groups that this contact sits in today, and for which organisation."""
        return [(group, whose) for group, whose, starts, ends in self.seats
                if starts <= TODAY and (ends is None or ends >= TODAY)]  # fmt: skip

    @property
    def alone(self) -> bool:
        """A person who stands for no organisation."""
        standing = any(running for _, _, running in self.stands)
        return self.confirmed and not self.left and not self.functional and not standing


@dataclass
class Field:
    """Everything, by number; `ids` and `contact_ids` are filled when it is written."""

    libraries: list[Library]
    people: list[Somebody]
    ids: list[int] = field(default_factory=list)
    contact_ids: list[int] = field(default_factory=list)


LIBRARIES = st.builds(
    Library, st.sampled_from(PROVINCES), st.integers(0, 5), st.sampled_from(OrganisationKind), st.booleans(),
    st.booleans(), MAYBE,
    st.lists(st.tuples(st.sampled_from(SERVICES), DAYS, MAYBE), max_size=2, unique_by=lambda row: row[:2]).map(tuple),
    st.frozensets(st.sampled_from(SERVICES)),
)  # fmt: skip


def _somebody(places: int) -> st.SearchStrategy[Somebody]:
    where = st.integers(0, places - 1)
    mostly = st.sampled_from([True, True, True, False])
    return st.builds(
        Somebody, mostly, mostly.map(lambda yes: not yes), mostly.map(lambda yes: not yes),
        st.lists(st.tuples(where, st.sampled_from(Mode), mostly), max_size=2, unique_by=lambda row: row[0]).map(tuple),
        st.lists(st.tuples(st.sampled_from(GROUPS), st.one_of(st.none(), where), DAYS, MAYBE), max_size=2,
                 unique_by=lambda row: (row[0], row[2])).map(tuple),
    )  # fmt: skip


FIELDS = st.lists(LIBRARIES, min_size=1, max_size=4).flatmap(
    lambda libraries: st.builds(Field, st.just(libraries), st.lists(_somebody(len(libraries)), max_size=4))
)
SIZES = st.tuples(st.one_of(st.none(), st.integers(0, 2)), st.one_of(st.none(), st.integers(2, 5))).filter(any)
CONDITIONS = st.one_of(
    st.builds(Condition, st.just(About.SERVICE), st.sampled_from(SERVICES), st.booleans()),
    st.builds(Condition, st.just(About.GROUP), st.sampled_from(GROUPS), st.booleans()),
    st.builds(Condition, st.just(About.PROVINCE), st.sampled_from(PROVINCES), st.booleans()),
    st.builds(Condition, st.just(About.SIZE), SIZES.map(lambda ends: size(*ends)), st.booleans()),
    st.builds(Condition, st.just(About.TYPE), st.sampled_from([kind.value for kind in OrganisationKind]),
              st.booleans()),
    st.builds(Condition, st.just(About.MARK), st.sampled_from(["regional", "big_city", "pilot:archief"]),
              st.booleans()),
    st.builds(Condition, st.just(About.MEMBER), st.just(""), st.booleans()),
    st.just(Condition(About.FIELD)),
)  # fmt: skip
QUESTIONS = st.lists(st.lists(CONDITIONS, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3).map(
    lambda lists: Question(tuple(lists))
)


def write(session: Session, found: Field) -> None:
    """Write a field to a database."""
    services = {slug: Service(slug=slug, name=slug, phrase_nl=slug) for slug in SERVICES}
    groups = {slug: Group(slug=slug, name=slug, kind=GroupKind.STEERING_GROUP) for slug in GROUPS}
    session.add_all([*services.values(), *groups.values()])
    rows = [Organisation(name=f"Bibliotheek {place}", kind=one.kind, municipality="Mol", province=one.province,
                         population=one.population, regional=one.regional, big_city=one.big_city,
                         ended_on=one.ended_on) for place, one in enumerate(found.libraries)]  # fmt: skip
    contacts = [Contact(name=f"Contact {place}", email=f"{place}@field.example", email_key=f"{place}@field.example",
                        functional=one.functional, confirmed_at=NOW if one.confirmed else None,
                        left_at=NOW if one.left else None) for place, one in enumerate(found.people)]  # fmt: skip
    session.add_all([*rows, *contacts])
    session.flush()
    found.ids, found.contact_ids = [row.id for row in rows], [row.id for row in contacts]
    for row, one in zip(rows, found.libraries, strict=True):
        session.add_all(Pilot(organisation_id=row.id, service_id=services[slug].id) for slug in one.pilot_of)
        session.add_all(
            Subscription(organisation_id=row.id, service_id=services[slug].id, starts_on=starts, ends_on=ends,
                         contract_reference="", price_cents=0) for slug, starts, ends in one.taken
        )  # fmt: skip
    for contact, somebody in zip(contacts, found.people, strict=True):
        session.add_all(
            Representation(contact_id=contact.id, organisation_id=rows[place].id, mode=mode, started_at=NOW,
                           ended_at=None if running else NOW) for place, mode, running in somebody.stands
        )  # fmt: skip
        session.add_all(
            Seat(group_id=groups[group].id, contact_id=contact.id, role=SeatRole.MEMBER, has_vote=True,
                 organisation_id=None if whose is None else rows[whose].id, origin=SeatOrigin.COMPOSITION,
                 starts_on=starts, ends_on=ends) for group, whose, starts, ends in somebody.seats
        )  # fmt: skip
    session.flush()


def has(one: Library | None, condition: Condition) -> bool:
    """Whether an organisation has what a condition is about, whether or not that is denied; groups aside."""
    if one is None:
        return condition.about is About.FIELD
    low, high = condition.sizes
    found: dict[About, Any] = {
        About.SERVICE: one.takes(condition.value),
        About.PROVINCE: one.province == condition.value,
        About.SIZE: (low is None or one.population >= low) and (high is None or one.population <= high),
        About.TYPE: one.kind.value == condition.value,
        About.MARK: {"regional": one.regional, "big_city": one.big_city,
                     "pilot:archief": "archief" in one.pilot_of}.get(condition.value),
        About.MEMBER: one.takes(),
        About.FIELD: True,
    }  # fmt: skip
    return bool(found[condition.about])


def meets(question: Question, one: Library | None, groups: set[str]) -> bool:
    """Whether a subject is in an audience: what it has as an organisation, and the groups that it sits in."""
    return any(all(fulfils(condition, one, groups) for condition in conditions) for conditions in question.lists)


def fulfils(condition: Condition, one: Library | None, groups: set[str]) -> bool:
    """Whether a subject meets one condition."""
    found = condition.value in groups if condition.about is About.GROUP else has(one, condition)
    return found is not condition.negated


def organisations(found: Field, question: Question) -> set[int]:
    """The numbers of the organisations in an audience."""
    return {
        place for place, one in enumerate(found.libraries)
        if (one.ended_on is None or one.ended_on > TODAY)
        and meets(question, one, {group for somebody in found.people for group, whose in somebody.sits()
                                  if whose == place})
    }  # fmt: skip


def persons(found: Field, question: Question) -> set[int]:
    """The numbers of the persons in an audience."""
    return {place for place, one in enumerate(found.people)
            if one.alone and meets(question, None, {group for group, _ in one.sits()})}  # fmt: skip


def reached(found: Field, question: Question) -> dict[int, bool]:
    """The numbers of the contacts whom an audience reaches, and whether they have a say."""
    inside, alone = organisations(found, question), persons(found, question)
    answer = {}
    for place, one in enumerate(found.people):
        modes = [mode for where, mode, running in one.stands if running and where in inside]
        says = place in alone or _seated(found, question, one) or Mode.VOTES in modes
        if one.confirmed and not one.left and (says or modes):
            answer[place] = says
    return answer


def _seated(found: Field, question: Question, one: Somebody) -> bool:
    """Whether a seat of somebody is asked for: in a group that a list names, the rest met by its organisation."""
    groups = {group for group, _ in one.sits()}
    for conditions in question.lists:
        named = {item.value for item in conditions if item.about is About.GROUP and not item.negated}
        for group, whose in one.sits():
            library = found.libraries[whose] if whose is not None else None
            if group in named and all(fulfils(item, library, groups) for item in conditions):
                return True
    return False
