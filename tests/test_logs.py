"""The log: one JSON object a line, ours and the libraries', and no personal link's token in any."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator

import pytest
import structlog

from coopmail import logs
from coopmail.links import LinkSigner

TOKEN = LinkSigner({1: "a key that only the tests know and long enough"}).sign("new-link-request", "0f" * 16, 1)
SECRET = TOKEN.rpartition(".")[2]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What is printed; what `configure_server` changes is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().out
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    logs.configure()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"GET /r/{TOKEN}?choice=a", "GET /r/…?choice=a"),
        (f"from /r/ballot.x.y/person, and /r/{TOKEN}/draft", "from /r/…/person, and /r/…/draft"),
        (f"http://localhost/r/{TOKEN}", "http://localhost/r/…"),
        (f"%2Fr%2F{TOKEN}", "%2Fr%2F…"),
        (f"no link: {TOKEN!r} is wrong", "no link: '…' is wrong"),
        (TOKEN.replace(".", "%2E"), "…"),
        ("/r/<token>/person", "/r/<token>/person"),
        ("/ready /redis/1 a.b.c", "/ready /redis/1 a.b.c"),
        (f"the chain's head is {'a0' * 32}", f"the chain's head is {'a0' * 32}"),
    ],
)
def test_a_token_is_cut_out_wherever_it_stands_and_nothing_else_is(text: str, left: str) -> None:
    assert logs.without_tokens(text) == left


def test_no_token_reaches_a_line_of_ours_not_in_a_value_and_not_in_a_traceback(printed: Callable[[], str]) -> None:
    logs.configure_server()
    log = structlog.get_logger("coopmail")
    try:
        raise ValueError(f"the page /r/{TOKEN} cannot be made of {TOKEN}")
    except ValueError:
        log.exception("request-failed", deep={"paths": [f"/r/{TOKEN}", 1]}, rule="/r/<token>")
    text = printed()
    line = json.loads(text)
    assert SECRET not in text
    assert (line["event"], line["level"], line["deep"]) == ("request-failed", "error", {"paths": ["/r/…", 1]})
    assert line["rule"] == "/r/<token>"
    assert "ValueError: the page /r/… cannot be made of …" in line["exception"]


def test_no_address_of_a_person_reaches_a_line_of_ours_and_its_domain_may(printed: Callable[[], str]) -> None:
    logs.configure_server()
    said = "454 4.7.1 <els.peeters@aartselaar.example>: Relay access denied"
    structlog.get_logger("coopmail").warning("relay-down", reply=said)
    line = json.loads(printed())
    assert line["reply"] == "454 4.7.1 <…@aartselaar.example>: Relay access denied"


def test_the_libraries_lines_take_the_same_form_and_lose_their_tokens(printed: Callable[[], str]) -> None:
    logs.configure_server()
    library = logging.getLogger("a.library")
    try:
        raise OSError(f"/r/{TOKEN}")
    except OSError:
        library.exception("Error handling request %s", f"/r/{TOKEN}")
    library.info("of no interest")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(f"old: {TOKEN}", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    text = printed()
    first, second = map(json.loads, text.splitlines())
    assert SECRET not in text
    assert (first["event"], first["level"], first["logger"]) == ("Error handling request /r/…", "error", "a.library")
    assert first["exception"].endswith("OSError: /r/…")
    assert (second["logger"], second["level"]) == ("py.warnings", "warning")


def test_a_command_that_is_no_server_logs_warnings_only(printed: Callable[[], str]) -> None:
    logs.configure_server()
    logs.configure()
    structlog.get_logger("coopmail").info("request")
    structlog.get_logger("coopmail").warning("redis-away")
    assert [json.loads(line)["event"] for line in printed().splitlines()] == ["redis-away"]
