"""A draft as those who are asked will see it: the very page and mail that they get, and nothing is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.actions import polls
from coopmail.domain.contacts import Representation
from coopmail.domain.polls import Audience, Poll, PollState
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, Received
from tests.console import Console
from tests.mail.acts import change
from tests.web.pages import everything
from tests.web.staff.writing import in_fields, page_of, recorded, send, text_of, went

Deliver = Callable[[], list[Received]]
BASE = "/staff/polls/krantenarchief"
LOOK = f"{BASE}/preview"
ELS, TOM = "els.peeters@aartselaar.example", "tom.baert@zoersel.example"


@pytest.fixture
def draft(office: Parts, cooperative: Cooperative) -> Poll:
    """A draft of the Krantenarchief's members."""
    with office.db.transaction() as (session, _):
        return build_poll(session, cooperative, closes_at=CLOSING)


def opened(office: Parts, draft: Poll) -> None:
    """The poll is opened after all."""
    with office.db.transaction() as (session, now):
        polls.open_poll(session, draft.id, now, office.basis)


def as_els(cooperative: Cooperative, language: str = "nl") -> str:
    """The question of an address that looks as Els."""
    unit, contact = cooperative.libraries["Aartselaar"].id, cooperative.contacts["els"].id
    return f"?unit=o{unit}&contact={contact}&in={language}"


def as_tom(cooperative: Cooperative, language: str = "en") -> str:
    """The question of an address that looks as Tom."""
    unit, contact = cooperative.libraries["Zoersel"].id, cooperative.contacts["tom"].id
    return f"?unit=o{unit}&contact={contact}&in={language}"


def to(mails: list[Received], address: str) -> Received:
    """The mail to an address."""
    [found] = [mail for mail in mails if mail.to == address]
    return found


def without_links(text: str) -> str:
    """A mail's plain text, its addresses left out."""
    return re.sub(r"http://\S+", "…", text)


def test_the_first_of_those_who_would_be_asked_is_shown(console: Console, draft: Poll) -> None:
    page = console.get(LOOK)
    said = text_of(page)
    assert "Je kijkt als Els Peeters voor Bibliotheek Aartselaar ." in said
    assert f"Aan {ELS}" in said
    assert 'sandbox="allow-same-origin"' in page
    assert 'sandbox=""' in page


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_previewed_page_says_the_very_words_that_the_voter_gets(
    client: FlaskClient, console: Console, office: Parts, cooperative: Cooperative, draft: Poll, deliver: Deliver,
    language: str,
) -> None:  # fmt: skip
    shown = console.get(f"{LOOK}/page{as_els(cooperative, language)}", language=language)
    paper = console.get(f"{LOOK}/paper{as_els(cooperative, language)}", language=language)
    opened(office, draft)
    link = to(deliver(), ELS).link
    real = client.get(f"{link}?lang={language}").get_data(as_text=True)
    why = {"nl": "Dit is een voorbeeld: er kan niets mee verstuurd worden.",
           "en": "This is a preview: nothing can be sent from it."}[language]  # fmt: skip
    assert why in text_of(shown)
    assert text_of(shown).replace(f"{why} ", "") == text_of(real)
    assert text_of(paper) == text_of(client.get(f"{link}/draft?lang={language}").get_data(as_text=True))


def test_the_previewed_form_holds_no_token_and_cannot_be_sent(
    console: Console, cooperative: Cooperative, draft: Poll
) -> None:
    answer = console.ask(f"{LOOK}/page{as_els(cooperative)}")
    page = answer.get_data(as_text=True)
    assert re.findall(r"<button[^>]*>", page) == ['<button type="submit" disabled aria-describedby="preview-why">']
    assert "form-action 'none'" in answer.headers["Content-Security-Policy"]
    for path in ("", "/page", "/paper", "/mail"):
        assert "/r/" not in console.get(f"{LOOK}{path}{as_els(cooperative)}")


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_previewed_mail_says_the_very_words_that_are_mailed(
    console: Console, office: Parts, cooperative: Cooperative, draft: Poll, deliver: Deliver, language: str
) -> None:
    who, address = (as_els, ELS) if language == "nl" else (as_tom, TOM)
    change(office, Poll, Poll.id == draft.id, audience=Audience.ALL_MEMBERS, service_id=None)
    page = console.get(f"{LOOK}{who(cooperative, language)}")
    html = console.ask(f"{LOOK}/mail{who(cooperative, language)}").get_data(as_text=True)
    opened(office, draft)
    mail = to(deliver(), address)
    text = in_pre(page)
    assert mail.subject in text_of(page)
    assert without_links(text).split() == without_links(mail.text).split()
    assert words(html) == words(mail.html)


def in_pre(page: str) -> str:
    """The text part as the preview shows it."""
    return unescape(page.partition('<pre class="plain"')[2].partition(">")[2].partition("</pre>")[0])


def words(html: str) -> str:
    """What a mail says on a screen."""
    body = re.sub(r"<style.*?</style>|<!--.*?-->|<head.*?</head>", " ", html, flags=re.DOTALL)
    return " ".join(without_links(re.sub(r"<[^>]+>", " ", body)).split())


