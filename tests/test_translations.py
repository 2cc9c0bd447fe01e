"""Both languages are whole: every text has its Dutch, with the same values in it, and no page has a text of its own.

Texts are written in English, so English needs no catalogue.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from coopmail.config import ROOT

CATALOGUE = ROOT / "translations" / "nl" / "LC_MESSAGES" / "messages.po"
KEYWORDS = DEFAULT_KEYWORDS | {"lazy": None}
SAME_IN_EVERY_LANGUAGE = {"nl", "en", "Nederlands", "English"}
SPOKEN_ATTRIBUTES = {"alt", "aria-label", "aria-description", "aria-roledescription", "label", "placeholder", "title"}
SILENT_ELEMENTS = {"style", "script", "mj-style"}
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_ATTRIBUTES = re.compile(r'([a-z-]+)="([^"]*)"')
"""Attributes that a macro hands to an element elsewhere."""
_CLASS = re.compile(r"\{% block body_class %\}.*?\{% endblock %\}")
_PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_MEMBER = re.compile(r"\b(?:lid|leden)\b", re.IGNORECASE)

Text = str | tuple[str, ...]


def extract() -> dict[Text, set[str]]:
    """Every text of the application that is said in a language, and the files it stands in."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as config:
        methods, options = parse_mapping_cfg(config)  # type: ignore[no-untyped-call]
    found: dict[Text, set[str]] = {}
    for file, _line, text, _comments, _context in extract_from_dir(
        ROOT, methods, options, KEYWORDS, directory_filter=lambda folder: Path(folder).name in _FOLDERS
    ):
        found.setdefault(text, set()).add(file)
    return found


_FOLDERS = {
    folder.name
    for top in ("coopmail", "templates", "emails")
    for folder in (ROOT / top, *(ROOT / top).rglob("*"))
    if folder.is_dir() and folder.name != "__pycache__"
}


def faults_of(text: Text, message: Message | None) -> list[str]:
    """What is wrong with the Dutch of a text."""
    if message is None:
        return [f"{text!r} is not in the catalogue"]
    originals = text if isinstance(text, tuple) else (text,)
    said = message.string
    dutch = [str(one or "") for one in (said if isinstance(said, list | tuple) else (said,))]
    if len(originals) != len(dutch) or not all(dutch):
        return [f"{text!r} has no translation"]
    faults = []
    if message.fuzzy:
        faults.append(f"{text!r} is fuzzy")
    for original, one in zip(originals, dutch, strict=True):
        if set(_PLACEHOLDER.findall(original)) != set(_PLACEHOLDER.findall(one)):
            faults.append(f"{one!r} has not the values of {original!r}")
    faults += [f"{one!r} calls a coöperant a member" for one in dutch if _MEMBER.search(one)]
    return faults


class Visible(HTMLParser):
    """Gathers what a page shows or speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what attributes say."""
        self._silent += tag in SILENT_ELEMENTS
        self.found += [value for name, value in attrs if name in SPOKEN_ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        """Speak again."""
        self._silent -= tag in SILENT_ELEMENTS

    def handle_data(self, data: str) -> None:
        """Note text."""
        if self._silent:
            return
        self.found.append(_ATTRIBUTES.sub(" ", data))
        self.found += [value for name, value in _ATTRIBUTES.findall(data) if name in SPOKEN_ATTRIBUTES]


def own_sentences(template: str) -> list[str]:
    """Sentences that a template writes inside of Jinja without having them translated."""
    tree = Environment(extensions=["jinja2.ext.i18n"]).parse(template)
    translated = {
        id(text)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext")
        for text in call.find_all(nodes.Const)
    }
    texts = [text.value for text in tree.find_all(nodes.Const) if id(text) not in translated]
    return [text for text in texts if isinstance(text, str) and re.match(r"\s*[A-Z]\S*\s+\S", text)]


def own_words(template: str) -> list[str]:
    """The words that a template shows of its own, outside of Jinja."""
    page = Visible()
    page.feed(_JINJA.sub(" ", _CLASS.sub(" ", template)))
    page.close()
    words = [word for text in page.found for word in _WORD.findall(text)]
    return [word for word in words if word not in SAME_IN_EVERY_LANGUAGE]


def templates() -> list[Path]:
    """Every page, and every part of a mail."""
    files = [*(ROOT / "templates").rglob("*"), *(ROOT / "emails").rglob("*")]
    return sorted(file for file in files if file.suffix in (".html", ".mjml", ".txt"))


@pytest.fixture(scope="module")
def texts() -> dict[Text, set[str]]:
    """What is said."""
    return extract()


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    """The Dutch."""
    assert CATALOGUE.is_file(), f"there is no {CATALOGUE.relative_to(ROOT)}"
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="nl", abort_invalid=True)


