"""What people do with invoices inside Digits itself: write their own, take payments, void, delete, change, close books.

Nothing is checked as the API would. Amounts are texts or numbers with decimals, as a person types them.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
import uuid as uuids
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.digits import books, events, otherside, records
from portal.sandbox.digits.books import Annotation, Line
from portal.sandbox.vendor import Tenant

JOINED = (
    "SELECT i.*, t.ext, t.client_id, t.digits_id, t.body FROM digits_invoice i"
    " JOIN digits_transaction t ON t.n = i.deal"
)
OWED = ("Accounts Receivable", "Assets", True)
BANK = ("Operating Account", "Assets", False)
SALES = ("Revenue", "Income", False)
TOGETHER = 5000
Fields = dict[str, Any]


def find(box: Sandbox, tenant: Tenant, *, number: str = "", mark: str = "", limit: int = 50) -> list[Fields]:
    """The latest invoices, or those of a number or mark."""
    query, values = f"{JOINED} WHERE i.tenant = ?", [tenant.id]
    for column, wanted in (("i.number", number), ("t.ext", mark)):
        if wanted:
            query += f" AND {column} = ?"
            values.append(wanted)
    with box.store.read() as db:
        rows = db.execute(f"{query} ORDER BY i.deal DESC LIMIT ?", (*values, limit)).fetchall()
        return [books.as_json(db, row) for row in rows]


def one(box: Sandbox, tenant: Tenant, wanted: str) -> Fields:
    """By identifier of the ledger, by mark, or by number."""
    with box.store.read() as db:
        return books.as_json(db, _row(db, tenant, wanted))


def counts(box: Sandbox, tenant: Tenant) -> Fields:
    """How many there are, and which number or mark is there more than once or was written with other content."""
    with box.store.read() as db:

        def tally(query: str) -> dict[str, int]:
            return {str(row[0]): int(row[1]) for row in db.execute(query, (tenant.id,))}

        per_number = "SELECT number, count(*) FROM digits_invoice WHERE tenant = ?"
        applied = "FROM digits_applied a JOIN digits_transaction t ON t.n = a.deal WHERE a.tenant = ?"
        written = "FROM digits_invoice i JOIN digits_transaction t ON t.n = i.deal WHERE i.tenant = ?"

        def many(what: str) -> int:
            return int(db.execute(f"SELECT count(*) {what}", (tenant.id,)).fetchone()[0])

        return {
            "invoices": many(written),
            "written_by_apps": many(f"{written} AND t.client_id != ''"),
            "payments": many(applied),
            "payments_by_apps": many(f"{applied} AND t.client_id != ''"),
            "numbers_twice": tally(f"{per_number} AND number != '' GROUP BY number HAVING count(*) > 1"),
            "marks_twice": tally(f"SELECT t.ext, count(*) {written} GROUP BY t.ext HAVING count(*) > 1"),
            "payment_marks_twice": tally(f"SELECT t.ext, count(*) {applied} GROUP BY t.ext HAVING count(*) > 1"),
            "changed_by_apps": tally(f"SELECT t.ext, i.versions {written} AND i.versions > 1"),
        }


def create(box: Sandbox, tenant: Tenant, values: Fields) -> Fields:
    """Somebody else's invoice: `customer` (a party's identifier or a new name), `total`, `number`, `currency`,
    `issued`, `due`, `description`."""
    today = box.clock.now().date().isoformat()
    code = str(values.get("currency", "USD"))
    minor = _minor(values.get("total", "100"), code)
    party = _customer(box, tenant, str(values.get("customer", "Somebody Else Ltd")))
    said = Annotation(True, str(values.get("number", "")), str(values.get("due", today)))
    lines = _sides(minor, code, party, str(values.get("description", "Services")), OWED, SALES)
    now = box.clock.milliseconds()
    with box.store.write() as db:
        deal = _own_deal(db, tenant, party, now)
        books.enter(db, tenant.id, deal, str(values.get("issued", today)), lines, said, now)
        made = _of_deal(db, deal)
        found, news = books.as_json(db, made), events.of_transaction(db, deal, "created")
    events.tell(box, [news])
    return found


def pay(box: Sandbox, tenant: Tenant, wanted: str, values: Fields) -> Fields:
    """A payment found by the business itself: all that is open, or `amount`; on `day`."""
    now, today = box.clock.milliseconds(), box.clock.now().date().isoformat()
    with box.store.write() as db:
        row = _row(db, tenant, wanted)
        left = row["total"] - books.paid(db, row["deal"])
        minor = _minor(values["amount"], row["code"]) if values.get("amount") is not None else left
        if minor <= 0 or row["state"] == books.VOID:
            raise Refused("There is nothing to pay on it.")
        deal = _own_deal(db, tenant, row["party"], now)
        lines = _sides(minor, row["code"], row["party"], "Payment received", BANK, OWED)
        books.enter(db, tenant.id, deal, str(values.get("day", today)), lines, None, now)
        db.execute("UPDATE digits_entry SET linked = 'Invoice' WHERE deal = ?", (deal,))
        db.execute(
            "INSERT INTO digits_applied VALUES (?, ?, ?, ?, ?)",
            (deal, tenant.id, row["deal"], minor, str(values.get("day", today))),
        )
        found = books.as_json(db, _of_deal(db, row["deal"]))
        news = [events.of_transaction(db, deal, "created"), events.of_transaction(db, row["deal"], "updated")]
    events.tell(box, news)
    return found


def void(box: Sandbox, tenant: Tenant, wanted: str) -> Fields:
    """It stays on record and leaves the entries."""
    with box.store.write() as db:
        row = _row(db, tenant, wanted)
        db.execute("DELETE FROM digits_entry WHERE deal = ?", (row["deal"],))
        db.execute("UPDATE digits_invoice SET state = ? WHERE deal = ?", (books.VOID, row["deal"]))
        found, news = books.as_json(db, _of_deal(db, row["deal"])), events.of_transaction(db, row["deal"], "voided")
    events.tell(box, [news])
    return found


def delete(box: Sandbox, tenant: Tenant, wanted: str) -> Fields:
    """Gone; payments on it stay as money that came in. The same external id written again makes it anew."""
    with box.store.write() as db:
        row = _row(db, tenant, wanted)
        found, news = books.as_json(db, row), events.of_transaction(db, row["deal"], "deleted")
        records.drop_transaction(db, row["deal"], box.clock.milliseconds())
    events.tell(box, [news])
    return found


def change(box: Sandbox, tenant: Tenant, wanted: str, values: Fields) -> Fields:
    """Another `total`, `number`, `due` or `description` of what is owed."""
    now = box.clock.milliseconds()
    with box.store.write() as db:
        row = _row(db, tenant, wanted)
        deal = row["deal"]
        if "total" in values:
            minor = _minor(values["total"], row["code"])
            owed = "deal = ? AND owed = 1 AND debit = 1"
            db.execute(f"UPDATE digits_entry SET minor = ?, written = ? WHERE {owed}", (minor, now, deal))
            db.execute(
                "UPDATE digits_entry SET minor = minor + ?, written = ? WHERE n ="
                " (SELECT n FROM digits_entry WHERE deal = ? AND debit = 0 ORDER BY minor DESC, n LIMIT 1)",
                (minor - row["total"], now, deal),
            )
            db.execute("UPDATE digits_invoice SET total = ? WHERE deal = ?", (minor, deal))
        for name in ("number", "due"):
            if name in values:
                db.execute(f"UPDATE digits_invoice SET {name} = ? WHERE deal = ?", (str(values[name]), deal))
        if "description" in values:
            db.execute(
                "UPDATE digits_entry SET description = ?, written = ? WHERE deal = ? AND owed = 1",
                (str(values["description"]), now, deal),
            )
        found, news = books.as_json(db, _of_deal(db, deal)), events.of_transaction(db, deal, "updated")
    events.tell(box, [news])
    return found


def lock(box: Sandbox, tenant: Tenant, until: str) -> str:
    """Nothing can be written on or before this day; an empty one opens the books."""
    with box.store.write() as db:
        _decide(db, tenant, "locked", until)
    return until


def close_category(box: Sandbox, tenant: Tenant, number: str, is_closed: bool) -> None:
    """By its number in the chart of accounts."""
    with box.store.write() as db:
        if number not in {one["chartOfAccountsDisplayNumber"] for one in books.categories(db, tenant.id)}:
            raise Refused(f"There is no category {number}.", 404)
        _decide(db, tenant, f"closed {number}", "yes" if is_closed else "")


def fill(box: Sandbox, tenant: Tenant, count: int, seed: int) -> Fields:
    """So many invoices of the business's own, over its parties and the last year."""
    began, dice, now = time.perf_counter(), random.Random(seed), box.clock.milliseconds()
    today = box.clock.now().date()
    with box.store.write() as db:
        parties = [r["n"] for r in db.execute("SELECT n FROM digits_party WHERE tenant = ?", (tenant.id,))]
        if not parties:
            raise Refused("There is nobody to bill.")
        first = int(db.execute("SELECT coalesce(max(n), 0) + 1 FROM digits_transaction").fetchone()[0])
        for start in range(0, count, TOGETHER):
            deals = range(first + start, first + min(start + TOGETHER, count))
            _fill(db, tenant.id, deals, [(dice.choice(parties), dice.randrange(1, 500_000), _days_ago(today, dice))
                  for _ in deals], now)  # fmt: skip
    box.store.tidy()
    return {"tenant": tenant.id, "invoices": count, "seconds": round(time.perf_counter() - began, 2)}


