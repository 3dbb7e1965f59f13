"""An invoice's page that stays open is, after whatever happened, what a reload would show."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from lxml import html

from portal.domain import deliveries, invoices
from portal.domain.activity import SYSTEM, Verb, record
from portal.domain.apps import Connection
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Invoice
from portal.domain.ledgers import LedgerRecord, readings
from tests.cast import make_client, make_link, now
from tests.cast_deliveries import SCHEDULE, bill
from tests.pretend_ledger import LedgerAccount, pretend_ledger
from tests.reading import Browser, Page

NOT_THE_PAGES = re.compile(r'(name="csrf_token" value|hx-headers|seen)=("[^"]*"|\'[^\']*\'|[\w.]*)')


@pytest.fixture(autouse=True)
def frozen(clock) -> None:
    """Before anybody signs in."""


@pytest.fixture
def alice(frozen, sign_in_as) -> Browser:
    return sign_in_as("admin")


@pytest.fixture
def books(story, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    with story():
        return pretend_ledger(monkeypatch, refuses_used_numbers=True)


@pytest.fixture
def waiting(story, books: LedgerAccount) -> int:
    """An invoice on its way to its ledger."""
    with story():
        acme = make_client("Acme Corp")
        make_link(acme, books.connection, "r-1")
        return bill(acme, books.connection).invoice_id


def arrive(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    row.state, row.remote_id, row.remote_number, row.web_url = "delivered", "there-1", "INV-0001", "https://a.example/1"
    row.next_at, row.delivered_at = None, now()
    record(Verb.INVOICE_CREATED_THERE, by=SYSTEM, now=now(), invoice_id=invoice.id, number=invoice.number, app="Ledger")


def be_paid(invoice: Invoice, row: Delivery, connection: Connection, amount: str = "115") -> None:
    invoices.note_payment(
        invoice, Decimal(amount), invoice.issued_on, connection=connection, remote_id=f"pay-{amount}", method="Ledger",
        by=SYSTEM, now=now(),
    )  # fmt: skip


def be_part_paid(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    be_paid(invoice, row, connection, "15")


def be_taken_back(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    be_paid(invoice, row, connection)
    invoices.reverse_payment(invoice.payments[0], by=SYSTEM, now=now())


def be_marked_paid(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    invoices.mark_paid(
        invoice, paid_on=invoice.issued_on, method="cash", reference="", by=SYSTEM, now=now(), write_to_ledger=True
    )


def have_its_payment_refused(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    arrive(invoice, row, connection)
    be_marked_paid(invoice, row, connection)
    (payment,) = deliveries.of_payments(invoice)
    payment.state, payment.cause, payment.reason = DeliveryState.FAILED, "account_not_valid", "Not that account."


def have_its_payment_recorded(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    arrive(invoice, row, connection)
    be_marked_paid(invoice, row, connection)
    (payment,) = deliveries.of_payments(invoice)
    payment.state, payment.remote_id = DeliveryState.DELIVERED, "pay-1"


def be_refused(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    row.state, row.cause, row.reason, row.next_at = "failed", "number_used", "Somebody has that number.", None


def be_unsure(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    row.state, row.reason = "unknown", "No answer came; it is being looked for."


def be_renumbered(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    invoices.rename_number(invoice, by=SYSTEM, now=now(), reason="the ledger has this number for another")


def be_voided_there(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    arrive(invoice, row, connection)
    invoices.voided_there(invoice, connection, by=SYSTEM, now=now())


def be_voided(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    invoices.void(invoice, "duplicate", "Twice", by=SCHEDULE, now=now())


def differ(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    from portal.db import db

    arrive(invoice, row, connection)
    db.session.add(
        LedgerRecord(
            connection_id=connection.id, remote_id="there-1", invoice_id=invoice.id, state="open", total=Decimal(116),
            due=Decimal(116), read_at=now(), differs="total NZD 116.00 instead of NZD 115.00",
        )
    )  # fmt: skip


def be_looked_at(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    arrive(invoice, row, connection)
    readings.ask(connection.id, readings.of_invoice("there-1"), by=SYSTEM, now=now())


def be_looked_at_in_vain(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    be_looked_at(invoice, row, connection)
    readings.ended(connection.id, readings.of_invoice("there-1"), now=now(), error="Ledger is down.")


def be_voided_and_stand_on(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    arrive(invoice, row, connection)
    be_voided(invoice, row, connection)


def be_voided_there_afterwards(invoice: Invoice, row: Delivery, connection: Connection) -> None:
    differ(invoice, row, connection)
    be_voided(invoice, row, connection)
    readings.record_of(connection.id, "there-1").state = "voided"


EVENTS = (
    arrive, be_paid, be_part_paid, be_taken_back, be_marked_paid, have_its_payment_refused, have_its_payment_recorded,
    be_refused, be_unsure, be_renumbered, be_voided_there, be_voided, be_voided_and_stand_on,
    be_voided_there_afterwards, differ, be_looked_at, be_looked_at_in_vain,
)  # fmt: skip


def happens(story, invoice_id: int, event: Callable[..., None]) -> None:
    with story() as session:
        invoice = session.get(Invoice, invoice_id)
        row = session.query(Delivery).filter_by(invoice_id=invoice_id).one()
        event(invoice, row, session.get(Connection, row.connection_id))


def looked_again(page: Page) -> Page:
    """What the page is answered when it asks by itself."""
    address = page.find("//*[@id='live']").get("hx-get")
    return page.browser.get(address, block="live")


def with_answer(page: Page, answer: Page) -> Any:
    """The page's tree after htmx has put the answer into it."""
    tree = deepcopy(page.tree)
    if answer.status == 204:
        return tree
    fragment = html.fragment_fromstring(answer.body, create_parent="div")
    for part in list(fragment):
        place = tree.xpath(f"//*[@id='{part.get('id')}']")[0]
        if part.get("hx-swap-oob"):
            for old in list(place):
                place.remove(old)
            place.text = part.text
            place.extend(list(part))
        else:
            part.tail = place.tail
            place.getparent().replace(place, part)
    return tree


