"""What is done with a whole proposal: put out, linked anew, taken back, given up, accepted for the client."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from portal.db import db
from portal.domain import proposals
from portal.domain.people import May
from portal.domain.proposals import Choice, Frozen, NotReady, Proposal, ProposalState, Signer
from portal.web.fields import numbers_in
from portal.web.guard import actor, current_person, needs
from portal.web.offers import amount_of_line, offer_of
from portal.web.proposals import screen
from portal.web.proposals.carrying import carry_on
from portal.web.proposals.forms import BehalfForm, LostForm
from portal.web.proposals.lookups import locked_or_404, now, proposal_or_404, the_firm
from portal.web.proposals.page import keep_link
from portal.web.render import done, refused, render

BEHALF = "proposals/acceptance.html"


@screen.post("/<int:proposal_id>/offer")
@needs(May.EDIT_PROPOSALS)
def put_out(proposal_id: int) -> Response:
    proposal = locked_or_404(proposal_id)
    try:
        token = proposals.put_out(proposal, by=actor(), now=now(), zone=the_firm().time_zone)
    except (NotReady, Frozen) as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    db.session.commit()
    keep_link(proposal, token)
    return done("", ".page", proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/links")
@needs(May.EDIT_PROPOSALS)
def make_link(proposal_id: int) -> Response:
    """A new link, because the old one was lost or went to the wrong person; the old one opens no more."""
    proposal = locked_or_404(proposal_id)
    try:
        token = proposals.new_link(proposal, by=actor(), now=now(), zone=the_firm().time_zone)
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    db.session.commit()
    keep_link(proposal, token)
    return done("", ".page", proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/revocation")
@needs(May.EDIT_PROPOSALS)
def revoke(proposal_id: int) -> Response:
    proposal = locked_or_404(proposal_id)
    did = proposals.revoke(proposal, by=actor(), now=now())
    db.session.commit()
    said = "It is a draft again. Its link no longer opens." if did else "Nothing was changed: it is not out."
    return done(said, ".page", proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/loss")
@needs(May.EDIT_PROPOSALS)
def lose(proposal_id: int) -> Response:
    proposal, form = locked_or_404(proposal_id), LostForm()
    did = form.validate() and proposals.mark_lost(proposal, form.text("reason"), by=actor(), now=now())
    db.session.commit()
    said = (
        f"{proposals.label(proposal)} is marked as lost. Its link no longer opens." if did else "Nothing was changed."
    )
    return done(said, ".page", proposal_id=proposal_id)


@screen.get("/<int:proposal_id>/acceptance")
@needs(May.EDIT_PROPOSALS)
def acceptance(proposal_id: int) -> Response:
    proposal = proposal_or_404(proposal_id)
    contact = proposal.client.default_contact
    form = BehalfForm(
        proposal, name=contact.name if contact else "", email=contact.email if contact else "", formdata=None
    )
    return render(BEHALF, form=form, **_around(proposal))


@screen.post("/<int:proposal_id>/acceptance")
@needs(May.EDIT_PROPOSALS)
def accept(proposal_id: int) -> Response:
    """Accept on the client's behalf, who said so on the phone or on paper (PR-02)."""
    proposal = locked_or_404(proposal_id)
    form = BehalfForm(proposal)
    taken = frozenset(numbers_in(request.form.getlist("take")))
    if not form.validate():
        return refused(BEHALF, "form", form=form, **_around(proposal, taken))
    choice = Choice(form.option.data if form.option else None, taken)
    signer = Signer(
        form.text("name"), form.text("email"), request.remote_addr or "", request.headers.get("User-Agent", ""),
        on_behalf=current_person().name,
    )  # fmt: skip
    try:
        made = proposals.accept(proposal, choice, signer, shown=None, by=actor(), now=now())
    except (proposals.AlreadyAccepted, proposals.TooLate, proposals.BadChoice) as problem:
        db.session.rollback()
        return done(_why(problem), ".page", tone="warn", proposal_id=proposal_id)
    said = _came(made)
    carry_on(made)
    return done(said, ".page", proposal_id=proposal_id)


def _around(proposal: Proposal, taken: frozenset[int] | None = None) -> dict[str, Any]:
    """`taken`: the optional lines ticked on the form that was sent; None: those the proposal suggests."""
    content = proposals.content_of(proposal, the_firm().name)
    optional = [line for line in proposal.lines if line.is_optional]
    return {
        "proposal": proposal,
        "label": proposals.label(proposal),
        "offer": offer_of(content, proposals.default_choice(proposal)),
        "is_open": proposal.state == ProposalState.AWAITING,
        "optional": [
            (line, amount_of_line(line)[0], line.is_taken if taken is None else line.id in taken) for line in optional
        ],
    }


def _why(problem: Exception) -> str:
    if isinstance(problem, proposals.AlreadyAccepted):
        return "It was accepted already; nothing was done twice."
    if isinstance(problem, proposals.BadChoice):
        return str(problem)
    return "It is not out for acceptance, or its last day has gone by. Nothing was accepted."


def _came(made: proposals.Acceptance) -> str:
    """'Accepted. Invoice INV-0001 is made. Acme Corp is being created in …'"""
    numbers = [one.number for one in made.invoices]
    said = "Accepted."
    if numbers:
        said += f" {'Invoice' if len(numbers) == 1 else 'Invoices'} {' and '.join(numbers)} made."
    return said
