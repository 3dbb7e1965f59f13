"""Invoices and payments as an organisation stores and prints them.

`fields` hold what was typed, numbers as texts. The JSON is printed once, when something changes, in pieces: a list that
is not paged leaves the lines out, a summary the payments too. The contact's name comes from the contact.
"""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from portal.sandbox.xero_books.invoice_sums import Sums, cents, sums
from portal.sandbox.xero_books.wire import encode, render_exactly, stamp

Fields = dict[str, Any]
MEMORY_MS = 86_400_000
COLUMNS = (
    "tenant", "id", "kind", "number", "reference", "contact", "status", "day", "due_day", "currency", "total", "due",
    "paid", "search", "app", "created", "updated", "written", "fields", "head", "lines", "tail",
)  # fmt: skip
_TABLE = """
    tenant TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, number TEXT NOT NULL, reference TEXT NOT NULL,
    contact TEXT NOT NULL, status TEXT NOT NULL, day INTEGER NOT NULL, due_day INTEGER, currency TEXT NOT NULL,
    total REAL NOT NULL, due REAL NOT NULL, paid REAL NOT NULL, search TEXT NOT NULL, app TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, written INTEGER NOT NULL, fields TEXT NOT NULL,
    head TEXT NOT NULL, lines TEXT NOT NULL, tail TEXT NOT NULL"""
INDEXES = {
    "books_invoice_order": "books_invoice (tenant, updated, id)",
    "books_invoice_number": "books_invoice (tenant, number)",
    "books_invoice_contact": "books_invoice (tenant, contact)",
    "books_invoice_status": "books_invoice (tenant, status, id)",
    "books_payment_invoice": "books_payment (tenant, invoice)",
    "books_payment_order": "books_payment (tenant, updated, id)",
    "books_invoice_past_time": "books_invoice_past (tenant, replaced)",
}
SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS books_invoice (n INTEGER PRIMARY KEY, {_TABLE}, UNIQUE (tenant, id))",
    f"CREATE TABLE IF NOT EXISTS books_invoice_past (n INTEGER PRIMARY KEY, {_TABLE}, replaced INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS books_payment (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, invoice TEXT NOT NULL, kind TEXT NOT NULL,
        day INTEGER NOT NULL, amount TEXT NOT NULL, status TEXT NOT NULL, reference TEXT NOT NULL,
        account TEXT NOT NULL, updated INTEGER NOT NULL, written INTEGER NOT NULL, fields TEXT NOT NULL,
        UNIQUE (tenant, id))""",
    *(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}" for name, columns in INDEXES.items()),
)
TABLES = ("invoice", "invoice_past", "payment")
TEXTS = ("Reference", "BrandingThemeID", "Url")
# An invoice `i` beside its contact `c`.
CONTACT = """',"Contact":{"ContactID":"' || i.contact || '","Name":' || json_quote(coalesce(c.name, ''))
    || ',"ContactGroups":[],"ContactPersons":[],"HasValidationErrors":false}'"""
FULL = f"i.head || {CONTACT} || i.lines || i.tail || '}}'"
UNPAGED = f"""i.head || {CONTACT} || ',"LineItems":[]' || i.tail || '}}'"""
SUMMARY = f"i.head || {CONTACT} || '}}'"
JOINED = "LEFT JOIN books_contact AS c ON c.tenant = i.tenant AND c.id = i.contact"


def milliseconds(day: date) -> int:
    """A calendar day as midnight UTC, which is how days travel."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def day_of(stored: int) -> date:
    """The other way."""
    return datetime.fromtimestamp(stored / 1000, UTC).date()


def sums_of(fields: Fields) -> Sums:
    """What the stored lines come to."""
    lines = [(Decimal(o["LineAmount"]), Decimal(o["TaxAmount"]), Decimal(o["Discount"])) for o in fields["Lines"]]
    return sums(lines, fields["LineAmountTypes"])


