"""Which act on an invoice or a payment is meant: create, update, void or delete, as address or batch item says."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from portal.sandbox.context import Sandbox
from portal.sandbox.quickbooks import faults, invoices, payments
from portal.sandbox.quickbooks.company import Company
from portal.sandbox.quickbooks.txns import ENTITIES, Record, loaded

REPEATS = "allowduplicatedocnum"
Act = Callable[[Sandbox, sqlite3.Connection, Company, Record], Record]
DELETING: dict[str, Act] = {"Invoice": invoices.delete, "Payment": payments.delete}


def act(
    box: Sandbox, db: sqlite3.Connection, company: Company, entity: str, body: Record, operation: str, include: str = ""
) -> Record:
    """What is answered under the entity's name; raises Fault."""
    if operation == "delete":
        return DELETING[entity](box, db, company, body)
    if entity == "Invoice" and operation == "void":
        return void_invoice(box, db, company, body)
    if entity == "Payment" and operation in ("update", "void") and include == "void":
        return payments.void(box, db, company, body)
    if operation not in ("create", "update"):
        raise faults.unsupported(operation)
    is_new = body.get("Id") in (None, "")
    if entity == "Payment":
        return payments.create(box, db, company, body) if is_new else payments.update(box, db, company, body)
    may_repeat = include.lower() == REPEATS
    write = invoices.create if is_new else invoices.update
    return write(box, db, company, body, may_repeat_number=may_repeat)


def void_invoice(box: Sandbox, db: sqlite3.Connection, company: Company, body: Record) -> Record:
    """One that is paid is refused, or its payments stay unapplied: a switch, as nobody knows."""
    row = invoices.row_to_change(db, company, "Invoice", body)
    if loaded(row)["LinkedTxn"]:
        if box.switches["quickbooks_void_paid"] == "refused":
            raise faults.business("You cannot void a transaction that payments are applied to. Unlink them first.")
        payments.unlink(box, db, company, str(row["id"]))
        row = db.execute("SELECT * FROM qbo_txn WHERE n = ?", (row["n"],)).fetchone()
    return invoices.void(box, db, company, row)


__all__ = ["ENTITIES", "act", "void_invoice"]
