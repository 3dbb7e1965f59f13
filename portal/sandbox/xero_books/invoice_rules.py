"""What an invoice must be for the organisation to take it, and how each rule is said when it is broken."""

from __future__ import annotations

import re
import sqlite3
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from portal.sandbox.context import Sandbox
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import around, chart, invoice_sums, records
from portal.sandbox.xero_books.invoice_records import Fields
from portal.sandbox.xero_books.wire import Item, as_datetime, bad_data

STATUSES = ("DRAFT", "SUBMITTED", "AUTHORISED", "PAID", "VOIDED", "DELETED")
KINDS = ("ACCREC", "ACCPAY")
AMOUNT_TYPES = ("Exclusive", "Inclusive", "NoTax")
MOST = Decimal("9999999999.99")
LONGEST_NUMBER, LONGEST_REFERENCE, LONGEST_DESCRIPTION = 255, 255, 4000
ZONE = ZoneInfo("Pacific/Auckland")
PRINTABLE = re.compile(r"[ -~]*")
NOT_FOR_SALES = ("EXPENSE",)  # classes of accounts
TEXTS = ("InvoiceNumber", "Reference", "BrandingThemeID", "Url")

NUMBER_USED = "Invoice # must be unique."
ARCHIVED = "The contact is archived. It must be un-archived before an invoice can be raised for it."
NO_CONTACT = "The contact with the specified contact details could not be found"
LOCKED = "The document date cannot be before the period lock date, {:%d %b %Y}"
NO_CURRENCY = "Organisation is not subscribed to currency {}"
BAD_ACCOUNT = "Account code '{}' is not a valid code for this document."
BAD_TAX = "The TaxType code {} does not exist or cannot be used for this type of transaction."
BAD_PAIR = "The TaxType code '{}' cannot be used with account code '{}'."


@dataclass
class Known:
    """What the rules look things up in: read once for a request."""

    accounts: dict[str, Item]
    account_ids: dict[str, Item]
    rates: dict[str, Item]
    items: dict[str, Item]
    currencies: frozenset[str]
    themes: frozenset[str]
    base: str
    locked: date
    today: date


@dataclass
class Read:
    """An invoice as it was sent, understood: what it says, and what is wrong with that."""

    fields: Fields
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def known(box: Sandbox, tenant: Tenant) -> Known:
    """The organisation's lists as they stand."""
    accounts = around.accounts(box, tenant)
    return Known(
        {one["Code"]: one for one in accounts},
        {one["AccountID"]: one for one in accounts},
        {one["TaxType"]: one for one in around.tax_rates(box, tenant)},
        {one["Code"]: one for one in around.items(box, tenant)},
        frozenset(one["Code"] for one in chart.currencies(tenant)),
        frozenset(one["BrandingThemeID"] for one in chart.branding_themes(tenant)),
        "NZD",
        around.locked_until(box, tenant),
        today(box),
    )


def read(item: Item, before: Fields | None, lists: Known, *, places: int) -> Read:
    """`before` are the fields of the invoice that is changed. `places`: decimals a unit amount keeps. Raises ApiError
    for what cannot even be read."""
    fresh = before is None
    fields: Fields = dict(before or {"Status": "DRAFT", "LineAmountTypes": "Exclusive", "Type": ""})
    found = Read(fields)
    for name, choices in (("Type", KINDS), ("Status", STATUSES), ("LineAmountTypes", AMOUNT_TYPES)):
        if item.get(name):
            fields[name] = _choice(name, str(item[name]), choices)
    for name in ("Date", "DueDate", "ExpectedPaymentDate"):
        if item.get(name):
            fields[name] = day(name, str(item[name])).isoformat()
    for name in TEXTS:
        if item.get(name) is not None:
            fields[name] = str(item[name])
    if item.get("CurrencyCode"):
        fields["CurrencyCode"] = str(item["CurrencyCode"]).upper()
    if item.get("CurrencyRate"):
        fields["CurrencyRate"] = f"{number('CurrencyRate', item['CurrencyRate']):f}"
    if item.get("SentToContact") is not None:
        fields["SentToContact"] = str(item["SentToContact"]).lower() == "true"
    fields.setdefault("Date", lists.today.isoformat())
    fields.setdefault("CurrencyCode", lists.base)
    fields.setdefault("CurrencyRate", "1" if fields["CurrencyCode"] == lists.base else "0.92")
    if "LineItems" in item or fresh:
        fields["Lines"] = _lines(item.get("LineItems") or [], found, lists, places)
    return found


