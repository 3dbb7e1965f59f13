"""Xero keeps the contract of a ledger, and what is special about its invoices and payments."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from portal.adapters.base import NeedsReconnect, RateLimited, Unavailable, UnexpectedReply, Unknown
from portal.adapters.ledger import InvoiceRefused
from portal.adapters.xero import Xero
from portal.adapters.xero.invoices import LEDGER
from portal.domain.records import Cause, InvoiceOut, InvoiceState, LedgerInvoice, LedgerPayment, Quarantined, TaxMode
from tests.adapters.conftest import Door
from tests.wire.ledger_contract import LedgerContract, only
from tests.wire.test_xero import JSON, made

KEY = "sandbox-webhook-key-0001"
INTENT = b'{"events":[],"firstEventSequence": 0,"lastEventSequence": 0, "entropy": "SANDBOXENTROPYABCDEF"}'
SIGNED = "rks0X1KLFhqTa2akx/+kyeTpykcLWJFOSdGqBRLypCc="


def there(door: Door, method: str, path: str = "", values: dict[str, Any] | None = None) -> Any:
    return door.sandbox.control.ask(method, f"xero/{path}", values)


class TestXeroLedger(LedgerContract):
    WEBHOOK: ClassVar[Any] = ({"X-Xero-Signature": SIGNED}, INTENT, KEY)

    @pytest.fixture
    def door(self, make_door: Callable[..., Door]) -> Door:
        self.made = make_door(Xero)
        return self.made

    def someone(self, door: Door) -> tuple[str, str]:
        return made(door, "Somebody Special Ltd"), ""

    def count_there(self, number: str) -> int:
        return int(there(self.made, "GET", "invoices/counts")["by_number"].get(number, 0))

    def pay_there(self, remote_id: str, amount: Decimal) -> None:
        there(self.made, "POST", f"invoices/{remote_id}/pay", {"amount": str(amount)})

    def void_there(self, remote_id: str) -> None:
        there(self.made, "POST", f"invoices/{remote_id}/void", {})

    def spoil(self, kind: str, **values: Any) -> None:
        self.made.sandbox.control.fault(kind, vendor="xero", path="Invoices", method="PUT", **values)


class Example(TestXeroLedger):
    """Invoices of the contract, for the tests below."""

    __test__ = False


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(Xero)


@pytest.fixture
def example(door: Door) -> Example:
    found = Example()
    found.made = door
    return found


def spoil(door: Door, kind: str, path: str = "Invoices", **values: Any) -> None:
    door.sandbox.control.fault(kind, vendor="xero", path=path, **values)


def refused(door: Door, wanted: InvoiceOut) -> InvoiceRefused:
    (came,) = door.adapter.create_invoices(door.session(), [wanted])
    assert isinstance(came, InvoiceRefused), came
    assert came.message.endswith(".")
    return came


def with_line(wanted: InvoiceOut, **changes: Any) -> InvoiceOut:
    return replace(wanted, lines=(replace(wanted.lines[0], **changes), *wanted.lines[1:]))


def test_a_tax_rate_that_does_not_go_with_the_account_is_said(door: Door, example: Example) -> None:
    came = refused(door, with_line(example.invoice(door, "X-1"), tax_id="INPUT2"))
    assert came.cause == Cause.TAX_NOT_ALLOWED
    assert "cannot be used with account code '200'" in came.vendor_text


def test_an_account_that_was_archived_or_is_for_costs_is_said(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1")
    assert refused(door, with_line(wanted, account_id="400")).cause == Cause.ACCOUNT_NOT_VALID
    assert refused(door, with_line(wanted, account_id="090")).cause == Cause.ACCOUNT_NOT_VALID
    there(door, "PATCH", "accounts/200", {"Status": "ARCHIVED"})
    came = refused(door, wanted)
    assert came.cause == Cause.ACCOUNT_NOT_VALID
    assert "is not a valid code for this document" in came.vendor_text
    archived = [one for one in door.adapter.fetch_lists(door.session()).entries if one.remote_id == "200"]
    assert [one.is_active for one in archived] == [False]


def test_a_tax_rate_that_was_deleted_is_said(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1")
    there(door, "PATCH", "tax-rates/OUTPUT2", {"Status": "DELETED"})
    assert refused(door, wanted).cause == Cause.TAX_MISSING


def test_a_line_without_a_tax_rate_is_not_sent_because_xero_would_take_one_of_its_own(
    door: Door, example: Example
) -> None:
    wanted, session = with_line(example.invoice(door, "X-1"), tax_id=""), door.session()
    (came,) = door.adapter.create_invoices(session, [wanted])
    assert (came.cause, session.calls_made) == (Cause.TAX_MISSING, 0)


def test_a_contact_that_was_archived_or_is_gone_is_said(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1")
    assert refused(door, replace(wanted, customer_id=LedgerContract.MISSING)).cause == Cause.CUSTOMER_GONE
    there(door, "POST", f"contacts/{wanted.customer_id}/archive", {})
    came = refused(door, wanted)
    assert came.cause == Cause.CUSTOMER_GONE
    assert "archived" in came.vendor_text


def test_closed_books_are_said(door: Door, example: Example) -> None:
    there(door, "POST", "lock", {"until": "2026-11-20"})
    assert refused(door, example.invoice(door, "X-1")).cause == Cause.PERIOD_LOCKED
    assert door.adapter.fetch_lists(door.session()).locked_until == date(2026, 11, 20)
    late = example.invoice(door, "X-1", issued_on=date(2026, 11, 21))
    assert example.create(door, late).number == "X-1"


def test_a_currency_the_organisation_does_not_use_is_said_and_another_one_is_kept(door: Door, example: Example) -> None:
    """Fault row 86."""
    assert refused(door, example.invoice(door, "X-1", currency="EUR")).cause == Cause.CURRENCY
    assert example.create(door, example.invoice(door, "X-2", currency="AUD")).currency == "AUD"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"price": Decimal("0.00001")}, "four decimals"),
        ({"quantity": Decimal("1.23456")}, "four decimals"),
        ({"price": Decimal("9999999999.99"), "quantity": Decimal(2)}, "9,999,999,999.99"),
    ],
)
def test_amounts_xero_would_round_or_refuse_are_not_sent(
    door: Door, example: Example, changes: dict[str, Any], words: str
) -> None:
    """Fault row 85."""
    session = door.session()
    (came,) = door.adapter.create_invoices(session, [with_line(example.invoice(door, "X-1"), **changes)])
    assert (came.cause, session.calls_made) == (Cause.AMOUNT_NOT_ALLOWED, 0)
    assert words in came.message


def test_an_invoice_of_less_than_nothing_is_refused(door: Door, example: Example) -> None:
    """Fault row 85."""
    wanted = example.invoice(door, "X-1")
    line = replace(wanted.lines[0], price=Decimal("-500"))
    assert refused(door, replace(wanted, lines=(line,))).cause == Cause.AMOUNT_NOT_ALLOWED


@pytest.mark.parametrize(
    ("quantity", "price", "discount", "net", "tax"),
    [
        ("3", "33.3333", "0", "100.00", "15.00"),
        ("0.3333", "100", "0", "33.33", "5.00"),
        ("1", "0.01", "0", "0.01", "0.00"),
        ("1", "0.10", "0", "0.10", "0.02"),  # 0.015 goes up
        ("7", "14.29", "0.03", "100.00", "15.00"),
        ("-2", "50", "0", "-100.00", "-15.00"),  # a quantity below zero becomes a price below zero
        ("1", "9999999999.99", "0", "9999999999.99", "1500000000.00"),
        ("1", "0", "0", "0.00", "0.00"),
    ],
)
def test_amounts_arrive_as_they_were_meant_to_the_cent(
    door: Door, example: Example, quantity: str, price: str, discount: str, net: str, tax: str
) -> None:
    """Fault row 85."""
    wanted = example.invoice(door, "X-1")
    odd = replace(
        wanted.lines[0], quantity=Decimal(quantity), price=Decimal(price), discount=Decimal(discount), net=Decimal(net),
        tax=Decimal(tax),
    )  # fmt: skip
    ballast = replace(odd, quantity=Decimal(1), price=Decimal(200), discount=Decimal(0))
    made = example.create(door, replace(wanted, lines=(odd, ballast)))
    assert (made.net, made.tax) == (Decimal(net) + 200, Decimal(tax) + 30)
    assert made.lines is not None
    assert (made.lines[0].amount, made.lines[0].tax) == (Decimal(net), Decimal(tax))
    again = door.adapter.fetch_invoice(door.session(), made.remote_id)
    assert again.lines is not None
    assert abs(again.lines[0].price) == abs(Decimal(price))


def test_an_invoice_without_tax_bears_none(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1", mode=TaxMode.NONE)
    bare = replace(wanted, lines=tuple(replace(one, tax_id="", tax=Decimal(0)) for one in wanted.lines))
    made = example.create(door, bare)
    assert (made.tax, made.total) == (0, sum(one.net for one in wanted.lines))


def test_everything_there_is_to_say_of_an_invoice_arrives(door: Door, example: Example) -> None:
    lists = door.adapter.fetch_lists(door.session()).entries
    theme = next(one.remote_id for one in lists if one.kind == "branding" and one.name == "Advisory")
    (category, *_rest) = door.adapter.fetch_reference(door.session()).choices
    wanted = example.invoice(door, "X-1", branding_id=theme, reference="PO 77", sent=True)
    wanted = with_line(wanted, tracking={category.remote_id: category.options[1].remote_id})
    made = example.create(door, wanted)
    held = there(door, "GET", f"invoices/{made.remote_id}")["fields"]
    assert (held["BrandingThemeID"], held["Reference"], held["SentToContact"]) == (theme, "PO 77", True)
    assert held["Lines"][0]["Tracking"] == [
        {"TrackingCategoryID": category.remote_id, "TrackingOptionID": category.options[1].remote_id}
    ]
    assert held["Url"] == "https://portal.example.co.nz/invoices/X-1#counterpart-mark-X-1"


def test_the_link_with_our_sign_can_be_left_out(make_door: Callable[..., Door], example: Example) -> None:
    door = make_door(Xero, XERO_INVOICE_LINKS="off")
    made = example.create(door, example.invoice(door, "X-1"))
    assert made.mark == ""
    assert "Url" not in there(door, "GET", f"invoices/{made.remote_id}")["fields"]


def test_the_contact_is_named_by_its_identifier_only_so_that_nothing_of_it_changes(
    door: Door, example: Example
) -> None:
    wanted = example.invoice(door, "X-1", customer_name="Renamed Here Ltd", email="new@example.com")
    before = there(door, "GET", f"contacts/{wanted.customer_id}")
    made = example.create(door, wanted)
    after = there(door, "GET", f"contacts/{wanted.customer_id}")
    assert made.customer_name == "Somebody Special Ltd"
    assert (after["name"], after["email"]) == (before["name"], before["email"])


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
    assert (found.remote_id, found.mark) == (came.holder_id, wanted.mark)
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
    assert (came.cause, came.holder_id) == (Cause.NUMBER_USED, "")  # Xero itself knows at once
    assert LEDGER.look_ups_settle_after > timedelta(seconds=60)
    door.sandbox.control.clock(advance_seconds=LEDGER.look_ups_settle_after.total_seconds())
    (found,) = door.adapter.find_invoices(door.session(), ["X-1"], [wanted.mark])
    assert found.mark == wanted.mark
    assert example.count_there("X-1") == 1


def test_somebody_elses_invoice_of_our_number_is_left_alone_and_named(door: Door, example: Example) -> None:
    """Fault row 94."""
    theirs = there(door, "POST", "invoices", {"number": "X-1", "total": "77.00"})
    came = refused(door, example.invoice(door, "X-1"))
    assert (came.cause, came.holder_id) == (Cause.NUMBER_USED, theirs["uuid"])
    assert "X-1" in came.message
    (found,) = door.adapter.find_invoices(door.session(), ["X-1"], [])
    assert (found.total, found.mark) == (Decimal("77.00"), "")


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


def test_who_may_not_write_invoices_needs_to_connect_again(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1")
    scopes = [one for one in door.adapter.info.scopes if one != "accounting.invoices"]
    given = door.sandbox.control.tokens(scopes=scopes, tenants=[door.account["id"]])
    assert door.tokens is not None
    door.tokens.held = [given["access_token"]]
    with pytest.raises(NeedsReconnect):
        door.adapter.create_invoices(door.session(), [wanted])


@pytest.mark.parametrize(("fault", "error"), [("status", Unavailable), ("rate_limited", RateLimited)])
def test_reading_invoices_meets_the_troubles_of_any_reading(door: Door, fault: str, error: type[Exception]) -> None:
    spoil(door, fault, retry_after="9999")
    with pytest.raises(error):
        list(door.adapter.fetch_invoices(door.session(), None))


def test_invoices_that_change_while_the_pages_are_turned_come_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 26."""
    monkeypatch.setattr("portal.adapters.xero.paging.LARGEST_PAGE", 3)
    numbers = {f"X-{n}" for n in range(10)}
    for number in sorted(numbers):
        there(door, "POST", "invoices", {"number": number, "total": "10.00"})
    pages = door.adapter.fetch_invoices(door.session(), None)
    first = next(pages)
    there(door, "PATCH", f"invoices/{first.remote_id}", {"reference": "changed"})
    there(door, "POST", "invoices", {"number": "X-NEW", "total": "10.00"})
    found = [first.number, *(one.number for one in pages)]
    assert len(found) == len(set(found))
    assert numbers <= set(found)


