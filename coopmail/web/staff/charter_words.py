"""The charter in words: each dated entry as pairs of what it settles and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_date
from flask_babel import gettext as _
from flask_babel import ngettext

from coopmail import wording
from coopmail.charter import Charter, Dated, PollRules, QuietPeriod, Retention, SeatRules, Terms, Thresholds, in_force
from coopmail.forms.kind import lazy
from coopmail.web.staff.group_words import KINDS, ROLES

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Entry:
    """A dated entry in words; `standing` is `in_force`, `coming` or `past`."""

    id: str
    since: date
    standing: str
    pairs: Pairs


@dataclass(frozen=True)
class Chapter:
    """Entries about one thing: the one in force first, then those to come, then those of before."""

    title: str
    entries: list[Entry]


def chapters(charter: Charter, day: date) -> list[Chapter]:
    """All that the charter settles by dated entries, as it stands on a day."""
    names = {group.slug: group.name for group in charter.groups}
    return [
        _chapter(_("How polls run"), charter.poll_rules, day, _poll_rules),
        _chapter(_("Thresholds of commitments"), charter.thresholds, day, lambda entry: _thresholds(entry, names)),
        _chapter(_("Terms of seats"), charter.terms, day, _terms),
        _chapter(_("How a steering group is composed"), charter.seat_rules, day, _seat_rules),
        _chapter(_("How long is kept what"), charter.retention, day, _retention),
    ]


def _chapter(title: str, entries: Sequence[Any], day: date, words: Callable[[Any], Pairs]) -> Chapter:
    holding = in_force(entries, day)
    order = {"in_force": 0, "coming": 1, "past": 2}
    shown = [Entry(entry.id, entry.since, _standing(entry, holding, day), words(entry)) for entry in entries]
    return Chapter(title, sorted(shown, key=lambda entry: (order[entry.standing], entry.since)))


def _standing(entry: Dated, holding: Dated, day: date) -> str:
    if entry is holding:
        return "in_force"
    return "coming" if entry.since > day else "past"


def _poll_rules(entry: PollRules) -> Pairs:
    return [
        (_("A poll is open for"), ngettext("at least %(num)s day", "at least %(num)s days", entry.least_duration_days)),
        (_("Reminders"), _reminders(entry)),
        (_("A missed reminder is still sent"), _within(entry.reminder_grace_days)),
        (_("An outcome is mailed by itself"), _("where the poll closed at most %(days)s late",
                                                days=_days(entry.closing_grace_days))),
        (_("Links open their page"), _("until %(days)s after closing", days=_days(entry.link_days_after_closing))),
        (_("New links to one address"), ngettext("at most %(num)s a day", "at most %(num)s a day",
                                                 entry.new_links_a_day)),
    ]  # fmt: skip


def _reminders(entry: PollRules) -> str:
    if not entry.reminder_days:
        return _("none")
    days = wording.names([wording.number(number) for number in entry.reminder_days])
    return _("%(days)s days before closing, at %(hour)s o'clock", days=days, hour=entry.reminder_hour)


def _within(days: int) -> str:
    return ngettext("up to %(num)s day later", "up to %(num)s days later", days) if days else _("never")


def _days(number: int) -> str:
    return ngettext("%(num)s day", "%(num)s days", number)


def _thresholds(entry: Thresholds, names: Mapping[str, str]) -> Pairs:
    return [
        (_("Above %(amount)s", amount=wording.euro(step.above_euro * 100)),
         "; ".join(_confirmed(names[slug], step.rules.get(slug)) for slug in step.confirmed_by))
        for step in sorted(entry.steps, key=lambda step: step.above_euro)
    ]  # fmt: skip


_RULES: dict[str, str] = {
    "any": lazy("one of them confirms"),
    "all": lazy("all of them confirm"),
    "majority": lazy("a majority confirms"),
    "unanimous_written": lazy("all of them in writing, or else in a meeting"),
}


def _confirmed(group: str, rule: str | None) -> str:
    return f"{group} ({_RULES[rule]})" if rule else group


def _terms(entry: Terms) -> Pairs:
    late = {
        "old_group_holds_over": _("the old group stays until then"),
        "new_group_sits_provisionally": _("the new group sits for the time being"),
    }[entry.late_ratification]
    years = [(str(KINDS[kind]), ngettext("%(num)s year", "%(num)s years", count))
             for kind, count in entry.years.items()]  # fmt: skip
    return [*years, (_("Ratified too late"), late)]


_WEIGHTS: dict[str, str] = {
    "provinces": lazy("all provinces"),
    "sizes": lazy("large and small"),
    "regional": lazy("regional libraries"),
    "newcomers": lazy("new people"),
    "continuity": lazy("people with experience"),
    "pilots": lazy("pilots of a service"),
    "big_city": lazy("big cities"),
}


def _seat_rules(entry: SeatRules) -> Pairs:
    weights = sorted(entry.weights.items(), key=lambda pair: (-pair[1], pair[0]))
    roles = [str(ROLES[role]) for role in entry.roles_without_vote]
    return [
        (_("Seats of an organisation in one group"), _("at most %(count)s",
                                                       count=entry.seats_an_organisation_a_group)),
        (_("In several groups"), _("organisations with more than %(number)s inhabitants",
                                   number=wording.number(entry.several_groups_above_population))),
        (_("Without a vote"), wording.names(roles) if roles else _("nobody")),
        (_("What weighs in a composition"), ", ".join(f"{_WEIGHTS.get(key, key)} ({weight})" for key, weight in weights)
         or _("nothing")),
    ]  # fmt: skip


def _retention(entry: Retention) -> Pairs:
    return [
        (_("Motivations of who was not chosen"), ngettext("%(num)s month after the result",
                                                          "%(num)s months after the result",
                                                          entry.motivations_after_result)),
        (_("Addresses and user agents"), ngettext("%(num)s month", "%(num)s months", entry.addresses_and_user_agents)),
    ]  # fmt: skip


def quiet_period(period: QuietPeriod) -> tuple[str, str]:
    """A quiet period: its name, and its days."""
    name = period.name_en if wording.language() == "en" else period.name_nl
    first, last = _day(period.first), _day(period.last)
    days = _("on %(day)s", day=first)
    if period.first != period.last:
        days = _("from %(first)s up to and including %(last)s", first=first, last=last)
    return name, _("every year %(days)s", days=days) if len(period.first) == len("MM-DD") else days


def _day(text: str) -> str:
    """A day of every year ("1 juli"), or of one."""
    if len(text) == len("MM-DD"):
        return format_date(date.fromisoformat(f"2024-{text}"), "d MMMM", locale=wording.language())
    return format_date(date.fromisoformat(text), "d MMMM y", locale=wording.language())
