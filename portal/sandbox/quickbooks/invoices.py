"""Invoices by the API's rules: who, when, which number, which lines; what they come to is worked out here."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from portal.sandbox.context import Sandbox
from portal.sandbox.quickbooks import books, faults, fields, invoice_lines, records, tax, txns
from portal.sandbox.quickbooks.company import Company, Settings, settings_of
from portal.sandbox.quickbooks.invoice_lines import Lines, Terms
from portal.sandbox.quickbooks.tax import Sums, Taxed
from portal.sandbox.quickbooks.txn_fields import TXN_RULES
from portal.sandbox.quickbooks.txns import Record, plain
from portal.sandbox.quickbooks.wire import PACIFIC

SOMEBODY = "Jo Partner"
VOIDED = "Voided"
OWN = ("Id", "SyncToken", "MetaData", "domain", "LinkedTxn", "CurrencyRef")


def create(
    box: Sandbox, db: sqlite3.Connection, company: Company, body: Record, *, may_repeat_number: bool = False
) -> Record:
    """A new one; raises Fault."""
    values = _values(body)
    record = _built(box, db, company, values)
    record["DocNumber"] = _number(box, db, company, values.get("DocNumber"), may_repeat=may_repeat_number)
    record |= {"domain": "QBO", "sparse": False, "Id": str(txns.next_id(db, company.realm)), "SyncToken": "0"}
    record["LinkedTxn"] = []
    record = _without_nothing(record)
    txns.insert(db, company.realm, "Invoice", record, box.clock.milliseconds())
    return record


def update(
    box: Sandbox, db: sqlite3.Connection, company: Company, body: Record, *, may_repeat_number: bool = False
) -> Record:
    """Full or sparse; a Line array that is sent replaces the stored one. Raises Fault."""
    row = row_to_change(db, company, "Invoice", body)
    before = txns.loaded(row)
    values = _values(body)
    if body.get("sparse") is True:
        kept = {name: before[name] for name in TXN_RULES["Invoice"] if name in before}
        values = {**kept, **values}
    for name in ("CustomerRef", "Line"):
        values.setdefault(name, None)
    refuse_closed(box, company, before["TxnDate"])
    record = {name: before[name] for name in OWN if name in before} | {"sparse": False}
    record |= _built(box, db, company, values)
    record["DocNumber"] = values.get("DocNumber")
    paid = txns.exact(before["TotalAmt"]) - txns.exact(before["Balance"])
    record["Balance"] = plain(txns.exact(record["TotalAmt"]) - paid)
    if record["Balance"] < 0:
        raise faults.business("The amount cannot be less than what has been paid already.")
    if record["DocNumber"] != before.get("DocNumber") and record["DocNumber"]:
        _refuse_used(box, db, company, record["DocNumber"], but=row["n"], may_repeat=may_repeat_number)
    record = _without_nothing(record)
    txns.save(db, row, record, box.clock.milliseconds())
    return record


def void(box: Sandbox, db: sqlite3.Connection, company: Company, row: sqlite3.Row) -> Record:
    """Everything nought, and the word in front of the note. Nothing may be linked to it any more."""
    record = txns.loaded(row)
    refuse_closed(box, company, record["TxnDate"])
    txns.save(db, row, voided(record), box.clock.milliseconds(), "Void")
    return record


def voided(record: Record) -> Record:
    """The record, emptied in place."""
    for line in record["Line"]:
        line["Amount"] = 0
        detail = line.get("SalesItemLineDetail")
        if detail:
            detail.pop("UnitPrice", None)
            detail.pop("TaxInclusiveAmt", None)
            detail["Qty"] = 0
    record |= {"TotalAmt": 0, "Balance": 0, "LinkedTxn": [], "TxnTaxDetail": {"TotalTax": 0}}
    note = record.get("PrivateNote")
    record["PrivateNote"] = f"{VOIDED} - {note}" if note else VOIDED
    return record


def delete(box: Sandbox, db: sqlite3.Connection, company: Company, body: Record) -> Record:
    """For good; the stub."""
    row = row_to_change(db, company, "Invoice", body)
    record = txns.loaded(row)
    refuse_closed(box, company, record["TxnDate"])
    if record["LinkedTxn"]:
        raise faults.business("You cannot delete a transaction that payments are applied to. Unlink them first.")
    txns.remove(db, row, box.clock.milliseconds())
    return stub(record["Id"])


def stub(identifier: str) -> Record:
    """What is left of a deleted one in the answer."""
    return {"status": "Deleted", "domain": "QBO", "Id": identifier}


def row_to_change(db: sqlite3.Connection, company: Company, entity: str, body: Record) -> sqlite3.Row:
    """Raises Fault when it is not there or was changed since."""
    identifier = str(body.get("Id") or "")
    if not identifier.isascii() or not identifier.isdigit():
        raise faults.bad_id(identifier)
    row = txns.find(db, company.realm, entity, identifier)
    if row is None:
        raise faults.deleted_txn()
    if body.get("SyncToken") in (None, ""):
        raise faults.missing("SyncToken")
    if str(body["SyncToken"]) != txns.loaded(row)["SyncToken"]:
        raise faults.stale(SOMEBODY)
    return row


def usable_customer(box: Sandbox, db: sqlite3.Connection, company: Company, reference: Any) -> Record:
    """The customer of a transaction; raises Fault."""
    if not reference:
        raise faults.missing("CustomerRef")
    row = records.find(db, company.realm, "Customer", reference["value"])
    if row is None or row["gone"]:
        raise faults.bad_reference("CustomerRef", reference["value"])
    if not row["active"]:
        kinds = {"610": faults.not_found, "6250": faults.customer_not_usable}
        made = kinds.get(str(box.switches["quickbooks_inactive_customer"]))
        raise made() if made else faults.bad_reference("CustomerRef", reference["value"])
    return records.loaded(row)


def currency_of(company: Company, settings: Settings, customer: Record, values: Record) -> Record:
    """The transaction's currency; raises Fault."""
    home = {"value": company.currency, "name": company.currency_name}
    sent = (values.get("CurrencyRef") or {}).get("value")
    theirs = customer.get("CurrencyRef") or home
    if not settings.multi_currency:
        if sent not in (None, company.currency):
            raise faults.business("Multi-currency should be enabled to perform this operation.")
        return home
    if sent is None:
        raise faults.missing("CurrencyRef")
    if sent != theirs["value"]:
        raise faults.business(f"You can only use one foreign currency per transaction. {sent} is not the customer's.")
    return dict(theirs)


