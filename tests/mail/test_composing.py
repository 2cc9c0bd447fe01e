"""The fast road against the plain one: whatever stands in a recipient's values, they give the same message."""

from __future__ import annotations

import html
import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from coopmail import create_app, wording
from coopmail.actions import polls
from coopmail.config import Settings
from coopmail.domain.contacts import Contact
from coopmail.domain.groups import Group
from coopmail.domain.links import Invitation, Link
from coopmail.domain.polls import Audience, Option
from coopmail.domain.services import Service
from coopmail.errors import HeaderError
from coopmail.mail import composing
from coopmail.mail.composing import Composed, Composer
from coopmail.mail.delivery import composer_of
from coopmail.mail.letters import LETTERS, ONE_OFF, Letter, Shared
from coopmail.mail.message import Mailbox, Message, head, message_id
from coopmail.mail.rendering import markup
from coopmail.parts import Parts, parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, MONDAY, FrozenClock, Received
from tests.mail.field import build_field
from tests.mail.reading import check_headers, check_wire, parsed, part
from tests.mail.story import Teller

KEY = "0123456789abcdef" * 2
CREATED = datetime(2026, 11, 16, 8, tzinfo=UTC)
SENDER = Mailbox("Cultuurconnect", "cooperatie@cultuurconnect.example")
FAST = sorted(set(LETTERS) - ONE_OFF)
LINKS = {"link", "person_link", "contest_link"}
"""Addresses of pages. We make them: signs of an address only."""
LONG = 5_000
PAGE = "http://localhost/r/ballot.x"


@dataclass(frozen=True)
class Written:
    """A letter as it was written in the story."""

    template: str
    language: str
    letter: Letter


class Value(str):
    """A text that is shown in short: Hypothesis shows what it tries."""

    def __repr__(self) -> str:
        return super().__repr__() if len(self) < 200 else f"{self[:40]!r} and on, {len(self)} characters in all"


class Recorder(Composer):
    """Notes each letter that is composed."""

    def __init__(self, app: Flask) -> None:
        super().__init__(parts(app).charter, parts(app).settings.sender_name)
        self.written: list[Written] = []

    def compose(self, template: str, letter: Letter) -> Composed:
        """Note, and compose."""
        self.written.append(Written(template, wording.language(), letter))
        return super().compose(template, letter)


class Told:
    """An application, and every letter of the story that goes by the fast road, in both languages."""

    def __init__(self, app: Flask, written: dict[tuple[str, str], list[Written]]) -> None:
        self.app, self.written = app, written


