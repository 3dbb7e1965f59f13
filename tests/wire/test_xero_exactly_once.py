"""Whatever happens to an answer of Xero, an invoice is there once; and many go out in few calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from portal.adapters.base import Unknown
from portal.adapters.ledger import InvoiceRefused
from portal.adapters.xero import Xero
from portal.adapters.xero.invoices import LEDGER
from portal.domain.records import Cause, LedgerInvoice
from tests.adapters.conftest import Door
from tests.wire.test_xero import JSON
from tests.wire.xero_ledger import Example, refused, spoil, there, with_line


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(Xero)


@pytest.fixture
def example(door: Door) -> Example:
    found = Example()
    found.made = door
    return found


def test_a_thousand_invoices_take_twenty_calls(door: Door, example: Example) -> None:
    wanted = [example.invoice(door, f"T-{n:04d}") for n in range(1000)]
    session = door.session()
    made = []
    for start in range(0, len(wanted), LEDGER.invoice_batch):
        made += door.adapter.create_invoices(session, wanted[start : start + LEDGER.invoice_batch])
    assert len({one.remote_id for one in made}) == len(wanted)
    assert session.calls_made <= 20
    assert there(door, "GET", "invoices/counts")["invoices"] == 1000


def test_creating_is_always_a_put_with_every_element_judged_alone(door: Door, example: Example) -> None:
    example.create(door, example.invoice(door, "X-1"))
    (call,) = [one for one in door.calls("Invoices") if one["method"] != "GET"]
    assert call["method"] == "PUT"
    assert sorted(call["query"].split("&")) == ["summarizeErrors=false", "unitdp=4"]
    assert call["idempotency_key"]


def test_a_try_repeated_within_six_minutes_is_answered_as_the_first(door: Door, example: Example) -> None:
    """Fault row 14."""
    wanted = example.invoice(door, "X-1")
    spoil(door, "accept_then_drop", method="PUT", times=1)
    with pytest.raises(Unknown):
        door.adapter.create_invoices(door.session(), [wanted])
    made = example.create(door, wanted)
    assert example.count_there("X-1") == 1
    assert made.mark == wanted.mark
    keys = {one["idempotency_key"] for one in door.calls("Invoices") if one["method"] == "PUT"}
    assert len(keys) == 1


@pytest.mark.parametrize("how", ["expired", "forgotten", "ignored"])
def test_a_key_that_means_nothing_any_more_still_makes_no_second_invoice(
    door: Door, example: Example, how: str
) -> None:
    """Fault rows 14 and 15."""
    wanted = example.invoice(door, "X-1")
    if how == "ignored":
        door.sandbox.control.state(xero_ignores_keys=True)
    spoil(door, "accept_then_drop", method="PUT", times=1)
    with pytest.raises(Unknown):
        door.adapter.create_invoices(door.session(), [wanted])
    if how == "expired":
        door.sandbox.control.clock(advance_seconds=420)
        assert door.tokens is not None
        door.tokens.held = [door.token()]
    if how == "forgotten":
        there(door, "POST", "idempotency/forget", {})
    came = refused(door, wanted)
    assert came.cause == Cause.NUMBER_USED
    (found,) = door.adapter.find_invoices(door.session(), ["X-1"], [wanted.mark])
    assert found.mark == wanted.mark
    assert example.count_there("X-1") == 1


def test_a_look_up_that_lags_finds_nothing_at_first_and_the_invoice_later(door: Door, example: Example) -> None:
    """Fault row 16."""
    door.sandbox.control.state(xero_invoice_lag_seconds=60)
    wanted = example.invoice(door, "X-1")
    spoil(door, "accept_then_drop", method="PUT", times=1)
    with pytest.raises(Unknown):
        door.adapter.create_invoices(door.session(), [wanted])
    assert door.adapter.find_invoices(door.session(), ["X-1"], [wanted.mark]) == []
    another = replace(wanted, key="the next key")
    came = refused(door, another)
    assert came.cause == Cause.NUMBER_USED  # Xero itself knows at once
    assert LEDGER.look_ups_settle_after > timedelta(seconds=60)
    door.sandbox.control.clock(advance_seconds=LEDGER.look_ups_settle_after.total_seconds())
    (found,) = door.adapter.find_invoices(door.session(), ["X-1"], [wanted.mark])
    assert found.mark == wanted.mark
    assert example.count_there("X-1") == 1


def test_somebody_elses_invoice_of_our_number_is_left_alone_and_named(door: Door, example: Example) -> None:
    """Fault row 94."""
    theirs = there(door, "POST", "invoices", {"number": "X-1", "total": "77.00"})
    came = refused(door, example.invoice(door, "X-1"))
    assert came.cause == Cause.NUMBER_USED
    assert "X-1" in came.message
    (found,) = door.adapter.find_invoices(door.session(), ["X-1"], [])
    assert (found.remote_id, found.total, found.mark) == (theirs["uuid"], Decimal("77.00"), "")


def test_a_number_in_use_is_noticed_whatever_xero_calls_it(door: Door, example: Example) -> None:
    theirs = there(door, "POST", "invoices", {"number": "X-1", "total": "77.00"})
    replaced = [["Invoice # must be unique.", "This cannot be done."]]
    spoil(door, "rewrite", method="PUT", replace=replaced)
    came = refused(door, example.invoice(door, "X-1"))
    assert (came.cause, came.holder_id, came.vendor_text) == (Cause.NUMBER_USED, theirs["uuid"], "This cannot be done.")


def test_a_bill_of_the_same_number_is_none_of_ours(door: Door, example: Example) -> None:
    there(door, "POST", "invoices", {"number": "X-1", "total": "77.00", "kind": "ACCPAY"})
    assert door.adapter.find_invoices(door.session(), ["X-1"], []) == []
    example.create(door, example.invoice(door, "X-1"))
    assert len(door.adapter.find_invoices(door.session(), ["X-1"], [])) == 1


@pytest.mark.parametrize("number", ["A, B-1", 'The "first" one', "It's 1", "100%", "A&B=1"])
def test_odd_numbers_are_created_and_found(door: Door, example: Example, number: str) -> None:
    made = example.create(door, example.invoice(door, number))
    (found,) = door.adapter.find_invoices(door.session(), [number], [])
    assert found.remote_id == made.remote_id


def test_letters_xero_does_not_take_in_a_number_are_refused_before_sending(door: Door, example: Example) -> None:
    session = door.session()
    for number in ("Ōtara-1", "", " X-1", "X\n1"):
        (came,) = door.adapter.create_invoices(session, [replace(example.invoice(door, "X-1"), number=number)])
        assert isinstance(came, InvoiceRefused)
    assert session.calls_made == 0


def test_an_invoice_the_answer_does_not_speak_of_is_unknown(door: Door, example: Example) -> None:
    wanted = [example.invoice(door, number) for number in ("X-1", "X-2", "X-3")]
    spoil(door, "rewrite", method="PUT", times=1, replace=[['"InvoiceNumber":"X-2"', '"InvoiceNumber":"X-9"']])
    outcomes = door.adapter.create_invoices(door.session(), wanted)
    assert [type(one) for one in outcomes] == [LedgerInvoice, Unknown, LedgerInvoice]
    assert "X-2" in outcomes[1].message


def test_a_yes_without_an_identifier_is_unknown(door: Door, example: Example) -> None:
    made = example.create(door, example.invoice(door, "X-0"))
    assert made.remote_id
    spoil(door, "rewrite", method="PUT", times=1, replace=[['"InvoiceID":"', '"InvoiceIdentity":"']])
    (came,) = door.adapter.create_invoices(door.session(), [example.invoice(door, "X-1")])
    assert isinstance(came, Unknown)


def test_one_that_xero_cannot_even_read_does_not_sink_the_others(door: Door, example: Example) -> None:
    good = [example.invoice(door, f"X-{n}") for n in range(7)]
    odd = example.invoice(door, "X-ODD")
    odd = with_line(odd, price=Decimal("123.4567"))
    spoil_words = {"ErrorNumber": 14, "Type": "PostDataInvalidException", "Message": "Error converting value 123"}
    wanted = [*good[:3], odd, *good[3:]]
    body = json.dumps(spoil_words)
    spoil(door, "status", method="PUT", times=1, status=400, body=body, headers=JSON)
    session = door.session()
    outcomes = door.adapter.create_invoices(session, wanted)
    assert all(isinstance(one, LedgerInvoice) for one in outcomes)
    assert session.calls_made == 3
    spoil(door, "status", method="PUT", status=400, body=body, headers=JSON)
    (came,) = door.adapter.create_invoices(door.session(), [example.invoice(door, "X-ALONE")])
    assert isinstance(came, InvoiceRefused)
    assert "Error converting value 123" in came.vendor_text


def test_what_came_of_one_half_is_kept_when_the_other_meets_trouble(door: Door, example: Example) -> None:
    wanted = [example.invoice(door, f"X-{n}") for n in range(4)]
    spoil(door, "status", method="PUT", nth=1, status=400, body="{}", headers=JSON)
    spoil(door, "accept_then_drop", method="PUT", nth=2)  # of those the first rule let pass
    outcomes = door.adapter.create_invoices(door.session(), wanted)
    assert [type(one) for one in outcomes] == [LedgerInvoice, LedgerInvoice, Unknown, Unknown]
    assert [example.count_there(one.number) for one in wanted] == [1, 1, 1, 1]