def _fill(db: sqlite3.Connection, tenant: str, deals: range, facts: list[tuple[int, int, str]], now: int) -> None:
    rows = list(zip(deals, facts, strict=True))
    db.executemany(
        "INSERT INTO digits_transaction VALUES (?, ?, '', 0, ?, ?, '{}')",
        [(deal, tenant, f"filled {deal}", str(uuids.UUID(int=deal, version=4))) for deal in deals],
    )
    db.executemany("INSERT INTO digits_mention VALUES (?, ?, ?)", [(tenant, fact[0], deal) for deal, fact in rows])
    db.executemany(
        "INSERT INTO digits_invoice VALUES (?, ?, ?, ?, ?, 'USD', ?, 'open', ?, 1)",
        [(deal, tenant, f"F-{deal}", day, day, minor, party) for deal, (party, minor, day) in rows],
    )
    db.executemany(
        f"INSERT INTO digits_entry ({books.ENTRY}) VALUES (?, ?, ?, 'Invoice', ?, ?, ?, 'USD', ?, ?, ?, ?, ?)",
        [
            (tenant, deal, day, kind, name, minor, int(owed), f"Invoice F-{deal}", party, int(owed), now)
            for deal, (party, minor, day) in rows
            for name, kind, owed in (OWED, SALES)
        ],
    )
    db.execute(
        "UPDATE digits_ledger SET listed = 1 WHERE tenant = ? AND gone = 0 AND listed = 0 AND n IN"
        " (SELECT p.ledger FROM digits_party p JOIN digits_mention m ON m.party = p.n WHERE m.deal BETWEEN ? AND ?)",
        (tenant, deals[0], deals[-1]),
    )


