"""The pages and mails of a secret poll: what each reader sees, in both languages, and where a receipt code never is."""

from __future__ import annotations

import hashlib
import html
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from coopmail.actions import polls as actions
from coopmail.cli.commands import coopmail
from coopmail.domain.contacts import Contact
from coopmail.domain.polls import Ballot, Outcome, Poll, PublishedBallot
from coopmail.jobs.runner import run_all
from coopmail.parts import Parts
from coopmail.queries import ballots as published
from tests.builders import Cooperative
from tests.conftest import CLOSING, FrozenClock, Received
from tests.secrecy import FEW, build_libraries, invited, open_secret_poll, vote_few
from tests.web.pages import everything
from tests.web.test_ballot import link_of

Deliver = Callable[[], list[Received]]
CODE = re.compile(r"<code>([2-9A-HJ-NP-Z]{4}(?:-[2-9A-HJ-NP-Z]{4}){2})</code>")
ELS, JAN, BOOM = "els.peeters@aartselaar.example", "jan.maes@aartselaar.example", "bibliotheek@boom.example"
KEEP = {"nl": "Bij de leverancier blijven", "en": "Stay with the supplier"}


@pytest.fixture
def geheim(office: Parts, cooperative: Cooperative) -> Poll:
    """A secret poll with eleven voters."""
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, 6, now())
    return open_secret_poll(office, cooperative)


@pytest.fixture
def links(geheim: Poll, deliver: Deliver) -> dict[str, str]:
    """Each contact's link, by address; Lies Claes has two and is not in it."""
    mails = deliver()
    return {mail.to: link_of(mails, mail.to) for mail in mails if not mail.to.startswith("lies")}


def shown(client: FlaskClient, path: str, language: str = "en") -> str:
    """The words of a page."""
    page = client.get(path, query_string={"lang": language}).get_data(as_text=True)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def code_on(client: FlaskClient, path: str) -> list[str]:
    """The receipt codes on a page."""
    return CODE.findall(client.get(path).get_data(as_text=True))


def vote_of_five(office: Parts, poll: Poll) -> None:
    """Five libraries beside the cast answer."""
    for invitation, _, name in invited(office, poll)[-5:]:
        with office.db.transaction() as (session, now):
            actions.cast_ballot(session, now, invitation, ("move",), name, office.basis.vault)


SECRECY = {
    "nl": ("Hoe geheim is deze stemming?", "Tot de stemming sluit, vertrouw je op ons.", "wordt de sleutel vernietigd",
           "Kopieën van tijdens de stemming blijven wat ze zijn.", "Deze stemming is geheim.",
           "Geheim: na het sluiten kan niemand nog zien wie wat koos.",
           "Stemmen er minder dan vijf, dan wordt geen enkele stembrief geopend.",
           "Minder dan vijf stemmen tellen niet bij een geheime stemming: een uitslag zou verraden wie wat koos.",
           "Tot de stemming sluit, ziet wie je persoonlijke link opent ook je keuze en je controlecode.",
           "Stuur de mail met die link dus niet door"),
    "en": ("How secret is this vote?", "Until the vote closes, you trust us.", "the key is destroyed",
           "Copies made while the vote was open are what they are.", "This vote is secret.",
           "Secret: after closing, nobody can tell who chose what.",
           "Where fewer than five vote, no ballot is opened.",
           "Fewer than five votes do not count in a secret vote: an outcome would tell who chose what.",
           "Until the vote closes, whoever opens your personal link sees your choice and your receipt code too.",
           "So do not forward the mail with that link"),
}  # fmt: skip


@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_page_of_an_open_secret_poll_promises_what_holds_and_no_more(
    client: FlaskClient, links: dict[str, str], language: str
) -> None:
    for path in (links[ELS], "/polls/geheim"):
        page = shown(client, path, language)
        assert [text for text in SECRECY[language] if text not in page] == []
        assert {"nl": "Deze stemming is open", "en": "This vote is open"}[language] not in page
    draft = shown(client, f"{links[ELS]}/draft", language)
    assert [text for text in (SECRECY[language][4], *SECRECY[language][6:8]) if text not in draft] == []


