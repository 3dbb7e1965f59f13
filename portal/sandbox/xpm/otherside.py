"""What people do inside XPM itself, behind the portal's back: edit, archive, delete, merge, change contacts.

Nothing is checked here as the API would: the other side may hold odd values, and tests want it to.
"""

from __future__ import annotations

import json
import random
import sqlite3
import uuid as uuids
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.vendor import Tenant
from portal.sandbox.xpm import edits, records
from portal.sandbox.xpm.wire import clean

ALIASES = {"postcode": "PostCode", "manager": "AccountManager", "structure": "BusinessStructure"}
NAMES = {
    name.lower(): name
    for name in ("Name", *(n for n, _ in records.HEAD), *records.TAX_NAMES, *records.PEOPLE, "Type", "Notes", "Extra")
} | ALIASES
PERSON = ("name", "salutation", "addressee", "mobile", "email", "phone")
Fields = dict[str, Any]


def find(box: Sandbox, tenant: Tenant, q: str = "", limit: int = 50) -> list[Fields]:
    """Clients whose name contains `q`, or the one with that uuid; in XPM's order."""
    with box.store.read() as db:
        rows = db.execute(
            "SELECT * FROM xpm_client WHERE tenant = ? AND (uuid = ? OR instr(search, ?) > 0) ORDER BY n LIMIT ?",
            (tenant.id, q.lower(), q.casefold(), limit),
        ).fetchall()
        return [_seen(db, row) for row in rows]


def one(box: Sandbox, tenant: Tenant, uuid: str) -> Fields:
    """One client in full, unmasked."""
    with box.store.read() as db:
        return _seen(db, _row(db, tenant, uuid))


def create(box: Sandbox, tenant: Tenant, values: Fields) -> Fields:
    """A client typed in by somebody; `uuid` may be given, even one a deleted client had."""
    with box.store.write() as db:
        contacts = values.pop("contacts", [])
        uuid = str(values.pop("uuid", "") or uuids.uuid4()).lower()
        fields = _typed(db, tenant, {}, values)
        if not fields.get("Name"):
            raise Refused("A client needs a name.")
        _make_room(db, tenant, uuid)
        records.insert(db, tenant.id, uuid, fields, box.clock.milliseconds())
        for contact in contacts:
            _add_person(db, tenant, uuid, contact)
        _save(box, db, tenant, uuid)
        return _seen(db, _row(db, tenant, uuid))


def change(box: Sandbox, tenant: Tenant, uuid: str, values: Fields) -> Fields:
    """Change fields; None or an empty text empties one. Moves the modified stamp."""
    with box.store.write() as db:
        row = _row(db, tenant, uuid)
        fields = _typed(db, tenant, edits.load_fields(row), values)
        if not fields.get("Name"):
            raise Refused("A client needs a name.")
        records.keep_fields(db, tenant.id, row["uuid"], fields)
        _save(box, db, tenant, row["uuid"])
        edits.tell_relatives(db, tenant, row["uuid"], box.clock.milliseconds())
        return _seen(db, _row(db, tenant, uuid))


def set_state(
    box: Sandbox, tenant: Tenant, uuid: str, *, archived: bool | None = None, deleted: bool | None = None
) -> Fields:
    """Archive, delete, or take either back."""
    with box.store.write() as db:
        row = _row(db, tenant, uuid)
        db.execute(
            "UPDATE xpm_client SET archived = coalesce(?, archived), deleted = coalesce(?, deleted) WHERE n = ?",
            (archived, deleted, row["n"]),
        )
        _save(box, db, tenant, row["uuid"])
        return _seen(db, _row(db, tenant, uuid))


