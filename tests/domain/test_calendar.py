"""Days and hours in Brussels: when reminders go out, when a vote closes on the nights that the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from coopmail import charter
from coopmail.charter import Charter
from coopmail.config import ROOT
from coopmail.domain.calendar import (
    BRUSSELS,
    Period,
    brussels_day,
    in_brussels,
    in_quiet_period,
    public_holidays,
    reminder_days,
    working_day,
    working_day_on_or_before,
)

DEFAULT = (7, 3, 1)


@pytest.fixture(scope="module")
def rules() -> Charter:
    """The charter that is shipped."""
    return charter.load(ROOT / "coopmail" / "data" / "charter.toml")


def reminded(rules: Charter, closing: date, opening: date, before: tuple[int, ...] = DEFAULT) -> list[date]:
    """The reminder days of a vote that opens at nine and closes at five, with the charter's quiet periods."""
    quiet = rules.quiet_on(opening - timedelta(days=400), closing)
    return reminder_days(in_brussels(closing, time(17)), in_brussels(opening, time(9)), before, quiet)


def test_the_charter_reminds_seven_three_and_one_day_before_closing(rules: Charter) -> None:
    assert rules.polls_on(date(2026, 11, 16)).reminder_days == list(DEFAULT)


def test_i_am_reminded_seven_three_and_one_day_before_the_vote_closes(rules: Charter) -> None:
    days = reminded(rules, date(2026, 12, 4), date(2026, 11, 16))
    assert days == [date(2026, 11, 27), date(2026, 12, 1), date(2026, 12, 3)]


@pytest.mark.parametrize(
    ("closing", "expected"),
    [
        # Monday: three days before is Friday; the day before is Sunday, and moves to that same Friday.
        (date(2026, 11, 23), [date(2026, 11, 16), date(2026, 11, 20)]),
        # Tuesday: three days before is Saturday.
        (date(2026, 11, 24), [date(2026, 11, 17), date(2026, 11, 20), date(2026, 11, 23)]),
        # Wednesday: three days before is Sunday.
        (date(2026, 11, 25), [date(2026, 11, 18), date(2026, 11, 20), date(2026, 11, 24)]),
        # Sunday: seven days before is a Sunday too, the day before a Saturday.
        (date(2026, 11, 29), [date(2026, 11, 20), date(2026, 11, 26), date(2026, 11, 27)]),
    ],
)
def test_no_reminder_comes_in_a_weekend(rules: Charter, closing: date, expected: list[date]) -> None:
    assert reminded(rules, closing, date(2026, 10, 26)) == expected


@pytest.mark.parametrize(
    ("closing", "opening", "expected"),
    [
        # Easter Monday, 6 April 2026: the day before Tuesday's closing moves over Easter to Friday.
        (date(2026, 4, 7), date(2026, 3, 16), [date(2026, 3, 31), date(2026, 4, 3)]),
        # 11 November 2026, a Wednesday: the day before Thursday's closing is Tuesday.
        (date(2026, 11, 12), date(2026, 10, 26), [date(2026, 11, 5), date(2026, 11, 9), date(2026, 11, 10)]),
        # Labour Day, 1 May 2026, a Friday: three days before Monday's closing is Thursday, and so is one day before.
        (date(2026, 5, 4), date(2026, 4, 13), [date(2026, 4, 27), date(2026, 4, 30)]),
        # Ascension Day, 14 May 2026, a Thursday.
        (date(2026, 5, 15), date(2026, 4, 27), [date(2026, 5, 8), date(2026, 5, 12), date(2026, 5, 13)]),
    ],
)
def test_no_reminder_comes_on_a_public_holiday(
    rules: Charter, closing: date, opening: date, expected: list[date]
) -> None:
    assert reminded(rules, closing, opening) == expected


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 1, 1), date(2026, 4, 6), date(2026, 5, 1), date(2026, 5, 14), date(2026, 5, 25), date(2026, 7, 21),
        date(2026, 8, 15), date(2026, 11, 1), date(2026, 11, 11), date(2026, 12, 25), date(2027, 3, 29),
        date(2028, 4, 17),
    ],
)  # fmt: skip
def test_belgium_rests_on_its_public_holidays(day: date) -> None:
    assert day in public_holidays(day.year)
    assert not working_day(day)


@pytest.mark.parametrize("day", [date(2026, 4, 3), date(2026, 7, 20), date(2026, 7, 22), date(2026, 12, 26)])
def test_an_ordinary_day_beside_a_holiday_is_no_holiday(day: date) -> None:
    assert day not in public_holidays(day.year)


def test_without_quiet_periods_the_national_day_alone_is_passed_over() -> None:
    days = reminder_days(
        in_brussels(date(2026, 7, 22), time(17)), in_brussels(date(2026, 7, 1), time(9)), DEFAULT
    )  # 21 July is a Tuesday; three days before the closing is Sunday 19 July
    assert days == [date(2026, 7, 15), date(2026, 7, 17), date(2026, 7, 20)]