@pytest.fixture(scope="module")
def told(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The story in both languages, and a secret poll in each. (Composing asks no database: one kind is enough.)"""
    folder = tmp_path_factory.mktemp("composing")
    found: dict[tuple[str, str], list[Written]] = {}
    for language in ("nl", "en"):
        file = folder / f"{language}.sqlite"
        shutil.copy(migrated_sqlite, file)
        clock = FrozenClock(MONDAY)
        app = create_app(
            Settings(secret_keys={1: "a key that only the tests know, and long enough"}, base_url="http://localhost",
                     database_url=f"sqlite:///{file}", mailbox=folder / language, key_folder=folder / "keys"),
            system_clock=clock,
        )  # fmt: skip
        recorder = app.extensions["coopmail.composer"] = Recorder(app)
        teller = Teller(app, clock, language, "")
        teller.tell()
        vote_in_secret(teller, clock)
        for written in recorder.written:
            assert written.language == language
            if written.template not in ONE_OFF:
                found.setdefault((written.template, language), []).append(written)
        parts(app).db.close()
    return Told(app, found)


def vote_in_secret(teller: Teller, clock: FrozenClock) -> None:
    """A secret poll among all members, from its opening to its outcome."""
    clock.move_to(MONDAY)
    options = [Option(position=0, key="keep", label_nl="Blijven", status_quo=True),
               Option(position=1, key="move", label_nl="Weggaan")]  # fmt: skip
    with teller.office.db.transaction() as (session, now):
        services = {service.slug: service for service in session.scalars(sa.select(Service))}
        cast = Cooperative(services=services, group=session.scalars(sa.select(Group)).one())
        draft = build_poll(session, cast, closes_at=CLOSING, slug="secret", secret=True, service_id=None,
                           audience=Audience.ALL_MEMBERS, options=options)  # fmt: skip
        poll = polls.open_poll(session, draft.id, now, teller.office.basis)
    with teller.office.db.transaction() as (session, now):
        invited = session.scalars(sa.select(Invitation.id).where(Invitation.poll_id == poll.id)).all()
        polls.cast_ballot(session, now, min(invited), ("keep",), "Els Peeters", teller.office.basis.vault)
    teller.post()
    clock.move_to(CLOSING)
    teller.post()


# ── The two roads ────────────────────────────────────────────────────────────────────────────────────────


def roads(composer: Composer, written: Written, recipient: dict[str, Any]) -> tuple[Callable[[], bytes], Message]:
    """The message by the fast road, and by the plain one. Needs an application context."""
    letter = Letter(written.letter.shared, recipient)
    to = Mailbox(recipient["name"], "els@mol.example")
    with wording.speaking(written.language):
        fast, plain = composer.fast(written.template, letter), composer.plain(written.template, letter)
    headers = {"X-Coopmail-Mail": written.template}

    def written_fast() -> bytes:
        return head(
            key=KEY, message_id=message_id(KEY, SENDER), to=to, sender=SENDER, reply_to="klaar@mol.example",
            subject=fast.subject, created_at=CREATED, language=written.language, extra=headers,
        ) + fast.body(KEY)  # fmt: skip

    return written_fast, Message(
        key=KEY, to=to, sender=SENDER, reply_to="klaar@mol.example", subject=plain.subject, text=plain.text,
        html=plain.html, created_at=CREATED, language=written.language, headers=headers,
    )  # fmt: skip


def texts_of(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a recipient's values, with the name that each stands under."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from texts_of(each, name)


def with_texts(value: Any, new: Callable[[str], str], at: str = "") -> Any:
    """The same values with other texts."""
    if isinstance(value, str):
        return new(at)
    if isinstance(value, dict):
        return {name: with_texts(each, new, name) for name, each in value.items()}
    assert not isinstance(value, list), "a letter of the fast road has no lists of texts: extend this test"
    return value


def check_equal(written_fast: Callable[[], bytes], plain: Message) -> bytes | None:
    """Both roads give the same message, or refuse it alike; the message."""
    try:
        expected = plain.as_bytes()
    except HeaderError:
        with pytest.raises(HeaderError):
            written_fast()
        return None
    raw = written_fast()
    check_wire(raw)
    check_headers(plain, raw)
    (ours, _, _), (theirs, _, _) = raw.partition(b"\r\n\r\n"), expected.partition(b"\r\n\r\n")
    assert ours == theirs
    assert part(parsed(raw), "plain") == part(parsed(expected), "plain")
    # A carriage return at the end of a value is an empty line more, or not: white space in html.
    page, expected_page = (re.sub(r"\n+", "\n", part(parsed(each), "html")) for each in (raw, expected))
    assert page == expected_page
    return raw


ODD = [
    "<script>alert(1)</script>", "</td></tr></table>", "<!--", "-->", "]]>", "<![CDATA[", "&amp; &lt;b&gt; &#0;", "&",
    "\"'`", "Els 😀 Peeters", "👩\u200d👩\u200d👧", "\u202eslE\u202c", "\u200f", "a\u2028b", "a\u2029b", "a\x0bb",
    "a\x0cb", "a\x85b", "\ttab\tand\ttab", "a  b   c", "trailing  ", "   leading", " ", "", ".", "..", ".dot",
    "=", "==", "=\r\n", "=3D", "a=", "%(name)s", "%s %d %%", "{{ 7*7 }}", "{% raw %}", "{#", "a\nb", "a\r\nb", "a\rb",
    "\n.\n", "x" * LONG, "woord " * (LONG // 6), "é" * 1_000, "😀" * 500, "- " + "woord " * 20, "http://x.example " * 9,
    "\x00", "\x1c\x1d\x1e", "\x7f", "\ud800", "\ufffe\uffff", "\u00a0", "\u3000wide\u3000", "<mj-text>", "</mjml>",
    f"mark{composing._NONCE}n0e", f"mark{composing._NONCE}n99e", "--=_" + KEY, "From here", "=?utf-8?q?x?=",
]  # fmt: skip
nasty = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(), max_size=120),
    st.text(st.sampled_from("ab é😀<>&\"'=.%{}-\u2028\u202e "), max_size=200),
    st.lists(st.sampled_from(ODD), min_size=2, max_size=3).map("".join),
).map(Value)
pages = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#=&%", max_size=150)


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("template", FAST)
@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 100), texts=st.lists(nasty, min_size=1, max_size=5), page=pages)
def test_whatever_stands_in_a_recipients_values_the_fast_road_gives_the_plain_roads_message(
    told: Told, template: str, language: str, place: int, texts: list[str], page: str
) -> None:
    shapes = first_of_each_shape(told.written[template, language])
    written, turns = shapes[place % len(shapes)], itertools.cycle(texts)
    recipient = with_texts(written.letter.recipient, lambda at: PAGE + page if at in LINKS else next(turns))
    with told.app.app_context():
        check_equal(*roads(composer_of(told.app), written, recipient))


def test_each_odd_value_in_every_place_at_once_gives_the_plain_roads_message(told: Told) -> None:
    shapes = [shape for template in FAST for shape in first_of_each_shape(told.written[template, "nl"])]
    turns = itertools.cycle(shapes)
    for odd in [odd for odd in ODD for _ in range(2)]:
        written = next(turns)
        recipient = with_texts(written.letter.recipient, lambda at: PAGE if at in LINKS else odd)  # noqa: B023
        with told.app.app_context():
            raw = check_equal(*roads(composer_of(told.app), written, recipient))
        assert (raw is None) is (re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", odd) is not None)
        if raw is not None:
            # And it is there as it is: what a reader sees holds the value.
            shown = html.unescape(re.sub(r"<[^>]*>", " ", part(parsed(raw), "html")))
            assert " ".join(markup(odd).split()) in " ".join(shown.split())
            assert "".join(odd.split()) in "".join(part(parsed(raw), "plain").split())


def first_of_each_shape(found: list[Written]) -> list[Written]:
    """One letter of each shape and shared content."""
    shapes: dict[Any, Written] = {}
    for written in found:
        shapes.setdefault((id(written.letter.shared), composing._shape(written.letter.recipient, [])), written)
    return list(shapes.values())


def test_the_story_has_letters_to_organisations_and_seats_and_of_secret_polls(told: Told) -> None:
    assert sorted({template for template, _ in told.written}) == FAST
    for (template, _), found in told.written.items():
        assert template in ("poll-extended", "poll-withdrawn") or {w.letter.shared.values["seat"] for w in found} >= {
            False
        }
    receipts = told.written["ballot-receipt", "nl"]
    assert {(w.letter.shared.values["secret"], w.letter.shared.values["seat"]) for w in receipts} == {
        (False, False), (False, True), (True, False),
    }  # fmt: skip


def test_no_line_is_too_long_whatever_the_length_of_a_value_or_of_what_stands_around_it(told: Told) -> None:
    written = told.written["ballot-invitation", "nl"][0]
    mine, shared = written.letter.recipient, written.letter.shared
    with told.app.app_context(), wording.speaking("nl"):
        composer = Composer(parts(told.app).charter, "Cultuurconnect")
        for length in range(160):
            for char in "xé ":
                text = char * length + "y"
                check_lines(composer.fast(written.template, Letter(shared, with_texts(mine, lambda _: text))))  # noqa: B023
        for length in range(80):
            title = Shared(shared.values | {"title": "t" * length, "group": "g" * length})
            check_lines(composer.fast(written.template, Letter(title, mine)))


def check_lines(composed: Composed) -> None:
    """No line of a body beyond 76 octets, and none that ends in white space."""
    for line in composed.body(KEY).split(b"\r\n"):
        assert len(line) <= 76
        assert line == line.rstrip(b" \t")


@given(st.text("ab -•é\u00a0", max_size=400) | st.text(" ", max_size=300) | st.text(max_size=200))
def test_a_line_of_text_is_wrapped_into_columns_and_keeps_its_words(line: str) -> None:
    line = line.replace("\n", " ")
    wrapped = wording.wrap_line(line)
    assert wrapped.split() == line.split()
    for each in wrapped.split("\n"):
        assert len(each) <= 72 or " " not in each.strip(" ").removeprefix("- ").removeprefix("• ")


# ── Each gets the own ────────────────────────────────────────────────────────────────────────────────────


def test_no_value_of_one_recipient_appears_in_anothers_mail(told: Told) -> None:
    every = [written for found in told.written.values() for written in first_of_each_shape(found)]
    composer = Composer(parts(told.app).charter, "Cultuurconnect")
    letters = []
    for number in range(5):
        for place, written in enumerate(every):
            mine = f"own{number:02}x{place:02}x"
            recipient = with_texts(written.letter.recipient, lambda at: f"{mine}{at} <&é>")  # noqa: B023
            letters.append((mine, written, recipient))
    with told.app.app_context():
        for mine, written, recipient in letters:
            with wording.speaking(written.language):
                composed = composer.fast(written.template, Letter(written.letter.shared, recipient))
            message = parsed(b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=_" + KEY.encode()
                             + b"\"\r\n" + composed.body(KEY))  # fmt: skip
            said = composed.subject + part(message, "plain") + part(message, "html")
            assert set(re.findall(r"own\d\dx\d\dx", said)) == {mine}


def test_shared_contents_that_differ_are_never_taken_for_each_other(told: Told) -> None:
    """Also after so many that what was kept is made anew."""
    written = told.written["ballot-invitation", "nl"][0]
    composer = Composer(parts(told.app).charter, "Cultuurconnect")
    with told.app.app_context(), wording.speaking("nl"):
        for number in [*range(composing.KEPT + 2), 0, 1, 80]:
            shared = composer.keep(written.letter.shared.values | {"title": f"Vraag {number:03}?"})
            if number % 40 < 2:
                assert number >= composing.KEPT or composer.keep(dict(shared.values)) is shared
                composed = composer.fast(written.template, Letter(shared, written.letter.recipient))
                assert set(re.findall(rb"Vraag (\d+)\?", composed.text)) == {f"{number:03}".encode()}


def test_in_one_campaign_each_gets_the_own_name_library_and_link(
    app: Flask, office: Parts, cooperative: Cooperative, deliver: Callable[[], list[Received]]
) -> None:
    build_field(office, cooperative, 30)
    received = [mail for mail in deliver() if mail.to.startswith("lid")]
    assert sorted(mail.to for mail in received) == [f"lid{number:03}@mol.example" for number in range(30)]
    for mail in received:
        number = mail.to[3:6]
        for said in (mail.text, mail.html, mail.subject + mail.text):
            assert set(re.findall(r"Lid (\d{3})", said)) == {number}
            assert set(re.findall(r"Bibliotheek (\d{3})", said)) == {number}
    assert len({mail.link for mail in received}) == 30
    with office.db.reading() as (session, _):
        owners = session.execute(
            sa.select(Link.id, Contact.email)
            .join(Invitation, Invitation.id == Link.invitation_id)
            .join(Contact, Contact.id == Invitation.contact_id)
        )
        owner = {row.id: row.email for row in owners}
    assert [owner[office.signer.read(mail.link.removeprefix("/r/")).link_id] for mail in received] == [
        mail.to for mail in received
    ]
