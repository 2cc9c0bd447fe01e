"""Settings, read once from the environment; a wrong one stops the start with its name and what it wants."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from coopmail.errors import SettingError

ROOT = Path(__file__).resolve().parent.parent
_PREFIX = "COOPMAIL_"
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*")
_HOST = re.compile(r"[a-z0-9.:_-]+")
_ADDRESS = re.compile(r"[^@\s\x00-\x1f<>,;:\"]+@[A-Za-z0-9.-]+")


_SECRETS = {_PREFIX + name for name in ("SECRET_KEYS", "SMTP", "DATABASE_URL", "REDIS_URL", "METRICS_TOKEN")}


@dataclass(frozen=True)
class Relay:
    """Where mail is handed over: `tls` is `none`, `starttls` or `tls`; certificates are always verified."""

    host: str
    port: int
    tls: str = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Settings:
    """One installation's settings. `secret_keys` maps a version to its key; the last one signs."""

    secret_keys: Mapping[int, str] = field(repr=False)
    database_url: str = f"sqlite:///{ROOT}/var/coopmail.sqlite"
    base_url: str = "http://127.0.0.1:8000"
    charter: Path = ROOT / "coopmail" / "data" / "charter.toml"
    mailbox: Path = ROOT / "var" / "mailbox"
    relay: Relay | None = None
    sender: str = "cooperatie@cultuurconnect.example"
    sender_name: str = "Cultuurconnect"
    reply_to: str = "klaar.leroy@cultuurconnect.example"
    simulation: bool = False
    run_jobs: bool = True
    trusted_proxy: str = ""
    tick_seconds: float = 5.0
    redis_url: str | None = field(default=None, repr=False)
    server: str = "waitress"
    processes: int = 2
    key_folder: Path = ROOT / "var" / "poll-keys"
    relay_connections: int = 8
    relay_rate: int | None = None
    domain_rate: int | None = None
    metrics_token: str = field(default="", repr=False)

    @property
    def embedded(self) -> bool:
        """Whether mail stays in the local mailbox (no relay is set)."""
        return self.relay is None

    @property
    def mail_domain(self) -> str:
        """The domain of Message-IDs."""
        return self.sender.rpartition("@")[2]

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings from `COOPMAIL_*` variables; `SettingError` names the first one that is wrong or unknown."""
        given = {k: v for k, v in (os.environ if environ is None else environ).items() if k.startswith(_PREFIX)}
        unknown = sorted(set(given) - set(_READERS))
        if unknown:
            raise SettingError(f"{unknown[0]} is not a setting. Known: {', '.join(sorted(_READERS))}.")
        values: dict[str, object] = {}
        for name, (attribute, read, wants) in _READERS.items():
            if name not in given:
                continue
            try:
                values[attribute] = read(given[name].strip())
            except (ValueError, OSError) as error:
                # A key is not shown, not even a wrong one.
                shown = (
                    ""
                    if name.endswith(("KEYS", "SMTP", "DATABASE_URL", "REDIS_URL", "TOKEN"))
                    else f" and got {given[name]!r}"
                )
                raise SettingError(f"{name} wants {wants}{shown}.") from error
        if "secret_keys" not in values:
            raise SettingError(f"{_PREFIX}SECRET_KEYS is missing: it wants {_READERS[_PREFIX + 'SECRET_KEYS'][2]}.")
        return cls(**values)  # type: ignore[arg-type]


def _keys(text: str) -> Mapping[int, str]:
    keys: dict[int, str] = {}
    for part in text.split(","):
        version, _, key = part.partition(":")
        if len(key) < 32 or not version.strip().isdecimal() or int(version) in keys:
            raise ValueError
        keys[int(version)] = key
    return dict(sorted(keys.items()))


def _database(text: str) -> str:
    if not re.match(r"(sqlite:///.+|postgresql\+psycopg://.*)", text):
        raise ValueError
    _ = urlsplit(text).port  # raises ValueError where it is no number
    return text


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    port = parts.port  # raises ValueError where it is no number
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.hostname or "") or port == 0:
        raise ValueError
    if parts.query or parts.fragment or not text.isprintable():  # urlsplit passes over line ends
        raise ValueError
    return text.rstrip("/")


def _relay(text: str) -> Relay:
    parts = urlsplit(text)
    tls = {"smtp": "starttls", "smtps": "tls", "smtp+plain": "none"}[parts.scheme] if "://" in text else None
    if tls is None or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError
    login = unquote(parts.username or ""), unquote(parts.password or "")
    if not all(part.isascii() for part in login):
        raise ValueError
    if tls == "none" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError
    return Relay(
        parts.hostname,
        parts.port or (465 if tls == "tls" else 587),
        tls,
        *login,
    )


def _redis(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.scheme == "unix"):
        raise ValueError
    _ = parts.port  # raises ValueError where it is no number
    return text


def _readable_relay(text: str) -> Relay:
    try:
        return _relay(text)
    except KeyError as error:
        raise ValueError from error


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ValueError
    return path


def _folder(text: str) -> Path:
    path = Path(text)
    if not text or (path.exists() and not path.is_dir()):
        raise ValueError
    return path.absolute()


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text) or not _DOMAIN.fullmatch(text.rpartition("@")[2].lower()) or not text.isascii():
        raise ValueError
    return text


def _name(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError
    return text


def _ip_address(text: str) -> str:
    return str(ip_address(text))


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError
    return text == "1"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.05 <= seconds <= 60:
        raise ValueError
    return seconds


def _server(text: str) -> str:
    if text not in ("waitress", "gunicorn"):
        raise ValueError
    return text


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    return read


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{16,200}", text):
        raise ValueError
    return text


_READERS = {
    _PREFIX + "SECRET_KEYS": (
        "secret_keys",
        _keys,
        "one or more VERSION:KEY, divided by commas, each key of 32 characters or more; the highest version signs",
    ),
    _PREFIX + "DATABASE_URL": (
        "database_url",
        _database,
        "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    ),
    _PREFIX + "BASE_URL": (
        "base_url",
        _base_url,
        "the address under which people reach this server, as in https://stem.example.org",
    ),
    _PREFIX + "CHARTER": ("charter", _file, "the path of a charter file that exists"),
    _PREFIX + "MAILBOX": ("mailbox", _folder, "a folder for the local mailbox"),
    _PREFIX + "SMTP": (
        "relay",
        _readable_relay,
        "smtp://USER:PASSWORD@HOST:PORT (STARTTLS), smtps://… (TLS) or, on this machine only, smtp+plain://127.0.0.1:PORT",
    ),
    _PREFIX + "SENDER": ("sender", _address, "an e-mail address in ASCII"),
    _PREFIX + "SENDER_NAME": ("sender_name", _name, "a name on one line"),
    _PREFIX + "REPLY_TO": ("reply_to", _address, "the e-mail address that a person reads"),
    _PREFIX + "SIMULATION": ("simulation", _flag, "0 or 1"),
    _PREFIX + "TRUSTED_PROXY": (
        "trusted_proxy",
        _ip_address,
        "the IP address of the reverse proxy in front, whose X-Forwarded headers are believed",
    ),
    _PREFIX + "RUN_JOBS": ("run_jobs", _flag, "0 or 1"),
    _PREFIX + "TICK_SECONDS": ("tick_seconds", _seconds, "a number of seconds between 0.05 and 60"),
    _PREFIX + "REDIS_URL": ("redis_url", _redis, "redis://HOST:PORT/NUMBER, rediss://… or unix:///SOCKET"),
    _PREFIX + "SERVER": ("server", _server, "waitress (one process) or gunicorn"),
    _PREFIX + "PROCESSES": ("processes", _number(1, 64), "how many processes gunicorn starts, 1 to 64"),
    _PREFIX + "KEY_FOLDER": ("key_folder", _folder, "a folder outside the database for the keys of secret polls"),
    _PREFIX + "RELAY_CONNECTIONS": (
        "relay_connections",
        _number(1, 50),
        "how many connections a worker may open to the relay, 1 to 50",
    ),
    _PREFIX + "RELAY_RATE": (
        "relay_rate",
        _number(1, 10_000_000),
        "how many messages a minute the relay may be handed",
    ),
    _PREFIX + "DOMAIN_RATE": (
        "domain_rate",
        _number(1, 10_000_000),
        "how many messages a minute one receiving domain may get",
    ),
    _PREFIX + "METRICS_TOKEN": (
        "metrics_token",
        _token,
        "16 to 200 printable characters, to be sent as a bearer token by whoever collects figures",
    ),
}