def test_somebody_else_is_found_by_name_and_looked_as(console: Console, cooperative: Cooperative, draft: Poll) -> None:
    page = console.get(f"{LOOK}{as_els(cooperative)}&q=lier")
    assert re.findall(r"<li><a [^>]*>([^<]+ voor [^<]+)</a></li>", page) == ["Lies Claes voor Bibliotheek Lier"]
    assert "Niemand met die naam zou bevraagd worden." in text_of(console.get(f"{LOOK}?q=Tom+Baert"))
    assert "Niemand met die naam zou bevraagd worden." in text_of(console.get(f"{LOOK}?q=100%25"))


def test_a_seat_is_looked_as_too(console: Console, office: Parts, draft: Poll) -> None:
    change(office, Poll, Poll.id == draft.id, audience=Audience.GROUP_SEATS, service_id=None)
    assert "Je kijkt als Els Peeters ." in text_of(console.get(LOOK))
    assert "voor je eigen mandaat in de Stuurgroep Digitale Collecties" in text_of(console.get(f"{LOOK}/page"))


def test_whoever_would_not_be_asked_cannot_be_looked_as(
    console: Console, cooperative: Cooperative, draft: Poll
) -> None:
    reader = f"?unit=o{cooperative.libraries['Mol'].id}&contact={cooperative.contacts['an'].id}"
    for who in (as_tom(cooperative), reader, "?unit=o1", "?contact=abc", "?unit=%27&contact=1", "?unit=o1&contact=9"):
        for path in ("", "/page", "/paper", "/mail"):
            console.get(f"{LOOK}{path}{who}", status=404)


def test_where_nobody_can_be_mailed_the_preview_says_so(console: Console, office: Parts, draft: Poll) -> None:
    with office.db.transaction() as (session, _):
        session.execute(sa.delete(Representation))
    assert (
        "Er is niets te tonen: vandaag zou niemand een mail krijgen Er zouden er 5 bevraagd worden, "
        "en geen ervan heeft iemand die kan antwoorden."
    ) in text_of(console.get(LOOK))
    for path in ("/page", "/paper", "/mail"):
        console.get(f"{LOOK}{path}", status=404)


def test_looking_writes_nothing(console: Console, office: Parts, cooperative: Cooperative, draft: Poll) -> None:
    before = everything(office.db)
    for path in ("", "/page", "/paper", "/mail"):
        for language in ("nl", "en"):
            console.get(f"{LOOK}{path}{as_els(cooperative, language)}&q=lies", language=language)
    assert everything(office.db) == before


def test_a_proof_comes_to_me_alone_once_and_leads_into_the_console(
    console: Console, office: Parts, cooperative: Cooperative, draft: Poll, deliver: Deliver
) -> None:
    form = in_fields(console.get(f"{LOOK}{as_els(cooperative)}"), "unit")
    form = in_fields(console.get(f"{LOOK}{as_els(cooperative)}"), "contact") | form | {
        "unit": f"o{cooperative.libraries['Aartselaar'].id}", "contact": str(cooperative.contacts["els"].id),
        "in": "nl",
    }  # fmt: skip
    for _click in range(2):
        answer = send(console, form, f"{BASE}/proof")
        assert answer.status_code == 303
        assert "done=poll-proof-sent" in answer.location
    [mail] = deliver()
    assert (mail.template, mail.to) == ("poll-proof", "klaar.leroy@cultuurconnect.example")
    assert mail.subject.startswith("[Proef] Bibliotheek Aartselaar")
    link = f"http://localhost{LOOK}?unit={form['unit']}&contact={form['contact']}"
    assert link in mail.text
    assert "/r/" not in mail.text + mail.html
    assert "Je kijkt als Els Peeters voor Bibliotheek Aartselaar ." in text_of(
        console.get(link.removeprefix("http://localhost"))
    )
    assert {(act, who) for act, who, _ in recorded(office, draft.id)} == {("poll-proof-sent", console.person.actor)}
    opened(office, draft)
    assert to(deliver(), ELS).subject == mail.subject.removeprefix("[Proef] ")


def test_once_the_poll_is_open_there_is_no_preview_any_more(
    console: Console, office: Parts, cooperative: Cooperative, draft: Poll
) -> None:
    opened(office, draft)
    assert went(console.ask(LOOK)) == "/polls/krantenarchief?done=poll-no-draft"
    assert went(send(console, {}, f"{BASE}/proof")) == "/polls/krantenarchief?done=poll-no-draft"
    for path in ("/page", "/paper", "/mail"):
        console.get(f"{LOOK}{path}", status=404)


def test_a_draft_whose_closing_has_passed_can_still_be_looked_at(
    console: Console, office: Parts, cooperative: Cooperative, draft: Poll
) -> None:
    with office.db.reading() as (_session, now):
        past = now()
    change(office, Poll, Poll.id == draft.id, closes_at=past)
    assert "Stem uitbrengen" in page_of(console.ask(f"{LOOK}/page"))
    assert draft.state is PollState.DRAFT