def row_of(
    tenant: str, invoice: str, fields: Fields, payments: list[sqlite3.Row] | list[Fields], app: str, created: int,
    updated: int, written: int,
) -> tuple[Any, ...]:  # fmt: skip
    """All columns of an invoice, in the order of COLUMNS. `payments` are those that are not deleted, in order.

    Whether it is paid follows from what was paid and credited.
    """
    made = sums_of(fields)
    paid = sum((Decimal(one["amount"]) for one in payments), Decimal("0.00"))
    credited = sum((Decimal(one["amount"]) for one in fields.get("Credits", [])), Decimal("0.00"))
    due = made.total - paid - credited
    if fields["Status"] in ("AUTHORISED", "PAID"):
        settled = due <= 0 and (made.total > 0 or bool(payments))
        fields = fields | {"Status": "PAID" if settled else "AUTHORISED"}
    if fields["Status"] in ("VOIDED", "DELETED"):
        due = Decimal("0.00")
    day = date.fromisoformat(fields["Date"])
    due_day = date.fromisoformat(fields["DueDate"]) if fields.get("DueDate") else None
    number, reference = fields.get("InvoiceNumber", ""), fields.get("Reference", "")
    return (
        tenant, invoice, fields["Type"], number, reference, fields["ContactID"], fields["Status"], milliseconds(day),
        milliseconds(due_day) if due_day else None, fields["CurrencyCode"], float(made.total), float(due), float(paid),
        f"{number}\n{reference}".casefold(), app, created, updated, written, encode(fields),
        _head(invoice, fields, made, (paid, credited, due), updated, payments), _lines(fields),
        _tail(fields, payments),
    )  # fmt: skip


def _head(
    invoice: str, fields: Fields, made: Sums, paid: tuple[Decimal, Decimal, Decimal], updated: int,
    payments: list[sqlite3.Row] | list[Fields],
) -> str:  # fmt: skip
    head: Fields = {"Type": fields["Type"], "InvoiceID": invoice, "InvoiceNumber": fields.get("InvoiceNumber", "")}
    head["Reference"] = fields.get("Reference", "")
    head |= {"AmountDue": paid[2], "AmountPaid": paid[0], "AmountCredited": paid[1]}
    head |= {"SentToContact": bool(fields.get("SentToContact")), "CurrencyRate": Decimal(fields["CurrencyRate"])}
    head |= {"IsDiscounted": made.discount != 0, "HasErrors": False}
    head |= _when("Date", fields["Date"]) | (_when("DueDate", fields["DueDate"]) if fields.get("DueDate") else {})
    head |= {key: fields[key] for key in ("BrandingThemeID", "Url") if fields.get(key)}
    head |= {"Status": fields["Status"], "LineAmountTypes": fields["LineAmountTypes"]}
    head |= {"SubTotal": made.net, "TotalTax": made.tax, "Total": made.total}
    if made.discount:
        head["TotalDiscount"] = made.discount
    head |= {"UpdatedDateUTC": stamp(updated), "UpdatedDateUTCString": f"{_moment(updated):%Y-%m-%dT%H:%M:%SZ}"}
    head["CurrencyCode"] = fields["CurrencyCode"]
    if fields["Status"] == "PAID":
        days = [one["day"] for one in payments] or [milliseconds(date.fromisoformat(fields["Date"]))]
        head["FullyPaidOnDate"] = stamp(max(days))
    return render_exactly(head)[:-1]


def _lines(fields: Fields) -> str:
    return ',"LineItems":' + render_exactly([_line(one) for one in fields["Lines"]])


def _line(line: Fields) -> Fields:
    made: Fields = {"Description": line["Description"]} if line.get("Description") else {}
    made["UnitAmount"] = Decimal(line["UnitAmount"]).quantize(Decimal("0.0001"))
    made |= {key: line[key] for key in ("ItemCode", "TaxType") if line.get(key)}
    made["TaxAmount"] = Decimal(line["TaxAmount"])
    made["LineAmount"] = Decimal(line["LineAmount"])
    made |= {key: line[key] for key in ("AccountCode", "AccountID") if line.get(key)}
    made["Tracking"] = line.get("Tracking", [])
    made["Quantity"] = Decimal(line["Quantity"]).quantize(Decimal("0.0001"))
    for key in ("DiscountRate", "DiscountAmount"):
        if line.get(key):
            made[key] = Decimal(line[key])
    return made | {"LineItemID": line["LineItemID"]}


