"""An invoice is in Digits exactly once whatever becomes of answers, and what can be known of it afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.base import AdapterError, NotThere, Unavailable, Unknown
from portal.adapters.digits import LEDGER, Digits
from portal.adapters.ledger import InvoiceRefused
from portal.domain.records import Cause, InvoiceState, LedgerInvoice
from tests.adapters.conftest import Door
from tests.wire.digits_paper import Paper


@pytest.fixture
def paper(make_door: Callable[..., Door]) -> Paper:
    return Paper(make_door(Digits))


def refused(paper: Paper, invoice: Any) -> InvoiceRefused:
    (outcome,) = paper.create(invoice)
    assert isinstance(outcome, InvoiceRefused), outcome
    assert outcome.message.endswith(".")
    return outcome


@pytest.mark.parametrize(
    "fault",
    [{"kind": "accept_then_drop"}, {"kind": "accept_then_status", "status": 500}, {"kind": "drop"},
     {"kind": "garbage", "garbage": "truncated"}, {"kind": "garbage", "garbage": "cut"},
     {"kind": "status", "status": 502}, {"kind": "garbage", "garbage": "html"}],
)  # fmt: skip
def test_an_invoice_whose_answer_was_lost_is_there_once_after_the_next_try(paper: Paper, fault: dict[str, Any]) -> None:
    """Fault rows 4, 11, 12, 15 and 21: the same mark is the same invoice, whatever becomes of keys."""
    invoice = paper.invoice()
    paper.spoil(fault.pop("kind"), times=1, **fault)
    with pytest.raises(Unknown):
        paper.create(invoice)
    paper.find([invoice.number], [invoice.mark])
    assert paper.one(invoice).number == "INV-1"
    counted = paper.counts()
    assert (counted["written_by_apps"], counted["marks_twice"], counted["changed_by_apps"]) == (1, {}, {})


def test_a_batch_whose_answer_was_lost_is_found_by_its_marks(paper: Paper) -> None:
    """Fault rows 8 and 11."""
    invoices = [paper.invoice(f"INV-{number}") for number in range(5)]
    paper.spoil("accept_then_drop", times=1)
    with pytest.raises(Unknown):
        paper.create(*invoices)
    found = paper.find(marks=[one.mark for one in invoices])
    assert {one.remote_id for one in found} == {one.mark for one in invoices}


def test_a_ledger_that_lags_behind_is_not_taken_for_an_empty_one(paper: Paper) -> None:
    """Fault row 16: what a look-up misses may still be there; written again it is the same invoice."""
    paper.switch(digits_ledger_lag_seconds=60)
    invoice = paper.invoice()
    paper.spoil("accept_then_drop", times=1)
    with pytest.raises(Unknown):
        paper.create(invoice)
    assert paper.find([invoice.number], [invoice.mark]) == []
    paper.one(invoice)
    paper.door.sandbox.control.clock(advance_seconds=61)
    assert len(paper.find([invoice.number], [invoice.mark])) == 1
    assert paper.counts()["written_by_apps"] == 1
    assert LEDGER.writes_by_mark


def test_a_mark_never_goes_out_with_other_contents(paper: Paper) -> None:
    """Digits would change the invoice there."""
    invoice = paper.invoice()
    paper.one(invoice)
    reason = refused(paper, paper.invoice("INV-1", paper.line("999"), mark=invoice.mark))
    assert "other contents" in reason.message
    assert paper.one(invoice).total == Decimal(115)
    assert (paper.there(invoice)["total"], paper.there(invoice)["versions"]) == ("115.00", 1)


def test_a_lost_mark_keeps_its_contents_until_a_late_look_up_finds_nothing(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper.spoil("drop", times=1)
    invoice, other = paper.invoice(), paper.invoice("INV-1", paper.line("999"))
    with pytest.raises(Unknown):
        paper.create(invoice)
    assert paper.find(marks=[invoice.mark]) == []
    assert "other contents" in refused(paper, other).message
    monkeypatch.setattr("portal.adapters.digits.ledger.SETTLES", LEDGER.look_ups_settle_after * 0)
    assert paper.find(marks=[invoice.mark]) == []
    assert paper.one(other).total == Decimal(999)


def test_what_was_refused_may_come_again_changed(paper: Paper) -> None:
    invoice = paper.invoice(customer_key="nobody")
    assert refused(paper, invoice).cause == Cause.CUSTOMER_GONE
    assert paper.one(replace(invoice, customer_key=paper.customer_key)).total == Decimal(115)


def test_a_payment_whose_answer_was_lost_is_there_once(paper: Paper) -> None:
    """Fault rows 11 and 61."""
    invoice = paper.invoice()
    paper.one(invoice)
    payment = paper.payment(invoice, "15")
    paper.spoil("accept_then_drop", times=1)
    with pytest.raises(Unknown):
        paper.pay(payment)
    (found,) = paper.door.adapter.find_payments(paper.door.session(), payment)
    assert (found.mark, found.amount) == ("pay1", Decimal(15))
    paper.pay(payment)
    assert (paper.counts()["payments_by_apps"], paper.there(invoice)["paid"]) == (1, "15.00")


@pytest.mark.parametrize(
    "answer",
    [{}, {"transactions": []}, {"transactions": ["x"]}, {"transactions": [{"externalId": "another", "digitsId": "1"}]}],
)
def test_an_answer_that_does_not_speak_of_the_invoice_leaves_it_unknown(paper: Paper, answer: dict[str, Any]) -> None:
    """Fault row 13: no id is believed."""
    headers = {"Content-Type": "application/json"}
    paper.spoil("status", status=200, body=json.dumps(answer), headers=headers)
    (outcome,) = paper.create(paper.invoice())
    assert isinstance(outcome, Unknown)


def test_an_answer_may_name_some_of_a_batch_and_not_others(paper: Paper) -> None:
    answer = {"transactions": [
        {"externalId": {"issuer": "counterpart", "id": "markINV-1"}},
        {"externalId": "markINV-2", "error": {"message": "There is no party x."}},
    ]}  # fmt: skip
    paper.spoil("status", status=200, body=json.dumps(answer), headers={"Content-Type": "application/json"})
    first, second, third = paper.create(*(paper.invoice(f"INV-{number}") for number in (1, 2, 3)))
    assert isinstance(first, LedgerInvoice)
    assert isinstance(second, InvoiceRefused)
    assert second.cause == Cause.CUSTOMER_GONE
    assert isinstance(third, Unknown)


# Back from Digits


@pytest.mark.parametrize("act", ["void", "delete"])
def test_what_was_voided_or_deleted_there_is_not_among_the_entries_any_more(paper: Paper, act: str) -> None:
    """Fault row 28: it cannot be told which of the two, so nothing is concluded from it."""
    invoice = paper.invoice()
    paper.one(invoice)
    paper.control("POST", f"/{invoice.mark}/{act}")
    with pytest.raises(NotThere):
        paper.fetch(invoice)
    assert not LEDGER.tells_payments


def test_a_total_that_was_changed_there_is_read_as_it_is(paper: Paper) -> None:
    invoice = paper.invoice()
    paper.one(invoice)
    paper.control("PATCH", f"/{invoice.mark}", total="120.00")
    assert paper.fetch(invoice).total == Decimal(120)


def test_an_invoice_whose_description_was_rewritten_there_is_not_found(paper: Paper) -> None:
    invoice = paper.invoice()
    paper.one(invoice)
    paper.control("PATCH", f"/{invoice.mark}", description="Cafe, November")
    assert paper.find([invoice.number], [invoice.mark]) == []


def test_what_somebody_paid_there_is_not_told(paper: Paper) -> None:
    invoice = paper.invoice()
    paper.one(invoice)
    assert paper.control("POST", f"/{invoice.mark}/pay")["state"] == "paid"
    assert paper.fetch(invoice).state == InvoiceState.OPEN


@pytest.mark.parametrize(
    "fault", [{"kind": "drop"}, {"kind": "status", "status": 503}, {"kind": "garbage", "garbage": "html"}]
)
def test_a_question_that_was_not_answered_is_asked_once_more_and_leaves_nothing_in_doubt(
    paper: Paper, fault: dict[str, Any]
) -> None:
    invoice = paper.invoice()
    paper.one(invoice)
    kind = fault.pop("kind")
    paper.spoil(kind, path="entries/query", times=1, **fault)
    assert paper.fetch(invoice).number == "INV-1"
    paper.spoil(kind, path="entries/query", **fault)
    with pytest.raises(Unavailable):
        paper.fetch(invoice)


def test_entries_that_repeat_for_ever_end(paper: Paper) -> None:
    """Fault row 26."""
    paper.one(paper.invoice())
    paper.spoil("repeat_page", path="entries/query")
    with pytest.raises(AdapterError, match="repeats itself"):
        paper.find(["INV-1"])
