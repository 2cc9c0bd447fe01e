"""Headers that every page has."""

from __future__ import annotations

from flask import Response

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


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
