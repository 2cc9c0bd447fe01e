"""The demonstration's field: 303 libraries, two culture centres, and the services that they take."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from coopmail.config import ROOT
from coopmail.domain.organisations import Organisation, OrganisationKind
from coopmail.domain.services import Service, Subscription

DATA = ROOT / "coopmail" / "data"
BRUSSELS_PROVINCE = "Brussel"
BIG_CITIES = ("Antwerpen", "Gent", "Brussel")
REGIONAL_ABOVE = 35_000
SHARED_LIBRARY = ("Hemiksem", "Schelle", "Niel")
TWO_LIBRARIES, SECOND_LIBRARY = "Leuven", "Leuven Kessel-Lo"
DIRECTOR_OF_BOTH = ("Bibliotheek Horebeke", "Bibliotheek Maarkedal")
"""The libraries with one director. They take every service, so that each poll shows what two invitations look like."""
CULTURE_CENTRES = ("Turnhout", "Oudenaarde")


@dataclass(frozen=True)
class Offer:
    """How many libraries take a service now, and its invented price a year: a fee, and so much per 1,000 inhabitants.

    `ended`: how many took it once, besides.
    """

    takers: int
    fee_euro: int
    euro_per_1000: int
    ended: int = 0


# Nearly every library takes the first three; whoever does without one takes the other two, so that all are members.
BASIC = {
    "open-vlacc": Offer(300, 250, 40),
    "bibliotheekwebsites": Offer(297, 600, 60),
    "bibliotheeksysteem": Offer(290, 1500, 240),
}
FURTHER = {
    "krantenarchief": Offer(180, 220, 15, ended=4),
    "fundels": Offer(210, 150, 18, ended=3),
    "arcadegames": Offer(88, 400, 10),
    "bibster": Offer(64, 300, 8, ended=5),
    "bieblo": Offer(132, 180, 9),
    "mijn-leestipper": Offer(105, 160, 7),
}
MOVING = "krantenarchief"
"""The service with one subscription that ends soon and one that starts soon: polls freeze who is a member."""


@dataclass(frozen=True)
class Field:
    """Who is there, and who takes which service today (by the service's slug)."""

    libraries: list[Organisation]
    culture_centres: list[Organisation]
    services: dict[str, Service]
    takers: dict[str, list[Organisation]]

    def taken_by(self, organisation: Organisation) -> list[Service]:
        """The services that an organisation takes today."""
        return [self.services[slug] for slug, takers in self.takers.items() if organisation in takers]


def found(session: Session, rng: random.Random, services: dict[str, Service], today: date) -> Field:
    """Write the organisations and their subscriptions."""
    rows = _municipalities()
    libraries, centres = _libraries(rows), [_culture_centre(rows[name]) for name in CULTURE_CENTRES]
    session.add_all([*libraries, *centres])
    session.flush()
    takers = {slug: list[Organisation]() for slug in services}
    session.add_all(_subscriptions(rng, libraries, services, takers, today))
    session.flush()
    return Field(libraries, centres, services, takers)


def _municipalities() -> dict[str, dict[str, str]]:
    with (DATA / "municipalities.csv").open(encoding="utf-8", newline="") as file:
        return {row["municipality"]: row for row in csv.DictReader(file)}


def _libraries(rows: dict[str, dict[str, str]]) -> list[Organisation]:
    """One library a municipality, save that three share one and one city has two: 304 give 303."""
    libraries = []
    for name, row in rows.items():
        population = int(row["population_2020"])
        if name == SHARED_LIBRARY[0]:
            shared = sum(int(rows[one]["population_2020"]) for one in SHARED_LIBRARY)
            libraries.append(_library("-".join(SHARED_LIBRARY), row, shared))
        elif name == TWO_LIBRARIES:
            # There is no figure for the part of the city around the second library: three tenths is about right, and
            # the two together have the city's population.
            second = population * 3 // 10
            libraries.append(_library(name, row, population - second))
            libraries.append(_library(SECOND_LIBRARY, row, second))
        elif name not in SHARED_LIBRARY:
            libraries.append(_library(name, row, population))
    return libraries


def _library(name: str, row: dict[str, str], population: int) -> Organisation:
    return Organisation(
        name=f"Bibliotheek {name}",
        kind=OrganisationKind.LIBRARY,
        municipality="-".join(SHARED_LIBRARY) if row["municipality"] in SHARED_LIBRARY else row["municipality"],
        province=row["province"],
        population=population,
        # The libraries of Brussels are local ones, however many people live around them.
        regional=population > REGIONAL_ABOVE and row["province"] != BRUSSELS_PROVINCE,
        big_city=name in BIG_CITIES,
    )


def _culture_centre(row: dict[str, str]) -> Organisation:
    return Organisation(
        name=f"Cultuurcentrum {row['municipality']}",
        kind=OrganisationKind.CULTURE_CENTRE,
        municipality=row["municipality"],
        province=row["province"],
        population=int(row["population_2020"]),
    )


def _subscriptions(
    rng: random.Random,
    libraries: list[Organisation],
    services: dict[str, Service],
    takers: dict[str, list[Organisation]],
    today: date,
) -> list[Subscription]:
    """Who takes what; fills `takers` with those whose subscription runs today."""
    # The big cities take everything: every steering group has a seat for one.
    ordinary = [library for library in libraries if not (library.big_city or library.name in DIRECTOR_OF_BOTH)]
    without = iter(rng.sample(ordinary, len(ordinary)))
    ledger = Ledger(rng, today)
    for slug, offer in (BASIC | FURTHER).items():
        if slug not in services:
            continue  # the charter's services change; a demonstration need not
        missing = len(libraries) - offer.takers
        absent = [next(without) for _ in range(missing)] if slug in BASIC else rng.sample(ordinary, missing)
        takers[slug] += [library for library in libraries if library not in absent]
        ledger.running(services[slug], offer, takers[slug])
        ledger.ended(services[slug], offer, absent[: offer.ended])
        if slug == MOVING:
            ledger.moving(services[slug], offer, takers[slug], newcomer=absent[-1])
    return ledger.rows


class Ledger:
    """Writes subscriptions, with a contract reference that counts on."""

    def __init__(self, rng: random.Random, today: date) -> None:
        self.rng, self.today = rng, today
        self.rows: list[Subscription] = []

    def running(self, service: Service, offer: Offer, takers: Sequence[Organisation]) -> None:
        """Subscriptions that run today and have no end."""
        for organisation in takers:
            year = self.rng.randint(self.today.year - 7, self.today.year - 1)
            self._add(service, offer, organisation, date(year, 1, 1))

    def ended(self, service: Service, offer: Offer, former: Sequence[Organisation]) -> None:
        """Subscriptions that ended with last year."""
        for organisation in former:
            year = self.rng.randint(self.today.year - 7, self.today.year - 2)
            self._add(service, offer, organisation, date(year, 1, 1), date(self.today.year - 1, 12, 31))

    def moving(self, service: Service, offer: Offer, takers: list[Organisation], newcomer: Organisation) -> None:
        """Let one of the takers stop at the end of next month, and a newcomer start on its first day."""
        starts = first_of_next_month(self.today)
        leaver = self.rng.choice([one for one in takers if not one.big_city and one.name not in DIRECTOR_OF_BOTH])
        row = next(r for r in self.rows if r.organisation_id == leaver.id and r.service_id == service.id)
        row.ends_on = first_of_next_month(starts) - timedelta(days=1)
        self._add(service, offer, newcomer, starts)

    def _add(
        self, service: Service, offer: Offer, organisation: Organisation, starts: date, ends: date | None = None
    ) -> None:
        price = offer.fee_euro + offer.euro_per_1000 * organisation.population // 1000
        self.rows.append(
            Subscription(
                organisation_id=organisation.id,
                service_id=service.id,
                starts_on=starts,
                ends_on=ends,
                contract_reference=f"CC-{starts.year}-{len(self.rows) + 1:04}",
                price_cents=round(price, -1) * 100,
            )
        )


def first_of_next_month(day: date) -> date:
    """The first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
