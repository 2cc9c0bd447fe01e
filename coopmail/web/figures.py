"""Requests, measured by the rule of their address and never by the address itself: a path holds a token.

One log line a request, and a histogram for `/metrics` where `COOPMAIL_METRICS_TOKEN` asks for one. Several processes
share their histogram by prometheus-client's files (`PROMETHEUS_MULTIPROC_DIR`, which `coopmail serve` sets).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog
from flask import Flask, Response, g, request

from coopmail.domain.outbox import MailState, Priority
from coopmail.errors import SettingError
from coopmail.parts import Parts, parts
from coopmail.queries import figures as questions

if TYPE_CHECKING:
    from prometheus_client import Histogram
    from prometheus_client.core import GaugeMetricFamily, Metric
    from prometheus_client.registry import CollectorRegistry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_log = structlog.get_logger(__name__)


def measure_requests(app: Flask) -> None:
    """Log and count every request of this application; `SettingError` where figures are asked and cannot be had."""
    histogram = None
    if parts(app).settings.metrics_token:
        registry, histogram = _histogram()
        app.extensions["coopmail-figures"] = registry

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("began", time.perf_counter())
        rule = request.url_rule.rule if request.url_rule is not None else "(none)"
        method = request.method if request.method in _METHODS else "other"
        if histogram is not None:
            histogram.labels(rule, method, str(response.status_code)).observe(seconds)
        _log.info("request", rule=rule, method=method, status=response.status_code, ms=round(seconds * 1000, 1))
        return response


def render(app: Flask) -> bytes:
    """All figures in Prometheus' text form: the requests of every process, and what the database says."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    requests = app.extensions["coopmail-figures"]
    if MULTIPROCESS in os.environ:
        requests = CollectorRegistry()
        MultiProcessCollector(requests)  # type: ignore[no-untyped-call]
    database = CollectorRegistry()
    database.register(_FromDatabase(parts(app)))
    return generate_latest(database) + generate_latest(requests)


def _histogram() -> tuple[CollectorRegistry, Histogram]:
    try:
        from prometheus_client import CollectorRegistry, Histogram
    except ImportError as error:
        raise SettingError(
            "COOPMAIL_METRICS_TOKEN wants prometheus-client: install Coopmail with its extra `production`."
        ) from error
    registry = CollectorRegistry()
    return registry, Histogram(
        "coopmail_request_seconds",
        "Time to answer a request, by the rule of its address.",
        ["rule", "method", "status"],
        buckets=_BUCKETS,
        registry=registry,
    )


class _FromDatabase:
    """What the database says, asked anew each time."""

    def __init__(self, office: Parts) -> None:
        self._office = office

    def collect(self) -> Iterator[Metric]:
        """The figures as gauges."""
        with self._office.db.reading() as (session, now):
            found = questions.figures(session, now())
        kinds = [(state, priority) for state in MailState for priority in Priority]
        yield _gauge(
            "outbox_mails",
            "Mails by state and priority: those that wait, and what became of the others.",
            {(state.value, priority.name.lower()): found.mails.get((state, priority), 0) for state, priority in kinds},
            ["state", "priority"],
        )
        yield _gauge(
            "oldest_due_mail_seconds", "For how long the mail that waits longest could have gone.", found.oldest_due
        )
        yield _gauge("ballots", "Answers recorded.", found.ballots)
        yield _gauge("open_polls", "Polls that take answers.", found.open_polls)
        yield _gauge("unsealed_audit_rows", "Audit rows that are not in the chain yet.", found.unsealed)
        yield _gauge(
            "job_last_run_seconds",
            "How long ago a job last ran without a fault, to the half minute.",
            {(name,): seconds for name, seconds in found.sweeps.items()},
            ["job"],
        )


def _gauge(
    name: str, what: str, values: float | Mapping[tuple[str, ...], float], labels: Sequence[str] = ()
) -> GaugeMetricFamily:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"coopmail_{name}", what, labels=labels)
    for key, value in values.items() if isinstance(values, Mapping) else [((), values)]:
        family.add_metric(key, value)
    return family
