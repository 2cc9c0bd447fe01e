"""What staff type when they hold mails back or take them back."""

from __future__ import annotations

from wtforms import Form, StringField
from wtforms.validators import DataRequired, Length

from coopmail.forms.kind import lazy, tidy


class ReasonForm(Form):
    """Why; it stands beside the mails and in the record."""

    reason = StringField(
        lazy("Reason"),
        filters=[tidy],
        validators=[
            DataRequired(lazy("Type the reason: colleagues who look here read it.")),
            Length(max=300, message=lazy("Keep the reason under 300 characters.")),
        ],
    )
