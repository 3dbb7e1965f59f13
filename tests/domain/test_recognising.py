"""Is it ours? Told wrong once, an invoice is there twice, or somebody else's is taken for ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portal.domain.deliveries import differences, first_key, next_key, recognise, recognise_payment
from portal.domain.records import Address, InvoiceOut, InvoiceState, LedgerInvoice, LedgerPayment, PaymentOut, TaxMode

DAY = date(2026, 11, 3)
SENT = InvoiceOut(
    key="k", mark="m-1", number="INV-1", customer_id="c-1", customer_key="", customer_name="Acme", email="",
    address=Address(), issued_on=DAY, due_on=DAY, currency="NZD", tax_mode=TaxMode.EXCLUSIVE, lines=(),
    net=Decimal(100), tax=Decimal(15), total=Decimal(115),
)  # fmt: skip


def there(remote_id: str = "i-1", **values: Any) -> LedgerInvoice:
    known = LedgerInvoice(
        remote_id=remote_id, number="INV-1", state=InvoiceState.OPEN, customer_id="c-1", customer_name="Acme",
        issued_on=DAY, due_on=DAY, currency="NZD", net=Decimal(100), tax=Decimal(15), total=Decimal(115),
        paid=Decimal(0), due=Decimal(115), mark="m-1",
    )  # fmt: skip
    return replace(known, **values)


def test_our_mark_decides_whatever_became_of_the_rest() -> None:
    changed = there(number="17", total=Decimal(9), customer_id="c-9", state=InvoiceState.VOIDED)
    found = recognise(SENT, [changed])
    assert (found.ours, found.by_mark, found.other) == (changed, True, None)


def test_without_a_mark_the_same_number_customer_day_and_amount_is_ours() -> None:
    assert recognise(SENT, [there(mark="")]).ours == there(mark="")


@pytest.mark.parametrize(
    "values",
    [{"mark": "m-2"}, {"mark": "", "customer_id": "c-2"}, {"mark": "", "total": Decimal("115.01")},
     {"mark": "", "issued_on": date(2026, 11, 4)}, {"mark": "", "currency": "AUD"}],
)  # fmt: skip
def test_anything_else_under_our_number_is_somebody_elses(values: dict[str, Any]) -> None:
    """Fault row 94."""
    found = recognise(SENT, [there(**values)])
    assert (found.ours, found.other) == (None, there(**values))


@pytest.mark.parametrize("state", [InvoiceState.VOIDED, InvoiceState.DELETED])
def test_somebody_elses_that_is_gone_blocks_nothing(state: InvoiceState) -> None:
    found = recognise(SENT, [there(mark="m-2", state=state)])
    assert (found.ours, found.other) == (None, None)


def test_two_with_our_mark_are_told_and_the_one_that_stands_is_taken() -> None:
    found = recognise(SENT, [there("i-1", state=InvoiceState.VOIDED), there("i-2")])
    assert found.ours is not None
    assert (found.ours.remote_id, [one.remote_id for one in found.extra]) == ("i-2", ["i-1"])


def test_what_has_neither_our_number_nor_our_mark_is_not_looked_at() -> None:
    found = recognise(SENT, [there(number="INV-11", mark="")])
    assert (found.ours, found.other) == (None, None)


def test_differences_are_said_in_words() -> None:
    assert differences(SENT, there()) == ""
    assert differences(SENT, there(total=Decimal("115.01"))) == "its total is NZD 115.01, ours NZD 115.00"
    assert differences(SENT, there(tax=Decimal("14.99"))) == "its tax is NZD 14.99, ours NZD 15.00"
    assert differences(SENT, there(number="1007")) == "its number is 1007, ours INV-1"
    assert "it is voided there" in differences(SENT, there(state=InvoiceState.VOIDED))


def paid(remote_id: str = "p-1", **values: Any) -> LedgerPayment:
    known = LedgerPayment(remote_id, "i-1", Decimal(50), "NZD", DAY, "by bank", "pm-1")
    return replace(known, **values)


PAYMENT = PaymentOut(
    key="k", mark="pm-1", invoice_id="i-1", invoice_key="m-1", customer_id="c-1", customer_key="",
    amount=Decimal(50), currency="NZD", paid_on=DAY, reference="by bank",
)  # fmt: skip


def test_a_payment_is_ours_by_its_mark_or_by_all_it_says() -> None:
    assert recognise_payment(PAYMENT, [paid(amount=Decimal(1))], set()) == paid(amount=Decimal(1))
    assert recognise_payment(PAYMENT, [paid(mark="")], set()) == paid(mark="")
    assert recognise_payment(PAYMENT, [paid(mark="", reference="cheque")], set()) is None
    assert recognise_payment(PAYMENT, [paid(mark="", amount=Decimal(49))], set()) is None


def test_two_payments_of_the_same_amount_are_two() -> None:
    """Fault row 61: what is another payment of ours already is not this one as well."""
    assert recognise_payment(PAYMENT, [paid("p-1", mark="")], {"p-1"}) is None
    assert recognise_payment(PAYMENT, [paid("p-1", mark=""), paid("p-2", mark="")], {"p-1"}) == paid("p-2", mark="")
    assert recognise_payment(PAYMENT, [paid(is_void=True)], set()) is None


def test_keys_follow_from_what_goes_where_so_that_a_restored_portal_makes_the_same() -> None:
    """Fault row 10."""
    key = first_key("xero", "a-1", "invoice", "m-1")
    assert key == first_key("xero", "a-1", "invoice", "m-1")
    others = {first_key("xero", "a-2", "invoice", "m-1"), first_key("xero", "a-1", "payment", "m-1"), next_key(key)}
    assert len(others | {key}) == 4
    assert all(len(one) <= 36 for one in others)