def today(box: Sandbox) -> str:
    """The server's day."""
    return datetime.fromtimestamp(box.clock.seconds(), PACIFIC).date().isoformat()


def refuse_closed(box: Sandbox, company: Company, day: str) -> None:
    """Raises Fault for a day the books are closed on."""
    settings = settings_of(box, company.realm)
    if settings.closed_until and day <= settings.closed_until:
        raise faults.closed(settings.closed_until, password=settings.closed_with_password)


def _values(body: Record) -> Record:
    return {name: value for name, value in fields.checked_by(TXN_RULES["Invoice"], body).items() if value is not None}


def _built(box: Sandbox, db: sqlite3.Connection, company: Company, values: Record) -> Record:
    """All but its number and what every record has."""
    settings = settings_of(box, company.realm)
    customer = usable_customer(box, db, company, values.get("CustomerRef"))
    currency = currency_of(company, settings, customer, values)
    is_us = company.country == "US"
    mode = "TaxExcluded" if is_us else values.get("GlobalTaxCalculation", "TaxExcluded")
    needs = bool(box.switches["quickbooks_needs_tax_code"])
    has_gross = box.switches["quickbooks_tax_inclusive_lines"] == "gross"
    terms = Terms(db, company, currency["value"], mode, needs, has_gross)
    lines = invoice_lines.checked(terms, values.get("Line"))
    found = _sums(box, terms, settings, lines, values)
    total = found.total - lines.discount
    if total < 0:
        raise faults.business("Transaction amount must be 0 or greater.")
    day = values.get("TxnDate") or today(box)
    refuse_closed(box, company, day)
    if values.get("EmailStatus") == "NeedToSend" and not values.get("BillEmail"):
        raise faults.missing("BillEmail")
    deposit = txns.exact(values.get("Deposit") or 0)
    record = {name: value for name, value in values.items() if name not in ("Line", "TxnTaxDetail", "DocNumber")}
    return record | {
        "TxnDate": day,
        "DueDate": values.get("DueDate") or _due(db, company, values, day),
        "CustomerRef": {"value": customer["Id"], "name": customer["DisplayName"]},
        "CurrencyRef": currency,
        **({} if is_us else {"GlobalTaxCalculation": mode}),
        "BillAddr": values.get("BillAddr") or customer.get("BillAddr"),
        "Line": lines.stored,
        "TxnTaxDetail": found.detail,
        "TotalAmt": plain(total),
        "Balance": plain(total - deposit),
        "EmailStatus": values.get("EmailStatus", "NotSet"),
        "PrintStatus": values.get("PrintStatus", "NeedToPrint"),
    }


