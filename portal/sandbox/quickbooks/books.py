"""The short lists of a company: accounts, products and services, tax, terms, ways to pay."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from portal.sandbox.quickbooks.company import SINCE, Company
from portal.sandbox.quickbooks.wire import dump, stamp

Record = dict[str, Any]
ENTITIES = ("Account", "Item", "PaymentMethod", "TaxAgency", "TaxCode", "TaxRate", "Term")
UNTRACKED = ("TaxAgency", "TaxCode", "TaxRate")  # no news of their changes
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS qbo_list (n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, entity TEXT NOT NULL,
        id TEXT NOT NULL, active INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, created INTEGER NOT NULL,
        updated INTEGER NOT NULL, written INTEGER NOT NULL, body TEXT NOT NULL, merged_into INTEGER,
        gone INTEGER NOT NULL DEFAULT 0, UNIQUE (tenant, entity, id))""",
)
TABLES = ("list",)
UNDEPOSITED = "4"
# Id, name, type, subtype.
ACCOUNTS = (
    ("1", "Accounting fees", "Income", "ServiceFeeIncome"),
    ("2", "Advisory fees", "Income", "ServiceFeeIncome"),
    ("3", "Disbursements recovered", "Other Income", "OtherMiscellaneousIncome"),
    (UNDEPOSITED, "Undeposited Funds", "Other Current Asset", "UndepositedFunds"),
    ("5", "Business cheque account", "Bank", "Checking"),
    ("6", "Savings account", "Bank", "Savings"),
    ("7", "Accounts receivable", "Accounts Receivable", "AccountsReceivable"),
    ("8", "Tax payable", "Other Current Liability", "GlobalTaxPayable"),
    ("9", "Software", "Expense", "OfficeGeneralAdministrativeExpenses"),
    ("10", "Subcontractors", "Cost of Goods Sold", "CostOfLabourCos"),
    ("11", "Old fees", "Income", "ServiceFeeIncome"),
)
# Id, name, type, income account, price.
ITEMS = (
    ("1", "Annual accounts", "Service", "1", 1200),
    ("2", "Tax return", "Service", "1", 350),
    ("3", "GST returns", "Service", "1", 180),
    ("4", "Bookkeeping", "Service", "1", 85),
    ("5", "Payroll", "Service", "1", 60),
    ("6", "Advisory", "Service", "2", 240),
    ("7", "Disbursements", "NonInventory", "3", 0),
    ("8", "Compliance", "Category", "", 0),
    ("9", "Old service", "Service", "11", 100),
)
TERMS: tuple[tuple[str, str, Record], ...] = (
    ("1", "Due on receipt", {"DueDays": 0}),
    ("2", "Net 15", {"DueDays": 15}),
    ("3", "Net 30", {"DueDays": 30}),
    ("4", "20th of the month following", {"DayOfMonthDue": 20, "DueNextMonthDays": 31}),
)
METHODS = (("1", "Cash"), ("2", "Cheque"), ("3", "Credit card"), ("4", "Direct debit"))
# Id, name, percent.
NZ_RATES = (
    ("1", "GST (Sales)", 15),
    ("2", "GST zero rated (Sales)", 0),
    ("3", "GST (Purchases)", 15),
    ("4", "GST (old)", 12.5),
)
US_RATES = (("1", "State sales tax", 6.5), ("2", "City sales tax", 2.1))
# Id, name, sales rates, purchase rates.
NZ_CODES = (
    ("2", "15% GST", ("1",), ("3",)),
    ("3", "Zero rated", ("2",), ("2",)),
    ("4", "Exempt", ("2",), ("2",)),
    ("5", "GST on purchases", (), ("3",)),
    ("6", "12.5% GST", ("4",), ("4",)),
)
US_CODES = (
    ("2", "Harbour City", ("1", "2"), ()),
    ("3", "State only", ("1",), ()),
    ("TAX", "TAX", (), ()),
    ("NON", "NON", (), ()),
)
INACTIVE = {("Account", "11"), ("Item", "9"), ("TaxCode", "6"), ("TaxRate", "4")}


