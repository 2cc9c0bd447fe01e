"""One mail in the console, and all mail of one person."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from coopmail.actions import outbox, polls
from coopmail.domain.contacts import Contact
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Poll
from coopmail.parts import Parts
from tests.builders import Cooperative
from tests.conftest import MONDAY, Received
from tests.console import Console
from tests.mail.acts import change, mails, vote

ELS, JAN = "els.peeters@aartselaar.example", "jan.maes@aartselaar.example"
Deliver = Callable[[], list[Received]]


def els(office: Parts) -> Mail:
    """The mail that invites Els."""
    return mails(office, "ballot-invitation")[ELS]


def page(mail: Mail, act: str = "") -> str:
    """The page of a mail, or of an act on it."""
    return f"/staff/outbox/mails/{mail.id}{act and '/'}{act}"


def plain(text: str) -> str:
    """A page's words on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_a_mail_says_to_whom_it_goes_why_it_exists_and_what_happened(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    waiting = plain(console.get(page(els(office))))
    assert "Uitnodiging om te stemmen aan Els Peeters" in waiting
    assert "Een stemronde ging open, en deze contactpersoon mag erin antwoorden." in waiting
    assert "Veroorzaakt door de opdrachtregel" in waiting
    assert "Nog niets: er is nog geen poging gedaan." in waiting
    deliver()
    mail = els(office)
    text = plain(console.get(page(mail)))
    assert mail.state is MailState.SENT
    assert "Verstuurd op maandag 16 november 2026 om 09.00 uur" in text
    assert f"Message-ID &lt;{mail.key}@" in text
    assert "Aanvaard door de mailserver" in text
    assert f"Wat de mailserver zei {mail.reply}" in text
    assert "Opnieuw versturen" not in text, "what was sent is not sent twice"


