"""What a write of invoices does: one request, many invoices, each saved or refused on its own."""

from __future__ import annotations

import re
import sqlite3
import uuid
from dataclasses import dataclass, field
from typing import Any

from flask import Response

from portal.sandbox.context import Sandbox, hint
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import api, fields, hooks, invoice_lists, invoice_records, invoice_rules, records, wire
from portal.sandbox.xero_books.invoice_records import Fields
from portal.sandbox.xero_books.invoice_rules import Known, Read
from portal.sandbox.xero_books.wire import Item

NOT_NOW = "Invoice not of valid status for modification"
HAS_PAYMENT = "This document cannot be edited as it has a payment or credit note allocated to it."
MOVES = {
    "DRAFT": ("DRAFT", "SUBMITTED", "AUTHORISED", "DELETED"),
    "SUBMITTED": ("SUBMITTED", "DRAFT", "AUTHORISED", "DELETED"),
    "AUTHORISED": ("AUTHORISED", "VOIDED"),
    "PAID": ("PAID",),
}
HARMLESS = {"InvoiceID", "Type", "Contact", "Reference", "DueDate", "InvoiceNumber", "BrandingThemeID", "Url", "Status"}
NUMBERED = re.compile(r"INV-(\d+)")


@dataclass
class Outcome:
    """What became of one element: its identifier when saved, else what was wrong."""

    sent: Item
    invoice: str | None = None
    is_new: bool = True
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def save_many(
    box: Sandbox, tenant: Tenant, items: list[Item], *, summarize: bool, creates_only: bool, places: int, app: str
) -> Response:
    """Save every element; with `summarize` one bad element spoils the request, as a 400."""
    told, lists = hint("business_error"), invoice_rules.known(box, tenant)
    with box.store.write() as db:
        done = [
            Outcome(item, errors=[api.refusal(told)])
            if told
            else _save_one(box, db, tenant, item, lists, creates_only=creates_only, places=places, app=app)
            for item in items
        ]
        bad = [one for one in done if one.errors]
        spoilt = bool(bad) and summarize
        if spoilt and not box.switches["xero_bad_batch_saves_the_good"]:
            raise wire.invalid([_echo(one) for one in bad])
        printed = [_printed(db, tenant, one, places, with_status=not summarize) for one in done]
    hooks.tell(box, tenant, [(one.invoice, one.is_new) for one in done if one.invoice])
    if spoilt:
        raise wire.invalid([_echo(one) for one in bad])
    return wire.answer("Invoices", printed)


def _save_one(
    box: Sandbox, db: sqlite3.Connection, tenant: Tenant, item: Item, lists: Known, *, creates_only: bool, places: int,
    app: str,
) -> Outcome:  # fmt: skip
    row = None if creates_only else _matched(db, tenant, item)
    done = Outcome(item, is_new=row is None)
    before = invoice_records.load(row) if row is not None else None
    if before is not None and (why := _not_editable(item, before, db, tenant, row)):
        done.errors.append(why)
        return done
    found = invoice_rules.read(item, before, lists, places=places)
    if before is not None:
        done.errors += _bad_move(before["Status"], found.fields["Status"])
    elif found.fields["Status"] in ("PAID", "VOIDED", "DELETED"):
        done.errors.append(NOT_NOW)
    invoice_rules.customer(db, tenant, item, found)
    invoice_rules.complaints(found, lists, url_any=bool(box.switches["xero_url_takes_any_host"]))
    done.errors += found.errors
    if (total := invoice_records.sums_of(found.fields).total) < 0:
        done.errors.append(f"The document total cannot be negative: {total}")
    if found.fields["Type"] == "ACCREC":
        done.errors += _number(box, db, tenant, found.fields, row)
    done.errors = list(dict.fromkeys(done.errors))
    if not done.errors:
        done.invoice = _write(box, db, tenant, row, found, app)
        done.warnings = found.warnings
    return done


def _matched(db: sqlite3.Connection, tenant: Tenant, item: Item) -> sqlite3.Row | None:
    """The invoice that is meant: by identifier, else a sales invoice by number."""
    wanted = str(item.get("InvoiceID") or "").lower()
    if wanted and wanted != wire.NO_GUID:
        row: sqlite3.Row | None = db.execute(
            "SELECT * FROM books_invoice WHERE tenant = ? AND id = ?", (tenant.id, wanted)
        ).fetchone()
        return row
    sent_number = str(item.get("InvoiceNumber") or "")
    if sent_number and item.get("Type") == "ACCREC":
        return invoice_records.find(db, tenant.id, sent_number)
    return None


