"""The sink to which the simulation's relay delivers: real SMTP, some addresses refused, some asked to come back."""

from __future__ import annotations

import email
import email.policy
import re
import time
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Any

_LINK = re.compile(r"^(https?://\S+/r/[^\s/?]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Delivered:
    """A message as it arrived."""

    address: str
    template: str
    message_id: str
    links: tuple[str, ...]
    """The personal links that stand on a line of their own in the text part, in order."""


class Sink:
    """An SMTP server of this machine that keeps what it is given; port 0 takes a free one.

    What has no sender is a report of a relay about a mail that it could not deliver: it is taken and not kept.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._address = (host, port)
        self.messages: list[Delivered] = []
        self.refused: set[str] = set()
        self.deferred: set[str] = set()
        self._asked_back: set[tuple[str, str]] = set()

    def __enter__(self) -> Sink:
        from aiosmtpd.controller import Controller

        class OnFreePort(Controller):
            """Asks the system for a port, and learns which one it is before it is called on it."""

            def _trigger_server(self) -> None:
                server: Any = self.server
                self.port = int(server.sockets[0].getsockname()[1])
                super()._trigger_server()  # type: ignore[no-untyped-call]

        host, port = self._address
        self._controller = OnFreePort(self, hostname=host, port=port)
        self._controller.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._controller.port)

    def wait(self, seconds: float) -> None:
        """Let messages come in for so long."""
        time.sleep(seconds)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Refuse who does not exist."""
        if address in self.refused:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a message; ask some to come back later, once a message."""
        if not envelope.mail_from:
            return "250 OK"
        found = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        address, message_id = envelope.rcpt_tos[0], str(found["Message-ID"])
        if address in self.deferred and (address, message_id) not in self._asked_back:
            self._asked_back.add((address, message_id))
            return "451 4.7.1 come back later"
        text = found.get_body(("plain",))
        links = tuple(_LINK.findall(text.get_content().replace("\r\n", "\n"))) if text else ()
        self.messages.append(Delivered(address, str(found["X-Coopmail-Mail"]), message_id, links))
        return "250 OK"
