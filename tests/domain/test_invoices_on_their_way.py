"""What issuing, paying and voiding mean for the ledger an invoice belongs to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.domain import deliveries, invoices
from portal.domain.apps import Connection
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Invoice
from tests.cast import COMMAND, make_client, make_connection, now
from tests.cast_deliveries import make_ready
from tests.cast_invoices import TODAY, make_invoice, make_item

pytestmark = pytest.mark.usefixtures("database", "clock")


def test_an_invoice_is_on_its_way_to_its_ledger_from_the_moment_it_is_issued() -> None:
    ledger = _ledger("xero", due_days=20, due_days_recurring=7)
    invoice = make_invoice(make_client())
    assert invoice.connection_id == ledger.id
    assert (invoice.rounding, invoice.due_on) == ("each_line", TODAY + timedelta(days=20))
    (delivery,) = deliveries.of(invoice)
    assert (delivery.state, delivery.mark) == (DeliveryState.WAITING, invoice.mark)


def test_tax_is_rounded_as_the_ledger_rounds_it() -> None:
    """Fault row 85."""
    _ledger("quickbooks")
    client = make_client()
    invoice = make_invoice(client, *(make_item(client, price="0.30", tax="15") for _ in range(3)))
    assert (invoice.rounding, str(invoice.tax)) == ("each_rate", "0.14")
    assert [str(line.tax) for line in invoice.lines] == ["0.04", "0.05", "0.05"]


def test_voiding_takes_back_what_has_not_gone_and_names_the_ledger_that_has_it() -> None:
    _ledger("xero")
    client = make_client()
    waiting, there, uncertain = (make_invoice(client) for _ in range(3))
    _arrived(there)
    _of(uncertain).state = DeliveryState.UNKNOWN
    assert invoices.void(waiting, "duplicate", "", by=COMMAND, now=now()).there == ()
    assert _of(waiting).state == DeliveryState.WITHDRAWN
    assert invoices.void(there, "duplicate", "", by=COMMAND, now=now()).there == ("Xero",)
    with pytest.raises(invoices.CannotVoid, match="cannot be voided at this moment"):
        invoices.void(uncertain, "duplicate", "", by=COMMAND, now=now())
    assert uncertain.voided_at is None


def test_a_payment_marked_by_hand_goes_to_the_ledger_once_and_only_if_wanted() -> None:
    _ledger("xero")
    client = make_client()
    told, kept = make_invoice(client), make_invoice(client)
    payment = _pay(told, write_to_ledger=True)
    _pay(kept, write_to_ledger=False)
    assert [one.payment_id for one in deliveries.of_payments(told)] == [payment.id]
    assert deliveries.of_payments(kept) == []


def test_setting_back_to_unpaid_withdraws_the_payment_unless_it_has_arrived() -> None:
    _ledger("xero")
    client = make_client()
    early, late = make_invoice(client), make_invoice(client)
    for invoice in (early, late):
        _pay(invoice, write_to_ledger=True)
    invoices.set_unpaid(early, by=COMMAND, now=now())
    (withdrawn,) = deliveries.of_payments(early)
    assert (withdrawn.state, early.paid_at) == (DeliveryState.WITHDRAWN, None)
    (arrived,) = deliveries.of_payments(late)
    arrived.state, arrived.remote_id = DeliveryState.DELIVERED, "payment-9"
    with pytest.raises(invoices.CannotSettle, match="stands in the ledger"):
        invoices.set_unpaid(late, by=COMMAND, now=now())
    assert late.paid_at is not None


def test_a_payment_of_ours_that_the_ledger_tells_of_before_we_know_its_id_is_not_doubled() -> None:
    """Fault row 61."""
    ledger = _ledger("xero")
    invoice = make_invoice(make_client())
    payment = _pay(invoice, write_to_ledger=True)
    for _ in range(2):
        noted = invoices.note_payment(
            invoice, payment.amount, TODAY, by=COMMAND, now=now(), connection=ledger, remote_id="p-7", mark=payment.mark
        )
        assert (noted.payment, noted.is_new) == (payment, False)
    assert (invoice.paid, payment.remote_id) == (100, "p-7")


def test_a_number_cannot_be_changed_while_the_ledger_has_it_or_may_have_it() -> None:
    """Fault row 94."""
    _ledger("xero")
    client = make_client()
    there, uncertain, refused = (make_invoice(client) for _ in range(3))
    _arrived(there)
    _of(uncertain).state = DeliveryState.SENDING
    _of(refused).state = DeliveryState.FAILED
    for invoice, reason in ((there, "is in the ledger under this number"), (uncertain, "may have reached the ledger")):
        with pytest.raises(ValueError, match=reason):
            invoices.rename_number(invoice, by=COMMAND, now=now(), reason="used there")
    assert invoices.rename_number(refused, by=COMMAND, now=now(), reason="used there") == "INV-0004"
    assert _of(refused).mark == refused.mark


def _ledger(app: str, **settings: int) -> Connection:
    connection = make_connection(app, enabled_at=now())
    make_ready(connection, **settings)  # type: ignore[arg-type]  # settings are columns of the ledger's
    return connection


def _of(invoice: Invoice) -> Delivery:
    return deliveries.of(invoice)[0]


def _arrived(invoice: Invoice) -> None:
    delivery = _of(invoice)
    delivery.state, delivery.remote_id, delivery.next_at = DeliveryState.DELIVERED, f"there-{invoice.id}", None


def _pay(invoice: Invoice, *, write_to_ledger: bool) -> invoices.Payment:
    return invoices.mark_paid(
        invoice, paid_on=TODAY, method="cash", reference="", by=COMMAND, now=now(), write_to_ledger=write_to_ledger
    )
