"""Payments into QuickBooks and what comes back: paid, part paid, voided, deleted, changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from portal.adapters.base import Unknown
from portal.adapters.quickbooks import invoice_queries
from portal.domain.records import InvoiceState, LedgerInvoice, LedgerPayment, Quarantined
from tests.adapters.conftest import Door
from tests.wire.quickbooks_books import (
    BANK,
    UNDEPOSITED,
    _in_a_hurry,
    company,
    counts,
    created,
    fields,
    invoice,
    line,
    pay,
    payment,
)
from tests.wire.quickbooks_company import asked, door, somebody, spoil, switch

__all__ = ["_in_a_hurry", "door", "somebody"]  # fixtures of this file


@pytest.fixture
def sent(door: Door, somebody: str) -> LedgerInvoice:
    return created(door, invoice(somebody))


def now(door: Door, sent: LedgerInvoice) -> LedgerInvoice:
    return door.adapter.fetch_invoice(door.session(), sent.remote_id)  # type: ignore[no-any-return]  # any adapter


def changed(door: Door, since: datetime | None = None) -> dict[str, LedgerInvoice]:
    found = list(door.adapter.fetch_invoices(door.session(), since or datetime.now(UTC) - timedelta(minutes=5)))
    assert not [one for one in found if isinstance(one, Quarantined)]
    return {one.remote_id: one for one in found}


def test_a_payment_goes_to_undeposited_funds_and_pays_the_invoice(door: Door, sent: LedgerInvoice) -> None:
    made = pay(door, payment(sent))
    assert isinstance(made, LedgerPayment)
    assert (made.amount, made.invoice_id, made.mark) == (Decimal(115), sent.remote_id, "mark-P-1")
    assert (made.paid_on, made.reference, made.currency) == (date(2026, 11, 10), "ch_123", "NZD")
    there = fields(door, made.remote_id, "payments")
    assert there["DepositToAccountRef"]["value"] == UNDEPOSITED
    assert there["UnappliedAmt"] == 0
    after = now(door, sent)
    assert (after.state, after.due, after.paid) == (InvoiceState.PAID, Decimal(0), Decimal(115))
    assert after.payments == (made,)


def test_a_part_is_paid_into_an_account_that_was_chosen(door: Door, sent: LedgerInvoice) -> None:
    made = pay(door, payment(sent, "40.10", into_id=BANK))
    assert isinstance(made, LedgerPayment)
    assert fields(door, made.remote_id, "payments")["DepositToAccountRef"]["value"] == BANK
    after = now(door, sent)
    assert (after.state, after.due, after.paid) == (InvoiceState.OPEN, Decimal("74.90"), Decimal("40.10"))


def test_payments_of_one_batch_each_reach_their_invoice(door: Door, somebody: str) -> None:
    invoices = [created(door, invoice(somebody, f"INV-{number}")) for number in range(3)]
    wanted = [payment(one, number=f"P-{one.number}") for one in invoices]
    outcomes = door.adapter.create_payments(door.session(), wanted)
    assert [one.invoice_id for one in outcomes] == [one.remote_id for one in invoices]
    assert len(door.calls("/batch$")) == 1
    assert counts(door)["payments"] == 3


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status"])
def test_a_payment_whose_answer_was_lost_is_found_on_its_invoice(door: Door, sent: LedgerInvoice, kind: str) -> None:
    spoil(door, kind, path="/payment$", times=1)
    wanted = payment(sent, "15")
    with pytest.raises(Unknown):
        pay(door, wanted)
    switch(door, index_lag_seconds=60)  # the invoice itself is never behind
    (found,) = door.adapter.find_payments(door.session(), wanted)
    assert (found.mark, found.amount, found.is_void) == (wanted.mark, Decimal(15), False)


def test_payments_of_others_are_found_too(door: Door, sent: LedgerInvoice) -> None:
    """Fault row 61."""
    company(door, "POST", f"invoices/{sent.remote_id}/pay", {"amount": 15, "date": "2026-11-05"})
    wanted = payment(sent, "100")
    (theirs,) = door.adapter.find_payments(door.session(), wanted)
    assert (theirs.mark, theirs.amount, theirs.paid_on) == ("", Decimal(15), date(2026, 11, 5))
    pay(door, wanted)
    assert {one.mark for one in door.adapter.find_payments(door.session(), wanted)} == {"", wanted.mark}


def test_a_payment_that_came_loose_or_was_voided_is_still_ours(door: Door, sent: LedgerInvoice) -> None:
    wanted = payment(sent)
    made = pay(door, wanted)
    assert isinstance(made, LedgerPayment)
    company(door, "POST", f"payments/{made.remote_id}/void")
    (found,) = door.adapter.find_payments(door.session(), wanted)
    assert (found.mark, found.is_void, found.amount) == (wanted.mark, True, Decimal(0))
    after = now(door, sent)
    assert (after.state, after.due, after.payments) == (InvoiceState.OPEN, Decimal(115), ())


def test_many_payments_on_one_invoice_are_all_told(door: Door, sent: LedgerInvoice) -> None:
    for _ in range(7):
        company(door, "POST", f"invoices/{sent.remote_id}/pay", {"amount": 5.5})
    after = now(door, sent)
    assert len(after.payments or ()) == 7
    assert after.paid == Decimal("38.5")


def test_what_happened_there_comes_with_the_changes(door: Door, somebody: str) -> None:
    invoices = [created(door, invoice(somebody, f"INV-{number}")) for number in range(5)]
    paid, part, void, gone, edited = (one.remote_id for one in invoices)
    door.sandbox.control.clock(advance_seconds=600)
    since = datetime.now(UTC) + timedelta(seconds=300)
    assert changed(door, since) == {}
    company(door, "POST", f"invoices/{paid}/pay")
    company(door, "POST", f"invoices/{part}/pay", {"amount": 15})
    company(door, "POST", f"invoices/{void}/void")
    company(door, "POST", f"invoices/{gone}/delete")
    company(door, "PATCH", f"invoices/{edited}", {"amount": 200})
    found = changed(door, since)
    assert set(found) == {paid, part, void, gone, edited}
    assert (found[paid].state, found[paid].due) == (InvoiceState.PAID, Decimal(0))
    assert (found[part].state, found[part].due, found[part].paid) == (InvoiceState.OPEN, Decimal(100), Decimal(15))
    assert (found[void].state, found[void].mark) == (InvoiceState.VOIDED, "mark-INV-2")
    assert found[gone].state is InvoiceState.DELETED
    assert (found[edited].total, found[edited].mark) == (Decimal(230), "mark-INV-4")


def test_a_payment_is_noticed_where_it_does_not_touch_the_invoice(door: Door, sent: LedgerInvoice) -> None:
    switch(door, payment_moves_invoice=False)
    door.sandbox.control.clock(advance_seconds=600)
    since = datetime.now(UTC) + timedelta(seconds=300)
    company(door, "POST", f"invoices/{sent.remote_id}/pay")
    assert changed(door, since)[sent.remote_id].state is InvoiceState.PAID


def test_changes_that_are_cut_off_are_completed_by_time(
    door: Door, somebody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    company(door, "POST", "invoices/fill", {"invoices": 1500})
    since = datetime.now(UTC) - timedelta(days=20)
    everyone = changed(door, since)
    switch(door, cdc_most=20)
    assert len(changed(door, since)) == 20 < len(everyone) < 1500
    monkeypatch.setattr(invoice_queries, "MOST_CHANGES", 20)
    assert set(changed(door, since)) == set(everyone)


def test_a_long_absence_is_made_good_by_queries(door: Door, somebody: str) -> None:
    company(door, "POST", "invoices/fill", {"invoices": 2500})
    found = changed(door, datetime.now(UTC) - timedelta(days=3000))
    assert len(found) == 2500
    assert not door.calls("/cdc$")


def test_all_open_invoices_are_listed_page_by_page(door: Door, somebody: str) -> None:
    company(door, "POST", "invoices/fill", {"invoices": 4000})
    found = list(door.adapter.fetch_invoices(door.session(), None))
    assert len({one.remote_id for one in found}) == 4000 // 3
    assert {one.state for one in found} == {InvoiceState.OPEN}
    assert all("Balance > '0'" in one["query"][0] for one in asked(door, "/query$"))


def test_an_invoice_nobody_can_read_is_set_aside_and_the_rest_goes_on(door: Door, somebody: str) -> None:
    """Fault row 24."""
    good, odd = created(door, invoice(somebody, "INV-1")), created(door, invoice(somebody, "INV-2", line("77")))
    spoil(door, "rewrite", path="/query$", replace=[['"TotalAmt":88.55', '"TotalAmt":"a lot"']])
    found = list(door.adapter.fetch_invoices(door.session(), None))
    assert [one.remote_id for one in found if isinstance(one, LedgerInvoice)] == [good.remote_id]
    (aside,) = [one for one in found if isinstance(one, Quarantined)]
    assert (aside.remote_id, aside.name) == (odd.remote_id, "INV-2")
