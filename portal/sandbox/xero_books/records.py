"""A contact as an organisation stores and prints it.

`fields` hold what was typed, under the API's names, with addresses and phones by type. The JSON is printed once, when
something changes, in pieces: an unpaged list leaves most of them out, a summary others.
"""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

from portal.sandbox.xero_books.wire import NO_GUID, encode

Fields = dict[str, Any]
HEAD = (
    "ContactNumber", "AccountNumber", "ContactStatus", "Name", "FirstName", "LastName", "CompanyNumber",
    "EmailAddress", "BankAccountDetails", "TaxNumber", "TaxNumberType", "AccountsReceivableTaxType",
    "AccountsPayableTaxType", "DefaultCurrency",
)  # fmt: skip
ALWAYS_PRINTED = ("EmailAddress", "BankAccountDetails")  # empty when never set
TERMS = (
    "SalesDefaultLineAmountType", "PurchasesDefaultLineAmountType", "XeroNetworkKey", "PaymentTerms", "Website",
    "BrandingTheme", "BatchPayments", "Discount",
)  # fmt: skip
MORE = ("SalesDefaultAccountCode", "PurchasesDefaultAccountCode")
ADDRESS_TYPES = ("STREET", "POBOX")
ADDRESS_LINES = ("AddressLine1", "AddressLine2", "AddressLine3", "AddressLine4")
ADDRESS_PADDED = ("City", "Region", "PostalCode", "Country")
PHONE_TYPES = ("DDI", "DEFAULT", "FAX", "MOBILE")
PHONE_PARTS = ("PhoneNumber", "PhoneAreaCode", "PhoneCountryCode")
SEARCHED = ("Name", "FirstName", "LastName", "ContactNumber", "CompanyNumber", "EmailAddress")
MEMORY_MS = 86_400_000

COLUMNS = (
    "tenant", "id", "name", "name_key", "name_fold", "email_fold", "account", "account_fold", "number", "search",
    "status", "archived", "is_supplier", "is_customer", "merged_into", "updated", "written", "fields", "head", "lists",
    "terms", "more",
)  # fmt: skip
_TABLE = """
    tenant TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, name_key TEXT NOT NULL, name_fold TEXT NOT NULL,
    email_fold TEXT NOT NULL, account TEXT, account_fold TEXT, number TEXT, search TEXT NOT NULL, status TEXT NOT NULL,
    archived INTEGER NOT NULL, is_supplier INTEGER NOT NULL, is_customer INTEGER NOT NULL, merged_into TEXT,
    updated INTEGER NOT NULL, written INTEGER NOT NULL, fields TEXT NOT NULL, head TEXT NOT NULL, lists TEXT NOT NULL,
    terms TEXT NOT NULL, more TEXT NOT NULL"""
INDEXES = {
    name: f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"
    for name, columns in {
        "books_contact_order": "books_contact (tenant, updated, id)",
        "books_contact_current": "books_contact (tenant, archived, updated, id)",
        "books_contact_key": "books_contact (tenant, name_key)",
        "books_contact_name": "books_contact (tenant, name_fold, archived)",
        "books_contact_email": "books_contact (tenant, email_fold, archived)",
        "books_contact_number": "books_contact (tenant, number)",
        "books_contact_account": "books_contact (tenant, account_fold, archived)",
        "books_version_time": "books_version (tenant, replaced)",
        "books_history_contact": "books_history (tenant, contact)",
    }.items()
}
SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS books_contact (n INTEGER PRIMARY KEY, {_TABLE}, UNIQUE (tenant, id))",
    f"CREATE TABLE IF NOT EXISTS books_version (n INTEGER PRIMARY KEY, {_TABLE}, replaced INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS books_history (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, contact TEXT NOT NULL, at INTEGER NOT NULL,
        changes TEXT NOT NULL, who TEXT NOT NULL, details TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS books_idempotency (
        app TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, first REAL NOT NULL, status INTEGER NOT NULL,
        content_type TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (app, key))""",
    *INDEXES.values(),
)
TABLES = ("contact", "version", "history")

# What a list shows: everything when paged, less when not, and the least as a summary.
TAIL = """',"HasValidationErrors":false}'"""
FULL = f"head || lists || terms || more || {TAIL}"
UNPAGED = f"head || lists || {TAIL}"
SUMMARY = f"head || terms || {TAIL}"


class Printed(NamedTuple):
    """A contact's JSON without its end; each piece but the first begins with a comma."""

    head: str
    lists: str
    terms: str
    more: str


def fold(text: str) -> str:
    """Without case and accents, for the comparisons that ignore both."""
    if text.isascii():
        return text.lower()
    return "".join(mark for mark in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(mark))


def row_of(
    tenant: str, contact: str, fields: Fields, merged_into: str | None, updated: int, written: int
) -> tuple[Any, ...]:
    """All columns of a contact, in the order of COLUMNS."""
    name, status = fields["Name"], fields.get("ContactStatus", "ACTIVE")
    account = fields.get("AccountNumber") or None
    return (
        tenant,
        contact,
        name,
        name.casefold(),
        fold(name),
        fold(fields.get("EmailAddress", "")),
        account,
        fold(account) if account else None,
        fields.get("ContactNumber") or None,
        "\n".join(fields[key] for key in SEARCHED if fields.get(key)).casefold(),
        status,
        int(status == "ARCHIVED"),
        int(bool(fields.get("IsSupplier"))),
        int(bool(fields.get("IsCustomer"))),
        merged_into,
        updated,
        written,
        encode(fields),
        *print_contact(contact, fields, merged_into, updated),
    )


