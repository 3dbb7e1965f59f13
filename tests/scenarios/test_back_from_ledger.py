"""What a ledger tells of our invoices: by looking, by webhooks, twice, late and in any order."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal import deliveries as shell
from portal import integrations, receivables
from portal.adapters.base import Unavailable
from portal.adapters.ledger import WebhookRefused
from portal.db import db
from portal.domain import invoices, ledgers
from portal.domain.activity import SYSTEM
from portal.domain.invoices import Invoice
from portal.domain.ledgers import LedgerRecord, WebhookEvent
from portal.domain.records import InvoiceState, LedgerInvoice
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill
from tests.pretend_app import record
from tests.pretend_ledger import LedgerAccount, pretend_ledger
from tests.scenarios.told_back import (
    DAY,
    KEY,
    PAID_THERE,
    STAMP,
    fetch_invoices,
    look,
    new_lines,
    ours,
    paid,
    read_events,
    signed,
    there,
)


@pytest.fixture
def books(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    made = pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], refuses_used_numbers=True, has_webhooks=True)
    monkeypatch.setattr(type(made.app), "fetch_invoices", fetch_invoices, raising=False)
    monkeypatch.setattr(type(made.app), "read_events", read_events, raising=False)
    monkeypatch.setattr(integrations, "webhook_key", lambda vendor: KEY)
    return made


@pytest.fixture
def invoice(books: LedgerAccount) -> Invoice:
    """115.00, in the ledger as invoice-1."""
    client = make_client("Acme Corp")
    make_link(client, books.connection, "r-1")
    asked = bill(client, books.connection)
    db.session.commit()
    shell.deliver_due(datetime.now(UTC))
    return db.session.get_one(Invoice, asked.invoice_id)


def test_paid_there_is_paid_here_whatever_often_it_is_read(books: LedgerAccount, invoice: Invoice) -> None:
    there(books, paid())
    for _ in range(3):
        look(books)
    assert (invoice.paid_how, invoice.paid) == ("ledger", Decimal(115))
    assert new_lines(invoice) == PAID_THERE
    assert ours() == [("p-1", False)]


def test_part_paid_then_paid_then_taken_back(books: LedgerAccount, invoice: Invoice) -> None:
    there(books, paid("15"))
    look(books)
    there(books, paid("15"), paid("100", "p-2"), changed_at=STAMP + timedelta(hours=1))
    look(books)
    assert invoice.paid_at is not None
    there(books, paid("15"), changed_at=STAMP + timedelta(hours=2))
    look(books)
    assert (invoice.paid_at, invoice.paid) == (None, Decimal(15))
    assert new_lines(invoice) == [
        "Invoice part paid in Ledger: NZD 15.00 on 4 Nov 2026, NZD 100.00 left to pay",
        "Invoice paid in Ledger: NZD 100.00 on 4 Nov 2026",
        "Invoice marked as paid automatically on 4 Nov 2026, paid by Ledger",
        "A payment of NZD 100.00 was taken back in Ledger",
    ]
    assert ours() == [("p-1", False), ("p-2", True)]


@pytest.mark.parametrize(
    ("state", "said"),
    [(InvoiceState.VOIDED, "Invoice voided in Ledger"), (InvoiceState.DELETED, "Invoice deleted in Ledger")],
)
def test_voided_there_is_voided_here(books: LedgerAccount, invoice: Invoice, state: InvoiceState, said: str) -> None:
    """IN-35."""
    there(books, state=state)
    look(books)
    look(books)
    assert invoice.voided_by == "ledger"
    assert new_lines(invoice) == [said]


def test_one_that_vanished_there_is_found_by_the_full_look(books: LedgerAccount, invoice: Invoice) -> None:
    del books.app.invoices["invoice-1"]
    look(books)  # the first look is a full one
    assert new_lines(invoice) == ["Invoice deleted in Ledger"]


def test_nothing_follows_from_what_a_ledger_that_tells_no_payments_does_not_show(
    books: LedgerAccount, invoice: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 28: it shows things late, or not at all once they were reworded there."""
    there(books, paid())
    look(books)
    assert invoice.paid_at is not None
    ways = books.connection.ways
    assert ways.ledger is not None
    silent = replace(ways, ledger=replace(ways.ledger, tells_payments=False))
    monkeypatch.setattr(type(books.connection), "ways", property(lambda self: silent))
    log = new_lines(invoice)
    there(books)
    look(books)
    receivables.look_at(books.connection.id, "invoice", "invoice-1")
    del books.app.invoices["invoice-1"]
    assert "nothing follows" in receivables.look_at(books.connection.id, "invoice", "invoice-1")
    db.session.refresh(invoice)
    assert (invoice.paid_at is not None, invoice.voided_at, new_lines(invoice)) == (True, None, log)


