"""Who cannot be reached: members without a working address, and domains where nobody answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.actions import polls
from coopmail.domain.calendar import brussels_day
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.organisations import Organisation
from coopmail.domain.services import Subscription
from coopmail.parts import Parts
from coopmail.queries import reachability
from tests.builders import Cooperative, build_poll
from tests.conftest import FrozenClock, Received

Deliver = Callable[[], list[Received]]
BOTH = ["Krantenarchief", "Open Vlacc"]


def unreached(office: Parts) -> dict[str, tuple[list[str], bool]]:
    """Each member for which nobody votes: in which services, and whether in polls of all members."""
    with office.db.reading() as (session, now):
        found = reachability.unreached(session, brussels_day(now()))
    return {each.name.removeprefix("Bibliotheek "): (each.services, each.everyone) for each in found}


def change(office: Parts, table: Any, row_id: int, **values: Any) -> None:
    """Write these values into a row."""
    with office.db.transaction() as (session, _):
        session.execute(sa.update(table).where(table.id == row_id).values(**values))


def test_a_member_where_everybody_only_reads_has_nobody(office: Parts, cooperative: Cooperative) -> None:
    assert unreached(office) == {"Mol": (BOTH, True)}


@pytest.mark.parametrize("lacks", ["confirmed_at", "left_at", "undeliverable_at"])
def test_an_address_that_does_not_work_reaches_nobody(
    office: Parts, cooperative: Cooperative, clock: FrozenClock, lacks: str
) -> None:
    value = None if lacks == "confirmed_at" else clock.moment
    change(office, Contact, cooperative.contacts["tom"].id, **{lacks: value})
    change(office, Contact, cooperative.contacts["els"].id, **{lacks: value})  # Jan votes for Aartselaar too
    assert unreached(office) == {"Mol": (BOTH, True), "Zoersel": (["Open Vlacc"], True)}


def test_whoever_is_away_is_reached_all_the_same(office: Parts, cooperative: Cooperative) -> None:
    change(office, Contact, cooperative.contacts["tom"].id, away_until=date(2027, 1, 1))
    assert unreached(office) == {"Mol": (BOTH, True)}


def test_a_row_for_a_service_counts_for_that_service_only(office: Parts, cooperative: Cooperative) -> None:
    open_vlacc = cooperative.services["open-vlacc"].id
    rows = (("an", "Mol", Mode.VOTES), ("boom", "Boom", Mode.READS))
    with office.db.transaction() as (session, now):
        session.add_all(
            Representation(contact_id=cooperative.contacts[who].id, organisation_id=cooperative.libraries[where].id,
                           service_id=open_vlacc, mode=mode, started_at=now()) for who, where, mode in rows
        )  # fmt: skip
    assert unreached(office) == {"Boom": (["Open Vlacc"], False), "Mol": (["Krantenarchief"], True)}


def test_what_is_no_member_any_more_is_not_missed(office: Parts, cooperative: Cooperative) -> None:
    mol = cooperative.libraries["Mol"].id
    with office.db.transaction() as (session, _):
        ended = sa.update(Subscription).where(Subscription.organisation_id == mol)
        session.execute(ended.values(ends_on=date(2026, 11, 15)))
    assert unreached(office) == {}
    with office.db.transaction() as (session, _):
        session.execute(sa.update(Subscription).where(Subscription.organisation_id == mol).values(ends_on=None))
    change(office, Organisation, mol, ended_on=date(2026, 11, 1))
    assert unreached(office) == {}


@pytest.fixture
def round_of(
    office: Parts, cooperative: Cooperative, clock: FrozenClock, deliver: Deliver, client: FlaskClient
) -> Callable[..., None]:
    """Open a poll, let those at some domains answer, and close it after a week."""

    def hold(number: int, *answering: str, secret: bool = False, sent: bool = True) -> None:
        with office.db.transaction() as (session, now):
            draft = build_poll(session, cooperative, closes_at=now() + timedelta(days=7), slug=f"round-{number}",
                               secret=secret, reminder_days=[])  # fmt: skip
            polls.open_poll(session, draft.id, now, office.basis)
        invited = [mail for mail in (deliver() if sent else []) if mail.template == "ballot-invitation"]
        for mail in invited:
            if mail.to.partition("@")[2] in answering:
                answer = client.post(mail.link, data={"choice": "keep", "answered_by": "Piet"})
                assert answer.status_code == 303
        clock.advance(days=7)
        deliver()

    return hold


def silent(office: Parts) -> dict[str, int]:
    """The silent domains, and how many contacts are there."""
    with office.db.reading() as (session, now):
        return {each.domain: each.contacts for each in reachability.silent_domains(session, now())}


def test_a_domain_is_silent_after_two_polls_without_an_answer_and_no_longer_after_one(
    office: Parts, cooperative: Cooperative, round_of: Callable[..., None]
) -> None:
    round_of(1, "boom.example")
    assert silent(office) == {}
    round_of(2, "duffel.example")
    assert silent(office) == {"aartselaar.example": 2}
    round_of(3, "aartselaar.example")
    assert silent(office) == {"boom.example": 1}


def test_secret_polls_count_too(office: Parts, cooperative: Cooperative, round_of: Callable[..., None]) -> None:
    round_of(1, secret=True)
    round_of(2, "boom.example", secret=True)
    assert silent(office) == {"aartselaar.example": 2, "duffel.example": 1}


def test_a_poll_whose_mail_did_not_go_out_asked_nobody(
    office: Parts, cooperative: Cooperative, round_of: Callable[..., None]
) -> None:
    round_of(1, "boom.example")
    round_of(2, sent=False)  # closed before a runner came by
    assert silent(office) == {}


def test_a_poll_that_is_open_says_nothing_yet_and_one_of_years_ago_no_more(
    office: Parts, cooperative: Cooperative, round_of: Callable[..., None], clock: FrozenClock, deliver: Deliver
) -> None:
    round_of(1)
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=now() + timedelta(days=7), slug="open", reminder_days=[])
        polls.open_poll(session, draft.id, now, office.basis)
    deliver()
    assert silent(office) == {}
    clock.advance(days=7)
    deliver()
    assert set(silent(office)) == {"aartselaar.example", "boom.example", "duffel.example"}
    clock.advance(days=reachability.LOOK_BACK.days)
    assert silent(office) == {}


def test_where_nobody_is_left_no_domain_is_silent(
    office: Parts, cooperative: Cooperative, round_of: Callable[..., None], clock: FrozenClock
) -> None:
    round_of(1, "aartselaar.example", "duffel.example")
    round_of(2, "aartselaar.example", "duffel.example")
    assert silent(office) == {"boom.example": 1}
    change(office, Contact, cooperative.contacts["boom"].id, left_at=clock.moment)
    assert silent(office) == {}


def test_contacts_who_are_away_bounced_or_unconfirmed_are_listed_unless_they_left(
    office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    moment = clock.moment
    for name, values in (
        ("els", {"away_until": date(2026, 11, 16)}), ("jan", {"away_until": date(2026, 11, 15)}),
        ("tom", {"undeliverable_at": moment}), ("an", {"confirmed_at": None}),
        ("lies", {"away_until": date(2027, 1, 1), "undeliverable_at": moment, "confirmed_at": None, "left_at": moment}),
    ):  # fmt: skip
        change(office, Contact, cooperative.contacts[name].id, **values)
    with office.db.reading() as (session, now):
        assert [each.name for each in reachability.away(session, brussels_day(now()))] == ["Els Peeters"]
        assert [each.name for each in reachability.undeliverable(session)] == ["Tom Baert"]
        assert [(each.name, since) for each, since in reachability.unconfirmed(session)] == [("An Wouters", None)]


def test_contacts_are_found_by_the_domain_of_their_address(office: Parts, cooperative: Cooperative) -> None:
    with office.db.reading() as (session, _):
        assert [each.name for each in reachability.at_domain(session, "aartselaar.example")] == [
            "Els Peeters", "Jan Maes",
        ]  # fmt: skip
        assert reachability.at_domain(session, "example") == []
