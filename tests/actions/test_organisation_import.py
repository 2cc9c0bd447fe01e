"""Importing organisations, their contacts and what they take: what is written, what is refused, that it is whole."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from coopmail.actions import organisation_writing, polls
from coopmail.actions.organisation_import import (
    PlanChanged,
    RowsRefused,
    Sheet,
    drop_upload,
    import_organisations,
    keep_upload,
    plan_import,
)
from coopmail.domain.audit import AuditRow, Matter
from coopmail.domain.contacts import Contact, Mode, Representation
from coopmail.domain.groups import Group
from coopmail.domain.links import Invitation
from coopmail.domain.organisation_plan import Plan
from coopmail.domain.organisation_sheet import Line, SheetRefused
from coopmail.domain.organisations import Organisation, OrganisationKind, Pilot
from coopmail.domain.polls import Audience, Poll, VotingUnit
from coopmail.domain.services import Service, Subscription
from coopmail.domain.uploads import Upload
from coopmail.parts import Parts
from tests.builders import Cooperative, build_poll, build_staff
from tests.conftest import CLOSING, FrozenClock
from tests.web.pages import everything

HEADER = ("code", "naam", "type", "gemeente", "provincie", "inwoners", "contactpersoon", "e-mail", "stemt of leest",
          "afname", "vanaf", "tot", "contract", "prijs")  # fmt: skip
GEEL = ("B-7", "Bibliotheek Geel", "bibliotheek", "Geel", "Antwerpen", "41.000", "Bo Nys", "bo.nys@geel.example",
        "", "Krantenarchief, Open Vlacc", "01/01/2026", "", "CC-2026-9", "1.234,50")  # fmt: skip


def sheet(*rows: Sequence[str], header: Sequence[str] = HEADER) -> Sheet:
    """A sheet; its rows stand on lines 2, 3, …"""
    return Sheet("field.csv", header, [Line(number, tuple(row)) for number, row in enumerate(rows, start=2)])


def row(**cells: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A header and a row of it, out of names; `_` stands for a space or a hyphen in the name of a column."""
    return tuple(name.replace("_", " ") for name in cells), tuple(cells.values())


def bring_in(office: Parts, wanted: Sheet, **options: Any) -> Plan:
    """Import a sheet."""
    with office.db.transaction() as (session, now):
        return import_organisations(session, now, office.basis, wanted, **options)


def look(office: Parts, wanted: Sheet) -> Plan:
    """What importing it would do."""
    with office.db.reading() as (session, now):
        return plan_import(session, now(), office.charter, wanted)


def bring_in_one(office: Parts, **cells: str) -> Plan:
    """Import a sheet of one row."""
    header, cells_of_it = row(**cells)
    return bring_in(office, sheet(cells_of_it, header=header))


def faults(plan: Plan) -> list[tuple[int, str, str]]:
    """Line, column and reason of each."""
    return [fault.place for fault in plan.faults]


def fault_of(office: Parts, **cells: str) -> list[tuple[int, str, str]]:
    """What is wrong with a sheet of one row."""
    header, cells_of_it = row(**cells)
    return faults(look(office, sheet(cells_of_it, header=header)))


