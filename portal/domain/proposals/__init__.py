"""Proposals: drafted, put out behind a private link, accepted, completed or lost.

The one invariant: an accepted proposal never changes (PR-03); what comes of it are services and billing items.
"""

from portal.domain.proposals.models import (
    Grouping,
    Proposal,
    ProposalLine,
    ProposalState,
    Starts,
)

__all__ = [
    "Grouping",
    "Proposal",
    "ProposalLine",
    "ProposalState",
    "Starts",
]
