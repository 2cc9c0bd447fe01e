"""Organisations: libraries, culture centres and bodies of the field."""

from __future__ import annotations

import enum
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coopmail.domain.base import Base, Versioned, enumeration

PROVINCES = ("Antwerpen", "Brussel", "Limburg", "Oost-Vlaanderen", "Vlaams-Brabant", "West-Vlaanderen")
"""The Flemish provinces, and Brussels, which lies in none and is written like one."""
MOST_PEOPLE = 20_000_000
"""No organisation serves more people; a larger number is a slip of the pen."""


class OrganisationKind(enum.StrEnum):
    """What an organisation is."""

    LIBRARY = "library"
    CULTURE_CENTRE = "culture_centre"
    BODY = "body"


class Organisation(Versioned, Base):
    """An organisation of the field; with a running `Subscription` it is a member (coöperant), by itself.

    `code` is the cooperative's own number for it, where it has one: an import knows the organisation by it. After
    `ended_on`, its last day (it merged into another, or ceased), it takes no part in anything new; what it decided in
    stays. `merged_into_id` is the organisation that goes on today: it moves along when that one merges in its turn.
    """

    __tablename__ = "organisations"
    __table_args__ = (sa.Index("uq_organisations_code", "code", unique=True),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200), unique=True)
    kind: Mapped[OrganisationKind] = mapped_column(enumeration(OrganisationKind))
    municipality: Mapped[str] = mapped_column(sa.String(200))
    province: Mapped[str] = mapped_column(sa.String(60), index=True)
    population: Mapped[int]
    regional: Mapped[bool] = mapped_column(default=False)
    big_city: Mapped[bool] = mapped_column(default=False)
    code: Mapped[str | None] = mapped_column(sa.String(40))
    ended_on: Mapped[date | None]
    merged_into_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"))
    split_from_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"))


class Pilot(Base):
    """An organisation is a pilot of a service: it tries first what others take later."""

    __tablename__ = "pilots"
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), primary_key=True)
    service_id: Mapped[int] = mapped_column(sa.ForeignKey("services.id"), primary_key=True)
