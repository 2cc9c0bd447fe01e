"""What the installation notes about itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coopmail.domain.base import InstallationMark, insert_new
from coopmail.queries.installation import SWEEP, write_moment


def note_sweeps(session: Session, now: datetime, jobs: Iterable[str]) -> None:
    """Note that these jobs ran; an older moment than the one that is noted changes nothing."""
    moment = write_moment(now)
    for name in sorted(jobs):  # always in one order, so that two workers cannot wait for each other
        session.execute(insert_new(session, InstallationMark).values(name=SWEEP + name, value=moment))
        session.execute(
            sa.update(InstallationMark)
            .where(InstallationMark.name == SWEEP + name, InstallationMark.value < moment)
            .values(value=moment)
        )
