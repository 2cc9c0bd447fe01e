"""Documents that staff send along: what may be sent, how large it may be, and how it is named."""

from __future__ import annotations

import mimetypes
import unicodedata
from pathlib import PurePath

from werkzeug.datastructures import FileStorage
from wtforms import MultipleFileField, ValidationError

from coopmail.actions.decisions import Document
from coopmail.forms.kind import lazy

MAX_DOCUMENT = 10 * 1024 * 1024
MAX_DOCUMENTS = 5
MEDIA_TYPES = ("application/pdf", "text/plain", "image/png", "image/jpeg", "text/csv")
"""What a browser shows or keeps without running anything in it."""


class DocumentsField(MultipleFileField):
    """Up to five documents. `documents` holds them once the form is valid."""

    documents: tuple[Document, ...] = ()

    @property
    def sent(self) -> bool:
        """Whether files came along: a browser forgets them when a form is shown again."""
        return any(_is_file(file) for file in self.data or ())

    def pre_validate(self, _form: object) -> None:
        """Read what was sent, or say what is wrong with it."""
        files = [file for file in self.data or () if _is_file(file)]
        if len(files) > MAX_DOCUMENTS:
            raise ValidationError(lazy("Send five documents at most: join some of them into one PDF."))
        self.documents = tuple(_document(file) for file in files)


def _is_file(file: object) -> bool:
    return isinstance(file, FileStorage) and bool(file.filename)


def _document(file: FileStorage) -> Document:
    name = _plain_name(file.filename or "")
    media_type, packed = mimetypes.guess_type(name)
    if media_type not in MEDIA_TYPES or packed is not None:
        raise ValidationError(lazy("Send a PDF, a text file, a CSV, a PNG or a JPEG: save other documents as PDF."))
    content = file.stream.read(MAX_DOCUMENT + 1)
    if len(content) > MAX_DOCUMENT:
        raise ValidationError(lazy("A document of more than 10 MB is too large: save it as a smaller PDF."))
    if not content:
        raise ValidationError(lazy("One of the files is empty: choose it again."))
    return Document(name, media_type, content)


def _plain_name(name: str) -> str:
    """The name without folders and invisible characters, short enough to keep and with its ending."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(
        char for char in unicodedata.normalize("NFC", last) if not unicodedata.category(char).startswith("C")
    )
    path = PurePath(" ".join(kept.split()) or "-")
    return path.stem[: 120 - len(path.suffix)] + path.suffix[:120]