def stock(db: sqlite3.Connection, company: Company) -> None:
    """Everything an accounting practice needs to send invoices."""
    is_us = company.country == "US"
    codes, rates = (US_CODES, US_RATES) if is_us else (NZ_CODES, NZ_RATES)
    for identifier, name, kind, subtype in ACCOUNTS:
        extra = {
            "AccountType": kind, "AccountSubType": subtype, "FullyQualifiedName": name, "SubAccount": False,
            "Classification": _class_of(kind), "CurrentBalance": 0, "CurrencyRef": {"value": company.currency},
        }  # fmt: skip
        put(db, company.realm, "Account", identifier, name, kind, extra)
    for identifier, name, kind, account, price in ITEMS:
        extra = {"Type": kind, "FullyQualifiedName": name}
        if account:
            extra |= {"UnitPrice": price, "Taxable": True, "IncomeAccountRef": {"value": account}}
        put(db, company.realm, "Item", identifier, name, kind, extra)
    for identifier, name, extra in TERMS:
        kind = "DATE_DRIVEN" if "DayOfMonthDue" in extra else "STANDARD"
        put(db, company.realm, "Term", identifier, name, kind, {"Type": kind, **extra})
    for identifier, name in METHODS:
        put(db, company.realm, "PaymentMethod", identifier, name, "NON_CREDIT_CARD", {"Type": "NON_CREDIT_CARD"})
    put(db, company.realm, "TaxAgency", "1", "Inland Revenue" if not is_us else "State Department of Revenue", "", {})
    for identifier, name, percent in rates:
        put(db, company.realm, "TaxRate", identifier, name, "", {"RateValue": percent, "AgencyRef": {"value": "1"}})
    for identifier, name, sales, purchases in codes:
        extra = {
            "Taxable": name not in ("Exempt", "NON"), "TaxGroup": bool(sales or purchases),
            "SalesTaxRateList": _rates(sales), "PurchaseTaxRateList": _rates(purchases),
        }  # fmt: skip
        put(db, company.realm, "TaxCode", identifier, name, "", extra)


def put(db: sqlite3.Connection, realm: str, entity: str, identifier: str, name: str, kind: str, extra: Record) -> None:
    """One entry, as it was on the first day."""
    active = (entity, identifier) not in INACTIVE
    record = {
        "Name": name, "Active": active, **extra, "domain": "QBO", "sparse": False, "Id": identifier, "SyncToken": "0",
        "MetaData": {"CreateTime": stamp(SINCE), "LastUpdatedTime": stamp(SINCE)},
    }  # fmt: skip
    db.execute(
        "INSERT INTO qbo_list (tenant, entity, id, active, name, kind, created, updated, written, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
        (realm, entity, identifier, int(active), name.casefold(), kind.casefold(), SINCE, SINCE, dump(record)),
    )


def find(db: sqlite3.Connection, realm: str, entity: str, identifier: str) -> Record | None:
    """One entry, inactive or not; None when it is not there."""
    row = db.execute(
        "SELECT body FROM qbo_list WHERE tenant = ? AND entity = ? AND id = ? AND gone = 0", (realm, entity, identifier)
    ).fetchone()
    return json.loads(row["body"]) if row else None


def change(db: sqlite3.Connection, realm: str, entity: str, identifier: str, values: Record, now_ms: int) -> Record:
    """Somebody edits an entry; it is there."""
    record = (find(db, realm, entity, identifier) or {}) | values
    seconds = now_ms // 1000
    record["SyncToken"] = str(int(record["SyncToken"]) + 1)
    record["MetaData"] = {**record["MetaData"], "LastUpdatedTime": stamp(seconds)}
    db.execute(
        "UPDATE qbo_list SET active = ?, name = ?, updated = ?, written = ?, body = ? WHERE tenant = ? AND entity = ?"
        " AND id = ?",
        (int(record["Active"]), record["Name"].casefold(), seconds, now_ms, dump(record), realm, entity, identifier),
    )
    return record


def remove(db: sqlite3.Connection, realm: str, entity: str, identifier: str, now_ms: int) -> None:
    """No longer there at all."""
    db.execute(
        "UPDATE qbo_list SET gone = 1, active = -1, updated = ?, written = ?"
        " WHERE tenant = ? AND entity = ? AND id = ?",
        (now_ms // 1000, now_ms, realm, entity, identifier),
    )


def _rates(identifiers: tuple[str, ...]) -> Record:
    return {
        "TaxRateDetail": [
            {"TaxRateRef": {"value": one}, "TaxTypeApplicable": "TaxOnAmount", "TaxOrder": 0} for one in identifiers
        ]
    }


def _class_of(kind: str) -> str:
    if "Income" in kind:
        return "Revenue"
    if kind in ("Expense", "Cost of Goods Sold"):
        return "Expense"
    return "Liability" if "Liability" in kind else "Asset"
