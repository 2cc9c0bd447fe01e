"""Importing organisations from a file: send it, look at what it would do, confirm or throw away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeVar

from flask import Response, render_template, request
from flask_babel import gettext as _
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as BaseResponse

from coopmail.actions import organisation_import as actions
from coopmail.documents import tables
from coopmail.documents.tables import Cell, TableUnreadable
from coopmail.domain.organisation_plan import Plan
from coopmail.domain.organisation_sheet import Heading, Line, SheetRefused, read_header
from coopmail.domain.uploads import SPENT, Upload
from coopmail.forms.kind import lazy
from coopmail.forms.staff import sheet_words
from coopmail.forms.staff.organisation_import import ConfirmForm, UploadForm
from coopmail.parts import parts
from coopmail.queries import organisation_import as questions
from coopmail.web.staff import import_words
from coopmail.web.staff.console import actor, done, me, say, staff, takes_files, to

SHOWN = 100
"""How many changes, and how many bad rows, a page shows; the files beside it hold all."""
Row = TypeVar("Row")

say("organisations-imported", lazy("The file is imported. The audit log says what changed, subject by subject."))
say("upload-dropped", lazy("The file is thrown away. Nothing of it was imported."))


@staff.route("/organisations/import", methods=["GET", "POST"])
@takes_files
def organisation_import() -> BaseResponse | str | tuple[str, int]:
    """How such a file is written, and a form to send one; nothing of it is written yet."""
    form = UploadForm(request.files if request.method == "POST" else None)
    if request.method == "POST" and form.validate() and _readable(form):
        with parts().db.transaction() as (session, now):
            key = actions.keep_upload(session, now(), me(), form.name, form.content)
        return redirect(to("staff.organisation_import_look", key=key), 303)
    with parts().db.reading() as (session, _now):
        waiting = questions.waiting(session, me().id)
    columns = [(heading.value, words) for heading, words in import_words.COLUMNS.items()]
    page = render_template("staff/organisations/import.html", form=form, waiting=waiting, columns=columns)
    return (page, 422) if request.method == "POST" else page


@staff.route("/organisations/import/<key>", methods=["GET", "POST"])
def organisation_import_look(key: str) -> BaseResponse | str | tuple[str, int]:
    """What a file would do; confirmed, it is done, if that is still what it would do."""
    upload = _mine(key)
    if upload is None:
        return _gone(None)
    if request.method == "POST":
        return _confirm(upload)
    return _gone(upload)[0] if upload.content == SPENT else _preview(upload, ConfirmForm(), _plan(upload))


def _confirm(upload: Upload) -> BaseResponse | tuple[str, int]:
    form, office = ConfirmForm(request.form), parts()
    sheet = _sheet(upload) if upload.content != SPENT else None
    try:
        with office.db.transaction() as (session, now):
            # A second click waits here for the first, and then finds that the file is used.
            if sheet is not None and actions.spend_upload(session, me(), upload.key):
                actions.import_organisations(session, now, office.basis, sheet, skip_bad=form.skip_bad.data,
                                             seen=form.seen.data or "", actor=actor())  # fmt: skip
    except actions.PlanChanged as changed:
        return _preview(upload, ConfirmForm(), changed.plan, changed=True), 409
    except actions.RowsRefused as refused:
        form.skip_bad.errors = [_("Nothing is written yet. Mend the rows and send the file again, or tick this box.")]
        return _preview(upload, form, refused.plan), 422
    return done("staff.organisations", "organisations-imported")


@staff.post("/organisations/import/<key>/throw-away")
def organisation_import_discard(key: str) -> BaseResponse | tuple[str, int]:
    """Throw a file away; one that is gone already is said to be gone."""
    upload = _mine(key)
    if upload is None or upload.content == SPENT:
        return _gone(upload)
    with parts().db.transaction() as (session, _now):
        actions.drop_upload(session, me(), key)
    return done("staff.organisation_import", "upload-dropped")


@staff.get("/organisations/import/<key>/bad-rows.csv")
def organisation_import_faults(key: str) -> Response | tuple[str, int]:
    """Every row that cannot be used, as a file to mend them by."""
    upload = _mine(key)
    if upload is None or upload.content == SPENT:
        return _gone(upload)
    header = (_("Line"), _("Column"), _("What stands there"), _("What to do"))
    return _csv(_("bad rows"), header, import_words.wrong(_plan(upload)))


@staff.get("/organisations/import/<key>/changes.csv")
def organisation_import_changes(key: str) -> Response | tuple[str, int]:
    """Everything that would be added or changed."""
    upload = _mine(key)
    if upload is None or upload.content == SPENT:
        return _gone(upload)
    header = (_("Sort"), _("About"), _("Added or changed"), _("What"))
    told = (import_words.told(change) for change in _plan(upload).changes())
    rows = ((one.sort, one.subject, _("added") if one.added else _("changed"), one.in_one_line) for one in told)
    return _csv(_("changes"), header, rows)


@staff.get("/organisations/import/example.csv")
def organisation_import_example() -> Response:
    """A file to begin with, which can be imported as it is."""
    with parts().db.reading() as (session, _now):
        services = [name for _slug, name in questions.services(session)]
    services = services or [entry.name for entry in parts().charter.services]
    return _csv(_("example"), [heading.value for heading in Heading], _example(services))


def _example(services: Sequence[str]) -> Iterable[Sequence[Cell]]:
    both, one = ", ".join(services[:2]), f"leest: {services[0]}" if services else "leest"
    terms = ("1/1/2026", "", "C-2026-1", "1.234,50") if both else ("", "", "", "")
    yield ("V-1", "Bibliotheek Voorbeeld", "bibliotheek", "Voorbeeld", "Antwerpen", "41.000", "nee", "nee", "",
           "Bo Nys", "bo.nys@voorbeeld.example", "nl", "014 12 34 56", "nee", "stemt", both, *terms)  # fmt: skip
    yield ("V-1", "Bibliotheek Voorbeeld", *[""] * 7, "Balie Voorbeeld", "balie@voorbeeld.example", "nl", "", "ja",
           one, *[""] * 5)  # fmt: skip
    yield ("V-2", "Cultuurcentrum Voorbeeld", "cultuurcentrum", "Voorbeeld", "Limburg", "12000", "", "", "", "An Roels",
           "an.roels@voorbeeld.example", "en", "", "nee", "stemt", *[""] * 5)  # fmt: skip


def _csv(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    response = Response(b"".join(tables.write_csv(header, rows)), mimetype="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.csv")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _readable(form: UploadForm) -> bool:
    """Whether the file holds a table with a header that can be used; else the form says what to do."""
    try:
        read_header(tables.read_table(form.content, form.name).header)
    except TableUnreadable as error:
        form.file.errors = [sheet_words.unreadable(error.reason, error.values)]
    except SheetRefused as error:
        form.file.errors = [sheet_words.refused(error)]
    return not form.file.errors


def _mine(key: str) -> Upload | None:
    with parts().db.reading() as (session, _now):
        return questions.upload(session, me().id, key)


def _gone(upload: Upload | None) -> tuple[str, int]:
    """The page of a file that was used, thrown away, or never was this person's."""
    return render_template("staff/organisations/import-gone.html", used=upload is not None), 404


def _sheet(upload: Upload) -> actions.Sheet:
    found = tables.read_table(upload.content, upload.name)
    return actions.Sheet(upload.name, found.header, [Line(row.line, row.cells, row.surplus) for row in found.rows])


def _plan(upload: Upload) -> Plan:
    sheet = _sheet(upload)
    with parts().db.reading() as (session, now):
        return actions.plan_import(session, now(), parts().charter, sheet)


def _preview(upload: Upload, form: ConfirmForm, plan: Plan, *, changed: bool = False) -> str:
    """The page of a plan; its form carries the mark of that plan and of no other."""
    form.seen.data = plan.digest()
    form.skip_bad.label.text = import_words.pass_over(plan.bad_rows)
    with parts().db.reading() as (session, _now):
        polls = questions.open_polls(session) if plan.moves_voters else 0
    return render_template(
        "staff/organisations/import-look.html", upload=upload, form=form, plan=plan, changed=changed, polls=polls,
        counts=import_words.counts(plan), wrong=_some(import_words.wrong(plan)),
        lists=[(added, _some(import_words.differences(plan, added=added))) for added in (True, False)],
    )  # fmt: skip


def _some(rows: Iterable[Row]) -> list[Row]:
    return list(islice(rows, SHOWN))
