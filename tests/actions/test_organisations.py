"""Organisations and what they take: added, edited, ended, merged, split; and what each does to a poll that is open."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from coopmail.actions import joiners, mergers, organisations, polls, representations, subscriptions
from coopmail.actions.mergers import Merger, Share
from coopmail.actions.organisations import Facts
from coopmail.actions.subscriptions import Terms
from coopmail.domain.audit import AuditRow, Matter
from coopmail.domain.base import Base
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Seat
from coopmail.domain.links import Invitation
from coopmail.domain.organisations import Organisation, OrganisationKind, Pilot
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Audience, Poll, VotingUnit
from coopmail.domain.services import Service, Subscription
from coopmail.errors import ActionRefused, ChangedMeanwhile, PollNotOpen
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll
from tests.conftest import CLOSING, FrozenClock
from tests.web.pages import everything

ACTOR = "staff:1"
TODAY = date(2026, 11, 16)
YESTERDAY = TODAY - timedelta(days=1)
GEEL = Facts("Bibliotheek Geel", OrganisationKind.LIBRARY, "Geel", "Antwerpen", 41_000, code="B-7")


def acts(office: Parts, subject: str) -> list[tuple[str, str]]:
    """What the record has of a subject: the acts and who did them."""
    with office.db.reading() as (session, _):
        rows = sa.select(AuditRow.act, AuditRow.actor).where(AuditRow.subject == subject).order_by(AuditRow.id)
        return [(act, actor) for act, actor in session.execute(rows)]


def takes(office: Parts, organisation: Organisation) -> dict[str, list[tuple[date, date | None, str, int]]]:
    """What an organisation takes or took, by service."""
    found: dict[str, list[tuple[date, date | None, str, int]]] = {}
    with office.db.reading() as (session, _):
        rows = session.execute(
            sa.select(Service.slug, Subscription)
            .join(Subscription, Subscription.service_id == Service.id)
            .where(Subscription.organisation_id == organisation.id)
            .order_by(Service.slug, Subscription.starts_on)
        )
        for slug, row in rows:
            terms = (row.starts_on, row.ends_on, row.contract_reference, row.price_cents)
            found.setdefault(slug, []).append(terms)
    return found


def stand(office: Parts, organisation_id: int) -> dict[str, dict[str, str]]:
    """Who stands for an organisation, and how, by service."""
    found: dict[str, dict[str, str]] = {}
    with office.db.reading() as (session, _):
        rows = session.execute(
            sa.select(Contact.name, Service.slug, Representation.mode)
            .join(Representation, Representation.contact_id == Contact.id)
            .outerjoin(Service, Service.id == Representation.service_id)
            .where(Representation.organisation_id == organisation_id, Representation.ended_at.is_(None))
        )
        for name, slug, mode in rows:
            found.setdefault(name, {})[slug or "all"] = mode.value
    return found


def electorate(office: Parts, poll: Poll) -> dict[str, tuple[int, int, list[str]]]:
    """Units by name: their weight, their population, and who can answer for them."""
    found: dict[str, tuple[int, int, list[str]]] = {}
    with office.db.reading() as (session, _):
        units = session.scalars(sa.select(VotingUnit).where(VotingUnit.poll_id == poll.id)).all()
        for unit in units:
            invited = sa.select(Contact.name).join(Invitation, Invitation.contact_id == Contact.id)
            invited = invited.where(Invitation.unit_id == unit.id, Invitation.revoked_at.is_(None))
            found[unit.name] = (unit.weight, unit.population, sorted(session.scalars(invited)))
    return found


def merge(office: Parts, cooperative: Cooperative, gone: str, stays: str, **changes: object) -> Organisation:
    """Let two libraries of the cast become one."""
    one, other = cooperative.libraries[gone], cooperative.libraries[stays]
    values = {"gone_id": one.id, "stays_id": other.id, "gone_version": one.version, "stays_version": other.version,
              "name": other.name, "population": one.population + other.population}  # fmt: skip
    with office.db.transaction() as (session, now):
        return mergers.merge(session, now, office.basis, Merger(**(values | changes)), actor=ACTOR)  # type: ignore[arg-type]


def add(session: object, row: Base) -> None:
    """Put a row in."""
    session.add(row)  # type: ignore[attr-defined]
    session.flush()  # type: ignore[attr-defined]


def test_an_organisation_is_added_once_under_a_name_and_a_code(office: Parts) -> None:
    with office.db.transaction() as (session, now):
        geel = organisations.add(session, now, GEEL, actor=ACTOR)
    assert acts(office, f"organisation:{geel.id}") == [("organisation-added", ACTOR)]
    before = everything(office.db)
    for facts, error in (
        (Facts("BIBLIOTHEEK GEEL", GEEL.kind, "Geel", "Antwerpen", 1), organisations.NameTaken),
        (Facts("Bibliotheek Olen", GEEL.kind, "Olen", "Antwerpen", 1, code="B-7"), organisations.CodeTaken),
    ):
        with pytest.raises(error), office.db.transaction() as (session, now):
            organisations.add(session, now, facts)
    assert everything(office.db) == before


def test_an_edit_names_what_changed_and_an_equal_one_adds_nothing(office: Parts, cooperative: Cooperative) -> None:
    service = cooperative.services["krantenarchief"].id
    with office.db.transaction() as (session, now):
        geel = organisations.add(session, now, GEEL)
    wanted = Facts("Bibliotheek Geel", GEEL.kind, "Geel", "Antwerpen", 42_000, regional=True)
    for _ in range(2):
        with office.db.transaction() as (session, now):
            organisations.edit(session, now, geel.id, wanted, version=1, pilot_of={service}, actor=ACTOR)
    with office.db.reading() as (session, _):
        found = session.get_one(Organisation, geel.id)
        assert (found.population, found.regional, found.code, found.version) == (42_000, True, None, 2)
        assert session.scalars(sa.select(Pilot.service_id)).all() == [service]
        row = session.scalars(sa.select(AuditRow).where(AuditRow.act == "organisation-edited")).one()
        assert (row.actor, row.detail["changed"]) == (ACTOR, {
            "population": [41_000, 42_000], "regional": [False, True], "code": ["B-7", None],
            "pilot_of": [[], [service]],
        })  # fmt: skip


def test_the_second_of_two_edits_at_once_is_told_and_overwrites_nothing(office: Parts) -> None:
    with office.db.transaction() as (session, now):
        geel = organisations.add(session, now, GEEL)
    for population in (42_000, 43_000):
        facts = Facts(GEEL.name, GEEL.kind, GEEL.municipality, GEEL.province, population)
        with office.db.transaction() as (session, now):
            if population == 42_000:
                organisations.edit(session, now, geel.id, facts, version=1, pilot_of=set())
            else:
                with pytest.raises(ChangedMeanwhile):
                    organisations.edit(session, now, geel.id, facts, version=1, pilot_of=set())
    with office.db.reading() as (session, _):
        assert session.get_one(Organisation, geel.id).population == 42_000


def test_an_organisation_that_ends_takes_nothing_more_and_taking_that_back_restores_all(
    office: Parts, cooperative: Cooperative
) -> None:
    mol = cooperative.libraries["Mol"]
    with office.db.transaction() as (session, now):
        later = Terms(date(2027, 1, 1), date(2027, 12, 31), "CC-2", 5)
        fundels = Service(slug="fundels", name="Fundels", phrase_nl="Fundels")
        add(session, fundels)
        subscriptions.start(session, now, mol.id, fundels.id, later, version=1)
    before = takes(office, mol)
    with office.db.transaction() as (session, now):
        organisations.end(session, now, mol.id, ended_on=TODAY, version=2, actor=ACTOR)
    assert takes(office, mol) == {
        slug: [(date(2025, 1, 1), TODAY, "CC-1", 100_000)] for slug in ("krantenarchief", "open-vlacc")
    }
    with office.db.transaction() as (session, now):
        organisations.resume(session, now, mol.id, version=3, actor=ACTOR)
    assert takes(office, mol) == before
    assert [act for act, _ in acts(office, f"organisation:{mol.id}")] == [
        "subscription-started", "organisation-ended", "organisation-resumed",
    ]  # fmt: skip
    with pytest.raises(organisations.NotEnded), office.db.transaction() as (session, now):
        organisations.resume(session, now, mol.id, version=4)


def test_an_organisation_ends_today_or_earlier_and_once(office: Parts, cooperative: Cooperative) -> None:
    mol = cooperative.libraries["Mol"]
    with pytest.raises(organisations.DayRefused), office.db.transaction() as (session, now):
        organisations.end(session, now, mol.id, ended_on=TODAY + timedelta(days=1), version=1)
    with office.db.transaction() as (session, now):
        organisations.end(session, now, mol.id, ended_on=TODAY, version=1)
    with pytest.raises(organisations.Ended), office.db.transaction() as (session, now):
        organisations.end(session, now, mol.id, ended_on=TODAY, version=2)


def test_ending_changes_nothing_in_a_poll_that_is_open_and_leaves_it_out_of_the_next(
    office: Parts, cooperative: Cooperative, poll: Poll, clock: FrozenClock
) -> None:
    before = electorate(office, poll)
    with office.db.transaction() as (session, now):
        organisations.end(session, now, cooperative.libraries["Boom"].id, ended_on=YESTERDAY, version=1)
    assert electorate(office, poll) == before
    assert before["Bibliotheek Boom"] == (1, 18_000, ["Bibliotheek Boom"])
    with office.db.transaction() as (session, now):
        after = build_poll(session, cooperative, slug="next", closes_at=CLOSING)
        polls.open_poll(session, after.id, now, office.basis)
    assert set(electorate(office, after)) == set(before) - {"Bibliotheek Boom"}


def test_a_subscription_is_started_ended_let_run_on_and_corrected(office: Parts, cooperative: Cooperative) -> None:
    zoersel, service = cooperative.libraries["Zoersel"], cooperative.services["krantenarchief"].id
    with office.db.transaction() as (session, now):
        row = subscriptions.start(session, now, zoersel.id, service, Terms(TODAY, None, "CC-9", 70_000), version=1)
    for version, terms in enumerate((
        Terms(TODAY, date(2026, 12, 31), "CC-9", 70_000), Terms(TODAY, None, "CC-9", 70_000),
        Terms(TODAY, None, "CC-10", 80_000), Terms(TODAY, None, "CC-10", 80_000),
    ), start=2):  # fmt: skip
        with office.db.transaction() as (session, now):
            subscriptions.change(session, now, row.id, terms, version=version, actor=ACTOR)
    assert takes(office, zoersel)["krantenarchief"] == [(TODAY, None, "CC-10", 80_000)]
    assert [act for act, _ in acts(office, f"organisation:{zoersel.id}")] == [
        "subscription-started", "subscription-ended", "subscription-goes-on", "subscription-corrected",
    ]  # fmt: skip


def test_a_service_is_not_taken_twice_at_a_time(office: Parts, cooperative: Cooperative) -> None:
    mol, service = cooperative.libraries["Mol"], cooperative.services["krantenarchief"].id
    for terms, error in (
        (Terms(date(2026, 1, 1), None, "", 0), subscriptions.PeriodsOverlap),
        (Terms(date(2024, 1, 1), date(2025, 1, 1), "", 0), subscriptions.PeriodsOverlap),
        (Terms(date(2024, 1, 1), date(2023, 1, 1), "", 0), subscriptions.EndsBeforeStart),
    ):
        with pytest.raises(error), office.db.transaction() as (session, now):
            subscriptions.start(session, now, mol.id, service, terms, version=1)
    with office.db.transaction() as (session, now):
        past = Terms(date(2024, 1, 1), date(2024, 12, 31), "", 0)
        subscriptions.start(session, now, mol.id, service, past, version=1)


def test_only_a_subscription_that_has_not_run_can_be_removed(office: Parts, cooperative: Cooperative) -> None:
    zoersel, service = cooperative.libraries["Zoersel"], cooperative.services["krantenarchief"].id
    with office.db.transaction() as (session, now):
        row = subscriptions.start(session, now, zoersel.id, service, Terms(TODAY, None, "", 0), version=1)
        old = session.scalars(
            sa.select(Subscription).where(Subscription.organisation_id == zoersel.id, Subscription.starts_on < TODAY)
        ).one()
        with pytest.raises(subscriptions.BegunAlready):
            subscriptions.remove(session, now, old.id, version=2)
        subscriptions.remove(session, now, row.id, version=2, actor=ACTOR)
    assert "krantenarchief" not in takes(office, zoersel)


def test_two_libraries_become_one_with_what_they_took_and_whoever_stood_for_them(
    office: Parts, cooperative: Cooperative
) -> None:
    lier, duffel = cooperative.libraries["Lier"], cooperative.libraries["Duffel"]
    krant = cooperative.services["krantenarchief"].id
    with office.db.transaction() as (session, now):
        fundels = Service(slug="fundels", name="Fundels", phrase_nl="Fundels")
        add(session, fundels)
        earlier = session.scalars(
            sa.select(Subscription).where(Subscription.organisation_id == duffel.id, Subscription.service_id == krant)
        ).one()
        earlier.starts_on, earlier.price_cents = date(2022, 1, 1), 1
        session.add(Subscription(organisation_id=duffel.id, service_id=fundels.id, starts_on=date(2023, 1, 1),
                                 contract_reference="CC-F", price_cents=7))  # fmt: skip
        els = cooperative.contacts["els"]
        session.add(Representation(contact_id=els.id, organisation_id=duffel.id, mode=Mode.READS, started_at=now()))
        session.add(Pilot(organisation_id=duffel.id, service_id=krant))
    stays = merge(office, cooperative, "Duffel", "Lier", name="Bibliotheek Lier-Duffel")
    assert (stays.name, stays.population, stays.version) == ("Bibliotheek Lier-Duffel", 53_000, 2)
    assert takes(office, lier) == {
        "fundels": [(date(2023, 1, 1), None, "CC-F", 7)],
        "krantenarchief": [(date(2022, 1, 1), None, "CC-1", 100_000)],
        "open-vlacc": [(date(2025, 1, 1), None, "CC-1", 100_000)],
    }
    assert {slug: [row[1] for row in rows] for slug, rows in takes(office, duffel).items()} == {
        "fundels": [YESTERDAY], "krantenarchief": [YESTERDAY], "open-vlacc": [YESTERDAY],
    }  # fmt: skip
    assert stand(office, lier.id) == {"Lies Claes": {"all": "votes"}, "Els Peeters": {"all": "reads"}}
    assert stand(office, duffel.id) == {}
    with office.db.reading() as (session, _):
        gone = session.get_one(Organisation, duffel.id)
        assert (gone.name, gone.ended_on, gone.merged_into_id) == ("Bibliotheek Duffel", YESTERDAY, lier.id)
        assert session.scalars(sa.select(Pilot.organisation_id).order_by(Pilot.organisation_id)).all() == sorted(
            (duffel.id, lier.id)
        )
    assert acts(office, f"organisation:{duffel.id}") == [("organisation-merged", ACTOR)]
    assert acts(office, f"organisation:{lier.id}") == [("organisation-grew", ACTOR)]


@pytest.mark.parametrize(
    ("of_gone", "of_stays", "united"),
    [
        ({"all": "votes"}, {"all": "reads"}, {"all": "votes"}),
        ({"all": "reads"}, {"all": "votes"}, {"all": "votes"}),
        ({"all": "votes"}, {"krantenarchief": "reads"}, {"all": "votes"}),
        ({"krantenarchief": "reads"}, {"all": "votes"}, {"all": "votes"}),
        ({"all": "reads"}, {"krantenarchief": "votes"}, {"all": "reads", "krantenarchief": "votes"}),
        ({"krantenarchief": "reads"}, {"open-vlacc": "votes"}, {"krantenarchief": "reads", "open-vlacc": "votes"}),
        ({"all": "votes", "krantenarchief": "reads"}, {"all": "votes", "krantenarchief": "reads"},
         {"all": "votes", "krantenarchief": "reads"}),
    ],
)  # fmt: skip
def test_whoever_voted_for_either_votes_for_both(
    office: Parts, cooperative: Cooperative, of_gone: dict[str, str], of_stays: dict[str, str], united: dict[str, str]
) -> None:
    keys = {slug: service.id for slug, service in cooperative.services.items()} | {"all": None}
    mia = cooperative.contacts["mia"]
    with office.db.transaction() as (session, now):
        for library, modes in (("Boom", of_gone), ("Mol", of_stays)):
            for slug, mode in modes.items():
                session.add(Representation(contact_id=mia.id, organisation_id=cooperative.libraries[library].id,
                                           service_id=keys[slug], mode=Mode(mode), started_at=now()))  # fmt: skip
    merge(office, cooperative, "Boom", "Mol")
    assert stand(office, cooperative.libraries["Mol"].id)["Mia Jacobs"] == united


def test_a_merger_leaves_the_units_of_an_open_poll_and_the_links_to_them_as_they_are(
    office: Parts, cooperative: Cooperative, poll: Poll, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        invitation = session.scalars(
            sa.select(Invitation).where(Invitation.contact_id == cooperative.contacts["boom"].id)
        ).one()
        polls.cast_ballot(session, now, invitation.id, ("keep",), "An", office.basis.vault)
    before = electorate(office, poll)
    merge(office, cooperative, "Boom", "Aartselaar", name="Bibliotheek Rupel")
    after = electorate(office, poll)
    assert {name: unit[:2] for name, unit in after.items()} == {name: unit[:2] for name, unit in before.items()}
    assert after["Bibliotheek Boom"][2] == ["Bibliotheek Boom"]
    assert after["Bibliotheek Aartselaar"][2] == ["Bibliotheek Boom", "Els Peeters", "Jan Maes"]
    with office.db.transaction() as (session, now):
        polls.cast_ballot(session, now, invitation.id, ("move",), "An", office.basis.vault)
    clock.move_to(CLOSING)
    with office.db.transaction() as (session, now):
        outcome = polls.close_poll(session, poll.id, now, office.basis)
        assert (outcome.tally["move"], outcome.units, outcome.electorate) == (1, 5, 5)
    with office.db.transaction() as (session, now):
        later = build_poll(session, cooperative, slug="next", closes_at=CLOSING + timedelta(days=20))
        polls.open_poll(session, later.id, now, office.basis)
    assert set(electorate(office, later)) == {
        "Bibliotheek Rupel", "Bibliotheek Duffel", "Bibliotheek Lier", "Bibliotheek Mol",
    }  # fmt: skip


def test_a_second_merger_takes_along_what_merged_before(office: Parts, cooperative: Cooperative) -> None:
    merge(office, cooperative, "Boom", "Aartselaar")
    cooperative.libraries["Aartselaar"].version = 2
    merge(office, cooperative, "Aartselaar", "Mol")
    mol = cooperative.libraries["Mol"].id
    with office.db.reading() as (session, _):
        gone = session.scalars(sa.select(Organisation.name).where(Organisation.merged_into_id == mol)).all()
    assert sorted(gone) == ["Bibliotheek Aartselaar", "Bibliotheek Boom"]


def test_seats_of_today_move_along_and_past_ones_stay(office: Parts, cooperative: Cooperative) -> None:
    duffel, lier = cooperative.libraries["Duffel"], cooperative.libraries["Lier"]
    with office.db.transaction() as (session, _):
        seat = session.scalars(sa.select(Seat).where(Seat.contact_id == cooperative.contacts["lies"].id)).one()
        seat.organisation_id = duffel.id
        add(session, Seat(group_id=seat.group_id, contact_id=seat.contact_id, organisation_id=duffel.id, role=seat.role,
                          has_vote=True, origin=seat.origin, starts_on=date(2023, 1, 1),
                          ends_on=date(2024, 12, 31)))  # fmt: skip
    merge(office, cooperative, "Duffel", "Lier")
    with office.db.reading() as (session, _):
        seats = session.execute(
            sa.select(Seat.organisation_id).where(Seat.organisation_id.is_not(None)).order_by(Seat.starts_on)
        ).all()
    assert [key for (key,) in seats] == [duffel.id, lier.id]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"gone_version": 7}, ChangedMeanwhile),
        ({"stays_version": 7}, ChangedMeanwhile),
        ({"name": "bibliotheek boom"}, organisations.NameTaken),
        ({"name": "Bibliotheek Mol"}, organisations.NameTaken),
    ],
)
def test_a_merger_that_is_refused_changes_nothing(
    office: Parts, cooperative: Cooperative, changes: dict[str, object], error: type[ActionRefused]
) -> None:
    before = everything(office.db)
    with pytest.raises(error):
        merge(office, cooperative, "Boom", "Aartselaar", **changes)
    with pytest.raises(mergers.SameOrganisation):
        merge(office, cooperative, "Boom", "Boom")
    assert everything(office.db) == before


def test_what_merged_is_not_merged_again_nor_taken_back(office: Parts, cooperative: Cooperative) -> None:
    merge(office, cooperative, "Boom", "Aartselaar")
    with pytest.raises(organisations.Ended):
        merge(office, cooperative, "Boom", "Mol", gone_version=2)
    with pytest.raises(organisations.NotEnded), office.db.transaction() as (session, now):
        organisations.resume(session, now, cooperative.libraries["Boom"].id, version=2)


def test_a_new_organisation_comes_out_of_one_with_the_contacts_and_services_that_are_chosen(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    aartselaar = cooperative.libraries["Aartselaar"]
    els, jan = cooperative.contacts["els"].id, cooperative.contacts["jan"].id
    with office.db.reading() as (session, _):
        rows = session.scalars(sa.select(Subscription).where(Subscription.organisation_id == aartselaar.id)).all()
        krant = next(row.id for row in rows if row.service_id == cooperative.services["krantenarchief"].id)
        vlacc = next(row.id for row in rows if row.id != krant)
    with office.db.transaction() as (session, now):
        new = mergers.split(
            session, now, office.basis, aartselaar.id, GEEL, version=1, remaining=4_000,
            contacts={els: Share.BOTH, jan: Share.MOVES}, subscriptions={krant: Share.BOTH, vlacc: Share.MOVES},
            actor=ACTOR,
        )  # fmt: skip
    assert (new.name, new.split_from_id) == ("Bibliotheek Geel", aartselaar.id)
    assert stand(office, aartselaar.id) == {"Els Peeters": {"all": "votes"}}
    assert stand(office, new.id) == {"Els Peeters": {"all": "votes"}, "Jan Maes": {"all": "votes"}}
    assert takes(office, aartselaar) == {
        "krantenarchief": [(date(2025, 1, 1), None, "CC-1", 100_000)],
        "open-vlacc": [(date(2025, 1, 1), YESTERDAY, "CC-1", 100_000)],
    }
    assert takes(office, new) == {
        "krantenarchief": [(TODAY, None, "CC-1", 100_000)], "open-vlacc": [(TODAY, None, "CC-1", 100_000)],
    }  # fmt: skip
    assert electorate(office, poll)["Bibliotheek Aartselaar"] == (1, 14_000, ["Els Peeters"])
    assert "Bibliotheek Geel" not in electorate(office, poll)
    with office.db.reading() as (session, _):
        assert session.get_one(Organisation, aartselaar.id).population == 4_000


def test_a_unit_that_a_split_leaves_with_nobody_is_put_before_staff(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    boom = cooperative.libraries["Boom"]
    with office.db.transaction() as (session, now):
        mergers.split(session, now, office.basis, boom.id, GEEL, version=1, remaining=1,
                      contacts={cooperative.contacts["boom"].id: Share.MOVES}, subscriptions={})  # fmt: skip
    with office.db.reading() as (session, _):
        units = sa.select(VotingUnit.name).join(Matter, Matter.unit_id == VotingUnit.id)
        alone = session.scalars(units.where(Matter.settled_at.is_(None))).all()
    assert sorted(alone) == ["Bibliotheek Boom", "Bibliotheek Mol"]


def join(office: Parts, poll: Poll, organisation: Organisation, reason: str = "Vergeten op te nemen.") -> VotingUnit:
    """Add an organisation to an open poll."""
    with office.db.transaction() as (session, now):
        return joiners.add_unit(session, now, office.basis, poll.id, organisation.id, reason, actor=ACTOR)


@pytest.fixture
def zoersel(office: Parts, cooperative: Cooperative, poll: Poll) -> Organisation:
    """A library that takes the Krantenarchief since after the poll opened."""
    library = cooperative.libraries["Zoersel"]
    with office.db.transaction() as (session, now):
        subscriptions.start(session, now, library.id, cooperative.services["krantenarchief"].id,
                            Terms(TODAY, None, "", 0), version=1)  # fmt: skip
    return library


def test_a_member_that_joins_during_a_poll_votes_the_next_time_unless_staff_add_it_with_a_reason(
    office: Parts, poll: Poll, zoersel: Organisation
) -> None:
    assert "Bibliotheek Zoersel" not in electorate(office, poll)
    join(office, poll, zoersel)
    assert electorate(office, poll)["Bibliotheek Zoersel"] == (1, 22_000, ["Tom Baert"])
    with office.db.reading() as (session, _):
        found = session.get_one(Poll, poll.id)
        assert (found.units, found.population) == (6, 144_000)
        row = session.scalars(sa.select(AuditRow).where(AuditRow.act == "unit-added")).one()
        assert (row.subject, row.actor, row.detail["reason"]) == (f"poll:{poll.id}", ACTOR, "Vergeten op te nemen.")
        mails = session.scalars(
            sa.select(Mail.template).join(Contact, Contact.id == Mail.contact_id).where(Contact.name == "Tom Baert")
        ).all()
        assert mails == ["ballot-invitation"]
    assert ("added-to-poll", ACTOR) in acts(office, f"organisation:{zoersel.id}")


def test_nobody_is_added_twice_without_a_reason_or_without_taking_the_service(
    office: Parts, cooperative: Cooperative, poll: Poll, zoersel: Organisation
) -> None:
    with office.db.transaction() as (session, now):
        geel = organisations.add(session, now, GEEL)
    before = everything(office.db)
    with pytest.raises(joiners.NoReason):
        join(office, poll, zoersel, "  ")
    with pytest.raises(joiners.VotesAlready):
        join(office, poll, cooperative.libraries["Boom"])
    with pytest.raises(joiners.NoMember):
        join(office, poll, geel)
    assert everything(office.db) == before


def test_what_merged_into_it_has_its_vote_so_it_gets_no_second_one(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    merge(office, cooperative, "Boom", "Zoersel")
    before = electorate(office, poll)
    with pytest.raises(joiners.VotesAlready):
        join(office, poll, cooperative.libraries["Zoersel"])
    assert electorate(office, poll) == before


def test_a_merger_gives_no_vote_to_who_only_reads_the_service(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    boom = cooperative.contacts["boom"].id
    standing = {None: Mode.VOTES, cooperative.services["krantenarchief"].id: Mode.READS}
    with office.db.transaction() as (session, now):
        representations.set_standing(
            session, now, office.basis, boom, cooperative.libraries["Boom"].id, standing, version=1, actor=ACTOR
        )
    assert electorate(office, poll)["Bibliotheek Boom"][2] == []
    merge(office, cooperative, "Boom", "Lier")
    assert electorate(office, poll)["Bibliotheek Boom"][2] == []


def test_nobody_is_added_to_a_poll_of_seats_or_to_one_that_is_over(
    office: Parts, cooperative: Cooperative, poll: Poll, zoersel: Organisation, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        seats = build_poll(session, cooperative, slug="seats", closes_at=CLOSING, audience=Audience.GROUP_SEATS,
                           service_id=None)  # fmt: skip
        polls.open_poll(session, seats.id, now, office.basis)
    with pytest.raises(joiners.SeatsOnly):
        join(office, seats, zoersel)
    clock.move_to(CLOSING)
    with pytest.raises(PollNotOpen):
        join(office, poll, zoersel)


@pytest.mark.parametrize("secret", [True], indirect=True)
def test_a_secret_poll_takes_a_late_one_only_until_the_first_vote(
    office: Parts, cooperative: Cooperative, poll: Poll, zoersel: Organisation, secret: bool
) -> None:
    with office.db.transaction() as (session, now):
        invitation = session.scalars(
            sa.select(Invitation).where(Invitation.contact_id == cooperative.contacts["boom"].id)
        ).one()
        polls.cast_ballot(session, now, invitation.id, ("keep",), "An", office.basis.vault)
    with pytest.raises(joiners.WouldUnmask):
        join(office, poll, zoersel)
    assert "Bibliotheek Zoersel" not in electorate(office, poll)
