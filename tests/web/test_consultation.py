"""A consultation of the whole field: members vote, whoever is no member is heard and counted apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient

from coopmail.actions import electorate, polls
from coopmail.actions.electorate import AudienceFault, AudienceRefused
from coopmail.cli.count import count
from coopmail.domain.audience_question import About, Condition
from coopmail.domain.audit import AuditRow
from coopmail.domain.polls import Audience, Effect, Outcome, Poll, Visibility, VotingUnit
from coopmail.errors import EmptyElectorate
from coopmail.parts import Parts
from coopmail.queries import polls as questions
from tests.builders import Cooperative, build_audience, build_field, build_poll
from tests.conftest import CLOSING, FrozenClock, Received

Deliver = Callable[[], list[Received]]
FIELD: dict[str, Any] = {
    "slug": "veld", "audience": Audience.WHOLE_FIELD, "effect": Effect.CONSULTATION, "service_id": None,
    "quorum": "1/2",
}  # fmt: skip


def opened(office: Parts, cast: Cooperative, **changes: Any) -> Poll:
    """A poll, opened."""
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cast, closes_at=CLOSING, **(FIELD | changes))
        return polls.open_poll(session, draft.id, now, office.basis)


@pytest.fixture
def consultation(office: Parts, cooperative: Cooperative) -> Poll:
    """A consultation of the whole field, open."""
    with office.db.transaction() as (session, now):
        build_field(session, cooperative, now())
    return opened(office, cooperative)


def asked(office: Parts, poll: Poll) -> dict[str, int]:
    """Whoever is asked, by name, with its number of votes."""
    with office.db.reading() as (session, _):
        return {unit.name: unit.weight for unit in session.scalars(
            sa.select(VotingUnit).where(VotingUnit.poll_id == poll.id))}  # fmt: skip


def links(mails: list[Received]) -> dict[str, str]:
    """The first link that each address got."""
    found: dict[str, str] = {}
    for mail in mails:
        found.setdefault(mail.to, mail.link)
    return found


def shown(page: str) -> str:
    """A page's text with single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split()).replace("&#39;", "'")


def answer(client: FlaskClient, link: str, choice: str, **more: str) -> None:
    """Answer by a link."""
    assert client.post(link, data={"choice": choice, **more}).status_code == 303


def close(office: Parts, clock: FrozenClock, poll: Poll) -> Outcome:
    """Let the time come, and close."""
    clock.move_to(CLOSING)
    with office.db.transaction() as (session, now):
        return polls.close_poll(session, poll.id, now, office.basis)


def held(office: Parts, clock: FrozenClock, client: FlaskClient, poll: Poll, deliver: Deliver) -> dict[str, str]:
    """Two members keep and one moves; of the others Rik and Nele move, and Omar abstains. Then it is closed."""
    found = links(deliver())
    for who, choice in (
        ("els.peeters@aartselaar", "keep"), ("lies.claes@duffel", "keep"), ("tom.baert@zoersel", "move"),
        ("rik.smet@turnhout", "move"), ("nele.jans@veld", "move"), ("omar.aziz@veld", "abstain"),
    ):  # fmt: skip
        answer(client, found[f"{who}.example"], choice)
    deliver()
    close(office, clock, poll)
    return found


def test_members_vote_and_other_organisations_and_persons_are_heard(
    office: Parts, cooperative: Cooperative, consultation: Poll
) -> None:
    members = {f"Bibliotheek {name}": 1 for name in ("Aartselaar", "Boom", "Duffel", "Lier", "Mol", "Zoersel")}
    others = dict.fromkeys(("Cultuurcentrum Turnhout", "Mia Jacobs", "Nele Jans", "Omar Aziz"), 0)
    assert asked(office, consultation) == members | others
    with office.db.reading() as (session, _):
        assert questions.turnout(session, consultation.id) == questions.Turnout(6, 0, 1, 4, 0)
        row = session.scalars(sa.select(AuditRow).where(AuditRow.act == "poll-opened")).one()
    assert row.detail == {"charter_entry": row.detail["charter_entry"], "audience": "whole_field", "units": 6,
                          "apart": 4}  # fmt: skip


