"""Who the staff are, as an admin says it."""

from __future__ import annotations

import sqlalchemy as sa

from coopmail.domain.audit import AuditRow
from coopmail.domain.staff import StaffMember
from coopmail.parts import Parts
from tests.console import Console

SOFIE = {"name": "Sofie Maes", "email": "sofie.maes@cultuurconnect.example", "role": "staff", "language": "en"}


def person(office: Parts, email: str) -> StaffMember:
    """One of the staff as the database has them."""
    with office.db.reading() as (session, _):
        return session.scalars(sa.select(StaffMember).where(StaffMember.email == email)).one()


def test_an_admin_lets_somebody_in_and_the_record_says_who(admin: Console, office: Parts) -> None:
    answer = admin.post_form("/staff/staff/new", SOFIE)
    assert (answer.status_code, answer.location) == (303, "/staff/staff?done=staff-added&lang=nl")
    page = admin.get("/staff/staff?done=staff-added")
    assert "Die persoon kan zich nu aanmelden" in page
    assert "Sofie Maes" in page
    sofie = person(office, SOFIE["email"])
    assert (sofie.name, sofie.role.value, sofie.language) == ("Sofie Maes", "staff", "en")
    with office.db.reading() as (session, _):
        row = session.scalars(sa.select(AuditRow).where(AuditRow.act == "staff-added")).one()
        assert (row.actor, row.subject) == (admin.person.actor, sofie.actor)


def test_an_address_that_is_taken_and_a_form_that_is_empty_are_refused_in_words(admin: Console) -> None:
    again = admin.post_form("/staff/staff/new", SOFIE | {"email": admin.person.email.upper()})
    assert again.status_code == 409
    assert "heeft dit adres al" in again.get_data(as_text=True)
    empty = admin.post_form("/staff/staff/new")
    assert empty.status_code == 422
    for sentence in (
        "Typ de naam.",
        "Typ het adres waarnaar de code gemaild wordt.",
        "Kies een rol.",
        "Kies een taal.",
    ):
        assert empty.get_data(as_text=True).count(sentence) == 2, "in the summary and at its field"


def test_two_admins_edit_the_same_person_and_the_second_loses_nothing(
    admin: Console, office: Parts, colleague: Console
) -> None:
    path = f"/staff/staff/{colleague.person.id}"
    first = {"version": "1", "name": "Bram W.", "email": colleague.person.email, "role": "staff", "language": "nl"}
    assert admin.post_form(path, first).status_code == 303
    second = admin.post_form(path, first | {"name": "Bram Wouters-Maes"})
    page = second.get_data(as_text=True)
    assert second.status_code == 409
    assert "Iemand anders wijzigde dit intussen" in page
    assert "Ria Claes bewaarde een wijziging op" in page
    assert "<dt>Naam</dt><dd>Bram W.</dd>" in page
    assert 'value="Bram Wouters-Maes"' in page, "what was typed stands there still"
    assert 'name="version" value="2"' in page
    assert admin.post_form(path, first | {"name": "Bram Wouters-Maes", "version": "2"}).status_code == 303
    assert person(office, colleague.person.email).name == "Bram Wouters-Maes"


def test_nobody_changes_their_own_role_and_the_last_admin_stays(admin: Console, office: Parts) -> None:
    own = f"/staff/staff/{admin.person.id}"
    form = {"version": "1", "name": admin.person.name, "email": admin.person.email, "role": "staff", "language": "nl"}
    answer = admin.post_form(own, form)
    assert answer.status_code == 409
    assert "Je kunt je eigen rol niet wijzigen" in answer.get_data(as_text=True)
    left = admin.post_form(f"{own}/leave")
    assert left.status_code == 409
    assert person(office, admin.person.email).left_at is None


def test_access_ends_at_once_and_can_be_given_back(admin: Console, colleague: Console, office: Parts) -> None:
    assert colleague.ask("/staff/me").status_code == 200
    path = f"/staff/staff/{colleague.person.id}"
    assert admin.post_form(f"{path}/leave").status_code == 303
    assert admin.post_form(f"{path}/leave").status_code == 303, "a second click changes nothing"
    assert colleague.ask("/staff/me").status_code == 303
    assert "geen toegang meer sinds maandag 16 november 2026" in admin.get("/staff/staff")
    assert admin.post_form(f"{path}/back", page="/staff/staff").status_code == 303
    assert colleague.ask("/staff/me").status_code == 303, "the old session stays ended"
    assert person(office, colleague.person.email).left_at is None
