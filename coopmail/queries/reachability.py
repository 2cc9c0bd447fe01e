"""Who cannot be reached: units without a working address, silent domains, contacts that are away or bounced."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import GenericFunction

from coopmail.domain.contacts import Contact, Mode, Nomination, Representation
from coopmail.domain.links import Invitation, Response
from coopmail.domain.organisations import Organisation
from coopmail.domain.outbox import Mail, MailState
from coopmail.domain.polls import Ballot, Poll, PollState
from coopmail.domain.services import Service, Subscription, running_on

ROUNDS = 2
"""A domain is silent after so many polls without an answer (`domain/facts.md`, "Practice")."""
LOOK_BACK = timedelta(days=730)
"""Polls that closed longer ago say nothing about today's mail."""


class domain_of(GenericFunction[str]):  # noqa: N801 - it is an SQL function
    """What stands after the @ of an address as compared."""

    type = sa.String(320)
    inherit_cache = True


@compiles(domain_of, "sqlite")
def _domain_of_sqlite(element: Any, compiler: Any, **more: Any) -> str:
    address = compiler.process(element.clauses, **more)
    return f"substr({address}, instr({address}, '@') + 1)"


@compiles(domain_of, "postgresql")
def _domain_of_postgresql(element: Any, compiler: Any, **more: Any) -> str:
    return f"split_part({compiler.process(element.clauses, **more)}, '@', 2)"


def working() -> sa.ColumnElement[bool]:
    """The condition that mail to a contact can be expected to arrive: confirmed, not left, not refused for good."""
    return Contact.confirmed_at.is_not(None) & Contact.left_at.is_(None) & Contact.undeliverable_at.is_(None)


class Unreached(NamedTuple):
    """A member for which nobody with a working address votes: in these services, or in polls of all members."""

    organisation_id: int
    name: str
    services: list[str]
    everyone: bool
    """Whether nobody votes for it in polls of all members."""


def unreached(session: Session, day: date) -> list[Unreached]:
    """Members that would lose a vote today, by name. A subscription makes a member; who votes is as in a poll."""
    member = sa.exists().where(Subscription.organisation_id == Organisation.id, running_on(day))
    going_on = Organisation.ended_on.is_(None) | (Organisation.ended_on > day)
    without = session.execute(
        sa.select(Organisation.id, Organisation.name).where(member, going_on, ~_votes(None))
    )  # fmt: skip
    by_service = session.execute(
        sa.select(Organisation.id, Organisation.name, Service.name)
        .join(Subscription, Subscription.organisation_id == Organisation.id)
        .join(Service, Service.id == Subscription.service_id)
        .where(running_on(day), going_on, ~_votes(Service.id))
        .order_by(Service.name)
        .distinct()
    )
    found = {row[0]: Unreached(row[0], row[1], [], True) for row in without}
    for organisation_id, name, service in by_service:
        found.setdefault(organisation_id, Unreached(organisation_id, name, [], False)).services.append(service)
    return sorted(found.values(), key=lambda each: each.name)


def _votes(service_id: Any) -> sa.ColumnElement[bool]:
    """Whether somebody whom mail reaches votes for an organisation: by a row for the service, else by a general one."""
    covers: sa.ColumnElement[bool] = Representation.service_id.is_(None)
    if service_id is not None:
        own = sa.orm.aliased(Representation)
        overruled = (
            sa.exists()
            .where(
                own.contact_id == Representation.contact_id,
                own.organisation_id == Representation.organisation_id,
                own.service_id == service_id,
                own.ended_at.is_(None),
            )
            .correlate(Representation, Service)
        )
        covers = (Representation.service_id == service_id) | (covers & ~overruled)
    return (
        sa.exists()
        .where(
            Representation.organisation_id == Organisation.id,
            Representation.mode == Mode.VOTES,
            Representation.ended_at.is_(None),
            Contact.id == Representation.contact_id,
            working(),
            covers,
        )
        .correlate(Organisation, Service)
    )


class Silent(NamedTuple):
    """A domain where nobody answered in the last polls that it was asked in."""

    domain: str
    contacts: int
    asked_at: datetime
    """When the last of those polls closed."""