def test_costs_are_shared_by_members_alone(
    office: Parts, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    mails = {mail.to: mail for mail in deliver()}
    assert (consultation.units, consultation.population) == (6, 144_000)
    assert "Voor Bibliotheek Boom: " in mails["bibliotheek@boom.example"].text
    for address in ("rik.smet@turnhout.example", "nele.jans@veld.example"):
        assert "Voor " not in mails[address].text.replace("Voor vragen", "")
        assert "In totaal: €\N{NO-BREAK SPACE}90.000,00 excl. btw" in mails[address].text
    page = shown(client.get(mails["rik.smet@turnhout.example"].link).get_data(as_text=True))
    assert "Voor Cultuurcentrum Turnhout" not in page


def test_a_person_is_invited_answers_for_himself_and_is_told_that_it_counts_apart(
    office: Parts, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    mail = next(mail for mail in deliver() if mail.to == "nele.jans@veld.example")
    assert mail.subject.startswith("Stuurgroep Digitale Collecties: jouw stem over ")
    for text in (mail.text.replace("\n", " "), shown(mail.html)):
        assert "Je antwoordt voor jezelf. Je antwoord wordt gehoord, en apart geteld van de stemmen" in text
        assert "Wie voor zichzelf antwoordt, en niet voor een organisatie, staat zonder naam in de lijst." in text
        assert "Je staat bij ons bekend als persoon uit het veld, zonder organisatie." in text
        assert "college" not in text
    page = shown(client.get(mail.link).get_data(as_text=True))
    assert "Je antwoordt als Nele Jans , voor jezelf." in page
    assert "Je antwoord wordt gehoord, en apart geteld van de stemmen van de coöperanten." in page
    assert "Van jou alleen: niemand antwoordt in jouw plaats" in page
    assert "staat zonder naam in de lijst" in page


def test_an_organisation_that_is_no_member_is_told_that_it_counts_apart_in_its_own_language(
    office: Parts, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    mail = next(mail for mail in deliver() if mail.to == "rik.smet@turnhout.example")
    assert mail.subject.startswith("Cultuurcentrum Turnhout: ")
    assert "Je antwoordt voor Cultuurcentrum Turnhout. Je antwoord wordt gehoord" in mail.text.replace("\n", " ")
    page = shown(client.get(f"{mail.link}?lang=en").get_data(as_text=True))
    assert "Cultuurcentrum Turnhout is no member: its answer is heard, and counted apart" in page
    assert "That of Cultuurcentrum Turnhout. The last answer before closing counts." in page


def test_a_person_s_link_cannot_be_passed_on(
    office: Parts, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    link = links(deliver())["nele.jans@veld.example"]
    page = shown(client.get(f"{link}/person").get_data(as_text=True))
    assert "Deze link hoort bij Nele Jans, die voor geen organisatie antwoordt." in page
    assert "<form" not in client.get(f"{link}/person").get_data(as_text=True)
    named = {"name": "An Ander", "email": "an.ander@veld.example", "role": "replaces"}
    assert client.post(f"{link}/person", data=named).status_code == 200
    assert deliver() == []


def test_voices_are_counted_apart_from_votes(
    office: Parts, clock: FrozenClock, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    held(office, clock, client, consultation, deliver)
    with office.db.reading() as (session, _):
        outcome = session.get_one(Outcome, consultation.id)
    assert (outcome.tally, outcome.cast, outcome.abstentions) == ({"keep": 2, "move": 1, "abstain": 0}, 3, 0)
    assert (outcome.electorate, outcome.units, outcome.answered_units, outcome.winner) == (6, 6, 3, "keep")
    assert outcome.quorum_met
    assert outcome.apart == {"tally": {"keep": 0, "move": 2, "abstain": 1}, "cast": 3, "abstentions": 1, "units": 4,
                             "answered": 3}  # fmt: skip


def test_a_quorum_is_not_reached_by_voices_apart(
    office: Parts, clock: FrozenClock, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    found = links(deliver())
    for who in ("rik.smet@turnhout", "nele.jans@veld", "omar.aziz@veld", "mia.jacobs@cultuurconnect"):
        answer(client, found[f"{who}.example"], "move")
    outcome = close(office, clock, consultation)
    assert (outcome.cast, outcome.quorum_met, outcome.winner) == (0, False, None)
    assert outcome.apart is not None
    assert outcome.apart["tally"] == {"keep": 0, "move": 4, "abstain": 0}


def test_the_outcome_stands_on_the_pages_with_the_voices_beside_it_and_persons_without_a_name(
    office: Parts, clock: FrozenClock, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    found = held(office, clock, client, consultation, deliver)
    apart = "Apart gehoord, zonder stemrecht: 3 van de 4 andere organisaties en personen antwoordden (75"
    for path in ("/polls/veld", found["rik.smet@turnhout.example"], found["nele.jans@veld.example"]):
        raw = client.get(path).get_data(as_text=True)
        page = shown(raw)
        assert "“Bij de leverancier blijven” werd het vaakst genoemd" in page
        assert "3 van de 6 coöperanten stemden" in page
        assert apart in page
        assert "Wie wat stemde (6)" in page
        assert "Cultuurcentrum Turnhout (apart geteld) Naar een open platform" in page
        assert page.count("een persoon uit het veld (apart geteld)") == 2
        assert "Omar Aziz" not in page
        assert ("Nele Jans" in page) is (path == found["nele.jans@veld.example"])
    handout = raw[raw.index("<textarea") :]
    assert apart in handout
    assert "Naar een open platform: 2 antwoorden" in handout
    english = shown(client.get("/polls/veld?lang=en").get_data(as_text=True))
    assert "Heard apart, without a vote: 3 of 4 other organisations and persons answered (75%)." in english


def test_the_list_holds_every_answer_no_person_s_name_and_counts_again_to_the_same(
    office: Parts, clock: FrozenClock, consultation: Poll, client: FlaskClient, deliver: Deliver, tmp_path: Any
) -> None:
    held(office, clock, client, consultation, deliver)
    raw = client.get("/polls/veld/ballots.json").data
    assert json.loads(raw)["ballots"] == [
        ["Bibliotheek Aartselaar", ["keep"], 1], ["Bibliotheek Duffel", ["keep"], 1],
        ["Bibliotheek Zoersel", ["move"], 1], ["Cultuurcentrum Turnhout", ["move"], 0],
        ["a person of the field", ["abstain"], 0], ["a person of the field", ["move"], 0],
    ]  # fmt: skip
    assert (json.loads(raw)["apart"], json.loads(raw)["electorate"]) == (4, 6)
    with office.db.reading() as (session, _):
        list_hash = session.get_one(Outcome, consultation.id).list_hash
    (tmp_path / "veld.json").write_bytes(raw)
    told = CliRunner().invoke(count, [str(tmp_path / "veld.json"), "--hash", str(list_hash)])
    assert told.exit_code == 0, told.output
    assert "Open poll: 3 ballots with 3 votes of the 6 that could be cast, 0 of them abstentions." in told.output
    assert (
        "Heard apart, without a vote: 3 of 4, 1 of them abstentions.\n        0  Stay with the supplier\n        2"
        in (told.output)
    )
    assert "That is the hash that was given" in told.output


def test_the_outcome_is_mailed_with_the_voices_beside_it(
    office: Parts, clock: FrozenClock, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    held(office, clock, client, consultation, deliver)
    mails = {mail.to: mail for mail in deliver() if mail.template == "ballot-outcome"}
    apart = "Apart gehoord, zonder stemrecht: 3 van de 4 andere organisaties en personen antwoordden"
    for address, own in (
        ("nele.jans@veld.example", "Je antwoord: Naar een open platform"),
        ("rik.smet@turnhout.example", "De stem van Cultuurcentrum Turnhout: Naar een open platform"),
        ("els.peeters@aartselaar.example", "De stem van Bibliotheek Aartselaar: Bij de leverancier blijven"),
    ):
        for text in (" ".join(mails[address].text.split()), shown(mails[address].html)):
            assert own in text
            assert apart in text
        assert "- Naar een open platform 2 antwoorden (100" in " ".join(mails[address].text.split())
    assert "college" not in mails["nele.jans@veld.example"].text
    assert "Heard apart, without a vote: 3 of 4" in " ".join(mails["omar.aziz@veld.example"].text.split())


def test_a_person_is_reminded_and_told_of_more_time_and_of_a_withdrawal(
    office: Parts, clock: FrozenClock, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    answer(client, links(deliver())["omar.aziz@veld.example"], "keep")
    deliver()
    clock.advance(days=11, hours=2)
    reminded = {mail.to: mail for mail in deliver() if mail.template == "reminder"}
    assert reminded["nele.jans@veld.example"].subject.startswith("Stuurgroep Digitale Collecties: ")
    assert "omar.aziz@veld.example" not in reminded
    with office.db.transaction() as (session, now):
        polls.withdraw_poll(session, consultation.id, now, "De vraag is achterhaald.")
    withdrawn = {mail.to: mail for mail in deliver() if mail.template == "poll-withdrawn"}
    assert "Dit gaat over je eigen antwoord." in withdrawn["nele.jans@veld.example"].text


def test_the_public_page_says_how_many_members_and_others_answered_so_far(
    office: Parts, consultation: Poll, client: FlaskClient, deliver: Deliver
) -> None:
    answer(client, links(deliver())["nele.jans@veld.example"], "move")
    page = shown(client.get("/polls/veld").get_data(as_text=True))
    assert "Van de 6 coöperanten stemden er al 0. Van de 4 anderen die gevraagd zijn, antwoordden er al 1." in page


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"effect": Effect.BINDING}, AudienceFault.FIELD_DECIDES),
        ({"effect": Effect.ADVICE}, AudienceFault.FIELD_DECIDES),
        ({"secret": True}, AudienceFault.FIELD_SECRET),
        ({"audience": Audience.SAVED}, AudienceFault.SAVED_MISSING),
        ({"audience": Audience.SERVICE_MEMBERS}, AudienceFault.SERVICE_MISSING),
    ],
)
def test_the_whole_field_is_never_asked_to_decide_nor_in_secret(
    office: Parts, cooperative: Cooperative, changes: dict[str, Any], fault: AudienceFault
) -> None:
    with pytest.raises(AudienceRefused) as refused:
        opened(office, cooperative, **changes)
    assert refused.value.fault is fault


def saved(office: Parts, cast: Cooperative, lists: list[list[Condition]], **changes: Any) -> Poll:
    """A poll of a saved audience, opened."""
    with office.db.transaction() as (session, now):
        build_field(session, cast, now())
        audience = build_audience(session, now(), "Wie we horen", lists)
    return opened(office, cast, audience=Audience.SAVED, saved_audience_id=audience.id, **changes)


OF_ALL_KINDS = [[Condition(About.SIZE, "36000-")], [Condition(About.GROUP, "digitale-collecties")]]


def test_a_binding_poll_of_a_saved_audience_asks_the_members_in_it_and_nobody_else(
    office: Parts, cooperative: Cooperative
) -> None:
    poll = saved(office, cooperative, OF_ALL_KINDS, effect=Effect.BINDING)
    assert asked(office, poll) == {"Bibliotheek Lier": 1, "Bibliotheek Mol": 1}


def test_a_consultation_of_a_saved_audience_hears_the_others_in_it_and_keeps_the_question(
    office: Parts, cooperative: Cooperative
) -> None:
    poll = saved(office, cooperative, OF_ALL_KINDS)
    assert asked(office, poll) == {"Bibliotheek Lier": 1, "Bibliotheek Mol": 1, "Cultuurcentrum Turnhout": 0,
                                   "Mia Jacobs": 0}  # fmt: skip
    with office.db.reading() as (session, _):
        detail = session.scalars(sa.select(AuditRow).where(AuditRow.act == "poll-opened")).one().detail
    assert (detail["units"], detail["apart"], detail["saved_audience"]) == (2, 2, "Wie we horen")
    assert detail["question"] == [[{"about": "size", "value": "36000-", "negated": False}],
                                  [{"about": "group", "value": "digitale-collecties", "negated": False}]]  # fmt: skip


def test_a_consultation_of_whoever_is_no_member_is_heard_and_chooses_nothing(
    office: Parts, clock: FrozenClock, cooperative: Cooperative, client: FlaskClient, deliver: Deliver
) -> None:
    poll = saved(office, cooperative, [[Condition(About.MEMBER, negated=True)]], quorum=None)
    answer(client, links(deliver())["nele.jans@veld.example"], "move")
    close(office, clock, poll)
    page = shown(client.get("/polls/veld").get_data(as_text=True))
    assert "Er werd geen enkele coöperant gevraagd; wat de anderen zeiden, staat apart." in page
    assert "De stuurgroep voert de keuze uit." in page
    assert "1 van de 4 andere organisaties en personen antwoordden" in page


def test_an_audience_in_which_nobody_is_opens_no_poll(office: Parts, cooperative: Cooperative) -> None:
    with pytest.raises(EmptyElectorate):
        saved(office, cooperative, [[Condition(About.PROVINCE, "Limburg")]])


def test_an_archived_audience_opens_no_poll(office: Parts, cooperative: Cooperative) -> None:
    with office.db.transaction() as (session, now):
        audience = build_audience(session, now(), "Oud", [[Condition(About.FIELD)]])
        audience.archived_at = now()
    with pytest.raises(AudienceRefused) as refused:
        opened(office, cooperative, audience=Audience.SAVED, saved_audience_id=audience.id)
    assert refused.value.fault is AudienceFault.SAVED_ARCHIVED


def test_how_many_may_vote_is_known_before_opening_without_those_who_are_heard(
    office: Parts, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, now):
        build_field(session, cooperative, now())
        draft = build_poll(session, cooperative, closes_at=CLOSING, visibility=Visibility.PARTICIPANTS, **FIELD)
        assert electorate.size(session, draft, now()) == 6


def test_an_organisation_that_ended_is_asked_nothing(office: Parts, cooperative: Cooperative) -> None:
    with office.db.transaction() as (session, now):
        session.merge(cooperative.libraries["Mol"]).ended_on = now().date()
    poll = opened(office, cooperative, audience=Audience.ALL_MEMBERS, effect=Effect.BINDING)
    assert sorted(asked(office, poll)) == [
        f"Bibliotheek {name}" for name in ("Aartselaar", "Boom", "Duffel", "Lier", "Zoersel")
    ]