def test_what_is_open_is_listed_without_what_is_paid_drafted_or_ended(door: Door) -> None:
    for number in ("OPEN", "PAID", "VOID"):
        there(door, "POST", "invoices", {"number": number, "total": "10.00"})
    there(door, "POST", "invoices", {"number": "DRAFT", "total": "10.00", "status": "DRAFT"})
    there(door, "POST", "invoices/PAID/pay", {})
    there(door, "POST", "invoices/VOID/void", {})
    assert [one.number for one in door.adapter.fetch_invoices(door.session(), None)] == ["OPEN"]
    since = datetime.now(UTC) - timedelta(minutes=5)
    states = {one.number: one.state for one in door.adapter.fetch_invoices(door.session(), since)}
    assert states == {
        "OPEN": InvoiceState.OPEN, "PAID": InvoiceState.PAID, "VOID": InvoiceState.VOIDED, "DRAFT": InvoiceState.DRAFT,
    }  # fmt: skip


def test_nothing_changed_since_is_an_empty_list_in_both_ways_to_say_so(door: Door) -> None:
    there(door, "POST", "invoices", {"number": "X-1", "total": "10.00"})
    later = datetime.now(UTC) + timedelta(hours=1)
    for says_304 in (False, True):
        door.sandbox.control.state(xero_unchanged_answers_304=says_304)
        assert list(door.adapter.fetch_invoices(door.session(), later)) == []


