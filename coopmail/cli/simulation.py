"""`coopmail demo --simulate`: the whole round without a person, on a database of its own, checked against its own sums.

A real server (or the whole production stack: `simulated_stack`) runs beside it and delivers over real SMTP to a sink
here. What follows reads the delivered messages, opens the links in their text part over HTTP, and answers as a browser
would; time moves by the offset that all processes share. Every choice depends on the seed and a name, never on the
order in which things happen.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from random import Random

import click
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from coopmail import create_app
from coopmail.cli.demo import load_demonstration, open_demonstration_polls
from coopmail.cli.server import upgrade_database
from coopmail.cli.simulated_mail import Delivered, Sink
from coopmail.cli.simulated_stack import Installation, Stack, check_empty
from coopmail.cli.simulated_web import Browser, free_port
from coopmail.clock import system
from coopmail.config import Settings
from coopmail.db import CLOCK_OFFSET
from coopmail.domain.base import InstallationMark
from coopmail.domain.calendar import brussels_day, in_brussels
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation, Link
from coopmail.domain.organisations import Organisation
from coopmail.domain.outbox import WAITING, Mail, MailState
from coopmail.domain.polls import Outcome, Poll, Reminder, ReminderState, VotingUnit
from coopmail.domain.services import Subscription, running_on
from coopmail.jobs.schedule import SCHEDULE
from coopmail.parts import parts
from coopmail.queries import outbox, polls

START = in_brussels(date(2026, 9, 7), clock_time(9))
CLOSING = in_brussels(date(2026, 9, 25), clock_time(17))
POLL = "krantenarchief-richting"
SHORT_LOOK = timedelta(seconds=6)
LOOK = timedelta(seconds=max(job.every for job in SCHEDULE) + 1)
PATIENCE = 60.0


@dataclass
class Tally:
    """What the simulation itself knows, to be held against the database and the mails."""

    last: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reminders_sent: int = 0
    reminders_to_answered: int = 0
    late_refused: int = 0
    faults: list[str] = field(default_factory=list)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Note a sum that does not add up."""
        if found != wanted:
            self.faults.append(f"{what}: {found!r} instead of {wanted!r}")


@dataclass(frozen=True)
class Voter:
    """One delivered invitation: whose unit, whose address, and the link in its text part."""

    unit: str
    address: str
    url: str


def simulate_round(seed: int, *, as_json: bool, stack: Stack) -> int:
    """Run the round; print a table and, where asked, one JSON object last. Returns the exit status."""
    began = time.monotonic()
    if stack.database is not None:
        check_empty(stack.database)
    with tempfile.TemporaryDirectory(prefix="coopmail-") as name, Sink(*(stack.sink or ())) as sink:
        folder, port = Path(name), free_port()
        settings = stack.settings(folder, port, sink.port)
        upgrade_database(settings.database_url)
        app = create_app(settings)
        round_ = Round(app, settings, sink, seed, relayed=stack.relayed)
        round_.prepare()
        with Installation(settings, folder, port), Browser(port) as browser:
            result = round_.run(browser)
        parts(app).db.close()
    result["seconds"] = round(time.monotonic() - began, 1)
    report(result, round_.tally.faults)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    return 1 if round_.tally.faults else 0


