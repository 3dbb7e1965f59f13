"""The lines of an invoice as they are checked and stored, and what is taxed of them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from portal.sandbox.quickbooks import books, faults, tax
from portal.sandbox.quickbooks.company import Company
from portal.sandbox.quickbooks.tax import Taxed
from portal.sandbox.quickbooks.txns import exact, plain, rounded

Record = dict[str, Any]
KINDS = ("SalesItemLineDetail", "GroupLineDetail", "DescriptionOnly", "DiscountLineDetail", "SubTotalLineDetail")
MOST = 750
NO_RATE = "Make sure all your transactions have a tax rate before you save."


@dataclass
class Lines:
    """As stored, and their sums."""

    stored: list[Record] = field(default_factory=list)
    taxed: list[Taxed] = field(default_factory=list)
    discount: Decimal = Decimal(0)
    taxable: Decimal = Decimal(0)  # of lines marked TAX, in the United States


@dataclass(frozen=True)
class Terms:
    """What the lines of this invoice are checked against."""

    db: sqlite3.Connection
    company: Company
    currency: str
    mode: str  # as GlobalTaxCalculation names it
    needs_code: bool
    has_gross: bool = False  # under TaxInclusive amounts have the tax in them

    @property
    def is_us(self) -> bool:
        return self.company.country == "US"


def checked(terms: Terms, sent: Any) -> Lines:
    """Raises Fault."""
    if not isinstance(sent, list) or not sent:
        raise faults.missing("Line")
    if len(sent) > MOST:
        raise faults.business(f"You can have up to {MOST} lines on a taxable transaction.")
    found = Lines()
    for raw in sent:
        if not isinstance(raw, dict):
            raise faults.bad_property("Line")
        kind = raw.get("DetailType")
        if kind not in KINDS:
            raise faults.bad_choice("DetailType", str(kind)) if kind else faults.missing("Line.DetailType")
        if kind != "SubTotalLineDetail":  # the service's own, made anew
            _take(terms, found, raw, kind)
    if not found.stored:
        raise faults.missing("Line")
    subtotal = sum((line.net for line in found.taxed), Decimal(0))
    found.stored.append({"Amount": plain(subtotal), "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    return found


def _take(terms: Terms, found: Lines, raw: Record, kind: str) -> None:
    number = len(found.stored) + 1
    line: Record = {"Id": str(raw.get("Id") or number), "LineNum": number}
    text = raw.get("Description")
    if text:
        if not isinstance(text, str) or len(text) > 4000:
            raise faults.wrong_length(4000, len(str(text)))
        line["Description"] = text
    if kind == "SalesItemLineDetail":
        _take_item(terms, found, raw, line)
    elif kind == "DiscountLineDetail":
        amount = rounded(number_in(raw, "Amount"), terms.currency)
        found.discount += amount
        found.stored.append({**line, "Amount": plain(amount), "DetailType": kind, kind: raw.get(kind) or {}})
    else:
        found.stored.append({**line, "DetailType": kind, kind: raw.get(kind) or {}})


def _take_item(terms: Terms, found: Lines, raw: Record, line: Record) -> None:
    detail = raw.get("SalesItemLineDetail")
    if not isinstance(detail, dict):
        raise faults.missing("Line.SalesItemLineDetail")
    if raw.get("Amount") is None:
        raise faults.missing("Line.Amount")
    amount = number_in(raw, "Amount")
    _multiplied(detail, amount, terms.currency)
    if not _reference(detail, "ItemRef"):  # documentation only, whatever its amount
        found.stored.append({**line, "DetailType": "DescriptionOnly", "DescriptionLineDetail": {}})
        return
    stored = _item(terms, detail)
    code = _code(terms, detail)
    if code:
        stored["TaxCodeRef"] = {"value": code}
    for name in ("UnitPrice", "Qty", "TaxInclusiveAmt", "ServiceDate", "ClassRef", "DiscountRate", "DiscountAmt"):
        if detail.get(name) is not None:
            stored[name] = detail[name]
    amount = rounded(amount, terms.currency)
    gross = number_in(detail, "TaxInclusiveAmt") if detail.get("TaxInclusiveAmt") is not None else None
    if terms.has_gross and terms.mode == "TaxInclusive":
        gross = amount
    found.taxed.append(Taxed("" if terms.is_us else code, amount, gross))
    if code == "TAX":
        found.taxable += amount
    kind = "SalesItemLineDetail"
    found.stored.append({**line, "Amount": plain(amount), "DetailType": kind, kind: stored})


def _multiplied(detail: Record, amount: Decimal, currency: str) -> None:
    """What is for one, times how many, is the amount, give or take half a coin."""
    if detail.get("Qty") is None or detail.get("UnitPrice") is None:
        return
    wanted = number_in(detail, "Qty") * number_in(detail, "UnitPrice")
    if rounded(wanted, currency) != rounded(amount, currency):
        raise faults.bad_amount(f"{amount} is not equal to UnitPrice * Qty {plain(wanted)}")


def _item(terms: Terms, detail: Record) -> Record:
    identifier = _reference(detail, "ItemRef")
    item = books.find(terms.db, terms.company.realm, "Item", identifier)
    if item is None:
        raise faults.bad_reference("ItemRef", identifier)
    account = (item.get("IncomeAccountRef") or {}).get("value", "")
    booked = books.find(terms.db, terms.company.realm, "Account", account)
    if not item["Active"] or (booked is not None and not booked["Active"]):
        raise faults.not_found()
    if booked is None:  # a category
        raise faults.business("Select a product or service that has an income account.")
    return {
        "ItemRef": {"value": identifier, "name": item["Name"]},
        "ItemAccountRef": {"value": account, "name": booked["Name"]},
    }


def _code(terms: Terms, detail: Record) -> str:
    """The line's tax code; "" where none is needed. Raises Fault."""
    code = _reference(detail, "TaxCodeRef")
    if terms.is_us:
        if code not in ("", "TAX", "NON"):
            raise faults.bad_line_code(code)
        return code or "NON"
    if terms.mode == "NotApplicable":
        return ""
    if code:
        return tax.checked_code(terms.db, terms.company.realm, code)
    if terms.needs_code:
        raise faults.business(NO_RATE)
    return ""


def number_in(raw: Record, name: str) -> Decimal:
    """Raises Fault."""
    try:
        return exact(raw.get(name))
    except ValueError as reason:
        raise faults.bad_number(name, raw.get(name)) from reason


def _reference(detail: Record, name: str) -> str:
    found = detail.get(name)
    if found in (None, {}):
        return ""
    if not isinstance(found, dict) or not isinstance(found.get("value"), str):
        raise faults.bad_property(name)
    return found["value"]