def merge(box: Sandbox, tenant: Tenant, uuid: str, into: str) -> Fields:
    """Two become one: people, groups and jobs move, the loser shows as archived and deleted. The survivor."""
    with box.store.write() as db:
        loser, survivor = _row(db, tenant, uuid), _row(db, tenant, into)
        if loser["uuid"] == survivor["uuid"]:
            raise Refused("A client cannot be merged into itself.")
        names = {"tenant": tenant.id, "loser": loser["uuid"], "survivor": survivor["uuid"]}
        db.execute(
            "UPDATE OR IGNORE xpm_link SET client = :survivor, is_primary = 0"
            " WHERE tenant = :tenant AND client = :loser",
            names,
        )
        db.execute("DELETE FROM xpm_link WHERE tenant = :tenant AND client = :loser", names)
        db.execute(
            "UPDATE OR IGNORE xpm_member SET client = :survivor WHERE tenant = :tenant AND client = :loser", names
        )
        db.execute("UPDATE xpm_job SET client = :survivor WHERE tenant = :tenant AND client = :loser", names)
        db.execute(
            "UPDATE xpm_client SET archived = 1, deleted = 1, merged_into = :survivor"
            " WHERE tenant = :tenant AND uuid = :loser",
            names,
        )
        for client in (loser["uuid"], survivor["uuid"]):
            _save(box, db, tenant, client)
        return _seen(db, _row(db, tenant, survivor["uuid"]))


def add_person(box: Sandbox, tenant: Tenant, client: str, values: Fields) -> Fields:
    """A new contact at a client; the client."""
    with box.store.write() as db:
        row = _row(db, tenant, client)
        _add_person(db, tenant, row["uuid"], values)
        _save(box, db, tenant, row["uuid"], touch=box.switches["contact_change_bumps_client"])
        return _seen(db, _row(db, tenant, client))


def change_person(box: Sandbox, tenant: Tenant, client: str, contact: str, values: Fields) -> Fields:
    """Change a contact, and its tie to this client; every client that has the contact shows it."""
    with box.store.write() as db:
        row = _row(db, tenant, client)
        person = _person(db, tenant, contact)
        for column in PERSON:
            if column in values:
                db.execute(f"UPDATE xpm_contact SET {column} = ? WHERE n = ?", (_text(values[column]), person["n"]))
        edits.link_contact(db, tenant.id, row["uuid"], person["uuid"], values.get("position"), values.get("is_primary"))
        _save_clients_of(box, db, tenant, person["uuid"])
        return _seen(db, _row(db, tenant, client))


def remove_person(box: Sandbox, tenant: Tenant, client: str, contact: str) -> Fields:
    """Delete a contact everywhere."""
    with box.store.write() as db:
        _row(db, tenant, client)
        person = _person(db, tenant, contact)
        db.execute("UPDATE xpm_contact SET deleted = 1 WHERE n = ?", (person["n"],))
        _save_clients_of(box, db, tenant, person["uuid"])
        return _seen(db, _row(db, tenant, client))


def change_some(box: Sandbox, tenant: Tenant, count: int, seed: int) -> list[Fields]:
    """Change the phone, address or a contact of so many active clients; what was and what is."""
    dice, done = random.Random(seed), []
    with box.store.read() as db:
        rows = db.execute(
            "SELECT uuid FROM xpm_client WHERE tenant = ? AND archived = 0 AND deleted = 0 ORDER BY n", (tenant.id,)
        ).fetchall()
    for uuid in dice.sample([row["uuid"] for row in rows], min(count, len(rows))):
        done.append(_change_one(box, tenant, uuid, dice))
    return done


def _change_one(box: Sandbox, tenant: Tenant, uuid: str, dice: random.Random) -> Fields:
    before = one(box, tenant, uuid)
    kinds = ["Phone", "Address"] + (["contact"] if before["contacts"] else [])
    what = dice.choice(kinds)
    if what == "contact":
        person, new = before["contacts"][0], f"021 555 {dice.randrange(10000):04d}"
        change_person(box, tenant, uuid, person["uuid"], {"mobile": new})
        return {
            "uuid": uuid,
            "name": before["name"],
            "field": "contact.mobile",
            "contact": person["uuid"],
            "old": person["mobile"],
            "new": new,
        }
    new = f"09 555 {dice.randrange(10000):04d}" if what == "Phone" else f"{dice.randint(1, 480)} Changed Street"
    change(box, tenant, uuid, {what: new})
    return {"uuid": uuid, "name": before["name"], "field": what, "old": before["fields"].get(what, ""), "new": new}


