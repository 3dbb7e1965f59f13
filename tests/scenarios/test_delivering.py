"""Invoices go to the ledger once, whatever their number, their customer and the ledger's manners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal import deliveries as shell
from portal.adapters.base import NeedsReconnect, RateLimited, Rejected, Unavailable
from portal.adapters.ledger import InvoiceRefused
from portal.db import db
from portal.domain import activity, deliveries, links, outgoing
from portal.domain.activity import Actor, Origin
from portal.domain.apps import Connection, ConnectionState, OutgoingClient
from portal.domain.clients import Client
from portal.domain.deliveries import Delivery, DeliveryState, Standing
from portal.domain.invoices import Invoice
from portal.domain.ledgers import TaxMapping
from portal.domain.records import Cause
from tests.cast import make_client, make_link, person
from tests.cast_deliveries import bill, make_issued, told_of
from tests.pretend_app import PRIYA, record
from tests.pretend_ledger import LedgerAccount, pretend_ledger

MANNERS = [
    pytest.param({"refuses_used_numbers": True}, id="refuses used numbers"),
    pytest.param({"writes_by_mark": True}, id="writes by mark"),
    pytest.param({}, id="neither"),
]


@pytest.fixture(params=MANNERS)
def books(database: Any, clock: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    return pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], **request.param)


@pytest.fixture
def plain(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    return pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], refuses_used_numbers=True)


def acme(books: LedgerAccount, remote_id: str = "r-1") -> Any:
    client = make_client("Acme Corp")
    make_link(client, books.connection, remote_id)
    return client


def row(delivery_id: int) -> Delivery:
    db.session.expire_all()
    return db.session.get_one(Delivery, delivery_id)


def now() -> datetime:
    return datetime.now(UTC)


def invoice_of(delivery: Delivery) -> Invoice:
    return db.session.get_one(Invoice, delivery.invoice_id)


def test_an_invoice_is_created_there_and_says_so(books: LedgerAccount) -> None:
    asked = bill(acme(books), books.connection)
    db.session.commit()
    assert shell.deliver_due(now()) == 1
    done = row(asked.id)
    assert (done.state, done.remote_id, done.adopted) == (DeliveryState.DELIVERED, "invoice-1", False)
    assert books.app.numbers() == ["INV-0001"]
    assert books.app.calls.count("invoices") == 1
    invoice = invoice_of(done)
    assert told_of(invoice) == ["Invoice deployed automatically", "Invoice INV-0001 created in Ledger"]
    stands = deliveries.deployment(invoice)
    assert (stands.standing, stands.number, stands.url) == (
        Standing.CREATED, "INV-0001", "https://pretend.example/INV-0001",
    )  # fmt: skip
    (certificate,) = deliveries.certificate.of_invoice(invoice)
    assert [step.answer for step in certificate.steps if step.act == "sent"] == ["created"]
    assert shell.deliver_due(now()) == 0


def test_what_goes_out_says_what_the_invoice_says(plain: LedgerAccount) -> None:
    client = acme(plain)
    client.address_street = "4 Kauri St"
    invoice = make_issued(client, plain.connection, "250.50", reference="PROP-7", memo="Thank you")
    deliveries.ask(invoice, plain.connection, by=PRIYA, now=now())
    sent: list[Any] = []
    create = plain.app.create_invoices
    plain.app.create_invoices = lambda session, outs: (sent.extend(outs), create(session, outs))[1]  # type: ignore[method-assign]  # a stand-in
    db.session.commit()
    shell.deliver_due(now())
    (out,) = sent
    assert (out.number, out.customer_id, out.currency, out.total, out.tax) == (
        invoice.number, "r-1", "NZD", invoice.total, invoice.tax,
    )  # fmt: skip
    assert (out.mark, out.reference, out.memo, out.address.street) == (
        invoice.mark, "PROP-7", "Thank you", "4 Kauri St",
    )  # fmt: skip
    (line,) = out.lines
    assert (line.tax_id, line.account_id, line.description) == ("tax-1", "target-1", "Annual accounts\nFor the year")
    assert out.url.endswith(f"/invoices/{invoice.id}")


def test_many_go_in_few_calls(plain: LedgerAccount) -> None:
    client = acme(plain)
    for _ in range(95):
        bill(client, plain.connection)
    db.session.commit()
    assert shell.deliver_due(now()) == 95
    assert plain.app.sizes["invoices"] == [30, 30, 30, 5]
    assert len(set(plain.app.numbers())) == 95


def test_a_customer_found_by_its_exact_name_is_linked_and_billed(books: LedgerAccount) -> None:
    asked = bill(make_client("Acme Corp"), books.connection)
    db.session.commit()
    shell.deliver_due(now())
    assert row(asked.id).state == DeliveryState.DELIVERED
    assert books.app.invoices["invoice-1"].customer_id == "r-1"


def test_a_customer_nobody_there_is_like_is_created_first_and_once(books: LedgerAccount) -> None:
    client = make_client("Brand New Ltd")
    first, second = bill(client, books.connection), bill(client, books.connection)
    db.session.commit()
    shell.deliver_due(now())
    assert {row(first.id).state, row(second.id).state} == {DeliveryState.DELIVERED}
    (customer,) = {one.customer_id for one in books.app.invoices.values()}
    assert books.app.records[customer].name == "Brand New Ltd"
    assert books.app.calls.count("create") == 1


def test_a_near_match_asks_with_both_spellings_and_goes_once_they_are_one(plain: LedgerAccount) -> None:
    """QBO-2: nothing is created, the whole story is told, and after the link the same invoice goes."""
    client = make_client("ACME Corp")
    asked = bill(client, plain.connection)
    db.session.commit()
    shell.deliver_due(now())
    waiting = row(asked.id)
    assert (waiting.state, waiting.cause) == (DeliveryState.ASKS, "customer")
    assert plain.app.invoices == {}
    stands = deliveries.deployment(invoice_of(waiting))
    assert stands.standing == Standing.FAILED
    assert "ACME Corp is not linked to a customer in Ledger" in stands.reason
    assert "Sync now" in stands.advice
    assert stands.story is not None
    (alike,) = stands.story.alike
    assert (alike.here, alike.there, alike.remote_id) == ("ACME Corp", "Acme Corp", "r-1")
    connection, there = plain.connection, plain.app.records["r-1"]
    links.link(client, connection, there, by=PRIYA, now=now(), reason="chosen", app="Ledger")
    db.session.commit()
    shell.deliver_due(now())
    assert row(asked.id).state == DeliveryState.DELIVERED
    told = told_of(invoice_of(row(asked.id)))
    assert told[0].startswith("Invoice waits: ACME Corp is not linked to a customer in Ledger")
    assert told[-1] == "Invoice INV-0001 created in Ledger"


def test_a_customer_another_process_is_asking_for_keeps_the_invoice_waiting_for_seconds_only(
    plain: LedgerAccount, clock: Any
) -> None:
    """QBO-2: whoever presses the button in that moment still gets to see what became of it."""
    client = make_client("ACME Corp")
    asked = bill(client, plain.connection)
    in_hand = outgoing.ask(client, plain.connection, by=PRIYA, now=now())
    in_hand.lease_by, in_hand.lease_until = "another", now() + timedelta(minutes=10)
    db.session.commit()
    shell.deliver_due(now())
    assert (row(asked.id).state, row(asked.id).cause) == (DeliveryState.WAITING, "customer")
    in_hand.lease_by = in_hand.lease_until = None
    db.session.commit()
    clock.shift(timedelta(seconds=6))
    shell.deliver_due(now())
    assert (row(asked.id).state, row(asked.id).cause) == (DeliveryState.ASKS, "customer")


def test_a_refusal_is_on_the_invoice_with_the_ledgers_reason_and_can_be_tried_again(books: LedgerAccount) -> None:
    """Fault row 13's end: what was refused has no id; it is looked for before it goes again (IN-12, IN-14)."""
    asked = bill(acme(books), books.connection)
    other = bill(asked_client(asked), books.connection)
    books.app.refuse_invoice["INV-0001"] = InvoiceRefused(
        "The account cannot be used.", cause=Cause.ACCOUNT_NOT_VALID, vendor_text="Account code '200' is not valid"
    )
    db.session.commit()
    shell.deliver_due(now())
    refused = row(asked.id)
    assert (refused.state, refused.cause, refused.remote_id) == (DeliveryState.FAILED, "account_not_valid", None)
    assert row(other.id).state == DeliveryState.DELIVERED
    stands = deliveries.deployment(invoice_of(refused))
    assert stands.reason == "The account cannot be used. Ledger says: Account code '200' is not valid"
    assert stands.fix == "mapping"
    assert stands.can_try
    books.app.refuse_invoice.clear()
    alice = Actor.person(person("admin"))
    before = books.app.calls.count("look")
    deliveries.try_again(row(asked.id), by=alice, now=now())
    db.session.commit()
    shell.deliver([asked.id])
    assert row(asked.id).state == DeliveryState.DELIVERED
    assert books.app.calls.count("look") > before
    told = told_of(invoice_of(row(asked.id)))
    assert told[-2:] == ["Invoice deployed by Alice Ngata", "Invoice INV-0001 created in Ledger"]
    with pytest.raises(deliveries.CannotTryAgain):
        deliveries.try_again(row(asked.id), by=alice, now=now())