def complaints(found: Read, lists: Known, *, url_any: bool) -> None:
    """Everything wrong with the invoice by itself; the company it is in is looked at elsewhere."""
    fields, wrong = found.fields, found.errors
    approved = fields["Status"] not in ("DRAFT", "DELETED")
    if not fields["Type"]:
        wrong.append("Invoice Type cannot be empty")
    if not fields["Lines"]:
        wrong.append("One or more line items must be specified")
    if approved and not fields.get("DueDate"):
        wrong.append("The Due Date cannot be empty for approved invoices")
    if date.fromisoformat(fields["Date"]) <= lists.locked:
        wrong.append(LOCKED.format(lists.locked))
    if fields["CurrencyCode"] not in lists.currencies:
        wrong.append(NO_CURRENCY.format(fields["CurrencyCode"]))
    number_, reference = fields.get("InvoiceNumber", ""), fields.get("Reference", "")
    if len(number_) > LONGEST_NUMBER or not PRINTABLE.fullmatch(number_):
        wrong.append(f"The Invoice Number has up to {LONGEST_NUMBER} printable ASCII characters")
    if len(reference) > LONGEST_REFERENCE:
        wrong.append(f"The Reference has up to {LONGEST_REFERENCE} characters")
    if fields.get("BrandingThemeID") and fields["BrandingThemeID"] not in lists.themes:
        wrong.append("The BrandingThemeID does not exist")
    url = urlsplit(fields.get("Url", ""))
    if fields.get("Url") and not (
        url.scheme in ("http", "https") and url.hostname and (url_any or "." in url.hostname)
    ):
        wrong.append("The Url is not a valid address")
    if fields.get("SentToContact") and fields["Status"] in ("DRAFT", "SUBMITTED"):
        found.warnings.append("Only AUTHORISED invoices may have SentToContact updated.")
        fields["SentToContact"] = False


def customer(db: sqlite3.Connection, tenant: Tenant, item: Item, found: Read) -> None:
    """Whom it is for: by identifier, number or name. A name nobody has makes a new contact, as the vendor does."""
    sent = item.get("Contact")
    if sent is None and "ContactID" in found.fields:
        return
    told = sent if isinstance(sent, dict) else {}
    row = None
    for column, key in (("id", "ContactID"), ("number", "ContactNumber"), ("name", "Name")):
        if told.get(key):
            wanted = str(told[key]).lower() if column == "id" else str(told[key])
            row = db.execute(
                f"SELECT * FROM books_contact WHERE tenant = ? AND {column} = ? ORDER BY archived, n LIMIT 1",
                (tenant.id, wanted),
            ).fetchone()
            break
    else:
        found.errors.append(
            "The Contact must contain at least 1 of the following elements to identify the contact: Name, ContactID,"
            " ContactNumber"
        )
        return
    if row is None and not told.get("Name"):
        found.errors.append(NO_CONTACT)
    elif row is not None and row["archived"]:
        found.errors.append(ARCHIVED)
    else:
        found.fields["ContactID"] = row["id"] if row is not None else ""
        found.fields["NewContact"] = "" if row is not None else str(told["Name"])


def new_contact(db: sqlite3.Connection, tenant: Tenant, name: str, now: int) -> str:
    """The contact an invoice brings along; its identifier."""
    contact = str(uuid.uuid4())
    fields = {"Name": name, "ContactStatus": "ACTIVE", "IsCustomer": True}
    records.insert(db, [records.row_of(tenant.id, contact, fields, None, now, now)])
    return contact


def number(name: str, value: Any) -> Decimal:
    """A number, also as a text; raises ApiError."""
    try:
        made = Decimal(str(value))
    except InvalidOperation as reason:
        raise bad_data(f"{name} is not a number: {str(value)[:40]}.") from reason
    if not made.is_finite() or abs(made) > Decimal(10) ** 15:
        raise bad_data(f"{name} is not a number anybody can use.")
    return made


def _lines(sent: Any, found: Read, lists: Known, places: int) -> list[Fields]:
    if not isinstance(sent, list) or not all(isinstance(one, dict) for one in sent):
        raise bad_data("LineItems are not a list.")
    return [_line(one, found, lists, places) for one in sent]


def _line(sent: Item, found: Read, lists: Known, places: int) -> Fields:
    item = lists.items.get(str(sent.get("ItemCode") or ""), {})
    if sent.get("ItemCode") and not item:
        found.errors.append(f"Item code '{sent['ItemCode']}' is not valid")
    details = item.get("SalesDetails", {})
    line: Fields = {"LineItemID": str(sent.get("LineItemID") or uuid.uuid4())}
    line["Description"] = str(sent.get("Description") or item.get("Description") or "")
    if not line["Description"]:
        found.errors.append("Description: a line needs at least one character")
    if len(line["Description"]) > LONGEST_DESCRIPTION:
        found.errors.append(f"Description: the maximum is {LONGEST_DESCRIPTION} characters")
    for key in ("ItemCode", "Tracking"):
        if sent.get(key):
            line[key] = sent[key]
    account = _account(sent, details, line, found, lists)
    percent = _tax(sent, details, account, line, found, lists)
    _amounts(sent, details, percent, line, found, places)
    return line


