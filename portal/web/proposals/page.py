"""/proposals/<id>: one proposal: how it stands, what it offers, what came of it, and its log."""

from __future__ import annotations

from typing import Any

from flask import Response, session

from portal.domain import activity, proposals
from portal.domain.activity import Origin
from portal.domain.people import May
from portal.domain.proposals import Proposal, ProposalState
from portal.web import formats
from portal.web.clients.page import ORIGINS
from portal.web.guard import current_person, needs
from portal.web.offers import offer_of
from portal.web.proposals import screen, sending
from portal.web.proposals.deployed import jobs_section
from portal.web.proposals.lookups import STATE_WORDS, invoice_address, proposal_or_404, the_firm
from portal.web.render import absolute, is_fragment, render

FRESH_LINK = "fresh_proposal_link"  # in the cookie, from making a link to the one page that shows it


@screen.get("/<int:proposal_id>")
@needs(May.SEE_PROPOSALS)
def page(proposal_id: int) -> Response:
    proposal = proposal_or_404(proposal_id)
    fresh = None if is_fragment() else session.pop(FRESH_LINK, None)  # a part that looks again must not use it up
    link = absolute("proposal.page", token=fresh["token"]) if fresh and fresh["proposal"] == proposal.id else None
    is_accepted = bool(proposal.accepted)
    words, tone = STATE_WORDS[proposal.state]
    return render(
        "proposals/page.html", blocks=("mails", "job_section"), proposal=proposal, label=proposals.label(proposal),
        state=words, tone=tone, link=link, **sending.mails_of(proposal),
        offer=_offer(proposal), is_accepted=is_accepted, is_open=proposal.state in _OPEN,
        outcome=proposals.outcome(proposal) if is_accepted else None, lines=_log(proposal),
        may_edit=current_person().may(May.EDIT_PROPOSALS), invoice_address=invoice_address, kept=proposal.accepted,
        asks_for_jobs=bool(proposal.jobs), **jobs_section(proposal),
    )  # fmt: skip


@screen.get("/<int:proposal_id>/preview")
@needs(May.SEE_PROPOSALS)
def preview(proposal_id: int) -> Response:
    """The page as the client sees it, with nothing to press."""
    proposal = proposal_or_404(proposal_id)
    content = proposals.content_of(proposal, the_firm().name)
    return render(
        "proposal/page.html", offer=offer_of(content, proposals.default_choice(proposal)), token="", problem="",
        name="", email=the_firm().email, is_preview=True, proposal=proposal,
    )  # fmt: skip


def keep_link(proposal: Proposal, token: str) -> None:
    """The link is shown once, on the proposal's page, to whoever made it."""
    session[FRESH_LINK] = {"proposal": proposal.id, "token": token}


_OPEN = (ProposalState.DRAFT, ProposalState.AWAITING)


def _offer(proposal: Proposal) -> Any:
    if proposal.accepted:
        content, choice = proposals.shown_as_accepted(proposal)
        return offer_of(content, choice, only_taken=True)
    return offer_of(proposals.content_of(proposal, the_firm().name), proposals.default_choice(proposal))


def _log(proposal: Proposal) -> list[dict[str, Any]]:
    found = activity.log(proposal_id=proposal.id)[: activity.PAGE]
    return [
        {
            "parts": activity.parts(one, formats.amounts), "at": one.at, "who": one.actor_name,
            "how": ORIGINS[Origin(one.origin)],
            "changes": one.changes, "reason": "", "run": None,
            "invoice": invoice_address(one.invoice_id),
        }
        for one in found
    ]  # fmt: skip
