"""What people do with money inside QuickBooks itself: invoices of their own, payments, voids, deletions, lists."""

from __future__ import annotations

import json
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.quickbooks import books, invoices, payments, txn_writes, txns
from portal.sandbox.quickbooks.company import COMPANIES, Company
from portal.sandbox.quickbooks.txns import Record
from portal.sandbox.quickbooks.wire import PACIFIC, Fault
from portal.sandbox.vendor import Tenant

Values = dict[str, Any]
MOST_TOGETHER = 1000
OURS = ("customer", "amount", "total")
SIGN = re.compile(r"\[(?:[^\]\n]* )?([^\]\s]+)\]")
LISTS = {
    "accounts": "Account", "items": "Item", "tax-codes": "TaxCode", "tax-rates": "TaxRate", "terms": "Term",
    "payment-methods": "PaymentMethod",
}  # fmt: skip


def find(
    box: Sandbox,
    tenant: Tenant,
    entity: str,
    *,
    number: str = "",
    mark: str = "",
    customer: str = "",
    q: str = "",
    limit: int = 50,
) -> list[Values]:
    """The newest first. `mark` is any part of the private note, `q` any part of the number."""
    query = "SELECT * FROM qbo_txn WHERE tenant = ? AND entity = ? AND gone = 0"
    values: list[Any] = [tenant.id, entity]
    if number:
        query, values = f"{query} AND number = ?", [*values, number.casefold()]
    if customer:
        query, values = f"{query} AND customer = ?", [*values, customer]
    if mark:
        query, values = f"{query} AND instr(note, ?) > 0", [*values, mark]
    if q:
        query, values = f"{query} AND instr(number, ?) > 0", [*values, q.casefold()]
    with box.store.read() as db:
        rows = db.execute(f"{query} ORDER BY id DESC LIMIT ?", [*values, limit]).fetchall()
    return [_seen(row) for row in rows]


def counts(box: Sandbox, tenant: Tenant, least: int = 1) -> Values:
    """How many there are, and how many of each number and each sign, where that is at least `least`."""
    with box.store.read() as db:
        rows = db.execute(
            "SELECT entity, coalesce(json_extract(body, '$.DocNumber'), '') AS number, note FROM qbo_txn"
            " WHERE tenant = ? AND gone = 0",
            (tenant.id,),
        ).fetchall()
    sent = [row for row in rows if row["entity"] == "Invoice"]
    paid = [row for row in rows if row["entity"] == "Payment"]
    return {
        "invoices": len(sent),
        "payments": len(paid),
        "by_number": _many([row["number"] for row in sent], least),
        "by_mark": _many([_sign(row["note"]) for row in sent], least),
        "payments_by_mark": _many([_sign(row["note"]) for row in paid], least),
    }


def one(box: Sandbox, tenant: Tenant, entity: str, identifier: str) -> Values:
    """One of them, deleted or not."""
    with box.store.read() as db:
        return _seen(_row(db, tenant, entity, identifier))


def create(box: Sandbox, tenant: Tenant, values: Values) -> Values:
    """Somebody's own invoice: `customer`, `amount` before tax or `total` with it, `number`, `date`, `due`, `note`; or
    `lines` as sent."""
    company = COMPANIES[tenant.id]
    body = _body(company, values)
    with _writing(box) as db:
        made = invoices.create(box, db, company, body, may_repeat_number=True)
        return _seen(_row(db, tenant, "Invoice", made["Id"]))


def change(box: Sandbox, tenant: Tenant, identifier: str, values: Values) -> Values:
    """Another `amount` or `total`, `number`, `date`, `due`, `note`, `customer` or `lines`; other fields by QuickBooks'
    own names."""
    company = COMPANIES[tenant.id]
    with _writing(box) as db:
        record = txns.loaded(_row(db, tenant, "Invoice", identifier))
        identifier = record["Id"]
        body = {"Id": identifier, "SyncToken": record["SyncToken"], "sparse": True, **_body(company, values)}
        invoices.update(box, db, company, body, may_repeat_number=True)
        return _seen(_row(db, tenant, "Invoice", identifier))


