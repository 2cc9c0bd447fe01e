"""Whether mail can leave and be believed: the relay's conversation up to the login, and the sender domain's records."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator

import dns.exception
import dns.resolver

from coopmail.cli.finding import Finding, fine, unknown, wrong
from coopmail.config import Relay

TIMEOUT = 10.0
LARGEST_MAIL = 1_000_000
"""Bytes that a relay should take: a page of text in two forms, and an attached PDF."""
RESERVED = (".example", ".test", ".invalid", ".localhost")
_LOOK_FOR = "look for MX (replies and bounces), a TXT beginning with v=spf1 that names your relay, and DKIM and DMARC"


def check_relay(relay: Relay | None) -> Iterator[Finding]:
    """Connect, secure, sign in, and read what the relay offers; then leave without a mail."""
    if relay is None:
        yield fine("relay", "none is set: mails stay in the local mailbox")
        return
    where = f"{relay.host}, port {relay.port}"
    try:
        with _connect(relay) as host:
            if relay.tls == "starttls":
                host.starttls(context=ssl.create_default_context())
            host.ehlo()
            if relay.username:
                host.login(relay.username, relay.password)
            offers = {name.upper(): value for name, value in host.esmtp_features.items()}
    except (OSError, smtplib.SMTPException) as error:  # a certificate's fault is an OSError
        yield wrong("relay", f"{where}: {_what_to_do(error)}")
        return
    yield _capable(where, relay, offers)


def _connect(relay: Relay) -> smtplib.SMTP:
    if relay.tls == "tls":
        return smtplib.SMTP_SSL(relay.host, relay.port, timeout=TIMEOUT, context=ssl.create_default_context())
    return smtplib.SMTP(relay.host, relay.port, timeout=TIMEOUT)


def _capable(where: str, relay: Relay, offers: dict[str, str]) -> Finding:
    size = offers.get("SIZE", "")
    if size.isdecimal() and 0 < int(size) < LARGEST_MAIL:
        return wrong("relay", f"{where}: it takes {size} bytes a message; ask for {LARGEST_MAIL} at least.")
    secured = {"none": "not encrypted, this machine only", "tls": "TLS", "starttls": "STARTTLS"}[relay.tls]
    signed = "signed in" if relay.username else "no login"
    pipelining = "PIPELINING" if "PIPELINING" in offers else "no PIPELINING: mail goes out more slowly"
    return fine("relay", f"{where}: {secured}, {signed}, {pipelining}, size {size or 'not said'}")


def _what_to_do(error: Exception) -> str:
    """The fault in one sentence. A relay's own words are not repeated: they may hold what it was told."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({error.verify_message}): mend it, or name it as it is certified."
    if isinstance(error, ssl.SSLError):
        return "it speaks no TLS here: smtp:// is STARTTLS (587), smtps:// is TLS from the start (465)."
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"it refuses the login ({error.smtp_code}): see the user and password in COOPMAIL_SMTP."
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "it offers no STARTTLS, or no login: see the port in COOPMAIL_SMTP."
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answers {error.smtp_code}: see its log."
    return f"it does not answer ({type(error).__name__}): see COOPMAIL_SMTP, and the firewall."


def check_domain(domain: str, resolver: dns.resolver.Resolver | None = None) -> Iterator[Finding]:
    """Whether the sender's domain takes replies (MX) and says who may send for it (SPF, DMARC).

    What cannot be asked is said, never guessed: no network, or DKIM, whose record's name only the relay knows.
    """
    if domain.endswith(RESERVED):
        yield unknown(
            "sender", f"{domain} is a name for examples and was not asked about; for a real one, {_LOOK_FOR}."
        )
        return
    try:
        asked = resolver or dns.resolver.Resolver()
        exchange, policy = _records(asked, domain, "MX"), _texts(asked, domain, "v=spf1")
        dmarc = _texts(asked, f"_dmarc.{domain}", "v=DMARC1")
    except dns.exception.DNSException as error:
        yield unknown("sender", f"{domain} could not be asked about ({type(error).__name__}): {_LOOK_FOR}.")
        return
    if exchange:
        yield fine("sender MX", f"{domain} takes mail: replies and bounces arrive")
    else:
        yield wrong("sender MX", f"{domain} has no MX record: replies and bounces go nowhere.")
    yield _said(domain, "SPF", policy, "a TXT record that begins with v=spf1 and names your relay")
    yield _said(f"_dmarc.{domain}", "DMARC", dmarc, "a TXT record v=DMARC1; p=none to begin with")
    yield unknown("sender DKIM", f"only the relay knows its record's name: see that it signs for {domain}.")


def _said(name: str, what: str, found: list[str], wanted: str) -> Finding:
    if len(found) == 1:
        return fine(f"sender {what}", found[0][:80])
    return wrong(f"sender {what}", f"{name} has {'none' if not found else 'several'}: it wants {wanted}.")


def _records(resolver: dns.resolver.Resolver, name: str, kind: str) -> list[str]:
    try:
        return [record.to_text() for record in resolver.resolve(name, kind, lifetime=TIMEOUT)]
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []


def _texts(resolver: dns.resolver.Resolver, name: str, begins: str) -> list[str]:
    texts = (record.replace('" "', "").strip('"') for record in _records(resolver, name, "TXT"))
    return [text for text in texts if text.startswith(begins)]
