"""What staff send to import organisations: a file, and afterwards that it may be done as it was shown."""

from __future__ import annotations

from typing import Any

from werkzeug.datastructures import FileStorage
from wtforms import BooleanField, FileField, Form, HiddenField, ValidationError

from coopmail.forms.kind import lazy, tidy


class UploadForm(Form):
    """One file; `name` and `content` are those of a form that is valid."""

    file = FileField(lazy("File"))
    name = ""
    content = b""

    def validate_file(self, field: Any) -> None:
        """Read the file, or ask for one."""
        sent = field.data
        if not isinstance(sent, FileStorage) or not sent.filename:
            raise ValidationError(lazy("Choose a file first."))
        self.name = tidy(sent.filename.replace("\\", "/").rpartition("/")[2])[-200:] or "-"
        self.content = sent.stream.read()


class ConfirmForm(Form):
    """That what was shown may be written. `seen` is the digest of the plan on the page."""

    seen = HiddenField()
    skip_bad = BooleanField()