def test_without_quiet_periods_christmas_day_alone_is_passed_over() -> None:
    days = reminder_days(
        in_brussels(date(2026, 12, 26), time(17)), in_brussels(date(2026, 12, 1), time(9)), DEFAULT
    )  # Christmas is a Friday: the day before the closing moves to Thursday
    assert days == [date(2026, 12, 18), date(2026, 12, 23), date(2026, 12, 24)]


def test_a_vote_that_closes_in_summer_reminds_once_on_the_last_day_before_it(rules: Charter) -> None:
    assert reminded(rules, date(2026, 7, 22), date(2026, 6, 8)) == [date(2026, 6, 30)]


def test_a_vote_that_closes_after_christmas_reminds_once_before_the_holidays(rules: Charter) -> None:
    assert reminded(rules, date(2026, 12, 30), date(2026, 12, 1)) == [date(2026, 12, 23)]


def test_reminders_move_out_of_the_christmas_holidays_over_new_year(rules: Charter) -> None:
    # 4, 8 and 10 January 2027: the last is a Sunday and moves to the Friday; the first comes after the holidays.
    assert reminded(rules, date(2027, 1, 11), date(2026, 12, 1)) == [date(2027, 1, 4), date(2027, 1, 8)]
    # Closing on Monday 4 January: all three lie in the holidays or the weekend after them.
    assert reminded(rules, date(2027, 1, 4), date(2026, 12, 1)) == [date(2026, 12, 23)]


def test_all_souls_day_is_quiet(rules: Charter) -> None:
    # Tuesday 3 November 2026: the day before is All Souls', before that a weekend with All Saints'.
    assert reminded(rules, date(2026, 11, 3), date(2026, 10, 12)) == [date(2026, 10, 27), date(2026, 10, 30)]


def test_two_reminders_on_one_day_are_one(rules: Charter) -> None:
    assert reminded(rules, date(2026, 11, 23), date(2026, 11, 2), (3, 2, 1)) == [date(2026, 11, 20)]
    assert reminded(rules, date(2026, 12, 4), date(2026, 11, 2), (1, 1)) == [date(2026, 12, 3)]


def test_no_reminder_comes_on_the_day_of_opening_or_before_it(rules: Charter) -> None:
    closing = date(2026, 12, 4)
    assert reminded(rules, closing, date(2026, 11, 26)) == [date(2026, 11, 27), date(2026, 12, 1), date(2026, 12, 3)]
    assert reminded(rules, closing, date(2026, 11, 27)) == [date(2026, 12, 1), date(2026, 12, 3)]
    assert reminded(rules, closing, date(2026, 12, 2)) == [date(2026, 12, 3)]
    assert reminded(rules, closing, date(2026, 12, 3)) == []
    assert reminded(rules, closing, closing) == []


def test_a_reminder_that_would_move_to_before_the_opening_is_dropped(rules: Charter) -> None:
    # Opened on Friday, closing on Monday: the day before closing moves back to the opening day itself.
    assert reminded(rules, date(2026, 11, 23), date(2026, 11, 20)) == []


def test_a_vote_without_reminders_has_none(rules: Charter) -> None:
    assert reminded(rules, date(2026, 12, 4), date(2026, 11, 16), ()) == []


def test_the_opening_day_is_the_one_in_brussels() -> None:
    # Half past eleven at night in UTC is already the next day in Brussels.
    opening = datetime(2026, 12, 1, 23, 30, tzinfo=UTC)
    closing = in_brussels(date(2026, 12, 4), time(17))
    assert brussels_day(opening) == date(2026, 12, 2)
    assert reminder_days(closing, opening, (2, 1)) == [date(2026, 12, 3)]


def test_where_no_working_day_is_left_the_day_itself_stands() -> None:
    everything: list[Period] = [(date(2020, 1, 1), date(2030, 12, 31))]
    assert working_day_on_or_before(date(2026, 12, 3), everything) == date(2026, 12, 3)


def test_a_period_holds_its_first_and_last_day() -> None:
    period: list[Period] = [(date(2026, 3, 2), date(2026, 3, 4))]
    found = [day for day in range(1, 8) if in_quiet_period(date(2026, 3, day), period)]
    assert found == [2, 3, 4]
    assert [day for day in range(2, 7) if working_day(date(2026, 3, day), period)] == [5, 6]


