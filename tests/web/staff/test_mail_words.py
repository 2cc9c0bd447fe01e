"""Whatever can become of a mail has its words, in both languages."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
from flask import Flask

from coopmail import wording
from coopmail.actions import outbox
from coopmail.domain.outbox import MailState
from coopmail.mail import delivery, letters
from coopmail.queries.mails import RetryFault, Why
from coopmail.web.staff import mail_words as words


def calls(module: ModuleType, *names: str) -> Iterator[ast.Call]:
    """The calls of these functions in a module's source."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield node


def said(node: ast.AST) -> str | None:
    """A text as it stands in the source, with a word for each of its values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "closed" for part in node.values)
    return None


def reasons() -> set[str]:
    """Every reason that the code can store."""
    found = {said(call.args[1]) for call in calls(letters, "Unwanted")}
    found |= {said(call.args[2]) for call in calls(delivery, "Result") if len(call.args) > 2}
    found |= {said(keyword.value) for call in calls(outbox, "values") for keyword in call.keywords
              if keyword.arg == "reply"}  # fmt: skip
    return {text for text in found if text} | {outbox.TAKEN_BACK}


def events() -> set[str]:
    """Every event that the code can note."""
    found = {said(call.args[1]) for call in calls(delivery, "Result", "_again_later")}
    found |= {said(keyword.value) for call in calls(outbox, "MailEvent") for keyword in call.keywords
              if keyword.arg == "event"}  # fmt: skip
    unwanted = {MailState.SUPPRESSED, MailState.CANCELLED, MailState.FAILED, MailState.EXPIRED}
    return {text for text in found if text} | {state.value for state in unwanted} | {"retried"}


def test_every_reason_for_which_a_mail_is_not_sent_has_its_words(app: Flask) -> None:
    found = reasons()
    assert {"the contact left", "its campaign was cancelled", "its lease had ended"} <= found
    assert [text for text in sorted(found) if not words.is_ours(text)] == []
    with app.test_request_context():
        for text in found:
            with wording.speaking("en"):
                english = words.reason(text)
            with wording.speaking("nl"):
                dutch = words.reason(text)
            assert english != dutch, text
            assert "%(" not in english + dutch


def test_every_event_and_every_letter_has_its_words() -> None:
    assert {"sent", "deferred", "interrupted", "not-rendered", "taken-back"} <= events()
    assert set(words.EVENTS) == events()
    assert set(words.TEMPLATES) == set(letters.LETTERS)
    assert (set(words.WHY), set(words.SIGNS), set(words.RETRY_FAULTS)) == (set(Why), set(Why), set(RetryFault))


@pytest.mark.parametrize(
    ("stored", "dutch"),
    [
        ("the poll is withdrawn or past its closing time", "De stemronde neemt geen antwoorden meer aan."),
        ("no time is left for another try: 451 try later",
         "Er was geen tijd meer voor een nieuwe poging, na: 451 try later"),
        ("550 5.1.1 no such user", "550 5.1.1 no such user"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_reason_that_holds_a_value_says_it_and_what_a_mail_server_said_stays_as_it_is(
    app: Flask, stored: str, dutch: str
) -> None:
    with app.test_request_context(), wording.speaking("nl"):
        assert words.reason(stored) == dutch


@pytest.mark.parametrize(
    ("campaign", "dutch"),
    [
        ("reminder:2026-11-27", "Herinnering: vrijdag 27 november 2026"),
        ("reminder:soon", "reminder:soon"),
        ("sign-in", "Codes om aan te melden"),
        ("poll:99:invitation", "poll:99:invitation"),
    ],
)
def test_a_campaign_is_called_by_what_it_is_about(app: Flask, campaign: str, dutch: str) -> None:
    with app.test_request_context(), wording.speaking("nl"):
        assert words.campaign(campaign, None) == dutch