def _typed(db: sqlite3.Connection, tenant: Tenant, before: Fields, values: Fields) -> Fields:
    fields = dict(before)
    for sent, value in values.items():
        name = NAMES.get(sent.lower())
        if name is None:
            raise Refused(f"A client has no field {sent!r}.")
        fields[name] = _reference(db, tenant, name, value) if name in records.PEOPLE else _tidy(value)
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _reference(db: sqlite3.Connection, tenant: Tenant, name: str, value: Any) -> Fields | None:
    """A person or client by uuid or name; somebody unknown is kept as given, with UUID and Name."""
    if not value or isinstance(value, dict):
        return value or None
    table = "xpm_client" if name == "BillingClient" else "xpm_staff"
    row = db.execute(
        f"SELECT uuid, name FROM {table} WHERE tenant = ? AND (uuid = ? OR name = ?)", (tenant.id, value, value)
    ).fetchone()
    if row is None:
        raise Refused(f"{name}: there is no {value!r}.")
    return {"UUID": row["uuid"], "Name": row["name"]}


def _tidy(value: Any) -> Any:
    return value if isinstance(value, dict | list) else _text(value)


def _text(value: Any) -> str:
    return "" if value is None else clean(str(value))


def _seen(db: sqlite3.Connection, row: sqlite3.Row) -> Fields:
    people = records.contacts_of(db, row["tenant"], row["uuid"])
    return {
        "uuid": row["uuid"],
        "name": row["name"],
        "archived": bool(row["archived"]),
        "deleted": bool(row["deleted"]),
        "merged_into": row["merged_into"],
        "modified_ms": row["modified"],
        "fields": json.loads(row["fields"]),
        "groups": [name for _, name in records.groups_of(db, row["tenant"], row["uuid"])],
        "contacts": [
            {
                **{column: person[column] for column in ("uuid", *PERSON, "position")},
                "is_primary": bool(person["is_primary"]),
            }
            for person in people
        ],
    }


def _row(db: sqlite3.Connection, tenant: Tenant, uuid: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM xpm_client WHERE tenant = ? AND uuid = ?", (tenant.id, uuid.lower())
    ).fetchone()
    if row is None:
        raise Refused(f"There is no client {uuid!r} in {tenant.name}.", 404)
    return row


def _person(db: sqlite3.Connection, tenant: Tenant, uuid: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM xpm_contact WHERE tenant = ? AND uuid = ? AND deleted = 0", (tenant.id, uuid.lower())
    ).fetchone()
    if row is None:
        raise Refused(f"There is no contact {uuid!r} in {tenant.name}.", 404)
    return row


def _add_person(db: sqlite3.Connection, tenant: Tenant, client: str, values: Fields) -> None:
    texts = {column: _text(values.get(column)) for column in PERSON}
    if not texts["name"]:
        raise Refused("A contact needs a name.")
    uuid = str(values.get("uuid") or uuids.uuid4()).lower()
    known = db.execute("SELECT 1 FROM xpm_contact WHERE tenant = ? AND uuid = ?", (tenant.id, uuid)).fetchone()
    if not known:
        edits.insert_contact(db, tenant.id, uuid, texts)
    edits.link_contact(db, tenant.id, client, uuid, _text(values.get("position")), bool(values.get("is_primary")))


def _make_room(db: sqlite3.Connection, tenant: Tenant, uuid: str) -> None:
    """An identifier can be used again only after its client was deleted."""
    row = db.execute("SELECT deleted FROM xpm_client WHERE tenant = ? AND uuid = ?", (tenant.id, uuid)).fetchone()
    if row is not None and not row["deleted"]:
        raise Refused(f"There is a client {uuid!r} already.", 409)
    for table, column in (("client", "uuid"), ("link", "client"), ("member", "client"), ("version", "uuid")):
        db.execute(f"DELETE FROM xpm_{table} WHERE tenant = ? AND {column} = ?", (tenant.id, uuid))


def _save(box: Sandbox, db: sqlite3.Connection, tenant: Tenant, uuid: str, *, touch: bool = True) -> None:
    records.save(db, tenant.id, uuid, tenant.region, box.clock.milliseconds(), touch=touch)


def _save_clients_of(box: Sandbox, db: sqlite3.Connection, tenant: Tenant, contact: str) -> None:
    rows = db.execute("SELECT client FROM xpm_link WHERE tenant = ? AND contact = ?", (tenant.id, contact)).fetchall()
    for row in rows:
        _save(box, db, tenant, row["client"], touch=box.switches["contact_change_bumps_client"])
