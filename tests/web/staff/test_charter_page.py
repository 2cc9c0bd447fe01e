"""The charter as staff read it: what holds, what will and what did, and the file that it is in."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from flask import Flask

from coopmail import create_app
from coopmail.config import Settings
from coopmail.parts import parts
from coopmail.web.public import limiter
from tests.conftest import FrozenClock
from tests.console import Console

MORE = """
[[poll_rules]]
id = "polls-2027"
since = 2027-01-01
least_duration_days = 21
reminder_days = []
reminder_hour = 10
reminder_grace_days = 0
closing_grace_days = 1
link_days_after_closing = 30
new_links_a_day = 1
"""
ONCE = """
[[quiet_periods]]
name_nl = "de verhuizing"
name_en = "the move"
first = "2026-12-07"
last = "2026-12-11"
"""


@pytest.fixture
def file(tmp_path: Path, settings: Settings) -> Path:
    """The charter in a folder of its own, with rules for polls that are yet to come."""
    copy = tmp_path / "secret-folder" / "handvest.toml"
    copy.parent.mkdir()
    shutil.copy(settings.charter, copy)
    text = copy.read_text(encoding="utf-8")
    copy.write_text(text.replace('\n[[quiet_periods]]\nname_nl = "de zomer', f'{MORE}{ONCE}\n[[quiet_periods]]\n'
                                 'name_nl = "de zomer', 1), encoding="utf-8")  # fmt: skip
    moment = datetime(2026, 11, 2, 8, 30, tzinfo=UTC).timestamp()
    os.utime(copy, (moment, moment))
    return copy


@pytest.fixture
def app(settings: Settings, clock: FrozenClock, file: Path) -> Iterator[Flask]:
    """The application that goes by that charter."""
    found = create_app(replace(settings, charter=file), system_clock=clock)
    found.testing = True
    limiter.reset()
    yield found
    parts(found).db.close()


def test_the_charter_says_in_words_what_holds_and_what_will(console: Console) -> None:
    page = unescape(console.get("/staff/charter"))
    for sentence in (
        "Van kracht sinds donderdag 13 december 2018", "minstens 14 dagen",
        "7, 3 en 1 dagen voor het sluiten, om 9 uur", "als de stemronde hoogstens 3 dagen te laat sloot",
        "Boven €\N{NO-BREAK SPACE}85.000,00 excl. btw",
        "Financieel comité (een meerderheid bevestigt); Raad van Bestuur (één van hen bevestigt)",
        "Raad van Bestuur (allen schriftelijk, of anders in een vergadering)", "<dt>Stuurgroepen</dt><dd>2 jaar</dd>",
        "voorzitter, plaatsvervangend voorzitter, productmanager, waarnemer en expert", "alle provincies (5)",
        "6 maanden na het resultaat", "elk jaar van 1 juli tot en met 31 augustus", "elk jaar op 11 juli",
        "van 7 december 2026 tot en met 11 december 2026", "Vanaf vrijdag 1 januari 2027",
    ):  # fmt: skip
        assert sentence in page
    assert page.index("minstens 14 dagen") < page.index("minstens 21 dagen")
    english = unescape(console.get("/staff/charter", language="en"))
    assert "every year from 1 July up to and including 31 August" in english
    assert "7, 3, and 1 days before closing, at 9 o'clock" in english


def test_when_its_day_has_come_the_new_entry_holds_and_the_old_one_is_of_before(
    console: Console, clock: FrozenClock, app: Flask
) -> None:
    clock.move_to(datetime(2027, 1, 1, 12, tzinfo=UTC))
    page = unescape(Console.of(app, parts(app), console.person).get("/staff/charter"))
    assert "Van kracht sinds vrijdag 1 januari 2027" in page
    assert "Vanaf donderdag 13 december 2018, intussen vervangen" in page
    assert page.index("minstens 21 dagen") < page.index("minstens 14 dagen")


def test_the_file_is_named_without_its_folder_and_with_its_day(console: Console) -> None:
    page = console.get("/staff/charter")
    assert "<dt>Bestand</dt><dd>handvest.toml</dd>" in page
    assert re.search(r"<dt>Laatst gewijzigd</dt><dd><time[^>]*>maandag 2 november 2026 om 09\.30 uur</time>", page)
    assert "secret-folder" not in page
    assert "Het bestand is gewijzigd" not in page


def test_a_file_that_was_changed_since_the_start_or_that_cannot_be_used_is_said(console: Console, file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("least_duration_days = 14", "least_duration_days = 15"), encoding="utf-8")
    page = console.get("/staff/charter")
    assert "Het bestand is gewijzigd sinds dit programma startte" in page
    assert "minstens 14 dagen" in page
    for broken in ("least_duration_days = veel", None):
        file.write_text(text + broken, encoding="utf-8") if broken else file.unlink()
        page = console.get("/staff/charter")
        assert "Het bestand zoals het nu is, kan niet gebruikt worden" in page
        assert "minstens 14 dagen" in page
