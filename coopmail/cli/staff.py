"""`coopmail staff`: who may use the console. The first admin is made here."""

from __future__ import annotations

import click

from coopmail.actions import staff as actions
from coopmail.cli.office import office
from coopmail.domain.contacts import address_key, valid_address
from coopmail.domain.staff import StaffMember, StaffRole
from coopmail.errors import UnknownSubject
from coopmail.parts import Parts
from coopmail.queries import staff as questions

_ROLES = click.Choice([role.value for role in StaffRole])


@click.group()
def staff() -> None:
    """Who may use the console at /staff; a code to sign in is mailed to their address."""


@staff.command()
@click.argument("email")
@click.option("--name", required=True, help="As it stands in the record.")
@click.option("--role", type=_ROLES, default=StaffRole.STAFF.value, show_default=True)
@click.option("--language", type=click.Choice(["nl", "en"]), default="nl", show_default=True)
def add(email: str, name: str, role: str, language: str) -> None:
    """Let somebody into the console."""
    try:
        address = valid_address(email)
    except ValueError as error:
        raise click.BadParameter(f"{email} is no address: {error}") from error
    with office() as found, found.db.transaction() as (session, now):
        actions.add_staff_member(session, now, name=name, email=address, role=StaffRole(role), language=language)
    click.echo(f"{name} can sign in at {found.settings.base_url}/staff/ with a code that is mailed to {address}.")


@staff.command("list")
def list_staff() -> None:
    """Everybody who is or was one of the staff."""
    with office() as found, found.db.reading() as (session, _):
        people = questions.listing(session)
    for person in people:
        left = f"  left on {person.left_at:%Y-%m-%d}" if person.left_at else ""
        click.echo(f"{person.email:<40} {person.role.value:<6} {person.name}{left}")
    if not people:
        click.echo("There is nobody yet: coopmail staff add ADDRESS --name NAME --role admin")


@staff.command()
@click.argument("email")
@click.argument("role", type=_ROLES)
def role(email: str, role: str) -> None:
    """Give somebody another role."""
    with office() as found:
        person = _known(found, email)
        with found.db.transaction() as (session, now):
            actions.change_staff_member(session, now, person.id, person.version, name=person.name, email=person.email,
                                        role=StaffRole(role), language=person.language)  # fmt: skip
        click.echo(f"{person.name} is {role} from now on.")


@staff.command()
@click.argument("email")
def leave(email: str) -> None:
    """End somebody's access, at once and in every browser."""
    with office() as found:
        person = _known(found, email)
        with found.db.transaction() as (session, now):
            actions.remove_staff_member(session, now, person.id)
        click.echo(f"{person.name} cannot sign in any more.")


@staff.command()
@click.argument("email")
def back(email: str) -> None:
    """Let somebody who left in again."""
    with office() as found:
        person = _known(found, email)
        with found.db.transaction() as (session, now):
            actions.restore_staff_member(session, now, person.id)
        click.echo(f"{person.name} can sign in again.")


def _known(found: Parts, email: str) -> StaffMember:
    with found.db.reading() as (session, _):
        for person in questions.listing(session):
            if person.email_key == address_key(email):
                return person
    raise UnknownSubject(f"Nobody of the staff has the address {email}: see `coopmail staff list`.")
