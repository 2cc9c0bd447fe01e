"""Who the staff are: for admins."""

from __future__ import annotations

from typing import Any

from flask import abort, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from coopmail import wording
from coopmail.actions import staff as actions
from coopmail.domain.staff import StaffMember, StaffRole
from coopmail.errors import ActionRefused, ChangedMeanwhile, UnknownSubject
from coopmail.forms.kind import lazy
from coopmail.forms.staff.staff_member import StaffMemberForm
from coopmail.parts import parts
from coopmail.queries import staff as questions
from coopmail.queries.changes import last_change
from coopmail.web.staff.console import actor, admin_only, done, say, staff

say("staff-added", lazy("That person can sign in now, at the address that you typed."))
say("staff-changed", lazy("The change is saved."))
say("staff-left", lazy("That person is signed out everywhere and cannot sign in any more."))
say("staff-came-back", lazy("That person can sign in again."))


@staff.get("/staff")
@admin_only
def staff_members() -> str:
    """Everybody who is or was one of the staff."""
    with parts().db.reading() as (session, _now):
        return render_template("staff/staff/list.html", people=questions.listing(session))


@staff.route("/staff/new", methods=["GET", "POST"])
@admin_only
def staff_member_new() -> BaseResponse | str | tuple[str, int]:
    """Let somebody in."""
    form = StaffMemberForm(request.form if request.method == "POST" else None)
    if request.method != "POST":
        return render_template("staff/staff/edit.html", form=form, person=None)
    if not form.validate():
        return render_template("staff/staff/edit.html", form=form, person=None), 422
    try:
        with parts().db.transaction() as (session, now):
            actions.add_staff_member(session, now, actor=actor(), **_values(form))
    except actions.AddressTaken:
        form.email.errors = [_address_taken()]
        return render_template("staff/staff/edit.html", form=form, person=None), 409
    return done("staff.staff_members", "staff-added")


@staff.route("/staff/<int:staff_id>", methods=["GET", "POST"])
@admin_only
def staff_member(staff_id: int) -> BaseResponse | str | tuple[str, int]:
    """Change what is known of somebody."""
    person = _get(staff_id)
    if request.method != "POST":
        return render_template("staff/staff/edit.html", form=StaffMemberForm(obj=person), person=person)
    form = StaffMemberForm(request.form)
    if not form.validate():
        return render_template("staff/staff/edit.html", form=form, person=person), 422
    try:
        with parts().db.transaction() as (session, now):
            version = form.version.data or ""
            read = int(version) if version.isdecimal() and len(version) < 10 else 0
            actions.change_staff_member(session, now, staff_id, read, actor=actor(), **_values(form))
    except ChangedMeanwhile:
        return _conflict(form, staff_id)
    except actions.AddressTaken:
        form.email.errors = [_address_taken()]
    except (actions.LastAdmin, actions.OwnRole) as refused:
        form.role.errors = [_why(refused)]
    else:
        return done("staff.staff_members", "staff-changed")
    return render_template("staff/staff/edit.html", form=form, person=person), 409


@staff.route("/staff/<int:staff_id>/leave", methods=["GET", "POST"])
@admin_only
def staff_member_leave(staff_id: int) -> BaseResponse | str | tuple[str, int]:
    """End somebody's access."""
    person, refused = _get(staff_id), ""
    if request.method == "POST":
        try:
            with parts().db.transaction() as (session, now):
                actions.remove_staff_member(session, now, staff_id, actor=actor())
            return done("staff.staff_members", "staff-left")
        except (actions.LastAdmin, actions.OwnRole) as error:
            refused = _why(error)
    page = render_template("staff/staff/leave.html", person=person, refused=refused)
    return (page, 409) if refused else page


@staff.post("/staff/<int:staff_id>/back")
@admin_only
def staff_member_back(staff_id: int) -> BaseResponse:
    """Let somebody who left in again."""
    _get(staff_id)
    with parts().db.transaction() as (session, now):
        actions.restore_staff_member(session, now, staff_id, actor=actor())
    return done("staff.staff_members", "staff-came-back")


def _get(staff_id: int) -> StaffMember:
    with parts().db.reading() as (session, _now):
        try:
            return questions.get(session, staff_id)
        except UnknownSubject:
            abort(404)


def _values(form: StaffMemberForm) -> dict[str, Any]:
    return {"name": form.name.data, "email": form.email.data, "role": StaffRole(form.role.data),
            "language": form.language.data}  # fmt: skip


def _conflict(form: StaffMemberForm, staff_id: int) -> tuple[str, int]:
    with parts().db.reading() as (session, _now):
        person = questions.get(session, staff_id)
        change = last_change(session, person.actor)
    present = [(field.label.text, str(getattr(person, name))) for name, field in form._fields.items()
               if name != "version" and field.data != getattr(person, name)]  # fmt: skip
    form.version.data = str(person.version)
    who = {"who": change.who, "when": wording.moment(change.at), "present": present}
    return render_template("staff/staff/edit.html", form=form, person=person, conflict=who), 409


def _address_taken() -> str:
    return _("Somebody of the staff, perhaps one who left, has this address already: look in the list.")


def _why(error: ActionRefused) -> str:
    return {
        actions.LastAdmin: _("This is the last admin: make somebody else one first."),
        actions.OwnRole: _("You cannot change your own role or end your own access: ask another admin."),
    }[type(error)]
