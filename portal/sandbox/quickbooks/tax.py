"""What tax an invoice comes to, by the company's own arithmetic: lines of one rate are added, then taxed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portal.sandbox.quickbooks import books, faults
from portal.sandbox.quickbooks.txns import exact, plain, rounded

Record = dict[str, Any]


@dataclass(frozen=True)
class Taxed:
    """A line's amount under a tax code: `net` without tax, `gross` with it where the line says so."""

    code: str
    net: Decimal
    gross: Decimal | None = None


@dataclass(frozen=True)
class Sums:
    """What a whole invoice comes to."""

    tax: Decimal
    total: Decimal
    detail: Record


@dataclass(frozen=True)
class Rate:
    """A rate of a code."""

    id: str
    percent: Decimal


def sums(
    db: sqlite3.Connection, realm: str, currency: str, lines: Sequence[Taxed], *, inclusive: bool, each_line: bool
) -> Sums:
    """Of these lines; codes are known and active."""
    net_sum, tax_sum, rows = Decimal(0), Decimal(0), []
    for code in dict.fromkeys(line.code for line in lines):
        mine = [line for line in lines if line.code == code]
        rates = rates_of(db, realm, code)
        has_gross = inclusive and all(line.gross is not None for line in mine)
        groups = [[line] for line in mine] if each_line else [mine]
        taxes, net = [Decimal(0)] * len(rates), Decimal(0)
        for group in groups:
            found = _within(group, rates, currency) if has_gross else _on_top(group, rates, currency)
            net += found[0]
            taxes = [before + more for before, more in zip(taxes, found[1], strict=True)]
        net_sum, tax_sum = net_sum + net, tax_sum + sum(taxes)
        rows += [_row(rate, tax, net) for rate, tax in zip(rates, taxes, strict=True)]
    return Sums(tax_sum, net_sum + tax_sum, {"TotalTax": plain(tax_sum), "TaxLine": rows})


def rates_of(db: sqlite3.Connection, realm: str, code: str) -> list[Rate]:
    """The sales rates of a code; none for no code."""
    record = books.find(db, realm, "TaxCode", code) if code else None
    if record is None:
        return []
    found = []
    for detail in record["SalesTaxRateList"]["TaxRateDetail"]:
        rate = books.find(db, realm, "TaxRate", detail["TaxRateRef"]["value"])
        if rate is not None:
            found.append(Rate(rate["Id"], exact(rate["RateValue"])))
    return found


def checked_code(db: sqlite3.Connection, realm: str, identifier: str) -> str:
    """A code that can stand on a sale; raises Fault."""
    record = books.find(db, realm, "TaxCode", identifier)
    if record is None:
        raise faults.bad_reference("TaxCodeRef", identifier)
    if not record["Active"]:
        raise faults.not_found()
    if not record["SalesTaxRateList"]["TaxRateDetail"] and identifier not in ("TAX", "NON"):
        raise faults.business("The tax rate you selected cannot be used on a sale.")
    return identifier


def _on_top(group: list[Taxed], rates: list[Rate], currency: str) -> tuple[Decimal, list[Decimal]]:
    net = sum((line.net for line in group), Decimal(0))
    return net, [rounded(net * rate.percent / 100, currency) for rate in rates]


def _within(group: list[Taxed], rates: list[Rate], currency: str) -> tuple[Decimal, list[Decimal]]:
    """The last rate takes what rounding leaves."""
    gross = sum((line.gross or Decimal(0) for line in group), Decimal(0))
    percent = sum((rate.percent for rate in rates), Decimal(0))
    net = rounded(gross * 100 / (100 + percent), currency)
    taxes = [rounded(net * rate.percent / 100, currency) for rate in rates]
    if taxes:
        taxes[-1] = gross - net - sum(taxes[:-1], Decimal(0))
    return net, taxes


def _row(rate: Rate, tax: Decimal, net: Decimal) -> Record:
    return {
        "Amount": plain(tax),
        "DetailType": "TaxLineDetail",
        "TaxLineDetail": {
            "TaxRateRef": {"value": rate.id},
            "PercentBased": True,
            "TaxPercent": plain(rate.percent),
            "NetAmountTaxable": plain(net),
        },
    }
