"""The page of a ballot: who opens, answers, changes, comes late, or is a robot."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from coopmail.actions import polls as actions
from coopmail.actions import secret_ballots
from coopmail.domain.audit import AuditRow
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Attachment, Ballot, Poll
from coopmail.jobs.runner import run_all
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, FrozenClock, Received
from tests.web.pages import Forms, everything

Deliver = Callable[[], list[Received]]
open_and_secret = pytest.mark.parametrize("secret", [False, True], ids=["open", "secret"], indirect=True)


def link_of(mails: list[Received], to: str, containing: str = "", template: str = "ballot-invitation") -> str:
    """The link in the mail to an address, whose subject holds a text."""
    found = [mail for mail in mails if (mail.to, mail.template) == (to, template) and containing in mail.subject]
    assert len(found) == 1, [(mail.to, mail.subject) for mail in mails]
    return found[0].link


def ballots(office: Parts) -> list[tuple[str | None, str, int]]:
    """What is recorded: the unit's marks (a secret poll's opened with its key), who answered, which version."""
    with office.db.reading() as (session, _):
        rows = session.scalars(sa.select(Ballot).order_by(Ballot.unit_id)).all()
        secret = {poll.id for poll in session.scalars(sa.select(Poll)) if poll.secret}

        def marks(ballot: Ballot) -> str | None:
            if ballot.poll_id not in secret:
                return ballot.marks_text
            assert ballot.marks_text is None
            key = secret_ballots.key_of(session, ballot.poll_id, office.basis.vault)
            return secret_ballots.marked(session, key, ballot.unit_id)

        return [(marks(ballot), ballot.answered_by, ballot.version) for ballot in rows]


@pytest.fixture
def els(poll: Poll, deliver: Deliver) -> str:
    """The link of Els Peeters, for Bibliotheek Aartselaar."""
    return link_of(deliver(), "els.peeters@aartselaar.example")


def test_the_page_says_for_whom_until_when_and_with_what_effect(client: FlaskClient, els: str) -> None:
    page = client.get(f"{els}?lang=en").get_data(as_text=True)
    for text in (
        "Els Peeters", "Bibliotheek Aartselaar", "Which way for the Krantenarchief?", "Friday 4 December 2026 at 17:00",
        "The outcome is binding", "2 minutes", "The steering group carries out the choice.", "Stay with the supplier",
        "€120,000.00 excl. VAT a year", "€13,770.49 excl. VAT a year", "€18,000.00 excl. VAT", "Klaar Leroy",
        "02 000 00 00",
    ):  # fmt: skip
        assert text in page, text
    dutch = client.get(els).get_data(as_text=True)
    for text in (
        "Welke weg gaat het Krantenarchief op?",
        "vrijdag 4 december 2026 om 17.00 uur",
        "€\u00a0120.000,00 excl. btw",
    ):
        assert text in dutch, text
    assert 'lang="nl"' in dutch


def test_a_vote_is_recorded_confirmed_and_mailed_and_the_colleague_is_told(
    client: FlaskClient, office: Parts, els: str, deliver: Deliver
) -> None:
    answer = client.post(f"{els}?lang=en", data={"choice": "move"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{els}?lang=en")
    page = client.get(answer.headers["Location"]).get_data(as_text=True)
    assert "Your vote is recorded" in page
    assert "Move to an open platform" in page
    assert "can be changed until" in page
    assert ballots(office) == [('["move"]', "Els Peeters", 1)]
    mails = {mail.to: mail for mail in deliver()}
    assert {to: mail.template for to, mail in mails.items()} == {
        "els.peeters@aartselaar.example": "ballot-receipt",
        "jan.maes@aartselaar.example": "ballot-by-colleague",
    }
    assert "Naar een open platform" in mails["jan.maes@aartselaar.example"].text
    assert "Els Peeters" in mails["jan.maes@aartselaar.example"].text


@open_and_secret
def test_the_last_of_two_contacts_counts_and_each_is_told(
    client: FlaskClient, office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    mails = deliver()
    els, jan = (link_of(mails, f"{name}@aartselaar.example") for name in ("els.peeters", "jan.maes"))
    client.post(els, data={"choice": "move"})
    seen = client.get(f"{jan}?lang=en").get_data(as_text=True)
    assert "Els Peeters has answered for Bibliotheek Aartselaar" in seen
    client.post(jan, data={"choice": "keep"})
    assert ballots(office) == [('["keep"]', "Jan Maes", 2)]
    # The receipt of the first answer was overtaken before it left; nobody is told what no longer holds.
    assert [(mail.to, mail.template) for mail in deliver()] == [("jan.maes@aartselaar.example", "ballot-receipt")]
    clock.advance(minutes=5)
    assert [(mail.to, mail.template) for mail in deliver()] == [
        ("els.peeters@aartselaar.example", "ballot-by-colleague")
    ]


@open_and_secret
def test_whoever_changes_an_answer_many_times_mails_the_colleagues_once(
    client: FlaskClient, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    els = link_of(deliver(), "els.peeters@aartselaar.example")
    client.post(els, data={"choice": "keep"})
    deliver()
    for number in range(10):
        client.post(els, data={"choice": ("move", "keep")[number % 2]})
        clock.advance(seconds=5)
        assert [mail.to for mail in deliver()] == ["els.peeters@aartselaar.example"]
    clock.advance(minutes=5)
    assert [mail.template for mail in deliver()] == ["ballot-by-colleague"]


@open_and_secret
def test_an_equal_answer_again_is_answered_the_same_and_adds_nothing(
    client: FlaskClient, office: Parts, els: str, deliver: Deliver
) -> None:
    client.post(els, data={"choice": "keep"})
    deliver()
    before = everything(office.db)
    answer = client.post(els, data={"choice": "keep"})
    assert (answer.status_code, answer.headers["Location"]) == (303, els)
    assert everything(office.db) == before
    assert deliver() == []


@open_and_secret
def test_fifty_equal_answers_at_once_are_one_ballot_one_audit_row_and_one_mail(
    app: Flask, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    link = link_of(deliver(), "lies.claes@duffel.example", "Duffel")
    answers: list[tuple[int, str]] = []
    start = threading.Barrier(50)

    def post() -> None:
        with app.test_client() as browser:
            start.wait()
            response = browser.post(link, data={"choice": "move"})
            answers.append((response.status_code, response.headers["Location"]))

    threads = [threading.Thread(target=post) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(303, link)] * 50
    assert ballots(office) == [('["move"]', "Lies Claes", 1)]
    with office.db.reading() as (session, _):
        audited = session.scalars(sa.select(AuditRow).where(AuditRow.act == "ballot-cast")).all()
    assert len(audited) == 1
    assert [(mail.to, mail.template) for mail in deliver()] == [("lies.claes@duffel.example", "ballot-receipt")]


@open_and_secret
@pytest.mark.parametrize("late", [timedelta(0), timedelta(milliseconds=1), timedelta(hours=1)])
def test_an_answer_after_closing_is_refused_though_no_runner_ran(
    client: FlaskClient, office: Parts, clock: FrozenClock, els: str, late: timedelta
) -> None:
    clock.move_to(CLOSING + late)
    before = everything(office.db)
    answer = client.post(f"{els}?lang=en", data={"choice": "keep"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Your answer was not recorded" in page
    assert "You had chosen: <strong>Stay with the supplier</strong>." in page
    assert everything(office.db) == before


@open_and_secret
def test_an_answer_in_the_last_second_counts(client: FlaskClient, office: Parts, clock: FrozenClock, els: str) -> None:
    clock.move_to(CLOSING - timedelta(microseconds=1))
    assert client.post(els, data={"choice": "keep"}).status_code == 303
    clock.move_to(CLOSING)
    # A second click that arrives after closing repeats what is recorded, and is told so.
    assert client.post(els, data={"choice": "keep"}).status_code == 303
    assert client.post(els, data={"choice": "move"}).status_code == 409
    assert ballots(office) == [('["keep"]', "Els Peeters", 1)]


def test_answers_around_closing_are_wholly_counted_or_refused(
    app: Flask, office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    links = [mail.link for mail in deliver() if mail.template == "ballot-invitation"]
    statuses: list[int] = []
    start = threading.Barrier(121)

    def vote(number: int) -> None:
        with app.test_client() as browser:
            start.wait()
            choice = ("keep", "move", "abstain")[number % 3]
            statuses.append(browser.post(links[number % len(links)], data={"choice": choice}).status_code)

    def close() -> None:
        start.wait()
        clock.move_to(CLOSING)
        run_all(app)

    threads = [threading.Thread(target=vote, args=(number,)) for number in range(120)]
    threads.append(threading.Thread(target=close))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_all(app)
    assert set(statuses) <= {303, 409, 422}
    with office.db.reading() as (session, _):
        cast = Counter(session.scalars(sa.select(Ballot.marks_text)))
        late = session.scalars(sa.select(Ballot.id).where(Ballot.cast_at >= CLOSING)).all()
        outcome = session.execute(sa.text("SELECT * FROM outcomes")).mappings().one()
    assert late == []
    tally = outcome["tally"] if isinstance(outcome["tally"], dict) else __import__("json").loads(outcome["tally"])
    assert {f'["{key}"]': votes for key, votes in tally.items() if votes} == dict(cast)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "Choose one option."),
        ({"choice": ""}, "Choose from the options on this page."),
        ({"choice": "other"}, "Choose from the options on this page."),
        ({"choice": ["keep", "move"]}, "Choose one option only."),
    ],
)
def test_a_wrong_answer_says_what_to_do_and_records_nothing(
    client: FlaskClient, office: Parts, els: str, data: dict[str, str], message: str
) -> None:
    before = everything(office.db)
    answer = client.post(f"{els}?lang=en", data=data)
    assert answer.status_code == 422
    assert message in answer.get_data(as_text=True)
    assert everything(office.db) == before


@open_and_secret
def test_behind_a_shared_mailbox_the_page_asks_who_answers_and_shows_who_did(
    client: FlaskClient, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    link = link_of(deliver(), "bibliotheek@boom.example")
    refused = client.post(f"{link}?lang=en", data={"choice": "keep", "answered_by": "  "})
    assert refused.status_code == 422
    page = refused.get_data(as_text=True)
    assert "Type your own name: several people read this mailbox." in page
    assert 'value="keep"' in page
    assert page.count("checked") == 1  # what was typed is still there
    invisible = client.post(f"{link}?lang=en", data={"choice": "keep", "answered_by": "Sofie\u202edeB"})
    assert "Remove the invisible characters" in invisible.get_data(as_text=True)
    client.post(link, data={"choice": "keep", "answered_by": " Sofie   De Backer "})
    assert ballots(office) == [('["keep"]', "Sofie De Backer", 1)]
    assert "Sofie De Backer has answered for Bibliotheek Boom" in client.get(f"{link}?lang=en").get_data(as_text=True)


def test_a_director_of_two_libraries_gets_two_invitations_that_begin_with_the_library(
    poll: Poll, deliver: Deliver
) -> None:
    subjects = [mail.subject for mail in deliver() if mail.to == "lies.claes@duffel.example"]
    assert sorted(subject.partition(":")[0] for subject in subjects) == ["Bibliotheek Duffel", "Bibliotheek Lier"]


@open_and_secret
def test_get_and_head_change_nothing_however_often(
    client: FlaskClient, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    mails = deliver()
    links = [mail.link for mail in mails] + [f"{mail.link}?choice=keep" for mail in mails]
    links += [f"{mail.link}/{page}" for mail in mails for page in ("draft", "person", "contest")]
    before = everything(office.db)
    for link in links * 3:
        assert client.get(link).status_code == 200
        assert client.head(link).status_code == 200
    assert everything(office.db) == before


@open_and_secret
def test_a_robot_that_sends_every_form_as_served_by_every_button_changes_nothing_and_the_person_after_it_succeeds(
    client: FlaskClient, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    links = [mail.link for mail in deliver()]
    before = everything(office.db)
    sent = 0
    for link in links:
        for path in (link, f"{link}?choice=move", f"{link}/person", f"{link}/contest", f"{link}?lang=en"):
            for form in Forms(client.get(path).get_data(as_text=True)).found:
                for button in form.buttons or [("", "")]:
                    data = [*form.values, *([button] if button[0] else [])]
                    client.open(form.action or path, method=form.method.upper(), data=dict(data))
                    sent += form.method == "post"
    assert sent >= 2 * len(links)
    assert everything(office.db) == before
    assert client.post(links[0], data={"choice": "keep"}).status_code == 303


def test_a_choice_in_the_address_points_and_selects_nothing(client: FlaskClient, els: str) -> None:
    page = client.get(f"{els}?choice=move").get_data(as_text=True)
    assert "checked" not in page
    assert client.get(f"{els}?choice=<script>").status_code == 200


def test_an_approval_takes_several_and_an_abstention_stands_alone(
    client: FlaskClient, office: Parts, cooperative: Cooperative, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, method_name="approval")
        actions.open_poll(session, draft.id, now, office.basis)
    link = link_of(deliver(), "els.peeters@aartselaar.example")
    both = client.post(f"{link}?lang=en", data={"choice": ["abstain", "keep"]})
    assert "Abstaining cannot go together with another choice" in both.get_data(as_text=True)
    assert "Choose at least one option, or abstain." in client.post(f"{link}?lang=en").get_data(as_text=True)
    client.post(link, data={"choice": ["move", "keep"]})
    assert ballots(office) == [('["keep","move"]', "Els Peeters", 1)]


def test_after_closing_the_page_tells_the_outcome_who_voted_what_and_a_text_to_hand_in(
    app: Flask, client: FlaskClient, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    mails = deliver()
    els = link_of(mails, "els.peeters@aartselaar.example")
    lies = link_of(mails, "lies.claes@duffel.example", "Duffel")
    client.post(els, data={"choice": "move"})
    client.post(lies, data={"choice": "move"})
    clock.move_to(CLOSING)
    outcome = next(
        mail for mail in deliver() if mail.template == "ballot-outcome" and mail.to == "els.peeters@aartselaar.example"
    )
    assert "“Naar een open platform” is gekozen, met 2 van de 2 geldige stemmen." in " ".join(outcome.text.split())
    page = client.get(f"{els}?lang=en").get_data(as_text=True)
    for text in (
        "“Move to an open platform” is chosen, with 2 of 2 valid votes.", "2 of 5 organisations voted (40%).",
        "Bibliotheek Duffel", "<textarea", "Bibliotheek Aartselaar",
    ):  # fmt: skip
        assert text in page, text
    public = client.get("/polls/krantenarchief?lang=en").get_data(as_text=True)
    assert "“Move to an open platform” is chosen, with 2 of 2 valid votes." in public


def test_a_poll_of_a_group_asks_the_seats_with_a_vote_and_cannot_be_passed_on(
    client: FlaskClient, office: Parts, cooperative: Cooperative, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        draft = build_poll(
            session, cooperative, closes_at=CLOSING, slug="seats", audience="group_seats", service_id=None
        )
        actions.open_poll(session, draft.id, now, office.basis)
    mails = deliver()
    assert sorted(mail.to for mail in mails) == [
        "els.peeters@aartselaar.example", "lies.claes@duffel.example", "tom.baert@zoersel.example",
    ]  # fmt: skip
    assert all(mail.subject.startswith("Stuurgroep Digitale Collecties") for mail in mails)
    before = everything(office.db)
    data = {"name": "An Ander", "email": "an@ander.example", "role": "replaces"}
    refused = client.post(f"{mails[0].link}/person?lang=en", data=data)
    assert "A seat is personal" in refused.get_data(as_text=True)
    assert everything(office.db) == before


def test_a_document_of_the_poll_can_be_read_by_its_link_and_no_other(
    client: FlaskClient, office: Parts, cooperative: Cooperative, deliver: Deliver
) -> None:
    file = Attachment(name="Nota.txt", media_type="text/plain", size=4, content=b"Nota")
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, attachments=[file], visibility="participants")
        other = build_poll(session, cooperative, closes_at=CLOSING, slug="other")
        for poll_id in (draft.id, other.id):
            actions.open_poll(session, poll_id, now, office.basis)
    mails = [mail for mail in deliver() if mail.to == "els.peeters@aartselaar.example"]
    answers = {client.get(f"{mail.link}/attachments/{file.id}").status_code for mail in mails}
    assert answers == {200, 404}
    served = next(r for r in (client.get(f"{m.link}/attachments/{file.id}") for m in mails) if r.status_code == 200)
    assert (served.data, served.headers["Content-Disposition"]) == (b"Nota", "attachment; filename=Nota.txt")
    # A poll that is not public has no public page and no public documents.
    assert client.get("/polls/krantenarchief").status_code == 404
    assert client.get(f"/polls/krantenarchief/attachments/{file.id}").status_code == 404
    assert "krantenarchief" not in client.get("/").get_data(as_text=True)


@open_and_secret
def test_a_withdrawn_poll_says_why_and_takes_no_answer(
    client: FlaskClient, office: Parts, poll: Poll, els: str, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        actions.withdraw_poll(session, poll.id, now, "De leverancier deed een nieuw aanbod.")
    told = [mail for mail in deliver() if mail.template == "poll-withdrawn"]
    assert len(told) == 5
    assert all("De leverancier deed een nieuw aanbod." in " ".join(mail.text.split()) for mail in told)
    assert "De leverancier deed een nieuw aanbod." in client.get(els).get_data(as_text=True)
    assert client.post(els, data={"choice": "keep"}).status_code == 409
    assert ballots(office) == []


def test_a_draft_that_is_withdrawn_was_never_public(
    client: FlaskClient, office: Parts, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING)
        actions.withdraw_poll(session, draft.id, now, "Toch niet.")
    assert client.get("/polls/krantenarchief").status_code == 404
    assert "Krantenarchief" not in client.get("/").get_data(as_text=True)


def test_the_draft_shows_the_question_on_paper_and_has_nothing_to_send(client: FlaskClient, els: str) -> None:
    page = client.get(f"{els}/draft?lang=en").get_data(as_text=True)
    assert "Stay with the supplier" in page
    assert [form for form in Forms(page).found if form.method == "post"] == []


def test_one_invitation_a_contact_a_unit_and_one_mail_each(office: Parts, poll: Poll) -> None:
    with office.db.reading() as (session, _):
        invited = session.scalar(sa.select(sa.func.count()).select_from(Invitation))
        queued = session.scalar(sa.select(sa.func.count()).select_from(Mail))
    assert (invited, queued) == (5, 5)


def test_an_outcome_without_its_quorum_announces_nothing_that_would_be_carried_out(
    client: FlaskClient, office: Parts, cooperative: Cooperative, clock: FrozenClock, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, quorum="1/2")
        actions.open_poll(session, draft.id, now, office.basis)
    els = link_of(deliver(), "els.peeters@aartselaar.example")
    client.post(els, data={"choice": "keep"})
    clock.move_to(CLOSING)
    mail = next(mail for mail in deliver() if mail.to == "els.peeters@aartselaar.example" and "uitslag" in mail.subject)
    pages = [client.get(path).get_data(as_text=True) for path in (f"{els}?lang=en", "/polls/krantenarchief?lang=en")]
    for page in pages:
        assert "Too few took part for the vote to count: nothing is chosen." in page
        assert "Nothing is chosen by this vote, so nothing changes because of it." in page
    assert "Deze stemronde heeft niets gekozen en verandert dus niets." in " ".join(mail.text.split())
    assert "wat gekozen wordt, wordt uitgevoerd" not in mail.text


def test_a_vote_that_is_closed_early_says_so(
    client: FlaskClient, office: Parts, clock: FrozenClock, poll: Poll, els: str, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, now):
        actions.close_poll(session, poll.id, now, office.basis, early=True)
    assert "Closed early, on Monday 16 November 2026 at 09:00" in client.get(f"{els}?lang=en").get_data(as_text=True)
    assert client.post(els, data={"choice": "keep"}).status_code == 409
    assert any("Vroeger gesloten" in mail.text for mail in deliver())
