"""An audience in words: "Al wie het Krantenarchief afneemt en in Limburg ligt, of al wie coöperant is"."""

from __future__ import annotations

from collections.abc import Callable

from flask_babel import gettext
from sqlalchemy.orm import Session

from coopmail import wording
from coopmail.domain.audience_question import About, Condition, Conditions, Mark, Question
from coopmail.domain.audiences import SavedAudience
from coopmail.domain.organisations import OrganisationKind
from coopmail.queries import audiences

Names = dict[str, dict[str, str]]
"""How services and groups stand in a sentence, by `About` and by slug."""


def names(session: Session) -> Names:
    """The names that a sentence wants, in the language spoken now."""
    return audiences.named(session, wording.language())


def standing(saved: SavedAudience) -> str:
    """Whether a poll can ask an audience."""
    return gettext("in the archive") if saved.archived_at is not None else gettext("in use")


def kind(found: OrganisationKind) -> str:
    """What an organisation is, in a list."""
    return {
        OrganisationKind.LIBRARY: gettext("library"),
        OrganisationKind.CULTURE_CENTRE: gettext("culture centre"),
        OrganisationKind.BODY: gettext("body of the field"),
    }[found]


def choices(known: audiences.Vocabulary) -> list[tuple[str, list[tuple[str, str]]]]:
    """What a condition can be, under headings: the value that the form sends, and its words."""
    return [
        (gettext("Takes a service"), _named(About.SERVICE, [
            (slug, gettext("takes: %(service)s", service=name)) for slug, name in known.services
        ])),
        (gettext("Has a seat in"), _named(About.GROUP, [
            (slug, gettext("sits in: %(group)s", group=name)) for slug, name in known.groups
        ])),
        (gettext("Is in the province"), _named(About.PROVINCE, [
            (name, gettext("is in: %(province)s", province=name)) for name in known.provinces
        ])),
        (gettext("Is of the type"), _named(About.TYPE, [(one.value, kind(one)) for one in OrganisationKind])),
        (gettext("Is marked as"), _named(About.MARK, _marks(known.services))),
        (gettext("Member, or anybody"), [
            (About.MEMBER.value, gettext("is a member: takes any service")),
            (About.FIELD.value, gettext("the whole field: everybody")),
        ]),
    ]  # fmt: skip


def _marks(services: list[tuple[str, str]]) -> list[tuple[str, str]]:
    pilots = [(f"{Mark.PILOT}:{slug}", gettext("pilot of %(service)s", service=name)) for slug, name in services]
    return [(Mark.REGIONAL.value, gettext("regional")), (Mark.BIG_CITY.value, gettext("big city")), *pilots]


def _named(about: About, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"{about}:{value}", name) for value, name in pairs]


def sentence(session: Session, question: Question) -> str:
    """Who is in an audience, in one sentence without its full stop, in the language spoken now."""
    return said(question, names(session))


def said(question: Question, known: Names) -> str:
    """The same where the names are known: a list of audiences asks for them once."""
    text = gettext(", or ").join(_list(conditions, known) for conditions in question.lists)
    return text[:1].upper() + text[1:]


def _list(conditions: Conditions, names: Names) -> str:
    """One list; that somebody is of the field goes without saying where there is more."""
    said = [_SAID[one.about](one, names) for one in conditions if one.about is not About.FIELD]
    if not said:
        return gettext("everybody in the field")
    return gettext("everyone who %(conditions)s", conditions=gettext(" and ").join(said))


def _service(one: Condition, names: Names) -> str:
    service = names[About.SERVICE].get(one.value, one.value)
    if one.negated:
        return gettext("does not take %(service)s", service=service)
    return gettext("takes %(service)s", service=service)


def _group(one: Condition, names: Names) -> str:
    group = names[About.GROUP].get(one.value, one.value)
    if one.negated:
        return gettext("has no seat in %(group)s", group=group)
    return gettext("has a seat in %(group)s", group=group)


def _province(one: Condition, _names: Names) -> str:
    if one.negated:
        return gettext("is not in %(province)s", province=one.value)
    return gettext("is in %(province)s", province=one.value)


def _size(one: Condition, _names: Names) -> str:
    low, high = one.sizes
    least, most = wording.number(low or 0), wording.number(high or 0)
    if low is None:
        how_many = gettext("at most %(most)s inhabitants", most=most)
    elif high is None:
        how_many = gettext("at least %(least)s inhabitants", least=least)
    else:
        how_many = gettext("%(least)s to %(most)s inhabitants", least=least, most=most)
    if one.negated:
        return gettext("does not have %(inhabitants)s", inhabitants=how_many)
    return gettext("has %(inhabitants)s", inhabitants=how_many)


def _type(one: Condition, _names: Names) -> str:
    said, denied = {
        OrganisationKind.LIBRARY: (gettext("is a library"), gettext("is no library")),
        OrganisationKind.CULTURE_CENTRE: (gettext("is a culture centre"), gettext("is no culture centre")),
        OrganisationKind.BODY: (gettext("is a body of the field"), gettext("is no body of the field")),
    }[OrganisationKind(one.value)]
    return denied if one.negated else said


def _mark(one: Condition, names: Names) -> str:
    mark, slug = one.mark
    service = names[About.SERVICE].get(slug, slug)
    said, denied = {
        Mark.REGIONAL: (gettext("is regional"), gettext("is not regional")),
        Mark.BIG_CITY: (gettext("is a big city"), gettext("is no big city")),
        Mark.PILOT: (
            gettext("is a pilot of %(service)s", service=service),
            gettext("is no pilot of %(service)s", service=service),
        ),
    }[mark]
    return denied if one.negated else said


def _member(one: Condition, _names: Names) -> str:
    return gettext("is no member") if one.negated else gettext("is a member")


_SAID: dict[About, Callable[[Condition, Names], str]] = {
    About.SERVICE: _service,
    About.GROUP: _group,
    About.PROVINCE: _province,
    About.SIZE: _size,
    About.TYPE: _type,
    About.MARK: _mark,
    About.MEMBER: _member,
}
