"""Filling the books of a business in one go: replaces everything they hold, what apps wrote as well."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from portal.sandbox.context import Sandbox
from portal.sandbox.digits import records, tokens
from portal.sandbox.names import PLANTED, generate_clients
from portal.sandbox.names_ledgers import ledger_side
from portal.sandbox.names_practice import stable_uuid
from portal.sandbox.vendor import Tenant

MARLOW = Tenant("d1a7c3b2-5e0f-4c19-9b7d-3f2a6c8e4d01", "Marlow & Co", "BUSINESS", "digits", "digits")
HARBOUR = Tenant("d1f9e8a4-07b6-4d3a-8c52-6b1e9d7a5c02", "Harbour Street Advisers", "BUSINESS", "digits", "digits")
PERCENT = 10
TOGETHER = 1000
FROM_THE_BANK = json.dumps({"memo": "From the bank feed"})
TWO_YEARS_MS = 2 * 365 * 86_400_000
UNUSED_EVERY = 12  # so many of the demo's customers for one that no transaction is with
# Whom a firm pays: name and kind.
PAID: tuple[tuple[str, str], ...] = (
    ("Quayside Power", "Business"),
    ("Kauri Broadband", "Business"),
    ("Southern Cross Stationers", "Business"),
    ("Lambton Quay Properties Ltd", "Business"),
    ("Ledgerwise Software Inc", "Business"),
    ("Blue Cab Company", "Business"),
    ("Harbour Coffee Roasters", "Business"),
    ("City Parking Wardens", "Business"),
    ("Fern & Stone Insurance Brokers", "Business"),
    ("Inland Revenue", "Business"),
    ("Ivy Cleaning Services", "Business"),
    ("Tomas Berg", "Person"),
    ("Aroha Simmons", "Person"),
)


class Known(NamedTuple):
    """A party of the business's own books. `used`: there is a transaction with it."""

    id: str
    name: str
    email: str
    kind: str
    role: str
    used: bool


def load(box: Sandbox, tenant: Tenant, clients: int, seed: int) -> dict[str, Any]:
    """Exactly so many customers for one business, all of them listed and of different names."""
    began = time.perf_counter()
    _replace(box, tenant, islice(_customers(tenant, clients, seed), clients), seed)
    box.store.tidy()
    return {"tenant": tenant.id, "clients": clients, "seconds": round(time.perf_counter() - began, 2)}


def demo(box: Sandbox, clients: int, seed: int) -> None:
    """The firm's own books, with a tenth of its clients in them, and those of a business to connect by mistake."""
    tokens.register(box, tokens.DEFAULT_CLIENT, tokens.DEFAULT_SECRET, [])
    known = [_known(record) for record in ledger_side("digits", clients, seed, percent=PERCENT)]
    unused = [one._replace(used=n % UNUSED_EVERY != 3) for n, one in enumerate(known)]
    paid = [Known(stable_uuid("digits", "paid", name), name, "", kind, "Vendor", True) for name, kind in PAID]
    _replace(box, MARLOW, [*paid[:5], *unused, *paid[5:]], seed)
    load(box, HARBOUR, min(25, max(5, clients // 10)), seed)


def wipe(box: Sandbox) -> None:
    """Nothing left in any books; no app, install or token either."""
    with box.store.write() as db:
        for table in (*records.TABLES, *tokens.TABLES):
            db.execute(f"DELETE FROM digits_{table}")


def counts(box: Sandbox, tenant: Tenant) -> dict[str, int]:
    """For the control page."""
    with box.store.read() as db:
        row = db.execute(
            "SELECT coalesce(sum(listed), 0) AS parties, coalesce(sum(1 - listed), 0) AS unused FROM digits_ledger"
            " WHERE tenant = ? AND gone = 0",
            (tenant.id,),
        ).fetchone()
        found = {"parties": row["parties"], "parties without transactions": row["unused"]}
        for table in ("source", "transaction"):
            query = f"SELECT count(*) FROM digits_{table} WHERE tenant = ?"
            found[f"{table}s"] = db.execute(query, (tenant.id,)).fetchone()[0]
    return found


def _customers(tenant: Tenant, clients: int, seed: int) -> Iterator[Known]:
    salt = "" if tenant.id == MARLOW.id else tenant.id
    shared: set[str] = set()
    for record in generate_clients(clients + clients // 10 + 100, seed, salt=salt):
        name = record["Name"]
        if record["archived"] or record["deleted"] or name in shared:
            continue
        if name in PLANTED["ambiguous"]:  # the only names two clients may have
            shared.add(name)
        yield _known(record)._replace(id=stable_uuid("digits", tenant.id, record["uuid"]))


def _known(record: dict[str, Any]) -> Known:
    kind = "Person" if record.get("BusinessStructure") in ("Individual", "Sole Trader") else "Business"
    return Known(record["uuid"], record["Name"], record["Email"], kind, "Customer", True)


def _replace(box: Sandbox, tenant: Tenant, known: Iterable[Known], seed: int) -> None:
    dice, now, waiting = random.Random(seed), box.clock.milliseconds(), iter(known)
    with box.store.write() as db:
        for table in records.TABLES:
            db.execute(f"DELETE FROM digits_{table} WHERE tenant = ?", (tenant.id,))
        while batch := list(islice(waiting, TOGETHER)):
            _add(db, tenant.id, batch, dice, now)


def _add(db: sqlite3.Connection, tenant: str, batch: list[Known], dice: random.Random, now: int) -> None:
    """Each with a party in the own books, and a transaction if it is used. Numbers are given here, not asked for."""
    ledgers, parties, deals = (
        range(first, first + len(batch)) for first in (_free(db, name) for name in ("ledger", "party", "transaction"))
    )
    moments = [now - dice.randrange(TWO_YEARS_MS) for _ in batch]
    db.executemany(
        f"INSERT INTO digits_ledger ({records.LEDGER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', ?, '{{}}', ?, 0, ?)",
        [
            (n, tenant, one.id, *_named(one.name), one.email, one.kind, one.role, int(one.used), moment)
            for n, one, moment in zip(ledgers, batch, moments, strict=True)
        ],
    )
    db.executemany(
        "INSERT INTO digits_party VALUES (?, ?, '', 0, ?, ?, ?, ?, ?, '', ?, 0)",
        [
            (n, tenant, one.id, one.id, one.name, one.email, one.kind, ledger)
            for n, one, ledger in zip(parties, batch, ledgers, strict=True)
        ],
    )
    used = [(deal, party, one) for deal, party, one in zip(deals, parties, batch, strict=True) if one.used]
    db.executemany(
        "INSERT INTO digits_transaction VALUES (?, ?, '', 0, ?, ?, ?)",
        [(deal, tenant, f"first {one.id}", stable_uuid("deal", one.id), FROM_THE_BANK) for deal, _, one in used],
    )
    db.executemany("INSERT INTO digits_mention VALUES (?, ?, ?)", [(tenant, party, deal) for deal, party, _ in used])


def _free(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT coalesce(max(n), 0) + 1 FROM digits_{table}").fetchone()[0])


def _named(name: str) -> tuple[str, str, str]:
    return records.key_of(name), name, name.casefold()