def asked_client(asked: Delivery) -> Any:
    return db.session.get_one(Client, asked.client_id)


def test_one_that_spoils_the_whole_call_costs_the_others_nothing(plain: LedgerAccount) -> None:
    client = acme(plain)
    asked = [bill(client, plain.connection) for _ in range(9)]
    create = plain.app.create_invoices

    def picky(session: Any, outs: Any) -> Any:
        if any(one.number == "INV-0004" for one in outs):
            plain.app.calls.append("invoices")
            raise Rejected("Something in it cannot be read.")
        return create(session, outs)

    plain.app.create_invoices = picky  # type: ignore[method-assign]  # a stand-in
    db.session.commit()
    shell.deliver_due(now())
    states = [row(one.id).state for one in asked]
    assert states.count(DeliveryState.DELIVERED) == 8
    assert states[3] == DeliveryState.FAILED


def test_an_unmapped_tax_rate_asks_and_goes_by_itself_once_it_is_mapped(plain: LedgerAccount) -> None:
    asked = bill(acme(plain), plain.connection)
    mapping = db.session.scalars(select(TaxMapping)).one()
    kept = (mapping.connection_id, mapping.tax_rate_id, mapping.remote_id)
    db.session.delete(mapping)
    db.session.commit()
    shell.deliver_due(now())
    assert (row(asked.id).state, row(asked.id).cause) == (DeliveryState.ASKS, "mapping")
    assert "invoices" not in plain.app.calls
    db.session.add(TaxMapping(connection_id=kept[0], tax_rate_id=kept[1], remote_id=kept[2]))
    deliveries.wake(plain.connection, now=now(), causes=("mapping",))
    db.session.commit()
    shell.deliver_due(now())
    assert row(asked.id).state == DeliveryState.DELIVERED


