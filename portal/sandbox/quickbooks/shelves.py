"""Where each kind of thing is kept, and what it can be asked by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portal.sandbox.context import Sandbox, hint
from portal.sandbox.quickbooks import books, records, txns

Properties = Mapping[str, tuple[str, str]]  # a property -> its column and how it is compared


@dataclass(frozen=True)
class Shelf:
    """A table, the table of what its rows were before, and what can be asked. Everything else is not queryable."""

    table: str
    versions: str
    columns: str
    properties: Properties


STAMPS = {"metadata.createtime": ("created", "time"), "metadata.lastupdatedtime": ("updated", "time")}
NAMES: Properties = {
    "id": ("id", "id"),
    "active": ("active", "bool"),
    "balance": ("balance", "number"),
    **STAMPS,
    "primaryemailaddr": ("q_email", "text"),
    **{name.lower(): (column, "text") for column, name in records.TEXTS.items()},
}
NOT_THERE = {"Vendor": ("fullyqualifiedname",), "Employee": ("companyname", "balance", "fullyqualifiedname")}
PAYMENT: Properties = {
    "id": ("id", "id"),
    "customerref": ("customer", "word"),
    "txndate": ("txn_date", "day"),
    "totalamt": ("total", "number"),
    **STAMPS,
}
INVOICE: Properties = {
    **PAYMENT,
    "docnumber": ("number", "text"),
    "duedate": ("due_date", "day"),
    "salestermref": ("term", "word"),
    "balance": ("balance", "number"),
}
LIST: Properties = {"id": ("id", "word"), "name": ("name", "text"), "active": ("active", "bool"), **STAMPS}
KINDS = {"Account": "accounttype", "Item": "type"}
META = ("merged_into", "gone")
NAME_COLUMNS = ", ".join((*records.COLUMNS, *META))
TXN_COLUMNS = ", ".join((*txns.COLUMNS, *META))
SHELVES = {
    **{
        name: Shelf(
            "qbo_name", "qbo_version", NAME_COLUMNS,
            {key: value for key, value in NAMES.items() if key not in NOT_THERE.get(name, ())},
        )
        for name in records.ENTITIES
    },
    "Invoice": Shelf("qbo_txn", "qbo_txn_version", TXN_COLUMNS, INVOICE),
    "Payment": Shelf("qbo_txn", "qbo_txn_version", TXN_COLUMNS, PAYMENT),
    **{
        name: Shelf("qbo_list", "", "", {**LIST, **({KINDS[name]: ("kind", "text")} if name in KINDS else {})})
        for name in books.ENTITIES
    },
}  # fmt: skip
# Entities that exist and hold nothing here.
EMPTY = (
    "Attachable", "Bill", "BillPayment", "Budget", "Class", "CompanyCurrency", "CreditMemo", "CustomerType",
    "Department", "Deposit", "Estimate", "ExchangeRate", "JournalEntry", "Purchase", "PurchaseOrder",
    "RecurringTransaction", "RefundReceipt", "SalesReceipt", "TimeActivity", "Transfer", "VendorCredit",
)  # fmt: skip
KNOWN = {name.lower(): name for name in (*SHELVES, *EMPTY)}


def shelf_of(entity: str) -> Shelf:
    """It is a known entity that can hold something."""
    return SHELVES[entity]


def table(box: Sandbox, entity: str, *, by_id: bool = False) -> str:
    """The rows to read from: as they are, or as they were when reads lag behind, by the fault or by the switch.

    What is read by its Id needs no index, so the switch does not touch it.
    """
    shelf = SHELVES[entity]
    late = hint("stale")
    seconds = float(late.get("seconds", 60)) if late else 0.0
    if shelf.table == "qbo_txn" and not by_id:
        seconds = max(seconds, float(box.switches["quickbooks_index_lag_seconds"]))
    if not seconds or not shelf.versions:
        return shelf.table
    at = box.clock.milliseconds() - int(seconds * 1000)
    return (
        f"(SELECT {shelf.columns} FROM {shelf.table} WHERE written <= {at} UNION ALL SELECT {shelf.columns}"
        f" FROM {shelf.versions} WHERE written <= {at} AND replaced > {at})"
    )
