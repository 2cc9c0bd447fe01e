"""One JSON object a line, for our own log and the libraries'; no token of a personal link reaches any of them."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import Any

import structlog

_LINK = re.compile(r"((?:/|%2f)r(?:/|%2f))(?!<token>)[^/\s?#\"']+", re.IGNORECASE)
"""The address of a link, but not its rule."""
_TOKEN = re.compile(r"[a-z]{2,20}(?:-[a-z]{2,20})*(?:\.|%2[Ee])[A-Za-z0-9_-]{22}(?:\.|%2[Ee])[A-Za-z0-9_-]{43}")
"""The grammar of `links.py`, wherever it stands: an error may name a token without its path."""


def without_tokens(text: str) -> str:
    """A text in which each personal link has lost its token."""
    return _TOKEN.sub("…", _LINK.sub(r"\1…", text))


_ADDRESS = re.compile(r"([^\s<>@:/'\"]+)@([\w-]+\.[\w.-]+)")
"""A mail address; its domain may be said."""


def scrub(_logger: object, _method: str, event: Any) -> Any:
    """A structlog processor: no token and no address of a person reaches a log, not even inside a traceback."""
    return {key: _scrubbed(value) for key, value in event.items()}


def _scrubbed(value: object) -> object:
    if isinstance(value, str):
        return _ADDRESS.sub("…@\\2", without_tokens(value))
    if isinstance(value, dict):
        return {key: _scrubbed(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(part) for part in value]
    return value


def _add_process(_logger: object, _method: str, event: Any) -> Any:
    event["pid"] = os.getpid()
    return event


_STAMPS: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_process,
]
_LINE: list[Any] = [
    structlog.processors.format_exc_info,
    scrub,
    structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
]


class _Lines:
    """Writes each line at once: several processes write to one place, and a line must not break another."""

    def msg(self, message: str) -> None:
        """Write a line to wherever the standard output goes now."""
        sys.stdout.write(message + "\n")
        sys.stdout.flush()

    debug = info = warning = error = critical = exception = msg


def configure(level: int = logging.WARNING) -> None:
    """Log from this level on, to the standard output."""
    structlog.configure(
        processors=[*_STAMPS, *_LINE],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(),
        cache_logger_on_first_use=False,
    )


def configure_server() -> None:
    """Log requests and jobs too, and take the libraries' lines into the same form; for processes that stay."""
    configure(logging.INFO)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_STAMPS, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_LINE],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
