"""Payments: lists, one, create many, and take one back."""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from flask import Response

from portal.sandbox.context import Sandbox, here, hint
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import api, around, hooks, invoice_records, invoice_rules, query, wire
from portal.sandbox.xero_books.api import blueprint
from portal.sandbox.xero_books.contacts import summarize
from portal.sandbox.xero_books.invoice_records import Fields
from portal.sandbox.xero_books.query import Column
from portal.sandbox.xero_books.wire import Item, stamp

MOST = 1000
TOO_MUCH = "Payment amount exceeds the amount outstanding on this document"
NOT_PAYABLE = "Payments can only be made against Authorised documents"
BAD_ACCOUNT = "The account is not of type BANK and is not enabled for payments"
COLUMNS: dict[str, Column] = {
    "paymentid": Column("p.id", "p.id", lambda value: str(value).lower()),
    "paymenttype": Column("p.kind", "p.kind", quick=True),
    "status": Column("p.status", "p.status", lambda value: str(value).upper(), quick=True),
    "invoice.invoiceid": Column("p.invoice", "p.invoice", lambda value: str(value).lower(), quick=True),
    "reference": Column("p.reference", "p.reference", quick=True),
    "date": Column("p.day", "p.day", int, quick=True),
}
SOURCE = (
    "FROM books_payment AS p JOIN books_invoice AS i ON i.tenant = p.tenant AND i.id = p.invoice WHERE p.tenant = ?"
)
SHOWN = "p.*, i.kind AS invoice_kind, i.number, i.contact, i.currency"


@dataclass
class Outcome:
    """What became of one element."""

    sent: Item
    payment: str | None = None
    invoice: str = ""
    errors: list[str] = field(default_factory=list)


