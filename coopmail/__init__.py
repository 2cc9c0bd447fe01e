"""Coopmail: governs a cooperative's shared services by e-mail. `create_app` wires the parts; it knows no subject."""

from __future__ import annotations

from typing import Any

import flask_mail
import structlog
from flask import Flask, Response, render_template
from flask_babel import Babel
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import IntegerConverter, Map
from whitenoise import WhiteNoise

from coopmail import charter, doorbell, logs, wording
from coopmail.clock import Clock
from coopmail.config import ROOT, Settings
from coopmail.db import Database
from coopmail.errors import LinkError
from coopmail.links import LinkSigner
from coopmail.parts import Parts
from coopmail.web import figures, language, mailbox, security
from coopmail.web.health import health
from coopmail.web.public import NewLinkForm, limiter, public
from coopmail.web.respond import respond
from coopmail.web.staff import csrf_field, navigation, sentence, staff

MAX_BODY = 512 * 1024


def create_app(settings: Settings, *, system_clock: Clock | None = None) -> Flask:
    """The application. Raises `CharterError` where the charter cannot be used, `SettingError` where what a setting
    wants is not installed; opens no connection yet.
    """
    app = Flask(__name__, template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "templates" / "static"))
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        MAX_FORM_PARTS=200,
        BABEL_DEFAULT_LOCALE="nl",
        BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "translations"),
        **_limits(settings),
    )
    app.url_map.converters["int"] = SmallInteger
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    if not structlog.is_configured():
        logs.configure()
    bell = doorbell.doorbell(settings.redis_url)
    db = Database(settings.database_url, doorbell=bell, system_clock=system_clock, simulation=settings.simulation)
    app.extensions["coopmail"] = Parts(settings, db, charter.load(settings.charter), LinkSigner(settings.secret_keys))
    Babel(app, locale_selector=language.select_locale)  # type: ignore[no-untyped-call]
    flask_mail.Mail(app)
    figures.measure_requests(app)
    limiter.init_app(app)
    app.register_blueprint(health)
    app.register_blueprint(public)
    app.register_blueprint(respond)
    app.register_blueprint(staff)
    if mailbox.allowed(settings):
        app.register_blueprint(mailbox.mailbox)
    app.before_request(security.refuse_nul)
    app.after_request(security.add_headers)
    static = {"prefix": "static/", "max_age": 600, "allow_all_origins": False}
    app.wsgi_app = WhiteNoise(app.wsgi_app, root=app.static_folder, **static)  # type: ignore[method-assign]
    _register_errors(app)
    _prepare_templates(app, settings)
    return app


class SmallInteger(IntegerConverter):
    """A number in an address that an id can be: a larger one names nothing, and no database takes it."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=2**31 - 1)


def _limits(settings: Settings) -> dict[str, Any]:
    """Where requests are counted: in Redis, so that a limit holds for all processes; while it is away, in each."""
    if settings.redis_url is None:
        return {"RATELIMIT_STORAGE_URI": "memory://"}
    url = settings.redis_url
    return {
        "RATELIMIT_STORAGE_URI": f"redis+{url}" if url.startswith("unix:") else url,
        "RATELIMIT_STORAGE_OPTIONS": doorbell.connection_options(),
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
    }


def _prepare_templates(app: Flask, settings: Settings) -> None:
    found = app.extensions["coopmail"]
    app.jinja_env.globals.update(
        wording=wording,
        cooperative=found.charter.cooperative,
        person=found.charter.cooperative.community_manager,
        embedded=mailbox.allowed(settings),
        kept_language=language.kept_language,
        csrf_field=csrf_field,
        navigation=navigation,
        sentence=sentence,
    )


def _register_errors(app: Flask) -> None:
    @app.errorhandler(LinkError)
    def no_link(error: LinkError) -> tuple[str, int]:
        """One plain page: what happened, and how to get a new link."""
        status = 404 if type(error).__name__ in ("LinkUnreadable", "LinkUnknown") else 410
        return render_template("respond/no-link.html", reason=type(error).__name__, form=NewLinkForm()), status

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response | tuple[str, int]:
        if error.response is not None or error.code is None or error.code < 400:
            return error.get_response()  # type: ignore[return-value]
        return render_template("error.html", code=error.code), error.code

    @app.errorhandler(OperationalError)
    def database_away(error: OperationalError) -> tuple[str, int, dict[str, str]]:
        """The database is away for a moment, or too busy: nothing was recorded, and it is no defect of a page."""
        structlog.get_logger("coopmail").error("database-away", error=type(error.orig).__name__)
        return render_template("error.html", code=503), 503, {"Retry-After": "10"}

    @app.errorhandler(Exception)
    def defect(error: Exception) -> tuple[str, int]:
        structlog.get_logger("coopmail").exception("request-failed", error=type(error).__name__)
        return render_template("error.html", code=500), 500
