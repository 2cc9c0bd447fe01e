"""Poll files: the shipped ones are right, and each way of being wrong is named before anything is written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from coopmail.actions import polls
from coopmail.actions.poll_documents import MAX_ATTACHMENT
from coopmail.cli.demo import POLL_FILES, load_demonstration
from coopmail.cli.poll_file import build_poll, closing_time, read_poll_file
from coopmail.domain.base import Base
from coopmail.domain.counting import Majority, ShareOf, TieRule
from coopmail.domain.polls import Audience, CostSharing, Effect, Poll, PollState, Visibility
from coopmail.errors import PollFileError
from coopmail.parts import Parts
from coopmail.queries import polls as questions
from tests.builders import Cooperative
from tests.cli.poll_files import OPTIONS, poll_text

SHIPPED = sorted(POLL_FILES.glob("*.toml"))
ATTACHMENT = '\n[[attachments]]\nfile = "{}"\nname = "Nota"\n'


def draft(office: Parts, file: Path) -> Poll:
    """Read, build and write a draft, as `coopmail polls draft` does."""
    entry = read_poll_file(file)
    with office.db.transaction() as (session, now):
        poll = build_poll(session, entry, file.parent, office.charter.polls_on(date(2026, 11, 16)))
        return polls.draft_poll(session, now, poll)


def rows(office: Parts) -> dict[str, int]:
    """How many rows every table has."""
    with office.db.reading() as (session, _):
        return {
            table.name: session.scalars(sa.select(sa.func.count()).select_from(table)).one()
            for table in Base.metadata.sorted_tables
        }


def write(folder: Path, text: str | bytes) -> Path:
    """Write a poll file as it stands."""
    file = folder / "poll.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return file


def changed(find: str, put: str) -> str:
    """The options with one piece replaced."""
    assert find in OPTIONS
    return OPTIONS.replace(find, put, 1)


def test_the_demonstration_ships_at_least_two_polls() -> None:
    assert len(SHIPPED) >= 2


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_poll_is_drafted_and_opens_in_the_demonstration(app: Flask, office: Parts, file: Path) -> None:
    assert load_demonstration(office.db, app, seed=1)
    poll = draft(office, file)
    with office.db.transaction() as (session, now):
        opened = polls.open_poll(session, poll.id, now, office.basis)
        assert questions.turnout(session, opened.id).units > 0
    texts = ("title", "summary", "next_step")
    assert [name for name in texts if not getattr(poll, f"{name}_en") or not getattr(poll, f"{name}_nl")] == []
    assert [option.key for option in poll.options if not option.label_en] == []


def test_a_file_becomes_a_draft_with_everything_that_it_says(
    office: Parts, cooperative: Cooperative, tmp_path: Path
) -> None:
    (tmp_path / "nota.txt").write_bytes(b"Een nota.")
    text = poll_text(
        changed('label_nl = "Bij de leverancier blijven"',
                'label_nl = "Bij de leverancier blijven"\nlabel_en = "Stay"\nstatus_quo = true\ncost_yearly = true')
        + ATTACHMENT.format("nota.txt"),
        title_en='"Which way?"', minutes="5", visibility='"public"', method='"approval"', majority='"qualified"',
        share='"3/5"', share_of='"cast"', quorum='"1/4"', tie='"status_quo"', reminder_days="[5, 2]",
    )  # fmt: skip
    draft(office, write(tmp_path, text))
    with office.db.reading() as (session, _):
        poll = questions.by_slug(session, "krantenarchief")
        options = [
            (one.key, one.label_nl, one.label_en, one.abstain, one.status_quo, one.cost_cents, one.cost_yearly,
             one.cost_sharing)
            for one in poll.options
        ]  # fmt: skip
        attachments = [(one.name, one.media_type, one.size, one.content) for one in poll.attachments]
    assert (poll.state, poll.title_nl, poll.title_en, poll.minutes) == (
        PollState.DRAFT, "Welke weg gaat het Krantenarchief op?", "Which way?", 5,
    )  # fmt: skip
    assert (poll.effect, poll.visibility, poll.audience) == (
        Effect.BINDING, Visibility.PUBLIC, Audience.SERVICE_MEMBERS,
    )  # fmt: skip
    assert (poll.service_id, poll.group_id) == (cooperative.services["krantenarchief"].id, cooperative.group.id)
    assert (poll.method_name, poll.majority, poll.majority_share, poll.share_of, poll.quorum, poll.tie_rule) == (
        "approval", Majority.QUALIFIED, "3/5", ShareOf.CAST, "1/4", TieRule.STATUS_QUO,
    )  # fmt: skip
    assert (poll.closes_at, poll.reminder_days) == (datetime(2026, 12, 11, 16, tzinfo=UTC), [5, 2])
    assert options == [
        ("blijven", "Bij de leverancier blijven", "Stay", False, True, 4_800_000, True, CostSharing.POPULATION),
        ("overstappen", "Naar een open platform", "", False, False, None, False, CostSharing.NONE),
        ("onthouding", "Onthouding", "", True, False, None, False, CostSharing.NONE),
    ]
    assert attachments == [("Nota.txt", "text/plain", 9, b"Een nota.")]


def test_reminders_that_the_file_does_not_name_are_the_charter_s(
    office: Parts, cooperative: Cooperative, tmp_path: Path
) -> None:
    assert draft(office, write(tmp_path, poll_text())).reminder_days == [7, 3, 1]


def test_a_closing_time_is_of_brussels_unless_it_names_its_own_zone() -> None:
    assert closing_time(datetime(2026, 7, 1, 17)) == datetime(2026, 7, 1, 15, tzinfo=UTC)  # noqa: DTZ001
    assert closing_time(datetime(2026, 7, 1, 17, tzinfo=UTC)) == datetime(2026, 7, 1, 17, tzinfo=UTC)


WRONG: dict[str, tuple[str | bytes, str]] = {
    "two options of one key": (
        poll_text(changed('"overstappen"', '"blijven"')), "two options have the same `key`"),
    "one option": (
        poll_text('[[options]]\nkey = "a"\nlabel_nl = "A"\n'), "`$.options`"),
    "one option beside the abstention": (
        poll_text('[[options]]\nkey = "a"\nlabel_nl = "A"\n[[options]]\nkey = "b"\nlabel_nl = "B"\nabstain = true\n'),
        "at least two options beside the abstention"),
    "a key with a space": (
        poll_text(changed('"blijven"', '"bij hen"')), "`$.options[0].key`"),
    "a key that is too long": (
        poll_text(changed('"blijven"', f'"{"a" * 31}"')), "`$.options[0].key`"),
    "a label that no column holds": (
        poll_text(changed('label_nl = "Naar een open platform"',
                          f'label_nl = "Naar"\nlabel_en = "{"x" * 201}"')), "`$.options[1].label_en`"),
    "no service for its members": (
        poll_text(service=None), "`service` goes with audience"),
    "a service for another audience": (
        poll_text(audience='"all_members"'), "`service` goes with audience"),
    "an unknown service": (
        poll_text(service='"wifi"'), "no service called wifi. Known: krantenarchief, open-vlacc"),
    "an unknown group": (
        poll_text(group='"beleven"'), "no group called beleven. Known: digitale-collecties"),
    "an unknown audience": (
        poll_text(audience='"everybody"', service=None), "`$.audience`"),
    "an unknown method": (
        poll_text(method='"borda"'), "`method` is one of choice, approval"),
    "an unknown effect": (
        poll_text(effect='"final"'), "`$.effect`"),
    "an amount in words": (
        poll_text(changed('"48000.00"', '"veel"')), "option blijven: `cost_euro`"),
    "an amount with half a cent": (
        poll_text(changed('"48000.00"', '"48000.005"')), "option blijven: `cost_euro`"),
    "an amount below nothing": (
        poll_text(changed('"48000.00"', '"-1.00"')), "option blijven: `cost_euro`"),
    "an endless amount": (
        poll_text(changed('"48000.00"', '"Infinity"')), "option blijven: `cost_euro`"),
    "an amount that overflows": (
        poll_text(changed('"48000.00"', '"1E+999999"')), "option blijven: `cost_euro`"),
    "an amount as a number": (
        poll_text(changed('"48000.00"', "48000.00")), "`$.options[0].cost_euro`"),
    "a shared cost without an amount": (
        poll_text(changed('cost_euro = "48000.00"\n', "")), "option blijven: `cost_sharing` wants"),
    "a share above everything": (
        poll_text(share='"3/2"'), "`share` is a share"),
    "a share of nothing": (
        poll_text(share='"0/2"'), "`$.share`"),
    "a share as a decimal": (
        poll_text(share='"0.66"'), "`$.share`"),
    "a quorum above everything": (
        poll_text(quorum='"5/4"'), "`quorum` is a share"),
    "a tie for a status quo that no option is": (
        poll_text(tie='"status_quo"'), "exactly one option with status_quo"),
    "a tie for a status quo that two options are": (
        poll_text(changed("abstain = true", "abstain = true").replace("label_nl", "status_quo = true\nlabel_nl", 2),
                  tie='"status_quo"'), "exactly one option with status_quo"),
    "an abstention that is the status quo": (
        poll_text(changed("abstain = true", "abstain = true\nstatus_quo = true")),
        "option onthouding: an abstention cannot be the status quo"),
    "a closing time that the clocks skip": (
        poll_text(closes="2027-03-28T02:30:00"), "closes: 02:30 does not exist on 28-03-2027"),
    "a closing day without an hour": (
        poll_text(closes="2026-12-11"), "`$.closes`"),
    "a slug with capitals": (
        poll_text(slug='"Krantenarchief"'), "`$.slug`"),
    "a reminder on the day itself": (
        poll_text(reminder_days="[0]"), "`$.reminder_days[0]`"),
    "no title": (
        poll_text(title_nl=None), "`title_nl`"),
    "an empty summary": (
        poll_text(summary_nl='""'), "`$.summary_nl`"),
    "an unknown key": (
        poll_text(colour='"red"'), "`colour`"),
    "an unknown key of an option": (
        poll_text(changed("abstain = true", 'abstain = true\ncolour = "red"')), "`colour` - at `$.options[2]`"),
    "an attachment that is missing": (
        poll_text(OPTIONS + ATTACHMENT.format("weg.txt")), "attachments: there is no file 'weg.txt'"),
    "an attachment above the folder": (
        poll_text(OPTIONS + ATTACHMENT.format("../outside.txt")), "attachments: there is no file '../outside.txt'"),
    "an attachment by its whole path": (
        poll_text(OPTIONS + ATTACHMENT.format("/etc/hostname")), "attachments: there is no file '/etc/hostname'"),
    "an attachment that is the folder": (
        poll_text(OPTIONS + ATTACHMENT.format("..")), "attachments: there is no file '..'"),
    "an attachment that a browser would run": (
        poll_text(OPTIONS + ATTACHMENT.format("page.html")), "attachments: 'page.html' is no PDF"),
    "an attachment that is packed": (
        poll_text(OPTIONS + ATTACHMENT.format("nota.pdf.gz")), "attachments: 'nota.pdf.gz' is no PDF"),
    "an attachment of no known type": (
        poll_text(OPTIONS + ATTACHMENT.format("nota")), "attachments: 'nota' is no PDF"),
    "an attachment that is too large": (
        poll_text(OPTIONS + ATTACHMENT.format("large.pdf")), "attachments: 'large.pdf' is larger than 10 MB"),
    "an attachment whose name no column holds": (
        poll_text(OPTIONS + ATTACHMENT.format("nota.txt").replace('"Nota"', f'"{"n" * 121}"')),
        "`$.attachments[0].name`"),
    "no TOML": (
        poll_text(title_nl='"open'), "poll.toml: Illegal character '\\n' (at line 2, column "),
    "no UTF-8": (
        b'slug = "caf\xe9"\n', "poll.toml: 'utf-8' codec"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "place"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_refused_by_its_place_and_writes_nothing(
    office: Parts, cooperative: Cooperative, tmp_path: Path, text: str | bytes, place: str
) -> None:
    folder = tmp_path / "polls"
    folder.mkdir()
    for name in ("page.html", "nota.pdf.gz", "nota", "nota.txt", "../outside.txt"):
        (folder / name).write_bytes(b"x")
    with (folder / "large.pdf").open("wb") as large:
        large.truncate(MAX_ATTACHMENT + 1)
    before = rows(office)
    with pytest.raises(PollFileError) as error:
        draft(office, write(folder, text))
    assert place in str(error.value)
    assert "\n" not in str(error.value)
    assert rows(office) == before


def test_an_attachment_of_exactly_the_largest_size_is_taken(
    office: Parts, cooperative: Cooperative, tmp_path: Path
) -> None:
    with (tmp_path / "large.pdf").open("wb") as large:
        large.truncate(MAX_ATTACHMENT)
    file = write(tmp_path, poll_text(OPTIONS + ATTACHMENT.format("large.pdf")))
    assert [attachment.size for attachment in draft(office, file).attachments] == [MAX_ATTACHMENT]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PollFileError, match=r"weg\.toml: .*No such file"):
        read_poll_file(tmp_path / "weg.toml")
