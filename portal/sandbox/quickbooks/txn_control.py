"""Invoices, payments, lists and settings of a company, by JSON and by form, behind the portal's back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox.context import here
from portal.sandbox.control import body
from portal.sandbox.quickbooks import company, txn_otherside
from portal.sandbox.vendor import Tenant

control = Blueprint("quickbooks_txn_control", __name__)
KINDS = {"invoices": "Invoice", "payments": "Payment"}
KIND = "<any(invoices, payments):kind>"
ROOT = "/control/quickbooks"
LIST = f"<any({', '.join(repr(name) for name in txn_otherside.LISTS)}):kind>"


@control.get(f"{ROOT}/{KIND}")
def find(kind: str) -> Response:
    """By `number` or a part of it (`q`), `customer` (its Id), `mark` (a part of the note); the newest first."""
    args = request.args
    wanted = {name: args.get(name, "") for name in ("number", "mark", "customer", "q")}
    return jsonify(txn_otherside.find(here(), _tenant(), KINDS[kind], limit=args.get("limit", 50, int), **wanted))


@control.get(f"{ROOT}/invoices/counts")
def counts() -> Response:
    """How many, of each number and each sign; `least` leaves out what is rarer."""
    return jsonify(txn_otherside.counts(here(), _tenant(), request.args.get("least", 1, int)))


@control.post(f"{ROOT}/invoices")
def create() -> tuple[Response, int]:
    """Somebody else's invoice."""
    return jsonify(txn_otherside.create(here(), _tenant(), _values())), 201


@control.post(f"{ROOT}/invoices/fill")
def fill() -> Response:
    """`invoices` and `seed`: so many instead of all there are."""
    values = _values()
    many, seed = int(values.get("invoices", 1000)), int(values.get("seed", 7))
    return jsonify(txn_otherside.fill(here(), _tenant(), many, seed))


@control.get(f"{ROOT}/{KIND}/<identifier>")
def see(kind: str, identifier: str) -> Response:
    """In full, deleted or not."""
    return jsonify(txn_otherside.one(here(), _tenant(), KINDS[kind], identifier))


@control.patch(f"{ROOT}/invoices/<identifier>")
def change(identifier: str) -> Response:
    """Another amount, number, day, note, customer or other lines."""
    return jsonify(txn_otherside.change(here(), _tenant(), identifier, _values()))


@control.post(f"{ROOT}/invoices/<identifier>/pay")
def pay(identifier: str) -> Response:
    """`amount`, or all of it."""
    return jsonify(txn_otherside.pay(here(), _tenant(), identifier, _values()))


@control.post(f"{ROOT}/{KIND}/<identifier>/<any(void, delete):what>")
def end(kind: str, identifier: str, what: str) -> Response:
    """Void it, or delete it for good."""
    return jsonify(txn_otherside.end(here(), _tenant(), KINDS[kind], identifier, what))


@control.get(f"{ROOT}/lists/{LIST}")
def entries(kind: str) -> Response:
    """A short list."""
    return jsonify(txn_otherside.entries(here(), _tenant(), kind))


@control.patch(f"{ROOT}/lists/{LIST}/<identifier>")
def change_entry(kind: str, identifier: str) -> Response:
    """Fields by QuickBooks' own names."""
    return jsonify(txn_otherside.change_entry(here(), _tenant(), kind, identifier, _values()))


@control.post(f"{ROOT}/lists/{LIST}/<identifier>/<any(archive, unarchive, delete):what>")
def move_entry(kind: str, identifier: str, what: str) -> Response:
    """Put an entry away, take it back, or delete it."""
    box, tenant = here(), _tenant()
    if what == "delete":
        txn_otherside.remove_entry(box, tenant, kind, identifier)
        return jsonify(deleted=identifier)
    return jsonify(txn_otherside.change_entry(box, tenant, kind, identifier, {"Active": what == "unarchive"}))


@control.get(f"{ROOT}/preferences")
def see_settings() -> Response:
    """What people chose in the company's settings."""
    return jsonify(asdict(company.settings_of(here(), _tenant().id)))


@control.post(f"{ROOT}/preferences")
def change_settings() -> Response:
    """`custom_numbers`, `multi_currency`, `automated_tax`, `uses_tax`, `closed_until` (a day, or empty),
    `closed_with_password`."""
    return jsonify(asdict(company.change_settings(here(), _tenant().id, _values())))


@control.post(f"{ROOT}/lock")
def lock() -> Response:
    """Nothing dated on or before `until` is taken; an empty text opens the books."""
    until = str(_values().get("until", ""))
    company.change_settings(here(), _tenant().id, {"closed_until": until})
    return jsonify(locked_until=until)


@control.post(f"{ROOT}/idempotency/forget")
def forget_requests() -> Response:
    """No request id is remembered any more."""
    return jsonify(forgotten=txn_otherside.forget_requests(here(), _tenant()))


@control.get("/quickbooks-company/invoices")
def invoices_page() -> str:
    """The newest, to pay or to void."""
    tenant, number = _tenant(), request.args.get("number", "").strip()
    rows = txn_otherside.find(here(), tenant, "Invoice", number=number)
    return render_template("quickbooks_invoices.html", tenant=tenant, number=number, rows=rows)


@control.post("/quickbooks-company/invoices/<identifier>")
def act_by_form(identifier: str) -> BaseResponse:
    """A button: pay, with an amount or all of it; void; delete."""
    box, tenant, what = here(), _tenant(), request.form.get("do", "pay")
    if what == "pay":
        amount = request.form.get("amount", "").strip()
        txn_otherside.pay(box, tenant, identifier, {"amount": float(amount)} if amount else {})
    else:
        txn_otherside.end(box, tenant, "Invoice", identifier, "delete" if what == "delete" else "void")
    return redirect(url_for("quickbooks_txn_control.invoices_page", tenant=tenant.id), 303)


def _tenant() -> Tenant:
    """The company named in the query, the body or the form; Marlow & Co when none is."""
    wanted = request.args.get("tenant")
    if not wanted:
        sent = body(optional=True) if request.path.startswith("/control/") else request.form
        wanted = sent.get("tenant")
    return here().tenant(wanted, "quickbooks")


def _values() -> dict[str, Any]:
    return {key: value for key, value in body(optional=True).items() if key != "tenant"}
