"""Organisations: libraries, culture centres and bodies of the field."""

from __future__ import annotations

import enum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coopmail.domain.base import Base, enumeration


class OrganisationKind(enum.StrEnum):
    """What an organisation is."""

    LIBRARY = "library"
    CULTURE_CENTRE = "culture_centre"
    BODY = "body"


class Organisation(Base):
    """An organisation of the field; with a running `Subscription` it is a member (coöperant), by itself."""

    __tablename__ = "organisations"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200), unique=True)
    kind: Mapped[OrganisationKind] = mapped_column(enumeration(OrganisationKind))
    municipality: Mapped[str] = mapped_column(sa.String(200))
    province: Mapped[str] = mapped_column(sa.String(60), index=True)
    population: Mapped[int]
    regional: Mapped[bool] = mapped_column(default=False)
    big_city: Mapped[bool] = mapped_column(default=False)
