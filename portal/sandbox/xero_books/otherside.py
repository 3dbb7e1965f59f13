"""What people do inside Xero itself, behind the portal's back: edit, archive, merge, and make a contact vanish.

Nothing is checked here as the API would: the other side may hold odd values, and tests want it to.
"""

from __future__ import annotations

import random
import sqlite3
import uuid
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import fields, fill, records, wire
from portal.sandbox.xero_books.records import Fields

PLAIN = (*records.HEAD, *records.TERMS, *records.MORE, "SalesTrackingCategories", "PurchasesTrackingCategories")
QUIET = ("IsSupplier", "IsCustomer", "Balances")  # do not move the stamp
NAMES = {name.lower(): name for name in (*PLAIN, *QUIET, "Addresses", "Phones", "ContactPersons")}
# Short names for what a person would type, and where it goes.
STREET = {
    "address": "AddressLine1",
    "city": "City",
    "region": "Region",
    "postcode": "PostalCode",
    "country": "Country",
}
SHORT = {"email": "EmailAddress", "status": "ContactStatus"}
PHONES = {"phone": "DEFAULT", "mobile": "MOBILE", "ddi": "DDI", "fax": "FAX"}


def find(box: Sandbox, tenant: Tenant, q: str = "", limit: int = 50) -> list[Fields]:
    """Contacts with `q` in a name, number or address for mail, or the one with that identifier; newest last."""
    with box.store.read() as db:
        rows = db.execute(
            "SELECT * FROM books_contact WHERE tenant = ? AND (id = ? OR instr(search, ?) > 0) ORDER BY n LIMIT ?",
            (tenant.id, q.lower(), q.casefold(), limit),
        ).fetchall()
    return [_seen(row) for row in rows]


def one(box: Sandbox, tenant: Tenant, contact: str) -> Fields:
    """One contact in full."""
    with box.store.read() as db:
        return _seen(_row(db, tenant, contact))


def create(box: Sandbox, tenant: Tenant, values: Fields) -> Fields:
    """A contact typed in by somebody; `uuid` may be given."""
    given = dict(values)
    contact = str(given.pop("uuid", None) or given.pop("ContactID", None) or uuid.uuid4()).lower()
    made = _typed({"ContactStatus": "ACTIVE"}, given)
    now = box.clock.milliseconds()
    with box.store.write() as db:
        if db.execute("SELECT 1 FROM books_contact WHERE tenant = ? AND id = ?", (tenant.id, contact)).fetchone():
            raise Refused(f"There is a contact {contact!r} already.", 409)
        records.insert(db, [records.row_of(tenant.id, contact, made, None, now, now)])
        return _seen(_row(db, tenant, contact))


def change(box: Sandbox, tenant: Tenant, contact: str, values: Fields) -> Fields:
    """Change fields; None or an empty text empties one. Moves the stamp unless only totals changed."""
    with box.store.write() as db:
        row = _row(db, tenant, contact)
        after = _typed(records.load_fields(row), values)
        touch = any(NAMES.get(name.lower()) not in QUIET for name in values)
        records.save(db, row, after, box.clock.milliseconds(), touch=touch)
        return _seen(_row(db, tenant, row["id"]))


def set_status(box: Sandbox, tenant: Tenant, contact: str, status: str) -> Fields:
    """ACTIVE, ARCHIVED or GDPRREQUEST."""
    return change(box, tenant, contact, {"ContactStatus": status})


def merge(box: Sandbox, tenant: Tenant, contact: str, into: str) -> Fields:
    """Two become one: the loser is archived and says where it went. The survivor."""
    with box.store.write() as db:
        loser, survivor = _row(db, tenant, contact), _row(db, tenant, into)
        if loser["id"] == survivor["id"]:
            raise Refused("A contact cannot be merged into itself.")
        gone, kept = records.load_fields(loser), records.load_fields(survivor)
        for flag in ("IsSupplier", "IsCustomer"):
            kept[flag] = bool(kept.get(flag) or gone.get(flag))
        now = box.clock.milliseconds()
        records.save(db, loser, gone | {"ContactStatus": "ARCHIVED"}, now, merged_into=survivor["id"])
        records.save(db, survivor, kept, now)
        return _seen(_row(db, tenant, survivor["id"]))


