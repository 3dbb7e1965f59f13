"""Invoices for many clients the ledger has never heard of: their customers are created many in a call.

One by one, a thousand of them would cost two thousand calls before the first invoice goes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from portal import deliveries as shell
from portal import sync
from portal.db import db
from portal.domain.apps import OutgoingClient, RunState, SyncRun
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Invoice
from portal.sync.creating_there import create_due
from tests.cast import make_client
from tests.cast_deliveries import bill, told_of
from tests.pretend_app import record
from tests.pretend_ledger import LedgerAccount, pretend_ledger

MANY = 65


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs that were asked for; a test does them when it wants them done."""
    asked: list[int] = []
    monkeypatch.setattr("portal.sync.many.start", asked.append)
    return asked


@pytest.fixture
def books(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    made = pretend_ledger(monkeypatch, [record("r-1", "client 007")], refuses_used_numbers=True)
    made.done()
    made.app.calls.clear()
    return made


def now() -> datetime:
    return datetime.now(UTC)


def bill_new(books: LedgerAccount, many: int = MANY) -> list[int]:
    made = [bill(make_client(f"Client {number:03}"), books.connection).id for number in range(many)]
    db.session.commit()
    return made


def states(ids: list[int]) -> dict[str, int]:
    db.session.expire_all()
    query = select(Delivery.state, func.count()).where(Delivery.id.in_(ids)).group_by(Delivery.state)
    return {DeliveryState(state).value: many for state, many in db.session.execute(query)}


def test_their_customers_are_created_in_batches_and_the_invoices_follow(
    books: LedgerAccount, started: list[int]
) -> None:
    asked = bill_new(books)
    shell.deliver_due(now())
    assert (states(asked), len(started)) == ({"waiting": MANY}, 1)
    waiting = db.session.get_one(Delivery, asked[0])
    assert (waiting.cause, waiting.reason) == ("customer", "65 new customers are created in Ledger.")
    shell.deliver_due(now())  # nobody is asked for twice while the run is under way
    assert create_due(now()) == 0
    assert (books.app.calls.count("find"), len(started)) == (0, 1)
    assert sync.work(started[0]) == RunState.DONE
    shell.deliver_due(now())
    assert books.app.sizes["create"] == [30, 30, 4]
    assert books.app.sizes["invoices"] == [30, 30, 4]
    assert books.app.calls.count("find") == 1  # for the one that is nearly there
    assert states(asked) == {"delivered": MANY - 1, "waiting": 1}


def test_one_that_is_nearly_there_asks_with_the_story_and_keeps_nobody_else_waiting(
    books: LedgerAccount, started: list[int], clock: Any
) -> None:
    """QBO-2: nothing like it is created, in a batch as little as alone."""
    asked = bill_new(books)
    shell.deliver_due(now())
    sync.work(started[0])
    shell.deliver_due(now())
    clock.shift(timedelta(minutes=6))
    shell.deliver_due(now())
    assert states(asked) == {"delivered": MANY - 1, "asks": 1}
    (stuck,) = db.session.scalars(select(Delivery).where(Delivery.state == DeliveryState.ASKS))
    told = told_of(db.session.get_one(Invoice, stuck.invoice_id))
    assert told[-1].startswith("Invoice waits: Client 007 is not linked to a customer in Ledger")
    assert sum(one.name.lower() == "client 007" for one in books.app.records.values()) == 1


def test_a_few_are_created_one_by_one_at_once(books: LedgerAccount, started: list[int]) -> None:
    asked = bill_new(books, 5)
    shell.deliver_due(now())
    assert (states(asked), started) == ({"delivered": 5}, [])


def test_what_is_issued_and_nudged_along_waits_for_the_same_run(books: LedgerAccount, started: list[int]) -> None:
    asked = bill_new(books)
    assert shell.deliver(asked) == 0
    assert (states(asked), len(started), books.app.calls) == ({"waiting": MANY}, 1, [])
    sync.work(started[0])
    shell.deliver_due(now())
    assert states(asked)["delivered"] == MANY - 1


def test_a_run_that_comes_to_nothing_is_not_asked_for_at_every_tick(
    books: LedgerAccount, started: list[int], clock: Any
) -> None:
    """They are created one by one then, a few at a tick, and another run is tried after a while."""
    asked = bill_new(books)
    shell.deliver_due(now())
    run = db.session.get_one(SyncRun, started[0])
    run.state, run.ended_at = RunState.CANCELLED, now()
    db.session.commit()
    assert create_due(now()) == 0
    assert len(started) == 2  # the many that wait get a run
    again = db.session.get_one(SyncRun, started[1])
    again.state, again.ended_at = RunState.CANCELLED, now()
    db.session.commit()
    assert create_due(now()) == 20
    assert create_due(now()) == 20
    assert len(started) == 2
    for _round in range(4):
        clock.shift(timedelta(minutes=6))
        create_due(now())
        shell.deliver_due(now())
    assert states(asked)["delivered"] == MANY - 1
    names = [one.name for one in books.app.records.values()]
    assert len(names) == len(set(names)) == MANY
    assert db.session.scalar(select(func.count()).select_from(OutgoingClient)) == 1
