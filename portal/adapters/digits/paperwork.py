"""An invoice and a payment as transactions: balanced entries under declared labels, in whole minor units.

Our number and mark stand in the description of what is owed, the one text of ours that entries of the ledger show.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from portal.adapters.base import Rejected
from portal.adapters.digits import chart, wire
from portal.adapters.digits.chart import Declared
from portal.adapters.digits.wire import NAME, Readings
from portal.adapters.ledger import InvoiceRefused
from portal.domain.records import Cause, InvoiceLineOut, InvoiceOut, PaymentOut

# ISO 4217: currencies without minor unit, and with thousandths; all others have hundredths.
NO_CENTS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
     "XPF"}
)  # fmt: skip
MILLS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
MOST_MINOR = 10**15 - 1  # beyond it a JSON number is not safe everywhere
INVOICE_MARK = re.compile(r"Invoice (?P<number>.*), due (?P<due>\d{4}-\d{2}-\d{2}) \(Counterpart (?P<mark>[^\s()]+)\)")
PAYMENT_MARK = re.compile(r"Payment \(Counterpart (?P<mark>[^\s()]+) on (?P<invoice>[^\s()]+)\)")
# What in Digits' words points to a cause. Open: all of its words, so this only ever chooses the advice beside them.
CAUSES = (
    (re.compile(r"currenc", re.IGNORECASE), Cause.CURRENCY),
    (re.compile(r"\bbooks\b|period|\block", re.IGNORECASE), Cause.PERIOD_LOCKED),
    (re.compile(r"\bpart(y|ies)\b|counterpart|customer", re.IGNORECASE), Cause.CUSTOMER_GONE),
    (re.compile(r"categor|\blabel|account", re.IGNORECASE), Cause.ACCOUNT_NOT_VALID),
    (re.compile(r"\btax", re.IGNORECASE), Cause.TAX_MISSING),
    (re.compile(r"amount|balance", re.IGNORECASE), Cause.AMOUNT_NOT_ALLOWED),
)
PLAIN = {
    Cause.CURRENCY: f"{NAME} does not take this currency.",
    Cause.PERIOD_LOCKED: f"The books in {NAME} are closed for this date.",
    Cause.CUSTOMER_GONE: f"{NAME} does not know this customer any more.",
    Cause.ACCOUNT_NOT_VALID: f"{NAME} does not take one of the categories.",
    Cause.TAX_MISSING: f"{NAME} did not take the tax.",
    Cause.AMOUNT_NOT_ALLOWED: f"{NAME} does not take one of the amounts.",
}


def places(currency: str) -> int:
    """Decimals of a currency."""
    return 0 if currency in NO_CENTS else 3 if currency in MILLS else 2


def minor(amount: Decimal, currency: str) -> int:
    """12.30 USD are 1230. Raises `InvoiceRefused` for what is no whole number of minor units."""
    scaled = amount.scaleb(places(currency)) if amount.is_finite() else amount
    if not amount.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) > MOST_MINOR:
        raise _amount(f"{amount} {currency} is not an amount {NAME} can keep.")
    return int(scaled)


def major(minors: int, currency: str) -> Decimal:
    """1230 USD are 12.30."""
    return Decimal(minors).scaleb(-places(currency))


def invoice(one: InvoiceOut, declared: Declared, forms: Readings) -> dict[str, Any]:
    """Raises `InvoiceRefused` for what Digits could not keep as it is meant."""
    _check_places(one, declared)
    who = counterparty(one.customer_key, one.customer_id, forms)
    entries = [_line(line, one, declared, who) for line in one.lines if line.net]
    entries += _taxes(one, declared, who)
    description = f"Invoice {one.number}, due {one.due_on.isoformat()} (Counterpart {one.mark})"
    entries.append(_entry(one.total, one.currency, "Debit", chart.RECEIVABLE, description, who))
    keys = forms.annotation
    return {
        **_transaction(one.mark, one.issued_on, who, forms),
        "memo": "\n".join(filter(None, (f"Invoice {one.number}", one.reference, one.memo))),
        "entries": entries,
        keys.invoice: {keys.number: one.number, keys.due: noon(one.due_on)},
    }


def payment(one: PaymentOut, declared: Declared, forms: Readings) -> dict[str, Any]:
    """Raises `InvoiceRefused`."""
    if one.into_id not in declared.labels:
        raise InvoiceRefused(
            f"Choose the account in {NAME} that payments go to: the one chosen is not there.",
            cause=Cause.ACCOUNT_NOT_VALID,
        )
    who = counterparty(one.customer_key, one.customer_id, forms)
    description = f"Payment (Counterpart {one.mark} on {one.invoice_key})"
    return {
        **_transaction(one.mark, one.paid_on, who, forms),
        "memo": "\n".join(filter(None, ("Payment", one.method, one.reference))),
        "entries": [
            _entry(one.amount, one.currency, "Debit", declared.labels[one.into_id], one.reference, who),
            _entry(one.amount, one.currency, "Credit", chart.RECEIVABLE, description, who),
        ],
        forms.annotation.invoice_ref: {"externalId": wire.external_id(one.invoice_key)},
    }


def counterparty(key: str, remote_id: str, forms: Readings) -> dict[str, Any]:
    """A customer by the identifier we gave it, else by the ledger's. Open: that the ledger's is understood here."""
    if key:
        return {"externalId": wire.external_id(key)}
    if not remote_id:
        raise InvoiceRefused(f"It is not known who this customer is in {NAME}.", cause=Cause.CUSTOMER_GONE)
    if forms.counterparty == "name":
        return {"externalId": wire.external_id(party_key(remote_id))}
    return {forms.counterparty: remote_id}


def party_key(remote_id: str) -> str:
    """What a party of the ledger is called among ours, where parties are joined by their names."""
    return f"ledger-{remote_id}"


def refusal(refused: Rejected, *, alone: bool) -> InvoiceRefused:
    """Digits' no, in plain words beside its own."""
    words = refused.vendor_text
    cause = next((cause for pattern, cause in CAUSES if pattern.search(words)), Cause.OTHER)
    message = PLAIN.get(cause, f"{NAME} refused it.")
    if not alone:
        message = f"{NAME} refused every call this was in. {message}"
    return InvoiceRefused(message, cause=cause, status=refused.status, vendor_text=words)