def remove(box: Sandbox, tenant: Tenant, contact: str) -> None:
    """Gone without a trace, which Xero itself never does: an identifier the portal knows is a 404 from now on."""
    with box.store.write() as db:
        row = _row(db, tenant, contact)
        db.execute("DELETE FROM books_contact WHERE n = ?", (row["n"],))
        for table, column in (("version", "id"), ("history", "contact")):
            db.execute(f"DELETE FROM books_{table} WHERE tenant = ? AND {column} = ?", (tenant.id, row["id"]))


def add_person(box: Sandbox, tenant: Tenant, contact: str, values: Fields) -> Fields:
    """One more person at a contact: `name` and `email`, or the API's names."""
    forename, _, surname = _text(values.get("name")).rpartition(" ")
    person = {
        "FirstName": values.get("FirstName", forename),
        "LastName": values.get("LastName", surname),
        "EmailAddress": values.get("EmailAddress", values.get("email", "")),
        "IncludeInEmails": bool(values.get("IncludeInEmails", False)),
    }
    held = one(box, tenant, contact)["fields"].get("ContactPersons", [])
    return change(box, tenant, contact, {"ContactPersons": [*held, person]})


def change_some(box: Sandbox, tenant: Tenant, count: int, seed: int) -> list[Fields]:
    """Another phone, street or email for so many active contacts; what was and what is."""
    dice, done = random.Random(seed), []
    with box.store.read() as db:
        rows = db.execute(
            "SELECT id FROM books_contact WHERE tenant = ? AND archived = 0 ORDER BY n", (tenant.id,)
        ).fetchall()
    for contact in dice.sample([row["id"] for row in rows], min(count, len(rows))):
        field = dice.choice(("phone", "address", "email"))
        new = {
            "phone": f"09 555 {dice.randrange(10000):04d}",
            "address": f"{dice.randint(1, 480)} Changed Street",
            "email": f"changed{dice.randrange(10000)}@office.example",
        }[field]
        before = one(box, tenant, contact)
        change(box, tenant, contact, {field: new})
        done.append({"uuid": contact, "name": before["name"], "field": field, "old": before[field], "new": new})
    return done


def _typed(before: Fields, values: Fields) -> Fields:
    after = dict(before)
    for sent, value in values.items():
        key = sent.lower()
        if key in PHONES:
            after["Phones"] = after.get("Phones", {}) | {PHONES[key]: fill.phone_parts(_text(value))}
        elif key in STREET:
            street = after.get("Addresses", {}).get("STREET", {}) | {STREET[key]: _text(value)}
            after["Addresses"] = after.get("Addresses", {}) | {"STREET": street}
        else:
            name = SHORT.get(key) or NAMES.get(key)
            if name is None:
                raise Refused(f"A contact has no field {sent!r}.")
            after[name] = _value(name, value)
    if not after.get("Name"):
        raise Refused("A contact needs a name.")
    return {key: value for key, value in after.items() if value not in (None, "", [], {})}


def _value(name: str, value: Any) -> Any:
    if name in ("Addresses", "Phones") and isinstance(value, list):
        try:
            return fields.read({name: value})[name]
        except wire.ApiError as reason:
            raise Refused(str(reason)) from reason
    return value if isinstance(value, dict | list | bool) else _text(value)


def _text(value: Any) -> str:
    return "" if value is None else wire.clean(str(value))


def _seen(row: sqlite3.Row) -> Fields:
    held = records.load_fields(row)
    street = held.get("Addresses", {}).get("STREET", {})
    return {
        "uuid": row["id"],
        "name": row["name"],
        "status": row["status"],
        "archived": bool(row["archived"]),
        "merged_into": row["merged_into"],
        "is_supplier": bool(row["is_supplier"]),
        "is_customer": bool(row["is_customer"]),
        "updated_ms": row["updated"],
        "email": held.get("EmailAddress", ""),
        **{short: street.get(part, "") for short, part in STREET.items()},
        **{short: _number(held.get("Phones", {}).get(kind, {})) for short, kind in PHONES.items()},
        "fields": held,
    }


def _number(parts: dict[str, str]) -> str:
    return " ".join(parts[part] for part in reversed(records.PHONE_PARTS) if parts.get(part))


def _row(db: sqlite3.Connection, tenant: Tenant, contact: str) -> sqlite3.Row:
    row = records.find(db, tenant.id, contact)
    if row is None:
        raise Refused(f"There is no contact {contact!r} in {tenant.name}.", 404)
    return row
