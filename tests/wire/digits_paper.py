"""Invoices and payments for Digits, and a look at what became of them there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.adapters.base import AdapterError
from portal.domain.records import (
    Address,
    ClientRecord,
    InvoiceLineOut,
    InvoiceOut,
    LedgerInvoice,
    LedgerPayment,
    ListKind,
    NewRecord,
    PaymentOut,
    TaxMode,
)
from tests.adapters.conftest import Door

BOOKKEEPING, TAX_RETURNS, SUBCONTRACTORS = "Bookkeeping", "Tax Returns", "Subcontractors"


@dataclass
class Paper:
    """A door, a customer of ours, and the categories by name."""

    door: Door
    customer_key: str = "c1-1"
    customer_id: str = ""

    def __post_init__(self) -> None:
        (made,) = self.door.adapter.create_clients(
            self.door.session(), [NewRecord(ClientRecord("", "Quay Cafe Ltd"), self.customer_key)]
        )
        self.customer_id = made.remote_id
        self.lists = self.door.adapter.fetch_lists(self.door.session())
        self.door.sandbox.control.state()  # so that the stand-in is put back, although its calls are forgotten
        self.door.sandbox.control.clear_calls()

    def category(self, name: str, kind: ListKind = ListKind.ACCOUNT) -> str:
        return next(one.remote_id for one in self.lists.entries if one.name == name and one.kind == kind)

    def line(
        self, net: str, tax: str = "0", percent: str = "0", account: str = BOOKKEEPING, **more: Any
    ) -> InvoiceLineOut:
        account_id = self.category(account) if account else ""
        values = {"description": "Monthly books", "quantity": Decimal(1), "price": Decimal(net)} | more
        return InvoiceLineOut(
            discount=Decimal(0), net=Decimal(net), tax=Decimal(tax), tax_percent=Decimal(percent),
            account_id=account_id, **values,
        )  # fmt: skip

    def invoice(self, number: str = "INV-1", *lines: InvoiceLineOut, **changes: Any) -> InvoiceOut:
        lines = lines or (self.line("100", "15", "15"),)
        net, tax = sum(one.net for one in lines), sum(one.tax for one in lines)
        values: dict[str, Any] = {
            "key": f"k{number}", "mark": f"mark{number}", "number": number, "customer_id": self.customer_id,
            "customer_key": self.customer_key, "customer_name": "Quay Cafe Ltd", "email": "ap@quay.example",
            "address": Address(), "issued_on": date(2026, 11, 1), "due_on": date(2026, 11, 20), "currency": "USD",
            "tax_mode": TaxMode.EXCLUSIVE, "lines": lines, "net": net, "tax": tax, "total": net + tax,
        }  # fmt: skip
        return InvoiceOut(**values | changes)

    def payment(self, invoice: InvoiceOut, amount: str = "115", mark: str = "pay1", **changes: Any) -> PaymentOut:
        values: dict[str, Any] = {
            "key": f"k{mark}", "mark": mark, "invoice_id": invoice.mark, "invoice_key": invoice.mark,
            "customer_id": self.customer_id, "customer_key": self.customer_key, "amount": Decimal(amount),
            "currency": invoice.currency, "paid_on": date(2026, 11, 5), "method": "Card", "reference": "ch_1",
            "into_id": self.category("Clearing", ListKind.PAY_INTO),
        }  # fmt: skip
        return PaymentOut(**values | changes)

    def create(self, *invoices: InvoiceOut) -> list[LedgerInvoice | AdapterError]:
        return list(self.door.adapter.create_invoices(self.door.session(), invoices))

    def pay(self, *payments: PaymentOut) -> list[LedgerPayment | AdapterError]:
        return list(self.door.adapter.create_payments(self.door.session(), payments))

    def one(self, invoice: InvoiceOut) -> LedgerInvoice:
        """Created; raises what came instead."""
        (outcome,) = self.create(invoice)
        if isinstance(outcome, AdapterError):
            raise outcome
        return outcome

    def fetch(self, invoice: InvoiceOut) -> LedgerInvoice:
        found: LedgerInvoice = self.door.adapter.fetch_invoice(self.door.session(), invoice.mark)
        return found

    def find(self, numbers: Sequence[str] = (), marks: Sequence[str] = ()) -> list[LedgerInvoice]:
        return list(self.door.adapter.find_invoices(self.door.session(), numbers, marks))

    def there(self, invoice: InvoiceOut) -> dict[str, Any]:
        """As Digits has it."""
        return dict(self.control("GET", f"/{invoice.mark}"))

    def counts(self) -> dict[str, Any]:
        return dict(self.control("GET", "/counts"))

    def control(self, method: str, path: str = "", **values: Any) -> Any:
        sent = values if method != "GET" else None
        return self.door.sandbox.control.ask(method, f"digits/invoices{path}", sent)

    def writes(self) -> int:
        return len(self.door.calls("source/transactions"))

    def spoil(self, kind: str, **values: Any) -> None:
        self.door.sandbox.control.fault(kind, **{"vendor": "digits", "path": "source/transactions"} | values)

    def switch(self, **values: Any) -> None:
        self.door.sandbox.control.state(**values)
