"""Signing in: an address, then a code."""

from __future__ import annotations

import re

from wtforms import EmailField, Form, StringField, ValidationError
from wtforms.validators import DataRequired, Length

from coopmail.forms.contact_details import an_address
from coopmail.forms.kind import lazy


def digits(text: str | None) -> str:
    """A code as it was meant: people copy it with spaces around and inside."""
    return re.sub(r"\s", "", text or "")


class AddressForm(Form):
    """At which address the code is to be mailed."""

    email = EmailField(
        lazy("Your e-mail address"),
        validators=[DataRequired(lazy("Type your e-mail address.")), Length(max=320), an_address],
    )


class CodeForm(Form):
    """The six digits from the mail."""

    code = StringField(lazy("The code of six digits"), filters=[digits],
                       validators=[DataRequired(lazy("Type the six digits from the mail."))])  # fmt: skip

    def validate_code(self, field: StringField) -> None:
        """Six digits, and nothing else."""
        if not re.fullmatch(r"[0-9]{6}", field.data or ""):
            raise ValidationError(lazy("The code is six digits, as in 012 345."))