def test_an_empty_installation_has_all_that_a_poll_wants_after_one_import(office: Parts) -> None:
    plan = bring_in(office, sheet(GEEL))
    assert (plan.count("organisation", added=True), plan.count("contact", added=True)) == (1, 1)
    with office.db.transaction() as (session, now):
        organisation, contact = (
            session.scalars(sa.select(Organisation)).one(),
            session.scalars(sa.select(Contact)).one(),
        )
        assert (organisation.code, organisation.name, organisation.kind, organisation.municipality) == (
            "B-7", "Bibliotheek Geel", OrganisationKind.LIBRARY, "Geel",
        )  # fmt: skip
        assert (organisation.province, organisation.population, organisation.ended_on) == ("Antwerpen", 41_000, None)
        assert (contact.name, contact.email, contact.language) == ("Bo Nys", "bo.nys@geel.example", "nl")
        assert contact.confirmed_at == now()
        stands = session.scalars(sa.select(Representation)).one()
        assert (stands.contact_id, stands.organisation_id, stands.service_id) == (contact.id, organisation.id, None)
        assert stands.mode is Mode.VOTES
        services = {service.id: service.slug for service in session.scalars(sa.select(Service))}
        assert {services[one.service_id]: (one.starts_on, one.ends_on, one.contract_reference, one.price_cents)
                for one in session.scalars(sa.select(Subscription))} == {
            "krantenarchief": (date(2026, 1, 1), None, "CC-2026-9", 123_450),
            "open-vlacc": (date(2026, 1, 1), None, "CC-2026-9", 123_450),
        }  # fmt: skip
        assert set(services.values()) == {entry.slug for entry in office.charter.services}
        groups = {group.slug: group for group in session.scalars(sa.select(Group))}
        assert set(groups) == {entry.slug for entry in office.charter.groups}
        assert groups["werkgroep-open-vlacc"].parent_id == groups["basisinfrastructuur"].id
        cast = Cooperative(services={slug: session.get_one(Service, key) for key, slug in services.items()},
                           group=groups["digitale-collecties"])  # fmt: skip
        poll = polls.open_poll(session, build_poll(session, cast, closes_at=CLOSING).id, now, office.basis)
        assert [unit.name for unit in session.scalars(sa.select(VotingUnit))] == ["Bibliotheek Geel"]
        assert session.scalars(sa.select(Invitation.contact_id).where(Invitation.poll_id == poll.id)).all() == [
            contact.id
        ]


def test_importing_the_same_file_twice_changes_nothing_and_records_nothing(office: Parts, clock: FrozenClock) -> None:
    second = ("B-7", "Bibliotheek Geel", "", "", "", "", "Balie", "balie@geel.example", "leest, stemt: open vlacc",
              "", "", "", "", "")  # fmt: skip
    bring_in(office, sheet(GEEL, second))
    before = everything(office.db)
    clock.advance(days=40)
    plan = bring_in(office, sheet(GEEL, second))
    assert (plan.empty, plan.same, plan.rows) == (True, 1, 2)
    assert everything(office.db) == before


def test_what_runs_from_the_day_of_an_import_is_not_started_again_later(office: Parts, clock: FrozenClock) -> None:
    bring_in(office, sheet(GEEL))
    wanted = {"naam": "Bibliotheek Geel", "afname": "Fundels", "tot": "31-12-2026"}
    bring_in_one(office, **wanted)
    before = everything(office.db)
    clock.advance(days=90)
    bring_in_one(office, **wanted)
    assert everything(office.db) == before


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (("E-mailadres", "PRIJS PER JAAR", "Naam", "Dienst", "Van"),
         ("bo.nys@geel.example", "99", "Bibliotheek GEEL", "fundels", "2026-02-01")),
        (("price", "from", "services", "Name", "Inhabitants"),
         ("€ 99,00", "1/2/2026", "Fundels", "bibliotheek  geel", "41 000")),
    ],
    ids=["Dutch", "English"],
)  # fmt: skip
def test_columns_may_stand_in_any_order_under_dutch_or_english_names(
    office: Parts, header: tuple[str, ...], cells: tuple[str, ...]
) -> None:
    bring_in(office, sheet(GEEL))
    plan = bring_in(office, sheet(cells, header=header))
    assert [(change.sort, change.organisation, change.subject, change.added) for change in plan.changes()] == [
        ("subscription", "Bibliotheek Geel", "fundels", True)
    ]
    with office.db.reading() as (session, _):
        last = session.scalars(sa.select(Subscription).order_by(Subscription.id.desc())).first()
        assert last is not None
        assert (last.starts_on, last.price_cents) == (date(2026, 2, 1), 9_900)