def pay(box: Sandbox, tenant: Tenant, identifier: str, values: Values) -> Values:
    """The invoice after somebody paid it: `amount` (all that is open), `date`, `note`, `into` (undeposited funds)."""
    company = COMPANIES[tenant.id]
    with _writing(box) as db:
        record = txns.loaded(_row(db, tenant, "Invoice", identifier))
        identifier = record["Id"]
        amount = txns.plain(txns.exact(values.get("amount", record["Balance"])))
        body: Record = {
            "CustomerRef": record["CustomerRef"], "TotalAmt": amount, "CurrencyRef": record["CurrencyRef"],
            "TxnDate": values.get("date") or invoices.today(box), "PrivateNote": values.get("note", ""),
            "Line": [{"Amount": amount, "LinkedTxn": [{"TxnId": identifier, "TxnType": "Invoice"}]}],
        }  # fmt: skip
        if values.get("into"):
            body["DepositToAccountRef"] = {"value": str(values["into"])}
        made = payments.create(box, db, company, body)
        return {**_seen(_row(db, tenant, "Invoice", identifier)), "payment": made["Id"]}


def end(box: Sandbox, tenant: Tenant, entity: str, identifier: str, what: str) -> Values:
    """`void` or `delete`, whatever is linked."""
    company = COMPANIES[tenant.id]
    with _writing(box) as db:
        identifier = str(_row(db, tenant, entity, identifier)["id"])
        if entity == "Invoice":
            payments.unlink(box, db, company, identifier)
        record = txns.loaded(_row(db, tenant, entity, identifier))
        body = {"Id": identifier, "SyncToken": record["SyncToken"]}
        operation = "update" if what == "void" and entity == "Payment" else what
        txn_writes.act(box, db, company, entity, body, operation, "void" if what == "void" else "")
        return _seen(_row(db, tenant, entity, identifier))


def fill(box: Sandbox, tenant: Tenant, many: int, seed: int) -> Values:
    """So many invoices instead of all there are; the same ones for the same seed. A third are open."""
    began, company = time.perf_counter(), COMPANIES[tenant.id]
    with box.store.write() as db:
        for table in txns.TABLES:
            db.execute(f"DELETE FROM qbo_{table} WHERE tenant = ?", (tenant.id,))
        names = db.execute(
            "SELECT id, q_display FROM qbo_name WHERE tenant = ? AND entity = 'Customer' AND active = 1 ORDER BY id",
            (tenant.id,),
        ).fetchall()
        if not names:
            raise Refused("There is no customer to send an invoice to.", 409)
        customers = [(str(row["id"]), row["q_display"]) for row in names]
        for name in txns.INDEXES:  # it is quicker to make them anew
            db.execute(f"DROP INDEX IF EXISTS {name}")
        rows = _made_up(company, customers, many, seed, int(box.clock.seconds()))
        while batch := list(islice(rows, MOST_TOGETHER)):
            db.executemany(txns.INSERT, batch)
        for statement in txns.INDEXES.values():
            db.execute(statement)
    box.store.tidy()
    return {"tenant": tenant.id, "invoices": many, "seconds": round(time.perf_counter() - began, 2)}


def entries(box: Sandbox, tenant: Tenant, kind: str) -> list[Record]:
    """A short list, inactive entries included."""
    with box.store.read() as db:
        rows = db.execute(
            "SELECT body FROM qbo_list WHERE tenant = ? AND entity = ? AND gone = 0 ORDER BY n",
            (tenant.id, LISTS[kind]),
        ).fetchall()
    return [json.loads(row["body"]) for row in rows]


def change_entry(box: Sandbox, tenant: Tenant, kind: str, identifier: str, values: Values) -> Record:
    """Fields by QuickBooks' own names; `Active` false puts it away."""
    with box.store.write() as db:
        _need_entry(db, tenant, kind, identifier)
        return books.change(db, tenant.id, LISTS[kind], identifier, values, box.clock.milliseconds())


def remove_entry(box: Sandbox, tenant: Tenant, kind: str, identifier: str) -> None:
    """No longer there."""
    with box.store.write() as db:
        _need_entry(db, tenant, kind, identifier)
        books.remove(db, tenant.id, LISTS[kind], identifier, box.clock.milliseconds())


def forget_requests(box: Sandbox, tenant: Tenant) -> int:
    """As if the memory of request ids had run out; how many."""
    with box.store.write() as db:
        return db.execute("DELETE FROM qbo_request WHERE tenant = ?", (tenant.id,)).rowcount


def _many(found: list[str], least: int) -> dict[str, int]:
    return {name: many for name, many in Counter(found).items() if name and many >= least}


def _sign(note: str) -> str:
    """What an app wrote to know its own again: the last word in square brackets in the private note."""
    signed = SIGN.search(note)
    return signed[1] if signed else ""


