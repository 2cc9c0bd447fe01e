"""What is wrong with a vote that staff recorded, as one of its unit's contacts types it."""

from __future__ import annotations

import unicodedata

from wtforms import Form, TextAreaField
from wtforms.validators import DataRequired, Length

from coopmail.forms.kind import lazy
from coopmail.forms.staff.texts import plain


def lines(text: str | None) -> str:
    """Lines as typed, in NFC, without white space around them."""
    return unicodedata.normalize("NFC", (text or "").replace("\r\n", "\n").replace("\r", "\n")).strip()


class ContestForm(Form):
    """A reason, typed: whatever sends the form as it was served contests nothing."""

    reason = TextAreaField(
        lazy("What is wrong with this vote?"), filters=[lines],
        validators=[
            DataRequired(lazy("Say what is wrong, in a sentence.")),
            Length(max=2000, message=lazy("Keep this under 2,000 characters.")), plain,
        ],
    )  # fmt: skip
