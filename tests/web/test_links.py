"""Links that open nothing, tokens that were tampered with, headers, and asking for a new link."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from coopmail.domain.links import Invitation, Link
from coopmail.domain.polls import Poll
from coopmail.forms import KINDS
from coopmail.links import LinkSigner
from coopmail.parts import Parts
from coopmail.web.public import limiter
from tests.conftest import CLOSING, FrozenClock, Received
from tests.web.pages import everything

Deliver = Callable[[], list[Received]]


@pytest.fixture
def els(poll: Poll, deliver: Deliver) -> str:
    """The link of Els Peeters."""
    return next(mail.link for mail in deliver() if mail.to == "els.peeters@aartselaar.example")


def test_tampered_tokens_are_answered_by_the_plain_page_and_never_by_a_fault(
    client: FlaskClient, office: Parts, els: str
) -> None:
    token = els.removeprefix("/r/")
    dice = random.Random(1)
    before = everything(office.db)
    for _ in range(300):
        place = dice.randrange(len(token))
        wrong = token[:place] + dice.choice("aZ09-_.~=%é\ud800\u202e/ ") + token[place + dice.randrange(2) :]
        if wrong == token:
            continue
        path = "/r/" + quote(wrong.encode("utf-8", "surrogatepass"), safe="")
        assert client.get(path).status_code == 404, wrong
        assert client.post(path, data={"choice": "keep"}).status_code == 404, wrong
    assert client.get("/r/" + "a" * 600).status_code == 404
    assert everything(office.db) == before


def test_every_kind_of_token_opens_only_its_own_door(client: FlaskClient, office: Parts, els: str) -> None:
    claim = office.signer.read(els.removeprefix("/r/"))
    for kind in [*KINDS, "approval"]:
        token = office.signer.sign(kind, claim.link_id, 1)
        assert client.get(f"/r/{token}").status_code == (200 if kind == claim.kind else 404)
    stranger = LinkSigner({1: "another installation's key, as long as ours is"})
    assert client.get(f"/r/{stranger.sign('ballot', claim.link_id, 1)}").status_code == 404
    unknown = office.signer.sign("ballot", "0" * 32, 1)
    page = client.get(f"/r/{unknown}?lang=en")
    assert page.status_code == 404


def test_a_revoked_and_an_expired_link_say_so_and_offer_a_new_one(
    client: FlaskClient, office: Parts, clock: FrozenClock, els: str
) -> None:
    clock.move_to(CLOSING + timedelta(days=401))
    expired = client.get(els)
    assert expired.status_code == 410
    assert 'action="/link' in expired.get_data(as_text=True)
    clock.move_to(CLOSING - timedelta(days=1))
    with office.db.transaction() as (session, now):
        claim = office.signer.read(els.removeprefix("/r/"))
        session.get_one(Invitation, session.get_one(Link, claim.link_id).invitation_id).revoked_at = now()
    assert client.get(els).status_code == 410
    assert client.post(els, data={"choice": "keep"}).status_code == 410


def test_every_page_forbids_scripts_frames_caches_and_referrers_and_sets_no_cookie(
    client: FlaskClient, els: str
) -> None:
    paths = [els, f"{els}/draft", f"{els}/person", "/r/nothing", "/", "/link", "/polls/krantenarchief", "/polls/none"]
    for path in paths:
        page = client.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "script-src" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert page.headers["Referrer-Policy"] == "no-referrer", path
        assert page.headers["Cache-Control"] == "no-store", path
        assert "noindex" in page.headers["X-Robots-Tag"], path
        assert "Set-Cookie" not in page.headers, path
        body = page.get_data(as_text=True)
        assert "<script" not in body, path
        assert "style=" not in body, path
        assert "http://" not in body.replace("http://localhost", "").replace("http://www.w3.org", ""), path


def test_a_fault_on_a_page_is_logged_without_its_token(
    client: FlaskClient, els: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"the page {els} cannot be made")

    monkeypatch.setattr("coopmail.web.respond.invitations.by_link", fail)
    client.application.testing = False
    assert client.get(els).status_code == 500
    printed = "".join(capsys.readouterr())
    assert "cannot be made" in printed
    assert els.rpartition(".")[2] not in printed


def test_too_much_is_refused_before_it_is_read(client: FlaskClient, els: str) -> None:
    assert client.post(els, data={"choice": "x" * 600_000}).status_code == 413
    assert client.post(els, data={f"field{n}": "x" for n in range(5000)}).status_code in (413, 422)


def test_whoever_is_known_gets_the_links_by_mail_and_a_stranger_nothing(
    client: FlaskClient, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    known = client.post("/link?lang=en", data={"email": "Lies.Claes@duffel.example"})
    unknown = client.post("/link?lang=en", data={"email": "stranger@nowhere.example"})
    assert known.status_code == unknown.status_code == 200
    same = known.get_data(as_text=True).replace("Lies.Claes@duffel.example", "")
    assert same == unknown.get_data(as_text=True).replace("stranger@nowhere.example", "")
    (mail,) = deliver()
    assert (mail.to, mail.template) == ("lies.claes@duffel.example", "new-link")
    assert client.get(mail.link).status_code == 200
    assert mail.text.count("/r/ballot.") == 2
    wrong = client.post("/link?lang=en", data={"email": "no address"})
    assert wrong.status_code == 422
    assert 'value="no address"' in wrong.get_data(as_text=True)


def test_a_thousand_requests_for_a_new_link_are_at_most_three_mails(
    client: FlaskClient, poll: Poll, deliver: Deliver
) -> None:
    deliver()
    mails = 0
    for number in range(1000):
        limiter.reset()  # as if each came from another source
        client.post("/link", data={"email": "els.peeters@aartselaar.example"})
        if number % 100 == 99:
            mails += len(deliver())
    assert mails == 3


def test_one_source_may_ask_twenty_times_an_hour(client: FlaskClient, poll: Poll) -> None:
    statuses = [client.post("/link", data={"email": f"a{n}@b.example"}).status_code for n in range(25)]
    assert statuses == [200] * 20 + [429] * 5


def test_a_link_signed_by_a_key_that_is_gone_is_replaced_on_request(
    client: FlaskClient, office: Parts, poll: Poll, els: str, deliver: Deliver
) -> None:
    with office.db.transaction() as (session, _):
        session.execute(sa.update(Link).values(key_version=0))  # as if signed before the key was changed
    assert client.get(els).status_code == 404
    client.post("/link", data={"email": "els.peeters@aartselaar.example"})
    (mail,) = deliver()
    assert client.get(mail.link).status_code == 200
