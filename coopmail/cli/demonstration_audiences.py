"""The demonstration's wider field: persons who stand for no organisation, and audiences that staff saved."""

from __future__ import annotations

import random
from datetime import datetime

from sqlalchemy.orm import Session

from coopmail.cli.demonstration_people import AREA_CODES, Inventor
from coopmail.domain.audience_question import About, Condition, Question, to_json
from coopmail.domain.audiences import SavedAudience

PERSONS = 12
DOMAIN = "uithetveld.example"

AUDIENCES = {
    "Krantenarchief in Limburg": Question((
        (Condition(About.SERVICE, "krantenarchief"), Condition(About.PROVINCE, "Limburg")),
    )),
    "Grote en regionale bibliotheken": Question((
        (Condition(About.TYPE, "library"), Condition(About.SIZE, "50000-")),
        (Condition(About.TYPE, "library"), Condition(About.MARK, "regional")),
    )),
    "Wie nog geen coöperant is": Question(((Condition(About.MEMBER, negated=True),),)),
}  # fmt: skip
"""Members of one service in one province; either of two; and whoever a consultation hears apart."""


def widen(session: Session, rng: random.Random, now: datetime) -> None:
    """Write the persons and the audiences. Called last: nobody else's name or number changes by it."""
    inventor = Inventor(rng, now)
    session.add_all(inventor.person(DOMAIN, rng.choice(sorted(AREA_CODES))) for _ in range(PERSONS))
    session.add_all(
        SavedAudience(name=name, question=to_json(question), created_at=now) for name, question in AUDIENCES.items()
    )
    session.flush()