def reads(tree: Any) -> str:
    """The main part as markup, without what differs from one answer to the next."""
    text = html.tostring(tree.xpath("//main")[0], encoding="unicode")
    return re.sub(r"\s+", " ", NOT_THE_PAGES.sub("", text)).replace("> <", "><").replace(" </", "</").replace("> ", ">")


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_whatever_happens_an_open_page_becomes_what_a_reload_shows(
    alice: Browser, story, waiting: int, event: Callable[..., None]
) -> None:
    page = alice.get(f"/invoices/{waiting}")
    happens(story, waiting, event)
    answer = looked_again(page)
    assert answer.status == 200
    assert reads(with_answer(page, answer)) == reads(alice.get(f"/invoices/{waiting}").tree)


def test_a_page_opened_while_it_waits_offers_to_look_once_it_is_there(alice: Browser, story, waiting: int) -> None:
    page = alice.get(f"/invoices/{waiting}")
    assert "Look in Ledger" not in page.buttons()
    happens(story, waiting, arrive)
    words = [button.text_content().strip() for button in with_answer(page, looked_again(page)).xpath("//form//button")]
    assert "Look in Ledger" in words


def test_nothing_new_moves_nothing(alice: Browser, story, waiting: int) -> None:
    page = alice.get(f"/invoices/{waiting}")
    assert looked_again(page).status == 204
    happens(story, waiting, arrive)
    fresh = alice.get(f"/invoices/{waiting}")
    assert looked_again(fresh).status == 204


def test_time_that_passes_moves_nothing(alice: Browser, waiting: int, clock) -> None:
    """Ages go on in the browser; whoever has opened a line or reached a button keeps the place."""
    page = alice.get(f"/invoices/{waiting}")
    clock.shift(timedelta(minutes=5))
    assert looked_again(page).status == 204


def test_an_invoice_voided_here_alone_asks_for_it_there_until_it_is(alice: Browser, story, waiting: int) -> None:
    """IN-35."""
    happens(story, waiting, be_voided_and_stand_on)
    page = alice.get(f"/invoices/{waiting}")
    assert "It still stands in Ledger; void it there too." in page.text
    assert "Look in Ledger" in page.buttons()
    with story() as session:
        session.add(
            LedgerRecord(
                connection_id=1, remote_id="there-1", invoice_id=waiting, state="voided", total=Decimal(115),
                due=Decimal(0), read_at=now(),
            )
        )  # fmt: skip
    assert "It still stands" not in alice.get(f"/invoices/{waiting}").text


def test_a_form_somebody_fills_in_stays_while_it_can_be_used(alice: Browser, story, waiting: int) -> None:
    """A part payment changes how much is left, and nothing under the hands of whoever types."""
    page = alice.get(f"/invoices/{waiting}")
    happens(story, waiting, be_part_paid)
    answer = looked_again(page)
    assert not answer.all("//form[@id='paying']")
    assert [" ".join(one.text_content().split()) for one in answer.all("//*[@id='left-to-pay']")] == ["$100.00"]


@pytest.mark.parametrize(
    ("event", "pace"),
    [
        (None, ["every 2s"]),
        (arrive, ["every 10s"]),
        (be_paid, ["every 2s"]),
        (be_voided_there, []),
        (be_voided_and_stand_on, ["every 60s"]),
        (be_voided_there_afterwards, []),
    ],
)
def test_it_looks_as_often_as_something_can_happen(
    alice: Browser, story, waiting: int, event: Callable[..., None] | None, pace: list[str]
) -> None:
    if event is not None:
        happens(story, waiting, event)
    assert alice.get(f"/invoices/{waiting}").all("//*[@id='live']/@hx-trigger") == pace


def test_a_paid_invoice_is_watched_gently_because_the_ledger_may_take_it_back(
    alice: Browser, story, waiting: int
) -> None:
    happens(story, waiting, arrive)
    happens(story, waiting, be_paid)
    page = alice.get(f"/invoices/{waiting}")
    assert page.all("//*[@id='live']/@hx-trigger") == ["every 60s"]
    assert "Look in Ledger" in page.buttons()


def test_a_member_whose_page_is_open_when_it_is_voided_is_told_so(alice: Browser, sign_in_as, story, waiting) -> None:
    """IN-04."""
    page = sign_in_as("member").get(f"/invoices/{waiting}")
    happens(story, waiting, be_voided)
    tree = with_answer(page, looked_again(page))
    assert "This invoice was voided" in tree.text_content()
    assert tree.xpath("//*[@id='live']/@hx-trigger") == []
    assert tree.xpath("//*[@id='settling']//form") == []
