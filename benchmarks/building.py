"""Building alone: from an invitation's values to the message's octets, nothing asked of a database and nothing sent.

Ours begins with the letter (who, for whom, which link, what it costs them), writes every value escaped and encoded
into the campaign's compiled message, and adds the headers. Beside it Flask-Mail's `as_bytes` and Python's own
`EmailMessage`, which get the same texts ready and only fill in name, organisation and link. By processor time.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from benchmarks.kit import theirs
from benchmarks.kit.field import fill, installation, open_poll, settings_of
from benchmarks.kit.report import Row, compared
from benchmarks.kit.run import Run, Wrong
from benchmarks.kit.sample import sample
from coopmail import create_app, wording
from coopmail.mail import claims, letters
from coopmail.mail.delivery import composer_of
from coopmail.mail.letters import Letter
from coopmail.mail.message import Mailbox, head, message_id
from coopmail.parts import parts
from coopmail.queries.outbox import Envelope, envelopes

Ours = tuple[Envelope, Letter]


def rows(run: Run) -> list[Row]:
    """Messages a second of processor time, ours beside each of the others."""
    ours, others = run.count(5_000, 500), run.count(500, 100)
    message = sample()
    run.say(f"{run.rounds} rounds: {ours:,} messages of ours, {others:,} of each other; {message.wire:,} octets each.")
    flask = theirs.application()
    rates: dict[str, list[float]] = {"ours": [], "Flask-Mail as_bytes": [], "EmailMessage": []}
    with tempfile.TemporaryDirectory() as folder, _installed(Path(folder), ours) as app:
        message.write(Path(folder) / "message.json", others)
        content = json.loads((Path(folder) / "message.json").read_text(encoding="utf-8"))
        flask_mail, stdlib, people = theirs.by_flask_mail(content), theirs.by_stdlib(content), content["recipients"]
        with _speaking(app):
            build, mails = our_builder(app), _letters(app, ours)
            if abs(len(build(mails[0])) - message.wire) > 200:  # and the campaign is compiled
                raise Wrong("What is built is not the invitation that is sent.")
        for _ in range(run.rounds):
            with _speaking(app):
                rates["ours"].append(_rate(build, mails))
            with flask.app_context():
                rates["Flask-Mail as_bytes"].append(_rate(lambda to: flask_mail(to).as_bytes(), people))
            rates["EmailMessage"].append(_rate(stdlib, people))
    return [compared("building an invitation", rates["ours"], name, rates[name], 20) for name in list(rates)[1:]]


def our_builder(app: Flask) -> Callable[[Ours], bytes]:
    """The function that builds a mail of ours, as delivery does: the one place here that knows how."""
    settings, composer = parts(app).settings, composer_of(app)
    sender = Mailbox(settings.sender_name, settings.sender)

    def build(what: Ours) -> bytes:
        mail, letter = what
        composed = composer.compose(mail.template, letter)
        return head(
            key=mail.key, message_id=message_id(mail.key, sender), to=Mailbox(mail.name, mail.email), sender=sender,
            reply_to=settings.reply_to, subject=composed.subject, created_at=mail.created_at, language=mail.language,
            extra={"X-Coopmail-Mail": mail.template},
        ) + composed.body(mail.key)  # fmt: skip

    return build


@contextmanager
def _installed(folder: Path, count: int) -> Iterator[Flask]:
    settings = settings_of(f"sqlite:///{folder}/building.sqlite", folder)
    with installation(settings) as office:
        fill(office, count)
        open_poll(office, long=True)
    app = create_app(settings)
    yield app
    parts(app).db.close()


@contextmanager
def _speaking(app: Flask) -> Iterator[None]:
    with app.app_context(), wording.speaking("nl"):
        yield


def _letters(app: Flask, count: int) -> list[Ours]:
    office = parts(app)
    held = claims.claim(office.db, count)
    with office.db.reading() as (session, now):
        desk = letters.Desk(
            lambda: session, now(), office.settings, office.signer, letters.Memory(), composer_of(app).keep
        )
        found = [envelopes(session, [claim.id for claim in held[at : at + 500]]) for at in range(0, count, 500)]
        return [(mail, letters.write(desk, mail)) for some in found for mail in some.values()]


def _rate(build: Callable[[Any], object], what: Sequence[Any]) -> float:
    began = time.process_time()
    for one in what:
        build(one)
    return len(what) / (time.process_time() - began)
