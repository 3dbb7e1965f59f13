"""Invoices and the payments on them.

The one invariant: an issued invoice never changes its lines, amounts or mark; everything else about it is derived.
"""

from portal.domain.invoices.bulk import Outcome, mark_many_paid, void_many
from portal.domain.invoices.export import csv
from portal.domain.invoices.finding import by_ids, by_number, get, of_client, search
from portal.domain.invoices.issuing import (
    AlreadyBilled,
    CannotIssue,
    currency_of,
    issue,
    mark_of,
)
from portal.domain.invoices.kept import InvoiceSum
from portal.domain.invoices.listed import PAGE, Page, Row, listing
from portal.domain.invoices.models import (
    IS_OPEN,
    Invoice,
    InvoiceLine,
    NumberSeries,
    Payment,
    Source,
)
from portal.domain.invoices.narrowed import CAP
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
from portal.domain.invoices.printed import PdfFacts, PrintedLine, PrintedTax, pdf_facts
from portal.domain.invoices.standing import InvoiceStatus, Standing, status, status_of
from portal.domain.invoices.summed import Sum, Totals, count, shown, sums, totals
from portal.domain.invoices.view import (
    DEPLOYMENT_WORDS,
    SOURCE_WORDS,
    STANDING_WORDS,
    Filters,
    Key,
    Sort,
    filters_from,
    key_from,
)
from portal.domain.invoices.voiding import REASONS, CannotVoid, Voided, deleted_there, void, voided_there

__all__ = [
    "CAP",
    "DEPLOYMENT_WORDS",
    "IS_OPEN",
    "METHODS",
    "PAGE",
    "REASONS",
    "SOURCE_WORDS",
    "STANDING_WORDS",
    "AlreadyBilled",
    "CannotIssue",
    "CannotSettle",
    "CannotVoid",
    "Filters",
    "Invoice",
    "InvoiceLine",
    "InvoiceStatus",
    "InvoiceSum",
    "Key",
    "Noted",
    "NumberSeries",
    "NumberUsed",
    "Outcome",
    "Page",
    "Payment",
    "PdfFacts",
    "PrintedLine",
    "PrintedTax",
    "Row",
    "Sort",
    "Source",
    "Standing",
    "Sum",
    "Totals",
    "Voided",
    "by_ids",
    "by_number",
    "change_series",
    "count",
    "csv",
    "currency_of",
    "day_text",
    "deleted_there",
    "filters_from",
    "get",
    "issue",
    "key_from",
    "listing",
    "mark_many_paid",
    "mark_of",
    "mark_paid",
    "next_number",
    "note_payment",
    "of_client",
    "payment_of",
    "pdf_facts",
    "rename_number",
    "reverse_payment",
    "search",
    "set_unpaid",
    "shown",
    "status",
    "status_of",
    "sums",
    "take_next",
    "take_number",
    "totals",
    "void",
    "void_many",
    "voided_there",
]  # fmt: skip