def test_a_change_is_named_field_by_field_and_an_empty_cell_leaves_what_is_there(office: Parts) -> None:
    bring_in(office, sheet(GEEL))
    header, cells = row(code="B-7", naam="Bibliotheek Geel-Oost", inwoners="42000", gemeente="",
                        telefoon="014 12 34 56", e_mail="BO.NYS@geel.example", afname="krantenarchief",
                        prijs="2000")  # fmt: skip
    plan = bring_in(office, sheet(cells, header=header))
    assert [(change.sort, change.fields) for change in plan.changes()] == [
        ("organisation", {"name": ("Bibliotheek Geel", "Bibliotheek Geel-Oost"), "population": (41_000, 42_000)}),
        ("contact", {"telephone": ("", "014 12 34 56")}),
        ("subscription", {"price_cents": (123_450, 200_000)}),
    ]
    with office.db.reading() as (session, _):
        organisation, contact = (
            session.scalars(sa.select(Organisation)).one(),
            session.scalars(sa.select(Contact)).one(),
        )
        assert (organisation.name, organisation.population, organisation.municipality, organisation.version) == (
            "Bibliotheek Geel-Oost", 42_000, "Geel", 2,
        )  # fmt: skip
        assert (contact.telephone, contact.email, contact.version) == ("014 12 34 56", "bo.nys@geel.example", 2)
        last = session.scalars(sa.select(AuditRow).where(AuditRow.subject == f"organisation:{organisation.id}")
                               .order_by(AuditRow.id.desc())).first()  # fmt: skip
        assert last is not None
        assert last.detail["changed"]["population"] == [41_000, 42_000]


def test_absent_organisations_and_contacts_are_left_alone(office: Parts, cooperative: Cooperative) -> None:
    with office.db.reading() as (session, _):
        before = session.scalars(sa.select(Organisation.name).order_by(Organisation.id)).all()
    bring_in(office, sheet(GEEL))
    with office.db.reading() as (session, _):
        after = session.scalars(sa.select(Organisation.name).order_by(Organisation.id)).all()
    assert after == [*before, "Bibliotheek Geel"]


def test_a_contact_that_was_named_and_never_answered_counts_as_confirmed(office: Parts, clock: FrozenClock) -> None:
    bring_in(office, sheet(GEEL))
    with office.db.transaction() as (session, _):
        session.execute(sa.update(Contact).values(confirmed_at=None))
    plan = bring_in(office, sheet(GEEL))
    assert [change.fields for change in plan.changes()] == [{"confirmed": (False, True)}]
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(Contact.confirmed_at)).one() == clock()


def test_how_a_contact_stands_is_said_a_service_at_a_time(office: Parts) -> None:
    bring_in_one(office, naam="Bibliotheek Geel", type="bib", gemeente="Geel", provincie="antwerpen", inwoners="41000",
                 contact="Bo Nys", e_mail="bo.nys@geel.example", stemt="stemt | leest: Krantenarchief")  # fmt: skip
    bring_in_one(office, naam="Bibliotheek Geel", e_mail="bo.nys@geel.example", stemt="stemt: krantenarchief")
    with office.db.reading() as (session, _):
        standing = session.execute(
            sa.select(Service.slug, Representation.mode, Representation.ended_at.is_(None))
            .outerjoin(Service, Service.id == Representation.service_id)
            .order_by(Representation.id)
        ).all()
    assert [tuple(one) for one in standing] == [
        (None, Mode.VOTES, True), ("krantenarchief", Mode.READS, False), ("krantenarchief", Mode.VOTES, True),
    ]  # fmt: skip


def test_marks_and_pilots_are_set_and_never_taken_away(office: Parts) -> None:
    bring_in(office, sheet(GEEL))
    bring_in_one(office, naam="Bibliotheek Geel", regionaal="ja", grootstad="nee", pilot="Bieblo; fundels")
    bring_in_one(office, naam="Bibliotheek Geel", regionaal="", pilot="")
    with office.db.reading() as (session, _):
        organisation = session.scalars(sa.select(Organisation)).one()
        assert (organisation.regional, organisation.big_city) == (True, False)
        pilots = sa.select(Service.slug).join(Pilot, Pilot.service_id == Service.id).order_by(Service.slug)
        assert session.scalars(pilots).all() == ["bieblo", "fundels"]


