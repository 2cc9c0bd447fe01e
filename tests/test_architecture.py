"""The house's rules, read from the source: who may import whom, who may commit, who may know the time.

`ROOMS` is the table of the house as data. Every checker is a function over source text, so that each is also fed a
breach and must name it: a check that cannot fail is a defect.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from coopmail.config import ROOT
from coopmail.forms import KINDS

ALWAYS = frozenset({"errors", "clock", "config"})
EVERYTHING = frozenset({"*"})

# Room: what it may import of ours. A room may be a package (all its modules) or one module of it.
ROOMS: dict[str, frozenset[str]] = {
    "coopmail": EVERYTHING,
    "errors": frozenset(),
    "clock": frozenset(),
    "doorbell": frozenset(),
    "logs": frozenset(),
    "domain": frozenset({"domain", "errors"}),
    "config": frozenset({"errors"}),
    "charter": ALWAYS,
    "links": ALWAYS,
    "db": ALWAYS | {"domain.base", "doorbell"},
    "vault": ALWAYS,
    "parts": ALWAYS | {"db", "charter", "links", "actions.basis", "vault"},
    "wording": ALWAYS | {"domain"},
    "queries": ALWAYS | {"queries", "domain"},
    "actions": ALWAYS | {"actions", "domain", "queries", "charter", "vault"},
    "forms": ALWAYS | {"forms", "actions", "queries", "domain", "charter", "wording"},
    "mail": ALWAYS | {"mail", "actions", "queries", "domain", "links", "db", "parts", "wording", "charter"},
    "documents": ALWAYS | {"documents", "domain"},
    "jobs": ALWAYS
    | {"jobs", "actions", "queries", "mail", "documents", "domain", "charter", "db", "parts", "wording"}
    | {"vault", "doorbell"},
    "web": ALWAYS
    | {"web", "forms", "actions", "queries", "mail", "documents", "domain", "charter", "links", "db"}
    | {"parts", "wording"},
    "cli": EVERYTHING,
}
LIBRARIES: dict[str, frozenset[str]] = {
    "itsdangerous": frozenset({"links"}),
    "cryptography": frozenset({"vault"}),
    "flask_mail": frozenset({"mail", "coopmail"}),
    "rq": frozenset({"doorbell", "jobs"}),
    "redis": frozenset({"doorbell", "jobs"}),
}
PURE = ("domain", "queries", "actions")
"""Rooms without Flask, a clock of their own or the environment."""
HIDDEN_INPUTS = frozenset({
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "time.time", "time.time_ns", "os.environ", "os.getenv", "coopmail.clock.system",
})  # fmt: skip
COMMITS = frozenset({"coopmail.db", "coopmail.cli.server"})
OPENS = frozenset({"web", "jobs", "cli", "mail"})
SKIPS = frozenset({"skip", "skipif", "xfail", "importorskip", "skipIf", "skipUnless", "skipTest", "expectedFailure"})
SLEEPS = frozenset({"time.sleep"})

Sources = Mapping[str, str]
"""A module's dotted name, and its text."""


def read_sources(folder: Path) -> dict[str, str]:
    """Every module of a package."""
    found = {}
    for file in sorted(folder.rglob("*.py")):
        parts = [*file.relative_to(folder.parent).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = file.read_text(encoding="utf-8")
    return found


def room_of(module: str) -> str:
    """The room that a module is in."""
    return module.split(".")[1] if "." in module else module


def imported(module: str, source: str, modules: Iterable[str]) -> set[str]:
    """What a module imports, wherever in it: our own modules by full name, names from elsewhere with their module."""
    known = set(modules)
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node, known)
            for alias in node.names:
                name = f"{origin}.{alias.name}"
                found.add(name if name in known else origin)
    return found


def _origin(module: str, node: ast.ImportFrom, known: set[str]) -> str:
    if node.level == 0:
        return node.module or ""
    is_package = any(other.startswith(f"{module}.") for other in known)
    above = node.level - 1 if is_package else node.level
    parts = module.split(".")
    return ".".join([*parts[: len(parts) - above], *([node.module] if node.module else [])])


