"""Issuing, paying and voiding invoices."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain import activity, invoices, money
from portal.domain.activity import Verb
from portal.domain.clients import ClientStatus, count_items
from portal.domain.invoices import Invoice, InvoiceLine, NumberSeries, Payment, Standing
from portal.domain.schedule import ItemState, PayBy
from tests.cast import COMMAND, make_client, make_connection, now, person
from tests.cast_invoices import TODAY, make_invoice, make_item

pytestmark = pytest.mark.usefixtures("database", "clock")
LATER = TODAY + timedelta(days=40)


def test_what_is_billed_becomes_lines_sums_and_a_number() -> None:
    client = make_client("Ngaio Design")
    items = [
        make_item(client, "Annual accounts", "1000", tax="15"),
        make_item(client, "Advice", "80", quantity=Decimal("0.3333"), tax="15"),
        make_item(client, "Filing fee", "20", discount=Decimal(10), discount_is_percent=True, tax="0"),
    ]
    invoice = make_invoice(client, *items)
    assert invoice.number == "INV-0001"
    assert [(line.net, line.tax) for line in invoice.lines] == [
        (Decimal("1000.00"), Decimal("150.00")),
        (Decimal("26.66"), Decimal("4.00")),
        (Decimal("18.00"), Decimal("0.00")),
    ]
    assert (invoice.net, invoice.tax, invoice.total) == (Decimal("1044.66"), Decimal("154.00"), Decimal("1198.66"))
    assert [item.state for item in items] == [ItemState.BILLED] * 3
    assert invoice.lines[2].discount_percent == 10
    assert invoice.due_on == TODAY + timedelta(days=14)


def test_a_billing_item_is_billed_at_most_once_ever() -> None:
    client = make_client()
    item = make_item(client)
    make_invoice(client, item)
    with pytest.raises(invoices.AlreadyBilled) as refused:
        make_invoice(client, item)
    assert refused.value.item is item
    assert len(db.session.scalars(select(Invoice)).all()) == 1


def test_a_cancelled_item_is_not_billed() -> None:
    client = make_client()
    with pytest.raises(invoices.AlreadyBilled):
        make_invoice(client, make_item(client, state=ItemState.CANCELLED))


def test_an_invoice_that_failed_leaves_no_gap_in_the_numbers() -> None:
    client = make_client()
    make_invoice(client)
    db.session.commit()
    with pytest.raises(invoices.CannotIssue):
        make_invoice(client, make_item(client, price="-5"))
    db.session.rollback()
    assert make_invoice(client).number == "INV-0002"


def test_the_same_things_billed_again_in_a_restored_copy_carry_the_same_mark() -> None:
    client = make_client()
    first, second = make_item(client), make_item(client)
    wanted = invoices.mark_of([second.mark, first.mark])
    assert make_invoice(client, first, second).mark == wanted
    assert invoices.mark_of([first.mark]) != wanted


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"reference": "PROP-7"}, "different references"),
        ({"pay_by": PayBy.AUTOMATIC}, "different ways of paying"),
        ({"currency": "AUD"}, "different currencies"),
    ],
)
def test_what_differs_in_reference_payment_or_currency_makes_several_invoices(
    details: dict[str, Any], reason: str
) -> None:
    """Fault row 86."""
    client = make_client()
    with pytest.raises(invoices.CannotIssue, match=reason):
        make_invoice(client, make_item(client), make_item(client, **details))


def test_one_invoice_bills_one_client_who_is_not_archived() -> None:
    client = make_client("Acme")
    with pytest.raises(invoices.CannotIssue, match="bills one client"):
        make_invoice(client, make_item(make_client("Other")))
    client.archived_at = now()
    with pytest.raises(invoices.CannotIssue, match="Acme is archived"):
        make_invoice(client)
    with pytest.raises(invoices.CannotIssue, match="needs something"):
        invoices.issue(client, [], on=TODAY, by=COMMAND, now=now(), is_automatic=True)


def test_an_invoice_below_zero_is_refused_in_plain_words() -> None:
    """Fault row 85."""
    client = make_client()
    with pytest.raises(invoices.CannotIssue, match=r"would come to NZD -5\.75"):
        make_invoice(client, make_item(client, price="-5", tax="15"))
    with pytest.raises(invoices.CannotIssue, match="Audit: A discount of 120 %"):
        make_invoice(client, make_item(client, "Audit", discount=Decimal(120), discount_is_percent=True))


def test_an_invoice_over_nothing_is_settled_as_it_is_issued() -> None:
    """Fault row 85."""
    client = make_client()
    invoice = make_invoice(client, make_item(client, price="50", discount=Decimal(100), discount_is_percent=True))
    assert invoice.total == 0
    assert invoices.status(invoice, LATER).standing == Standing.PAID
    assert not invoices.status(invoice, LATER).is_overdue


def test_a_number_in_use_is_passed_over() -> None:
    """Fault row 94."""
    client = make_client()
    brought = make_invoice(client)
    brought.number = "INV-0003"
    assert [make_invoice(client).number for _ in range(2)] == ["INV-0002", "INV-0004"]


def test_an_admin_says_how_numbers_look_and_go_on() -> None:
    client = make_client()
    assert invoices.next_number("invoice") == "INV-0001"
    invoices.change_series("invoice", prefix="M26-", width=0, following=812, by=COMMAND, now=now())
    assert invoices.next_number("invoice") == "M26-812"
    assert make_invoice(client).number == "M26-812"
    assert invoices.next_number("invoice") == "M26-813"
    for bad in ({"prefix": "ÄÖ"}, {"following": 0}, {"width": 40}, {"prefix": "much too long"}):
        with pytest.raises(ValueError, match=r"number|prefix"):
            invoices.change_series(
                "invoice", **({"prefix": "", "width": 1, "following": 1} | bad), by=COMMAND, now=now()
            )


def test_a_number_the_ledger_gave_to_somebody_else_is_changed_here_only() -> None:
    """Fault row 94."""
    client = make_client()
    ours, other = make_invoice(client), make_invoice(client)
    assert invoices.rename_number(ours, by=COMMAND, now=now(), reason="taken there") == "INV-0003"
    with pytest.raises(invoices.NumberUsed):
        invoices.rename_number(ours, by=COMMAND, now=now(), reason="taken there", number=other.number)
    assert (ours.number, other.number) == ("INV-0003", "INV-0002")
    said = activity.sentence(activity.log(invoice_id=ours.id)[0])
    assert said == "Invoice number changed from INV-0001 to INV-0003: taken there"


def test_the_log_begins_with_how_the_invoice_came_about() -> None:
    client = make_client()
    by_hand, by_itself = make_invoice(client, by=_alice()), make_invoice(client, is_automatic=True)
    assert _told(by_hand) == ["Invoice created by Alice Ngata"]
    assert _told(by_itself) == ["Invoice created automatically"]


def test_overdue_begins_the_day_after_the_due_day() -> None:
    """Fault row 74."""
    invoice = make_invoice(make_client(), due_on=date(2026, 11, 20))
    assert invoices.status(invoice, date(2026, 11, 20)).days_overdue == 0
    assert invoices.status(invoice, date(2026, 11, 21)).days_overdue == 1
    assert invoices.status(invoice, date(2026, 11, 21)).word == "overdue"


def test_marked_as_paid_by_hand_it_can_be_set_back() -> None:
    client = make_client()
    invoice = make_invoice(client, make_item(client, price="1150"))
    _pay(invoice)
    assert invoices.status(invoice, LATER).standing == Standing.PAID
    assert _told(invoice)[0] == ("Invoice marked as paid by Alice Ngata: NZD 1,150.00 on 3 Nov 2026 by bank transfer")
    with pytest.raises(invoices.CannotSettle, match="paid already"):
        _pay(invoice)
    invoices.set_unpaid(invoice, by=_alice(), now=now())
    assert (invoice.paid, invoice.paid_at) == (0, None)
    assert invoice.payments[0].reversed_at is not None
    assert _told(invoice)[0] == "Invoice set back to unpaid by Alice Ngata"


def test_a_payment_read_in_the_ledger_counts_once_however_often_it_is_told() -> None:
    """Fault rows 42 and 61."""
    ledger = make_connection("xero")
    invoice = make_invoice(make_client())
    for _ in range(3):
        _told_by(ledger, invoice, "40", "p-1")
    status = invoices.status(invoice, TODAY)
    assert (invoice.paid, status.is_part_paid, status.left) == (40, True, 60)
    _told_by(ledger, invoice, "60", "p-2")
    assert invoices.status(invoice, TODAY).standing == Standing.PAID
    told = _told(invoice)
    assert told[0].startswith("Invoice marked as paid automatically on 3 Nov 2026")
    assert told[1] == "Invoice paid in Xero: NZD 60.00 on 3 Nov 2026"
    assert told[2] == "Invoice part paid in Xero: NZD 40.00 on 3 Nov 2026, NZD 60.00 left to pay"
    with pytest.raises(invoices.CannotSettle, match="not marked as paid by hand"):
        invoices.set_unpaid(invoice, by=_alice(), now=now())


def test_a_payment_marked_by_hand_and_told_by_the_ledger_is_one_payment() -> None:
    """Fault row 61."""
    ledger = make_connection("xero")
    invoice = make_invoice(make_client())
    payment = _pay(invoice)
    noted = _told_by(ledger, invoice, "100", "p-1", paid_on=TODAY + timedelta(days=2))
    assert (noted.payment, noted.is_new, invoice.paid) == (payment, False, 100)
    with pytest.raises(invoices.CannotSettle, match="stands in the ledger"):
        invoices.set_unpaid(invoice, by=_alice(), now=now())


def test_what_was_marked_by_hand_gives_way_to_the_parts_the_ledger_tells() -> None:
    """Fault row 61."""
    ledger = make_connection("xero")
    invoice = make_invoice(make_client())
    _pay(invoice)
    for part, remote_id in (("30", "p-1"), ("45", "p-2"), ("25", "p-3")):
        _told_by(ledger, invoice, part, remote_id)
        assert invoice.paid == 100
        assert invoices.status(invoice, TODAY).standing == Standing.PAID
    standing = [one for one in invoice.payments if one.reversed_at is None]
    assert sorted(one.remote_id or "" for one in standing) == ["p-1", "p-2", "p-3"]


def test_a_payment_taken_back_in_the_ledger_opens_the_invoice_again() -> None:
    ledger = make_connection("xero")
    invoice = make_invoice(make_client())
    noted = _told_by(ledger, invoice, "100", "p-1")
    assert invoices.reverse_payment(noted.payment, by=COMMAND, now=now())
    assert not invoices.reverse_payment(noted.payment, by=COMMAND, now=now())
    assert (invoice.paid, invoice.paid_at) == (0, None)
    assert _told(invoice)[0] == "A payment of NZD 100.00 was taken back in Xero"


def test_a_payment_in_another_currency_is_not_counted() -> None:
    """Fault row 86."""
    invoice = make_invoice(make_client())
    with pytest.raises(ValueError, match="AUD"):
        invoices.note_payment(invoice, Decimal(100), TODAY, by=COMMAND, now=now(), currency="AUD")
    assert db.session.scalars(select(Payment)).all() == []


def test_voiding_needs_a_reason_and_nothing_paid() -> None:
    invoice = make_invoice(make_client())
    with pytest.raises(invoices.CannotVoid, match="reasons"):
        invoices.void(invoice, "because", "", by=_alice(), now=now())
    _pay(invoice)
    with pytest.raises(invoices.CannotVoid, match="Something was paid"):
        invoices.void(invoice, "duplicate", "", by=_alice(), now=now())
    invoices.set_unpaid(invoice, by=_alice(), now=now())
    assert invoices.void(invoice, "duplicate", "see INV-0009", by=_alice(), now=now()).there == ()
    assert invoices.status(invoice, LATER).standing == Standing.VOIDED
    assert _told(invoice)[0] == "Invoice voided by Alice Ngata: Issued twice"
    with pytest.raises(invoices.CannotVoid, match="already"):
        invoices.void(invoice, "duplicate", "", by=_alice(), now=now())
    with pytest.raises(invoices.CannotSettle, match="was voided"):
        _pay(invoice)


def test_voided_or_deleted_in_the_ledger_it_is_void_here_once() -> None:
    ledger = make_connection("xero")
    client = make_client()
    voided, deleted = make_invoice(client), make_invoice(client)
    assert [invoices.voided_there(voided, ledger, by=COMMAND, now=now()) for _ in range(2)] == [True, False]
    assert [invoices.deleted_there(deleted, ledger, by=COMMAND, now=now()) for _ in range(2)] == [True, False]
    assert (_told(voided)[0], _told(deleted)[0]) == ("Invoice voided in Xero", "Invoice deleted in Xero")
    assert len(_told(voided)) == 2


def test_a_one_off_invoice_keeps_the_client_active_until_it_is_settled() -> None:
    client = make_client()
    item = make_item(client)
    count_items(client, 1, reason="one-off", by=COMMAND, now=now())
    invoice = make_invoice(client, item)
    assert client.status == ClientStatus.ACTIVE
    _pay(invoice)
    assert client.status == ClientStatus.INACTIVE
    invoices.set_unpaid(invoice, by=_alice(), now=now())
    assert client.status == ClientStatus.ACTIVE
    invoices.void(invoice, "other", "", by=_alice(), now=now())
    assert client.status == ClientStatus.INACTIVE


def test_lines_always_add_up_to_the_invoice() -> None:
    client = make_client()
    items = [make_item(client, price=f"{n}.0{n}", quantity=Decimal("0.3333"), tax="12.5") for n in range(1, 8)]
    invoice = make_invoice(client, *items)
    db.session.expire_all()
    lines = db.session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id)).all()
    assert (sum(line.net for line in lines), sum(line.tax for line in lines)) == (invoice.net, invoice.tax)
    assert invoice.total == invoice.net + invoice.tax


def test_the_series_of_numbers_is_one_row_however_many_begin_it() -> None:
    assert invoices.take_number("invoice") == "INV-0001"
    assert invoices.take_next("proposal") == 1
    assert invoices.take_number("proposal") == "PROP-2"
    assert len(db.session.scalars(select(NumberSeries)).all()) == 2


def test_amounts_are_said_the_same_in_every_language() -> None:
    assert money.said(Decimal("1234567.5"), "NZD") == "NZD 1,234,567.50"
    assert money.said(Decimal(1234), "JPY") == "JPY 1,234"
    assert money.said(Decimal("-0.5"), "KWD") == "KWD -0.500"


def _alice() -> activity.Actor:
    return activity.Actor.person(person("admin"))


def _pay(invoice: Invoice) -> Payment:
    return invoices.mark_paid(
        invoice, paid_on=TODAY, method="bank_transfer", reference="", by=_alice(), now=now(), write_to_ledger=False
    )


def _told_by(ledger: Any, invoice: Invoice, amount: str, remote_id: str, paid_on: date = TODAY) -> invoices.Noted:
    return invoices.note_payment(
        invoice, Decimal(amount), paid_on, by=COMMAND, now=now(), connection=ledger, remote_id=remote_id
    )


def _told(invoice: Invoice) -> list[str]:
    """Newest first."""
    return [activity.sentence(one) for one in activity.log(invoice_id=invoice.id) if one.verb != Verb.STATUS_CHANGED]
