"""Serving by gunicorn: several processes that share what was loaded before they were forked."""

from __future__ import annotations

import gc
import logging
import os
import re
import shutil
import tempfile
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from sqlalchemy.orm import configure_mappers
from werkzeug.middleware.proxy_fix import ProxyFix

from coopmail import create_app
from coopmail.cli.server import check_database, check_port
from coopmail.config import Settings
from coopmail.errors import SettingError
from coopmail.parts import parts
from coopmail.web.figures import MULTIPROCESS

THREADS = 4
"""A page is Python for the most part: more threads would wait for each other, fewer would wait for the database."""
_FORWARDED = (
    "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX", "HTTP_X_FORWARDED_BY", "HTTP_FORWARDED",
)  # fmt: skip

_ADDRESS = re.compile(r" from ip=\S*?(?=: )")


def run_gunicorn(settings: Settings, host: str, port: int) -> None:
    """Serve until the process is asked to end; requests that run are finished first.

    Its processes run no jobs: without Redis a ring would reach one of them only. So `SettingError` where jobs are to
    run here.
    """
    if settings.run_jobs and settings.redis_url is None:
        raise SettingError(
            "COOPMAIL_SERVER=gunicorn runs no jobs: set COOPMAIL_REDIS_URL and start `coopmail worker` and "
            "`coopmail scheduler`; or, without Redis, set COOPMAIL_RUN_JOBS=0 and start `coopmail scheduler`."
        )
    check_port(host, port)
    folder, first = tempfile.mkdtemp(prefix="coopmail-figures-"), os.getpid()
    try:
        if settings.metrics_token:
            os.environ[MULTIPROCESS] = folder  # before prometheus-client is loaded: it looks once
        app = create_app(settings)
        check_database(parts(app).db, simulation=settings.simulation)
        parts(app).db.close()  # each process opens connections of its own
        _prepare(app)
        _Gunicorn(app, settings, f"[{host}]:{port}" if ":" in host else f"{host}:{port}").run()
    finally:
        if os.getpid() == first:  # the processes that are forked leave through here too
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(app: Flask) -> None:
    """Load once what every process would load at its first page."""
    parts(app).db.doorbell.prepare()
    configure_mappers()
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """Gunicorn, configured by our settings alone: no file, no command line."""

    def __init__(self, app: Flask, settings: Settings, bind: str) -> None:
        self._app, self._settings, self._bind = app, settings, bind
        super().__init__()

    def load_config(self) -> None:
        """What gunicorn asks for; the names are its own."""
        options: dict[str, Any] = {
            "bind": self._bind,
            "workers": self._settings.processes,
            "worker_class": "gthread",
            "threads": THREADS,
            "preload_app": True,
            "keepalive": 15,
            "timeout": 60,
            "graceful_timeout": 30,
            "accesslog": None,  # it would hold paths, and a path holds a token
            "logger_class": _Log,
            "control_socket_disable": True,
            "forwarded_allow_ips": "",  # see `behind`
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108 - gunicorn makes it safely
            "pre_fork": _before_fork,
            "worker_exit": lambda _arbiter, _worker: parts(self._app).db.doorbell.flush(),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application."""
        return behind(self._app, self._settings.trusted_proxy)


class _Log(Logger):  # type: ignore[misc]
    """Gunicorn's log without handlers of its own: its lines take the road of all others, where tokens are removed."""

    def setup(self, cfg: Any) -> None:
        """Hand over."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)

    def warning(self, msg: object, *args: Any, **options: Any) -> None:
        """Without the address of whoever sent what could not be read."""
        super().warning(_ADDRESS.sub("", str(msg)), *args, **options)


def behind(app: Any, trusted_proxy: str) -> Any:
    """The application as seen through the one proxy that is trusted; what another says of itself is not believed.

    As waitress does: where no proxy is trusted the headers stay to be seen, and the local mailbox refuses them.
    """
    if not trusted_proxy:
        return app
    proxied = ProxyFix(app, x_for=1, x_proto=1, x_host=1)

    def choose(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("REMOTE_ADDR") == trusted_proxy:
            return proxied(environ, start_response)
        for name in _FORWARDED:
            environ.pop(name, None)
        return app(environ, start_response)

    return choose


def _before_fork(_arbiter: Any, worker: Any) -> None:
    if worker.age == 1:
        gc.collect()
        gc.freeze()  # so that the processes go on sharing what was loaded
