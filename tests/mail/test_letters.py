"""Every letter as members get it, in both languages and on both databases, made to happen by what people do."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import jinja2.nodes
import pytest
from flask_babel import gettext

from coopmail import wording
from coopmail.config import ROOT
from coopmail.mail.letters import LETTERS
from coopmail.mail.rendering import environment
from coopmail.parts import parts
from tests.conftest import CLOSING
from tests.mail.reading import name_in
from tests.mail.story import ANNA, BOOM, ELS, JAN, LATER, LIES, NINA, PIET, REMINDING, RIK, SHORT, Posted, Story, told

DEADLINES = {
    "nl": {CLOSING: ("vrijdag 4 december 2026 om 17.00 uur", "vr 4 december, 17 uur"),
           LATER: ("vrijdag 11 december 2026 om 12.30 uur", "vr 11 december, 12.30 uur"),
           REMINDING + timedelta(days=60): ("dinsdag 26 januari 2027 om 09.00 uur", "di 26 januari, 9 uur")},
    "en": {CLOSING: ("Friday 4 December 2026 at 17:00", "Fri 4 December, 17:00"),
           LATER: ("Friday 11 December 2026 at 12:30", "Fri 11 December, 12:30"),
           REMINDING + timedelta(days=60): ("Tuesday 26 January 2027 at 09:00", "Tue 26 January, 09:00")},
}  # fmt: skip
WITHOUT_DEADLINE = {"ballot-outcome", "poll-withdrawn", "contact-details-answered", "handover-answered", "mail-test"}
WITHOUT_LINK = {"contact-details-answered", "handover-answered"}
SUBJECT_WITHOUT_DEADLINE = WITHOUT_DEADLINE | {"new-link"}
HEADERS = [
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Language", "Auto-Submitted",
    "X-Auto-Response-Suppress", "X-Coopmail-Mail", "Content-Type",
]  # fmt: skip
PERSON = ("Klaar Leroy", "02 000 00 00", "klaar.leroy@cultuurconnect.example")
NASTY = """<script>alert(1)</script> & "Zn" 'x' </a> {{ 7*7 }} %(x)s <img src=x onerror=alert(2)> &lt;b&gt;"""


@pytest.fixture(scope="module", params=["sqlite-nl", "sqlite-en", "postgresql-nl", "postgresql-en"])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story of everyday."""
    database, _, language = request.param.partition("-")
    yield from told(request, tmp_path_factory.mktemp("story") / "story", database, language)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stories(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Story, Story]]:
    """The same story twice: with plain names, and with names that a page would run if it were careless."""
    folder = tmp_path_factory.mktemp("stories")
    for plain in told(request, folder / "plain", request.param, "nl"):
        for nasty in told(request, folder / "nasty", request.param, "nl", NASTY):
            yield plain, nasty


TO_STAFF = {"sign-in-code", "poll-proof"}
"""They hold no personal link and are looked at where staff use them: `tests/web/staff/`."""
TO_CONTACTS = sorted(set(LETTERS) - TO_STAFF)
each_letter = pytest.mark.parametrize("template", TO_CONTACTS)


def test_every_letter_there_is_was_really_posted(story: Story) -> None:
    assert {posted.template for posted in story.posted} == set(TO_CONTACTS)
    assert {folder.name for folder in (ROOT / "emails").iterdir() if folder.is_dir()} == set(LETTERS)


def test_each_letter_went_to_whom_it_is_for(story: Story) -> None:
    found = {template: sorted(posted.mail.to for posted in story.of(template)) for template in TO_CONTACTS}
    tom = "tom.baert@zoersel.example"
    members, seats = [ELS, JAN, BOOM, LIES, LIES], [ELS, LIES, tom]
    assert found == {
        "ballot-invitation": sorted([*members, *seats, *members, tom, PIET]),
        "ballot-receipt": [ELS, ELS],
        "ballot-by-colleague": [JAN],
        "ballot-recorded": [BOOM, BOOM],
        "reminder": sorted([BOOM, LIES, tom, LIES, PIET]),  # the last two a week later, after the extension
        "contact-details-invitation": [ANNA, PIET],
        "contact-details-answered": sorted([BOOM, JAN]),
        "handover-invitation": [NINA, RIK],
        "handover-answered": ["an.wouters@mol.example", tom],
        "mail-test": [ELS],
        "new-link": sorted([LIES, PIET]),
        "poll-extended": sorted([ELS, JAN, PIET, LIES, LIES]),
        "poll-withdrawn": sorted([*members, tom]),
        "ballot-outcome": sorted([*seats, ELS, JAN, PIET, LIES, LIES]),
    }


