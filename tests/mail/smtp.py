"""A real SMTP server for the tests: it keeps what it is given, and answers as it was told to."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import shutil
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult


@dataclass(frozen=True)
class Arrived:
    """A message as it came over the wire, dots unstuffed, and what was answered at its end."""

    sender: str
    recipient: str
    raw: bytes
    reply: str

    @property
    def message(self) -> EmailMessage:
        """The message, parsed."""
        found = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def template(self) -> str:
        """Which letter it is."""
        return str(self.message["X-Coopmail-Mail"])


@dataclass
class _Answer:
    verb: str
    reply: str
    to: str | None
    times: int | None
    closes: bool


class _Session(SMTP):
    """The server's side of a connection: the word DATA can be refused before the message is sent."""

    async def smtp_EHLO(self, hostname: str) -> None:
        await self._heard("EHLO", super().smtp_EHLO, hostname)

    async def smtp_MAIL(self, arg: str | None) -> None:
        await self._heard("MAIL", super().smtp_MAIL, arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        await self._heard("RCPT", super().smtp_RCPT, arg)

    async def smtp_DATA(self, arg: str) -> None:
        await self._heard("DATA", super().smtp_DATA, arg)

    async def smtp_RSET(self, arg: str) -> None:
        await self._heard("RSET", super().smtp_RSET, arg)

    async def _heard(self, verb: str, usual: Callable[[Any], Any], arg: str | None) -> None:
        server: SmtpServer = self.event_handler
        server.heard.append(verb)
        recipients = self.envelope.rcpt_tos if self.envelope else []
        about = arg if verb == "RCPT" else (recipients[0] if recipients else "")
        answer = server.answer_to(verb, about or "")
        if answer is None:
            await usual(arg)
            return
        await self.push(answer.reply)
        if answer.closes and self.transport is not None:
            self.transport.close()


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Session(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]  # it was asked for port 0
        super()._trigger_server()  # type: ignore[no-untyped-call]


class SmtpServer:
    """A server on a free port. `messages` were accepted, `attempts` are all that came whole, `heard` is each verb.

    `on_data` is called, in the server's thread, while a message waits for its answer. With `meet`, the first message
    of each connection is answered only when so many connections have sent one.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        self.attempts: list[Arrived] = []
        self.heard: list[str] = []
        self.on_data: Callable[[], None] = lambda: None
        self.meet = 1
        self._met: set[object] = set()
        self._answers: list[_Answer] = []
        options: dict[str, Any] = {"tls_context": tls} if tls else {}
        if login is not None:
            options |= {"authenticator": _authenticator(login)}
        self._controller = _Controller(self, hostname="127.0.0.1", port=0, enable_SMTPUTF8=False, **options)

    def __enter__(self) -> SmtpServer:
        self._controller.start()
        self.heard.clear()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._controller.port

    @property
    def messages(self) -> list[Arrived]:
        """What was accepted, in the order in which it came."""
        return [arrived for arrived in self.attempts if arrived.reply.startswith("250")]

    def recipients(self, template: str | None = None) -> list[str]:
        """To whom something was accepted, sorted; one letter's only where it is named."""
        return sorted(found.recipient for found in self.messages if template in (None, found.template))

    def forget(self) -> None:
        """Begin anew: nothing has come, and everything is welcome."""
        self.attempts.clear()
        self.heard.clear()
        self._answers.clear()

    def answer(
        self, verb: str, reply: str, *, to: str | None = None, times: int | None = None, closes: bool = False
    ) -> None:
        """Answer a verb so, for a recipient or for all, so many times or always; `END` is the end of a message."""
        self._answers.append(_Answer(verb, reply, to, times, closes))

    def answer_to(self, verb: str, about: str) -> _Answer | None:
        """The answer that was ordered, if any."""
        for answer in self._answers:
            if answer.verb == verb and answer.times != 0 and (answer.to is None or answer.to in about):
                if answer.times is not None:
                    answer.times -= 1
                return answer
        return None

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        """Keep a message."""
        self._met.add(session.peer)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                while len(self._met) < self.meet:
                    await asyncio.sleep(0)
        self.on_data()
        recipient = envelope.rcpt_tos[0]
        answer = self.answer_to("END", recipient)
        reply = answer.reply if answer else "250 2.0.0 kept"
        self.attempts.append(Arrived(envelope.mail_from, recipient, bytes(envelope.content), reply))
        return reply


def _authenticator(login: tuple[str, str]) -> Callable[..., AuthResult]:
    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == login, handled=False)

    return check


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a fresh certificate that it signed itself, and the certificate's file."""
    key, file = folder / f"{name}.key", folder / f"{name}.pem"
    openssl = shutil.which("openssl")
    assert openssl, "openssl is not on this machine: `apt install openssl`"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", file, "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName={'IP' if name[0].isdigit() else 'DNS'}:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context, file
