"""Kinds of invitations: each has its form, page, mails and tests; whatever one lacks is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import pytest
from flask import Flask
from jinja2 import TemplateNotFound
from werkzeug.datastructures import MultiDict
from wtforms import Form
from wtforms.fields.core import UnboundField

from coopmail import create_app
from coopmail.config import ROOT, Settings
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.methods import METHODS, Method
from coopmail.domain.polls import Poll
from coopmail.forms import KINDS, Kind
from coopmail.forms.ballot import BALLOT, BallotForm
from coopmail.forms.kind import Page
from coopmail.links import Claim, LinkSigner
from coopmail.mail.letters import LETTERS
from coopmail.mail.rendering import environment
from coopmail.parts import parts
from tests.builders import build_options

GENERAL_MAILS = {"new-link", "poll-proof", "sign-in-code"}
"""Mails that go out for no invitation."""
MAIL_PARTS = ("subject.txt", "body.mjml", "body.txt")
EMAILS = ROOT / "emails"


def lacks(kind: Kind) -> list[str]:
    """What a kind lacks to be whole."""
    missing = []
    made = kind.form if isinstance(kind.form, type) else get_type_hints(kind.form).get("return", object)
    fields = [name for name in dir(made) if isinstance(getattr(made, name), UnboundField)]
    if not issubclass(made, Form) or not fields:
        missing.append("a form with a field")
    if not (ROOT / "templates" / kind.page).is_file():
        missing.append(f"templates/{kind.page}")
    if not kind.mails:
        missing.append("a mail")
    for mail in kind.mails:
        missing += [f"emails/{mail}/{part}" for part in MAIL_PARTS if not _says_something(EMAILS / mail / part)]
        if mail not in LETTERS:
            missing.append(f"letter {mail}")
    module = f"test_{kind.name.replace('-', '_')}.py"
    if not any("def test_" in _text(ROOT / "tests" / room / module) for room in ("forms", "web")):
        missing.append(f"tests/web/{module}")
    return missing


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _says_something(file: Path) -> bool:
    return bool(_text(file).strip())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_kind_lacks_nothing(kind: Kind) -> None:
    assert lacks(kind) == []


def test_whatever_a_kind_lacks_is_named() -> None:
    def no_form(_page: Page, _data: object) -> object: ...

    bare = replace(BALLOT, name="nda-form", page="respond/nda.html", mails=("nda",), form=no_form)  # type: ignore[arg-type]
    assert lacks(bare) == [
        "a form with a field",
        "templates/respond/nda.html",
        "emails/nda/subject.txt",
        "emails/nda/body.mjml",
        "emails/nda/body.txt",
        "letter nda",
        "tests/web/test_nda_form.py",
    ]
    assert lacks(replace(BALLOT, mails=())) == ["a mail"]


def test_a_kind_is_found_under_its_own_name() -> None:
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_the_name_of_a_kind_can_stand_in_a_link(name: str) -> None:
    signer = LinkSigner({1: "a key that only the tests know"})
    assert signer.read(signer.sign(name, "0" * 32, 1)) == Claim(name, "0" * 32, 1)


def test_every_letter_belongs_to_one_kind_or_is_a_general_one() -> None:
    mails = sorted([mail for kind in KINDS.values() for mail in kind.mails] + list(GENERAL_MAILS))
    assert sorted(LETTERS) == mails


def test_every_folder_of_emails_is_a_letter_and_holds_three_parts() -> None:
    folders = {folder.name: sorted(file.name for file in folder.iterdir()) for folder in EMAILS.iterdir()
               if folder.is_dir()}  # fmt: skip
    assert folders == {name: sorted(MAIL_PARTS) for name in LETTERS}


@pytest.mark.parametrize("mail", LETTERS)
def test_every_part_of_a_mail_is_a_template_that_can_be_read(mail: str) -> None:
    templates = environment()
    assert [templates.get_template(f"{mail}/{part}").name for part in MAIL_PARTS] == [
        f"{mail}/{part}" for part in MAIL_PARTS
    ]
    with pytest.raises(TemplateNotFound):
        templates.get_template(f"{mail}/body.html")


def ballot(method: Method, *marks: str) -> BallotForm:
    """A ballot as sent, of a poll with this method."""
    poll = Poll(method_name=method.name, options=build_options())
    invitation = Invitation(poll=poll, contact=Contact(name="Els Peeters", functional=False))
    page = Page(invitation, "Bibliotheek Aartselaar", accepts=True)
    return BallotForm(page, MultiDict([("choice", mark) for mark in marks]))


def sentence(app: Flask, form: BallotForm) -> str:
    """What the form says is wrong, in English; empty where nothing is."""
    with app.test_request_context("/?lang=en"):
        return "" if form.validate() else str(form.choice.errors[0])


@pytest.fixture
def speaking(tmp_path: Path) -> Iterator[Flask]:
    """An application that speaks; forms ask no database."""
    app = create_app(Settings({1: "a key that only the tests know"}, f"sqlite:///{tmp_path}/none.sqlite"))
    yield app
    parts(app).db.close()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_the_ballot_form_takes_every_way_to_decide(speaking: Flask, method: Method) -> None:
    assert [sentence(speaking, ballot(method, key)) for key in ("keep", "move", "abstain")] == ["", "", ""]
    several = ballot(method, "move", "keep")
    assert several.marks == ("keep", "move")
    assert sentence(speaking, several) == ("" if method.several else "Choose one option only.")
    assert sentence(speaking, ballot(method)) == (
        "Choose at least one option, or abstain." if method.several else "Choose one option."
    )
    assert sentence(speaking, ballot(method, "elsewhere")) == "Choose from the options on this page."
    assert sentence(speaking, ballot(method, "keep", "abstain")) == (
        "Abstaining cannot go together with another choice: untick one of them."
        if method.several
        else "Choose one option only."
    )


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_what_the_ballot_form_takes_is_what_the_method_counts(speaking: Flask, method: Method) -> None:
    for marks in (("keep",), ("keep", "move"), ("abstain",), ("keep", "abstain"), (), ("keep", "keep")):
        form = ballot(method, *marks)
        taken = sentence(speaking, form) == ""
        assert taken == method.accepts(form.marks, ["keep", "move", "abstain"], ["abstain"]), marks