def test_a_subscription_is_corrected_ended_and_followed_by_another(office: Parts) -> None:
    bring_in(office, sheet(GEEL))
    bring_in_one(office, naam="Bibliotheek Geel", afname="krantenarchief", vanaf="1-2-2026", tot="31/12/2026")
    bring_in_one(office, naam="Bibliotheek Geel", afname="krantenarchief", vanaf="2027-01-01", prijs="1500")
    with office.db.reading() as (session, _):
        rows = session.execute(
            sa.select(Subscription.starts_on, Subscription.ends_on, Subscription.price_cents)
            .join(Service, Service.id == Subscription.service_id)
            .where(Service.slug == "krantenarchief")
            .order_by(Subscription.starts_on)
        ).all()
    assert [tuple(one) for one in rows] == [
        (date(2026, 2, 1), date(2026, 12, 31), 123_450), (date(2027, 1, 1), None, 150_000),
    ]  # fmt: skip


NEW = {"naam": "Bibliotheek Olen", "type": "bibliotheek", "gemeente": "Olen", "provincie": "Antwerpen",
       "inwoners": "12000"}  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        ({"provincie": "Noord-Brabant"}, "provincie", "province_unknown"),
        ({"type": "school"}, "type", "kind_unknown"),
        ({"inwoners": "veel"}, "inwoners", "no_whole_number"),
        ({"inwoners": "-5"}, "inwoners", "no_whole_number"),
        ({"inwoners": "1.2345"}, "inwoners", "no_whole_number"),
        ({"inwoners": "900.000.000"}, "inwoners", "too_many_people"),
        ({"naam": "Bib www.olen.be"}, "naam", "name_has_address"),
        ({"naam": "Bib \u202eOlen"}, "naam", "unseen"),
        ({"naam": "O" * 201}, "naam", "too_long"),
        ({"naam": ""}, "naam", "name_missing"),
        ({"gemeente": ""}, "gemeente", "needed_for_new"),
        ({"regionaal": "misschien"}, "regionaal", "yes_or_no"),
        ({"e_mail": "bo.nys"}, "e mail", "no_address"),
        ({"e_mail": "bо.nys@olen.example", "contact": "Bo"}, "e mail", "no_address"),
        ({"e_mail": "bo@olen.example"}, "contactpersoon", "contact_name_missing"),
        ({"contact": "Bo Nys"}, "e-mail", "address_missing"),
        ({"contact": "Bo http://x", "e_mail": "bo@olen.example"}, "contact", "name_has_address"),
        ({"contact": "Bo", "e_mail": "bo@olen.example", "taal": "fr"}, "taal", "language_unknown"),
        ({"contact": "Bo", "e_mail": "bo@olen.example", "telefoon": "bel mij"}, "telefoon", "no_telephone"),
        ({"contact": "Bo", "e_mail": "bo@olen.example", "stemt": "soms"}, "stemt", "mode_unknown"),
        ({"contact": "Bo", "e_mail": "bo@olen.example", "stemt": "stemt, leest"}, "stemt", "mode_twice"),
        ({"contact": "Bo", "e_mail": "bo@olen.example", "stemt": "leest: Kranten"}, "stemt", "service_unknown"),
        ({"afname": "Krantenarchief, Kranten"}, "afname", "service_unknown"),
        ({"prijs": "100"}, "afname", "service_missing"),
        ({"afname": "Fundels", "prijs": "1,234.50"}, "prijs", "no_amount"),
        ({"afname": "Fundels", "prijs": "999.999.999"}, "prijs", "price_too_high"),
        ({"afname": "Fundels", "vanaf": "31/02/2026"}, "vanaf", "no_day"),
        ({"afname": "Fundels", "vanaf": "2/1/26"}, "vanaf", "no_day"),
        ({"afname": "Fundels", "vanaf": "1/1/2026", "tot": "31/12/2025"}, "tot", "ends_before_start"),
        ({"afname": "Fundels", "tot": "31/12/2025"}, "vanaf", "ends_before_start"),
        ({"pilot": "Fundelz"}, "pilot", "service_unknown"),
    ],
)
def test_a_cell_that_cannot_be_is_named_by_line_and_column(
    office: Parts, cells: dict[str, str], column: str, code: str
) -> None:
    assert fault_of(office, **(NEW | cells)) == [(2, column, code)]


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("1.234,50", 123_450), ("1234,5", 123_450), ("1234.50", 123_450), ("€ 1 234", 123_400), ("1.234", 123_400),
     ("0", 0), ("0,05", 5)],
)  # fmt: skip
def test_an_amount_is_read_as_it_is_written_in_belgium_or_by_a_program(office: Parts, amount: str, cents: int) -> None:
    bring_in_one(office, **NEW, afname="Fundels", prijs=amount)
    with office.db.reading() as (session, _):
        assert session.scalars(sa.select(Subscription.price_cents)).all() == [cents]