def test_one_voided_before_it_went_does_not_go(plain: LedgerAccount) -> None:
    asked = bill(acme(plain), plain.connection)
    invoice_of(asked).voided_at = now()
    db.session.commit()
    shell.deliver_due(now())
    assert row(asked.id).state == DeliveryState.WITHDRAWN
    assert plain.app.invoices == {}


def test_a_withdrawn_one_stays_and_comes_back_when_asked_again(plain: LedgerAccount) -> None:
    asked = bill(acme(plain), plain.connection)
    assert deliveries.withdraw(asked, "voided", by=PRIYA, now=now())
    db.session.commit()
    assert shell.deliver_due(now()) == 0
    again = deliveries.ask(invoice_of(asked), plain.connection, by=PRIYA, now=now())
    db.session.commit()
    assert again.id == asked.id
    shell.deliver_due(now())
    assert row(asked.id).state == DeliveryState.DELIVERED
    assert not deliveries.withdraw(row(asked.id), "voided", by=PRIYA, now=now())


def test_a_used_up_allowance_is_waited_for(plain: LedgerAccount, clock: Any) -> None:
    """Fault row 18: it stops calling, says so, and goes on by itself."""
    client = acme(plain)
    asked = [bill(client, plain.connection) for _ in range(70)]
    later = now() + timedelta(hours=3)
    create = plain.app.create_invoices

    def limited(session: Any, outs: Any) -> Any:
        if plain.app.calls.count("invoices") >= 1:
            raise RateLimited("The day's calls are used up.", retry_at=later)
        return create(session, outs)

    plain.app.create_invoices = limited  # type: ignore[method-assign]  # a stand-in
    db.session.commit()
    shell.deliver_due(now())
    assert len(plain.app.invoices) == 30
    waiting = [row(one.id) for one in asked[30:]]
    assert {one.state for one in waiting} == {DeliveryState.WAITING}
    assert {one.next_at for one in waiting} == {later}
    assert "used up" in waiting[0].reason
    assert shell.deliver_due(now()) == 0
    plain.app.create_invoices = create  # type: ignore[method-assign]  # a stand-in
    clock.move_to(later + timedelta(seconds=1))
    shell.deliver_due(now())
    assert len(plain.app.invoices) == 70


