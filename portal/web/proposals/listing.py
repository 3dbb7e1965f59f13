"""/proposals: every proposal, newest first, by state, words and client."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response, request, url_for

from portal.domain import clients, proposals
from portal.domain.people import May
from portal.domain.proposals import Proposal, ProposalState
from portal.web import formats
from portal.web.fields import asked_number
from portal.web.guard import current_person, needs
from portal.web.offers import headline
from portal.web.proposals import screen
from portal.web.proposals.lookups import STATE_WORDS, today
from portal.web.render import render

PAGE = 50
LONGEST_SEARCH = 100
SOON = 7  # days before the last one in which a list says so


@screen.get("")
@needs(May.SEE_PROPOSALS)
def index() -> Response:
    words = request.args.get("q", "").strip().replace("\x00", "")[:LONGEST_SEARCH]
    state = next((one for one in ProposalState if one.value == request.args.get("state")), None)
    client = clients.get(asked_number("client") or 0)
    before = asked_number("before")
    kept: dict[str, Any] = {"q": words or None, "state": state, "client": client.id if client else None}
    found = proposals.listing(
        state=state, words=words, client_id=client.id if client else None, before=before, limit=PAGE
    )
    shown = found[:PAGE]
    return render(
        "proposals/index.html", blocks=("rows",), address=url_for(".index", **kept),
        rows=_rows(shown), words=words, state=state, client=client, states=STATE_WORDS,
        more=url_for(".index", **kept, before=shown[-1].id) if len(found) > PAGE else None,
        first=url_for(".index", **kept) if before else None, has_any=bool(shown) or proposals.has_proposals(),
        may_edit=current_person().may(May.EDIT_PROPOSALS),
        without_client=url_for(".index", **(kept | {"client": None})),
    )  # fmt: skip


def _rows(shown: list[Proposal]) -> list[dict[str, Any]]:
    day = today()
    return [_row(one, day) for one in shown]


def _row(proposal: Proposal, day: date) -> dict[str, Any]:
    words, tone = STATE_WORDS[proposal.state]
    return {
        "proposal": proposal, "label": proposals.label(proposal), "state": words, "tone": tone,
        "amounts": headline(proposal), "note": _note(proposal, day),
    }  # fmt: skip


def _note(proposal: Proposal, day: date) -> str:
    """What is worth knowing beside the state."""
    if proposal.state == ProposalState.AWAITING:
        if proposal.expires_on and (proposal.expires_on - day).days <= SOON:
            return f"until {formats.day(proposal.expires_on)}"
        return "opened" if proposal.first_seen_at else "not opened yet"
    if proposal.state in (ProposalState.ACCEPTED, ProposalState.COMPLETED) and proposal.accepted:
        return f"by {proposal.accepted['name']}"
    return proposal.lost_why if proposal.state == ProposalState.LOST else ""
