"""How an invoice stands: derived from its amounts, its days and the day it is looked at, never stored.

Whether it is issued, paid or voided is one of three things that do not depend on each other; the others are its
deployment in a ledger (`deliveries.deployment`) and the collection of its money.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from portal.domain.invoices.models import Invoice


class Standing(StrEnum):
    """Behaviour reference 5.1."""

    ISSUED = "issued"
    PAID = "paid"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class InvoiceStatus:
    """`left` is what is still to be paid; `days_overdue` is 0 up to and on the day it is due."""

    standing: Standing
    is_part_paid: bool
    left: Decimal
    days_overdue: int

    @property
    def is_overdue(self) -> bool:
        return self.days_overdue > 0

    @property
    def word(self) -> str:
        """The one word of lists and badges: issued, part_paid, overdue, paid or voided."""
        if self.standing is not Standing.ISSUED:
            return self.standing.value
        return "overdue" if self.is_overdue else "part_paid" if self.is_part_paid else "issued"


def status(invoice: Invoice, as_of: date) -> InvoiceStatus:
    """`as_of` is a day of the firm's calendar (fault row 74)."""
    return status_of(
        invoice.total, invoice.paid, invoice.due_on, invoice.paid_at is not None, invoice.voided_at is not None, as_of
    )


def status_of(
    total: Decimal, paid: Decimal, due_on: date, is_paid: bool, is_voided: bool, as_of: date
) -> InvoiceStatus:
    """The same from bare values, for lists that load no objects."""
    left = Decimal(0) if is_paid or is_voided else max(total - paid, Decimal(0))
    if is_voided:
        return InvoiceStatus(Standing.VOIDED, False, left, 0)
    if is_paid:
        return InvoiceStatus(Standing.PAID, False, left, 0)
    return InvoiceStatus(Standing.ISSUED, paid > 0, left, max((as_of - due_on).days, 0))
