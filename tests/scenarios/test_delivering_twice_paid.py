"""Ways to get a payment into a ledger twice, or to stop others with an odd one. None of them works."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from portal import deliveries as shell
from portal.adapters.base import NotThere
from portal.adapters.ledger import InvoiceRefused
from portal.db import db
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Payment
from portal.domain.records import Cause, InvoiceState, LedgerPayment
from portal.receivables import looking
from tests.cast_deliveries import pay, told_of
from tests.pretend_ledger import LedgerAccount
from tests.scenarios.loose_ledgers import (
    asked_of,
    forgetful,
    forgotten,
    invoice_of,
    now,
    row,
)

DAY = date(2026, 11, 3)


@pytest.fixture
def strict(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """Refuses used numbers, cannot be asked for a sign, and forgets keys at once."""
    return forgetful(monkeypatch, refuses_used_numbers=True)


@pytest.fixture
def loose(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """Protects nothing, and finds by number only."""
    return forgetful(monkeypatch)


class TestPayments:
    @pytest.fixture
    def paid(self, strict: LedgerAccount) -> Payment:
        """Marked as paid here; on its way to the ledger, where the invoice is."""
        (asked,) = asked_of(strict)
        shell.deliver_due(now())
        pay(invoice_of(asked), strict.connection)
        db.session.commit()
        return db.session.scalars(select(Payment)).one()

    def delivery(self) -> Delivery:
        db.session.expire_all()
        return db.session.scalars(select(Delivery).where(Delivery.kind == "payment")).one()

    def put_there(self, books: LedgerAccount, **values: Any) -> LedgerPayment:
        """Somebody enters it in the ledger by hand."""
        made = LedgerPayment("theirs-1", "invoice-1", Decimal(115), "NZD", date(2026, 11, 9), **values)
        books.app.payments[made.remote_id] = made
        one = books.app.invoices["invoice-1"]
        books.app.invoices["invoice-1"] = replace(
            one, payments=(made,), paid=Decimal(115), due=Decimal(0), state=InvoiceState.PAID, changed_at=now()
        )
        return made

    def test_one_entered_there_by_hand_meanwhile_is_not_sent_as_well(
        self, strict: LedgerAccount, paid: Payment
    ) -> None:
        """Fault row 61: on another day than ours, so that only reading it back can tell that the two are one."""
        self.put_there(strict)
        looking.look(strict.connection_id)
        shell.deliver_due(now())
        assert (self.delivery().state, self.delivery().remote_id) == (DeliveryState.DELIVERED, "theirs-1")
        assert list(strict.app.payments) == ["theirs-1"]
        assert "payments" not in strict.app.calls

    def test_one_that_was_refused_and_then_entered_there_is_settled(self, strict: LedgerAccount, paid: Payment) -> None:
        create = strict.app.create_payments
        strict.app.create_payments = (  # type: ignore[method-assign]  # a stand-in
            lambda session, outs: [InvoiceRefused("The account is locked.", cause=Cause.OTHER) for _one in outs]
        )
        shell.deliver_due(now())
        assert (self.delivery().state, self.delivery().reason) == (DeliveryState.FAILED, "The account is locked.")
        strict.app.create_payments = create  # type: ignore[method-assign]  # as it was
        self.put_there(strict)
        looking.look(strict.connection_id)
        shell.deliver_due(now())
        assert self.delivery().state == DeliveryState.DELIVERED
        assert list(strict.app.payments) == ["theirs-1"]

    def test_restored_from_a_backup_the_payment_that_is_there_is_adopted(
        self, strict: LedgerAccount, paid: Payment
    ) -> None:
        """Fault row 10: the ledger says that nothing is left to pay, because ours is there."""
        shell.deliver_due(now())
        (remote_id,) = strict.app.payments
        forgotten([self.delivery().id])
        db.session.execute(update(Payment).values(remote_id=None, connection_id=None))
        db.session.commit()
        strict.app.create_payments = (  # type: ignore[method-assign]  # a stand-in
            lambda session, outs: [InvoiceRefused("Nothing is left to pay.", cause=Cause.OTHER) for _one in outs]
        )
        shell.deliver_due(now())
        assert (self.delivery().state, self.delivery().remote_id) == (DeliveryState.DELIVERED, remote_id)
        assert len(strict.app.payments) == 1

    def test_one_whose_invoice_was_deleted_there_fails_and_keeps_no_other_waiting(
        self, loose: LedgerAccount, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = asked_of(loose, 2)
        shell.deliver_due(now())
        first, second = (pay(invoice_of(one), loose.connection).id for one in asked)
        db.session.commit()
        find = loose.app.find_payments

        def gone(session: Any, payment: Any) -> Any:
            if payment.invoice_id == "invoice-1":
                raise NotThere("Ledger does not know this invoice.")
            return find(session, payment)

        monkeypatch.setattr(loose.app, "find_payments", gone)
        shell.deliver_due(now())
        assert (row(first).state, row(second).state) == (DeliveryState.FAILED, DeliveryState.DELIVERED)
        assert row(first).reason == "Ledger does not know this invoice."

    def test_one_taken_back_here_before_it_went_does_not_go(self, strict: LedgerAccount, paid: Payment) -> None:
        paid.reversed_at = now()
        db.session.commit()
        shell.deliver_due(now())
        assert self.delivery().state == DeliveryState.WITHDRAWN
        assert strict.app.payments == {}


def test_a_payment_there_that_cannot_count_here_stops_nobodys_reading(strict: LedgerAccount, clock: Any) -> None:
    """Fault row 86: another currency, or nothing; told on the invoice, and the others are read on."""
    asked = asked_of(strict, 2)
    shell.deliver_due(now())
    odd = LedgerPayment("p-1", "invoice-1", Decimal(115), "AUD", DAY)
    nothing = LedgerPayment("p-2", "invoice-1", Decimal(0), "NZD", DAY)
    good = LedgerPayment("p-3", "invoice-2", Decimal(115), "NZD", DAY)
    for remote_id, payments in (("invoice-1", (odd, nothing)), ("invoice-2", (good,))):
        one = strict.app.invoices[remote_id]
        strict.app.invoices[remote_id] = replace(one, payments=payments, changed_at=now())
    looking.look(strict.connection_id)
    assert invoice_of(asked[0]).paid_at is None
    assert invoice_of(asked[1]).paid_at is not None
    assert told_of(invoice_of(asked[0]))[-1] == (
        "Ledger shows the invoice differently: payments that cannot be counted here (115 AUD, 0 NZD)"
    )
