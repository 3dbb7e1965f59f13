"""Working on the other side by JSON or by form, and shortcuts for testers: apps, tokens, uninstalling."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox.context import Refused, here
from portal.sandbox.control import body
from portal.sandbox.digits import otherside, records, tokens
from portal.sandbox.vendor import Tenant

control = Blueprint("digits_control", __name__)
FORM_FIELDS = (("name", "Name"), ("email", "Email"), ("kind", "Kind"), ("description", "Description"))


@control.post("/control/digits/apps")
def register_app() -> tuple[Response, int]:
    """A client id and secret of one's own; `redirect_uris` beyond localhost."""
    values = body()
    client_id, secret = str(values.get("client_id", "")), str(values.get("client_secret", ""))
    if not client_id or not secret:
        raise Refused("Send client_id and client_secret.")
    tokens.register(here(), client_id, secret, list(values.get("redirect_uris", [])))
    return jsonify(client_id=client_id), 201


@control.post("/control/digits/tokens")
def mint_tokens() -> Response:
    """A token reply without a browser: `client_id`, `tenants` (one id or name), `scopes`, all optional."""
    box, values = here(), body(optional=True)
    client_id = str(values.get("client_id", tokens.DEFAULT_CLIENT))
    if tokens.app_named(box, client_id) is None:
        raise Refused(f"There is no app {client_id!r}.", 404)
    chosen = [box.tenant(wanted, "digits") for wanted in values.get("tenants") or [None]]
    if len(chosen) != 1:
        raise Refused("A Digits token is for one business.")
    scopes = values.get("scopes") or tokens.SCOPES
    tokens.install(box, client_id, chosen[0].id)
    with box.store.write() as db:
        return jsonify(tokens.issue(box, db, client_id, chosen[0].id, " ".join(scopes), refresh="new"))


@control.post("/control/digits/revoke")
def revoke() -> Response:
    """A business uninstalls every app: one `tenant`, or all when none is named."""
    wanted = body(optional=True).get("tenant")
    box = here()
    return jsonify(disconnected=tokens.uninstall(box, box.tenant(wanted, "digits").id if wanted else None))


@control.get("/control/digits/sources")
def see_sources() -> Response:
    """What apps declared, with the app."""
    with here().store.read() as db:
        rows = db.execute("SELECT * FROM digits_source WHERE tenant = ? ORDER BY n", (_tenant().id,)).fetchall()
    return jsonify([{"client_id": row["client_id"], **json.loads(row["body"])} for row in rows])


@control.get("/control/digits/transactions")
def see_transactions() -> Response:
    """What apps wrote, with the app; not those of the business itself."""
    with here().store.read() as db:
        rows = db.execute(
            "SELECT * FROM digits_transaction WHERE tenant = ? AND client_id != ? ORDER BY n",
            (_tenant().id, records.OWN),
        ).fetchall()
    return jsonify([{"client_id": row["client_id"], **json.loads(row["body"])} for row in rows])


@control.get("/control/digits/clients")
def find_parties() -> Response:
    """By part of a name, or by identifier."""
    return jsonify(otherside.find(here(), _tenant(), request.args.get("q", ""), request.args.get("limit", 50, int)))


@control.post("/control/digits/clients")
def create_party() -> tuple[Response, int]:
    """`name`, `email`, `kind`, `description`, `role` (Customer or Vendor), `extra`, `uuid`, `archived`."""
    return jsonify(otherside.create(here(), _tenant(), _values())), 201


@control.get("/control/digits/clients/<party>")
def see_party(party: str) -> Response:
    """In full."""
    return jsonify(otherside.one(here(), _tenant(), party))


@control.patch("/control/digits/clients/<party>")
def change_party(party: str) -> Response:
    """Any of the fields a new one may have."""
    return jsonify(otherside.change(here(), _tenant(), party, _values()))


@control.post("/control/digits/clients/<party>/rename")
def rename_party(party: str) -> Response:
    """`name` is the new one."""
    return jsonify(otherside.change(here(), _tenant(), party, {"name": _values().get("name")}))


@control.post("/control/digits/clients/<party>/<any(archive, unarchive, delete):what>")
def move_party(party: str, what: str) -> Response:
    """Archive: no transaction is with it any more. Unarchive: one is."""
    if what == "delete":
        return jsonify(otherside.delete(here(), _tenant(), party))
    return jsonify(otherside.set_used(here(), _tenant(), party, what == "unarchive"))


@control.post("/control/digits/clients/<party>/merge")
def merge_party(party: str) -> Response:
    """`into` is the survivor, which is also the answer."""
    return jsonify(otherside.merge(here(), _tenant(), party, str(_values().get("into", ""))))


@control.post("/control/digits/change-some")
def change_some() -> Response:
    """`count` parties get another email address, chosen by `seed`."""
    values = _values()
    return jsonify(otherside.change_some(here(), _tenant(), int(values.get("count", 5)), int(values.get("seed", 1))))


@control.get("/digits-parties")
def parties_page() -> str:
    """Search and add, for a person."""
    tenant, q = _tenant(), request.args.get("q", "")
    return render_template(
        "digits_parties.html", tenant=tenant, q=q, parties=otherside.find(here(), tenant, q), form_fields=FORM_FIELDS
    )


@control.post("/digits-parties")
def add_by_form() -> BaseResponse:
    """Add a party and open it."""
    return _to_party(otherside.create(here(), _tenant(), _form())["uuid"])


@control.get("/digits-parties/<party>")
def party_page(party: str) -> str:
    """One party to edit."""
    tenant = _tenant()
    found = otherside.one(here(), tenant, party)
    return render_template("digits_party.html", tenant=tenant, party=found, form_fields=FORM_FIELDS)


@control.post("/digits-parties/<party>")
def change_by_form(party: str) -> BaseResponse:
    """Its fields."""
    otherside.change(here(), _tenant(), party, _form())
    return _to_party(party)


@control.post("/digits-parties/<party>/state")
def state_by_form(party: str) -> BaseResponse:
    """Take its transactions away or give it one, delete, or merge."""
    box, tenant, what = here(), _tenant(), request.form.get("do", "")
    if what == "merge":
        return _to_party(otherside.merge(box, tenant, party, request.form.get("into", "").strip())["uuid"])
    if what == "delete":
        otherside.delete(box, tenant, party)
    elif what in ("archive", "unarchive"):
        otherside.set_used(box, tenant, party, what == "unarchive")
    return _to_party(party)


def _tenant() -> Tenant:
    """The business named in the query, the body or the form; Marlow & Co when none is."""
    wanted = request.args.get("tenant")
    if not wanted:
        sent = body(optional=True) if request.path.startswith("/control/") else request.form
        wanted = sent.get("tenant")
    return here().tenant(wanted, "digits")


def _values() -> dict[str, Any]:
    return {key: value for key, value in body().items() if key != "tenant"}


def _form() -> dict[str, Any]:
    return {name: request.form[name].strip() for name, _ in FORM_FIELDS if name in request.form}


def _to_party(party: str) -> BaseResponse:
    return redirect(url_for("digits_control.party_page", party=party, tenant=_tenant().id), 303)
