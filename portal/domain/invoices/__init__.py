"""Invoices and the payments on them.

The one invariant: an issued invoice never changes its lines, amounts or mark; everything else about it is derived.
"""

from portal.domain.invoices.models import (
    IS_OPEN,
    Invoice,
    InvoiceLine,
    NumberSeries,
    Payment,
    Source,
)

__all__ = [
    "IS_OPEN",
    "Invoice",
    "InvoiceLine",
    "NumberSeries",
    "Payment",
    "Source",
]
