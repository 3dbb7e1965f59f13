"""What people do inside Digits itself, behind the portal's back: type in, change, merge and delete parties.

Nothing is checked as the API would: the other side may hold odd values, and tests want it to.
"""

from __future__ import annotations

import json
import random
import sqlite3
import uuid as uuids
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.digits import records
from portal.sandbox.digits.records import OWN, SHOWN, Origin
from portal.sandbox.names_practice import stable_uuid
from portal.sandbox.vendor import Tenant

Fields = dict[str, Any]


def find(box: Sandbox, tenant: Tenant, q: str = "", limit: int = 50) -> list[Fields]:
    """Parties whose name contains `q`, or the one with that identifier, unused and deleted ones too."""
    with box.store.read() as db:
        rows = db.execute(
            "SELECT * FROM digits_ledger WHERE tenant = ? AND (id = ? OR instr(search, ?) > 0) ORDER BY n LIMIT ?",
            (tenant.id, q.lower(), q.casefold(), limit),
        ).fetchall()
        return [_seen(db, row) for row in rows]


def one(box: Sandbox, tenant: Tenant, party: str) -> Fields:
    """One party in full."""
    with box.store.read() as db:
        return _seen(db, _row(db, tenant, party))


def create(box: Sandbox, tenant: Tenant, values: Fields) -> Fields:
    """A party typed in by somebody, with a transaction unless `archived`; `uuid` may be given."""
    now, wanted = box.clock.milliseconds(), str(values.pop("uuid", "")).lower()
    used = not values.pop("archived", False)
    texts, rest = _typed(values)
    if not texts.get("name"):
        raise Refused("A party needs a name.")
    with box.store.write() as db:
        _make_room(db, tenant, wanted)
        member = records.put_party(
            db, Origin(tenant.id, OWN, 0), wanted or str(uuids.uuid4()), dict.fromkeys(SHOWN, "") | texts, now
        )
        if wanted:
            db.execute("UPDATE digits_ledger SET id = ? WHERE n = ?", (wanted, member["ledger"]))
        records.change_ledger(db, member["ledger"], rest, now)
        if used:
            _add_transaction(db, tenant, member["n"], now)
        return _seen(db, db.execute("SELECT * FROM digits_ledger WHERE n = ?", (member["ledger"],)).fetchone())


def change(box: Sandbox, tenant: Tenant, party: str, values: Fields) -> Fields:
    """Change name, email, kind, description, role or extra; an app's next write of the party has the last word."""
    texts, rest = _typed(values)
    if texts.get("name") == "":
        raise Refused("A party needs a name.")
    now = box.clock.milliseconds()
    with box.store.write() as db:
        row = _row(db, tenant, party)
        for column, text in texts.items():
            db.execute(f"UPDATE digits_party SET {column} = ? WHERE ledger = ?", (text, row["n"]))
        records.change_ledger(db, row["n"], rest | texts, now)
        return _seen(db, _row(db, tenant, party))


def set_used(box: Sandbox, tenant: Tenant, party: str, used: bool) -> Fields:
    """With a transaction, or with none, which takes the party out of the ledger's list."""
    now = box.clock.milliseconds()
    with box.store.write() as db:
        row = _row(db, tenant, party)
        members = _members(db, row["n"])
        if used and not row["listed"] and members:
            _add_transaction(db, tenant, members[0]["n"], now)
        elif not used:
            _forget_transactions(db, members)
        records.settle(db, row["n"], now)
        return _seen(db, _row(db, tenant, party))


def delete(box: Sandbox, tenant: Tenant, party: str) -> Fields:
    """Take a party out. What an app wrote stays on its side: its next write and transaction bring the party back."""
    now = box.clock.milliseconds()
    with box.store.write() as db:
        row = _row(db, tenant, party)
        members = _members(db, row["n"])
        _forget_transactions(db, members)
        db.execute("DELETE FROM digits_party WHERE ledger = ? AND client_id = ?", (row["n"], OWN))
        records.change_ledger(db, row["n"], {"gone": 1, "listed": 0}, now)
        return _seen(db, _row(db, tenant, party))


