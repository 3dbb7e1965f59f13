"""What every page of an invoice begins with."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import abort

from portal.domain import invoices
from portal.domain.invoices import Invoice
from portal.domain.people import May
from portal.web import formats
from portal.web.guard import current_person


def now() -> datetime:
    return datetime.now(UTC)


def today() -> date:
    """The firm's own day."""
    return now().astimezone(formats.zone()).date()


def invoice_or_404(invoice_id: int) -> Invoice:
    """A voided one is for those who may void (IN-36): to everybody else it is not there."""
    invoice = invoices.get(invoice_id)
    if invoice is None or (invoice.voided_at is not None and not current_person().may(May.SETTLE_INVOICES)):
        abort(404)
    return invoice