def test_a_bad_row_stops_everything_until_it_is_said_to_be_passed_over(office: Parts) -> None:
    bad = (*GEEL[:1], "Bibliotheek Mol", *GEEL[2:])  # the code of another
    before = everything(office.db)
    with pytest.raises(RowsRefused) as refused:
        bring_in(office, sheet(GEEL, bad))
    assert everything(office.db) == before
    assert faults(refused.value.plan) == [(3, "naam", "contradicts")]
    plan = bring_in(office, sheet(GEEL, bad), skip_bad=True)
    assert (plan.bad_rows, plan.count("organisation", added=True)) == (1, 1)


def test_a_row_that_is_wrong_in_one_cell_counts_in_none(office: Parts) -> None:
    """What it says of the organisation is not needed by another row either."""
    first = tuple(NEW.values())
    bare = ("Bibliotheek Olen", "", "", "", "")
    header = (*NEW, "contact", "e-mail")
    plan = look(office, sheet((*first, "Bo", "bo@"), (*bare, "An", "an@olen.example"), header=header))
    assert faults(plan) == [(2, "e-mail", "no_address"), *((3, name, "needed_for_new") for name in sorted(
        ("type", "gemeente", "provincie", "inwoners")))]  # fmt: skip
    assert plan.count("organisation", added=True) == 0


def test_rows_that_say_different_things_of_one_subject_are_not_both_right(office: Parts) -> None:
    header = (*NEW, "contact", "e-mail", "taal", "afname", "prijs")
    facts = tuple(NEW.values())
    plan = look(office, sheet(
        (*facts, "Bo Nys", "bo@olen.example", "nl", "Fundels", "10"),
        (*facts[:4], "13000", "", "", "", "", ""),
        (*facts, "Bob Nys", "BO@olen.example", "", "", ""),
        (*facts, "Bo Nys", "bo@olen.example", "en", "", ""),
        (*facts, "", "", "", "Fundels", "11"),
        header=header,
    ))  # fmt: skip
    assert faults(plan) == [
        (3, "inwoners", "contradicts"), (4, "contact", "named_otherwise"), (5, "taal", "contradicts"),
        (6, "prijs", "contradicts"),
    ]  # fmt: skip
    assert plan.faults[1].values == {"name": "Bo Nys", "line": 2}


def test_a_code_or_a_name_that_belongs_to_another_is_refused(office: Parts) -> None:
    bring_in(office, sheet(GEEL))
    assert fault_of(office, **(NEW | {"naam": "bibliotheek geel", "code": "B-8"})) == [(2, "code", "code_differs")]
    bring_in_one(office, **NEW, code="B-8")
    assert fault_of(office, code="B-8", naam="Bibliotheek Geel") == [(2, "naam", "name_taken")]
    assert fault_of(office, code="B-9", naam="") == [(2, "code", "code_unknown")]


def test_an_organisation_known_by_name_gets_its_code(office: Parts) -> None:
    bring_in_one(office, **NEW)
    bring_in_one(office, code="B-8", naam="BIBLIOTHEEK OLEN")
    with office.db.reading() as (session, _):
        assert session.execute(sa.select(Organisation.code, Organisation.name)).one() == ("B-8", "Bibliotheek Olen")


