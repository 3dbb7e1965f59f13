"""What people do inside QuickBooks itself, behind the portal's back: edit, make inactive, merge.

Nothing is checked here as the API would: the other side may hold odd values and names twice, and tests want it to.
"""

from __future__ import annotations

import random
import sqlite3
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.quickbooks import edits, hooks, records
from portal.sandbox.quickbooks.company import COMPANIES, Company
from portal.sandbox.quickbooks.records import SUFFIX, Record, base_name
from portal.sandbox.vendor import Tenant

# A short word -> where it is kept. Everything else goes by QuickBooks' own names.
SHORT: dict[str, tuple[str, ...]] = {
    "name": ("DisplayName",),
    "company": ("CompanyName",),
    "first_name": ("GivenName",),
    "last_name": ("FamilyName",),
    "email": ("PrimaryEmailAddr", "Address"),
    "phone": ("PrimaryPhone", "FreeFormNumber"),
    "mobile": ("Mobile", "FreeFormNumber"),
    "fax": ("Fax", "FreeFormNumber"),
    "website": ("WebAddr", "URI"),
    "address": ("BillAddr", "Line1"),
    "city": ("BillAddr", "City"),
    "region": ("BillAddr", "CountrySubDivisionCode"),
    "postcode": ("BillAddr", "PostalCode"),
    "country": ("BillAddr", "Country"),
    "notes": ("Notes",),
}
Values = dict[str, Any]


def find(box: Sandbox, tenant: Tenant, entity: str, q: str = "", limit: int = 50) -> list[Values]:
    """Those whose name contains `q`, or the one with that Id; deleted ones are left out."""
    with box.store.read() as db:
        rows = db.execute(
            "SELECT * FROM qbo_name WHERE tenant = ? AND entity = ? AND gone = 0"
            " AND (id = ? OR instr(q_display, ?) > 0) ORDER BY id LIMIT ?",
            (tenant.id, entity, int(q) if q.isascii() and q.isdigit() and len(q) < 19 else -1, q.casefold(), limit),
        ).fetchall()
    return [_seen(row) for row in rows]


def one(box: Sandbox, tenant: Tenant, entity: str, identifier: str) -> Values:
    """One of them, in whatever state."""
    with box.store.read() as db:
        return _seen(_row(db, tenant, entity, identifier))


def create(box: Sandbox, tenant: Tenant, entity: str, values: Values) -> Values:
    """Somebody types one in."""
    company = COMPANIES[tenant.id]
    with box.store.write() as db:
        record = _put({**edits.blank(entity, company), "Active": True}, values)
        if not record.get("DisplayName"):
            raise Refused("A name is needed.")
        record |= {"domain": "QBO", "sparse": False, "Id": str(records.next_id(db, tenant.id)), "SyncToken": "0"}
        _finish(db, company, entity, record)
        records.insert(db, tenant.id, entity, record, box.clock.milliseconds())
        return _seen(_row(db, tenant, entity, record["Id"]))


def change(box: Sandbox, tenant: Tenant, entity: str, identifier: str, values: Values) -> Values:
    """Change fields; None or an empty text empties one. Raises the SyncToken and moves the stamp."""
    with box.store.write() as db:
        row = _row(db, tenant, entity, identifier)
        record = _put(records.loaded(row), values)
        if not record.get("DisplayName"):
            raise Refused("A name is needed.")
        _save(box, db, tenant, entity, row, record)
        return _seen(_row(db, tenant, entity, identifier))


def set_active(box: Sandbox, tenant: Tenant, entity: str, identifier: str, *, active: bool) -> Values:
    """Make inactive (sub-customers go along), or take back: the screen takes the suffix away again."""
    with box.store.write() as db:
        row = _row(db, tenant, entity, identifier)
        record = records.loaded(row)
        record["Active"] = active
        record["DisplayName"] = base_name(record["DisplayName"]) + ("" if active else SUFFIX)
        _save(box, db, tenant, entity, row, record)
        return _seen(_row(db, tenant, entity, identifier))


