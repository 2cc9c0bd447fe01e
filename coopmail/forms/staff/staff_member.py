"""One of the staff: name, address, role, language."""

from __future__ import annotations

from wtforms import EmailField, Form, HiddenField, RadioField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # the stubs are of 3.2
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length

from coopmail.forms.contact_details import an_address
from coopmail.forms.kind import lazy, one_line, tidy


class StaffMemberForm(Form):
    """Who may use the console, and how."""

    version = HiddenField()
    name = StringField(
        lazy("Name"), filters=[tidy],
        validators=[DataRequired(lazy("Type the name.")),
                    Length(max=120, message=lazy("Keep the name under 120 characters.")), one_line],
    )  # fmt: skip
    email = EmailField(
        lazy("E-mail address"), validators=[DataRequired(lazy("Type the address to mail the code to.")), an_address]
    )
    role = RadioField(
        lazy("Role"),
        choices=[
            SelectChoice("staff", lazy("Staff: does the daily work")),
            SelectChoice("admin", lazy("Admin: also says who the staff are")),
        ],
        validate_choice=False,
        validators=[InputRequired(lazy("Choose a role.")), AnyOf(["staff", "admin"], message=lazy("Choose a role."))],
    )
    language = RadioField(
        lazy("Language of the console"),
        choices=[SelectChoice("nl", "Nederlands"), SelectChoice("en", "English")],
        validate_choice=False,
        validators=[
            InputRequired(lazy("Choose a language.")), AnyOf(["nl", "en"], message=lazy("Choose a language.")),
        ],
    )  # fmt: skip