def test_an_organisation_that_ended_is_not_brought_back_by_a_file(office: Parts, cooperative: Cooperative) -> None:
    libraries = cooperative.libraries
    with office.db.transaction() as (session, _):
        ended = {"ended_on": date(2026, 1, 1)}
        of_mol = sa.update(Organisation).where(Organisation.id == libraries["Mol"].id)
        session.execute(of_mol.values(merged_into_id=libraries["Lier"].id, **ended))
        session.execute(sa.update(Organisation).where(Organisation.id == libraries["Boom"].id).values(**ended))
    plan = look(office, sheet(("Bibliotheek Mol",), ("Bibliotheek Boom",), header=("naam",)))
    assert faults(plan) == [(2, "naam", "merged"), (3, "naam", "ended")]
    assert plan.faults[0].values == {"organisation": "Bibliotheek Mol", "into": "Bibliotheek Lier"}


def test_whoever_left_comes_back_by_hand_only_and_a_mailbox_holds_no_seat(
    office: Parts, cooperative: Cooperative, clock: FrozenClock
) -> None:
    with office.db.transaction() as (session, now):
        session.execute(sa.update(Contact).where(Contact.name == "Jan Maes").values(left_at=now()))
    names = {"naam": "Bibliotheek Aartselaar"}
    assert fault_of(office, **names, e_mail="jan.maes@aartselaar.example") == [(2, "e mail", "contact_left")]
    assert fault_of(office, **names, e_mail="els.peeters@aartselaar.example", functioneel="ja") == [
        (2, "functioneel", "functional_seated")
    ]


def test_cells_beyond_the_header_are_a_fault_of_their_row(office: Parts) -> None:
    wanted = Sheet("f.csv", ("naam",), [Line(2, ("Bibliotheek Geel", "x"), surplus=1)])
    assert faults(look(office, wanted))[0] == (2, "", "surplus")


