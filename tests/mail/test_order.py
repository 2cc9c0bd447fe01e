"""What goes first, and what is heeded while mails are going out: pause, resume, cancel, every change of facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions import polls
from coopmail.actions.outbox import cancel_campaign, pause_campaign, resume_campaign
from coopmail.config import Settings
from coopmail.domain.contacts import Contact
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import CampaignStop, Mail, Priority, StopKind
from coopmail.domain.polls import Audience, Option, Poll
from coopmail.errors import ActionRefused, UnknownSubject
from coopmail.mail import claims
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, MONDAY, FrozenClock
from tests.mail.acts import change, counts, mails, vote
from tests.mail.field import build_field, campaign, key_of, make_newsletter, rows, send, sender
from tests.mail.scripted import Event, Move, ScriptedRelay

ELS, JAN, BOOM = "els.peeters@aartselaar.example", "jan.maes@aartselaar.example", "bibliotheek@boom.example"
LIES, TOM = "lies.claes@duffel.example", "tom.baert@zoersel.example"
INVITED = sorted([ELS, JAN, BOOM, LIES, LIES])
CONNECTIONS = 4


def at(verb: str, nth: int, act: Callable[[], object], reply: str = "") -> Callable[[Event], Move | None]:
    """Do something while the so manieth message waits for its answer; then say that, or what every relay says."""

    def behave(event: Event) -> Move | None:
        if (event.verb, event.nth) != (verb, nth):
            return None
        act()
        return Move(reply) if reply else None

    return behave


def ask_the_seats(office: Parts, cooperative: Cooperative) -> None:
    """Open a vote of the steering group: three ballots."""
    options = [Option(position=0, key="keep", label_nl="Blijven", status_quo=True),
               Option(position=1, key="move", label_nl="Weggaan")]  # fmt: skip
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING, slug="seats", audience=Audience.GROUP_SEATS,
                           service_id=None, options=options)  # fmt: skip
        polls.open_poll(session, draft.id, now, office.basis)


# ── What goes first ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("connections", [1, CONNECTIONS])
def test_a_newsletter_under_way_is_overtaken_by_a_ballot(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, connections: int
) -> None:
    make_newsletter(office, build_field(office, cooperative, 300))
    with ScriptedRelay() as server, sender(settings, clock, server.port, relay_connections=connections) as app:
        before: list[int] = []

        def ask() -> None:
            ask_the_seats(office, cooperative)
            before.append(len(server.messages))  # others went on meanwhile

        server.behave = at("END", 60, ask)
        assert send(app) == 305 + 3
        ballots = set(rows(office)) - {key for key, row in rows(office).items() if row.id <= 305}
        arrived = [key_of(message) for message in server.messages]
        assert len(set(arrived)) == len(arrived) == 308
        places = [place for place, key in enumerate(arrived) if key in ballots]
    # Whatever was on the wire when the ballots were queued goes on; then they go; then the rest.
    # (Over several connections this server may come to read a ballot some messages of the others later.)
    handful = 1 if connections == 1 else 20
    assert before[0] <= places[0] < places[-1] < before[0] + handful + 3 < 300
    assert {(row.state, row.attempts) for row in rows(office).values()} == {("sent", 1)}


def test_governance_goes_first_then_system_then_digests_then_newsletters(
    settings: Settings, office: Parts, poll: Poll, clock: FrozenClock
) -> None:
    for number, (email, priority) in enumerate(
        [(JAN, Priority.NEWSLETTER), (BOOM, Priority.DIGEST), (LIES, Priority.SYSTEM), (ELS, Priority.GOVERNANCE)]
    ):
        contact = sa.select(Contact.id).where(Contact.email == email).scalar_subquery()
        created = MONDAY - timedelta(minutes=number)  # the least urgent was there first
        change(office, Mail, Mail.contact_id == contact, priority=priority, not_before=created)
    with ScriptedRelay() as server, sender(settings, clock, server.port, relay_connections=1) as app:
        assert send(app) == 5
    assert [message.recipient for message in server.messages] == [ELS, LIES, LIES, BOOM, JAN]


# ── Pause, resume, cancel ────────────────────────────────────────────────────────────────────────────────


def act(office: Parts, what: Callable[[Session], object]) -> None:
    """A transaction of staff's."""
    with office.db.transaction() as (session, _):
        what(session)


def stop_of(office: Parts) -> list[tuple[str, StopKind, str, timedelta | None]]:
    """The campaigns that stand still: which, how, why, and for how long."""
    with office.db.reading() as (session, _):
        found = session.scalars(sa.select(CampaignStop).order_by(CampaignStop.campaign))
        return [(each.campaign, each.kind, each.reason, each.until - each.at if each.until else None) for each in found]


