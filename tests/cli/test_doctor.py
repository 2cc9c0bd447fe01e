"""`coopmail doctor`: each part that is wrong is named, with what to do; nothing is sent and no password is shown."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from coopmail import clock, create_app
from coopmail.cli.commands import coopmail
from coopmail.cli.doctor import check_charter, check_database, check_jobs, check_keys, check_redis, check_settings
from coopmail.cli.doctor_mail import check_domain, check_relay
from coopmail.config import Relay, Settings
from coopmail.db import Database
from coopmail.domain.staff import StaffRole
from coopmail.doorbell import seen
from coopmail.jobs.runner import run_all
from coopmail.jobs.schedule import SCHEDULE
from coopmail.parts import parts
from coopmail.queries.installation import newest_migration
from tests.builders import build_staff
from tests.conftest import MONDAY
from tests.mail.smtp import SmtpServer, certificate
from tests.production import NOBODY
from tests.servers import redis

KEY = "a key that only the tests know and long enough"
SECRET = "geheim-dat-niemand-mag-lezen"
LOGIN = ("stem", SECRET)
DOMAIN = "stem.example.org"
MX, SPF = [f"10 mail.{DOMAIN}."], ['"v=spf1 include:relay.example.org -all"', '"something=else"']
DMARC = ['"v=DMARC1; p=none"']


def run(settings: Mapping[str, str]) -> tuple[int, dict[str, str], str]:
    """The command: its status, each part's state, and all that it printed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"COOPMAIL_{name}", value)
        ended = CliRunner().invoke(coopmail, ["doctor"])
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    lines = [line.split() for line in ended.output.splitlines()[:-1]]
    return ended.exit_code, {line[1]: line[0] for line in lines}, ended.output


def test_an_installation_whose_jobs_run_is_in_order(database_url: str, tmp_path: Path) -> None:
    settings = {"SECRET_KEYS": f"1:{KEY}", "DATABASE_URL": database_url, "KEY_FOLDER": str(tmp_path / "keys")}
    app = create_app(Settings.from_env({f"COOPMAIL_{name}": value for name, value in settings.items()}))
    (tmp_path / "keys").mkdir(mode=0o700)
    status, found, text = run(settings)
    assert (status, [part for part, state in found.items() if state == "WRONG"]) == (1, ["staff", "jobs"])
    with parts(app).db.transaction() as (session, now):
        build_staff(session, now(), "Ria Claes", StaffRole.ADMIN)
    run_all(app)
    parts(app).db.close()
    status, found, text = run(settings)
    assert (status, found) == (
        0,
        {"settings": "OK", "charter": "OK", "clock": "OK", "database": "OK", "staff": "OK", "jobs": "OK", "redis": "OK",
         "relay": "OK", "sender": "?", "keys": "OK"},
    )  # fmt: skip
    assert text.endswith("Everything that could be checked is in order.\n")
    assert f"migration {newest_migration()}" in text


def test_a_relative_key_folder_is_shown_as_the_absolute_one_that_it_is(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"SECRET_KEYS": f"1:{KEY}", "KEY_FOLDER": "keys", "MAILBOX": "mailbox"}
    settings = Settings.from_env({f"COOPMAIL_{name}": value for name, value in given.items()})
    assert (settings.key_folder, settings.mailbox) == (tmp_path / "keys", tmp_path / "mailbox")
    _, _, text = run(given | {"DATABASE_URL": database_url})
    assert f"{tmp_path / 'keys'} is not there yet" in " ".join(text.split())


def test_what_cannot_be_reached_is_named_and_no_password_is_shown(tmp_path: Path) -> None:
    status, found, text = run({
        "SECRET_KEYS": f"1:{KEY}{SECRET}",
        "DATABASE_URL": f"postgresql+psycopg://coopmail:{SECRET}@127.0.0.1:1/coopmail",
        "REDIS_URL": f"redis://:{SECRET}@127.0.0.1:1/0",
        "SMTP": f"smtps://stem:{SECRET}@127.0.0.1:1",
        "BASE_URL": "http://stem.example.org",
        "METRICS_TOKEN": SECRET,
        "KEY_FOLDER": str(tmp_path),
    })  # fmt: skip
    assert (status, SECRET in text, KEY in text) == (1, False, False)
    assert {part for part, state in found.items() if state == "WRONG"} >= {"settings", "database", "redis", "relay"}


