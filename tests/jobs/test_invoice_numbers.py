"""Numbers of invoices when many issue at once: none twice, none missing, and nothing billed twice.

The same at full size and with processes: `python -m benchmarks.numbering`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain import invoices
from portal.domain.clients import Client
from portal.domain.invoices import Invoice
from portal.domain.schedule import BillingItem
from tests.cast import COMMAND, make_client, now
from tests.cast_invoices import TODAY, make_item

if TYPE_CHECKING:
    from flask import Flask

WORKERS, EACH = 8, 6
Story = Callable[[], AbstractContextManager[Any]]


def test_eight_workers_at_once_leave_no_gap_and_use_no_number_twice(app: Flask, story: Story) -> None:
    """Fault row 94. Every third invoice is given up after its number was taken."""
    with story():
        client = make_client()
        ids = [[make_item(client).id for _ in range(EACH)] for _ in range(WORKERS)]
    given_up = Counter[str]()

    def work(mine: list[int]) -> None:
        for place, item_id in enumerate(mine):
            number = _issue(item_id)
            if place % 3 == 2:
                given_up[number] += 1
                db.session.rollback()
            else:
                db.session.commit()

    _together(app, [lambda mine=mine: work(mine) for mine in ids])
    with app.app_context():
        found = sorted(db.session.scalars(select(Invoice.number)))
    kept = WORKERS * (EACH - EACH // 3)
    assert found == [f"INV-{n:04d}" for n in range(1, kept + 1)]
    assert sum(given_up.values()) == WORKERS * (EACH // 3)


def test_the_same_item_asked_for_by_eight_at_once_is_billed_once(app: Flask, story: Story) -> None:
    with story():
        item_id = make_item(make_client()).id
    outcomes = Counter[str]()

    def work() -> None:
        try:
            _issue(item_id)
            db.session.commit()
            outcomes["billed"] += 1
        except invoices.AlreadyBilled:
            db.session.rollback()
            outcomes["too late"] += 1

    _together(app, [work] * WORKERS)
    assert outcomes == {"billed": 1, "too late": WORKERS - 1}
    with app.app_context():
        assert len(db.session.scalars(select(Invoice.id)).all()) == 1


def test_a_series_that_eight_begin_at_once_is_one_series(app: Flask) -> None:
    taken: list[str] = []

    def work() -> None:
        taken.append(invoices.take_number("invoice"))
        db.session.commit()

    _together(app, [work] * WORKERS)
    assert sorted(taken) == [f"INV-{n:04d}" for n in range(1, WORKERS + 1)]


def test_an_invoice_paid_by_two_at_once_is_paid_once(app: Flask, story: Story) -> None:
    """Fault row 61."""
    with story():
        item = make_item(make_client())
        number = _issue(item.id)
    outcomes = Counter[str]()

    def work() -> None:
        invoice = invoices.by_number(number)
        assert invoice is not None
        try:
            invoices.mark_paid(
                invoice, paid_on=TODAY, method="cash", reference="", by=COMMAND, now=now(), write_to_ledger=False
            )
            db.session.commit()
            outcomes["paid"] += 1
        except invoices.CannotSettle:
            db.session.rollback()
            outcomes["too late"] += 1

    _together(app, [work] * 4)
    assert outcomes == {"paid": 1, "too late": 3}
    with app.app_context():
        paid = invoices.by_number(number)
        assert paid is not None
        assert (paid.paid, len(paid.payments)) == (100, 1)


def _issue(item_id: int) -> str:
    item = db.session.get_one(BillingItem, item_id)
    client = db.session.get_one(Client, item.client_id)
    made = invoices.issue(client, [item], on=TODAY, by=COMMAND, now=now(), is_automatic=True)
    return made.number


def _together(app: Flask, works: list[Callable[[], None]]) -> None:
    """All of them at the same moment, each in a thread and context of its own. Raises what any of them raised."""
    ready, problems = threading.Barrier(len(works)), []

    def run(work: Callable[[], None]) -> None:
        with app.app_context():
            try:
                ready.wait(timeout=20)
                work()
            except Exception as problem:  # told by the test's own thread, below
                problems.append(problem)
            finally:
                db.session.rollback()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join(timeout=60)
    if problems:
        pytest.fail("\n".join(f"{type(one).__name__}: {one}" for one in problems))
