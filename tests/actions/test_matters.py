"""What waits for staff: every kind has its words in both languages, is ticked off by a name, and can be put back."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from coopmail import wording
from coopmail.actions import matters as acts
from coopmail.actions.records import raise_matter
from coopmail.config import ROOT
from coopmail.domain.audit import AuditRow, Matter
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Poll, VotingUnit
from coopmail.domain.staff import StaffMember
from coopmail.parts import Parts
from coopmail.queries import matters
from tests.builders import build_staff

RAISERS = {"raise_matter": 2, "_tell": 1}
"""What puts something before staff, and which of its arguments is the key."""


def key_of(node: ast.expr) -> str:
    """What stands before the first colon of a key as it is written down; empty where it is a name."""
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    return str(node.value).partition(":")[0] if isinstance(node, ast.Constant) else ""


def raised(source: str) -> Iterator[str]:
    """The kinds of matters that a module raises."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISERS:
            place = RAISERS[node.func.id]
            yield from filter(None, [key_of(argument) for argument in node.args[place : place + 1]])
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "key":
            found = node.value.left if isinstance(node.value, ast.BinOp) else node.value
            if isinstance(found, ast.Call) and found.args:  # sa.literal("unit:") + …
                found = found.args[0]
            kind = key_of(found)
            yield from [kind] if kind and "raise_matter" in source else []


def test_every_kind_of_matter_that_is_raised_has_its_words() -> None:
    kinds = {kind for file in (ROOT / "coopmail").rglob("*.py") for kind in raised(file.read_text(encoding="utf-8"))}
    assert kinds >= {"unit", "mail", "announce", "reminder", "close", "cancelled", "contested", "relay-down"}
    assert kinds - set(wording.MATTERS) == set()


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ('raise_matter(session, now, f"mail:{mail.id}", "Lost")', ["mail"]),
        ('raise_matter(session, now, "poll-keys", "Lost")', ["poll-keys"]),
        ('raise_matter\nkey = sa.literal("unit:") + sa.cast(x, y)', ["unit"]),
        ('raise_matter\nkey = f"reminder:{day}"', ["reminder"]),
        ("raise_matter(session, now, key, text)", []),
    ],
)
def test_the_search_for_kinds_sees_what_it_should(source: str, kinds: list[str]) -> None:
    assert list(raised(source)) == kinds


@pytest.fixture
def raise_all(office: Parts, poll: Poll) -> list[int]:
    """One matter of each kind, as they are raised; their ids."""
    detail = {"days": 9, "day": "2026-11-27", "error": "No key.", "folder": "/keys", "campaign": "reminder",
              "reason": "550 no", "mails": 3, "by": "Jan Maes",
              "name": "Els Peeters", "successor": "An Wouters"}  # fmt: skip
    with office.db.transaction() as (session, now):
        session.execute(sa.delete(Matter))
        unit = session.scalars(sa.select(VotingUnit).order_by(VotingUnit.name)).first()
        mail = session.scalars(sa.select(Mail).order_by(Mail.id)).first()
        assert unit is not None
        assert mail is not None
        mail.state, mail.reply = MailState.BOUNCED, "550 unknown"
        for kind in wording.MATTERS:
            about = {"mail_id": mail.id} if kind == "mail" else detail | {"unit_id": unit.id}
            raise_matter(session, now(), f"{kind}:1", f"English of {kind}", poll_id=poll.id, **about)
        return list(session.scalars(sa.select(Matter.id).order_by(Matter.id)))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("nl", {
            "unit": "Voor Bibliotheek Aartselaar is niemand bereikbaar in de stemronde “Welke weg gaat het"
                    " Krantenarchief op?”.",
            "reminder": "De herinnering van vrijdag 27 november 2026 voor “Welke weg gaat het Krantenarchief op?” is"
                        " niet verstuurd: de taken liepen niet op tijd.",
            "contested": "Jan Maes betwist de stem die we noteerden voor Bibliotheek Aartselaar in “Welke weg gaat het"
                         " Krantenarchief op?”: 550 no",
        }),
        ("en", {
            "unit": "Nobody can be reached for Bibliotheek Aartselaar in the vote “Which way for the Krantenarchief?”.",
            "reminder": "The reminder of Friday 27 November 2026 for “Which way for the Krantenarchief?” was not sent:"
                        " the jobs did not run in time.",
            "contested": "Jan Maes contests the vote that we recorded for Bibliotheek Aartselaar in “Which way for the"
                         " Krantenarchief?”: 550 no",
        }),
    ],
)  # fmt: skip
def test_every_matter_is_said_in_the_language_of_who_looks(
    app: Flask, office: Parts, raise_all: list[int], language: str, said: dict[str, str]
) -> None:
    with office.db.reading() as (session, _):
        found = matters.whole(session, raise_all)
    with app.app_context(), wording.speaking(language):
        words = {matter.key.partition(":")[0]: wording.matter(matter) for matter in found}
    assert {kind: words[kind] for kind in said} == said
    assert [kind for kind, text in words.items() if text.startswith("English of") or "%(" in text] == []
    assert "550 unknown" in words["mail"]


def test_a_matter_of_another_time_says_the_english_that_it_was_raised_with(app: Flask, office: Parts) -> None:
    with office.db.transaction() as (session, now):
        raise_matter(session, now(), "unit:77", "Nobody can be reached for Bibliotheek Mol in poll oud.")
        raise_matter(session, now(), "something-new:1", "Something happened.")
        ids = list(session.scalars(sa.select(Matter.id).order_by(Matter.id)))
    with office.db.reading() as (session, _):
        found = matters.whole(session, ids)
    with app.app_context(), wording.speaking("nl"):
        assert [wording.matter(matter) for matter in found] == [
            "Nobody can be reached for Bibliotheek Mol in poll oud.", "Something happened.",
        ]  # fmt: skip


def test_matters_are_ticked_off_by_a_name_and_put_back_and_contested_votes_are_not(
    office: Parts, raise_all: list[int]
) -> None:
    with office.db.transaction() as (session, now):
        klaar: StaffMember = build_staff(session, now(), "Klaar Leroy")
    with office.db.transaction() as (session, now):
        assert acts.settle(session, now, [*raise_all, 999_999], actor=klaar.actor) == len(raise_all) - 1
        assert acts.settle(session, now, raise_all, actor=klaar.actor) == 0
    with office.db.reading() as (session, now):
        (left,) = matters.waiting(session, contested=True, limit=10)
        assert left.key == "contested:1"
        assert matters.count_waiting(session) == 0
        assert {matter.settled_by_id for matter in matters.settled_since(session, now(), 99)} == {klaar.id}
    with office.db.transaction() as (session, now):
        assert [acts.reopen(session, now, raise_all[0], actor=klaar.actor) for _ in range(2)] == [True, False]
        assert not acts.reopen(session, now, left.id, actor=klaar.actor)
    with office.db.reading() as (session, _):
        assert matters.count_waiting(session) == 1
        rows = session.scalars(sa.select(AuditRow).where(AuditRow.subject == f"matter:{raise_all[0]}"))
        assert [(row.act, row.actor, row.detail) for row in rows] == [
            ("matter-settled", klaar.actor, {"key": "unit:1"}), ("matter-reopened", klaar.actor, {"key": "unit:1"}),
        ]  # fmt: skip
