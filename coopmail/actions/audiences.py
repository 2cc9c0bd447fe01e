"""Saved audiences: written, changed, put away and taken back. Each is a question that is asked anew when it is used."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.actions.records import STAFF, audit
from coopmail.clock import Clock
from coopmail.domain.audience_question import Question, to_json
from coopmail.domain.audiences import SavedAudience
from coopmail.errors import ActionRefused, UnknownSubject
from coopmail.queries import audiences


class NameTaken(ActionRefused):
    """Another audience has that name; staff choose by it, so two may not share one."""


def save_audience(
    session: Session, now: Clock, *, name: str, description: str, question: Question, actor: str = STAFF
) -> SavedAudience:
    """Keep a question under a name. Raises `NameTaken`, or `UnknownSubject` where it names no service or group."""
    _check(session, name, question, None)
    moment = now()
    audience = SavedAudience(name=name, description=description, question=to_json(question), created_at=moment)
    session.add(audience)
    session.flush()
    audit(session, moment, "audience-saved", actor, _subject(audience), name=name, question=audience.question)
    return audience


def change_audience(
    session: Session, now: Clock, audience_id: int, version: int, *, name: str, description: str, question: Question,
    actor: str = STAFF,
) -> SavedAudience:  # fmt: skip
    """Change a saved audience. What polls asked that are open or closed stays as it was frozen; drafts follow.

    The same again changes nothing. Raises `ChangedMeanwhile`, `NameTaken` or `UnknownSubject`.
    """
    audience = _locked(session, audience_id)
    after = {"name": name, "description": description, "question": to_json(question)}
    before = {key: getattr(audience, key) for key in after}
    if before == after:
        return audience
    audience.edit(version)
    _check(session, name, question, audience_id)
    for key, value in after.items():
        setattr(audience, key, value)
    changed = [key for key in after if before[key] != after[key]]
    audit(session, now(), "audience-changed", actor, _subject(audience),
          before={key: before[key] for key in changed}, after={key: after[key] for key in changed})  # fmt: skip
    return audience


def archive_audience(session: Session, now: Clock, audience_id: int, *, actor: str = STAFF) -> SavedAudience:
    """Put an audience away: no new poll can ask it. A second time changes nothing."""
    audience = _locked(session, audience_id)
    if audience.archived_at is None:
        moment = now()
        audience.archived_at = moment
        audit(session, moment, "audience-archived", actor, _subject(audience))
    return audience


def restore_audience(session: Session, now: Clock, audience_id: int, *, actor: str = STAFF) -> SavedAudience:
    """Take an audience back from the archive. A second time changes nothing."""
    audience = _locked(session, audience_id)
    if audience.archived_at is not None:
        audience.archived_at = None
        audit(session, now(), "audience-restored", actor, _subject(audience))
    return audience


def _subject(audience: SavedAudience) -> str:
    return f"audience:{audience.id}"


def _locked(session: Session, audience_id: int) -> SavedAudience:
    found = sa.select(SavedAudience).where(SavedAudience.id == audience_id).with_for_update()
    audience = session.scalars(found.execution_options(populate_existing=True)).one_or_none()
    if audience is None:
        raise UnknownSubject(f"There is no audience {audience_id}.")
    return audience


def _check(session: Session, name: str, question: Question, but: int | None) -> None:
    lower = sa.func.lower(SavedAudience.name)
    other = session.scalars(sa.select(SavedAudience.id).where(lower == name.lower())).first()
    if other is not None and other != but:
        raise NameTaken(f"There is an audience called {name} already.")
    unknown = audiences.unknown(session, question)
    if unknown:
        raise UnknownSubject(f"There is no service or group called {', '.join(unknown)}.")