@each_letter
def test_a_subject_begins_with_whom_i_answer_for(story: Story, template: str) -> None:
    for posted in story.of(template):
        subject = posted.mail.subject
        assert any(subject.startswith(whom) for whom in posted.whom), (subject, posted.whom)
        assert "  " not in subject
        assert "{" not in subject


@each_letter
def test_the_html_is_whole_and_in_my_language(story: Story, template: str) -> None:
    for posted in story.of(template):
        page = posted.mail.html
        assert "<mj-" not in page
        assert "</mj-" not in page
        assert "<mjml" not in page
        assert re.findall(r"<html\b[^>]*?\slang=\"([^\"]*)\"", page) == [story.language]
        assert "{{" not in page
        assert "{%" not in page
        assert re.search(r"<title>\s*\S", page)
        assert page.count("</html>") == 1


@each_letter
def test_the_lines_of_the_text_are_72_wide_at_most_unless_one_is_an_address(story: Story, template: str) -> None:
    for posted in story.of(template):
        lines = posted.mail.text.split("\n")
        assert [line for line in lines if len(line) > 72 and "://" not in line] == []
        assert [line for line in lines if line != line.rstrip()] == []
        assert "\n\n\n" not in posted.mail.text
        assert "<" not in posted.mail.text


@each_letter
def test_each_personal_link_stands_alone_on_its_line_and_in_the_html_too(story: Story, template: str) -> None:
    for posted in story.of(template):
        held = [line for line in posted.mail.text.split("\n") if "/r/" in line]
        for line in held:
            found = re.fullmatch(r"http://localhost/r/([a-z-]+\.[\w-]{22}\.[\w-]{43})(/person|/contest)?", line)
            assert found, line
            parts(story.app).signer.read(found.group(1))
            assert f'href="{line}"' in posted.mail.html
        assert bool(held) is (template not in WITHOUT_LINK)
        # Written out, for whoever cannot press a button: the first link is also text of the html part.
        assert all(held[0] in text for text in ([posted.shown] if held else []))
        assert set(re.findall(r'href="(http[^"]*/r/[^"]*)"', posted.mail.html)) == set(held)


@each_letter
def test_both_parts_say_until_when_with_the_day_of_the_week(story: Story, template: str) -> None:
    for posted in story.of(template):
        if template in WITHOUT_DEADLINE:
            continue
        assert posted.closes is not None
        full, _ = DEADLINES[story.language][posted.closes]
        assert full in posted.text
        assert full in posted.shown


@each_letter
def test_a_subject_says_until_when(story: Story, template: str) -> None:
    for posted in story.of(template):
        if template in SUBJECT_WITHOUT_DEADLINE:
            continue
        assert posted.closes is not None
        _, short = DEADLINES[story.language][posted.closes]
        assert short in posted.mail.subject


@each_letter
def test_both_parts_name_a_person_with_telephone_and_address(story: Story, template: str) -> None:
    for posted in story.of(template):
        for each in PERSON:
            assert each in posted.text
            assert each in posted.shown
        assert 'href="mailto:klaar.leroy@cultuurconnect.example"' in posted.mail.html
        assert 'href="tel:020000000"' in posted.mail.html


@each_letter
def test_both_parts_say_why_i_get_this(story: Story, template: str) -> None:
    with story.app.app_context(), wording.speaking(story.language):
        heading = gettext("Why you get this mail")
    for posted in story.of(template):
        for part in (posted.text, posted.shown):
            assert part.count(heading) == 1
            assert len(part.partition(heading)[2]) > 80


@each_letter
def test_both_parts_say_whom_i_answer_for(story: Story, template: str) -> None:
    for posted in story.of(template):
        for part in (posted.text, posted.shown):
            assert any(whom in part for whom in posted.whom)


@each_letter
def test_the_headers_are_those_of_an_automatic_mail_that_a_person_answers(story: Story, template: str) -> None:
    for posted in story.of(template):
        message = posted.mail.message
        assert message.keys() == HEADERS
        assert {name: str(message[name]) for name in [*HEADERS[7:11], "Reply-To"]} == {
            "Content-Language": story.language,
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "AutoReply",
            "X-Coopmail-Mail": template,
            "Reply-To": "klaar.leroy@cultuurconnect.example",
        }
        sender = message["From"].addresses[0]
        assert (sender.display_name, sender.addr_spec) == ("Cultuurconnect", "cooperatie@cultuurconnect.example")
        assert name_in(posted.raw, "To") == posted.name


