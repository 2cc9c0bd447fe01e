"""The question of a saved audience: who is in it, as lists of conditions.

Whoever meets every condition of one of the lists is in it. The same question is asked of three kinds of subject: an
organisation, a person who stands for no organisation, and a seat. What a subject does not have (a person has no
province) it does not meet, so the opposite of it it does: "not in Limburg" holds for every person. Rule: issue 4,
"an audience is a saved question (… and / or / not of these)".
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from coopmail.domain.organisations import OrganisationKind
from coopmail.errors import CoopmailError

MOST_LISTS = 10
MOST_CONDITIONS = 10
"""So many conditions a list: no person reads more, and a database plans them quickly."""
_SIZE = re.compile(r"([0-9]{1,8})?-([0-9]{1,8})?")


class About(enum.StrEnum):
    """What a condition is about.

    `service`: a running subscription to it today. `group`: a seat in it today; the organisation that the seat is of,
    or the person in it. `province`, `size` (inhabitants, both ends included), `type` and `mark`: of the organisation.
    `member`: any running subscription. `field`: everybody.
    """

    SERVICE = "service"
    GROUP = "group"
    PROVINCE = "province"
    SIZE = "size"
    TYPE = "type"
    MARK = "mark"
    MEMBER = "member"
    FIELD = "field"


class Mark(enum.StrEnum):
    """What an organisation can be marked as; a pilot is one of a service: `pilot:krantenarchief`."""

    REGIONAL = "regional"
    BIG_CITY = "big_city"
    PILOT = "pilot"


class Fault(enum.StrEnum):
    """What is wrong with a question."""

    NO_CONDITION = "no_condition"
    TOO_MANY = "too_many"
    UNREADABLE = "unreadable"
    VALUE_MISSING = "value_missing"
    VALUE_UNKNOWN = "value_unknown"
    SIZE_WRONG = "size_wrong"
    FIELD_DENIED = "field_denied"


_SENTENCES = {
    Fault.NO_CONDITION: "it holds no condition, or an empty list: add one",
    Fault.TOO_MANY: f"it has more than {MOST_LISTS} lists, or {MOST_CONDITIONS} conditions in one: take some away",
    Fault.UNREADABLE: "it is no list of lists of conditions with `about`, `value` and `negated`",
    Fault.VALUE_MISSING: "a condition lacks its value: choose one",
    Fault.VALUE_UNKNOWN: "a condition has a value that is not known: choose another",
    Fault.SIZE_WRONG: "a size wants a lowest number, a highest, or both, the lowest first",
    Fault.FIELD_DENIED: "nobody is outside of the whole field: leave that condition out",
}


class QuestionUnreadable(CoopmailError):
    """A question that cannot be asked: `fault` says why, `list` and `condition` where (counted from 0)."""

    def __init__(self, fault: Fault, in_list: int | None = None, condition: int | None = None) -> None:
        super().__init__(f"The question of this audience cannot be asked: {_SENTENCES[fault]}.")
        self.fault, self.in_list, self.condition = fault, in_list, condition


@dataclass(frozen=True)
class Condition:
    """One condition; `value` is empty for `member` and `field`. Slugs name services and groups."""

    about: About
    value: str = ""
    negated: bool = False

    @property
    def sizes(self) -> tuple[int | None, int | None]:
        """The lowest and highest number of inhabitants, both included; `None` where that end is open."""
        found = _SIZE.fullmatch(self.value)
        low, high = found.groups() if found else (None, None)
        return int(low) if low else None, int(high) if high else None

    @property
    def mark(self) -> tuple[Mark, str]:
        """The mark, and the slug of the service that a pilot is one of."""
        name, _, service = self.value.partition(":")
        return Mark(name), service


Conditions = tuple[Condition, ...]


@dataclass(frozen=True)
class Question:
    """Lists of conditions, in the order in which staff wrote them."""

    lists: tuple[Conditions, ...]

    def conditions(self) -> Iterator[Condition]:
        """Every condition, whatever list it is in."""
        for conditions in self.lists:
            yield from conditions

    def slugs(self, about: About) -> set[str]:
        """The slugs of the services or groups that the question names."""
        named = {condition.value for condition in self.conditions() if condition.about is about}
        if about is About.SERVICE:
            marks = [condition.mark for condition in self.conditions() if condition.about is About.MARK]
            named |= {service for mark, service in marks if mark is Mark.PILOT}
        return named


EVERYBODY = Question(((Condition(About.FIELD),),))


def size(low: int | None, high: int | None) -> str:
    """The value of a size condition."""
    return f"{'' if low is None else low}-{'' if high is None else high}"


def parse(raw: Any) -> Question:
    """The question that a row or a form holds, or `QuestionUnreadable`. Conditions that say the same are one."""
    if not isinstance(raw, list) or not all(isinstance(conditions, list) for conditions in raw):
        raise QuestionUnreadable(Fault.UNREADABLE)
    if not raw:
        raise QuestionUnreadable(Fault.NO_CONDITION)
    if len(raw) > MOST_LISTS:
        raise QuestionUnreadable(Fault.TOO_MANY)
    return Question(tuple(dict.fromkeys(_parse_list(conditions, place) for place, conditions in enumerate(raw))))


def to_json(question: Question) -> list[list[dict[str, Any]]]:
    """A question as `SavedAudience.question` keeps it; `parse` reads it back."""
    return [
        [{"about": one.about.value, "value": one.value, "negated": one.negated} for one in conditions]
        for conditions in question.lists
    ]


def _parse_list(raw: list[Any], place: int) -> Conditions:
    if not raw:
        raise QuestionUnreadable(Fault.NO_CONDITION, place)
    if len(raw) > MOST_CONDITIONS:
        raise QuestionUnreadable(Fault.TOO_MANY, place)
    found = []
    for number, one in enumerate(raw):
        try:
            found.append(_parse_condition(one))
        except QuestionUnreadable as error:
            raise QuestionUnreadable(error.fault, place, number) from error
    return tuple(dict.fromkeys(found))


def _parse_condition(raw: Any) -> Condition:
    known = isinstance(raw, dict) and raw.keys() <= {"about", "value", "negated"}
    if not known or raw.get("about") not in list(About):
        raise QuestionUnreadable(Fault.UNREADABLE)
    value, negated = raw.get("value", ""), raw.get("negated", False)
    if not isinstance(value, str) or not isinstance(negated, bool) or len(value) > 200 or not value.isprintable():
        raise QuestionUnreadable(Fault.UNREADABLE)
    about = About(raw["about"])
    if about is About.FIELD and negated:
        raise QuestionUnreadable(Fault.FIELD_DENIED)
    return Condition(about, _VALUES.get(about, _named)(value.strip()), negated)


def _named(value: str) -> str:
    if not value:
        raise QuestionUnreadable(Fault.VALUE_MISSING)
    return value


def _nothing(value: str) -> str:
    if value:
        raise QuestionUnreadable(Fault.VALUE_UNKNOWN)
    return value


def _size(value: str) -> str:
    found = replace(_ANY_SIZE, value=value)
    low, high = found.sizes
    if (low is None and high is None) or (low is not None and high is not None and low > high):
        raise QuestionUnreadable(Fault.SIZE_WRONG)
    return size(low, high)


def _kind(value: str) -> str:
    if _named(value) not in set(OrganisationKind):
        raise QuestionUnreadable(Fault.VALUE_UNKNOWN)
    return value


def _mark(value: str) -> str:
    name, _, service = _named(value).partition(":")
    if name not in set(Mark) or (name == Mark.PILOT) != bool(service):
        raise QuestionUnreadable(Fault.VALUE_UNKNOWN)
    return value


_ANY_SIZE = Condition(About.SIZE)
_VALUES = {
    About.SIZE: _size,
    About.TYPE: _kind,
    About.MARK: _mark,
    About.MEMBER: _nothing,
    About.FIELD: _nothing,
}
