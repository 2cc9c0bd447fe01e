"""Settings: a wrong one stops the start, names itself and what it wants, and never shows a secret."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from coopmail.config import ROOT, Relay, Settings
from coopmail.errors import SettingError

KEY = "abcdefghijklmnopqrstuvwxyz012345"
KEYS = {"COOPMAIL_SECRET_KEYS": f"1:{KEY}"}
WANTS = {
    "COOPMAIL_SECRET_KEYS": "one or more VERSION:KEY, divided by commas, each key of 32 characters or more; "
    "the highest version signs",
    "COOPMAIL_DATABASE_URL": "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    "COOPMAIL_BASE_URL": "the address under which people reach this server, as in https://stem.example.org",
    "COOPMAIL_CHARTER": "the path of a charter file that exists",
    "COOPMAIL_MAILBOX": "a folder for the local mailbox",
    "COOPMAIL_SMTP": "smtp://USER:PASSWORD@HOST:PORT (STARTTLS), smtps://… (TLS) or, on this machine only, "
    "smtp+plain://127.0.0.1:PORT",
    "COOPMAIL_SENDER": "an e-mail address in ASCII",
    "COOPMAIL_SENDER_NAME": "a name on one line",
    "COOPMAIL_REPLY_TO": "the e-mail address that a person reads",
    "COOPMAIL_SIMULATION": "0 or 1",
    "COOPMAIL_RUN_JOBS": "0 or 1",
    "COOPMAIL_TICK_SECONDS": "a number of seconds between 0.05 and 60",
    "COOPMAIL_TRUSTED_PROXY": "the IP address of the reverse proxy in front, whose X-Forwarded headers are believed",
    "COOPMAIL_REDIS_URL": "redis://HOST:PORT/NUMBER, rediss://… or unix:///SOCKET",
    "COOPMAIL_SERVER": "waitress (one process) or gunicorn",
    "COOPMAIL_PROCESSES": "how many processes gunicorn starts, 1 to 64",
    "COOPMAIL_KEY_FOLDER": "a folder outside the database for the keys of secret polls",
    "COOPMAIL_RELAY_CONNECTIONS": "how many connections a worker may open to the relay, 1 to 50",
    "COOPMAIL_RELAY_RATE": "how many messages a minute the relay may be handed",
    "COOPMAIL_DOMAIN_RATE": "how many messages a minute one receiving domain may get",
    "COOPMAIL_METRICS_TOKEN": "16 to 200 printable characters, to be sent as a bearer token by whoever collects "
    "figures",
}
WRONG = [
    ("COOPMAIL_BASE_URL", "stem.example.org"),
    ("COOPMAIL_BASE_URL", "ftp://stem.example.org"),
    ("COOPMAIL_BASE_URL", "https://"),
    ("COOPMAIL_BASE_URL", "https://stem.example.org:poort"),
    ("COOPMAIL_BASE_URL", "https://stem.example.org:0"),
    ("COOPMAIL_BASE_URL", "https://stem.example.org/?a=b"),
    ("COOPMAIL_BASE_URL", "https://stem.example.org/#a"),
    ("COOPMAIL_BASE_URL", "https://stem example.org"),
    ("COOPMAIL_BASE_URL", "https://stem.example\n.org"),
    ("COOPMAIL_CHARTER", "/there/is/no/such/charter.toml"),
    ("COOPMAIL_CHARTER", "/"),
    ("COOPMAIL_CHARTER", ""),
    ("COOPMAIL_MAILBOX", ""),
    ("COOPMAIL_MAILBOX", __file__),
    ("COOPMAIL_SENDER", "Cultuurconnect"),
    ("COOPMAIL_SENDER", "Cultuurconnect <a@b.example>"),
    ("COOPMAIL_SENDER", "a@b.example, c@d.example"),
    ("COOPMAIL_SENDER", "a@b.example\nBcc: c@d.example"),
    ("COOPMAIL_SENDER", "zoë@b.example"),
    ("COOPMAIL_SENDER", "a@-.-..example"),
    ("COOPMAIL_SENDER", ""),
    ("COOPMAIL_SENDER_NAME", ""),
    ("COOPMAIL_SENDER_NAME", "Cultuur\nconnect"),
    ("COOPMAIL_REPLY_TO", "klaar"),
    ("COOPMAIL_SIMULATION", "yes"),
    ("COOPMAIL_SIMULATION", ""),
    ("COOPMAIL_RUN_JOBS", "true"),
    ("COOPMAIL_TICK_SECONDS", "vijf"),
    ("COOPMAIL_TRUSTED_PROXY", "proxy"),
    ("COOPMAIL_TICK_SECONDS", "0"),
    ("COOPMAIL_TICK_SECONDS", "61"),
    ("COOPMAIL_TICK_SECONDS", "nan"),
    ("COOPMAIL_SERVER", "granian"),
    ("COOPMAIL_PROCESSES", "0"),
    ("COOPMAIL_PROCESSES", "65"),
    ("COOPMAIL_PROCESSES", "two"),
    ("COOPMAIL_KEY_FOLDER", ""),
    ("COOPMAIL_KEY_FOLDER", __file__),
    ("COOPMAIL_RELAY_CONNECTIONS", "0"),
    ("COOPMAIL_RELAY_CONNECTIONS", "51"),
    ("COOPMAIL_RELAY_RATE", "0"),
    ("COOPMAIL_RELAY_RATE", "1.5"),
    ("COOPMAIL_DOMAIN_RATE", "-1"),
    ("COOPMAIL_DOMAIN_RATE", "many"),
]
SECRET = "geheim-dat-niemand-mag-lezen"
WRONG_AND_SECRET = [
    ("COOPMAIL_SECRET_KEYS", ""),
    ("COOPMAIL_SECRET_KEYS", SECRET),
    ("COOPMAIL_SECRET_KEYS", f"1:{SECRET}"),
    ("COOPMAIL_SECRET_KEYS", f"een:{SECRET}{KEY}"),
    ("COOPMAIL_SECRET_KEYS", f"-1:{SECRET}{KEY}"),
    ("COOPMAIL_SECRET_KEYS", f":{SECRET}{KEY}"),
    ("COOPMAIL_SECRET_KEYS", f"1:{SECRET}{KEY},1:{SECRET}{KEY}"),
    ("COOPMAIL_SECRET_KEYS", f"1:{SECRET}{KEY},"),
    ("COOPMAIL_DATABASE_URL", f"postgres://coopmail:{SECRET}@db.example/coopmail"),
    ("COOPMAIL_DATABASE_URL", f"postgresql://coopmail:{SECRET}@db.example/coopmail"),
    ("COOPMAIL_DATABASE_URL", f"postgresql+psycopg://coopmail:{SECRET}@db.example:poort/coopmail"),
    ("COOPMAIL_DATABASE_URL", "sqlite:///"),
    ("COOPMAIL_DATABASE_URL", "coopmail.sqlite"),
    ("COOPMAIL_DATABASE_URL", ""),
    ("COOPMAIL_SMTP", ""),
    ("COOPMAIL_SMTP", f"stem:{SECRET}@mail.example"),
    ("COOPMAIL_SMTP", f"http://stem:{SECRET}@mail.example"),
    ("COOPMAIL_SMTP", f"smtp://stem:{SECRET}@"),
    ("COOPMAIL_SMTP", f"smtp://stem:{SECRET}@mail.example:poort"),
    ("COOPMAIL_SMTP", f"smtp://stem:{SECRET}@mail.example/inbox"),
    ("COOPMAIL_SMTP", f"smtp+plain://stem:{SECRET}@mail.example:25"),
    ("COOPMAIL_SMTP", f"smtp://stem:{SECRET}é@mail.example"),
    ("COOPMAIL_SMTP", f"smtp://st%C3%ABm:{SECRET}@mail.example"),
    ("COOPMAIL_REDIS_URL", f"stem:{SECRET}@redis.example"),
    ("COOPMAIL_REDIS_URL", f"http://stem:{SECRET}@redis.example"),
    ("COOPMAIL_REDIS_URL", f"redis://stem:{SECRET}@redis.example:poort/0"),
    ("COOPMAIL_REDIS_URL", "redis:///0"),
    ("COOPMAIL_METRICS_TOKEN", "geheim"),
    ("COOPMAIL_METRICS_TOKEN", f"{SECRET} {SECRET}"),
    ("COOPMAIL_METRICS_TOKEN", SECRET * 10),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_names_itself_what_it_wants_and_what_it_got(name: str, value: str) -> None:
    with pytest.raises(SettingError) as error:
        Settings.from_env(KEYS | {name: value})
    assert str(error.value) == f"{name} wants {WANTS[name]} and got {value!r}."


@pytest.mark.parametrize(("name", "value"), WRONG_AND_SECRET)
def test_a_wrong_setting_that_may_hold_a_secret_is_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingError) as error:
        Settings.from_env(KEYS | {name: value})
    assert str(error.value) == f"{name} wants {WANTS[name]}."


def test_every_setting_has_a_wrong_value_in_the_tables_of_this_test() -> None:
    assert {name for name, _ in WRONG + WRONG_AND_SECRET} == set(WANTS)


def test_a_setting_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SettingError) as error:
        Settings.from_env(KEYS | {"COOPMAIL_DATABSE_URL": f"sqlite:///{SECRET}"})
    assert str(error.value) == f"COOPMAIL_DATABSE_URL is not a setting. Known: {', '.join(sorted(WANTS))}."


def test_missing_keys_are_asked_for() -> None:
    with pytest.raises(SettingError) as error:
        Settings.from_env({})
    assert str(error.value) == f"COOPMAIL_SECRET_KEYS is missing: it wants {WANTS['COOPMAIL_SECRET_KEYS']}."


def test_only_keys_are_needed_and_the_rest_is_the_embedded_installation() -> None:
    settings = Settings.from_env(KEYS | {"PATH": "/bin", "COOPERATIVE": "x"})
    assert settings == Settings({1: KEY})
    assert (settings.embedded, settings.simulation, settings.run_jobs) == (True, False, True)
    assert settings.database_url == f"sqlite:///{ROOT}/var/coopmail.sqlite"


def test_good_values_are_read(tmp_path: Path) -> None:
    charter = tmp_path / "charter.toml"
    charter.touch()
    settings = Settings.from_env({
        "COOPMAIL_SECRET_KEYS": f"10:{KEY}b, 9:{KEY}a",
        "COOPMAIL_DATABASE_URL": f"postgresql+psycopg://coopmail:{SECRET}@db.example:5433/coopmail",
        "COOPMAIL_BASE_URL": " https://stem.example.org/ ",
        "COOPMAIL_CHARTER": str(charter),
        "COOPMAIL_MAILBOX": str(tmp_path / "mailbox"),
        "COOPMAIL_SMTP": f"smtp://stem:{SECRET}@mail.example:2525",
        "COOPMAIL_SENDER": "stem@mail.example",
        "COOPMAIL_SENDER_NAME": "Coöperatie, Cultuurconnect",
        "COOPMAIL_REPLY_TO": "Klaar.Leroy@mail.example",
        "COOPMAIL_SIMULATION": "1",
        "COOPMAIL_RUN_JOBS": "0",
        "COOPMAIL_TICK_SECONDS": "0.05",
        "COOPMAIL_TRUSTED_PROXY": "10.0.0.1",
        "COOPMAIL_REDIS_URL": f"rediss://stem:{SECRET}@redis.example:6380/2",
        "COOPMAIL_SERVER": "gunicorn",
        "COOPMAIL_PROCESSES": "4",
        "COOPMAIL_KEY_FOLDER": str(tmp_path / "keys"),
        "COOPMAIL_RELAY_CONNECTIONS": "3",
        "COOPMAIL_RELAY_RATE": "600",
        "COOPMAIL_DOMAIN_RATE": "60",
        "COOPMAIL_METRICS_TOKEN": SECRET,
    })  # fmt: skip
    assert settings == Settings(
        secret_keys={9: f"{KEY}a", 10: f"{KEY}b"},
        database_url=f"postgresql+psycopg://coopmail:{SECRET}@db.example:5433/coopmail",
        base_url="https://stem.example.org",
        charter=charter,
        mailbox=tmp_path / "mailbox",
        relay=Relay("mail.example", 2525, "starttls", "stem", SECRET),
        sender="stem@mail.example",
        sender_name="Coöperatie, Cultuurconnect",
        reply_to="Klaar.Leroy@mail.example",
        simulation=True,
        run_jobs=False,
        tick_seconds=0.05,
        trusted_proxy="10.0.0.1",
        redis_url=f"rediss://stem:{SECRET}@redis.example:6380/2",
        server="gunicorn",
        processes=4,
        key_folder=tmp_path / "keys",
        relay_connections=3,
        relay_rate=600,
        domain_rate=60,
        metrics_token=SECRET,
    )
    assert list(settings.secret_keys) == [9, 10]
    assert (settings.embedded, settings.mail_domain) == (False, "mail.example")


@pytest.mark.parametrize(
    ("text", "relay"),
    [
        ("smtp://mail.example", Relay("mail.example", 587, "starttls")),
        ("smtps://mail.example/", Relay("mail.example", 465, "tls")),
        ("smtps://mail.example:4650", Relay("mail.example", 4650, "tls")),
        ("smtp+plain://127.0.0.1:1025", Relay("127.0.0.1", 1025, "none")),
        ("smtp+plain://localhost:1025", Relay("localhost", 1025, "none")),
        ("smtp+plain://[::1]:1025", Relay("::1", 1025, "none")),
        ("smtp://stem%40mail.example:a%2Fb%3A%25@mail.example",
         Relay("mail.example", 587, "starttls", "stem@mail.example", "a/b:%")),
    ],
)  # fmt: skip
def test_each_way_to_a_relay_is_read(text: str, relay: Relay) -> None:
    assert Settings.from_env(KEYS | {"COOPMAIL_SMTP": text}).relay == relay


@pytest.mark.parametrize("url", ["redis://redis.example", "redis://[::1]:6379/1", "unix:///run/redis.sock?db=1"])
def test_each_way_to_redis_is_kept(url: str) -> None:
    assert Settings.from_env(KEYS | {"COOPMAIL_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "https://stem.example.org/leden"])
def test_an_address_with_a_port_or_a_path_is_kept(url: str) -> None:
    assert Settings.from_env(KEYS | {"COOPMAIL_BASE_URL": url}).base_url == url


def test_settings_do_not_show_their_keys_their_token_or_a_password() -> None:
    settings = Settings(
        {1: KEY},
        relay=Relay("mail.example", 587, password=SECRET),
        redis_url=f"redis://:{SECRET}@redis.example/0",
        metrics_token=SECRET,
    )
    assert KEY not in repr(settings)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (KEYS | {"COOPMAIL_TICK_SECONDS": "vijf"},
         "COOPMAIL_TICK_SECONDS wants a number of seconds between 0.05 and 60 and got 'vijf'."),
        (KEYS | {"COOPMAIL_DATABASE_URL": f"postgres://coopmail:{SECRET}@db.example/coopmail"},
         f"COOPMAIL_DATABASE_URL wants {WANTS['COOPMAIL_DATABASE_URL']}."),
        ({"COOPMAIL_SECRET_KEYS": f"1:{SECRET}"}, f"COOPMAIL_SECRET_KEYS wants {WANTS['COOPMAIL_SECRET_KEYS']}."),
        ({}, f"COOPMAIL_SECRET_KEYS is missing: it wants {WANTS['COOPMAIL_SECRET_KEYS']}."),
    ],
)  # fmt: skip
def test_a_server_with_a_wrong_setting_does_not_start_and_says_why_in_one_line(
    settings: Mapping[str, str], error: str
) -> None:
    around = {name: value for name, value in os.environ.items() if not name.startswith("COOPMAIL_")}
    ended = subprocess.run(
        [sys.executable, "-m", "coopmail.cli", "serve"],
        env=around | dict(settings), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"Error: {error}\n")
