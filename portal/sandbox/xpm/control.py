"""Working on the other side by JSON or by form: the clients of a practice as XPM's own users would edit them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox.context import here
from portal.sandbox.control import body
from portal.sandbox.vendor import Tenant
from portal.sandbox.xpm import jobs, otherside

control = Blueprint("xpm_control", __name__)
FORM_FIELDS = (
    ("Name", "Name"),
    ("Email", "Email"),
    ("Phone", "Phone"),
    ("Address", "Address"),
    ("City", "City"),
    ("Region", "Region"),
    ("PostCode", "Postcode"),
    ("Country", "Country"),
)
PERSON_FIELDS = (
    ("name", "Name"),
    ("position", "Position"),
    ("email", "Email"),
    ("phone", "Phone"),
    ("mobile", "Mobile"),
)


@control.get("/control/clients")
def find_clients() -> Response:
    """By part of a name, or by uuid."""
    return jsonify(otherside.find(here(), _tenant(), request.args.get("q", ""), request.args.get("limit", 50, int)))


@control.get("/control/jobs")
def find_jobs() -> Response:
    """Of one `client`, or the latest."""
    with here().store.read() as db:
        return jsonify(jobs.seen(db, _tenant().id, request.args.get("client", "")))


@control.post("/control/clients")
def create_client() -> tuple[Response, int]:
    """Name and any other field; contacts as a list."""
    return jsonify(otherside.create(here(), _tenant(), _values())), 201


@control.get("/control/clients/<uuid>")
def see_client(uuid: str) -> Response:
    """In full, unmasked."""
    return jsonify(otherside.one(here(), _tenant(), uuid))


@control.patch("/control/clients/<uuid>")
def change_client(uuid: str) -> Response:
    """Any field by its XPM name, or name, phone, postcode, manager and so on."""
    return jsonify(otherside.change(here(), _tenant(), uuid, _values()))


@control.post("/control/clients/<uuid>/<any(archive, unarchive, delete, undelete):what>")
def move_client(uuid: str, what: str) -> Response:
    """Put away, delete, or take it back."""
    value = not what.startswith("un")
    change = {"archived": value} if what.endswith("archive") else {"deleted": value}
    return jsonify(otherside.set_state(here(), _tenant(), uuid, **change))


@control.post("/control/clients/<uuid>/rename")
def rename_client(uuid: str) -> Response:
    """`name` is the new one."""
    return jsonify(otherside.change(here(), _tenant(), uuid, {"Name": _values().get("name")}))


@control.post("/control/clients/<uuid>/merge")
def merge_client(uuid: str) -> Response:
    """`into` is the survivor, which is also the answer."""
    return jsonify(otherside.merge(here(), _tenant(), uuid, str(_values().get("into", ""))))


@control.post("/control/clients/<uuid>/contacts")
def add_contact(uuid: str) -> tuple[Response, int]:
    """A new person."""
    return jsonify(otherside.add_person(here(), _tenant(), uuid, _values())), 201


@control.patch("/control/clients/<uuid>/contacts/<contact>")
def change_contact(uuid: str, contact: str) -> Response:
    """Change a person or the tie to this client."""
    return jsonify(otherside.change_person(here(), _tenant(), uuid, contact, _values()))


@control.delete("/control/clients/<uuid>/contacts/<contact>")
def remove_contact(uuid: str, contact: str) -> Response:
    """Delete a person."""
    return jsonify(otherside.remove_person(here(), _tenant(), uuid, contact))


@control.post("/control/change-some")
def change_some() -> Response:
    """`count` clients get another phone, address or contact, chosen by `seed`."""
    values = _values()
    return jsonify(otherside.change_some(here(), _tenant(), int(values.get("count", 5)), int(values.get("seed", 1))))


@control.get("/clients")
def clients_page() -> str:
    """Search and add, for a person."""
    tenant, q = _tenant(), request.args.get("q", "")
    return render_template(
        "clients.html", tenant=tenant, q=q, clients=otherside.find(here(), tenant, q), form_fields=FORM_FIELDS
    )


@control.post("/clients")
def add_by_form() -> BaseResponse:
    """Add a client and open it."""
    made = otherside.create(here(), _tenant(), _form(FORM_FIELDS))
    return _to_client(made["uuid"])


@control.get("/clients/<uuid>")
def client_page(uuid: str) -> str:
    """One client to edit."""
    box, tenant = here(), _tenant()
    with box.store.read() as db:
        staff = [row["name"] for row in db.execute("SELECT name FROM xpm_staff WHERE tenant = ?", (tenant.id,))]
    return render_template(
        "client.html",
        tenant=tenant,
        client=otherside.one(box, tenant, uuid),
        staff=staff,
        form_fields=FORM_FIELDS,
        person_fields=PERSON_FIELDS,
    )


@control.post("/clients/<uuid>")
def change_by_form(uuid: str) -> BaseResponse:
    """Fields and manager. A manager who has left stays until another one is chosen."""
    values: dict[str, Any] = _form(FORM_FIELDS)
    manager = request.form.get("manager", "")
    if manager != "(unchanged)":
        values["AccountManager"] = manager
    otherside.change(here(), _tenant(), uuid, values)
    return _to_client(uuid)


@control.post("/clients/<uuid>/contacts")
@control.post("/clients/<uuid>/contacts/<contact>")
def person_by_form(uuid: str, contact: str | None = None) -> BaseResponse:
    """Add, change or remove a person."""
    box, tenant, values = here(), _tenant(), _form(PERSON_FIELDS)
    if contact is None:
        otherside.add_person(box, tenant, uuid, values)
    elif request.form.get("do") == "remove":
        otherside.remove_person(box, tenant, uuid, contact)
    else:
        otherside.change_person(box, tenant, uuid, contact, values)
    return _to_client(uuid)


@control.post("/clients/<uuid>/state")
def state_by_form(uuid: str) -> BaseResponse:
    """Archive, delete and back, or merge."""
    box, tenant, what = here(), _tenant(), request.form.get("do", "")
    if what == "merge":
        return _to_client(otherside.merge(box, tenant, uuid, request.form.get("into", "").strip())["uuid"])
    if what in ("archive", "unarchive"):
        otherside.set_state(box, tenant, uuid, archived=what == "archive")
    elif what in ("delete", "undelete"):
        otherside.set_state(box, tenant, uuid, deleted=what == "delete")
    return _to_client(uuid)


def _tenant() -> Tenant:
    """The practice named in the query, the body or the form; Marlow & Co when none is."""
    wanted = request.args.get("tenant")
    if not wanted:
        sent = body(optional=True) if request.path.startswith("/control/") else request.form
        wanted = sent.get("tenant")
    return here().tenant(wanted, "xpm")


def _values() -> dict[str, Any]:
    return {key: value for key, value in body().items() if key != "tenant"}


def _form(names: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {name: request.form[name].strip() for name, _ in names if name in request.form}


def _to_client(uuid: str) -> BaseResponse:
    return redirect(url_for("xpm_control.client_page", uuid=uuid, tenant=_tenant().id), 303)
