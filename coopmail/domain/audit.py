"""The record of what was done, how it is sealed, and what waits for staff.

**The sealed chain**, for whoever verifies it with another program:

- A hash is the SHA-256 of fields in a row, each as a netstring: its length in bytes as a decimal number, `:`, the
  bytes, `,`. Texts are UTF-8, numbers decimal, hashes and salts lower-case hexadecimal digits.
- `commitment` hashes `coopmail-audit-commitment-1`, salt, actor, detail. The detail is the JSON text as it stands in
  the database, byte for byte, so that no two programs need to agree on how JSON is written.
- `chain` hashes `coopmail-audit-chain-1`, the `chain` of the row before (64 zeros before the first), sequence, id, at,
  act, subject, commitment. The moment is in UTC and written as `2026-11-16 08:00:00.000000`.
- An erased row has no salt, an empty actor and the detail `{}`; its `commitment` stays. An earlier row is erased
  rightly where a sealed row of act `audit-erased` and subject `audit` has its sequence among `sequences`.
- The mark `audit-head` holds `SEQUENCE:CHAIN` of the last sealed row; outcome mails carry it as it was at closing.

What this cannot show: a row changed in the seconds before it is sealed, and a chain that was written anew from some
row to the end, mark included. The second is shown by a head that somebody kept.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from coopmail.domain.base import Base
from coopmail.domain.outbox import Mail
from coopmail.domain.polls import Poll, VotingUnit
from coopmail.domain.staff import StaffMember

AUDIT_HEAD = "audit-head"
ERASED = "audit-erased"
ERASED_SUBJECT = "audit"


class AuditRow(Base):
    """One act; rows are only added. `actor` is `contact:ID`, `staff:ID`, `staff` (at the command line) or `runner`.

    `subject` is `poll:ID` or so.

    Sealed a few seconds later: `sequence` numbers the chain without a gap, `commitment` is the hash of salt, actor and
    detail (a person is forgotten by erasing these three), `chain` the hash of all before it and of this row.
    """

    __tablename__ = "audit_rows"
    __table_args__ = (
        # What is not sealed yet stays quick to find, however long the record grows.
        sa.Index("ix_audit_rows_unsealed", "id", sqlite_where=sa.text("sequence IS NULL"),
                 postgresql_where=sa.text("sequence IS NULL")),
    )  # fmt: skip
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    act: Mapped[str] = mapped_column(sa.String(60))
    actor: Mapped[str] = mapped_column(sa.String(60))
    subject: Mapped[str] = mapped_column(sa.String(60), index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    sequence: Mapped[int | None] = mapped_column(unique=True, index=True)
    salt: Mapped[str | None] = mapped_column(sa.String(32))
    commitment: Mapped[str | None] = mapped_column(sa.String(64))
    chain: Mapped[str | None] = mapped_column(sa.String(64))


class Matter(Base):
    """Something that waits for staff: what the runner could not do, whom nobody reaches. `key` names it once.

    Its words are found when it is shown (`wording.matter`), by what stands before the first colon of the key; `text` is
    kept for matters that have none there.
    """

    __tablename__ = "matters"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(120), unique=True)
    text: Mapped[str] = mapped_column(sa.Text)
    raised_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    poll_id: Mapped[int | None] = mapped_column(sa.ForeignKey("polls.id"), index=True)
    unit_id: Mapped[int | None] = mapped_column(sa.ForeignKey("voting_units.id"))
    mail_id: Mapped[int | None] = mapped_column(sa.ForeignKey("outbox.id"))
    detail: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    settled_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))

    poll: Mapped[Poll | None] = relationship()
    unit: Mapped[VotingUnit | None] = relationship()
    mail: Mapped[Mail | None] = relationship()
    settled_by: Mapped[StaffMember | None] = relationship()


@dataclass(frozen=True)
class Head:
    """The last sealed row: its sequence and its chain.

    Whoever kept a head can tell later whether all before it is as it was.
    """

    sequence: int
    chain: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.chain}"

    @classmethod
    def read(cls, text: str) -> Head:
        """The reverse of `str`; raises `ValueError`."""
        found = re.fullmatch(r"(0|[1-9][0-9]{0,17}):([0-9a-f]{64})", text)
        if found is None:
            raise ValueError("a head is SEQUENCE:HASH, the hash in 64 hexadecimal digits")
        return cls(int(found[1]), found[2])


START = Head(0, "0" * 64)
"""Before the first row."""


class Written(NamedTuple):
    """An audit row as its bytes stand in the database, whatever is in them; `None` where nothing is."""

    id: bytes
    at: bytes | None
    act: bytes | None
    subject: bytes | None
    actor: bytes | None
    detail: bytes | None
    sequence: bytes | None
    salt: bytes | None
    commitment: bytes | None
    chain: bytes | None

    @property
    def erased(self) -> bool:
        """Whether it has the form of a row that was erased."""
        return (self.salt, self.actor, self.detail) == (None, b"", b"{}")

    def committed(self) -> str:
        """What its commitment must be; empty where a field is missing."""
        return _hash(b"coopmail-audit-commitment-1", self.salt, self.actor, self.detail)

    def chained(self, before: Head) -> str:
        """What its chain must be where it follows on `before`; empty where a field is missing."""
        sequence = str(before.sequence + 1).encode()
        return _hash(
            b"coopmail-audit-chain-1", before.chain.encode(), sequence,
            self.id, self.at, self.act, self.subject, self.commitment,
        )  # fmt: skip

    def follows(self, before: Head) -> bool:
        """Whether it was sealed right after `before`, whatever number it bears now."""
        return bool(self.chain) and self.chain == self.chained(before).encode()

    def kept(self) -> bool:
        """Whether actor, detail and salt are those that were sealed."""
        return bool(self.commitment) and self.commitment == self.committed().encode()


def _hash(*fields: bytes | None) -> str:
    known = [field for field in fields if field is not None]
    if len(known) < len(fields):
        return ""
    return hashlib.sha256(b"".join(b"%d:%b," % (len(field), field) for field in known)).hexdigest()
