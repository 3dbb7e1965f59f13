"""An invoice or a payment as QuickBooks wants it, and what it would refuse, said before it is sent.

A line's amount must be its quantity times its price, to the cent. Where that does not come out even, or something was
taken off, the line goes out as one of the whole amount and its text says how it came about.
"""

from __future__ import annotations

from decimal import Decimal

from portal.adapters.base import Rejected
from portal.adapters.ledger import InvoiceRefused
from portal.adapters.quickbooks import bodies, marks
from portal.adapters.quickbooks.company import Company
from portal.adapters.quickbooks.replies import NAME, Plain
from portal.domain.records import Cause, InvoiceLineOut, InvoiceOut, PaymentOut, TaxMode

NUMBER_LENGTH, MEMO_LENGTH, TEXT_LENGTH, REFERENCE_LENGTH, LINES_AT_MOST = 21, 1000, 4000, 21, 750
NO_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "PYG", "UGX", "XAF", "XOF", "XPF"})
TAXED, UNTAXED = "TAX", "NON"  # what a line can be in the United States
MODES = {TaxMode.EXCLUSIVE: "TaxExcluded", TaxMode.INCLUSIVE: "TaxInclusive", TaxMode.NONE: "NotApplicable"}


def new_invoice(one: InvoiceOut, company: Company) -> Plain:
    """The body of a creation. Raises `InvoiceRefused`."""
    _check(one, company)
    body: Plain = {
        "CustomerRef": {"value": one.customer_id},
        "TxnDate": one.issued_on.isoformat(),
        "DueDate": one.due_on.isoformat(),
        "PrivateNote": _note(one, company),
        "Line": [_line(line, one, company) for line in one.lines],
        **_tax(one, company),
    }
    if not company.numbers_itself:
        body["DocNumber"] = one.number
    if company.has_currencies:
        body["CurrencyRef"] = {"value": one.currency}
    if one.term_id:
        body["SalesTermRef"] = {"value": one.term_id}
    if one.memo:
        body["CustomerMemo"] = {"value": one.memo[:MEMO_LENGTH]}
    if "@" in one.email and "." in one.email and len(one.email) <= bodies.LENGTHS["email"]:
        body["BillEmail"] = {"Address": one.email}
        if one.sent:
            body["EmailStatus"] = "EmailSent"
    if any(one.address.parts()):
        body["BillAddr"] = _address(one)
    return body


def new_payment(one: PaymentOut, company: Company) -> Plain:
    """The body of a creation: undeposited funds unless an account is chosen. Raises `InvoiceRefused`."""
    if one.amount <= 0:
        raise InvoiceRefused(f"{NAME} takes no payment of nothing.", cause=Cause.AMOUNT_NOT_ALLOWED)
    _check_currency(one.currency, company, "payment")
    body: Plain = {
        "CustomerRef": {"value": one.customer_id},
        "TotalAmt": one.amount,
        "TxnDate": one.paid_on.isoformat(),
        "PrivateNote": marks.note(one.mark, reference=one.reference, lines=(one.method,)),
        "Line": [{"Amount": one.amount, "LinkedTxn": [{"TxnId": one.invoice_id, "TxnType": "Invoice"}]}],
    }
    if one.reference and len(one.reference) <= REFERENCE_LENGTH:
        body["PaymentRefNum"] = one.reference
    if company.has_currencies:
        body["CurrencyRef"] = {"value": one.currency}
    if one.into_id:
        body["DepositToAccountRef"] = {"value": one.into_id}
    return body


def _check(one: InvoiceOut, company: Company) -> None:
    if not one.approved:
        raise InvoiceRefused(f"{NAME} keeps no drafts: an invoice is created there once it is final.")
    if not one.customer_id:
        raise InvoiceRefused(f"No customer in {NAME} is linked to this client.", cause=Cause.CUSTOMER_GONE)
    if not company.numbers_itself and len(one.number) > NUMBER_LENGTH:
        raise InvoiceRefused(
            f"{NAME} takes invoice numbers of at most {NUMBER_LENGTH} characters, and {one.number[:60]} has "
            f"{len(one.number)}. Shorten the prefix of new numbers here."
        )
    if not one.lines:
        raise InvoiceRefused(f"{NAME} takes no invoice without lines.", cause=Cause.AMOUNT_NOT_ALLOWED)
    if len(one.lines) > LINES_AT_MOST:
        raise InvoiceRefused(f"{NAME} takes at most {LINES_AT_MOST} lines on an invoice.")
    if one.total < 0:
        raise InvoiceRefused(
            f"{NAME} takes no invoice that comes to less than nothing.", cause=Cause.AMOUNT_NOT_ALLOWED
        )
    if company.closed_until is not None and one.issued_on <= company.closed_until:
        raise InvoiceRefused(
            f"The books in {NAME} are closed up to {company.closed_until:%-d %B %Y}, and this invoice is dated "
            f"{one.issued_on:%-d %B %Y}. Move the closing date there, or date the invoice later.",
            cause=Cause.PERIOD_LOCKED,
        )
    _check_currency(one.currency, company, "invoice")
    _check_tax(one, company)


