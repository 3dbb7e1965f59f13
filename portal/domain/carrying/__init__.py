"""Carrying a plan out: what it changes on our side, what it asks to be sent, and what both sides then agree on.

The invariant: `agreed` on a link changes only together with the values it speaks of, in one transaction.
"""

from portal.domain.carrying.taking import apply_here
from portal.domain.carrying.terms import Context, Terms, side_of
from portal.domain.carrying.writing import change_to_send, record_of, sent_done, settle_created, settle_sent

__all__ = [
    "Context", "Terms", "apply_here", "change_to_send", "record_of", "sent_done", "settle_created", "settle_sent",
    "side_of",
]  # fmt: skip