def merge(box: Sandbox, tenant: Tenant, party: str, into: str) -> Fields:
    """Two become one: what was with the first is with the survivor, which is the answer."""
    now = box.clock.milliseconds()
    with box.store.write() as db:
        loser, survivor = _row(db, tenant, party), _row(db, tenant, into)
        if loser["n"] == survivor["n"]:
            raise Refused("A party cannot be merged into itself.")
        db.execute(
            "UPDATE digits_party SET ledger = ?, name = ?, written = -1 WHERE ledger = ?",
            (survivor["n"], survivor["name"], loser["n"]),
        )
        records.change_ledger(db, loser["n"], {"gone": 1, "listed": 0, "successor": survivor["n"]}, now)
        records.settle(db, survivor["n"], now)
        return _seen(db, _row(db, tenant, into))


def change_some(box: Sandbox, tenant: Tenant, count: int, seed: int) -> list[Fields]:
    """Another email address for so many listed parties; what was and what is."""
    dice, done = random.Random(seed), []
    with box.store.read() as db:
        rows = db.execute(
            "SELECT id, name, email FROM digits_ledger WHERE tenant = ? AND gone = 0 AND listed = 1 ORDER BY n",
            (tenant.id,),
        ).fetchall()
    for row in dice.sample(rows, min(count, len(rows))):
        new = f"accounts{dice.randrange(10000):04d}@changed.example"
        change(box, tenant, row["id"], {"email": new})
        done.append({"uuid": row["id"], "name": row["name"], "field": "email", "old": row["email"], "new": new})
    return done


def _typed(values: Fields) -> tuple[dict[str, str], Fields]:
    """What parties have, and what only the ledger has: role, and extra fields as JSON."""
    texts: dict[str, str] = {}
    rest: Fields = {}
    for sent, value in values.items():
        name = sent.lower()
        if name in SHOWN:
            texts[name] = "" if value is None else str(value)
        elif name == "role":
            rest["role"] = str(value)
        elif name == "extra" and isinstance(value, dict):
            rest["extra"] = json.dumps(value)
        else:
            raise Refused(f"A party has no field {sent!r}.")
    return texts, rest


def _add_transaction(db: sqlite3.Connection, tenant: Tenant, party: int, now: int) -> None:
    ext = str(uuids.uuid4())
    made = db.execute(
        "INSERT INTO digits_transaction (tenant, client_id, source, ext, digits_id, body)"
        " VALUES (?, '', 0, ?, ?, '{}')",
        (tenant.id, ext, stable_uuid("deal", ext)),
    )
    assert made.lastrowid is not None
    records.mention(db, tenant.id, made.lastrowid, {party}, now)


def _forget_transactions(db: sqlite3.Connection, members: list[sqlite3.Row]) -> None:
    db.executemany("DELETE FROM digits_mention WHERE party = ?", [(member["n"],) for member in members])


def _members(db: sqlite3.Connection, ledger: int) -> list[sqlite3.Row]:
    return db.execute("SELECT * FROM digits_party WHERE ledger = ? ORDER BY n", (ledger,)).fetchall()


def _seen(db: sqlite3.Connection, row: sqlite3.Row) -> Fields:
    successor = db.execute("SELECT id FROM digits_ledger WHERE n = ?", (row["successor"],)).fetchone()
    return {
        "uuid": row["id"],
        "name": row["name"],
        "archived": not row["listed"] and not row["gone"],
        "deleted": bool(row["gone"]),
        "merged_into": successor["id"] if successor else None,
        "modified_ms": row["written"],
        "fields": {name: row[name] for name in (*SHOWN, "role")} | {"extra": json.loads(row["extra"])},
        "written_by": [
            {"client_id": member["client_id"], "externalId": member["ext"]}
            for member in _members(db, row["n"])
            if member["client_id"] != OWN
        ],
    }


def _row(db: sqlite3.Connection, tenant: Tenant, party: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM digits_ledger WHERE tenant = ? AND id = ?", (tenant.id, party.lower())
    ).fetchone()
    if row is None:
        raise Refused(f"There is no party {party!r} in {tenant.name}.", 404)
    return row


def _make_room(db: sqlite3.Connection, tenant: Tenant, wanted: str) -> None:
    """An identifier can be used again only after its party was deleted."""
    row = db.execute("SELECT * FROM digits_ledger WHERE tenant = ? AND id = ?", (tenant.id, wanted)).fetchone()
    if row is None:
        return
    if not row["gone"] or _members(db, row["n"]):
        raise Refused(f"There is a party {wanted!r} already.", 409)
    db.execute("DELETE FROM digits_ledger WHERE n = ?", (row["n"],))