def forbidden_imports(sources: Sources) -> list[str]:
    """Imports that the table does not allow."""
    faults = []
    for module, source in sources.items():
        room = room_of(module)
        if room not in ROOMS:
            faults.append(f"{module} is in no room of the table")
            continue
        for other in sorted(imported(module, source, sources)):
            library = other.partition(".")[0]
            if library == "coopmail":
                allowed = ROOMS[room]
                if allowed != EVERYTHING and not any(_within(other, place) for place in allowed):
                    faults.append(f"{module} imports {other}")
            elif library in LIBRARIES and room not in LIBRARIES[library]:
                faults.append(f"{module} imports {other}")
    return faults


def _within(module: str, place: str) -> bool:
    return f"{module}.".startswith(f"coopmail.{place}.")


def circles(sources: Sources) -> list[str]:
    """Modules that import each other in a circle, by the names that they write down.

    That Python loads a package before its modules makes no circle: the modules above wire, and are not named.
    """
    graph = {module: sorted(imported(module, source, sources) & set(sources)) for module, source in sources.items()}
    found: list[str] = []
    done: set[str] = set()

    def visit(module: str, road: list[str]) -> None:
        if module in road:
            found.append(" -> ".join([*road[road.index(module) :], module]))
            return
        if module in done:
            return
        for other in graph[module]:
            visit(other, [*road, module])
        done.add(module)

    for module in graph:
        visit(module, [])
    return found


def dotted_names(source: str) -> Iterator[str]:
    """Every name that a module uses, in full: what an import renamed gets its own name back."""
    tree = ast.parse(source)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            known.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in ast.walk(tree):
        trail: list[str] = []
        walk: ast.AST = node
        while isinstance(walk, ast.Attribute):
            trail.append(walk.attr)
            walk = walk.value
        if isinstance(walk, ast.Name) and walk.id in known:
            yield ".".join([known[walk.id], *reversed(trail)])


def hidden_inputs(sources: Sources) -> list[str]:
    """Flask, a clock or the environment in the rooms that are handed all they need."""
    faults = set()
    for module, source in sources.items():
        if room_of(module) not in PURE:
            continue
        faults |= {f"{module} uses {name}" for name in dotted_names(source) if name in HIDDEN_INPUTS}
        faults |= {f"{module} imports {name}" for name in imported(module, source, sources) if name.startswith("flask")}
    return sorted(faults)