def _sums(box: Sandbox, terms: Terms, settings: Settings, lines: Lines, values: Record) -> Sums:
    """In the United States one code for all lines marked TAX; elsewhere each line's own."""
    each_line = box.switches["quickbooks_tax_rounding"] == "each_line"
    inclusive = terms.mode == "TaxInclusive"
    realm = terms.company.realm
    if not terms.is_us:
        return tax.sums(terms.db, realm, terms.currency, lines.taxed, inclusive=inclusive, each_line=each_line)
    reference = (values.get("TxnTaxDetail") or {}).get("TxnTaxCodeRef") or {}
    code = str(reference.get("value") or ("2" if settings.automated_tax else ""))
    if code:
        tax.checked_code(terms.db, realm, code)
    net = sum((line.net for line in lines.taxed), Decimal(0))
    parts = [Taxed(code, lines.taxable), Taxed("", net - lines.taxable)]
    found = tax.sums(terms.db, realm, terms.currency, parts, inclusive=False, each_line=False)
    detail = {"TxnTaxCodeRef": {"value": code}, **found.detail} if code else found.detail
    return Sums(found.tax, found.total, detail)


def _number(
    box: Sandbox, db: sqlite3.Connection, company: Company, sent: str | None, *, may_repeat: bool
) -> str | None:
    """What is sent; the company's own where it numbers itself or is asked to."""
    own = not settings_of(box, company.realm).custom_numbers
    if sent == "AUTO_GENERATE" or (own and not sent):
        return txns.next_number(db, company.realm)
    if sent:
        _refuse_used(box, db, company, sent, may_repeat=may_repeat)
    return sent


def _refuse_used(
    box: Sandbox, db: sqlite3.Connection, company: Company, number: str, but: int = -1, *, may_repeat: bool
) -> None:
    """Only where the company warns of it, which the API cannot tell, and numbers are the callers'."""
    if may_repeat or not box.switches["quickbooks_refuses_used_numbers"]:
        return
    holder = txns.holder_of(db, company.realm, number, but)
    if holder is not None and settings_of(box, company.realm).custom_numbers:
        raise faults.number_taken(number, str(holder["id"]))


def _due(db: sqlite3.Connection, company: Company, values: Record, day: str) -> str:
    reference = values.get("SalesTermRef")
    if not reference:
        return day
    term = books.find(db, company.realm, "Term", reference["value"])
    if term is None:
        raise faults.bad_reference("SalesTermRef", reference["value"])
    first = date.fromisoformat(day)
    if "DueDays" in term:
        return (first + timedelta(days=int(term["DueDays"]))).isoformat()
    following = (first.replace(day=1) + timedelta(days=32)).replace(day=int(term["DayOfMonthDue"]))
    return following.isoformat()


def _without_nothing(record: Record) -> Record:
    return {name: value for name, value in record.items() if value is not None}
