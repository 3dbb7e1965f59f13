"""What an invoice says on paper: plain values, with which `portal.invoice_pdf` needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal.domain.invoices.models import Invoice, InvoiceLine
from portal.domain.invoices.standing import status
from portal.domain.people import the_firm
from portal.domain.records import TaxMode


@dataclass(frozen=True)
class PrintedLine:
    """`amount` is after the discount and before tax, or with tax in it where the invoice says so."""

    name: str
    description: str
    quantity: Decimal
    unit: str
    price: Decimal
    discount: Decimal
    discount_percent: Decimal | None
    tax_name: str
    tax_percent: Decimal
    amount: Decimal


@dataclass(frozen=True)
class PrintedTax:
    name: str
    percent: Decimal
    net: Decimal
    tax: Decimal


@dataclass(frozen=True)
class PdfFacts:
    """`stamp` is empty, Paid, Part paid or Voided. Addresses are lines. `logo` is a PNG or JPEG file, or None."""

    number: str
    firm_name: str
    firm_email: str
    locale: str
    client_name: str
    client_address: tuple[str, ...]
    issued_on: date
    due_on: date
    currency: str
    tax_inclusive: bool
    lines: tuple[PrintedLine, ...]
    taxes: tuple[PrintedTax, ...]
    net: Decimal
    tax: Decimal
    total: Decimal
    paid: Decimal
    left: Decimal
    reference: str = ""
    memo: str = ""
    stamp: str = ""
    paid_on: date | None = None
    logo: bytes | None = None


STAMPS = {"paid": "Paid", "voided": "Voided", "part_paid": "Part paid"}


def pdf_facts(invoice: Invoice, *, as_of: date) -> PdfFacts:
    """As the invoice stands on `as_of`, a day of the firm's; under the client's name of when it was issued."""
    firm = the_firm()
    standing = status(invoice, as_of)
    is_inclusive = invoice.tax_mode == TaxMode.INCLUSIVE
    paid = [one for one in invoice.payments if one.reversed_at is None]
    client = invoice.client
    address = client.postal_address if client.postal_address.lines() else client.address
    return PdfFacts(
        number=invoice.number, firm_name=firm.name if firm else "", firm_email=firm.email if firm else "",
        locale=firm.locale if firm else "en", client_name=invoice.client_name, client_address=tuple(address.lines()),
        issued_on=invoice.issued_on, due_on=invoice.due_on, currency=invoice.currency, tax_inclusive=is_inclusive,
        lines=tuple(_line(line, is_inclusive) for line in invoice.lines), taxes=_taxes(invoice), net=invoice.net,
        tax=invoice.tax, total=invoice.total, paid=invoice.paid, left=standing.left, reference=invoice.reference,
        memo=invoice.memo, stamp=STAMPS.get("part_paid" if standing.is_part_paid else standing.word, ""),
        paid_on=max((one.paid_on for one in paid), default=None),
    )  # fmt: skip


def _line(line: InvoiceLine, is_inclusive: bool) -> PrintedLine:
    return PrintedLine(
        name=line.name, description=line.description, quantity=line.quantity, unit=line.unit, price=line.price,
        discount=line.discount, discount_percent=line.discount_percent, tax_name=line.tax_name,
        tax_percent=line.tax_percent, amount=line.net + line.tax if is_inclusive else line.net,
    )  # fmt: skip


def _taxes(invoice: Invoice) -> tuple[PrintedTax, ...]:
    """One row a rate, in the order of the lines; lines without a rate have none."""
    rows: dict[tuple[str, Decimal], tuple[Decimal, Decimal]] = {}
    for line in invoice.lines:
        if line.tax_name or line.tax:
            net, tax = rows.get((line.tax_name, line.tax_percent), (Decimal(0), Decimal(0)))
            rows[line.tax_name, line.tax_percent] = net + line.net, tax + line.tax
    return tuple(PrintedTax(name, percent, net, tax) for (name, percent), (net, tax) in rows.items())