def test_a_database_file_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "mistyped.sqlite"
    settings = {"SECRET_KEYS": f"1:{KEY}", "DATABASE_URL": f"sqlite:///{file}", "KEY_FOLDER": str(tmp_path / "keys")}
    status, found, text = run(settings)
    assert (status, found["database"]) == (1, "WRONG")
    assert f"There is no file {file}: run `coopmail db upgrade`" in " ".join(text.split())
    assert not file.parent.exists()


def test_a_setting_that_cannot_be_read_is_the_only_thing_that_is_said() -> None:
    status, found, text = run({"SECRET_KEYS": f"1:{SECRET}"})
    assert (status, found, SECRET in text) == (1, {"settings": "WRONG"}, False)


def test_links_are_not_to_travel_readable_and_gunicorn_is_to_have_its_runners() -> None:
    assert not check_settings(Settings({1: KEY}, base_url="https://stem.example.org")).is_wrong
    assert check_settings(Settings({1: KEY}, base_url="http://stem.example.org")).is_wrong
    assert check_settings(Settings({1: KEY}, server="gunicorn")).is_wrong
    assert not check_settings(Settings({1: KEY}, server="gunicorn", run_jobs=False)).is_wrong


def test_a_charter_that_breaks_its_own_rules_is_named(tmp_path: Path) -> None:
    (tmp_path / "charter.toml").write_text("[cooperative]\n")
    assert check_charter(tmp_path / "charter.toml").is_wrong


def test_an_older_or_empty_database_is_to_be_upgraded(database_url: str) -> None:
    db = Database(database_url)
    for statement in ("UPDATE alembic_version SET version_num = '0001'", "DROP TABLE alembic_version"):
        with db.engine.begin() as connection:
            connection.execute(sa.text(statement))
        wrong = [finding for finding in check_database(db, clock.system) if finding.part == "database"]
        assert [(finding.is_wrong, "`coopmail db upgrade`" in finding.says) for finding in wrong] == [(True, True)]
    db.close()


@pytest.mark.parametrize(("apart", "wrong"), [(0.0, False), (1.5, False), (30.0, True), (-30.0, True)])
def test_a_clock_that_differs_from_the_database_s_is_named(database_url: str, apart: float, wrong: bool) -> None:
    db = Database(database_url)
    found = [
        finding
        for finding in check_database(db, lambda: clock.system() + timedelta(seconds=apart))
        if finding.part == "clock"
    ]
    db.close()
    assert [finding.is_wrong for finding in found] == [wrong and not db.sqlite]


def test_jobs_that_have_not_run_of_late_are_named() -> None:
    ran = {job.name: MONDAY - timedelta(minutes=1) for job in SCHEDULE}
    assert not check_jobs(ran, MONDAY).is_wrong
    found = check_jobs(ran | {"close-polls": MONDAY - timedelta(minutes=4)}, MONDAY)
    assert (found.is_wrong, "minutes: close-polls;" in found.says) == (True, True)
    assert check_jobs({}, MONDAY).is_wrong


def test_redis_is_to_have_a_worker_and_a_scheduler() -> None:
    assert [finding.state for finding in check_redis(None)] == ["OK"]
    assert [finding.state for finding in check_redis(NOBODY)] == ["WRONG"]
    with redis() as server:
        found = {finding.part: finding.state for finding in check_redis(server.url)}
        assert found == {"redis": "OK", "workers": "WRONG", "schedulers": "WRONG"}
        for what, who in (("worker", "a"), ("worker", "b"), ("scheduler", "c")):
            seen(server.client, what, who)
        assert [(finding.part, finding.state, finding.says.partition(" ")[0]) for finding in check_redis(server.url)][
            1:
        ] == [("workers", "OK", "2"), ("schedulers", "OK", "1")]


def test_a_key_folder_is_this_account_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert check_keys(folder).state == "?"
    folder.mkdir(mode=0o700)
    (folder / "poll-1.key").touch(mode=0o600)
    assert check_keys(folder).state == "OK"
    (folder / "poll-1.key").chmod(0o640)
    assert (check_keys(folder).state, "poll-1.key" in check_keys(folder).says) == ("WRONG", True)
    (folder / "poll-1.key").chmod(0o600)
    folder.chmod(0o755)
    assert check_keys(folder).state == "WRONG"


