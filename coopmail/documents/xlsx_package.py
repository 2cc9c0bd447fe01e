"""The package that an XLSX file is: a zip of small XML parts that name each other.

Nothing is unpacked before the zip's own directory was found to stay within bounds, and every part is read in pieces:
a file is never in memory as a whole once it is unpacked.
"""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from xml.parsers import expat

from coopmail.documents.shape import TableUnreadable

MAX_UNPACKED = 200_000_000
"""Bytes, of all members together as the directory declares them; `zipfile` unpacks no byte more than was declared."""
MAX_MEMBERS = 2_000
MAX_ELEMENTS = 12_000_000
"""XML elements in one part: the largest tables have some nine million, and a bomb of empty ones takes long."""
_PIECE = 64 * 1024
_DIRECTORY_ENTRY = b"PK\x01\x02"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError)
"""What zipfile raises over bytes that are no sound zip."""
_ENCODINGS = ("utf-8", "utf-16", "us-ascii", "iso-8859-1", "windows-1252")

Attributes = dict[str, str]
Start = Callable[[str, Attributes], Any]
End = Callable[[str], Any]


class Package:
    """The members of a zip by their name in small letters. Raises `TableUnreadable` where it is no sound one."""

    def __init__(self, raw: bytes) -> None:
        if raw.count(_DIRECTORY_ENTRY) > MAX_MEMBERS:
            raise TableUnreadable("not_a_table")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(raw))
        except _BROKEN as error:
            raise TableUnreadable("damaged") from error
        members = self._zip.infolist()
        if sum(member.file_size for member in members) > MAX_UNPACKED:
            raise TableUnreadable("too_big_unpacked", limit=MAX_UNPACKED)
        if any(member.flag_bits & 1 for member in members):
            raise TableUnreadable("encrypted")
        if any(member.compress_type not in _METHODS for member in members):
            raise TableUnreadable("damaged")
        self._members = {member.filename.replace("\\", "/").lower(): member for member in members}

    def has(self, part: str) -> bool:
        """Whether a part of this name is there."""
        return part.lower() in self._members

    def _pieces(self, part: str) -> Iterator[bytes]:
        member = self._members.get(part.lower())
        if member is None:
            raise TableUnreadable("damaged")
        try:
            with self._zip.open(member) as file:
                while piece := file.read(_PIECE):
                    yield piece
        except _BROKEN as error:
            raise TableUnreadable("damaged") from error

    def parse(self, part: str, start: Start, end: End, text: Callable[[str], Any] | None = None) -> Iterator[None]:
        """Tell the elements of a part, pausing after each piece so that what was heard can be handed on.

        Names come without their namespace: Excel has two for the same elements. A document type declaration is
        refused, and with it every entity of one's own. Raises `TableUnreadable`.
        """
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        elements = 0
        names: dict[str, str] = {}

        def started(name: str, attributes: Attributes) -> None:
            nonlocal elements
            elements += 1
            if name not in names:
                names[name] = name.rpartition(" ")[2]
            start(names[name], attributes)

        def refuse(*_: Any) -> None:
            raise TableUnreadable("damaged")

        parser.StartElementHandler = started
        parser.EndElementHandler = lambda name: end(names[name])
        parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = refuse
        parser.XmlDeclHandler = _known_encoding
        try:
            for piece in self._pieces(part):
                parser.Parse(piece, False)
                if elements > MAX_ELEMENTS:
                    raise TableUnreadable("too_many_cells", limit=MAX_ELEMENTS)
                yield
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise TableUnreadable("damaged") from error
        yield

    def elements(self, part: str) -> list[tuple[str, Attributes]]:
        """All elements of a small part in order, attributes by their name without namespace."""
        found: list[tuple[str, Attributes]] = []
        for _ in self.parse(part, lambda name, given: found.append((name, _bare(given))), _nothing):
            if len(found) > MAX_MEMBERS * 100:
                raise TableUnreadable("damaged")
        return found

    def related(self, part: str) -> dict[str, tuple[str, str]]:
        """The parts that a part names: by its id, the last word of the kind and the name of the part."""
        folder, _, file = part.rpartition("/")
        relations = posixpath.join(folder, "_rels", f"{file}.rels")
        if not self.has(relations):
            return {}
        found = {}
        for name, given in self.elements(relations):
            if name == "Relationship" and given.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, given.get("Target", ""))).lstrip("/")
                found[given.get("Id", "")] = (given.get("Type", "").rpartition("/")[2], target)
        return found


def _bare(attributes: Attributes) -> Attributes:
    return {name.rpartition(" ")[2]: value for name, value in attributes.items()}


def _known_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    """Refuse an encoding that no office program writes; one that Python does not know is no error of XML to expat."""
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        raise TableUnreadable("damaged")


def _nothing(name: str) -> None:
    """What is done at the end of an element of which only the attributes matter."""
