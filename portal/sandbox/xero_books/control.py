"""Working on the other side by JSON or by form: the contacts of an organisation as Xero's own users would edit them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox.context import here
from portal.sandbox.control import body
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import otherside

control = Blueprint("xero_books_control", __name__)
FORM_FIELDS = (
    ("Name", "Name", "name"),
    ("email", "Email", "email"),
    ("phone", "Phone", "phone"),
    ("mobile", "Mobile", "mobile"),
    ("address", "Street", "address"),
    ("city", "City", "city"),
    ("region", "Region", "region"),
    ("postcode", "Postcode", "postcode"),
    ("country", "Country", "country"),
)
STATUS = {"archive": "ARCHIVED", "unarchive": "ACTIVE"}


@control.get("/control/xero/contacts")
def find_contacts() -> Response:
    """By part of a name, or by identifier."""
    return jsonify(otherside.find(here(), _tenant(), request.args.get("q", ""), request.args.get("limit", 50, int)))


@control.post("/control/xero/contacts")
def create_contact() -> tuple[Response, int]:
    """Name and any other field."""
    return jsonify(otherside.create(here(), _tenant(), _values())), 201


@control.get("/control/xero/contacts/<contact>")
def see_contact(contact: str) -> Response:
    """In full."""
    return jsonify(otherside.one(here(), _tenant(), contact))


@control.patch("/control/xero/contacts/<contact>")
def change_contact(contact: str) -> Response:
    """Any field by the API's name, or email, phone, address, city and so on."""
    return jsonify(otherside.change(here(), _tenant(), contact, _values()))


@control.post("/control/xero/contacts/<contact>/<any(archive, unarchive):what>")
def move_contact(contact: str, what: str) -> Response:
    """Put away, or take back."""
    return jsonify(otherside.set_status(here(), _tenant(), contact, STATUS[what]))


@control.post("/control/xero/contacts/<contact>/merge")
def merge_contact(contact: str) -> Response:
    """`into` is the survivor, which is also the answer."""
    return jsonify(otherside.merge(here(), _tenant(), contact, str(_values().get("into", ""))))


@control.post("/control/xero/contacts/<contact>/rename")
def rename_contact(contact: str) -> Response:
    """`name` is the new one."""
    return jsonify(otherside.change(here(), _tenant(), contact, {"Name": _values().get("name")}))


@control.post("/control/xero/contacts/<contact>/contacts")
def add_person(contact: str) -> tuple[Response, int]:
    """One more person at this contact."""
    return jsonify(otherside.add_person(here(), _tenant(), contact, _values())), 201


@control.post("/control/xero/contacts/<contact>/delete")
@control.delete("/control/xero/contacts/<contact>")
def remove_contact(contact: str) -> Response:
    """Gone without a trace, which the vendor itself never does."""
    otherside.remove(here(), _tenant(), contact)
    return jsonify(status="ok")


@control.post("/control/xero/change-some")
def change_some() -> Response:
    """`count` contacts get another phone, street or email, chosen by `seed`."""
    values = _values()
    return jsonify(otherside.change_some(here(), _tenant(), int(values.get("count", 5)), int(values.get("seed", 1))))


@control.get("/xero-contacts")
def contacts_page() -> str:
    """Search and add, for a person."""
    tenant, q = _tenant(), request.args.get("q", "")
    return render_template(
        "xero_contacts.html", tenant=tenant, q=q, contacts=otherside.find(here(), tenant, q), form_fields=FORM_FIELDS
    )


@control.post("/xero-contacts")
def add_by_form() -> BaseResponse:
    """Add a contact and open it."""
    return _to_contact(otherside.create(here(), _tenant(), _form())["uuid"])


@control.get("/xero-contacts/<contact>")
def contact_page(contact: str) -> str:
    """One contact to edit."""
    tenant = _tenant()
    return render_template(
        "xero_contact.html", tenant=tenant, contact=otherside.one(here(), tenant, contact), form_fields=FORM_FIELDS
    )


@control.post("/xero-contacts/<contact>")
def change_by_form(contact: str) -> BaseResponse:
    """Save the details."""
    otherside.change(here(), _tenant(), contact, _form())
    return _to_contact(contact)


@control.post("/xero-contacts/<contact>/state")
def state_by_form(contact: str) -> BaseResponse:
    """Archive and back, merge, or remove."""
    box, tenant, what = here(), _tenant(), request.form.get("do", "")
    if what == "merge":
        return _to_contact(otherside.merge(box, tenant, contact, request.form.get("into", "").strip())["uuid"])
    if what == "remove":
        otherside.remove(box, tenant, contact)
        return redirect(url_for("xero_books_control.contacts_page", tenant=tenant.id), 303)
    if what in STATUS:
        otherside.set_status(box, tenant, contact, STATUS[what])
    return _to_contact(contact)


def _tenant() -> Tenant:
    """The organisation named in the query, the body or the form; Marlow & Co Ltd when none is."""
    wanted = request.args.get("tenant")
    if not wanted:
        sent = body(optional=True) if request.path.startswith("/control/") else request.form
        wanted = sent.get("tenant")
    return here().tenant(wanted, "xero")


def _values() -> dict[str, Any]:
    return {key: value for key, value in body().items() if key != "tenant"}


def _form() -> dict[str, Any]:
    return {name: request.form[name].strip() for name, _, _ in FORM_FIELDS if name in request.form}


def _to_contact(contact: str) -> BaseResponse:
    return redirect(url_for("xero_books_control.contact_page", contact=contact, tenant=_tenant().id), 303)
