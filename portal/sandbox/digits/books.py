"""What transactions come to in the ledger: entries under categories, and invoices with what is paid on them.

Days are texts (2026-06-01), amounts whole numbers of minor units. Totals are added up here, from the entries.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from portal.sandbox.digits import chart
from portal.sandbox.names_practice import stable_uuid

OPEN, VOID = "open", "void"
RECEIVABLE = "AccountsReceivable"
NOWHERE: dict[str, Any] = {"name": "Uncategorized", "type": "Expenses", "subtype": "", "active": True}
NO_CENTS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
MILLS = "BHD IQD JOD KWD LYD OMR TND"
# How the annotation of an invoice and of its payment may be written: keys of the two objects, of number and due date.
FORMS = {
    "camel": ("invoice", "invoiceRef", "number", "dueDate"),
    "pascal": ("Invoice", "InvoiceRef", "Number", "DueDate"),
}
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS digits_entry (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, deal INTEGER NOT NULL, day TEXT NOT NULL, linked TEXT NOT NULL,
        kind TEXT NOT NULL, category TEXT NOT NULL, minor INTEGER NOT NULL, code TEXT NOT NULL, debit INTEGER NOT NULL,
        description TEXT NOT NULL, party INTEGER, owed INTEGER NOT NULL, written INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS digits_invoice (
        deal INTEGER PRIMARY KEY, tenant TEXT NOT NULL, number TEXT NOT NULL, issued TEXT NOT NULL, due TEXT NOT NULL,
        code TEXT NOT NULL, total INTEGER NOT NULL, state TEXT NOT NULL, party INTEGER, versions INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS digits_applied (
        deal INTEGER PRIMARY KEY, tenant TEXT NOT NULL, invoice INTEGER NOT NULL, minor INTEGER NOT NULL,
        day TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS digits_rule (
        tenant TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (tenant, name))""",
    "CREATE INDEX IF NOT EXISTS digits_entry_order ON digits_entry (tenant, n)",
    "CREATE INDEX IF NOT EXISTS digits_entry_linked ON digits_entry (tenant, linked, kind, n)",
    "CREATE INDEX IF NOT EXISTS digits_entry_kind ON digits_entry (tenant, kind, n)",
    "CREATE INDEX IF NOT EXISTS digits_entry_deal ON digits_entry (deal)",
    "CREATE INDEX IF NOT EXISTS digits_invoice_order ON digits_invoice (tenant, deal)",
    "CREATE INDEX IF NOT EXISTS digits_invoice_number ON digits_invoice (tenant, number)",
    "CREATE INDEX IF NOT EXISTS digits_applied_invoice ON digits_applied (invoice)",
)
TABLES = ("entry", "invoice", "applied", "rule")
ENTRY = "tenant, deal, day, linked, kind, category, minor, code, debit, description, party, owed, written"


class Line(NamedTuple):
    """One side of an entry. `party` is the row of a party, `owed`: it is under accounts receivable."""

    minor: int
    code: str
    debit: bool
    description: str
    category: str
    kind: str
    owed: bool
    party: int | None


class Annotation(NamedTuple):
    """What an app says a transaction is: an invoice, or a payment on one. Empty where it does not say."""

    is_invoice: bool
    number: str = ""
    due: str = ""
    of: str = ""  # the invoice's external id


def exponent(code: str) -> int:
    """Decimals of a currency."""
    return 0 if code in NO_CENTS.split() else 3 if code in MILLS.split() else 2


def ledger_id(digits_id: str) -> str:
    """The ledger's own identifier of a written transaction: another one than the source's."""
    return stable_uuid("digits ledger", digits_id)


def rules(db: sqlite3.Connection, tenant: str) -> dict[str, str]:
    """What people decided about these books: `locked` until a day, `closed <number>` for a category."""
    rows = db.execute("SELECT name, value FROM digits_rule WHERE tenant = ?", (tenant,)).fetchall()
    return {row["name"]: row["value"] for row in rows}


def categories(db: sqlite3.Connection, tenant: str) -> list[dict[str, Any]]:
    """The chart of accounts as it is now, with what people closed."""
    decided = rules(db, tenant)
    return [
        {**one, "active": one["active"] and f"closed {one['chartOfAccountsDisplayNumber']}" not in decided}
        for one in chart.categories(tenant)
    ]


def category_of(label: dict[str, Any], known: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Where a declared label leads: the first category of a name it looks for, else of its subtype."""
    search = label.get("search") or {}
    kinds = [search["type"]] if search.get("type") else list(label.get("constraint") or [])
    fitting = [one for one in known if not kinds or one["type"] in kinds]
    names = [str(name).casefold() for name in search.get("names") or [label.get("name", "")]]
    for name in names:
        for one in fitting:
            if one["name"].casefold() == name:
                return one
    subtype = search.get("subtype")
    return next((one for one in fitting if subtype and one["subtype"] == subtype), NOWHERE)


def enter(
    db: sqlite3.Connection, tenant: str, deal: int, day: str, lines: Sequence[Line], said: Annotation | None,
    now: int, *, is_new_content: bool = True,
) -> None:  # fmt: skip
    """Put a transaction's entries into the ledger in place of those it had; raises LookupError for no such invoice."""
    linked = "Invoice" if said else ""
    known = db.execute("SELECT * FROM digits_invoice WHERE deal = ?", (deal,)).fetchone()
    forget_entries(db, deal)
    if said and said.is_invoice:
        _invoice(db, tenant, deal, day, lines, said, known, is_new_content)
    elif known is not None:
        db.execute("DELETE FROM digits_invoice WHERE deal = ?", (deal,))
    if said and not said.is_invoice:
        _applied(db, tenant, deal, day, lines, said)
    if known is None or known["state"] != VOID:
        db.executemany(
            f"INSERT INTO digits_entry ({ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (tenant, deal, day, linked, one.kind, one.category, one.minor, one.code, int(one.debit),
                 one.description, one.party, int(one.owed), now)
                for one in lines
            ],
        )  # fmt: skip


