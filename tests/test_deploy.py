"""What is deployed: the compose file and the units start what there is, with settings that exist."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from coopmail.cli.commands import coopmail
from coopmail.config import ROOT, Settings

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
OURS = ("migrate", "serve", "worker", "scheduler")
SECRET = "0123456789abcdef" * 3


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The compose file's services."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return dict(found["services"])


def example(*, also_commented: bool = False) -> dict[str, str]:
    """The example of the settings, filled in where it says nothing."""
    found = {}
    for line in (DEPLOY / "env.example").read_text().splitlines():
        match = re.fullmatch(r"(#?)([A-Z_]+)=(.*)", line)
        if match and (also_commented or not match[1]):
            found[match[2]] = match[3] + SECRET if match[3] in ("", "1:") else match[3]
    return found


def given(service: dict[str, Any]) -> dict[str, str]:
    """What a container gets: the example, and what compose sets, with the password put in."""
    values = {name: re.sub(r"\$\{(\w+)[^}]*\}", SECRET, value) for name, value in service["environment"].items()}
    return example() | values


def settings(values: dict[str, str], charter: Path) -> Settings:
    """The settings as the application reads them."""
    return Settings.from_env(values | {"COOPMAIL_CHARTER": str(charter)})


def test_compose_starts_every_part(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "redis", *OURS}
    assert services["worker"]["deploy"]["replicas"] == 2
    for name in OURS:
        command = services[name].get("command", ["coopmail", "serve"])
        assert (command[0], command[1] in coopmail.commands) == ("coopmail", True), name


def test_compose_waits_for_what_says_that_it_is_well(services: dict[str, Any]) -> None:
    for name in OURS:
        for needed, how in services[name]["depends_on"].items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], needed
            else:
                assert (needed, how["condition"]) == ("migrate", "service_completed_successfully")
    assert "/ready" in services["serve"]["healthcheck"]["test"][-1]


def test_compose_gives_all_our_processes_the_same_settings_and_the_same_key_folder(services: dict[str, Any]) -> None:
    found = settings(given(services["serve"]), ROOT / "coopmail" / "data" / "charter.toml")
    assert (found.server, found.embedded, found.trusted_proxy) == ("gunicorn", False, "172.30.60.1")
    assert found.database_url.startswith(f"postgresql+psycopg://coopmail:{SECRET}@postgres:5432/")
    for name in ("serve", "worker", "scheduler"):
        assert services[name]["environment"] == services["serve"]["environment"]
        assert f"poll-keys:{found.key_folder}" in services[name]["volumes"]


def test_every_setting_of_the_example_exists_and_it_is_refused_until_it_is_filled_in() -> None:
    values = example(also_commented=True)
    assert settings(values, ROOT / "coopmail" / "data" / "charter.toml").metrics_token == SECRET
    assert "COOPMAIL_SECRET_KEYS=1:\n" in (DEPLOY / "env.example").read_text()


@pytest.mark.parametrize("file", UNITS, ids=lambda file: str(file.name))
def test_a_unit_starts_a_command_that_exists_and_starts_it_again(file: Path) -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(file.read_text())
    service = unit["Service"]
    program, command = service["ExecStart"].split()[:2]
    assert (program, command in coopmail.commands) == ("/opt/coopmail/.venv/bin/coopmail", True)
    assert (service["Restart"], service["KillMode"], service["User"]) == ("always", "mixed", "coopmail")
    assert service["EnvironmentFile"] == "/etc/coopmail/coopmail.env"
    assert "/var/lib/" + service["StateDirectory"] in example(also_commented=True)["COOPMAIL_KEY_FOLDER"]


def test_the_units_are_those_that_the_guide_names() -> None:
    names = [file.name.partition(".")[0] for file in UNITS]
    assert names == ["coopmail-scheduler", "coopmail-serve", "coopmail-worker@"]
    guide = (DEPLOY / "README.md").read_text()
    assert all(name in guide for name in names)


def test_the_guide_runs_commands_as_the_units_do_and_has_the_certificate_before_the_proxy() -> None:
    guide = (DEPLOY / "README.md").read_text()
    (line,) = re.findall(r"systemd-run (?:.*\\\n)*.*", guide)
    unit = (DEPLOY / "systemd" / "coopmail-serve.service").read_text().splitlines()
    given = re.findall(r"--property (\S+)", line)
    assert {one.partition("=")[0] for one in given} == {
        "WorkingDirectory", "StateDirectory", "StateDirectoryMode", "EnvironmentFile"
    }  # fmt: skip
    assert [one for one in given if one not in unit] == []
    steps = ("certbot certonly", "rm /etc/nginx/sites-enabled/default", "deploy/nginx.conf /etc", "nginx -t")
    assert sorted(steps, key=guide.index) == list(steps)


def test_the_image_holds_all_that_the_program_reads() -> None:
    image = (DEPLOY / "Dockerfile").read_text()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for folder in ("coopmail", "emails", "migrations", "templates", "translations"):
        assert f"COPY {folder} {folder}\n" in image
        assert f"!{folder}" in ignored
