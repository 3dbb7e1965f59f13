"""Drafting: a new proposal for a client, its details, a copy of one there is."""

from __future__ import annotations

from flask import Response, abort, request

from portal.db import db
from portal.domain import clients, once, proposals
from portal.domain.clients import Client
from portal.domain.people import May
from portal.domain.proposals import Frozen, StaleProposal
from portal.web.fields import asked_number
from portal.web.guard import actor, needs
from portal.web.meanwhile import differences
from portal.web.proposals import screen
from portal.web.proposals.forms import ProposalForm
from portal.web.proposals.lookups import locked_or_404, now, proposal_or_404, the_firm, today
from portal.web.render import done, refused, render

LONGEST_SEARCH = 100


@screen.get("/new")
@needs(May.EDIT_PROPOSALS)
def new() -> Response:
    """First for whom, then what it is called."""
    client = _client()
    if client is None:
        words = request.args.get("q", "").strip().replace("\x00", "")[:LONGEST_SEARCH]
        found = proposals.clients_called(words) if words else []
        return render("proposals/for_whom.html", blocks=("rows",), words=words, found=found)
    terms = proposals.latest_terms()
    form = ProposalForm(once=once.fresh(), expires_on=today() + proposals.OPEN_FOR, terms=terms, formdata=None)
    return render("proposals/new.html", form=form, client=client, has_terms=bool(terms))


@screen.post("/new")
@needs(May.EDIT_PROPOSALS)
def add() -> Response:
    client, form = _client() or abort(404), ProposalForm()
    if not form.validate():
        return refused("proposals/new.html", "form", form=form, client=client, has_terms=False)
    mark = once.claim(form.once.data or "", now())
    if mark is None:
        made = once.made_of(form.once.data or "")
        db.session.rollback()
        return done("That form was sent already; here is what it made.", ".page", tone="info", proposal_id=made)
    values = form.values()
    proposal = proposals.draft(
        client, values.pop("name"), by=actor(), now=now(), currency=the_firm().currency, **values
    )
    mark.made = proposal.id
    db.session.commit()
    return done("The draft is made. Put services into it next.", ".lines", proposal_id=proposal.id)


@screen.get("/<int:proposal_id>/details")
@needs(May.EDIT_PROPOSALS)
def details(proposal_id: int) -> Response:
    proposal = proposal_or_404(proposal_id)
    return render("proposals/details.html", form=ProposalForm(proposal), proposal=proposal)


@screen.post("/<int:proposal_id>/details")
@needs(May.EDIT_PROPOSALS)
def save(proposal_id: int) -> Response:
    proposal = locked_or_404(proposal_id)
    form = ProposalForm(proposal)
    if not form.validate():
        return refused("proposals/details.html", "form", form=form, proposal=proposal)
    version = int(form.text("version")) if form.text("version").isdecimal() else None
    try:
        changed = proposals.edit(proposal, form.values(), by=actor(), now=now(), expected_version=version)
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    except StaleProposal:
        db.session.rollback()
        proposal = proposal_or_404(proposal_id)
        rows = differences(form, ProposalForm(proposal, formdata=None))
        form.version.data = str(proposal.version)
        return refused("proposals/details.html", "form", status=409, form=form, proposal=proposal, meanwhile=rows)
    proposals.follow_last_day(proposal, now=now(), zone=the_firm().time_zone)
    db.session.commit()
    return done("Saved." if changed else "Nothing was changed.", ".page", proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/copies")
@needs(May.EDIT_PROPOSALS)
def duplicate(proposal_id: int) -> Response:
    """A draft with the same content, for the same client."""
    proposal = proposal_or_404(proposal_id)
    copy = proposals.duplicate(proposal, proposal.client, by=actor(), now=now(), today=today())
    db.session.commit()
    said = f"This is {proposals.label(copy)}, a draft with the content of {proposals.label(proposal)}."
    return done(said, ".page", proposal_id=copy.id)


def _client() -> Client | None:
    """The client the address names."""
    client = clients.get(asked_number("client") or 0)
    return client if client is not None and not client.is_archived else None
