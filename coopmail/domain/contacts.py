"""Contacts, for whom they stand, and who was named as the right one."""

from __future__ import annotations

import enum
import unicodedata
from datetime import date, datetime

import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.orm import Mapped, mapped_column, relationship

from coopmail.domain.base import Base, Versioned, enumeration
from coopmail.domain.organisations import Organisation


class Mode(enum.StrEnum):
    """How a contact stands for an organisation."""

    VOTES = "votes"
    READS = "reads"


class Contact(Versioned, Base):
    """A person with an address and a language, or a functional mailbox that several people read.

    Who stands for no organisation belongs to the field for himself: asked in consultations, never in a binding poll.

    `email_key` is the address as compared: lower case, NFC. `confirmed_at` is empty while a named successor has not
    answered; nobody is invited before that. `left_at`: no mail goes out any more. `undeliverable_at`: when a mail to
    this address was refused for good; emptied by another address, or by an answer to a test mail. `away_until`: the
    last day out of office; a hint to staff, and no mail is held back for it.
    """

    __tablename__ = "contacts"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200), index=True)
    email: Mapped[str] = mapped_column(sa.String(320))
    email_key: Mapped[str] = mapped_column(sa.String(320), unique=True)
    language: Mapped[str] = mapped_column(sa.String(2), default="nl")
    telephone: Mapped[str] = mapped_column(sa.String(40), default="")
    functional: Mapped[bool] = mapped_column(default=False)
    confirmed_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    undeliverable_at: Mapped[datetime | None]
    away_until: Mapped[date | None]


class Representation(Base):
    """A contact stands for an organisation: for one service, or for all (`service_id` empty).

    A row for the service itself goes before the general one.
    """

    __tablename__ = "representations"
    __table_args__ = (
        sa.Index("uq_representations_general", "contact_id", "organisation_id", unique=True,
                 sqlite_where=sa.text("service_id IS NULL AND ended_at IS NULL"),
                 postgresql_where=sa.text("service_id IS NULL AND ended_at IS NULL")),
        sa.Index("uq_representations_service", "contact_id", "organisation_id", "service_id", unique=True,
                 sqlite_where=sa.text("service_id IS NOT NULL AND ended_at IS NULL"),
                 postgresql_where=sa.text("service_id IS NOT NULL AND ended_at IS NULL")),
    )  # fmt: skip
    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey("contacts.id"))
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    service_id: Mapped[int | None] = mapped_column(sa.ForeignKey("services.id"))
    mode: Mapped[Mode] = mapped_column(enumeration(Mode))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Nomination(Base):
    """Somebody said "not me: this one". It takes effect when the new address confirms it.

    The new contact then stands for the organisation as far as the one who named it does. `replaces`: whoever named
    the new contact stops standing for the organisation.
    """

    __tablename__ = "nominations"
    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    named_by_id: Mapped[int] = mapped_column(sa.ForeignKey("contacts.id"))
    contact_id: Mapped[int] = mapped_column(sa.ForeignKey("contacts.id"))
    replaces: Mapped[bool]
    named_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    accepted: Mapped[bool | None]

    organisation: Mapped[Organisation] = relationship()
    named_by: Mapped[Contact] = relationship(foreign_keys=[named_by_id])
    contact: Mapped[Contact] = relationship(foreign_keys=[contact_id])


def address_key(address: str) -> str:
    """An address as compared: NFC, lower case, without white space around it."""
    return unicodedata.normalize("NFC", address.strip()).lower()


def valid_address(address: str) -> str:
    """The address in its normal form, or `ValueError`.

    Look-alikes are refused: letters of more than one script in an address have no honest use here. Whether the
    domain takes mail is not asked: the answer would come from the network, in the middle of a form.
    """
    try:
        found = validate_email(address.strip(), check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in found.normalized if letter.isalpha()}
    if len(scripts) > 1:
        raise ValueError("the address mixes scripts")
    return found.ascii_email or found.normalized  # a domain beyond ASCII in its xn-- form: headers are ASCII
