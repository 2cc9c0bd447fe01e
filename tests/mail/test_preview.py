"""What staff read of a mail: its words, in its receiver's language, and never a link or a code."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from coopmail.actions import sign_in
from coopmail.domain.links import Link
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Poll
from coopmail.mail.letters import LETTERS
from coopmail.mail.preview import Preview, preview
from coopmail.parts import Parts, parts
from tests.builders import build_staff
from tests.conftest import Received
from tests.mail.acts import change, mails, vote
from tests.mail.story import Story, Teller

ELS = "els.peeters@aartselaar.example"


def seen(app: Flask, mail_id: int) -> Preview:
    """A mail as staff see it."""
    office = parts(app)
    with app.app_context(), office.db.reading() as (session, now):
        return preview(session, now(), office, mail_id)


def tokens(office: Parts) -> set[str]:
    """The signed halves of all links: what nobody but a receiver may have."""
    with office.db.reading() as (session, _):
        links = session.scalars(sa.select(Link)).all()
    signed = {office.signer.sign(link.kind, link.id, link.key_version) for link in links}
    return signed | {token.rpartition(".")[2] for token in signed} | {link.id for link in links}


def test_an_invitation_is_read_as_it_is_written_but_for_its_link(
    app: Flask, office: Parts, poll: Poll, deliver: Callable[[], list[Received]]
) -> None:
    mail = mails(office, "ballot-invitation")[ELS]
    before = seen(app, mail.id)
    [received] = [one for one in deliver() if one.to == ELS]
    assert before.language == "nl"
    assert before.subject == received.subject
    without = re.sub(r"http://localhost/r/\S+", "[persoonlijke link]", received.text)
    assert before.text == without
    assert before.text.count("[persoonlijke link]") == received.text.count("/r/")


@pytest.mark.parametrize("language", ["nl", "en"])
def test_no_letter_of_a_whole_story_shows_a_link(app: Flask, clock: object, language: str) -> None:
    story: Story = Teller(app, clock, language, "").tell()  # type: ignore[arg-type]
    office = parts(app)
    secret = tokens(office)
    with office.db.reading() as (session, _):
        rows = session.execute(sa.select(Mail.id, Mail.template)).all()
    shown = {row.template: seen(app, row.id) for row in rows}
    assert len(secret) > 20
    assert {posted.template for posted in story.posted} <= set(shown)
    written = [found for found in shown.values() if found.text]
    assert written
    for found in shown.values():
        assert "/r/" not in found.subject + found.text
        assert not [token for token in secret if token in found.subject + found.text]
        assert bool(found.text) != bool(found.reason), "it is shown, or it says why it would not be sent"


def test_a_code_to_sign_in_is_not_shown(app: Flask, office: Parts) -> None:
    with office.db.transaction() as (session, now):
        person = build_staff(session, now(), "Klaar Leroy")
        begun = sign_in.ask(session, now, person.email, office.signer.current)
    with office.db.transaction() as (session, now):
        sign_in.mail_codes(session, now())
        mail_id = session.scalars(sa.select(Mail.id)).one()
    code = office.signer.code(begun.key, begun.key_version)
    found = seen(app, mail_id)
    assert found.text
    assert code not in (found.subject + found.text).replace(" ", "")
    assert "··· ···" in found.text


def test_a_mail_that_would_not_be_sent_says_why_in_its_place(app: Flask, office: Parts, poll: Poll) -> None:
    vote(office, ELS, "Bibliotheek Aartselaar")
    jan = mails(office, "ballot-invitation")["jan.maes@aartselaar.example"]
    assert seen(app, jan.id) == Preview("nl", reason="its unit has answered; the colleague was told so")


def test_a_letter_with_a_fault_is_said_to_have_one_and_hides_nothing_else(
    app: Flask, office: Parts, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_of: object) -> None:
        raise ZeroDivisionError

    mail = mails(office, "ballot-invitation")[ELS]
    change(office, Mail, Mail.id == mail.id, state=MailState.FAILED)
    monkeypatch.setitem(LETTERS, "ballot-invitation", broken)
    assert seen(app, mail.id) == Preview("nl")