@each_letter
def test_no_mail_of_the_votes_offers_to_unsubscribe(story: Story, template: str) -> None:
    for posted in story.of(template):
        assert [name for name in posted.mail.message if name.lower().startswith("list-")] == []
        for part in (posted.text, posted.shown):
            assert not re.search(r"unsubscribe|uitschrijven|afmelden", part, re.IGNORECASE)


@each_letter
def test_each_mail_has_a_preheader_of_its_own(story: Story, template: str) -> None:
    for posted in story.of(template):
        found = re.search(r'<div style="display:none[^"]*">\s*(.*?)\s*</div>', posted.mail.html, re.DOTALL)
        assert found, template
        assert html.unescape(found.group(1)).strip()


def test_what_was_voted_and_by_whom_is_in_the_receipt_and_in_the_colleagues_mail(story: Story) -> None:
    label = {"nl": "Bij de leverancier blijven", "en": "Stay with the supplier"}[story.language]
    mine = [posted for posted in story.of("ballot-receipt") if posted.whom == ["Bibliotheek Aartselaar"]]
    for posted in [*mine, *story.of("ballot-by-colleague")]:
        for part in (posted.text, posted.shown):
            assert label in part
            assert "Els Peeters" in part


def test_an_invitation_says_what_each_option_costs_this_library(story: Story) -> None:
    (lier,) = (p for p in story.of("ballot-invitation")
               if p.whom == ["Bibliotheek Lier"] and "“" not in p.mail.subject)  # fmt: skip
    # Of € 120,000 by population 36,000 of 122,000; of € 90,000 one part of five.
    amounts = {"nl": ["€ 120.000,00", "€ 35.409,84", "€ 90.000,00", "€ 18.000,00"],
               "en": ["€120,000.00", "€35,409.84", "€90,000.00", "€18,000.00"]}[story.language]  # fmt: skip
    for amount in amounts:
        assert amount in lier.text
        assert amount in lier.shown


def test_one_reminder_holds_all_that_is_open_for_me(story: Story) -> None:
    first, second = (posted for posted in story.of("reminder") if posted.mail.to == LIES)
    libraries, group = ["Bibliotheek Duffel", "Bibliotheek Lier"], "Stuurgroep Digitale Collecties"
    for posted, expected in ((first, [*libraries, group]), (second, libraries)):
        links = [line for line in posted.mail.text.split("\n") if "/r/" in line]
        assert len(set(links)) == len(links) == len(expected)
        for part in (posted.text, posted.shown):
            assert [whom for whom in (*libraries, group) if whom in part] == expected


def test_a_seat_is_personal_and_offers_no_other_person(story: Story) -> None:
    seats = [posted for posted in story.posted if posted.whom == ["Stuurgroep Digitale Collecties"]
             and posted.template.startswith(("ballot", "poll"))]  # fmt: skip
    assert len(seats) == 3 + 1 + 3
    for posted in seats:
        assert "/person" not in posted.mail.text
        assert "/person" not in posted.mail.html


def test_a_library_can_always_name_the_right_person(story: Story) -> None:
    asked = [posted for posted in story.posted if posted.whom[0].startswith("Bibliotheek")
             and posted.template.startswith(("ballot", "poll"))]  # fmt: skip
    assert len(asked) > 20
    for posted in asked:
        assert re.search(r"^http://localhost/r/\S+/person$", posted.mail.text, re.MULTILINE)
        assert re.search(r'href="http://localhost/r/[^"]+/person"', posted.mail.html)


# ── Names that a careless page would run ─────────────────────────────────────────────────────────────────


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag with the names of its attributes."""
        self.found.append((tag, tuple(name for name, _ in attrs)))


def tags(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page, in order."""
    reader = _Tags()
    reader.feed(page)
    return reader.found


def pairs(stories: tuple[Story, Story], template: str) -> list[tuple[Posted, Posted]]:
    """Each mail of a letter in both stories."""
    plain, nasty = ([*story.of(template)] for story in stories)

    def place(posted: Posted) -> tuple[str, str]:
        return posted.mail.to, _wordless(posted.mail.subject)

    found = list(zip(sorted(plain, key=place), sorted(nasty, key=place), strict=True))
    assert all(one.mail.to == other.mail.to for one, other in found)
    return found


