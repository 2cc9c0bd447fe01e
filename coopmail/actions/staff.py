"""Who the staff are: somebody joins, gets another role or address, leaves, comes back."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import STAFF, audit
from coopmail.clock import Clock
from coopmail.domain.contacts import address_key
from coopmail.domain.staff import StaffMember, StaffRole, StaffSession
from coopmail.errors import ActionRefused, UnknownSubject


class AddressTaken(ActionRefused):
    """Another one of the staff, or one who left, has that address."""


class LastAdmin(ActionRefused):
    """Without an admin nobody could say any more who the staff are."""


class OwnRole(ActionRefused):
    """Nobody takes their own rights away by mistake, or gives themselves any."""


def add_staff_member(
    session: Session, now: Clock, *, name: str, email: str, role: StaffRole, language: str = "nl", actor: str = STAFF
) -> StaffMember:
    """Let somebody into the console. Raises `AddressTaken`."""
    _check_free(session, email, None)
    moment = now()
    person = StaffMember(name=name, email=email, email_key=address_key(email), role=role, language=language,
                         created_at=moment)  # fmt: skip
    session.add(person)
    session.flush()
    audit(session, moment, "staff-added", actor, person.actor, name=name, email=email, role=role.value)
    return person


def change_staff_member(
    session: Session, now: Clock, staff_id: int, version: int, *, name: str, email: str, role: StaffRole,
    language: str, actor: str = STAFF,
) -> StaffMember:  # fmt: skip
    """Change what is known of one of the staff. Raises `ChangedMeanwhile`, `AddressTaken`, `LastAdmin` or `OwnRole`."""
    person = _locked(session, staff_id)
    after = {"name": name, "email": email, "role": role, "language": language}
    changed = {key: value for key, value in after.items() if getattr(person, key) != value}
    if not changed:
        return person
    person.edit(version)
    if "role" in changed:
        if actor == person.actor:
            raise OwnRole("Let another admin change your role.")
        _check_admins(session, person)
    _check_free(session, email, person.id)
    before = {key: str(getattr(person, key)) for key in changed}
    for key, value in changed.items():
        setattr(person, key, value)
    person.email_key = address_key(email)
    audit(session, now(), "staff-changed", actor, person.actor, before=before,
          after={key: str(value) for key, value in changed.items()})  # fmt: skip
    return person


def remove_staff_member(session: Session, now: Clock, staff_id: int, *, actor: str = STAFF) -> StaffMember:
    """Somebody leaves: their sessions end at once. A second time changes nothing. Raises `LastAdmin` or `OwnRole`."""
    person = _locked(session, staff_id)
    if person.left_at is not None:
        return person
    if actor == person.actor:
        raise OwnRole("Let another admin end your access.")
    _check_admins(session, person)
    moment = now()
    person.left_at = moment
    _end_sessions(session, person, moment)
    audit(session, moment, "staff-left", actor, person.actor)
    return person


def restore_staff_member(session: Session, now: Clock, staff_id: int, *, actor: str = STAFF) -> StaffMember:
    """Somebody who left comes back, in the role of before."""
    person = _locked(session, staff_id)
    if person.left_at is not None:
        person.left_at = None
        audit(session, now(), "staff-came-back", actor, person.actor)
    return person


def _locked(session: Session, staff_id: int) -> StaffMember:
    # All of them, in one order: two admins who demote each other at the same moment must not both succeed.
    everyone = session.scalars(sa.select(StaffMember).order_by(StaffMember.id).with_for_update())
    found = {person.id: person for person in everyone}
    if staff_id not in found:
        raise UnknownSubject("There is no such person among the staff.")
    return found[staff_id]


def _check_admins(session: Session, but: StaffMember) -> None:
    others = sa.exists().where(
        StaffMember.role == StaffRole.ADMIN, StaffMember.left_at.is_(None), StaffMember.id != but.id
    )
    if but.role is StaffRole.ADMIN and not session.scalar(sa.select(others)):
        raise LastAdmin("This is the last admin: make somebody else one first.")


def _check_free(session: Session, email: str, but: int | None) -> None:
    found = session.scalars(sa.select(StaffMember).where(StaffMember.email_key == address_key(email))).one_or_none()
    if found is not None and found.id != but:
        raise AddressTaken(f"{found.name} has the address {found.email}.")


def _end_sessions(session: Session, person: StaffMember, moment: datetime) -> None:
    open_ = sa.update(StaffSession).where(StaffSession.staff_id == person.id, StaffSession.ended_at.is_(None))
    session.execute(open_.values(ended_at=moment), execution_options={"synchronize_session": False})
