"""Billing: what is due becomes invoices, each once, and any coming day can be rehearsed without writing anything.

The one invariant: an invoice, its number and the items it bills are committed together, a client's group at a time.
"""

from portal.billing.ahead import look_ahead
from portal.billing.by_hand import issue_now
from portal.billing.raising import THE_SCHEDULE, Billed, bill_client, bill_day, bill_due

__all__ = ["THE_SCHEDULE", "Billed", "bill_client", "bill_day", "bill_due", "issue_now", "look_ahead"]
