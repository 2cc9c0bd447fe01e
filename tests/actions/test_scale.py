"""Opening, extending, reminding, closing and withdrawing go set by set, however many are asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from coopmail.actions import electorate, polls, reminders
from coopmail.actions.audit import seal_all
from coopmail.actions.records import audit
from coopmail.db import Database
from coopmail.domain.audit import Matter
from coopmail.domain.calendar import in_brussels
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.links import Invitation, Link
from coopmail.domain.organisations import Organisation, OrganisationKind
from coopmail.domain.polls import Poll, Reminder, VotingUnit
from coopmail.domain.services import Subscription
from coopmail.parts import Parts
from coopmail.queries import polls as questions
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, MONDAY

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def add_members(db: Database, cooperative: Cooperative, number: int) -> None:
    """So many organisations more; every fourth has nobody who votes, the others a contact each."""
    ids = range(1001, 1001 + number)
    service = cooperative.services["krantenarchief"].id
    with db.transaction() as (session, _):
        rows: dict[type, list[dict[str, object]]] = {
            Organisation: [{"id": n, "name": f"Bibliotheek {n}", "kind": OrganisationKind.LIBRARY, "municipality": "",
                            "province": "Antwerpen", "population": n} for n in ids],
            Contact: [{"id": n, "name": f"Contact {n}", "email": f"c@l{n}.example", "email_key": f"c@l{n}.example",
                       "confirmed_at": MONDAY} for n in ids],
            Subscription: [{"organisation_id": n, "service_id": service, "starts_on": date(2025, 1, 1),
                            "contract_reference": "", "price_cents": 0} for n in ids],
            Representation: [{"contact_id": n, "organisation_id": n, "started_at": MONDAY,
                              "mode": Mode.READS if n % 4 == 0 else Mode.VOTES} for n in ids],
        }  # fmt: skip
        for table, values in rows.items():
            session.execute(sa.insert(table), values)


@contextmanager
def counting(db: Database, counts: dict[str, tuple[int, int]], act: str) -> Iterator[None]:
    """Note how many statements an act takes, and how many rows come back to Python (SQLite does not say)."""
    statements: list[int] = []

    def note(_connection: object, cursor: object, *_: object) -> None:
        fetched = getattr(cursor, "rowcount", 0) if getattr(cursor, "description", None) else 0
        statements.append(max(fetched, 0))

    sa.event.listen(db.engine, "after_cursor_execute", note)
    yield
    sa.event.remove(db.engine, "after_cursor_execute", note)
    counts[act] = (len(statements), sum(statements))


def whole_life(office: Parts, cooperative: Cooperative, slug: str) -> dict[str, tuple[int, int]]:
    """Statements of each act on a poll, and rows that they bring back."""
    counts: dict[str, tuple[int, int]] = {}
    with office.db.transaction() as (session, _):
        poll_id = build_poll(session, cooperative, slug=slug, closes_at=CLOSING).id
        other_id = build_poll(session, cooperative, slug=f"{slug}-withdrawn", closes_at=CLOSING).id
        audit(session, MONDAY, "poll-drafted", "staff", f"poll:{poll_id}")
        seal_all(session)  # the first sealing also makes the mark of the head
    with counting(office.db, counts, "open"), office.db.transaction() as (session, now):
        polls.open_poll(session, poll_id, now, office.basis)
    with counting(office.db, counts, "extend"), office.db.transaction() as (session, now):
        polls.extend_poll(session, poll_id, now, CLOSING + timedelta(days=7), office.basis)
    with office.db.reading() as (session, _):
        day = session.scalars(sa.select(Reminder.day).where(Reminder.poll_id == poll_id).order_by(Reminder.day)).all()[
            0
        ]
    with counting(office.db, counts, "remind"), office.db.transaction() as (session, _):
        reminders.send_due(session, in_brussels(day, MONDAY.timetz().replace(hour=10, tzinfo=None)), office.charter)
    with counting(office.db, counts, "close"), office.db.transaction() as (session, now):
        polls.close_poll(session, poll_id, now, office.basis, early=True)
    with office.db.transaction() as (session, now):
        polls.open_poll(session, other_id, now, office.basis)
    with counting(office.db, counts, "withdraw"), office.db.transaction() as (session, now):
        polls.withdraw_poll(session, other_id, now, "Te vroeg.")
    return counts


def test_no_act_on_a_poll_takes_more_statements_or_brings_more_rows_back_for_a_larger_electorate(
    office: Parts, cooperative: Cooperative
) -> None:
    few = whole_life(office, cooperative, "few")
    add_members(office.db, cooperative, 400)
    many = whole_life(office, cooperative, "many")
    assert few == many
    with office.db.reading() as (session, _):
        many_id = session.scalars(sa.select(Poll.id).where(Poll.slug == "many")).one()
        assert questions.turnout(session, many_id) == questions.Turnout(405, 0, 101)


def test_each_unit_that_nobody_can_be_reached_for_is_put_before_staff_by_name(
    office: Parts, cooperative: Cooperative
) -> None:
    add_members(office.db, cooperative, 8)
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING)
        polls.open_poll(session, draft.id, now, office.basis)
    with office.db.reading() as (session, _):
        matters = session.execute(sa.select(Matter.key, Matter.text, Matter.raised_at).order_by(Matter.id)).all()
        units = {unit.name: unit.id for unit in session.scalars(sa.select(VotingUnit))}
    assert [tuple(row) for row in matters] == [
        (f"unit:{units[name]}", f"Nobody can be reached for {name} in poll krantenarchief.", MONDAY)
        for name in ("Bibliotheek 1004", "Bibliotheek 1008", "Bibliotheek Mol")
    ]


def test_whoever_has_a_link_gets_no_second_one_when_others_are_invited(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    add_members(office.db, cooperative, 4)
    with office.db.transaction() as (session, now):
        electorate.invite(session, session.get_one(Poll, poll.id), now(), office.basis)
    with office.db.reading() as (session, _):
        assert session.scalar(sa.select(sa.func.count()).select_from(Invitation)) == 5
        assert session.scalar(sa.select(sa.func.count(sa.distinct(Link.invitation_id)))) == 5
        assert session.scalar(sa.select(sa.func.count()).select_from(Link)) == 5


@on_postgresql
def test_a_first_opening_does_not_look_through_all_its_links_for_each_of_them(
    office: Parts, cooperative: Cooperative
) -> None:
    """PostgreSQL, having seen the table of links empty, would: seconds that grow with the square of the electorate."""
    add_members(office.db, cooperative, 4000)
    with office.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    with office.db.transaction() as (session, now):
        draft = build_poll(session, cooperative, closes_at=CLOSING)
        polls.open_poll(session, draft.id, now, office.basis)
        links = session.scalars(sa.select(sa.func.count()).select_from(Link)).one()
        pages = session.execute(sa.text("SELECT pg_stat_get_xact_blocks_fetched('links'::regclass)")).scalar_one()
    assert links == 3005
    assert pages < 5 * links