def test_an_invoice_that_cannot_be_understood_is_put_aside_and_the_others_come(door: Door) -> None:
    """Fault row 24."""
    there(door, "POST", "invoices", {"number": "ODD", "total": "10.00"})
    there(door, "POST", "invoices", {"number": "FINE", "total": "11.00"})
    spoil(door, "rewrite", replace=[['"Total":10.00', '"Total":"ten"']])
    found = list(door.adapter.fetch_invoices(door.session(), None))
    assert {type(one) for one in found} == {LedgerInvoice, Quarantined}
    with pytest.raises(UnexpectedReply):
        door.adapter.find_invoices(door.session(), ["ODD"], [])  # it may be the very one


def test_a_credit_note_takes_off_what_is_due(door: Door) -> None:
    made = there(door, "POST", "invoices", {"number": "X-1", "total": "100.00"})
    there(door, "POST", "invoices/X-1/credit", {"amount": "30.00"})
    there(door, "POST", "invoices/X-1/pay", {"amount": "20.00"})
    found = door.adapter.fetch_invoice(door.session(), made["uuid"])
    assert (found.total, found.paid, found.credited, found.due) == (100, 20, 30, 50)
    there(door, "POST", "invoices/X-1/pay", {})
    assert door.adapter.fetch_invoice(door.session(), made["uuid"]).state == InvoiceState.PAID
    there(door, "POST", "invoices/X-1/unpay", {})
    assert door.adapter.fetch_invoice(door.session(), made["uuid"]).state == InvoiceState.OPEN


