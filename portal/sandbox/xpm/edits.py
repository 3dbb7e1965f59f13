"""What a write means: request names to stored names, values checked, references looked up."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid as uuids
from typing import Any
from xml.etree import ElementTree as ET

from portal.sandbox.context import here
from portal.sandbox.names_practice import BUSINESS_STRUCTURES
from portal.sandbox.vendor import Tenant
from portal.sandbox.xpm import records, wire

PLAIN = tuple(
    name
    for name, _ in records.HEAD + records.TAX + records.TAX_NZ + records.TAX_AU
    if name not in ("Website", "GSTPeriod", "BalanceMonth")
)
PERIODS = {"1": "Monthly", "2": "2 Monthly", "6": "6 Monthly", "": ""}
CHOICES = {
    "GSTBasis": ("Invoice", "Payment", "Hybrid"),
    "ProvisionalTaxBasis": ("Standard Option", "Estimate Option", "Ratio Option"),
    "AgencyStatus": ("With EOT", "Without EOT", "Unlinked"),
    "ReturnType": ("IR3", "IR3NR", "IR4", "IR6", "IR7", "IR9", "PTS"),
    "BusinessStructure": BUSINESS_STRUCTURES,
    **dict.fromkeys(records.YES_NO, ("Yes", "No")),
}
CONTACT = {
    "Name": "name",
    "Salutation": "salutation",
    "Addressee": "addressee",
    "Mobile": "mobile",
    "Email": "email",
    "Phone": "phone",
}


def apply(before: dict[str, Any], body: ET.Element, db: sqlite3.Connection, tenant: Tenant) -> dict[str, Any]:
    """The fields after this request; raises BusinessError and changes nothing when a value is not allowed."""
    fields = dict(before)
    for name in ("Name", *PLAIN):
        sent = wire.value(body, name)
        if sent is not None:
            fields[name] = _allowed(name, sent)
    if not fields["Name"]:
        raise wire.BusinessError("Client name is required")
    if (website := wire.value(body, "WebSite")) is not None:
        fields["Website"] = website
    if (period := wire.value(body, "GSTPeriod")) is not None:
        fields["GSTPeriod"] = _looked_up(PERIODS, period, "GSTPeriod")
    if (month := wire.value(body, "BalanceMonth")) is not None:
        fields["BalanceMonth"] = _month(month)
    for name in ("AccountManager", "JobManager"):
        if (staff := wire.value(body, f"{name}UUID")) is not None:
            fields[name] = _staff(db, tenant.id, staff) if staff else None
    if (billing := wire.value(body, "BillingClientUUID")) is not None:
        fields["BillingClient"] = _client(db, tenant.id, billing) if billing else None
    _check_tax_number(before, fields)
    return fields


def add_contact(db: sqlite3.Connection, tenant: str, client: str, body: ET.Element) -> str:
    """A new person at a client; the uuid."""
    values = {column: wire.value(body, tag) or "" for tag, column in CONTACT.items()}
    if not values["name"]:
        raise wire.BusinessError("Contact name is required")
    uuid = str(uuids.uuid4())
    insert_contact(db, tenant, uuid, values)
    link_contact(db, tenant, client, uuid, wire.value(body, "Position") or "", wire.value(body, "IsPrimary") == "Yes")
    return uuid


def insert_contact(db: sqlite3.Connection, tenant: str, uuid: str, values: dict[str, str]) -> None:
    """A person who belongs to nobody yet. `values` have the columns of CONTACT."""
    columns = tuple(CONTACT.values())
    db.execute(
        f"INSERT INTO xpm_contact (tenant, uuid, {', '.join(columns)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (tenant, uuid, *(values.get(column, "") for column in columns)),
    )


def link_contact(
    db: sqlite3.Connection, tenant: str, client: str, contact: str, position: str | None, primary: bool | None
) -> None:
    """Tie a person to a client, or change the tie; None keeps a value. The last one called primary wins."""
    if primary:
        db.execute("UPDATE xpm_link SET is_primary = 0 WHERE tenant = ? AND client = ?", (tenant, client))
    db.execute(
        "INSERT INTO xpm_link (tenant, client, contact, position, is_primary) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (tenant, client, contact) DO UPDATE SET position = coalesce(?, position),"
        " is_primary = coalesce(?, is_primary)",
        (
            tenant,
            client,
            contact,
            position or "",
            int(bool(primary)),
            position,
            None if primary is None else int(primary),
        ),
    )


def tell_relatives(db: sqlite3.Connection, tenant: Tenant, uuid: str, now: int) -> None:
    """Print the clients that show this one's name, without calling them modified."""
    rows = db.execute("SELECT client FROM xpm_relationship WHERE tenant = ? AND related = ?", (tenant.id, uuid))
    for row in rows.fetchall():
        records.save(db, tenant.id, row["client"], tenant.region, now, touch=False)


def _allowed(name: str, sent: str) -> str:
    if sent and name in CHOICES and sent not in CHOICES[name]:
        raise wire.BusinessError(f"Invalid {name} value")
    if name == "ProvisionalTaxRatio" and sent and not re.fullmatch(r"\d+(\.\d+)?", sent):
        raise wire.BusinessError("Invalid ProvisionalTaxRatio value")
    return sent


def _looked_up(table: dict[str, str], sent: str, name: str) -> str:
    if sent not in table:
        raise wire.BusinessError(f"Invalid {name} value")
    return table[sent]


def _month(sent: str) -> str:
    """Jan or 1; printed as Jan."""
    if sent.isdigit() and 1 <= int(sent) <= 12:
        return wire.MONTHS[int(sent) - 1]
    if sent in (*wire.MONTHS, ""):
        return sent
    raise wire.BusinessError("Invalid BalanceMonth value")


def _staff(db: sqlite3.Connection, tenant: str, uuid: str) -> dict[str, str]:
    row = db.execute(
        "SELECT uuid, name FROM xpm_staff WHERE tenant = ? AND uuid = ?", (tenant, uuid.lower())
    ).fetchone()
    if row is None:
        raise wire.BusinessError("Invalid staff identifier")
    return {"UUID": row["uuid"], "Name": row["name"]}


def _client(db: sqlite3.Connection, tenant: str, uuid: str) -> dict[str, str]:
    row = db.execute(
        "SELECT uuid, name FROM xpm_client WHERE tenant = ? AND uuid = ?", (tenant, uuid.lower())
    ).fetchone()
    if row is None:
        raise wire.BusinessError("Invalid billing client identifier")
    return {"UUID": row["uuid"], "Name": row["name"]}


def _check_tax_number(before: dict[str, Any], after: dict[str, Any]) -> None:
    """A mask that is sent back gets stored, as the vendor would; the switch makes it an error instead."""
    number = after.get("TaxNumber") or ""
    if "*" in number and number != before.get("TaxNumber") and here().switches["refuse_masked_tax_number"]:
        raise wire.BusinessError("Invalid tax number")


def load_fields(row: sqlite3.Row) -> dict[str, Any]:
    """Typed values of a client row."""
    fields: dict[str, Any] = json.loads(row["fields"])
    return fields
