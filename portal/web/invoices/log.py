"""/invoices/<id>/log: everything that ever happened to an invoice, page by page."""

from __future__ import annotations

from flask import Response, request

from portal.domain import activity
from portal.domain.people import May
from portal.web.guard import needs
from portal.web.invoices import screen
from portal.web.invoices.lookups import invoice_or_404
from portal.web.invoices.page import line_of
from portal.web.render import render


@screen.get("/<int:invoice_id>/log")
@needs(May.SEE_INVOICES)
def log(invoice_id: int) -> Response:
    """Newest first; `before` in the address is the last line that was shown."""
    invoice = invoice_or_404(invoice_id)
    before = request.args.get("before", type=int)
    found = activity.log(invoice_id=invoice.id, before=before)
    shown = found[: activity.PAGE]
    earlier = shown[-1].id if len(found) > activity.PAGE else None
    lines = [line_of(one) for one in shown]
    return render("invoices/log.html", invoice=invoice, lines=lines, earlier=earlier, is_first=before is None)