def test_many_payments_go_out_in_one_call_each_with_its_own_outcome(door: Door, example: Example) -> None:
    first, second = (example.create(door, example.invoice(door, number)) for number in ("X-1", "X-2"))
    wanted = [
        example.payment(door, first, Decimal("10.00"), "p1"),
        example.payment(door, second, second.total + 1, "p2"),
        replace(example.payment(door, first, Decimal("5.00"), "p3"), into_id=""),
        example.payment(door, second, second.total, "p4"),
    ]
    session = door.session()
    one, much, nowhere, whole = door.adapter.create_payments(session, wanted)
    assert session.calls_made == 1
    assert isinstance(one, LedgerPayment)
    assert (one.reference, one.mark) == ("Card Visa 4242", "mark-p1")
    assert much.cause == Cause.AMOUNT_NOT_ALLOWED
    assert nowhere.cause == Cause.ACCOUNT_NOT_VALID
    assert isinstance(whole, LedgerPayment)
    assert door.adapter.fetch_invoice(door.session(), second.remote_id).state == InvoiceState.PAID


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status"])
def test_a_payment_whose_answer_was_lost_is_found_by_its_mark_beside_others(
    door: Door, example: Example, kind: str
) -> None:
    """Fault row 61."""
    made = example.create(door, example.invoice(door, "X-1"))
    there(door, "POST", f"invoices/{made.remote_id}/pay", {"amount": "10.00", "reference": "by cheque"})
    wanted = example.payment(door, made, Decimal("10.00"))
    spoil(door, kind, "Payments", method="PUT", times=1)
    with pytest.raises(Unknown):
        only(door.adapter.create_payments(door.session(), [wanted]))
    found = door.adapter.find_payments(door.session(), wanted)
    assert sorted(one.mark for one in found) == ["", wanted.mark]
    again = only(door.adapter.create_payments(door.session(), [wanted]))  # under the same key
    assert again.mark == wanted.mark
    assert there(door, "GET", "invoices/counts")["payments"] == 2


def test_a_payment_that_was_taken_back_there_says_so(door: Door, example: Example) -> None:
    made = example.create(door, example.invoice(door, "X-1"))
    wanted = example.payment(door, made, Decimal("10.00"))
    only(door.adapter.create_payments(door.session(), [wanted]))
    there(door, "POST", f"invoices/{made.remote_id}/unpay", {})
    (found,) = door.adapter.find_payments(door.session(), wanted)
    assert found.is_void
    assert door.adapter.fetch_invoice(door.session(), made.remote_id).payments == ()


def test_payments_refused_as_a_whole_are_unknown_since_nothing_keeps_a_second_one_away(
    door: Door, example: Example
) -> None:
    made = example.create(door, example.invoice(door, "X-1"))
    wanted = [example.payment(door, made, Decimal("1.00"), key) for key in ("p1", "p2")]
    spoil(door, "status", "Payments", method="PUT", times=1, status=400, body="{}", headers=JSON)
    outcomes = door.adapter.create_payments(door.session(), wanted)
    assert [type(one) for one in outcomes] == [Unknown, Unknown]
    assert len([one for one in door.calls("Payments") if one["method"] == "PUT"]) == 1
