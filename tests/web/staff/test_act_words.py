"""Every act that this program records has its words; a new one without fails here."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping

import pytest

from coopmail.config import ROOT
from coopmail.domain.audit import ERASED
from coopmail.web.staff.act_words import ACTS, act_in_words
from coopmail.wording import speaking
from tests.test_architecture import read_sources

_THIRD = 2
"""The place of the act among the arguments of `records.audit`."""


def recorded(module: str, source: str) -> Iterator[str]:
    """The acts that a module records; one that cannot be read from the source is `? MODULE:LINE`."""
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and _named(call.func) == "audit" and len(call.args) > _THIRD:
                yield from _acts(module, call.args[_THIRD], function)


def _named(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


def _acts(module: str, node: ast.expr, function: ast.FunctionDef) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (act for branch in (node.body, node.orelse) for act in _acts(module, branch, function))
    else:
        yield from _bound(module, node, function)


def _bound(module: str, node: ast.expr, function: ast.FunctionDef) -> Iterator[str]:
    """What a name stands for: given in the function, or a constant of a module."""
    given = [
        line.value
        for line in ast.walk(function)
        if isinstance(line, ast.Assign) and isinstance(node, ast.Name)
        and any(isinstance(target, ast.Name) and target.id == node.id for target in line.targets)
    ]  # fmt: skip
    if given:
        yield from (act for value in given for act in _acts(module, value, function))
        return
    found = _constant(module, ast.unparse(node))
    yield found if isinstance(found, str) else f"? {module}:{node.lineno}"


def _constant(module: str, name: str) -> object:
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def all_recorded(sources: Mapping[str, str]) -> set[str]:
    """Every act that the program records."""
    return {act for module, source in sources.items() for act in recorded(module, source)}


def test_every_act_that_is_recorded_has_its_words_and_none_has_words_for_nothing() -> None:
    acts = all_recorded(read_sources(ROOT / "coopmail"))
    assert sorted(acts - set(ACTS)) == []
    assert sorted(set(ACTS) - acts) == []
    assert len(acts) > 50


@pytest.mark.parametrize(
    ("source", "acts"),
    [
        ('def f():\n    audit(s, now, "a", STAFF, "x:1")', {"a"}),
        ('def f():\n    audit(s, now, "a" if b else "c", STAFF, "x:1")', {"a", "c"}),
        ('def f():\n    act = "a" if b else "c"\n    audit(s, now, act, STAFF, "x:1")', {"a", "c"}),
        ('def f():\n    audit(s, now, ERASED, STAFF, "x:1")', {ERASED}),
        ('def f(act):\n    audit(s, now, act, STAFF, "x:1")', {"? coopmail.actions.audit:2"}),
        ('def f():\n    audit(s, now, made(), STAFF, "x:1")', {"? coopmail.actions.audit:2"}),
    ],
)
def test_an_act_is_found_however_it_is_written_and_one_that_is_not_is_named(source: str, acts: set[str]) -> None:
    assert set(recorded("coopmail.actions.audit", source)) == acts


def test_an_act_is_called_by_its_words_in_both_languages_and_an_unknown_one_by_its_name() -> None:
    from flask import Flask
    from flask_babel import Babel

    app = Flask(__name__)
    Babel(app, default_translation_directories=str(ROOT / "translations"))  # type: ignore[no-untyped-call]
    with app.app_context():
        for language, words in (("nl", "stemronde geopend"), ("en", "poll opened")):
            with speaking(language):
                assert act_in_words("poll-opened") == words
                assert act_in_words("of-tomorrow") == "of-tomorrow"
