"""Working on invoices from the other side, by JSON or by form: raise, pay, void; and closing the books."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox import webhooks
from portal.sandbox.context import Refused, here
from portal.sandbox.control import body
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import around, hooks, idempotency, invoice_fill, invoice_side

control = Blueprint("xero_invoice_control", __name__)
ENDED = {"void": "VOIDED", "delete": "DELETED"}


@control.get("/control/xero/invoices")
def find_invoices() -> Response:
    """By part of a number or reference, or by identifier; newest first."""
    args = request.args
    return jsonify(invoice_side.find(here(), _tenant(), args.get("q", ""), args.get("limit", 50, int)))


@control.get("/control/xero/invoices/counts")
def count_invoices() -> Response:
    """How many, of each number and each Url; `least` leaves out what is rarer."""
    return jsonify(invoice_side.counts(here(), _tenant(), request.args.get("least", 1, int)))


@control.post("/control/xero/invoices")
def create_invoice() -> tuple[Response, int]:
    """Somebody else's: `contact`, `number`, `total` or `LineItems`, `date`, `due`, `status`, `kind`, `url`."""
    return jsonify(invoice_side.create(here(), _tenant(), _values())), 201


@control.post("/control/xero/invoices/fill")
def fill_invoices() -> Response:
    """`invoices` of them in place of all there are, made from `seed`."""
    values = _values()
    return jsonify(invoice_fill.fill(here(), _tenant(), int(values.get("invoices", 1000)), int(values.get("seed", 7))))


@control.get("/control/xero/invoices/<invoice>")
def see_invoice(invoice: str) -> Response:
    """In full, by identifier or number."""
    return jsonify(invoice_side.one(here(), _tenant(), invoice))


@control.patch("/control/xero/invoices/<invoice>")
def change_invoice(invoice: str) -> Response:
    """`total`, `LineItems`, `contact`, `number`, `reference`, `date`, `due`, `status`, `url`."""
    return jsonify(invoice_side.change(here(), _tenant(), invoice, _values()))


@control.post("/control/xero/invoices/<invoice>/<any(pay, unpay, credit, void, delete):what>")
def act_on_invoice(invoice: str, what: str) -> Response:
    """`pay` the whole or `amount` (`date`, `account`, `reference`), `unpay` all, `credit` an `amount`, end it."""
    return jsonify(_done(_tenant(), invoice, what, {k: v for k, v in body(optional=True).items() if k != "tenant"}))


@control.post("/control/xero/lock")
def close_books() -> Response:
    """Nothing dated on or before `until` is taken."""
    values = _values()
    try:
        until = date.fromisoformat(str(values.get("until")))
    except ValueError as reason:
        raise Refused("`until` is a day such as 2026-03-31.") from reason
    around.lock(here(), _tenant(), until)
    return jsonify(locked_until=until.isoformat())


@control.patch("/control/xero/<any(accounts, 'tax-rates', items):kind>/<key>")
def change_list(kind: str, key: str) -> Response:
    """Any field of an account (by code), a tax rate (by TaxType) or an item (by code): `Status`, `Name`, …"""
    return jsonify(around.change(here(), _tenant(), kind, key, _values()))


@control.post("/control/xero/idempotency/forget")
def forget_keys() -> Response:
    """As if every key were older than six minutes."""
    return jsonify(forgotten=idempotency.forget(here()))


@control.post("/control/xero/webhooks/intent")
def intent_to_receive() -> Response:
    """Ask the listener as Xero does when a webhook is set up: well and badly signed; what it answered to each."""
    sender = webhooks.sender(here(), "xero")
    secret = sender.settings.secret
    answers = [(is_good, sender.post(hooks.intent(), secret if is_good else f"{secret}x")) for is_good in
               (True, False, True, False)]  # fmt: skip
    passed = all(200 <= status < 300 if is_good else status == 401 for is_good, status in answers)
    return jsonify(passed=passed, answers=[{"well_signed": good, "status": status} for good, status in answers])


@control.get("/xero-invoices")
def invoices_page() -> str:
    """Search and add, for a person."""
    tenant, q = _tenant(), request.args.get("q", "")
    return render_template("xero_invoices.html", tenant=tenant, q=q, invoices=invoice_side.find(here(), tenant, q))


@control.get("/xero-web/AccountsReceivable/View.aspx")
def view_invoice() -> BaseResponse:
    """Where links to one invoice lead."""
    wanted, box = request.args.get("InvoiceID", ""), here()
    for tenant in box.vendor("xero").tenants:
        if found := invoice_side.find(box, tenant, wanted):
            return redirect(url_for("xero_invoice_control.invoices_page", tenant=tenant.id, q=found[0]["uuid"]), 303)
    raise Refused("There is no such invoice.", 404)


@control.post("/xero-invoices/<invoice>")
def act_by_form(invoice: str) -> BaseResponse:
    """Pay, void and the like, from the page."""
    tenant, what = _tenant(), request.form.get("do", "")
    if what not in ("pay", "unpay", "void", "delete"):
        raise Refused("Choose what to do.")
    amount = request.form.get("amount", "").strip()
    _done(tenant, invoice, what, {"amount": amount} if amount else {})
    return redirect(url_for("xero_invoice_control.invoices_page", tenant=tenant.id, q=request.form.get("q", "")), 303)


def _done(tenant: Tenant, invoice: str, what: str, values: dict[str, Any]) -> dict[str, Any]:
    box = here()
    if what == "pay":
        return invoice_side.pay(box, tenant, invoice, values)
    if what == "unpay":
        return invoice_side.unpay(box, tenant, invoice)
    if what == "credit":
        return invoice_side.credit(box, tenant, invoice, str(values.get("amount", "1.00")))
    return invoice_side.end(box, tenant, invoice, ENDED[what])


def _tenant() -> Tenant:
    """The organisation named in the query, the body or the form; Marlow & Co Ltd when none is."""
    wanted = request.args.get("tenant")
    if not wanted:
        sent = body(optional=True) if request.path.startswith("/control/") else request.form
        wanted = sent.get("tenant")
    return here().tenant(wanted, "xero")


def _values() -> dict[str, Any]:
    return {key: value for key, value in body().items() if key != "tenant"}
