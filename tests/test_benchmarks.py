"""What the benchmarks measure with must itself be right; how fast anything is, is no test."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import waitress
from flask import Flask, redirect, request
from werkzeug.wrappers import Response

from benchmarks.__main__ import NAMES, PROFILES
from benchmarks.answers import Voters
from benchmarks.kit.delay import serve
from benchmarks.kit.field import environment_of, fill, installation, open_poll, settings_of, tokens
from benchmarks.kit.load import Visit, visit_all, visited
from benchmarks.kit.report import compared, measured, table, write_part
from benchmarks.kit.run import Wrong
from benchmarks.kit.sample import sample
from benchmarks.kit.steps import REST, STEPS, Stopwatch, found
from benchmarks.kit.theirs import filled
from coopmail import create_app
from coopmail.config import Settings
from coopmail.links import LinkSigner
from coopmail.parts import parts
from tests.servers import serving

GET = ("GET", "GET", "/page", "", 200)
POST = ("POST", "POST", "/page", "choice=a", 303)


@pytest.fixture
def asked() -> list[str]:
    """What the small server was asked."""
    return []


@pytest.fixture
def port(asked: list[str]) -> Iterator[int]:
    """A small server of pages, of which one ends its connection."""
    app = Flask("pages")

    @app.route("/page", methods=["GET", "POST"])
    def page() -> Response | str:
        asked.append(f"{request.method} {request.form.get('choice', '')}".strip())
        return redirect("/page", 303) if request.method == "POST" else "x" * 100_000

    @app.get("/last")
    def last() -> tuple[str, dict[str, str]]:
        asked.append("GET last")
        return "bye", {"Connection": "close"}

    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
    with serving(server):
        yield int(server.effective_port)


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    row = compared("mail", [10.0, 40.0, 90.0], "theirs", [10.0, 10.0, 30.0], 2.5)
    assert row == {"what": "mail", "ours_per_second": 40.0, "beside": "theirs", "beside_per_second": 10.0,
                   "ratio": 3.0, "aim": "≥ 2.5 ×", "met": True}  # fmt: skip


def test_a_figure_that_is_no_rate_says_its_unit_and_misses_its_aim_from_above() -> None:
    row = measured("start", 2.0, "s", most=1.5, beside="empty", theirs=0.5)
    assert (row["ours_per_second"], row["ratio"], row["aim"], row["met"]) == (None, 4.0, "≤ 1.5 s", False)
    assert table([row])[-1] == "| start | 2 s | empty | 0.5 s | 4.00 × | ≤ 1.5 s | no |"


def test_a_share_is_said_in_hundredths() -> None:
    row = compared("answers", [300.0], "empty page", [1_000.0], 0.25)
    assert table([row])[-1] == "| answers | 300/s | empty page | 1,000/s | 30% | ≥ 25% | yes |"


def test_a_benchmark_writes_its_own_part_of_the_results_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    order = ("first", "second", "third")
    write_part("third", ["three"], order, file)
    write_part("first", ["one", "## of its own"], order, file)
    before = file.read_text()
    write_part("first", ["one"], order, file)
    write_part("second", ["two"], order, file)
    parts_of_it = file.read_text().split("\n## ")
    assert before.split("\n## ")[-1] == parts_of_it[-1] == "third\n\nthree\n"
    assert parts_of_it[1:3] == ["first\n\none\n", "second\n\ntwo\n"]


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_says_what_it_does_and_has_rows(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert len(module.__doc__ or "") > 80
    assert callable(module.rows)


@pytest.mark.parametrize("name", PROFILES)
def test_what_can_be_profiled_says_where_its_time_goes(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").profile)


def test_a_benchmark_that_there_is_not_is_refused_with_the_names_of_those_there_are() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks", "mial"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"make bench: error: mial is none of {', '.join(NAMES)}"


@pytest.mark.parametrize("name", [name for names in STEPS.values() for name in names])
def test_every_step_of_the_profile_is_a_function_of_today(name: str) -> None:
    _, attribute, function = found(name)
    assert (callable(function), attribute) == (True, name.rpartition(":")[2].rpartition(".")[2])


def test_a_step_within_a_step_is_counted_once() -> None:
    moment = [0.0, 0.0]

    def pass_time(seconds: float) -> None:
        moment[0] += seconds
        moment[1] += seconds / 2

    watch = Stopwatch(lambda: (moment[0], moment[1]))
    sign = watch.timed("sign", lambda: pass_time(2))

    def letter() -> None:
        pass_time(1)
        sign()
        pass_time(4)

    watch.start()
    pass_time(8)
    watch.timed("letter", letter)()
    pass_time(16)
    watch.lap()
    assert {step: seconds for step, seconds in watch.wall.items() if seconds} == {"letter": 5, "sign": 2, REST: 24}
    assert {step: seconds for step, seconds in watch.busy.items() if seconds} == {"letter": 2.5, "sign": 1, REST: 12}


def test_what_was_watched_is_as_it_was_before() -> None:
    before = LinkSigner.sign
    with Stopwatch().watching():
        assert LinkSigner.sign is not before
    assert LinkSigner.sign is before


def test_a_client_makes_the_requests_of_a_visit_in_turn(port: int, asked: list[str]) -> None:
    seen = visit_all(port, 1, [[GET, POST]] * 3)
    assert asked == ["GET", "POST a"] * 3
    assert {name: len(took) for name, took in seen.took.items()} == {"GET": 3, "POST": 3}
    assert seen.unexpected == []


def test_every_visit_is_made_once_by_many_clients(port: int, asked: list[str]) -> None:
    work: list[Visit] = [[("POST", "POST", "/page", f"choice={number}", 303)] for number in range(200)]
    seen = visited(port, 50, work)
    assert sorted(asked) == sorted(f"POST {number}" for number in range(200))
    assert len(seen.took["POST"]) == 200


def test_a_client_goes_on_where_the_server_ends_the_connection(port: int, asked: list[str]) -> None:
    last = ("last", "GET", "/last", "", 200)
    seen = visit_all(port, 2, [[last, GET]] * 4)
    assert sorted(asked) == ["GET"] * 4 + ["GET last"] * 4
    assert len(seen.took["GET"]) == 4


def test_an_answer_that_was_not_expected_spoils_the_figures(port: int) -> None:
    with pytest.raises(Wrong, match=r"2 answers were not the expected ones: .*404"):
        visited(port, 2, [[GET], [("GET", "GET", "/nowhere", "", 200)], [("GET", "GET", "/nowhere", "", 200)]])


def test_a_long_wire_brings_everything_in_order_and_late() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def there_and_back(sent: bytes) -> tuple[bytes, float]:
        target = await asyncio.start_server(echo, "127.0.0.1", 0)
        wire = await serve(0, target.sockets[0].getsockname()[1], 0.05)
        async with target, wire:
            reader, writer = await asyncio.open_connection(*wire.sockets[0].getsockname())
            clock = asyncio.get_running_loop().time
            began = clock()
            writer.write(sent)
            writer.write_eof()
            first = await reader.read(1)
            took = clock() - began
            came = first + await reader.read()
            writer.close()
            await writer.wait_closed()
            return came, took

    sent = bytes(range(256)) * 8_000
    came, took = asyncio.run(there_and_back(sent))
    assert came == sent
    assert took >= 0.1


def test_the_message_that_all_send_is_an_invitation_of_twenty_kilobytes_without_a_recipient() -> None:
    message = sample()
    assert 18_000 < len(message.html.encode()) < 22_000
    for text in (message.text, message.html):
        assert [place in text for place in ("{name}", "{unit}", "{link}")] == [True] * 3
        assert "Mieke" not in text
        assert "/r/" not in text.replace("{link}/person", "")


def test_a_comparator_is_told_the_message_and_its_recipients(tmp_path: Path) -> None:
    replace(sample(), subject="{unit}", text="{name}", html="<p>{name} {link}").write(tmp_path / "message.json", 2)
    message = json.loads((tmp_path / "message.json").read_text())
    assert [person["email"] for person in message["recipients"]] == ["mieke@l1.example", "mieke@l2.example"]
    second = message["recipients"][1]
    assert filled(message, second) == (
        "Bibliotheek van gemeente 2", "Mieke Peeters-2", f"<p>Mieke Peeters-2 {second['link']}",
    )  # fmt: skip


def test_a_process_gets_the_settings_of_the_installation(tmp_path: Path) -> None:
    settings = settings_of(f"sqlite:///{tmp_path}/a.sqlite", tmp_path, 2525)
    assert Settings.from_env(environment_of(settings)) == settings


@pytest.fixture
def answered(tmp_path: Path) -> Callable[[bool], tuple[Voters, str]]:
    """Votes of three voters, of which the last may be lost on its way."""

    def vote(loses: bool) -> tuple[Voters, str]:
        settings = settings_of(f"sqlite:///{tmp_path}/votes.sqlite", tmp_path)
        with installation(settings) as office:
            fill(office, 3)
            poll_id = open_poll(office)
            voters = Voters(poll_id, list(tokens(office, poll_id).items()))
        app = create_app(settings)
        visits = voters.answer(3)
        for _, (_, method, path, body, status) in visits[: 2 if loses else 3]:
            form = "application/x-www-form-urlencoded"
            assert app.test_client().open(path, method=method, data=body, content_type=form).status_code == status
        parts(app).db.close()
        return voters, settings.database_url

    return vote


def test_ballots_that_were_confirmed_and_are_recorded_pass(answered: Callable[[bool], tuple[Voters, str]]) -> None:
    voters, url = answered(False)
    voters.check(url, secret=False)
    assert (len(voters.sent), voters.unused) == (3, [])


def test_a_ballot_that_is_missing_is_found_out(answered: Callable[[bool], tuple[Voters, str]]) -> None:
    voters, url = answered(True)
    with pytest.raises(Wrong, match="3 ballots were confirmed; the database has 2"):
        voters.check(url, secret=False)
