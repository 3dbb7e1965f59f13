"""Invoices and payments for a company of the sandbox's QuickBooks, as the deliveries would ask for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.base import AdapterError
from portal.adapters.ledger import InvoiceRefused
from portal.domain.records import Address, InvoiceLineOut, InvoiceOut, LedgerInvoice, LedgerPayment, PaymentOut, TaxMode
from tests.adapters.conftest import Door

HARBOUR = "9341453189920417"
GST, ZERO, PURCHASES, OLD_RATE = "2", "3", "5", "6"
ACCOUNTS_ITEM, ADVISORY_ITEM, CATEGORY, OLD_ITEM = "1", "6", "8", "9"
BANK, UNDEPOSITED = "5", "4"
ISSUED, DUE = date(2026, 11, 2), date(2026, 11, 20)


@pytest.fixture(autouse=True)
def _in_a_hurry(door: Door) -> None:
    """The tests' budget does not count seconds, so the company takes calls as fast as they come."""
    door.sandbox.control.limits(second=10_000, minute=10_000, batch_minute=10_000)


def line(price: str = "100", quantity: str = "1", **values: Any) -> InvoiceLineOut:
    """One of 15 %, without tax in the price, unless told otherwise."""
    each, many = Decimal(price), Decimal(quantity)
    discount = Decimal(str(values.pop("discount", "0")))
    net = Decimal(str(values.pop("net", round(each * many - discount, 2))))
    percent = Decimal(str(values.pop("percent", "15")))
    tax = Decimal(str(values.pop("tax", round(net * percent / 100, 2))))
    made = InvoiceLineOut(
        description="Annual accounts 2026", quantity=many, price=each, discount=discount, net=net, tax=tax,
        tax_percent=percent, tax_id=GST, item_id=ACCOUNTS_ITEM,
    )  # fmt: skip
    return replace(made, **values)


def invoice(customer: str, number: str = "INV-1", *lines: InvoiceLineOut, **values: Any) -> InvoiceOut:
    wanted = lines or (line(),)
    net, tax = sum((one.net for one in wanted), Decimal(0)), sum((one.tax for one in wanted), Decimal(0))
    made = InvoiceOut(
        key=f"key-{number}", mark=f"mark-{number}", number=number, customer_id=customer, customer_key="",
        customer_name="Somebody Special Ltd", email="sam@special.example", address=Address(), issued_on=ISSUED,
        due_on=DUE, currency="NZD", tax_mode=TaxMode.EXCLUSIVE, lines=wanted, net=net, tax=tax, total=net + tax,
    )  # fmt: skip
    return replace(made, **values)


def payment(made: LedgerInvoice, amount: str | None = None, number: str = "P-1", **values: Any) -> PaymentOut:
    wanted = PaymentOut(
        key=f"key-{number}", mark=f"mark-{number}", invoice_id=made.remote_id, invoice_key=made.mark,
        customer_id=made.customer_id, customer_key="", amount=Decimal(amount) if amount else made.due,
        currency=made.currency, paid_on=date(2026, 11, 10), method="Card", reference="ch_123",
    )  # fmt: skip
    return replace(wanted, **values)


def create(door: Door, *wanted: InvoiceOut) -> list[LedgerInvoice | AdapterError]:
    return list(door.adapter.create_invoices(door.session(), list(wanted)))


def created(door: Door, wanted: InvoiceOut) -> LedgerInvoice:
    (made,) = create(door, wanted)
    assert isinstance(made, LedgerInvoice), made
    return made


def refused(door: Door, wanted: InvoiceOut) -> InvoiceRefused:
    (found,) = create(door, wanted)
    assert isinstance(found, InvoiceRefused), found
    assert found.message.endswith(".")
    return found


def pay(door: Door, wanted: PaymentOut) -> LedgerPayment | AdapterError:
    (found,) = door.adapter.create_payments(door.session(), [wanted])
    return found  # type: ignore[no-any-return]  # the door's adapter is any one


def company(door: Door, method: str, path: str, values: dict[str, Any] | None = None, *, realm: str = "") -> Any:
    """What people do in QuickBooks itself with money and settings."""
    sent = {**(values or {}), **({"tenant": realm} if realm else {})}
    return door.sandbox.control.ask(method, f"quickbooks/{path}", None if method == "GET" else sent)


def counts(door: Door) -> dict[str, Any]:
    return dict(company(door, "GET", "invoices/counts"))


def fields(door: Door, remote_id: str, kind: str = "invoices") -> dict[str, Any]:
    """As QuickBooks holds it."""
    return dict(company(door, "GET", f"{kind}/{remote_id}")["fields"])


def minutes_later(door: Door) -> None:
    """The adapter keeps a company's settings for a minute; that minute is over."""
    companies = door.adapter._companies
    companies._known = {
        account: replace(known, read_at=known.read_at - timedelta(minutes=2))
        for account, known in companies._known.items()
    }
