"""Who is in an audience: its question as conditions for the database, and what a page says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.audience_question import About, Condition, Conditions, Mark, Question
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Group, Seat, sitting_on
from coopmail.domain.organisations import Organisation, OrganisationKind, Pilot
from coopmail.domain.polls import Poll
from coopmail.domain.services import Service, Subscription, running_on
from coopmail.errors import UnknownSubject

Where = sa.ColumnElement[bool]
Ask = Callable[[Condition, date], Where]


@dataclass(frozen=True)
class Vocabulary:
    """What a question can name, as (slug, name) by name; provinces as they stand in the organisations."""

    services: list[tuple[str, str]] = field(default_factory=list)
    groups: list[tuple[str, str]] = field(default_factory=list)
    provinces: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reach:
    """How many are in an audience: members (organisations with a vote), other organisations, persons.

    `voters` and `readers` are the contacts behind them: who votes for an organisation in it, who only reads, the
    persons, and the holders of the seats that the question asks for (with those who vote).
    """

    members: int
    others: int
    persons: int
    voters: int
    readers: int

    @property
    def organisations(self) -> int:
        """Members and others together."""
        return self.members + self.others


def get(session: Session, audience_id: int) -> SavedAudience:
    """A saved audience, or `UnknownSubject`."""
    found = session.get(SavedAudience, audience_id)
    if found is None:
        raise UnknownSubject(f"There is no audience {audience_id}.")
    return found


def in_use(session: Session) -> list[SavedAudience]:
    """The saved audiences that a new poll may ask, by name."""
    wanted = sa.select(SavedAudience).where(SavedAudience.archived_at.is_(None))
    return list(session.scalars(wanted.order_by(SavedAudience.name)))


def polls_of(session: Session, audience_id: int) -> list[Poll]:
    """The polls that ask an audience, the newest first."""
    of_audience = sa.select(Poll).where(Poll.saved_audience_id == audience_id)
    return list(session.scalars(of_audience.order_by(Poll.id.desc())))


def vocabulary(session: Session) -> Vocabulary:
    """Every service, group and province that a condition can be about."""
    services = session.execute(sa.select(Service.slug, Service.name).order_by(Service.name))
    groups = session.execute(sa.select(Group.slug, Group.name).order_by(Group.name))
    provinces = session.scalars(sa.select(Organisation.province).distinct().order_by(Organisation.province))
    return Vocabulary([(slug, name) for slug, name in services], [(slug, name) for slug, name in groups],
                      list(provinces))  # fmt: skip


def named(session: Session, language: str) -> dict[str, dict[str, str]]:
    """How services and groups stand in a sentence, by what they are and by slug: `wording.audience` wants them."""
    phrase = sa.func.coalesce(sa.func.nullif(Service.phrase_en, ""), Service.phrase_nl)
    services = sa.select(Service.slug, phrase if language == "en" else Service.phrase_nl)
    groups = sa.select(Group.slug, Group.name)
    return {
        about.value: {row[0]: row[1] for row in session.execute(question)}
        for about, question in ((About.SERVICE, services), (About.GROUP, groups))
    }


def unknown(session: Session, question: Question) -> list[str]:
    """The slugs in a question that name no service or group."""
    found = []
    for about, column in ((About.SERVICE, Service.slug), (About.GROUP, Group.slug)):
        wanted = question.slugs(about)
        found += sorted(wanted - set(session.scalars(sa.select(column).where(column.in_(wanted)))))
    return found


def organisations(question: Question, day: date) -> Where:
    """The condition that an organisation is in an audience on a day; one that ended never is."""
    return going_on(day) & _any(question, _OF_ORGANISATION, day)


def persons(question: Question, day: date) -> Where:
    """The condition that a contact is in an audience for himself on a day."""
    return is_person() & _any(question, _OF_PERSON, day)


def going_on(day: date) -> Where:
    """The condition that an organisation has not ended by a day."""
    return Organisation.ended_on.is_(None) | (Organisation.ended_on > day)


def is_person() -> Where:
    """The condition that a contact stands for no organisation: confirmed, not left, and no shared mailbox."""
    stands = sa.exists().where(Representation.contact_id == Contact.id, Representation.ended_at.is_(None))
    return Contact.confirmed_at.is_not(None) & Contact.left_at.is_(None) & ~Contact.functional & ~stands


def is_member(day: date) -> Where:
    """The condition that an organisation has a running subscription: that it is a member."""
    return Organisation.id.in_(sa.select(Subscription.organisation_id).where(running_on(day)).correlate(None))


def contacts(question: Question, day: date) -> sa.Select[int, int]:
    """The contacts whom an audience reaches, once each: `contact_id`, and `votes` (1, or 0 for who only reads).

    For organisations whoever stands for them (with a vote where one for some service is), persons themselves, and the
    holders of the seats in the groups that the question asks for.
    """
    standing = (
        sa.select(Representation.contact_id, sa.case((Representation.mode == Mode.VOTES, 1), else_=0).label("votes"))
        .join(Organisation, Organisation.id == Representation.organisation_id)
        .where(Representation.ended_at.is_(None), organisations(question, day))
    )
    alone = sa.select(Contact.id, sa.literal(1)).where(persons(question, day))
    asking = [_seats(conditions, day) for conditions in question.lists if _groups(conditions)]
    seated = sa.select(Seat.contact_id, sa.literal(1)).where(sa.or_(sa.false(), *asking))
    found = sa.union_all(standing, alone, seated).subquery()
    return (
        sa.select(found.c.contact_id, sa.func.max(found.c.votes).label("votes"))
        .join(Contact, Contact.id == found.c.contact_id)
        .where(Contact.left_at.is_(None), Contact.confirmed_at.is_not(None))
        .group_by(found.c.contact_id)
    )


def reach(session: Session, question: Question, day: date) -> Reach:
    """How many an audience holds on a day; three questions, whatever its size."""
    number, member = sa.func.count, sa.case((is_member(day), 1), else_=0)
    total, members = session.execute(
        sa.select(number(), sa.func.coalesce(sa.func.sum(member), 0)).select_from(Organisation).where(
            organisations(question, day)
        )
    ).one()  # fmt: skip
    alone = session.scalars(sa.select(number()).select_from(Contact).where(persons(question, day))).one()
    reached = contacts(question, day).subquery()
    everybody, voters = session.execute(
        sa.select(number(), sa.func.coalesce(sa.func.sum(reached.c.votes), 0)).select_from(reached)
    ).one()
    return Reach(int(members), total - int(members), alone, int(voters), everybody - int(voters))


def _any(question: Question, table: dict[About, Ask], day: date) -> Where:
    return sa.or_(*(_all(conditions, table, day) for conditions in question.lists))


def _all(conditions: Conditions, table: dict[About, Ask], day: date) -> Where:
    found = [(condition, table[condition.about](condition, day)) for condition in conditions]
    return sa.and_(*(~where if condition.negated else where for condition, where in found))


def _groups(conditions: Conditions) -> list[str]:
    """The groups that a list asks for: seats reach their holders where one is asked for, not where it is denied."""
    return [one.value for one in conditions if one.about is About.GROUP and not one.negated]


def _seats(conditions: Conditions, day: date) -> Where:
    """The condition that a seat is in a group that a list asks for, and meets the rest of it by its organisation."""
    of_group = sa.select(Group.id).where(Group.slug.in_(_groups(conditions)))
    return Seat.group_id.in_(of_group) & sitting_on(day) & _all(conditions, _OF_SEAT, day)


def _takes(condition: Condition, day: date) -> Where:
    taking = sa.select(Subscription.organisation_id).join(Service, Service.id == Subscription.service_id)
    return Organisation.id.in_(taking.where(Service.slug == condition.value, running_on(day)).correlate(None))


def _holders(condition: Condition, day: date) -> sa.Select[int, int | None]:
    """Who sits in a group, and for which organisation."""
    sitting = sa.select(Seat.contact_id, Seat.organisation_id).join(Group, Group.id == Seat.group_id)
    return sitting.where(Group.slug == condition.value, sitting_on(day)).correlate(None)


def _sends(condition: Condition, day: date) -> Where:
    """The condition that an organisation has a seat in a group."""
    sent = _holders(condition, day).where(Seat.organisation_id.is_not(None)).with_only_columns(Seat.organisation_id)
    return Organisation.id.in_(sent)


def _sits(holder: sa.ColumnElement[int]) -> Ask:
    """That somebody sits in a group."""
    return lambda condition, day: holder.in_(_holders(condition, day).with_only_columns(Seat.contact_id))


def _of_its_organisation(ask: Ask) -> Ask:
    """That the organisation that a seat is of meets a condition; a seat of none does not."""

    def asked(condition: Condition, day: date) -> Where:
        meeting = sa.select(Organisation.id).where(ask(condition, day)).correlate(None)
        return Seat.organisation_id.is_not(None) & Seat.organisation_id.in_(meeting)

    return asked


def _size(condition: Condition, _day: date) -> Where:
    low, high = condition.sizes
    ends = [Organisation.population >= low] if low is not None else []
    return sa.and_(sa.true(), *ends, *([Organisation.population <= high] if high is not None else []))


def _marked(condition: Condition, _day: date) -> Where:
    mark, service = condition.mark
    trying = sa.select(Pilot.organisation_id).join(Service, Service.id == Pilot.service_id)
    pilot = Organisation.id.in_(trying.where(Service.slug == service).correlate(None))
    marks = {Mark.REGIONAL: Organisation.regional.is_(True), Mark.BIG_CITY: Organisation.big_city.is_(True)}
    return marks.get(mark, pilot)


def _nobody(_condition: Condition, _day: date) -> Where:
    """What only an organisation can have."""
    return sa.false()


def _everybody(_condition: Condition, _day: date) -> Where:
    return sa.true()


_OF_ORGANISATION: dict[About, Ask] = {
    About.SERVICE: _takes,
    About.GROUP: _sends,
    About.PROVINCE: lambda condition, _day: Organisation.province == condition.value,
    About.SIZE: _size,
    About.TYPE: lambda condition, _day: Organisation.kind == OrganisationKind(condition.value),
    About.MARK: _marked,
    About.MEMBER: lambda _condition, day: is_member(day),
    About.FIELD: _everybody,
}
_OF_PERSON: dict[About, Ask] = dict.fromkeys(About, _nobody) | {
    About.GROUP: _sits(Contact.__table__.c.id),
    About.FIELD: _everybody,
}
_OF_SEAT: dict[About, Ask] = {about: _of_its_organisation(ask) for about, ask in _OF_ORGANISATION.items()} | {
    About.GROUP: _sits(Seat.__table__.c.contact_id),
    About.FIELD: _everybody,
}
