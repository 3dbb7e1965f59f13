"""The billing schedule: which services run for a client, and what is to be billed when.

The one invariant: a billing item yields at most one invoice line, ever (BS-09).
"""

from portal.domain.schedule.models import (
    BillingItem,
    ClientService,
    ItemState,
    PayBy,
)

__all__ = [
    "BillingItem",
    "ClientService",
    "ItemState",
    "PayBy",
]