def test_a_difference_is_shown_and_nothing_is_mended_silently(books: LedgerAccount, invoice: Invoice) -> None:
    """MD-01."""
    there(books, total=Decimal("115.01"), due=Decimal("115.01"), due_on=date(2026, 12, 1))
    look(books)
    look(books)
    (kept,) = db.session.scalars(select(LedgerRecord))
    assert kept.differs == "total NZD 115.01 instead of NZD 115.00, due on 1 Dec 2026 instead of 17 Nov 2026"
    assert invoice.total == Decimal(115)
    assert len([line for line in new_lines(invoice) if line.startswith("Ledger shows the invoice differently")]) == 1


def test_an_older_reading_changes_nothing(books: LedgerAccount, invoice: Invoice) -> None:
    """Fault row 43: out of order."""
    there(books, paid())
    look(books)
    old = replace(books.app.invoices["invoice-1"], payments=(), paid=Decimal(0), changed_at=STAMP - timedelta(hours=1))
    said = receivables.settling.take_in(books.connection.id, old, by=SYSTEM, now=datetime.now(UTC))
    assert said == "older than what is known"
    assert invoice.paid_at is not None


def test_a_payment_marked_here_and_recorded_there_is_one_payment(books: LedgerAccount, invoice: Invoice) -> None:
    """Fault row 61."""
    look(books)
    invoices.mark_paid(
        invoice, paid_on=DAY, method="cheque", reference="77", by=SYSTEM, now=datetime.now(UTC), write_to_ledger=False
    )
    db.session.commit()
    there(books, paid(remote_id="p-9"))
    look(books)
    assert ours() == [("p-9", False)]
    assert invoice.paid == Decimal(115)


def test_a_ledger_that_tells_only_sums_is_believed_for_the_sum(books: LedgerAccount, invoice: Invoice) -> None:
    there(books, payments=None, paid=Decimal(40), due=Decimal(75))
    for _ in range(2):
        look(books)
    there(books, payments=None, paid=Decimal(115), due=Decimal(0), changed_at=STAMP + timedelta(hours=1))
    look(books)
    assert (invoice.paid, len(ours())) == (Decimal(115), 2)


def test_a_look_that_breaks_off_looks_from_the_same_moment_again(books: LedgerAccount, invoice: Invoice) -> None:
    look(books)
    settings = ledgers.settings_of(books.connection)
    before = settings.invoices_cursor
    there(books, paid())
    books.app.refuse("list", Unavailable("It is down."))
    look(books)
    assert (ledgers.settings_of(books.connection).invoices_cursor, invoice.paid_at) == (before, None)
    look(books)
    assert invoice.paid_at is not None


def test_what_others_made_there_is_left_alone(books: LedgerAccount, invoice: Invoice) -> None:
    books.app.put_invoice("INV-0500")
    look(books)
    assert [one.invoice_id for one in db.session.scalars(select(LedgerRecord))] == [invoice.id]