def _check_currency(currency: str, company: Company, what: str) -> None:
    if not company.has_currencies and company.home and currency != company.home:
        raise InvoiceRefused(
            f"This {what} is in {currency}, and the company in {NAME} keeps its books in {company.home} alone.",
            cause=Cause.CURRENCY,
        )


def _check_tax(one: InvoiceOut, company: Company) -> None:
    if one.tax_mode is TaxMode.NONE:
        return
    if company.is_us:
        if one.tax_mode is TaxMode.INCLUSIVE and any(line.tax for line in one.lines):
            raise InvoiceRefused(
                f"{NAME} takes prices with tax in them outside the United States only.", cause=Cause.TAX_NOT_ALLOWED
            )
        if len({line.tax_id for line in one.lines if line.tax_id not in ("", UNTAXED)}) > 1:
            raise InvoiceRefused(
                f"{NAME} takes one sales tax for a whole invoice in the United States. Split the invoice.",
                cause=Cause.TAX_NOT_ALLOWED,
            )
    elif not company.uses_tax:
        if one.tax:
            raise InvoiceRefused(
                f"The company in {NAME} charges no tax, and this invoice has some. Turn on tax there, or take it off "
                "here.",
                cause=Cause.TAX_NOT_ALLOWED,
            )
    else:
        for line in one.lines:
            if not line.tax_id:
                raise InvoiceRefused(
                    f"The line “{line.description[:60]}” has no tax rate of {NAME}. Choose which one its tax rate "
                    "here stands for.",
                    cause=Cause.TAX_MISSING,
                )


def _line(line: InvoiceLineOut, one: InvoiceOut, company: Company) -> Plain:
    if not line.item_id:
        # Without an item the vendor takes a line for a remark and leaves its amount out of the invoice.
        raise InvoiceRefused(
            f"The line “{line.description[:60]}” stands for no product or service of {NAME}. Choose which one its "
            "service here stands for.",
            cause=Cause.ACCOUNT_NOT_VALID,
        )
    is_inclusive = one.tax_mode is TaxMode.INCLUSIVE
    amount = line.net + line.tax if is_inclusive and company.takes_gross else line.net
    quantity, price, text = _made_of(line, one, amount)
    detail: Plain = {"ItemRef": {"value": line.item_id}, "Qty": quantity, "UnitPrice": price}
    if is_inclusive and not company.takes_gross:
        detail["TaxInclusiveAmt"] = line.net + line.tax
    if company.is_us:
        detail["TaxCodeRef"] = {"value": _us_code(line, one)}
    elif line.tax_id and one.tax_mode is not TaxMode.NONE and company.uses_tax:
        detail["TaxCodeRef"] = {"value": line.tax_id}
    if len(text) > TEXT_LENGTH:
        text = text[: TEXT_LENGTH - 1] + "…"
    return {
        "DetailType": "SalesItemLineDetail", "Amount": amount, "Description": text, "SalesItemLineDetail": detail,
    }  # fmt: skip


def _made_of(line: InvoiceLineOut, one: InvoiceOut, amount: Decimal) -> tuple[Decimal, Decimal, str]:
    """Quantity, price and text of a line of this amount."""
    if not line.discount and line.quantity * line.price == amount:
        return line.quantity, line.price, line.description
    told = f"{_said(line.quantity)} × {_said(line.price)}"
    if one.tax_mode is TaxMode.INCLUSIVE:
        told += " with tax"
    if line.discount:
        told += f", less {_said(line.discount)}"
    share = _even(amount, line.quantity, one.currency)
    is_plain = line.quantity == 1 and not line.discount
    text = line.description if is_plain else f"{line.description}\n{told}".strip()
    return (line.quantity, share, text) if share is not None else (Decimal(1), amount, text)


def _even(net: Decimal, quantity: Decimal, currency: str) -> Decimal | None:
    """The price of one, where the amount divides to the cent."""
    if not quantity:
        return None
    share = (net / quantity).quantize(Decimal(1) if currency in NO_CENTS else Decimal("0.01"))
    return share if share * quantity == net else None


def _said(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text and number == number.to_integral_value() else text


def _us_code(line: InvoiceLineOut, one: InvoiceOut) -> str:
    return UNTAXED if one.tax_mode is TaxMode.NONE or line.tax_id in ("", UNTAXED) else TAXED


def _tax(one: InvoiceOut, company: Company) -> Plain:
    """In the United States one code for the whole invoice; elsewhere how the lines are to be read."""
    if not company.is_us:
        return {"GlobalTaxCalculation": MODES[one.tax_mode if company.uses_tax else TaxMode.NONE]}
    codes = {line.tax_id for line in one.lines} - {"", UNTAXED, TAXED}
    if one.tax_mode is TaxMode.NONE or not codes:
        return {}
    return {"TxnTaxDetail": {"TxnTaxCodeRef": {"value": codes.pop()}}}


def _note(one: InvoiceOut, company: Company) -> str:
    ours = f"Invoice {one.number}" if company.numbers_itself else ""
    return marks.note(one.mark, reference=one.reference, lines=tuple(line for line in (ours, one.url) if line))


def _address(one: InvoiceOut) -> Plain:
    try:
        return bodies.address_of(one.address)
    except Rejected as refusal:
        raise InvoiceRefused(refusal.message) from refusal
