"""What a last look says about a draft is what opening it then does, for every audience."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from coopmail.actions import polls, rehearsal
from coopmail.domain.audience_question import About, Condition
from coopmail.domain.links import Invitation
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Audience, Effect, Poll, VotingUnit
from coopmail.parts import Parts
from coopmail.queries.polls import unreachable
from tests.builders import Cooperative, build_audience, build_field, build_poll
from tests.conftest import CLOSING
from tests.web.pages import everything

ASKED: dict[str, dict[str, Any]] = {
    "members of a service": {},
    "seats of a group": {"audience": Audience.GROUP_SEATS, "service_id": None},
    "all members": {"audience": Audience.ALL_MEMBERS, "service_id": None},
    "a saved audience, consulted": {"audience": Audience.SAVED, "service_id": None, "effect": Effect.CONSULTATION},
    "a saved audience that decides": {"audience": Audience.SAVED, "service_id": None},
    "the whole field": {"audience": Audience.WHOLE_FIELD, "service_id": None, "effect": Effect.CONSULTATION},
}
each_audience = pytest.mark.parametrize("changes", ASKED.values(), ids=ASKED.keys())


def draft(office: Parts, cooperative: Cooperative, changes: dict[str, Any]) -> Poll:
    """A draft in a cooperative that has a field around it; a saved audience is of organisations of some size."""
    with office.db.transaction() as (session, now):
        build_field(session, cooperative, now())
        saved = build_audience(session, now(), "Groot", [[Condition(About.SIZE, "20000-")]])
        audience = {"saved_audience_id": saved.id} if changes.get("audience") is Audience.SAVED else {}
        return build_poll(session, cooperative, closes_at=CLOSING, **changes, **audience)


@each_audience
def test_opening_asks_exactly_those_who_were_shown(
    office: Parts, cooperative: Cooperative, changes: dict[str, Any]
) -> None:
    poll_id = draft(office, cooperative, changes).id
    with office.db.reading() as (session, now):
        poll = session.get_one(Poll, poll_id)
        seen = rehearsal.rehearse(session, poll, now())
        shown = rehearsal.look_as(session, poll, now(), most=100)
    with office.db.transaction() as (session, now):
        polls.open_poll(session, poll_id, now, office.basis)
    with office.db.reading() as (session, _):
        columns = (VotingUnit.organisation_id, VotingUnit.seat_id, VotingUnit.contact_id, VotingUnit.name,
                   VotingUnit.population, VotingUnit.weight)  # fmt: skip
        frozen = [rehearsal.Unit(*row) for row in session.execute(sa.select(*columns))]
        lost = session.scalars(sa.select(VotingUnit.name).where(unreachable())).all()
        invited = session.execute(
            sa.select(VotingUnit.name, Invitation.contact_id).join(VotingUnit, VotingUnit.id == Invitation.unit_id)
        ).all()
        mails = session.scalars(sa.select(sa.func.count()).select_from(Mail)).one()
        opened = session.get_one(Poll, poll_id)
    assert sorted(seen.units, key=repr) == sorted(frozen, key=repr)
    assert (seen.voting, seen.population) == (opened.units, opened.population)
    assert seen.apart == sum(not unit.weight for unit in frozen)
    assert sorted(unit.name for unit in seen.lost) == sorted(lost)
    assert (seen.unreached, seen.mails) == (len(lost), mails)
    assert sorted((one.unit.name, one.contact.id) for one in shown) == sorted(map(tuple, invited))


@each_audience
def test_looking_writes_nothing_and_each_shown_contact_can_be_looked_as(
    office: Parts, cooperative: Cooperative, changes: dict[str, Any]
) -> None:
    poll_id = draft(office, cooperative, changes).id
    before = everything(office.db)
    with office.db.reading() as (session, now):
        poll = session.get_one(Poll, poll_id)
        for one in rehearsal.look_as(session, poll, now(), most=100):
            assert rehearsal.asked_as(session, poll, now(), one.unit.code, one.contact.id) == one
            made = rehearsal.invitation(session, poll, one, now())
            assert (made.unit.name, made.contact, made.poll) == (one.unit.name, one.contact, poll)  # type: ignore[union-attr]
    assert everything(office.db) == before


@pytest.mark.parametrize("code", ["", "o", "o0", "x1", "o1;", "s1", "o9999999999", "o1 "])
def test_a_code_that_names_no_unit_of_the_poll_is_nobody(office: Parts, cooperative: Cooperative, code: str) -> None:
    poll_id = draft(office, cooperative, {}).id
    with office.db.reading() as (session, now):
        poll = session.get_one(Poll, poll_id)
        assert rehearsal.asked_as(session, poll, now(), code, cooperative.contacts["els"].id) is None


def test_a_word_with_signs_of_the_database_in_it_is_a_word(office: Parts, cooperative: Cooperative) -> None:
    poll_id = draft(office, cooperative, {}).id
    with office.db.reading() as (session, now):
        poll = session.get_one(Poll, poll_id)

        def names(*words: str) -> list[str]:
            return [one.contact.name for one in rehearsal.look_as(session, poll, now(), words)]

        assert names("LIES", "lier") == ["Lies Claes"]
        assert (names("%"), names("_ies"), names("\\")) == ([], [], [])