def said(relay: Relay | None) -> tuple[str, str]:
    """What is found of a relay."""
    (found,) = check_relay(relay)
    return found.state, found.says


def test_a_relay_that_can_be_trusted_and_lets_us_in_is_in_order_and_is_sent_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with SmtpServer(tls=context, login=LOGIN) as server:
        state, says = said(Relay("127.0.0.1", server.port, "starttls", *LOGIN))
        assert (state, "STARTTLS, signed in, no PIPELINING" in says, "size 33554432" in says) == ("OK", True, True)
        state, says = said(Relay("127.0.0.1", server.port, "starttls", "stem", "wrong-" + SECRET))
        assert (state, "refuses the login (535)" in says, SECRET in says) == ("WRONG", True, False)
        assert (server.attempts, {"MAIL", "RCPT", "DATA"} & set(server.heard)) == ([], set())
        assert said(Relay("127.0.0.1", server.port, "tls"))[0] == "WRONG"


def test_a_relay_that_nobody_vouches_for_or_that_offers_too_little_is_wrong(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path, "127.0.0.1")
    with SmtpServer(tls=context) as server:
        state, says = said(Relay("127.0.0.1", server.port, "starttls"))
        assert (state, "certificate is not to be trusted" in says) == ("WRONG", True)
    with SmtpServer() as plain:
        state, says = said(Relay("127.0.0.1", plain.port, "starttls"))
        assert (state, "offers no STARTTLS" in says) == ("WRONG", True)
        assert said(Relay("127.0.0.1", plain.port, "none"))[0] == "OK"
    assert said(Relay("127.0.0.1", 1, "none"))[0] == "WRONG"
    assert said(None)[0] == "OK"


@contextmanager
def name_server(records: Mapping[tuple[str, str], list[str]]) -> Iterator[dns.resolver.Resolver]:
    """A name server that knows these records alone, and who asks it. A name without any does not exist."""
    names = {name for name, _ in records}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                wire, whom = listening.recvfrom(4096)
                if not wire:
                    return
                asked = dns.message.from_wire(wire)
                question = asked.question[0]
                name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
                reply = dns.message.make_response(asked)
                reply.flags |= dns.flags.RA
                if found := records.get((name, kind)):
                    reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
                elif name not in names:
                    reply.set_rcode(dns.rcode.NXDOMAIN)
                listening.sendto(reply.to_wire(), whom)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], listening.getsockname()[1]
        yield resolver
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", listening.getsockname())
        thread.join(20)


@pytest.mark.parametrize(
    ("records", "wrong"),
    [
        ({(DOMAIN, "MX"): MX, (DOMAIN, "TXT"): SPF, (f"_dmarc.{DOMAIN}", "TXT"): DMARC}, []),
        ({(DOMAIN, "TXT"): SPF, (f"_dmarc.{DOMAIN}", "TXT"): DMARC}, ["sender MX"]),
        ({(DOMAIN, "MX"): MX, (DOMAIN, "TXT"): SPF[1:]}, ["sender SPF", "sender DMARC"]),
        ({(DOMAIN, "MX"): MX, (DOMAIN, "TXT"): [*SPF, '"v=spf1 -all"'], (f"_dmarc.{DOMAIN}", "TXT"): DMARC},
         ["sender SPF"]),
        ({}, ["sender MX", "sender SPF", "sender DMARC"]),
    ],
)  # fmt: skip
def test_a_sender_domain_is_to_take_replies_and_to_say_who_sends_for_it(
    records: dict[tuple[str, str], list[str]], wrong: list[str]
) -> None:
    with name_server(records) as resolver:
        found = list(check_domain(DOMAIN, resolver))
    assert [finding.part for finding in found if finding.is_wrong] == wrong
    assert [finding.part for finding in found if finding.state == "?"] == ["sender DKIM"]


def test_a_domain_that_cannot_be_asked_about_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coopmail.cli.doctor_mail.TIMEOUT", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], silent.getsockname()[1]
        found = list(check_domain(DOMAIN, resolver))
    assert [(finding.part, finding.state) for finding in found] == [("sender", "?")]
    assert [finding.state for finding in check_domain("cultuurconnect.example", resolver)] == ["?"]