def _tail(fields: Fields, payments: list[sqlite3.Row] | list[Fields]) -> str:
    tail: Fields = {
        "Payments": [
            {
                "PaymentID": one["id"],
                "Date": stamp(one["day"]),
                "Amount": Decimal(one["amount"]),
                "Reference": one["reference"],
                "CurrencyRate": Decimal(fields["CurrencyRate"]),
                "HasAccount": True,
                "HasValidationErrors": False,
            }
            for one in payments
        ],
        "CreditNotes": [
            {
                "CreditNoteID": one["id"],
                "CreditNoteNumber": one["number"],
                "AppliedAmount": Decimal(one["amount"]),
                "Date": stamp(one["day"]),
                "Total": Decimal(one["amount"]),
            }
            for one in fields.get("Credits", [])
        ],
        "Prepayments": [],
        "Overpayments": [],
        "HasAttachments": False,
    }
    return "," + render_exactly(tail)[1:-1]


def insert(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    """New invoices, as `row_of` makes them."""
    marks = ", ".join("?" * len(COLUMNS))
    db.executemany(f"INSERT INTO books_invoice ({', '.join(COLUMNS)}) VALUES ({marks})", rows)


def save(db: sqlite3.Connection, row: sqlite3.Row, fields: Fields, now: int, *, touch: bool = True) -> None:
    """Print an invoice anew after a change to it or to its payments. Keeps the version it replaces."""
    tenant = row["tenant"]
    names = ", ".join(COLUMNS)
    db.execute("DELETE FROM books_invoice_past WHERE tenant = ? AND replaced < ?", (tenant, now - MEMORY_MS))
    db.execute(
        f"INSERT INTO books_invoice_past ({names}, replaced)"
        f" SELECT {names}, ? FROM books_invoice WHERE n = ? AND written < ?",
        (now, row["n"], now),
    )
    updated = now if touch else row["updated"]
    values = row_of(
        tenant, row["id"], fields, payments_of(db, tenant, row["id"]), row["app"], row["created"], updated, now
    )
    changes = ", ".join(f"{name} = ?" for name in COLUMNS)
    db.execute(f"UPDATE books_invoice SET {changes} WHERE n = ?", (*values, row["n"]))


def find(db: sqlite3.Connection, tenant: str, invoice: str) -> sqlite3.Row | None:
    """By identifier, else a sales invoice by number; None when neither is known."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM books_invoice WHERE tenant = ? AND (id = ? OR (number = ? AND kind = 'ACCREC'))"
        " ORDER BY id <> ? LIMIT 1",
        (tenant, invoice.lower(), invoice, invoice.lower()),
    ).fetchone()
    return row


def payments_of(db: sqlite3.Connection, tenant: str, invoice: str) -> list[sqlite3.Row]:
    """Payments that stand."""
    return db.execute(
        "SELECT * FROM books_payment WHERE tenant = ? AND invoice = ? AND status = 'AUTHORISED' ORDER BY n",
        (tenant, invoice),
    ).fetchall()


def due_of(db: sqlite3.Connection, row: sqlite3.Row) -> Decimal:
    """What is left to pay, exactly."""
    fields = load(row)
    paid = sum((Decimal(one["amount"]) for one in payments_of(db, row["tenant"], row["id"])), Decimal("0.00"))
    credited = sum((Decimal(one["amount"]) for one in fields.get("Credits", [])), Decimal("0.00"))
    return cents(sums_of(fields).total - paid - credited)


def load(row: sqlite3.Row) -> Fields:
    """Typed values of an invoice."""
    fields: Fields = json.loads(row["fields"])
    return fields | {"Status": row["status"]}


def _when(name: str, day: str) -> Fields:
    return {name: stamp(milliseconds(date.fromisoformat(day))), f"{name}String": f"{day}T00:00:00"}


def _moment(stored: int) -> datetime:
    return datetime.fromtimestamp(stored / 1000, UTC)
