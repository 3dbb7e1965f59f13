"""/invoices/<id>: one invoice, how it stands on each of its three axes, and its log, which grows by itself."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from portal import integrations, invoice_pdf
from portal.domain import activity, connections, deliveries, invoices
from portal.domain.activity import Origin
from portal.domain.deliveries import Deployment, Standing
from portal.domain.invoices import METHODS, REASONS, Invoice
from portal.domain.people import May
from portal.web import formats
from portal.web.clients.page import ORIGINS
from portal.web.guard import current_person, needs
from portal.web.invoices import screen
from portal.web.invoices.forms import PaidForm, VoidForm
from portal.web.invoices.lookups import invoice_or_404, today
from portal.web.render import is_fragment, render

SOON, LATER = "2s", "10s"  # how often an open page looks again: while something moves, and while it is only unpaid
TONES = {
    Standing.OFF: "muted", Standing.WAITING: "info", Standing.CREATED: "ok", Standing.FAILED: "bad",
    Standing.NEEDS_CHECK: "warn",
}  # fmt: skip


@screen.get("/<int:invoice_id>")
@needs(May.SEE_INVOICES)
def page(invoice_id: int) -> Response:
    return render("invoices/page.html", blocks=("live",), **values(invoice_or_404(invoice_id)))


@screen.get("/<int:invoice_id>/invoice.pdf")
@needs(May.SEE_INVOICES)
def pdf(invoice_id: int) -> Response:
    invoice = invoice_or_404(invoice_id)
    response = Response(invoice_pdf.render(invoices.pdf_facts(invoice, as_of=today())), mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="invoice-{invoice.id}.pdf"'
    response.headers["Cache-Control"] = "no-store"
    return response


def values(invoice: Invoice, paid: PaidForm | None = None, void: VoidForm | None = None) -> dict[str, Any]:
    """Everything the page shows. A form given is one that did not pass."""
    person, standing = current_person(), invoices.status(invoice, today())
    deployment = deliveries.deployment(invoice)
    is_open = invoice.paid_at is None and invoice.voided_at is None
    log, facts = activity.log(invoice_id=invoice.id), invoices.pdf_facts(invoice, as_of=today())
    return {
        "invoice": invoice,
        "standing": standing,
        "deployment": deployment,
        "deployment_tone": TONES[deployment.standing],
        "fix": fix_address(invoice, deployment),
        "sync_at": _sync_address(deployment),
        "poll": SOON if deployment.is_moving else LATER if is_open else "",
        "lines": [line_of(one) for one in log[: activity.PAGE]],
        "earlier": log[activity.PAGE - 1].id if len(log) > activity.PAGE else None,
        "taxes": facts.taxes,
        "payments": [one for one in invoice.payments if one.reversed_at is None],
        "reversed": [one for one in invoice.payments if one.reversed_at is not None],
        "ledger": _ledger_name(invoice),
        "is_open": is_open,
        "is_fresh": is_fragment(),
        "may_settle": person.may(May.SETTLE_INVOICES),
        "may_mend": person.may(May.MEND_DELIVERIES),
        "may_bill": person.may(May.INVOICE_CLIENTS),
        "paid_form": paid or PaidForm.for_invoice(invoice, today()),
        "void_form": void or VoidForm(formdata=None),
        "methods": METHODS,
        "reasons": REASONS,
    }


def fix_address(invoice: Invoice, deployment: Deployment) -> tuple[str, str] | None:
    """(words, address) of the screen that mends what keeps the invoice from its ledger; None: none of ours does."""
    if not deployment.fix or deployment.connection_id is None:
        return None
    person, connection_id = current_person(), deployment.connection_id
    if deployment.fix == "client":
        return f"Apps of {invoice.client_name}", url_for("clients.mappings", client_id=invoice.client_id)
    if deployment.fix == "mapping" and person.may(May.MANAGE_APPS):
        return f"Invoice settings of {deployment.app}", url_for("apps.ledger", connection_id=connection_id)
    if deployment.fix == "connection" and person.may(May.SEE_APPS):
        return deployment.app, url_for("apps.panel", connection_id=connection_id)
    return None


def _sync_address(deployment: Deployment) -> str | None:
    """Where *Sync now* is pressed for the ledger, for those who may."""
    if deployment.connection_id is None or not current_person().may(May.RUN_SYNCS):
        return None
    return url_for("apps.start_sync", connection_id=deployment.connection_id)


def _ledger_name(invoice: Invoice) -> str:
    connection = connections.get(invoice.connection_id) if invoice.connection_id else None
    return integrations.app_info(connection.app).name if connection else ""


def line_of(one: activity.Activity) -> dict[str, Any]:
    note = str(one.facts.get("note", ""))
    return {
        "id": one.id, "parts": activity.parts(one), "at": one.at, "who": one.actor_name,
        "how": ORIGINS[Origin(one.origin)], "changes": one.changes, "reason": note, "run": None,
    }  # fmt: skip


@screen.app_template_filter()
def quantity(figure: Any, unit: str | None = None) -> str:
    """'1', '0.3333', '4 hours': without zeros that say nothing."""
    exact = figure.normalize() + 0
    return formats.plural(exact, unit) if unit else formats.number(exact)