@pytest.mark.parametrize("language", ["nl", "en"])
def test_whoever_answered_sees_the_own_answer_and_its_receipt_code_until_closing(
    client: FlaskClient, office: Parts, geheim: Poll, links: dict[str, str], clock: FrozenClock, deliver: Deliver,
    language: str,
) -> None:  # fmt: skip
    client.post(links[ELS], data={"choice": "keep"})
    (code,) = code_on(client, links[ELS])
    assert code_on(client, f"{links[ELS]}/draft") == [code]
    for path in (links[ELS], f"{links[ELS]}/draft"):
        page = shown(client, path, language)
        assert {"nl": "Controlecode", "en": "Receipt code"}[language] in page
        assert KEEP[language] in page
    client.post(links[ELS], data={"choice": "move"})
    assert code_on(client, links[ELS]) == [code]
    vote_of_five(office, geheim)
    clock.move_to(CLOSING)
    assert code_on(client, links[ELS]) == [code]  # closed by its time, not yet counted: the key is still there
    deliver()
    page = shown(client, links[ELS], language)
    assert {"nl": "Bibliotheek Aartselaar heeft gestemd.", "en": "Bibliotheek Aartselaar voted."}[language] in page
    assert {"nl": "is vernietigd op", "en": "was destroyed on"}[language] in page
    listed = code_on(client, links[ELS])
    assert (len(listed), code in listed) == (6, True)
    assert code_on(client, f"{links[ELS]}/draft") == []


def test_a_colleague_sees_that_it_was_answered_by_whom_and_no_more(client: FlaskClient, links: dict[str, str]) -> None:
    client.post(links[ELS], data={"choice": "keep"})
    page = shown(client, links[JAN])
    assert "Els Peeters has answered for Bibliotheek Aartselaar" in page
    assert "What was chosen is secret. Only whoever gave the answer sees it, until the vote closes." in page
    assert "Your answer replaces the one that Els Peeters gave." in page
    assert "Print this answer" not in page
    assert code_on(client, links[JAN]) == code_on(client, f"{links[JAN]}/draft") == []
    assert page.count("Stay with the supplier") == page.count("Move to an open platform")  # each as an option, no more
    assert 'aria-label="Chosen"' not in client.get(f"{links[JAN]}/draft?lang=en").get_data(as_text=True)


REPLACED = {
    "nl": ("Stemt een collega na jou met een eigen link, dan telt die stem, onder een andere code: de jouwe staat dan"
           " niet in de lijst.",
           "Staat ze er niet bij, dan stemde een collega na jou en kreeg je daarover een mail."),
    "en": ("When a colleague answers after you with a link of their own, that answer counts, under another code: yours"
           " is then not in the list.",
           "If it is not there, a colleague answered after you, and we mailed you so."),
}  # fmt: skip


@pytest.mark.parametrize("language", ["nl", "en"])
def test_whoever_is_replaced_by_a_colleague_no_longer_sees_the_answer_and_finds_no_code_in_the_list(
    client: FlaskClient, office: Parts, geheim: Poll, links: dict[str, str], clock: FrozenClock, deliver: Deliver,
    language: str,
) -> None:  # fmt: skip
    client.post(links[ELS], data={"choice": "keep"})
    (mine,) = code_on(client, links[ELS])
    assert REPLACED[language][0] in shown(client, links[ELS], language)
    client.post(links[JAN], data={"choice": "move"})
    assert code_on(client, links[ELS]) == []
    (other,) = code_on(client, links[JAN])
    vote_of_five(office, geheim)
    clock.move_to(CLOSING)
    deliver()
    listed = code_on(client, links[ELS])
    assert (len(listed), mine in listed, other in listed) == (6, False, True)
    assert REPLACED[language][1] in shown(client, links[ELS], language)


def test_behind_a_shared_mailbox_the_page_says_who_can_see_the_answer(
    client: FlaskClient, links: dict[str, str]
) -> None:
    said = (
        "Several people read bibliotheek@boom.example: until the vote closes, whoever opens this link sees the answer."
    )
    assert said in shown(client, links[BOOM])
    client.post(links[BOOM], data={"choice": "keep", "answered_by": "Sofie"})
    assert len(code_on(client, links[BOOM])) == 1
    assert "Is this correct?" in shown(client, links[BOOM])


