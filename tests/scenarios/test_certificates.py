"""The certificate of a period: right whatever people did in the ledger, and the same on the page, as CSV and in a
terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from portal import deliveries as shell
from portal.adapters.base import NeedsReconnect, RateLimited, Unavailable
from portal.db import db
from portal.deliveries import comparing
from portal.domain import invoices
from portal.domain.apps import ConnectionState
from portal.domain.deliveries import Delivery
from portal.domain.deliveries.certificate import Comparison
from portal.domain.invoices import Invoice
from portal.domain.records import InvoiceState
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill
from tests.pretend_app import PRIYA, record
from tests.pretend_ledger import LedgerAccount, pretend_ledger

DAY = date(2026, 11, 3)


@pytest.fixture
def books(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """Four invoices of 115.00, all there."""
    made = pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], refuses_used_numbers=True)
    client = make_client("Acme Corp")
    make_link(client, made.connection, "r-1")
    for _ in range(4):
        bill(client, made.connection)
    db.session.commit()
    shell.deliver_due(datetime.now(UTC))
    return made


def compared(books: LedgerAccount) -> Comparison:
    db.session.expire_all()
    return shell.compare(books.connection, DAY, DAY)


def verdicts(books: LedgerAccount) -> list[tuple[str, str]]:
    return [(row.verdict, row.words) for row in compared(books).rows]


def there(books: LedgerAccount, which: str, /, **values: Any) -> None:
    """How somebody changed it in the ledger."""
    one = next(one for one in books.app.invoices.values() if one.number == which)
    books.app.invoices[one.remote_id] = replace(one, **values)


def void_here(number: str) -> None:
    invoice = invoices.by_number(number)
    assert invoice is not None
    invoices.void(invoice, "other", "", by=PRIYA, now=datetime.now(UTC))
    db.session.commit()


def test_all_of_them_there_once(books: LedgerAccount) -> None:
    found = compared(books)
    assert (found.invoices, found.ledger_records, found.extra, found.missing, found.is_clean) == (4, 4, 0, 0, True)
    assert {row.verdict for row in found.rows} == {"once"}


@pytest.mark.parametrize("state", [InvoiceState.VOIDED, InvoiceState.DELETED])
def test_one_that_ended_there_and_not_here_differs(books: LedgerAccount, state: InvoiceState) -> None:
    there(books, "INV-0002", state=state, total=Decimal(0))
    found = compared(books)
    assert (found.count("differs"), found.missing, found.is_clean) == (1, 0, False)
    assert found.rows[1].words == f"it is {state.value} there, and not void here"


def test_one_voided_here_that_still_stands_there_is_told(books: LedgerAccount) -> None:
    void_here("INV-0002")
    assert verdicts(books)[1] == ("differs", "it was voided here and still stands there; void it there too")


def test_one_void_on_both_sides_is_as_it_should_be(books: LedgerAccount) -> None:
    """A ledger may empty what it voids, so its total says nothing."""
    void_here("INV-0002")
    there(books, "INV-0002", state=InvoiceState.VOIDED, total=Decimal(0))
    assert verdicts(books)[1] == ("void", "voided")
    assert compared(books).is_clean


def test_one_deleted_there_is_missing_unless_it_is_void_here(books: LedgerAccount) -> None:
    gone = next(one for one in books.app.invoices.values() if one.number == "INV-0002")
    del books.app.invoices[gone.remote_id]
    found = compared(books)
    assert (found.missing, found.ledger_records, found.is_clean) == (1, 3, False)
    void_here("INV-0002")
    found = compared(books)
    assert (found.missing, found.rows[1].verdict, found.is_clean) == (0, "void", True)


@pytest.mark.parametrize("keeps_marks", [True, False])
def test_one_renumbered_there_is_known_all_the_same(books: LedgerAccount, keeps_marks: bool) -> None:
    """By its sign, or, where that was taken off too, by its id."""
    there(books, "INV-0002", number="2026-17")
    books.app.keeps_marks = keeps_marks
    found = compared(books)
    assert (found.missing, found.ledger_records) == (0, 4)
    assert (found.rows[1].verdict, found.rows[1].words) == (
        "differs", "its number is 2026-17 there, INV-0002 here",
    )  # fmt: skip


def test_somebody_elses_invoice_under_its_number_is_told_and_not_counted_as_ours(books: LedgerAccount) -> None:
    books.app.put_invoice("INV-0002")
    found = compared(books)
    assert (found.ledger_records, found.extra) == (4, 0)
    assert found.rows[1].words == "1 more there has its number, without its sign"


def test_a_second_one_with_its_sign_is_extra(books: LedgerAccount) -> None:
    one = next(one for one in books.app.invoices.values() if one.number == "INV-0002")
    books.app.put_invoice("INV-0002", mark=one.mark)
    found = compared(books)
    assert (found.extra, found.ledger_records, found.rows[1].verdict) == (1, 5, "extra")


def test_another_total_or_currency_there_differs(books: LedgerAccount) -> None:
    there(books, "INV-0001", total=Decimal("99.00"))
    there(books, "INV-0003", currency="AUD")
    said = verdicts(books)
    assert said[0] == ("differs", "its total is NZD 99.00 there, NZD 115.00 here")
    assert said[2] == ("differs", "its currency is AUD there, NZD here")


def test_a_ledger_that_cannot_say_what_is_void_is_not_asked_to(
    books: LedgerAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books.app, "ledger", replace(books.app.ledger, tells_payments=False))
    void_here("INV-0002")
    assert verdicts(books)[1] == ("once", "open")


def test_a_period_without_invoices_has_no_rows_and_calls_nobody(books: LedgerAccount) -> None:
    books.app.calls.clear()
    found = shell.compare(books.connection, date(2025, 1, 1), date(2025, 1, 31))
    assert (found.rows, found.invoices, found.is_clean, books.app.calls) == ((), 0, True, [])


def test_one_on_its_way_is_not_missing(books: LedgerAccount) -> None:
    client = make_client("Beta Ltd")
    bill(client, books.connection)
    db.session.commit()
    found = compared(books)
    assert (found.invoices, found.missing, found.rows[-1].verdict) == (4, 0, "not_yet")


def test_more_than_fit_into_one_reading_are_all_compared(books: LedgerAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "PAGE", 3)
    assert [row.invoice.number for row in compared(books).rows] == [f"INV-000{n}" for n in range(1, 5)]


@pytest.mark.parametrize(
    "error", [Unavailable("It is down."), RateLimited("Used up.", retry_at=datetime(2026, 11, 4, tzinfo=UTC))]
)
def test_a_look_up_that_fails_half_way_proves_nothing(
    books: LedgerAccount, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a certificate would be a false one."""
    monkeypatch.setattr(books.app, "ledger", replace(books.app.ledger, look_up_batch=2))
    find, asked = books.app.find_invoices, []

    def breaks(*what: Any) -> Any:
        asked.append(what)
        if len(asked) == 2:
            raise error
        return find(*what)

    monkeypatch.setattr(books.app, "find_invoices", breaks)
    with pytest.raises(type(error)):
        compared(books)


def test_without_a_connection_it_says_what_to_do(books: LedgerAccount) -> None:
    books.connection.move_to(ConnectionState.NEEDS_RECONNECT, now=datetime.now(UTC))
    db.session.commit()
    with pytest.raises(NeedsReconnect, match="has to be connected again first"):
        compared(books)


def test_every_delivery_of_the_period_is_in_it(books: LedgerAccount) -> None:
    numbers = {db.session.get_one(Invoice, one.invoice_id).number for one in db.session.query(Delivery)}
    assert {row.invoice.number for row in compared(books).rows} == numbers
