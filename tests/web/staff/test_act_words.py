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
    for function in _functions(tree):
        for act in (*_given(function, "audit", _THIRD), *_in_rows(function)):
            yield from _acts(module, tree, function, act)


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _given(function: ast.FunctionDef, called: str, place: int) -> list[ast.expr]:
    """What a function hands to another at a place among its arguments."""
    return [
        call.args[place]
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == called
        and len(call.args) > place
    ]  # fmt: skip


def _in_rows(function: ast.FunctionDef) -> list[ast.expr]:
    """The acts of rows that a function writes many at a time."""
    return [
        value
        for row in ast.walk(function)
        if isinstance(row, ast.Dict)
        for key, value in zip(row.keys, row.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "act"
    ]


def _acts(module: str, tree: ast.Module, function: ast.FunctionDef, node: ast.expr) -> Iterator[str]:
    """The acts that an expression may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
        return
    parameters = [argument.arg for argument in function.args.args]
    meant: list[tuple[ast.FunctionDef, ast.expr]] = []
    if isinstance(node, ast.IfExp):
        meant = [(function, node.body), (function, node.orelse)]
    elif isinstance(node, ast.Name) and node.id in parameters:
        place = parameters.index(node.id)
        meant = [(other, act) for other in _functions(tree) for act in _given(other, function.name, place)]
    elif isinstance(node, ast.Call):
        meant = _returned(tree, ast.unparse(node.func))
    elif isinstance(node, ast.Name):
        meant = [(function, value) for value in _assigned(function, node.id)]
    if not meant:
        found = _constant(module, ast.unparse(node))
        yield found if isinstance(found, str) else f"? {module}:{node.lineno}"
    for other, act in meant:
        yield from _acts(module, tree, other, act)


def _returned(tree: ast.Module, name: str) -> list[tuple[ast.FunctionDef, ast.expr]]:
    return [
        (function, line.value)
        for function in _functions(tree)
        if function.name == name
        for line in ast.walk(function)
        if isinstance(line, ast.Return) and line.value is not None
    ]


def _assigned(function: ast.FunctionDef, name: str) -> list[ast.expr]:
    return [
        line.value
        for line in ast.walk(function)
        if isinstance(line, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in line.targets)
    ]


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
        ('def f():\n    return [{"at": now, "act": "a"} for _ in b]', {"a"}),
        ('def f(n, act):\n    audit(s, n, act, STAFF, "x")\ndef g():\n    f(now, "a")\n    f(now, "b")', {"a", "b"}),
        ('def f():\n    audit(s, now, g(), STAFF, "x")\ndef g():\n    return "a" if b else "c"', {"a", "c"}),
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
