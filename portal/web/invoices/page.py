"""/invoices/<id>: one invoice, how it stands on each of its three axes, and its log, which grows by itself."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response, abort, url_for

from portal import integrations, invoice_pdf
from portal.domain import activity, connections, deliveries, invoices, ledgers
from portal.domain.activity import Origin
from portal.domain.deliveries import DeliveryState, Deployment, Standing
from portal.domain.invoices import METHODS, REASONS, Invoice
from portal.domain.ledgers import readings
from portal.domain.people import May
from portal.domain.records import InvoiceState
from portal.web import formats
from portal.web.clients.page import ORIGINS
from portal.web.guard import current_person, needs
from portal.web.invoices import screen, sending, watching
from portal.web.invoices.forms import PaidForm, VoidForm
from portal.web.invoices.lookups import invoice_or_404, now, today
from portal.web.invoices.payments import recorded, stands_there, unrecorded
from portal.web.render import is_fragment, render

TONES = {
    Standing.OFF: "muted", Standing.WAITING: "info", Standing.CREATED: "ok", Standing.FAILED: "bad",
    Standing.NEEDS_CHECK: "warn",
}  # fmt: skip
# Where trying again comes to nothing before something has been changed here.
FIXED_FIRST = ("client_edit", "client", "contacts", "archive", "mapping", "connection")


@screen.get("/<int:invoice_id>")
@needs(May.SEE_INVOICES)
def page(invoice_id: int) -> Response:
    invoice = invoices.get(invoice_id) or abort(404)
    if invoice.voided_at is not None and not current_person().may(May.SETTLE_INVOICES):
        return _no_longer_shown() if is_fragment() else abort(404)
    found = values(invoice)
    if not is_fragment():
        return render("invoices/page.html", **found)
    stale = watching.stale(found["marks"])
    if stale is None:
        return watching.nothing_new()
    return render("invoices/page.html", blocks=("live", "mails"), **(found | {"stale": stale}))


def _no_longer_shown() -> Response:
    """The page was open while somebody voided the invoice (IN-04)."""
    return render("invoices/gone.html", blocks=("live",), stale=watching.APART)


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
    deployment = deliveries.deployment(invoice)
    is_open = invoice.paid_at is None and invoice.voided_at is None
    log, facts = activity.log(invoice_id=invoice.id), invoices.pdf_facts(invoice, as_of=today())
    mails = sending.mails_of(invoice)
    of_payments = deliveries.of_payments(invoice)
    there = _there(invoice, deployment)
    is_over = invoice.voided_at is not None and (
        invoice.voided_by == "ledger" or deployment.standing != Standing.CREATED or there["is_gone"]
    )
    is_moving = (
        deployment.is_moving or there["is_reading"] or mails["mail_poll"] == watching.SOON
        or any(one.state in deliveries.OPEN for one in of_payments)
    )  # fmt: skip
    found = {
        **mails,
        "invoice": invoice,
        "standing": invoices.status(invoice, today()),
        "deployment": deployment,
        "deployment_tone": TONES[deployment.standing],
        "there": there,
        "is_moving": is_moving,
        "poll": watching.pace(is_moving=is_moving, is_open=is_open, is_over=is_over),
        "stands_on": invoice.voided_at is not None and not is_over,
        "days": _by_day([line_of(one) for one in log[: activity.PAGE]]),
        "earlier": log[activity.PAGE - 1].id if len(log) > activity.PAGE else None,
        "taxes": facts.taxes,
        "payments": [one for one in invoice.payments if one.reversed_at is None],
        "reversed": [one for one in invoice.payments if one.reversed_at is not None],
        "recorded": recorded(invoice, of_payments),
        "unrecorded": unrecorded(invoice, of_payments),
        "stands_there": stands_there(invoice, of_payments),
        "is_open": is_open,
        "paid_form": paid or PaidForm.for_invoice(invoice, today()),
        "void_form": void or VoidForm(formdata=None),
        "methods": METHODS,
        "reasons": REASONS,
        "parts": watching.PARTS,
        "stale": [],
        **_acts(invoice, deployment, is_open=is_open),
        "may_look": deployment.standing == Standing.CREATED and not is_over,
        **_ledger(invoice, deployment),
    }
    found["marks"] = watching.marks(found)
    found["seen"] = watching.seen(found["marks"])
    return found


def _acts(invoice: Invoice, deployment: Deployment, *, is_open: bool) -> dict[str, Any]:
    """What this person may do about the invoice now, and where what stands in the way is mended."""
    person = current_person()
    may_settle = person.may(May.SETTLE_INVOICES)
    return {
        "may_settle": may_settle,
        "may_pay": may_settle and is_open,
        "may_void": may_settle and is_open and not invoice.paid,
        "may_mend": person.may(May.MEND_DELIVERIES),
        "may_bill": person.may(May.INVOICE_CLIENTS),
        "may_match": person.may(May.SETTLE_MATCHES),
        "fix": fix_address(invoice, deployment.fix, deployment),
        "fix_first": deployment.fix in FIXED_FIRST and deployment.cause != "customer",
        "sync_at": _sync_address(deployment),
        "could_go_to": _could_go_to(invoice) if deployment.standing == Standing.OFF else "",
    }


def _ledger(invoice: Invoice, deployment: Deployment) -> dict[str, Any]:
    """The ledger it belongs to, and whether that tells what becomes of it."""
    connection = connections.get(invoice.connection_id) if invoice.connection_id else None
    ways = connection.ways.ledger if connection is not None else None
    if connection is None or ways is None:
        return {"ledger": "", "is_silent": False, "writes_payments": False}
    return {
        "ledger": integrations.app_info(connection.app).name,
        "is_silent": not ways.tells_payments and deployment.standing == Standing.CREATED,
        "writes_payments": ways.takes_payments and ledgers.settings_of(connection).writes_payments,
    }


def _there(invoice: Invoice, deployment: Deployment) -> dict[str, Any]:
    """When it was last read in its ledger, how it differs there, and how a look that somebody asked for goes."""
    nothing = {
        "read_at": None,
        "differs": "",
        "is_gone": False,
        "is_reading": False,
        "error": "",
        "asked_by": "",
        "asked_at": None,
    }
    delivery = deliveries.get(deployment.delivery_id) if deployment.delivery_id else None
    if delivery is None or delivery.state != DeliveryState.DELIVERED or delivery.remote_id is None:
        return nothing
    record = readings.record_of(delivery.connection_id, delivery.remote_id)
    reading = readings.get(delivery.connection_id, readings.of_invoice(delivery.remote_id))
    read_at = record.read_at if record is not None else None
    found = nothing | {"read_at": read_at}
    if record is not None:
        found |= {"differs": record.differs, "is_gone": record.state in (InvoiceState.VOIDED, InvoiceState.DELETED)}
    if reading is None:
        return found
    is_later = read_at is None or reading.ended_at is None or reading.ended_at >= read_at  # else a look made up for it
    return found | {
        "is_reading": readings.is_under_way(reading, now()), "error": reading.error if is_later else "",
        "asked_by": reading.asked_by, "asked_at": reading.asked_at,
        "read_at": max(one for one in (read_at, reading.read_at) if one) if read_at or reading.read_at else None,
    }  # fmt: skip


def fix_address(invoice: Invoice, fix: str, deployment: Deployment) -> tuple[str, str] | None:
    """(words, address) of the screen that mends what keeps the invoice from its ledger; None: none of ours does."""
    if not fix or deployment.connection_id is None:
        return None
    person, connection_id, client_id = current_person(), deployment.connection_id, invoice.client_id
    of_client = {
        "client": (f"Apps of {invoice.client_name}", "clients.mappings"),
        "archive": (f"Open {invoice.client_name}", "clients.page"),
    }
    if fix in of_client:
        words, endpoint = of_client[fix]
        return words, url_for(endpoint, client_id=client_id)
    if fix == "client_edit" and person.may(May.EDIT_CLIENTS):
        return "Change the client here", url_for("clients.edit", client_id=client_id)
    if fix == "mapping" and person.may(May.MANAGE_APPS):
        return f"Invoice settings of {deployment.app}", url_for("apps.ledger", connection_id=connection_id)
    if fix == "connection" and person.may(May.SEE_APPS):
        return f"Open {deployment.app}", url_for("apps.panel", connection_id=connection_id)
    return None


def _could_go_to(invoice: Invoice) -> str:
    """Name of the ledger that *Create in …* would send it to; empty: the client has none."""
    connection = ledgers.choice_of(invoice.client).connection
    return connections.label(connection) if connection is not None else ""


def _sync_address(deployment: Deployment) -> str | None:
    """Where *Sync now* is pressed for the ledger, for those who may."""
    if deployment.connection_id is None or not current_person().may(May.RUN_SYNCS):
        return None
    return url_for("apps.start_sync", connection_id=deployment.connection_id)


def line_of(one: activity.Activity) -> dict[str, Any]:
    note = str(one.facts.get("note", ""))
    if one.verb == activity.Verb.INVOICE_PAID_BY_HAND and one.facts.get("reference"):
        note = f"Reference: {one.facts['reference']}"
    return {
        "id": one.id, "parts": activity.parts(one, formats.amounts), "at": one.at, "who": one.actor_name,
        "how": ORIGINS[Origin(one.origin)], "changes": one.changes, "reason": note, "run": None,
    }  # fmt: skip


def _by_day(lines: list[dict[str, Any]]) -> list[tuple[date, list[dict[str, Any]]]]:
    """The firm's days, newest first, as the lines are."""
    days: dict[date, list[dict[str, Any]]] = {}
    for line in lines:
        days.setdefault(line["at"].astimezone(formats.zone()).date(), []).append(line)
    return list(days.items())


@screen.app_template_filter()
def quantity(figure: Any, unit: str | None = None) -> str:
    """'1', '0.3333', '4 hours': without zeros that say nothing."""
    exact = figure.normalize() + 0
    return formats.plural(exact, unit) if unit else formats.number(exact)
