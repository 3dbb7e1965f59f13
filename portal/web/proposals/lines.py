"""The lines of a proposal: put in from the library, changed, moved, taken out."""

from __future__ import annotations

from flask import Response, abort, request

from portal.db import db
from portal.domain import library, proposals
from portal.domain.library import BadService
from portal.domain.people import May
from portal.domain.proposals import Frozen, Proposal, ProposalLine
from portal.web.guard import actor, needs
from portal.web.proposals import screen
from portal.web.proposals.forms import LineForm
from portal.web.proposals.lookups import locked_or_404, now, proposal_or_404
from portal.web.render import done, refused, render

DIRECTIONS = {"up": -1, "down": 1}


@screen.get("/<int:proposal_id>/lines")
@needs(May.EDIT_PROPOSALS)
def lines(proposal_id: int) -> Response:
    """What is offered, in its order, and what of the library can be put in."""
    proposal = proposal_or_404(proposal_id)
    return render("proposals/lines.html", proposal=proposal, services=library.every_service())


@screen.post("/<int:proposal_id>/lines")
@needs(May.EDIT_PROPOSALS)
def put_in(proposal_id: int) -> Response:
    """A service of the library, copied; or something of its own, opened to be filled in."""
    proposal = locked_or_404(proposal_id)
    service = library.get_service(request.form.get("service", 0, type=int))
    default = library.default_tax_rate()
    facts = {} if service else {"name": "Another service", "tax_rate_id": default.id if default else None}
    try:
        line = proposals.add_line(proposal, service, by=actor(), now=now(), **facts)
    except (Frozen, ValueError) as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    db.session.commit()
    if service is None:
        return done("Say what it is.", ".line", proposal_id=proposal_id, line_id=line.id)
    return done(f"{line.name} is in the proposal.", ".lines", proposal_id=proposal_id)


@screen.get("/<int:proposal_id>/lines/<int:line_id>")
@needs(May.EDIT_PROPOSALS)
def line(proposal_id: int, line_id: int) -> Response:
    held = _line(proposal_or_404(proposal_id), line_id)
    return render("proposals/line.html", form=LineForm(held), line=held, proposal=held.proposal)


@screen.post("/<int:proposal_id>/lines/<int:line_id>")
@needs(May.EDIT_PROPOSALS)
def save_line(proposal_id: int, line_id: int) -> Response:
    held = _line(locked_or_404(proposal_id), line_id)
    form = LineForm(held)
    if not form.validate():
        return refused("proposals/line.html", "form", form=form, line=held, proposal=held.proposal)
    try:
        changed = proposals.edit_line(held, form.values(), by=actor(), now=now())
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    except BadService as problem:
        db.session.rollback()
        held = _line(proposal_or_404(proposal_id), line_id)
        form[problem.field].errors = [str(problem)]
        return refused("proposals/line.html", "form", form=form, line=held, proposal=held.proposal)
    db.session.commit()
    return done("Saved." if changed else "Nothing was changed.", ".lines", proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/lines/<int:line_id>/position")
@needs(May.EDIT_PROPOSALS)
def move(proposal_id: int, line_id: int) -> Response:
    held = _line(locked_or_404(proposal_id), line_id)
    try:
        moved = proposals.move_line(held, DIRECTIONS.get(request.form.get("to", ""), 0), now=now())
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    db.session.commit()
    return done("" if moved else "It stands at the end already.", ".lines", proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/lines/<int:line_id>/removal")
@needs(May.EDIT_PROPOSALS)
def take_out(proposal_id: int, line_id: int) -> Response:
    held = _line(locked_or_404(proposal_id), line_id)
    name = held.name
    try:
        proposals.remove_line(held, by=actor(), now=now())
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    db.session.commit()
    return done(f"{name} is taken out of the proposal.", ".lines", proposal_id=proposal_id)


def _line(proposal: Proposal, line_id: int) -> ProposalLine:
    return proposals.line_of(proposal, line_id) or abort(404)