@pytest.mark.parametrize(
    ("day", "hour", "moment"),
    [
        # The night of 29 March 2026: two o'clock becomes three.
        (date(2026, 3, 28), time(17), datetime(2026, 3, 28, 16, tzinfo=UTC)),
        (date(2026, 3, 29), time(1, 59, 59), datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)),
        (date(2026, 3, 29), time(3), datetime(2026, 3, 29, 1, tzinfo=UTC)),
        (date(2026, 3, 29), time(17), datetime(2026, 3, 29, 15, tzinfo=UTC)),
        # The night of 25 October 2026: three o'clock becomes two.
        (date(2026, 10, 25), time(1, 59, 59), datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC)),
        (date(2026, 10, 25), time(2), datetime(2026, 10, 25, 0, tzinfo=UTC)),
        (date(2026, 10, 25), time(2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (date(2026, 10, 25), time(3), datetime(2026, 10, 25, 2, tzinfo=UTC)),
        (date(2026, 10, 25), time(17), datetime(2026, 10, 25, 16, tzinfo=UTC)),
        # A leap day, and the end of the year.
        (date(2028, 2, 29), time(17), datetime(2028, 2, 29, 16, tzinfo=UTC)),
        (date(2026, 12, 31), time(23, 59, 59), datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)),
        (date(2027, 1, 1), time(0), datetime(2026, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_a_closing_time_is_the_hour_on_the_clocks_of_brussels(day: date, hour: time, moment: datetime) -> None:
    found = in_brussels(day, hour)
    assert found == moment
    assert found.tzinfo is UTC
    assert found.astimezone(BRUSSELS).replace(tzinfo=None) == datetime.combine(day, hour)
    assert brussels_day(found) == day


@pytest.mark.parametrize("hour", [time(2), time(2, 30), time(2, 59, 59)])
def test_an_hour_that_the_clocks_skip_is_refused(hour: time) -> None:
    with pytest.raises(ValueError, match=r"^02:\d\d does not exist on 29-03-2026: the clocks go forward$"):
        in_brussels(date(2026, 3, 29), hour)


def test_a_vote_over_a_clock_change_is_an_hour_shorter_or_longer() -> None:
    spring = in_brussels(date(2026, 3, 30), time(9)) - in_brussels(date(2026, 3, 28), time(9))
    autumn = in_brussels(date(2026, 10, 26), time(9)) - in_brussels(date(2026, 10, 24), time(9))
    assert (spring, autumn) == (timedelta(hours=47), timedelta(hours=49))


def test_reminders_keep_their_days_over_both_clock_changes(rules: Charter) -> None:
    assert reminded(rules, date(2026, 4, 1), date(2026, 3, 9)) == [
        date(2026, 3, 25), date(2026, 3, 27), date(2026, 3, 31),
    ]  # fmt: skip
    assert reminded(rules, date(2026, 10, 28), date(2026, 10, 5)) == [
        date(2026, 10, 21), date(2026, 10, 23), date(2026, 10, 27),
    ]  # fmt: skip


def test_a_vote_that_closes_on_or_after_the_leap_day_counts_it(rules: Charter) -> None:
    assert reminded(rules, date(2028, 3, 1), date(2028, 2, 7)) == [
        date(2028, 2, 23), date(2028, 2, 25), date(2028, 2, 29),
    ]  # fmt: skip
    assert reminded(rules, date(2028, 2, 29), date(2028, 2, 7)) == [
        date(2028, 2, 22), date(2028, 2, 25), date(2028, 2, 28),
    ]  # fmt: skip


def test_a_vote_that_closes_on_new_years_eve_reminds_before_the_holidays(rules: Charter) -> None:
    assert reminded(rules, date(2026, 12, 31), date(2026, 12, 7)) == [date(2026, 12, 23)]


def test_the_charters_quiet_periods_come_back_every_year(rules: Charter) -> None:
    assert rules.quiet_on(date(2026, 6, 1), date(2028, 1, 1)) == [
        (date(2026, 7, 1), date(2026, 8, 31)),
        (date(2026, 7, 11), date(2026, 7, 11)),
        (date(2026, 11, 2), date(2026, 11, 2)),
        (date(2026, 12, 24), date(2027, 1, 2)),
        (date(2027, 7, 1), date(2027, 8, 31)),
        (date(2027, 7, 11), date(2027, 7, 11)),
        (date(2027, 11, 2), date(2027, 11, 2)),
        (date(2027, 12, 24), date(2028, 1, 2)),
    ]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 12, 23), []),
        (date(2026, 12, 24), [(date(2026, 12, 24), date(2027, 1, 2))]),
        (date(2026, 12, 31), [(date(2026, 12, 24), date(2027, 1, 2))]),
        (date(2027, 1, 1), [(date(2026, 12, 24), date(2027, 1, 2))]),
        (date(2027, 1, 2), [(date(2026, 12, 24), date(2027, 1, 2))]),
        (date(2027, 1, 3), []),
        (date(2028, 2, 29), []),
        (date(2027, 7, 11), [(date(2027, 7, 1), date(2027, 8, 31)), (date(2027, 7, 11), date(2027, 7, 11))]),
    ],
)
def test_a_quiet_period_over_new_year_is_found_from_either_side(
    rules: Charter, day: date, expected: list[Period]
) -> None:
    assert rules.quiet_on(day, day) == expected


@pytest.mark.parametrize(
    ("day", "nl", "en"),
    [
        (date(2027, 1, 2), "de kerstvakantie", "the Christmas holidays"),
        (date(2026, 7, 21), "de zomervakantie", "the summer holidays"),
        (date(2026, 11, 2), "Allerzielen", "All Souls' Day"),
        (date(2026, 11, 3), None, None),
    ],
)
def test_a_quiet_day_is_called_by_its_name(rules: Charter, day: date, nl: str | None, en: str | None) -> None:
    assert (rules.quiet_name(day, "nl"), rules.quiet_name(day, "en")) == (nl, en)
