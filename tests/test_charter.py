"""The charter: the shipped one says what the cooperative decided, and a broken one is refused by its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from coopmail.charter import Charter, PollRules, in_force, load
from coopmail.config import Settings
from coopmail.errors import CharterError

SHIPPED = Settings(secret_keys={}).charter
TEXT = SHIPPED.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def charter() -> Charter:
    """The charter that is shipped."""
    return load(SHIPPED)


def broken(folder: Path, find: str, put: str) -> Path:
    """The shipped charter with one piece replaced."""
    assert find in TEXT
    file = folder / "ours.toml"
    file.write_text(TEXT.replace(find, put, 1), encoding="utf-8")
    return file


def rules(identifier: str, since: date, **changes: int) -> PollRules:
    """An entry of `poll_rules`."""
    values = {"least_duration_days": 14, "reminder_hour": 9, "reminder_grace_days": 2, "closing_grace_days": 3,
              "link_days_after_closing": 400, "new_links_a_day": 3} | changes  # fmt: skip
    return PollRules(id=identifier, since=since, reminder_days=[7], **values)


def test_there_are_four_steering_groups_with_their_services(charter: Charter) -> None:
    steered = {
        group.name: sorted(service.name for service in charter.services if service.steering_group == group.slug)
        for group in charter.groups
        if group.kind == "steering_group"
    }
    assert steered == {
        "Stuurgroep Basisinfrastructuur Digitale Bibliotheek": [
            "Bibliotheeksysteem", "Bibliotheekwebsites", "Open Vlacc",
        ],
        "Stuurgroep Digitale Collecties": ["Fundels", "Krantenarchief"],
        "Stuurgroep Beleven": ["Arcadegames", "Bibster"],
        "Stuurgroep Inspireren": ["Bieblo", "Mijn Leestipper"],
    }  # fmt: skip


def test_each_working_group_prepares_for_the_steering_group_of_its_service(charter: Charter) -> None:
    parents = {group.name: group.parent for group in charter.groups if group.kind == "working_group"}
    assert parents == {
        "Werkgroep Open Vlacc": "basisinfrastructuur",
        "Werkgroep Bibliotheekwebsites": "basisinfrastructuur",
        "Werkgroep Bibliotheeksysteem": "basisinfrastructuur",
    }


def test_a_service_that_is_being_prepared_has_a_stakeholder_group_and_no_steering_group(charter: Charter) -> None:
    assert [service.name for service in charter.services if service.steering_group is None] == ["Voor de Show"]
    assert [group.name for group in charter.groups if group.kind == "stakeholder_group"] == [
        "Stakeholdergroep Voor de Show"
    ]


def test_the_bodies_of_the_cooperative_are_there_once_each(charter: Charter) -> None:
    bodies = ("board", "general_assembly", "finance_committee", "management")
    assert [group.name for kind in bodies for group in charter.groups if group.kind == kind] == [
        "Raad van Bestuur", "Algemene Vergadering", "Financieel comité", "Directie",
    ]  # fmt: skip


def test_commitments_go_before_whom_the_thresholds_name(charter: Charter) -> None:
    (thresholds,) = charter.thresholds
    assert [(step.above_euro, step.confirmed_by, step.rules) for step in thresholds.steps] == [
        (50_000, ["directie"], {"directie": "any"}),
        (85_000, ["financieel-comite", "raad-van-bestuur"],
         {"financieel-comite": "majority", "raad-van-bestuur": "any"}),
        (209_000, ["raad-van-bestuur"], {"raad-van-bestuur": "unanimous_written"}),
    ]  # fmt: skip


def test_seats_in_a_steering_group_are_taken_for_two_years(charter: Charter) -> None:
    (terms,) = charter.terms
    assert (terms.years, terms.late_ratification) == ({"steering_group": 2}, "old_group_holds_over")


def test_an_organisation_has_one_seat_a_group_and_those_by_office_have_no_vote(charter: Charter) -> None:
    (found,) = charter.seat_rules
    assert found.seats_an_organisation_a_group == 1
    assert found.roles_without_vote == ["chair", "deputy_chair", "product_manager", "observer", "expert"]


def test_motivations_go_after_six_months_and_addresses_after_twelve(charter: Charter) -> None:
    (found,) = charter.retention
    assert (found.motivations_after_result, found.addresses_and_user_agents) == (6, 12)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2026, 6, 30), None),
        (date(2026, 7, 1), "the summer holidays"),
        (date(2026, 7, 11), "the summer holidays"),
        (date(2026, 8, 31), "the summer holidays"),
        (date(2026, 9, 1), None),
        (date(2026, 11, 1), None),
        (date(2026, 11, 2), "All Souls' Day"),
        (date(2026, 11, 3), None),
        (date(2026, 12, 23), None),
        (date(2026, 12, 24), "the Christmas holidays"),
        (date(2027, 1, 2), "the Christmas holidays"),
        (date(2027, 1, 3), None),
    ],
)
def test_the_field_is_not_asked_on_the_quiet_days(charter: Charter, day: date, name: str | None) -> None:
    assert charter.quiet_name(day, "en") == name


def test_the_quiet_days_have_a_dutch_name_too(charter: Charter) -> None:
    assert charter.quiet_name(date(2026, 11, 2), "nl") == "Allerzielen"


def test_the_quiet_days_between_two_days_are_found_also_over_new_year(charter: Charter) -> None:
    assert charter.quiet_on(date(2026, 7, 11), date(2027, 1, 1)) == [
        (date(2026, 7, 1), date(2026, 8, 31)),
        (date(2026, 7, 11), date(2026, 7, 11)),
        (date(2026, 11, 2), date(2026, 11, 2)),
        (date(2026, 12, 24), date(2027, 1, 2)),
    ]
    assert charter.quiet_on(date(2026, 9, 1), date(2026, 11, 1)) == []


def test_a_quiet_period_may_be_of_one_year_only(tmp_path: Path) -> None:
    once = load(broken(tmp_path, 'first = "11-02"\nlast = "11-02"', 'first = "2026-10-05"\nlast = "2026-10-09"'))
    days = [date(2026, 10, 4), date(2026, 10, 5), date(2026, 10, 9), date(2026, 10, 10), date(2027, 10, 5)]
    assert [once.quiet_name(day, "nl") for day in days] == [None, "Allerzielen", "Allerzielen", None, None]


def test_the_entry_in_force_is_the_last_one_whose_day_has_come() -> None:
    first, second = rules("first", date(2018, 12, 13)), rules("second", date(2026, 1, 1))
    days = [date(2018, 12, 12), date(2018, 12, 13), date(2025, 12, 31), date(2026, 1, 1), date(2030, 1, 1)]
    assert [in_force([first, second], day) for day in days] == [first, first, first, second, second]


def test_polls_go_by_the_rules_of_their_day(tmp_path: Path) -> None:
    entry = TEXT[TEXT.index("[[poll_rules]]") : TEXT.index("[[quiet_periods]]")]
    later = entry.replace("polls-2018", "polls-2027").replace("2018-12-13", "2027-01-01").replace("= 14", "= 21")
    found = load(broken(tmp_path, entry, entry + later))
    assert [found.polls_on(day).least_duration_days for day in (date(2026, 12, 31), date(2027, 1, 1))] == [14, 21]


TERMS = '[[terms]]\nid = "terms-2018"\nsince = 2018-12-13\nyears = { steering_group = 2 }\n'
AGAIN = '{0}late_ratification = "old_group_holds_over"\n\n{0}'
BROKEN: dict[str, tuple[str, str, str]] = {
    "an unknown key": ("least_duration_days", "shortest_duration_days", "`shortest_duration_days`"),
    "an unknown key of a group": ('parent = "raad', 'father = "raad', "`father` - at `$.groups[2]`"),
    "an entry that is missing": ("reminder_hour = 9\n", "", "`reminder_hour` - at `$.poll_rules[0]`"),
    "a table that is missing": ("[[retention]]", "[[retentions]]", "`retentions`"),
    "a person without a telephone": ('telephone = "02 000 00 00"', "", "`$.cooperative.community_manager`"),
    "a number in words": ("reminder_hour = 9", 'reminder_hour = "nine"', "`$.poll_rules[0].reminder_hour`"),
    "an hour at night": ("reminder_hour = 9", "reminder_hour = 22", "`$.poll_rules[0].reminder_hour`"),
    "a term of no years": ("steering_group = 2", "steering_group = 0", "`$.terms[0].years[...]`"),
    "a term of an unknown kind of group": ("{ steering_group = 2", "{ choir = 2", "`key` in `$.terms[0].years`"),
    "a day as a text": ("since = 2018-12-13", 'since = "soon"', "`$.poll_rules[0].since`"),
    "an unknown kind of group": ('kind = "board"', 'kind = "council"', "`$.groups[0].kind`"),
    "an unknown rule": ('{ directie = "any" }', '{ directie = "some" }', "`$.thresholds[0].steps[0].rules[...]`"),
    "a threshold of nothing": ("above_euro = 50_000", "above_euro = 0", "`$.thresholds[0].steps[0].above_euro`"),
    "nobody to confirm": ('confirmed_by = ["directie"]', "confirmed_by = []",
                          "`$.thresholds[0].steps[0].confirmed_by`"),
    "a slug with capitals": ('slug = "beleven"', 'slug = "Beleven"', "`$.groups[6].slug`"),
    "a group twice": ('slug = "beleven"', 'slug = "inspireren"', "groups has a `slug` twice"),
    "a service twice": ('slug = "fundels"', 'slug = "bieblo"', "services has a `slug` twice"),
    "an unknown parent": ('parent = "raad-van-bestuur"', 'parent = "de-raad"', "no group is called 'de-raad'"),
    "an unknown steering group": ('steering_group = "beleven"', 'steering_group = "spelen"',
                                  "no group is called 'spelen'"),
    "an unknown group to confirm": ('confirmed_by = ["directie"]', 'confirmed_by = ["de-directie"]',
                                    "no group is called 'de-directie'"),
    "a rule for an unknown group": ("{ directie =", "{ bestuur =", "no group is called 'bestuur'"),
    "entries that are not in order": (
        TERMS, AGAIN.format(TERMS).replace("terms-2018", "terms-2026", 1).replace("2018-12-13", "2026-01-01", 1),
        "terms wants at least one entry, in the order of `since`, a day once"),
    "two entries of one day": (
        TERMS, AGAIN.format(TERMS).replace("terms-2018", "terms-2017", 1),
        "terms wants at least one entry, in the order of `since`, a day once"),
    "two entries of one name": (
        TERMS, AGAIN.format(TERMS).replace("2018-12-13", "2017-12-13", 1), "terms has an `id` twice"),
    "a quiet period that is reversed": (
        'first = "07-11"\nlast = "07-11"', 'first = "2026-07-12"\nlast = "2026-07-11"',
        "the quiet period \"the Flemish Community's day\": it ends before it begins"),
    "a quiet period of over a year": (
        'first = "07-11"\nlast = "07-11"', 'first = "2026-07-11"\nlast = "2028-07-11"', "or lasts over a year"),
    "a quiet day that does not exist": ('first = "11-02"', 'first = "11-31"',
                                     "the quiet period \"All Souls' Day\": day is out of range for month"),
    "a quiet day of leap years only": ('last = "11-02"', 'last = "02-29"', "the quiet period \"All Souls' Day\": day"),
    "a quiet day in words": ('first = "11-02"', 'first = "Allerzielen"',
                             "the quiet period \"All Souls' Day\": Invalid"),
    "no TOML": ("[[groups]]", "[[groups]", "(at line 18, column 9)"),
}  # fmt: skip


@pytest.mark.parametrize(("find", "put", "place"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_charter_is_refused_by_its_file_and_its_place(tmp_path: Path, find: str, put: str, place: str) -> None:
    with pytest.raises(CharterError) as error:
        load(broken(tmp_path, find, put))
    assert str(error.value).startswith("The charter ours.toml cannot be used: ")
    assert place in str(error.value)


def test_a_dated_list_without_entries_is_refused(tmp_path: Path) -> None:
    entry = TEXT[TEXT.index("[[retention]]") :]
    without = broken(tmp_path, entry, "")
    without.write_text("retention = []\n" + without.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(CharterError, match=r"ours\.toml cannot be used: retention wants at least one entry"):
        load(without)


def test_a_charter_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CharterError, match=r"^The charter weg\.toml cannot be used: .*No such file or directory"):
        load(tmp_path / "weg.toml")


def test_a_charter_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(CharterError, match=r"^The charter ours\.toml cannot be used: 'utf-8' codec"):
        load(tmp_path / "ours.toml")
