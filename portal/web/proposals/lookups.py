"""What every page of a proposal begins with, and how its state reads."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import abort, current_app, url_for

from portal.domain import people, proposals, schedule
from portal.domain.proposals import Proposal, ProposalState

STATE_WORDS = {
    ProposalState.DRAFT: ("Draft", "muted"),
    ProposalState.AWAITING: ("Awaiting acceptance", "info"),
    ProposalState.ACCEPTED: ("Accepted", "ok"),
    ProposalState.COMPLETED: ("Completed", "muted"),
    ProposalState.LOST: ("Lost", "muted"),
}


OPEN = (ProposalState.DRAFT, ProposalState.AWAITING)  # can be changed


def proposal_or_404(proposal_id: int) -> Proposal:
    return proposals.get(proposal_id) or abort(404)


def locked_or_404(proposal_id: int) -> Proposal:
    """The proposal, held until the transaction ends, for whoever is about to change it."""
    return proposals.get(proposal_id, lock=True) or abort(404)


def the_firm() -> people.Firm:
    return people.the_firm() or abort(404)


def now() -> datetime:
    return datetime.now(UTC)


def today() -> date:
    return schedule.today(now())


def invoice_address(invoice_id: int | None) -> str | None:
    """Where an invoice is shown; None for none."""
    if invoice_id is None or "invoices.page" not in current_app.view_functions:
        return None
    return url_for("invoices.page", invoice_id=invoice_id)
