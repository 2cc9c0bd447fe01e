"""Flask-Mail as a competent user writes it: `python -m benchmarks.kit.theirs PORT MESSAGE_FILE`.

One connection for all, as its documentation says; the texts are ready and only need their recipient's values.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import flask_mail
from flask import Flask

SENDER = "cooperatie@cultuurconnect.example"
Filled = tuple[str, str, str]


def filled(message: dict[str, Any], person: dict[str, str]) -> Filled:
    """Subject, text and html for one recipient, by the fastest means there is."""

    def put(text: str) -> str:
        for name in ("name", "unit", "link"):
            text = text.replace(f"{{{name}}}", person[name])
        return text

    return put(message["subject"]), put(message["text"]), put(message["html"])


def by_flask_mail(message: dict[str, Any]) -> Callable[[dict[str, str]], flask_mail.Message]:
    """Flask-Mail's message for a recipient."""

    def make(person: dict[str, str]) -> flask_mail.Message:
        subject, text, html = filled(message, person)
        return flask_mail.Message(subject, recipients=[person["email"]], body=text, html=html, sender=SENDER)

    return make


def by_stdlib(message: dict[str, Any]) -> Callable[[dict[str, str]], bytes]:
    """The bytes that Python's own `EmailMessage` makes for a recipient."""

    def make(person: dict[str, str]) -> bytes:
        subject, text, html = filled(message, person)
        mail = EmailMessage(policy=SMTP)
        mail["Subject"], mail["From"], mail["To"] = subject, SENDER, person["email"]
        mail.set_content(text)
        mail.add_alternative(html, subtype="html")
        return mail.as_bytes()

    return make


def application(port: int = 25) -> Flask:
    """A Flask application that knows Flask-Mail and nothing else."""
    app = Flask("theirs")
    app.config.update(MAIL_SERVER="127.0.0.1", MAIL_PORT=port)
    flask_mail.Mail(app)
    return app


def main() -> None:
    """Send, and print the seconds from the first message to the last."""
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    message = json.loads(file.read_text(encoding="utf-8"))
    make, app = by_flask_mail(message), application(port)
    with app.app_context():
        began = time.monotonic()
        with app.extensions["mail"].connect() as connection:
            for person in message["recipients"]:
                connection.send(make(person))
        seconds = time.monotonic() - began
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
