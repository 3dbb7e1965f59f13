"""Changing a client in Xero Practice Manager: read, merge, write back.

Whether an update clears what it leaves out is not documented, so by default the whole record goes back as it was read,
with our changes in it. Two things never go back: the tax number, which is read masked and would be stored so, and what
the vendor does not let be written (type, notes, groups, relationships, state).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lxml import etree

from portal.adapters.base import Rejected, Session, UnexpectedReply, Unknown
from portal.adapters.xpm import reading
from portal.adapters.xpm.reading import Form
from portal.adapters.xpm.xml_form import NAME, Plain
from portal.domain.records import Address, ClientChange, ClientRecord, ContactRecord, StaffRef

ROOT = "/practicemanager/3.1"
# Set to False once it is certain that an update keeps what it does not mention: then only our fields are sent.
SEND_WHOLE_RECORD = True

# What an update may carry under the name it is read by. Renamed and reference elements follow below.
KEPT_AS_READ = (
    "Title", "Gender", "FirstName", "LastName", "OtherName", "Email", "DateOfBirth", "ReferralSource", "ExportCode",
    "CompanyNumber", "BusinessNumber", "BusinessStructure", "BalanceMonth", "PrepareGST", "GSTRegistered", "GSTBasis",
    "ProvisionalTaxBasis", "ProvisionalTaxRatio", "SignedTaxAuthority", "TaxAgent", "AgencyStatus", "ReturnType",
    "PrepareActivityStatement", "PrepareTaxReturn", "ActiveAtoClient", "ClientCode", "BranchNumber",
    "AutoBasOptInCriteria",
)  # fmt: skip
OURS_AS_READ = (
    "Name", "Address", "City", "Region", "PostCode", "Country", "PostalAddress", "PostalCity", "PostalRegion",
    "PostalPostCode", "PostalCountry", "Phone", "Fax",
)  # fmt: skip
REFERENCES = ("AccountManager", "JobManager", "BillingClient")
GST_PERIODS = {"Monthly": "1", "2 Monthly": "2", "6 Monthly": "6"}
TEXTS = {"name": "Name", "phone": "Phone", "fax": "Fax"}
PEOPLE = {"partner": "AccountManagerUUID", "manager": "JobManagerUUID"}
ADDRESSES = {"address": "", "postal_address": "Postal"}
ADDRESS_PARTS = ("Address", "City", "Region", "PostCode", "Country")


class Writer:
    """Writes to one client through one session."""

    def __init__(self, session: Session, form: Form, uuid: str) -> None:
        self._session = session
        self._form = form
        self._uuid = uuid
        self._taken: set[str] = set()  # contacts there that are somebody here

    def read(self) -> Plain:
        """The record as it stands, with `WebUrl`. Raises `NotThere`."""
        path = f"{ROOT}/client.api/get/{quote(self._uuid, safe='')}"

        def answer() -> Plain:
            return self._form.document(self._session.get(path, check=self._form.check))

        return _client_of(reading.not_there_if_unknown(answer))

    def update(self, change: ClientChange) -> Plain:
        """Write the change; the record as it stands afterwards."""
        before = self.read()
        after = self._put_fields(before, change.fields) if change.fields else before
        self._taken = set(change.linked_contacts) | {one.remote_id for one, is_new in change.contacts if not is_new}
        for contact, is_new in change.contacts:
            self._put_contact(before, contact, is_new)
        return self.read() if change.contacts or not after else after

    def _put_fields(self, raw: Plain, fields: Mapping[str, Any]) -> Plain:
        try:
            return self._send_fields(raw, fields)
        except Rejected as refusal:
            if refusal.status != 409:
                raise
        # Somebody else changed the record meanwhile. Once more, on what it is now.
        return self._send_fields(self.read(), fields)

    def _send_fields(self, raw: Plain, fields: Mapping[str, Any]) -> Plain:
        body = {"UUID": self._uuid, **(as_written(raw) if SEND_WHOLE_RECORD else {}), **elements(fields)}

        def answer() -> Plain:
            return self._send("PUT", "/client.api/update", "Client", body)

        return _client_of(reading.not_there_if_unknown(answer))

    def _put_contact(self, raw: Plain, contact: ContactRecord, is_new: bool) -> None:
        if not is_new:
            self._change_contact(raw, contact.remote_id, contact)
        elif there := self._free_namesake(raw, contact):
            self._taken.add(there)
            self._change_contact(raw, there, contact)
        else:
            self._add_contact(contact)

    def _change_contact(self, raw: Plain, contact_uuid: str, contact: ContactRecord) -> None:
        try:
            self._send_contact(raw, contact_uuid, contact)
        except Rejected as refusal:
            if refusal.status != 409:
                raise
            self._send_contact(self.read(), contact_uuid, contact)

    def _send_contact(self, raw: Plain, contact_uuid: str, contact: ContactRecord) -> None:
        before: Plain = next((one for one in raw.get("Contacts") or [] if one.get("UUID") == contact_uuid), {})
        # Position and primary belong to the tie with this client and count only because the body names it. They and the
        # addressee go back as they were read.
        kept = {name: before[name] for name in ("Addressee", "Position", "IsPrimary") if before.get(name) is not None}
        body = {"Client": {"UUID": self._uuid}, **_contact_elements(contact), **kept}
        path = f"/client.api/contact/{quote(contact_uuid, safe='')}"
        self._send("PUT", path, "Contact", body, {"clientUuid": self._uuid})

    def _add_contact(self, contact: ContactRecord) -> None:
        body = {"Client": {"UUID": self._uuid}, **_contact_elements(contact)}
        try:
            made = self._send("POST", "/client.api/contact", "Contact", body).get("Contact")
            self._taken.add(str(made.get("UUID")) if isinstance(made, dict) else "")
        except Unknown:
            # XPM takes no idempotency key: only a look can tell whether the contact was made.
            there = self._free_namesake(self.read(), contact)
            if not there:
                raise
            self._taken.add(there)

    def _free_namesake(self, raw: Plain, contact: ContactRecord) -> str:
        """The identifier of a contact of exactly this name that is nobody's here yet; empty when there is none."""
        for one in raw.get("Contacts") or []:
            if one.get("Name") == contact.name and one.get("UUID") not in self._taken:
                return str(one.get("UUID") or "")
        return ""

    def _send(self, method: str, path: str, root: str, body: Plain, params: Mapping[str, str] | None = None) -> Plain:
        return _sent(self._session, self._form, method, path, root, body, params)


