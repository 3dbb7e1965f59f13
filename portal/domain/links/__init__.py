"""A client here and its record there: making, breaking and mending the link, and settling what it left open."""

from portal.domain.links.asked import CannotSend, ask_to_send, sendable, take_back_asked
from portal.domain.links.checklist import Check, checklist
from portal.domain.links.conflicts import dismiss_conflict, open_conflicts, swap_conflict
from portal.domain.links.making import (
    AlreadyLinked,
    broken_because,
    link,
    link_all,
    mark_broken,
    mend,
    no_longer_asks,
    unlink,
)

__all__ = [
    "AlreadyLinked", "CannotSend", "Check", "ask_to_send", "broken_because", "checklist", "dismiss_conflict", "link",
    "link_all", "mark_broken", "mend", "no_longer_asks", "open_conflicts", "sendable", "swap_conflict",
    "take_back_asked", "unlink",
]  # fmt: skip
