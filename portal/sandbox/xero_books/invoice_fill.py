"""Filling an organisation with invoices in one go: one paid and one unpaid invoice are printed, and the rest pressed
from them, each with its own number, days, amounts and customer."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.names_practice import stable_uuid
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import around, invoice_records, invoice_rules
from portal.sandbox.xero_books.invoice_records import Fields, milliseconds
from portal.sandbox.xero_books.invoice_sums import cents

TOGETHER = 1000
YEARS_OF_DAYS = 730
PAID_SHARE = 0.8
GAP = "\x00"
# What stands in the two models for what differs.
INVOICE, LINE, PAYMENT, CONTACT = (str(n) * 8 + "-0000-0000-0000-000000000000" for n in (1, 2, 3, 4))
NUMBER = "MODEL-NUMBER"
DAY, DUE, PAID = date(2001, 1, 1), date(2001, 2, 2), date(2001, 3, 3)
UPDATED = 1_000_000_123_000
PRICE, TAX, TOTAL = Decimal("1111.13"), Decimal("166.67"), Decimal("1277.80")


def fill(box: Sandbox, tenant: Tenant, count: int, seed: int) -> dict[str, Any]:
    """So many invoices over two years, most of them paid, in place of all there are."""
    began = time.perf_counter()
    with box.store.write() as db:
        empty(db, tenant.id)
        who = [
            row["id"]
            for row in db.execute(
                "SELECT id FROM books_contact WHERE tenant = ? AND archived = 0 ORDER BY n", (tenant.id,)
            )
        ]
        if not who:
            raise Refused("There is nobody to invoice: load contacts first.")
        made = _made_up(box, tenant, count, who, random.Random(seed))
        while batch := list(islice(made, TOGETHER)):
            invoice_records.insert(db, [row for row, _ in batch])
            db.executemany(
                "INSERT INTO books_payment (tenant, id, invoice, kind, day, amount, status, reference, account,"
                " updated, written, fields) VALUES (?, ?, ?, 'ACCRECPAYMENT', ?, ?, 'AUTHORISED', '', ?, ?, 0, ?)",
                [paid for _, paid in batch if paid],
            )
    box.store.tidy()
    return {"tenant": tenant.id, "invoices": count, "seconds": round(time.perf_counter() - began, 2)}


def empty(db: sqlite3.Connection, tenant: str) -> None:
    """No invoice and no payment left."""
    for table in invoice_records.TABLES:
        db.execute(f"DELETE FROM books_{table} WHERE tenant = ?", (tenant,))


def _made_up(
    box: Sandbox, tenant: Tenant, count: int, who: list[str], dice: random.Random
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...] | None]]:
    first, now = invoice_rules.today(box) - timedelta(days=YEARS_OF_DAYS), box.clock.milliseconds()
    accounts = {one["Code"]: one["AccountID"] for one in around.accounts(box, tenant)}
    models = [_model(tenant, accounts["210"], is_paid=is_paid) for is_paid in (False, True)]
    for n in range(count):
        day = first + timedelta(days=n * YEARS_OF_DAYS // count)
        due, paid_on = day + timedelta(days=20), day + timedelta(days=15)
        price = cents(Decimal(dice.randrange(4_000, 400_000)) / 100)
        tax = cents(price * Decimal("0.15"))
        total, is_paid, updated = price + tax, dice.random() < PAID_SHARE, now - (count - n) * 60_000
        invoice, payment = stable_uuid("invoice", tenant.id, n), stable_uuid("payment", tenant.id, n)
        number, contact = f"B-{n:06d}", dice.choice(who)
        swaps = [
            (INVOICE, invoice), (LINE, stable_uuid("line", tenant.id, n)), (PAYMENT, payment), (CONTACT, contact),
            (NUMBER, number), (str(TOTAL), str(total)), (str(PRICE), str(price)), (str(TAX), str(tax)),
            (str(UPDATED), str(updated)), (_said(UPDATED), _said(updated)),
        ]  # fmt: skip
        for model, own in ((DAY, day), (DUE, due), (PAID, paid_on)):
            swaps += [(str(milliseconds(model)), str(milliseconds(own))), (model.isoformat(), own.isoformat())]
        text = models[is_paid]
        for old, new in swaps:
            text = text.replace(old, new)
        left = 0.0 if is_paid else float(total)
        yield (
            tenant.id, invoice, "ACCREC", number, "", contact, "PAID" if is_paid else "AUTHORISED", milliseconds(day),
            milliseconds(due), "NZD", float(total), left, float(total) - left, f"{number.casefold()}\n", "", updated,
            updated, 0, *text.split(GAP),
        ), (
            tenant.id, payment, invoice, milliseconds(paid_on), str(total), accounts["090"], updated,
            '{"CurrencyRate":"1"}',
        ) if is_paid else None  # fmt: skip


def _model(tenant: Tenant, account: str, *, is_paid: bool) -> str:
    """What is printed of an invoice: its last four columns."""
    fields: Fields = {
        "Type": "ACCREC", "ContactID": CONTACT, "InvoiceNumber": NUMBER, "Date": DAY.isoformat(),
        "DueDate": DUE.isoformat(), "LineAmountTypes": "Exclusive", "CurrencyCode": "NZD", "CurrencyRate": "1",
        "Status": "AUTHORISED",
        "Lines": [{
            "LineItemID": LINE, "Description": "Accounting services", "Quantity": "1", "UnitAmount": str(PRICE),
            "LineAmount": str(PRICE), "TaxAmount": str(TAX), "Discount": "0.00", "AccountCode": "210",
            "AccountID": account, "TaxType": "OUTPUT2",
        }],
    }  # fmt: skip
    payments: list[Fields] = [{"id": PAYMENT, "amount": str(TOTAL), "reference": "", "day": milliseconds(PAID)}]
    row = invoice_records.row_of(tenant.id, INVOICE, fields, payments if is_paid else [], "", UPDATED, UPDATED, 0)
    return GAP.join(row[-4:])


def _said(stored: int) -> str:
    return f"{datetime.fromtimestamp(stored / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
