"""The forms of a client and of a contact: their fields, what may stand in them, and how they meet stored values.

A value the person did not touch is never judged or changed: what an app once sent stays as it is, however odd.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import StopValidation

from portal.domain import client_page
from portal.domain.client_values import BadValue, same_text, tidy
from portal.domain.clients import ADDRESS_PARTS, CONTACT_EDITABLE, Client, Contact
from portal.domain.fields import CLIENT_FIELDS
from portal.domain.records import Address
from portal.web.forms import choices

# What usually stands there; any other text may be typed.
STRUCTURES = ("Company", "Individual", "Partnership", "Sole trader", "Trust", "Society", "Charity", "Estate")
TEXTS = ("name", "structure", "phone", "fax", "website")
TAX = {"": None, "yes": True, "no": False}
TAX_WORDS = (("", "Not known"), ("yes", "Yes"), ("no", "No"))


class Fits:
    """The text as it is to be stored, or the reason why it cannot be."""

    def __init__(self, *, needed: str = "") -> None:
        self.needed = needed
        self.field_flags = {"required": True} if needed else {}

    def __call__(self, form: Any, field: Field) -> None:
        typed = field.data or ""
        stored = form.stored.get(field.name, "")
        if stored and same_text(stored, typed):
            field.data = stored
            return
        try:
            field.data = tidy(field.name.removeprefix("contact_"), typed)
        except BadValue as problem:
            raise StopValidation(str(problem)) from problem
        if self.needed and not field.data:
            raise StopValidation(self.needed)


def _text(label: str, needed: str = "", **attributes: Any) -> StringField:
    return StringField(label, [Fits(needed=needed)], render_kw={"autocomplete": "off", **attributes})


def _street() -> TextAreaField:
    return TextAreaField("Street", [Fits()], render_kw={"rows": 2, "autocomplete": "off"})


class ClientForm(FlaskForm):
    """Details of a client. `stored` holds what stands now, flat, as the fields are named."""

    name = _text("Client name", "Give the client a name.")
    structure = _text("Company structure")
    phone = _text("Phone", inputmode="tel")
    fax = _text("Fax", inputmode="tel")
    website = _text("Website", inputmode="url")
    tax_registered = SelectField("Tax registration", choices=choices(TAX_WORDS), default="")
    manager_id = SelectField("Manager", coerce=int, default=0)
    partner_id = SelectField("Partner", coerce=int, default=0)
    postal_same = BooleanField("The same as the address")
    version = HiddenField()
    base = HiddenField()
    once = HiddenField()
    address_street, postal_street = _street(), _street()
    address_city, postal_city = _text("City"), _text("City")
    address_region, postal_region = _text("Region"), _text("Region")
    address_postcode, postal_postcode = _text("Postcode"), _text("Postcode")
    address_country, postal_country = _text("Country"), _text("Country")

    def __init__(self, client: Client | None = None, owned: Iterable[str] = (), **more: Any) -> None:
        self.stored: dict[str, Any] = flat_values(client) if client is not None else {}
        shown = {name: value for name, value in self.stored.items() if name != "tax_registered"}
        if client is not None:
            shown["tax_registered"] = {None: "", True: "yes", False: "no"}[client.tax_registered]
            shown["manager_id"], shown["partner_id"] = client.manager_id or 0, client.partner_id or 0
            shown["postal_same"] = any(client.address.parts()) and client.address == client.postal_address
        super().__init__(**{**shown, **more})
        for name in owned:
            if name in self._fields:
                del self[name]
        people = client_page.team(*((client.manager_id, client.partner_id) if client else ()))
        names = [(str(user.id), user.name if user.is_active else f"{user.name} (switched off)") for user in people]
        for role in ("manager_id", "partner_id"):
            if role in self._fields:
                self[role].choices = choices([("0", "Nobody"), *names])

    def values(self) -> dict[str, Any]:
        """What the form says, as `clients.edit` takes it; only after it was found valid.

        A field the browser did not send asks for nothing, so that half a form empties nothing.
        """
        sent = {name for name in self._fields if self[name].raw_data}
        values: dict[str, Any] = {name: self[name].data for name in TEXTS if name in sent}
        if "tax_registered" in sent:
            values["tax_registered"] = TAX[self.tax_registered.data or ""]
        for role in ("manager_id", "partner_id"):
            if role in sent:
                values[role] = self[role].data or None
        if any(name.startswith("address_") for name in sent):
            values["address"] = self._address("address")
        if self.postal_same.data and "address" in values:
            values["postal_address"] = values["address"]
        elif any(name.startswith("postal_") for name in sent - {"postal_same"}):
            values["postal_address"] = self._address("postal")
        return values

    def _address(self, prefix: str) -> Address:
        return Address(*(self[f"{prefix}_{part}"].data or "" for part in ADDRESS_PARTS))


class NewClientForm(ClientForm):
    """A new client and, if one is given, its first contact."""

    contact_name = _text("Name")
    contact_email = _text("Email", inputmode="email")
    contact_phone = _text("Phone", inputmode="tel")
    contact_mobile = _text("Mobile", inputmode="tel")
    contact_salutation = _text("Salutation")
    contact_addressee = _text("Addressee")
    contact_position = _text("Position")

    def contact(self) -> dict[str, str]:
        return {name: self[f"contact_{name}"].data or "" for name in CONTACT_EDITABLE}

    def validate(self, extra_validators: Mapping[str, Any] | None = None) -> bool:
        is_good = super().validate(extra_validators)
        if is_good and any(self.contact().values()) and not self.contact_name.data:
            self.contact_name.errors = ["Give the contact a name, or empty its other fields."]
            return False
        return is_good


class ContactForm(FlaskForm):
    """One contact of a client."""

    name = _text("Name", "Give the contact a name.")
    email = _text("Email", inputmode="email")
    phone = _text("Phone", inputmode="tel")
    mobile = _text("Mobile", inputmode="tel")
    salutation = _text("Salutation")
    addressee = _text("Addressee")
    position = _text("Position")
    base = HiddenField()
    once = HiddenField()

    def __init__(self, contact: Contact | None = None, **more: Any) -> None:
        self.stored = {name: getattr(contact, name) for name in CONTACT_EDITABLE} if contact is not None else {}
        super().__init__(**{**self.stored, **more})

    def values(self) -> dict[str, str]:
        return {name: self[name].data or "" for name in CONTACT_EDITABLE}


def flat_values(client: Client) -> dict[str, Any]:
    """A client's values as the form's fields are named."""
    parts = {f"{prefix}_{part}": getattr(client, f"{prefix}_{part}") for prefix in ("address", "postal") for part in
             ADDRESS_PARTS}  # fmt: skip
    return {name: getattr(client, name) for name in TEXTS} | parts


def standing(client: Client) -> dict[str, Any]:
    """A client's editable values as JSON keeps them: what a form was opened on."""
    values: dict[str, Any] = {name: getattr(client, name) for name in TEXTS}
    for name in ("tax_registered", "manager_id", "partner_id"):
        values[name] = getattr(client, name)
    return values | {"address": client.address.parts(), "postal_address": client.postal_address.parts()}


def packed(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def unpacked(text: str | None, names: Mapping[str, Any]) -> dict[str, Any]:
    """What `packed` wrote, as far as it speaks of `names`; empty when it is no such text."""
    try:
        held = json.loads(text or "{}")
    except ValueError:
        return {}
    return {name: value for name, value in held.items() if name in names} if isinstance(held, dict) else {}


def label_of(field: str) -> str:
    return CLIENT_FIELDS[field.removesuffix("_id")]
