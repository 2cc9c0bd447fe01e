"""Services, and who takes them."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coopmail.domain.base import Base


class Service(Base):
    """A service (dienst): offered again and again, with contract and price; steered by one steering group.

    `phrase` is how it stands in a sentence: "het Krantenarchief", "Open Vlacc".
    """

    __tablename__ = "services"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(60), unique=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    phrase_nl: Mapped[str] = mapped_column(sa.String(130))
    phrase_en: Mapped[str] = mapped_column(sa.String(130), default="")
    steering_group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("groups.id"))


class Subscription(Base):
    """An organisation takes a service (afname) from a day to a day, both included. Price a year, in cents excl. VAT."""

    __tablename__ = "subscriptions"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "service_id", "starts_on"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    service_id: Mapped[int] = mapped_column(sa.ForeignKey("services.id"), index=True)
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    contract_reference: Mapped[str] = mapped_column(sa.String(60))
    price_cents: Mapped[int] = mapped_column(sa.BigInteger)


def running_on(day: date) -> sa.ColumnElement[bool]:
    """The condition that a subscription runs on a day."""
    return (Subscription.starts_on <= day) & (Subscription.ends_on.is_(None) | (Subscription.ends_on >= day))
