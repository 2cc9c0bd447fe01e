"""What every page refuses, and the headers that it has."""

from __future__ import annotations

from flask import Response, abort, request

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def refuse_nul() -> None:
    """A NUL in an address names nothing, and PostgreSQL keeps it in no text."""
    if "\0" in request.path:
        abort(404)
    if any("\0" in text for pair in request.args.items(multi=True) for text in pair):
        abort(400)


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
