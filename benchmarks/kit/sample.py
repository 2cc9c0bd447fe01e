"""The message that everybody sends: an invitation of ours from the local mailbox, with places for a recipient."""

from __future__ import annotations

import email
import email.policy
import json
import re
import tempfile
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from pathlib import Path

from benchmarks.kit.field import fill, installation, open_poll, settings_of
from benchmarks.kit.run import Wrong
from coopmail import create_app
from coopmail.mail.delivery import deliver_due

NAME, UNIT, LINK = "Mieke Peeters-1", "Bibliotheek van gemeente 1", re.compile(r"http://127\.0\.0\.1/r/[^/\s\"<]+")


@dataclass(frozen=True)
class Sample:
    """Subject, text and html with `{name}`, `{unit}` and `{link}` in them; `wire` is the size of ours in octets."""

    subject: str
    text: str
    html: str
    wire: int

    def write(self, file: Path, count: int) -> None:
        """Write what a comparator wants to know: the message and its recipients."""
        people = [
            {"name": f"Mieke Peeters-{n}", "unit": f"Bibliotheek van gemeente {n}", "email": f"mieke@l{n}.example",
             "link": f"http://127.0.0.1/r/ballot.{n:022}.{n:043}"} for n in range(1, count + 1)
        ]  # fmt: skip
        file.write_text(json.dumps(asdict(self) | {"recipients": people}), encoding="utf-8")


def sample() -> Sample:
    """Send one invitation to the local mailbox, and take it apart."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(f"sqlite:///{folder}/sample.sqlite", Path(folder))
        with installation(settings) as office:
            fill(office, 1)
            open_poll(office, long=True)
        deliver_due(create_app(settings))
        (file,) = settings.mailbox.glob("*.eml")
        raw = file.read_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    if text is None or html is None or LINK.search(html.get_content()) is None:
        raise Wrong("The invitation has no text, no html or no link.")
    subject, plain, rich = (
        _with_places(part) for part in (str(message["Subject"]), text.get_content(), html.get_content())
    )
    return Sample(subject, plain, rich, len(raw))


def _with_places(text: str) -> str:
    return LINK.sub("{link}", text).replace(NAME, "{name}").replace(UNIT, "{unit}")
