"""Opening, answering, closing: on both databases."""

from __future__ import annotations

import sqlalchemy as sa

from coopmail.domain.links import Invitation
from coopmail.domain.polls import Poll, VotingUnit
from coopmail.parts import Parts


def test_opening_freezes_the_members_of_the_service_and_invites_each_contact_for_each_unit(
    office: Parts, poll: Poll
) -> None:
    with office.db.reading() as (session, _):
        units = session.scalars(sa.select(VotingUnit.name).order_by(VotingUnit.name)).all()
        invited = session.execute(
            sa.select(VotingUnit.name, sa.func.count())
            .join(Invitation, Invitation.unit_id == VotingUnit.id)
            .group_by(VotingUnit.name)
            .order_by(VotingUnit.name)
        ).all()
    assert list(units) == [f"Bibliotheek {name}" for name in ("Aartselaar", "Boom", "Duffel", "Lier", "Mol")]
    assert [tuple(row) for row in invited] == [
        ("Bibliotheek Aartselaar", 2), ("Bibliotheek Boom", 1), ("Bibliotheek Duffel", 1), ("Bibliotheek Lier", 1),
    ]  # fmt: skip
