"""Days and hours in Brussels: working days, quiet periods, the days of reminders. Pure; the holidays are Belgium's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

BRUSSELS = ZoneInfo("Europe/Brussels")


Period = tuple[date, date]
"""A stretch of days, both ends included."""


@lru_cache(maxsize=64)
def public_holidays(year: int) -> frozenset[date]:
    """The Belgian public holidays of a year."""
    from holidays.countries.belgium import Belgium  # takes a tenth of a second to load: not at the start

    return frozenset(Belgium(years=year))  # type: ignore[no-untyped-call]


def working_day(day: date, quiet: Iterable[Period] = ()) -> bool:
    """Monday to Friday, no public holiday, in no quiet period."""
    return day.weekday() < 5 and day not in public_holidays(day.year) and not in_quiet_period(day, quiet)


def in_quiet_period(day: date, quiet: Iterable[Period]) -> bool:
    """Whether a day lies in one of the periods."""
    return any(first <= day <= last for first, last in quiet)


def working_day_on_or_before(day: date, quiet: Iterable[Period] = ()) -> date:
    """The day itself, or the nearest working day before it (at most 400 days back, else the day itself)."""
    quiet = tuple(quiet)
    for back in range(400):
        candidate = day - timedelta(days=back)
        if working_day(candidate, quiet):
            return candidate
    return day


def reminder_days(
    closing: datetime, opening: datetime, before: Iterable[int], quiet: Iterable[Period] = ()
) -> list[date]:
    """The days on which reminders go out: so many days before the closing day, moved back to a working day.

    Two that fall on one day are one; none falls on the day of opening or before it.
    """
    closing_day, opening_day = brussels_day(closing), brussels_day(opening)
    quiet = tuple(quiet)
    days = {working_day_on_or_before(closing_day - timedelta(days=count), quiet) for count in before}
    return sorted(day for day in days if opening_day < day <= closing_day)


def brussels_day(moment: datetime) -> date:
    """The day that it is in Brussels."""
    return moment.astimezone(BRUSSELS).date()


def in_brussels(day: date, hour: time) -> datetime:
    """A clock time of Brussels as a moment in UTC; `ValueError` for one that the clocks skip in spring.

    In autumn's doubled hour the first of the two is meant.
    """
    local = datetime.combine(day, hour, BRUSSELS)
    moment = local.astimezone(UTC)
    if moment.astimezone(BRUSSELS).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError(f"{hour:%H:%M} does not exist on {day:%d-%m-%Y}: the clocks go forward")
    return moment
