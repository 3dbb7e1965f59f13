"""Proposals: drafted, put out behind a private link, accepted, completed or lost.

The one invariant: an accepted proposal never changes (PR-03); what comes of it are services and billing items.
"""

from portal.domain.proposals.models import (  # isort: skip  # the rest may import what imports these
    Grouping,
    Proposal,
    ProposalLine,
    ProposalState,
    Starts,
)
from portal.domain.proposals.accepting import (
    Acceptance,
    AlreadyAccepted,
    Changed,
    Signer,
    TooLate,
    accept,
    shown_as_accepted,
    the_client_as,
)
from portal.domain.proposals.content import (
    BadChoice,
    Choice,
    content_of,
    default_choice,
    digest_of,
    is_taken,
    mark_of,
    settled,
    taken_lines,
)
from portal.domain.proposals.drafting import (
    MOST_LINES,
    MOST_OPTIONS,
    OPEN_FOR,
    Frozen,
    StaleProposal,
    add_line,
    changeable,
    draft,
    duplicate,
    edit,
    edit_line,
    get,
    label,
    line_of,
    move_line,
    put_back,
    remove_line,
)
from portal.domain.proposals.figures import LineFigure, Part, When, figure, parts, worth
from portal.domain.proposals.listing import Outcome, clients_called, has_proposals, latest_terms, listing, outcome
from portal.domain.proposals.offering import (
    NotReady,
    behind,
    due_to_expire,
    expire,
    follow_last_day,
    give_link,
    is_over,
    is_past,
    mark_lost,
    new_link,
    note_seen,
    put_out,
    revoke,
)

__all__ = [
    "MOST_LINES", "MOST_OPTIONS", "OPEN_FOR", "Acceptance", "AlreadyAccepted", "BadChoice", "Changed", "Choice",
    "Frozen", "Grouping", "LineFigure", "NotReady", "Outcome", "Part", "Proposal", "ProposalLine", "ProposalState",
    "Signer", "StaleProposal", "Starts", "TooLate", "When", "accept", "add_line", "behind", "changeable",
    "clients_called", "content_of", "default_choice", "digest_of", "draft", "due_to_expire", "duplicate", "edit",
    "edit_line", "expire", "figure", "follow_last_day", "get", "give_link", "has_proposals", "is_over", "is_past",
    "is_taken", "label", "latest_terms", "line_of", "listing", "mark_lost", "mark_of", "move_line", "new_link",
    "note_seen", "outcome", "parts", "put_back", "put_out", "remove_line", "revoke", "settled", "shown_as_accepted",
    "taken_lines", "the_client_as", "worth",
]  # fmt: skip