def test_the_text_of_a_mail_is_shown_without_its_personal_links(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    [received] = [mail for mail in deliver() if mail.to == ELS]
    for language in ("nl", "en"):
        text = console.get(page(els(office)), language=language)
        assert "[persoonlijke link]" in text, "in the language of who got it"
        assert received.link not in text
        assert "/r/" not in text
        assert '<pre lang="nl">' in text


def test_a_mail_that_was_not_sent_says_why_in_words(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    vote(office, ELS, "Bibliotheek Aartselaar")
    deliver()
    jan = mails(office, "ballot-invitation")[JAN]
    text = plain(console.get(page(jan)))
    assert "Niet meer nodig" in text
    assert "De organisatie had toen al geantwoord; een andere mail zei dat." in text
    english = plain(console.get(page(jan), language="en"))
    assert "Its organisation had answered by then; another mail said so." in english


def test_a_mail_that_bounced_is_sent_again_after_one_question(
    console: Console, office: Parts, poll: Poll, deliver: Deliver
) -> None:
    change(office, Mail, Mail.id == els(office).id, state=MailState.BOUNCED, reply="550 5.1.1 no such user")
    deliver()
    asked = plain(console.get(page(els(office), "retry")))
    assert f"Er gaat één mail naar {ELS}, met dezelfde persoonlijke link als voordien." in asked
    assert "550 5.1.1 no such user" in asked
    done = console.post_form(page(els(office), "retry"))
    assert done.location == f"{page(els(office))}?done=mail-retried&lang=nl"
    assert [mail.to for mail in deliver()] == [ELS]
    text = plain(console.get(page(els(office))))
    assert re.search(r"Opnieuw klaargezet · [^·]* uur Klaar Leroy", text)


def test_a_mail_is_taken_back_and_sent_after_all(console: Console, office: Parts, poll: Poll, deliver: Deliver) -> None:
    assert f"Eén mail, aan {ELS}, vertrekt niet." in plain(console.get(page(els(office), "cancel")))
    for _click in range(2):
        form = {"csrf": token(console)}
        assert console.client.post(page(els(office), "cancel"), data=form).status_code == 303
    assert ELS not in {mail.to for mail in deliver()}
    assert "Een medewerker nam de mail terug." in console.get(page(els(office)))
    assert console.post_form(page(els(office), "retry")).status_code == 303
    assert [mail.to for mail in deliver()] == [ELS]


def token(browser: Console) -> str:
    """What every form of that browser's session carries."""
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/staff/me"))
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("state", "act", "sentence"),
    [
        (MailState.CLAIMED, "cancel", "De mail wordt op dit moment verstuurd."),
        (MailState.SENT, "cancel", "De mail wacht niet meer."),
        (MailState.SENT, "retry", "De mail is verstuurd: opnieuw versturen zou een tweede mail zijn."),
        (MailState.SUPPRESSED, "retry", "De mail was niet meer nodig toen hij aan de beurt kwam."),
    ],
)
def test_what_cannot_be_done_with_a_mail_is_said_before_and_after_a_click(
    console: Console, office: Parts, poll: Poll, state: MailState, act: str, sentence: str
) -> None:
    change(office, Mail, Mail.id == els(office).id, state=state)
    path = page(els(office), act)
    assert sentence in console.get(path)
    refused = console.client.post(f"{path}?lang=nl", data={"csrf": token(console)})
    assert (refused.status_code, sentence in refused.get_data(as_text=True)) == (409, True)
    assert els(office).state is state


def test_a_mail_that_would_be_stopped_at_once_is_not_offered_again(console: Console, office: Parts, poll: Poll) -> None:
    vote(office, JAN, "Bibliotheek Aartselaar")
    change(office, Mail, Mail.id == els(office).id, state=MailState.FAILED)
    assert "De organisatie had toen al geantwoord" in console.get(page(els(office), "retry"))


def test_a_mail_that_ran_out_of_time_goes_out_again_only_while_its_poll_is_open(
    console: Console, office: Parts, poll: Poll
) -> None:
    change(
        office, Mail, Mail.id == els(office).id, state=MailState.EXPIRED, expires_at=MONDAY, reply="its time has passed"
    )
    assert "dezelfde persoonlijke link" in console.get(page(els(office), "retry"))
    with office.db.transaction() as (session, now):
        polls.withdraw_poll(session, poll.id, now, "fout")
    assert "De stemronde neemt geen antwoorden meer aan." in console.get(page(els(office), "retry"))
    assert "Opnieuw versturen kan niet:" in console.get(page(els(office)))


def test_a_mail_of_a_campaign_that_is_held_back_says_so(console: Console, office: Parts, poll: Poll) -> None:
    with office.db.transaction() as (session, now):
        outbox.pause_campaign(session, now(), els(office).campaign, "wacht")
    assert "Tegengehouden" in console.get(page(els(office)))


def test_a_person_s_page_has_every_mail_and_says_why_each_poll_did_or_did_not_ask(
    console: Console, office: Parts, poll: Poll, cooperative: Cooperative, deliver: Deliver
) -> None:
    deliver()
    contacts = cooperative.contacts
    lies = plain(console.get(f"/staff/contacts/{contacts['lies'].id}/mails"))
    assert "Bibliotheek Duffel: Uitgenodigd · Verstuurd Mag antwoorden." in lies
    assert "Bibliotheek Lier: Uitgenodigd · Verstuurd Mag antwoorden." in lies
    assert "2 in totaal" in lies
    an = plain(console.get(f"/staff/contacts/{contacts['an'].id}/mails"))
    assert "Bibliotheek Mol: Niet gevraagd Leest voor deze organisatie alleen mee en stemt niet." in an
    assert "Voor deze persoon stond nog nooit een mail klaar." in an
    tom = plain(console.get(f"/staff/contacts/{contacts['tom'].id}/mails", language="en"))
    assert "Bibliotheek Zoersel: Not asked The organisation did not belong to the audience" in tom
    change(office, Contact, Contact.id == contacts["jan"].id, left_at=MONDAY)
    assert "Is vertrokken en krijgt geen mail meer." in console.get(f"/staff/contacts/{contacts['jan'].id}/mails")


def test_where_no_poll_is_open_a_person_s_page_says_so(console: Console, cooperative: Cooperative) -> None:
    text = console.get(f"/staff/contacts/{cooperative.contacts['els'].id}/mails")
    assert "Er staat nu geen stemronde open." in text


def test_a_person_s_mails_are_a_file_and_a_stranger_s_are_not_there(
    console: Console, poll: Poll, cooperative: Cooperative
) -> None:
    path = f"/staff/contacts/{cooperative.contacts['lies'].id}/mails.csv"
    lines = console.client.get(path).get_data().decode("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert console.client.get("/staff/contacts/999999999/mails.csv").status_code == 404
    assert console.client.get("/staff/outbox/mails/999999999").status_code == 404