def _not_editable(item: Item, before: Fields, db: sqlite3.Connection, tenant: Tenant, row: sqlite3.Row | None) -> str:
    if before["Status"] in ("VOIDED", "DELETED"):
        return NOT_NOW
    has_payment = row is not None and bool(invoice_records.payments_of(db, tenant.id, row["id"]))
    if (has_payment or before.get("Credits")) and (set(item) - HARMLESS or item.get("Status") == "VOIDED"):
        return HAS_PAYMENT
    return ""


def _bad_move(before: str, after: str) -> list[str]:
    return [] if after in MOVES.get(before, ()) else [NOT_NOW]


def _number(box: Sandbox, db: sqlite3.Connection, tenant: Tenant, found: Fields, row: sqlite3.Row | None) -> list[str]:
    """Numbers of sales invoices are unique; one without gets the next."""
    if not found.get("InvoiceNumber"):
        rows = db.execute(
            "SELECT number FROM books_invoice WHERE tenant = ? AND number LIKE 'INV-%' ORDER BY length(number) DESC,"
            " number DESC LIMIT 1", (tenant.id,),
        ).fetchall()  # fmt: skip
        last = NUMBERED.fullmatch(rows[0]["number"]) if rows else None
        found["InvoiceNumber"] = f"INV-{int(last[1]) + 1 if last else 1:04d}"
        return []
    free = {"none": (), "deleted": ("DELETED",), "voided_and_deleted": ("VOIDED", "DELETED")}
    ignored = free[box.switches["xero_numbers_freed_by"]]
    rows = db.execute(
        "SELECT id, status FROM books_invoice WHERE tenant = ? AND number = ? AND kind = 'ACCREC'",
        (tenant.id, found["InvoiceNumber"]),
    ).fetchall()
    held = [one for one in rows if one["status"] not in ignored and (row is None or one["id"] != row["id"])]
    return [invoice_rules.NUMBER_USED] if held else []


def _write(box: Sandbox, db: sqlite3.Connection, tenant: Tenant, row: sqlite3.Row | None, found: Read, app: str) -> str:
    now = box.clock.milliseconds()
    if (name := found.fields.pop("NewContact", "")) and not found.fields["ContactID"]:
        found.fields["ContactID"] = invoice_rules.new_contact(db, tenant, name, now)
    _now_a_customer(db, tenant, found.fields, now)
    if row is not None:
        invoice_records.save(db, row, found.fields, now)
        records.note(db, tenant.id, row["id"], now, "Edited", "")
        return str(row["id"])
    invoice = str(uuid.uuid4())
    invoice_records.insert(db, [invoice_records.row_of(tenant.id, invoice, found.fields, [], app, now, now, now)])
    records.note(db, tenant.id, invoice, now, "Created", "")
    return invoice


def _now_a_customer(db: sqlite3.Connection, tenant: Tenant, found: Fields, now: int) -> None:
    """Whoever is invoiced is a customer from then on; the contact's stamp stays."""
    flag = "IsCustomer" if found["Type"] == "ACCREC" else "IsSupplier"
    row = records.find(db, tenant.id, found["ContactID"])
    if row is not None and not (held := records.load_fields(row)).get(flag):
        records.save(db, row, held | {flag: True}, now, touch=False)


def _printed(db: sqlite3.Connection, tenant: Tenant, done: Outcome, places: int, *, with_status: bool) -> str:
    if done.invoice is None:
        return wire.render_exactly(_echo(done) | ({"StatusAttributeString": "ERROR"} if with_status else {}))
    text = invoice_lists.one(db, tenant.id, done.invoice, places)
    if with_status:
        text = f'{text[:-1]},"StatusAttributeString":"{"WARNING" if done.warnings else "OK"}"}}'
    if done.warnings:
        said = wire.render([{"Message": one} for one in done.warnings])  # type: ignore[arg-type]  # a list prints too
        text = f'{text[:-1]},"Warnings":{said}}}'
    return text


def _echo(done: Outcome) -> dict[str, Any]:
    """A refused element as it was sent, with what is wrong about it."""
    echoed = {key: value for key, value in done.sent.items() if value is not None}
    return {
        "InvoiceID": wire.NO_GUID,
        **echoed,
        "HasErrors": True,
        "ValidationErrors": [{"Message": message} for message in done.errors],
    }


def is_guid(text: str) -> bool:
    """Whether it looks like an identifier."""
    return bool(fields.GUID.fullmatch(text))