@pytest.mark.parametrize("connections", [1, CONNECTIONS])
def test_after_a_pause_no_further_message_begins_until_it_is_resumed(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, connections: int
) -> None:
    poll = build_field(office, cooperative, 60)
    name = campaign(poll)
    with ScriptedRelay() as server, sender(settings, clock, server.port, relay_connections=connections) as app:
        begun: list[int] = []

        def pause() -> None:
            act(office, lambda s: pause_campaign(s, clock(), name, "wacht even"))
            begun.append(server.count("MAIL"))

        server.behave = at("END", 10, pause)
        sent = send(app)
        assert begun[0] <= sent <= begun[0] + connections - 1 < 65  # what was on the wire still arrives
        assert server.count("MAIL") == len(server.messages) == sent
        assert counts(office, name) == {"sent": sent, "queued": 65 - sent}
        assert {row.attempts for row in rows(office).values() if row.state == "queued"} == {0}
        assert stop_of(office) == [(name, StopKind.PAUSED, "wacht even", None)]
        clock.advance(days=2)
        assert send(app) == 0
        act(office, lambda s: resume_campaign(s, clock(), name))
        assert send(app) == 65 - sent
        assert (counts(office, name), stop_of(office)) == ({"sent": 65}, [])
    assert Counter(key_of(message) for message in server.messages) == Counter([*rows(office)])