def delete(box: Sandbox, tenant: Tenant, entity: str, identifier: str) -> Values:
    """Gone from everything but the changes, where a stub says so. QuickBooks itself only does so some time after a
    merge."""
    with box.store.write() as db:
        row = _row(db, tenant, entity, identifier)
        now = box.clock.milliseconds()
        records.keep_version(db, row, now)
        db.execute(
            "UPDATE qbo_name SET gone = 1, active = ?, updated = ?, written = ? WHERE n = ?",
            (records.GONE, now // 1000, now, row["n"]),
        )
        return _seen(_row(db, tenant, entity, identifier))


def merge(box: Sandbox, tenant: Tenant, entity: str, identifier: str, into: str) -> Values:
    """Two become one; the survivor. Whoever has sub-customers cannot be merged away."""
    with box.store.write() as db:
        loser, survivor = _row(db, tenant, entity, identifier), _row(db, tenant, entity, into)
        if loser["n"] == survivor["n"]:
            raise Refused("Nobody can be merged into themselves.")
        if records.children(db, tenant.id, identifier):
            raise Refused("A customer with sub-customers cannot be merged away.", 409)
        gone, kept = records.loaded(loser), records.loaded(survivor)
        if entity != "Employee":
            kept["Balance"] = round((kept.get("Balance") or 0) + (gone.get("Balance") or 0), 2)
            gone["Balance"] = 0
        gone["Active"], gone["DisplayName"] = False, base_name(gone["DisplayName"]) + SUFFIX
        _save(box, db, tenant, entity, loser, gone)
        db.execute("UPDATE qbo_name SET merged_into = ? WHERE n = ?", (survivor["id"], loser["n"]))
        _save(box, db, tenant, entity, survivor, kept)
        hooks.note(tenant.id, entity, into, "Merge", identifier)
        return _seen(_row(db, tenant, entity, into))


def change_some(box: Sandbox, tenant: Tenant, count: int, seed: int) -> list[Values]:
    """Another phone or street for so many active customers; what was and what is."""
    dice, done = random.Random(seed), []
    with box.store.read() as db:
        rows = db.execute(
            "SELECT id FROM qbo_name WHERE tenant = ? AND entity = 'Customer' AND active = 1 AND gone = 0 ORDER BY id",
            (tenant.id,),
        ).fetchall()
    for number in dice.sample([row["id"] for row in rows], min(count, len(rows))):
        before = one(box, tenant, "Customer", str(number))
        field = dice.choice(("phone", "address"))
        new = f"09 555 {dice.randrange(10000):04d}" if field == "phone" else f"{dice.randint(1, 480)} Changed Street"
        change(box, tenant, "Customer", str(number), {field: new})
        old = _get(before["fields"], SHORT[field])
        done.append({"uuid": str(number), "name": before["name"], "field": field, "old": old, "new": new})
    return done


def short_values(record: Record) -> dict[str, str]:
    """A record under the short words, for the form."""
    return {word: _get(record, path) for word, path in SHORT.items()}


def _save(box: Sandbox, db: sqlite3.Connection, tenant: Tenant, entity: str, row: sqlite3.Row, record: Record) -> None:
    company, now = COMPANIES[tenant.id], box.clock.milliseconds()
    went = bool(row["active"]) and not record["Active"]
    _finish(db, company, entity, record)
    records.save(db, row, record, now)
    if entity == "Customer":
        edits.follow(db, company, record, now, inactive=went)


def _finish(db: sqlite3.Connection, company: Company, entity: str, record: Record) -> None:
    record["DisplayName"] = str(record["DisplayName"])
    edits.complete(db, company, record, entity)


def _put(record: Record, values: Values) -> Record:
    found = dict(record)
    for word, value in values.items():
        path = SHORT.get(word.lower(), (word,))
        if len(path) == 1:
            _set(found, path[0], value)
        else:
            inner = dict(found.get(path[0]) or {})
            _set(inner, path[1], value)
            _set(found, path[0], inner)
    return found


def _set(record: Record, name: str, value: Any) -> None:
    if value in (None, "", {}):
        record.pop(name, None)
    else:
        record[name] = value


def _get(record: Record, path: tuple[str, ...]) -> str:
    found: Any = record
    for name in path:
        found = found.get(name, "") if isinstance(found, dict) else ""
    return str(found)


def _seen(row: sqlite3.Row) -> Values:
    record = records.loaded(row)
    return {
        "uuid": str(row["id"]),
        "kind": row["entity"],
        "name": record["DisplayName"],
        "archived": not record["Active"],
        "deleted": bool(row["gone"]),
        "merged_into": None if row["merged_into"] is None else str(row["merged_into"]),
        "updated": row["updated"],
        "fields": record,
    }


def _row(db: sqlite3.Connection, tenant: Tenant, entity: str, identifier: str) -> sqlite3.Row:
    row = records.find(db, tenant.id, entity, identifier)
    if row is None:
        raise Refused(f"There is no {entity.lower()} {identifier!r} in {tenant.name}.", 404)
    return row