def test_where_the_key_cannot_be_read_the_page_says_that_the_answer_stands(
    client: FlaskClient, office: Parts, links: dict[str, str]
) -> None:
    client.post(links[ELS], data={"choice": "keep"})
    (file,) = office.settings.key_folder.rglob("*.key")
    kept = file.read_bytes()
    file.unlink()
    page = shown(client, links[ELS])
    assert "Your answer is recorded, but we cannot show it at this moment." in page
    before = everything(office.db)
    assert client.post(links[ELS], data={"choice": "move"}).status_code == 500
    assert everything(office.db) == before
    file.write_bytes(kept)
    assert len(code_on(client, links[ELS])) == 1


def test_no_mail_and_no_row_holds_a_receipt_code_and_no_receipt_says_what_was_chosen(
    client: FlaskClient, office: Parts, geheim: Poll, links: dict[str, str], clock: FrozenClock, deliver: Deliver,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    client.post(links[ELS], data={"choice": "keep"})
    client.post(links[BOOM], data={"choice": "keep", "answered_by": "Sofie"})
    codes = [*code_on(client, links[ELS]), *code_on(client, links[BOOM])]
    vote_of_five(office, geheim)
    receipts = deliver()
    assert {mail.template for mail in receipts} == {"ballot-receipt", "ballot-by-colleague"}
    for mail in receipts:
        assert KEEP["nl"] not in mail.text + mail.html + mail.subject
        assert "Deze stemming is geheim" in " ".join(mail.text.split())
    clock.move_to(CLOSING)
    outcomes = deliver()
    assert {mail.template for mail in outcomes} == {"ballot-outcome"}
    assert "uitgebracht" in next(mail.text for mail in outcomes if mail.to == ELS)
    rows = {name: repr(rows) for name, rows in everything(office.db).items() if name != "published_ballots"}
    everywhere = "".join([*rows.values(), *(mail.message.as_string() for mail in receipts + outcomes),
                          "".join(capsys.readouterr())])  # fmt: skip
    assert len(set(codes)) == 2
    assert [code for code in codes if code in everywhere] == []


SAID = {
    "nl": {"ballot-invitation": "Deze stemming is geheim: na het sluiten kan niemand nog zien wie wat koos.",
           "ballot-receipt": "Deze stemming is geheim, dus staat je keuze niet in deze mail.",
           "ballot-by-colleague": "Deze stemming is geheim: wat er gekozen is, staat in geen enkele mail.",
           "ballot-outcome": "De stem van Bibliotheek Aartselaar: uitgebracht"},
    "en": {"ballot-invitation": "This vote is secret: after closing, nobody can tell who chose what.",
           "ballot-receipt": "This vote is secret, so this mail does not say what you chose.",
           "ballot-by-colleague": "This vote is secret: what was chosen stands in no mail.",
           "ballot-outcome": "The vote of Bibliotheek Aartselaar: cast"},
}  # fmt: skip


@pytest.mark.parametrize("language", ["nl", "en"])
def test_each_mail_of_a_secret_vote_says_that_it_is_secret_in_both_its_parts(
    client: FlaskClient, office: Parts, cooperative: Cooperative, clock: FrozenClock, deliver: Deliver, language: str
) -> None:
    with office.db.transaction() as (session, now):
        session.execute(sa.update(Contact).values(language=language))
        build_libraries(session, cooperative, 6, now())
    poll = open_secret_poll(office, cooperative)
    mails = deliver()
    client.post(link_of(mails, ELS), data={"choice": "keep"})
    vote_of_five(office, poll)
    mails += deliver()
    clock.move_to(CLOSING)
    mails += [mail for mail in deliver() if mail.template == "ballot-outcome"]
    found = {mail.template: mail for mail in mails if mail.to in (ELS, JAN)}
    assert found.keys() == SAID[language].keys()
    for template, mail in found.items():
        for part in (mail.text, html.unescape(re.sub(r"<[^>]*>", " ", mail.html))):
            assert SAID[language][template] in " ".join(part.split())


COLLEAGUE = {
    "nl": ("jij stemt ook voor Bibliotheek Aartselaar, dus laten we je weten dat Els Peeters heeft gestemd.",
           "Alleen Els Peeters kan het zien, tot de stemming sluit.",
           "Spreek met elkaar af of die stem blijft staan. Zelf stemmen kan tot",
           ": de laatste stem voor het sluiten telt."),
    "en": ("you vote for Bibliotheek Aartselaar too, so we tell you that Els Peeters has voted.",
           "Only Els Peeters can see it, until the vote closes.",
           "Agree between you whether that vote stays. You can vote yourself until",
           ": the last vote before closing counts."),
}  # fmt: skip
ONLY_IN_OPEN = {"nl": ("Klopt de stem", "Klopt ze niet", "wat er genoteerd is"),
                "en": ("If the vote is right", "If it is not right", "what was recorded")}  # fmt: skip


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_colleague_is_mailed_who_voted_in_secret_and_is_not_asked_whether_the_vote_is_right(
    client: FlaskClient, office: Parts, cooperative: Cooperative, deliver: Deliver, language: str
) -> None:
    with office.db.transaction() as (session, _):
        session.execute(sa.update(Contact).values(language=language))
    open_secret_poll(office, cooperative)
    client.post(link_of(deliver(), ELS), data={"choice": "keep"})
    (mail,) = (mail for mail in deliver() if mail.to == JAN)
    assert mail.template == "ballot-by-colleague"
    for part in (mail.text, html.unescape(re.sub(r"<[^>]*>", " ", mail.html))):
        words = " ".join(part.split())
        assert [text for text in COLLEAGUE[language] if text not in words] == []
        assert [text for text in ONLY_IN_OPEN[language] if text in words] == []


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_colleague_who_is_told_after_closing_is_not_told_that_anybody_can_see_the_vote(
    client: FlaskClient, office: Parts, cooperative: Cooperative, clock: FrozenClock, deliver: Deliver, language: str
) -> None:
    with office.db.transaction() as (session, _):
        session.execute(sa.update(Contact).values(language=language))
    open_secret_poll(office, cooperative)
    link = link_of(deliver(), ELS)
    clock.move_to(CLOSING - timedelta(seconds=10))
    client.post(link, data={"choice": "keep"})
    clock.move_to(CLOSING)
    (mail,) = (mail for mail in deliver() if (mail.to, mail.template) == (JAN, "ballot-by-colleague"))
    words = " ".join(mail.text.split())
    assert [text in words for text in COLLEAGUE[language]] == [True, False, False, False]
    assert SAID[language]["ballot-by-colleague"] in words


def test_answers_around_closing_are_wholly_counted_or_refused(
    app: Flask, office: Parts, geheim: Poll, links: dict[str, str], clock: FrozenClock
) -> None:
    paths = list(links.values())
    statuses: list[int] = []
    start = threading.Barrier(61)

    def vote(number: int) -> None:
        with app.test_client() as browser:
            start.wait()
            data = {"choice": ("keep", "move", "abstain")[number % 3], "answered_by": "Sofie"}
            statuses.append(browser.post(paths[number % len(paths)], data=data).status_code)

    def close() -> None:
        start.wait()
        clock.move_to(CLOSING)
        run_all(app)

    threads = [threading.Thread(target=vote, args=(number,)) for number in range(60)]
    threads.append(threading.Thread(target=close))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_all(app)
    assert set(statuses) <= {303, 409}
    with office.db.reading() as (session, _):
        times = session.scalars(sa.select(Ballot.cast_at)).all()
        outcome = session.get_one(Outcome, geheim.id)
        listed = session.scalars(sa.select(PublishedBallot.marks_text)).all()
    assert [moment for moment in times if moment >= CLOSING] == []
    assert outcome.cast == outcome.answered_units == len(times)
    # A list is published from five ballots on: how many came in time differs from run to run.
    assert {f'["{key}"]': votes for key, votes in outcome.tally.items() if votes} == dict(Counter(listed))
    assert len(listed) == (len(times) if len(times) >= 5 else 0)


@pytest.mark.parametrize("secret", [False, True], ids=["open", "secret"])
def test_the_outcome_mail_names_the_hash_of_the_list_that_anyone_can_download_and_count(
    client: FlaskClient, office: Parts, cooperative: Cooperative, clock: FrozenClock, deliver: Deliver,
    tmp_path: Path, secret: bool,
) -> None:  # fmt: skip
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, 6, now())
    poll = open_secret_poll(office, cooperative, secret=secret)
    link = link_of(deliver(), ELS)
    client.post(link, data={"choice": "keep"})
    vote_of_five(office, poll)
    for path in (f"{link}/ballots.json", "/polls/geheim/ballots.json"):
        assert client.get(path).status_code == 404
    clock.move_to(CLOSING)
    mail = next(mail for mail in deliver() if (mail.to, mail.template) == (ELS, "ballot-outcome"))
    with office.db.reading() as (session, _):
        outcome = session.get_one(Outcome, poll.id)
    assert outcome.list_hash is not None
    for part in (mail.text, mail.html):
        assert outcome.list_hash in part
        assert "http://localhost/polls/geheim/ballots.json" in part
    for path in (f"{link}/ballots.json", "/polls/geheim/ballots.json"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
        assert answer.headers["Content-Disposition"] == "attachment; filename=geheim.json"
        assert hashlib.sha256(answer.data).hexdigest() == outcome.list_hash
    labels = [ballot[0] for ballot in json.loads(answer.data)["ballots"]]
    assert ("Bibliotheek Aartselaar" in labels) is not secret
    assert labels == sorted(labels)
    page = client.get(link).get_data(as_text=True)
    assert f'href="{link}/ballots.json"' in page
    assert outcome.list_hash in page
    file = tmp_path / "geheim.json"
    file.write_bytes(answer.data)
    counted = CliRunner().invoke(coopmail, ["count", str(file)], env={"COOPMAIL_SECRET_KEYS": None})
    assert (counted.exit_code, counted.stderr) == (0, "")
    assert f"Hash of this file (SHA-256): {outcome.list_hash}" in counted.stdout
    assert "Verdict: “Move to an open platform” is chosen." in counted.stdout


def test_a_list_for_participants_is_on_their_pages_alone(
    client: FlaskClient, office: Parts, cooperative: Cooperative, clock: FrozenClock, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, 6, now())
    poll = open_secret_poll(office, cooperative, visibility="participants")
    link = link_of(deliver(), ELS)
    vote_of_five(office, poll)
    clock.move_to(CLOSING)
    mail = next(mail for mail in deliver() if mail.to == ELS)
    assert "/ballots.json" not in mail.text
    assert "De lijst van de stembrieven vind je op je pagina." in mail.text
    assert client.get("/polls/geheim/ballots.json").status_code == 404
    assert client.get(f"{link}/ballots.json").status_code == 200


TOO_FEW = {
    "nl": ("Er stemden er minder dan vijf, te weinig voor een geheime stemming: er is niets gekozen.",
           "Geen enkele stembrief werd geopend, en er is er geen bewaard.",
           "Minder dan vijf stemmen tellen niet bij een geheime stemming: een uitslag zou verraden wie wat koos."),
    "en": ("Fewer than five voted, which is too few for a secret vote: nothing is chosen.",
           "No ballot was opened, and none is kept.",
           "Fewer than five votes do not count in a secret vote: an outcome would tell who chose what."),
}  # fmt: skip
QUORUM = {
    "nl": ("Niet gehaald: een geheime stemming telt vanaf vijf stemmen.", "quorum van", "minstens 1/20 moest"),
    "en": ("Not reached: a secret vote counts from five votes on.", "quorum of", "at least 1/20 had"),
}


@pytest.mark.parametrize("language", ["nl", "en"])
def test_where_fewer_than_five_voted_pages_and_mails_say_that_it_does_not_count(
    client: FlaskClient, office: Parts, cooperative: Cooperative, clock: FrozenClock, deliver: Deliver, language: str
) -> None:
    with office.db.transaction() as (session, now):
        session.execute(sa.update(Contact).values(language=language))
        build_libraries(session, cooperative, 6, now())
    open_secret_poll(office, cooperative, quorum="1/20")
    mails = deliver()
    links = {mail.to: link_of(mails, mail.to) for mail in mails if not mail.to.startswith("lies")}
    for address in (ELS, "stemmer1@veld.example", "stemmer2@veld.example"):
        client.post(links[address], data={"choice": "keep"})
    deliver()
    clock.move_to(CLOSING)
    mail = next(mail for mail in deliver() if (mail.to, mail.template) == (ELS, "ballot-outcome"))
    for part in (mail.text, html.unescape(re.sub(r"<[^>]*>", " ", mail.html))):
        assert [text for text in TOO_FEW[language] if text not in " ".join(part.split())] == []
        assert "SHA-256" not in part
        assert KEEP[language] not in part
    for path in (links[ELS], "/polls/geheim"):
        raw = client.get(f"{path}?lang={language}").get_data(as_text=True)
        page = shown(client, path, language)
        assert [text for text in (*TOO_FEW[language], QUORUM[language][0]) if text not in page] == []
        assert [text for text in QUORUM[language][1:] if text in page] == []
        assert page.count(KEEP[language]) == 1  # as an option, no more
        assert '<svg class="bar"' not in raw
        assert "ballots.json" not in raw
        assert not re.search(r"\b3 (stemmen|votes)", page)
        assert CODE.findall(raw) == []
    for path in (f"{links[ELS]}/ballots.json", "/polls/geheim/ballots.json"):
        assert client.get(path).status_code == 404


def test_pages_and_mails_are_the_same_whatever_fewer_than_five_chose(
    client: FlaskClient, office: Parts, cooperative: Cooperative, clock: FrozenClock, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        build_libraries(session, cooperative, 6, now())
    slugs = [f"geheim-{place}" for place in range(len(FEW))]
    for slug, choices in zip(slugs, FEW.values(), strict=True):
        vote_few(office, open_secret_poll(office, cooperative, slug), choices)
    deliver()
    clock.move_to(CLOSING)
    outcomes = [mail for mail in deliver() if (mail.to, mail.template) == (ELS, "ballot-outcome")]
    assert len(outcomes) == len(slugs)
    links = [mail.link for mail in outcomes]
    assert len({mail.text.replace(link, "") for mail, link in zip(outcomes, links, strict=True)}) == 1
    assert len({shown(client, link) for link in links}) == 1
    assert len({shown(client, f"/polls/{slug}") for slug in slugs}) == 1


def test_where_nobody_voted_in_secret_the_page_says_so(
    client: FlaskClient, geheim: Poll, clock: FrozenClock, deliver: Deliver
) -> None:
    clock.move_to(CLOSING)
    deliver()
    page = shown(client, f"/polls/{geheim.slug}")
    assert "Nobody voted: nothing is chosen." in page
    assert TOO_FEW["en"][0] not in page


def test_the_text_to_hand_in_says_that_one_voted_and_not_what(
    client: FlaskClient, office: Parts, geheim: Poll, links: dict[str, str], clock: FrozenClock, deliver: Deliver
) -> None:
    client.post(links[ELS], data={"choice": "keep"})
    vote_of_five(office, geheim)
    clock.move_to(CLOSING)
    deliver()
    page = client.get(f"{links[ELS]}?lang=en").get_data(as_text=True)
    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert found is not None
    handout = html.unescape(found.group(1))
    assert handout.rstrip().endswith(
        "The vote of Bibliotheek Aartselaar\n"
        "Given by Els Peeters on Monday 16 November 2026 at 09:00. The vote was secret."
    )
    assert "The outcome is binding" in handout


def test_a_second_click_after_counting_is_told_that_the_answer_stands(
    client: FlaskClient, office: Parts, geheim: Poll, links: dict[str, str], clock: FrozenClock, deliver: Deliver
) -> None:
    """With the key gone nobody can see that it is the same answer."""
    client.post(links[ELS], data={"choice": "keep"})
    vote_of_five(office, geheim)
    clock.move_to(CLOSING)
    assert client.post(links[ELS], data={"choice": "keep"}).status_code == 303
    deliver()
    before = everything(office.db)
    answer = client.post(f"{links[ELS]}?lang=en", data={"choice": "keep"})
    assert answer.status_code == 409
    assert "The answer that Els Peeters gave on" in answer.get_data(as_text=True)
    assert everything(office.db) == before


def test_a_long_list_is_shown_in_part_and_offered_whole(
    client: FlaskClient, office: Parts, geheim: Poll, clock: FrozenClock, deliver: Deliver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(published, "MOST_ROWS", 3)
    vote_of_five(office, geheim)
    clock.move_to(CLOSING)
    deliver()
    assert "These are the first 3. All of them are in the list to download." in shown(client, "/polls/geheim")
    assert len(code_on(client, "/polls/geheim")) == 3
    assert len(json.loads(client.get("/polls/geheim/ballots.json").data)["ballots"]) == 5