def silent_domains(session: Session, now: datetime) -> list[Silent]:
    """Domains that were silent in the last two polls that they were asked in, by name.

    Asked: at least one invitation went out to an address there. Answered: somebody there cast the ballot that stands,
    by link; a vote that was given by telephone says nothing about mail. Secret polls count: that a unit answered is no
    secret.
    """
    asked = _asked(now).subquery()
    place = sa.func.row_number().over(partition_by=asked.c.domain, order_by=(asked.c.closed_at.desc(), asked.c.poll_id))
    last = sa.select(asked, place.label("place")).subquery()
    silent = (
        sa.select(last.c.domain, sa.func.max(last.c.closed_at).label("asked_at"))
        .where(last.c.place <= ROUNDS)
        .group_by(last.c.domain)
        .having(sa.func.count() == ROUNDS, sa.func.max(last.c.answered) == 0)
        .subquery()
    )
    here = sa.select(domain_of(Contact.email_key).label("domain"), sa.func.count().label("contacts"))
    here = here.where(Contact.left_at.is_(None)).group_by(sa.text("1"))
    present = here.subquery()
    rows = session.execute(
        sa.select(silent.c.domain, present.c.contacts, silent.c.asked_at)
        .join(present, present.c.domain == silent.c.domain)
        .order_by(silent.c.domain)
    )
    return [Silent(*row) for row in rows]


def _asked(now: datetime) -> sa.Select[*tuple[Any, ...]]:
    """Each domain in each poll that it was asked in and that is over; `answered` is 0 where nobody there did."""
    domain = domain_of(Contact.email_key).label("domain")
    cast = sa.case((Ballot.id.is_not(None), 1), else_=0)
    sent = sa.exists().where(
        Mail.invitation_id == Invitation.id, Mail.template == "ballot-invitation", Mail.state == MailState.SENT
    )
    return (
        sa.select(domain, Poll.id.label("poll_id"), Poll.closed_at.label("closed_at"),
                  sa.func.max(cast).label("answered"))
        .select_from(Invitation)
        .join(Contact, Contact.id == Invitation.contact_id)
        .join(Poll, Poll.id == Invitation.poll_id)
        .outerjoin(Ballot, (Ballot.unit_id == Invitation.unit_id) & (Ballot.contact_id == Invitation.contact_id))
        .where(Poll.state.in_((PollState.CLOSED, PollState.DECIDED)), Poll.closed_at > now - LOOK_BACK, sent)
        .group_by(domain, Poll.id, Poll.closed_at)
    )  # fmt: skip


def at_domain(session: Session, domain: str) -> list[Contact]:
    """The contacts with an address at a domain who have not left, by name."""
    here = domain_of(Contact.email_key) == domain
    return list(session.scalars(sa.select(Contact).where(here, Contact.left_at.is_(None)).order_by(Contact.name)))


def away(session: Session, day: date) -> list[Contact]:
    """Contacts who are out of office, who is back first on top."""
    return _contacts(session, Contact.away_until >= day, Contact.away_until)


def undeliverable(session: Session) -> list[Contact]:
    """Contacts whose address was refused for good, the latest on top."""
    return _contacts(session, Contact.undeliverable_at.is_not(None), Contact.undeliverable_at.desc())


def _contacts(session: Session, where: sa.ColumnElement[bool], order: Any) -> list[Contact]:
    found = sa.select(Contact).where(where, Contact.left_at.is_(None)).order_by(order, Contact.name)
    return list(session.scalars(found))


def unconfirmed(session: Session) -> list[tuple[Contact, datetime | None]]:
    """Contacts who were named and have not confirmed, and since when they are asked; who waits longest on top."""
    asked = sa.select(sa.func.max(Nomination.named_at)).where(
        Nomination.contact_id == Contact.id, Nomination.answered_at.is_(None)
    )
    since = asked.scalar_subquery().label("since")
    rows = session.execute(
        sa.select(Contact, since)
        .where(Contact.confirmed_at.is_(None), Contact.left_at.is_(None))
        .order_by(since, Contact.name)
    )
    return [(row[0], row[1]) for row in rows]


class Tested(NamedTuple):
    """A contact's last test mail: when it was asked, where its mail stands, and what was answered."""

    contact: Contact
    invitation: Invitation
    mail: MailState | None
    response: Response | None


TESTS_SHOWN = 100


def latest_tests(session: Session) -> list[Tested]:
    """The last test mail of each contact who got one, the newest on top."""
    newest = sa.select(sa.func.max(Invitation.id)).where(Invitation.kind == "mail-test").group_by(Invitation.contact_id)
    rows = session.execute(
        sa.select(Contact, Invitation, Mail.state, Response)
        .join(Invitation, Invitation.contact_id == Contact.id)
        .outerjoin(Mail, (Mail.invitation_id == Invitation.id) & (Mail.template == "mail-test"))
        .outerjoin(Response, Response.invitation_id == Invitation.id)
        .where(Invitation.id.in_(newest), Contact.left_at.is_(None))
        .order_by(Invitation.id.desc())
        .limit(TESTS_SHOWN)
    )
    return [Tested(*row) for row in rows]
