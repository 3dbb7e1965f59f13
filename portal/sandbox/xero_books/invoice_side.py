"""What people do with invoices inside Xero itself, behind the portal's back: raise, pay, void, delete, edit.

Nothing is checked here as the API would: the other side may hold odd values, and tests want it to.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import around, hooks, invoice_records, invoice_rules, payments
from portal.sandbox.xero_books.invoice_records import Fields
from portal.sandbox.xero_books.invoice_sums import cents

SHORT = {"number": "InvoiceNumber", "reference": "Reference", "url": "Url", "date": "Date", "due": "DueDate",
         "currency": "CurrencyCode", "status": "Status", "kind": "Type"}  # fmt: skip
TYPED = (*SHORT.values(), "LineItems", "LineAmountTypes", "BrandingThemeID", "SentToContact", "CurrencyRate")


def find(box: Sandbox, tenant: Tenant, q: str = "", limit: int = 50) -> list[Fields]:
    """Invoices with `q` in number or reference, or the one with that identifier; newest first."""
    with box.store.read() as db:
        rows = db.execute(
            f"{_SELECT} AND (i.id = ? OR instr(i.search, ?) > 0) ORDER BY i.n DESC LIMIT ?",
            (tenant.id, q.lower(), q.casefold(), limit),
        ).fetchall()
        return [_seen(db, row) for row in rows]


def one(box: Sandbox, tenant: Tenant, invoice: str) -> Fields:
    """One in full, by identifier or number."""
    with box.store.read() as db:
        return _seen(db, _row(db, tenant, invoice))


def counts(box: Sandbox, tenant: Tenant, least: int = 1) -> dict[str, Any]:
    """How many there are, and how many of each number and each address (Url), where that is at least `least`."""
    with box.store.read() as db:
        rows = db.execute("SELECT number, fields, kind FROM books_invoice WHERE tenant = ?", (tenant.id,)).fetchall()
        paid = db.execute(
            "SELECT reference FROM books_payment WHERE tenant = ? AND status = 'AUTHORISED'", (tenant.id,)
        ).fetchall()
    sales = [one for one in rows if one["kind"] == "ACCREC"]
    urls = Counter(_url(one["fields"]) for one in sales)
    return {
        "invoices": len(sales),
        "payments": len(paid),
        "by_number": _many(Counter(one["number"] for one in sales), least),
        "by_mark": _many(urls, least),
        "payments_by_mark": _many(Counter(one["reference"] for one in paid), least),
    }


def create(box: Sandbox, tenant: Tenant, values: Fields) -> Fields:
    """An invoice somebody typed in: `contact` (name or identifier), `number`, `total` or `LineItems`, `date`, `due`,
    `status`. Approved unless told otherwise."""
    lists, now = invoice_rules.known(box, tenant), box.clock.milliseconds()
    given: Fields = {
        "Type": "ACCREC",
        "Status": "AUTHORISED",
        "DueDate": (lists.today + timedelta(days=20)).isoformat(),
    }
    item: Fields = given | _typed(values)
    if "total" in values:
        item |= {"LineItems": [_single(values["total"])], "LineAmountTypes": "NoTax"}
    fields = invoice_rules.read(item, None, lists, places=4).fields
    with box.store.write() as db:
        fields["ContactID"] = _contact(db, tenant, str(values.get("contact") or ""))
        invoice = str(values.get("uuid") or uuid.uuid4()).lower()
        invoice_records.insert(db, [invoice_records.row_of(tenant.id, invoice, fields, [], "", now, now, now)])
        seen = _seen(db, _row(db, tenant, invoice))
    hooks.tell(box, tenant, [(invoice, True)])
    return seen


def change(box: Sandbox, tenant: Tenant, invoice: str, values: Fields) -> Fields:
    """Change fields, lines or the `total`."""
    lists = invoice_rules.known(box, tenant)
    with box.store.write() as db:
        row = _row(db, tenant, invoice)
        item = _typed(values)
        if "total" in values:
            item |= {"LineItems": [_single(values["total"])], "LineAmountTypes": "NoTax"}
        fields = invoice_rules.read(item, invoice_records.load(row), lists, places=4).fields
        if values.get("contact"):
            fields["ContactID"] = _contact(db, tenant, str(values["contact"]))
        invoice_records.save(db, row, fields, box.clock.milliseconds())
        seen = _seen(db, _row(db, tenant, row["id"]))
    hooks.tell(box, tenant, [(row["id"], False)])
    return seen


def pay(box: Sandbox, tenant: Tenant, invoice: str, values: Fields) -> Fields:
    """Pay the whole, or `amount` of it, on `date` into `account` (a code)."""
    account = next(one for one in around.accounts(box, tenant) if one["Code"] == str(values.get("account") or "090"))
    day = date.fromisoformat(str(values["date"])) if values.get("date") else invoice_rules.today(box)
    with box.store.write() as db:
        row = _row(db, tenant, invoice)
        amount = cents(Decimal(str(values["amount"]))) if values.get("amount") else invoice_records.due_of(db, row)
        payments.add(box, db, row, amount, day, account["AccountID"], str(values.get("reference") or ""))
        seen = _seen(db, _row(db, tenant, row["id"]))
    _told_of_payment(box, tenant, row["id"])
    return seen


def unpay(box: Sandbox, tenant: Tenant, invoice: str) -> Fields:
    """Take back every payment."""
    with box.store.write() as db:
        row = _row(db, tenant, invoice)
        for payment in invoice_records.payments_of(db, tenant.id, row["id"]):
            payments.remove(box, db, payment)
        seen = _seen(db, _row(db, tenant, row["id"]))
    _told_of_payment(box, tenant, row["id"])
    return seen


def credit(box: Sandbox, tenant: Tenant, invoice: str, amount: str) -> Fields:
    """A credit note takes so much off."""
    with box.store.write() as db:
        row = _row(db, tenant, invoice)
        fields = invoice_records.load(row)
        note = {
            "id": str(uuid.uuid4()), "number": f"CN-{row['n']:04d}", "amount": f"{cents(Decimal(amount)):f}",
            "day": invoice_records.milliseconds(invoice_rules.today(box)),
        }  # fmt: skip
        fields["Credits"] = [*fields.get("Credits", []), note]
        invoice_records.save(db, row, fields, box.clock.milliseconds())
        seen = _seen(db, _row(db, tenant, row["id"]))
    hooks.tell(box, tenant, [(row["id"], False)])
    return seen


def end(box: Sandbox, tenant: Tenant, invoice: str, status: str) -> Fields:
    """VOIDED or DELETED; its payments go first, as somebody would have to do it there."""
    with box.store.write() as db:
        row = _row(db, tenant, invoice)
        for payment in invoice_records.payments_of(db, tenant.id, row["id"]):
            payments.remove(box, db, payment)
        row = _row(db, tenant, row["id"])
        invoice_records.save(db, row, invoice_records.load(row) | {"Status": status}, box.clock.milliseconds())
        seen = _seen(db, _row(db, tenant, row["id"]))
    hooks.tell(box, tenant, [(row["id"], False)])
    return seen


_SELECT = f"SELECT i.*, c.name AS contact_name FROM books_invoice AS i {invoice_records.JOINED} WHERE i.tenant = ?"


def _seen(db: sqlite3.Connection, row: sqlite3.Row) -> Fields:
    named = dict(row)
    if "contact_name" not in named:
        found = db.execute(f"{_SELECT} AND i.id = ?", (row["tenant"], row["id"])).fetchone()
        named = dict(found)
    fields = invoice_records.load(row)
    return {
        "uuid": row["id"], "number": row["number"], "reference": row["reference"], "status": row["status"],
        "kind": row["kind"], "contact": row["contact"], "contact_name": named["contact_name"] or "",
        "date": fields["Date"], "due": fields.get("DueDate", ""), "currency": row["currency"],
        "total": f"{row['total']:.2f}", "amount_due": f"{row['due']:.2f}", "paid": f"{row['paid']:.2f}",
        "url": fields.get("Url", ""), "fields": fields,
        "payments": [
            {"uuid": one["id"], "amount": one["amount"], "reference": one["reference"],
             "date": invoice_records.day_of(one["day"]).isoformat()}
            for one in invoice_records.payments_of(db, row["tenant"], row["id"])
        ],
    }  # fmt: skip


def _row(db: sqlite3.Connection, tenant: Tenant, invoice: str) -> sqlite3.Row:
    row = invoice_records.find(db, tenant.id, invoice)
    if row is None:
        raise Refused(f"There is no invoice {invoice!r}.", 404)
    return row


def _contact(db: sqlite3.Connection, tenant: Tenant, wanted: str) -> str:
    row = db.execute(
        "SELECT id FROM books_contact WHERE tenant = ? AND (? = '' OR id = ? OR name = ?) ORDER BY archived, n LIMIT 1",
        (tenant.id, wanted, wanted.lower(), wanted),
    ).fetchone()
    if row is None:
        raise Refused(f"There is no contact {wanted!r}.", 404)
    return str(row["id"])


def _typed(values: Fields) -> Fields:
    named = {SHORT.get(name, name): value for name, value in values.items() if name not in ("contact", "total", "uuid")}
    if strange := sorted(set(named) - set(TYPED)):
        raise Refused(f"An invoice has no {', '.join(strange)}.")
    return named


def _single(total: Any) -> Fields:
    return {"Description": "Services", "Quantity": 1, "UnitAmount": str(total), "AccountCode": "200", "TaxType": "NONE"}


def _told_of_payment(box: Sandbox, tenant: Tenant, invoice: str) -> None:
    if box.switches["xero_payment_tells_invoice"]:
        hooks.tell(box, tenant, [(invoice, False)])


def _url(fields: str) -> str:
    found = invoice_records.json.loads(fields)
    return str(found.get("Url", ""))


def _many(counted: Counter[str], least: int) -> dict[str, int]:
    return {name: count for name, count in counted.items() if name and count >= least}
