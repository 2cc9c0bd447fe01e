"""Who cannot be reached, test mails to a whole domain, and what an IT department needs to know."""

from __future__ import annotations

from flask import abort, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from coopmail.actions import mail_tests
from coopmail.domain.calendar import brussels_day
from coopmail.forms.kind import lazy
from coopmail.forms.mail_test import PLACES
from coopmail.parts import parts
from coopmail.queries import reachability as questions
from coopmail.web.public import it_facts
from coopmail.web.staff.console import actor, done, say, staff

say("mail-tests-sent", lazy("The test mails are on their way. The answers show on this page."))
say("mail-tests-recent", lazy("Everybody there had a test mail less than an hour ago: wait for the answers."))


@staff.get("/reachability")
def reachability() -> str:
    """Whom our mail may not reach, and why."""
    with parts().db.reading() as (session, now):
        moment = now()
        today = brussels_day(moment)
        return render_template(
            "staff/reachability/list.html", now=moment, places=PLACES,
            unreached=questions.unreached(session, today), silent=questions.silent_domains(session, moment),
            away=questions.away(session, today), undeliverable=questions.undeliverable(session),
            unconfirmed=questions.unconfirmed(session), tests=questions.latest_tests(session),
        )  # fmt: skip


@staff.route("/reachability/<domain>/test", methods=["GET", "POST"])
def mail_test_domain(domain: str) -> BaseResponse | str:
    """How many people at a domain would get a test mail; then send them."""
    office = parts()
    with office.db.reading() as (session, _now):
        contacts = questions.at_domain(session, domain.lower()) if domain.isprintable() else []
    if not contacts:
        abort(404)
    if request.method != "POST":
        return render_template("staff/reachability/test.html", domain=domain.lower(), contacts=contacts)
    with office.db.transaction() as (session, now):
        ids = [contact.id for contact in questions.at_domain(session, domain.lower())]
        sent = mail_tests.send(session, now, office.basis, ids, actor=actor())
    return done("staff.reachability", "mail-tests-sent" if sent else "mail-tests-recent")


@staff.get("/it")
def it_page() -> str:
    """The page for a municipality's IT department, as staff hand it on."""
    return render_template("staff/reachability/it.html", **it_facts())