def test_a_pause_until_a_moment_ends_there_and_holds_up_no_other_campaign(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    poll = build_field(office, cooperative, 20)
    until = clock.moment + timedelta(hours=2)
    act(office, lambda s: pause_campaign(s, clock(), campaign(poll), "nacht", until=until))
    ask_the_seats(office, cooperative)
    with ScriptedRelay() as server, sender(settings, clock, server.port) as app:
        assert send(app) == 3
        clock.move_to(until - timedelta(seconds=1))
        assert send(app) == 0
        clock.move_to(until)
        assert send(app) == 25


@pytest.mark.parametrize("connections", [1, CONNECTIONS])
@pytest.mark.parametrize("reply", ["250 2.0.0 kept", "451 4.7.1 later"])
def test_after_a_cancellation_no_further_message_begins_and_what_is_called_cancelled_was_never_sent(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock, connections: int, reply: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(claims, "BATCH", 30)
    poll = build_field(office, cooperative, 60)
    name = campaign(poll)
    taken: list[int] = []
    begun: list[int] = []

    with ScriptedRelay() as server, sender(settings, clock, server.port, relay_connections=connections) as app:

        def cancel() -> None:
            act(office, lambda s: taken.append(cancel_campaign(s, clock(), name, "fout in de tekst")))
            begun.append(server.count("MAIL"))
            assert sum(counts(office, name).values()) == 65

        server.behave = at("END", 10, cancel, reply)
        sent = send(app)
        assert begun[0] <= server.count("MAIL") <= begun[0] + connections - 1 < 65
        assert server.count("MAIL") == sent + reply.startswith("451")
        assert 0 < taken[0] <= 65 - 10
        clock.advance(hours=3)
        assert send(app) == 0
    assert counts(office, name) == {"sent": sent, "cancelled": 65 - sent}
    assert {key_of(message) for message in server.messages} == {
        key for key, row in rows(office).items() if row.state == "sent"
    }
    assert {row.reply for row in rows(office).values() if row.state == "cancelled"} == {"its campaign was cancelled"}


def test_a_cancelled_campaign_stays_so(office: Parts, poll: Poll, clock: FrozenClock) -> None:
    name = campaign(poll)
    act(office, lambda s: pause_campaign(s, clock(), name, "even wachten"))
    act(office, lambda s: cancel_campaign(s, clock(), name, "voorgoed"))
    assert counts(office, name) == {"cancelled": 5}
    for again in (
        lambda s: cancel_campaign(s, clock(), name, "nog eens"),
        lambda s: pause_campaign(s, clock(), name, "toch even"),
        lambda s: resume_campaign(s, clock(), name),
    ):
        with pytest.raises(ActionRefused):
            act(office, again)
    assert stop_of(office) == [(name, StopKind.CANCELLED, "voorgoed", None)]
    for unknown in (pause_campaign, cancel_campaign):
        with pytest.raises(UnknownSubject):
            act(office, lambda s: unknown(s, clock(), "poll:99:invitation", "wie?"))  # noqa: B023
    with pytest.raises(ActionRefused):
        act(office, lambda s: resume_campaign(s, clock(), "poll:99:invitation"))


def test_a_refused_sender_neither_shortens_a_pause_of_staff_nor_trips_over_a_cancellation(
    settings: Settings, office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    poll = build_field(office, cooperative, 20)
    name = campaign(poll)
    refusal = "550 5.7.1 we do not know you"

    def pause() -> None:
        act(office, lambda s: pause_campaign(s, clock(), name, "tot we bellen"))

    def cancel() -> None:
        act(office, lambda s: cancel_campaign(s, clock(), name, "voorgoed"))

    with ScriptedRelay() as server, sender(settings, clock, server.port, relay_connections=1) as app:
        server.behave = at("MAIL", 3, pause, refusal)
        assert send(app) == 2
        assert stop_of(office) == [(name, StopKind.PAUSED, "tot we bellen", None)]
        clock.advance(hours=2)
        assert send(app) == 0
        act(office, lambda s: resume_campaign(s, clock(), name))
        server.behave = at("MAIL", 6, cancel, refusal)
        assert send(app) == 2
        clock.advance(hours=2)
        assert send(app) == 0
    assert stop_of(office) == [(name, StopKind.CANCELLED, "voorgoed", None)]
    assert counts(office, name) == {"sent": 4, "cancelled": 21}


# ── What changes while mails are going out ───────────────────────────────────────────────────────────────


def _contact(email: str) -> sa.ColumnElement[bool]:
    return Contact.email == email


def _revoke(office: Parts, poll: Poll) -> None:
    boom = mails(office, "ballot-invitation")[BOOM]
    change(office, Invitation, Invitation.id == boom.invitation_id, revoked_at=MONDAY)


def _withdraw(office: Parts, poll: Poll) -> None:
    with office.db.transaction() as (session, now):
        polls.withdraw_poll(session, poll.id, now, "De vraag was fout gesteld.")


def _close(office: Parts, poll: Poll) -> None:
    with office.db.transaction() as (session, now):
        polls.close_poll(session, poll.id, now, office.basis, early=True)


MOVED = "bib@nieuw.example"
OTHERS = sorted([JAN, BOOM, LIES, LIES])
MEANWHILE: dict[str, tuple[Callable[[Parts, Poll], None], list[str], set[str]]] = {
    "a unit answers": (lambda office, _: vote(office, BOOM, "Bibliotheek Boom"), [JAN, LIES, LIES], {"suppressed"}),
    "an invitation is revoked": (_revoke, [JAN, LIES, LIES], {"cancelled"}),
    "the poll is withdrawn": (_withdraw, [], {"cancelled"}),
    "the poll is closed": (_close, [], {"cancelled", "expired"}),
    "an address changes": (
        lambda office, _: change(office, Contact, _contact(BOOM), email=MOVED, email_key=MOVED),
        [JAN, LIES, LIES, MOVED], set(),
    ),
    "a contact leaves": (
        lambda office, _: change(office, Contact, _contact(LIES), left_at=MONDAY), [JAN, BOOM], {"suppressed"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MEANWHILE)
def test_the_very_next_message_heeds_that_while_one_is_on_the_wire(
    settings: Settings, office: Parts, poll: Poll, clock: FrozenClock, what: str
) -> None:
    happens, recipients, states = MEANWHILE[what]
    with ScriptedRelay() as server, sender(settings, clock, server.port, relay_connections=1) as app:
        server.behave = at("END", 1, lambda: happens(office, poll))
        send(app)
    invited = [message for message in server.messages if message.template == "ballot-invitation"]
    assert invited[0].recipient == ELS
    assert sorted(message.recipient for message in invited[1:]) == sorted(recipients)
    found = Counter(mail.state.value for mail in mails(office, "ballot-invitation").values())
    assert found["sent"] == 1 + len(recipients)
    assert set(found) - {"sent"} <= states
    assert sum(found.values()) == 5


def test_an_extension_is_in_the_very_next_message(
    settings: Settings, office: Parts, poll: Poll, clock: FrozenClock
) -> None:
    def extend() -> None:
        with office.db.transaction() as (session, now):
            polls.extend_poll(session, poll.id, now, CLOSING + timedelta(days=3), office.basis)

    with ScriptedRelay() as server, sender(settings, clock, server.port, relay_connections=1) as app:
        server.behave = at("END", 1, extend)
        assert send(app) == 5 + 5
    days = [str(message.message["Subject"]).partition("(tot ")[2] for message in server.messages]
    assert Counter(days) == {"vr 4 december, 17 uur)": 1, "ma 7 december, 17 uur)": 9}