def print_contact(contact: str, fields: Fields, merged_into: str | None, updated: int) -> Printed:
    """The JSON pieces."""
    head: Fields = {"ContactID": contact}
    for key in HEAD:
        if fields.get(key) or key in ALWAYS_PRINTED:
            head[key] = fields.get(key, "")
    head.setdefault("ContactStatus", "ACTIVE")
    head["Phones"] = phones(fields)
    lists = {
        "Addresses": addresses(fields),
        "IsSupplier": bool(fields.get("IsSupplier")),
        "IsCustomer": bool(fields.get("IsCustomer")),
    }
    terms = {key: fields[key] for key in TERMS if fields.get(key)}
    if merged_into:
        terms["MergedToContactID"] = merged_into
    terms["HasAttachments"] = False
    more: Fields = {
        "ContactGroups": [],
        "ContactPersons": fields.get("ContactPersons", []),
        "SalesTrackingCategories": fields.get("SalesTrackingCategories", []),
        "PurchasesTrackingCategories": fields.get("PurchasesTrackingCategories", []),
        **{key: fields[key] for key in MORE if fields.get(key)},
    }
    moved = f'{encode(head)[:-1]},"UpdatedDateUTC":"\\/Date({updated}+0000)\\/"'
    return Printed(moved, _after(lists), _after(terms), _after(more) + _balances(fields.get("Balances")))


def addresses(fields: Mapping[str, Any]) -> list[Fields]:
    """Both types, whether set or not."""
    held = fields.get("Addresses", {})
    made = []
    for kind in ADDRESS_TYPES:
        parts = held.get(kind, {})
        made.append(
            {"AddressType": kind}
            | {line: parts[line] for line in ADDRESS_LINES if parts.get(line)}
            | {part: parts.get(part, "") for part in ADDRESS_PADDED}
            | ({"AttentionTo": parts["AttentionTo"]} if parts.get("AttentionTo") else {})
        )
    return made


def phones(fields: Mapping[str, Any]) -> list[Fields]:
    """All four types, whether set or not; the fifth only when set."""
    held = fields.get("Phones", {})
    kinds = [*PHONE_TYPES, *(kind for kind in held if kind not in PHONE_TYPES)]
    return [{"PhoneType": kind} | {part: held.get(kind, {}).get(part, "") for part in PHONE_PARTS} for kind in kinds]


def insert(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    """New contacts, as `row_of` makes them."""
    marks = ", ".join("?" * len(COLUMNS))
    db.executemany(f"INSERT INTO books_contact ({', '.join(COLUMNS)}) VALUES ({marks})", rows)


def save(
    db: sqlite3.Connection,
    row: sqlite3.Row,
    fields: Fields,
    now: int,
    *,
    touch: bool = True,
    merged_into: str | None = None,
) -> None:
    """Print a contact anew after a change; `touch` moves its stamp. Keeps the version it replaces."""
    tenant, updated = row["tenant"], now if touch else row["updated"]
    db.execute("DELETE FROM books_version WHERE tenant = ? AND replaced < ?", (tenant, now - MEMORY_MS))
    names = ", ".join(COLUMNS)
    db.execute(
        f"INSERT INTO books_version ({names}, replaced)"
        f" SELECT {names}, ? FROM books_contact WHERE n = ? AND written < ?",
        (now, row["n"], now),
    )
    values = row_of(tenant, row["id"], fields, merged_into or row["merged_into"], updated, now)
    changes = ", ".join(f"{name} = ?" for name in COLUMNS)
    db.execute(f"UPDATE books_contact SET {changes} WHERE n = ?", (*values, row["n"]))


def note(db: sqlite3.Connection, tenant: str, contact: str, at: int, changes: str, details: str) -> None:
    """A line of a contact's history; the vendor calls everything an app did system generated."""
    db.execute(
        "INSERT INTO books_history (tenant, contact, at, changes, who, details) VALUES (?, ?, ?, ?, ?, ?)",
        (tenant, contact, at, changes, "System Generated", details),
    )


def find(db: sqlite3.Connection, tenant: str, contact: str) -> sqlite3.Row | None:
    """By identifier, else by contact number; None when neither is known."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM books_contact WHERE tenant = ? AND id = ?", (tenant, contact.lower())
    ).fetchone()
    if row is None and contact and contact != NO_GUID:
        row = db.execute(
            "SELECT * FROM books_contact WHERE tenant = ? AND number = ? ORDER BY archived, n", (tenant, contact)
        ).fetchone()
    return row


def load_fields(row: sqlite3.Row) -> Fields:
    """Typed values of a contact."""
    fields: Fields = json.loads(row["fields"])
    return fields


def _after(values: Fields) -> str:
    """To follow another piece."""
    return "," + encode(values)[1:-1] if values else ""


def _balances(values: Mapping[str, str] | None) -> str:
    """Money with its two decimals, which a float would lose."""
    if not values:
        return ""
    due = {key: f"{float(values.get(key) or 0):.2f}" for key in ("owed", "overdue", "owing", "late")}
    return (
        f',"Balances":{{"AccountsReceivable":{{"Outstanding":{due["owed"]},"Overdue":{due["overdue"]}}},'
        f'"AccountsPayable":{{"Outstanding":{due["owing"]},"Overdue":{due["late"]}}}}}'
    )
