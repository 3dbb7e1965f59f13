"""Working on the other side by JSON or by form, and shortcuts for testers: apps, tokens, disconnecting."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox.context import Refused, here
from portal.sandbox.control import body
from portal.sandbox.quickbooks import keys, otherside, tokens
from portal.sandbox.vendor import Tenant

control = Blueprint("quickbooks_control", __name__)
KINDS = {"customers": "Customer", "vendors": "Vendor", "employees": "Employee"}
KIND = "<any(customers, vendors, employees):kind>"
ROOT = f"/control/quickbooks/{KIND}"
FORM_FIELDS = (
    ("name", "Display name"),
    ("company", "Company"),
    ("first_name", "First name"),
    ("last_name", "Last name"),
    ("email", "Email"),
    ("phone", "Phone"),
    ("mobile", "Mobile"),
    ("website", "Website"),
    ("address", "Billing address"),
    ("city", "City"),
    ("region", "Region"),
    ("postcode", "Postcode"),
    ("country", "Country"),
)


@control.post("/control/quickbooks/apps")
def register_app() -> tuple[Response, int]:
    """A client id and secret of one's own; `redirect_uris` beyond localhost."""
    values = body()
    client_id, secret = str(values.get("client_id", "")), str(values.get("client_secret", ""))
    if not client_id or not secret:
        raise Refused("Send client_id and client_secret.")
    tokens.register(here(), client_id, secret, list(values.get("redirect_uris", [])))
    return jsonify(client_id=client_id), 201


@control.post("/control/quickbooks/tokens")
def mint_tokens() -> Response:
    """A token reply without a browser: `client_id`, `tenants` (one realm or name), `scopes`; also its `realmId`."""
    box, values = here(), body(optional=True)
    client_id = str(values.get("client_id", tokens.DEFAULT_CLIENT))
    if tokens.app_named(box, client_id) is None:
        raise Refused(f"There is no app {client_id!r}.", 404)
    chosen = [box.tenant(wanted, "quickbooks") for wanted in values.get("tenants") or [None]]
    if len(chosen) != 1:
        raise Refused("One authorization is for one company.")
    scopes = values.get("scopes") or [tokens.ACCOUNTING, "openid", "profile", "email"]
    with box.store.write() as db:
        reply = tokens.start_grant(box, db, client_id, chosen[0].id, " ".join(scopes))
    if "openid" in scopes:
        reply["id_token"] = keys.id_token(int(box.clock.seconds()), client_id, chosen[0].id, tokens.USER["sub"])
    return jsonify({**reply, "realmId": chosen[0].id})


@control.post("/control/quickbooks/revoke")
def revoke() -> Response:
    """The customer disconnects the app from one `tenant`, or from all when none is named."""
    box, wanted = here(), body(optional=True).get("tenant")
    return jsonify(disconnected=tokens.disconnect(box, box.tenant(wanted, "quickbooks").id if wanted else None))


@control.post("/control/quickbooks/change-some")
def change_some() -> Response:
    """`count` customers get another phone or street, chosen by `seed`."""
    values = _values()
    return jsonify(otherside.change_some(here(), _tenant(), int(values.get("count", 5)), int(values.get("seed", 1))))


@control.get(ROOT)
def find(kind: str) -> Response:
    """By part of a name, or by Id."""
    limit = request.args.get("limit", 50, int)
    return jsonify(otherside.find(here(), _tenant(), KINDS[kind], request.args.get("q", ""), limit))


@control.post(ROOT)
def create(kind: str) -> tuple[Response, int]:
    """A name and any other field."""
    return jsonify(otherside.create(here(), _tenant(), KINDS[kind], _values())), 201


@control.get(f"{ROOT}/<identifier>")
def see(kind: str, identifier: str) -> Response:
    """In full."""
    return jsonify(otherside.one(here(), _tenant(), KINDS[kind], identifier))


@control.patch(f"{ROOT}/<identifier>")
def change(kind: str, identifier: str) -> Response:
    """Any field, by QuickBooks' name or a short word."""
    return jsonify(otherside.change(here(), _tenant(), KINDS[kind], identifier, _values()))