def test_texts_are_found_in_python_in_pages_and_in_mails(texts: dict[Text, set[str]]) -> None:
    kinds = {Path(file).suffix for files in texts.values() for file in files}
    assert kinds == {".py", ".html", ".mjml", ".txt"}
    assert "coopmail/forms/ballot.py" in texts["Your own name"]
    assert ("%(num)s vote", "%(num)s votes") in texts


def test_every_text_has_its_dutch(texts: dict[Text, set[str]], catalogue: Catalog) -> None:
    known = {message.id: message for message in catalogue if message.id}
    assert [fault for text in texts for fault in faults_of(text, known.get(text))] == []


def test_the_catalogue_has_nothing_that_is_said_no_more(texts: dict[Text, set[str]], catalogue: Catalog) -> None:
    assert sorted(str(message.id) for message in catalogue if message.id and message.id not in texts) == []
    assert sorted(str(name) for name in catalogue.obsolete) == []


def test_the_dutch_plural_is_that_of_dutch(catalogue: Catalog) -> None:
    assert (catalogue.num_plurals, catalogue.plural_expr) == (2, "(n != 1)")


@pytest.mark.parametrize("file", templates(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_template_shows_no_word_of_its_own(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert own_words(text) + own_sentences(text) == []


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("<p>Stem nu</p>", ["Stem", "nu"]),
        ("<p>{{ _('Vote') }} nu{# Niet #}</p>", ["nu"]),
        ("{% if a %}<p>Ja{% endif %}", ["Ja"]),
        ('<img alt="Logo"><a title="Naar huis" href="/home">{{ x }}</a>', ["Logo", "Naar", "huis"]),
        ('<button aria-label="Sluit">×</button>', ["Sluit"]),
        ("Beste {{ name }},", ["Beste"]),
        ('{% macro a() %} lang="nl" title="Uitleg"{% endmacro %}', ["Uitleg"]),
        ("{% block body_class %}wide{% endblock %}{% block title %}Breed{% endblock %}", ["Breed"]),
        ('<style>p { color: red }</style><a class="big" lang="nl">Nederlands</a> · 2 €', []),
    ],
)
def test_a_word_outside_of_jinja_is_seen(template: str, words: list[str]) -> None:
    assert own_words(template) == words


def test_a_sentence_inside_of_jinja_that_is_not_translated_is_seen() -> None:
    template = '{{ notice("done", "Thank you") }}{{ notice("done", _("Thank %(who)s", who=kind("big box"))) }}'
    assert own_sentences(template) == ["Thank you"]


@pytest.mark.parametrize(
    ("text", "dutch", "flags", "faults"),
    [
        ("Vote for %(name)s", "Stem voor %(name)s", (), []),
        ("Vote", "", (), ["'Vote' has no translation"]),
        ("Vote", "Stem", ("fuzzy",), ["'Vote' is fuzzy"]),
        ("Vote for %(name)s", "Stem voor %(naam)s", (),
         ["'Stem voor %(naam)s' has not the values of 'Vote for %(name)s'"]),
        ("Members", "Onze Leden.", (), ["'Onze Leden.' calls a coöperant a member"]),
        ("Valid", "Geldig, vermeldt, geleden", (), []),
        (("%(num)s vote", "%(num)s votes"), ("%(num)s stem", ""), (),
         ["('%(num)s vote', '%(num)s votes') has no translation"]),
        (("%(num)s vote", "%(num)s votes"), ("%(num)s stem", "%(num)s stemmen"), (), []),
    ],
)  # fmt: skip
def test_a_wrong_translation_is_seen(text: Text, dutch: Text, flags: tuple[str, ...], faults: list[str]) -> None:
    assert faults_of(text, Message(text, dutch, flags=flags)) == faults


def test_a_missing_translation_is_seen() -> None:
    assert faults_of("Vote", None) == ["'Vote' is not in the catalogue"]
