"""A connection in its role of holding invoices: its settings, its short lists, what of ours is mapped to them.

The one invariant: ids of one connection are never used over another (AP-06).
"""

from portal.domain.ledgers.models import (
    ClientBilling,
    LedgerEntry,
    LedgerRecord,
    LedgerSettings,
    ServiceTarget,
    TaxMapping,
    WebhookEvent,
)

__all__ = [
    "ClientBilling",
    "LedgerEntry",
    "LedgerRecord",
    "LedgerSettings",
    "ServiceTarget",
    "TaxMapping",
    "WebhookEvent",
]