def forget(db: sqlite3.Connection, deal: int) -> None:
    """A transaction is no more: its entries, and the invoice or payment it was."""
    forget_entries(db, deal)
    db.execute("DELETE FROM digits_invoice WHERE deal = ?", (deal,))
    db.execute("DELETE FROM digits_applied WHERE invoice = ?", (deal,))


def forget_entries(db: sqlite3.Connection, deal: int) -> None:
    """Its entries, and what it paid."""
    db.execute("DELETE FROM digits_entry WHERE deal = ?", (deal,))
    db.execute("DELETE FROM digits_applied WHERE deal = ?", (deal,))


def paid(db: sqlite3.Connection, invoice: int) -> int:
    """What was paid on an invoice."""
    found = db.execute("SELECT coalesce(sum(minor), 0) FROM digits_applied WHERE invoice = ?", (invoice,)).fetchone()
    return int(found[0])


def _invoice(
    db: sqlite3.Connection, tenant: str, deal: int, day: str, lines: Sequence[Line], said: Annotation,
    known: sqlite3.Row | None, is_new_content: bool,
) -> None:  # fmt: skip
    owed = sum(one.minor if one.debit else -one.minor for one in lines if one.owed)
    party = next((one.party for one in lines if one.owed and one.party), None)
    versions = (known["versions"] if known else 0) + int(is_new_content or known is None)
    db.execute(
        "INSERT OR REPLACE INTO digits_invoice (deal, tenant, number, issued, due, code, total, state, party, versions)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (deal, tenant, said.number, day, said.due, lines[0].code, owed, known["state"] if known else OPEN, party,
         versions),
    )  # fmt: skip


def _applied(db: sqlite3.Connection, tenant: str, deal: int, day: str, lines: Sequence[Line], said: Annotation) -> None:
    row = db.execute(
        "SELECT i.* FROM digits_invoice i JOIN digits_transaction t ON t.n = i.deal WHERE i.tenant = ? AND t.ext = ?",
        (tenant, said.of),
    ).fetchone()
    if row is None:
        raise LookupError(f"There is no invoice {said.of}.")
    if row["state"] == VOID:
        raise LookupError(f"The invoice {said.of} is void.")
    minor = sum(-one.minor if one.debit else one.minor for one in lines if one.owed)
    db.execute("INSERT OR REPLACE INTO digits_applied VALUES (?, ?, ?, ?, ?)", (deal, tenant, row["deal"], minor, day))


def as_json(db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    """An invoice for testers; `row` has the columns of invoice and transaction."""
    places, done = exponent(row["code"]), paid(db, row["deal"])
    entries = db.execute("SELECT * FROM digits_entry WHERE deal = ? ORDER BY n", (row["deal"],)).fetchall()
    party = db.execute(
        "SELECT l.id, l.name FROM digits_party p JOIN digits_ledger l ON l.n = p.ledger WHERE p.n = ?", (row["party"],)
    ).fetchone()
    payments = db.execute(
        "SELECT a.*, t.ext, t.client_id FROM digits_applied a JOIN digits_transaction t ON t.n = a.deal"
        " WHERE a.invoice = ? ORDER BY a.deal",
        (row["deal"],),
    ).fetchall()
    state = "void" if row["state"] == VOID else "paid" if 0 < row["total"] <= done else "part paid" if done else "open"
    return {
        "id": ledger_id(row["digits_id"]),
        "mark": row["ext"],
        "client_id": row["client_id"],
        "number": row["number"],
        "issued": row["issued"],
        "due": row["due"],
        "currency": row["code"],
        "total": decimal(row["total"], places),
        "paid": decimal(done, places),
        "state": state,
        "customer": {"id": party["id"], "name": party["name"]} if party else None,
        "versions": row["versions"],
        "entries": [
            {"type": "Debit" if one["debit"] else "Credit", "amount": decimal(one["minor"], places),
             "category": one["category"], "description": one["description"]}
            for one in entries
        ],
        "payments": [
            {"mark": one["ext"], "client_id": one["client_id"], "amount": decimal(one["minor"], places),
             "day": one["day"]}
            for one in payments
        ],
    }  # fmt: skip


def decimal(minor: int, places: int) -> str:
    """12345 with two places is 123.45."""
    if not places:
        return str(minor)
    whole, rest = divmod(abs(minor), 10**places)
    return f"{'-' if minor < 0 else ''}{whole}.{rest:0{places}d}"


def declared_labels(source: sqlite3.Row) -> dict[str, dict[str, Any]]:
    """Labels of a source by their key."""
    return {str(one.get("label")): one for one in json.loads(source["body"]).get("labels") or []}
