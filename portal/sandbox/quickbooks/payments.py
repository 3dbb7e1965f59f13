"""Payments by the API's rules: what they pay is lowered by them, and named in both."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import Any

from portal.sandbox.context import Sandbox
from portal.sandbox.quickbooks import books, faults, fields, invoices, txns
from portal.sandbox.quickbooks.company import Company, settings_of
from portal.sandbox.quickbooks.txn_fields import TXN_RULES
from portal.sandbox.quickbooks.txns import Record, plain

NAMED = "{http://schema.intuit.com/finance/v3}NameValue"
Applied = dict[str, Decimal]  # invoice -> how much of the payment


def create(box: Sandbox, db: sqlite3.Connection, company: Company, body: Record) -> Record:
    """A new one; raises Fault."""
    record = _built(box, db, company, _values(body))
    record |= {"domain": "QBO", "sparse": False, "Id": str(txns.next_id(db, company.realm)), "SyncToken": "0"}
    applied = _applied(record)
    _apply(box, db, company, record, applied)
    txns.insert(db, company.realm, "Payment", record, box.clock.milliseconds())
    return record


def update(box: Sandbox, db: sqlite3.Connection, company: Company, body: Record) -> Record:
    """Full or sparse; lines go all together or stay. Raises Fault."""
    row = invoices.row_to_change(db, company, "Payment", body)
    before = txns.loaded(row)
    invoices.refuse_closed(box, company, before["TxnDate"])
    values = _values(body)
    if body.get("sparse") is True:
        values = {**{name: before[name] for name in TXN_RULES["Payment"] if name in before}, **values}
    own = ("Id", "SyncToken", "MetaData", "domain", "sparse")
    _take_back(box, db, company, before)
    record = {name: before[name] for name in own if name in before} | _built(box, db, company, values)
    _apply(box, db, company, record, _applied(record))
    txns.save(db, row, record, box.clock.milliseconds())
    return record


def void(box: Sandbox, db: sqlite3.Connection, company: Company, body: Record) -> Record:
    """Nought, applied to nothing."""
    row = invoices.row_to_change(db, company, "Payment", body)
    record = txns.loaded(row)
    invoices.refuse_closed(box, company, record["TxnDate"])
    _take_back(box, db, company, record)
    note = record.get("PrivateNote")
    record |= {"TotalAmt": 0, "UnappliedAmt": 0, "Line": [], "PrivateNote": f"Voided - {note}" if note else "Voided"}
    txns.save(db, row, record, box.clock.milliseconds(), "Void")
    return record


def delete(box: Sandbox, db: sqlite3.Connection, company: Company, body: Record) -> Record:
    """For good; the stub."""
    row = invoices.row_to_change(db, company, "Payment", body)
    record = txns.loaded(row)
    invoices.refuse_closed(box, company, record["TxnDate"])
    _take_back(box, db, company, record)
    txns.remove(db, row, box.clock.milliseconds())
    return invoices.stub(record["Id"])


def unlink(box: Sandbox, db: sqlite3.Connection, company: Company, invoice: str) -> None:
    """The payments of an invoice no longer pay it."""
    row = txns.find(db, company.realm, "Invoice", invoice)
    for link in txns.loaded(row)["LinkedTxn"] if row else []:
        paid = txns.find(db, company.realm, "Payment", link["TxnId"])
        if paid is None:
            continue
        record = txns.loaded(paid)
        gone = _applied(record).get(invoice, Decimal(0))
        record["Line"] = [line for line in record["Line"] if invoice not in _names(line)]
        record["UnappliedAmt"] = plain(txns.exact(record["UnappliedAmt"]) + gone)
        txns.save(db, paid, record, box.clock.milliseconds())
        _move(box, db, company, invoice, record["Id"], gone, linked=False)


def _values(body: Record) -> Record:
    return {name: value for name, value in fields.checked_by(TXN_RULES["Payment"], body).items() if value is not None}


def _built(box: Sandbox, db: sqlite3.Connection, company: Company, values: Record) -> Record:
    customer = invoices.usable_customer(box, db, company, values.get("CustomerRef"))
    if values.get("TotalAmt") is None:
        raise faults.business("You must set a transaction amount")
    currency = invoices.currency_of(company, settings_of(box, company.realm), customer, values)
    total = txns.rounded(txns.exact(values["TotalAmt"]), currency["value"])
    if total < 0:
        raise faults.business("Transaction amount must be 0 or greater.")
    day = values.get("TxnDate") or invoices.today(box)
    invoices.refuse_closed(box, company, day)
    into = (values.get("DepositToAccountRef") or {}).get("value") or books.UNDEPOSITED
    account = books.find(db, company.realm, "Account", into)
    if account is None:
        raise faults.bad_reference("DepositToAccountRef", into)
    if not account["Active"]:
        raise faults.not_found()
    if account["AccountType"] not in ("Bank", "Other Current Asset"):
        raise faults.business("You need to select a bank or other current asset account to deposit to.")
    method = values.get("PaymentMethodRef")
    if method and books.find(db, company.realm, "PaymentMethod", method["value"]) is None:
        raise faults.bad_reference("PaymentMethodRef", method["value"])
    record = values | {
        "CustomerRef": {"value": customer["Id"], "name": customer["DisplayName"]},
        "TotalAmt": plain(total),
        "TxnDate": day,
        "CurrencyRef": currency,
        "DepositToAccountRef": {"value": into},
        "ProcessPayment": False,
        "Line": [_line(line) for line in values.get("Line") or []],
    }
    spent = sum(_applied(record).values(), Decimal(0))
    if spent > total:
        raise faults.business("The amount received must be at least what is applied.")
    return record | {"UnappliedAmt": plain(total - spent)}


def _line(raw: Any) -> Record:
    if not isinstance(raw, dict) or not isinstance(raw.get("LinkedTxn"), list):
        raise faults.bad_property("Line")
    try:
        amount = txns.exact(raw.get("Amount"))
    except ValueError as reason:
        raise faults.bad_number("Amount", raw.get("Amount")) from reason
    links = [{"TxnId": str(one.get("TxnId")), "TxnType": str(one.get("TxnType"))} for one in raw["LinkedTxn"]]
    named = [{"name": NAMED, "value": {"Name": "txnId", "Value": one["TxnId"]}} for one in links]
    return {"Amount": plain(amount), "LinkedTxn": links, "LineEx": {"any": named}}


def _names(line: Record) -> list[str]:
    return [link["TxnId"] for link in line["LinkedTxn"]]


def _applied(record: Record) -> Applied:
    found: Applied = {}
    for line in record["Line"]:
        for link in line["LinkedTxn"]:
            if link["TxnType"] != "Invoice":
                raise faults.not_linkable(f"a {link['TxnType']} cannot be paid here")
            found[link["TxnId"]] = found.get(link["TxnId"], Decimal(0)) + txns.exact(line["Amount"])
    return found


def _apply(box: Sandbox, db: sqlite3.Connection, company: Company, record: Record, applied: Applied) -> None:
    """Raises Fault for more than is open, and for an invoice of somebody else."""
    for identifier, amount in applied.items():
        row = txns.find(db, company.realm, "Invoice", identifier)
        if row is None:
            raise faults.deleted_txn()
        invoice = txns.loaded(row)
        if invoice["CustomerRef"]["value"] != record["CustomerRef"]["value"]:
            raise faults.not_linkable(f"TxnId={identifier} is another customer's")
        if amount > txns.exact(invoice["Balance"]):
            raise faults.business("You cannot apply more than the open balance.")
        _move(box, db, company, identifier, record["Id"], -amount, linked=True)


def _take_back(box: Sandbox, db: sqlite3.Connection, company: Company, record: Record) -> None:
    for identifier, amount in _applied(record).items():
        _move(box, db, company, identifier, record["Id"], amount, linked=False)


def _move(
    box: Sandbox, db: sqlite3.Connection, company: Company, invoice: str, payment: str, amount: Decimal, *, linked: bool
) -> None:
    """The invoice's open balance, and what it is linked to; whether that also touches it is a switch."""
    row = txns.find(db, company.realm, "Invoice", invoice)
    if row is None:
        return
    record = txns.loaded(row)
    others = [link for link in record["LinkedTxn"] if link["TxnId"] != payment]
    record["LinkedTxn"] = [*others, {"TxnId": payment, "TxnType": "Payment"}] if linked else others
    record["Balance"] = plain(txns.exact(record["Balance"]) + amount)
    touch = bool(box.switches["quickbooks_payment_moves_invoice"])
    txns.save(db, row, record, box.clock.milliseconds(), touch=touch)
