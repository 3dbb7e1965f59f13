"""Invoices and payments in the Digits stand-in: what apps write, what people do, what entries show, what is told."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests

from tests.sandbox.ledger_app import LedgerApp, ext

CLIENT = {"externalId": ext("cust-77"), "name": "Northwind Dental"}
LABELS = [
    {"label": "fees", "name": "Fees", "constraint": ["Income"], "search": {"names": ["Bookkeeping"], "type": "Income"}},
    {"label": "owed", "search": {"names": ["?"], "type": "Assets", "subtype": "AccountsReceivable"}},
    {"label": "bank", "search": {"names": ["Operating Account"], "type": "Assets"}},
    {"label": "rent", "search": {"names": ["Rent"], "type": "Income"}},
]
SOURCE = {"externalId": ext("invoices"), "name": "Portal invoices", "labels": LABELS}


@pytest.fixture
def app(ledger_app: LedgerApp) -> LedgerApp:
    ledger_app.declare(SOURCE)
    ledger_app.write(CLIENT)
    return ledger_app


def deal(mark: str, minor: int = 50000, sides: str = "fees owed", **more: Any) -> dict[str, Any]:
    credit, debit = sides.split()
    who = {"externalId": ext("cust-77")}
    entries = [
        {"amount": {"amount": minor, "code": "USD"}, "type": kind, "category": {"label": label}, "counterparty": who,
         "description": f"{mark} {label}"}
        for kind, label in (("Credit", credit), ("Debit", debit))
    ]  # fmt: skip
    return {
        "externalId": ext(mark),
        "sourceId": ext("invoices"),
        "date": "2026-06-01T12:00:00Z",
        "entries": entries,
        **more,
    }


def bill(app: LedgerApp, mark: str = "inv-1", minor: int = 50000, **said: Any) -> None:
    invoice = {"number": mark.upper(), "dueDate": "2026-06-20", **said}
    app.post("source/transactions", "transactions", deal(mark, minor, invoice=invoice))


def pay(app: LedgerApp, mark: str, of: str, minor: int) -> requests.Response:
    sent = deal(mark, minor, "owed bank", invoiceRef={"externalId": ext(of)})
    return app.ask("POST", "source/transactions", json={"transactions": [sent]})


def there(app: LedgerApp, mark: str = "inv-1") -> dict[str, Any]:
    return dict(app.sandbox.control.ask("GET", f"digits/invoices/{mark}"))


def entries(app: LedgerApp, **filters: Any) -> list[dict[str, Any]]:
    answer = app.ask("POST", "ledger/entries/query", json={"filters": filters})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["entryDetails"])


def refusal(answer: requests.Response) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"]["message"])


def test_an_annotated_transaction_is_an_invoice_whose_total_is_what_is_owed(app: LedgerApp) -> None:
    bill(app)
    found = there(app)
    assert (found["number"], found["issued"], found["due"], found["total"], found["paid"], found["state"]) == (
        "INV-1", "2026-06-01", "2026-06-20", "500.00", "0.00", "open",
    )  # fmt: skip
    assert found["customer"]["name"] == "Northwind Dental"
    assert [one["category"] for one in found["entries"]] == ["Bookkeeping", "Accounts Receivable"]


def test_a_label_leads_where_its_search_does_and_else_nowhere(app: LedgerApp) -> None:
    app.post("source/transactions", "transactions", deal("t-1", sides="rent owed"))
    (credit, debit) = entries(app)
    assert credit["entry"]["category"] == {"name": "Uncategorized", "type": "Expenses"}
    assert debit["entry"]["category"] == {"name": "Accounts Receivable", "type": "Assets"}


@pytest.mark.parametrize(("form", "key", "number"), [("camel", "Invoice", "Number"), ("pascal", "invoice", "number")])
def test_an_annotation_in_another_form_means_nothing(app: LedgerApp, form: str, key: str, number: str) -> None:
    app.sandbox.control.state(digits_invoice_form=form)
    app.post("source/transactions", "transactions", deal("inv-1", **{key: {number: "1"}}))
    assert app.sandbox.control.ask("GET", "digits/invoices/counts")["invoices"] == 0


def test_payments_of_apps_and_people_add_up_on_the_invoice(app: LedgerApp) -> None:
    bill(app)
    assert pay(app, "pay-1", "inv-1", 20000).status_code == 200
    assert (there(app)["paid"], there(app)["state"]) == ("200.00", "part paid")
    pay(app, "pay-1", "inv-1", 20000)
    app.sandbox.control.ask("POST", "digits/invoices/INV-1/pay", {"amount": "100.00"})
    assert there(app)["paid"] == "300.00"
    app.sandbox.control.ask("POST", "digits/invoices/inv-1/pay", {})
    assert there(app)["state"] == "paid"
    assert [(one["client_id"] != "", one["amount"]) for one in there(app)["payments"]] == [
        (True, "200.00"), (False, "100.00"), (False, "200.00"),
    ]  # fmt: skip
    assert app.sandbox.control.ask("GET", "digits/invoices/counts")["payments_by_apps"] == 1


def test_a_payment_needs_an_invoice_that_is_there_and_not_void(app: LedgerApp) -> None:
    assert "There is no invoice inv-1" in refusal(pay(app, "pay-1", "inv-1", 1))
    bill(app)
    app.sandbox.control.ask("POST", "digits/invoices/inv-1/void")
    assert "is void" in refusal(pay(app, "pay-1", "inv-1", 1))
    assert there(app)["state"] == "void"
    assert entries(app, linkedObjectType="Invoice") == []


def test_the_same_invoice_again_is_the_same_and_another_content_changes_it(app: LedgerApp) -> None:
    bill(app)
    bill(app)
    assert there(app)["versions"] == 1
    bill(app, minor=60000)
    assert (there(app)["versions"], there(app)["total"]) == (2, "600.00")
    assert app.sandbox.control.ask("GET", "digits/invoices/counts")["changed_by_apps"] == {"inv-1": 2}
    assert len(entries(app)) == 2


def test_a_deleted_invoice_is_gone_until_it_is_written_again(app: LedgerApp) -> None:
    bill(app)
    app.sandbox.control.ask("POST", "digits/invoices/inv-1/delete")
    assert entries(app) == []
    bill(app)
    assert there(app)["versions"] == 1


def test_people_change_what_is_owed_and_the_books_still_balance(app: LedgerApp) -> None:
    bill(app)
    app.sandbox.control.ask("PATCH", "digits/invoices/inv-1", {"total": "512.34", "number": "77"})
    assert (there(app)["total"], there(app)["number"]) == ("512.34", "77")
    assert [one["entry"]["amount"]["amount"] for one in entries(app)] == [51234, 51234]


def test_closed_books_closed_categories_and_foreign_money_are_refused(app: LedgerApp) -> None:
    control = app.sandbox.control
    control.ask("POST", "digits/lock", {"until": "2026-06-01"})
    assert "closed through 2026-06-01" in refusal(
        app.ask("POST", "source/transactions", json={"transactions": [deal("a")]})
    )
    control.ask("POST", "digits/lock", {"until": ""})
    control.ask("POST", "digits/categories/4010/close")
    assert [one["active"] for one in app.get("ledger/categories")["categories"] if one["name"] == "Bookkeeping"] == [
        False
    ]
    assert "Bookkeeping is not active" in refusal(
        app.ask("POST", "source/transactions", json={"transactions": [deal("a")]})
    )
    control.ask("POST", "digits/categories/4010/open")
    control.state(digits_currency="NZD")
    assert "NZD, not USD" in refusal(app.ask("POST", "source/transactions", json={"transactions": [deal("a")]}))


def test_entries_are_found_by_day_and_the_first_bound_is_exclusive(app: LedgerApp) -> None:
    for day in (1, 2, 3):
        app.post("source/transactions", "transactions", deal(f"t-{day}", date=f"2026-06-0{day}T12:00:00Z"))
    query = "ledger/entries?occurredAfter=2026-06-01T00:00:00Z&occurredBefore=2026-06-03T00:00:00Z"
    days = [one["date"] for one in app.get(query)["entryDetails"]]
    assert sorted(set(days)) == ["2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z"]
    half_open = {"occurredAfter": "2026-05-31T23:59:59Z", "occurredBefore": "2026-06-02T23:59:59Z"}
    assert {one["date"][:10] for one in entries(app, **half_open)} == {"2026-06-01", "2026-06-02"}


def test_a_query_understands_filters_and_pages(app: LedgerApp) -> None:
    bill(app)
    app.post("source/transactions", "transactions", deal("t-2", 700))
    assert len(entries(app, linkedObjectType="Invoice")) == 2
    assert len(entries(app, categoryTypes=["Assets"])) == 2
    assert len(entries(app, fieldSearchTerm={"field": "Description", "term": "INV-1"})) == 2
    assert len(entries(app, filterTerm="northwind")) == 4
    assert [one["entry"]["type"] for one in entries(app, type="Debit", maximumAmount=700)] == ["Debit"]
    first = app.ask("POST", "ledger/entries/query", json={"limit": 3}).json()
    rest = app.ask("POST", "ledger/entries/query", json={"limit": 3, "cursor": first["next"]["cursor"]}).json()
    assert (len(first["entryDetails"]), len(rest["entryDetails"]), rest["next"]["more"]) == (3, 1, False)
    assert first["entryDetails"][0]["transactionId"] != there(app)["mark"]


def test_filters_that_are_not_proven_can_be_passed_over_or_refused(app: LedgerApp) -> None:
    bill(app)
    app.sandbox.control.state(digits_entry_filters="proven")
    assert len(entries(app, linkedObjectType="Bill")) == 2
    app.sandbox.control.state(digits_entry_filters="strict")
    answer = app.ask("POST", "ledger/entries/query", json={"filters": {"linkedObjectType": "Bill"}})
    assert refusal(answer) == "Unknown filter linkedObjectType."


def test_rows_come_in_every_form_that_was_seen(app: LedgerApp) -> None:
    bill(app)
    app.sandbox.control.state(digits_row_amounts="signed", digits_row_invoice="number")
    (credit, debit) = entries(app)
    assert (credit["entry"]["amount"]["amount"], debit["entry"]["amount"]["amount"]) == (-50000, 50000)
    assert debit["invoice"] == {"number": "INV-1", "dueDate": "2026-06-20"}
    app.sandbox.control.state(digits_row_amounts="text")
    assert entries(app)[0]["entry"]["amount"]["amount"] == "50000"


def test_the_ledger_can_be_behind_what_was_written(app: LedgerApp) -> None:
    app.sandbox.control.state(digits_ledger_lag_seconds=90)
    bill(app)
    assert entries(app) == []
    app.sandbox.control.clock(advance_seconds=91)
    assert len(entries(app)) == 2
    app.sandbox.control.state(digits_ledger_lag_seconds=0)
    app.sandbox.control.fault("stale", vendor="digits", path="entries", seconds=3600)
    assert entries(app) == []


@pytest.mark.parametrize("how", ["taken", "ignored", "refused"])
def test_a_counterparty_by_the_ledgers_identifier_is_a_switch(app: LedgerApp, how: str) -> None:
    name, held = next(iter(app.parties().items()))
    app.sandbox.control.state(digits_counterparty_ids=how)
    sent = deal("inv-1", invoice={"number": "1"})
    for entry in sent["entries"]:
        entry["counterparty"] = {"digitsId": held["id"]}
    answer = app.ask("POST", "source/transactions", json={"transactions": [sent]})
    if how == "refused":
        assert "A counterparty is an object" in refusal(answer)
    else:
        assert (there(app)["customer"] or {}).get("name") == (name if how == "taken" else None)


def test_somebody_elses_invoices_are_made_one_by_one_or_by_the_thousand(app: LedgerApp) -> None:
    control = app.sandbox.control
    made = control.ask("POST", "digits/invoices", {"customer": "Harbour Ltd", "total": "80", "number": "7"})
    assert (made["total"], made["client_id"], made["customer"]["name"]) == ("80.00", "", "Harbour Ltd")
    assert control.ask("GET", f"digits/invoices/{made['id']}") == made
    assert control.ask("GET", "digits/invoices?number=7") == [made]
    control.ask("POST", "digits/invoices", {"customer": "Harbour Ltd", "total": "80", "number": "7"})
    assert control.ask("GET", "digits/invoices/counts")["numbers_twice"] == {"7": 2}
    filled = control.ask("POST", "digits/invoices/fill", {"count": 20_000, "seed": 3})
    assert filled["seconds"] < 10
    began = time.perf_counter()
    app.ask("POST", "ledger/entries/query", json={"filters": {"linkedObjectType": "Invoice"}})
    assert time.perf_counter() - began < 1


def test_a_person_pays_voids_and_deletes_on_the_page(app: LedgerApp) -> None:
    bill(app)
    bill(app, "inv-2")
    url = f"{app.sandbox.url}/digits-invoices"
    page = requests.get(url, timeout=20).text
    assert "INV-1" in page and "Northwind Dental" in page
    requests.post(f"{url}/{there(app)['id']}", data={"do": "pay", "amount": "1.50"}, timeout=20)
    requests.post(f"{url}/{there(app, 'inv-2')['id']}", data={"do": "void"}, timeout=20)
    assert (there(app)["paid"], there(app, "inv-2")["state"]) == ("1.50", "void")
    assert requests.post(f"{url}/inv-1", data={"do": "dance"}, timeout=20).status_code == 400


# Webhooks


class Listener(BaseHTTPRequestHandler):
    heard: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append((dict(self.headers), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def heard(app: LedgerApp) -> Iterator[list[tuple[dict[str, str], bytes]]]:
    found: list[tuple[dict[str, str], bytes]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Hears", (Listener,), {"heard": found}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    app.sandbox.control.ask(
        "POST", "digits/webhooks", {"url": f"http://127.0.0.1:{server.server_port}/", "secret": "s3cret"}
    )
    yield found
    app.sandbox.control.ask("POST", "digits/webhooks", {"url": ""})
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_each_change_is_told_in_a_call_of_its_own_with_a_signature(
    app: LedgerApp, heard: list[tuple[dict[str, str], bytes]]
) -> None:
    bill(app)
    pay(app, "pay-1", "inv-1", 100)
    app.post("source/transactions", "transactions", deal("t-3"))
    app.sandbox.control.ask("POST", "digits/invoices/inv-1/void")
    app.sandbox.control.ask("POST", "digits/webhooks/wait", {"seconds": 10})
    told = [json.loads(body) for _, body in heard]
    assert [(one["type"], one["data"]["externalId"]) for one in told] == [
        ("invoice.created", "inv-1"), ("payment.created", "pay-1"), ("invoice.voided", "inv-1"),
    ]  # fmt: skip
    assert len({one["id"] for one in told}) == 3
    for headers, body in heard:
        signed = hmac.new(b"s3cret", headers["Webhook-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
        assert headers["Webhook-Signature"] == f"v1={signed}"
        assert headers["User-Agent"] == "Digits-Webhooks/1.0"
