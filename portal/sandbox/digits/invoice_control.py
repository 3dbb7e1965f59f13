"""Invoices on the other side, by JSON for testers and by form for people."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox.context import Refused, here
from portal.sandbox.control import body
from portal.sandbox.digits import paperwork
from portal.sandbox.vendor import Tenant

control = Blueprint("digits_invoices", __name__)


@control.get("/control/digits/invoices")
def find_invoices() -> Response:
    """The latest, or those of one `number` or `mark`."""
    args = request.args
    return jsonify(
        paperwork.find(here(), _tenant(), number=args.get("number", ""), mark=args.get("mark", ""),
                       limit=args.get("limit", 50, int))
    )  # fmt: skip


@control.get("/control/digits/invoices/counts")
def count_invoices() -> Response:
    """How many, and what is there twice or was changed by an app."""
    return jsonify(paperwork.counts(here(), _tenant()))


@control.post("/control/digits/invoices")
def create_invoice() -> tuple[Response, int]:
    """Somebody else's: `customer`, `total`, `number`, `currency`, `issued`, `due`, `description`."""
    return jsonify(paperwork.create(here(), _tenant(), _values())), 201


@control.post("/control/digits/invoices/fill")
def fill_invoices() -> Response:
    """`count` of them, by `seed`."""
    values = _values()
    return jsonify(paperwork.fill(here(), _tenant(), int(values.get("count", 1000)), int(values.get("seed", 7))))


@control.get("/control/digits/invoices/<invoice>")
def see_invoice(invoice: str) -> Response:
    """By identifier, mark or number, with entries and payments."""
    return jsonify(paperwork.one(here(), _tenant(), invoice))


@control.patch("/control/digits/invoices/<invoice>")
def change_invoice(invoice: str) -> Response:
    """`total`, `number`, `due`, `description`."""
    return jsonify(paperwork.change(here(), _tenant(), invoice, _values()))


@control.post("/control/digits/invoices/<invoice>/<any(pay, void, delete):what>")
def act_on_invoice(invoice: str, what: str) -> Response:
    """Pay what is open or an `amount`, void, or delete."""
    if what == "pay":
        return jsonify(paperwork.pay(here(), _tenant(), invoice, _values()))
    act = paperwork.void if what == "void" else paperwork.delete
    return jsonify(act(here(), _tenant(), invoice))


@control.post("/control/digits/lock")
def lock_books() -> Response:
    """`until` a day, inclusive; an empty text opens them."""
    return jsonify(locked=paperwork.lock(here(), _tenant(), str(_values().get("until", ""))))


@control.post("/control/digits/categories/<number>/<any(close, open):what>")
def close_category(number: str, what: str) -> Response:
    """By its number in the chart of accounts."""
    paperwork.close_category(here(), _tenant(), number, what == "close")
    return jsonify(status="ok")


@control.get("/digits-invoices")
def invoices_page() -> str:
    """The latest invoices, for a person."""
    tenant = _tenant()
    return render_template("digits_invoices.html", tenant=tenant, invoices=paperwork.find(here(), tenant))


@control.post("/digits-invoices/<invoice>")
def act_by_form(invoice: str) -> BaseResponse:
    """Pay, void or delete one."""
    box, tenant, what = here(), _tenant(), request.form.get("do", "")
    if what == "pay":
        paperwork.pay(box, tenant, invoice, {"amount": request.form.get("amount") or None})
    elif what == "void":
        paperwork.void(box, tenant, invoice)
    elif what == "delete":
        paperwork.delete(box, tenant, invoice)
    else:
        raise Refused("Pay, void or delete it.")
    return redirect(url_for("digits_invoices.invoices_page", tenant=tenant.id), 303)


def _tenant() -> Tenant:
    """The business named in the query, the body or the form; Marlow & Co when none is."""
    wanted = request.args.get("tenant")
    if not wanted:
        sent = body(optional=True) if request.path.startswith("/control/") else request.form
        wanted = sent.get("tenant")
    return here().tenant(wanted, "digits")


def _values() -> dict[str, Any]:
    return {key: value for key, value in body(optional=True).items() if key != "tenant"}
