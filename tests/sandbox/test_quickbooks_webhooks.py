"""The QuickBooks stand-in tells of changes: signed, in either form, again and in another order when told to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from portal.adapters.quickbooks import events
from tests.sandbox.company_app import CompanyApp
from tests.sandbox.test_quickbooks_invoices import bill, body, control, customer, line, pay

__all__ = ["customer"]  # a fixture of this file
SECRET = "verifier-token"


class Listener:
    """Takes posts on a port of its own; `answers` are the statuses it gives, 200 when they run out."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.answers: list[int] = []
        listener = self

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                listener.posts.append((self.headers["intuit-signature"], data))
                self.send_response(listener.answers.pop(0) if listener.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = HTTPServer(("127.0.0.1", 0), Taking)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"

    @property
    def told(self) -> list[Any]:
        return [json.loads(data) for _, data in self.posts]


@pytest.fixture
def listener(company: CompanyApp) -> Iterator[Listener]:
    made = Listener()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    control(company, "POST", "webhooks", url=made.url, secret=SECRET, retry_after=[0.05, 0.05])
    yield made
    made.server.shutdown()
    made.server.server_close()


def said(company: CompanyApp, listener: Listener) -> list[Any]:
    assert control(company, "POST", "webhooks/wait", seconds=10)["said"]
    return listener.told


def test_nothing_is_told_while_nobody_listens(company: CompanyApp, customer: str) -> None:
    bill(company, customer)
    assert control(company, "GET", "webhooks")["deliveries"] == []


def test_each_change_is_an_event_signed_over_the_body(company: CompanyApp, customer: str, listener: Listener) -> None:
    made = bill(company, customer)
    (told,) = said(company, listener)
    assert [(one["type"], one["intuitentityid"], one["intuitaccountid"]) for one in told] == [
        ("qbo.invoice.created.v1", made["Id"], company.realm)
    ]
    signature, data = listener.posts[0]
    assert signature == base64.b64encode(hmac.new(SECRET.encode(), data, hashlib.sha256).digest()).decode()
    (event,) = events.read({"intuit-signature": signature}, data, SECRET)
    assert (event.kind, event.what, event.remote_id) == ("invoice", "created", made["Id"])


def test_a_payment_tells_of_the_invoice_as_well(company: CompanyApp, customer: str, listener: Listener) -> None:
    made = bill(company, customer)
    said(company, listener)
    pay(company, made, 15)
    types = [one["type"] for told in said(company, listener)[1:] for one in told]
    assert types == ["qbo.invoice.updated.v1", "qbo.payment.created.v1"]


def test_what_is_done_by_hand_is_told_too(company: CompanyApp, customer: str, listener: Listener) -> None:
    made = bill(company, customer)
    control(company, "POST", f"invoices/{made['Id']}/void")
    control(company, "POST", f"invoices/{made['Id']}/delete")
    company.control.at("quickbooks/customers").rename(customer, "Renamed Ltd")
    types = [one["type"] for told in said(company, listener) for one in told]
    assert [one.removeprefix("qbo.").removesuffix(".v1") for one in types] == [
        "invoice.created", "invoice.voided", "invoice.deleted", "customer.updated",
    ]  # fmt: skip


def test_a_merge_names_both(company: CompanyApp, customer: str, listener: Listener) -> None:
    other = company.made("Somebody Else Ltd")["Id"]
    company.control.at("quickbooks/customers").merge(other, customer)
    merged = [one for told in said(company, listener) for one in told if "merged" in one["type"]]
    assert [(one["intuitentityid"], one["data"]) for one in merged] == [(customer, {"deletedid": other})]


def test_the_older_form_is_an_object_with_companies(company: CompanyApp, customer: str, listener: Listener) -> None:
    company.control.state(quickbooks_webhook_format="legacy")
    other = CompanyApp(company.sandbox, company.control.tokens(vendor="quickbooks", tenants=["9341453189920417"]))
    control(company, "POST", "webhooks", hold=True)
    made = bill(company, customer)
    other.made("Pier Cafe Inc")
    assert control(company, "POST", "webhooks/release") == {"events": 2}
    (told,) = said(company, listener)
    here, there = told["eventNotifications"]
    assert (here["realmId"], there["realmId"]) == (company.realm, other.realm)
    (entity,) = here["dataChangeEvent"]["entities"]
    assert (entity["name"], entity["id"], entity["operation"]) == ("Invoice", made["Id"], "Create")
    signature, data = listener.posts[0]
    assert [one.account_id for one in events.read({"intuit-signature": signature}, data, SECRET)] == [
        company.realm, other.realm,
    ]  # fmt: skip


def test_what_was_refused_or_replayed_is_not_told(company: CompanyApp, customer: str, listener: Listener) -> None:
    company.send(body(customer, line(1, item="99")), "invoice")
    good = {"bId": "1", "operation": "create", "Invoice": body(customer)}
    bad = {"bId": "2", "operation": "create", "Invoice": body(customer, line(1, item="99"))}
    for _ in range(2):
        company.ask("POST", "batch", json={"BatchItemRequest": [bad, good]}, params={"requestid": "r1"})
    assert [one["type"] for told in said(company, listener) for one in told] == ["qbo.invoice.created.v1"]


def test_a_listener_that_fails_is_told_again(company: CompanyApp, customer: str, listener: Listener) -> None:
    listener.answers = [500, 503]
    bill(company, customer)
    first, second, third = said(company, listener)
    assert first == second == third
    assert [one["status"] for one in control(company, "GET", "webhooks")["deliveries"][0]["attempts"]] == [
        500,
        503,
        200,
    ]


def test_deliveries_come_twice_and_in_another_order_when_told_to(
    company: CompanyApp, customer: str, listener: Listener
) -> None:
    control(company, "POST", "webhooks", hold=True, one_by_one=True, copies=2)
    numbers = [bill(company, customer)["Id"] for _ in range(3)]
    control(company, "POST", "webhooks/release", order="reversed")
    told = [one["intuitentityid"] for post in said(company, listener) for one in post]
    assert sorted(told) == sorted(numbers * 2)
    assert told[0] == numbers[-1]
    assert len({post[0]["id"] for post in listener.told}) == 3


def test_an_answer_that_was_lost_still_tells(company: CompanyApp, customer: str, listener: Listener) -> None:
    company.control.fault("accept_then_status", vendor="quickbooks", path="/invoice$", times=1)
    company.send(body(customer), "invoice")
    assert len(said(company, listener)) == 1