@each_letter
def test_no_name_adds_an_element_to_a_mail(stories: tuple[Story, Story], template: str) -> None:
    for plain, nasty in pairs(stories, template):
        assert tags(nasty.mail.html) == tags(plain.mail.html)
        assert "<script" not in nasty.mail.html
        assert NASTY not in nasty.mail.html


@each_letter
def test_a_name_is_shown_as_it_is_in_subject_text_and_html(stories: tuple[Story, Story], template: str) -> None:
    for plain, nasty in pairs(stories, template):
        assert any(nasty.mail.subject.startswith(whom) for whom in nasty.whom)
        assert all(whom.endswith(NASTY) for whom in nasty.whom)
        subjects = (nasty.mail.subject, plain.mail.subject)
        for part, same in ((nasty.text, plain.text), (nasty.shown, plain.shown), subjects):
            assert part.count(NASTY) > 0
            assert _wordless(part) == _wordless(same)
        assert name_in(nasty.raw, "To") == nasty.name
        assert nasty.name.endswith(NASTY)


def _wordless(text: str) -> str:
    """A text without the odd addition, and without the tokens and hashes, which differ between two runs."""
    plain = re.sub(r"/r/[a-z-]+\.[\w.-]+", "/r/…", text.replace(NASTY, "").replace(NASTY[:SHORT], ""))
    return re.sub(r"\b[0-9a-f]{64}\b", "…", plain)


# ── What keeps the shared part apart from the recipient's ────────────────────────────────────────────────

SENT_TO_ONE_PERSON = {"reminder", "new-link", "contact-details-answered", "handover-invitation", "handover-answered"}
"""Letters to one person, which may look into `recipient`; each template that does says so in its first line."""


def asked_of_recipient(file: Path) -> list[int]:
    """The lines of a template in which something hangs on `recipient`, instead of only inserting it."""
    tree = environment().parse(file.read_text(encoding="utf-8"))
    asked: list[jinja2.nodes.Node] = []
    asked += [node.test for node in tree.find_all(jinja2.nodes.If)]
    asked += [node.test for node in tree.find_all(jinja2.nodes.CondExpr)]
    for loop in tree.find_all(jinja2.nodes.For):
        asked += [part for part in (loop.iter, loop.test) if part is not None]
    asked += tree.find_all((jinja2.nodes.Filter, jinja2.nodes.Test, jinja2.nodes.Compare, jinja2.nodes.And,
                            jinja2.nodes.Or, jinja2.nodes.Not, jinja2.nodes.Assign))  # fmt: skip
    lines = {
        name.lineno
        for node in asked
        for name in ([node] if isinstance(node, jinja2.nodes.Name) else node.find_all(jinja2.nodes.Name))
        if name.name == "recipient"
    }
    return sorted(lines)


TEMPLATES = sorted(str(file.relative_to(ROOT / "emails")) for file in (ROOT / "emails").rglob("*.*"))


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_campaigns_template_only_inserts_what_is_one_recipients(template: str) -> None:
    file = ROOT / "emails" / template
    if template.split("/")[0] not in SENT_TO_ONE_PERSON:
        assert asked_of_recipient(file) == []
    elif asked_of_recipient(file):
        assert "this letter may" in file.read_text(encoding="utf-8").splitlines()[0]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("{{ recipient.name }}", []),
        ("{{ _('Hello %(name)s', name=recipient.name) }}", []),
        ("{% if shared.seat %}{{ recipient.unit }}{% endif %}", []),
        ("{{ shared.group if shared.seat else recipient.unit }}", []),
        ("\n{% if recipient.functional %}x{% endif %}", [2]),
        ("{% if not recipient.functional %}x{% endif %}", [1]),
        ("{% if shared.a and recipient.b == 1 %}x{% endif %}", [1]),
        ("{% if shared.a %}{% elif recipient.b %}x{% endif %}", [1]),
        ("{% for matter in recipient.matters %}x{% endfor %}", [1]),
        ("{{ 'x' if recipient.functional else 'y' }}", [1]),
        ("{{ recipient.name | upper }}", [1]),
        ("{% set name = recipient.name %}", [1]),
    ],
)
def test_the_check_of_templates_sees_what_it_should(tmp_path: Path, source: str, lines: list[int]) -> None:
    (tmp_path / "body.txt").write_text(source, encoding="utf-8")
    assert asked_of_recipient(tmp_path / "body.txt") == lines


def test_every_letter_has_its_three_templates() -> None:
    for template in LETTERS:
        assert sorted(file.name for file in (ROOT / "emails" / template).iterdir()) == [
            "body.mjml", "body.txt", "subject.txt",
        ]  # fmt: skip
