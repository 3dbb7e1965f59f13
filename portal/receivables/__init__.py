"""What ledgers tell back: their short lists, what became of our invoices, and the webhooks that say when to look.

The one invariant: what is believed is what was read there; a webhook only says where to read.
"""

from portal.receivables.events import handle_due, take
from portal.receivables.lists import read_lists, read_lists_due, read_lists_soon
from portal.receivables.looking import look, look_at, look_at_soon, look_due, look_soon, refresh_soon

__all__ = [
    "handle_due", "look", "look_at", "look_at_soon", "look_due", "look_soon", "read_lists", "read_lists_due",
    "read_lists_soon", "refresh_soon", "take",
]  # fmt: skip
