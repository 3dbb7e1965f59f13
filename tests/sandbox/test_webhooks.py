"""Whoever listens is told what changed, signed as the vendor signs; testers make it come late, twice, in disorder."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from portal.sandbox.client import ControlError
from tests.sandbox.books import Books
from tests.sandbox.listener import Listener, listening

KEY = "a signing key"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


def hooks(books: Books, path: str = "", **values: Any) -> Any:
    return books.other_side("POST", f"webhooks{path}", values)


def told(listener: Listener) -> list[dict[str, Any]]:
    """Every event that came, in order."""
    return [event for _headers, body in listener.heard for event in json.loads(body)["events"]]


def said(books: Books) -> None:
    assert hooks(books, "/wait", seconds=20)["said"]


def raise_invoice(books: Books, number: str) -> str:
    return str(books.other_side("POST", "invoices", {"number": number, "total": "10.00"})["uuid"])


def test_nobody_is_told_anything_while_no_address_is_set(books: Books) -> None:
    raise_invoice(books, "A-1")
    assert books.other_side("GET", "webhooks")["deliveries"] == []


def test_an_invoice_that_is_raised_paid_and_voided_is_told_with_a_good_signature(
    books: Books, listener: Listener
) -> None:
    hooks(books, url=listener.url, secret=KEY)
    invoice = raise_invoice(books, "A-1")
    said(books)
    books.other_side("POST", "invoices/A-1/pay", {})
    said(books)
    books.other_side("POST", "invoices/A-1/void", {})
    said(books)
    for headers, body in listener.heard:
        expected = base64.b64encode(hmac.new(KEY.encode(), body, hashlib.sha256).digest()).decode()
        assert headers["x-xero-signature"] == expected
    events = told(listener)
    assert [(one["eventType"], one["resourceId"]) for one in events] == [
        ("CREATE", invoice), ("UPDATE", invoice), ("UPDATE", invoice),
    ]  # fmt: skip
    assert {one["tenantId"] for one in events} == {books.tenant}
    assert {one["eventCategory"] for one in events} == {"INVOICE"}
    assert events[0]["resourceUrl"].endswith(f"/Invoices/{invoice}")
    sequences = [json.loads(body) for _headers, body in listener.heard]
    assert [one["firstEventSequence"] for one in sequences] == [1, 2, 3]


def test_what_an_app_writes_is_told_as_well(books: Books, listener: Listener) -> None:
    hooks(books, url=listener.url, secret=KEY)
    line = {"Description": "Work", "Quantity": 1, "UnitAmount": 100, "AccountCode": "200"}
    contact = {"ContactID": books.contacts("?page=1")[0]["ContactID"]}
    one = {"Type": "ACCREC", "Contact": contact, "LineItems": [line], "DueDate": "2026-12-20", "Status": "AUTHORISED"}
    (made,) = books.json("PUT", "Invoices?summarizeErrors=true", {"Invoices": [one]})["Invoices"]
    said(books)
    paid = {"Invoice": {"InvoiceID": made["InvoiceID"]}, "Account": {"Code": "090"}, "Amount": 10}
    books.json("PUT", "Payments", {"Payments": [paid]})
    said(books)
    assert [(event["eventType"], event["resourceId"]) for event in told(listener)] == [
        ("CREATE", made["InvoiceID"]), ("UPDATE", made["InvoiceID"]),
    ]  # fmt: skip
    books.sandbox.control.state(xero_payment_tells_invoice=False)
    books.json("PUT", "Payments", {"Payments": [paid]})
    said(books)
    assert len(told(listener)) == 2


def test_what_was_not_taken_comes_again_with_the_same_body(books: Books, listener: Listener) -> None:
    answers = iter([500, 401, 200])
    listener.answer = lambda headers, body: next(answers)
    hooks(books, url=listener.url, secret=KEY, retry_after=[0.05, 0.05])
    raise_invoice(books, "A-1")
    said(books)
    assert len(listener.heard) == 3
    assert len({body for _headers, body in listener.heard}) == 1
    (delivery,) = books.other_side("GET", "webhooks")["deliveries"]
    assert [one["status"] for one in delivery["attempts"]] == [500, 401, 200]


def test_a_listener_that_never_takes_it_is_given_up(books: Books, listener: Listener) -> None:
    listener.answer = lambda headers, body: 503
    hooks(books, url=listener.url, secret=KEY, retry_after=[0.02])
    raise_invoice(books, "A-1")
    said(books)
    (delivery,) = books.other_side("GET", "webhooks")["deliveries"]
    assert delivery["over"]
    assert len(listener.heard) == 2


def test_events_come_twice_alone_and_in_another_order_when_asked(books: Books, listener: Listener) -> None:
    hooks(books, url=listener.url, secret=KEY, hold=True, copies=2, one_by_one=True)
    invoices = [raise_invoice(books, f"A-{n}") for n in range(3)]
    assert listener.heard == []
    assert hooks(books, "/release", order="reversed") == {"events": 3}
    hooks(books, hold=False)
    said(books)
    assert [event["resourceId"] for event in told(listener)] == [one for one in reversed(invoices) for _twice in (1, 2)]
    assert hooks(books, "/again", count=1) == {"deliveries": 1}
    said(books)
    assert len(listener.heard) == 7


def test_xero_asks_whether_the_listener_means_it(books: Books, listener: Listener) -> None:
    hooks(books, url=listener.url, secret=KEY)
    assert hooks(books, "/intent") == {
        "passed": False, "answers": [{"well_signed": good, "status": 200} for good in (True, False, True, False)],
    }  # fmt: skip

    def careful(headers: dict[str, str], body: bytes) -> int:
        expected = base64.b64encode(hmac.new(KEY.encode(), body, hashlib.sha256).digest()).decode()
        return 200 if hmac.compare_digest(expected, headers["x-xero-signature"]) else 401

    listener.answer = careful
    assert hooks(books, "/intent")["passed"] is True
    assert b'"firstEventSequence": 0,"lastEventSequence": 0, "entropy"' in listener.heard[-1][1]


def test_any_body_can_be_posted_at_once_to_see_what_is_answered(books: Books, listener: Listener) -> None:
    listener.answer = lambda headers, body: 418
    hooks(books, url=listener.url, secret=KEY)
    assert hooks(books, "/post", body="{}", secret="another") == {"status": 418}
    hooks(books, url="http://127.0.0.1:9/")
    assert hooks(books, "/post", body="{}") == {"status": 0}


@pytest.mark.parametrize(
    "values",
    [{"url": "http://portal.example.com/"}, {"order": "random"}, {"colour": "red"}, {"url": "http://10.0.0.1/"}],
)
def test_listeners_elsewhere_and_settings_there_are_not_are_refused(books: Books, values: dict[str, str]) -> None:
    with pytest.raises(ControlError):
        hooks(books, **values)


def test_a_vendor_without_webhooks_says_so_and_a_reset_forgets_the_address(books: Books, listener: Listener) -> None:
    with pytest.raises(ControlError, match="no webhooks"):
        books.sandbox.control.ask("GET", "xpm/webhooks")
    hooks(books, url=listener.url, secret=KEY)
    books.sandbox.control.reset()
    assert books.other_side("GET", "webhooks")["url"] == ""