@pytest.mark.parametrize(
    ("header", "code", "column"),
    [
        (("code", "type"), "column_missing", "naam"),
        (("naam", "E-mail", "email"), "column_twice", "email"),
        (("naam", "Opmerking", "opmerking"), "column_twice", "opmerking"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_by_name(
    office: Parts, header: tuple[str, ...], code: str, column: str
) -> None:
    with pytest.raises(SheetRefused) as refused:
        look(office, sheet(header=header))
    assert (refused.value.code, refused.value.column) == (code, column)


def test_a_column_that_means_nothing_here_is_named_and_passed_over(office: Parts) -> None:
    plan = look(office, sheet((*NEW.values(), "x", "y"), header=(*NEW, "Opmerking", "")))
    assert (plan.unknown_columns, plan.faults) == (["Opmerking", "7"], [])


def test_what_was_looked_at_is_what_is_written_or_nothing_is(office: Parts) -> None:
    seen = look(office, sheet(GEEL)).digest()
    bring_in_one(office, **(NEW | {"naam": GEEL[1]}))
    before = everything(office.db)
    with pytest.raises(PlanChanged) as changed:
        bring_in(office, sheet(GEEL), seen=seen)
    assert everything(office.db) == before
    assert changed.value.plan.count("organisation", added=False) == 1
    bring_in(office, sheet(GEEL), seen=changed.value.plan.digest())
    assert look(office, sheet(GEEL)).empty


def test_a_failure_in_the_middle_leaves_nothing(office: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(office.db)

    def fail(_self: object) -> None:
        raise RuntimeError("the power went out")

    monkeypatch.setattr(organisation_writing.Writing, "_pilots", fail)
    with pytest.raises(RuntimeError, match="the power went out"):
        bring_in(office, sheet(GEEL))
    assert everything(office.db) == before


def test_whoever_votes_now_is_invited_to_an_open_poll_and_whoever_only_reads_loses_the_link(
    office: Parts, cooperative: Cooperative, poll: Poll
) -> None:
    header = ("naam", "contactpersoon", "e-mail", "stemt of leest")
    bring_in(office, sheet(
        ("Bibliotheek Mol", "Nora Smets", "nora@mol.example", ""),
        ("Bibliotheek Aartselaar", "", "jan.maes@aartselaar.example", "leest"),
        ("Bibliotheek Zoersel", "Bo Nys", "bo@zoersel.example", "stemt"),
        header=header,
    ))  # fmt: skip
    with office.db.reading() as (session, _):
        invited = session.execute(
            sa.select(VotingUnit.name, Contact.name)
            .join(Invitation, Invitation.unit_id == VotingUnit.id)
            .join(Contact, Contact.id == Invitation.contact_id)
            .where(Invitation.revoked_at.is_(None))
            .order_by(VotingUnit.name, Contact.name)
        ).all()
        waiting = session.scalars(sa.select(Matter.key).where(Matter.settled_at.is_(None))).all()
        units = session.scalars(sa.select(VotingUnit.name).where(VotingUnit.poll_id == poll.id)).all()
    assert [tuple(one) for one in invited] == [
        ("Bibliotheek Aartselaar", "Els Peeters"), ("Bibliotheek Boom", "Bibliotheek Boom"),
        ("Bibliotheek Duffel", "Lies Claes"), ("Bibliotheek Lier", "Lies Claes"), ("Bibliotheek Mol", "Nora Smets"),
    ]  # fmt: skip
    assert waiting == []
    assert len(units) == 5


def big(number: int) -> Sheet:
    """A sheet of so many organisations, each with a contact and what it takes."""
    return sheet(*(
        (f"B-{n}", f"Bibliotheek {n}", "bibliotheek", f"Gemeente {n}", "Limburg", "12.000", f"Bo Nys {n}",
         f"bo.nys@g{n}.example", "", "Krantenarchief", "01/01/2026", "", f"CC-{n}", "1.234,50")
        for n in range(number)
    ))  # fmt: skip


def test_fifty_thousand_rows_take_seconds_and_few_statements(office: Parts) -> None:
    wanted, statements = big(50_000), 0

    def note(*_: object) -> None:
        nonlocal statements
        statements += 1

    sa.event.listen(office.db.engine, "after_cursor_execute", note)
    begun = time.monotonic()
    plan = bring_in(office, wanted)
    took = time.monotonic() - begun
    sa.event.remove(office.db.engine, "after_cursor_execute", note)
    assert (plan.count("organisation", added=True), plan.count("subscription", added=True)) == (50_000, 50_000)
    assert statements < 50
    assert took < 120
    again = look(office, wanted)
    assert (again.empty, again.same) == (True, 50_000)


def test_the_memory_of_an_import_is_a_few_kilobytes_a_row(office: Parts) -> None:
    wanted = big(4_000)
    tracemalloc.start()
    bring_in(office, wanted)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4_000 * 12_000


def test_a_file_waits_for_its_sender_and_goes_after_a_day(office: Parts, clock: FrozenClock) -> None:
    with office.db.transaction() as (session, now):
        klaar, other = build_staff(session, now(), name="Klaar Leroy"), build_staff(session, now(), name="An Roels")
        first = keep_upload(session, now(), klaar, "one.csv", b"naam")
    clock.advance(hours=23)
    with office.db.transaction() as (session, now):
        second = keep_upload(session, now(), klaar, "two.csv", b"naam")
        drop_upload(session, other, first)
        assert session.scalars(sa.select(Upload.key).order_by(Upload.sent_at)).all() == [first, second]
    clock.advance(hours=2)
    with office.db.transaction() as (session, now):
        third = keep_upload(session, now(), klaar, "three.csv", b"naam")
        drop_upload(session, klaar, second)
        drop_upload(session, klaar, second)
        assert session.scalars(sa.select(Upload.key)).all() == [third]


def test_a_poll_of_all_members_counts_the_new_ones_only_when_it_opens_later(
    office: Parts, cooperative: Cooperative, poll: Poll, clock: FrozenClock
) -> None:
    bring_in(office, sheet(GEEL))
    clock.advance(hours=1)
    with office.db.transaction() as (session, now):
        later = build_poll(session, cooperative, slug="later", closes_at=CLOSING + timedelta(days=7),
                           audience=Audience.ALL_MEMBERS, service_id=None)  # fmt: skip
        polls.open_poll(session, later.id, now, office.basis)
        sizes = dict(session.execute(sa.select(Poll.slug, Poll.units)).all())
    assert sizes == {"krantenarchief": 5, "later": 7}
