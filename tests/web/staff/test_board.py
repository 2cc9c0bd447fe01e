"""The board of a poll, as staff see it: truthful about mail and answers, and silent about what was chosen."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from coopmail.actions import outbox, polls, recorded_votes
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Audience, Call, Channel, Poll, VotingUnit
from coopmail.domain.staff import StaffMember
from coopmail.parts import Parts
from tests.actions.test_scale import add_members
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, MONDAY, FrozenClock, Received
from tests.console import Console
from tests.mail.acts import change, invitation, vote

Deliver = Callable[[], list[Received]]
BOARD = "/staff/polls/krantenarchief"
ELS, JAN, LIES = "els.peeters@aartselaar.example", "jan.maes@aartselaar.example", "lies.claes@duffel.example"
BOOM = "bibliotheek@boom.example"
AARTSELAAR, DUFFEL = "Bibliotheek Aartselaar", "Bibliotheek Duffel"
secretly = pytest.mark.parametrize("secret", [True], indirect=True)


def text_of(page: str) -> str:
    """What a page says in its main part, without its marks."""
    main = page.partition("<main")[2].partition(">")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split()).replace(" ,", ",")


def names(page: str) -> list[str]:
    """The units that a board lists, in its order."""
    return [unescape(name) for name in re.findall(r'/units/\d+[^"]*">([^<]+)</a>', page)]


def lines(page: str) -> dict[str, str]:
    """What a board says of each unit that it lists."""
    rows = re.findall(r'<tr role="row">(<td.*?)</tr>', page, re.DOTALL)
    cells = [re.findall(r"<td.*?</td>", row, re.DOTALL) for row in rows]
    return {text_of(f"<main>{name}</main>"): text_of(f"<main>{' '.join(rest)}</main>") for name, *rest in cells}


def figures(page: str) -> dict[str, int]:
    """The counts on top of a board, by what they count."""
    found = re.findall(r"<b>([\d.,]+)</b> ([^<]+)</a>", page)
    return {unescape(label): int(re.sub(r"\D", "", number)) for number, label in found}


def unit_path(office: Parts, name: str, slug: str = "krantenarchief") -> str:
    """The page of a unit."""
    with office.db.reading() as (session, _):
        unit_id = session.scalars(
            sa.select(VotingUnit.id).join(Poll, Poll.id == VotingUnit.poll_id).where(
                VotingUnit.name == name, Poll.slug == slug
            )
        ).one()  # fmt: skip
    return f"/staff/polls/{slug}/units/{unit_id}"


def record(office: Parts, poll: Poll, unit: str, klaar: StaffMember, choice: str = "keep") -> None:
    """Klaar records a vote that was given by telephone."""
    unit_id = int(unit_path(office, unit).rpartition("/")[2])
    given = recorded_votes.RecordedVote((choice,), "An Wouters", Channel.TELEPHONE, MONDAY, "Belde zelf om negen uur.")
    with office.db.transaction() as (session, now):
        recorded_votes.record_vote(session, now, poll.id, unit_id, given, actor=klaar.actor)


def test_each_unit_says_who_is_asked_and_what_became_of_the_mail(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    assert lines(console.get(BOARD, language="en")) == {
        AARTSELAAR: "Els Peeters Waits to be sent Jan Maes Waits to be sent Not answered",
        "Bibliotheek Boom": "Bibliotheek Boom Waits to be sent Not answered",
        DUFFEL: "Lies Claes Waits to be sent Not answered",
        "Bibliotheek Lier": "Lies Claes Waits to be sent Not answered",
        "Bibliotheek Mol": "Nobody to mail Not answered",
    }
    deliver()
    change(office, Mail, Mail.id == mail_of(office, JAN), state=MailState.BOUNCED, reply="550 no such user")
    page = console.get(BOARD, language="en")
    assert lines(page)[AARTSELAAR] == (
        "Els Peeters Sent Mon 16 November, 09:00 Jan Maes Refused by the mailbox Mon 16 November, 09:00 Not answered"
    )
    assert "Invitations 4 Sent 1 Refused by the mailbox" in text_of(page)


def mail_of(office: Parts, email: str) -> int:
    """The invitation mail to a contact."""
    with office.db.reading() as (session, _):
        return session.scalars(
            sa.select(Mail.id).join(Contact, Contact.id == Mail.contact_id).where(
                Contact.email == email, Mail.template == "ballot-invitation"
            )
        ).one()  # fmt: skip


def test_while_mails_are_held_back_or_taken_back_the_board_says_so(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    campaign = f"poll:{poll.id}:invitation"
    with office.db.transaction() as (session, now):
        outbox.pause_campaign(session, now(), campaign, "De tekst klopt niet.")
    page = console.get(BOARD)
    assert lines(page)[DUFFEL] == "Lies Claes Tegengehouden Niet geantwoord"
    assert "Uitnodigingen 5 Tegengehouden Tegengehouden sinds ma 16 november, 9 uur: De tekst klopt niet." in text_of(
        page
    )
    with office.db.transaction() as (session, now):
        outbox.cancel_campaign(session, now(), campaign, "Toch niet.")
    page = console.get(BOARD)
    assert lines(page)[DUFFEL] == "Lies Claes Teruggenomen Niet geantwoord"
    assert "Uitnodigingen 5 Teruggenomen" in text_of(page)


def test_the_counts_are_links_to_what_they_count(
    console: Console, office: Parts, klaar: StaffMember, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    vote(office, ELS, AARTSELAAR)
    record(office, poll, "Bibliotheek Mol", klaar)
    change(office, Mail, Mail.id == mail_of(office, BOOM), state=MailState.FAILED)
    page = console.get(BOARD, language="en")
    assert figures(page) == {
        "Answered": 2, "Not answered": 3, "Nobody to mail": 0, "Mail did not arrive": 1, "Recorded by us": 1,
        "Contested": 0,
    }  # fmt: skip
    linked = re.findall(r'<a href="([^"]+)#units"[^>]*><b>\d+</b> ([^<]+)</a>', page)
    assert {label: names(console.get(unescape(address), language="en")) for address, label in linked} == {
        "Answered": [AARTSELAAR, "Bibliotheek Mol"],
        "Not answered": ["Bibliotheek Boom", DUFFEL, "Bibliotheek Lier"],
        "Nobody to mail": [],
        "Mail did not arrive": ["Bibliotheek Boom"],
        "Recorded by us": ["Bibliotheek Mol"],
        "Contested": [],
    }


def test_a_unit_that_nobody_can_be_mailed_for_is_found_until_it_answers(
    console: Console, office: Parts, klaar: StaffMember, poll: Poll
) -> None:
    assert names(console.get(f"{BOARD}?standing=unreachable")) == ["Bibliotheek Mol"]
    record(office, poll, "Bibliotheek Mol", klaar)
    assert names(console.get(f"{BOARD}?standing=unreachable")) == []


def test_an_answer_says_who_when_and_how_and_what_only_on_the_page_of_its_unit(
    console: Console, office: Parts, klaar: StaffMember, poll: Poll
) -> None:
    vote(office, ELS, AARTSELAAR, "move", by="Els Peeters")
    record(office, poll, "Bibliotheek Mol", klaar)
    page = console.get(BOARD)
    assert "Naar een open platform" not in page
    assert "Bij de leverancier blijven" not in page
    said = lines(page)
    assert said[AARTSELAAR].endswith("Geantwoord Els Peeters, ma 16 november, 9 uur, via een persoonlijke link")
    assert said["Bibliotheek Mol"].endswith(
        "Geantwoord An Wouters, ma 16 november, 9 uur, per telefoon (genoteerd door Klaar Leroy)"
    )
    els = text_of(console.get(unit_path(office, AARTSELAAR)))
    assert "Wat gekozen is Naar een open platform Geantwoord door Els Peeters" in els
    mol = text_of(console.get(unit_path(office, "Bibliotheek Mol")))
    assert "Wat gekozen is Bij de leverancier blijven Geantwoord door An Wouters" in mol
    assert "Genoteerd door Klaar Leroy Hoe we het weten Belde zelf om negen uur." in mol


@secretly
def test_what_is_chosen_in_a_secret_vote_is_nowhere_on_the_board(
    client: FlaskClient, console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    els = next(mail.link for mail in deliver() if mail.to == ELS)
    client.post(els, data={"choice": "move"})
    unit = unit_path(office, AARTSELAAR)
    pages = [console.get(path) for path in (BOARD, unit, f"{BOARD}?standing=answered")]
    pages.append(console.ask(f"{BOARD}.csv").get_data(as_text=True))
    assert [word for page in pages for word in ("open platform", "move", "leverancier") if word in page] == []
    assert "Geantwoord Els Peeters" in lines(pages[0])[AARTSELAAR]
    assert "Wat gekozen is De stemming is geheim: niemand kan dat hier lezen." in text_of(pages[1])
    assert "/votes/" not in pages[1]


def test_a_contested_vote_is_marked_and_its_reason_stands_with_its_unit(
    console: Console, office: Parts, klaar: StaffMember, poll: Poll
) -> None:
    record(office, poll, DUFFEL, klaar)
    asked = invitation(office, LIES, DUFFEL)
    with office.db.transaction() as (session, now):
        recorded_votes.contest(session, now, asked, "Wij belden niet.")
    page = console.get(f"{BOARD}?standing=contested")
    assert names(page) == [DUFFEL]
    assert lines(page)[DUFFEL].endswith("Betwist ma 16 november, 9 uur")
    assert "Deze stem is betwist maandag 16 november 2026 om 09.00 uur Wij belden niet." in text_of(
        console.get(unit_path(office, DUFFEL))
    )


def test_a_call_stands_on_the_board_until_the_unit_answers(
    console: Console, office: Parts, klaar: StaffMember, poll: Poll
) -> None:
    with office.db.transaction() as (session, now):
        unit_id = int(unit_path(office, DUFFEL).rpartition("/")[2])
        session.add(Call(unit_id=unit_id, staff_id=klaar.id, called_at=now(), note="Belt morgen terug"))
    page = console.get(f"{BOARD}?standing=called")
    assert names(page) == [DUFFEL]
    assert lines(page)[DUFFEL].endswith("Niet geantwoord Gebeld ma 16 november, 9 uur")
    assert "ma 16 november, 9 uur, Klaar Leroy: Belt morgen terug" in text_of(console.get(unit_path(office, DUFFEL)))
    vote(office, LIES, DUFFEL)
    assert names(console.get(f"{BOARD}?standing=called")) == []


def test_the_list_is_searched_by_unit_and_by_contact_and_sorted(console: Console, office: Parts, poll: Poll) -> None:
    assert names(console.get(f"{BOARD}?q=boom")) == ["Bibliotheek Boom"]
    assert names(console.get(f"{BOARD}?q=lies")) == [DUFFEL, "Bibliotheek Lier"]
    assert names(console.get(f"{BOARD}?q=peeters+aarts")) == [AARTSELAAR]
    assert names(console.get(f"{BOARD}?q=niemand")) == []
    assert names(console.get(f"{BOARD}?sort=-name"))[0] == "Bibliotheek Mol"
    vote(office, LIES, "Bibliotheek Lier")
    assert names(console.get(f"{BOARD}?sort=answer"))[0] == "Bibliotheek Lier"


def test_the_invitations_can_be_filtered_by_the_state_of_their_mail(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    change(office, Mail, Mail.id == mail_of(office, BOOM), state=MailState.QUEUED)
    assert names(console.get(f"{BOARD}?mail=queued")) == ["Bibliotheek Boom"]
    assert names(console.get(f"{BOARD}?mail=sent")) == [AARTSELAAR, DUFFEL, "Bibliotheek Lier"]
    assert len(names(console.get(f"{BOARD}?mail=nonsense&standing=nonsense"))) == 5


def test_a_contact_whose_invitation_was_taken_back_is_asked_no_more(
    console: Console, office: Parts, poll: Poll
) -> None:
    change(office, Invitation, Invitation.id == invitation(office, JAN, AARTSELAAR), revoked_at=MONDAY)
    assert lines(console.get(BOARD))[AARTSELAAR] == "Els Peeters Wacht op verzending Niet geantwoord"


def test_the_export_has_a_line_a_unit_and_not_what_was_chosen(
    console: Console, office: Parts, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    change(office, Contact, Contact.email == ELS, telephone="03 887 12 12")
    vote(office, ELS, AARTSELAAR, "move", by="Els Peeters")
    raw = console.ask(f"{BOARD}.csv?standing=answered").get_data().decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(raw), delimiter=";")) == [
        ["Wie gevraagd is", "Stemmen", "Contactpersonen", "E-mailadressen", "Telefoonnummers", "Uitnodiging",
         "Geantwoord op", "Geantwoord door", "Hoe", "Genoteerd door", "Betwist op", "Laatst gebeld op"],
        [AARTSELAAR, "1", "Els Peeters; Jan Maes", f"{ELS}; {JAN}", "03 887 12 12; ", "Verstuurd; Verstuurd",
         "2026-11-16 09:00:00", "Els Peeters", "via een persoonlijke link", "", "", ""],
    ]  # fmt: skip
    whole = console.ask(f"{BOARD}.csv").get_data(as_text=True)
    assert len(whole.splitlines()) == 6
    assert console.ask(f"{BOARD}.xlsx").get_data().startswith(b"PK")


def test_a_draft_says_what_to_do_first_and_lists_nobody(
    console: Console, office: Parts, cooperative: Cooperative
) -> None:
    with office.db.transaction() as (session, _):
        build_poll(session, cooperative, closes_at=CLOSING)
    page = console.get(BOARD)
    assert "Stand Ontwerp" in text_of(page)
    assert "Nog niemand is gevraagd. Wie mag stemmen, ligt vast zodra de stemronde opengaat." in text_of(page)
    assert re.findall(r'<li><a href="[^"]*/krantenarchief/(\w+)', page) == ["edit", "preview", "open"]
    assert "<table" not in page


def test_a_closed_vote_shows_its_outcome_and_where_everybody_reads_it(
    console: Console, office: Parts, poll: Poll
) -> None:
    vote(office, ELS, AARTSELAAR, "move")
    with office.db.transaction() as (session, now):
        polls.close_poll(session, poll.id, now, office.basis, early=True, reason="Iedereen antwoordde.")
    page = console.get(BOARD)
    said = text_of(page)
    assert "Naar een open platform” is gekozen, met 1 van de 1 geldige stemmen." in said
    assert "Waarom ze vroeger sloot Iedereen antwoordde." in said
    assert re.search(r'href="/polls/krantenarchief\?lang=nl"', page)
    assert re.findall(r"krantenarchief/(decide|remind|extend|close|withdraw|announce)\b", page) == ["decide"]
    listed = console.ask(f"{BOARD}/ballots.json")
    assert (listed.status_code, listed.json["ballots"]) == (200, [[AARTSELAAR, ["move"], 1]])  # type: ignore[index]


def test_an_outcome_that_waits_is_seen_by_staff_and_by_nobody_else(
    app: Flask, client: FlaskClient, office: Parts, klaar: StaffMember, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    vote(office, ELS, AARTSELAAR, "move")
    clock.move_to(CLOSING + timedelta(days=5))
    deliver()
    page = Console.of(app, office, klaar).get(BOARD)
    assert "Stand Geteld, niet bekendgemaakt" in text_of(page)
    assert "Naar een open platform” is gekozen" in text_of(page)
    assert re.findall(r"krantenarchief/(decide|announce)\b", page) == ["announce"]
    assert "is gekozen" not in client.get("/polls/krantenarchief?lang=nl").get_data(as_text=True)


def test_past_its_closing_time_a_vote_is_being_counted(
    app: Flask, office: Parts, klaar: StaffMember, clock: FrozenClock, poll: Poll
) -> None:
    clock.move_to(CLOSING)
    page = Console.of(app, office, klaar).get(BOARD)
    assert "Stand Wordt geteld" in text_of(page)
    assert re.findall(r"krantenarchief/(remind|extend|close|withdraw)\b", page) == ["close", "withdraw"]


def test_a_withdrawn_vote_says_why(console: Console, office: Parts, poll: Poll) -> None:
    with office.db.transaction() as (session, now):
        polls.withdraw_poll(session, poll.id, now, "De leverancier trok het aanbod in.")
    said = text_of(console.get(BOARD))
    assert "Stand Ingetrokken" in said
    assert "De reden De leverancier trok het aanbod in." in said
    assert "Intrekking 5 Wacht op verzending" in said


def test_the_reminders_say_which_are_planned_sent_and_missed(
    app: Flask, office: Parts, klaar: StaffMember, clock: FrozenClock, poll: Poll, deliver: Deliver
) -> None:
    said = text_of(Console.of(app, office, klaar).get(BOARD))
    assert "27 november 2026: Gepland dinsdag 1 december 2026: Gepland donderdag 3 december 2026: Gepland" in said
    clock.move_to(MONDAY + timedelta(days=15))  # Tuesday 1 December
    deliver()
    said = text_of(Console.of(app, office, klaar).get(BOARD))
    assert "27 november 2026: Niet verstuurd dinsdag 1 december 2026: Verstuurd donderdag 3 december" in said


def test_a_seat_s_board_leads_to_its_group(console: Console, office: Parts, cooperative: Cooperative) -> None:
    with office.db.transaction() as (session, now):
        seats = build_poll(session, cooperative, closes_at=CLOSING, slug="zetels", audience=Audience.GROUP_SEATS,
                           service_id=None)  # fmt: skip
        polls.open_poll(session, seats.id, now, office.basis)
    page = console.get("/staff/polls/zetels")
    assert names(page) == ["Els Peeters", "Lies Claes", "Tom Baert"]
    unit = console.get(unit_path(office, "Els Peeters", "zetels"))
    assert "Een mandaat in Stuurgroep Digitale Collecties" in text_of(unit)
    assert "/votes/" not in unit


def test_a_unit_of_another_poll_and_a_poll_that_is_not_there_are_not_found(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    with office.db.transaction() as (session, now):
        other = build_poll(session, cooperative, closes_at=CLOSING, slug="andere")
        polls.open_poll(session, other.id, now, office.basis)
    mine = unit_path(office, AARTSELAAR)
    assert console.ask(mine).status_code == 200
    assert console.ask(mine.replace("krantenarchief", "andere")).status_code == 404
    for path in ("/staff/polls/nergens", "/staff/polls/nergens.csv", "/staff/polls/nergens/ballots.json",
                 "/staff/polls/nergens/close", f"{BOARD}/ballots.json"):  # fmt: skip
        assert console.ask(path).status_code == 404, path


def test_a_board_costs_the_same_number_of_questions_however_many_are_asked(
    console: Console, office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    add_members(office.db, cooperative, 200)
    with office.db.transaction() as (session, now):
        large = build_poll(session, cooperative, closes_at=CLOSING, slug="groot")
        polls.open_poll(session, large.id, now, office.basis)
    asked: list[str] = []
    sa.event.listen(
        office.db._read_engine, "before_cursor_execute", lambda _c, _u, statement, *_: asked.append(statement)
    )
    numbers = []
    for path in (BOARD, "/staff/polls/groot", "/staff/polls/groot?page=3", "/staff/polls/groot?standing=waiting"):
        asked.clear()
        page = console.get(path)
        numbers.append(len(asked))
        assert names(page)
    assert numbers == [numbers[0]] * 4
    assert "205 in totaal" in console.get("/staff/polls/groot")