@blueprint.get("/Payments")
def payment_list() -> Response:
    """All, or those asked for; deleted ones too."""
    page, size = api.number("page"), min(MOST, max(1, api.number("pageSize") or 100))
    conditions: list[str] = []
    values: list[Any] = [api.tenant().id]
    if (since := api.modified_since()) is not None:
        conditions.append("p.updated >= ?")
        values.append(since)
    if where := api.argument("where"):
        found = query.compile_where(where, COLUMNS, query.json_field("p.fields"))
        conditions.append(found.sql)
        values.extend(found.values)
    source = " AND ".join([SOURCE, *conditions])
    cut = f" LIMIT {size} OFFSET {(max(1, page) - 1) * size}" if page else ""
    with here().store.read() as db:
        total: int = db.execute(f"SELECT count(*) {source}", values).fetchone()[0]
        rows = db.execute(f"SELECT {SHOWN} {source} ORDER BY p.updated, p.id{cut}", values).fetchall()
    shown = [] if hint("empty_list") else [wire.render_exactly(_shown(row)) for row in rows]
    paged = {"page": page, "pageSize": size, "pageCount": -(-total // size), "itemCount": total} if page else None
    return wire.answer("Payments", shown, paged)


@blueprint.get("/Payments/<payment>")
def payment_get(payment: str) -> Response:
    """One."""
    with here().store.read() as db:
        return wire.answer("Payments", [_printed(db, api.tenant(), payment.lower())])


@blueprint.put("/Payments")
@blueprint.post("/Payments")
def payment_create() -> Response:
    """Create one or many."""
    return _save_many(here(), api.tenant(), wire.body_items("Payments", exact=True), summary=summarize())


@blueprint.post("/Payments/<payment>")
def payment_delete(payment: str) -> Response:
    """Take it back: nothing else can be done to a payment."""
    box, tenant = here(), api.tenant()
    (sent, *_rest) = wire.body_items("Payments")
    if str(sent.get("Status") or "").upper() != "DELETED":
        raise wire.invalid([{"ValidationErrors": [{"Message": "Payments cannot be edited, only deleted"}]}])
    with box.store.write() as db:
        row = db.execute(
            "SELECT * FROM books_payment WHERE tenant = ? AND id = ?", (tenant.id, payment.lower())
        ).fetchone()
        if row is None:
            raise api.NoSuch
        remove(box, db, row)
        printed = _printed(db, tenant, row["id"])
    _told(box, tenant, [row["invoice"]])
    return wire.answer("Payments", [printed])


def add(
    box: Sandbox, db: sqlite3.Connection, invoice: sqlite3.Row, amount: Decimal, day: date, account: str,
    reference: str = "", **more: Any,
) -> str:  # fmt: skip
    """Book a payment; the invoice follows. Its identifier."""
    payment, now = str(uuid.uuid4()), box.clock.milliseconds()
    kind = "ACCRECPAYMENT" if invoice["kind"] == "ACCREC" else "ACCPAYPAYMENT"
    fields = {"CurrencyRate": invoice_records.load(invoice)["CurrencyRate"], **more}
    db.execute(
        "INSERT INTO books_payment (tenant, id, invoice, kind, day, amount, status, reference, account, updated,"
        " written, fields) VALUES (?, ?, ?, ?, ?, ?, 'AUTHORISED', ?, ?, ?, ?, ?)",
        (invoice["tenant"], payment, invoice["id"], kind, invoice_records.milliseconds(day), f"{amount:.2f}",
         reference, account, now, now, wire.encode(fields)),
    )  # fmt: skip
    invoice_records.save(db, invoice, invoice_records.load(invoice), now)
    return payment


def remove(box: Sandbox, db: sqlite3.Connection, payment: sqlite3.Row) -> None:
    """Mark a payment as deleted; the invoice is open again."""
    now = box.clock.milliseconds()
    db.execute(
        "UPDATE books_payment SET status = 'DELETED', updated = ?, written = ? WHERE n = ?", (now, now, payment["n"])
    )
    invoice = invoice_records.find(db, payment["tenant"], payment["invoice"])
    if invoice is not None:
        invoice_records.save(db, invoice, invoice_records.load(invoice), now)


def _save_many(box: Sandbox, tenant: Tenant, items: list[Item], *, summary: bool) -> Response:
    told = hint("business_error")
    accounts = around.accounts(box, tenant)
    with box.store.write() as db:
        done = [
            Outcome(item, errors=[api.refusal(told)]) if told else _save_one(box, db, tenant, item, accounts)
            for item in items
        ]
        bad = [one for one in done if one.errors]
        if bad and summary:
            raise wire.invalid([_echo(one) for one in bad])
        printed = [
            _with_status(_printed(db, tenant, one.payment), summary=summary)
            if one.payment
            else wire.render_exactly(_echo(one) | {"StatusAttributeString": "ERROR"})
            for one in done
        ]
    _told(box, tenant, [one.invoice for one in done if one.payment])
    return wire.answer("Payments", printed)


def _save_one(box: Sandbox, db: sqlite3.Connection, tenant: Tenant, item: Item, accounts: list[Item]) -> Outcome:
    done = Outcome(item)
    sent = item.get("Invoice") if isinstance(item.get("Invoice"), dict) else {}
    wanted = str((sent or {}).get("InvoiceID") or (sent or {}).get("InvoiceNumber") or item.get("InvoiceNumber") or "")
    invoice = invoice_records.find(db, tenant.id, wanted) if wanted else None
    amount = invoice_rules.number("Amount", item.get("Amount", 0))
    account = _account(item, accounts)
    day = invoice_rules.day("Date", str(item["Date"])) if item.get("Date") else invoice_rules.today(box)
    if invoice is None:
        done.errors.append("A document to pay must be given: Invoice, CreditNote, Prepayment or Overpayment")
    elif invoice["status"] != "AUTHORISED":
        done.errors.append(NOT_PAYABLE)
    elif amount > invoice_records.due_of(db, invoice):
        done.errors.append(TOO_MUCH)
    if amount <= 0 or amount != amount.quantize(Decimal("0.01")):
        done.errors.append("The payment amount must be greater than zero and have at most two decimals")
    if account is None or account["Status"] != "ACTIVE":
        done.errors.append("The account could not be found")
    elif account["Type"] != "BANK" and not account["EnablePaymentsToAccount"]:
        done.errors.append(BAD_ACCOUNT)
    if day <= around.locked_until(box, tenant):
        done.errors.append(invoice_rules.LOCKED.format(around.locked_until(box, tenant)))
    if not done.errors and invoice is not None and account is not None:
        reference = str(item.get("Reference") or "")[:255]
        done.payment = add(box, db, invoice, amount, day, account["AccountID"], reference)
        done.invoice = invoice["id"]
    return done


def _account(item: Item, accounts: list[Item]) -> Item | None:
    sent = item.get("Account") if isinstance(item.get("Account"), dict) else {}
    wanted, code = str((sent or {}).get("AccountID") or "").lower(), str((sent or {}).get("Code") or "")
    return next((one for one in accounts if one["AccountID"] == wanted or (code and one["Code"] == code)), None)


def _printed(db: sqlite3.Connection, tenant: Tenant, payment: str) -> str:
    row = db.execute(f"SELECT {SHOWN} {SOURCE} AND p.id = ?", (tenant.id, payment)).fetchone()
    if row is None:
        raise api.NoSuch
    return wire.render_exactly(_shown(row))


def _shown(row: sqlite3.Row) -> Fields:
    """A payment; the invoice in it is thin."""
    moment = stamp(row["updated"])
    return {
        "PaymentID": row["id"],
        "Date": stamp(row["day"]),
        "BankAmount": Decimal(row["amount"]),
        "Amount": Decimal(row["amount"]),
        "Reference": row["reference"],
        "CurrencyRate": Decimal(str(wire.json.loads(row["fields"])["CurrencyRate"])),
        "PaymentType": row["kind"],
        "Status": row["status"],
        "UpdatedDateUTC": moment,
        "HasAccount": True,
        "IsReconciled": False,
        "Account": {"AccountID": row["account"]},
        "Invoice": {
            "Type": row["invoice_kind"],
            "InvoiceID": row["invoice"],
            "InvoiceNumber": row["number"],
            "Payments": [],
            "CreditNotes": [],
            "Prepayments": [],
            "Overpayments": [],
            "IsDiscounted": False,
            "HasErrors": False,
            "Contact": {"ContactID": row["contact"], "HasValidationErrors": False},
            "LineItems": [],
            "CurrencyCode": row["currency"],
        },
        "HasValidationErrors": False,
    }


def _with_status(text: str, *, summary: bool) -> str:
    return text if summary else f'{text[:-1]},"StatusAttributeString":"OK"}}'


def _echo(done: Outcome) -> Item:
    sent = {key: value for key, value in done.sent.items() if value is not None}
    return {
        "PaymentID": wire.NO_GUID, **sent, "HasValidationErrors": True,
        "ValidationErrors": [{"Message": message} for message in done.errors],
    }  # fmt: skip


def _told(box: Sandbox, tenant: Tenant, invoices: list[str]) -> None:
    """Xero has no event for a payment; that the invoice's comes is likely and not confirmed."""
    if box.switches["xero_payment_tells_invoice"]:
        hooks.tell(box, tenant, [(one, False) for one in dict.fromkeys(invoices)])