def _days_ago(today: date, dice: random.Random) -> str:
    return (today - timedelta(days=dice.randrange(365))).isoformat()


def _sides(
    minor: int, code: str, party: int | None, description: str,
    debit: tuple[str, str, bool], credit: tuple[str, str, bool],
) -> list[Line]:  # fmt: skip
    return [Line(minor, code, side is debit, description, side[0], side[1], side[2], party) for side in (debit, credit)]


def _own_deal(db: sqlite3.Connection, tenant: Tenant, party: int | None, now: int) -> int:
    made = db.execute(
        "INSERT INTO digits_transaction (tenant, client_id, source, ext, digits_id, body) VALUES (?, '', 0, ?, ?, ?)",
        (tenant.id, str(uuids.uuid4()), str(uuids.uuid4()), json.dumps({"memo": "Typed in"})),
    )
    assert made.lastrowid is not None
    records.mention(db, tenant.id, made.lastrowid, {party} if party else set(), now)
    return made.lastrowid


def _customer(box: Sandbox, tenant: Tenant, wanted: str) -> int:
    """The row of a party, by identifier or by a name, which is made when nobody has it."""
    found = [one for one in otherside.find(box, tenant, wanted) if wanted in (one["uuid"], one["name"])]
    uuid = found[0]["uuid"] if found else otherside.create(box, tenant, {"name": wanted})["uuid"]
    with box.store.read() as db:
        row = db.execute(
            "SELECT p.n FROM digits_party p JOIN digits_ledger l ON l.n = p.ledger WHERE l.tenant = ? AND l.id = ?",
            (tenant.id, uuid),
        ).fetchone()
    return int(row["n"])


def _row(db: sqlite3.Connection, tenant: Tenant, wanted: str) -> sqlite3.Row:
    rows = db.execute(
        f"{JOINED} WHERE i.tenant = ? AND (t.ext = ? OR i.number = ?) ORDER BY i.deal LIMIT 1",
        (tenant.id, wanted, wanted),
    ).fetchall() or [
        row
        for row in db.execute(f"{JOINED} WHERE i.tenant = ?", (tenant.id,))
        if books.ledger_id(row["digits_id"]) == wanted
    ]
    if not rows:
        raise Refused(f"There is no invoice {wanted!r} in {tenant.name}.", 404)
    found: sqlite3.Row = rows[0]
    return found


def _of_deal(db: sqlite3.Connection, deal: int) -> sqlite3.Row:
    row: sqlite3.Row = db.execute(f"{JOINED} WHERE i.deal = ?", (deal,)).fetchone()
    return row


def _decide(db: sqlite3.Connection, tenant: Tenant, name: str, value: str) -> None:
    db.execute("DELETE FROM digits_rule WHERE tenant = ? AND name = ?", (tenant.id, name))
    if value:
        db.execute("INSERT INTO digits_rule VALUES (?, ?, ?)", (tenant.id, name, value))


def _minor(amount: Any, code: str) -> int:
    try:
        return int(Decimal(str(amount)).scaleb(books.exponent(code)).to_integral_exact())
    except InvalidOperation as reason:
        raise Refused(f"{amount!r} is no amount.") from reason