def create(session: Session, form: Form, record: ClientRecord) -> Plain:
    """Add this client with its contacts; the record as XPM made it. Raises `Unknown` when the answer was lost.

    XPM takes no idempotency key and lets two clients have one name: sent twice, it would be there twice.
    """
    made = _client_of(_sent(session, form, "POST", "/client.api/add", "Client", creation(record)))
    if not made.get("UUID"):
        raise Unknown(f"{NAME} did not say which client it made.", status=200)
    return made


def creation(record: ClientRecord) -> Plain:
    """The elements of a new client; what is empty stays out, and so does what XPM does not let be written.

    Website and tax registration go out this once: XPM is where they are kept from then on. The company structure does
    not, because XPM refuses one that is not in the practice's own list.
    """
    wanted: dict[str, Any] = {name: getattr(record, name) for name in (*TEXTS, *ADDRESSES, *PEOPLE)}
    made = elements({name: value for name, value in wanted.items() if value})
    if record.website:
        made["WebSite"] = record.website
    if record.tax_registered is not None:
        made["GSTRegistered"] = "Yes" if record.tax_registered else "No"
    contacts = [
        {**_contact_elements(one), "Addressee": one.addressee, "Position": one.position, "IsPrimary": _yes(one)}
        for one in record.contacts
    ]
    filled = {name: value for name, value in made.items() if value}
    return {**filled, "Contacts": [{"Contact": one} for one in contacts]} if contacts else filled


def _yes(contact: ContactRecord) -> str:
    return "Yes" if contact.is_primary else "No"


