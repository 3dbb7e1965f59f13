"""The ledger's entries read back as invoices and payments: ours by what we wrote into the description, others by row.

Open: whether a row tells an invoice's number and due date; whether amounts are signed, and whether they are numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from portal.adapters.digits import wire
from portal.adapters.digits.paperwork import INVOICE_MARK, PAYMENT_MARK, major
from portal.adapters.values import NotUnderstood, Raw, line, quarantined
from portal.domain.records import InvoiceState, LedgerInvoice, LedgerPayment, Quarantined
from portal.domain.text import BadText

INVOICE_FACTS = ("invoice", "Invoice")  # open: whether a row has one
NUMBERS, DUE_DATES = ("number", "invoiceNumber", "Number"), ("dueDate", "due", "DueDate")


@dataclass(frozen=True)
class Row:
    """One entry. `minors` is never negative: which side it is on is told by `is_debit`."""

    deal: str
    day: date | None
    minors: int
    currency: str
    is_debit: bool
    description: str
    category: str
    customer_id: str
    customer: str
    facts: Raw


@dataclass
class Found:
    """What some entries come to. Payments are ours alone: who else paid is not told."""

    ours: dict[str, Row] = field(default_factory=dict)  # by mark
    payments: dict[str, Row] = field(default_factory=dict)  # by mark
    others: dict[str, Row] = field(default_factory=dict)  # by transaction
    odd: list[Quarantined] = field(default_factory=list)

    def take(self, raw: object) -> None:
        """A row that comes twice, because it was written anew while the list was read, counts once."""
        try:
            row = _row(raw)
        except (NotUnderstood, BadText) as reason:
            self.odd.append(quarantined(raw, "transactionId", "description", str(reason)))
            return
        if (said := INVOICE_MARK.search(row.description)) and row.is_debit:
            self.ours[said["mark"]] = row
        elif (said := PAYMENT_MARK.search(row.description)) and not row.is_debit:
            self.payments[said["mark"]] = row
        elif row.is_debit and "receivable" in row.category.lower():
            self.others[row.deal] = row

    def invoice(self, mark: str) -> LedgerInvoice | None:
        """One of ours, with our payments on it."""
        row = self.ours.get(mark)
        return None if row is None else _invoice(row, mark, self.payments_on(mark))

    def payments_on(self, mark: str) -> tuple[LedgerPayment, ...]:
        """Our payments on one of our invoices."""
        return tuple(
            LedgerPayment(
                remote_id=own, invoice_id=mark, amount=major(row.minors, row.currency), currency=row.currency,
                paid_on=row.day, mark=own,
            )
            for own, row in self.payments.items()
            if (said := PAYMENT_MARK.search(row.description)) and said["invoice"] == mark
        )  # fmt: skip

    def elsewhere(self) -> Iterable[LedgerInvoice]:
        """Invoices that did not come from here, known by the transaction."""
        return (_invoice(row, "", None) for row in self.others.values())


def _invoice(row: Row, mark: str, payments: tuple[LedgerPayment, ...] | None) -> LedgerInvoice:
    said = INVOICE_MARK.search(row.description)
    number = said["number"] if said else wire.identifier(row.facts, NUMBERS)
    due_on = _day(said["due"] if said else wire.identifier(row.facts, DUE_DATES))
    total = major(row.minors, row.currency)
    paid = sum((one.amount for one in payments or ()), Decimal(0))
    return LedgerInvoice(
        remote_id=mark or row.deal, number=number, state=InvoiceState.PAID if paid >= total else InvoiceState.OPEN,
        customer_id=row.customer_id, customer_name=row.customer, issued_on=row.day, due_on=due_on,
        currency=row.currency, net=None, tax=None, total=total, paid=paid, due=max(total - paid, Decimal(0)),
        mark=mark, payments=payments,
    )  # fmt: skip


def _row(raw: object) -> Row:
    """Raises `NotUnderstood` or `BadText`."""
    if not isinstance(raw, dict):
        raise NotUnderstood("It is not an object.")
    entry = _object(raw, "entry")
    amount, category, party = _object(entry, "amount"), _object(entry, "category"), _object(entry, "counterparty")
    minors, side = _minors(amount.get("amount")), line(entry, "type").lower()
    if side not in ("debit", "credit"):
        raise NotUnderstood("It does not say whether it is a debit or a credit.")
    deal, currency = line(raw, "transactionId"), line(amount, "code")
    if not deal or len(currency) != 3:
        raise NotUnderstood("It has no transaction or no currency.")
    facts: Raw = next((raw[name] for name in INVOICE_FACTS if isinstance(raw.get(name), dict)), {})
    return Row(
        deal, _day(line(raw, "date")), minors, currency, side == "debit", line(entry, "description"),
        line(category, "name"), wire.identifier(party, wire.IDENTIFIERS), line(party, "name"), facts,
    )  # fmt: skip


def _object(raw: Raw, name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _minors(value: object) -> int:
    """Whole minor units, as a number or a text, signed or not."""
    if isinstance(value, str) and value.strip().lstrip("+-").isdigit():
        return abs(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value)
    if isinstance(value, float | Decimal) and value == int(value):
        return abs(int(value))
    raise NotUnderstood("Its amount is not a whole number of minor units.")


def _day(text: str) -> date | None:
    """The day a moment is written with; None for what is none."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).date() if text else None
    except ValueError:
        return None
