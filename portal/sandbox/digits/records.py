"""The books of a business: what apps wrote (sources, parties, transactions) and the ledger made of it.

Apps write parties under their own identifiers. The ledger shows one party for the parties of one name, if they come
from different sources, and leaves out those that no transaction mentions. Times are milliseconds by the sandbox's
clock.
"""

from __future__ import annotations

import json
import sqlite3
import uuid as uuids
from typing import Any, NamedTuple

from portal.sandbox.digits import books

OWN = ""  # the business's own books in place of an app: bank feeds, cards, what people typed in
SHOWN = ("name", "email", "kind", "description")
LEDGER = "n, tenant, id, key, name, search, email, kind, description, role, extra, listed, gone, written"
DAY_MS = 86_400_000

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS digits_source (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, client_id TEXT NOT NULL, ext TEXT NOT NULL,
        digits_id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (tenant, client_id, ext))""",
    """CREATE TABLE IF NOT EXISTS digits_party (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, client_id TEXT NOT NULL, source INTEGER NOT NULL,
        ext TEXT NOT NULL, own_id TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL, kind TEXT NOT NULL,
        description TEXT NOT NULL, ledger INTEGER NOT NULL, written INTEGER NOT NULL,
        UNIQUE (tenant, client_id, source, ext))""",
    """CREATE TABLE IF NOT EXISTS digits_transaction (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, client_id TEXT NOT NULL, source INTEGER NOT NULL,
        ext TEXT NOT NULL, digits_id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (tenant, client_id, source, ext))""",
    """CREATE TABLE IF NOT EXISTS digits_mention (
        tenant TEXT NOT NULL, party INTEGER NOT NULL, deal INTEGER NOT NULL, PRIMARY KEY (party, deal))""",
    """CREATE TABLE IF NOT EXISTS digits_ledger (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
        search TEXT NOT NULL, email TEXT NOT NULL, kind TEXT NOT NULL, description TEXT NOT NULL, role TEXT NOT NULL,
        extra TEXT NOT NULL, listed INTEGER NOT NULL, gone INTEGER NOT NULL, written INTEGER NOT NULL,
        successor INTEGER, UNIQUE (tenant, id))""",
    """CREATE TABLE IF NOT EXISTS digits_ledger_was (
        n INTEGER NOT NULL, tenant TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
        search TEXT NOT NULL, email TEXT NOT NULL, kind TEXT NOT NULL, description TEXT NOT NULL, role TEXT NOT NULL,
        extra TEXT NOT NULL, listed INTEGER NOT NULL, gone INTEGER NOT NULL, written INTEGER NOT NULL,
        replaced INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS digits_ledger_order ON digits_ledger (tenant, gone, listed, n)",
    "CREATE INDEX IF NOT EXISTS digits_ledger_key ON digits_ledger (tenant, key)",
    "CREATE INDEX IF NOT EXISTS digits_ledger_was_time ON digits_ledger_was (tenant, replaced)",
    "CREATE INDEX IF NOT EXISTS digits_party_ledger ON digits_party (ledger)",
    "CREATE INDEX IF NOT EXISTS digits_mention_deal ON digits_mention (deal)",
    *books.SCHEMA,
)
TABLES = ("source", "party", "transaction", "mention", "ledger", "ledger_was", *books.TABLES)


class Origin(NamedTuple):
    """Where a party comes from: the business, the app, and the row number of its source (0 in the own books)."""

    tenant: str
    client_id: str
    source: int


def key_of(name: str) -> str:
    """What two names must share to be one party: everything but case and spacing."""
    return " ".join(name.split()).casefold()


def put_party(db: sqlite3.Connection, origin: Origin, ext: str, values: dict[str, str], now: int) -> sqlite3.Row:
    """A party as it is from now on, new or known by its external id; the row."""
    known = party(db, origin, ext)
    if known is None:
        ledger = _room_for(db, origin, key_of(values["name"]), None) or _new_ledger(db, origin.tenant, values, now)
        db.execute(
            "INSERT INTO digits_party (tenant, client_id, source, ext, own_id, name, email, kind, description, ledger,"
            " written) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*origin, ext, str(uuids.uuid4()), *(values[name] for name in SHOWN), ledger, now),
        )
        settle(db, ledger, now)
    else:
        db.execute(
            "UPDATE digits_party SET name = ?, email = ?, kind = ?, description = ?, written = ? WHERE n = ?",
            (*(values[name] for name in SHOWN), now, known["n"]),
        )
        _move(db, origin, known, key_of(values["name"]), now)
    found = party(db, origin, ext)
    assert found is not None
    return found


def drop_party(db: sqlite3.Connection, row: sqlite3.Row, now: int) -> None:
    """A party is no more; transactions stay and no longer mention it."""
    db.execute("DELETE FROM digits_mention WHERE party = ?", (row["n"],))
    db.execute("DELETE FROM digits_party WHERE n = ?", (row["n"],))
    settle(db, row["ledger"], now)


def drop_transaction(db: sqlite3.Connection, deal: int, now: int) -> None:
    """A transaction is no more; parties it alone mentioned leave the ledger."""
    ledgers = ledgers_of(db, deal)
    books.forget(db, deal)
    db.execute("DELETE FROM digits_mention WHERE deal = ?", (deal,))
    db.execute("DELETE FROM digits_transaction WHERE n = ?", (deal,))
    for ledger in ledgers:
        settle(db, ledger, now)


def drop_source(db: sqlite3.Connection, source: int, now: int) -> None:
    """A source is no more, nor are its transactions and its parties."""
    for row in db.execute("SELECT n FROM digits_transaction WHERE source = ?", (source,)).fetchall():
        drop_transaction(db, row["n"], now)
    for row in db.execute("SELECT * FROM digits_party WHERE source = ?", (source,)).fetchall():
        drop_party(db, row, now)
    db.execute("DELETE FROM digits_source WHERE n = ?", (source,))