class TestWebhooks:
    def body(self, *events: dict[str, str]) -> bytes:
        return json.dumps(list(events)).encode()

    def event(self, books: LedgerAccount, **values: str) -> dict[str, str]:
        account = books.connection.account_id
        return {"id": "e-1", "account": account, "kind": "invoice", "of": "invoice-1"} | values

    def send(self, books: LedgerAccount, *events: dict[str, str]) -> int:
        body = self.body(*events)
        return receivables.take("ledger", {"Signature": signed(body)}, body, datetime.now(UTC))

    def handle(self) -> None:
        receivables.handle_due(datetime.now(UTC))
        db.session.expire_all()

    def outcomes(self) -> list[tuple[str, int]]:
        rows = db.session.scalars(select(WebhookEvent).order_by(WebhookEvent.id))
        return [(one.outcome, one.times) for one in rows]

    def test_an_event_leads_to_a_look_and_the_same_one_again_to_nothing(
        self, books: LedgerAccount, invoice: Invoice
    ) -> None:
        """Fault row 42."""
        there(books, paid())
        assert [self.send(books, self.event(books)) for _ in range(10)] == [1] + [0] * 9
        self.handle()
        self.handle()
        assert new_lines(invoice) == PAID_THERE
        assert self.outcomes() == [("paid there", 10)]

    def test_the_same_event_ten_times_at_once_is_one_payment_and_one_line(
        self, app: Any, books: LedgerAccount, invoice: Invoice
    ) -> None:
        """Fault row 42, in parallel: ten threads that share nothing but the database."""
        there(books, paid())
        body, ready, fresh = self.body(self.event(books)), threading.Barrier(10), []
        headers, now = {"Signature": signed(body)}, datetime.now(UTC)
        db.session.commit()

        def arrive() -> None:
            with app.app_context():
                ready.wait(20)
                fresh.append(receivables.take("ledger", headers, body, now))
                receivables.handle_due(now)

        threads = [threading.Thread(target=arrive) for _ in range(10)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
        self.handle()
        assert sorted(fresh) == [0] * 9 + [1]
        assert new_lines(invoice) == PAID_THERE
        assert ours() == [("p-1", False)]
        assert [times for _outcome, times in self.outcomes()] == [10]

    def test_events_in_any_order_end_in_what_the_ledger_says_now(self, books: LedgerAccount, invoice: Invoice) -> None:
        """Fault row 43."""
        there(books, paid())
        self.send(books, self.event(books, id="e-2"), self.event(books, id="e-1"), self.event(books, id="e-3"))
        self.handle()
        assert [outcome for outcome, _ in self.outcomes()] == ["paid there"] * 3
        assert ours() == [("p-1", False)]

    def test_an_event_before_our_own_answer_waits_for_it(self, books: LedgerAccount, clock: Any) -> None:
        """Fault row 44: the ledger tells of an invoice while our call that created it is not answered yet."""
        client = make_client("Acme Corp")
        make_link(client, books.connection, "r-1")
        asked = bill(client, books.connection)
        invoice_id = asked.invoice_id
        db.session.commit()
        create = books.app.create_invoices

        def told_before_the_answer(session: Any, outs: Any) -> Any:
            made = create(session, outs)
            there(books, paid())
            self.send(books, self.event(books))
            self.handle()
            assert self.outcomes() == [("waits for what is being sent", 1)]
            db.session.commit()
            return made

        books.app.create_invoices = told_before_the_answer  # type: ignore[method-assign]  # a stand-in
        shell.deliver_due(datetime.now(UTC))
        self.handle()  # too early
        assert db.session.get_one(Invoice, invoice_id).paid_at is None
        clock.shift(timedelta(seconds=6))
        self.handle()
        assert self.outcomes() == [("paid there", 1)]
        assert db.session.get_one(Invoice, invoice_id).paid_at is not None

    def test_it_waits_through_a_lost_answer_and_not_for_ever(self, books: LedgerAccount, clock: Any) -> None:
        """Fault row 44: bounded; somebody else's invoice is closed as theirs in the end."""
        client = make_client("Acme Corp")
        make_link(client, books.connection, "r-1")
        bill(client, books.connection)
        db.session.commit()
        books.app.lose("invoices")
        shell.deliver_due(datetime.now(UTC))
        self.send(books, self.event(books), self.event(books, id="e-2", of="theirs-7"))
        for _round in range(3):
            self.handle()
            clock.shift(timedelta(seconds=30))
        assert {outcome for outcome, _times in self.outcomes()} == {"waits for what is being sent"}
        books.app.refuse("look", Unavailable("It is down."))
        for _round in range(8):
            self.handle()
            clock.shift(timedelta(minutes=6))
        assert [outcome for outcome, _times in self.outcomes()] == ["an invoice this portal did not make"] * 2
        for _round in range(2):
            shell.deliver_due(datetime.now(UTC))
            clock.shift(timedelta(minutes=2))
        there(books, paid())
        look(books)  # what was told in vain is made up for by looking
        assert [one.paid_at is not None for one in db.session.scalars(select(Invoice))] == [True]

    def test_with_nothing_on_its_way_an_unknown_invoice_is_somebody_elses_at_once(self, books: LedgerAccount) -> None:
        self.send(books, self.event(books, of="theirs-1"))
        self.handle()
        assert self.outcomes() == [("an invoice this portal did not make", 1)]

    @pytest.mark.parametrize("spoil", ["no signature", "another key", "another body", "of another event"])
    def test_a_signature_that_does_not_fit_keeps_nothing(self, books: LedgerAccount, spoil: str) -> None:
        """Fault row 47."""
        body = self.body(self.event(books))
        headers = {
            "no signature": {}, "another key": {"Signature": signed(body, "another key")},
            "another body": {"Signature": signed(body + b" ")},
            "of another event": {"Signature": signed(self.body(self.event(books, id="e-2")))},
        }[spoil]  # fmt: skip
        with pytest.raises(WebhookRefused):
            receivables.take("ledger", headers, body, datetime.now(UTC))
        assert self.outcomes() == []

    def test_one_that_is_sent_again_after_a_week_has_no_effect(
        self, books: LedgerAccount, invoice: Invoice, clock: Any
    ) -> None:
        """Fault row 48."""
        there(books, paid())
        self.send(books, self.event(books))
        self.handle()
        clock.shift(timedelta(days=7))
        assert self.send(books, self.event(books)) == 0
        self.handle()
        assert new_lines(invoice) == PAID_THERE

    def test_other_accounts_and_other_kinds_are_kept_and_seen_and_do_nothing(self, books: LedgerAccount) -> None:
        """Fault row 49."""
        self.send(books, self.event(books, account="somebody else"), self.event(books, id="e-2", kind="vendor"))
        self.handle()
        assert self.outcomes() == [("an account that is not connected here", 1), ("nothing this portal follows", 1)]

    def test_a_ledger_that_cannot_be_read_is_asked_again_later(
        self, books: LedgerAccount, invoice: Invoice, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there(books, paid())
        self.send(books, self.event(books))

        def down(app: Any, session: Any, remote_id: str) -> LedgerInvoice:
            raise Unavailable("It is down.")

        with monkeypatch.context() as broken:
            broken.setattr(type(books.app), "fetch_invoice", down)
            self.handle()
        assert invoice.paid_at is None
        self.handle()  # too early
        assert invoice.paid_at is None
        clock.shift(timedelta(minutes=1))
        self.handle()
        assert invoice.paid_at is not None


def test_lists_that_cannot_be_read_stay_as_they_were(books: LedgerAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(app: Any, session: Any) -> Any:
        raise Unavailable("It is down.")

    before = [one.name for one in ledgers.all_entries(books.connection)]
    monkeypatch.setattr(type(books.app), "fetch_lists", down)
    db.session.commit()
    assert receivables.read_lists(books.connection.id, datetime.now(UTC)) == "It is down."
    assert [one.name for one in ledgers.all_entries(books.connection)] == before
    assert ledgers.settings_of(books.connection).lists_error == "It is down."