class Round:
    """One round, from a list of members to the mailed outcome."""

    def __init__(self, app: Flask, settings: Settings, sink: Sink, seed: int, *, relayed: bool) -> None:
        self.app, self.settings, self.sink, self.seed, self.relayed = app, settings, sink, seed, relayed
        self.db = parts(app).db
        self.signer = parts(app).signer
        self.tally = Tally()
        self._units: dict[str, str] = {}  # a link's address, and for which unit it answers

    def prepare(self) -> None:
        """Load the cooperative, as of the simulation's start."""
        self.move_to(START)
        load_demonstration(self.db, self.app, self.seed)
        with self.db.reading() as (session, _):
            addresses = sorted(session.scalars(sa.select(Contact.email)))
        # Some mailboxes do not exist; some servers ask to come back later once.
        self.sink.refused = {address for address in addresses if self.dice("refused", address).random() < 0.015}
        if not self.relayed:  # a relay tries again by its own clock, which does not move with ours
            self.sink.deferred = {address for address in addresses if self.dice("deferred", address).random() < 0.03}

    def run(self, browser: Browser) -> dict[str, object]:
        """Open, answer, remind, close; returns the figures."""
        open_demonstration_polls(self.app, closes_at=CLOSING)
        self.settle()
        voters = self.voters("ballot-invitation")
        self.answer(browser, voters, until=0.5)
        for day in self.reminder_days():
            self.remind(browser, day, voters)
        self.move_to(CLOSING - timedelta(minutes=2))
        self.answer(browser, voters, until=0.9)
        self.move_to(CLOSING + timedelta(seconds=1))
        self.answer_late(browser, voters)
        self.settle()
        return self.figures()

    def answer(self, browser: Browser, voters: Sequence[Voter], until: float) -> None:
        """Let the units answer whose moment has come: by one contact, twice, or by two contacts. Some never do."""
        by_unit: dict[str, list[Voter]] = {}
        for voter in sorted(voters, key=lambda voter: (voter.unit, voter.address)):
            by_unit.setdefault(voter.unit, []).append(voter)
        for unit, contacts in by_unit.items():
            dice = self.dice("moment", unit)
            if unit in self.tally.last or dice.random() > until:
                continue
            turns = [contacts[0]]
            if dice.random() < 0.15:
                turns.append(contacts[0])
            if dice.random() < 0.25 and len(contacts) > 1:
                turns.append(contacts[1])
            for turn, voter in enumerate(turns):
                self.tally.last[unit] = self.vote(browser, voter, self.dice("vote", f"{unit}:{turn}"))
        self.settle()

    def vote(self, browser: Browser, voter: Voter, dice: Random) -> tuple[str, ...]:
        """Open the page, fill the form in as a person would, and check that the receipt says so."""
        form = browser.open(voter.url)
        if form.chosen:
            self.tally.faults.append(f"the page of {voter.unit} came with a choice made")
        share = 0.9 if len(form.choices) <= 3 else 0.95
        choice = form.choices[-1] if dice.random() > share else dice.choice(form.choices[:-1])
        status, page = browser.answer(voter.url, form, (choice,), name="Een collega")
        if status != 200 or not page.answered:
            self.tally.faults.append(f"the answer of {voter.unit} was not confirmed: {status}")
        return (choice,)

    def answer_late(self, browser: Browser, voters: Sequence[Voter]) -> None:
        """Try to answer after closing, at once: the runner may not have closed the poll yet."""
        key = self.choices(POLL)[0]
        for voter in [voter for voter in self.of_poll(voters) if voter.unit not in self.tally.last][:10]:
            status = browser.post(voter.url, {"choice": key, "answered_by": "Een collega"})
            self.tally.expect(f"the late answer of {voter.unit}", status, 409)
            self.tally.late_refused += status == 409

    def remind(self, browser: Browser, day: date, voters: Sequence[Voter]) -> None:
        """Move to a reminder's day; it must reach exactly those who can still answer, and hold nothing answered."""
        before = len(self.sink.messages)
        answered = set(self.tally.last)
        wanted = {voter.address for voter in voters if voter.unit not in answered}
        self.move_to(in_brussels(day, clock_time(9, 5)))
        self.settle()
        reminders = [mail for mail in self.sink.messages[before:] if mail.template == "reminder"]
        self.tally.expect(f"who was reminded on {day}", sorted(mail.address for mail in reminders), sorted(wanted))
        for mail in reminders:
            held = [self.voter(mail.address, url) for url in mail.links]
            self.tally.reminders_sent += any(self.polled(voter) for voter in held)
            self.tally.reminders_to_answered += sum(voter.unit in answered for voter in held)
        self.answer(browser, voters, until=0.7 + 0.05 * len(answered) / 100)

    def figures(self) -> dict[str, object]:
        """The figures of the issue, and the sums that must hold between them."""
        with self.db.reading() as (session, now):
            poll = polls.by_slug(session, POLL)
            outcome = session.get_one(Outcome, poll.id)
            invited = session.scalar(sa.select(sa.func.count()).where(Invitation.poll_id == poll.id))
            mails = outbox.counts(session, f"poll:{poll.id}:invitation")
            outcomes = outbox.counts(session, f"poll:{poll.id}:outcome")
            takes = sa.exists().where(Subscription.organisation_id == Organisation.id, running_on(now().date()))
            members = session.scalar(sa.select(sa.func.count()).select_from(Organisation).where(takes))
            contacts = session.scalar(sa.select(sa.func.count()).select_from(Contact))
            units = set(session.scalars(sa.select(VotingUnit.name).where(VotingUnit.poll_id == poll.id)))
        mine = {unit: marks for unit, marks in self.tally.last.items() if unit in units}
        counted = Counter(key for marks in mine.values() for key in marks)
        delivered = [mail for mail in self.sink.messages if self.is_about(mail, POLL)]
        sent = [mail for mail in delivered if mail.template == "ballot-invitation"]
        told = [mail for mail in delivered if mail.template == "ballot-outcome"]
        expect = self.tally.expect
        expect("outcome", outcome.tally, {key: counted.get(key, 0) for key in outcome.tally})
        expect("ballots", outcome.cast, len(mine))
        expect("sum of the outcome", sum(outcome.tally.values()), outcome.cast)
        expect("electorate", outcome.units, len(units))
        expect("invitations and their states", sum(mails.values()), invited)
        expect("invitations delivered", len(sent), self.accepted(f"poll:{poll.id}:invitation"))
        expect("outcome mails", len(told), self.accepted(f"poll:{poll.id}:outcome"))
        expect("outcome mails queued", sum(outcomes.values()), invited)
        expect(
            "messages sent twice",
            [key for key, n in Counter(m.message_id for m in self.sink.messages).items() if n > 1],
            [],
        )
        expect("reminders to answered units", self.tally.reminders_to_answered, 0)
        if not self.tally.late_refused:
            self.tally.faults.append("no late answer was tried")
        return {
            "members": members, "contacts": contacts, "units": outcome.units, "invited": invited,
            "invitations_sent": len(sent), "undelivered": (invited or 0) - len(sent),
            "answered_units": outcome.answered_units, "ballots": outcome.cast,
            "reminders_sent": self.tally.reminders_sent,
            "reminders_to_answered_units": self.tally.reminders_to_answered,
            "late_refused": self.tally.late_refused, "outcome": outcome.tally, "outcome_mails": len(told),
        }  # fmt: skip

    def accepted(self, campaign: str | None = None) -> int:
        """How many mails, of a campaign or in all, were sent to a mailbox that exists."""
        query = sa.select(Contact.email).join(Mail, Mail.contact_id == Contact.id).where(Mail.state == MailState.SENT)
        if campaign is not None:
            query = query.where(Mail.campaign == campaign)
        with self.db.reading() as (session, _):
            return sum(address not in self.sink.refused for address in session.scalars(query))

    def settle(self) -> None:
        """Wait until nothing is due and all has arrived; let time pass where a mail waits for another try."""
        seen, until, before = -1, 0.0, len(self.sink.messages)
        while len(self.sink.messages) > seen or time.monotonic() < until:
            if len(self.sink.messages) > seen:  # it moves: a slow machine is not at fault
                seen, until = len(self.sink.messages), time.monotonic() + PATIENCE
            with self.db.reading() as (session, now):
                moment = now()
                waiting = session.scalars(sa.select(Mail.not_before).where(Mail.state.in_(WAITING))).all()
                under_way = session.scalar(sa.select(sa.exists().where(Mail.state == MailState.CLAIMED)))
                due = [*polls.due_for_closing(session, moment), *self.reminders_due(session, moment)]
            if not waiting and not due:
                if self.accepted() == len(self.sink.messages):
                    return
                self.sink.wait(0.1)  # what a relay holds arrives by its own clock
                continue
            if under_way:  # a sender's lease must not end because we let time pass
                self.sink.wait(0.02)
                continue
            if not due and waiting and min(waiting) > moment:
                self.move_to(min(waiting) + timedelta(seconds=1))
            elif len(self.sink.messages) == before:
                # What was queued from here rings no doorbell there: the next look is due a few seconds later. With mail
                # waiting that is less than a lease, which may have been taken since we asked.
                self.move_to(moment + (SHORT_LOOK if waiting else LOOK))
            before = len(self.sink.messages)
            self.sink.wait(0.1)
        self.tally.faults.append("the server did not come to rest")

    def reminders_due(self, session: Session, moment: datetime) -> list[int]:
        """The polls of which the runner has still to remind, at the latest today."""
        planned = Reminder.state == ReminderState.PLANNED, Reminder.day <= brussels_day(moment)
        return list(session.scalars(sa.select(Reminder.poll_id).where(*planned)))

    def move_to(self, moment: datetime) -> None:
        """Move the clock that server and simulation share; never back."""
        offset = (moment - system()).total_seconds()
        with self.db.transaction() as (session, _):
            mark = session.get(InstallationMark, CLOCK_OFFSET)
            if mark is None:
                session.add(InstallationMark(name=CLOCK_OFFSET, value=str(offset)))
            elif float(mark.value) < offset:
                mark.value = str(offset)

    def voters(self, template: str) -> list[Voter]:
        """Whom the delivered mails of a template ask, with the link in the text part."""
        return [self.voter(mail.address, mail.links[0]) for mail in self.sink.messages if mail.template == template]

    def voter(self, address: str, url: str) -> Voter:
        """For which unit a delivered link answers."""
        if url not in self._units:
            claim = self.signer.read(url.rpartition("/")[2])
            with self.db.reading() as (session, _):
                self._units[url] = session.scalars(
                    sa.select(VotingUnit.name)
                    .join(Invitation, Invitation.unit_id == VotingUnit.id)
                    .join(Link, Link.invitation_id == Invitation.id)
                    .where(Link.id == claim.link_id)
                ).one()
        return Voter(self._units[url], address, url)

    def polled(self, voter: Voter) -> bool:
        """Whether a voter is asked in the Krantenarchief's poll."""
        return voter.unit.startswith("Bibliotheek")

    def of_poll(self, voters: Sequence[Voter]) -> list[Voter]:
        """The voters of the Krantenarchief's poll."""
        return [voter for voter in voters if self.polled(voter)]

    def is_about(self, mail: Delivered, slug: str) -> bool:
        """Whether a delivered mail is about a poll."""
        return slug == POLL and bool(mail.links) and self.polled(self.voter(mail.address, mail.links[0]))

    def choices(self, slug: str) -> list[str]:
        """The keys of a poll's options."""
        with self.db.reading() as (session, _):
            return polls.by_slug(session, slug).option_keys

    def reminder_days(self) -> list[date]:
        """The days on which the Krantenarchief's poll is reminded of."""
        with self.db.reading() as (session, _):
            poll_id = sa.select(Poll.id).where(Poll.slug == POLL).scalar_subquery()
            return list(
                session.scalars(sa.select(Reminder.day).where(Reminder.poll_id == poll_id).order_by(Reminder.day))
            )

    def dice(self, what: str, name: str) -> Random:
        """Chance that depends on the seed and a name alone."""
        return Random(f"{self.seed}:{what}:{name}")  # noqa: S311 - it plays, it keeps no secret


def report(result: dict[str, object], faults: Sequence[str]) -> None:
    """A table, and what does not add up."""
    for name, value in result.items():
        click.echo(f"{name:<28} {value}")
    click.echo("Every sum adds up." if not faults else "These sums do not add up:\n  " + "\n  ".join(faults))
