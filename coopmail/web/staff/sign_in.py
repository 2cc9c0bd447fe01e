"""The console's door: an address, then the code that was mailed there, typed into the page that asked for it."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import g, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from coopmail.actions import sign_in as actions
from coopmail.forms.kind import lazy
from coopmail.forms.staff.sign_in import AddressForm, CodeForm
from coopmail.parts import parts
from coopmail.web.public import limiter
from coopmail.web.staff.console import COOKIE, here_in_the_console, me, open_to_all, say, staff, to

WAITING = "coopmail_sign_in"
say("signed-out", lazy("You are signed out."))


@staff.route("/sign-in", methods=["GET", "POST"])
@limiter.limit("20/hour", methods=["POST"])
@open_to_all
def sign_in() -> BaseResponse | str | tuple[str, int]:
    """Ask for an address. The answer and its time are the same whether or not it is known."""
    onward = here_in_the_console(request.args.get("next", ""))
    if g.staff_session is not None:
        return redirect(onward or to("staff.today"), 303)
    form = AddressForm(request.form if request.method == "POST" else None)
    if request.method != "POST":
        return render_template("staff/sign-in.html", form=form)
    if not form.validate():
        return render_template("staff/sign-in.html", form=form), 422
    office = parts()
    with office.db.transaction() as (session, now):
        begun = actions.ask(session, now, form.email.data or "", office.signer.current)
    answer = redirect(to("staff.sign_in_code", next=onward), 303)
    _keep(answer, WAITING, begun.key, int(actions.CODE_LASTS.total_seconds()))
    return answer


@staff.route("/sign-in/code", methods=["GET", "POST"])
@limiter.limit("60/hour", methods=["POST"])
@open_to_all
def sign_in_code() -> BaseResponse | str | tuple[str, int]:
    """Take the code."""
    onward = here_in_the_console(request.args.get("next", ""))
    key = request.cookies.get(WAITING, "")
    if g.staff_session is not None:
        return redirect(onward or to("staff.today"), 303)
    if not key:
        return redirect(to("staff.sign_in", next=onward), 303)
    form = CodeForm(request.form if request.method == "POST" else None)
    if request.method != "POST":
        return render_template("staff/sign-in-code.html", form=form, over=False)
    if not form.validate():
        return render_template("staff/sign-in-code.html", form=form, over=False), 422
    office = parts()
    refused: actions.CodeWrong | None = None
    try:
        with office.db.transaction() as (session, now):
            try:
                entered, token = actions.enter(session, now, key, form.code.data or "", office.signer.code)
            except actions.CodeWrong as wrong:
                refused = wrong  # the try counts: the transaction is kept
    except actions.SignInOver:
        return render_template("staff/sign-in-code.html", form=form, over=True), 410
    if refused is not None:
        form.code.errors = [_("This is not the code. Look at the newest mail from us, and type its six digits.")]
        return render_template("staff/sign-in-code.html", form=form, over=False), 422
    answer = redirect(onward or to("staff.today"), 303)
    _keep(answer, COOKIE, token, int((entered.expires_at - entered.created_at).total_seconds()))
    answer.delete_cookie(WAITING, path="/staff")
    return answer


@staff.post("/sign-out")
def sign_out() -> BaseResponse:
    """End this browser's session."""
    with parts().db.transaction() as (session, now):
        actions.leave(session, now, request.cookies.get(COOKIE, ""))
    answer = redirect(to("staff.sign_in", done="signed-out"), 303)
    answer.delete_cookie(COOKIE, path="/staff")
    return answer


@staff.get("/me")
def own_page() -> str:
    """Who is signed in, since when, and how to sign out."""
    return render_template("staff/me.html", person=me(), entered=g.staff_session)


def _keep(answer: BaseResponse, name: str, value: str, seconds: int) -> None:
    """A cookie that scripts cannot read, that goes to the console alone, and never along with another site's form."""
    secure = urlsplit(parts().settings.base_url).scheme == "https"
    answer.set_cookie(name, value, max_age=seconds, path="/staff", httponly=True, secure=secure, samesite="Lax")
