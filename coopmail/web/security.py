"""Headers that every page has, and tokens kept out of logs."""

from __future__ import annotations

import re
from typing import Any

from flask import Response

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_TOKEN = re.compile(r"(/r/)[^/\s?#\"']+")


def add_headers(response: Response) -> Response:
    """No script, no third party, no frame, no referrer, and nothing kept by a cache save the look itself."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CSP)
    headers["Referrer-Policy"] = "no-referrer"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("X-Robots-Tag", "noindex, nofollow")
    return response


def without_tokens(text: str) -> str:
    """A text in which each personal link has lost its token."""
    return _TOKEN.sub(r"\1…", text)


def scrub(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A structlog processor: no token reaches a log, not even inside a traceback."""
    return {key: without_tokens(value) if isinstance(value, str) else value for key, value in event.items()}
