"""The chart of accounts every business of the sandbox has."""

from __future__ import annotations

from functools import cache
from typing import Any

from portal.sandbox.names_practice import stable_uuid

TYPES = (
    "Assets",
    "Liabilities",
    "Equity",
    "Income",
    "Expenses",
    "CostOfGoodsSold",
    "OtherIncome",
    "OtherExpenses",
)
# number, name, type, subtype, number of the parent
ACCOUNTS: tuple[tuple[str, str, str, str, str], ...] = (
    ("1000", "Bank Accounts", "Assets", "BankAccounts", ""),
    ("1010", "Operating Account", "Assets", "BankAccounts", "1000"),
    ("1020", "Client Trust Account", "Assets", "BankAccounts", "1000"),
    ("1200", "Accounts Receivable", "Assets", "AccountsReceivable", ""),
    ("1400", "Prepaid Expenses", "Assets", "PrepaidExpenses", ""),
    ("2000", "Accounts Payable", "Liabilities", "AccountsPayable", ""),
    ("2100", "Clearing", "Liabilities", "LiabilityClearing", ""),
    ("2200", "GST Collected", "Liabilities", "TaxesPayable", ""),
    ("3000", "Partners' Equity", "Equity", "OwnersEquity", ""),
    ("3900", "Retained Earnings", "Equity", "RetainedEarnings", ""),
    ("4000", "Revenue", "Income", "SalesRevenue", ""),
    ("4010", "Bookkeeping", "Income", "SalesRevenue", "4000"),
    ("4020", "Tax Returns", "Income", "SalesRevenue", "4000"),
    ("4030", "Advisory", "Income", "SalesRevenue", "4000"),
    ("5000", "Subcontractors", "CostOfGoodsSold", "CostOfServices", ""),
    ("6000", "Operating Expenses", "Expenses", "GeneralOperations", ""),
    ("6010", "Rent", "Expenses", "GeneralOperations", "6000"),
    ("6020", "Power and Water", "Expenses", "GeneralOperations", "6000"),
    ("6030", "Software", "Expenses", "GeneralOperations", "6000"),
    ("6040", "Travel", "Expenses", "GeneralOperations", "6000"),
    ("6090", "Fax Line (closed)", "Expenses", "GeneralOperations", "6000"),
    ("8000", "Interest Received", "OtherIncome", "InterestIncome", ""),
    ("9000", "Interest Paid", "OtherExpenses", "InterestExpense", ""),
)
CLOSED = frozenset({"6090"})


@cache
def categories(tenant: str) -> tuple[dict[str, Any], ...]:
    """Every account with its number in the list as `n`."""
    return tuple(
        {
            "n": n,
            "categoryId": stable_uuid("digits category", tenant, number),
            "name": name,
            "type": kind,
            "subtype": subtype,
            "parentCategoryId": stable_uuid("digits category", tenant, parent) if parent else "",
            "chartOfAccountsDisplayNumber": number,
            "active": number not in CLOSED,
        }
        for n, (number, name, kind, subtype, parent) in enumerate(ACCOUNTS, 1)
    )


def shown(category: dict[str, Any]) -> dict[str, Any]:
    """As the API prints it."""
    return {name: value for name, value in category.items() if name != "n"}
