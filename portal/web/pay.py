"""/pay/<token>: one invoice as its client sees it, behind a private link. It shows; it takes nothing."""

from __future__ import annotations

from flask import Blueprint, Response, abort

from portal import invoice_pdf
from portal.domain import invoices
from portal.domain.invoices import Invoice, sending
from portal.domain.people import the_firm
from portal.web.guard import open_to_all
from portal.web.invoices.lookups import today
from portal.web.render import render

screen = Blueprint("pay", __name__, url_prefix="/pay")
REASON = "A firm's client opens it from a private link; the token in it is the sign-in."
LONGEST = 100  # characters of a token


@screen.get("/<token>")
@open_to_all(reason=REASON)
def page(token: str) -> Response:
    """Paid and voided ones open as such (PP-10); any other token finds nothing, whatever is wrong with it."""
    invoice = _invoice_or_404(token)
    firm = the_firm()
    facts = invoices.pdf_facts(invoice, as_of=today())
    response = render("pay/page.html", invoice=invoice, facts=facts, the_firm=firm, token=token)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@screen.get("/<token>/invoice.pdf")
@open_to_all(reason=REASON)
def pdf(token: str) -> Response:
    invoice = _invoice_or_404(token)
    response = Response(invoice_pdf.render(invoices.pdf_facts(invoice, as_of=today())), mimetype="application/pdf")
    response.headers["Content-Disposition"] = 'inline; filename="invoice.pdf"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _invoice_or_404(token: str) -> Invoice:
    found = sending.by_payment_token(token) if len(token) <= LONGEST else None
    return found if found is not None else abort(404)
