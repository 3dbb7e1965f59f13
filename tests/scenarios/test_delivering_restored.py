"""A portal restored from last night's backup: what went out since is in the ledger, and comes back from there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, select

from portal import deliveries as shell
from portal.db import db
from portal.domain import deliveries
from portal.domain.activity import Activity
from portal.domain.deliveries import Delivery, DeliveryAttempt, DeliveryState
from portal.domain.invoices import Invoice
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill, told_of
from tests.pretend_app import record
from tests.pretend_ledger import LedgerAccount, pretend_ledger

MANNERS = [
    pytest.param({"refuses_used_numbers": True}, id="refuses used numbers"),
    pytest.param({"writes_by_mark": True}, id="writes by mark"),
    pytest.param({}, id="neither"),
]


@pytest.fixture(params=MANNERS)
def books(database: Any, clock: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    return pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], **request.param)


def asked_of(books: LedgerAccount, count: int = 1) -> list[int]:
    client = make_client("Acme Corp")
    make_link(client, books.connection, "r-1")
    made = [bill(client, books.connection).id for _ in range(count)]
    db.session.commit()
    return made


def row(delivery_id: int) -> Delivery:
    db.session.expire_all()
    return db.session.get_one(Delivery, delivery_id)


def now() -> datetime:
    return datetime.now(UTC)


def later(clock: Any, **by: float) -> None:
    clock.shift(timedelta(**by))
    shell.deliver_due(now())


def test_a_refused_number_that_is_our_own_invoice_is_adopted(
    database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 10: a portal restored from last night's backup sends today's invoice anew and finds its own."""
    books = pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], refuses_used_numbers=True)
    (asked,) = asked_of(books)
    shell.deliver_due(now())
    as_last_night(asked)
    books.app._answered.clear()
    shell.deliver_due(now())
    assert (row(asked).state, row(asked).adopted) == (DeliveryState.DELIVERED, True)
    assert books.app.numbers() == ["INV-0001"]


@pytest.mark.parametrize("keeps_marks", [True, False])
def test_restored_from_a_backup_nothing_is_created_again(books: LedgerAccount, clock: Any, keeps_marks: bool) -> None:
    """Fault row 10: today's invoices are adopted by sign or by number; what differs there is told."""
    keeps_marks = keeps_marks or books.app.ledger.writes_by_mark  # a ledger that writes by the mark shows it
    asked = asked_of(books, 3)
    shell.deliver_due(now())
    books.app.keeps_marks = keeps_marks
    if keeps_marks:  # somebody has corrected one of them there since; without our sign that would be another's invoice
        changed = next(one for one in books.app.invoices.values() if one.number == "INV-0002")
        books.app.invoices[changed.remote_id] = replace(changed, total=Decimal("99.00"), due=Decimal("99.00"))
    for one in asked:
        as_last_night(one)
    books.app._answered.clear()
    shell.deliver_due(now())
    later(clock, minutes=2)
    assert {row(one).state for one in asked} == {DeliveryState.DELIVERED}
    assert len({row(one).remote_id for one in asked}) == 3
    assert books.app.numbers() == ["INV-0001", "INV-0002", "INV-0003"]
    assert {row(one).adopted for one in asked} == {not books.app.ledger.writes_by_mark}
    assert len(books.app.invoices) == 3
    _is_told(books, asked, changed=asked[1] if keeps_marks else None)


def _is_told(books: LedgerAccount, asked: list[int], changed: int | None) -> None:
    """What differs is on its own invoice, once, in every place that tells of it; and nothing is said of the others."""
    how = "its total is NZD 99.00, ours NZD 115.00"
    line = f"Ledger shows the invoice differently: {how}"
    for one in asked:
        log = told_of(db.session.get_one(Invoice, row(one).invoice_id))
        assert log.count(line) == (one == changed), log
        assert sum("differently" in said for said in log) == (one == changed)
        # Where the same sign is the same invoice, writing it again is how it is found.
        how_it_came = "created" if books.app.ledger.writes_by_mark else "found"
        came = [said for said in log if f"{how_it_came} in Ledger" in said]
        assert len(came) == 1, log
        answers = [(step.answer, step.words) for step in words_of(one) if step.answer in ("created", "found")]
        assert answers == [(how_it_came, how if one == changed else "")]
    compared = shell.compare(books.connection, date(2026, 11, 3), date(2026, 11, 3))
    verdicts = {row.invoice.number: row.verdict for row in compared.rows}
    differs = [number for number, verdict in verdicts.items() if verdict == "differs"]
    assert differs == (["INV-0002"] if changed is not None else [])
    assert (compared.missing, compared.extra, compared.ledger_records) == (0, 0, 3)


def words_of(delivery_id: int) -> list[DeliveryAttempt]:
    return list(db.session.scalars(select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery_id)))


def as_last_night(delivery_id: int) -> None:
    """The row as the backup has it, before it was sent."""
    db.session.execute(delete(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery_id))
    one = row(delivery_id)
    db.session.execute(delete(Activity).where(Activity.invoice_id == one.invoice_id))
    one.state = DeliveryState.WAITING
    one.remote_id, one.remote_number, one.adopted, one.attempts, one.sent_at = None, "", False, 0, None
    one.next_at, one.delivered_at = now(), None
    one.key = deliveries.first_key(one.connection.app, one.connection.account_id, "invoice", one.mark)
    db.session.commit()