@control.post(f"{ROOT}/<identifier>/<any(archive, unarchive, delete):what>")
def move(kind: str, identifier: str, what: str) -> Response:
    """Make inactive, take back, or delete for good."""
    box, tenant = here(), _tenant()
    if what == "delete":
        return jsonify(otherside.delete(box, tenant, KINDS[kind], identifier))
    return jsonify(otherside.set_active(box, tenant, KINDS[kind], identifier, active=what == "unarchive"))


@control.post(f"{ROOT}/<identifier>/rename")
def rename(kind: str, identifier: str) -> Response:
    """`name` is the new one."""
    return jsonify(otherside.change(here(), _tenant(), KINDS[kind], identifier, {"name": _values().get("name")}))


@control.post(f"{ROOT}/<identifier>/merge")
def merge(kind: str, identifier: str) -> Response:
    """`into` is the survivor, which is also the answer."""
    return jsonify(otherside.merge(here(), _tenant(), KINDS[kind], identifier, str(_values().get("into", ""))))


@control.get("/quickbooks-company")
def company_page() -> str:
    """Search and add, for a person."""
    tenant, q, kind = _tenant(), request.args.get("q", ""), request.args.get("kind", "customers")
    if kind not in KINDS:
        raise Refused("There are customers, vendors and employees.", 404)
    found = otherside.find(here(), tenant, KINDS[kind], q)
    rows = [(entry, otherside.short_values(entry["fields"])) for entry in found]
    return render_template(
        "quickbooks_company.html", tenant=tenant, q=q, kind=kind, kinds=KINDS, rows=rows, form_fields=FORM_FIELDS
    )


@control.post(f"/quickbooks-company/{KIND}")
def add_by_form(kind: str) -> BaseResponse:
    """Add one and open it."""
    made = otherside.create(here(), _tenant(), KINDS[kind], _form())
    return _to_record(kind, made["uuid"])


@control.get(f"/quickbooks-company/{KIND}/<identifier>")
def record_page(kind: str, identifier: str) -> str:
    """One of them to edit."""
    tenant = _tenant()
    entry = otherside.one(here(), tenant, KINDS[kind], identifier)
    return render_template(
        "quickbooks_record.html",
        tenant=tenant,
        kind=kind,
        entry=entry,
        values=otherside.short_values(entry["fields"]),
        form_fields=FORM_FIELDS,
    )


@control.post(f"/quickbooks-company/{KIND}/<identifier>")
def change_by_form(kind: str, identifier: str) -> BaseResponse:
    """Fields, or a button: inactive, active, delete, merge."""
    box, tenant, entity, what = here(), _tenant(), KINDS[kind], request.form.get("do", "save")
    if what == "merge":
        into = request.form.get("into", "").strip()
        return _to_record(kind, otherside.merge(box, tenant, entity, identifier, into)["uuid"])
    if what == "delete":
        otherside.delete(box, tenant, entity, identifier)
    elif what in ("activate", "deactivate"):
        otherside.set_active(box, tenant, entity, identifier, active=what == "activate")
    else:
        otherside.change(box, tenant, entity, identifier, _form())
    return _to_record(kind, identifier)


def _tenant() -> Tenant:
    """The company named in the query, the body or the form; Marlow & Co when none is."""
    wanted = request.args.get("tenant")
    if not wanted:
        sent = body(optional=True) if request.path.startswith("/control/") else request.form
        wanted = sent.get("tenant")
    return here().tenant(wanted, "quickbooks")


def _values() -> dict[str, Any]:
    return {key: value for key, value in body().items() if key != "tenant"}


def _form() -> dict[str, Any]:
    return {name: request.form[name].strip() for name, _ in FORM_FIELDS if name in request.form}


def _to_record(kind: str, identifier: str) -> BaseResponse:
    address = url_for("quickbooks_control.record_page", kind=kind, identifier=identifier, tenant=_tenant().id)
    return redirect(address, 303)