def noon(day: date) -> str:
    """A day as a moment that is this day nearly everywhere."""
    return f"{day.isoformat()}T12:00:00Z"


def _transaction(mark: str, day: date, who: dict[str, Any], forms: Readings) -> dict[str, Any]:
    return {
        "externalId": wire.external_id(mark),
        forms.source_name: wire.SOURCE,
        "action": "Upsert",
        "date": noon(day),
        "counterparty": who,
    }


def check_invoice(one: InvoiceOut, number_length: int) -> None:
    """What can be told without asking Digits. Raises `InvoiceRefused`."""
    _check_mark(one.mark)
    if len(one.number) > number_length:
        raise InvoiceRefused(
            f"The number {one.number[:40]}… is longer than the {number_length} characters it can have."
        )
    if not one.total > 0:
        raise _amount(f"An invoice of {one.total} {one.currency} cannot be written to {NAME}: it has to be above zero.")
    for line in one.lines:
        minor(line.net, one.currency)
        minor(line.tax, one.currency)
    if sum((line.net + line.tax for line in one.lines), Decimal(0)) != one.total:
        raise _amount("The lines of this invoice do not add up to its total.")


def check_payment(one: PaymentOut) -> None:
    """What can be told without asking Digits. Raises `InvoiceRefused`."""
    _check_mark(one.mark)
    if minor(one.amount, one.currency) <= 0:
        raise _amount(f"A payment of {one.amount} {one.currency} cannot be written to {NAME}.")
    if not one.invoice_key:
        raise InvoiceRefused(f"{NAME} takes payments on invoices that came from here only.")


def _check_places(one: InvoiceOut, declared: Declared) -> None:
    if any(line.tax for line in one.lines) and not declared.tax:
        raise InvoiceRefused(
            f"{NAME} has no category of liabilities that tax can be booked to. Add one there, for instance Sales Tax.",
            cause=Cause.TAX_MISSING,
        )
    gone = [line for line in one.lines if line.net and line.account_id and line.account_id not in declared.labels]
    if gone:
        raise InvoiceRefused(
            f"The category of “{gone[0].description[:60]}” is not among {NAME}'s categories of income.",
            cause=Cause.ACCOUNT_NOT_VALID,
        )


def _check_mark(mark: str) -> None:
    if not mark or re.search(r"[\s()]", mark):
        raise InvoiceRefused("Its mark cannot be written.")


def _line(line: InvoiceLineOut, one: InvoiceOut, declared: Declared, who: dict[str, Any]) -> dict[str, Any]:
    """A line that takes something off the rest is on the other side."""
    label = declared.labels[line.account_id] if line.account_id else chart.SERVICES
    side = "Credit" if line.net > 0 else "Debit"
    return _entry(line.net, one.currency, side, label, line.description or f"Invoice {one.number}", who)


def _taxes(one: InvoiceOut, declared: Declared, who: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """One entry for the tax of each percentage."""
    sums: dict[Decimal, Decimal] = defaultdict(Decimal)
    for line in one.lines:
        sums[line.tax_percent] += line.tax
    for percent, tax in sums.items():
        if tax:
            side = "Credit" if tax > 0 else "Debit"
            yield _entry(tax, one.currency, side, chart.TAX_LABEL, f"Tax {percent.normalize():f} %", who)


def _entry(
    amount: Decimal, currency: str, side: str, label: str, description: str, who: dict[str, Any]
) -> dict[str, Any]:
    return {
        "amount": {"amount": abs(minor(amount, currency)), "code": currency},
        "type": side,
        "category": {"label": label},
        "description": description,
        "counterparty": who,
    }


def _amount(message: str) -> InvoiceRefused:
    return InvoiceRefused(message, cause=Cause.AMOUNT_NOT_ALLOWED)