def mention(db: sqlite3.Connection, tenant: str, deal: int, parties: set[int], now: int) -> None:
    """This transaction is with these parties, and with no others any more."""
    ledgers = ledgers_of(db, deal)
    db.execute("DELETE FROM digits_mention WHERE deal = ?", (deal,))
    db.executemany("INSERT INTO digits_mention VALUES (?, ?, ?)", [(tenant, party, deal) for party in sorted(parties)])
    for ledger in sorted(ledgers | ledgers_of(db, deal)):
        settle(db, ledger, now)


def ledgers_of(db: sqlite3.Connection, deal: int) -> set[int]:
    """The ledger parties a transaction is with."""
    rows = db.execute(
        "SELECT DISTINCT p.ledger FROM digits_mention m JOIN digits_party p ON p.n = m.party WHERE m.deal = ?", (deal,)
    )
    return {row["ledger"] for row in rows}


def settle(db: sqlite3.Connection, ledger: int, now: int) -> None:
    """Make a ledger party of its members anew: the last word on each field counts. Without members it is gone."""
    members = db.execute(
        "SELECT *, EXISTS (SELECT 1 FROM digits_mention m WHERE m.party = digits_party.n) AS used FROM digits_party"
        " WHERE ledger = ? ORDER BY written, n",
        (ledger,),
    ).fetchall()
    if not members:
        change_ledger(db, ledger, {"gone": 1, "listed": 0}, now)
        return
    values: dict[str, Any] = dict.fromkeys(SHOWN, "")
    for member in members:
        values |= {name: member[name] for name in SHOWN if member[name]}
    change_ledger(db, ledger, {**values, "gone": 0, "listed": int(any(member["used"] for member in members))}, now)


def change_ledger(db: sqlite3.Connection, ledger: int, values: dict[str, Any], now: int) -> None:
    """Set columns of a ledger party, keeping the version it replaces for a day."""
    row = db.execute("SELECT * FROM digits_ledger WHERE n = ?", (ledger,)).fetchone()
    if "name" in values:
        values = values | {"key": key_of(values["name"]), "search": values["name"].casefold()}
    changed = {name: value for name, value in values.items() if row[name] != value}
    if not changed:
        return
    db.execute("DELETE FROM digits_ledger_was WHERE tenant = ? AND replaced < ?", (row["tenant"], now - DAY_MS))
    db.execute(
        f"INSERT INTO digits_ledger_was SELECT {LEDGER}, ? FROM digits_ledger WHERE n = ? AND written < ?",
        (now, ledger, now),
    )
    marks = ", ".join(f"{name} = ?" for name in changed)
    db.execute(f"UPDATE digits_ledger SET {marks}, written = ? WHERE n = ?", (*changed.values(), now, ledger))


def party(db: sqlite3.Connection, origin: Origin, ext: str) -> sqlite3.Row | None:
    """A party by its external id in one source."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM digits_party WHERE tenant = ? AND client_id = ? AND source = ? AND ext = ?", (*origin, ext)
    ).fetchone()
    return row


def sources(db: sqlite3.Connection, tenant: str, client_id: str) -> list[sqlite3.Row]:
    """What a connection declared, oldest first."""
    return db.execute(
        "SELECT * FROM digits_source WHERE tenant = ? AND client_id = ? ORDER BY n", (tenant, client_id)
    ).fetchall()


def _move(db: sqlite3.Connection, origin: Origin, row: sqlite3.Row, key: str, now: int) -> None:
    """After a write: join the party of the new name, keep or revive one's own, or part from the others."""
    held = db.execute("SELECT * FROM digits_ledger WHERE n = ?", (row["ledger"],)).fetchone()
    if held["key"] != key or held["gone"]:
        alone = db.execute("SELECT count(*) FROM digits_party WHERE ledger = ?", (held["n"],)).fetchone()[0] == 1
        target = _room_for(db, origin, key, row["n"])
        if target is None and not alone:
            again = db.execute("SELECT * FROM digits_party WHERE n = ?", (row["n"],)).fetchone()
            target = _new_ledger(db, origin.tenant, {name: again[name] for name in SHOWN}, now)
        if target is not None:
            db.execute("UPDATE digits_party SET ledger = ? WHERE n = ?", (target, row["n"]))
            settle(db, target, now)
    settle(db, held["n"], now)


def _room_for(db: sqlite3.Connection, origin: Origin, key: str, but: int | None) -> int | None:
    """A ledger party of this name that nobody of the same source belongs to yet."""
    row = db.execute(
        "SELECT n FROM digits_ledger l WHERE l.tenant = ? AND l.key = ? AND l.gone = 0 AND NOT EXISTS"
        " (SELECT 1 FROM digits_party p WHERE p.ledger = l.n AND p.client_id = ? AND p.source = ? AND p.n IS NOT ?)"
        " ORDER BY n",
        (origin.tenant, key, origin.client_id, origin.source, but),
    ).fetchone()
    return row["n"] if row else None


def _new_ledger(db: sqlite3.Connection, tenant: str, values: dict[str, str], now: int) -> int:
    made = db.execute(
        "INSERT INTO digits_ledger (tenant, id, key, name, search, email, kind, description, role, extra, listed, gone,"
        " written) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'Customer', ?, 0, 0, ?)",
        (
            tenant,
            str(uuids.uuid4()),
            key_of(values["name"]),
            values["name"],
            values["name"].casefold(),
            values["email"],
            values["kind"],
            values["description"],
            json.dumps({}),
            now,
        ),
    )
    assert made.lastrowid is not None
    return made.lastrowid