def test_an_outage_is_waited_for_without_a_call_for_each(plain: LedgerAccount, clock: Any) -> None:
    """Fault row 19."""
    client = acme(plain)
    for _ in range(70):
        bill(client, plain.connection)
    plain.app.refuse("invoices", Unavailable("It cannot be reached."))
    db.session.commit()
    shell.deliver_due(now())
    assert plain.app.calls.count("invoices") == 1
    assert plain.app.invoices == {}
    clock.shift(timedelta(minutes=2))
    shell.deliver_due(now())
    assert len(plain.app.invoices) == 70
    assert set(plain.app.numbers()) == {f"INV-{n:04}" for n in range(1, 71)}


def test_lost_access_keeps_what_waits_until_it_is_back(plain: LedgerAccount) -> None:
    """Fault row 35: one state, one line in the log, no hammering; it goes once connected again."""
    client = acme(plain)
    asked = [bill(client, plain.connection) for _ in range(3)]
    plain.app.refuse("invoices", NeedsReconnect("Access ended."))
    db.session.commit()
    shell.deliver_due(now())
    connection = db.session.get_one(Connection, plain.connection_id)
    assert connection.state == ConnectionState.NEEDS_RECONNECT
    assert shell.deliver_due(now()) == 0
    assert plain.app.calls.count("invoices") == 1
    stands = deliveries.deployment(invoice_of(row(asked[0].id)))
    assert (stands.standing, stands.fix) == (Standing.WAITING, "connection")
    lines = [one for one in activity.log(connection_id=plain.connection_id) if one.verb == "app_lost"]
    assert len(lines) == 1
    connection = db.session.get_one(Connection, plain.connection_id)
    connection.move_to(ConnectionState.CONNECTED, now=now())
    db.session.commit()
    shell.deliver_due(now())
    assert len(plain.app.invoices) == 3


def test_asked_twice_is_asked_once(plain: LedgerAccount) -> None:
    invoice = make_issued(acme(plain), plain.connection)
    first = deliveries.ask(invoice, plain.connection, by=PRIYA, now=now())
    assert deliveries.ask(invoice, plain.connection, by=PRIYA, now=now()).id == first.id


def test_a_customer_that_cannot_be_asked_for_now_is_waited_for(plain: LedgerAccount, clock: Any) -> None:
    asked = bill(make_client("Brand New Ltd"), plain.connection)
    plain.app.refuse("find", Unavailable("It cannot be reached."))
    db.session.commit()
    shell.deliver_due(now())
    assert row(asked.id).state == DeliveryState.WAITING
    assert (row(asked.id).next_at or now()) > now()
    clock.shift(timedelta(minutes=6))
    shell.deliver_due(now())
    assert row(asked.id).state == DeliveryState.DELIVERED
    assert db.session.scalars(select(OutgoingClient)).all() == []


def test_the_origin_of_a_delivery_is_the_app(plain: LedgerAccount) -> None:
    asked = bill(acme(plain), plain.connection)
    db.session.commit()
    shell.deliver_due(now())
    lines = activity.log(invoice_id=row(asked.id).invoice_id)
    assert {one.origin for one in lines} == {Origin.APP}