def _body(company: Company, values: Values) -> Record:
    """`amount` is without tax, `total` with it; everything else under QuickBooks' names or a short word."""
    short = {"number": "DocNumber", "date": "TxnDate", "due": "DueDate", "note": "PrivateNote", "lines": "Line"}
    body: Record = {short.get(name, name): value for name, value in values.items() if name not in OURS}
    if values.get("customer"):
        body["CustomerRef"] = {"value": str(values["customer"])}
    is_us, total, price = company.country == "US", values.get("total"), values.get("amount")
    if total is not None:
        gross = txns.exact(total)
        price = txns.plain(gross if is_us else txns.rounded(gross * 100 / 115, company.currency))
    if price is not None:
        work = _line("Somebody else's work", txns.plain(txns.exact(price)), 1, "NON" if is_us else "2")
        if total is not None and not is_us:
            work["SalesItemLineDetail"]["TaxInclusiveAmt"] = txns.plain(gross)
            body["GlobalTaxCalculation"] = "TaxInclusive"
        body["Line"] = [work]
    return body


def _line(text: str, price: Any, many: int, code: str) -> Record:
    detail = {"ItemRef": {"value": "1"}, "Qty": many, "UnitPrice": price, "TaxCodeRef": {"value": code}}
    amount = txns.plain(txns.exact(price) * many)
    return {
        "Description": text, "Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail,
    }  # fmt: skip


def _made_up(
    company: Company, customers: list[tuple[str, str]], many: int, seed: int, now: int
) -> Iterator[tuple[Any, ...]]:
    dice, today = random.Random(seed), datetime.fromtimestamp(now, PACIFIC).date()
    code, tax = ("NON", 0) if company.country == "US" else ("2", 15)
    for number in range(1, many + 1):
        identifier, name = customers[number % len(customers)]
        age = dice.randrange(700)
        price, day = dice.randrange(50, 3000), today - timedelta(days=age)
        total = price + txns.plain(txns.rounded(txns.exact(price) * tax / 100, company.currency))
        line = {"Id": "1", "LineNum": 1, **_line("Work done", price, 1, code)}
        sub = {"Amount": price, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
        record = {
            "DocNumber": f"B{number:06d}", "TxnDate": day.isoformat(),
            "DueDate": (day + timedelta(days=20)).isoformat(),
            "CustomerRef": {"value": identifier, "name": name.title()}, "Line": [line, sub], "LinkedTxn": [],
            "CurrencyRef": {"value": company.currency, "name": company.currency_name},
            "GlobalTaxCalculation": "TaxExcluded", "TxnTaxDetail": {"TotalTax": txns.plain(txns.exact(total) - price)},
            "TotalAmt": total, "Balance": total if number % 3 == 0 else 0, "domain": "QBO", "sparse": False,
            "Id": str(number), "SyncToken": "0",
        }  # fmt: skip
        moment = now - age * 86_400 - dice.randrange(86_400)
        yield txns.row_of(company.realm, "Invoice", record, moment, moment, 0)


@contextmanager
def _writing(box: Sandbox) -> Iterator[sqlite3.Connection]:
    """Faults of the service are refusals of the controls."""
    try:
        with box.store.write() as db:
            yield db
    except Fault as fault:
        raise Refused(f"{fault.code} {fault.detail or fault.message}", 409) from fault


def _need_entry(db: sqlite3.Connection, tenant: Tenant, kind: str, identifier: str) -> None:
    if books.find(db, tenant.id, LISTS[kind], identifier) is None:
        raise Refused(f"There is no {identifier!r} among the {kind} of {tenant.name}.", 404)


def _seen(row: sqlite3.Row) -> Values:
    record = txns.loaded(row)
    note = str(record.get("PrivateNote") or "")
    return {
        "uuid": str(row["id"]),
        "kind": row["entity"],
        "number": record.get("DocNumber") or "",
        "customer": record["CustomerRef"].get("name", ""),
        "total": record["TotalAmt"],
        "open": record.get("Balance", 0),
        "note": note,
        "voided": record["TotalAmt"] == 0 and note.startswith("Voided"),
        "deleted": bool(row["gone"]),
        "fields": record,
    }


def _row(db: sqlite3.Connection, tenant: Tenant, entity: str, identifier: str) -> sqlite3.Row:
    """By Id; by number where there is no such Id."""
    number = int(identifier) if identifier.isascii() and identifier.isdigit() and len(identifier) < 19 else -1
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM qbo_txn WHERE tenant = ? AND entity = ? AND (id = ? OR number = ?) ORDER BY id = ? DESC LIMIT 1",
        (tenant.id, entity, number, identifier.casefold() or "?", number),
    ).fetchone()
    if row is None:
        raise Refused(f"There is no {entity.lower()} {identifier!r} in {tenant.name}.", 404)
    return row
