"""The lines of a proposal: put in from the library, changed, moved, taken out."""

from __future__ import annotations

from flask import Response, abort, request, url_for

from portal.db import db
from portal.domain import library, once, proposals
from portal.domain.library import BadService
from portal.domain.people import May
from portal.domain.proposals import Frozen, Proposal, ProposalLine, StaleProposal
from portal.web.fields import numbers_in
from portal.web.guard import actor, needs
from portal.web.meanwhile import differences
from portal.web.offers import amount_of_line
from portal.web.price_words import billing_of, price_of
from portal.web.proposals import screen
from portal.web.proposals.forms import LineForm
from portal.web.proposals.lookups import OPEN, locked_or_404, now, proposal_or_404, the_firm
from portal.web.render import done, refused, render

DIRECTIONS = {"up": -1, "down": 1}


@screen.get("/<int:proposal_id>/lines")
@needs(May.EDIT_PROPOSALS)
def lines(proposal_id: int) -> Response:
    """What is offered, in its order, and what of the library can be put in."""
    proposal = proposal_or_404(proposal_id)
    held = {one.service_id for one in proposal.lines}
    currency = the_firm().currency
    return render(
        "proposals/lines.html", proposal=proposal, is_open=proposal.state in OPEN,
        services=[(one, price_of(one, currency), billing_of(one), one.id in held) for one in library.every_service()],
        rows=[(one, amount_of_line(one), billing_of(one)) for one in proposal.lines],
    )  # fmt: skip


@screen.post("/<int:proposal_id>/lines")
@needs(May.EDIT_PROPOSALS)
def put_in(proposal_id: int) -> Response:
    """Services of the library, copied: all that were ticked, into the package that was chosen."""
    proposal = locked_or_404(proposal_id)
    wanted = numbers_in(request.form.getlist("service"))
    chosen = [service for one in wanted if (service := library.get_service(one)) is not None]
    package = request.form.get("option", "")
    place = int(package) if package in {str(n) for n in range(1, len(proposal.options) + 1)} else None
    try:
        proposals.changeable(proposal)
        made = [proposals.add_line(proposal, one, by=actor(), now=now(), option=place) for one in chosen]
    except (Frozen, ValueError) as problem:
        db.session.rollback()
        return done(str(problem), ".lines", tone="warn", proposal_id=proposal_id)
    if not made:
        return done("Tick the services to add.", ".lines", tone="info", proposal_id=proposal_id)
    db.session.commit()
    names = [one.name for one in made]
    said = f"{names[0]} is" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} are"
    return done(f"{said} in the proposal.", ".lines", proposal_id=proposal_id)


@screen.get("/<int:proposal_id>/lines/new")
@needs(May.EDIT_PROPOSALS)
def new_line(proposal_id: int) -> Response:
    """Something that is not in the library."""
    proposal = proposal_or_404(proposal_id)
    form = LineForm(None, proposal, once=once.fresh(), formdata=None)
    return render("proposals/line.html", form=form, line=None, proposal=proposal)


@screen.post("/<int:proposal_id>/lines/new")
@needs(May.EDIT_PROPOSALS)
def add_own(proposal_id: int) -> Response:
    """It is in the proposal, and before a client's eyes, only once it is filled in."""
    proposal = locked_or_404(proposal_id)
    form = LineForm(None, proposal)
    if not form.validate():
        return refused("proposals/line.html", "form", form=form, line=None, proposal=proposal)
    if once.claim(form.once.data or "", now()) is None:
        db.session.rollback()
        said = "That form was sent already; what it added is here."
        return done(said, ".lines", tone="info", proposal_id=proposal_id)
    try:
        line = proposals.add_line(proposal, by=actor(), now=now(), **form.values())
    except BadService as problem:
        return _wrong(form, problem, proposal_id, None)
    except (Frozen, ValueError) as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    said = f"{line.name} is in the proposal."
    db.session.commit()
    return done(said, ".lines", proposal_id=proposal_id)


@screen.get("/<int:proposal_id>/lines/<int:line_id>")
@needs(May.EDIT_PROPOSALS)
def line(proposal_id: int, line_id: int) -> Response:
    held = _line(proposal_or_404(proposal_id), line_id)
    return render("proposals/line.html", form=LineForm(held, held.proposal), line=held, proposal=held.proposal)


@screen.post("/<int:proposal_id>/lines/<int:line_id>")
@needs(May.EDIT_PROPOSALS)
def save_line(proposal_id: int, line_id: int) -> Response:
    held = _line(locked_or_404(proposal_id), line_id)
    form = LineForm(held, held.proposal)
    if not form.validate():
        return refused("proposals/line.html", "form", form=form, line=held, proposal=held.proposal)
    mark = form.text("version") or None
    try:
        changed = proposals.edit_line(held, form.values(), by=actor(), now=now(), expected_mark=mark)
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    except StaleProposal:
        db.session.rollback()
        held = _line(proposal_or_404(proposal_id), line_id)
        rows = differences(form, LineForm(held, held.proposal, formdata=None))
        form.version.data = proposals.mark_of(held)
        values = {"form": form, "line": held, "proposal": held.proposal, "meanwhile": rows}
        return refused("proposals/line.html", "form", status=409, **values)
    except BadService as problem:
        return _wrong(form, problem, proposal_id, line_id)
    db.session.commit()
    return done("Saved." if changed else "Nothing was changed.", ".lines", proposal_id=proposal_id)


def _wrong(form: LineForm, problem: BadService, proposal_id: int, line_id: int | None) -> Response:
    """What was typed does not go together; said beside the field that is to be looked at."""
    db.session.rollback()
    proposal = proposal_or_404(proposal_id)
    form[problem.field].errors = [str(problem)]
    held = _line(proposal, line_id) if line_id else None
    return refused("proposals/line.html", "form", form=form, line=held, proposal=proposal)


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
        entry = proposals.remove_line(held, by=actor(), now=now())
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    db.session.commit()
    undo = ("Undo", url_for(".put_back", proposal_id=proposal_id, entry_id=entry))
    return done(f"{name} is removed from the proposal.", ".lines", undo=undo, proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/removals/<int:entry_id>/return")
@needs(May.EDIT_PROPOSALS)
def put_back(proposal_id: int, entry_id: int) -> Response:
    """Take a removal back, once."""
    proposal = locked_or_404(proposal_id)
    try:
        line = proposals.put_back(proposal, entry_id, by=actor(), now=now())
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    said = f"{line.name} is back where it was." if line else "Nothing was changed: it is back already."
    db.session.commit()
    return done(said, ".lines", proposal_id=proposal_id)


def _line(proposal: Proposal, line_id: int) -> ProposalLine:
    return proposals.line_of(proposal, line_id) or abort(404)