def called(source: str) -> Iterator[str]:
    """The last name of everything that a module calls."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield function.attr
            elif isinstance(function, ast.Name):
                yield function.id


def stray_commits(sources: Sources) -> list[str]:
    """Commits outside the database's module and the migrations' connection."""
    return [f"{module} commits" for module, source in sources.items()
            if module not in COMMITS and "commit" in called(source)]  # fmt: skip


def stray_transactions(sources: Sources) -> list[str]:
    """Transactions opened elsewhere than at the edge."""
    return [f"{module} opens a transaction" for module, source in sources.items()
            if room_of(module) not in OPENS and "transaction" in called(source)]  # fmt: skip


def kind_chains(sources: Sources) -> list[str]:
    """Decisions by the kind of an invitation: each is one entry of `forms.KINDS`, and that says all of it."""
    faults = []
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.If | ast.IfExp):
                compared = [part for part in ast.walk(node.test) if isinstance(part, ast.Compare)]
                decides = any(_names_a_kind(compare) for compare in compared)
            else:
                decides = isinstance(node, ast.Match) and _is_kind(node.subject)
            if decides:
                faults.append(f"{module}:{node.lineno} decides by kind")  # type: ignore[attr-defined]
    return faults


def _names_a_kind(compare: ast.Compare) -> bool:
    sides = [compare.left, *compare.comparators]
    named = any(isinstance(part, ast.Constant) and part.value in KINDS for side in sides for part in ast.walk(side))
    return (
        named
        and any(map(_is_kind, sides))
        and any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in compare.ops)
    )


def _is_kind(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "kind" or (node.attr == "name" and _is_kind(node.value))
    return isinstance(node, ast.Name) and node.id == "kind"


def skipped_tests(sources: Sources) -> list[str]:
    """Tests that are passed over, or expected to fail."""
    return [
        f"{module}:{node.lineno} has {node.attr}"
        for module, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in SKIPS and not isinstance(node.ctx, ast.Store)
    ] + [
        f"{module}:{node.lineno} has {alias.name}"
        for module, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module in ("pytest", "unittest")
        for alias in node.names
        if alias.name in SKIPS
    ]


def sleeps(sources: Sources) -> list[str]:
    """Tests that wait for time instead of for what they expect."""
    faults: set[str] = set()
    for module, source in sources.items():
        faults |= {f"{module} uses {name}" for name in dotted_names(source) if name in SLEEPS}
        faults |= {f"{module} uses {name}" for name in called(source) if name == "wait_for_timeout"}
    return sorted(faults)


@pytest.fixture(scope="module")
def coopmail_sources() -> dict[str, str]:
    """The application."""
    return read_sources(ROOT / "coopmail")


@pytest.fixture(scope="module")
def test_sources() -> dict[str, str]:
    """The tests."""
    return read_sources(ROOT / "tests")


def test_every_import_is_one_that_the_table_of_the_house_allows(coopmail_sources: Sources) -> None:
    assert forbidden_imports(coopmail_sources) == []


def test_no_modules_import_each_other_in_a_circle(coopmail_sources: Sources) -> None:
    assert circles(coopmail_sources) == []


def test_nouns_questions_and_verbs_know_no_flask_no_clock_and_no_environment(coopmail_sources: Sources) -> None:
    assert hidden_inputs(coopmail_sources) == []


def test_only_the_database_s_module_and_the_migrations_commit(coopmail_sources: Sources) -> None:
    assert stray_commits(coopmail_sources) == []


def test_only_the_edge_opens_transactions(coopmail_sources: Sources) -> None:
    assert stray_transactions(coopmail_sources) == []


def test_no_module_decides_by_the_name_of_a_kind(coopmail_sources: Sources) -> None:
    assert kind_chains(coopmail_sources) == []


def test_no_test_is_passed_over_or_expected_to_fail(test_sources: Sources) -> None:
    assert skipped_tests(test_sources) == []


def test_no_test_sleeps(test_sources: Sources) -> None:
    assert sleeps(test_sources) == []


def test_the_source_that_is_read_is_all_of_the_application(coopmail_sources: Sources) -> None:
    assert {"coopmail", "coopmail.db", "coopmail.domain.polls", "coopmail.web.respond"} <= set(coopmail_sources)
    assert set(map(room_of, coopmail_sources)) <= set(ROOMS)


_HOUSE = {"coopmail": "", "coopmail.domain": "", "coopmail.domain.base": "", "coopmail.actions.basis": "",
          "coopmail.actions.polls": "", "coopmail.db": "", "coopmail.web": "", "coopmail.web.public": "",
          "coopmail.clock": "", "coopmail.wording": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("check", "module", "source", "fault"),
    [
        (forbidden_imports, "coopmail.domain.polls", "from coopmail.db import Database",
         "coopmail.domain.polls imports coopmail.db"),
        (forbidden_imports, "coopmail.domain.polls", "from coopmail import db",
         "coopmail.domain.polls imports coopmail.db"),
        (forbidden_imports, "coopmail.domain.polls", "def late() -> None:\n    import coopmail.db as base",
         "coopmail.domain.polls imports coopmail.db"),
        (forbidden_imports, "coopmail.domain.polls", "from ..db import Database",
         "coopmail.domain.polls imports coopmail.db"),
        (forbidden_imports, "coopmail.domain.polls", "from .. import web",
         "coopmail.domain.polls imports coopmail.web"),
        (forbidden_imports, "coopmail.domain.polls", "from coopmail import clock",
         "coopmail.domain.polls imports coopmail.clock"),
        (forbidden_imports, "coopmail.parts", "from coopmail.actions import polls",
         "coopmail.parts imports coopmail.actions.polls"),
        (forbidden_imports, "coopmail.wording", "from coopmail import create_app", "coopmail.wording imports coopmail"),
        (forbidden_imports, "coopmail.services", "", "coopmail.services is in no room of the table"),
        (forbidden_imports, "coopmail.web.public", "from itsdangerous import Signer",
         "coopmail.web.public imports itsdangerous"),
        (forbidden_imports, "coopmail.web.public", "import flask_mail", "coopmail.web.public imports flask_mail"),
        (forbidden_imports, "coopmail.web.public", "from cryptography.fernet import Fernet",
         "coopmail.web.public imports cryptography.fernet"),
        (forbidden_imports, "coopmail.mail.relay", "from redis.asyncio import Redis",
         "coopmail.mail.relay imports redis.asyncio"),
        (forbidden_imports, "coopmail.cli.server", "import rq", "coopmail.cli.server imports rq"),
        (circles, "coopmail.domain.base", "def f() -> None:\n    from coopmail.domain import base",
         "coopmail.domain.base -> coopmail.domain.base"),
        (hidden_inputs, "coopmail.actions.polls", "from flask import g", "coopmail.actions.polls imports flask"),
        (hidden_inputs, "coopmail.queries.polls", "from flask_babel import gettext",
         "coopmail.queries.polls imports flask_babel"),
        (hidden_inputs, "coopmail.actions.polls", "from datetime import datetime as dt\nx = dt.now(None)",
         "coopmail.actions.polls uses datetime.datetime.now"),
        (hidden_inputs, "coopmail.domain.polls", "import datetime\nx = datetime.datetime.utcnow",
         "coopmail.domain.polls uses datetime.datetime.utcnow"),
        (hidden_inputs, "coopmail.domain.polls", "from datetime import date\nx = date.today()",
         "coopmail.domain.polls uses datetime.date.today"),
        (hidden_inputs, "coopmail.domain.polls", "from time import time\nx = time()",
         "coopmail.domain.polls uses time.time"),
        (hidden_inputs, "coopmail.queries.polls", "import os\nx = os.environ['A']",
         "coopmail.queries.polls uses os.environ"),
        (hidden_inputs, "coopmail.actions.polls", "from coopmail import clock\nx = clock.system()",
         "coopmail.actions.polls uses coopmail.clock.system"),
        (stray_commits, "coopmail.actions.polls", "def f(session): session.commit()", "coopmail.actions.polls commits"),
        (stray_transactions, "coopmail.actions.polls", "with db.transaction() as both: pass",
         "coopmail.actions.polls opens a transaction"),
        (kind_chains, "coopmail.web.respond", "if kind == 'ballot': pass", "coopmail.web.respond:1 decides by kind"),
        (kind_chains, "coopmail.web.respond", "x = 1 if row.kind == 'ballot' else 2",
         "coopmail.web.respond:1 decides by kind"),
        (kind_chains, "coopmail.web.respond", "if True:\n    pass\nelif kind.name in ('ballot', 'nda'):\n    pass",
         "coopmail.web.respond:3 decides by kind"),
        (kind_chains, "coopmail.web.respond", "match link.kind:\n    case _: pass",
         "coopmail.web.respond:1 decides by kind"),
        (skipped_tests, "tests.test_x", "import pytest\n@pytest.mark.skipif(True)\ndef test_x(): pass",
         "tests.test_x:2 has skipif"),
        (skipped_tests, "tests.test_x", "import pytest\ndef test_x(): pytest.xfail()", "tests.test_x:2 has xfail"),
        (skipped_tests, "tests.test_x", "from pytest import skip", "tests.test_x:1 has skip"),
        (sleeps, "tests.test_x", "from time import sleep\nsleep(1)", "tests.test_x uses time.sleep"),
        (sleeps, "tests.test_x", "def test_x(page): page.wait_for_timeout(1)", "tests.test_x uses wait_for_timeout"),
    ],
)  # fmt: skip
def test_a_breach_is_seen_and_named(
    check: Callable[[Sources], list[str]], module: str, source: str, fault: str
) -> None:
    assert check({**_HOUSE, module: source}) == [fault]


def test_a_circle_over_three_modules_is_seen_and_named() -> None:
    sources = {"coopmail.a": "from coopmail import b", "coopmail.b": "def f():\n    import coopmail.c",
               "coopmail.c": "from coopmail.a import x"}  # fmt: skip
    assert circles(sources) == ["coopmail.a -> coopmail.b -> coopmail.c -> coopmail.a"]


def test_what_the_table_allows_is_not_named() -> None:
    allowed = {
        "coopmail.actions.polls": "from datetime import time\nfrom coopmail.domain import base\nx = time(9)",
        "coopmail.parts": "from coopmail.actions.basis import Basis\nfrom flask import Flask",
        "coopmail.domain.base": "if group.kind == 'steering_group': pass",
        "coopmail.db": "session.commit()",
        "coopmail.web.public": "with db.transaction() as both: pass",
    }
    sources = {**_HOUSE, **allowed}
    checks = (forbidden_imports, circles, hidden_inputs, stray_commits, stray_transactions, kind_chains)
    assert [check(sources) for check in checks] == [[], [], [], [], [], []]
