"""A story in which every letter is posted: open, vote, withdraw, remind, name, accept and decline, extend, close."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session, joinedload

from coopmail import create_app
from coopmail.actions import link_requests, mail_tests, nominations, polls, recorded_votes
from coopmail.actions.recorded_votes import RecordedVote
from coopmail.config import Settings
from coopmail.domain.calendar import in_brussels
from coopmail.domain.contacts import Contact
from coopmail.domain.groups import Group
from coopmail.domain.links import Invitation
from coopmail.domain.organisations import Organisation
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Audience, Channel, Effect, Option, VotingUnit
from coopmail.jobs.runner import run_all
from coopmail.parts import parts
from tests.builders import Cooperative, build_cooperative, build_poll, build_staff
from tests.conftest import CLOSING, MONDAY, FrozenClock, Received, _parse
from tests.mail.acts import invitation
from tests.servers import fresh_database

ELS, JAN, BOOM = "els.peeters@aartselaar.example", "jan.maes@aartselaar.example", "bibliotheek@boom.example"
LIES, PIET, ANNA = "lies.claes@duffel.example", "piet.nieuw@boom.example", "anna.nieuw@aartselaar.example"
RIK, NINA = "rik.nieuw@mol.example", "nina.nieuw@zoersel.example"
LATER = in_brussels(date(2026, 12, 11), time(12, 30))
REMINDING = in_brussels(date(2026, 11, 27), time(9))

SHORT = 36
"""So much of an odd name stands in a title, which a subject may cut off after seventy characters."""


@dataclass
class Posted:
    """A mail, and what its row says of it."""

    mail: Received
    raw: bytes
    template: str
    name: str
    """Of the contact."""
    whom: list[str]
    """The organisations (or, for a seat, the groups) that it may begin with."""
    closes: datetime | None

    @property
    def text(self) -> str:
        """The text part with its lines joined."""
        return " ".join(self.mail.text.split())

    @property
    def shown(self) -> str:
        """What a reader of the html part sees."""
        body = re.sub(r"(?s)<style.*?</style>|<!--.*?-->", " ", self.mail.html)
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


@dataclass
class Story:
    """All the mail of one story."""

    app: Flask
    language: str
    posted: list[Posted] = field(default_factory=list)

    def of(self, template: str) -> list[Posted]:
        """The mails of one letter; there is one at least."""
        found = [posted for posted in self.posted if posted.template == template]
        assert found, template
        return found


class Teller:
    """Lets the story happen and collects the mail."""

    def __init__(self, app: Flask, clock: FrozenClock, language: str, nasty: str) -> None:
        self.app, self.clock, self.office, self.nasty = app, clock, parts(app), nasty
        self.story = Story(app, language)
        self.seen: set[str] = set()

    def tell(self) -> Story:
        """Open, vote, withdraw, remind, name, accept and decline, ask for links, extend, close."""
        with self.office.db.transaction() as (session, now):
            cast = build_cooperative(session, now())
            self._rename(session)
            drafts = self._draft(session, cast)
        members, seats, everyone = (self._open(draft) for draft in drafts)
        self.post()
        self._vote(ELS, f"Bibliotheek Aartselaar{self.nasty}", members)
        self._vote(ELS, f"Els Peeters{self.nasty}", seats)
        with self.office.db.transaction() as (session, now):
            polls.withdraw_poll(session, everyone, now, f"De vraag was fout gesteld.{self.nasty}\n\nZij komt terug.")
        self.post()
        self._record(f"Bibliotheek Boom{self.nasty}", members)
        self.clock.move_to(REMINDING)
        self.post()
        self._name(BOOM, f"Bibliotheek Boom{self.nasty}", members, PIET, replaces=True)
        self._name(JAN, f"Bibliotheek Aartselaar{self.nasty}", members, ANNA, replaces=False)
        self.post()
        self._answer(PIET, accepts=True)
        self._answer(ANNA, accepts=False)
        self._hand_over("an.wouters@mol.example", f"Bibliotheek Mol{self.nasty}", RIK, accepts=True)
        self._hand_over("tom.baert@zoersel.example", f"Bibliotheek Zoersel{self.nasty}", NINA, accepts=False)
        self._test_mail(ELS)
        self._lose_links(LIES, PIET)
        self.post()
        with self.office.db.transaction() as (session, now):
            polls.extend_poll(session, members, now, LATER, self.office.basis)
        self.post()
        self.clock.move_to(CLOSING)
        self.post()
        self.clock.move_to(LATER)
        self.post()
        return self.story

    def _rename(self, session: Session) -> None:
        for contact in session.scalars(sa.select(Contact)):
            contact.language = self.story.language
            contact.name += self.nasty
        for organisation in session.scalars(sa.select(Organisation)):
            organisation.name += self.nasty
        for group in session.scalars(sa.select(Group)):
            group.name += self.nasty

    def _draft(self, session: Session, cast: Cooperative) -> list[int]:
        def options() -> list[Option]:
            return [Option(position=0, key="keep", label_nl=f"Blijven{self.nasty}", label_en=f"Stay{self.nasty}",
                           status_quo=True),
                    Option(position=1, key="move", label_nl="Weggaan", label_en="Leave")]  # fmt: skip

        short = self.nasty[:SHORT]
        title = {"title_nl": f"Welke weg?{short}", "title_en": f"Which way?{short}"}
        members = build_poll(session, cast, closes_at=CLOSING, quorum="1/10", **title)
        seats = build_poll(session, cast, closes_at=CLOSING, slug="seats", audience=Audience.GROUP_SEATS,
                           service_id=None, effect=Effect.ADVICE, options=options(), **title)  # fmt: skip
        everyone = build_poll(session, cast, closes_at=CLOSING, slug="everyone", audience=Audience.ALL_MEMBERS,
                              service_id=None, effect=Effect.CONSULTATION, options=options())  # fmt: skip
        return [members.id, seats.id, everyone.id]

    def _open(self, poll_id: int) -> int:
        with self.office.db.transaction() as (session, now):
            return polls.open_poll(session, poll_id, now, self.office.basis).id

    def _vote(self, email: str, unit: str, poll_id: int) -> None:
        invited = invitation(self.office, email, unit, poll_id)
        with self.office.db.transaction() as (session, now):
            polls.cast_ballot(session, now, invited, ("keep",), f"Els Peeters{self.nasty}")

    def _record(self, unit: str, poll_id: int) -> None:
        """Staff record a vote by telephone, and take it back."""
        with self.office.db.transaction() as (session, now):
            staff = build_staff(session, now(), f"Klaar Leroy{self.nasty}")
            found = session.scalars(
                sa.select(VotingUnit.id).where(VotingUnit.poll_id == poll_id, VotingUnit.name == unit)
            ).one()
            vote = RecordedVote(("keep",), f"Sofie{self.nasty}", Channel.TELEPHONE, MONDAY, f"Belde.{self.nasty}")
            recorded_votes.record_vote(session, now, poll_id, found, vote, actor=staff.actor)
        self.post()
        with self.office.db.transaction() as (session, now):
            recorded_votes.remove_vote(session, now, poll_id, found, 1, f"Fout.{self.nasty}", actor=staff.actor)
        self.post()

    def _name(self, email: str, unit: str, poll_id: int, other: str, *, replaces: bool) -> None:
        invited = invitation(self.office, email, unit, poll_id)
        with self.office.db.transaction() as (session, now):
            nominations.name_other(session, now, self.office.basis, invited, name=f"Nieuw{self.nasty}", email=other,
                                   replaces=replaces)  # fmt: skip

    def _answer(self, email: str, *, accepts: bool) -> None:
        with self.office.db.transaction() as (session, now):
            invited = session.scalars(
                sa.select(Invitation.id).join(Contact, Contact.id == Invitation.contact_id)
                .where(Contact.email == email, Invitation.nomination_id.is_not(None))
            ).one()  # fmt: skip
            nominations.answer_nomination(
                session, now, self.office.basis, invited, accepts=accepts, name=f"Nieuw{self.nasty}",
                language=self.story.language, telephone="",
            )  # fmt: skip

    def _hand_over(self, email: str, where: str, other: str, *, accepts: bool) -> None:
        with self.office.db.transaction() as (session, now):
            found = sa.select(Contact.id).where(Contact.email == email)
            library = sa.select(Organisation.id).where(Organisation.name == where)
            nominations.hand_over(session, now, self.office.basis, session.scalars(found).one(),
                                  [session.scalars(library).one()], name=f"Nieuw{self.nasty}", email=other)  # fmt: skip
        self.post()
        with self.office.db.transaction() as (session, now):
            invited = session.scalars(
                sa.select(Invitation.id).join(Contact, Contact.id == Invitation.contact_id)
                .where(Contact.email == other, Invitation.nomination_id.is_not(None))
            ).one()  # fmt: skip
            nominations.answer_handover(
                session, now, self.office.basis, invited, accepts=accepts, name=f"Nieuw{self.nasty}",
                language=self.story.language, telephone="",
            )  # fmt: skip

    def _test_mail(self, email: str) -> None:
        with self.office.db.transaction() as (session, now):
            found = session.scalars(sa.select(Contact.id).where(Contact.email == email)).all()
            mail_tests.send(session, now, self.office.basis, found)

    def _lose_links(self, *emails: str) -> None:
        for email in emails:
            with self.office.db.transaction() as (session, now):
                link_requests.request_link(session, now, email)

    def post(self) -> None:
        """Run the jobs and collect what came."""
        for _ in range(3):
            run_all(self.app)
        for file in sorted(self.office.settings.mailbox.glob("*.eml")):
            if file.name not in self.seen:
                self.seen.add(file.name)
                self.story.posted.append(self._described(file))

    def _described(self, file: Path) -> Posted:
        with self.office.db.reading() as (session, _):
            row = session.scalars(
                sa.select(Mail).where(Mail.key == file.stem)
                .options(joinedload(Mail.contact), joinedload(Mail.invitation).joinedload(Invitation.nomination))
            ).one()  # fmt: skip
            assert row.contact is not None
            if row.invitation is None:
                mine = session.scalars(sa.select(Invitation).where(Invitation.contact_id == row.contact_id)).all()
                whom = sorted({_whom(each) for each in mine})
                closes: datetime | None = CLOSING if self.clock.moment < CLOSING else LATER
            else:
                whom = [_whom(row.invitation)]
                closes = row.invitation.poll.closes_at if row.invitation.poll else row.expires_at
            return Posted(_parse(file), file.read_bytes(), row.template, row.contact.name, whom, closes)


def _whom(found: Invitation) -> str:
    """Whom one answers for: an organisation, or for a seat its group; to a test mail, oneself."""
    if found.unit is None or found.poll is None:
        return found.nomination.organisation.name if found.nomination is not None else found.contact.name
    return found.unit.name if found.unit.seat_id is None else found.poll.group.name


def told(
    request: pytest.FixtureRequest, folder: Path, database: str, language: str, nasty: str = ""
) -> Iterator[Story]:
    """The story on a database of its own."""
    folder.mkdir()
    with ExitStack() as stack:
        if database == "sqlite":
            shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "coopmail.sqlite")
            url = f"sqlite:///{folder}/coopmail.sqlite"
        else:
            url = stack.enter_context(fresh_database(request.getfixturevalue("migrated_postgresql")))
        settings = Settings(
            secret_keys={1: "a key that only the tests know, and long enough"}, database_url=url,
            mailbox=folder / "mailbox", key_folder=folder / "poll-keys", base_url="http://localhost",
        )  # fmt: skip
        clock = FrozenClock(MONDAY)
        app = create_app(settings, system_clock=clock)
        stack.callback(parts(app).db.close)
        yield Teller(app, clock, language, nasty).tell()
