"""/p/<token>: a proposal as its client sees it, mostly on a phone. The link is the key; no sign-in, no script.

Wrong links are all alike, and nobody gets to try many. What is accepted is what was shown: the form sends back the
digest of the page, and a page that has become old is shown anew instead of being accepted. Its forms need no cookie:
who can send them holds the link, and what another site sends is refused for its origin (`web/security.py`).
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from flask_login import current_user

from portal.db import db
from portal.domain import guesses, people, proposals
from portal.domain.proposals import Choice, Proposal, ProposalState, Signer
from portal.domain.text import BadText, clean_line
from portal.web.fields import numbers_in
from portal.web.guard import open_to_all, writes_on_get
from portal.web.offers import offer_of
from portal.web.proposals.carrying import carry_on
from portal.web.security import csrf

screen = Blueprint("proposal", __name__, url_prefix="/p")
LINK_IS_KEY = "a client opens a proposal by its private link, and has no account here"
POLICY = "; ".join(
    (
        "default-src 'none'", "style-src 'self'", "img-src 'self' data:", "form-action 'self'",
        "frame-ancestors 'none'", "base-uri 'none'",
    )
)  # fmt: skip
LONGEST_NAME = 120
CHANGED = "changed"
log = logging.getLogger(__name__)


@screen.get("/<token>")
@open_to_all(reason=LINK_IS_KEY)
def page(token: str) -> Response:
    proposal = _behind(token)
    if proposal is None:
        return _nothing()
    if proposals.is_over(proposal, _now()):
        return _over(proposal)
    if _is_accepted(proposal):
        return _accepted(proposal)
    if proposal.first_seen_at is None and request.method == "GET" and not current_user.is_authenticated:
        _note_seen(token)
        proposal = proposals.behind(token, now=_now()) or abort(404)
    content = proposals.content_of(proposal, _firm().name)
    return _offer(proposal, token, content, _asked(content, request.args, proposal))


@screen.post("/<token>/choice")
@csrf.exempt
@open_to_all(reason=LINK_IS_KEY)
def choose(token: str) -> Response:
    """Show the totals of another choice; nothing is kept but in the address."""
    proposal = _behind(token)
    if proposal is None:
        return _nothing()
    taken, option = numbers_in(request.form.getlist("take")), numbers_in([request.form.get("option", "")])
    chosen: dict[str, Any] = {"option": option[0] if option else None, "take": taken, "chosen": "yes"}
    return _private(redirect(url_for(".page", token=token, _anchor="total", **chosen), 303))


@screen.post("/<token>/acceptance")
@csrf.exempt
@open_to_all(reason=LINK_IS_KEY)
def accept(token: str) -> Response:
    """Accept what the page showed. Nothing is accepted that differs from it, and nothing twice."""
    proposal = _behind(token, lock=True)
    if proposal is None:
        return _nothing()
    if _is_accepted(proposal):
        return _private(redirect(url_for(".page", token=token), 303))
    if proposals.is_over(proposal, _now()):
        return _over(proposal)
    content = proposals.content_of(proposal, _firm().name)
    choice, name = _chosen(content), _name_given()
    shown = request.form.get("shown", "")
    if shown != proposals.digest_of(content, choice):
        return _offer(proposal, token, content, choice, status=409, problem=CHANGED, name=name)
    problem = _problem(content, choice, name)
    if problem:
        return _offer(proposal, token, content, choice, status=422, problem=problem, name=name)
    return _accept(proposal, token, choice, name, shown)


def _accept(proposal: Proposal, token: str, choice: Choice, name: str, shown: str) -> Response:
    signer = Signer(name, address=request.remote_addr or "", browser=request.headers.get("User-Agent", "")[:300])
    try:
        done = proposals.accept(proposal, choice, signer, shown=shown, by=proposals.the_client_as(signer), now=_now())
    except (proposals.AlreadyAccepted, proposals.TooLate, proposals.Changed, proposals.BadChoice) as problem:
        log.info("a proposal was not accepted: %s", type(problem).__name__)
        db.session.rollback()  # the page says how it stands now
        return _private(redirect(url_for(".page", token=token), 303))
    carry_on(done)
    return _private(redirect(url_for(".page", token=token), 303))


def _behind(token: str, *, lock: bool = False) -> Proposal | None:
    """The proposal, or None for a wrong link, of which only a few are answered."""
    address = request.remote_addr or ""
    found = proposals.behind(token, now=_now(), lock=lock)
    if found is None:
        if guesses.are_too_many(address, _now()):
            abort(429)
        _note_wrong(address)
    return found


@writes_on_get(reason="wrong links are counted, so that nobody can try many")
def _note_wrong(address: str) -> None:
    db.session.rollback()
    guesses.note(address, _now())
    db.session.commit()


@writes_on_get(reason="that a client has opened its proposal is put on record, once")
def _note_seen(token: str) -> None:
    db.session.rollback()
    proposal = proposals.behind(token, now=_now(), lock=True)
    if proposal is not None:
        proposals.note_seen(proposal, now=_now())
    db.session.commit()


def _asked(content: dict[str, Any], sent: Any, proposal: Proposal) -> Choice:
    """The choice in the address; without one, what the firm suggests."""
    if "chosen" not in sent:
        return proposals.default_choice(proposal)
    option = sent.get("option", type=int)
    taken = numbers_in(sent.getlist("take"))
    try:
        return proposals.settled(content, option, taken)
    except proposals.BadChoice:
        return proposals.default_choice(proposal)


def _chosen(content: dict[str, Any]) -> Choice:
    """The choice on the form; a package that is not on offer counts as none and is asked about."""
    option = request.form.get("option", type=int)
    taken = numbers_in(request.form.getlist("take"))
    try:
        return proposals.settled(content, option, taken)
    except proposals.BadChoice:
        return proposals.settled(content, 1, taken)


def _name_given() -> str:
    try:
        return clean_line(request.form.get("name", ""))[:LONGEST_NAME]
    except BadText:
        return ""


def _problem(content: dict[str, Any], choice: Choice, name: str) -> str:
    """What is still missing on the form: name, tick or choice; empty when nothing is."""
    if not proposals.taken_lines(content, choice):
        return "choice"
    if len(name) < 2:
        return "name"
    return "" if request.form.get("agreed") else "tick"


def _offer(
    proposal: Proposal, token: str, content: dict[str, Any], choice: Choice, *, status: int = 200, problem: str = "",
    name: str = "",
) -> Response:  # fmt: skip
    return _answer(
        "proposal/page.html", status, offer=offer_of(content, choice), token=token, problem=problem, name=name,
        email=_firm().email, is_preview=False, proposal=proposal,
    )  # fmt: skip


def _accepted(proposal: Proposal) -> Response:
    content, choice = proposals.shown_as_accepted(proposal)
    outcome = proposals.outcome(proposal)
    return _answer(
        "proposal/accepted.html", 200, offer=offer_of(content, choice, only_taken=True), proposal=proposal,
        kept=proposal.accepted, outcome=outcome, currency=content["currency"], email=_firm().email,
        later=[one for one in outcome.services if one.next_on is not None],
    )  # fmt: skip


def _over(proposal: Proposal) -> Response:
    last = proposal.expires_on if proposals.is_past(proposal.expires_on, _now(), _firm().time_zone) else None
    return _answer("proposal/over.html", 410, firm_name=_firm().name, email=_firm().email, last=last)


def _nothing() -> Response:
    return _answer("proposal/nothing.html", 404)


def _is_accepted(proposal: Proposal) -> bool:
    return proposal.state in (ProposalState.ACCEPTED, ProposalState.COMPLETED)


def _answer(template: str, status: int, **values: Any) -> Response:
    return _private(make_response(render_template(template, **values), status))


def _private(response: Any) -> Response:
    """The address holds a secret: it is passed on to nobody, kept by nobody, found by no search."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _firm() -> people.Firm:
    return people.the_firm() or abort(404)


def _now() -> datetime:
    return datetime.now(UTC)