def _account(sent: Item, details: Item, line: Fields, found: Read, lists: Known) -> Item | None:
    code = str(sent.get("AccountCode") or details.get("AccountCode") or "")
    account = lists.accounts.get(code) or lists.account_ids.get(str(sent.get("AccountID") or "").lower())
    if account is None:
        if code or sent.get("AccountID"):
            found.errors.append(BAD_ACCOUNT.format(code or sent["AccountID"]))
        elif found.fields["Status"] not in ("DRAFT", "DELETED"):
            found.errors.append("Account code must be specified")
        return None
    line |= {"AccountCode": account["Code"], "AccountID": account["AccountID"]}
    is_odd = account["Status"] != "ACTIVE" or account["Type"] == "BANK" or bool(account.get("SystemAccount"))
    if is_odd or (found.fields["Type"] == "ACCREC" and account["Class"] in NOT_FOR_SALES):
        found.errors.append(BAD_ACCOUNT.format(account["Code"]))
    return account


def _tax(sent: Item, details: Item, account: Item | None, line: Fields, found: Read, lists: Known) -> Decimal:
    kind = str(sent.get("TaxType") or details.get("TaxType") or (account or {}).get("TaxType") or "")
    rate = lists.rates.get(kind)
    if not kind:
        if found.fields["Status"] not in ("DRAFT", "DELETED"):
            found.errors.append("The TaxType field is mandatory")
        return Decimal(0)
    line["TaxType"] = kind
    if rate is None or rate["Status"] != "ACTIVE":
        found.errors.append(BAD_TAX.format(kind))
        return Decimal(0)
    if account is not None:
        groups = {"ASSET": "Assets", "EQUITY": "Equity", "EXPENSE": "Expenses", "LIABILITY": "Liabilities"}
        if not rate[f"CanApplyTo{groups.get(account['Class'], 'Revenue')}"]:
            found.errors.append(BAD_PAIR.format(kind, account["Code"]))
    return Decimal(str(rate["EffectiveRate"]))


def _amounts(sent: Item, details: Item, percent: Decimal, line: Fields, found: Read, places: int) -> None:
    quantity = number("Quantity", sent.get("Quantity", 1)).quantize(invoice_sums.FOUR)
    price = number("UnitAmount", sent.get("UnitAmount", details.get("UnitPrice", 0)))
    if "UnitAmount" not in sent and "LineAmount" in sent and quantity:
        price = number("LineAmount", sent["LineAmount"]) / quantity
    price = price.quantize(invoice_sums.FOUR if places == 4 else invoice_sums.CENT)
    rate = number("DiscountRate", sent["DiscountRate"]) if sent.get("DiscountRate") else None
    off = number("DiscountAmount", sent["DiscountAmount"]) if sent.get("DiscountAmount") else None
    if quantity < 0:
        found.errors.append("Quantity cannot be negative")
    amount = invoice_sums.line_amount(quantity, price, rate, off)
    if "LineAmount" in sent and (told := number("LineAmount", sent["LineAmount"])) != amount:
        found.errors.append(f"The line total {told:.2f} does not match the expected line total {amount:.2f}")
    if abs(amount) > MOST:
        found.errors.append(f"The line amount cannot be more than {MOST}")
    kind = found.fields["LineAmountTypes"]
    tax = invoice_sums.line_tax(amount, percent, kind)
    if sent.get("TaxAmount") is not None and kind != "NoTax":
        tax = invoice_sums.cents(number("TaxAmount", sent["TaxAmount"]))
    whole = invoice_sums.cents(quantity * price)
    line |= {
        "Quantity": f"{quantity:f}",
        "UnitAmount": f"{price:f}",
        "LineAmount": f"{amount:f}",
        "TaxAmount": f"{tax:f}",
    }
    line["Discount"] = f"{whole - amount:f}"
    if rate is not None:
        line["DiscountRate"] = f"{rate:f}"
    if off is not None:
        line["DiscountAmount"] = f"{off:f}"


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise bad_data(f"Error converting value \"{value}\" to type '{name}'.")
    return value


def today(box: Sandbox) -> date:
    """The day it is for the organisation."""
    return datetime.fromtimestamp(box.clock.seconds(), ZONE).date()


def day(name: str, text: str) -> date:
    """A calendar day as it was sent; raises ApiError."""
    moment = as_datetime(text)
    if moment is not None:
        return moment.date()
    if re.match(r"\d{4}-\d{2}-\d{2}", text):
        try:
            return datetime.fromisoformat(text).date()
        except ValueError:
            pass
    raise bad_data(f"The {name} cannot be read: {text[:40]}.")
