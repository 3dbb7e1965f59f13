"""Invoices and the payments on them.

The one invariant: an issued invoice never changes its lines, amounts or mark; everything else about it is derived.
"""

from portal.domain.invoices.issuing import (
    AlreadyBilled,
    CannotIssue,
    currency_of,
    issue,
    mark_of,
)
from portal.domain.invoices.models import (
    IS_OPEN,
    Invoice,
    InvoiceLine,
    NumberSeries,
    Payment,
    Source,
)
from portal.domain.invoices.numbering import (
    NumberUsed,
    change_series,
    next_number,
    rename_number,
    take_next,
    take_number,
)
from portal.domain.invoices.paying import (
    METHODS,
    CannotSettle,
    Noted,
    day_text,
    mark_paid,
    note_payment,
    payment_of,
    reverse_payment,
    set_unpaid,
)
from portal.domain.invoices.standing import InvoiceStatus, Standing, status, status_of
from portal.domain.invoices.voiding import REASONS, CannotVoid, Voided, deleted_there, void, voided_there

__all__ = [
    "IS_OPEN", "METHODS", "REASONS", "AlreadyBilled", "CannotIssue", "CannotSettle", "CannotVoid", "Invoice",
    "InvoiceLine", "InvoiceStatus", "Noted", "NumberSeries", "NumberUsed", "Payment", "Source", "Standing", "Voided",
    "change_series", "currency_of", "day_text", "deleted_there", "issue", "mark_of", "mark_paid", "next_number",
    "note_payment", "payment_of", "rename_number", "reverse_payment", "set_unpaid", "status", "status_of", "take_next",
    "take_number", "void", "voided_there",
]  # fmt: skip
