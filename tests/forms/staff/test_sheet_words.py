"""Every reason for which a cell, a row or a file is refused has its words, with all its values filled in."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from flask import Flask

from coopmail import domain, wording
from coopmail.documents.tables import REASONS
from coopmail.domain.organisation_sheet import Fault, SheetRefused
from coopmail.forms.staff import sheet_words

_FOLDER = Path(str(domain.__file__)).parent
_FILES = ("cells", "organisation_sheet", "organisation_comparison", "organisation_periods")
_PLACE = {"CellWrong": 0, "Fault": 2, "_fault": 2, "_one_of": 2}
"""Which argument of these holds the code."""


def codes() -> set[str]:
    """Every code that the reading of a sheet gives to what is wrong, as the source has them."""
    found: set[str] = set()
    for file in _FILES:
        for node in ast.walk(ast.parse((_FOLDER / f"{file}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                found |= _texts(node.args[_PLACE[called] : _PLACE[called] + 1]) if called in _PLACE else set()
            if isinstance(node, ast.FunctionDef) and node.name == "find":
                found |= _texts([one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value])
    return found


def _texts(nodes: list[ast.expr]) -> set[str]:
    return {str(one.value) for one in nodes if isinstance(one, ast.Constant)}


def test_every_reason_for_a_row_has_words_and_no_words_are_left_over() -> None:
    assert codes() == set(sheet_words.WRONG)


def test_every_reason_for_a_file_has_words_and_no_words_are_left_over() -> None:
    assert set(sheet_words.UNREADABLE) == set(REASONS)


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_file_is_refused_with_the_values_of_its_reason(app: Flask, reason: str) -> None:
    values = dict.fromkeys(re.findall(r"\{(\w+)\}", REASONS[reason]), 7)
    with app.app_context():
        for language in ("nl", "en"):
            with wording.speaking(language):
                said = sheet_words.unreadable(reason, values)
            assert "%(" not in said
            assert said[-1] == "."


def test_the_words_for_a_row_and_a_header_are_those_of_the_language(app: Flask) -> None:
    fault = Fault(3, "naam", "merged", {"organisation": "Bibliotheek Mol", "into": "Bibliotheek Lier"})
    with app.app_context():
        with wording.speaking("nl"):
            assert sheet_words.fault(fault) == (
                "Bibliotheek Mol is opgegaan in Bibliotheek Lier: schrijf die naam, of de code ervan."
            )
        with wording.speaking("en"):
            assert sheet_words.refused(SheetRefused("column_missing", "naam")) == str(
                SheetRefused("column_missing", "naam")
            )