def _sent(
    session: Session, form: Form, method: str, path: str, root: str, body: Plain,
    params: Mapping[str, str] | None = None,
) -> Plain:  # fmt: skip
    """Write, and the answer. Raises `Unknown` for one that makes no sense."""
    reply = session.write(
        method, ROOT + path, written(form, root, body), form.content_type, params=params, check=form.check
    )
    try:
        return form.document(reply)
    except UnexpectedReply as error:
        raise Unknown(
            f"{NAME} gave an answer that cannot be understood; it may or may not have done it.",
            status=error.status, vendor_text=error.vendor_text,
        ) from error  # fmt: skip


def elements(fields: Mapping[str, Any]) -> Plain:
    """Our fields as the elements of an update. Raises `Rejected` for a field that may not be written."""
    made: Plain = {}
    for field, value in fields.items():
        if field in TEXTS:
            made[TEXTS[field]] = value
        elif field in PEOPLE:
            made[PEOPLE[field]] = value.remote_id if isinstance(value, StaffRef) else ""
        elif field in ADDRESSES and isinstance(value, Address):
            made |= {ADDRESSES[field] + part: text for part, text in zip(ADDRESS_PARTS, value.parts(), strict=True)}
        else:
            raise Rejected(f"The portal does not write the {field.replace('_', ' ')} of a client to {NAME}.")
    return made


def as_written(raw: Plain) -> Plain:
    """The record as an update carries it, element names and values as they are written rather than read."""
    made: Plain = {name: raw[name] for name in OURS_AS_READ + KEPT_AS_READ if raw.get(name) is not None}
    if raw.get("Website") is not None:
        made["WebSite"] = raw["Website"]
    if raw.get("GSTPeriod"):
        made["GSTPeriod"] = GST_PERIODS.get(raw["GSTPeriod"], raw["GSTPeriod"])
    if made.get("DateOfBirth"):
        made["DateOfBirth"] = str(made["DateOfBirth"])[:10]
    for name in REFERENCES:
        person = raw.get(name)
        if isinstance(person, dict) and person.get("UUID"):
            made[f"{name}UUID"] = person["UUID"]
    return made


def written(form: Form, root: str, body: Plain) -> bytes:
    """The body of a write in the form's own language."""
    if form.is_json:
        return json.dumps(_json(body), ensure_ascii=False).encode()
    made = etree.Element(root)
    try:
        _fill(made, body)
    except ValueError as error:
        raise Rejected(f"A text has characters that cannot be sent to {NAME}.") from error
    return bytes(etree.tostring(made, encoding="utf-8"))


def json_name(element: str) -> str:
    """UUID → uuid, AccountManagerUUID → accountManagerUuid, GSTPeriod → gstPeriod, WebSite → webSite."""
    plain = element.replace("UUID", "Uuid").replace("GST", "Gst")
    return plain[:1].lower() + plain[1:]


def _json(value: Any) -> Any:
    """Lists lose the element around each entry: {"Contacts": [{"Contact": {…}}]} becomes {"contacts": [{…}]}."""
    if isinstance(value, list):
        return [_json(inner) for one in value for inner in one.values()]
    return {json_name(name): _json(one) for name, one in value.items()} if isinstance(value, dict) else value


def _fill(parent: etree._Element, body: Plain) -> None:
    for name, value in body.items():
        child = etree.SubElement(parent, name)
        if isinstance(value, dict):
            _fill(child, value)
        elif isinstance(value, list):
            for one in value:
                _fill(child, one)
        else:
            child.text = "" if value is None else str(value)


def _contact_elements(contact: ContactRecord) -> Plain:
    """What is kept in step of a contact."""
    return {
        "Name": contact.name,
        "Salutation": contact.salutation,
        "Mobile": contact.mobile,
        "Email": contact.email,
        "Phone": contact.phone,
    }


def _client_of(answer: Plain) -> Plain:
    """The client of a single-client answer; its web address stands beside it in XML."""
    client = answer.get("Client")
    if not isinstance(client, dict):
        return {}
    return {**client, "WebUrl": answer.get("WebUrl") or client.get("WebUrl")}
